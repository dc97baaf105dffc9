"""What a witness remembers, in files under its own directory, and its key there.

witness.key                     `PRIVATE+KEY+<name>+<key hash>+<base64(0x04 || seed)>`, mode 0600
logs/<SHA-256 of origin>/
  checkpoint                    the newest tree cosigned: the log's signature and ours
  contradicting-root-<digest>   requests in which the log signed another root of that size: proof; at most 32
  contradicting-<digest>        requests that the log signed, with a proof that does not lead there; at most 32
lock                            held by the one process that may sign

A copy of this directory put back later would sign a second tree of a size: never restore it, make a new witness.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_checkpoint
from broker.exchange_log.cosignature import COSIGNATURE_V1, cosignatures, witness_key
from broker.storage.durable import make_directory, storage_errors, sync_directory, write_durably
from broker.witness.judging import NOTHING, Known
from broker.witness.wire import origin_hash

KEY_FILE = "witness.key"
MAX_EVIDENCE = 32
_KEY = re.compile(r"PRIVATE\+KEY\+([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})\n")


class WitnessKey:
    """A witness's name and private key. Does not print its secret."""

    __slots__ = ("_private", "public")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: VerifierKey = witness_key(name, private.public_key().public_bytes_raw())

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        """Ed25519."""
        return self._private.sign

    def __repr__(self) -> str:
        return f"WitnessKey({self.public.name})"


def make_key(state: Path, name: str, seed: bytes) -> WitnessKey:
    """Makes the key of a witness, durably, mode 0600. Raises CONFIG_INVALID when there is one: it is never replaced."""
    key = WitnessKey(name, Ed25519PrivateKey.from_private_bytes(seed))
    text = f"PRIVATE+KEY+{name}+{key.public.key_hash.hex()}+{_base64(bytes([COSIGNATURE_V1]) + seed)}\n"
    with storage_errors("making a witness's key"):
        make_directory(state)
        part = state / f".{KEY_FILE}.part"
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, state / KEY_FILE)  # whole or not there, and never over another
        except FileExistsError:
            raise SluisError(Code.CONFIG_INVALID, f"{state / KEY_FILE} exists; a key is never replaced") from None
        finally:
            part.unlink()
        sync_directory(state)
    return key


def load_key(state: Path) -> WitnessKey:
    """The key of a witness. Raises CONFIG_INVALID when it is missing, damaged, or others can read it."""
    path = state / KEY_FILE
    try:
        with path.open("r", encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise SluisError(Code.CONFIG_INVALID, f"{path}: others on this machine can reach it: chmod 600")
            match = _KEY.fullmatch(file.read(4096))
    except FileNotFoundError as error:
        text = f"{path}: not found; make a key with `sluis witness keys`, or name the right state directory"
        raise SluisError(Code.CONFIG_INVALID, text) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read ({type(error).__name__})") from error
    raw = base64.b64decode(match[3]) if match else b""
    if match is None or len(raw) != 33 or raw[0] != COSIGNATURE_V1:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: not the key of a witness")
    key = WitnessKey(match[1], Ed25519PrivateKey.from_private_bytes(raw[1:]))
    if key.public.key_hash.hex() != match[2]:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: damaged; make a new witness with a new name")
    return key


def newest(state: Path, origin: str, key: VerifierKey) -> Known:
    """What a state directory holds of a log; for reading beside a running witness too.

    Raises:
        SluisError: STORE_CORRUPT when the file is not a checkpoint of `origin` cosigned by `key`: a witness that does
            not know what it signed must not sign.
    """
    path = _directory(state, origin) / "checkpoint"
    try:
        note = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return NOTHING
    except (OSError, UnicodeDecodeError) as error:
        raise _corrupt(path) from error
    try:
        checkpoint = parse_checkpoint(note)
        at = cosignatures(checkpoint, [key]).get(key.name)
    except SluisError as error:
        raise _corrupt(path) from error
    if checkpoint.origin != origin or at is None:
        raise _corrupt(path)
    return Known(checkpoint.size, checkpoint.root, at, note)


class Memory:
    """The one writer of a state directory, from here to `close`.

    Raises:
        SluisError: CONFIG_INVALID when another witness has it open; STORE_UNAVAILABLE.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        with storage_errors("opening a witness's state"):
            make_directory(state)
            self._lock = os.open(state / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            text = f"{state}: another witness has this state open; two would sign two trees"
            raise SluisError(Code.CONFIG_INVALID, text) from error

    def close(self) -> None:
        """Lets go of the directory. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def newest(self, origin: str, key: VerifierKey) -> Known:
        """What this directory holds of a log; see `newest`."""
        return newest(self._state, origin, key)

    def remember(self, origin: str, note: str) -> None:
        """Makes `note` the newest of its log, durable on return. Raises STORE_UNAVAILABLE: then nothing is answered."""
        directory = _directory(self._state, origin)
        with storage_errors("keeping a checkpoint"):
            make_directory(directory)
            write_durably(directory / "checkpoint", note.encode())

    def keep_evidence(self, origin: str, request: bytes, *, proven: bool) -> None:
        """Keeps a request that contradicts what was cosigned, unless there is enough of its kind: what proves a fork
        has room of its own, which nobody can fill with wrong proofs."""
        directory = _directory(self._state, origin)
        digest = hashlib.sha256(request).hexdigest()[:16]
        name, alike = (f"contradicting-root-{digest}", "contradicting-root-*")
        if not proven:
            name, alike = (f"contradicting-{digest}", "contradicting-[0-9a-f]*")
        with storage_errors("keeping evidence"):
            make_directory(directory)
            if not (directory / name).exists() and len(list(directory.glob(alike))) < MAX_EVIDENCE:
                write_durably(directory / name, request)


def _directory(state: Path, origin: str) -> Path:
    return state / "logs" / origin_hash(origin)


def _corrupt(path: Path) -> SluisError:
    return SluisError(
        Code.STORE_CORRUPT,
        f"{path}: is not what this witness wrote; it does not sign for this log again: make a new witness",
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
