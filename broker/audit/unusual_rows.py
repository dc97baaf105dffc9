"""What the rows of questions show of unusual use: the same subjects asked about again, and questions inside others.

Needs opened questions (a vault export, or an asker's own record). Pseudonyms of one subject differ from purpose to
purpose and from epoch to epoch, so only questions of one purpose and epoch can be held against each other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from broker.audit.following import Asked
from broker.audit.openings import Openings
from broker.audit.tokens import Subjects
from broker.audit.unusual_rules import Seen, Silent, Span

MAX_SUBJECTS = 500_000
"""Subjects remembered of one party under one purpose; when there are more, the oldest questions are let go."""


@dataclass(frozen=True)
class RowThresholds:
    """From when on rows stand out. `days`: how far back a question is compared; `least`: subjects of an inner one."""

    days: int = 31
    least: int = 2


@dataclass
class Looked:
    """How many permitted exchanges' rows were looked at, could not be opened, and were let go again."""

    opened: int = 0
    closed: int = 0
    let_go: int = 0


class _Question(NamedTuple):
    number: int
    day: date
    tokens: str
    columns: Sequence[Subjects]


class _Pair(NamedTuple):
    """A question inside another, by their numbers of subjects."""

    inner: int
    outer: int


class Rows(Silent):
    """Both rules for one party under one purpose. `min_group`: the policy's least group of a count, 0 without one."""

    def __init__(self, openings: Openings, thresholds: RowThresholds, min_group: int, looked: Looked) -> None:
        self._openings = openings
        self._thresholds = thresholds
        self._min_group = min_group
        self._looked = looked
        self._past = _Past(looked)
        self._same: Span | None = None
        self._nested: Span | None = None
        self._closest = _Pair(0, 0)

    def ask(self, asked: Asked, _at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        if any(span is not None and span.day != asked.day for span in (self._same, self._nested)):
            yield from self.end()
        if not asked.permitted or asked.standing:  # one that stands is its first question again, and may be
            return
        rows = self._openings.rows(asked.tokens)
        if rows is None:
            self._looked.closed += 1
            return
        self._looked.opened += 1
        self._past.forget(asked.day, self._thresholds.days)
        same, pairs = self._past.compare(asked.tokens, rows.subjects())
        self._past.add(asked.day, asked.tokens, rows.subjects())
        if same:
            self._same = self._same or Span(asked.day)
            self._same.add(asked)
        told = [pair for pair in pairs if self._stands_out(pair)]
        if told:
            closest = min(told, key=lambda pair: (pair.outer - pair.inner, pair))
            if self._nested is None or closest.outer - closest.inner < self._closest.outer - self._closest.inner:
                self._closest = closest
            self._nested = self._nested or Span(asked.day)
            self._nested.add(asked)

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        same, nested = self._same, self._nested
        self._same = self._nested = None
        if same is not None:
            yield same.seen("same-subjects")
        if nested is not None:
            yield nested.seen("nested", inner=self._closest.inner, outer=self._closest.outer)

    def _stands_out(self, pair: _Pair) -> bool:
        return pair.inner >= self._thresholds.least or pair.outer - pair.inner < self._min_group


class _Past:
    """Questions that a new one is held against, found by their subjects."""

    def __init__(self, looked: Looked) -> None:
        self._looked = looked
        self._questions: deque[_Question] = deque()
        self._numbered: dict[int, _Question] = {}
        self._holding: dict[tuple[int, int], list[int]] = {}
        """Match key and subject -> the questions that hold it, oldest first."""
        self._subjects = 0
        self._next = 0

    def compare(self, tokens: str, columns: Sequence[Subjects]) -> tuple[bool, list[_Pair]]:
        """Whether another question had the very same subjects, and the pairs in which one lies inside the other.

        A question with these tokens is the same question, and no other one.
        """
        same = False
        pairs: dict[int, _Pair | None] = {}
        for key, mine in enumerate(columns):
            shared = Counter(number for one in mine.named for number in self._holding.get((key, one), ()))
            for number, common in shared.items():
                other = self._numbered[number]
                theirs = other.columns[key]
                if other.tokens == tokens:
                    continue
                inside = mine.whole and common == len(mine)
                around = theirs.whole and common == len(theirs)
                if inside and around:
                    same = True
                    pairs[number] = None
                elif inside or around:
                    inner, outer = (mine, theirs) if inside else (theirs, mine)
                    pairs.setdefault(number, _Pair(len(inner), len(outer)))
        return same, [pair for pair in pairs.values() if pair is not None]

    def add(self, day: date, tokens: str, columns: Sequence[Subjects]) -> None:
        """One more."""
        question = _Question(self._next, day, tokens, columns)
        self._next += 1
        self._questions.append(question)
        self._numbered[question.number] = question
        for key, subjects in enumerate(columns):
            self._subjects += len(subjects.named)
            for one in subjects.named:
                self._holding.setdefault((key, one), []).append(question.number)
        while self._subjects > MAX_SUBJECTS and len(self._questions) > 1:
            self._drop()
            self._looked.let_go += 1

    def forget(self, day: date, days: int) -> None:
        """Lets go what lies more than `days` before `day`."""
        while self._questions and (day - self._questions[0].day).days > days:
            self._drop()

    def _drop(self) -> None:
        question = self._questions.popleft()
        del self._numbered[question.number]
        for key, subjects in enumerate(question.columns):
            self._subjects -= len(subjects.named)
            for one in subjects.named:
                holding = self._holding[key, one]
                holding.remove(question.number)
                if not holding:
                    del self._holding[key, one]


def row_words(thresholds: RowThresholds) -> dict[str, str]:
    """Kind -> its threshold in plain words."""
    return {
        "same-subjects": f"the very same subjects as another question of the last {thresholds.days} days, asked about "
        "anew under other salts (the same purpose and epoch)",
        "nested": f"all subjects of a question stand in another of the last {thresholds.days} days, which has more; "
        f"the inner one has {thresholds.least} or more, or they differ by fewer than the policy's least group of a "
        "count (shown: the two that differ least)",
    }
