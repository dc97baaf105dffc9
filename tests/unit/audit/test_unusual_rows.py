"""Unusual use that only opened rows show: the same subjects again, and questions inside others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_kit import World
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from vaulted import write_vault

from broker.audit import unusual_rows
from broker.audit.openings import Openings
from broker.audit.tokens import Subjects, read_tokens
from broker.audit.unusual import Unusual, _Run, unusual
from broker.audit.unusual_rows import RowThresholds
from broker.canonical import encode
from broker.cli.audit.root import app
from broker.exchange import Want

HIT = Want(True, False)
DAY = timedelta(days=1)


def column(names: Iterable[int | None], key: int = 0) -> tuple[bytes, bytes]:
    """The bitmap and pseudonyms of a match key; None: a row without it."""
    rows = list(names)
    present = sum((name is not None) << at for at, name in enumerate(rows)).to_bytes((len(rows) + 7) // 8, "little")
    made = (bytes(16) if name is None else hashlib.sha256(b"%d/%d" % (key, name)).digest()[:16] for name in rows)
    return present, b"".join(made)


class Asking:
    """A log in which utrecht asks snf about subjects by number."""

    def __init__(self) -> None:
        self.world = World().begin()
        self.world.epoch("snf", "snf-locatie")
        self.world.publish("snf", "snf-locatie", "bag")

    def ask(self, *columns: Iterable[int | None], after: timedelta = timedelta(seconds=1), again: str = "") -> str:
        """Another question, or the question `again`; returns its commitment."""
        rows = [list(names) for names in columns]
        tokens = again or self.world.commit("tokens", encode(*(p for at, r in enumerate(rows) for p in column(r, at))))
        stated = {"tokens": tokens, "match_keys": len(rows)}
        self.world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=len(rows[0]), after=after, stated=stated)
        return tokens

    def found(self, thresholds: RowThresholds | None = None) -> Unusual:
        openings = Openings(with_rows=True)
        for label, salt, value in self.world.vault.values():
            openings._take(salt, value, label)
        return unusual(self.world.bundle(), openings=openings, thresholds=thresholds)

    def told(self, thresholds: RowThresholds | None = None) -> list[tuple[str, int, dict[str, float]]]:
        kinds = ("nested", "same-subjects")
        items = [one.seen for one in self.found(thresholds).items if one.seen.kind in kinds]
        return [(one.kind, one.exchanges, dict(one.numbers)) for one in items]


def test_the_same_subjects_under_a_fresh_salt_in_another_order() -> None:
    asking = Asking()
    asking.ask(range(10))
    asking.ask(reversed(range(10)))
    asking.ask(range(20, 30))
    assert asking.told() == [("same-subjects", 1, {})]


def test_a_question_inside_another_whichever_came_first() -> None:
    for first, second in ((range(10), range(7)), (range(7), range(10))):
        asking = Asking()
        asking.ask(first)
        asking.ask(second)
        asking.ask(range(5, 12))  # overlaps, and is inside nothing
        assert asking.told() == [("nested", 1, {"inner": 7, "outer": 10})]


def test_the_closest_pair_is_told_and_a_day_is_an_item() -> None:
    asking = Asking()
    asking.ask(range(30))
    asking.ask(range(10))
    asking.ask(range(29))
    asking.ask(range(100, 110), after=DAY)
    asking.ask(range(5), after=timedelta(seconds=1))
    assert asking.told() == [("nested", 2, {"inner": 29, "outer": 30}), ("nested", 1, {"inner": 5, "outer": 10})]


@pytest.mark.parametrize(("inner", "least", "found"), [(1, 2, 0), (2, 2, 1), (4, 5, 0), (5, 5, 1), (1, 1, 1)])
def test_the_least_inner_question_is_an_option(inner: int, least: int, found: int) -> None:
    asking = Asking()
    asking.ask(range(300))
    asking.ask(range(inner))
    assert len(asking.told(RowThresholds(least=least))) == found


@pytest.mark.parametrize(("days", "found"), [(31, 1), (32, 0)])
def test_days_back_are_an_option(days: int, found: int) -> None:
    asking = Asking()
    asking.ask(range(10))
    asking.ask(range(10), after=days * DAY)
    assert len(asking.told()) == found
    assert len(asking.told(RowThresholds(days=32))) == 1


def test_the_very_same_question_is_repeated_and_not_the_same_subjects() -> None:
    asking = Asking()
    tokens = asking.ask(range(10))
    asking.ask(range(10), again=tokens)
    assert asking.told() == []
    assert [one.seen.kind for one in asking.found().items] == ["repeated"]


def subjects(*columns: list[int | None]) -> tuple[Subjects, ...]:
    """As a question's own, under each of its match keys."""
    return read_tokens(encode(*(p for at, names in enumerate(columns) for p in column(names, at)))).subjects()


@pytest.mark.parametrize(
    ("first", "second", "same", "pairs"),
    [
        (([1, 2, 3], [1, None, 3]), ([1, 3], [8, 9]), False, [(2, 3)]),
        (([7, 8, 9], [1, None, 3]), ([1, 3], [1, 3]), False, [(2, 3)]),  # the inner one has this key in all rows
        (([7, 8, 9], [1, None, 3]), ([1, 2, 4], [1, None, 3]), False, []),  # neither has
        (([7, 8, 9], [1, 2, 3]), ([4, 5, 6], [3, 2, 1]), True, []),
        (([1, 1, 2],), ([1, 2],), True, []),
        (([1, 2],), ([1, 2, 3], [1, 2, 3]), False, [(2, 3)]),
    ],
)
def test_subjects_are_compared_under_each_match_key(
    first: tuple[list[int | None], ...],
    second: tuple[list[int | None], ...],
    same: bool,
    pairs: list[tuple[int, int]],
) -> None:
    past = unusual_rows._Past(unusual_rows.Looked())
    past.add(date(2026, 1, 1), "a", subjects(*first))
    assert past.compare("b", subjects(*second)) == (same, pairs)
    assert past.compare("a", subjects(*second)) == (False, [])


def test_a_policys_least_group_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asking = Asking()
    asking.ask(range(3))
    asking.ask(range(1))
    assert asking.told() == []
    read = unusual_rows.Rows.__init__

    def with_group(self: Any, openings: Any, thresholds: Any, _: int, looked: Any) -> None:
        read(self, openings, thresholds, 3, looked)

    monkeypatch.setattr(unusual_rows.Rows, "__init__", with_group)
    assert asking.told() == [("nested", 1, {"inner": 1, "outer": 3})]


def test_what_is_let_go_is_told_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unusual_rows, "MAX_SUBJECTS", 25)
    asking = Asking()
    asking.ask(range(10))
    asking.ask(range(20, 40))
    asking.ask(range(10))
    found = asking.found()
    assert found.looked.let_go == 2
    assert found.items == []


@given(st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=2, max_size=8))
def test_pairs_are_those_that_sets_have(questions: list[set[int]]) -> None:
    past = unusual_rows._Past(unusual_rows.Looked())
    for at, one in enumerate(questions):
        before = questions[:at]
        same, pairs = past.compare(str(at), [Subjects(frozenset(one), True, len(one))])
        assert same == any(one == other for other in before)
        nested = [sorted((len(one), len(other))) for other in before if one < other or one > other]
        assert sorted(map(list, pairs)) == sorted(nested)
        past.add(date(2026, 1, 1), str(at), [Subjects(frozenset(one), True, len(one))])


def test_the_command_says_whether_rows_were_looked_at(tmp_path: Path) -> None:
    asking = Asking()
    asking.ask(range(10))
    asking.ask(range(10))
    asking.ask(range(7))
    erased = asking.ask(range(60, 70))
    asking.world.vault.pop(erased)
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(asking.world.bundle()))
    vault, key = write_vault(asking.world, tmp_path)

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["unusual", str(bundle), *map(str, arguments)])

    closed = run()
    assert "Not looked for: the same subjects" in closed.stdout
    assert "same-subjects" not in closed.stdout
    opened = run("--openings", vault, "--key", key)
    assert "very same subjects as another question" in opened.stdout
    assert "1 exchange, inner 7, outer 10" in opened.stdout
    assert "Rows of 3 exchanges were held against each other; of 1 they could not be opened." in opened.stdout
    value = json.loads(run("--openings", vault, "--key", key, "--json", "--nested-from", 8).stdout)
    assert [one["kind"] for one in value["items"]] == ["same-subjects"]
    assert value["rows"] == {"opened": 3, "closed": 1, "let_go": 0}
    assert run("--openings", vault).exit_code == 2
    assert run("--key", key).exit_code == 2
    for secret in (column([1])[1].hex(), repr(column([1])[1])):
        assert secret not in opened.stdout + json.dumps(value)


def test_a_purposes_least_group_is_read_from_the_archive() -> None:
    run = _Run(Openings(), RowThresholds())
    for line in World().begin().bundle():
        read = json.loads(line)
        if "policy_set" in read:
            run.archive(read["policy_set"])
            purposes = read["policy_set"]["meaning"]["purposes"]
    groups = {
        name: one["may_learn"]["count"]["min_group"] for name, one in purposes.items() if one["may_learn"]["count"]
    }
    assert groups
    assert {name: group for name, group in run._min_groups.items() if group} == groups
    run.archive({"meaning": 3})
