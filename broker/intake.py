"""What every statement of rectification goes through on its way in: whose it is, when, how often, and whether again."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.canonical import canonical_json
from broker.errors import Code, SluisError, field_error
from broker.exchange import Receipt
from broker.exchange_log.append import Sequencer
from broker.parties import Caller
from broker.policy.document import PolicySet, Purpose
from broker.policy.legal_days import day_of
from broker.ports import Clock, Entropy, LogReader, Transaction
from broker.questions import DEFAULT_VAULT_DAYS
from broker.statements import Scope, Signed

MAX_AHEAD = timedelta(minutes=10)
ENTRIES_PER_DAY = 20_000
"""Bound per party on entries of rectification, the notices of its corrections included: it protects the log."""


@dataclass(frozen=True)
class Intake:
    """The ports that rectification needs, and the checks that all its statements share."""

    sequencer: Sequencer
    reader: LogReader
    policies: Callable[[], PolicySet]
    scope: Scope
    clock: Clock
    entropy: Entropy
    receipt: Callable[[int], Receipt]

    def check_time(self, not_after: datetime) -> None:
        """Refuses a statement too old or dated ahead. Raises STATEMENT_EXPIRED, STATEMENT_INVALID."""
        left = not_after - self.clock.now()
        if left < timedelta(0):
            raise SluisError(Code.STATEMENT_EXPIRED, "the statement's not_after has passed; sign a new one")
        if left > MAX_AHEAD:
            raise SluisError(Code.STATEMENT_INVALID, "statement.not_after is more than 10 minutes ahead")

    def check_scheme(self, purpose: str, epoch: str, scheme: str, match_keys: int) -> None:
        """Refuses pseudonyms of a scheme that nothing under this purpose and epoch is known by. Raises FIELD_INVALID.

        What was published stays known by its scheme when the purpose has ended, or identifies by another since.
        """
        policies = self.policies()
        known = policies.purposes.get(purpose)
        published = {
            register.manifest.scheme
            for register in self.reader.all_registers()
            if (register.manifest.purpose, register.manifest.epoch) == (purpose, epoch)
        }
        allowed = published | set(known.identified_by if known is not None else ())
        if allowed and scheme not in allowed:
            text = f"is not one under which this purpose knows anybody; it has {', '.join(sorted(allowed))}"
            raise field_error(Code.FIELD_INVALID, "statement.scheme", text)
        identifier = policies.catalogue.identifiers.get(scheme)
        if identifier is not None and match_keys > identifier.match_keys:
            text = f"is more than this scheme has: {identifier.match_keys}"
            raise field_error(Code.FIELD_INVALID, "statement.match_keys", text)

    def demand_joinable(self, purpose: str, answerer: str = "") -> None:
        """Refuses to look for a record where questions are live; `answerer` "": where any of the purpose's may be.

        Better no answer than "not found": each live question has pseudonyms of its own. Raises POLICY_DENIES.
        """
        known = self.policies().purposes.get(purpose)
        if known is not None and known.answers_live and (not answerer or answerer in known.answers_live):
            raise SluisError(
                Code.POLICY_DENIES,
                "this purpose is answered live: pseudonyms of a live question are bound to it, so no record can be "
                "found or marked in others; look in your own files, and tell the other side directly",
            )

    def keep_until(self, purpose: str) -> datetime:
        """How long what is behind the commitments is kept: as long as the purpose's accountability data."""
        known = self.policies().purposes.get(purpose)
        days = known.vault_keep_days if known else DEFAULT_VAULT_DAYS
        return self.clock.now() + timedelta(days=days)

    def earlier(
        self, store: LogReader | Transaction, caller: Caller, request_id: str, signed: Signed
    ) -> dict[str, object] | None:
        """What this request came to before. Raises REQUEST_ID_REUSED for other bytes."""
        stored = store.document("rectification", f"{caller.party}.{request_id}")
        if stored is None:
            return None
        record: dict[str, object] = json.loads(stored)
        if record["digest"] != hashlib.sha256(signed.statement).hexdigest():
            raise SluisError(
                Code.REQUEST_ID_REUSED, "this request id was used for another statement; make a new UUID for each"
            )
        return record

    def remember(
        self, tx: Transaction, caller: Caller, request_id: str, signed: Signed, kept: Mapping[str, object]
    ) -> dict[str, object]:
        """Keeps what a request came to, for `earlier`."""
        record = {**kept, "digest": hashlib.sha256(signed.statement).hexdigest()}
        tx.put_document("rectification", f"{caller.party}.{request_id}", canonical_json(record))
        return record

    def bound(self, tx: Transaction, party: str, entries: int) -> None:
        """Counts entries that a party makes by rectifying, so that nobody fills the log. Raises TOO_MANY_STATEMENTS."""
        if tx.debit(f"rectification/{party}/{day_of(self.clock.now())}", entries) > ENTRIES_PER_DAY:
            raise SluisError(
                Code.TOO_MANY_STATEMENTS,
                f"your organisation has made {ENTRIES_PER_DAY} entries today by correcting, disputing and reporting; "
                "go on tomorrow",
            )


def answering_purpose(policies: PolicySet, caller: Caller, name: str) -> Purpose:
    """The purpose, when the caller answers it and it is in use. Raises PURPOSE_UNKNOWN, POLICY_DENIES."""
    purpose = policies.purposes.get(name)
    if purpose is None:
        raise SluisError(Code.PURPOSE_UNKNOWN, "no purpose of that name is in the policy set; see ListPurposes")
    if caller.party not in purpose.answers:
        raise SluisError(Code.POLICY_DENIES, "your organisation does not answer this purpose")
    if purpose.state not in {"active", "shadow"}:
        raise SluisError(Code.POLICY_DENIES, f"this purpose is {purpose.state}: nothing can be published for it")
    return purpose


def demand_own(stated: str, caller: Caller) -> None:
    """Refuses a statement of another party than the caller. Raises NOT_YOURS."""
    if stated != caller.party:
        raise SluisError(Code.NOT_YOURS, "the statement's party is not the one this connection belongs to")


def signed_members(signed: Signed, caller: Caller) -> dict[str, object]:
    """How a log entry holds a signed statement."""
    return {
        "statement": json.loads(signed.statement),
        "signature": base64.b64encode(signed.signature).decode(),
        "certificate": caller.fingerprint,
    }
