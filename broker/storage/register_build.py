"""Building a register version from its spool: verify, encrypt, sort, write. Memory is bounded by one bucket.

First pass, in upload order: digest of every column (docs/formats.md section 4), payload into `rows.arrow`, encrypted
pseudonyms into spill files by their first bits. Second pass: each spill sorted into one batch of the index.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import PseudonymColumn, RegisterChunk, UploadSpec
from broker.storage.durable import sync_directory, sync_file
from broker.storage.register_files import (
    ROWS_PER_BATCH,
    Bytes,
    VersionFacts,
    block_cipher,
    column_key,
    crypt_rows,
    encrypted_halves,
    file_mac,
    payload_columns,
)

BUCKET_ROWS = 1 << 20
MAX_BUCKETS = 256
SPILLED = np.dtype([("high", "<u8"), ("low", "<u8"), ("row", "<u4")])
_INDEX_SCHEMA = pa.schema([("high", pa.uint64()), ("low", pa.uint64()), ("row", pa.uint32())])


class ColumnDigests:
    """The register digest of docs/formats.md section 4, over chunks of any size.

    Each d is the SHA-256 of one whole column; presence bitmaps are padded once, at the end.
    """

    def __init__(self, spec: UploadSpec) -> None:
        keys = spec.match_keys
        self._pending = [np.empty(0, np.bool_) for _ in range(keys)]
        self._bitmaps = [hashlib.sha256() for _ in range(keys)]
        self._pseudonyms = [hashlib.sha256() for _ in range(keys)]
        self._sealed = [hashlib.sha256() for _ in payload_columns(keys, spec.attributes, spec.widths)]

    def update(self, chunk: RegisterChunk) -> None:
        """Adds the next rows."""
        for key, column in enumerate(chunk.columns):
            present = np.concatenate([self._pending[key], column.present])
            whole = len(present) & ~7
            self._bitmaps[key].update(np.packbits(present[:whole], bitorder="little").tobytes())
            self._pending[key] = present[whole:].copy()
            self._pseudonyms[key].update(np.ascontiguousarray(column.pseudonyms).data)
        for digest, data in zip(self._sealed, _sealed(chunk), strict=True):
            digest.update(data)

    def hexdigest(self) -> str:
        """The digest of all rows so far."""
        parts = []
        for bitmap, pending, pseudonyms in zip(self._bitmaps, self._pending, self._pseudonyms, strict=True):
            padded = bitmap.copy()
            padded.update(np.packbits(pending, bitorder="little").tobytes())
            parts += [padded.digest(), pseudonyms.digest()]
        parts += [digest.digest() for digest in self._sealed]
        return hashlib.sha256(encode(b"sluis/v1/register-digest", *parts)).hexdigest()


def source_mark(register_key: bytes, digest: str, rows: int) -> str:
    """What a version remembers of the digest it was built for: keyed, since the digest depends on pseudonyms."""
    return hmac.digest(register_key, encode(b"sluis/v1/register-source", digest.encode(), b"%d" % rows), "sha256").hex()


def build_version(
    directory: Path,
    spec: UploadSpec,
    chunks: Iterable[RegisterChunk],
    *,
    rows: int,
    digest: str,
    rows_per_pseudonym: int,
    register_key: bytes,
    salt: bytes,
) -> None:
    """Writes all files of a version into the empty `directory`; durable on return.

    Raises DIGEST_WRONG, and TOO_MANY_PER_PSEUDONYM for a register of one match key. With several match keys a
    value that repeats never counts in a join, so it is allowed.
    """
    facts = VersionFacts(
        name=spec.register,
        version=spec.version,
        upload=spec.upload,
        rows=rows,
        match_keys=spec.match_keys,
        attributes=spec.attributes,
        widths=spec.widths,
        salt=salt,
        source=source_mark(register_key, digest, rows),
        files={},
    )
    spill = _Spill(directory, spec.match_keys, rows)
    if _first_pass(directory, facts, chunks, spec, spill, register_key) != digest:
        raise SluisError(
            Code.DIGEST_WRONG,
            "the rows received are not those of the manifest: compare count and order of rows, then upload again",
        )
    names = ["rows.arrow"] if spec.attributes else []
    for key in range(1, spec.match_keys + 1):
        names.append(f"index-{key}.arrow")
        limit = rows_per_pseudonym if spec.match_keys == 1 else None
        _write_index(directory / names[-1], (spill.sorted(key - 1, bucket) for bucket in range(spill.buckets)), limit)
    spill.remove()
    macs = {}
    for name in names:
        sync_file(directory / name)
        descriptor = os.open(directory / name, os.O_RDONLY)
        try:
            macs[name] = file_mac(descriptor, register_key, name, salt)
        finally:
            os.close(descriptor)
    replace(facts, files=macs).write(directory, register_key)
    sync_directory(directory)


def _first_pass(
    directory: Path,
    facts: VersionFacts,
    chunks: Iterable[RegisterChunk],
    spec: UploadSpec,
    spill: _Spill,
    register_key: bytes,
) -> str:
    keys = [column_key(register_key, f"pseudonyms-{number}", facts.salt) for number in range(1, spec.match_keys + 1)]
    ciphers = [block_cipher(key) for key in keys]
    widths = payload_columns(spec.match_keys, spec.attributes, spec.widths)
    payload = {name: block_cipher(column_key(register_key, name, facts.salt)) for name in widths}
    digests = ColumnDigests(spec)
    schema = pa.schema([(name, pa.binary(width)) for name, width in widths.items()])
    sink = pa.OSFile(str(directory / "rows.arrow"), "wb") if widths else pa.BufferOutputStream()
    with sink, pa.ipc.new_file(sink, schema) as writer:
        before = 0
        for chunk in _regular(_hashed(chunks, digests), widths):
            numbers = np.arange(before, before + chunk.rows)
            for key, column in enumerate(chunk.columns):
                high, low = encrypted_halves(ciphers[key], column.pseudonyms[column.present])
                spill.add(key, high, low, numbers[column.present])
            arrays = []
            for (name, width), data in zip(widths.items(), _sealed(chunk), strict=True):
                values = np.frombuffer(data, np.uint8).reshape(-1, width)
                arrays.append(_binary(crypt_rows(payload[name], numbers, values)))
            if widths:
                writer.write_batch(pa.record_batch(arrays, schema=schema))
            before += chunk.rows
    return digests.hexdigest()


def _hashed(chunks: Iterable[RegisterChunk], digests: ColumnDigests) -> Iterator[RegisterChunk]:
    for chunk in chunks:
        digests.update(chunk)
        yield chunk


def _sealed(chunk: RegisterChunk) -> tuple[bytes, ...]:
    """Payload columns in the order of `payload_columns`."""
    return (*chunk.wraps, chunk.commitments, *chunk.fields) if chunk.commitments else ()


def _regular(chunks: Iterable[RegisterChunk], widths: dict[str, int]) -> Iterator[RegisterChunk]:
    """The same rows in chunks of exactly ROWS_PER_BATCH, the last one shorter: row r stands in batch r // size."""
    held: list[RegisterChunk] = []
    rows = 0
    for chunk in chunks:
        start = 0
        while rows + chunk.rows - start >= ROWS_PER_BATCH:
            stop = start + ROWS_PER_BATCH - rows
            yield _joined([*held, _part(chunk, start, stop, widths)])
            held, rows, start = [], 0, stop
        if start < chunk.rows:
            held.append(_part(chunk, start, chunk.rows, widths))
            rows += chunk.rows - start
    if held:
        yield _joined(held)


def _part(chunk: RegisterChunk, start: int, stop: int, widths: dict[str, int]) -> RegisterChunk:
    if (start, stop) == (0, chunk.rows):
        return chunk
    columns = tuple(PseudonymColumn(c.pseudonyms[start:stop], c.present[start:stop]) for c in chunk.columns)
    if not widths:
        return RegisterChunk(columns)
    sealed = [data[start * w : stop * w] for data, w in zip(_sealed(chunk), widths.values(), strict=True)]
    keys = len(columns)
    return RegisterChunk(columns, tuple(sealed[:keys]), sealed[keys], tuple(sealed[keys + 1 :]))


def _joined(parts: list[RegisterChunk]) -> RegisterChunk:
    if len(parts) == 1:
        return parts[0]
    columns = tuple(
        PseudonymColumn(np.concatenate([c.pseudonyms for c in same]), np.concatenate([c.present for c in same]))
        for same in zip(*(part.columns for part in parts), strict=True)
    )
    wraps = tuple(b"".join(same) for same in zip(*(part.wraps for part in parts), strict=True))
    fields = tuple(b"".join(same) for same in zip(*(part.fields for part in parts), strict=True))
    return RegisterChunk(columns, wraps, b"".join(part.commitments for part in parts), fields)


class _Spill:
    """Encrypted pseudonyms on their way to the index, in files by their first bits."""

    def __init__(self, directory: Path, match_keys: int, rows: int) -> None:
        self._directory = directory
        self._match_keys = match_keys
        wanted = (rows + BUCKET_ROWS - 1) // BUCKET_ROWS
        self.buckets = min(MAX_BUCKETS, 1 << max(0, wanted - 1).bit_length())

    def add(
        self, key: int, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64], rows: npt.NDArray[np.int64]
    ) -> None:
        """Adds rows of one match key."""
        records = np.empty(len(high), SPILLED)
        records["high"], records["low"], records["row"] = high, low, rows
        if self.buckets == 1:
            self._write(key, 0, records)
            return
        bucket = (high >> np.uint64(64 - (self.buckets.bit_length() - 1))).astype(np.int64)
        records = records[np.argsort(bucket, kind="stable")]
        edges = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=self.buckets))])
        for number, (start, stop) in enumerate(pairwise(edges.tolist())):
            if start != stop:
                self._write(key, number, records[start:stop])

    def sorted(self, key: int, bucket: int) -> npt.NDArray[np.void]:
        """One bucket's records, sorted by (high, low, row)."""
        path = self._path(key, bucket)
        records = np.fromfile(path, SPILLED) if path.exists() else np.empty(0, SPILLED)
        high = np.ascontiguousarray(records["high"])
        order = np.argsort(high)
        if np.any(high[order][1:] == high[order][:-1]):
            order = np.lexsort((records["row"], records["low"], high))
        return records[order]

    def remove(self) -> None:
        """Drops the spill files."""
        for key in range(self._match_keys):
            for bucket in range(self.buckets):
                self._path(key, bucket).unlink(missing_ok=True)

    def _write(self, key: int, bucket: int, records: npt.NDArray[np.void]) -> None:
        with self._path(key, bucket).open("ab") as file:
            file.write(records.data)

    def _path(self, key: int, bucket: int) -> Path:
        return self._directory / f"spill-{key}-{bucket}"


def _write_index(path: Path, buckets: Iterable[npt.NDArray[np.void]], limit: int | None) -> None:
    """One record batch per bucket. Raises TOO_MANY_PER_PSEUDONYM when a value occurs more than `limit` times."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _INDEX_SCHEMA) as writer:
        for records in buckets:
            columns = [np.ascontiguousarray(records[name]) for name in ("high", "low", "row")]
            if limit is not None and _more_than(columns[0], columns[1], limit):
                raise SluisError(
                    Code.TOO_MANY_PER_PSEUDONYM,
                    f"a pseudonym occurs in more than {limit} rows: this identifier scheme holds at most {limit} "
                    f"{'record' if limit == 1 else 'records'} per identifier; merge duplicates and publish again",
                    metadata={"rows_per_pseudonym": str(limit)},
                )
            writer.write_batch(pa.record_batch([pa.array(column) for column in columns], schema=_INDEX_SCHEMA))


def _more_than(high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64], limit: int) -> bool:
    return bool(np.any((high[limit:] == high[:-limit]) & (low[limit:] == low[:-limit])))


def _binary(values: Bytes) -> pa.Array:
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.binary(values.shape[1]), len(values), [None, pa.py_buffer(values)])
