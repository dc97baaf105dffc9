"""The log before a log: what a verification of its bundle says that the next one's genesis must say too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broker.audit.counting import RECOUNTED
from broker.audit.entries import read_time
from broker.policy.legal_days import day_of, local_day, may_be_open


@dataclass(frozen=True)
class Preceding:
    """A verified log: its size and root at the end, what its seal names, and what an auditor recounts of it."""

    origin: str
    size: int
    root: bytes
    seal: Mapping[str, Any] | None
    counters: Mapping[str, int] = field(default_factory=dict)
    """Counters by name, as entries of the log give them: requests of a day, counts of an epoch."""
    suspended: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    """Purpose -> notice -> when it was logged."""
    revision: int | None = None
    """Of the policy set in force at the end."""

    def contradictions(self, previous: Mapping[str, Any], origin: str, key: str) -> Iterator[str]:
        """Why this is not the log that a genesis with `previous`, of `origin` and with log key `key`, follows."""
        if previous["origin"] != self.origin:
            yield "it follows another log"
            return
        if previous["reason"] == "recovered":
            if previous["size"] == self.size and previous["root"] == self.root.hex():
                yield "nothing is lost: the log before holds all that the genesis says is known"
            return
        if self.seal is None:
            yield "the log before is not sealed"
        elif (self.seal["next_origin"], self.seal["next_key"]) != (origin, key):
            yield "the log before was sealed for another one"
        if (previous["size"], previous["root"]) != (self.size, self.root.hex()):
            yield "the log before ends otherwise"

    def not_carried(self, carried: Sequence[Mapping[str, Any]], began: datetime) -> Iterator[str]:
        """What a log that began at `began` states otherwise than the log before gives it.

        Counters of that day, and of epochs that may still be asked under, must go on. What is counted per day for the
        log's own sake (asks, corrections, searches) cannot be recounted from its entries.
        """
        counters: Counter[str] = Counter()
        suspended: dict[str, dict[str, datetime]] = {}
        revision = None
        for body in carried:
            counters.update(body["counters"])
            for purpose, notices in body["suspended"].items():
                suspended.setdefault(purpose, {}).update({one["notice"]: read_time(one["since"]) for one in notices})
            if body["policy"] is not None:
                revision = body["policy"]["revision"]
        stated = {name: spent for name, spent in counters.items() if name.partition("/")[0] in RECOUNTED}
        due = {name for name in self.counters if _binds(name, began)}
        if any(self.counters.get(name, 0) != spent for name, spent in stated.items()) or not due <= set(stated):
            yield "a counter"
        for purpose, notices in self.suspended.items():
            if not set(notices) <= set(suspended.get(purpose, {})):
                yield "a suspension is missing"
                break
        for purpose, stands in suspended.items():
            if not stands.items() <= dict(self.suspended.get(purpose, {})).items():
                yield "a suspension that was not, or of another time"
                break
        if self.revision is not None and revision != self.revision:
            yield "the policy revision"


def _binds(counter: str, at: datetime) -> bool:
    period = counter.rpartition("/")[2]
    return period == day_of(at) or may_be_open(period, local_day(at))
