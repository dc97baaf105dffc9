"""Encryption keys and epochs in the log: who may publish them, for whom, and that one epoch has one key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.statement_forms import StatementForms, short_digest, statement_digest
from broker.policy.legal_days import epoch_of


class EpochKeys:
    """Checks `key` entries in the order of the log, and knows which key an epoch has."""

    def __init__(self, forms: StatementForms, findings: Findings, policies: Policies) -> None:
        self._forms = forms
        self._findings = findings
        self._policies = policies
        self._seen: set[str] = set()
        self._newest: dict[str, tuple[str, datetime]] = {}
        """Party -> its encryption key in force, by short digest, and since when."""
        self._before: dict[str, str] = {}
        self._key_ids: dict[tuple[str, str], str] = {}

    def key_id(self, purpose: str, epoch: str) -> str | None:
        """The key of an epoch, as its steward first published it; None as long as there is none."""
        return self._key_ids.get((purpose, epoch))

    def entry(self, entry: LogEntry) -> None:
        """A `key` entry: an encryption key, or an epoch and those who receive its key."""
        is_epoch = entry.body["action"] == "epoch"
        if not (self._forms.epoch(entry) if is_epoch else self._forms.encryption_key(entry)):
            return
        statement = entry.body["statement"]
        if statement["steward" if is_epoch else "party"] != entry.body["party"]:
            self._findings.add(Code.STATEMENT_DIFFERS, index=entry.index)
        digest = statement_digest(statement)
        if digest in self._seen:
            self._findings.add(Code.KEY_REPEATED, index=entry.index)
        self._seen.add(digest)
        if is_epoch:
            self._epoch(entry, statement)
            return
        party = statement["party"]
        if party in self._newest:
            self._before[party] = self._newest[party][0]
        self._newest[party] = (short_digest(statement), entry.at)

    def _epoch(self, entry: LogEntry, statement: dict[str, Any]) -> None:
        index, policies = entry.index, self._policies.current
        known = self._key_ids.setdefault((statement["purpose"], statement["epoch"]), statement["key_id"])
        if known != statement["key_id"]:
            self._findings.add(Code.KEY_SECOND, index=index)
        for party, recipient in statement["recipients"].items():
            if not self._is_key_of(party, recipient["key"], entry.at):
                self._findings.add(Code.KEY_ENCRYPTION, party, index=index)
        if policies is None:
            return
        purpose = policies.purposes.get(statement["purpose"])
        if purpose is None:
            self._findings.add(Code.KEY_TERMS, "the policy set has no such purpose", index=index)
            return
        if statement["steward"] != purpose.pseudonyms.steward:
            self._findings.add(Code.KEY_STEWARD, f"the steward is {purpose.pseudonyms.steward}", index=index)
        strangers = set(statement["recipients"]) - set(policies.participants(purpose))
        if strangers:
            self._findings.add(Code.KEY_RECIPIENTS, ", ".join(sorted(strangers)[:5]), index=index)
        window = epoch_of(purpose, read_time(statement["valid_from"]))
        stated = (statement["epoch"], read_time(statement["valid_from"]), read_time(statement["valid_until"]))
        if statement["mode"] != purpose.pseudonyms.mode or stated != (
            window.name,
            window.valid_from,
            window.valid_until,
        ):
            self._findings.add(Code.KEY_TERMS, "its mode or its period is not that of the purpose", index=index)
        if read_time(statement["valid_until"]) <= entry.at - GRACE:
            self._findings.add(Code.KEY_TERMS, "the epoch had ended", index=index)

    def _is_key_of(self, party: str, digest: str, at: datetime) -> bool:
        """Whether it is the party's newest encryption key, or was until a moment ago."""
        newest, since = self._newest.get(party, ("", at))
        return digest == newest or (at - since <= GRACE and digest == self._before.get(party))
