"""Counts that tell about one subject after all: small groups, exact numbers, and numbers beside rows (differencing).

What people infer from answers combined cannot be decided from the text; these are the shapes in which it is likely.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from broker.policy.lint.finding import Ground, Remark
from broker.policy.purpose import Purpose
from broker.policy.terms import listed_names

SMALL_GROUP_OF_PERSONS = 10
"""What statistics on persons usually suppress below (purpose P12 of the sample exchanges)."""


def groups(ground: Ground) -> Iterator[Remark]:
    """Counts of natural persons: small groups, and numbers that are not banded."""
    for purpose in ground.kept:
        count = purpose.may_learn.count
        if count is None or not ground.about_persons(purpose):
            continue
        if count.min_group < SMALL_GROUP_OF_PERSONS:
            text = f"counts of persons are withheld under {count.min_group} only"
            hint = f"write `min_group: {SMALL_GROUP_OF_PERSONS}` or more"
            yield ground.at(purpose, ("may_learn", "count", "min_group"), "GROUP_SMALL", text, hint)
        if not count.bands:
            text = "counts of persons are exact, so that two of them can differ by one person"
            hint = f"add `bands:`, such as [{count.min_group}, {count.min_group * 2}, {count.min_group * 5}]"
            yield ground.at(purpose, ("may_learn", "count"), "EXACT_COUNT", text, hint)


def beside_rows(ground: Ground) -> Iterator[Remark]:
    """A count where the same asker learns the same subjects row by row, here or under another purpose."""
    by_answerer: dict[tuple[str, str], list[Purpose]] = defaultdict(list)
    for purpose in ground.judged:
        for name in purpose.answers if purpose.shadow_of is None else ():  # a shadow releases nothing
            by_answerer[purpose.about, name].append(purpose)
    for purpose in ground.kept:
        count = purpose.may_learn.count
        if count is None:
            continue
        path = ("may_learn", "count")
        if purpose.may_learn.hit:
            text = f"groups under {count.min_group} are withheld, and the same asker learns each hit row by row"
            hint = "leave the count out, or write a purpose of its own for those who need only the number"
            yield ground.at(purpose, path, "COUNT_BESIDE_HITS", text, hint)
        others = {
            other.name: other
            for name in purpose.answers
            for other in by_answerer[purpose.about, name]
            if other.name != purpose.name and not set(purpose.asks).isdisjoint(other.asks)
        }
        yield from _across(ground, purpose, [others[name] for name in sorted(others)])


def _across(ground: Ground, purpose: Purpose, others: list[Purpose]) -> Iterator[Remark]:
    path = ("may_learn", "count")
    rows = [other.name for other in others if other.may_learn.hit]
    if rows:
        text = f"the same asker learns the same subjects row by row under {listed_names(tuple(rows))}"
        hint = "check that those rows do not undo the smallest group; else end one of the two"
        yield ground.at(purpose, path, "COUNT_BESIDE_PURPOSE", text, hint)
    counts = [other.name for other in others if other.may_learn.count is not None]
    if counts:
        text = f"the same asker also counts the same subjects under {listed_names(tuple(counts))}"
        hint = "make it one purpose: only within one purpose are two questions compared for a small difference"
        yield ground.at(purpose, path, "COUNT_TWICE", text, hint)
