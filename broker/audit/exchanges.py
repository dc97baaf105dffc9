"""Asks in the log: against what was signed, against the registers and keys in force, and whole exchanges at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from broker.audit.counting import Counting
from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.findings import Code, Findings
from broker.audit.registers import Register, Registers
from broker.audit.releases import Ask, Releases
from broker.audit.standing import Standing
from broker.audit.statement_forms import StatementForms
from broker.policy.document import PolicySet
from broker.policy.legal_days import day_of

AHEAD = timedelta(minutes=10)
"""How far a statement's not_after may lie ahead of the decision (docs/formats.md section 2)."""
SLACK = timedelta(seconds=1)
MODES = (["keyed"], ["keyed", "oblivious"])
"""The modes that brokers of the engines known here can serve: the second with a key service."""
_ALIKE = ("decided_at", "certificate", "signature", "policy_set", "engine", "trace_id")
"""What all asks of one exchange have in common: one request, one clock reading, one set."""


@dataclass
class _Group:
    """The asks of one exchange while they are being read; they stand side by side in one batch."""

    key: tuple[str, str]
    statement: Mapping[str, Any]
    alike: tuple[Any, ...]
    day: tuple[str, str, str]
    last: int
    facts: Mapping[str, Any]
    decided_at: datetime
    permitted: bool = False
    answerers: list[str] = field(default_factory=list)


class Exchanges:
    """Checks `ask` entries in the order of the log."""

    def __init__(
        self,
        forms: StatementForms,
        findings: Findings,
        keys: EpochKeys,
        registers: Registers,
        releases: Releases,
        counting: Counting,
        standing: Standing,
    ) -> None:
        self._forms = forms
        self._findings = findings
        self._keys = keys
        self._registers = registers
        self._releases = releases
        self._counting = counting
        self._standing = standing
        self._group: _Group | None = None
        self._seen: set[bytes] = set()

    def ask(self, entry: LogEntry, policies: PolicySet | None) -> None:
        """An `ask` decided under `policies`: its statement, its place in the exchange, time, facts and counters."""
        body, statement = entry.body, entry.body["statement"]
        if not self._forms.ask(entry):
            return
        named = (body["asker"], body["principal"], body["purpose"], body["exchange"])
        signed = tuple(statement[name] for name in ("asker", "principal", "purpose", "request_id"))
        if named != signed or body["answerer"] not in statement["answerers"]:
            self._find(Code.STATEMENT_DIFFERS, entry)
        decided_at = read_time(body["decided_at"])
        not_after = read_time(statement["not_after"])
        in_time = decided_at - SLACK <= not_after <= decided_at + AHEAD + SLACK
        if not in_time or not is_fresh(entry, decided_at):
            self._find(Code.DECIDED_AT, entry)
        group = self._join(entry, statement, decided_at)
        live = _live_rules(policies, body)
        place = (body["answerer"], statement["purpose"], statement["epoch"], statement["scheme"])
        register = None if live is not None else self._registers.find(*place)
        self._check_facts(entry, statement, register)
        self._counting.check(entry, statement, group.day, decided_at)
        wrong = self._counting.probed.wrong(body["facts"], statement, decided_at, policies)
        if wrong:
            self._findings.add(Code.COUNTER_PROBING, wrong, index=entry.index)
        version = register.reference["version"] if register is not None else 0
        wrong = self._standing.wrong(body["facts"], statement, body["answerer"], decided_at, version)
        if wrong:
            self._findings.add(Code.STANDING, wrong, index=entry.index)
        if body["decision"].get("effect") != "permit":
            self._releases.denied(entry.index)
            return
        group.permitted = True
        self._standing.permitted(statement, body["answerer"], decided_at, policies)
        if self._keys.key_id(statement["purpose"], statement["epoch"]) != statement["key_id"]:
            self._find(Code.ASK_KEY, entry)
        if statement["want"]["count"]:
            self._counting.permitted(body["answerer"], statement, decided_at, policies)
        self._releases.asked(self._waiting(entry, statement, register, decided_at, live))

    def was_asked(self, asker: str, exchange: str) -> bool:
        """Whether the log has an ask of that exchange, permitted or denied."""
        return _mark((asker, exchange)) in self._seen

    def end_batch(self) -> None:
        """The asks of an exchange never straddle two batches."""
        group, self._group = self._group, None
        if group is None:
            return
        if group.permitted:
            self._counting.exchange(group.day)
            self._counting.probed.permitted(group.facts, group.statement, group.decided_at)
        if group.answerers != group.statement["answerers"]:
            self._findings.add(Code.ANSWERER_MISSING, index=group.last)

    def _join(self, entry: LogEntry, statement: Mapping[str, Any], decided_at: datetime) -> _Group:
        """The group of an ask; a new one ends the group before."""
        body = entry.body
        key = (body["asker"], body["exchange"])
        alike = tuple(body[name] for name in _ALIKE)
        group = self._group
        if group is None or group.key != key:
            self.end_batch()
            mark = _mark(key)
            if mark in self._seen:
                self._find(Code.REQUEST_ID_REUSED, entry)
            self._seen.add(mark)
            day = (body["asker"], body["purpose"], day_of(decided_at))
            group = _Group(key, statement, alike, day, entry.index, body["facts"], decided_at)
            self._group = group
        elif statement != group.statement:
            self._find(Code.REQUEST_ID_REUSED, entry)
        elif alike != group.alike:
            self._find(Code.EXCHANGE_DIFFERS, entry)
        group.answerers.append(body["answerer"])
        group.last = entry.index
        return group

    def _waiting(
        self,
        entry: LogEntry,
        statement: Mapping[str, Any],
        register: Register | None,
        decided_at: datetime,
        live: Mapping[str, Any] | None,
    ) -> Ask:
        body, want = entry.body, statement["want"]
        if live is not None:
            unanswerable = ""
        elif register is None:
            others = self._registers.any_of(body["answerer"], statement["purpose"], statement["epoch"])
            unanswerable = "NOT_COVERED" if others else "NO_REGISTER"
        elif not register.attributes.issuperset(want["attributes"]):
            unanswerable = "NOT_COVERED"
        else:
            unanswerable = "EXPIRED" if register.expires_at <= decided_at else ""
        return Ask(
            index=entry.index,
            batch=self._releases.batch,
            exchange=body["exchange"],
            asker=body["asker"],
            answerer=body["answerer"],
            purpose=body["purpose"],
            attributes=want["attributes"],
            reference=body["register"],
            register=register,
            key_id=statement["key_id"],
            subjects=statement["subjects"],
            counted=want["count"],
            unanswerable=unanswerable,
            decided_at=decided_at,
            statement=statement,
            live=live,
        )

    def _check_facts(self, entry: LogEntry, statement: Mapping[str, Any], register: Register | None) -> None:
        body, facts = entry.body, entry.body["facts"]
        if body["register"] != (None if register is None else register.reference):
            self._find(Code.REGISTER_DIFFERS, entry)
        if facts.get("modes_available") not in MODES:
            self._find(Code.FACTS_MODES, entry)
        fits = (
            facts.get("now") == body["decided_at"]
            and (facts.get("case_number") == "absent") is (statement["case_number"] is None)
            and facts.get("cooperation_ref") is (statement["cooperation_ref"] is not None)
            and facts.get("register") == (None if register is None else {"rules": register.rules})
        )
        if not fits:
            self._find(Code.FACTS, entry)

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)


def is_fresh(entry: LogEntry, decided_at: datetime) -> bool:
    """Whether a decision was taken before its entry, and not long before."""
    return decided_at <= entry.at <= decided_at + GRACE


def _live_rules(policies: PolicySet | None, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row rules for an answerer that answers live under the set that decided; None for one with registers."""
    purpose = policies.purposes.get(body["purpose"]) if policies is not None else None
    return purpose.register_rules() if purpose is not None and body["answerer"] in purpose.answers_live else None


def _mark(key: tuple[str, str]) -> bytes:
    return hashlib.sha256("\n".join(key).encode()).digest()[:16]
