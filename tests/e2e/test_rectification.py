"""Correction, dispute and outcome over a real broker (GDPR articles 16, 18, 19): who is told, what is marked, what is
refused; and the log verifies."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from participant import Answered, Ask, Participant, reason_of
from rectifying import Rectifier
from sluis.v1 import audit_pb2, notices_pb2, register_pb2
from sluis_client.receipts import verify_receipt
from world import World, running

from broker import telemetry
from broker.audit.export import bundle_lines
from broker.audit.findings import Report
from broker.audit.open_notices import open_notices
from broker.audit.reading import entries
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.own_log import open_log
from broker.rectifying import NOTICE_STEP
from broker.storage.migrating import migrate, shipped
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(30)]
DAY = timedelta(days=1)


class Cast:
    """A broker, an answerer and two askers that hold K."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.snf, self.utrecht, self.someren = (Participant(world, name) for name in ("snf", "utrecht", "someren"))
        self.snf.make_epoch(PURPOSE, [self.snf, self.utrecht, self.someren])
        self.publish()
        self.answerer, self.asker, self.other = map(Rectifier, (self.snf, self.utrecht, self.someren))

    def publish(self, bags: list[str] = BAGS[:20]) -> None:
        self.snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in bags}, ["beds"])

    def ask(self, who: Participant, bags: list[str]) -> tuple[Ask, Answered]:
        ask = who.question(PURPOSE, "bag", bags, ["snf"], want=["beds"])
        return ask, who.send(ask)["snf"]

    def told(self, done: register_pb2.CorrectRecordResponse) -> int:
        """To how many a correction gave notice; only the log says so."""
        assert done.notices == 0
        found = list(entries(self.lines()))
        behind = [one.body for one in found if one.body.get("correction") == done.receipt.index]
        correction = found[done.receipt.index].body
        assert correction["notices"] == len(behind)
        assert correction["statement"]["what"] not in ("corrected", "withdrawn") or len(behind) == NOTICE_STEP
        return sum(body["what"] == "correction-notice" for body in behind)

    def lines(self) -> list[bytes]:
        return list(bundle_lines(open_log(self.world.config)))

    def verified(self) -> Report:
        report = verify(self.lines(), parse_trust(trust_of(self.world.config)))
        assert report.verified, report.findings
        return report

    def later(self, step: timedelta) -> None:
        self.world.clock.at += step
        authority, pki = self.world.authority, self.world.pki
        (pki / "ca.crl").write_bytes(authority.revocation_list(this_update=self.world.clock.at - timedelta(hours=1)))
        assert self.world.broker is not None
        self.world.broker.reload_directory()
        for _, chore in self.world.broker._chores():
            chore()


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    with running(tmp_path) as world:
        yield Cast(world)


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert reason_of(caught.value) == code


def body(world: World, receipt: Any) -> dict[str, Any]:
    found: dict[str, Any] = verify_receipt(receipt, [world.verifier_key])["body"]
    return found


def positions(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[at : at + 4], "little") for at in range(0, len(packed), 4)]


def marks(answered: Answered) -> dict[int, datetime]:
    disputed = answered.head.disputed
    since = [int.from_bytes(disputed.since[at : at + 8], "little") for at in range(0, len(disputed.since), 8)]
    return dict(zip(positions(disputed.positions), (datetime.fromtimestamp(one, UTC) for one in since), strict=True))


def test_a_correction_reaches_everybody_who_was_given_the_record(cast: Cast) -> None:
    first, _ = cast.ask(cast.utrecht, BAGS[3:8])
    second, _ = cast.ask(cast.utrecht, [BAGS[5]])
    cast.ask(cast.someren, BAGS[8:12])  # was not given BAGS[5]
    cast.ask(cast.someren, BAGS[22:])  # nor anything else
    done = cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[5]))
    assert (cast.told(done), done.searched, done.unsearched) == (1, 4, 0)
    assert cast.other.listed() == []
    (notice,) = cast.asker.listed()
    assert notice.kind == notices_pb2.NOTICE_KIND_CORRECTION
    assert [(one.exchange, positions(one.positions), one.certain) for one in notice.exchanges] == [
        (first.statement["request_id"], [2], True),
        (second.statement["request_id"], [0], True),
    ]
    assert json.loads(notice.signed.statement)["reason"] == "wrong-value"
    said = body(cast.world, notice.receipt)
    assert (said["what"], said["party"], said["correction"]) == ("correction-notice", "utrecht", done.receipt.index)
    assert "answerer" not in said, "who asked about a record is not the answerer's to know"
    receipt = cast.asker.acknowledge(notice.notice, "corrected").receipt
    assert body(cast.world, receipt)["statement"]["done"] == "corrected"
    assert cast.asker.acknowledge(notice.notice, "noted").receipt.index == receipt.index
    assert cast.asker.listed(unacknowledged=True) == []
    assert cast.asker.listed()[0].acknowledged == receipt.index
    kinds = cast.verified().kinds
    assert (kinds["correction"], kinds["notice"]) == (1, NOTICE_STEP + 1)


def test_an_older_database_learns_what_holds_keep_of_its_corrections(cast: Cast) -> None:
    cast.ask(cast.utrecht, BAGS[3:8])
    cast.ask(cast.someren, [BAGS[5]])
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[5]))
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[20]))
    cast.world.stop()
    path = cast.world.config.data / "sluis.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        every = "SELECT * FROM vault_kept ORDER BY commitment, ask_index"
        made = database.execute(every).fetchall()
        assert len(made) == 1 + 2 + 2 * 2 + 1
        database.execute("DROP TABLE vault_kept")
        database.execute("DELETE FROM migrations WHERE name = '0008_holds_on_corrections.sql'")
        migrate(database, shipped())
        assert database.execute(every).fetchall() == made


def test_a_correction_looks_the_same_whoever_was_given_the_record(cast: Cast) -> None:
    """Its answer, its entry and how much the log grows by it: nobody, one, or two were told."""
    cast.ask(cast.utrecht, [BAGS[1], BAGS[2]])
    cast.ask(cast.someren, [BAGS[1]])
    seen = []
    for bag in (BAGS[0], BAGS[2], BAGS[1]):
        before = open_log(cast.world.config).size()
        done = cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", bag))
        said = {**body(cast.world, done.receipt), "statement": "", "signature": ""}
        grown = open_log(cast.world.config).size() - before
        seen.append((said, done.notices, done.searched, done.unsearched, grown))
        assert cast.told(done) == len(seen) - 1
    assert seen[0] == seen[1] == seen[2]
    cast.verified()


def test_a_correction_of_another_scheme_is_refused(cast: Cast) -> None:
    with refused("FIELD_INVALID"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "kvk", "69599084"))
    assert "correction" not in cast.verified().kinds


def test_a_correction_is_given_once_for_its_request_id(cast: Cast) -> None:
    cast.ask(cast.utrecht, BAGS[:3])
    request = cast.answerer.correction(PURPOSE, "bag", BAGS[1])
    first = cast.answerer.correct(request)
    cast.world.clock.at += timedelta(hours=1)
    again = cast.answerer.correct(request)
    assert (again.receipt.index, cast.told(again), again.searched) == (first.receipt.index, 1, 1)
    assert len(cast.asker.listed()) == 1
    other = cast.answerer.correction(
        PURPOSE, "bag", BAGS[1], request_id=json.loads(request.signed.statement)["request_id"]
    )
    with refused("REQUEST_ID_REUSED"):
        cast.answerer.correct(other)


def test_after_a_day_the_rows_are_gone_and_the_notice_says_may_have(cast: Cast) -> None:
    cast.ask(cast.utrecht, BAGS[18:25])
    cast.later(2 * DAY)
    assert cast.told(cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[19]))) == 1
    (notice,) = cast.asker.listed()
    assert [(positions(one.positions), one.certain) for one in notice.exchanges] == [([1], False)]
    assert cast.told(cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[24]))) == 1, "may have"
    cast.verified()


def test_what_is_erased_is_counted_and_never_passed_over(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[:3])
    cast.later(2000 * DAY)
    done = cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[1], epoch="2026Q4"))
    assert (cast.told(done), done.searched, done.unsearched) == (0, 0, 1)
    with refused("PERIOD_ERASED"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 1))
    with refused("PERIOD_ERASED"):
        cast.asker.report(ask, 1)


def test_a_dispute_marks_later_answers_until_it_is_answered(cast: Cast) -> None:
    ask, before = cast.ask(cast.utrecht, BAGS[3:8])
    assert marks(before) == {}
    request = cast.asker.dispute_request(ask, 2)
    disputed = cast.asker.dispute(request)
    assert cast.asker.dispute(request).notice == disputed.notice
    with refused("ALREADY_REPORTED"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 2))

    later, answered = cast.ask(cast.someren, [BAGS[4], BAGS[5], BAGS[25], BAGS[5]])
    since = datetime.fromisoformat(entry_time(disputed.receipt)).replace(microsecond=0)
    assert marks(answered) == {1: since, 3: since}
    assert answered.receipts is not None
    assert json.loads(answered.receipts.result.value).keys() == {"hits", "count", "band", "rows", "disputed"}
    assert marks(cast.someren.send(later)["snf"]) == {1: since, 3: since}, "a repeat says the same"
    assert marks(cast.utrecht.send(ask)["snf"]) == {}, "and so does one from before"

    (notice,) = cast.answerer.listed()
    assert (notice.kind, notice.notice) == (notices_pb2.NOTICE_KIND_DISPUTE, disputed.notice)
    assert (notice.purpose, notice.scheme, notice.epoch) == (PURPOSE, "bag", "2026Q4")
    assert notice.record.value == cast.answerer.record(PURPOSE, "bag", BAGS[5])[0], "it tells which record"
    cast.answerer.acknowledge(notice.notice, "examining")

    with refused("FIELD_INVALID"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[4], dispute=notice.notice))
    cast.publish()
    done = cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[5], dispute=notice.notice))
    assert cast.told(done) == 2
    assert cast.answerer.listed()[0].resolved == done.receipt.index
    assert marks(cast.ask(cast.someren, [BAGS[5]])[1]) == {}
    with refused("DISPUTE_CLOSED"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[5], dispute=notice.notice))
    cast.asker.dispute(cast.asker.dispute_request(ask, 2))  # it may be disputed again
    cast.verified()


def test_after_a_day_no_more_rows_are_disputed_than_were_hits(cast: Cast) -> None:
    """Which rows were hits is gone by then; how many, the release committed to."""
    none, _ = cast.ask(cast.utrecht, BAGS[20:23])
    two, _ = cast.ask(cast.utrecht, [*BAGS[18:20], *BAGS[25:30]])
    cast.later(2 * DAY)
    with refused("NOT_A_HIT"):
        cast.asker.dispute(cast.asker.dispute_request(none, 0))
    with refused("NOT_A_HIT"):
        cast.asker.report(none, 1)
    cast.asker.dispute(cast.asker.dispute_request(two, 0))
    cast.asker.report(two, 1)
    cast.asker.report(two, 0)
    with refused("NOT_A_HIT"):
        cast.asker.dispute(cast.asker.dispute_request(two, 2))
    with refused("NOT_A_HIT"):
        cast.asker.report(two, 6)
    cast.verified()


def entry_time(receipt: Any) -> str:
    return str(json.loads(receipt.leaf)["sequenced_at"])


def test_a_record_that_is_upheld_is_told_to_the_asker_alone(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[:3])
    cast.ask(cast.someren, BAGS[:3])
    disputed = cast.asker.dispute(cast.asker.dispute_request(ask, 0))
    upheld = cast.answerer.correction(
        PURPOSE, "bag", BAGS[0], what="upheld", reason="examined", dispute=disputed.notice
    )
    done = cast.answerer.correct(upheld)
    assert (cast.told(done), done.searched) == (1, 0)
    (notice,) = cast.asker.listed()
    assert json.loads(notice.signed.statement)["what"] == "upheld"
    assert cast.other.listed() == []
    assert marks(cast.ask(cast.someren, [BAGS[0]])[1]) == {}
    cast.verified()


def test_one_asker_cannot_keep_others_from_disputing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.disputing.OPEN_DISPUTES_OF_ONE", 2)
    mine, _ = cast.ask(cast.utrecht, BAGS[:3])
    others, _ = cast.ask(cast.someren, BAGS[:3])
    first = cast.asker.dispute(cast.asker.dispute_request(mine, 0))
    cast.asker.dispute(cast.asker.dispute_request(mine, 1))
    with refused("TOO_MANY_STATEMENTS"):
        cast.asker.dispute(cast.asker.dispute_request(mine, 2))
    cast.other.dispute(cast.other.dispute_request(others, 2))
    upheld = {"what": "upheld", "reason": "examined", "dispute": first.notice}
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[0], **upheld))
    cast.asker.dispute(cast.asker.dispute_request(mine, 2))


def test_a_row_that_is_no_hit_is_never_marked(cast: Cast) -> None:
    """Else the mark would tell that there was a record."""
    ask, _ = cast.ask(cast.utrecht, BAGS[:3])
    cast.asker.dispute(cast.asker.dispute_request(ask, 0))
    cast.publish(BAGS[1:20])
    assert marks(cast.ask(cast.someren, BAGS[:3])[1]) == {}


def test_a_dispute_is_carried_to_a_new_epoch(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[:3])
    disputed = cast.asker.dispute(cast.asker.dispute_request(ask, 0))
    cast.later(45 * DAY)
    cast.snf.make_epoch(PURPOSE, [cast.snf, cast.utrecht, cast.someren])
    cast.publish()
    assert marks(cast.ask(cast.someren, [BAGS[0]])[1]) == {}, "another epoch, another pseudonym"
    carried = {"what": "still-disputed", "reason": "new-epoch", "dispute": disputed.notice}
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[0], **carried))
    assert list(marks(cast.ask(cast.someren, [BAGS[0]])[1])) == [0]
    with refused("ALREADY_REPORTED"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[0], **carried))
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[0], dispute=disputed.notice))
    assert marks(cast.ask(cast.someren, [BAGS[0]])[1]) == {}
    assert len(cast.asker.listed()) == 1
    assert open_notices(entries(cast.lines()))[0].party == "someren"
    cast.verified()


def test_an_outcome_is_given_once(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[18:22])
    first = cast.asker.report(ask, 1, "rejected").receipt
    assert cast.asker.report(ask, 1, "rejected").receipt.index == first.index
    with refused("ALREADY_REPORTED"):
        cast.asker.report(ask, 1, "confirmed")
    assert cast.asker.report(ask, 0, "confirmed").receipt.index > first.index
    with refused("NOT_A_HIT"):
        cast.asker.report(ask, 3, "confirmed")
    assert cast.verified().kinds["outcome"] == 2


def test_nobody_speaks_for_another_or_of_what_he_was_not_given(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[18:22])
    with refused("NOT_YOURS"):
        cast.other.dispute(cast.other.dispute_request(ask, 0, asker="utrecht"))
    with refused("NOT_FOUND"):
        cast.other.dispute(cast.other.dispute_request(ask, 0))
    with refused("NOT_FOUND"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 0, answerer="sna"))
    with refused("NOT_A_HIT"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 3))
    with refused("FIELD_INVALID"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 4))
    with refused("NOT_YOURS"):
        cast.asker.correct(cast.asker.correction(PURPOSE, "bag", BAGS[0], answerer="snf"))
    with refused("PURPOSE_UNKNOWN"):
        cast.asker.correct(cast.asker.correction(PURPOSE, "bag", BAGS[0]))
    with refused("EPOCH_UNKNOWN"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[0], epoch="2025Q4"))
    disputed = cast.asker.dispute(cast.asker.dispute_request(ask, 0))
    with refused("NOT_FOUND"):
        cast.asker.acknowledge(disputed.notice)
    with refused("NOT_YOURS"):
        cast.answerer.acknowledge(disputed.notice, party="utrecht")
    with refused("NOT_FOUND"):
        cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[18], dispute="00" * 16))


def test_bent_statements_change_nothing(cast: Cast) -> None:
    ask, _ = cast.ask(cast.utrecht, BAGS[:3])
    size = cast.world.broker and open_log(cast.world.config).size()
    request = cast.asker.dispute_request(ask, 0)
    request.position.value = b"1"
    with refused("COMMITMENT_WRONG"):
        cast.asker.dispute(request)
    with refused("STATEMENT_EXPIRED"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 0, now=cast.utrecht.now() - timedelta(hours=1)))
    with refused("STATEMENT_INVALID"):
        cast.asker.dispute(cast.asker.dispute_request(ask, 0, now=cast.utrecht.now() + timedelta(hours=1)))
    correction = cast.answerer.correction(PURPOSE, "bag", BAGS[0])
    correction.record_salt = bytes(32)
    with refused("COMMITMENT_WRONG"):
        cast.answerer.correct(correction)
    correction = cast.answerer.correction(PURPOSE, "bag", BAGS[0])
    correction.record[0].pseudonyms = b"0344010000000001"
    with refused("LOOKS_LIKE_IDENTIFIERS"):
        cast.answerer.correct(correction)
    correction = cast.answerer.correction(PURPOSE, "bag", BAGS[0])
    correction.record.add().CopyFrom(correction.record[0])
    with refused("COUNT_WRONG"):
        cast.answerer.correct(correction)
    upheld = cast.answerer.correction(PURPOSE, "bag", BAGS[0], what="upheld")
    with refused("STATEMENT_INVALID"):
        cast.answerer.correct(upheld)
    added = [entry for entry in entries(cast.lines()) if entry.index >= (size or 0)]
    assert {entry.kind for entry in added} == {"refusal"}


def test_nothing_of_rectification_tells_a_pseudonym_or_a_position(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    telemetry.configure_logging(stream=said)
    ask, _ = cast.ask(cast.utrecht, BAGS[3:8])
    disputed = cast.asker.dispute(cast.asker.dispute_request(ask, 2))
    cast.asker.report(ask, 2)
    errors: list[str] = []
    for attempt in (
        lambda: cast.asker.dispute(cast.asker.dispute_request(ask, 2)),
        lambda: cast.asker.report(ask, 2, "confirmed"),
        lambda: cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[4], dispute=disputed.notice)),
        lambda: cast.asker.report(ask, 9),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            attempt()
        errors.append(str(caught.value.details()))
    cast.answerer.correct(cast.answerer.correction(PURPOSE, "bag", BAGS[5], dispute=disputed.notice))
    cast.asker.acknowledge(cast.asker.listed()[0].notice)
    page = Participant(cast.world, "privacy-auditor").audit.ListEntries(
        audit_pb2.ListEntriesRequest(page_size=1000), timeout=5
    )
    log = b"".join(entry.leaf for entry in page.entries)
    assert b'"kind":"correction"' in log
    assert b'"position":2' not in log
    assert b'"positions":[' not in log
    database = b"".join(path.read_bytes() for path in (cast.world.directory / "data").rglob("*") if path.is_file())
    diagnostics = said.getvalue()
    assert "DisputeHit" in diagnostics
    for at in range(5):
        pseudonym = ask.columns[0].pseudonyms[at * 16 : at * 16 + 16]
        for form in (pseudonym, pseudonym.hex().encode()):
            assert form not in log
            assert form not in database, "a pseudonym lies bare at rest"
            assert form not in diagnostics.encode()
            assert all(form not in error.encode() for error in errors)
    for identifier in BAGS[3:8]:
        assert identifier.encode() not in log + database + diagnostics.encode()
