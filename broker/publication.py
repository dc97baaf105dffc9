"""Registers from begin to withdrawal: begin, append, seal (build, log, swap), withdraw, sweep.

The version in force answers until the new one is complete and its entry is in the log; the swap and the entry are one
commit. An abandoned upload changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from broker.canonical import canonical_json
from broker.epoch_keys import demand_key
from broker.errors import Code, SluisError, field_error
from broker.exchange import (
    SEAL_OVERHEAD,
    Receipt,
    RegisterChunk,
    RegisterManifest,
    RegisterVersion,
    UploadSpec,
    register_name,
)
from broker.exchange_log.append import Sequencer
from broker.intake import answering_purpose
from broker.parties import Caller
from broker.policy.document import PolicySet
from broker.ports import Clock, LogReader, Transaction
from broker.register_ports import RegisterStore
from broker.statements import Scope, Signed, read_register_manifest, signer_of

UPLOAD_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class BeginUpload:
    """What an answerer says it will upload."""

    request_id: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Upload:
    """An upload as stored."""

    spec: UploadSpec
    party: str
    begun: BeginUpload
    begun_at: str
    """ISO time; an upload that is not sealed within `UPLOAD_KEPT` is dropped."""
    sealed: str = ""
    """Hex SHA-256 of the manifest statement once sealed."""
    entry: int = -1


class Publication:
    """Publishes and withdraws registers. One at a time builds and swaps; uploads run side by side."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        registers: RegisterStore,
        policies: Callable[[], PolicySet],
        scope: Scope,
        clock: Clock,
        receipt: Callable[[int], Receipt],
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._registers = registers
        self._policies = policies
        self._scope = scope
        self._clock = clock
        self._receipt = receipt
        self._swap = threading.Lock()

    def begin(self, caller: Caller, begun: BeginUpload) -> tuple[Upload, int]:
        """Opens an upload or finds the one this request id opened; returns it with its committed rows.

        Raises:
            SluisError: PURPOSE_UNKNOWN, POLICY_DENIES, FIELD_INVALID, EPOCH_UNKNOWN, KEY_ID_WRONG, REQUEST_ID_REUSED.
        """
        policies = self._policies()
        widths = self._check_begin(caller, begun, policies)
        key = f"{caller.party}.{begun.request_id}"
        name = register_name(caller.party, begun.purpose, begun.epoch, begun.scheme)

        def work(tx: Transaction) -> Upload:
            stored = tx.document("upload", key)
            if stored is not None:
                earlier = _load_upload(stored)
                if earlier.begun != begun:
                    raise SluisError(
                        Code.REQUEST_ID_REUSED, "this request id opened another upload; make a new UUID per upload"
                    )
                return earlier
            demand_key(tx, begun.purpose, begun.epoch, begun.key_id, self._scope)
            spec = UploadSpec(key, name, tx.next_version(name), begun.match_keys, begun.attributes, widths)
            upload = Upload(spec, caller.party, begun, self._clock.now().isoformat())
            tx.put_document("upload", key, _dump_upload(upload))
            return upload

        upload = self._sequencer.submit(work).value
        if upload.sealed:
            return upload, 0
        self._registers.begin(upload.spec)
        return upload, self._registers.committed(key)

    def append(self, upload: Upload, offset: int, chunk: RegisterChunk) -> int:
        """Adds rows; durable on return. Returns the committed rows. Raises UPLOAD_SEALED, OFFSET_WRONG."""
        if upload.sealed:
            raise SluisError(Code.UPLOAD_SEALED, "this upload is sealed; begin a new one to replace the register")
        return self._registers.append(upload.spec.upload, offset, chunk)

    def upload(self, caller: Caller, key: str) -> Upload:
        """One of the caller's own uploads. Raises NOT_FOUND."""
        stored = self._reader.document("upload", key)
        upload = _load_upload(stored) if stored is not None else None
        if upload is None or upload.party != caller.party:
            raise SluisError(Code.NOT_FOUND, "you have no upload of that name; begin one with BeginRegister")
        return upload

    def committed(self, upload: Upload) -> int:
        """Durable rows of an upload; what was declared once it is sealed."""
        if upload.sealed:
            return self._as_published(upload).manifest.rows
        return self._registers.committed(upload.spec.upload)

    def seal(self, caller: Caller, key: str, signed: Signed) -> tuple[RegisterVersion, Receipt]:
        """Checks the manifest against what was uploaded, builds, logs and swaps. Idempotent for the same bytes.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, COUNT_WRONG, DIGEST_WRONG, TOO_MANY_PER_PSEUDONYM,
                UPLOAD_SEALED, POLICY_DENIES; then the version in force still answers.
        """
        caller = signer_of(signed, caller)
        manifest = read_register_manifest(signed, self._scope)
        digest = hashlib.sha256(signed.statement).hexdigest()
        with self._swap:
            upload = self.upload(caller, key)
            if upload.sealed:
                return self._sealed_before(upload, digest)
            now = self._clock.now()
            policies = self._policies()
            if self._check_begin(caller, upload.begun, policies) != upload.spec.widths:
                raise SluisError(Code.POLICY_DENIES, "the policy changed an attribute's width; begin a new upload")
            self._check_manifest(upload, manifest, policies, now)
            identifier = policies.catalogue.identifiers[manifest.scheme]
            self._registers.build(
                key,
                rows=manifest.rows,
                digest=manifest.digest,
                rows_per_pseudonym=identifier.rows_per_pseudonym,
            )
            version = RegisterVersion(upload.spec.register, upload.spec.version, manifest, now)
            index = self._publish(caller, upload, version, digest)
            self._sweep_locked(now)
        return version, self._receipt(index)

    def withdraw(self, caller: Caller, name: str, request_id: str) -> Receipt:
        """Takes the version in force out of service at once, logged. Idempotent by `request_id`: a repeat never
        withdraws a version published since. Raises NOT_FOUND, REQUEST_ID_REUSED.
        """
        key = f"{caller.party}.{request_id}"

        def work(tx: Transaction) -> int:
            stored = tx.document("withdrawal", key)
            if stored is not None:
                done = json.loads(stored)
                if done["register"] != name:
                    raise SluisError(
                        Code.REQUEST_ID_REUSED, "this request id withdrew another register; make a new one"
                    )
                return int(done["entry"])
            register = tx.register(name)
            if register is None or register.withdrawn or register.manifest.answerer != caller.party:
                raise SluisError(Code.NOT_FOUND, "you have no register of that name in force; see ListRegisters")
            tx.withdraw(name)
            body = {"action": "withdrawn", "party": caller.party, "register": name, "version": register.version}
            index = tx.append("register", body)
            tx.put_document("withdrawal", key, canonical_json({"register": name, "entry": index}))
            return index

        index = self._sequencer.submit(work).value
        with self._swap:
            self._sweep_locked(self._clock.now())
        return self._receipt(index)

    def sweep(self) -> tuple[tuple[str, int], ...]:
        """Drops what expired, was replaced or withdrawn, and uploads left unsealed; returns the versions dropped."""
        now = self._clock.now()
        with self._swap:
            for key, stored in self._reader.documents("upload"):
                upload = _load_upload(stored)
                if not upload.sealed and datetime.fromisoformat(upload.begun_at) < now - UPLOAD_KEPT:
                    self._registers.discard(key)
            return self._sweep_locked(now)

    def _sweep_locked(self, now: datetime) -> tuple[tuple[str, int], ...]:
        keep = [
            (register.name, register.version)
            for register in self._reader.all_registers()
            if not register.withdrawn and register.manifest.expires_at > now
        ]
        return self._registers.sweep(keep)

    def _publish(self, caller: Caller, upload: Upload, version: RegisterVersion, digest: str) -> int:
        manifest = version.manifest
        record = {
            "certificate": base64.b64encode(caller.certificate).decode(),
            "statement": base64.b64encode(manifest.raw).decode(),
            "signature": base64.b64encode(manifest.signature).decode(),
            "published_at": version.published_at.isoformat(),
        }

        def work(tx: Transaction) -> int:
            answering_purpose(self._policies(), caller, manifest.purpose)  # the set may have changed during the build
            demand_key(tx, manifest.purpose, manifest.epoch, manifest.key_id, self._scope)  # and a key may be retired
            current = tx.register(version.name)
            if current is not None and current.version > version.version:
                raise SluisError(
                    Code.REGISTER_CHANGED,
                    "a newer version was published after this upload was begun; begin a new upload, an older version "
                    "never comes back in force",
                )
            tx.publish(version, expect=current.version if current else None)
            body = {
                "action": "published",
                "party": caller.party,
                "register": version.name,
                "version": version.version,
                "statement": json.loads(manifest.raw),
                "signature": record["signature"],
                "certificate": caller.fingerprint,
            }
            index = tx.append("register", body)
            sealed = replace(upload, sealed=digest, entry=index)
            tx.put_document("upload", upload.spec.upload, _dump_upload(sealed))
            tx.put_document("register-manifest", f"{version.name}/{version.version}", canonical_json(record))
            return index

        return self._sequencer.submit(work).value

    def _sealed_before(self, upload: Upload, digest: str) -> tuple[RegisterVersion, Receipt]:
        if upload.sealed != digest:
            raise SluisError(Code.UPLOAD_SEALED, "this upload was sealed with another manifest; begin a new upload")
        return self._as_published(upload), self._receipt(upload.entry)

    def certificate_of(self, register: RegisterVersion) -> bytes:
        """The certificate (DER) whose key signed a version's manifest; empty for one from before these were kept."""
        stored = self._reader.document("register-manifest", f"{register.name}/{register.version}")
        return base64.b64decode(json.loads(stored).get("certificate", "")) if stored is not None else b""

    def _as_published(self, upload: Upload) -> RegisterVersion:
        """The version that a sealed upload became, also when another has replaced it."""
        current = self._reader.register(upload.spec.register)
        if current is not None and current.version == upload.spec.version:
            return current
        stored = self._reader.document("register-manifest", f"{upload.spec.register}/{upload.spec.version}")
        if stored is None:
            raise SluisError(Code.STORE_CORRUPT, "the manifest of a sealed upload is gone; run `sluis doctor`")
        record = json.loads(stored)
        signed = Signed(base64.b64decode(record["statement"]), base64.b64decode(record["signature"]))
        manifest = read_register_manifest(signed, self._scope)
        published_at = datetime.fromisoformat(record["published_at"])
        return RegisterVersion(upload.spec.register, upload.spec.version, manifest, published_at)

    def _check_begin(self, caller: Caller, begun: BeginUpload, policies: PolicySet) -> tuple[int, ...]:
        purpose = answering_purpose(policies, caller, begun.purpose)
        if caller.party in purpose.answers_live:
            raise SluisError(Code.POLICY_DENIES, "your organisation answers this purpose live; it deposits no register")
        if begun.scheme not in purpose.identified_by:
            allowed = ", ".join(purpose.identified_by)
            raise field_error(Code.FIELD_INVALID, "scheme", f"this purpose identifies by {allowed}")
        expected = policies.catalogue.identifiers[begun.scheme].match_keys
        if begun.match_keys != expected:
            raise field_error(Code.FIELD_INVALID, "match_keys", f"this scheme has {expected}")
        if not set(begun.attributes) <= set(purpose.may_learn.attributes):
            allowed = ", ".join(sorted(purpose.may_learn.attributes)) or "none"
            raise field_error(Code.FIELD_INVALID, "attributes", f"the purpose names {allowed}")
        return tuple(policies.catalogue.attributes[name].width + SEAL_OVERHEAD for name in begun.attributes)

    def _check_manifest(self, upload: Upload, manifest: RegisterManifest, policies: PolicySet, now: datetime) -> None:
        begun, spec = upload.begun, upload.spec
        said = {
            "answerer": (manifest.answerer, upload.party),
            "purpose": (manifest.purpose, begun.purpose),
            "epoch": (manifest.epoch, begun.epoch),
            "key_id": (manifest.key_id, begun.key_id),
            "scheme": (manifest.scheme, begun.scheme),
            "match_keys": (manifest.match_keys, begun.match_keys),
            "attributes": (manifest.attributes, begun.attributes),
            "version": (manifest.version, spec.version),
        }
        wrong = [name for name, (stated, begun_with) in said.items() if stated != begun_with]
        if wrong:
            raise SluisError(
                Code.STATEMENT_INVALID, "the manifest differs from what the upload was begun with: " + ", ".join(wrong)
            )
        if manifest.expires_at <= now:
            raise SluisError(Code.STATEMENT_INVALID, "manifest.expires_at has passed; publish fresher data")
        if manifest.as_of > now + timedelta(days=1):
            raise SluisError(Code.STATEMENT_INVALID, "manifest.as_of lies in the future")
        asked = policies.purposes[begun.purpose].register_rules()
        if not set(manifest.rules) <= set(asked):
            raise SluisError(
                Code.STATEMENT_INVALID,
                f"manifest.rules has rules the purpose does not ask; it asks: {', '.join(asked) or 'none'}",
            )


def _dump_upload(upload: Upload) -> bytes:
    return canonical_json(asdict(upload))


def _load_upload(stored: bytes) -> Upload:
    value = json.loads(stored)
    spec, begun = value["spec"], value["begun"]
    return Upload(
        UploadSpec(
            spec["upload"],
            spec["register"],
            spec["version"],
            spec["match_keys"],
            tuple(spec["attributes"]),
            tuple(spec["widths"]),
        ),
        value["party"],
        BeginUpload(
            begun["request_id"],
            begun["purpose"],
            begun["epoch"],
            begun["key_id"],
            begun["scheme"],
            begun["match_keys"],
            tuple(begun["attributes"]),
        ),
        value["begun_at"],
        value["sealed"],
        value["entry"],
    )
