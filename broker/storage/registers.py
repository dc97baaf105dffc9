"""Register contents in files: uploads, immutable built versions, snapshots. Nothing bare on disk (DESIGN section 5).

    uploads/<upload>/               spool of what was sent (see `uploads.py`)
    registers/<name>/v<version>/    one built version (see `register_files.py`); appears by rename, never changes
    registers/<name>/v<version>.used   the version was once in force: from then on a sweep may drop it at once

Names are escaped one to one, so nothing a party sends becomes a path.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from broker.errors import Code, SluisError
from broker.exchange import COMMITMENT_BYTES, WRAP_BYTES, Pseudonyms, RegisterChunk, UploadSpec
from broker.ports import AtRest, Entropy
from broker.register_ports import Snapshot
from broker.storage.data_keys import DataKeys
from broker.storage.durable import (
    clear_dropped,
    drop_tree,
    make_directory,
    name_of,
    safe_name,
    sole_use,
    storage_errors,
    sync_directory,
)
from broker.storage.register_build import build_version, source_mark
from broker.storage.register_files import Chosen, OpenVersion, VersionFacts
from broker.storage.uploads import UploadSpool

OPEN_VERSIONS = 128
UNPUBLISHED_SECONDS = 3600.0
_USE = "register"


class FileSnapshot:
    """A pinned version. It holds the mapped files, so it answers the same after a sweep, until closed."""

    def __init__(self, version: OpenVersion) -> None:
        self._version: OpenVersion | None = version

    @property
    def rows(self) -> int:
        """Number of records."""
        return self._open.facts.rows

    @property
    def match_keys(self) -> int:
        """Number of pseudonym columns."""
        return self._open.facts.match_keys

    def lookup(self, match_key: int, pseudonyms: Pseudonyms) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """As `ports.Snapshot.lookup`."""
        return self._open.lookup(match_key, pseudonyms)

    def fetch(
        self, rows: npt.NDArray[np.int64], match_keys: npt.NDArray[np.uint8], attributes: Sequence[str]
    ) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        """As `ports.Snapshot.fetch`. Raises FIELD_INVALID for an attribute that the register does not have."""
        version = self._open
        if not attributes:
            return b"", b"", ()
        if not set(attributes) <= set(version.facts.attributes):
            raise SluisError(Code.FIELD_INVALID, "attributes: this register does not hold all attributes asked")
        valid = None if rows.min(initial=0) >= 0 else np.flatnonzero(rows >= 0)
        chosen = Chosen(rows if valid is None else rows[valid])
        widths = dict(zip(version.facts.attributes, version.facts.widths, strict=True))

        def packed(column: str, width: int) -> bytes:
            plain = version.column(column, chosen)
            return plain if valid is None else _placed(plain, width, valid, len(rows))

        fields = tuple(packed(f"field-{name}", widths[name]) for name in attributes)
        commitments = packed("commitments", COMMITMENT_BYTES)
        first = int(match_keys[0]) if len(rows) else 0
        if valid is None and first and np.all(match_keys == first):
            return version.column(f"wraps-{first}", chosen), commitments, fields
        return self._wraps(rows, match_keys), commitments, fields

    def _wraps(self, rows: npt.NDArray[np.int64], match_keys: npt.NDArray[np.uint8]) -> bytes:
        version = self._open
        out = np.zeros((len(rows), WRAP_BYTES), np.uint8)
        for key in range(1, version.facts.match_keys + 1):
            under = np.flatnonzero((match_keys == key) & (rows >= 0))
            if len(under):
                plain = version.column(f"wraps-{key}", Chosen(rows[under]))
                out[under] = np.frombuffer(plain, np.uint8).reshape(-1, WRAP_BYTES)
        return out.tobytes()

    def close(self) -> None:
        """Lets go of the version. Idempotent."""
        self._version = None

    @property
    def _open(self) -> OpenVersion:
        if self._version is None:
            raise SluisError(Code.STORE_UNAVAILABLE, "this snapshot is closed: pin the register again")
        return self._version


def _named(name: str, version: int) -> tuple[bytes, bytes]:
    return name.encode(), b"%d" % version


def _placed(plain: bytes, width: int, at: npt.NDArray[np.intp], rows: int) -> bytes:
    out = np.zeros((rows, width), np.uint8)
    out[at] = np.frombuffer(plain, np.uint8).reshape(-1, width)
    return out.tobytes()


class FileRegisterStore:
    """`ports.RegisterStore` on files under `root`, which only the broker's user can read.

    `open_versions`: how many opened versions stay mapped and verified between pins. `unpublished_seconds`: how long
    a version that was never in force is left to its publication before a sweep may drop it.
    """

    def __init__(
        self,
        root: Path,
        at_rest: AtRest,
        entropy: Entropy,
        *,
        open_versions: int = OPEN_VERSIONS,
        unpublished_seconds: float = UNPUBLISHED_SECONDS,
    ) -> None:
        self._uploads, self._registers = root / "uploads", root / "registers"
        self._keys, self._entropy = DataKeys(at_rest, entropy), entropy
        self._open_versions, self._unpublished_seconds = open_versions, unpublished_seconds
        self._lock = threading.Lock()
        self._spools: dict[str, UploadSpool] = {}
        self._opened: OrderedDict[tuple[str, int], OpenVersion] = OrderedDict()
        self._opening: dict[tuple[str, int], threading.Lock] = {}
        with storage_errors("opening the register store"):
            make_directory(self._uploads)
            make_directory(self._registers)

    def begin(self, spec: UploadSpec) -> None:
        """As `ports.RegisterStore.begin`. Raises REQUEST_ID_REUSED for another spec under the same upload."""
        spool = self._spool(spec.upload)
        safe_name(spec.register)
        with storage_errors("beginning an upload"), sole_use(spool.lock):
            spool.begin(spec)

    def append(self, upload: str, offset: int, chunk: RegisterChunk) -> int:
        """As `ports.RegisterStore.append`. Raises also UPLOAD_SEALED, UPLOAD_BUSY, LENGTH_WRONG."""
        spool = self._known(upload)
        with storage_errors("writing rows"), sole_use(spool.lock):
            return spool.append(offset, chunk)

    def committed(self, upload: str) -> int:
        """As `ports.RegisterStore.committed`."""
        with storage_errors("reading an upload"):
            return self._known(upload).committed()

    def build(self, upload: str, *, rows: int, digest: str, rows_per_pseudonym: int) -> None:
        """As `ports.RegisterStore.build`. Raises also UPLOAD_BUSY, REGISTER_CHANGED (another upload built it)."""
        spool = self._known(upload)
        with storage_errors("building a register"), sole_use(spool.lock):
            spec = spool.spec
            committed = spool.committed()
            if committed != rows:
                raise SluisError(
                    Code.COUNT_WRONG,
                    f"rows: {committed} rows are committed and the manifest says {rows}: upload the rest, or sign the "
                    "true count",
                )
            final = self._directory(spec.register, spec.version)
            if not final.exists():
                if spool.built() is not None:
                    raise SluisError(
                        Code.NOT_FOUND, "the version built from this upload was dropped: begin a new upload"
                    )
                self._build(final, spool, rows, digest, rows_per_pseudonym)
            key = self._key(spec.register, spec.version)
            self._check_source(VersionFacts.read(final, spec.register, spec.version, key), spec, key, digest)
            if spool.built() is None:
                spool.mark_built(rows)

    def pin(self, name: str, version: int) -> Snapshot:
        """As `ports.RegisterStore.pin`. The files are verified when first opened; then the version stays mapped."""
        with self._lock:
            opened = self._opened.get((name, version))
            if opened is not None:
                self._opened.move_to_end((name, version))
                return FileSnapshot(opened)
            opening = self._opening.setdefault((name, version), threading.Lock())
        with opening:
            with self._lock:
                opened = self._opened.get((name, version))
            if opened is None:
                opened = self._open(name, version)
        return FileSnapshot(opened)

    def discard(self, upload: str) -> None:
        """As `ports.RegisterStore.discard`."""
        spool = self._spool(upload)
        if not spool.exists():
            return
        with storage_errors("discarding an upload"), sole_use(spool.lock):
            spec = spool.spec
            if self._built_from(spec.register, spec.version) == upload:
                self._drop_version(spec.register, spec.version)
            self._drop_building(spec)
            self._drop_spool(spool, upload)

    def sweep(self, keep: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        """As `ports.RegisterStore.sweep`, but for one case: a version built within the last hour that was never in

        force (never in `keep`, never pinned) is left, because its publication may be under way.
        """
        kept = set(keep)
        dropped = []
        with storage_errors("sweeping registers"):
            clear_dropped(self._uploads)
            for register in sorted(self._registers.iterdir()):
                clear_dropped(register)
                name = name_of(register.name)
                for directory in sorted(register.glob("v*[0-9]")) if name is not None else ():
                    found = (str(name), int(directory.name[1:]))
                    if found in kept:
                        self._mark_used(directory)
                    elif self._may_drop(directory):
                        upload = self._built_from(*found)
                        self._drop_version(*found)
                        if upload is not None:
                            self._drop_spool(self._spool(upload), upload)
                        dropped.append(found)
        return tuple(dropped)

    def rewrap(self) -> bool:
        """As `ports.RegisterStore.rewrap`."""
        self._keys.settle()
        with storage_errors("moving keys of registers"):
            for register in sorted(self._registers.iterdir()):
                name = name_of(register.name)
                for directory in sorted(register.glob("v*[0-9]")) if name is not None else ():
                    self._keys.move(directory, _USE, *_named(str(name), int(directory.name[1:])))
            for upload in sorted(self._uploads.iterdir()):
                name = name_of(upload.name)
                if name is not None and upload.is_dir():
                    self._spool(name).move_key()
        return True

    def _open(self, name: str, version: int) -> OpenVersion:
        directory = self._directory(name, version)
        try:
            with storage_errors("opening a register"):
                opened = OpenVersion(directory, name, version, self._key(name, version))
            with self._lock, storage_errors("opening a register"):
                if directory.exists():  # else a sweep took it meanwhile: answer this pin, keep nothing
                    self._mark_used(directory)
                    self._opened[name, version] = opened
                while len(self._opened) > self._open_versions:
                    self._opened.popitem(last=False)
        finally:
            with self._lock:
                self._opening.pop((name, version), None)
        return opened

    def _build(self, final: Path, spool: UploadSpool, rows: int, digest: str, rows_per_pseudonym: int) -> None:
        spec, key = spool.spec, self._keys.make()
        make_directory(final.parent)
        self._drop_building(spec)
        building = self._building(spec)
        building.mkdir(mode=0o700)
        try:
            build_version(
                building,
                spec,
                spool.chunks(),
                rows=rows,
                digest=digest,
                rows_per_pseudonym=rows_per_pseudonym,
                register_key=key,
                salt=self._entropy.token(16),
            )
            with self._keys.kept(building, _USE, key, *_named(spec.register, spec.version)):
                sync_directory(building)
                os.replace(building, final)  # noqa: PTH105  # tests break exactly this call
            sync_directory(final.parent)
        except Exception:
            shutil.rmtree(building, ignore_errors=True)
            raise

    def _check_source(self, facts: VersionFacts, spec: UploadSpec, key: bytes, digest: str) -> None:
        if facts.upload != spec.upload:
            raise SluisError(Code.REGISTER_CHANGED, "another upload built this version: begin a new upload")
        if facts.source != source_mark(key, digest, facts.rows):
            raise SluisError(
                Code.DIGEST_WRONG, "this upload was built for a manifest with another digest: begin a new upload"
            )

    def _built_from(self, name: str, version: int) -> str | None:
        """The upload a version was built from; None when the version is gone or does not read."""
        try:
            return VersionFacts.read(self._directory(name, version), name, version, self._key(name, version)).upload
        except SluisError:
            return None

    def _drop_version(self, name: str, version: int) -> None:
        directory = self._directory(name, version)
        drop_tree(directory, self._mark())
        directory.with_name(f"{directory.name}.used").unlink(missing_ok=True)
        with self._lock:
            self._opened.pop((name, version), None)

    def _drop_spool(self, spool: UploadSpool, upload: str) -> None:
        drop_tree(spool.directory, self._mark())
        spool.lock.unlink(missing_ok=True)
        with self._lock:
            self._spools.pop(upload, None)

    def _drop_building(self, spec: UploadSpec) -> None:
        building = self._building(spec)
        if building.exists():
            shutil.rmtree(building)

    def _mark_used(self, directory: Path) -> None:
        used = directory.with_name(f"{directory.name}.used")
        if not used.exists():
            used.touch(mode=0o600)

    def _may_drop(self, directory: Path) -> bool:
        if directory.with_name(f"{directory.name}.used").exists():
            return True
        return time.time() - directory.stat().st_mtime >= self._unpublished_seconds

    def _spool(self, upload: str) -> UploadSpool:
        with self._lock:
            if upload not in self._spools:
                directory = self._uploads / safe_name(upload)
                self._spools[upload] = UploadSpool(directory, self._keys, self._entropy)
            return self._spools[upload]

    def _known(self, upload: str) -> UploadSpool:
        spool = self._spool(upload)
        if not spool.exists():
            with self._lock:
                self._spools.pop(upload, None)
            raise SluisError(Code.NOT_FOUND, "no such upload: begin a new one")
        return spool

    def _directory(self, name: str, version: int) -> Path:
        return self._registers / safe_name(name) / f"v{version}"

    def _building(self, spec: UploadSpec) -> Path:
        return self._registers / safe_name(spec.register) / f".building-v{spec.version}"

    def _key(self, name: str, version: int) -> bytes:
        return self._keys.of(self._directory(name, version), _USE, *_named(name, version))

    def _mark(self) -> str:
        return self._entropy.token(8).hex()
