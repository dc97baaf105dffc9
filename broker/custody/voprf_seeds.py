"""The seeds of a key service in files, sealed: one for each purpose and epoch, so that one can be destroyed alone.

`<keys>/voprf/<purpose>.<epoch>.json` holds the seed under AES-256-GCM, with a key from the storage root. k is derived
from the seed and from nothing else (RFC 9497 section 3.2.1): with the seed, and every copy of its file, k is gone.
"""

from __future__ import annotations

import base64
import json
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluis_custody.directory import sync_directory, write_new, write_whole

from broker.canonical import canonical_json, encode
from broker.custody import voprf
from broker.custody.key_files import check_private
from broker.errors import Code, SluisError
from broker.evaluation_ports import Evaluated
from broker.ports import AtRest, Entropy

FOLDER = "voprf"
_LABEL = "sluis/v1/voprf"
_TYPE = "sluis/v1/voprf-seed"
_SEED_BYTES = 32
_USE = "voprf-seed"
_NAME = re.compile(
    r"(?P<purpose>[a-z][a-z0-9-]{0,62})\.(?P<epoch>[0-9]{4}(?:Q[1-4]|-(?:0[1-9]|1[0-2]))?(?:\.[1-9][0-9]?)?)\.json"
)
_MEMBERS = {"type", "service", "environment", "purpose", "epoch", "public_key", "made_at", "sealed"}


@dataclass(frozen=True)
class ServiceKey:
    """What may be told of a key: all but the key."""

    purpose: str
    epoch: str
    public: bytes
    made_at: str


class FileSeeds:
    """Implements `broker.evaluation_ports.EvaluationKeys`. Files made or destroyed meanwhile are noticed."""

    def __init__(self, keys: Path, at_rest: AtRest, entropy: Entropy, *, service: str, environment: str) -> None:
        voprf.demand_library()
        self._folder = keys / FOLDER
        self._at_rest = at_rest
        self._entropy = entropy
        self._service, self._environment = service, environment
        self._evaluator = voprf.Evaluator(entropy)
        self._open: dict[tuple[str, str], tuple[tuple[int, int], voprf.KeyPair]] = {}
        self._lock = threading.Lock()

    @property
    def service(self) -> str:
        """The id of the service in the signed policy."""
        return self._service

    def make(self, purpose: str, epoch: str, made_at: str) -> ServiceKey:
        """Makes a key from 32 fresh random bytes, durably.

        Raises:
            SluisError: CONFIG_INVALID when there is one: a key is never overwritten, for what was published under it
                would be lost; or when the directory cannot be written.
        """
        path = self._path(purpose, epoch)
        if not _is_named(purpose, epoch):
            raise SluisError(Code.CONFIG_INVALID, "key: give a purpose and an epoch such as 2026-11, 2026Q4 or 2026")
        seed = self._entropy.token(_SEED_BYTES)
        public = self._derive(purpose, epoch, seed).public
        sealed = self._at_rest.seal(_USE, seed, self._place(purpose, epoch, public))
        value = {
            "type": _TYPE,
            "service": self._service,
            "environment": self._environment,
            "purpose": purpose,
            "epoch": epoch,
            "public_key": public.hex(),
            "made_at": made_at,
            "sealed": base64.b64encode(sealed).decode(),
        }
        try:
            self._make_folder()
            write_new(path, canonical_json(value), of_directory=True)
        except FileExistsError:
            text = f"there is a key for {purpose} in {epoch}: it is never overwritten; `sluis key-service key list`"
            raise SluisError(Code.CONFIG_INVALID, text) from None
        except OSError as error:
            text = f"keys: {FOLDER} cannot be written ({type(error).__name__}): check its owner"
            raise SluisError(Code.CONFIG_INVALID, text) from error
        return ServiceKey(purpose, epoch, public, made_at)

    def list(self) -> tuple[ServiceKey, ...]:
        """All keys, by purpose and epoch. Raises STORE_UNAVAILABLE, STORE_CORRUPT."""
        names = sorted(path.name for path in self._folder.glob("*.json")) if self._folder.is_dir() else []
        matches = [found for found in map(_NAME.fullmatch, names) if found]
        return tuple(self._read(found["purpose"], found["epoch"])[0] for found in matches)

    def public_key(self, purpose: str, epoch: str) -> bytes | None:
        """32 bytes, or None where there is no key."""
        pair = self._pair(purpose, epoch)
        return pair.public if pair else None

    def read(self, data: bytes, field: str, most: int) -> tuple[bytes, ...]:
        """The blinded elements in `data`."""
        return voprf.split_elements(data, field, most)

    def evaluate(self, purpose: str, epoch: str, blinded: Sequence[bytes]) -> Evaluated:
        """Evaluates what `read` gave."""
        pair = self._pair(purpose, epoch)
        if pair is None:
            raise SluisError(Code.EPOCH_UNKNOWN, "this key service has no key for this purpose and epoch")
        return self._evaluator.evaluate(pair, blinded)

    def destroy(self, purpose: str, epoch: str, public: bytes) -> bool:
        """Overwrites and removes the file of the key with this public key; False when it is not there."""
        path = self._path(purpose, epoch)
        with self._lock:
            self._open.pop((purpose, epoch), None)
            try:
                if not (_is_named(purpose, epoch) and path.is_file()) or self._read(purpose, epoch)[0].public != public:
                    return False
                with path.open("r+b") as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(0)
                    file.write(self._entropy.token(size))
                    file.flush()
                    os.fsync(file.fileno())
                path.unlink()
                sync_directory(self._folder)
            except OSError as error:
                text = f"{path.name}: the key cannot be destroyed ({type(error).__name__}): check the file's owner"
                raise SluisError(Code.STORE_UNAVAILABLE, text) from error
        return True

    def rewrap(self) -> bool:
        """Moves every seed to the newest storage key, durably; True: nothing is left. Damaged ones stay as they are."""
        for key in self.list():
            path, place = self._path(key.purpose, key.epoch), self._place(key.purpose, key.epoch, key.public)
            with self._lock:
                sealed = self._read(key.purpose, key.epoch)[1]
                try:
                    seed, newest = self._at_rest.open(_USE, sealed, place)
                    if not newest:
                        moved = base64.b64encode(self._at_rest.seal(_USE, seed, place)).decode()
                        write_whole(
                            path, canonical_json(json.loads(path.read_bytes()) | {"sealed": moved}), of_directory=True
                        )
                except SluisError as error:
                    if error.code is not Code.STORE_CORRUPT:
                        raise
                except OSError as error:
                    raise _unreadable(path, error) from error
        return True

    def close(self) -> None:
        """Ends the threads that evaluate, and lets go of all keys."""
        self._evaluator.close()
        self._open.clear()

    def _make_folder(self) -> None:
        """It belongs to the owner of the key directory, also when root makes it: a service must read its keys."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self._folder.parent.stat()
        if self._folder.stat().st_uid != owner.st_uid and os.geteuid() == 0:
            os.chown(self._folder, owner.st_uid, owner.st_gid)

    def _pair(self, purpose: str, epoch: str) -> voprf.KeyPair | None:
        if not _is_named(purpose, epoch):
            return None
        path = self._path(purpose, epoch)
        try:
            found = path.stat()
        except FileNotFoundError:
            self._open.pop((purpose, epoch), None)
            return None
        except OSError as error:
            raise _unreadable(path, error) from error
        mark = (found.st_mtime_ns, found.st_ino)
        known = self._open.get((purpose, epoch))
        if known is None or known[0] != mark:
            with self._lock:
                known = mark, self._unseal(purpose, epoch)
                self._open[purpose, epoch] = known
        return known[1]

    def _read(self, purpose: str, epoch: str) -> tuple[ServiceKey, bytes]:
        path = self._path(purpose, epoch)
        try:
            with path.open("rb") as file:
                check_private(path, os.fstat(file.fileno()), "600")
                value = json.loads(file.read(4096))
            if value.keys() != _MEMBERS or value["type"] != _TYPE:
                raise _damaged(path)
            if (value["purpose"], value["epoch"]) != (purpose, epoch):
                raise _damaged(path)
            if (value["service"], value["environment"]) != (self._service, self._environment):
                text = f"{path.name}: a key of another key service or environment; put it where it belongs"
                raise SluisError(Code.CONFIG_INVALID, text)
            key = ServiceKey(purpose, epoch, bytes.fromhex(value["public_key"]), str(value["made_at"]))
            return key, base64.b64decode(value["sealed"], validate=True)
        except OSError as error:
            raise _unreadable(path, error) from error
        except (ValueError, AttributeError, TypeError) as error:
            raise _damaged(path) from error

    def _unseal(self, purpose: str, epoch: str) -> voprf.KeyPair:
        key, sealed = self._read(purpose, epoch)
        place = self._place(purpose, epoch, key.public)
        try:
            seed, _ = self._at_rest.open(_USE, sealed, place)
        except SluisError as error:
            if error.code is not Code.STORE_CORRUPT:
                raise
            raise _damaged(self._path(purpose, epoch)) from None
        return self._derive(purpose, epoch, seed)

    def _derive(self, purpose: str, epoch: str, seed: bytes) -> voprf.KeyPair:
        return voprf.derive_key_pair(seed, encode(_LABEL.encode(), *self._named(purpose, epoch)))

    def _place(self, purpose: str, epoch: str, public: bytes) -> bytes:
        return encode(_TYPE.encode(), *self._named(purpose, epoch), public)

    def _named(self, purpose: str, epoch: str) -> tuple[bytes, ...]:
        return tuple(part.encode() for part in (self._service, self._environment, purpose, epoch))

    def _path(self, purpose: str, epoch: str) -> Path:
        return self._folder / f"{purpose}.{epoch}.json"


def _is_named(purpose: str, epoch: str) -> bool:
    """Whether both are names, so that they name a file of the folder and none elsewhere."""
    return _NAME.fullmatch(f"{purpose}.{epoch}.json") is not None


def _unreadable(path: Path, error: OSError) -> SluisError:
    return SluisError(Code.STORE_UNAVAILABLE, f"{path.name}: cannot be read ({type(error).__name__})")


def _damaged(path: Path) -> SluisError:
    text = f"{path.name}: damaged, or sealed under another storage key: restore it from its backup"
    return SluisError(Code.STORE_CORRUPT, text)
