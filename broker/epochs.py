"""Encryption keys and epoch manifests: what participants publish so that K can travel sealed. The broker opens none.

The client checks steward and recipients against the signed policy it verified itself; the checks here keep mistakes
out of the log, they are not what a participant relies on.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.asking import KEYED
from broker.canonical import canonical_json
from broker.epoch_keys import RETIRED, is_retired, manifest_of, newest_generation
from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.append import Sequencer
from broker.parties import Caller
from broker.policy.document import PolicySet
from broker.policy.evaluate import epoch_of
from broker.policy.legal_days import calendar_epoch, epoch_named, needed_until, overlap_end
from broker.policy.purpose import Purpose
from broker.ports import Clock, LogReader, Transaction
from broker.statements import (
    EpochManifest,
    KeyEnd,
    Scope,
    Signed,
    read_encryption_key,
    read_epoch,
    read_key_end,
    short_digest,
    signer_of,
)

MAX_ENVELOPE_BYTES = 4096

_CLOCKS_APART = timedelta(seconds=60)
"""How far a party's clock may be ahead when it says that a key's time is over."""


@dataclass(frozen=True)
class PublishedKey:
    """An encryption key as its owner published it."""

    party: str
    signed: Signed
    certificate: bytes


@dataclass(frozen=True)
class PublishedEpoch:
    """An epoch as its steward published it."""

    manifest: Signed
    certificate: bytes
    envelopes: Mapping[str, bytes]
    newest: str
    """The key to be used in this calendar epoch: another one, made or not, once this was retired."""
    registers: tuple[tuple[str, int], ...]
    """Name and version of the registers in force under this epoch, whoever their answerer is."""
    next: str
    """The key to be used in the epoch after this one; "" as long as none was made ahead."""


class Epochs:
    """Publishes and reads encryption keys and epochs."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        policies: Callable[[], PolicySet],
        scope: Scope,
        clock: Clock,
        receipt: Callable[[int], Receipt],
        modes: frozenset[str] = KEYED,
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._policies = policies
        self._scope = scope
        self._clock = clock
        self._receipt = receipt
        self._modes = modes

    def publish_key(self, caller: Caller, signed: Signed) -> Receipt:
        """Makes this the caller's encryption key. Idempotent. Raises SIGNATURE_WRONG, STATEMENT_INVALID, NOT_YOURS."""
        caller = signer_of(signed, caller)
        statement = read_encryption_key(signed, self._scope)
        if statement.party != caller.party:
            raise SluisError(Code.NOT_YOURS, "the statement names another party; publish your own key")
        record = _record(signed, caller)

        def work(tx: Transaction) -> int:
            digest = hashlib.sha256(signed.statement).hexdigest()
            known = tx.document("encryption-key-entry", f"{caller.party}/{digest}")
            if known is not None:
                return int(known)
            index = tx.append("key", _body("encryption-key", signed, caller))
            tx.put_document("encryption-key", caller.party, canonical_json(record))
            tx.put_document("encryption-key-known", f"{caller.party}/{short_digest(signed.statement)}", b"1")
            tx.put_document("encryption-key-entry", f"{caller.party}/{digest}", str(index).encode())
            return index

        return self._receipt(self._sequencer.submit(work).value)

    def keys(self, parties: tuple[str, ...]) -> tuple[PublishedKey, ...]:
        """The newest key of each party that has one."""
        found = []
        for party in parties:
            stored = self._reader.document("encryption-key", party)
            if stored is not None:
                record = json.loads(stored)
                found.append(PublishedKey(party, _signed(record), base64.b64decode(record["certificate"])))
        return tuple(found)

    def publish_epoch(self, caller: Caller, signed: Signed, envelopes: Mapping[str, bytes]) -> Receipt:
        """Publishes an epoch, or adds recipients to it under the same key id.

        Raises:
            SluisError: NOT_STEWARD, NOT_PARTICIPANT, ENCRYPTION_KEY_MISSING, DIGEST_WRONG, EPOCH_EXISTS,
                EPOCH_RETIRED, STATEMENT_INVALID, MODE_NOT_AVAILABLE, PURPOSE_UNKNOWN.
        """
        caller = signer_of(signed, caller)
        manifest = read_epoch(signed, self._scope)
        self._check_policy(caller, manifest)
        self._check_envelopes(manifest, envelopes)
        key = f"{manifest.purpose}/{manifest.epoch}"
        digest = hashlib.sha256(signed.statement).hexdigest()

        def work(tx: Transaction) -> int:
            known = tx.document("epoch-entry", f"{key}/{digest}")
            if known is not None:
                return int(known)
            self._check_policy(caller, manifest)  # again, under the set at this place in the log
            self._check_generation(tx, manifest)
            record = _record(signed, caller)
            sealed = {name: base64.b64encode(value).decode() for name, value in envelopes.items()}
            tx.put_document("epoch", key, canonical_json({**record, "envelopes": sealed}))
            index = tx.append("key", _body("epoch", signed, caller))
            tx.put_document("epoch-entry", f"{key}/{digest}", str(index).encode())
            return index

        return self._receipt(self._sequencer.submit(work).value)

    def end_key(self, caller: Caller, signed: Signed) -> Receipt:
        """Logs what a party says of a key's end; a retired key is refused from that entry on. Idempotent.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, NOT_YOURS, NOT_STEWARD, NOT_PARTICIPANT, PURPOSE_UNKNOWN,
                EPOCH_UNKNOWN, EPOCH_RETIRED, KEY_ID_WRONG, ENCRYPTION_KEY_MISSING.
        """
        caller = signer_of(signed, caller)
        end = read_key_end(signed, self._scope)
        if end.party != caller.party:
            raise SluisError(Code.NOT_YOURS, "the statement names another party; speak for your own keys")
        # whoever says it again says it at another moment: one entry for each key and party is enough
        name = f"{caller.party}/{end.what}/{end.purpose}/{end.epoch}/{end.key_id}"

        def work(tx: Transaction) -> int:
            known = tx.document("key-end", name)
            if known is not None:
                return int(known)
            self._check_end(tx, end)
            index = tx.append("key", _body("end", signed, caller))
            tx.put_document("key-end", name, str(index).encode())
            if end.what == "retired":
                tx.put_document(RETIRED, f"{end.purpose}/{end.epoch}", str(index).encode())
            return index

        return self._receipt(self._sequencer.submit(work).value)

    def _check_end(self, tx: Transaction, end: KeyEnd) -> None:
        if end.what == "encryption-key-destroyed":
            newest = tx.document("encryption-key", end.party)
            known = tx.document("encryption-key-known", f"{end.party}/{end.key_id}")
            if known is None or newest is None or short_digest(_signed(json.loads(newest)).statement) == end.key_id:
                raise SluisError(
                    Code.ENCRYPTION_KEY_MISSING, "this is no encryption key of yours that a newer one has replaced"
                )
            return
        purpose, epoch = str(end.purpose), str(end.epoch)
        manifest = manifest_of(tx, purpose, epoch, self._scope)
        if manifest is None:
            raise SluisError(Code.EPOCH_UNKNOWN, "this purpose has never had a key for that epoch")
        if manifest.key_id != end.key_id:
            raise SluisError(Code.KEY_ID_WRONG, "the key id is not that of the epoch")
        terms = self._policies().purposes.get(purpose)
        needed = needed_until(terms, epoch) if terms is not None else None
        if end.what == "destroyed" and needed is not None and needed > self._clock.now() + _CLOCKS_APART:
            raise SluisError(
                Code.STATEMENT_INVALID,
                f"this key is needed until {needed:%Y-%m-%dT%H:%M:%SZ}: until then a person may ask what was asked "
                "under it; keep it, or if it is gone say so then",
            )
        if end.what == "retired":
            if terms is None:
                raise SluisError(Code.PURPOSE_UNKNOWN, "no purpose of that name is in the policy set")
            self._demand_steward(end.party, terms)
            if is_retired(tx, purpose, epoch):
                raise SluisError(Code.EPOCH_RETIRED, "another party retired this key already; make the next one")
            if self._is_over(terms, manifest.valid_until):
                raise SluisError(
                    Code.STATEMENT_INVALID, "this epoch has ended: nothing is asked under its key any more"
                )

    def epoch(self, caller: Caller, purpose: str, epoch: str) -> PublishedEpoch:
        """The epoch of a purpose; "" means the newest key of the one in force now.

        Raises PURPOSE_UNKNOWN, also for a purpose the caller has no part in; EPOCH_UNKNOWN.
        """
        policies = self._policies()
        known = policies.purposes.get(purpose)
        if known is None or caller.party not in policies.participants(known):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you take part in no purpose of that name; see ListPurposes")
        now = self._clock.now()
        calendar = calendar_epoch(epoch) if epoch else epoch_of(known, now).name
        newest = newest_generation(self._reader, purpose, calendar)
        name = epoch or newest
        stored = self._reader.document("epoch", f"{purpose}/{name}")
        if stored is None:
            raise SluisError(
                Code.EPOCH_UNKNOWN,
                "this purpose has no key for this epoch yet; ask its steward to run `sluis-client keys create`",
            )
        record = json.loads(stored)
        envelopes = {name: base64.b64decode(value) for name, value in record["envelopes"].items()}
        registers = tuple(
            (register.name, register.version)
            for answerer in known.answers
            for register in self._reader.registers(answerer, purpose, name)
            if not register.withdrawn and register.manifest.expires_at > now
        )
        certificate = base64.b64decode(record["certificate"])
        after = self._made_ahead(purpose, calendar, known)
        return PublishedEpoch(_signed(record), certificate, envelopes, newest, registers, after)

    def _made_ahead(self, purpose: str, calendar: str, known: Purpose) -> str:
        window = epoch_named(known.pseudonyms.epoch, calendar)
        if window is None:
            return ""
        name = newest_generation(self._reader, purpose, epoch_of(known, window.valid_until).name)
        return name if self._reader.document("epoch", f"{purpose}/{name}") is not None else ""

    def drop_envelopes(self) -> int:
        """Drops the envelopes of epochs whose escrow is over, so that none opens them who finds an encryption key
        later. The manifests stay. Returns of how many epochs.

        Raises:
            SluisError: LOG_UNAVAILABLE, LOG_OUTCOME_UNKNOWN; then some may be left, for the next time.
        """
        now, purposes = self._clock.now(), self._policies().purposes
        over = []
        for key, stored in self._reader.documents("epoch"):
            purpose, _, epoch = key.partition("/")
            until = needed_until(purposes[purpose], epoch) if purpose in purposes else None
            if until is not None and until <= now and json.loads(stored)["envelopes"]:
                over.append(key)

        def work(tx: Transaction) -> None:
            for key in over:
                stored = tx.document("epoch", key)
                if stored is not None:
                    tx.put_document("epoch", key, canonical_json({**json.loads(stored), "envelopes": {}}))

        if over:
            self._sequencer.submit(work)
        return len(over)

    def _demand_steward(self, party: str, purpose: Purpose) -> None:
        stewards = purpose.pseudonyms.stewards
        if party not in stewards:
            instead = f", or in its place {', '.join(stewards[1:])}" if stewards[1:] else ""
            text = f"the steward of this purpose is {stewards[0]}{instead}: it makes and retires the key"
            raise SluisError(Code.NOT_STEWARD, text)

    def _is_over(self, purpose: Purpose, valid_until: datetime) -> bool:
        """Whether nothing can be asked any more under an epoch that ends then."""
        return overlap_end(valid_until, purpose.pseudonyms.overlap_days or 0) <= self._clock.now()

    def _check_generation(self, tx: Transaction, manifest: EpochManifest) -> None:
        """One key at a time: another one only once the one before it was retired, and under the next name."""
        purpose, epoch = manifest.purpose, manifest.epoch
        newest = newest_generation(tx, purpose, calendar_epoch(epoch))
        if is_retired(tx, purpose, epoch):
            raise SluisError(
                Code.EPOCH_RETIRED, f"the key of {epoch} was retired; the one in its place is that of {newest}"
            )
        if epoch != newest:
            raise SluisError(Code.STATEMENT_INVALID, f"the next key of this period is that of {newest}, not of {epoch}")
        known = manifest_of(tx, purpose, epoch, self._scope)
        if known is not None and known.key_id != manifest.key_id:
            raise SluisError(
                Code.EPOCH_EXISTS,
                "this purpose and epoch has its key already, and a second one is refused; add recipients under the "
                "same key id, or retire the key with `sluis-client keys rotate --now`",
            )

    def _check_policy(self, caller: Caller, manifest: EpochManifest) -> None:
        policies = self._policies()
        purpose = policies.purposes.get(manifest.purpose)
        if purpose is None:
            raise SluisError(Code.PURPOSE_UNKNOWN, "no purpose of that name is in the policy set; see ListPurposes")
        if caller.party != manifest.steward:
            raise SluisError(Code.NOT_STEWARD, "the manifest names another party as steward; sign as yourself")
        self._demand_steward(manifest.steward, purpose)
        if manifest.mode != purpose.pseudonyms.mode:
            raise SluisError(Code.STATEMENT_INVALID, f"the purpose is in mode {purpose.pseudonyms.mode}")
        if manifest.mode not in self._modes:
            raise SluisError(Code.MODE_NOT_AVAILABLE, "this broker serves mode keyed only: it has no key service")
        if not set(manifest.recipients) <= set(policies.participants(purpose)):
            raise SluisError(
                Code.NOT_PARTICIPANT, "a recipient takes no part in this purpose; name only those who ask and answer"
            )
        window = epoch_of(purpose, manifest.valid_from)
        if (window.name, window.valid_from, window.valid_until) != (
            calendar_epoch(manifest.epoch),
            manifest.valid_from,
            manifest.valid_until,
        ):
            raise SluisError(
                Code.STATEMENT_INVALID,
                f"valid_from and valid_until must be those of the {purpose.pseudonyms.epoch} in Europe/Amsterdam",
            )
        if self._is_over(purpose, manifest.valid_until):
            raise SluisError(Code.STATEMENT_INVALID, "this epoch has ended; make a key for the epoch in force")

    def _check_envelopes(self, manifest: EpochManifest, envelopes: Mapping[str, bytes]) -> None:
        if set(envelopes) != set(manifest.recipients):
            raise SluisError(Code.FIELD_INVALID, "envelopes: send one for each recipient of the manifest, and no other")
        known = {key.party: key for key in self.keys(tuple(manifest.recipients))}
        for party, recipient in manifest.recipients.items():
            key = known.get(party)
            if key is None or short_digest(key.signed.statement) != recipient.key:
                raise SluisError(
                    Code.ENCRYPTION_KEY_MISSING,
                    f"{party} has no encryption key, or a newer one than the envelope is for; read ListEncryptionKeys",
                )
            if short_digest(envelopes[party]) != recipient.envelope:
                raise SluisError(Code.DIGEST_WRONG, f"the envelope of {party} is not the one the manifest names")


def _record(signed: Signed, caller: Caller) -> dict[str, str]:
    return {
        "statement": base64.b64encode(signed.statement).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
        "certificate": base64.b64encode(caller.certificate).decode(),
    }


def _signed(record: Mapping[str, str]) -> Signed:
    return Signed(base64.b64decode(record["statement"]), base64.b64decode(record["signature"]))


def _body(action: str, signed: Signed, caller: Caller) -> dict[str, object]:
    return {
        "action": action,
        "party": caller.party,
        "statement": json.loads(signed.statement),
        "signature": base64.b64encode(signed.signature).decode(),
        "certificate": caller.fingerprint,
    }
