"""The vault's life: what is due goes with an entry, an order erases, a hold keeps, a restore brings nobody back."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from log_kit import ORIGIN, START, FakeClock, Log, access_body, ask_body, release_body
from world import policy_texts

from broker import erasure
from broker.custody.keys import SystemEntropy
from broker.erasure import HOLDS, Erasure, holds_of
from broker.errors import Code, SluisError
from broker.exchange import AnswerStatus, ExchangeState, SlotUse
from broker.exchange_log.entry import parse_leaf
from broker.parties import Environment
from broker.policy.bundle import policy_set_from_texts
from broker.policy.vault_orders import VaultOrder, erase_order, hold_order, lift_order
from broker.ports import Transaction
from broker.statements import Scope
from broker.storage.answers import FileAnswerSpool

DAY = timedelta(days=1)
OFFICERS = Officers()
POLICIES = policy_set_from_texts(OFFICERS.add_to(policy_texts()))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIGNER_HEX = SIGNER.public_key().public_bytes_raw().hex()
LABELS = {"tokens": b"pseudonyms", "case-number": b"case", "result": b"hits"}


class Vaulted:
    """A log with an erasure service; exchanges are put in as the coordinator does."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock(START, timedelta(microseconds=1))
        self.open()

    def open(self) -> None:
        self.log = Log(self.directory, clock=self.clock).open()
        self.spool = FileAnswerSpool(self.directory / "answers", self.log.keys, SystemEntropy(), self.clock)
        self.erasure = Erasure(
            sequencer=self.log.sequencer,
            reader=self.log.reader,
            spool=self.spool,
            policies=lambda: POLICIES,
            signers=[SIGNER_HEX],
            scope=Scope(ORIGIN, Environment.TEST),
            clock=self.clock,
        )

    def put(self, keep: timedelta = DAY, asker: str = "utrecht", **changes: Any) -> tuple[str, list[str]]:
        """An answered exchange; returns its id and its commitments."""
        exchange = str(uuid.uuid4())
        now = self.clock.now()
        name = f"{asker}.{exchange}.snf"
        self.spool.write(name, [])

        def work(tx: Transaction) -> list[str]:
            state = ExchangeState(
                exchange=exchange,
                asker=asker,
                principal=None,
                answerer="snf",
                purpose="snf-locatie",
                statement_digest="ab" * 32,
                asked_at=now,
                ask_index=tx.append("ask", {**ask_body(now, exchange), "asker": asker}),
                lease_until=now + timedelta(minutes=15),
                epoch="2026Q4",
                tokens="cd" * 32,
                **changes,
            )
            tx.open_exchange(state)
            made = [
                tx.commit_to(label, value, keep_until=now + keep, ask_index=state.ask_index)
                for label, value in LABELS.items()
            ]
            tx.commit_to("answer", b"rows", keep_until=now + DAY, ask_index=state.ask_index)
            if "status" not in changes:
                release = tx.append("release", {**release_body(state.ask_index, exchange), "asker": asker})
                tx.close_exchange(state, AnswerStatus.ANSWERED, release, {"hits": 1})
            return made

        return exchange, self.log.sequencer.submit(work).value

    def there(self, names: list[str]) -> list[bool]:
        return [self.log.reader.opening(name) is not None for name in names]

    def entries(self, kind: str) -> list[dict[str, Any]]:
        reader = self.log.reader
        read = (parse_leaf(entry.leaf) for entry in reader.entries(0, reader.size()))
        return [dict(entry.body) for entry in read if entry.kind == kind]

    def stamped(self) -> dict[str, Any]:
        self.clock.at += timedelta(seconds=1)  # no two orders are the same
        return {"origin": ORIGIN, "environment": "test", "made_at": self.clock.now()}

    def order(self, *exchanges: str, asker: str = "utrecht", case: str | None = "AVG 2026-12") -> VaultOrder:
        named = [(asker, exchange) for exchange in exchanges]
        opened = None if case is None else (SystemEntropy().token(32), case)
        return erase_order(named, "granted", case=opened, **self.stamped())(OFFICERS.keys[asker])

    def hold(self, key: Ed25519PrivateKey = SIGNER, days: int = 90, **named: Any) -> str:
        until = self.clock.at + timedelta(days=days)
        order = hold_order("inquiry", until=until, **named, **self.stamped())(key)
        self.erasure.take(order.encode())
        return order.order

    def lift(self, hold: str, key: Ed25519PrivateKey = SIGNER) -> None:
        self.erasure.take(lift_order(hold, "ended", **self.stamped())(key).encode())

    def refusal(self, act: Callable[[], object]) -> Code:
        size = self.log.reader.size()
        with pytest.raises(SluisError) as caught:
            act()
        assert self.log.reader.size() == size
        return caught.value.code

    def close(self) -> None:
        self.log.close()


@pytest.fixture
def vaulted(tmp_path: Path) -> Iterator[Vaulted]:
    made = Vaulted(tmp_path)
    yield made
    made.close()


def test_what_is_due_goes_with_an_entry_by_purpose(vaulted: Vaulted) -> None:
    _, first = vaulted.put(DAY)
    _, second = vaulted.put(3 * DAY)
    assert vaulted.erasure.expire() == 0
    vaulted.clock.at = START + DAY + timedelta(minutes=59)
    assert vaulted.erasure.expire() == 0, "by the hour"
    vaulted.clock.at = START + DAY + timedelta(hours=1)
    assert vaulted.erasure.expire() == 3
    assert vaulted.there(first + second) == [False] * 3 + [True] * 3
    assert vaulted.entries("erasure") == [
        {"what": "retention", "purpose": "snf-locatie", "commitments": sorted(first)},
    ]
    assert vaulted.erasure.expire() == 0
    assert len(vaulted.entries("erasure")) == 1
    assert [vaulted.log.reader.erased_by(name) for name in first] == [vaulted.log.reader.size() - 1] * 3


def test_many_are_erased_in_several_entries(vaulted: Vaulted) -> None:
    names = [name for _ in range(170) for name in vaulted.put(DAY)[1]]
    vaulted.clock.at += 2 * DAY
    assert vaulted.erasure.expire() == 510
    listed = [entry["commitments"] for entry in vaulted.entries("erasure")]
    assert list(map(len, listed)) == [500, 10]
    assert sorted(itertools.chain(*listed)) == sorted(names)


def test_kept_answers_go_after_a_day_and_no_entry_says_so(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put(9 * DAY)
    vaulted.clock.at += timedelta(hours=23)
    vaulted.erasure.expire()
    assert vaulted.log.reader.exchange("utrecht", exchange)[0].answer == {"hits": 1}
    vaulted.clock.at += timedelta(hours=2)
    vaulted.erasure.expire()
    assert not vaulted.log.reader.exchange("utrecht", exchange)[0].answer
    assert [slot.label for slot in vaulted.log.reader.labelled("answer", "", 9)] == []
    assert vaulted.there(names) == [True] * 3
    assert not vaulted.entries("erasure")


def test_an_order_erases_an_exchange_with_all_that_is_kept_of_it(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put()
    _, other = vaulted.put()
    order = vaulted.order(exchange)
    vaulted.erasure.take(order.encode())
    assert vaulted.there(names + other) == [False] * 3 + [True] * 3
    assert not vaulted.log.reader.exchange("utrecht", exchange)[0].answer
    with pytest.raises(SluisError):
        list(vaulted.spool.read(f"utrecht.{exchange}.snf"))
    (entry,) = vaulted.entries("erasure")
    assert entry == {"what": "request", "purpose": "snf-locatie", "commitments": sorted(names), **order.members()}
    assert "AVG 2026-12" not in json.dumps(entry)
    opening = vaulted.log.reader.opening(order.stated["case"])
    assert opening is not None
    assert opening[1] == b"AVG 2026-12"
    size = vaulted.log.reader.size()
    vaulted.erasure.take(order.encode())
    assert vaulted.log.reader.size() == size, "an order is carried out once"


def place(vaulted: Vaulted, exchange: str) -> list[str]:
    """Documents that say that row 3 of an exchange was disputed and reported on, and those of another one."""
    keys = [f"utrecht/{exchange}/snf/3", f"utrecht/{exchange[:-1]}/snf/3", f"utrecht/{exchange}x/snf/3"]

    def work(tx: Transaction) -> None:
        for key in keys:
            tx.put_document("disputed", key, b"ab")
            tx.put_document("outcome", key, b"{}")

    vaulted.log.sequencer.submit(work)
    return keys


def places(vaulted: Vaulted) -> list[str]:
    return [key for kind in ("disputed", "outcome") for key, _ in vaulted.log.reader.documents(kind)]


@pytest.mark.parametrize("way", ["order", "retention", "restore"])
def test_which_rows_were_disputed_goes_with_the_question(vaulted: Vaulted, way: str) -> None:
    exchange, _ = vaulted.put()
    mine, *others = place(vaulted, exchange)
    if way == "retention":
        vaulted.clock.at += 2 * DAY
        vaulted.erasure.expire()
    else:
        tables = ("vault", "vault_uses", "documents", "exchanges")
        with closing(sqlite3.connect(vaulted.log.path)) as connection:
            before = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
        vaulted.erasure.take(vaulted.order(exchange).encode())
        if way == "restore":
            vaulted.close()
            with closing(sqlite3.connect(vaulted.log.path)) as connection:
                for name, rows in before.items():
                    marks = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", rows)
                connection.commit()
            vaulted.open()
            assert mine in places(vaulted)
            assert vaulted.log.reader.exchange("utrecht", exchange)[0].answer
            vaulted.erasure.reapply()
            assert not vaulted.log.reader.exchange("utrecht", exchange)[0].answer
    assert sorted(places(vaulted)) == sorted(2 * others)
    assert mine not in places(vaulted)


def test_an_order_for_what_expired_before_is_on_record(vaulted: Vaulted) -> None:
    exchange, _ = vaulted.put()
    vaulted.clock.at += 2 * DAY
    vaulted.erasure.expire()
    vaulted.erasure.take(vaulted.order(exchange).encode())
    assert vaulted.entries("erasure")[-1]["commitments"] == []


def test_who_may_order_what(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put()
    order = vaulted.order(exchange, case=None)
    for key in (OFFICERS.keys["snf"], OFFICERS.keys["nla"], SIGNER):
        other = erase_order(order.exchanges, "granted", case=None, **vaulted.stamped())(key)
        assert vaulted.refusal(lambda other=other: vaulted.erasure.take(other.encode())) is Code.ORDER_UNSIGNED
    forged = json.loads(order.encode())
    forged["statement"]["reason"] = "because"
    data = json.dumps(forged, separators=(",", ":"), sort_keys=True).encode()
    assert vaulted.refusal(lambda: vaulted.erasure.take(data)) is Code.ORDER_UNSIGNED
    unknown = vaulted.order(str(uuid.uuid4()))
    assert vaulted.refusal(lambda: vaulted.erasure.take(unknown.encode())) is Code.NOT_FOUND
    assert all(vaulted.there(names))
    vaulted.erasure.take(order.encode())
    assert not any(vaulted.there(names))


def test_an_open_exchange_waits(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put(status=None)
    assert vaulted.refusal(lambda: vaulted.erasure.take(vaulted.order(exchange).encode())) is Code.EXCHANGE_OPEN
    assert all(vaulted.there(names))


def test_what_is_held_stays_until_the_hold_is_lifted(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put()
    hold = vaulted.hold(OFFICERS.keys["snf"], purpose="snf-locatie", party="utrecht")
    vaulted.clock.at += 2 * DAY
    assert vaulted.erasure.expire() == 0
    assert vaulted.refusal(lambda: vaulted.erasure.take(vaulted.order(exchange).encode())) is Code.LEGAL_HOLD
    for key in (OFFICERS.keys["nla"], OFFICERS.keys["utrecht"]):
        assert vaulted.refusal(lambda key=key: vaulted.lift(hold, key)) is Code.ORDER_UNSIGNED
    assert all(vaulted.there(names))
    vaulted.lift(hold, OFFICERS.keys["snf"])
    assert vaulted.refusal(lambda: vaulted.lift(hold)) is Code.NOT_FOUND
    assert vaulted.erasure.expire() == 3
    whats = [entry["what"] for entry in vaulted.entries("config")]
    assert whats == ["legal-hold-added", "legal-hold-lifted"]


def test_a_hold_ends_by_itself(vaulted: Vaulted) -> None:
    _, names = vaulted.put()
    vaulted.hold(purpose="snf-locatie", days=5)
    vaulted.clock.at += 4 * DAY
    assert vaulted.erasure.expire() == 0
    vaulted.clock.at += 2 * DAY
    assert vaulted.erasure.expire() == 3
    assert not any(vaulted.there(names))


@pytest.mark.parametrize(
    ("named", "holds"),
    [
        ({"party": "snf"}, True),
        ({"party": "utrecht"}, True),
        ({"party": "nla"}, False),
        ({"purpose": "sna-overzicht"}, False),
        ({"purpose": "snf-locatie", "party": "nla"}, False),
        ({"purpose": "snf-locatie", "exchange": "this"}, True),
        ({"purpose": "snf-locatie", "exchange": str(uuid.uuid4())}, False),
        ({"party": "snf", "asked_from": START + timedelta(minutes=5)}, False),
        ({"party": "snf", "asked_from": START}, True),
        ({"party": "snf", "asked_until": START}, False),
    ],
)
def test_what_a_hold_names(vaulted: Vaulted, named: dict[str, Any], holds: bool) -> None:
    exchange, _ = vaulted.put()
    if named.get("exchange") == "this":
        named = {**named, "exchange": exchange}
    vaulted.hold(**named)
    vaulted.clock.at += 2 * DAY
    assert (vaulted.erasure.expire() == 0) is holds


def corrected(vaulted: Vaulted, exchange: str) -> tuple[str, str]:
    """A correction's slots as `broker.rectifying` leaves them; id and commitment."""
    request, now = str(uuid.uuid4()), vaulted.clock.now()

    def work(tx: Transaction) -> str:
        (state,) = tx.exchange("utrecht", exchange)
        record = tx.commit_to("record", b"pseudonyms", keep_until=now + DAY)
        own = SlotUse("snf", request, None, "snf", "snf-locatie", tx.append("access", access_body()), now)
        told = SlotUse("utrecht", exchange, None, "snf", "snf-locatie", state.ask_index, state.asked_at)
        tx.keep_with(record, [own, told])
        return record

    return request, vaulted.log.sequencer.submit(work).value


@pytest.mark.parametrize("named", ["purpose", "answerer", "told", "exchange", "correction", "another"])
def test_a_hold_keeps_what_a_correction_commits_to(vaulted: Vaulted, named: str) -> None:
    exchange, _ = vaulted.put()
    request, record = corrected(vaulted, exchange)
    holds: dict[str, dict[str, Any]] = {
        "purpose": {"purpose": "snf-locatie"},
        "answerer": {"party": "snf"},
        "told": {"party": "utrecht"},
        "exchange": {"party": "utrecht", "exchange": exchange},
        "correction": {"purpose": "snf-locatie", "exchange": request},
        "another": {"purpose": "snf-locatie", "exchange": str(uuid.uuid4())},
    }
    vaulted.hold(**holds[named])
    vaulted.clock.at += 2 * DAY
    vaulted.erasure.expire()
    assert vaulted.there([record]) == [named != "another"]


def test_an_order_leaves_what_a_correction_of_it_commits_to(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put()
    _, record = corrected(vaulted, exchange)
    vaulted.erasure.take(vaulted.order(exchange).encode())
    assert vaulted.there([*names, record]) == [False, False, False, True]
    vaulted.clock.at += 2 * DAY
    assert vaulted.erasure.expire() == 1
    assert vaulted.entries("erasure")[-1]["purpose"] == "snf-locatie"


def test_what_is_held_is_passed_over_without_a_write(vaulted: Vaulted, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        vaulted.put()
    vaulted.hold(purpose="snf-locatie")
    vaulted.clock.at += 2 * DAY
    vaulted.erasure.expire()
    works: list[object] = []
    submit = vaulted.log.sequencer.submit
    monkeypatch.setattr(erasure, "PAGE", 2)
    monkeypatch.setattr(vaulted.log.sequencer, "submit", lambda work: works.append(work) or submit(work))
    assert vaulted.erasure.expire() == 0
    assert len(works) == 1, "the look for kept answers, and nothing for the nine slots that are held"


def test_an_order_has_thirty_days(vaulted: Vaulted) -> None:
    exchange, _ = vaulted.put(keep=100 * DAY)
    orders = [vaulted.order(exchange) for _ in range(2)]
    vaulted.erasure.take(orders[0].encode())
    vaulted.clock.at += 30 * DAY + timedelta(minutes=1)
    assert vaulted.refusal(lambda: vaulted.erasure.take(orders[1].encode())) is Code.ORDER_INVALID
    vaulted.erasure.take(orders[0].encode())
    assert len(vaulted.entries("erasure")) == 1, "what was carried out may be handed in again, and changes nothing"


@pytest.mark.parametrize("kind", ["hold", "lift"])
def test_a_hold_and_its_end_have_thirty_days_too(vaulted: Vaulted, kind: str) -> None:
    log = {"origin": ORIGIN, "environment": "test", "made_at": vaulted.clock.at}
    until = vaulted.clock.at + 90 * DAY
    if kind == "hold":
        data = hold_order("inquiry", until=until, party="snf", **log)(SIGNER).encode()
    else:
        data = lift_order(vaulted.hold(party="snf", days=90), "ended", **log)(SIGNER).encode()
    vaulted.clock.at += 31 * DAY
    assert vaulted.refusal(lambda: vaulted.erasure.take(data)) is Code.ORDER_INVALID


def test_a_hold_over_everything_or_without_end_is_no_hold(vaulted: Vaulted) -> None:
    assert vaulted.refusal(vaulted.hold) is Code.ORDER_INVALID
    assert vaulted.refusal(lambda: vaulted.hold(party="snf", days=5_000)) is Code.ORDER_INVALID
    assert vaulted.refusal(lambda: vaulted.hold(party="snf", days=0)) is Code.ORDER_INVALID


def test_a_hold_dated_ahead_does_not_outlast_the_longest(vaulted: Vaulted) -> None:
    later = vaulted.clock.at + timedelta(days=20 * 365)
    log = {"origin": ORIGIN, "environment": "test", "made_at": later}
    order = hold_order("inquiry", until=later + 90 * DAY, party="snf", **log)(SIGNER)
    assert vaulted.refusal(lambda: vaulted.erasure.take(order.encode())) is Code.ORDER_INVALID


def test_an_erased_commitment_is_never_made_again(vaulted: Vaulted) -> None:
    exchange, _ = vaulted.put()
    salt = bytes(32)
    name = vaulted.log.sequencer.submit(
        lambda tx: tx.commit_to("tokens", b"v", keep_until=START, salt=salt, ask_index=1)
    ).value
    vaulted.erasure.take(vaulted.order(exchange).encode())
    assert vaulted.log.reader.opening(name) is None

    def again() -> None:
        vaulted.log.sequencer.submit(lambda tx: tx.commit_to("tokens", b"v", keep_until=START + DAY, salt=salt))

    assert vaulted.refusal(again) is Code.COMMITMENT_WRONG


def vault_rows(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT * FROM vault").fetchall()


def bring_back(path: Path, rows: list[Any]) -> None:
    with sqlite3.connect(path) as connection:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT OR IGNORE INTO vault VALUES ({marks})", rows)  # a test's


@pytest.mark.parametrize("forgets", [False, True])
def test_what_a_restore_brought_back_is_erased_again(vaulted: Vaulted, forgets: bool) -> None:
    """An older copy of the vault put back into the log's database; `forgets`: with the tables that say what went."""
    exchange, names = vaulted.put()
    _, other = vaulted.put()
    before = vault_rows(vaulted.log.path)
    vaulted.erasure.take(vaulted.order(exchange).encode())
    vaulted.close()
    bring_back(vaulted.log.path, before)
    if forgets:
        with sqlite3.connect(vaulted.log.path) as connection:
            connection.execute("DELETE FROM erased")
            connection.execute("DELETE FROM documents WHERE kind='erasures-applied'")
    vaulted.open()
    assert vaulted.there(names) == [True] * 3
    assert vaulted.erasure.reapply() == 3
    assert vaulted.there(names + other) == [False] * 3 + [True] * 3
    (entry,) = vaulted.entries("recovery")
    assert entry["what"] == "erasure-reapplied"
    assert vaulted.erasure.reapply() == 0


def test_a_mark_of_another_log_is_not_trusted(vaulted: Vaulted) -> None:
    exchange, names = vaulted.put()
    vaulted.erasure.reapply()
    before = vault_rows(vaulted.log.path)
    vaulted.erasure.take(vaulted.order(exchange).encode())
    vaulted.close()
    with sqlite3.connect(vaulted.log.path) as connection:
        mark = {"size": 6, "checkpoint": "00" * 32}
        connection.execute("UPDATE documents SET value=? WHERE kind='erasures-applied'", (json.dumps(mark).encode(),))
        connection.execute("DELETE FROM erased")
    bring_back(vaulted.log.path, before)
    vaulted.open()
    assert vaulted.erasure.reapply() == 3
    assert not any(vaulted.there(names))


class VaultLife(RuleBasedStateMachine):
    """Whatever is put, expired, erased, held and restored: a commitment opens, or an entry erased it. Never both."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.vaulted = Vaulted(self.directory)
        self.made: dict[str, tuple[list[str], datetime]] = {}
        self.held: set[str] = set()
        self.holds: list[tuple[str, str]] = []
        self.backup: list[Any] = []

    @initialize()
    def begin(self) -> None:
        self.put(2)

    @rule(days=st.integers(1, 4))
    def put(self, days: int) -> None:
        exchange, names = self.vaulted.put(days * DAY)
        self.made[exchange] = (names, self.vaulted.clock.at + days * DAY)

    @rule(hours=st.integers(1, 60))
    def wait_and_expire(self, hours: int) -> None:
        self.vaulted.clock.at += timedelta(hours=hours)
        self.vaulted.erasure.expire()
        floor = self.vaulted.clock.at.replace(minute=0, second=0, microsecond=0)
        for exchange, (names, until) in self.made.items():
            if exchange not in self.held and until < floor:
                assert not any(self.vaulted.there(names)), "due and not held, and still there"

    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        exchange = data.draw(st.sampled_from(sorted(self.made)))
        order = self.vaulted.order(exchange).encode()
        if exchange in self.held:
            assert self.vaulted.refusal(lambda: self.vaulted.erasure.take(order)) is Code.LEGAL_HOLD
            return
        self.vaulted.erasure.take(order)
        assert not any(self.vaulted.there(self.made[exchange][0]))

    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        exchange = data.draw(st.sampled_from(sorted(self.made)))
        if exchange not in self.held:
            hold = self.vaulted.hold(party="utrecht", exchange=exchange, days=900)
            self.holds.append((hold, exchange))
            self.held.add(exchange)

    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        if self.holds:
            hold, exchange = self.holds.pop(data.draw(st.integers(0, len(self.holds) - 1)))
            self.vaulted.lift(hold)
            self.held.discard(exchange)

    @rule()
    def back_up(self) -> None:
        self.backup = vault_rows(self.vaulted.log.path)

    @rule()
    def restore_and_start(self) -> None:
        self.vaulted.close()
        if self.backup:
            bring_back(self.vaulted.log.path, self.backup)
        self.vaulted.open()
        self.vaulted.erasure.reapply()

    @invariant()
    def opened_or_erased(self) -> None:
        for names, _ in self.made.values():
            for name in names:
                opens = self.vaulted.log.reader.opening(name) is not None
                logged = self.vaulted.log.reader.erased_by(name) is not None
                assert opens != logged
        held = holds_of(self.vaulted.log.reader.document(*HOLDS))
        assert len(held) == len(self.holds)

    def teardown(self) -> None:
        listed = [name for entry in self.vaulted.entries("erasure") for name in entry["commitments"]]
        assert len(listed) == len(set(listed)), "erased twice"
        self.vaulted.close()
        shutil.rmtree(self.directory, ignore_errors=True)


TestVaultLife = pytest.mark.slow(VaultLife.TestCase)
TestVaultLife.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
