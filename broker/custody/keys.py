"""The broker's own keys in files, and its clock and entropy. Never a participant's K: the broker holds none.

log-signing.key   Ed25519 seed as `PRIVATE+KEY+<origin>+<key hash>+<base64(0x01 || seed)>`, the text form of signed
                  note keys (golang.org/x/mod/sumdb/note), so the key names the log it signs
storage-root.key  `sluis/v1/storage-root <hex of 32 bytes>`; everything at rest hangs on it, so it needs a backup
                  that is kept apart from the database's
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sluis_custody.directory import Unlock
from sluis_custody.ports import Wrapper

from broker.custody.key_files import (
    BEGUN_FILE,
    NEXT_FILE,
    NEXT_STORAGE_FILE,
    SIGNING_FILE,
    STORAGE_FILE,
    KeyDirectory,
    no_unlock,
)
from broker.custody.secret import Secret
from broker.custody.storage_keys import StorageKeys
from broker.errors import Code, SluisError
from broker.ports import Entropy

_ED25519 = b"\x01"
_STORAGE_LABEL = "sluis/v1/storage-root"
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")  # C2SP signed-note: no spaces, no plus sign

_Key = TypeVar("_Key")


class SystemEntropy:
    """`ports.Entropy` from the operating system."""

    def token(self, size: int) -> bytes:
        """`size` random bytes from the kernel."""
        return os.urandom(size)


class SystemClock:
    """`ports.Clock` from the operating system."""

    def now(self) -> datetime:
        """The time in UTC, aware, with microseconds."""
        return datetime.now(UTC)


class LogSigner:
    """`ports.CheckpointSigner`: Ed25519 under the log's origin (docs/formats.md section 3)."""

    def __init__(self, origin: str, key: Callable[[], Ed25519PrivateKey]) -> None:
        self._origin, self._key = origin, key

    @property
    def origin(self) -> str:
        """The log's origin line, and the key's name in signed notes."""
        return self._origin

    @property
    def verifier_key(self) -> str:
        """C2SP vkey. Raises STORE_UNAVAILABLE while the keys are locked."""
        public = self._key().public_key().public_bytes_raw()
        return f"{self._origin}+{key_hash(self._origin, public)}+{_base64(_ED25519 + public)}"

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) over `message`. Raises STORE_UNAVAILABLE while the keys are locked."""
        return self._key().sign(message)


class FileKeys:
    """The broker's key files under one directory, held in memory from `unlock` to `lock`.

    `signer` and `at_rest` may be handed out while locked; they raise STORE_UNAVAILABLE until unlocked. `unlocking`
    opens a directory that is protected (`KeyDirectory`).
    """

    def __init__(
        self, directory: Path, origin: str, unlocking: Unlock = no_unlock, entropy: Entropy | None = None
    ) -> None:
        self._origin, self._entropy = check_origin(origin), entropy or SystemEntropy()
        self.files = KeyDirectory(directory, origin, unlocking)
        self._signing: Ed25519PrivateKey | None = None
        self._roots: tuple[Secret, ...] | None = None
        self.signer = LogSigner(origin, lambda: self._held(self._signing))
        self.at_rest = StorageKeys(lambda: self._held(self._roots), self._entropy)

    @classmethod
    def create(
        cls,
        directory: Path,
        origin: str,
        entropy: Entropy | None = None,
        *,
        unlocking: Unlock = no_unlock,
        wrapper: Wrapper | None = None,
    ) -> FileKeys:
        """Makes the key files (0600, in a directory of 0700), durably, and returns them unlocked.

        With `wrapper` they are sealed from the first byte on. Raises CONFIG_INVALID when a key file exists: a key is
        never overwritten.
        """
        keys = cls(directory, origin, unlocking, entropy)
        keys.files.make()
        if any(keys.files.has(name) for name in (SIGNING_FILE, STORAGE_FILE)):
            raise SluisError(Code.CONFIG_INVALID, "keys: key files exist here already and are never overwritten")
        if wrapper is not None:
            keys.files.protect(wrapper)
        keys.files.write(STORAGE_FILE, _root_text(keys._entropy.token(32)))
        keys.files.write(SIGNING_FILE, _signing_text(origin, keys._entropy.token(32)))
        keys.unlock()
        return keys

    @classmethod
    def load(cls, directory: Path, origin: str, unlocking: Unlock = no_unlock) -> FileKeys:
        """The keys of a directory, unlocked. Raises as `unlock`."""
        keys = cls(directory, origin, unlocking)
        keys.unlock()
        return keys

    @property
    def locked(self) -> bool:
        """Whether the keys are out of reach; a broker with locked keys is not ready."""
        return self._signing is None or self._roots is None

    def unlock(self) -> None:
        """Reads the key files.

        Raises CONFIG_INVALID when one is missing, can be read by others, does not parse, or names another log;
        STORE_UNAVAILABLE when what protects them does not open now, or not with the secret given.
        """
        self.files.demand_private()
        roots = [self._root(STORAGE_FILE)]
        if self.files.has(NEXT_STORAGE_FILE):
            roots.insert(0, self._root(NEXT_STORAGE_FILE))
        seed = _seed_of(self.files.read(SIGNING_FILE), self._origin)
        self._roots = tuple(roots)
        self._signing = Ed25519PrivateKey.from_private_bytes(seed)

    def next_signer(self, entropy: Entropy | None = None, *, make: bool) -> LogSigner | None:
        """The signer of the key to come: as it lies there, or made now, durably, with `make`. Raises CONFIG_INVALID."""
        if make and not self.files.has(NEXT_FILE):
            self.files.write_new(NEXT_FILE, _signing_text(self._origin, (entropy or self._entropy).token(32)))
        if not self.files.has(NEXT_FILE):
            return None
        key = Ed25519PrivateKey.from_private_bytes(_seed_of(self.files.read(NEXT_FILE), self._origin))
        return LogSigner(self._origin, lambda: key)

    def take_next(self) -> None:
        """Puts the next key in the place of the signing key, which is gone then. Raises CONFIG_INVALID."""
        self.files.take_place(NEXT_FILE, SIGNING_FILE, destroy=False)
        self.unlock()

    @property
    def rotating(self) -> bool:
        """Whether a storage root to come lies there: what hangs on the old one is being moved."""
        return self.files.has(NEXT_STORAGE_FILE)

    def begin_rotation(self) -> bool:
        """Makes the storage root to come, durably; False when there is one already. Raises CONFIG_INVALID.

        Waits for whoever is `sealing`: what is sealed under the old root then lies there before anything is moved.
        """
        with self.files.steady(changing=True):
            # never in the place of another: the broker may write under that one already
            return not self.rotating and self.files.write_new(NEXT_STORAGE_FILE, _root_text(self._entropy.token(32)))

    @contextmanager
    def sealing(self) -> Iterator[None]:
        """For a process beside the broker: what is sealed meanwhile hangs on the newest root, or is moved to it.

        Reads the key files anew, since a change may have begun or ended. Raises as `unlock`.
        """
        with self.files.steady():
            self.unlock()
            yield

    def take_up_rotation(self) -> bool:
        """Reads the root to come when it is there and not read yet: from now on everything is written under it.

        Returns whether a rotation is under way. Raises as `unlock`.
        """
        if self.rotating and len(self._held(self._roots)) == 1:
            self.unlock()
        return self.rotating

    def end_rotation(self) -> None:
        """Puts the new root in the place of the old one, which is destroyed. Only once nothing hangs on the old one."""
        if len(self._held(self._roots)) != 2:
            raise SluisError(Code.INTERNAL, "no rotation of the storage key is under way")
        self.files.take_place(NEXT_STORAGE_FILE, STORAGE_FILE, destroy=True)
        self.unlock()

    @property
    def begun(self) -> bool:
        """Whether the log of these keys was begun, as far as this directory tells."""
        return self.files.has(BEGUN_FILE)

    def note_begun(self) -> bool:
        """Notes, durably, that the log of these keys was begun; False where the directory cannot be written."""
        try:
            if not self.begun:
                self.files.write(BEGUN_FILE, self._origin)
        except SluisError:
            return False
        return True

    def lock(self) -> None:
        """Lets go of the keys."""
        self._signing = self._roots = None

    def __repr__(self) -> str:
        return f"FileKeys({'locked' if self.locked else 'unlocked'})"

    def _root(self, name: str) -> Secret:
        label, _, root = self.files.read(name).partition(" ")
        if label != _STORAGE_LABEL or not re.fullmatch(r"[0-9a-f]{64}", root):
            raise SluisError(Code.CONFIG_INVALID, f"{name}: not a storage root key: restore it from its backup")
        return Secret(bytes.fromhex(root))

    @staticmethod
    def _held(key: _Key | None) -> _Key:
        if key is None:
            raise SluisError(Code.STORE_UNAVAILABLE, "the broker's keys are locked: its operator must unlock them")
        return key


def key_hash(origin: str, public: bytes) -> str:
    """First 4 bytes of SHA-256(name || newline || 0x01 || public key), hex (C2SP signed-note)."""
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + public).digest()[:4].hex()


def check_origin(origin: str) -> str:
    """`origin` when it can name a key in a signed note; else CONFIG_INVALID."""
    if not _ORIGIN.fullmatch(origin):
        raise SluisError(
            Code.CONFIG_INVALID, "origin: printable ASCII without spaces and plus signs, at most 200 characters"
        )
    return origin


def _root_text(root: bytes) -> str:
    return f"{_STORAGE_LABEL} {root.hex()}"


def _signing_text(origin: str, seed: bytes) -> str:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"PRIVATE+KEY+{origin}+{key_hash(origin, public)}+{_base64(_ED25519 + seed)}"


def _seed_of(text: str, origin: str) -> bytes:
    """The seed in a private key text, checked against the origin and the key hash."""
    parts = text.split("+", 4)
    try:
        named, seed = parts[2], base64.b64decode(parts[4], validate=True)[1:]
        same = hmac.compare_digest(_signing_text(named, seed).encode(), text.encode())
    except (IndexError, ValueError, binascii.Error) as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{SIGNING_FILE}: not a signing key: restore it from its backup"
        ) from error
    if not same:
        raise SluisError(Code.CONFIG_INVALID, f"{SIGNING_FILE}: damaged: restore it from its backup")
    if named != origin:
        raise SluisError(
            Code.CONFIG_INVALID, f"{SIGNING_FILE}: this key signs for another log than the configured origin"
        )
    return seed


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
