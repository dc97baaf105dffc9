"""Registers in the log: who may publish what, which version is in force, and what it can answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from broker.audit.entries import LogEntry, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.statement_forms import StatementForms, statement_digest

AHEAD = timedelta(days=1)
"""How far a register's as-of date may lie in the future."""
_OPEN_STATES = frozenset({"active", "shadow"})


@dataclass(frozen=True, slots=True)
class Register:
    """A version in force. `reference`: how asks and releases name it."""

    reference: Mapping[str, Any]
    rules: Mapping[str, Any]
    attributes: frozenset[str]
    key_id: str
    expires_at: datetime


class Registers:
    """Checks `register` entries in the order of the log."""

    def __init__(self, forms: StatementForms, findings: Findings, policies: Policies, keys: EpochKeys) -> None:
        self._forms = forms
        self._findings = findings
        self._policies = policies
        self._keys = keys
        self._in_force: dict[str, dict[str, Register]] = {}
        """answerer/purpose/epoch -> scheme -> register."""
        self._versions: dict[str, int] = {}
        self._withdrawn: dict[str, tuple[int, datetime]] = {}

    def entry(self, entry: LogEntry) -> None:
        """A `register` entry: what is in force from here on."""
        body = entry.body
        if body["action"] == "withdrawn":
            self._withdraw(entry, body["register"], body["version"])
            return
        if not self._forms.register(entry):
            return
        statement, name, version = body["statement"], body["register"], body["version"]
        of = "/".join((statement["answerer"], statement["purpose"], statement["epoch"]))
        signed = (statement["answerer"], statement["version"], f"{of}/{statement['scheme']}")
        if signed != (body["party"], version, name):
            self._findings.add(Code.STATEMENT_DIFFERS, index=entry.index)
        if version <= self._versions.get(name, 0):
            self._findings.add(Code.REGISTER_ORDER, index=entry.index)
        self._versions[name] = version
        self._check_terms(entry, statement)
        if self._keys.key_id(statement["purpose"], statement["epoch"]) != statement["key_id"]:
            self._findings.add(Code.REGISTER_KEY, index=entry.index)
        self._in_force.setdefault(of, {})[statement["scheme"]] = Register(
            {"name": name, "version": version, "manifest": statement_digest(statement)},
            statement["rules"],
            frozenset(statement["attributes"]),
            statement["key_id"],
            read_time(statement["expires_at"]),
        )

    def find(self, answerer: str, purpose: str, epoch: str, scheme: str) -> Register | None:
        """The version in force, expired or not; None when there is none or it was withdrawn."""
        schemes = self._in_force.get(f"{answerer}/{purpose}/{epoch}")
        return schemes.get(scheme) if schemes else None

    def any_of(self, answerer: str, purpose: str, epoch: str) -> bool:
        """Whether the answerer has a register in force under the purpose and epoch, by whichever scheme."""
        return bool(self._in_force.get(f"{answerer}/{purpose}/{epoch}"))

    def withdrawn_at(self, reference: Mapping[str, Any]) -> datetime | None:
        """When that very version was withdrawn; None when it was not."""
        version, at = self._withdrawn.get(reference["name"], (0, None))
        return at if version == reference["version"] else None

    def _withdraw(self, entry: LogEntry, name: str, version: int) -> None:
        of, _, scheme = name.rpartition("/")
        schemes = self._in_force.get(of, {})
        known = schemes.pop(scheme, None)
        if known is None or known.reference["version"] != version or not name.startswith(f"{entry.body['party']}/"):
            self._findings.add(Code.REGISTER_ORDER, index=entry.index)
        self._withdrawn[name] = (version, entry.at)

    def _check_terms(self, entry: LogEntry, statement: Mapping[str, Any]) -> None:
        """Whether the purpose, as the set in force has it, lets this party publish this."""
        policies = self._policies.current
        if policies is None:
            return
        purpose = policies.purposes.get(statement["purpose"])
        if purpose is None or statement["answerer"] not in purpose.answers:
            self._findings.add(Code.REGISTER_PARTY, index=entry.index)
            return
        identifier = policies.catalogue.identifiers.get(statement["scheme"])
        wrong = ""
        if purpose.state not in _OPEN_STATES:
            wrong = f"the purpose is {purpose.state}"
        elif identifier is None or statement["scheme"] not in purpose.identified_by:
            wrong = "its scheme is none of the purpose's"
        elif statement["match_keys"] != identifier.match_keys:
            wrong = "it has another number of match keys than its scheme"
        elif not set(statement["attributes"]) <= set(purpose.may_learn.attributes):
            wrong = "it holds attributes that the purpose does not name"
        elif not set(statement["rules"]) <= set(purpose.register_rules()):
            wrong = "it states row rules that the purpose does not ask"
        elif read_time(statement["as_of"]) > entry.at + AHEAD:
            wrong = "its as-of date lies in the future"
        if wrong:
            self._findings.add(Code.REGISTER_TERMS, wrong, index=entry.index)
