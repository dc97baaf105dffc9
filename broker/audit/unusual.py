"""Unusual use in a log: what stands out, for the responsible party to look at. Not a verdict: all may be in order.

Works on what the log holds, and on what openings tell: shares of hits, and which subjects were asked about.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from broker.audit import strict_json
from broker.audit.entries import LogEntry
from broker.audit.following import Asked, Follower
from broker.audit.openings import Openings
from broker.audit.reading import entries
from broker.audit.unusual_rows import Looked, Rows, RowThresholds
from broker.audit.unusual_rules import Rule, Seen, rules
from broker.audit.unusual_searches import AllSearches
from broker.policy.legal_days import local_day

MAX_ITEMS = 10_000
UNKNOWN_PURPOSE = "(not in the policy set)"
_Key = tuple[str, str | None, str]


@dataclass(frozen=True)
class Item:
    """Something unusual. `party`: who asked, or searched, and is responsible; `principal`: for whom it asked, or None.

    `item`: its id, 32 hex digits, over facts that stand in the log alone.
    """

    item: str
    party: str
    principal: str | None
    purpose: str
    seen: Seen


@dataclass
class Unusual:
    """What was found; all are counted, the first ten thousand are kept."""

    origin: str = ""
    items: list[Item] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(party, kind) -> items."""
    explained: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Item -> its party's newest explanation in the log, and the index of that entry."""
    searches: dict[tuple[str, str], Counter[date]] = field(default_factory=dict)
    """(party, purpose) -> searches for a subject by day: each is looked for under one epoch, for whom no entry says."""
    looked: Looked = field(default_factory=Looked)
    """How many questions' rows were looked at."""

    def by_party(self) -> dict[str, list[Item]]:
        """The items for each responsible party, in the order of the log."""
        parties: dict[str, list[Item]] = {}
        for item in sorted(self.items, key=lambda one: (one.party, one.seen.first, one.seen.kind)):
            parties.setdefault(item.party, []).append(item)
        return parties


def unusual(
    lines: Iterable[bytes],
    *,
    openings: Openings,
    first: date | None = None,
    last: date | None = None,
    thresholds: RowThresholds | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Unusual:
    """Everything unusual that began from day `first` up to and including `last` (Europe/Amsterdam).

    The whole log before it is read too: what is usual is each party's own past.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    run = _Run(openings, thresholds or RowThresholds())
    kinds = ("genesis", "policy", "ask", "release", "notice", "access")
    for entry in entries(lines, kinds=kinds, progress=progress, archive=run.archive):
        if entry.kind == "genesis":
            run.found.origin = entry.body["origin"]
        elif entry.kind == "notice":
            _explained(entry, run.found)
        elif entry.kind == "access":
            run.searched(entry, first, last)
        elif entry.kind == "policy":
            run.searches.limits.put_in_force(entry.body["digest"])
        else:
            run.take(entry, first, last)
    run.end(first, last)
    return run.found


class _Run:
    """One pass over a log."""

    def __init__(self, openings: Openings, thresholds: RowThresholds) -> None:
        self.found = Unusual()
        self._openings = openings
        self._thresholds = thresholds
        self._min_groups: dict[str, int] = {}
        """Purpose -> the least group of a count, the greatest that an archived policy set states."""
        self.searches = AllSearches()
        self._follower = Follower()
        self._rules: dict[_Key, tuple[Rule, ...]] = {}
        self._exchange: tuple[Asked, datetime] | None = None
        """The exchange whose asks are being read; they stand side by side."""

    def archive(self, bundle: Any) -> None:
        """An archived policy set; one of another form tells nothing, for only `verify` judges."""
        self.searches.limits.archive(bundle)
        try:
            for name, purpose in bundle["meaning"]["purposes"].items():
                group = int((purpose["may_learn"].get("count") or {}).get("min_group") or 0)
                self._min_groups[name] = max(group, self._min_groups.get(name, 0))
        except (KeyError, TypeError, AttributeError, ValueError):
            return

    def take(self, entry: LogEntry, first: date | None, last: date | None) -> None:
        """One ask or release."""
        asked = self._follower.take(entry)
        if entry.kind == "release":
            self._close(first, last)
            if asked is not None and entry.body["status"] == "ANSWERED":
                result = self._openings.result(entry.body["result"])
                for rule in self._of(asked):
                    self._note(asked, rule.release(asked, result), first, last)
            return
        if asked is None:
            return
        current = self._exchange[0] if self._exchange else None
        if current is None or (current.asker, current.exchange) != (asked.asker, asked.exchange):
            self._close(first, last)
            self._exchange = (asked, entry.at)
        elif asked.permitted and not current.permitted:
            self._exchange = (asked._replace(at=current.at), entry.at)

    def end(self, first: date | None, last: date | None) -> None:
        """The end of the log."""
        self._close(first, last)
        for key, mine in self._rules.items():
            for rule in mine:
                self._keep(key, rule.end(), first, last)
        for party, purpose, seen in self.searches.end():
            self._keep((party, None, purpose), iter((seen,)), first, last)

    def searched(self, entry: LogEntry, first: date | None, last: date | None) -> None:
        """A search for a person is counted, whatever it found: whoever can search for one can for a neighbour."""
        body, day = entry.body, local_day(entry.at)
        if body["what"] != "subject-search":
            return
        party, purpose = body["party"], body["purpose"]
        self._keep((party, None, purpose), self.searches.take(party, purpose, entry.index, entry.at), first, last)
        if (first is None or first <= day) and (last is None or day <= last):
            self.found.searches.setdefault((party, purpose), Counter())[day] += 1

    def _close(self, first: date | None, last: date | None) -> None:
        if self._exchange is not None:
            (asked, at), self._exchange = self._exchange, None
            for rule in self._of(asked):
                self._note(asked, rule.ask(asked, at), first, last)

    def _of(self, asked: Asked) -> tuple[Rule, ...]:
        key = _key(asked)
        mine = self._rules.get(key)
        if mine is None:
            rows = Rows(self._openings, self._thresholds, self._min_groups.get(asked.purpose, 0), self.found.looked)
            mine = self._rules[key] = (*rules(), rows)
        return mine

    def _note(self, asked: Asked, seen: Iterator[Seen], first: date | None, last: date | None) -> None:
        self._keep(_key(asked), seen, first, last)

    def _keep(self, key: _Key, seen: Iterator[Seen], first: date | None, last: date | None) -> None:
        party, principal, purpose = key
        for one in seen:
            if (first is not None and one.day < first) or (last is not None and one.day > last):
                continue
            self.found.counts[party, one.kind] += 1
            if len(self.found.items) < MAX_ITEMS:
                made = Item(item_id(self.found.origin, key, one), party, principal, purpose, one)
                self.found.items.append(made)


def _explained(entry: LogEntry, found: Unusual) -> None:
    body = entry.body
    if body["what"] == "unusual-use":
        found.explained[body["notice"]] = (str(body["statement"].get("explanation")), entry.index)


def item_id(origin: str, key: _Key, seen: Seen) -> str:
    """The id of an item: 32 hex digits over where it stands in the log. Nothing that an opening told is in it."""
    value = {
        "day": seen.day.isoformat(),
        "first": seen.first,
        "kind": seen.kind,
        "last": seen.last,
        "origin": origin,
        "party": key[0],
        "purpose": key[2],
        "type": "sluis/v1/unusual-use-item",
    }
    return hashlib.sha256(strict_json.write(value)).hexdigest()[:32]


def _key(asked: Asked) -> _Key:
    return asked.asker, asked.principal, asked.purpose if asked.known else UNKNOWN_PURPOSE
