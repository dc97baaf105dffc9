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

from broker.asking import KEYED
from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.append import Sequencer
from broker.parties import Caller
from broker.policy.document import PolicySet
from broker.policy.evaluate import epoch_of
from broker.ports import Clock, LogReader, Transaction
from broker.statements import (
    EpochManifest,
    Scope,
    Signed,
    read_encryption_key,
    read_epoch,
    short_digest,
    verify_signature,
)

MAX_ENVELOPE_BYTES = 4096


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
        verify_signature(signed, caller.certificate)
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
                EPOCH_UNKNOWN, MODE_NOT_AVAILABLE, PURPOSE_UNKNOWN.
        """
        verify_signature(signed, caller.certificate)
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
            stored = tx.document("epoch", key)
            if stored is not None:
                earlier = json.loads(stored)
                if read_epoch(_signed(earlier), self._scope).key_id != manifest.key_id:
                    raise SluisError(
                        Code.EPOCH_EXISTS,
                        "this purpose and epoch has its key already, and a second one is refused; add recipients under "
                        "the same key id",
                    )
            record = _record(signed, caller)
            sealed = {name: base64.b64encode(value).decode() for name, value in envelopes.items()}
            tx.put_document("epoch", key, canonical_json({**record, "envelopes": sealed}))
            index = tx.append("key", _body("epoch", signed, caller))
            tx.put_document("epoch-entry", f"{key}/{digest}", str(index).encode())
            return index

        return self._receipt(self._sequencer.submit(work).value)

    def epoch(self, caller: Caller, purpose: str, epoch: str) -> PublishedEpoch:
        """The epoch of a purpose; "" means the one in force now.

        Raises PURPOSE_UNKNOWN, also for a purpose the caller has no part in; EPOCH_UNKNOWN.
        """
        policies = self._policies()
        known = policies.purposes.get(purpose)
        if known is None or caller.party not in policies.participants(known):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you take part in no purpose of that name; see ListPurposes")
        name = epoch or epoch_of(known, self._clock.now()).name
        stored = self._reader.document("epoch", f"{purpose}/{name}")
        if stored is None:
            raise SluisError(
                Code.EPOCH_UNKNOWN,
                "this purpose has no key for this epoch yet; ask its steward to run `sluis-client keys create`",
            )
        record = json.loads(stored)
        envelopes = {name: base64.b64decode(value) for name, value in record["envelopes"].items()}
        return PublishedEpoch(_signed(record), base64.b64decode(record["certificate"]), envelopes)

    def _check_policy(self, caller: Caller, manifest: EpochManifest) -> None:
        policies = self._policies()
        purpose = policies.purposes.get(manifest.purpose)
        if purpose is None:
            raise SluisError(Code.PURPOSE_UNKNOWN, "no purpose of that name is in the policy set; see ListPurposes")
        if not caller.party == manifest.steward == purpose.pseudonyms.steward:
            raise SluisError(
                Code.NOT_STEWARD, f"the steward of this purpose is {purpose.pseudonyms.steward}; it makes the key"
            )
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
            manifest.epoch,
            manifest.valid_from,
            manifest.valid_until,
        ):
            raise SluisError(
                Code.STATEMENT_INVALID,
                f"valid_from and valid_until must be those of the {purpose.pseudonyms.epoch} in Europe/Amsterdam",
            )
        if manifest.valid_until <= self._clock.now():
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
