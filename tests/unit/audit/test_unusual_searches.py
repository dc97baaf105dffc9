"""Searches for a person as items of `sluis audit unusual`: each rule at its threshold and just under it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from audit_kit import World
from bad_bundles_subject import searches_a_day
from explaining import explain
from searching import search
from typer.testing import CliRunner

from broker.audit.openings import Openings
from broker.audit.unusual import unusual
from broker.audit.unusual_rules import Seen
from broker.audit.unusual_searches import Searches
from broker.cli.audit.root import app

MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Told:
    """Tells the rules of searches and keeps what they say."""

    def __init__(self, limit: int = 1_000) -> None:
        self._rules, self._limit, self._index = Searches(), limit, 100
        self.seen: list[Seen] = []

    def search(self, at: datetime, number: int = 1) -> None:
        for _ in range(number):
            self.seen += self._rules.take(self._index, at, self._limit)
            self._index += 1

    def end(self) -> list[Seen]:
        self.seen += self._rules.end()
        return self.seen


@pytest.mark.parametrize(
    ("days", "usual", "today", "found"),
    [(0, 0, 20, 1), (0, 0, 19, 0), (5, 7, 22, 1), (5, 7, 21, 0), (4, 7, 20, 1)],
)
def test_many_searches_in_a_day(days: int, usual: int, today: int, found: int) -> None:
    told = Told()
    for n in range(days):
        told.search(MONDAY + n * DAY, usual)
    told.search(MONDAY + 7 * DAY, today)
    seen = told.end()
    assert [one.kind for one in seen] == ["search-volume"] * found
    if found:
        first = 100 + days * usual
        assert (seen[0].exchanges, seen[0].first, seen[0].last) == (today, first, first + today - 1)
        assert dict(seen[0].numbers) == {"usual": usual if days >= 5 else 0}


@pytest.mark.parametrize(("limit", "number", "found"), [(10, 8, 1), (10, 7, 0), (2, 2, 1), (2, 1, 0), (1, 1, 1)])
def test_close_to_the_days_limit(limit: int, number: int, found: int) -> None:
    told = Told(limit)
    told.search(MONDAY, number)
    assert [(one.kind, one.exchanges) for one in told.end()] == [("search-limit", number)] * found


@pytest.mark.parametrize(
    ("at", "found"),
    [(MONDAY, 0), (MONDAY + timedelta(hours=9), 1), (MONDAY - timedelta(hours=4), 1), (MONDAY + 5 * DAY, 1)],
)
def test_searches_at_night_or_in_a_weekend(at: datetime, found: int) -> None:
    told = Told()
    told.search(at)
    assert [one.kind for one in told.end()] == ["search-hours"] * found


def test_who_always_searches_at_night_does_nothing_unusual_then() -> None:
    told = Told()
    for n in range(40):
        told.search(MONDAY + timedelta(hours=10) + n * DAY)
    assert sum(one.exchanges for one in told.end()) == 20


def a_log() -> World:
    """A purpose that allows two searches a day, and a party that makes both, at night."""
    log = searches_a_day(World(), 2)
    log.at = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
    for party in ("utrecht", "snf", "utrecht"):
        search(log, party, "snf-locatie")
    return log


def test_items_of_a_log_under_the_limit_of_its_own_policy() -> None:
    found = unusual(a_log().bundle(), openings=Openings())
    told = sorted(
        (one.party, one.seen.kind, one.seen.exchanges, *dict(one.seen.numbers).values()) for one in found.items
    )
    assert told == [
        ("snf", "search-hours", 1),
        ("utrecht", "search-hours", 2),
        ("utrecht", "search-limit", 2, 2),
    ]
    assert all(one.purpose == "snf-locatie" and one.principal is None for one in found.items)
    none = unusual(a_log().bundle(), openings=Openings(), last=datetime(2026, 11, 22, tzinfo=UTC).date())
    assert (none.items, none.searches) == ([], {})


def test_the_list_tells_them_and_their_explanation(tmp_path: Path) -> None:
    log = a_log()
    (item,) = (one for one in unusual(log.bundle(), openings=Openings()).items if one.seen.kind == "search-limit")
    explain(log, item.seen.first, item.seen.last, explanation="backlog", kind="search-limit", item=item.item)
    assert log.codes() == set()
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(log.bundle()))
    text = CliRunner().invoke(app, ["unusual", str(bundle), "--party", "utrecht"]).stdout
    assert f"2026-11-23  snf-locatie: 2 searches, limit 2; entries {item.seen.first} to {item.seen.last}" in text
    assert "explained as backlog" in text
    value = json.loads(CliRunner().invoke(app, ["unusual", str(bundle), "--json"]).stdout)
    (told,) = (one for one in value["items"] if one["item"] == item.item)
    assert (told["searches"], told["limit"], "exchanges" in told) == (2, 2, False)
