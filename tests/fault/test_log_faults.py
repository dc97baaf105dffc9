"""The log's store failing at every step: nothing acknowledged is lost, and the log goes on and verifies.

Each step of a batch fails in turn, before it ran or, for the commit, after it was persisted. Callers must hear
LOG_UNAVAILABLE (nothing was done) or LOG_OUTCOME_UNKNOWN (only when the commit itself failed).
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_kit import SIGNERS, World, policy_bundle, public
from log_kit import ORIGIN, START, Log, access_body, ask_body

from broker.asking import POLICY_STATE, AskGate
from broker.audit.export import bundle_lines
from broker.audit.verify import verify
from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.append import Committed
from broker.exchange_log.entry import parse_leaf
from broker.in_force import InForce, PolicyRules
from broker.parties import Caller, Environment, Oin, PartyKind
from broker.ports import Transaction
from broker.questions import Opened, Posed
from broker.statements import Scope, Signed, read_ask
from broker.storage import sqlite as sqlite_store
from broker.storage import sqlite_vault
from broker.storage.sqlite_session import connect_writer

CALLERS = 8


@dataclass
class Plan:
    """Which statement fails, how often, and whether it takes effect first."""

    statement: str = ""
    times: int = 0
    after: bool = False
    seen: list[str] = field(default_factory=list)


class FaultyConnection:
    """A connection that fails as a disk does."""

    def __init__(self, real: sqlite3.Connection, plan: Plan) -> None:
        self._real = real
        self._plan = plan

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        plan = self._plan
        plan.seen.append(sql)
        if plan.times and plan.statement and sql.startswith(plan.statement):
            plan.times -= 1
            if plan.after:
                self._real.execute(sql, values)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._real.execute(sql, values)

    def close(self) -> None:
        self._real.close()


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Plan:
    made = Plan()
    monkeypatch.setattr(sqlite_store, "connect_writer", lambda path: FaultyConnection(connect_writer(path), made))
    return made


@pytest.fixture
def log(tmp_path: Path, plan: Plan) -> Iterator[Log]:
    with Log(tmp_path) as opened:
        yield opened


def work(tx: Transaction) -> int:
    """Everything an ask does: counter, vault in the row and in a file, document, two entries."""
    tx.debit("requests", 1)
    tx.commit_to("tokens", b"small", keep_until=START + timedelta(days=1))
    tx.commit_to("tokens", bytes(1_100_000), keep_until=START + timedelta(days=1))
    tx.put_document("upload", f"{tx.spent('requests')}", b"value")
    tx.append("access", access_body("snf"))
    return tx.append("access", access_body())


def submit_from_many(log: Log) -> tuple[list[Receipt], list[SluisError]]:
    receipts: list[Receipt] = []
    errors: list[SluisError] = []

    def go() -> None:
        try:
            receipts.extend(log.sequencer.submit(work).receipts)
        except SluisError as error:
            errors.append(error)

    threads = [threading.Thread(target=go) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return receipts, errors


def check_log(log: Log, acknowledged: list[Receipt]) -> None:
    """Every acknowledged entry is where its receipt says, and the export verifies with that receipt expected."""
    for receipt in acknowledged:
        (entry,) = log.reader.entries(receipt.index, receipt.index + 1)
        assert entry.leaf == receipt.leaf
    expect = acknowledged[-1].checkpoint.encode() if acknowledged else None
    report = verify(bundle_lines(log.reader), World(keys=log.keys).trust(), expect=expect)
    assert report.verified, report.findings
    assert report.size == log.reader.size()


STEPS = [
    ("BEGIN", False),
    ("SELECT size FROM head", False),
    ("SAVEPOINT", False),
    ("INSERT INTO counters", False),
    ("INSERT INTO vault", False),
    ("INSERT OR REPLACE INTO documents", False),
    ("RELEASE", False),
    ("RELEASE", True),
    ("INSERT INTO leaves", False),
    ("INSERT INTO nodes", False),
    ("INSERT INTO concerns", False),
    ("INSERT INTO checkpoints", False),
    ("UPDATE head", False),
    ("UPDATE head", True),
    ("COMMIT", False),
    ("COMMIT", True),
]


@pytest.mark.parametrize(("statement", "after"), STEPS)
@pytest.mark.parametrize("times", [1, 3])
def test_every_step_failing(log: Log, plan: Plan, statement: str, after: bool, times: int) -> None:
    acknowledged, _ = submit_from_many(log)
    plan.statement, plan.times, plan.after = statement, times, after
    failed: list[SluisError] = []
    for _ in range(times + 1):
        if not plan.times:
            break
        receipts, errors = submit_from_many(log)
        acknowledged += receipts
        failed += errors
    assert plan.times == 0, "the step was never reached"
    assert failed
    allowed = {Code.LOG_OUTCOME_UNKNOWN} if statement == "COMMIT" else {Code.LOG_UNAVAILABLE}
    assert {error.code for error in failed} == allowed
    check_log(log, acknowledged)
    receipts, errors = submit_from_many(log)
    assert not errors
    check_log(log, acknowledged + receipts)
    assert log.sequencer.ready()


@pytest.mark.parametrize(("after", "there"), [(False, 0), (True, 1)])
def test_unknown_means_that_it_may_be_there(log: Log, plan: Plan, after: bool, there: int) -> None:
    """The caller who asks again with the same id finds out: here the id is the document."""
    plan.statement, plan.times, plan.after = "COMMIT", 1, after
    with pytest.raises(SluisError) as caught:
        log.sequencer.submit(work)
    assert caught.value.code is Code.LOG_OUTCOME_UNKNOWN
    assert log.reader.spent("requests") == there
    assert log.sequencer.submit(lambda tx: tx.spent("requests")).value == there
    assert log.reader.size() == 1 + 2 * there


def test_no_checkpoint_leaves_before_its_commit(log: Log, plan: Plan) -> None:
    """What a failed commit signed is never handed out: the next tree of that size is signed anew, once."""
    plan.statement, plan.times, plan.after = "COMMIT", 1, False
    with pytest.raises(SluisError):
        log.sequencer.submit(lambda tx: tx.append("access", access_body("snf")))
    committed = log.sequencer.submit(lambda tx: tx.append("access", access_body("nla")))
    assert committed.value == 1
    assert [note for _, note in log.reader.checkpoints()][1:] == [committed.receipts[0].checkpoint]


def test_a_long_outage_and_its_end(log: Log, plan: Plan) -> None:
    plan.statement, plan.times = "BEGIN", 10**9
    for _ in range(3):
        receipts, errors = submit_from_many(log)
        assert not receipts
        assert {error.code for error in errors} == {Code.LOG_UNAVAILABLE}
        assert not log.sequencer.ready()
    plan.times = 0
    assert log.sequencer.ready()
    receipts, errors = submit_from_many(log)
    assert not errors
    check_log(log, receipts)


def test_the_connection_is_new_after_a_failed_commit(log: Log, plan: Plan) -> None:
    """A failed fsync is not tried again on the same handle."""
    log.sequencer.submit(work)
    before = log.store._session
    plan.statement, plan.times = "COMMIT", 1
    with pytest.raises(SluisError):
        log.sequencer.submit(work)
    log.sequencer.submit(work)
    assert log.store._session is not before


def test_the_tree_is_read_again_and_must_fit_before_signing(log: Log, plan: Plan) -> None:
    """After an unknown commit the file turns out to be another's: nothing more is signed."""
    log.sequencer.submit(work)
    plan.statement, plan.times = "COMMIT", 1
    with pytest.raises(SluisError):
        log.sequencer.submit(work)
    other = sqlite3.connect(log.path)
    other.execute("DROP TRIGGER nodes_stand")
    other.execute("UPDATE nodes SET hash=zeroblob(32) WHERE id=0")
    other.commit()
    size = log.reader.size()
    for _ in range(2):
        with pytest.raises(SluisError) as caught:
            log.sequencer.submit(work)
        assert caught.value.code is Code.LOG_UNAVAILABLE
    assert log.reader.size() == size
    assert not log.sequencer.ready()
    other.close()


@pytest.mark.parametrize("step", ["open", "fsync", "sync_directory"])
def test_the_vaults_file_cannot_be_written(log: Log, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    files = {path for path in log.path.parent.rglob("*") if path.is_file()}
    with monkeypatch.context() as broken:
        if step == "sync_directory":
            broken.setattr(sqlite_vault, "sync_directory", fails)
        else:
            broken.setattr(f"broker.storage.sqlite_vault.os.{step}", fails)
        with pytest.raises(SluisError) as caught:
            log.sequencer.submit(work)
        assert caught.value.code is Code.LOG_UNAVAILABLE
    receipts = list(log.sequencer.submit(lambda tx: tx.append("access", access_body())).receipts)
    check_log(log, receipts)
    assert log.reader.size() == 2
    assert step == "sync_directory" or files == {path for path in log.path.parent.rglob("*") if path.is_file()}


def test_files_of_a_crash_are_swept_at_the_next_start(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        keep = log.sequencer.submit(lambda tx: tx.commit_to("tokens", bytes(2 << 20), keep_until=START)).value
        orphan = tmp_path / "sluis.db.vault" / ("ab" * 16)
        orphan.write_bytes(b"left by a crash")
        keys = log.keys
    with Log(tmp_path, keys) as log:
        assert not orphan.exists()
        assert log.reader.opening(keep) is not None


def test_a_full_disk(log: Log) -> None:
    """A real one, as SQLite sees it: no page may be added."""
    acknowledged = list(log.sequencer.submit(work).receipts)

    def limit(pages: int) -> None:
        log.sequencer.submit(lambda tx: tx._session.run(f"PRAGMA max_page_count={pages}"))

    def until_it_is_full() -> None:
        for _ in range(1_000):
            acknowledged.extend(log.sequencer.submit(work).receipts)

    limit(1)
    with pytest.raises(SluisError) as caught:
        until_it_is_full()
    assert caught.value.code is Code.LOG_UNAVAILABLE
    check_log(log, acknowledged)
    receipts, errors = submit_from_many(log)  # the new connection has no limit
    assert not errors
    check_log(log, acknowledged + receipts)


def test_one_callers_fault_is_not_anothers(log: Log) -> None:
    """A work that violates a constraint fails alone; the transaction is sound."""

    def broken(tx: Transaction) -> None:
        tx._to_write().run("INSERT INTO head (id, size) VALUES (1, 0)")

    outcomes: list[Committed[int]] = []
    threads = [threading.Thread(target=lambda: outcomes.append(log.sequencer.submit(work))) for _ in range(4)]
    for thread in threads:
        thread.start()
    with pytest.raises(SluisError):
        log.sequencer.submit(broken)
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    check_log(log, [receipt for outcome in outcomes for receipt in outcome.receipts])


def in_force(log: Log) -> InForce:
    """A holder of the set in force, on this log, that has opened revision 1."""
    rules = PolicyRules([public(key) for key in SIGNERS], 2, False, lambda _: None)
    scope = Scope(ORIGIN, Environment.TEST)
    held = InForce(sequencer=log.sequencer, reader=log.reader, clock=log.clock, scope=scope, rules=rules)
    assert held.open(policy_bundle()) is None
    return held


@pytest.mark.parametrize(("statement", "after"), [("INSERT", False), ("COMMIT", False), ("COMMIT", True)])
def test_a_policy_swap_holds_what_the_log_holds_whatever_fails(
    log: Log, plan: Plan, statement: str, after: bool
) -> None:
    held = in_force(log)
    newer = policy_bundle(revision=2, note="newer")
    plan.statement, plan.times, plan.after = statement, 1, after
    with pytest.raises(SluisError) as raised:
        held.offer(newer)
    assert raised.value.code in {Code.LOG_UNAVAILABLE, Code.LOG_OUTCOME_UNKNOWN, Code.STORE_UNAVAILABLE}
    stored = json.loads(log.reader.document(*POLICY_STATE) or b"{}")
    assert held.current().revision == stored["revision"] == (2 if after else 1)
    held.offer(newer)  # tried again: in force, and once only
    assert held.current().revision == 2
    entries = [parse_leaf(entry.leaf) for entry in log.reader.entries(0, log.reader.size())]
    assert [entry.body["revision"] for entry in entries if entry.kind == "policy"] == [1, 2]


def test_asks_are_sent_back_while_the_set_they_hold_is_not_the_log_s(log: Log) -> None:
    held = in_force(log)
    other = in_force(log)  # another broker on the same log
    other.offer(policy_bundle(revision=2, note="newer"))
    gate = AskGate(held.current, Scope(ORIGIN, Environment.TEST))
    question = good_posed(log.clock.now())
    with pytest.raises(SluisError) as raised:
        log.sequencer.submit(lambda tx: gate.open(tx, question))
    assert raised.value.code is Code.EXCHANGE_OPEN
    assert held.refresh()
    assert held.current().revision == 2
    assert not held.refresh()
    log.sequencer.submit(lambda tx: gate.open(tx, question))


def good_posed(now: datetime) -> Posed:
    """A question that is denied for its subjects, so that no epoch is needed."""
    want = {"attributes": [], "count": False, "hit": True}
    raw = {**ask_body(now)["statement"], "want": want, "subjects": 5000}
    statement = read_ask(Signed(canonical_json(raw), b"x" * 70), Scope(ORIGIN, Environment.TEST))
    caller = Caller("utrecht", Oin("00000099000000201000"), PartyKind.PUBLIC, b"", "ab" * 32)
    return Posed(caller, statement, Opened(b"s" * 32), None, None, now, {"snf": "cd" * 16})
