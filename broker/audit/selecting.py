"""Which entries of a bundle a reader wants to see: filters that are all applied, in one pass over the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from broker.audit.entries import LogEntry
from broker.audit.following import Asked, Follower, parties_of
from broker.audit.openings import Openings, Result
from broker.audit.reading import entries
from broker.policy.legal_days import local_day


@dataclass(frozen=True)
class Selection:
    """Filters; one that is not given lets everything pass. Days are in Europe/Amsterdam, both included.

    `verdict`: `permit` or `deny`, of entries that hold a decision. `cases`: commitments (hex) to case numbers are
    compared by what they open to: `case` is the number, None means any that `openings` open. `hit_ratio`: least and
    most share of hits, of releases whose result `openings` open.
    """

    party: str = ""
    purpose: str = ""
    first: date | None = None
    last: date | None = None
    verdict: str = ""
    kinds: frozenset[str] = frozenset()
    exchange: str = ""
    by_case: bool = False
    case: bytes | None = None
    hit_ratio: tuple[float, float] | None = None
    openings: Openings = field(default_factory=Openings)


class Shown(NamedTuple):
    """An entry that passed, the question it belongs to, and the opened result of a release."""

    entry: LogEntry
    asked: Asked | None
    result: Result | None

    @property
    def ratio(self) -> float | None:
        """Hits a subject; None when no opening tells them, a count was asked, or nobody was asked about."""
        if self.result is None or self.asked is None or self.asked.counted or not self.asked.subjects:
            return None
        return self.result.hits / self.asked.subjects


def select(
    lines: Iterable[bytes], wanted: Selection, progress: Callable[[int, int], None] | None = None
) -> Iterator[Shown]:
    """The entries of a bundle that pass every filter, in the order of the log.

    A release passes filters on purpose and case by the ask it belongs to.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    follower = Follower()
    shadowed: Asked | None = None
    for entry in entries(lines, progress=progress):
        if wanted.last is not None and local_day(entry.at) > wanted.last:
            return
        asked = follower.take(entry)
        if entry.kind == "ask":
            shadowed = asked
        elif "shadow_of" in entry.body and shadowed is not None and shadowed.at == entry.body["ask_index"]:
            asked = shadowed
        result = wanted.openings.result(entry.body["result"]) if entry.kind == "release" else None
        shown = Shown(entry, asked, result)
        if _passes(shown, wanted):
            yield shown


def _passes(shown: Shown, wanted: Selection) -> bool:
    entry, asked = shown.entry, shown.asked
    body = entry.body
    return (
        (not wanted.kinds or entry.kind in wanted.kinds)
        and (wanted.first is None or local_day(entry.at) >= wanted.first)
        and (not wanted.party or wanted.party in parties_of(body))
        and (not wanted.purpose or wanted.purpose in _purposes(entry, asked))
        and (not wanted.exchange or wanted.exchange in (body.get("exchange"), body.get("request_id")))
        and (not wanted.verdict or _verdict(entry) == wanted.verdict)
        and (not wanted.by_case or _is_of_case(asked, wanted))
        and (wanted.hit_ratio is None or _within(shown.ratio, wanted.hit_ratio))
    )


def _purposes(entry: LogEntry, asked: Asked | None) -> tuple[object, ...]:
    body, statement = entry.body, entry.body.get("statement")
    named = (body.get("purpose"), body.get("shadow_of"), asked.purpose if asked else None)
    return (*named, statement.get("purpose")) if isinstance(statement, dict) else named


def _verdict(entry: LogEntry) -> object:
    decision = entry.body.get("decision")
    return decision.get("effect") if isinstance(decision, dict) else None


def _is_of_case(asked: Asked | None, wanted: Selection) -> bool:
    opened = wanted.openings.case(asked.case) if asked is not None else None
    return opened is not None and (wanted.case is None or opened == wanted.case)


def _within(ratio: float | None, bounds: tuple[float, float]) -> bool:
    return ratio is not None and bounds[0] <= ratio <= bounds[1]
