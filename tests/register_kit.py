"""Registers for tests: tables of random rows, and the register store as plainly as it can be said."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from storage_roots import Roots

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import PseudonymColumn, Pseudonyms, RegisterChunk, UploadSpec
from broker.register_ports import RegisterStore, Snapshot

NAME = "snf/snf-locatie/2026Q4/bag"


class MemorySnapshot:
    def __init__(self, spec: UploadSpec, records: list[dict[str, object]]) -> None:
        self.spec, self.records = spec, records
        self.rows, self.match_keys = len(records), spec.match_keys

    def lookup(self, match_key: int, pseudonyms: Pseudonyms):
        rows_of: dict[bytes, list[int]] = {}
        for row, record in enumerate(self.records):
            if record["present"][match_key]:
                rows_of.setdefault(record["pseudonyms"][match_key], []).append(row)
        pairs = [(at, row) for at, value in enumerate(pseudonyms) for row in rows_of.get(value.tobytes(), [])]
        return np.array([p for p, _ in pairs], np.uint32), np.array([r for _, r in pairs], np.int64)

    def fetch(self, rows, match_keys, attributes: Sequence[str]):
        if not attributes:
            return b"", b"", ()
        if not set(attributes) <= set(self.spec.attributes):
            raise SluisError(Code.FIELD_INVALID, "attributes")
        numbers = [self.spec.attributes.index(name) for name in attributes]
        wraps, commitments, fields = b"", b"", [b""] * len(attributes)
        for row, key in zip(rows.tolist(), match_keys.tolist(), strict=True):
            record = self.records[row] if row >= 0 else None
            wraps += record["wraps"][key - 1] if record else bytes(60)
            commitments += record["commitment"] if record else bytes(32)
            for at, number in enumerate(numbers):
                fields[at] += record["fields"][number] if record else bytes(self.spec.widths[number])
        return wraps, commitments, tuple(fields)

    def close(self) -> None:
        pass


class MemoryRegisterStore:
    def __init__(self) -> None:
        self.specs: dict[str, UploadSpec] = {}
        self.uploads: dict[str, list[dict[str, object]]] = {}
        self.digests: dict[str, str] = {}
        self.versions: dict[tuple[str, int], MemorySnapshot] = {}

    def _spec(self, upload: str) -> UploadSpec:
        if upload not in self.specs:
            raise SluisError(Code.NOT_FOUND, "upload")
        return self.specs[upload]

    def begin(self, spec: UploadSpec) -> None:
        if self.specs.setdefault(spec.upload, spec) != spec:
            raise SluisError(Code.REQUEST_ID_REUSED, "upload")
        self.uploads.setdefault(spec.upload, [])

    def append(self, upload: str, offset: int, chunk: RegisterChunk) -> int:
        spec, records = self._spec(upload), self.uploads[upload]
        if upload in self.digests:
            raise SluisError(Code.UPLOAD_SEALED, "upload")
        if offset != len(records):
            raise SluisError(Code.OFFSET_WRONG, "offset")
        if len(chunk.fields) != len(spec.widths) or len(chunk.columns) != spec.match_keys:
            raise SluisError(Code.LENGTH_WRONG, "rows")
        for row in range(chunk.rows):
            records.append(
                {
                    "pseudonyms": [column.pseudonyms[row].tobytes() for column in chunk.columns],
                    "present": [bool(column.present[row]) for column in chunk.columns],
                    "wraps": [wraps[row * 60 : row * 60 + 60] for wraps in chunk.wraps],
                    "commitment": chunk.commitments[row * 32 : row * 32 + 32],
                    "fields": [f[row * w : row * w + w] for f, w in zip(chunk.fields, spec.widths, strict=True)],
                }
            )
        return len(records)

    def committed(self, upload: str) -> int:
        self._spec(upload)
        return len(self.uploads[upload])

    def build(self, upload: str, *, rows: int, digest: str, rows_per_pseudonym: int) -> None:
        spec, records = self._spec(upload), self.uploads[upload]
        if len(records) != rows:
            raise SluisError(Code.COUNT_WRONG, "rows")
        if register_digest(spec, records) != digest:
            raise SluisError(Code.DIGEST_WRONG, "digest")
        if spec.match_keys == 1:
            most = Counter(record["pseudonyms"][0] for record in records if record["present"][0]).most_common(1)
            if most and most[0][1] > rows_per_pseudonym:
                raise SluisError(Code.TOO_MANY_PER_PSEUDONYM, "rows")
        if upload in self.digests and (spec.register, spec.version) not in self.versions:
            raise SluisError(Code.NOT_FOUND, "dropped")
        self.digests[upload] = digest
        self.versions[spec.register, spec.version] = MemorySnapshot(spec, list(records))

    def pin(self, name: str, version: int) -> Snapshot:
        if (name, version) not in self.versions:
            raise SluisError(Code.NOT_FOUND, "version")
        return self.versions[name, version]

    def discard(self, upload: str) -> None:
        spec = self.specs.pop(upload, None)
        if spec is not None:
            self.uploads.pop(upload)
            if self.digests.pop(upload, None) is not None:
                self.versions.pop((spec.register, spec.version), None)

    def sweep(self, keep: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        dropped = tuple(sorted(set(self.versions) - set(keep)))
        for found in dropped:
            self.versions.pop(found)
            for upload, spec in list(self.specs.items()):
                if (spec.register, spec.version) == found:
                    self.specs.pop(upload), self.uploads.pop(upload), self.digests.pop(upload)
        return dropped


def register_digest(spec: UploadSpec, records: list[dict[str, object]]) -> str:
    """docs/formats.md section 4, read again by another hand."""
    digests = []
    for key in range(spec.match_keys):
        bits = bytearray((len(records) + 7) // 8)
        for row, record in enumerate(records):
            bits[row // 8] |= record["present"][key] << (row % 8)
        digests += [bytes(bits), b"".join(record["pseudonyms"][key] for record in records)]
    if spec.attributes:
        digests += [b"".join(record["wraps"][key] for record in records) for key in range(spec.match_keys)]
        digests.append(b"".join(record["commitment"] for record in records))
        digests += [b"".join(record["fields"][at] for record in records) for at in range(len(spec.attributes))]
    parts = [hashlib.sha256(column).digest() for column in digests]
    return hashlib.sha256(encode(b"sluis/v1/register-digest", *parts)).hexdigest()


class AtRest(Roots):
    pass


class Entropy:
    def token(self, size: int) -> bytes:
        return os.urandom(size)


@dataclass
class Table:
    """A register as rows, and its chunks."""

    spec: UploadSpec
    records: list[dict[str, object]]

    def chunk(self, start: int, stop: int) -> RegisterChunk:
        part = self.records[start:stop]
        columns = tuple(
            PseudonymColumn(
                np.frombuffer(b"".join(r["pseudonyms"][key] for r in part), "V16"),
                np.array([r["present"][key] for r in part], np.bool_),
            )
            for key in range(self.spec.match_keys)
        )
        if not self.spec.attributes:
            return RegisterChunk(columns)
        wraps = tuple(b"".join(r["wraps"][key] for r in part) for key in range(self.spec.match_keys))
        fields = tuple(b"".join(r["fields"][at] for r in part) for at in range(len(self.spec.attributes)))
        return RegisterChunk(columns, wraps, b"".join(r["commitment"] for r in part), fields)

    @property
    def digest(self) -> str:
        return register_digest(self.spec, self.records)


def table(
    rows: int, *, keys: int = 1, attributes: tuple[str, ...] = ("beds", "status"), version: int = 1, upload: str = "u1"
) -> Table:
    random = np.random.default_rng([rows, keys, version])
    widths = tuple(18 + 3 + 5 * at for at in range(len(attributes)))
    records = []
    for _ in range(rows):
        present = [bool(p) for p in random.random(keys) < 0.8]
        present[0] = True if keys == 1 else present[0]
        values = [random.bytes(16) if p else bytes(16) for p in present]
        sealed = {
            "wraps": [random.bytes(60) for _ in range(keys)] if attributes else [],
            "commitment": random.bytes(32) if attributes else b"",
            "fields": [random.bytes(width) for width in widths],
        }
        records.append({"pseudonyms": values, "present": present, **sealed})
    return Table(UploadSpec(upload, NAME, version, keys, attributes, widths), records)


def publish(store: RegisterStore, t: Table, step: int = 7, limit: int = 1) -> None:
    store.begin(t.spec)
    for start in range(0, len(t.records), step):
        store.append(t.spec.upload, start, t.chunk(start, start + step))
    store.build(t.spec.upload, rows=len(t.records), digest=t.digest, rows_per_pseudonym=limit)


def column(*values: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(values), "V16")


def code_of(call: Callable[[], object]) -> Code:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code
