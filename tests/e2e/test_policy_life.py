"""The life of policy in a running broker: swapped whole, suspended by one person, shadowed; and never by half.

What the log then holds is judged by the auditor's own verifier.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from both_verifiers import verified_by_both
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from participant import Participant, reason_of
from sluis.v1 import common_pb2, exchange_pb2
from typer.testing import CliRunner
from world import ORIGIN, World, make_world, policy_texts, running, texts_for

from broker.cli import app
from broker.errors import Code, SluisError
from broker.policy.legal_days import local_day
from broker.policy.suspension import sign_suspension
from broker.policy_files import notices_of
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
FILE = f"purposes/{PURPOSE}.yaml"
BAGS = [f"034401{number:010d}" for number in range(20)]
ANSWERED, DENIED, WITHHELD = (
    exchange_pb2.ANSWER_STATUS_ANSWERED,
    exchange_pb2.ANSWER_STATUS_DENIED,
    exchange_pb2.ANSWER_STATUS_WITHHELD,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


def players(world: World) -> tuple[Participant, Participant]:
    """SNF with a register, and Utrecht, both with K."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["12"] for bag in BAGS}, ["beds"])
    return snf, utrecht


def bent(old: str, new: str, file: str = FILE) -> dict[str, str]:
    texts = policy_texts()
    assert old in texts[file]
    return texts | {file: texts[file].replace(old, new, 1)}


def entries(world: World, kind: str) -> list[dict[str, Any]]:
    assert world.broker is not None
    reader = world.broker._store.reader
    read = [json.loads(entry.leaf) for entry in reader.entries(0, reader.size())]
    return [entry["body"] for entry in read if entry["kind"] == kind]


def in_force(world: World) -> int:
    assert world.broker is not None
    return world.broker._in_force.current().revision


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def look(world: World, *, again: bool = False) -> bool:
    """One look at the policy files, as the broker takes every second."""
    assert world.broker is not None
    return world.broker._policy_files.look(again=again)


def status(participant: Participant, **changes: Any) -> int:
    answers = participant.send(participant.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=["beds"], **changes))
    return answers["snf"].head.status


def test_a_new_bundle_comes_into_force_by_itself_and_is_an_entry(world: World) -> None:
    _, utrecht = players(world)
    assert status(utrecht) == ANSWERED
    world.write_bundle(bent("subjects_per_request: 1000", "subjects_per_request: 4"), revision=2)
    until(lambda: in_force(world) == 2)
    assert status(utrecht) == DENIED
    assert [body["revision"] for body in entries(world, "policy")] == [1, 2]
    (first, second) = entries(world, "ask")
    assert first["policy_set"] != second["policy_set"] == entries(world, "policy")[1]["digest"]
    verified_by_both(world)


def test_sighup_reads_at_once_and_no_call_is_dropped(tmp_path: Path) -> None:
    world = make_world(tmp_path, texts_for(_today()), start=_today())
    process = world.start_process()
    try:
        _, utrecht = players(world)
        errors: list[object] = []
        statuses: list[int] = []
        halt = threading.Event()

        def ask() -> None:
            while not halt.is_set():
                try:
                    statuses.append(status(utrecht))
                except Exception as error:
                    errors.append(error)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        texts = texts_for(_today())
        for revision in range(2, 8):
            limit = 1000 if revision % 2 else 4
            texts[FILE] = texts[FILE].replace("requests_per_day: 50", "requests_per_day: 1000000")
            bound = texts[FILE].replace("subjects_per_request: 1000", f"subjects_per_request: {limit}")
            world.write_bundle({**texts, FILE: bound}, revision=revision)
            seen, due = len(statuses), ANSWERED if revision % 2 else DENIED
            process.send_signal(signal.SIGHUP)
            until(lambda: due in statuses[seen:])  # noqa: B023  # called within the turn
        halt.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert {ANSWERED, DENIED} <= set(statuses)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    world.start()
    try:
        assert in_force(world) == 7
        verified_by_both(world)
        digests = [body["digest"] for body in entries(world, "policy")]
        assert len({body["policy_set"] for body in entries(world, "ask")}) > 1
        assert len(digests) == 7
    finally:
        world.stop()


def _today() -> datetime:
    """The machine's clock: the commands read no other."""
    return datetime.now(UTC)


def _strip_approvals(data: bytes) -> bytes:
    value = json.loads(data)
    del value["approvals"]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _strip_signatures(data: bytes) -> bytes:
    value = json.loads(data)
    value["signatures"] = []
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _rewrite(world: World, change: Callable[[bytes], bytes]) -> None:
    world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=2)
    path = world.directory / "policy.bundle"
    path.write_bytes(change(path.read_bytes()))


def _expired(world: World) -> None:
    at = world.clock.at
    world.clock.at = at - timedelta(days=400)
    world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=2)
    world.clock.at = at


def _without_a_party(world: World) -> None:
    texts = policy_texts()
    catalogue = texts["catalogue.yaml"].replace("  privacy-auditor:\n", "  another-auditor:\n")
    catalogue = catalogue.replace("auditors: [privacy-auditor]", "auditors: [another-auditor]")
    assert "privacy-auditor" not in catalogue
    world.write_bundle(texts | {"catalogue.yaml": catalogue}, revision=2)


def _reworded(world: World, revision: int, signers: int = 2) -> None:
    world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=revision, signers=signers)


BAD: dict[str, Callable[[World], None]] = {
    "under-signed": lambda world: _reworded(world, 2, signers=1),
    "unsigned": lambda world: _rewrite(world, _strip_signatures),
    "stripped of approvals": lambda world: _rewrite(world, _strip_approvals),
    "cut": lambda world: _rewrite(world, lambda data: data[:-20]),
    "of a lower revision": lambda world: world.write_bundle(policy_texts(), revision=1),
    "of the same revision": lambda world: _reworded(world, 1),
    "empty": lambda world: _rewrite(world, lambda _: b""),
    "expired": _expired,
    "without a party of broker.yaml": _without_a_party,
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bundle_that_is_refused_changes_nothing(world: World, name: str) -> None:
    before = in_force(world)
    if name == "of a lower revision":
        world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=3)
        assert look(world)
        before = 3
    BAD[name](world)
    assert not look(world, again=True)
    assert in_force(world) == before
    world.stop()
    world.start()  # the same file lies there: the last good set stays, also over a restart
    assert in_force(world) == before
    verified_by_both(world)


def test_without_a_last_good_set_a_bad_bundle_refuses_the_start(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.write_bundle(policy_texts(), revision=1, signers=1)
    with pytest.raises(SluisError) as refused:
        world.start()
    assert refused.value.code is Code.POLICY_UNSIGNED


def test_a_set_that_nobody_renews_expires_into_deny(world: World) -> None:
    _, utrecht = players(world)
    world.clock.at += timedelta(days=366)
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=world.clock.at))
    assert world.broker is not None
    world.broker.reload_directory()
    request = exchange_pb2.CheckRequestRequest(
        purpose=PURPOSE,
        scheme="bag",
        match_keys=1,
        answerers=["snf"],
        subjects=1,
        want=common_pb2.Want(attributes=["beds"]),
    )
    reply = utrecht.exchanges.CheckRequest(request, timeout=20)
    failing = [check.id for check in reply.decisions[0].decision.checks if not check.met]
    assert "policy-set-current" in failing


def notice(world: World, key: Ed25519PrivateKey, purpose: str = PURPOSE, reason: str = "a complaint") -> str:
    """Hands a notice in; returns its id."""
    made = sign_suspension(
        purpose, reason, origin=ORIGIN, environment="test", made_at=world.clock.at, key=key
    )  # fmt: skip
    folder = world.directory / "data" / "notices"
    folder.mkdir(exist_ok=True)
    (folder / f"{made.notice}.json").write_bytes(made.encode())
    return made.notice


def test_one_officer_suspends_at_once_and_only_a_new_text_of_both_sides_lifts_it(world: World) -> None:
    snf, utrecht = players(world)
    first = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=["beds"])
    assert utrecht.send(first)["snf"].head.status == ANSWERED
    id_ = notice(world, world.officers.keys["snf"])
    until(lambda: bool(entries(world, "notice")))
    assert status(utrecht) == DENIED
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.send(first)  # the answer that was given before is not given again
    assert reason_of(caught.value) == "POLICY_DENIES"
    shown = utrecht.exchanges.GetPurpose(exchange_pb2.GetPurposeRequest(purpose=PURPOSE), timeout=20).purpose
    assert shown.state == "suspended"
    assert not list((world.directory / "data" / "notices").glob("*.json"))
    # a routine revision that does not name the notice does not reopen the purpose
    world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=2)
    assert look(world)
    assert status(utrecht) == DENIED
    world.stop()
    world.start()
    snf, utrecht = Participant(world, "snf"), _again(world, utrecht)
    assert status(utrecht) == DENIED
    world.write_bundle(bent("state: active", f"state: active\nlifts: [{id_}]"), revision=3)
    assert look(world)
    assert status(utrecht) == ANSWERED
    verified_by_both(world)
    assert snf.party == "snf"


def _again(world: World, before: Participant) -> Participant:
    after = Participant(world, before.party)
    after.secret = before.secret
    return after


@pytest.mark.parametrize("stranger", ["uwv", "nobody"])
def test_a_notice_of_a_stranger_is_set_aside(world: World, stranger: str) -> None:
    _, utrecht = players(world)
    key = world.officers.keys.get(stranger) or Ed25519PrivateKey.generate()
    notice(world, key)
    look(world)
    assert status(utrecht) == ANSWERED
    assert entries(world, "notice") == []
    assert list((world.directory / "data" / "notices" / "refused").iterdir())


def test_a_notice_counts_once_and_rubbish_is_set_aside(world: World) -> None:
    id_ = notice(world, world.signers[0])
    look(world)
    folder = world.directory / "data" / "notices"
    (folder / "taken" / f"{id_}.json").replace(folder / "again.json")
    (folder / "rubbish.json").write_bytes(b"{}")
    (folder / "huge.json").write_bytes(b"x" * 100_000)
    look(world)
    assert len(entries(world, "notice")) == 1
    assert {path.name for path in (folder / "refused").iterdir()} == {"rubbish.json", "huge.json"}


def test_an_answer_in_the_making_is_withheld_when_its_purpose_is_suspended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, utrecht = players(world)
    broker = world.broker
    assert broker is not None
    prepare = broker._coordinator._answering.prepare

    def slowly(*arguments: Any) -> Any:
        made = prepare(*arguments)
        notice(world, world.signers[1])
        look(world)
        return made

    monkeypatch.setattr(broker._coordinator._answering, "prepare", slowly)
    answer = utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=["beds"]))["snf"]
    assert answer.head.status == WITHHELD
    assert answer.rows == []
    assert answer.head.hits == 0
    (release,) = entries(world, "release")
    assert (release["outcome"], release["status"]) == ("withheld", "WITHHELD")
    verified_by_both(world)


def shadowed() -> dict[str, str]:
    texts = policy_texts()
    text = texts[FILE].replace("purpose: snf-locatie", "purpose: snf-streng")
    text = text.replace("state: active", "state: shadow\nshadow_of: snf-locatie")
    return texts | {"purposes/snf-streng.yaml": text.replace("subjects_per_request: 1000", "subjects_per_request: 4")}


def test_a_shadow_is_decided_and_logged_beside_each_ask_and_never_enforced(world: World) -> None:
    _, utrecht = players(world)
    world.write_bundle(shadowed(), revision=2)
    assert look(world)
    assert status(utrecht) == ANSWERED
    (would,) = entries(world, "evaluation")
    assert (would["purpose"], would["shadow_of"], would["decision"]["effect"]) == ("snf-streng", PURPOSE, "deny")
    failing = [check["id"] for check in would["decision"]["checks"] if not check["met"]]
    assert failing == ["purpose-active", "subjects-per-request"]
    assert would["ask_index"] == entries(world, "release")[0]["ask_index"]
    verified_by_both(world)


# ---------------------------------------------------------------------------------------------- the command line


def pem(world: World, key: Ed25519PrivateKey, name: str) -> str:
    path = world.directory / name
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    return result.output


def test_the_whole_life_from_the_command_line(world: World, tmp_path: Path) -> None:
    world.clock.at = _today()  # the commands read the machine's clock
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=world.clock.at))
    config = ["--config", world.directory / "broker.yaml"]
    world.write_bundle(bent("beds: Needed", "beds: It is needed"), revision=2)
    bundle = world.directory / "new.bundle"
    (world.directory / "policy.bundle").rename(bundle)
    shown = run("policy", "activate", bundle, *config)
    assert "in force: revision 2" in shown
    assert in_force(world) == 2
    older = world.directory / "older.bundle"
    world.write_bundle(policy_texts(), revision=1)
    (world.directory / "policy.bundle").rename(older)
    run("policy", "activate", bundle, *config)
    assert "not higher than 2" in run("policy", "activate", older, *config, code=7)
    assert (world.directory / "policy.bundle").read_bytes() == bundle.read_bytes()
    officer = pem(world, world.officers.keys["snf"], "snf-officer.pem")
    (notices_of(world.config) / "a-folder.json").mkdir(parents=True)  # must not stop the notice after it
    shown = run("policy", "suspend", PURPOSE, "--key", officer, "--reason", "a complaint", *config)
    assert "which stands in the log" in shown
    stranger = pem(world, Ed25519PrivateKey.generate(), "stranger.pem")
    assert "may not suspend" in run(
        "policy", "suspend", PURPOSE, "--key", stranger, "--reason", "x", *config, code=6
    )  # fmt: skip
    assert "did you mean 'snf-locatie'" in run(
        "policy", "suspend", "snf-locati", "--key", officer, "--reason", "x", *config, code=3
    )  # fmt: skip
    (world.directory / "trust.yaml").write_text(trust_of(world.config))
    made = ["--key", officer, "--reason", "two", "--trust", world.directory / "trust.yaml"]
    run("policy", "notice", PURPOSE, *made, "--out", world.directory / "n.json")
    assert "stands in the log" in run("policy", "suspend", PURPOSE, "--notice", world.directory / "n.json", *config)
    shown = run("policy", "in-force", PURPOSE, *config)
    assert "revision 2" in shown
    assert "SUSPENDED" in shown
    assert "beds: It is needed to see" in shown
    assert "rotterdam-officer, asking side" in shown
    assert "snf-officer, answering side" in shown
    run("audit", "export", *config, "--out", tmp_path / "log.bundle")
    args = ["--log", tmp_path / "log.bundle", "--trust", world.directory / "trust.yaml"]
    day = local_day(_today()).isoformat()  # late in the evening UTC is still on the day before
    both = json.loads(run("policy", "in-force", PURPOSE, "--on", day, *args, "--json", "--out", tmp_path / "f"))
    assert [item["revision"] for item in both["in_force"]] == [1, 2]
    assert "new folder" in run("policy", "in-force", PURPOSE, *args, "--out", tmp_path / "f", code=2)
    late = run("policy", "in-force", PURPOSE, "--on", "2098-01-01", *args, code=7)
    assert "EXPIRED" in late
    assert "what came into force after that it cannot tell" in late
    assert both["verified"] is True
    assert all(item["approved"] for item in both["in_force"])
    run("policy", "archive", both["in_force"][0]["text_digest"], *args[:2], "--out", tmp_path / "then")
    assert (tmp_path / "then" / FILE).read_text() == both["in_force"][0]["text"]
    listed = json.loads(run("policy", "archive", *args[:2], "--json"))["sets"]
    assert [one["revision"] for one in listed] == [1, 2]
    assert run("policy", "archive", listed[1]["digest"][:12], *config).startswith("revision 2")
    run("policy", "archive", "00000000", *config, code=3)
    expect = ["--trust", world.directory / "trust.yaml", "--expect", tmp_path / "f" / "proof.json"]
    assert "it holds what you expected" in run("audit", "verify", tmp_path / "log.bundle", *expect)
    assert (tmp_path / "f" / f"{PURPOSE}.yaml").read_text() == both["in_force"][1]["text"]


def test_handed_in_without_a_broker_is_said_to_be_not_in_force(tmp_path: Path) -> None:
    world = make_world(tmp_path, texts_for(_today()), start=_today())
    config = ["--config", world.directory / "broker.yaml"]
    bundle = world.directory / "b"
    os.link(world.directory / "policy.bundle", bundle)
    assert "when the broker runs" in run("policy", "activate", bundle, *config, "--wait", "0")
    key = pem(world, world.signers[0], "k.pem")
    shown = run("policy", "suspend", PURPOSE, "--key", key, "--reason", "r", *config, "--wait", "0", code=5)
    assert "NOT in force" in shown
    world.start()
    try:
        until(lambda: bool(entries(world, "notice")))
    finally:
        world.stop()
