"""Encryption keys and epochs in the log: who may publish them, for whom, and that one epoch has one key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.statement_forms import StatementForms, short_digest, statement_digest
from broker.policy.legal_days import calendar_epoch, epoch_of, needed_until, next_generation, overlap_end
from broker.policy.purpose import Purpose


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
        self._replaced: dict[str, set[str]] = {}
        """Party -> its encryption keys before the newest."""
        self._key_ids: dict[tuple[str, str], str] = {}
        self._retired: set[tuple[str, str]] = set()
        self._ended: set[tuple[str, str, str | None, str]] = set()

    def key_id(self, purpose: str, epoch: str) -> str | None:
        """The key that may be used for an epoch, as first published; None when there is none, or it was retired."""
        return None if (purpose, epoch) in self._retired else self._key_ids.get((purpose, epoch))

    def gives_nothing(self, purpose: Purpose, epoch: str) -> bool:
        """Whether the key of an epoch was retired, and services must evaluate no more under it.

        Where K alone leaked and the policy pins nothing for the key in its place, that one is used with the services'
        keys of the calendar epoch (docs/pseudonym-spec.md section 7.1).
        """
        newest = self._newest_generation(purpose.name, calendar_epoch(epoch))
        held_for = newest if newest in purpose.pseudonyms.public_keys else calendar_epoch(epoch)
        return (purpose.name, epoch) in self._retired and epoch != held_for

    def known_key_id(self, purpose: str, epoch: str) -> str | None:
        """As `key_id`, of a retired key too: its questions are still kept and can be searched."""
        return self._key_ids.get((purpose, epoch))

    def entry(self, entry: LogEntry) -> None:
        """A `key` entry: an encryption key, an epoch and those who receive its key, or the end of a key."""
        action = entry.body["action"]
        forms = {"epoch": self._forms.epoch, "end": self._forms.key_end}
        if not forms.get(action, self._forms.encryption_key)(entry):
            return
        statement = entry.body["statement"]
        if statement["steward" if action == "epoch" else "party"] != entry.body["party"]:
            self._findings.add(Code.STATEMENT_DIFFERS, index=entry.index)
        digest = statement_digest(statement)
        if digest in self._seen:
            self._findings.add(Code.KEY_REPEATED, index=entry.index)
        self._seen.add(digest)
        if action == "epoch":
            self._epoch(entry, statement)
            return
        if action == "end":
            self._end(entry, statement)
            return
        party = statement["party"]
        if party in self._newest:
            self._before[party] = self._newest[party][0]
            self._replaced.setdefault(party, set()).add(self._newest[party][0])
        self._newest[party] = (short_digest(statement), entry.at)

    def _epoch(self, entry: LogEntry, statement: dict[str, Any]) -> None:
        index, policies = entry.index, self._policies.current
        if statement["epoch"] != self._newest_generation(statement["purpose"], calendar_epoch(statement["epoch"])):
            self._findings.add(Code.KEY_TERMS, "it is not the next key of its period", index=index)
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
        self._check_steward(entry, statement["steward"], purpose)
        strangers = set(statement["recipients"]) - set(policies.participants(purpose))
        if strangers:
            self._findings.add(Code.KEY_RECIPIENTS, ", ".join(sorted(strangers)[:5]), index=index)
        window = epoch_of(purpose, read_time(statement["valid_from"]))
        stated = (
            calendar_epoch(statement["epoch"]),
            read_time(statement["valid_from"]),
            read_time(statement["valid_until"]),
        )
        if statement["mode"] != purpose.pseudonyms.mode or stated != (
            window.name,
            window.valid_from,
            window.valid_until,
        ):
            self._findings.add(Code.KEY_TERMS, "its mode or its period is not that of the purpose", index=index)
        if self._is_over(statement, purpose, entry):
            self._findings.add(Code.KEY_TERMS, "the epoch had ended", index=index)

    def _is_over(self, statement: dict[str, Any], purpose: Purpose, entry: LogEntry) -> bool:
        days = purpose.pseudonyms.overlap_days or 0
        return overlap_end(read_time(statement["valid_until"]), days) <= entry.at - GRACE

    def _end(self, entry: LogEntry, statement: dict[str, Any]) -> None:
        """A key was retired by a steward, once, or destroyed by one of those who held it, once each."""
        index, key_id = entry.index, statement["key_id"]
        said = (statement["party"], statement["what"], statement["epoch"], f"{statement['purpose']}/{key_id}")
        if said in self._ended:
            self._findings.add(Code.KEY_REPEATED, index=index)
        self._ended.add(said)
        if statement["what"] == "encryption-key-destroyed":
            if key_id not in self._replaced.get(statement["party"], ()):
                self._findings.add(Code.KEY_TERMS, "it is no encryption key that another has replaced", index=index)
            return
        epoch = (statement["purpose"], statement["epoch"])
        if self._key_ids.get(epoch) != key_id:
            self._findings.add(Code.KEY_TERMS, "it is not the key of that epoch", index=index)
        if statement["what"] != "retired":
            if self._is_early(epoch, entry.at):
                self._findings.add(Code.KEY_ESCROW, index=index)
            return
        if epoch in self._retired:
            self._findings.add(Code.KEY_REPEATED, index=index)
        self._retired.add(epoch)
        policies = self._policies.current
        purpose = policies.purposes.get(statement["purpose"]) if policies else None
        if purpose is not None:
            self._check_steward(entry, statement["party"], purpose)

    def _is_early(self, epoch: tuple[str, str], at: datetime) -> bool:
        """Whether every set that may have held says that the key is needed longer."""
        purposes = [one.purposes.get(epoch[0]) for one in self._policies.around(at) if one is not None]
        needed = [needed_until(purpose, epoch[1]) for purpose in purposes if purpose is not None]
        return bool(needed) and all(until is not None and until - GRACE > at for until in needed)

    def _newest_generation(self, purpose: str, calendar: str) -> str:
        name = calendar
        while (purpose, name) in self._retired:
            name = next_generation(name)
        return name

    def _check_steward(self, entry: LogEntry, party: str, purpose: Purpose) -> None:
        stewards = purpose.pseudonyms.stewards
        if party not in stewards:
            self._findings.add(Code.KEY_STEWARD, f"the steward is {' or '.join(stewards)}", index=entry.index)

    def _is_key_of(self, party: str, digest: str, at: datetime) -> bool:
        """Whether it is the party's newest encryption key, or was until a moment ago."""
        newest, since = self._newest.get(party, ("", at))
        return digest == newest or (at - since <= GRACE and digest == self._before.get(party))
