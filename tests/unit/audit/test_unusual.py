"""`sluis audit unusual`: each rule at its threshold and just under it; no id holds what was opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from audit_kit import World, played
from opened import Opened
from searching import search
from typer.testing import CliRunner, Result

from broker.audit.following import Asked
from broker.audit.openings import Openings
from broker.audit.openings import Result as HitResult
from broker.audit.unusual import item_id, unusual
from broker.audit.unusual_rows import RowThresholds, row_words
from broker.audit.unusual_rules import (
    EQUALS,
    SINGLES,
    WORDS,
    Hours,
    Limit,
    Ratio,
    Repeated,
    Rule,
    Run,
    Seen,
    Split,
    Volume,
    rules,
)
from broker.audit.unusual_searches import SEARCH_WORDS
from broker.cli.audit.root import app
from broker.exchange import Want
from broker.policy.legal_days import local_day

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Told:
    """Tells a rule of exchanges and keeps what it says."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.seen: list[Seen] = []
        self._at = count(100)

    def ask(
        self, at: datetime, subjects: int = 10, *unmet: str, tokens: int | None = None, hits: int | None = None
    ) -> None:
        index = next(self._at)
        mark = hashlib.sha256(str(index if tokens is None else -tokens).encode()).hexdigest()
        asked = Asked(
            at=index,
            exchange=str(index),
            asker="nla",
            principal=None,
            answerer="snf",
            purpose="p",
            known=True,
            subjects=subjects,
            counted=False,
            case=None,
            tokens=mark,
            day=local_day(at),
            permitted=not unmet,
            unmet=unmet,
        )
        self.seen += self.rule.ask(asked, at)
        if hits is not None:
            self.seen += self.rule.release(asked, HitResult(hits, None))

    def end(self) -> list[Seen]:
        self.seen += self.rule.end()
        return self.seen


def workdays(number: int) -> Iterator[datetime]:
    days = (MONDAY + n * DAY for n in count())
    for _ in range(number):
        yield next(day for day in days if day.weekday() < 5)


@pytest.mark.parametrize(("past", "today", "found"), [(5, 31, 1), (5, 30, 0), (4, 200, 0)])
def test_volume_is_against_the_partys_own_past(past: int, today: int, found: int) -> None:
    told = Told(Volume())
    days = list(workdays(past + 1))
    for day in days[:-1]:
        for n in range(10):
            told.ask(day + n * MINUTE)
    for n in range(today):
        told.ask(days[-1] + n * MINUTE)
    seen = told.end()
    assert len(seen) == found
    if found:
        assert (seen[0].kind, seen[0].exchanges, dict(seen[0].numbers)) == ("volume", 31, {"usual": 10})
        assert (seen[0].first, seen[0].last) == (150, 180)


def test_a_few_more_than_nothing_is_no_volume() -> None:
    told = Told(Volume())
    for day in workdays(6):
        told.ask(day)
    for n in range(18):
        told.ask(MONDAY + 7 * DAY + n * MINUTE)
    assert told.end() == []


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (datetime(2026, 11, 2, 5, 59, tzinfo=UTC), 1),  # 6:59 in winter
        (datetime(2026, 11, 2, 6, 0, tzinfo=UTC), 0),
        (datetime(2026, 11, 2, 17, 59, tzinfo=UTC), 0),
        (datetime(2026, 11, 2, 18, 0, tzinfo=UTC), 1),
        (datetime(2026, 7, 6, 5, 0, tzinfo=UTC), 0),  # 7:00 in summer
        (datetime(2026, 7, 6, 4, 59, tzinfo=UTC), 1),
        (datetime(2026, 11, 7, 9, 0, tzinfo=UTC), 1),  # Saturday
        (datetime(2026, 11, 8, 9, 0, tzinfo=UTC), 1),
    ],
)
def test_hours_are_those_of_amsterdam(at: datetime, found: int) -> None:
    told = Told(Hours())
    told.ask(at)
    assert [one.kind for one in told.end()] == ["hours"] * found


def test_who_always_asks_at_night_does_nothing_unusual_then() -> None:
    told = Told(Hours())
    for n in range(40):
        told.ask(MONDAY - 6 * HOUR + n * DAY)
    assert sum(one.exchanges for one in told.end()) == 20


def test_asking_on_over_the_limit() -> None:
    told = Told(Limit())
    told.ask(MONDAY)
    told.ask(MONDAY + MINUTE, 10, "requests-per-day")
    told.ask(MONDAY + 2 * MINUTE, 10, "requests-per-day", "asker")
    (seen,) = told.end()
    assert (seen.kind, seen.exchanges, seen.first, seen.last) == ("limit", 2, 101, 102)


@pytest.mark.parametrize(("hits", "found"), [(60, 1), (59, 0), (0, 1), (1, 0)])
def test_the_share_of_hits_against_ones_own(hits: int, found: int) -> None:
    told = Told(Ratio())
    told.ask(MONDAY, 200, hits=62)
    told.ask(MONDAY + DAY, 100, hits=28)  # 90 of 300
    told.ask(MONDAY + 2 * DAY, 100, hits=hits)
    seen = told.end()
    assert [one.kind for one in seen] == ["hit-ratio"] * found
    if found:
        assert dict(seen[0].numbers) == {"share": hits / 100, "usual": 0.3}


def test_few_subjects_have_no_share() -> None:
    told = Told(Ratio())
    told.ask(MONDAY, 200, hits=0)
    told.ask(MONDAY + DAY, 49, hits=49)
    assert told.end() == []


def test_without_openings_no_share_is_looked_at() -> None:
    told = Told(Ratio())
    told.ask(MONDAY, 1_000)
    assert told.end() == []


@pytest.mark.parametrize(("number", "apart", "found"), [(20, 30, 1), (19, 30, 0), (20, 60, 0), (30, 30, 1)])
def test_one_subject_after_another(number: int, apart: int, found: int) -> None:
    told = Told(Run("single-run", (1, 1), SINGLES, timedelta(minutes=10)))
    for n in range(number):
        told.ask(MONDAY + n * timedelta(seconds=apart), 1)
    seen = told.end()
    assert len(seen) == found
    assert not found or (seen[0].exchanges, seen[0].first, seen[0].last) == (number, 100, 99 + number)


def test_going_through_a_list_in_equal_parts() -> None:
    told = Told(Run("equal-run", (2, None), EQUALS, HOUR))
    for n in range(12):
        told.ask(MONDAY + n * MINUTE, 50)
    told.ask(MONDAY + 12 * MINUTE, 7)  # the rest of the list
    for n in range(9):
        told.ask(MONDAY + HOUR + n * MINUTE, 50)
    told.ask(MONDAY + HOUR + 9 * MINUTE, 1)  # one subject is another rule's
    (seen,) = told.end()
    assert (seen.exchanges, dict(seen.numbers), seen.first, seen.last) == (12, {"subjects": 50}, 100, 111)


@pytest.mark.parametrize(
    ("parts", "after", "found"),
    [
        ((500, 300), HOUR, 1),
        ((500, 299), HOUR, 0),
        ((999,), HOUR, 0),
        ((500, 500), 25 * HOUR, 0),
        ((400,) * 4, HOUR, 1),
    ],
)
def test_denied_then_split(parts: tuple[int, ...], after: timedelta, found: int) -> None:
    told = Told(Split())
    told.ask(MONDAY, 1_000, "subjects-per-request")
    for n, part in enumerate(parts):
        told.ask(MONDAY + after + n * MINUTE, part)
    seen = told.end()
    assert [one.kind for one in seen] == ["split"] * found
    assert not found or dict(seen[0].numbers) == {"denied": 1_000, "in_parts": sum(parts)}


def test_a_denial_without_parts_or_denied_parts_are_no_split() -> None:
    told = Told(Split())
    told.ask(MONDAY, 1_000, "subjects-per-request")
    told.ask(MONDAY + MINUTE, 500, "requests-per-day")
    told.ask(MONDAY + 2 * MINUTE, 500, "requests-per-day")
    assert told.end() == []


@pytest.mark.parametrize(("days", "found"), [(0, 1), (31, 1), (32, 0)])
def test_the_very_same_question_again(days: int, found: int) -> None:
    told = Told(Repeated())
    told.ask(MONDAY, tokens=1)
    told.ask(MONDAY + MINUTE, tokens=2)
    told.ask(MONDAY + days * DAY + 2 * MINUTE, tokens=1)
    seen = told.end()
    assert [(one.kind, one.exchanges) for one in seen] == [("repeated", 1)] * found


def test_every_rule_has_its_words() -> None:
    assert set(WORDS) == {
        "volume",
        "hours",
        "limit",
        "hit-ratio",
        "single-run",
        "equal-run",
        "split",
        "repeated",
        "probing",
    }
    assert len(rules()) == len(WORDS)


def a_log() -> tuple[World, Opened]:
    """Utrecht splits what was denied; the inspectorate asks at night."""
    world, opened = World().begin(), Opened()
    world.epoch("snf", "snf-locatie")
    world.epoch("nla", "verhuurvergunning")
    world.publish("snf", "snf-locatie", "bag")
    hit = Want(True, False)
    tokens = (hashlib.sha256(b"%d" % n).hexdigest() for n in count())

    def ask(*arguments: object, **how: object) -> int:
        return world.ask(*arguments, stated={"tokens": next(tokens)}, **how)

    ask("utrecht", ["snf"], "snf-locatie", hit, subjects=1_500)
    for _ in range(2):
        at = world.release(ask("utrecht", ["snf"], "snf-locatie", hit, subjects=750))
        opened.result(world, at, 700)
    ask("nla", ["someren", "utrecht"], "verhuurvergunning", hit, case_number="NLA-2026-12345", after=12 * HOUR)
    return world, opened


def test_items_are_told_for_the_party_that_asked() -> None:
    world, opened = a_log()
    found = unusual(world.bundle(), openings=Openings())
    told = {party: [(one.seen.kind, one.purpose) for one in items] for party, items in found.by_party().items()}
    assert told == {"nla": [("hours", "verhuurvergunning")], "utrecht": [("split", "snf-locatie")]}
    assert found.counts == {("nla", "hours"): 1, ("utrecht", "split"): 1}
    (nla,) = found.by_party()["nla"]
    assert nla.seen.exchanges == 1, "two answerers are one exchange"
    assert opened


def test_days_choose_items_and_not_the_past() -> None:
    world, _ = a_log()
    until = unusual(world.bundle(), openings=Openings(), last=date(2026, 11, 22))
    assert until.items == []
    late = unusual(world.bundle(), openings=Openings(), first=date(2026, 11, 24))
    assert late.items == []
    whole = unusual(world.bundle(), openings=Openings(), first=date(2026, 11, 23), last=date(2026, 11, 23))
    assert len(whole.items) == 2


def test_an_id_holds_facts_of_the_log_and_nothing_that_was_opened() -> None:
    world, opened = a_log()
    openings = Openings()
    openings.add(json.dumps(opened.openings).encode(), "x")
    plain = {one.item for one in unusual(world.bundle(), openings=Openings()).items}
    assert plain == {one.item for one in unusual(world.bundle(), openings=openings).items}
    key = ("nla", None, "p")
    seen = Seen("hit-ratio", date(2026, 11, 1), 5, 9, 3, (("share", 0.9),))
    assert item_id("o", key, seen) == item_id("o", key, seen._replace(numbers=(("share", 0.1),)))
    assert item_id("o", key, seen) != item_id("o", key, seen._replace(last=10))
    assert item_id("o", key, seen) != item_id("o", ("snf", None, "p"), seen)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["unusual", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    world, opened = a_log()
    bundle, trust = tmp_path / "log.bundle", tmp_path / "trust.yaml"
    bundle.write_bytes(b"".join(world.bundle()))
    trust.write_text(world.trust_text())
    result = run(bundle, "--trust", trust)
    assert result.exit_code == 0, result.output
    assert "verified with the trust file" in result.stdout
    assert "2 unusual items of 2 parties" in result.stdout
    assert "denied as too large" in result.stdout
    assert "3 exchanges, denied 1,500, in parts 1,500; entries 12 to 15" in result.stdout
    assert "Shares of hits were not looked at" in result.stdout
    with_openings = run(bundle, "--openings", opened.write(tmp_path / "o.json"))
    assert "NOT verified" in with_openings.stdout
    assert "Shares of hits were not looked at" not in with_openings.stdout
    value = json.loads(run(bundle, "--party", "nla", "--json").stdout)
    assert [item["kind"] for item in value["items"]] == ["hours"]
    assert value["thresholds"] == {**WORDS, **SEARCH_WORDS, **row_words(RowThresholds())}
    assert "Not looked for: the same subjects" in result.stdout
    assert run(bundle, "--from", "2026-11-24", "--until", "2026-11-23").exit_code == 2
    trust.write_text(played().trust_text(policy_quorum=3))
    assert run(bundle, "--trust", trust).exit_code == 14


def test_searches_for_a_person_are_counted_by_day(tmp_path: Path) -> None:
    world = played()
    for party in ("snf", "snf", "utrecht"):
        search(world, party, "snf-locatie")
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(world.bundle()))
    value = json.loads(CliRunner().invoke(app, ["unusual", str(bundle), "--json"]).stdout)
    before = {("snf", "snf-locatie"): 0, ("utrecht", "snf-locatie"): 0}
    for one in unusual(played().bundle(), openings=Openings()).searches.items():
        before[one[0]] = one[1].total()
    told = {(one["party"], one["purpose"]): one["searches"] for one in value["subject_searches"]}
    assert told[("snf", "snf-locatie")] == before[("snf", "snf-locatie")] + 2
    assert told[("utrecht", "snf-locatie")] == before[("utrecht", "snf-locatie")] + 1
    text = CliRunner().invoke(app, ["unusual", str(bundle), "--party", "snf"]).stdout
    assert "Searches for a person" in text
    assert "utrecht" not in text
    none = json.loads(CliRunner().invoke(app, ["unusual", str(bundle), "--json", "--until", "2026-01-01"]).stdout)
    assert none["subject_searches"] == []
