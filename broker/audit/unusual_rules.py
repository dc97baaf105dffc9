"""What counts as unusual use: one class a rule, each with its threshold and the words for it.

A rule sees one asking party under one purpose, in the order of the log, and says what stands out. It keeps a bounded
past: at most the last 28 days with questions, and what lies within a day or an hour.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from statistics import median
from typing import NamedTuple, Protocol

from broker.audit.following import Asked
from broker.audit.openings import Result
from broker.policy.legal_days import AMSTERDAM

DAYS_OF_PAST = 28
DAYS_NEEDED = 5
VOLUME_TIMES = 3
VOLUME_LEAST = 20
WORKING_HOURS = (7, 19)
HOURS_SHARE = 0.5
HOURS_NEEDED = 20
RATIO_POINTS = 0.3
RATIO_SUBJECTS = 50
RATIO_PAST_SUBJECTS = 200
SINGLES = 20
SINGLES_WITHIN = timedelta(minutes=10)
EQUALS = 10
EQUALS_WITHIN = timedelta(hours=1)
SPLIT_WITHIN = timedelta(hours=24)
SPLIT_SHARE = 0.8
REPEAT_DAYS = 31


class Seen(NamedTuple):
    """What stands out: how many entries, the first and the last, on which day, and the numbers that say why."""

    kind: str
    day: date
    first: int
    last: int
    exchanges: int
    numbers: tuple[tuple[str, float], ...]


class Rule(Protocol):
    """One rule for one party under one purpose."""

    def ask(self, asked: Asked, at: datetime, /) -> Iterator[Seen]:
        """An exchange was asked for; called once an exchange, permitted if any answerer's part was."""
        ...

    def release(self, asked: Asked, result: Result | None, /) -> Iterator[Seen]:
        """A question was answered."""
        ...

    def end(self) -> Iterator[Seen]:
        """Nothing comes any more."""
        ...


class _Placed(Protocol):
    """What stands at an index of the log."""

    @property
    def at(self) -> int:
        """The index of its entry."""
        ...


def is_outside_hours(at: datetime) -> bool:
    """Whether a moment lies in a weekend, or outside the working hours, of Europe/Amsterdam."""
    local = at.astimezone(AMSTERDAM)
    return local.weekday() >= 5 or not WORKING_HOURS[0] <= local.hour < WORKING_HOURS[1]


class Silent:
    """What a rule does where it has nothing to say."""

    def ask(self, _asked: Asked, _at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        yield from ()

    def release(self, _asked: Asked, _result: Result | None, /) -> Iterator[Seen]:
        """See Rule."""
        yield from ()

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        yield from ()


class Span:
    """Entries that belong together: how many exchanges, the first and the last."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.exchanges = 0
        self.first = self.last = -1

    def add(self, asked: _Placed) -> None:
        """One more."""
        self.exchanges += 1
        self.first = asked.at if self.first < 0 else self.first
        self.last = asked.at

    def seen(self, kind: str, **numbers: float) -> Seen:
        """As what stands out."""
        return Seen(kind, self.day, self.first, self.last, self.exchanges, tuple(numbers.items()))


class _Daily(Silent, ABC):
    """A rule over whole days: gathers one, and looks at it when the next begins."""

    def __init__(self) -> None:
        self._span: Span | None = None

    def ask(self, asked: Asked, at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        if self._span is not None and self._span.day != asked.day:
            yield from self._look(self._span)
            self._span = None
        if self._counts(asked, at):
            self._span = self._span or Span(asked.day)
            self._span.add(asked)

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        if self._span is not None:
            yield from self._look(self._span)

    def _counts(self, _asked: Asked, _at: datetime, /) -> bool:
        return True

    @abstractmethod
    def _look(self, span: Span) -> Iterator[Seen]: ...


class Volume(_Daily):
    """More in a day than this party usually asks."""

    def __init__(self) -> None:
        super().__init__()
        self._past: deque[int] = deque(maxlen=DAYS_OF_PAST)

    def _look(self, span: Span) -> Iterator[Seen]:
        if len(self._past) >= DAYS_NEEDED:
            usual = median(self._past)
            if span.exchanges >= VOLUME_LEAST and span.exchanges > VOLUME_TIMES * usual:
                yield span.seen("volume", usual=usual)
        self._past.append(span.exchanges)


class Hours(_Daily):
    """Questions outside working hours, by a party that usually asks within them."""

    def __init__(self) -> None:
        super().__init__()
        self._all = self._outside = 0

    def _counts(self, _asked: Asked, at: datetime, /) -> bool:
        outside = is_outside_hours(at)
        usual = self._all >= HOURS_NEEDED and self._outside >= HOURS_SHARE * self._all
        self._all += 1
        self._outside += outside
        return outside and not usual

    def _look(self, span: Span) -> Iterator[Seen]:
        yield span.seen("hours")


class Limit(_Daily):
    """The day's limit was reached, and more was asked."""

    def _counts(self, asked: Asked, _at: datetime, /) -> bool:
        return "requests-per-day" in asked.unmet

    def _look(self, span: Span) -> Iterator[Seen]:
        yield span.seen("limit")


class Ratio(Silent):
    """Another share of hits than this party had before. Needs opened results."""

    def __init__(self) -> None:
        self._span: Span | None = None
        self._hits = self._subjects = 0
        self._past_hits = self._past_subjects = 0

    def release(self, asked: Asked, result: Result | None, /) -> Iterator[Seen]:
        """See Rule."""
        if result is None or asked.counted:
            return
        if self._span is not None and self._span.day != asked.day:
            yield from self.end()
            self._past_hits += self._hits
            self._past_subjects += self._subjects
            self._hits = self._subjects = 0
            self._span = None
        self._span = self._span or Span(asked.day)
        self._span.add(asked)
        self._hits += result.hits
        self._subjects += asked.subjects

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        if self._span is None or self._subjects < RATIO_SUBJECTS or self._past_subjects < RATIO_PAST_SUBJECTS:
            return
        now, before = self._hits / self._subjects, self._past_hits / self._past_subjects
        if abs(now - before) >= RATIO_POINTS:
            yield self._span.seen("hit-ratio", share=round(now, 3), usual=round(before, 3))


class Run(Silent):
    """Many questions of one size shortly after each other. `sizes`: least and most subjects it looks at."""

    def __init__(self, kind: str, sizes: tuple[int, int | None], least: int, within: timedelta) -> None:
        self._kind = kind
        self._sizes = sizes
        self._least = least
        self._within = within
        self._recent: deque[tuple[datetime, Asked]] = deque(maxlen=least)
        self._span: Span | None = None

    def ask(self, asked: Asked, at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        least, most = self._sizes
        fits = asked.permitted and asked.subjects >= least and (most is None or asked.subjects <= most)
        if not fits or (self._recent and self._recent[-1][1].subjects != asked.subjects):
            yield from self.end()
            self._recent.clear()
        if not fits:
            return
        self._recent.append((at, asked))
        close = len(self._recent) == self._least and at - self._recent[0][0] <= self._within
        if self._span is not None and close:
            self._span.add(asked)
        elif self._span is not None:
            yield from self.end()
        elif close:
            self._span = Span(self._recent[0][1].day)
            for _, one in self._recent:
                self._span.add(one)

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        if self._span is not None:
            yield self._span.seen(self._kind, subjects=self._recent[-1][1].subjects)
            self._span = None


class Split(Silent):
    """A question denied as too large, and then asked in parts."""

    def __init__(self) -> None:
        self._denied: Asked | None = None
        self._at: datetime | None = None
        self._span = Span(date.min)
        self._subjects = 0

    def ask(self, asked: Asked, at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        if self._at is not None and at - self._at > SPLIT_WITHIN:
            yield from self.end()
        if "subjects-per-request" in asked.unmet:
            if self._denied is None or asked.subjects > self._denied.subjects:
                yield from self.end()
                self._denied, self._at, self._span, self._subjects = asked, at, Span(asked.day), 0
                self._span.add(asked)
        elif self._denied is not None and asked.permitted and asked.subjects < self._denied.subjects:
            self._span.add(asked)
            self._subjects += asked.subjects

    def end(self) -> Iterator[Seen]:
        """See Rule."""
        denied, self._denied, self._at = self._denied, None, None
        if denied is not None and self._span.exchanges > 2 and self._subjects >= SPLIT_SHARE * denied.subjects:
            yield self._span.seen("split", denied=denied.subjects, in_parts=self._subjects)


class Repeated(_Daily):
    """The very same question (salt and rows) under another request id."""

    def __init__(self) -> None:
        super().__init__()
        self._days: deque[tuple[date, set[bytes]]] = deque()

    def _counts(self, asked: Asked, _at: datetime, /) -> bool:
        mark = bytes.fromhex(asked.tokens)[:16]
        while self._days and (asked.day - self._days[0][0]).days > REPEAT_DAYS:
            self._days.popleft()
        repeats = any(mark in known for _, known in self._days)
        if not self._days or self._days[-1][0] != asked.day:
            self._days.append((asked.day, set()))
        self._days[-1][1].add(mark)
        return repeats

    def _look(self, span: Span) -> Iterator[Seen]:
        yield span.seen("repeated")


class Guarded(Silent):
    """A question that the purpose permitted with the duty to explain it: a guard against probing spoke."""

    def ask(self, asked: Asked, _at: datetime, /) -> Iterator[Seen]:
        """See Rule."""
        if asked.to_explain:
            span = Span(asked.day)
            span.add(asked)
            yield span.seen("probing", **dict.fromkeys(asked.to_explain, 1.0))


def rules() -> tuple[Rule, ...]:
    """Fresh rules for one party under one purpose."""
    return (
        Volume(),
        Hours(),
        Limit(),
        Ratio(),
        Run("single-run", (1, 1), SINGLES, SINGLES_WITHIN),
        Run("equal-run", (2, None), EQUALS, EQUALS_WITHIN),
        Split(),
        Repeated(),
        Guarded(),
    )


WORDS = {
    "volume": f"more than {VOLUME_TIMES} times the exchanges of a usual day of this party under this purpose, and "
    f"{VOLUME_LEAST} or more (usual: the median of its last {DAYS_NEEDED} to {DAYS_OF_PAST} days with questions)",
    "hours": f"asked before {WORKING_HOURS[0]}:00, from {WORKING_HOURS[1]}:00 on or in a weekend (Europe/Amsterdam; "
    f"public holidays are not known); not of a party that did {HOURS_SHARE:.0%} or more of {HOURS_NEEDED} questions "
    "or more then",
    "limit": "asked on after the day's limit of the purpose was reached",
    "hit-ratio": f"the share of hits of a day lies {100 * RATIO_POINTS:.0f} points or more from this party's share "
    f"before; {RATIO_SUBJECTS} subjects or more against {RATIO_PAST_SUBJECTS} or more",
    "single-run": f"{SINGLES} or more questions about one subject in a row, each {SINGLES} of them within "
    f"{SINGLES_WITHIN.seconds // 60} minutes",
    "equal-run": f"{EQUALS} or more questions of exactly the same size in a row, each {EQUALS} of them within "
    f"{EQUALS_WITHIN.seconds // 3600} hour: so one goes through a list",
    "split": f"a question denied as too large, and within {SPLIT_WITHIN.days * 24} hours two or more smaller ones that "
    f"together hold {SPLIT_SHARE:.0%} or more of its subjects",
    "repeated": f"the very same question (salt and rows) as one of the last {REPEAT_DAYS} days, with another id",
    "probing": "beyond a bound that the purpose sets against probing, so with the duty to explain it",
}
"""Kind -> its threshold in plain words."""
