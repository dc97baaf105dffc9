"""What key services evaluated, kept for the epoch: a subject costs quota once, however often it is asked about.

A directory under the state directory for each purpose, epoch, K and set of public keys. Its files are sealed
(AES-256-GCM) under a key of the client's key store that is made for it and destroyed with it; a value is found by a
keyed hash of its private input, which is itself one of the identifier under K. Files:

    00000001, ...   values: rows of 16 bytes of keyed hash and 32 bytes of y; written whole, never changed
    pending-<id>    a batch that was sent and not yet answered by all: enough to send the very same bytes again
    .lock           held while values are fetched, so that two commands do not pay for one subject twice
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

from sluis_client.canonical import encode
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import Keystore
from sluis_client.private_files import check_private, destroy_file, reading, sweep_half_written, write_private
from sluis_client.secret import KEY_BYTES, Secret, hkdf

FOLDER = "evaluations"
_INPUT = 32
_INDEX, _Y, _NONCE, _ID = 16, 32, 12, 16
_ROW = np.dtype([("high", ">u8"), ("low", ">u8"), ("y", f"V{_Y}")])
_VALUES = re.compile(r"[0-9]{8}")
_PENDING = re.compile(r"pending-[0-9a-f]{32}")
_CACHE = re.compile(r"(?P<purpose>[a-z][a-z0-9-]{0,62})\.(?P<epoch>[0-9]{4}[0-9Q.-]*)-[0-9a-f]{16}")
Rows = npt.NDArray[np.void]


@dataclass(frozen=True, repr=False)
class Pending:
    """A batch under way. `requests`: for each key service, in the order of the derivation, the id of its request."""

    name: str
    requests: tuple[str, ...]
    seed: Secret = field(repr=False)
    inputs: tuple[bytes, ...] = field(repr=False)


class EvaluationCache:
    """The values of one purpose and epoch, under one K and one set of public keys: `bound` names these in public words.

    Safe for several processes: files are written whole, and who fetches holds `fetching`.

    Raises:
        ClientError: STATE_UNSAFE, STATE_UNREADABLE.
    """

    def __init__(self, keystore: Keystore, purpose: str, epoch: str, bound: Sequence[str | bytes]) -> None:
        self._bound = hashlib.sha256(encode("sluis/v1/evaluations", purpose, epoch, *bound)).digest()
        self.directory = keystore.directory / FOLDER / f"{purpose}.{epoch}-{self._bound[:8].hex()}"
        with reading(self.directory):
            for part in (self.directory.parent, self.directory):
                part.mkdir(mode=0o700, exist_ok=True)
                check_private(part)
            sweep_half_written(self.directory)
        key = keystore.named_key(_key_name(purpose, epoch))
        assert key is not None
        self._index = HMAC(hkdf(key.reveal(), encode("index", self._bound)), hashes.SHA256())
        self._sealer = AESGCM(hkdf(key.reveal(), encode("seal", self._bound)))
        self._rows: Rows = np.empty(0, _ROW)
        self._read: set[str] = set()

    def __repr__(self) -> str:
        return f"EvaluationCache({self.directory.name})"

    def __len__(self) -> int:
        self._load()
        return len(self._rows)

    def values(self, inputs: Sequence[bytes]) -> dict[bytes, bytes]:
        """y of those of `inputs` that are known. Raises STATE_UNREADABLE for a file that was changed."""
        self._load()
        if not len(self._rows) or not inputs:
            return {}
        wanted = np.frombuffer(b"".join(self._place(x) for x in inputs), [("high", ">u8"), ("low", ">u8")])
        at = np.searchsorted(self._rows["high"], wanted["high"].astype("u8"))
        at[at == len(self._rows)] = 0
        found = (self._rows["high"][at] == wanted["high"]) & (self._rows["low"][at] == wanted["low"])
        ys = self._rows["y"][at].tobytes()
        return {
            x: ys[start : start + _Y]
            for x, start, is_there in zip(inputs, range(0, len(ys), _Y), found.tolist(), strict=True)
            if is_there
        }

    def keep(self, values: Mapping[bytes, bytes]) -> None:
        """Stores values, on disk on return. Call while `fetching`."""
        plain = b"".join(self._place(x) + y for x, y in values.items())
        with reading(self.directory):
            taken = [int(path.name) for path in self.directory.iterdir() if _VALUES.fullmatch(path.name)]
        self._write(f"{max(taken, default=0) + 1:08}", plain)

    def begin(self, inputs: Sequence[bytes], services: int) -> Pending:
        """A batch that is about to be sent, on disk on return: with fresh request ids and fresh blinds."""
        requests = tuple(str(uuid.uuid4()) for _ in range(services))
        seed = Secret(secrets.token_bytes(KEY_BYTES))
        name = f"pending-{secrets.token_hex(16)}"
        ids = b"".join(uuid.UUID(request).bytes for request in requests)
        self._write(name, bytes([services]) + ids + seed.reveal() + b"".join(inputs))
        return Pending(name, requests, seed, tuple(inputs))

    def pending(self) -> tuple[Pending, ...]:
        """Batches that an earlier run began and did not end, oldest first."""
        with reading(self.directory):
            paths = [path for path in self.directory.iterdir() if _PENDING.fullmatch(path.name)]
            names = [path.name for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))]
        return tuple(self._pending(name) for name in names)

    def end(self, batch: Pending) -> None:
        """Forgets a batch whose values are kept, or that can never be answered. Its blinds are overwritten."""
        destroy_file(self.directory / batch.name)

    @contextlib.contextmanager
    def fetching(self) -> Iterator[None]:
        """Held by the one process that fetches values for this cache."""
        with reading(self.directory):
            handle = os.open(self.directory / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _place(self, x: bytes) -> bytes:
        one = self._index.copy()
        one.update(x)
        return one.finalize()[:_INDEX]

    def _load(self) -> None:
        """Takes in the files that are new since the last time."""
        with reading(self.directory):
            names = {path.name for path in self.directory.iterdir() if _VALUES.fullmatch(path.name)}
        if names == self._read:
            return
        parts = [np.frombuffer(self._open(name), _ROW) for name in sorted(names - self._read)]
        rows = np.concatenate([self._rows, *parts])
        self._rows = rows[np.argsort(rows["high"], kind="stable")]
        self._read = names

    def _pending(self, name: str) -> Pending:
        plain = self._open(name)
        ids, rest = plain[1 : 1 + _ID * plain[0]], plain[1 + _ID * plain[0] :]
        requests = tuple(str(uuid.UUID(bytes=ids[at : at + _ID])) for at in range(0, len(ids), _ID))
        inputs = rest[KEY_BYTES:]
        cut = tuple(inputs[at : at + _INPUT] for at in range(0, len(inputs), _INPUT))
        return Pending(name, requests, Secret(rest[:KEY_BYTES]), cut)

    def _write(self, name: str, plain: bytes) -> None:
        nonce = secrets.token_bytes(_NONCE)
        write_private(self.directory / name, nonce + self._sealer.encrypt(nonce, plain, self._aad(name)))

    def _open(self, name: str) -> bytes:
        path = self.directory / name
        with reading(path):
            check_private(path)
            data = path.read_bytes()
        try:
            return self._sealer.decrypt(data[:_NONCE], data[_NONCE:], self._aad(name))
        except (InvalidTag, ValueError):
            text = (
                f"{path} is damaged; restore it from a backup, or delete it: what it held is then evaluated again, and "
                "debited again"
            )
            raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None

    def _aad(self, name: str) -> bytes:
        return encode("sluis/v1/evaluations", self._bound, name)


def kept_caches(keystore: Keystore) -> tuple[tuple[str, str], ...]:
    """Purpose and epoch of every cache kept here, sorted."""
    folder = keystore.directory / FOLDER
    if not folder.is_dir():
        return ()
    with reading(folder):
        found = (_CACHE.fullmatch(path.name) for path in folder.iterdir())
        return tuple(sorted({(match["purpose"], match["epoch"]) for match in found if match}))


def destroy_cache(keystore: Keystore, purpose: str, epoch: str) -> int:
    """Destroys the values of a purpose and epoch: first their key, so that nothing opens them, then the files.

    Returns how many files there were. Idempotent; a run that is cut off is ended by the next. Called when K ends
    (`sluis_client.destruction`): as long as the epoch's exchanges are accounted for, this agency must be able to find a
    person in them (AVG 15), and a key service evaluates nothing for an epoch that is over.
    """
    keystore.drop_named_key(_key_name(purpose, epoch))
    folder = keystore.directory / FOLDER
    if not folder.is_dir():
        return 0
    with reading(folder):
        found = [(path, _CACHE.fullmatch(path.name)) for path in folder.iterdir()]
    ours = [path for path, match in found if match and (match["purpose"], match["epoch"]) == (purpose, epoch)]
    return sum(map(_destroy, ours))


def _destroy(folder: Path) -> int:
    with reading(folder):
        files = [path for path in folder.iterdir() if path.is_file()]
        for path in files:
            destroy_file(path)
        folder.rmdir()
    return len(files)


def _key_name(purpose: str, epoch: str) -> str:
    return f"{FOLDER}.{purpose}.{epoch}"
