"""Mistakes of others that DESIGN section 7 lists, and the tests that show we do not make them.

The table names tests that stand elsewhere; each must exist, be run and be able to fail. Mistakes without a test
elsewhere have theirs here.
"""

from __future__ import annotations

import ast
import base64
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from audit_kit import played, sealed
from log_kit import Log, access_body
from participant import Participant
from typer.testing import CliRunner
from world import ORIGIN, START, SetClock, make_world, running

from broker.app import Broker
from broker.audit.trust import trust_text
from broker.audit.verify import verify
from broker.canonical import canonical_json
from broker.cli import app
from broker.errors import Code, SluisError
from broker.policy.evaluate import ENGINE

ROOT = Path(__file__).resolve().parents[2]
MISTAKES: dict[str, tuple[str, ...]] = {
    "a chain whose tail can be cut unnoticed": (
        "tests/unit/audit/test_expected.py::test_a_cut_tail_is_missed",
        "tests/unit/audit/test_bundle_damage.py::test_a_tail_cut_at_a_checkpoint_verifies_and_says_so",
        "tests/fault/test_high_water.py::test_a_truncated_database_is_refused",
        "tests/fault/test_high_water.py::test_a_restored_backup_is_refused_and_the_newer_files_are_taken_again",
        "tests/e2e/test_split_view.py::test_a_broker_restored_from_a_backup_is_refused_when_it_shrank_and_when_it_grew_again",
        "tests/unit/client/test_log_compare.py::test_a_fork_is_proven_to_third_parties",
    ),
    "a verifier that passes an unsigned log": (
        "tests/fault/test_mistakes_of_others.py::test_an_unsigned_log_is_not_verified",
        "tests/unit/client/test_receipts.py::test_a_checkpoint_must_be_signed_by_a_log_one_trusts",
    ),
    "a second clock read in a decision": (
        "tests/fault/test_mistakes_of_others.py::test_a_decision_at_the_edge_of_its_time_replays_as_it_was",
        "tests/fault/test_mistakes_of_others.py::test_nothing_that_decides_can_read_a_clock",
    ),
    "retrying after a failed fsync": (
        "tests/fault/test_log_faults.py::test_the_connection_is_new_after_a_failed_commit",
        "tests/fault/test_log_faults.py::test_no_checkpoint_leaves_before_its_commit",
        "tests/fault/test_syscall_faults.py::test_each_call_that_fails_loses_nothing",
    ),
    "two writers": (
        "tests/fault/test_log_kill.py::test_another_process_is_refused",
        "tests/fault/test_log_kill.py::test_two_writers_past_the_lock_still_make_one_log",
        "tests/fault/test_high_water.py::test_a_second_broker_on_one_file_is_refused",
        "tests/fault/test_mistakes_of_others.py::test_two_brokers_on_one_database",
        "tests/fault/test_mistakes_of_others.py::test_two_processes_that_append_past_every_lock_of_ours",
    ),
    "one flipped bit accepted": (
        "tests/fault/test_log_tamper.py::test_a_flip_inside_an_entry_is_found",
        "tests/fault/test_log_tamper.py::test_a_flip_inside_a_checkpoint_is_found",
        "tests/fault/test_log_tamper.py::test_a_flip_anywhere_never_alters_a_verified_log",
        "tests/fault/test_log_tamper.py::test_a_cut_anywhere_never_alters_a_verified_log",
        "tests/unit/audit/test_bundle_damage.py::test_every_sampled_flip_is_refused",
        "tests/unit/exchange_log/test_opening.py::test_an_altered_database_does_not_start",
    ),
    "a witness or time-stamp outage freezing traffic before its time": (
        "tests/unit/witness/test_standing.py::test_an_outage_freezes_nothing_before_its_time",
        "tests/e2e/test_witnessed.py::test_life_with_witnesses",
        "tests/unit/test_stamping.py::test_an_outage_delays_stamps_and_stops_nothing",
        "tests/unit/test_stamping.py::test_a_time_stamper_that_hangs_holds_up_neither_writes_nor_the_end",
    ),
    "a restore that brings erased subjects back": (
        "tests/unit/test_erasure.py::test_what_a_restore_brought_back_is_erased_again",
        "tests/unit/test_erasure.py::test_an_erased_commitment_is_never_made_again",
    ),
    "a health check that says ready while a key is locked": (
        "tests/unit/exchange_log/test_append.py::test_a_locked_key_stops_the_log_and_health_says_so",
    ),
    "dropping log records when a buffer is full": (
        "tests/fault/test_mistakes_of_others.py::test_a_stalled_log_drops_nothing_of_what_waits",
        "tests/unit/otlp/test_follower.py::test_a_full_collector_loses_nothing",
        "tests/unit/otlp/test_follower.py::test_killed_between_any_two_requests_every_record_comes_at_least_once",
    ),
}
PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(5)]


def test_all_ten_are_in_the_table() -> None:
    assert len(MISTAKES) == 10


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_has_tests_that_can_fail(mistake: str) -> None:
    for name in MISTAKES[mistake]:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
        marks = [ast.unparse(mark) for mark in found.decorator_list]
        assert not [mark for mark in marks if "skip" in mark or "xfail" in mark], name
        calls = [node.func for node in ast.walk(found) if isinstance(node, ast.Call)]
        judged = [node for node in ast.walk(found) if isinstance(node, ast.Assert)]
        judged += [call for call in calls if ast.unparse(call).startswith(("pytest.raises", "check", "refus"))]
        assert judged, f"{name} judges nothing"


def test_an_unsigned_log_is_not_verified() -> None:
    """X-Road's own suite notes that an unsigned hash chain passes there."""
    world = played()
    assert world.verify().verified
    for spoil in ("stripped", "left out", "signed by nobody we know"):
        lines = []
        for line in world.lines():
            value = json.loads(line)
            text, _, signatures = value.get("checkpoint", "").partition("\n\n")
            if text and spoil == "left out":
                continue
            if text:
                other = "" if spoil == "stripped" else signatures.replace(world.keys.signer.origin, "nobody")
                value["checkpoint"] = f"{text}\n\n{other}"
            lines.append(canonical_json(value) + b"\n")
        assert not verify(sealed(lines), world.trust()).verified, spoil


class Racing(SetClock):
    """A clock that is a second further at every reading."""

    def now(self) -> Any:
        self.at += timedelta(seconds=1)
        return self.at


@pytest.mark.slow
def test_a_decision_at_the_edge_of_its_time_replays_as_it_was(tmp_path: Path) -> None:
    """LoopOver read the clock twice. Here the day turns between any two readings that one question may cause; what was
    decided is what the logged reading gives, so the verifier's replay agrees with every one of them.
    """
    edge = START.replace(hour=23)  # midnight in Amsterdam
    world = make_world(tmp_path / "world", start=edge - timedelta(hours=1))
    world.start()
    try:
        snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        snf.make_epoch(PURPOSE, [snf, utrecht])
        snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"])
        world.clock.__class__ = Racing
        for before in range(12):
            world.clock.at = max(world.clock.at, edge + timedelta(days=before // 4) - timedelta(seconds=before % 4 + 1))
            ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"])
            try:
                utrecht.send(ask)
            except grpc.RpcError:
                continue
        trust = trust_text(
            origin=ORIGIN,
            environment="test",
            log_keys=[world.verifier_key],
            issuers=[(world.pki / "ca.pem").read_text()],
            policy_signers=world.signer_keys(),
            policy_quorum=2,
            engines=[ENGINE],
        )
        (tmp_path / "trust.yaml").write_text(trust)
        bundle, config = str(tmp_path / "log.bundle"), str(world.directory / "broker.yaml")
        done = CliRunner().invoke(app, ["audit", "export", "--config", config, "--out", bundle])
        assert done.exit_code == 0, done.output
    finally:
        world.stop()
    done = CliRunner().invoke(app, ["audit", "verify", bundle, "--trust", str(tmp_path / "trust.yaml")])
    assert done.exit_code == 0, done.output
    leaves = [json.loads(line) for line in Path(bundle).read_bytes().splitlines()]
    entries = [json.loads(base64.b64decode(line["leaf"])) for line in leaves if "leaf" in line]
    asks = [entry for entry in entries if entry["kind"] == "ask"]
    assert len(asks) > 6
    for ask in asks:
        assert ask["body"]["facts"]["now"] == ask["body"]["decided_at"]
    counted = [ask["body"]["facts"]["requests_today"] for ask in asks]
    assert min(counted[1:]) <= counted[0], "the day turned and the count began anew"


def test_nothing_that_decides_can_read_a_clock() -> None:
    """`now` comes in as a fact: neither the policy engine nor what asks it calls for the time, however spelt."""
    forbidden = {"now", "utcnow", "today", "time", "monotonic", "fromtimestamp", "perf_counter"}
    # what reads a policy file for people may say what day it is there; it decides nothing
    deciding = ("evaluate", "checks", "decision", "legal_days", "purpose", "catalogue", "suspension", "holds")
    for name in deciding:
        tree = ast.parse((ROOT / "broker" / "policy" / f"{name}.py").read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        read = [ast.unparse(call) for call in calls if isinstance(call, ast.Attribute) and call.attr in forbidden]
        assert read == [], f"broker/policy/{name}.py"
        imported = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not imported & {"time", "random", "secrets", "os", "uuid", "socket"}, f"broker/policy/{name}.py"


@pytest.mark.slow
def test_two_brokers_on_one_database(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        with pytest.raises(SluisError) as caught:
            Broker(world.config, clock=world.clock)
        assert caught.value.code is Code.CONFIG_INVALID
        assert "another broker has this database open" in caught.value.message
        with pytest.raises(AssertionError, match="another broker has this database open"):
            world.start_process()


def test_two_processes_that_append_past_every_lock_of_ours(tmp_path: Path) -> None:
    """Somebody with the file appends while the broker runs: the broker notices, and signs nothing that forks."""
    with Log(tmp_path) as log:
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
        other = sqlite3.connect(log.path)
        other.execute("UPDATE head SET size=size+1")
        other.commit()
        with pytest.raises(SluisError) as caught:
            log.sequencer.submit(lambda tx: tx.append("access", access_body()))
        assert caught.value.code is Code.LOG_UNAVAILABLE
        assert log.reader.checkpoint()[0] == 2
        assert not log.sequencer.ready()
        other.close()


@pytest.mark.slow
def test_a_stalled_log_drops_nothing_of_what_waits(tmp_path: Path) -> None:
    """More callers than any batch holds wait for a disk that hangs; every one gets its receipt."""
    callers = 700
    gate = threading.Event()
    with Log(tmp_path) as log:
        real = log.store.batch

        @contextmanager
        def slow(at: Any) -> Iterator[Any]:
            gate.wait(30)
            with real(at) as batch:
                yield batch

        log.store.batch = slow
        indexes: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: indexes.append(log.sequencer.submit(lambda tx: tx.append("access", access_body())).value)
            )
            for _ in range(callers)
        ]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        assert sorted(indexes) == list(range(1, callers + 1))
        assert log.reader.size() == callers + 1
