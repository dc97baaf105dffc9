"""Explanations of unusual use in the log: by the party itself, about its own entries, in the words of a closed list.

Whether what it explains stood out is for `broker.audit.unusual` to say; here it is checked who says what of which asks.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from datetime import timedelta

from broker.audit import strict_json
from broker.audit.entries import GRACE, LogEntry, has_shape, read_time
from broker.audit.findings import Code, Findings
from broker.audit.trust import Trust

_AHEAD = timedelta(minutes=10)
_SLACK = timedelta(seconds=1)
_FACTS = ("day", "first", "kind", "last", "origin", "party", "purpose")
_MEMBERS = {
    **dict.fromkeys(("environment", "explanation", "item", "kind", "origin", "party", "purpose", "type"), "text"),
    "day": "day",
    "first": "number",
    "last": "number",
    "not_after": "time",
}
KINDS = frozenset(
    {
        "equal-run",
        "hit-ratio",
        "hours",
        "limit",
        "nested",
        "probing",
        "repeated",
        "same-subjects",
        "search-hours",
        "search-limit",
        "search-volume",
        "single-run",
        "split",
        "volume",
    }
)
EXPLANATIONS = frozenset({"planned", "backlog", "urgent", "test", "technical", "mistake", "examining"})


class Explanations:
    """Checks `notice` entries of unusual use, in the order of the log. Keeps some ten bytes an ask."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._findings = findings
        self._indices = array("Q")
        self._groups = array("L")
        self._numbers: dict[tuple[str, str, bool], int] = {}
        """Party, purpose, whether they searched for a person or asked -> a number."""
        self._said: set[bytes] = set()

    def ask(self, entry: LogEntry) -> None:
        """An `ask`: whose it was, and under which purpose."""
        self._note(entry, (entry.body["asker"], entry.body["purpose"], False))

    def search(self, entry: LogEntry) -> None:
        """An `access` entry of a search for a person: whose it was, and under which purpose."""
        self._note(entry, (entry.body["party"], entry.body["purpose"], True))

    def _note(self, entry: LogEntry, group: tuple[str, str, bool]) -> None:
        self._indices.append(entry.index)
        self._groups.append(self._numbers.setdefault(group, len(self._numbers)))

    def notice(self, entry: LogEntry) -> None:
        """A `notice` of unusual use; its signature is checked apart."""
        body, statement = entry.body, entry.body["statement"]
        good = (
            statement.keys() == _MEMBERS.keys()
            and all(has_shape(statement[name], shape) for name, shape in _MEMBERS.items())
            and statement["type"] == "sluis/v1/unusual-use"
            and statement["kind"] in KINDS
            and statement["explanation"] in EXPLANATIONS
        )
        if not good:
            self._find(Code.STATEMENT_FORM, entry)
            return
        here = (self._trust.origin, self._trust.environment)
        same = (body["party"], body["purpose"], body["notice"])
        stated = (statement["party"], statement["purpose"], statement["item"])
        if (statement["origin"], statement["environment"]) != here or same != stated:
            self._find(Code.STATEMENT_DIFFERS, entry)
        not_after = read_time(statement["not_after"])
        if not entry.at - GRACE - _SLACK <= not_after <= entry.at + _AHEAD + _SLACK:
            self._find(Code.STATEMENT_AGE, entry)
        facts = {**{name: statement[name] for name in _FACTS}, "type": "sluis/v1/unusual-use-item"}
        named = hashlib.sha256(strict_json.write(facts)).hexdigest()[:32]
        mark = hashlib.sha256(f"{statement['item']} {statement['explanation']}".encode()).digest()[:16]
        own = self._numbers.get((body["party"], body["purpose"], statement["kind"].startswith("search-")))
        asks = own is not None and all(self._group(statement[name]) == own for name in ("first", "last"))
        if named != statement["item"] or mark in self._said or not asks or statement["first"] > statement["last"]:
            self._find(Code.UNUSUAL_USE, entry)
        self._said.add(mark)

    def _group(self, index: int) -> int | None:
        if index >= 2**63:
            return None
        at = bisect_left(self._indices, index)
        return self._groups[at] if at < len(self._indices) and self._indices[at] == index else None

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)
