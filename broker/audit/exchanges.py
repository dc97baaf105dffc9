"""Exchanges in the log: asks against what was signed, registers in force, releases against asks, counters recounted."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker.audit.callers import statement_digest
from broker.audit.entries import GRACE, LogEntry, has_shape, read_time
from broker.audit.findings import Code, Findings
from broker.audit.trust import Trust
from broker.policy.legal_days import day_of

AHEAD = timedelta(minutes=10)
"""How far a statement's not_after may lie ahead of the decision (docs/formats.md section 2)."""
SLACK = timedelta(seconds=1)

_ASK = {
    "answerers": "texts",
    "asker": "text",
    "case_number": "hex?",
    "cooperation_ref": "hex?",
    "environment": "text",
    "epoch": "text",
    "key_id": "text",
    "match_keys": "number",
    "not_after": "time",
    "origin": "text",
    "principal": "text?",
    "purpose": "text",
    "request_id": "text",
    "scheme": "text",
    "subjects": "number",
    "tokens": "hex",
    "type": "text",
    "want": "map",
}
_WANT = {"attributes": "texts", "count": "flag", "hit": "flag"}
_REGISTER = {
    "answerer": "text",
    "as_of": "time",
    "attributes": "texts",
    "coverage": "text",
    "digest": "hex",
    "environment": "text",
    "epoch": "text",
    "expires_at": "time",
    "key_id": "text",
    "match_keys": "number",
    "origin": "text",
    "purpose": "text",
    "rows": "number",
    "rules": "map",
    "scheme": "text",
    "type": "text",
    "version": "number",
}
_ENCRYPTION_KEY = dict.fromkeys(("created_at", "environment", "kem", "origin", "party", "public_key", "type"), "text")
_EPOCH = {
    **dict.fromkeys(("created_at", "valid_from", "valid_until"), "time"),
    **dict.fromkeys(("environment", "epoch", "key_id", "mode", "origin", "purpose", "steward", "type"), "text"),
    "recipients": "map",
}
_SHORT_DIGEST = re.compile(r"[0-9a-f]{32}")
_STATUSES = {
    "authorised": {"ANSWERED"},
    "withheld": {"NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD"},
    "failed": {"FAILED"},
    "unknown": {"UNKNOWN"},
}


@dataclass(frozen=True)
class _Ask:
    """A permitted ask that waits for its release."""

    exchange: str
    asker: str
    answerer: str
    purpose: str
    attributes: list[str]
    register: Mapping[str, Any] | None


@dataclass
class _Group:
    """The asks of one exchange while they are being read; they stand side by side in one batch."""

    key: tuple[str, str]
    statement: Mapping[str, Any]
    counter: tuple[str, str, str]
    permitted: bool = False
    answerers: list[str] = field(default_factory=list)


class Exchanges:
    """Checks `ask`, `release`, `register` and `key` entries in the order of the log."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._findings = findings
        self._group: _Group | None = None
        self._seen: set[bytes] = set()
        self._waiting: dict[int, _Ask] = {}
        self._denied: set[int] = set()
        self._released: set[int] = set()
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._registers: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]] | None] = {}
        self._versions: dict[str, int] = {}

    @property
    def open_asks(self) -> int:
        """Permitted asks without a release so far."""
        return len(self._waiting)

    def waiting(self, ask_index: object) -> tuple[str, str] | None:
        """Purpose and asker of a permitted ask that waits for its release."""
        ask = self._waiting.get(ask_index) if isinstance(ask_index, int) else None
        return (ask.purpose, ask.asker) if ask else None

    def ask(self, entry: LogEntry) -> None:
        """An `ask`: its statement, its place in the exchange, its time, its facts and its counters."""
        body, statement = entry.body, entry.body["statement"]
        if not self._form(entry, statement, "sluis/v1/ask", _ASK):
            return
        want = statement["want"]
        if set(want) != set(_WANT) or not all(has_shape(want[name], shape) for name, shape in _WANT.items()):
            self._find(Code.STATEMENT_FORM, entry)
            return
        named = (body["asker"], body["principal"], body["purpose"], body["exchange"])
        signed = tuple(statement[name] for name in ("asker", "principal", "purpose", "request_id"))
        if named != signed or body["answerer"] not in statement["answerers"]:
            self._find(Code.STATEMENT_DIFFERS, entry)
        decided_at = read_time(body["decided_at"])
        self._check_decided_at(entry, decided_at)
        not_after = read_time(statement["not_after"])
        if not decided_at - SLACK <= not_after <= decided_at + AHEAD + SLACK:
            self._find(Code.DECIDED_AT, entry)
        permitted = body["decision"].get("effect") == "permit"
        group = self._join(entry, statement, decided_at)
        self._check_facts(entry, statement, group)
        group.permitted |= permitted
        if permitted and want["count"]:
            self._counts[_count_key(statement, body["answerer"])] += 1
        if permitted:
            self._waiting[entry.index] = _Ask(
                body["exchange"], body["asker"], body["answerer"], body["purpose"], want["attributes"], body["register"]
            )
        else:
            self._denied.add(entry.index)

    def evaluation(self, entry: LogEntry) -> None:
        """A dry run: only its time can be checked."""
        self._check_decided_at(entry, read_time(entry.body["decided_at"]))

    def release(self, entry: LogEntry) -> None:
        """A `release`: one for one permitted ask before it, and fitting in itself."""
        body = entry.body
        ask_index = body["ask_index"]
        ask = self._waiting.get(ask_index)
        if ask is None:
            code = Code.RELEASE_UNASKED
            if ask_index in self._released:
                code = Code.RELEASE_TWICE
            elif ask_index in self._denied:
                code = Code.RELEASE_DENIED
            self._find(code, entry)
            return
        if (ask.exchange, ask.asker, ask.answerer) != (body["exchange"], body["asker"], body["answerer"]):
            self._find(Code.RELEASE_UNASKED, entry)
            return
        del self._waiting[ask_index]
        self._released.add(ask_index)
        recovered = body["outcome"] == "unknown"
        answered = body["status"] == "ANSWERED"
        fits = (
            body["status"] in _STATUSES.get(body["outcome"], set())
            and body["attributes"] == (ask.attributes if answered else [])
            and (body["result"] is None) == recovered
            and body["register"] == (None if recovered else ask.register)
            and (ask.register is not None or not answered)
        )
        if not fits:
            self._find(Code.RELEASE_OUTCOME, entry)

    def register(self, entry: LogEntry) -> None:
        """A `register` entry: what is in force from here on."""
        body = entry.body
        name, version = body["register"], body["version"]
        if body["action"] == "withdrawn":
            in_force = self._registers.get(name)
            if in_force is None or in_force[0]["version"] != version or not name.startswith(f"{body['party']}/"):
                self._find(Code.REGISTER_ORDER, entry)
            self._registers[name] = None
            return
        statement = body["statement"]
        if not self._form(entry, statement, "sluis/v1/register", _REGISTER):
            return
        signed = "/".join(statement[part] for part in ("answerer", "purpose", "epoch", "scheme"))
        if (statement["answerer"], statement["version"], signed) != (body["party"], version, name):
            self._find(Code.STATEMENT_DIFFERS, entry)
        if version <= self._versions.get(name, 0):
            self._find(Code.REGISTER_ORDER, entry)
        self._versions[name] = version
        reference = {"name": name, "version": version, "manifest": statement_digest(statement)}
        self._registers[name] = (reference, statement["rules"])

    def key(self, entry: LogEntry) -> None:
        """A `key` entry: an encryption key, or an epoch and those who receive its key."""
        body, statement = entry.body, entry.body["statement"]
        if body["action"] == "encryption-key":
            if self._form(entry, statement, "sluis/v1/encryption-key", _ENCRYPTION_KEY):
                self._same(entry, statement["party"], body["party"])
            return
        if not self._form(entry, statement, "sluis/v1/epoch", _EPOCH):
            return
        self._same(entry, statement["steward"], body["party"])
        if not statement["recipients"] or not all(map(_is_recipient, statement["recipients"].values())):
            self._find(Code.STATEMENT_FORM, entry)

    def end_batch(self) -> None:
        """The asks of an exchange never straddle two batches."""
        group, self._group = self._group, None
        if group is None:
            return
        if group.permitted:
            self._requests[group.counter] += 1
        if group.answerers != group.statement["answerers"]:
            self._findings.add(Code.ANSWERER_MISSING)

    def _join(self, entry: LogEntry, statement: Mapping[str, Any], decided_at: datetime) -> _Group:
        """The group of an ask; a new one ends the group before."""
        body = entry.body
        key = (body["asker"], body["exchange"])
        group = self._group
        if group is None or group.key != key:
            self.end_batch()
            mark = hashlib.sha256("\n".join(key).encode()).digest()[:16]
            if mark in self._seen:
                self._find(Code.REQUEST_ID_REUSED, entry)
            self._seen.add(mark)
            group = _Group(key, statement, (body["asker"], body["purpose"], day_of(decided_at)))
            self._group = group
        elif statement != group.statement:
            self._find(Code.REQUEST_ID_REUSED, entry)
        group.answerers.append(body["answerer"])
        return group

    def _check_decided_at(self, entry: LogEntry, decided_at: datetime) -> None:
        if not decided_at <= entry.at <= decided_at + GRACE:
            self._find(Code.DECIDED_AT, entry)

    def _check_facts(self, entry: LogEntry, statement: Mapping[str, Any], group: _Group) -> None:
        body, facts = entry.body, entry.body["facts"]
        if facts.get("requests_today") != self._requests[group.counter]:
            self._find(Code.COUNTER_REQUESTS, entry)
        counts = self._counts[_count_key(statement, body["answerer"])] if statement["want"]["count"] else 0
        if facts.get("counts_this_epoch") != counts:
            self._find(Code.COUNTER_COUNTS, entry)
        name = "/".join((body["answerer"], statement["purpose"], statement["epoch"], statement["scheme"]))
        in_force = self._registers.get(name)
        if body["register"] != (None if in_force is None else in_force[0]):
            self._find(Code.REGISTER_DIFFERS, entry)
        fits = (
            facts.get("now") == body["decided_at"]
            and (facts.get("case_number") == "absent") is (statement["case_number"] is None)
            and facts.get("cooperation_ref") is (statement["cooperation_ref"] is not None)
            and facts.get("register") == (None if in_force is None else {"rules": in_force[1]})
        )
        if not fits:
            self._find(Code.FACTS, entry)

    def _form(self, entry: LogEntry, statement: Mapping[str, Any], kind: str, members: Mapping[str, str]) -> bool:
        """Whether a statement has its members; its type, origin and environment are checked too."""
        good = statement.keys() == members.keys() and all(
            has_shape(statement[name], shape) for name, shape in members.items()
        )
        if not good or statement["type"] != kind:
            self._find(Code.STATEMENT_FORM, entry)
            return False
        if (statement["origin"], statement["environment"]) != (self._trust.origin, self._trust.environment):
            self._find(Code.STATEMENT_DIFFERS, entry)
        return True

    def _same(self, entry: LogEntry, signed: object, stated: object) -> None:
        if signed != stated:
            self._find(Code.STATEMENT_DIFFERS, entry)

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)


def _is_recipient(value: object) -> bool:
    """Which encryption key an envelope is for, and which envelope (docs/formats.md section 5)."""
    return (
        isinstance(value, dict)
        and value.keys() == {"envelope", "key"}
        and all(isinstance(digest, str) and _SHORT_DIGEST.fullmatch(digest) for digest in value.values())
    )


def _count_key(statement: Mapping[str, Any], answerer: str) -> tuple[str, str, str, str]:
    return statement["asker"], answerer, statement["purpose"], statement["epoch"]
