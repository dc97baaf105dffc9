"""Searches for a subject in the log (GDPR article 15): who looked, under which purpose and epoch, and in how much.

For whom, and what was found, no entry says.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from datetime import date, datetime, timedelta

from broker.audit.entries import GRACE, LogEntry, has_shape, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.trust import Trust
from broker.policy.legal_days import local_day
from broker.policy.purpose import SUBJECT_SEARCHES

_AHEAD = timedelta(minutes=10)
_SLACK = timedelta(seconds=1)
MEMBERS = {
    **dict.fromkeys(
        ("environment", "epoch", "key_id", "origin", "party", "purpose", "request_id", "scheme", "type"), "text"
    ),
    "match_keys": "number",
    "not_after": "time",
    "pseudonyms": "hex",
}


class SubjectSearches:
    """Checks `access` entries of searches, in the order of the log. Keeps numbers: questions of a party, purpose
    and epoch, and searches of a party, purpose and day."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies, keys: EpochKeys) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._keys = keys
        self._asks: Counter[tuple[str, str, str]] = Counter()
        self._requests: set[bytes] = set()
        self._days: Counter[tuple[str, str, date]] = Counter()

    def ask(self, entry: LogEntry) -> None:
        """An `ask`, permitted or not: one more for each party in it."""
        body, epoch = entry.body, entry.body["statement"].get("epoch")
        if isinstance(epoch, str):
            for party in {body["asker"], body["principal"], body["answerer"]} - {None}:
                self._asks[party, body["purpose"], epoch] += 1

    def entry(self, entry: LogEntry) -> None:
        """A search; its signature is checked apart."""
        body, statement = entry.body, entry.body["statement"]
        good = (
            statement.keys() == MEMBERS.keys()
            and all(has_shape(statement[name], shape) for name, shape in MEMBERS.items())
            and statement["type"] == "sluis/v1/subject-search"
        )
        if not good:
            self._find(Code.STATEMENT_FORM, entry)
            return
        here = (self._trust.origin, self._trust.environment)
        same = all(statement[name] == body[name] for name in ("party", "purpose", "epoch"))
        if (statement["origin"], statement["environment"]) != here or not same or body["exchange"] is not None:
            self._find(Code.STATEMENT_DIFFERS, entry)
        not_after = read_time(statement["not_after"])
        if not entry.at - GRACE - _SLACK <= not_after <= entry.at + _AHEAD + _SLACK:
            self._find(Code.STATEMENT_AGE, entry)
        asks = self._asks[body["party"], body["purpose"], body["epoch"]]
        if not asks and not self._takes_part(body["party"], body["purpose"]):
            self._find(Code.SUBJECT_SEARCH_PARTY, entry)
        if self._keys.known_key_id(body["purpose"], body["epoch"]) != statement["key_id"]:
            self._find(Code.SUBJECT_SEARCH_KEY, entry)
        mark = hashlib.sha256(f"{body['party']}\n{statement['request_id']}".encode()).digest()[:16]
        if body["searched"] + body["unsearched"] != asks or mark in self._requests:
            self._find(Code.SUBJECT_SEARCH, entry)
        self._requests.add(mark)
        self._days[body["party"], body["purpose"], local_day(entry.at)] += 1
        if self._days[body["party"], body["purpose"], local_day(entry.at)] > self._most(body["purpose"], entry.at):
            self._find(Code.SUBJECT_SEARCH_LIMIT, entry)

    def _most(self, purpose: str, at: datetime) -> float:
        """Searches of a party in a day, by the sets that may have held; a purpose that has ended keeps the usual."""
        sets = self._policies.around(at)
        known = [one.purposes.get(purpose) for one in sets if one is not None]
        if len(known) < len(sets) or not sets:
            return math.inf  # a set that is missing is a finding of its own
        return max((one.limits.subject_searches_per_day if one else None) or SUBJECT_SEARCHES for one in known)

    def _takes_part(self, party: str, purpose: str) -> bool:
        policies = self._policies.current
        if policies is None:
            return True  # a set that is missing is a finding of its own
        known = policies.purposes.get(purpose)
        return known is not None and party in {
            *known.asks,
            *known.answers,
            *(pair.principal for pair in known.on_behalf_of),
        }

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)
