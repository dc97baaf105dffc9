"""Budgets recounted from the log: requests a day, counts an epoch, and how far counts lie apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.audit.entries import LogEntry
from broker.audit.findings import Code, Findings
from broker.audit.probing import Probed
from broker.policy.document import PolicySet
from broker.policy.legal_days import calendar_epoch

RECOUNTED = frozenset({"requests", "counts", "evaluations", "subjects"})
"""How the names of the counters begin that a log's entries give."""
_CountKey = tuple[str, str, str, str]
"""Asker, answerer, purpose, epoch."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A count that was permitted: what later ones are compared with, as long as its tokens are kept."""

    subjects: int
    tokens: str
    kept_until: datetime


class Counting:
    """Knows what every ask must say was spent before it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._counts: Counter[_CountKey] = Counter()
        self._evaluations: Counter[tuple[str, str, str]] = Counter()
        self._counted: dict[_CountKey, list[_Counted]] = {}
        self._counted_as: dict[str, set[_CountKey]] = {}
        """Commitment to a count's tokens -> where it stands in `_counted`."""
        self.probed = Probed()

    def carry(self, counters: Mapping[str, int]) -> None:
        """What the log before had counted: this one counts on from there."""
        for name, spent in counters.items():
            kind, *parts = name.split("/")
            if kind == "requests" and len(parts) == 3:
                self._requests[parts[0], parts[1], parts[2]] += spent
            elif kind == "counts" and len(parts) == 4:
                self._counts[parts[0], parts[1], parts[2], parts[3]] += spent
            elif kind == "evaluations" and len(parts) == 3:
                self._evaluations[parts[0], parts[1], parts[2]] += spent
            elif kind == "subjects" and len(parts) == 3:
                self.probed.carry((parts[0], parts[1], parts[2]), spent)

    def counters(self) -> dict[str, int]:
        """What was counted so far, by the names that are carried over."""
        found = {"/".join(("requests", *key)): spent for key, spent in self._requests.items() if spent}
        found |= {"/".join(("subjects", *key)): spent for key, spent in self.probed.subjects() if spent}
        found |= {"/".join(("evaluations", *key)): spent for key, spent in self._evaluations.items() if spent}
        return found | {"/".join(("counts", *key)): spent for key, spent in self._counts.items() if spent}

    def evaluated(self, party: str, purpose: str, period: str, elements: int) -> int:
        """Elements that a key service evaluated; returns what had been evaluated in that calendar epoch before."""
        key = (party, purpose, period)
        before = self._evaluations[key]
        self._evaluations[key] += elements
        return before

    def exchange(self, day: tuple[str, str, str]) -> None:
        """An exchange of (asker, purpose, day in Amsterdam) of which something was permitted."""
        self._requests[day] += 1

    def check(self, entry: LogEntry, statement: Mapping[str, Any], day: tuple[str, str, str], at: datetime) -> None:
        """The counters that an `ask` names, `at` the moment of its decision."""
        body, facts = entry.body, entry.body["facts"]
        if facts.get("requests_today") != self._requests[day]:
            self._findings.add(Code.COUNTER_REQUESTS, index=entry.index)
        asks_count = statement["want"]["count"]
        key = _key(statement, body["answerer"])
        if facts.get("counts_this_epoch") != (self._counts[_budget(key)] if asks_count else 0):
            self._findings.add(Code.COUNTER_COUNTS, index=entry.index)
        permitted = body["decision"].get("effect") == "permit"
        earlier = self._counted.get(key, []) if asks_count else []
        wrong = _wrong_distance(facts.get("count_distance"), statement, earlier, permitted=permitted, at=at)
        if wrong:
            self._findings.add(Code.COUNT_DISTANCE, wrong, index=entry.index)

    def permitted(self, answerer: str, statement: Mapping[str, Any], at: datetime, policies: PolicySet | None) -> None:
        """An ask for a count that was permitted."""
        key = _key(statement, answerer)
        self._counts[_budget(key)] += 1
        purpose = policies.purposes.get(statement["purpose"]) if policies else None
        kept = timedelta(days=purpose.vault_keep_days) if purpose else timedelta(0)
        counted = _Counted(statement["subjects"], statement["tokens"], at + kept)
        self._counted.setdefault(key, []).append(counted)
        self._counted_as.setdefault(counted.tokens, set()).add(key)

    def erased(self, entry: LogEntry) -> None:
        """An `erasure`: questions whose rows are gone, by their commitments, can be compared with no later count."""
        gone = set(entry.body["commitments"])
        for key in {key for name in gone for key in self._counted_as.pop(name, ())}:
            self._counted[key] = [one for one in self._counted[key] if one.tokens not in gone]


def _key(statement: Mapping[str, Any], answerer: str) -> _CountKey:
    return statement["asker"], answerer, statement["purpose"], statement["epoch"]


def _budget(key: _CountKey) -> _CountKey:
    """What a count is debited from: a second key within a calendar epoch brings no second budget."""
    return (*key[:3], calendar_epoch(key[3]))


def _wrong_distance(
    stated: Any, statement: Mapping[str, Any], earlier: list[_Counted], *, permitted: bool, at: datetime
) -> str:
    """What is wrong with the distance that an ask states; "" when the log cannot say that anything is.

    The rows themselves are not in the log. What is: whether there was an earlier count, and that two questions of n
    and m subjects differ in at most n + m.
    """
    kept = [one for one in earlier if one.kept_until > at]
    if stated is None:
        # a denied count may not have been compared at all; a permitted one must have been
        return "it says there was no earlier count, and there was" if kept and permitted else ""
    if not earlier:
        return "it differs from an earlier count, and there was none"
    if not isinstance(stated, int):
        return "it is no number"
    if kept and stated > statement["subjects"] + min(one.subjects for one in kept):
        return "it differs in more subjects than both questions have"
    if stated and any(one.tokens == statement["tokens"] for one in kept):
        return "it is the same question as an earlier one"
    return ""
