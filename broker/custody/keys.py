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
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, SupportsIndex, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.ports import Entropy

SIGNING_FILE = "log-signing.key"
NEXT_FILE = "log-signing.key.next"
BEGUN_FILE = "log-begun"
"""There from the first start on: data that are gone, or not mounted, do not pass for a new log."""
"""The key that will sign once its entry is logged; it then takes the place of the other."""
STORAGE_FILE = "storage-root.key"
_ED25519 = b"\x01"
_STORAGE_LABEL = "sluis/v1/storage-root"
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")  # C2SP signed-note: no spaces, no plus sign

_Key = TypeVar("_Key")


class Secret:
    """Bytes that do not print, pickle, hash or copy themselves; `==` takes the same time wherever they differ."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes. Call it where they are used, and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash would be a digest of the secret

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret does not leave the process")


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


class StorageKeys:
    """`ports.AtRest`: HKDF-SHA-256 (RFC 5869) from the storage root."""

    def __init__(self, root: Callable[[], Secret]) -> None:
        self._root = root

    def key(self, use: str, *context: bytes) -> bytes:
        """32 bytes: HKDF-SHA-256(root, info=encode(use, context...)). Raises STORE_UNAVAILABLE while locked."""
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=encode(use.encode(), *context))
        return derivation.derive(self._root().reveal())


class FileKeys:
    """The broker's key files under one directory, held in memory from `unlock` to `lock`.

    `signer` and `at_rest` may be handed out while locked; they raise STORE_UNAVAILABLE until unlocked.
    """

    def __init__(self, directory: Path, origin: str) -> None:
        self._directory, self._origin = directory, check_origin(origin)
        self._signing: Ed25519PrivateKey | None = None
        self._root: Secret | None = None
        self.signer = LogSigner(origin, lambda: self._held(self._signing))
        self.at_rest = StorageKeys(lambda: self._held(self._root))

    @classmethod
    def create(cls, directory: Path, origin: str, entropy: Entropy | None = None) -> FileKeys:
        """Makes the key files (0600, in a directory of 0700), durably, and returns them unlocked.

        Raises CONFIG_INVALID when a key file exists: a key is never overwritten.
        """
        keys, entropy = cls(directory, origin), entropy or SystemEntropy()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(directory, directory.stat(), "700")
            if any((directory / name).exists() for name in (SIGNING_FILE, STORAGE_FILE)):
                raise SluisError(Code.CONFIG_INVALID, "keys: key files exist here already and are never overwritten")
            _write_new(directory / STORAGE_FILE, f"{_STORAGE_LABEL} {entropy.token(32).hex()}\n")
            _write_new(directory / SIGNING_FILE, f"{_signing_text(origin, entropy.token(32))}\n")
            _sync_directory(directory)
        except OSError as error:
            raise SluisError(
                Code.CONFIG_INVALID,
                f"keys: the key directory cannot be written ({type(error).__name__}): check its owner",
            ) from error
        keys.unlock()
        return keys

    @classmethod
    def load(cls, directory: Path, origin: str) -> FileKeys:
        """The keys of a directory, unlocked. Raises as `unlock`."""
        keys = cls(directory, origin)
        keys.unlock()
        return keys

    @property
    def locked(self) -> bool:
        """Whether the keys are out of reach; a broker with locked keys is not ready."""
        return self._signing is None or self._root is None

    def unlock(self) -> None:
        """Reads the key files.

        Raises CONFIG_INVALID when one is missing, can be read by others, does not parse, or names another log.
        """
        try:
            _check_private(self._directory, self._directory.stat(), "700")
        except FileNotFoundError as error:
            raise SluisError(Code.CONFIG_INVALID, _missing(self._directory.name)) from error
        label, _, root = _read(self._directory / STORAGE_FILE).partition(" ")
        if label != _STORAGE_LABEL or not re.fullmatch(r"[0-9a-f]{64}", root):
            raise SluisError(Code.CONFIG_INVALID, f"{STORAGE_FILE}: not a storage root key: restore it from its backup")
        seed = _seed_of(_read(self._directory / SIGNING_FILE), self._origin)
        self._root = Secret(bytes.fromhex(root))
        self._signing = Ed25519PrivateKey.from_private_bytes(seed)

    def next_signer(self, entropy: Entropy | None = None, *, make: bool) -> LogSigner | None:
        """The signer of the key to come: as it lies there, or made now, durably, with `make`. Raises CONFIG_INVALID."""
        path = self._directory / NEXT_FILE
        try:
            if make and not path.exists():
                part = self._directory / f".{NEXT_FILE}.part"
                part.unlink(missing_ok=True)
                _write_new(part, f"{_signing_text(self._origin, (entropy or SystemEntropy()).token(32))}\n")
                part.replace(path)
                _sync_directory(self._directory)
        except OSError as error:
            text = f"keys: the key directory cannot be written ({type(error).__name__}): check its owner"
            raise SluisError(Code.CONFIG_INVALID, text) from error
        if not path.exists():
            return None
        key = Ed25519PrivateKey.from_private_bytes(_seed_of(_read(path), self._origin))
        return LogSigner(self._origin, lambda: key)

    def take_next(self) -> None:
        """Puts the next key in the place of the signing key, which is gone then. Raises CONFIG_INVALID."""
        try:
            (self._directory / NEXT_FILE).replace(self._directory / SIGNING_FILE)
            _sync_directory(self._directory)
        except OSError as error:
            text = f"keys: the new log key cannot be put in place ({type(error).__name__}): check the directory's owner"
            raise SluisError(Code.CONFIG_INVALID, text) from error
        self.unlock()

    @property
    def begun(self) -> bool:
        """Whether the log of these keys was begun, as far as this directory tells."""
        return (self._directory / BEGUN_FILE).exists()

    def note_begun(self) -> bool:
        """Notes, durably, that the log of these keys was begun; False where the directory cannot be written."""
        try:
            if not self.begun:
                _write_new(self._directory / BEGUN_FILE, f"{self._origin}\n")
                _sync_directory(self._directory)
        except OSError:
            return False
        return True

    def lock(self) -> None:
        """Lets go of the keys."""
        self._signing = self._root = None

    def __repr__(self) -> str:
        return f"FileKeys({'locked' if self.locked else 'unlocked'})"

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


def _read(path: Path) -> str:
    try:
        with path.open("r", encoding="ascii") as file:
            _check_private(path, os.fstat(file.fileno()), "600")
            return file.read().strip()
    except FileNotFoundError as error:
        raise SluisError(Code.CONFIG_INVALID, _missing(path.name)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path.name}: cannot be read ({type(error).__name__})") from error


def _missing(name: str) -> str:
    return f"{name}: not found: make keys with `sluis keys init`, or restore them from their backup"


def _check_private(path: Path, found: os.stat_result, wanted: str) -> None:
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SluisError(Code.CONFIG_INVALID, f"{path.name}: others on this machine can reach it: chmod {wanted}")
    if found.st_uid not in (os.geteuid(), 0):
        raise SluisError(Code.CONFIG_INVALID, f"{path.name}: owned by another user: chown it to the broker's user")


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
