"""The sequencer: group commit, receipts, isolation of works, time, stopping, health."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from log_kit import START, FakeClock, Log, access_body, ask_body

from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.append import BATCH_LIMIT, Committed
from broker.exchange_log.checkpoint import parse_verifier_key, verify_checkpoint
from broker.exchange_log.entry import parse_leaf
from broker.exchange_log.merkle import leaf_hash, verify_consistency, verify_inclusion
from broker.exchange_log.opening import check_whole
from broker.ports import Transaction


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log(tmp_path) as opened:
        yield opened


def append(tx: Transaction) -> int:
    return tx.append("access", access_body())


def check(log: Log, receipt: Receipt) -> int:
    """The size of the receipt's tree, once everything in it fits."""
    checkpoint = verify_checkpoint(receipt.checkpoint, parse_verifier_key(log.keys.signer.verifier_key))
    assert verify_inclusion(leaf_hash(receipt.leaf), receipt.index, checkpoint.size, receipt.inclusion, checkpoint.root)
    assert parse_leaf(receipt.leaf).index == receipt.index
    return checkpoint.size


class Held:
    """Keeps the sequencer busy until released, so that what is submitted meanwhile shares a batch."""

    def __init__(self, log: Log) -> None:
        self._go = threading.Event()
        running = threading.Event()

        def work(tx: Transaction) -> None:
            running.set()
            self._go.wait(60)

        self._thread = threading.Thread(target=lambda: log.sequencer.submit(work))
        self._thread.start()
        assert running.wait(60)

    def release(self) -> None:
        self._go.set()
        self._thread.join()


def together(log: Log, works: list[object]) -> list[Committed[object] | BaseException]:
    """Outcomes of works submitted by a thread each, in the order given, in one batch."""
    outcomes: list[Committed[object] | BaseException | None] = [None] * len(works)

    def go(number: int) -> None:
        try:
            outcomes[number] = log.sequencer.submit(works[number])
        except BaseException as error:
            outcomes[number] = error

    held = Held(log)
    threads = []
    for number in range(len(works)):
        waiting = log.sequencer._jobs.qsize()
        threads.append(threading.Thread(target=go, args=(number,)))
        threads[-1].start()
        while log.sequencer._jobs.qsize() == waiting:
            pass
    held.release()
    for thread in threads:
        thread.join()
    return outcomes  # every thread has set its own


def test_what_is_submitted_is_durable_with_its_receipts(log: Log) -> None:
    committed = log.sequencer.submit(lambda tx: [append(tx), append(tx)])
    assert committed.value == [1, 2]
    assert [entry.index for entry in committed.entries] == [1, 2]
    assert committed.receipt(1) == committed.receipts[1]
    assert [check(log, receipt) for receipt in committed.receipts] == [3, 3]
    assert [entry.leaf for entry in log.reader.entries(1, 3)] == [entry.leaf for entry in committed.entries]
    assert log.reader.checkpoint()[1] == committed.receipts[0].checkpoint


def test_callers_share_a_batch_and_each_gets_its_own(log: Log) -> None:
    outcomes = together(log, [append] * 40)
    assert all(isinstance(outcome, Committed) for outcome in outcomes)
    indices = [outcome.value for outcome in outcomes if isinstance(outcome, Committed)]
    assert indices == list(range(1, 41))
    receipts = [outcome.receipts[0] for outcome in outcomes if isinstance(outcome, Committed)]
    assert {check(log, receipt) for receipt in receipts} == {41}
    assert len({parse_leaf(receipt.leaf).sequenced_at for receipt in receipts}) == 1


def test_a_batch_has_a_limit(log: Log) -> None:
    outcomes = together(log, [append] * (BATCH_LIMIT + 10))
    sizes = {check(log, outcome.receipts[0]) for outcome in outcomes if isinstance(outcome, Committed)}
    assert sizes == {BATCH_LIMIT + 1, BATCH_LIMIT + 11}


def test_a_work_that_fails_vanishes_alone(log: Log) -> None:
    refusal = SluisError(Code.REGISTER_CHANGED, "changed")

    def fails(tx: Transaction) -> None:
        append(tx)
        tx.debit("requests", 5)
        tx.put_document("kind", "key", b"value")
        tx.commit_to("tokens", bytes(100), keep_until=START + timedelta(days=1), salt=bytes(32))
        raise refusal

    def breaks(tx: Transaction) -> None:
        append(tx)
        raise ZeroDivisionError

    def good(tx: Transaction) -> int:
        tx.debit("requests", 1)
        return append(tx)

    outcomes = together(log, [good, fails, good, breaks, good])
    assert outcomes[1] is refusal
    assert isinstance(outcomes[3], ZeroDivisionError)
    values = [outcome.value for outcome in outcomes if isinstance(outcome, Committed)]
    assert values == [1, 2, 3]
    assert log.reader.size() == 4
    assert log.reader.spent("requests") == 3
    assert log.reader.document("kind", "key") is None
    assert check_whole(log.reader, parse_verifier_key(log.keys.signer.verifier_key)) == 4


def test_a_work_may_write_without_an_entry(log: Log) -> None:
    before = log.reader.checkpoint()
    committed = log.sequencer.submit(lambda tx: tx.put_document("kind", "key", b"value"))
    assert (committed.entries, committed.receipts) == ((), ())
    assert log.reader.document("kind", "key") == b"value"
    assert log.reader.checkpoint() == before


def test_a_work_sees_what_earlier_works_of_its_batch_wrote(log: Log) -> None:
    outcomes = together(log, [lambda tx: tx.debit("c", 1)] * 5)
    assert [outcome.value for outcome in outcomes if isinstance(outcome, Committed)] == [1, 2, 3, 4, 5]


def test_trees_grow_consistently(log: Log) -> None:
    key = parse_verifier_key(log.keys.signer.verifier_key)
    notes = [log.reader.checkpoint()[1]]
    for count in (1, 3, 7, 1, 20):
        log.sequencer.submit(lambda tx, count=count: [append(tx) for _ in range(count)])
        notes.append(log.reader.checkpoint()[1])
    trees = [verify_checkpoint(note, key) for note in notes]
    for old in trees:
        for new in trees:
            if old.size <= new.size:
                proof = log.reader.consistency(old.size, new.size)
                assert verify_consistency(old.size, new.size, proof, old.root, new.root)
                for index in range(old.size):
                    leaf = next(iter(log.reader.entries(index, index + 1))).leaf
                    path = log.reader.inclusion(index, new.size)
                    assert verify_inclusion(leaf_hash(leaf), index, new.size, path, new.root)


def test_time_never_goes_back(tmp_path: Path) -> None:
    clock = FakeClock()
    with Log(tmp_path, clock=clock) as log:
        clock.at = START + timedelta(hours=1)
        times = [log.sequencer.submit(lambda tx: tx.sequenced_at).value]
        clock.at = START
        times += [log.sequencer.submit(lambda tx: tx.sequenced_at).value for _ in range(3)]
        first = START + timedelta(hours=1)
        assert times == [first + timedelta(microseconds=n) for n in range(4)]
        log.sequencer.submit(append)
        keys = log.keys
    clock.at = START
    with Log(tmp_path, keys, clock) as log:
        assert log.sequencer.submit(lambda tx: tx.sequenced_at).value == first + timedelta(microseconds=5)


def test_a_decision_older_than_a_minute_is_refused(tmp_path: Path) -> None:
    clock = FakeClock()
    with Log(tmp_path, clock=clock) as log:
        clock.at = START + timedelta(seconds=61)
        with pytest.raises(SluisError) as caught:
            log.sequencer.submit(lambda tx: tx.append("ask", ask_body(START)))
        assert caught.value.code is Code.LOG_UNAVAILABLE
        assert log.reader.size() == 1


def test_stopping_finishes_what_came_and_refuses_what_comes(log: Log) -> None:
    held = Held(log)
    outcomes: list[int] = []
    threads = [threading.Thread(target=lambda: outcomes.append(log.sequencer.submit(append).value)) for _ in range(10)]
    for thread in threads:
        thread.start()
    while log.sequencer._jobs.qsize() < 10:
        pass
    stopping = threading.Thread(target=log.sequencer.stop)
    stopping.start()
    while log.sequencer._open:
        pass
    with pytest.raises(SluisError) as caught:
        log.sequencer.submit(append)
    assert caught.value.code is Code.SHUTTING_DOWN
    assert not log.sequencer.ready()
    held.release()
    for thread in [*threads, stopping]:
        thread.join()
    assert sorted(outcomes) == list(range(1, 11))
    assert log.reader.size() == 11
    log.sequencer.stop()


def test_a_sequencer_that_was_not_started_refuses(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(SluisError) as caught:
        log.sequencer.submit(append)
    assert caught.value.code is Code.SHUTTING_DOWN
    log.close()


def test_a_locked_key_stops_the_log_and_health_says_so(log: Log) -> None:
    assert log.sequencer.ready()
    log.keys.locked = True
    assert not log.sequencer.ready()
    with pytest.raises(SluisError) as caught:
        log.sequencer.submit(append)
    assert caught.value.code is Code.LOG_UNAVAILABLE
    assert log.reader.size() == 1
    log.keys.locked = False
    assert log.sequencer.ready()
    last = [entry.leaf for entry in log.reader.entries(1, 2)]
    assert parse_leaf(last[0]).kind == "recovery"
    assert log.sequencer.submit(append).value == 2


def test_many_callers_for_a_while(log: Log) -> None:
    """Every index once, every receipt good, and the whole log fits its checkpoints."""
    found: list[Receipt] = []

    def go() -> None:
        for _ in range(25):
            found.extend(log.sequencer.submit(append).receipts)

    threads = [threading.Thread(target=go) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.index for receipt in found) == list(range(1, 401))
    for receipt in found:
        check(log, receipt)
    assert check_whole(log.reader, parse_verifier_key(log.keys.signer.verifier_key)) == 401
