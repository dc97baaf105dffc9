"""What counts as unusual among searches for a person (GDPR article 15): many in a day, close to the limit, at night.

For whom was searched, and what was found, no entry says; so these rules see numbers and times alone. One search is of
one purpose and epoch: a person who asks for access is searched for once under every epoch whose key is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from typing import Any, NamedTuple

from broker.audit.unusual_rules import (
    DAYS_NEEDED,
    DAYS_OF_PAST,
    HOURS_NEEDED,
    HOURS_SHARE,
    VOLUME_LEAST,
    VOLUME_TIMES,
    WORKING_HOURS,
    Seen,
    Span,
    is_outside_hours,
)
from broker.policy.legal_days import local_day
from broker.policy.purpose import SUBJECT_SEARCHES

LIMIT_SHARE = 0.8


class _Search(NamedTuple):
    """Where a search stands in the log."""

    at: int


class Limits:
    """How many searches a party may make in a day under a purpose, by the policy set in force."""

    def __init__(self) -> None:
        self._archived: dict[str, dict[str, int]] = {}
        self._now: dict[str, int] = {}

    def archive(self, bundle: Any) -> None:
        """An archived policy set; one of another form tells nothing, for only `verify` judges."""
        try:
            named = bundle["meaning"]["purposes"].items()
            limits = {name: (purpose.get("limits") or {}).get("subject_searches_per_day") for name, purpose in named}
            digest = str(bundle["manifest"]["digest"])
        except (KeyError, TypeError, AttributeError):
            return
        self._archived[digest] = {name: most for name, most in limits.items() if type(most) is int and most > 0}

    def put_in_force(self, digest: str) -> None:
        """A `policy` entry."""
        self._now = self._archived.get(digest, {})

    def of(self, purpose: str) -> int:
        """The limit under a purpose."""
        return self._now.get(purpose, SUBJECT_SEARCHES)


class Searches:
    """The rules for one party under one purpose, in the order of the log. Keeps at most 28 days' numbers."""

    def __init__(self) -> None:
        self._past: deque[int] = deque(maxlen=DAYS_OF_PAST)
        self._all = self._outside = 0
        self._span: Span | None = None
        self._night: Span | None = None
        self._limit = 0

    def take(self, index: int, at: datetime, limit: int) -> Iterator[Seen]:
        """One search, at entry `index`. `limit`: how many the purpose allows in a day."""
        day = local_day(at)
        if self._span is not None and self._span.day != day:
            yield from self.end()
        self._span = self._span or Span(day)
        self._span.add(_Search(index))
        self._limit = limit
        outside = is_outside_hours(at)
        usual = self._all >= HOURS_NEEDED and self._outside >= HOURS_SHARE * self._all
        self._all += 1
        self._outside += outside
        if outside and not usual:
            self._night = self._night or Span(day)
            self._night.add(_Search(index))

    def end(self) -> Iterator[Seen]:
        """The day is over, or the log."""
        span, night = self._span, self._night
        self._span = self._night = None
        if span is None:
            return
        usual = median(self._past) if len(self._past) >= DAYS_NEEDED else 0
        if span.exchanges >= VOLUME_LEAST and span.exchanges > VOLUME_TIMES * usual:
            yield span.seen("search-volume", usual=usual)
        if span.exchanges >= LIMIT_SHARE * self._limit:
            yield span.seen("search-limit", limit=self._limit)
        if night is not None:
            yield night.seen("search-hours")
        self._past.append(span.exchanges)


class AllSearches:
    """Every search of a log: by day, and what stands out among them."""

    def __init__(self) -> None:
        self.limits = Limits()
        self._rules: dict[tuple[str, str], Searches] = {}

    def take(self, party: str, purpose: str, index: int, at: datetime) -> Iterator[Seen]:
        """One search of a party under a purpose."""
        return self._rules.setdefault((party, purpose), Searches()).take(index, at, self.limits.of(purpose))

    def end(self) -> Iterator[tuple[str, str, Seen]]:
        """The log is over: party, purpose and what stands out."""
        return ((*key, seen) for key, mine in self._rules.items() for seen in mine.end())


SEARCH_WORDS = {
    "search-volume": f"{VOLUME_LEAST} or more searches for a person in a day under this purpose, and more than "
    f"{VOLUME_TIMES} times those of a usual day of this party (usual: the median of its last {DAYS_NEEDED} to "
    f"{DAYS_OF_PAST} days with searches; 0 while it has fewer); one person is searched for once in every epoch",
    "search-limit": f"{LIMIT_SHARE:.0%} or more of the searches for a person that the purpose allows a party in a day",
    "search-hours": f"searched for a person before {WORKING_HOURS[0]}:00, from {WORKING_HOURS[1]}:00 on or in a "
    f"weekend (Europe/Amsterdam; public holidays are not known); not of a party that did {HOURS_SHARE:.0%} or more of "
    f"{HOURS_NEEDED} searches or more then",
}
"""Kind -> its threshold in plain words."""
