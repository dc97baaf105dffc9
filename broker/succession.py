"""What a log that follows another begins with: where it comes from, what was lost, and what was spent already. Pure.

Everything stands in the batch of the genesis, so a new log has all of it or does not exist. What is bound to the old
origin is not carried over: registers, encryption keys, epochs and unfinished uploads are published anew. Policy and
party entries are logged anew by the broker at its first start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from broker.asking import POLICY_STATE
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.entry import log_time
from broker.policy.legal_days import day_of, local_day, may_be_open
from broker.policy.suspension import DOCUMENT as SUSPENSION
from broker.ports import LogReader, Transaction

POLICY_FLOOR = ("policy-floor", "current")
"""Kind and key of the document that names the policy set in force when the log before ended."""
_COUNTERS_AN_ENTRY = 150
"""Names have at most 250 characters, so that an entry stays under its bound."""


@dataclass(frozen=True)
class Carried:
    """What goes on in the next log: counters that still bind, the policy set that bounds revisions, suspensions."""

    counters: Mapping[str, int] = field(default_factory=dict)
    policy: Mapping[str, object] | None = None
    suspended: Mapping[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)
    """Purpose -> notices (id and when logged) that closed it."""

    def entries(self) -> Iterator[dict[str, object]]:
        """The bodies of the `config` entries that say so; none when there is nothing."""
        left = iter(sorted(self.counters.items()))
        first = True
        while (some := dict(islice(left, _COUNTERS_AN_ENTRY))) or (first and (self.policy or self.suspended)):
            yield {
                "what": "carried",
                "counters": some,
                "policy": self.policy if first else None,
                "suspended": dict(self.suspended) if first else {},
            }
            first = False

    def write(self, tx: Transaction) -> None:
        """Logs it and puts it in force."""
        for body in self.entries():
            tx.append("config", body)
        for name, spent in self.counters.items():
            tx.debit(name, spent)
        for purpose, notices in self.suspended.items():
            tx.put_document(SUSPENSION, purpose, json.dumps(notices).encode())
        if self.policy is not None:
            tx.put_document(*POLICY_FLOOR, json.dumps(self.policy).encode())


def carried_from(reader: LogReader, now: datetime) -> Carried:
    """What of the log behind `reader` still binds at `now`. Raises what reading raises."""
    policy = reader.document(*POLICY_STATE) or reader.document(*POLICY_FLOOR)
    return Carried(
        counters={name: spent for name, spent in reader.counters() if spent and _binds(name, now)},
        policy=None if policy is None else json.loads(policy),
        suspended={purpose: json.loads(notices) for purpose, notices in reader.documents(SUSPENSION)},
    )


def _binds(counter: str, now: datetime) -> bool:
    """Whether a counter is of this day or of an epoch that may still be asked under; no other binds anybody."""
    period = counter.rpartition("/")[2]
    return period == day_of(now) or may_be_open(period, local_day(now))


@dataclass(frozen=True)
class Gap:
    """What was lost: the old log, what was found of it and what is known from outside, each as (size, root)."""

    origin: str
    reason: str
    found: tuple[int, bytes]
    known: tuple[int, bytes]
    since: datetime | None
    """Time of the last entry found; None when it says nothing of where the histories part."""
    until: datetime

    def body(self) -> dict[str, object]:
        """The body of the `recovery` entry."""
        return {
            "what": "entries-lost",
            "detail": self.reason,
            "origin": self.origin,
            "found_size": self.found[0],
            "found_root": self.found[1].hex(),
            "known_size": self.known[0],
            "known_root": self.known[1].hex(),
            "from": None if self.since is None else log_time(self.since),
            "until": log_time(self.until),
        }


def previous_of(note: str, reason: str) -> dict[str, object]:
    """The `previous` of a genesis: the newest checkpoint of the log before, `reason` `sealed` or `recovered`."""
    checkpoint = parse_checkpoint(note)
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "checkpoint": note,
        "reason": reason,
    }


def begin_with(carried: Carried, gap: Gap | None, tx: Transaction) -> None:
    """What stands behind the genesis of a log that follows another."""
    if gap is not None:
        tx.append("recovery", gap.body())
    carried.write(tx)


def newest(notes: Iterable[str]) -> str | None:
    """The note over the most entries."""
    return max(notes, key=lambda note: parse_checkpoint(note).size, default=None)
