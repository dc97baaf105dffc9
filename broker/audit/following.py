"""Exchanges as they run through the log: each release beside the ask it belongs to, in one pass.

Remembers permitted asks until they are released, and no others; so memory grows with what is open, not with the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from broker.audit.entries import LogEntry
from broker.errors import Code, SluisError
from broker.policy.guards import EXPLAIN
from broker.policy.legal_days import local_day


class Asked(NamedTuple):
    """One question to one answerer, as far as it is told of. `case`: the commitment to its case number, or None."""

    at: int
    """Index of its `ask` entry."""
    exchange: str
    asker: str
    principal: str | None
    answerer: str
    purpose: str
    known: bool
    """Whether the policy set knows the purpose; else the word is the asker's own."""
    subjects: int
    counted: bool
    """Whether a count was asked for, and no rows: its result then holds no hits."""
    case: str | None
    tokens: str
    day: date
    """In Europe/Amsterdam, of the entry's time."""
    permitted: bool
    unmet: tuple[str, ...]
    """Ids of the checks that were not met."""
    to_explain: tuple[str, ...] = ()
    """Ids of the guards against probing whose bound a permitted ask passed."""
    standing: bool = False
    """Whether it is an earlier question put again, because there was something newer."""


class Follower:
    """Brings asks and releases together. Feed it every `ask` and `release` in the order of the log."""

    def __init__(self) -> None:
        self._open: dict[int, Asked] = {}

    def take(self, entry: LogEntry) -> Asked | None:
        """The question that an entry belongs to: an ask's own, a release's or a shadow's; None where there is none.

        Raises:
            SluisError: STATEMENT_INVALID for an ask that lacks what every ask has.
        """
        if entry.kind == "ask":
            asked = read_asked(entry)
            if asked.permitted:
                self._open[asked.at] = asked
            return asked
        if entry.kind == "release":
            return self._open.pop(entry.body["ask_index"], None)
        return None

    @property
    def unanswered(self) -> tuple[Asked, ...]:
        """Permitted asks without a release so far."""
        return tuple(self._open.values())


def read_asked(entry: LogEntry) -> Asked:
    """What an `ask` says. Raises STATEMENT_INVALID."""
    body = entry.body
    statement, decision = body["statement"], body["decision"]
    try:
        subjects, case, checks = statement["subjects"], statement["case_number"], decision["checks"]
        unmet = tuple(str(check["id"]) for check in checks if check["met"] is not True)
        tokens, counted = statement["tokens"], statement["want"]["count"] is True
        good = _is_count(subjects) and (case is None or _is_digest(case)) and _is_digest(tokens)
        permitted = decision["effect"] == "permit"
    except (KeyError, TypeError):
        good = False
    if not good:
        raise SluisError(
            Code.STATEMENT_INVALID, f"entry {entry.index} is no whole ask; run `sluis audit verify` on the bundle"
        )
    return Asked(
        at=entry.index,
        exchange=body["exchange"],
        asker=body["asker"],
        principal=body["principal"],
        answerer=body["answerer"],
        purpose=body["purpose"],
        known="purpose-known" not in unmet,
        subjects=subjects,
        counted=counted,
        case=case,
        tokens=tokens,
        day=local_day(entry.at),
        permitted=permitted,
        unmet=unmet,
        to_explain=_to_explain(decision.get("obligations")),
        standing="standing" in statement,
    )


def _to_explain(duties: object) -> tuple[str, ...]:
    texts = [duty for duty in duties if isinstance(duty, str)] if isinstance(duties, list) else []
    return tuple(duty.partition(":")[0].removeprefix(EXPLAIN) for duty in texts if duty.startswith(EXPLAIN))


def parties_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The parties that an entry names, who acts first."""
    named = (body.get(member) for member in ("asker", "principal", "answerer", "party"))
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str)))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef")
