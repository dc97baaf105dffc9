"""The state directory: what an agency must keep between two commands, readable by its owner only.

    encryption.json           the private encryption key, and the statement that published its public half
    epochs/<purpose>.<epoch>  K of one purpose and epoch, with what the steward's manifest said
    checkpoint                the newest checkpoint of the log that was seen and verified
    policy.json               the highest revision of the policy set that was seen
    uploads/<id>              a publication under way: enough to go on with the very same bytes
    exchanges/<id>            a question: enough to put it again with the very same bytes
    journal.jsonl             what was signed, and which entries were proven (see sluis_client.journal)
    reconciled.json           how far the log was held against the journal, and what did not fit
    statements/<id>           a correction, dispute or outcome under way: the very same bytes go out again
    watches/<name>            a standing question: what to put again, and what is shown of the answer's last state
    evidence/<id>             two views of the log that contradict each other, should that ever happen
    encryption/<digest>       an encryption key that a newer one has replaced
    due/<purpose>.<epoch>     when the key is to be destroyed: to be looked at without opening the store
    ended/<purpose>.<epoch>   that a key was destroyed, and the signed statement that says so
    named/<name>              32 random bytes for one use, such as what encrypts a cache
    certificate.key           the private key of the certificate, once it was taken in (`keys protect --private-key`)
    store-key.json            what opens the sealed files, once the store is protected (sluis_client.store_protection)
    local.key                 keys the fingerprints of input files, so that they tell nothing of what is in the files

Every write replaces the file whole and is on disk on return (write, fsync, rename, fsync of the directory). A directory
or file that others can read is refused: whoever reads K can enumerate the identifiers of its purpose.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sluis_custody.directory import Unlock

from sluis_client.envelopes import EncryptionPrivateKey, short_digest
from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import (
    check_private,
    damaged,
    destroy_file,
    reading,
    sweep_half_written,
    write_private,
)
from sluis_client.secret import KEY_BYTES, Secret
from sluis_client.statements import SignedStatement, parse_utc, utc
from sluis_client.store_protection import PRIVATE_KEY, Protection, no_unlock

_NAME = re.compile(r"[a-z0-9][a-z0-9.Q-]{0,140}")
_EPOCH_FILE = re.compile(
    r"(?P<purpose>[a-z][a-z0-9-]{0,62})\.(?P<epoch>[0-9]{4}(?:Q[1-4]|-[01][0-9])?(?:\.[1-9][0-9]?)?)"
)
_PARTS = (
    "epochs",
    "encryption",
    "due",
    "ended",
    "uploads",
    "exchanges",
    "statements",
    "evidence",
    "named",
    "live-answers",
    "watches",
)


@dataclass(frozen=True)
class EpochKey:
    """K of one purpose and epoch as this agency holds it. `published`: whether the broker is known to have it."""

    purpose: str
    epoch: str
    key: Secret = field(repr=False)
    key_id: str
    steward: str
    valid_from: datetime
    valid_until: datetime
    published: bool
    escrow_until: datetime | None = None
    """When it is to be destroyed, as the policy had it at the time; None where an older client kept it."""


@dataclass(frozen=True)
class EncryptionKey:
    """This agency's encryption key and the signed statement that published it."""

    private: EncryptionPrivateKey = field(repr=False)
    statement: SignedStatement

    @property
    def digest(self) -> str:
        """`short_digest` of the statement: how manifests name this key."""
        return short_digest(self.statement.statement)


class Keystore:
    """One state directory. Safe for several processes at once: files are replaced whole, the checkpoint under a lock.

    `unlock` opens a protected store, when the first secret is read or written.

    Raises:
        ClientError: STATE_UNSAFE (exit code 8) when others can read what is in it, STATE_UNREADABLE; for secrets of a
            protected store also KEYSTORE_LOCKED, KEYSTORE_UNREACHABLE, KEYSTORE_SETTING.
    """

    def __init__(self, directory: Path, unlock: Unlock = no_unlock) -> None:
        self.directory = directory
        self.protection = Protection(directory, unlock)
        with reading(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_private(directory)
            for part in _PARTS:
                (directory / part).mkdir(mode=0o700, exist_ok=True)
                check_private(directory / part)
            sweep_half_written(directory)

    def __repr__(self) -> str:
        return f"Keystore({self.directory})"

    def encryption_key(self) -> EncryptionKey | None:
        """The encryption key, or None before `keys init`."""
        value = self._read_json("encryption.json")
        if value is None:
            return None
        private = EncryptionPrivateKey(bytes.fromhex(value["private"]))
        return EncryptionKey(private, _signed(value))

    def replaced_encryption_keys(self) -> tuple[EncryptionKey, ...]:
        """Encryption keys before the newest, by digest: envelopes that were sealed to them may still have to be
        opened."""
        values = [self._read_json(f"encryption/{name}") for name in self.record_names("encryption")]
        return tuple(
            EncryptionKey(EncryptionPrivateKey(bytes.fromhex(value["private"])), _signed(value))
            for value in values
            if value is not None
        )

    def destroy_replaced_encryption_key(self, digest: str) -> bool:
        """Overwrites and removes a replaced encryption key; whether there was one. Idempotent."""
        return destroy_file(self.directory / "encryption" / _checked(digest))

    def keep_encryption_key(self, key: EncryptionKey) -> None:
        """Stores the encryption key; the one before is kept beside it until it is destroyed."""
        with self._lock(".keys-lock"):
            before = self.encryption_key()
            if before is not None and before.digest != key.digest:
                value = {"private": before.private.reveal().hex(), **_signed_json(before.statement)}
                self._write_json(f"encryption/{before.digest}", value)
            value = {"private": key.private.reveal().hex(), **_signed_json(key.statement)}
            self._write_json("encryption.json", value)

    def private_key(self) -> bytes | None:
        """The private key of the certificate (PEM), or None when it was not taken in."""
        return self._read(PRIVATE_KEY)

    def keep_private_key(self, pem: bytes) -> None:
        """Takes the private key of the certificate in."""
        self._write(PRIVATE_KEY, pem)

    def epoch_key(self, purpose: str, epoch: str) -> EpochKey | None:
        """K of a purpose and epoch, or None when it was not made or fetched here."""
        return self._epoch_key(f"epochs/{purpose}.{epoch}", purpose, epoch)

    def epoch_keys(self) -> tuple[EpochKey, ...]:
        """Every K, by purpose and epoch."""
        found = []
        for path in sorted((self.directory / "epochs").iterdir()):
            match = _EPOCH_FILE.fullmatch(path.name)
            key = match and self._epoch_key(f"epochs/{path.name}", match["purpose"], match["epoch"])
            if key:
                found.append(key)
        return tuple(found)

    def keep_epoch_key(self, key: EpochKey) -> None:
        """Stores K. Another K for the same purpose and epoch is refused, but for a published one in the place of one
        that was not: that is used for nothing before it is published, and another steward was first.

        Raises:
            ClientError: KEY_ID_WRONG.
        """
        with self._lock(".keys-lock"):
            self._keep_epoch_key(key)

    def _keep_epoch_key(self, key: EpochKey) -> None:
        known = self.epoch_key(key.purpose, key.epoch)
        first = known is None or (key.published and not known.published)
        if known is not None and known.key_id != key.key_id and not first:
            text = f"{key.purpose} {key.epoch} has another key in {self.directory}; a second one is never taken"
            raise ClientError("KEY_ID_WRONG", text, Exit.VERIFICATION_FAILED)
        value = {
            "key": key.key.reveal().hex(),
            "key_id": key.key_id,
            "steward": key.steward,
            "valid_from": utc(key.valid_from),
            "valid_until": utc(key.valid_until),
            "published": key.published,
            "escrow_until": utc(key.escrow_until) if key.escrow_until else None,
        }
        self._write_json(f"epochs/{key.purpose}.{key.epoch}", value)
        if key.escrow_until is not None:
            self._write_json(f"due/{key.purpose}.{key.epoch}", {"until": utc(key.escrow_until)})

    def destroy_epoch_key(self, purpose: str, epoch: str) -> bool:
        """Overwrites and removes K of an epoch; whether there was one. Idempotent."""
        return destroy_file(self.directory / "epochs" / _checked(f"{purpose}.{epoch}"))

    def checkpoint(self) -> str | None:
        """The newest checkpoint kept (a signed note), or None before the first."""
        data = self._read("checkpoint")
        return None if data is None else data.decode()

    @contextlib.contextmanager
    def checkpoint_lock(self) -> Iterator[None]:
        """Held while a checkpoint is read, compared and replaced: two commands at once must not set it back."""
        with self._lock(".lock"):
            yield

    @contextlib.contextmanager
    def watch_lock(self) -> Iterator[None]:
        """Held while standing questions are looked at: two commands at once would put each of them twice."""
        with self._lock(".watch-lock"):
            yield

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with reading(self.directory):
            handle = os.open(self.directory / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def keep_checkpoint(self, note: str) -> None:
        """Stores a checkpoint that was verified and shown to follow from the one kept. Call under the lock."""
        self._write("checkpoint", note.encode())

    def policy_revision(self) -> int:
        """The highest policy revision seen; 0 before the first."""
        value = self._read_json("policy.json")
        return 0 if value is None else int(value["revision"])

    def keep_policy_revision(self, revision: int) -> None:
        """Stores a revision if it is higher than the one kept."""
        if revision > self.policy_revision():
            self._write_json("policy.json", {"revision": revision})

    def reconciled(self) -> dict[str, Any] | None:
        """How far the log was reconciled, or None before the first time."""
        return self._read_json("reconciled.json")

    def keep_reconciled(self, value: Mapping[str, Any]) -> None:
        """Stores how far the log was reconciled."""
        self._write_json("reconciled.json", value)

    def fingerprint(self, *parts: bytes) -> str:
        """Names an input without telling of it: HMAC-SHA-256 of the parts under a key that never leaves here, hex."""
        data = self._read("local.key")
        if data is None:
            data = secrets.token_bytes(32)
            self._write("local.key", data)
        encoded = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(data, encoded, "sha256").hex()

    def named_key(self, name: str, *, make: bool = True) -> Secret | None:
        """32 random bytes for one use, the same at every call until dropped; None when there are none and not `make`.

        `name`: of the use, lower-case letters, digits, dots and hyphens, such as `evaluations.snf-persoon.2026Q4`.
        Two processes that make it at once get the same key.

        Raises:
            ClientError: STATE_UNREADABLE when what is stored is no key.
        """
        stored = f"named/{_checked(name)}"
        data = self._read(stored)
        if data is None and make:
            with self._lock(".named-lock"):
                data = self._read(stored)
                if data is None:
                    data = secrets.token_bytes(KEY_BYTES)
                    self._write(stored, data)
        if data is None:
            return None
        if len(data) != KEY_BYTES:
            raise damaged(self.directory / stored)
        return Secret(data)

    def drop_named_key(self, name: str) -> bool:
        """Destroys a named key, overwritten before it is unlinked; whether there was one. Idempotent."""
        return destroy_file(self.directory / "named" / _checked(name))

    def named_keys(self) -> tuple[str, ...]:
        """Names of all named keys, by name."""
        with reading(self.directory):
            return tuple(
                sorted(path.name for path in (self.directory / "named").iterdir() if _NAME.fullmatch(path.name))
            )

    def record(self, kind: str, name: str) -> dict[str, Any] | None:
        """A record of `uploads`, `exchanges`, `statements`, `evidence`, `live-answers` or `watches`, or None."""
        return self._read_json(f"{kind}/{_checked(name)}")

    def keep_record(self, kind: str, name: str, value: Mapping[str, Any]) -> None:
        """Stores a record, on disk on return."""
        self._write_json(f"{kind}/{_checked(name)}", value)

    def drop_record(self, kind: str, name: str) -> None:
        """Removes a record that is done with. Idempotent."""
        with reading(self.directory):
            (self.directory / kind / _checked(name)).unlink(missing_ok=True)

    def destroy_record(self, kind: str, name: str) -> bool:
        """Overwrites and removes a record; whether there was one. Idempotent."""
        return destroy_file(self.directory / kind / _checked(name))

    def record_names(self, kind: str) -> tuple[str, ...]:
        """Names of all records of a kind, oldest first."""
        with reading(self.directory):
            paths = [path for path in (self.directory / kind).iterdir() if _NAME.fullmatch(path.name)]
            return tuple(path.name for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name)))

    def _epoch_key(self, name: str, purpose: str, epoch: str) -> EpochKey | None:
        value = self._read_json(name)
        if value is None:
            return None
        return EpochKey(
            purpose,
            epoch,
            Secret(bytes.fromhex(value["key"])),
            value["key_id"],
            value["steward"],
            parse_utc(value["valid_from"]),
            parse_utc(value["valid_until"]),
            value["published"],
            parse_utc(value["escrow_until"]) if value.get("escrow_until") else None,
        )

    def _read_json(self, name: str) -> dict[str, Any] | None:
        data = self._read(name)
        if data is None:
            return None
        try:
            value = json.loads(data)
        except ValueError:
            # from None: the parser's message quotes what it read
            value = None
        if not isinstance(value, dict):
            raise damaged(self.directory / name)
        return value

    def _write_json(self, name: str, value: Mapping[str, Any]) -> None:
        self._write(name, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")

    def _read(self, name: str) -> bytes | None:
        path = self.directory / name
        with reading(path):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            check_private(path)
        return self.protection.from_disk(name, data)

    def _write(self, name: str, data: bytes) -> None:
        with self.protection.writing(name):
            write_private(self.directory / name, self.protection.to_disk(name, data))


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ClientError("USAGE", "a record is named by lower-case letters, digits, dots and hyphens")
    return name


def _signed(value: Mapping[str, Any]) -> SignedStatement:
    return SignedStatement(value["statement"].encode(), bytes.fromhex(value["signature"]))


def _signed_json(signed: SignedStatement) -> dict[str, str]:
    return {"statement": signed.statement.decode(), "signature": signed.signature.hex()}
