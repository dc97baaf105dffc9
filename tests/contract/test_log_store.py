"""The contract of `LogStore`, `Transaction` and `LogReader` (broker/ports.py): every back end passes this suite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from log_kit import ORIGIN, START, Keys, access_body, ask_body, release_body

from broker.canonical import canonical_json, commitment
from broker.custody.keys import SystemEntropy
from broker.errors import Code, SluisError
from broker.exchange import AnswerStatus, DisputedRecord, ExchangeState, Pseudonyms, RegisterVersion, StoredNotice
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint
from broker.exchange_log.merkle import leaf_hash, verify_inclusion
from broker.parties import Environment
from broker.ports import LogStore, Transaction
from broker.probing_ports import AskedBefore, AskedQuestion
from broker.statements import Scope, Signed, read_register_manifest
from broker.storage.sqlite import SqliteLogStore

T = TypeVar("T")
KEYS = Keys()
KEY = parse_verifier_key(KEYS.signer.verifier_key)
DAY = timedelta(days=1)


def sqlite_store(directory: Path) -> SqliteLogStore:
    return SqliteLogStore(directory / "log.db", KEYS, SystemEntropy())


BACK_ENDS: dict[str, Callable[[Path], Any]] = {"sqlite": sqlite_store}


@pytest.fixture(params=sorted(BACK_ENDS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    return lambda: BACK_ENDS[request.param](tmp_path)


@pytest.fixture
def store(make: Callable[[], Any]) -> Iterator[Any]:
    opened = make()
    yield opened
    opened.close()


def write(store: LogStore, work: Callable[[Transaction], T], at: datetime = START) -> T:
    """One work in a batch of its own, committed."""
    with store.batch(at) as batch:
        began = batch.size
        with batch.savepoint():
            value = work(batch.transaction)
        batch.commit(sign_checkpoint(KEYS.signer, KEY, batch.size, batch.root) if batch.size > began else "")
    return value


def access(tx: Transaction, party: str = "nla") -> int:
    return tx.append("access", access_body(party))


def state(exchange: str = "x1", answerer: str = "snf", **changes: Any) -> ExchangeState:
    base = ExchangeState(
        exchange=exchange,
        asker="utrecht",
        principal=None,
        answerer=answerer,
        purpose="snf-locatie",
        statement_digest="ab" * 32,
        asked_at=START,
        ask_index=0,
        lease_until=START + timedelta(minutes=15),
        epoch="2026Q4",
        tokens="cd" * 32,
    )
    return replace(base, **changes)


def opened(tx: Transaction, new: ExchangeState) -> ExchangeState:
    new = replace(new, ask_index=tx.append("ask", ask_body(START, new.exchange)))
    tx.open_exchange(new)
    return new


def version(name: str = "snf/snf-locatie/2026Q4/bag", number: int = 1) -> RegisterVersion:
    answerer, purpose, epoch, scheme = name.split("/")
    statement = canonical_json(
        {
            "answerer": answerer,
            "as_of": "2026-11-20T00:00:00Z",
            "attributes": ["beds"],
            "coverage": "all",
            "digest": "ab" * 32,
            "environment": "test",
            "epoch": epoch,
            "expires_at": "2026-12-31T23:00:00Z",
            "key_id": "cd" * 16,
            "match_keys": 1,
            "origin": ORIGIN,
            "purpose": purpose,
            "rows": 3,
            "rules": {"look_back_years": 2},
            "scheme": scheme,
            "type": "sluis/v1/register",
            "version": number,
        }
    )
    manifest = read_register_manifest(Signed(statement, b"signature"), Scope(ORIGIN, Environment.TEST))
    return RegisterVersion(name, number, manifest, START)


# the tree
def test_an_empty_log(store: LogStore) -> None:
    assert store.reader.size() == 0
    assert list(store.reader.entries(0, 10)) == []
    assert list(store.reader.checkpoints()) == []
    with pytest.raises(SluisError) as caught:
        store.reader.checkpoint()
    assert caught.value.code is Code.NOT_FOUND


def test_entries_and_checkpoints(store: LogStore) -> None:
    for count in (1, 2, 3):
        assert write(store, lambda tx, count=count: [access(tx) for _ in range(count)]) is not None
    reader = store.reader
    assert reader.size() == 6
    assert [size for size, _ in reader.checkpoints()] == [1, 3, 6]
    assert reader.checkpoint()[0] == 6
    assert [reader.checkpoint(at)[0] for at in (1, 2, 3, 4, 6)] == [1, 3, 3, 6, 6]
    with pytest.raises(SluisError) as caught:
        reader.checkpoint(7)
    assert caught.value.code is Code.NOT_FOUND
    assert [entry.index for entry in reader.entries(2, 5)] == [2, 3, 4]
    assert [entry.index for entry in reader.entries(4, 99)] == [4, 5]


def test_many_entries_are_read_in_order(store: LogStore) -> None:
    write(store, lambda tx: [access(tx) for _ in range(700)])
    assert [entry.index for entry in store.reader.entries(0, 700)] == list(range(700))


def test_the_batch_knows_its_tree(store: LogStore) -> None:
    write(store, lambda tx: [access(tx) for _ in range(5)])
    with store.batch(START) as batch:
        assert batch.transaction.sequenced_at == START
        for _ in range(4):
            access(batch.transaction)
        assert batch.size == 9
        for index in range(9):
            path = batch.inclusion(index)
            assert verify_inclusion(leaf_hash(batch.leaf(index)), index, 9, path, batch.root)
        root = batch.root
        batch.commit(sign_checkpoint(KEYS.signer, KEY, 9, root))
    for index in range(9):
        (entry,) = store.reader.entries(index, index + 1)
        assert verify_inclusion(leaf_hash(entry.leaf), index, 9, store.reader.inclusion(index, 9), root)
    with pytest.raises(SluisError) as caught:
        store.reader.inclusion(3, 10)
    assert caught.value.code is Code.FIELD_INVALID
    with pytest.raises(SluisError):
        store.reader.consistency(3, 10)


def test_without_commit_nothing_stays(store: LogStore) -> None:
    write(store, access)
    with store.batch(START) as batch:
        access(batch.transaction)
        batch.transaction.debit("c", 1)
        batch.transaction.put_document("k", "1", b"v")

    def fails() -> None:
        with store.batch(START) as batch:
            batch.transaction.debit("c", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (store.reader.size(), store.reader.spent("c"), store.reader.document("k", "1")) == (1, 0, None)
    assert write(store, access) == 1


def test_readers_never_see_an_open_batch(store: LogStore) -> None:
    write(store, access)
    with store.batch(START) as batch:
        access(batch.transaction)
        batch.transaction.debit("c", 1)
        assert (store.reader.size(), store.reader.spent("c")) == (1, 0)
        batch.commit(sign_checkpoint(KEYS.signer, KEY, batch.size, batch.root))
        assert (store.reader.size(), store.reader.spent("c")) == (2, 1)


def test_a_savepoint_is_undone_whole(store: LogStore) -> None:
    write(store, access)
    with store.batch(START) as batch:
        tx = batch.transaction
        with batch.savepoint():
            access(tx)
            tx.debit("c", 1)
        before = (batch.size, batch.root)

        def fails() -> None:
            with batch.savepoint():
                for _ in range(5):
                    access(tx, "sna")
                tx.debit("c", 7)
                tx.commit_to("tokens", bytes(2 << 20), keep_until=START + DAY)
                opened(tx, state())
                tx.publish(version(), expect=None)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails()
        assert (batch.size, batch.root) == before
        assert tx.spent("c") == 1
        with batch.savepoint():
            access(tx)
        batch.commit(sign_checkpoint(KEYS.signer, KEY, batch.size, batch.root))
    assert store.reader.size() == 3
    assert store.reader.exchange("utrecht", "x1") == ()
    assert store.reader.register(version().name) is None
    assert store.reader.entries_of("sna", 0, 10) == ()


def test_everything_is_there_after_opening_again(make: Callable[[], Any]) -> None:
    store = make()
    name = write(store, lambda tx: (access(tx), tx.commit_to("result", b"value", keep_until=START + DAY))[1])
    write(store, lambda tx: tx.debit("c", 3))
    store.close()
    store.close()
    store = make()
    assert store.reader.size() == 1
    assert store.reader.spent("c") == 3
    assert store.reader.opening(name)[1] == b"value"
    assert write(store, access) == 1
    store.close()


def test_one_writer_at_a_time(make: Callable[[], Any]) -> None:
    store = make()
    with pytest.raises(SluisError) as caught:
        make()
    assert caught.value.code is Code.CONFIG_INVALID
    assert write(store, access) == 0
    store.close()
    make().close()


def test_bad_entries_are_refused_and_change_nothing(store: LogStore) -> None:
    write(store, access)
    with store.batch(START) as batch:
        for kind, body in (("gossip", {}), ("access", {"party": "nla"}), ("access", {**access_body(), "what": 1.5})):
            with pytest.raises(SluisError) as caught, batch.savepoint():
                batch.transaction.append(kind, body)
            assert caught.value.code is Code.FIELD_INVALID
        assert batch.size == 1


def test_entries_of_a_party(store: LogStore) -> None:
    def work(tx: Transaction) -> None:
        access(tx, "nla")
        tx.append("ask", ask_body(START))
        tx.append("release", release_body())
        access(tx, "snf")
        tx.append("recovery", {"what": "x", "detail": "y"})

    write(store, work)
    indices = lambda party, start=0, limit=99: [e.index for e in store.reader.entries_of(party, start, limit)]
    assert indices("utrecht") == [1, 2]
    assert indices("snf") == [1, 2, 3]
    assert indices("snf", 2) == [2, 3]
    assert indices("snf", 0, 1) == [1]
    assert indices("nobody") == []


# the vault
@pytest.mark.parametrize("size", [0, 10, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_the_vault_opens_what_was_committed(store: LogStore, size: int) -> None:
    value = hashlib.sha256(b"x").digest() * (size // 32 + 1)
    value = value[:size]
    name = write(store, lambda tx: tx.commit_to("tokens", value, keep_until=START + DAY, salt=bytes(range(32))))
    assert name == commitment("tokens", bytes(range(32)), value)
    assert store.reader.opening(name) == (bytes(range(32)), value)
    with store.batch(START) as batch:
        assert batch.transaction.opening(name) == (bytes(range(32)), value)
    assert store.reader.opening("00" * 32) is None


def test_fresh_salts_differ(store: LogStore) -> None:
    def work(tx: Transaction) -> tuple[str, str]:
        first = tx.commit_to("result", b"1", keep_until=START + DAY)
        return first, tx.commit_to("result", b"1", keep_until=START + DAY)

    first, second = write(store, work)
    assert first != second
    assert store.reader.opening(first)[0] != store.reader.opening(second)[0]


def test_the_same_commitment_again_is_one_slot(store: LogStore) -> None:
    def work(tx: Transaction) -> list[str]:
        return [tx.commit_to("tokens", b"v", keep_until=START + n * DAY, salt=bytes(32)) for n in (2, 1)]

    first, second = write(store, work)
    assert first == second
    assert store.reader.opening(first) == (bytes(32), b"v")


def test_expired_slots_are_gone(store: Any, tmp_path: Path) -> None:
    def work(tx: Transaction) -> list[str]:
        return [tx.commit_to("tokens", bytes(n << 20), keep_until=START + n * DAY) for n in (1, 2, 3)]

    names = write(store, work)
    due = store.reader.due(START + timedelta(days=2.5), None, 10)
    assert [slot.commitment for slot in due] == names[:2]
    assert write(store, lambda tx: tx.erase(names[:2], access(tx))) == 2
    assert [store.reader.opening(name) is not None for name in names] == [False, False, True]
    assert [store.reader.erased_by(name) for name in names] == [0, 0, None]
    assert len(list((tmp_path / "log.db.vault").iterdir())) == 1
    assert write(store, access) == 1


def test_a_file_beside_goes_with_its_work(store: Any, tmp_path: Path) -> None:
    before = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    with store.batch(START) as batch:
        batch.transaction.commit_to("tokens", bytes(2 << 20), keep_until=START + DAY)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_short_salt_is_refused(store: LogStore) -> None:
    with pytest.raises(SluisError) as caught:
        write(store, lambda tx: tx.commit_to("tokens", b"v", keep_until=START, salt=b"short"))
    assert caught.value.code is Code.LENGTH_WRONG


def test_values_lie_sealed_on_disk(store: Any, tmp_path: Path) -> None:
    secret = b"a value that must not lie bare on disk"
    write(store, lambda tx: tx.commit_to("tokens", secret, keep_until=START + DAY))
    write(store, lambda tx: tx.commit_to("tokens", secret * 50_000, keep_until=START + DAY))
    done = write(store, lambda tx: opened(tx, state()))
    answer = {"hits": 1, "spool": "a name that lies sealed"}
    write(store, lambda tx: tx.close_exchange(done, AnswerStatus.ANSWERED, 2, answer))
    assert store.reader.exchange("utrecht", "x1")[0].answer == answer
    data = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret not in data
    assert b"lies sealed" not in data


# counters and documents
def test_counters(store: LogStore) -> None:
    assert write(store, lambda tx: (tx.spent("c"), tx.debit("c", 2), tx.debit("c", 3), tx.spent("c"))) == (0, 2, 5, 5)
    assert store.reader.spent("c") == 5
    assert store.reader.spent("other") == 0


def test_documents(store: LogStore) -> None:
    def work(tx: Transaction) -> bytes | None:
        tx.put_document("kind", "b", b"1")
        tx.put_document("kind", "a", b"2")
        tx.put_document("other", "a", b"3")
        tx.put_document("kind", "b", b"4")
        return tx.document("kind", "b")

    assert write(store, work) == b"4"
    assert list(store.reader.documents("kind")) == [("a", b"2"), ("b", b"4")]
    assert store.reader.document("kind", "c") is None


# exchanges
def test_an_exchange_opens_and_closes_once(store: LogStore) -> None:
    def ask(tx: Transaction) -> list[ExchangeState]:
        asked = [opened(tx, state(answerer=name, principal="nla")) for name in ("utrecht", "snf", "someren")]
        assert list(tx.exchange("utrecht", "x1")) == asked
        return asked

    asked = write(store, ask)
    assert list(store.reader.exchange("utrecht", "x1")) == asked
    assert store.reader.exchange("nla", "x1") == ()

    def close(tx: Transaction) -> list[bool]:
        first = tx.close_exchange(asked[1], AnswerStatus.ANSWERED, 9, {"hits": 3})
        return [first, tx.close_exchange(asked[1], AnswerStatus.FAILED, 10, {})]

    assert write(store, close) == [True, False]
    found = store.reader.exchange("utrecht", "x1")[1]
    assert found == replace(asked[1], status=AnswerStatus.ANSWERED, release_index=9, answer={"hits": 3})


def test_a_request_id_is_used_once(store: LogStore) -> None:
    write(store, lambda tx: opened(tx, state()))
    with pytest.raises(SluisError) as caught:
        write(store, lambda tx: opened(tx, state()))
    assert caught.value.code is Code.REQUEST_ID_REUSED
    assert store.reader.size() == 1
    write(store, lambda tx: opened(tx, state(answerer="other")))


def test_asks_whose_lease_has_run_out(store: LogStore) -> None:
    def ask(tx: Transaction) -> None:
        opened(tx, state("a", lease_until=START + 1 * DAY))
        opened(tx, state("b", lease_until=START + 2 * DAY))
        opened(tx, state("c", lease_until=START, status=AnswerStatus.DENIED))
        tx.close_exchange(opened(tx, state("d", lease_until=START)), AnswerStatus.ANSWERED, 5, {})

    write(store, ask)
    assert [one.exchange for one in store.reader.open_exchanges(START + 1.5 * DAY)] == ["a"]
    assert [one.exchange for one in store.reader.open_exchanges(START + 9 * DAY)] == ["a", "b"]


def test_listing_exchanges(store: LogStore) -> None:
    def ask(tx: Transaction) -> None:
        for number in range(5):
            opened(tx, state(f"x{number}", purpose="even" if number % 2 == 0 else "odd"))
        opened(tx, state("y", asker="nla"))

    write(store, ask)
    listed = lambda **k: [one.exchange for one in store.reader.exchanges("utrecht", **k)]
    assert listed(purpose="", before=0, limit=9) == ["x4", "x3", "x2", "x1", "x0"]
    assert listed(purpose="", before=3, limit=2) == ["x2", "x1"]
    assert listed(purpose="odd", before=0, limit=9) == ["x3", "x1"]
    assert listed(purpose="odd", before=3, limit=9) == ["x1"]


def test_earlier_counts(store: LogStore) -> None:
    def ask(tx: Transaction) -> tuple[str, ...]:
        opened(tx, state("a", counted=True, tokens="1"))
        opened(tx, state("b", counted=False, tokens="2"))
        opened(tx, state("c", counted=True, tokens="3", status=AnswerStatus.DENIED))
        opened(tx, state("d", counted=True, tokens="4", epoch="2026Q3"))
        done = opened(tx, state("e", counted=True, tokens="5"))
        tx.close_exchange(done, AnswerStatus.WITHHELD, 9, {})
        return tx.questions_with_count("utrecht", "snf", "snf-locatie", "2026Q4")

    assert write(store, ask) == ("1", "5")


# registers
def test_publishing_swaps_by_compare_and_set(store: LogStore) -> None:
    name = version().name
    write(store, lambda tx: tx.publish(version(number=1), expect=None))
    assert store.reader.register(name) == version(number=1)
    for wrong in (None, 2):
        with pytest.raises(SluisError) as caught:
            write(store, lambda tx, wrong=wrong: tx.publish(version(number=2), expect=wrong))
        assert caught.value.code is Code.REGISTER_CHANGED
    assert store.reader.register(name) == version(number=1)
    write(store, lambda tx: tx.publish(version(number=2), expect=1))
    assert write(store, lambda tx: tx.register(name)) == version(number=2)


def test_withdrawing(store: LogStore) -> None:
    name = version().name
    write(store, lambda tx: tx.publish(version(), expect=None))
    write(store, lambda tx: tx.withdraw(name))
    assert store.reader.register(name) == replace(version(), withdrawn=True)
    for missing in (name, "snf/none/2026Q4/bag"):
        with pytest.raises(SluisError) as caught:
            write(store, lambda tx, missing=missing: tx.withdraw(missing))
        assert caught.value.code is Code.NOT_FOUND
    write(store, lambda tx: tx.publish(version(number=2), expect=1))
    assert store.reader.register(name) == version(number=2)


def test_listing_registers(store: LogStore) -> None:
    names = [f"snf/snf-locatie/2026Q4/{scheme}" for scheme in ("bag", "postcode-number")]
    names += ["snf/snf-locatie/2026Q3/bag", "sna/sna-overzicht/2026Q4/kvk"]

    def work(tx: Transaction) -> tuple[RegisterVersion, ...]:
        for name in names:
            tx.publish(version(name), expect=None)
        return tx.registers("snf", "snf-locatie", "2026Q4")

    assert [one.name for one in write(store, work)] == names[:2]
    assert [one.name for one in store.reader.registers_of("snf", after="", limit=9)] == sorted(names[:3])
    assert [one.name for one in store.reader.registers_of("snf", after=min(names[:3]), limit=1)] == [names[0]]
    assert [one.name for one in store.reader.all_registers()] == sorted(names)


def test_version_numbers_are_never_handed_out_twice(store: LogStore) -> None:
    assert write(store, lambda tx: [tx.next_version("a"), tx.next_version("a"), tx.next_version("b")]) == [1, 2, 1]
    assert write(store, lambda tx: tx.next_version("a")) == 3


# rectification
def test_asks_that_may_hold_a_record(store: Any) -> None:
    def work(tx: Transaction) -> list[int]:
        made = [opened(tx, state(f"x{number}", counted=number == 3)) for number in range(5)]
        tx.close_exchange(made[0], AnswerStatus.ANSWERED, 1, {"hits": 1})
        tx.close_exchange(made[1], AnswerStatus.NO_REGISTER, 1, {})
        assert tx.asks_at("snf", "snf-locatie", "2026Q4") == tuple(made[at].ask_index for at in (0, 2, 4))
        return [one.ask_index for one in made]

    indices = write(store, work)
    reader = store.reader
    assert reader.asks_at("snf", "snf-locatie", "2026Q4") == (indices[0], indices[2], indices[4])
    assert reader.asks_at("snf", "snf-locatie", "2027Q1") == reader.asks_at("sna", "snf-locatie", "2026Q4") == ()
    found = reader.exchange_at(indices[0])
    assert (found.exchange, found.answer) == ("x0", {"hits": 1})
    assert reader.exchange_at(10_000) is None


def test_asks_in_which_a_party_has_a_part(store: Any) -> None:
    def work(tx: Transaction) -> list[int]:
        made = [opened(tx, state(f"x{number}")) for number in range(3)]
        made.append(opened(tx, replace(state("x3"), asker="nla", principal="sna")))
        made.append(opened(tx, replace(state("x4"), epoch="2027Q1")))
        tx.close_exchange(made[1], AnswerStatus.DENIED, None, {})
        tx.close_exchange(made[2], AnswerStatus.ANSWERED, 77, {"hits": 1})
        return [one.ask_index for one in made]

    indices = write(store, work)
    asker = state("x").asker

    def own(party: str, epoch: str = "2026Q4", after: int = -1, limit: int = 9) -> list[int]:
        found = store.reader.own_asks(party, "snf-locatie", epoch, after=after, limit=limit)
        return [one.ask_index for one in found]

    assert own(asker) == indices[:3], "denied ones too"
    assert own("snf") == indices[:4], "as answerer"
    assert own("sna") == [indices[3]], "as principal"
    assert own("snf", after=indices[0], limit=2) == indices[1:3]
    assert own("snf", "2027Q1") == [indices[4]]
    assert own("svb") == []
    found = store.reader.own_asks("snf", "snf-locatie", "2026Q4", after=indices[1], limit=1)
    assert (found[0].release_index, found[0].tokens) == (77, state("x2").tokens)
    assert write(store, lambda tx: len(tx.own_asks("snf", "snf-locatie", "2026Q4", after=-1, limit=9))) == 4


def disputed(notice: str = "aa", epoch: str = "2026Q4", entry: int = 1) -> DisputedRecord:
    return DisputedRecord(notice, "utrecht", "x1", "snf", "snf-locatie", epoch, "cd" * 32, entry, START)


def test_a_dispute_stands_under_its_epochs_until_it_is_ended(store: Any) -> None:
    write(store, lambda tx: (tx.add_dispute(disputed()), tx.add_dispute(disputed(epoch="2027Q1", entry=2))))
    write(store, lambda tx: tx.add_dispute(disputed("bb", entry=3)))
    reader = store.reader
    assert [one.epoch for one in reader.dispute("aa")] == ["2026Q4", "2027Q1"]
    assert reader.open_disputes("snf", "snf-locatie", "2026Q4") == (disputed(), disputed("bb", entry=3))
    assert write(store, lambda tx: tx.resolve_dispute("aa", 9)) is True
    assert write(store, lambda tx: tx.resolve_dispute("aa", 10)) is False
    assert [one.resolved for one in reader.dispute("aa")] == [9, 9]
    assert reader.open_disputes("snf", "snf-locatie", "2027Q1") == ()
    assert reader.dispute("cc") == ()


def test_notices_are_listed_and_acknowledged_once(store: Any) -> None:
    made = [StoredNotice(f"n{number}", "utrecht" if number % 2 else "snf", number) for number in range(6)]
    write(store, lambda tx: [tx.add_notice(one) for one in made])
    reader = store.reader
    assert write(store, lambda tx: tx.acknowledge("n3", 20)) is True
    assert write(store, lambda tx: tx.acknowledge("n3", 21)) is False
    assert write(store, lambda tx: tx.acknowledge("none", 21)) is False

    def of(after: int = -1, limit: int = 10, unacknowledged: bool = False) -> list[str]:
        found = reader.notices_of("utrecht", after=after, limit=limit, unacknowledged=unacknowledged)
        return [one.notice for one in found]

    assert (of(), of(after=1), of(limit=1), of(unacknowledged=True)) == (
        ["n1", "n3", "n5"],
        ["n3", "n5"],
        ["n1"],
        ["n1", "n5"],
    )
    assert reader.notice("n3") == StoredNotice("n3", "utrecht", 3, 20)
    assert reader.notice("none") is None


def test_a_work_that_fails_leaves_no_notice_and_no_dispute(store: Any) -> None:
    def work(tx: Transaction) -> None:
        tx.add_notice(StoredNotice("n", "snf", 1))
        tx.add_dispute(disputed())
        raise SluisError(Code.NOT_FOUND, "no")

    with pytest.raises(SluisError):
        write(store, work)
    assert store.reader.notice("n") is None
    assert store.reader.dispute("aa") == ()


def subjects(*numbers: int) -> Pseudonyms:
    return np.array([number.to_bytes(16, "big") for number in numbers], "V16")


def asked_as(exchange: str, kept: datetime, *, at: datetime = START, scope: str = "s") -> AskedQuestion:
    return AskedQuestion(scope, "utrecht", exchange, 10, at, kept)


def test_how_a_question_stands_to_earlier_ones(store: Any) -> None:
    kept = START + 90 * DAY

    def note(scope: str, at: datetime, *numbers: int) -> None:
        write(store, lambda tx: tx.note_asked(asked_as("x", kept, at=at, scope=scope), subjects(*numbers)))

    note("utrecht/p/e", START, 1, 2, 3)
    note("utrecht/p/e", START + DAY, 3)
    note("utrecht/p/e", START + 2 * DAY, 3, 4)
    note("snf/p/e", START, 1, 2, 3, 4)

    def before(since: datetime, *numbers: int) -> AskedBefore:
        return write(store, lambda tx: tx.asked_before("utrecht/p/e", subjects(*numbers), since))

    assert before(START, 1, 2, 3) == AskedBefore(overlaps=((3, 3), (1, 1), (2, 1)), most=3, known=3)
    assert before(START + DAY, 1, 2, 3) == AskedBefore(overlaps=((1, 1), (2, 1)), most=2, known=3)
    assert before(START, 9) == AskedBefore(overlaps=(), most=0, known=0)
    assert before(START, 4, 9) == AskedBefore(overlaps=((2, 1),), most=1, known=1)
    many = before(START, *range(4000))
    assert many == AskedBefore(overlaps=((3, 3), (1, 1), (2, 2)), most=3, known=4)
    assert write(store, lambda tx: tx.asked_since("utrecht/p/e", START + DAY)) == 20
    assert store.reader.asked_since("utrecht/p/e", START) == 30
    assert store.reader.asked_since("nobody/p/e", START) == 0


def test_a_noted_question_is_dropped_with_its_subjects_when_its_time_has_passed(store: Any) -> None:
    write(store, lambda tx: tx.note_asked(asked_as("x1", START + DAY), subjects(1, 2)))
    write(store, lambda tx: tx.note_asked(asked_as("x2", START + 2 * DAY), subjects(2)))
    assert write(store, lambda tx: tx.drop_asked(START)) == 0
    assert write(store, lambda tx: tx.drop_asked(START + DAY)) == 1
    assert write(store, lambda tx: tx.asked_before("s", subjects(1, 2), START)) == AskedBefore(((1, 1),), 1, 1)
    assert write(store, lambda tx: tx.drop_asked(START + 2 * DAY)) == 1
    assert write(store, lambda tx: tx.asked_before("s", subjects(1, 2), START)) == AskedBefore((), 0, 0)


def test_a_noted_question_goes_with_its_exchange(store: Any) -> None:
    write(store, lambda tx: tx.note_asked(asked_as("x1", START + DAY), subjects(1)))
    write(store, lambda tx: tx.note_asked(asked_as("x2", START + DAY), subjects(1)))
    write(store, lambda tx: tx.drop_asked_of("snf", "x1"))
    assert write(store, lambda tx: tx.asked_before("s", subjects(1), START)).most == 2
    rows = write(store, lambda tx: tx.asked_since("s", START))
    write(store, lambda tx: tx.drop_asked_of("utrecht", "x1"))
    assert write(store, lambda tx: tx.asked_before("s", subjects(1), START)).most == 1
    # the log goes on saying how many rows were asked, and when: whoever recounts the hour must find the same
    assert write(store, lambda tx: tx.asked_since("s", START)) == rows > 0


def test_no_pseudonym_of_a_noted_question_lies_on_disk(store: Any, tmp_path: Path) -> None:
    asked = np.array([b"pseudonym-bytes!"], "V16")
    write(store, lambda tx: tx.note_asked(asked_as("x", START + DAY), asked))
    assert write(store, lambda tx: tx.asked_before("s", asked, START)).known == 1
    store.close()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"pseudonym-bytes!" not in path.read_bytes()
