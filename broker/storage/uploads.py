"""Upload spools: what was sent of a register that is not built yet, encrypted, resumable.

One file of records per upload. A record is a 28-byte little-endian header (rows u32, rows before u64, body length u32,
nonce 12 bytes) and the chunk's columns under AES-256-GCM, bound to the upload's spec and the record's place. One fsync
makes a record durable; a record that is torn or does not open at the end of the file was never acknowledged and is
cut off. A fresh random nonce per record means that rows sent again never meet an old key stream.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.canonical import canonical_json, encode, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange import COMMITMENT_BYTES, PSEUDONYM_BYTES, WRAP_BYTES, PseudonymColumn, RegisterChunk, UploadSpec
from broker.ports import Entropy
from broker.storage.data_keys import DataKeys
from broker.storage.durable import make_directory, sync_directory, sync_file, write_all, write_durably

HEADER = struct.Struct("<IQI12s")
TAG_BYTES = 16
_USE = "upload"
MAX_CHUNK_ROWS = 1 << 20


def spec_bytes(spec: UploadSpec) -> bytes:
    """The shape of an upload as it is stored and bound into every record."""
    return canonical_json(
        {
            "attributes": list(spec.attributes),
            "match_keys": spec.match_keys,
            "register": spec.register,
            "upload": spec.upload,
            "version": spec.version,
            "widths": list(spec.widths),
        }
    )


def spec_of(data: bytes) -> UploadSpec:
    """The inverse of `spec_bytes`. Raises STORE_CORRUPT."""
    try:
        value = parse_canonical(data)
        return UploadSpec(
            upload=str(value["upload"]),
            register=str(value["register"]),
            version=int(value["version"]),
            match_keys=int(value["match_keys"]),
            attributes=tuple(map(str, value["attributes"])),
            widths=tuple(map(int, value["widths"])),
        )
    except (SluisError, KeyError, TypeError, ValueError) as error:
        raise SluisError(
            Code.STORE_CORRUPT, "an upload's spec does not read: discard the upload, begin anew"
        ) from error


def body_bytes(spec: UploadSpec, rows: int) -> int:
    """Length of `rows` rows as a record's plaintext."""
    sealed = spec.match_keys * WRAP_BYTES + COMMITMENT_BYTES if spec.attributes else 0
    return spec.match_keys * ((rows + 7) // 8 + rows * PSEUDONYM_BYTES) + rows * (sealed + sum(spec.widths))


class UploadSpool:
    """One upload's directory. Callers hold `sole_use` of `lock` around everything that writes."""

    def __init__(self, directory: Path, keys: DataKeys, entropy: Entropy) -> None:
        self.directory = directory
        self.lock = directory.with_name(f"{directory.name}.lock")
        self._rows_file = directory / "rows.spool"
        self._built_file = directory / "built"
        self._spec_file = directory / "spec.json"
        self._entropy = entropy
        self._keys = keys
        self._key: bytes | None = None
        self._spec: UploadSpec | None = None
        self._known: tuple[int, int] = (0, 0)
        """Bytes and rows of the file that are known to be good."""

    def exists(self) -> bool:
        """Whether the upload was begun and not discarded."""
        return self._spec_file.exists()

    @property
    def spec(self) -> UploadSpec:
        """The upload's shape. Raises NOT_FOUND, STORE_CORRUPT."""
        if self._spec is None or not self.exists():
            try:
                self._spec = spec_of(self._spec_file.read_bytes())
            except FileNotFoundError as error:
                raise SluisError(Code.NOT_FOUND, "no such upload: begin a new one") from error
        return self._spec

    def begin(self, spec: UploadSpec) -> None:
        """Makes the upload exist, durably. Raises REQUEST_ID_REUSED when it exists with another shape."""
        if self.exists():
            if self.spec != spec:
                raise SluisError(
                    Code.REQUEST_ID_REUSED, "this upload was begun with another shape: use a new request id"
                )
            return
        make_directory(self.directory)
        self._rows_file.unlink(missing_ok=True)
        self._built_file.unlink(missing_ok=True)
        descriptor = os.open(self._rows_file, os.O_WRONLY | os.O_CREAT, 0o600)
        os.close(descriptor)
        key = self._keys.make()
        with self._keys.kept(self.directory, _USE, key, spec.upload.encode()):
            write_durably(self._spec_file, spec_bytes(spec))
        self._spec, self._known, self._key = spec, (0, 0), key

    def committed(self) -> int:
        """Durable rows. Raises NOT_FOUND."""
        built = self.built()
        return self._good()[1] if built is None else built

    def built(self) -> int | None:
        """Rows of the version built from this upload, or None."""
        try:
            return int(self._built_file.read_bytes())
        except FileNotFoundError:
            return None

    def mark_built(self, rows: int) -> None:
        """Records that the version is durable, then drops the spooled rows: they are no longer needed."""
        write_durably(self._built_file, b"%d" % rows)
        self._rows_file.unlink(missing_ok=True)
        sync_directory(self.directory)

    def append(self, offset: int, chunk: RegisterChunk) -> int:
        """Adds a chunk, durable on return. Returns the committed rows."""
        spec = self.spec
        if self.built() is not None:
            raise SluisError(Code.UPLOAD_SEALED, "this upload is sealed: begin a new one to replace the register")
        end, rows = self._good()
        if offset != rows:
            raise SluisError(
                Code.OFFSET_WRONG,
                f"offset: continue at the committed offset {rows}",
                metadata={"committed_rows": str(rows)},
            )
        if chunk.rows == 0:
            return rows
        body = _packed(spec, chunk)
        nonce = self._entropy.token(12)
        length = len(body) + TAG_BYTES
        header = HEADER.pack(chunk.rows, rows, length, nonce)
        sealed = self._cipher().encrypt(nonce, body, self._bound(header))
        self._known = (0, 0)  # until the fsync returns, nothing is known: a failure reads the file again
        descriptor = os.open(self._rows_file, os.O_RDWR)
        try:
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
            try:
                write_all(descriptor, header + sealed)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)  # what was not acknowledged must not be taken for good later
                raise
        finally:
            os.close(descriptor)
        self._known = (end + HEADER.size + length, rows + chunk.rows)
        return rows + chunk.rows

    def chunks(self) -> Iterator[RegisterChunk]:
        """The committed chunks in order, each verified. Raises STORE_CORRUPT."""
        spec, (end, _) = self.spec, self._good()
        cipher = self._cipher()
        with self._rows_file.open("rb") as file:
            at = 0
            while at < end:
                header = file.read(HEADER.size)
                rows, _, length, nonce = HEADER.unpack(header)
                body = file.read(length)
                try:
                    yield _unpacked(spec, rows, cipher.decrypt(nonce, body, self._bound(header)))
                except InvalidTag as error:
                    raise SluisError(
                        Code.STORE_CORRUPT, "a spooled row was altered on disk: discard the upload and send it again"
                    ) from error
                at += HEADER.size + length

    def _good(self) -> tuple[int, int]:
        """Bytes and rows up to the last whole record."""
        spec = self.spec
        size = self._rows_file.stat().st_size
        if self._known[0] and self._known[0] == size:
            return self._known
        at = total = 0
        sync_file(self._rows_file)  # a killed writer may have left whole records that are not durable yet
        with self._rows_file.open("rb") as file:
            while True:
                file.seek(at)
                header = file.read(HEADER.size)
                if len(header) < HEADER.size:
                    break
                rows, before, length, nonce = HEADER.unpack(header)
                whole = 0 < rows <= MAX_CHUNK_ROWS and before == total and length == body_bytes(spec, rows) + TAG_BYTES
                end = at + HEADER.size + length
                if not whole or end > size:
                    break
                if (
                    end + HEADER.size > size
                ):  # only the last record can be torn inside: each was durable before the next
                    try:
                        self._cipher().decrypt(nonce, file.read(length), self._bound(header))
                    except InvalidTag:
                        break
                at, total = end, total + rows
        if size - at > HEADER.size + body_bytes(spec, MAX_CHUNK_ROWS) + TAG_BYTES:
            raise SluisError(Code.STORE_CORRUPT, "an upload was altered on disk: discard it and send it again")
        if at == size:
            self._known = at, total
        return at, total

    def move_key(self) -> None:
        """Puts the key of the spool under the newest storage key."""
        if self.exists():
            self._keys.move(self.directory, _USE, self.spec.upload.encode())

    def _cipher(self) -> AESGCM:
        if self._key is None:
            self._key = self._keys.of(self.directory, _USE, self.spec.upload.encode())
        return AESGCM(self._key)

    def _bound(self, header: bytes) -> bytes:
        return encode(b"sluis/v1/upload", spec_bytes(self.spec), header)


def _packed(spec: UploadSpec, chunk: RegisterChunk) -> bytes:
    parts: list[bytes] = []
    for column in chunk.columns:
        parts += [np.packbits(column.present, bitorder="little").tobytes(), column.pseudonyms.tobytes()]
    body = b"".join([*parts, *chunk.wraps, chunk.commitments, *chunk.fields])
    keys = spec.match_keys
    shape = (len(chunk.columns), len(chunk.wraps), len(chunk.fields))
    wanted = (keys, keys if spec.attributes else 0, len(spec.attributes))
    lengths = [len(wraps) == chunk.rows * WRAP_BYTES for wraps in chunk.wraps]
    lengths += [len(field) == chunk.rows * width for field, width in zip(chunk.fields, spec.widths, strict=False)]
    if shape != wanted or not all(lengths) or len(body) != body_bytes(spec, chunk.rows):
        raise SluisError(Code.LENGTH_WRONG, "rows: the columns do not have the shape that the upload was begun with")
    if chunk.rows > MAX_CHUNK_ROWS:
        raise SluisError(Code.TOO_LARGE, f"rows: send at most {MAX_CHUNK_ROWS} rows at a time")
    return body


def _unpacked(spec: UploadSpec, rows: int, body: bytes) -> RegisterChunk:
    view, at = memoryview(body), 0

    def take(size: int) -> memoryview:
        nonlocal at
        at += size
        return view[at - size : at]

    columns = []
    for _ in range(spec.match_keys):
        bits = np.frombuffer(take((rows + 7) // 8), np.uint8)
        present = np.unpackbits(bits, count=rows, bitorder="little").view(np.bool_)
        columns.append(PseudonymColumn(np.frombuffer(take(rows * PSEUDONYM_BYTES), "V16"), present))
    if not spec.attributes:
        return RegisterChunk(tuple(columns))
    wraps = tuple(bytes(take(rows * WRAP_BYTES)) for _ in range(spec.match_keys))
    commitments = bytes(take(rows * COMMITMENT_BYTES))
    return RegisterChunk(tuple(columns), wraps, commitments, tuple(bytes(take(rows * w)) for w in spec.widths))
