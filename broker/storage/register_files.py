"""The files of one built register version: format, ciphers and the open, memory-mapped version.

    index-<k>.arrow   per match key, one record batch per bucket of the first bits: `high`, `low` (the pseudonym as one
                      AES-256 block, big-endian halves) and `row`; sorted by (high, low)
    rows.arrow        batches of 65,536 rows: `wraps-<k>`, `commitments` and one column per attribute, AES-256-CTR
    version.json      shape, salt and the HMAC-SHA-256 of every file, itself under a MAC

Every column has a key of its own: HMAC(register key, encode(column, salt)); the register key is of the version alone
(`data_keys.py`), salt random per build. A single block cipher hides the pseudonym and keeps equality, which the join
needs; a row's counter starts at row x blocks per row, so any set of rows opens with one cipher call.
"""

from __future__ import annotations

import hashlib
import hmac
import mmap
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from broker.canonical import canonical_json, encode, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange import COMMITMENT_BYTES, WRAP_BYTES, Pseudonyms
from broker.storage.durable import write_durably

ROWS_PER_BATCH = 65_536
READ_BYTES = 4 << 20
FEW_ROWS = 4
LARGE_FILE = 64 << 20
"""Bytes from which a file is mapped twice: with readahead for bulk, without for small questions."""

U64 = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]

ALTERED = "a register file was altered, or the storage key is another: restore it, or let the answerer publish again"


def column_key(register_key: bytes, column: str, salt: bytes) -> bytes:
    """The key of one column or file of one build."""
    return hmac.digest(register_key, encode(b"sluis/v1/register-column", column.encode(), salt), "sha256")


def block_cipher(key: bytes) -> Cipher[modes.ECB]:
    """AES-256 as a keyed permutation of single blocks. ECB on purpose: equality is what the join needs."""
    return Cipher(algorithms.AES256(key), modes.ECB())  # noqa: S305


def encrypted_halves(cipher: Cipher[modes.ECB], pseudonyms: Pseudonyms) -> tuple[U64, U64]:
    """The encrypted pseudonyms as two columns of integers, in one cipher call."""
    halves = np.frombuffer(_blocks(cipher, np.ascontiguousarray(pseudonyms).view(np.uint8)), ">u8").reshape(-1, 2)
    return halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)


def crypt_rows(cipher: Cipher[modes.ECB], rows: npt.NDArray[np.int64], values: Bytes) -> Bytes:
    """AES-256-CTR over rows of equal width, each with the counter of its row number; its own inverse.

    `values`: shape (n, width). One cipher call for any set of rows.
    """
    count, width = values.shape
    blocks = (width + 15) // 16
    counters = np.zeros((count, blocks, 2), ">u8")
    counters[:, :, 1] = rows[:, None] * blocks + np.arange(blocks)
    stream = np.frombuffer(_blocks(cipher, counters.view(np.uint8).reshape(-1)), np.uint8)
    return values ^ stream.reshape(count, blocks * 16)[:, :width]


def _blocks(cipher: Cipher[modes.ECB], data: Bytes) -> bytearray:
    out = bytearray(len(data) + 15)
    written = cipher.encryptor().update_into(data.data, out)
    del out[written:]
    return out


def payload_columns(match_keys: int, attributes: Sequence[str], widths: Sequence[int]) -> dict[str, int]:
    """Names and widths of the columns of `rows.arrow`; none without attributes."""
    if not attributes:
        return {}
    columns = {f"wraps-{key}": WRAP_BYTES for key in range(1, match_keys + 1)}
    columns["commitments"] = COMMITMENT_BYTES
    return columns | {f"field-{name}": width for name, width in zip(attributes, widths, strict=True)}


@dataclass(frozen=True)
class VersionFacts:
    """What `version.json` says."""

    name: str
    version: int
    upload: str
    rows: int
    match_keys: int
    attributes: tuple[str, ...]
    widths: tuple[int, ...]
    salt: bytes
    source: str
    """Keyed digest of the manifest digest this version was built for."""
    files: Mapping[str, str]
    """File name to MAC, hex."""

    def write(self, directory: Path, register_key: bytes) -> None:
        """Writes `version.json`, durably."""
        body = {
            "attributes": list(self.attributes),
            "files": dict(self.files),
            "match_keys": self.match_keys,
            "name": self.name,
            "rows": self.rows,
            "salt": self.salt.hex(),
            "source": self.source,
            "type": "sluis/v1/register-files",
            "upload": self.upload,
            "version": self.version,
            "widths": list(self.widths),
        }
        mac = hmac.digest(register_key, encode(b"sluis/v1/register-version", canonical_json(body)), "sha256")
        write_durably(directory / "version.json", canonical_json({"body": body, "mac": mac.hex()}))

    @classmethod
    def read(cls, directory: Path, name: str, version: int, register_key: bytes) -> VersionFacts:
        """Reads and verifies `version.json`. Raises NOT_FOUND, STORE_CORRUPT."""
        try:
            data = (directory / "version.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SluisError(Code.NOT_FOUND, "no such register version") from error
        try:
            value = parse_canonical(data)
            body = value["body"]
            mac = hmac.digest(register_key, encode(b"sluis/v1/register-version", canonical_json(body)), "sha256")
            # as text: the same bytes in other letters are another file
            same = hmac.compare_digest(mac.hex(), value["mac"]) and (body["name"], body["version"]) == (
                name,
                version,
            )
        except (SluisError, KeyError, TypeError, ValueError) as error:
            raise SluisError(Code.STORE_CORRUPT, ALTERED) from error
        if not same:
            raise SluisError(Code.STORE_CORRUPT, ALTERED)
        return cls(
            name=name,
            version=version,
            upload=body["upload"],
            rows=body["rows"],
            match_keys=body["match_keys"],
            attributes=tuple(body["attributes"]),
            widths=tuple(body["widths"]),
            salt=bytes.fromhex(body["salt"]),
            source=body["source"],
            files=body["files"],
        )


def file_mac(descriptor: int, register_key: bytes, name: str, salt: bytes) -> str:
    """HMAC-SHA-256 over a whole file, read once from its start and not mapped, hex."""
    mac = hmac.new(column_key(register_key, f"mac {name}", salt), digestmod=hashlib.sha256)
    buffer = bytearray(READ_BYTES)
    at = 0
    while count := os.preadv(descriptor, [buffer], at):
        mac.update(memoryview(buffer)[:count])
        at += count
    return mac.hexdigest()


class _Mapped:
    """Record batches of one Arrow file as NumPy views; with and without readahead when the file is large."""

    def __init__(self, path: Path, facts: VersionFacts, register_key: bytes) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            mac = file_mac(descriptor, register_key, path.name, facts.salt)
            if not hmac.compare_digest(mac, facts.files.get(path.name, "")):
                raise SluisError(Code.STORE_CORRUPT, ALTERED)
            self.bulk = _views(descriptor, mmap.MADV_NORMAL)
            large = os.fstat(descriptor).st_size >= LARGE_FILE
            self.small = _views(descriptor, mmap.MADV_RANDOM) if large else self.bulk
        finally:
            os.close(descriptor)


def _views(descriptor: int, advice: int) -> list[dict[str, npt.NDArray[np.generic]]]:
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    mapped.madvise(advice)
    reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
    batches = []
    for index in range(reader.num_record_batches):
        batch = reader.get_batch(index)
        batches.append({name: _view(batch.column(name)) for name in batch.schema.names})
    return batches


def _view(column: pa.Array) -> npt.NDArray[np.generic]:
    if pa.types.is_fixed_size_binary(column.type):
        width = column.type.byte_width
        return np.frombuffer(column.buffers()[1], np.uint8, len(column) * width).reshape(-1, width)
    return column.to_numpy(zero_copy_only=True)  # type: ignore[no-any-return]  # pyarrow is untyped


class OpenVersion:
    """A verified, memory-mapped version. Immutable and safe from any thread; lives as long as someone holds it.

    Raises NOT_FOUND when the version is not there, STORE_CORRUPT when any byte of it is not what was built.
    """

    def __init__(self, directory: Path, name: str, version: int, register_key: bytes) -> None:
        self.facts = facts = VersionFacts.read(directory, name, version, register_key)
        numbers = range(1, facts.match_keys + 1)
        try:
            self._index = [_Mapped(directory / f"index-{key}.arrow", facts, register_key) for key in numbers]
            self._payload = _Mapped(directory / "rows.arrow", facts, register_key) if facts.attributes else None
        except FileNotFoundError as error:
            raise SluisError(Code.STORE_CORRUPT, ALTERED) from error
        self._pseudonyms = [block_cipher(column_key(register_key, f"pseudonyms-{key}", facts.salt)) for key in numbers]
        widths = payload_columns(facts.match_keys, facts.attributes, facts.widths)
        self._columns = {
            column: (width, block_cipher(column_key(register_key, column, facts.salt)))
            for column, width in widths.items()
        }

    def lookup(self, match_key: int, pseudonyms: Pseudonyms) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """As `Snapshot.lookup`: the question is sorted once, and each bucket of the index searched in order."""
        high, low = encrypted_halves(self._pseudonyms[match_key], pseudonyms)
        mapped = self._index[match_key]
        buckets = mapped.bulk if len(high) * 1024 > self.facts.rows else mapped.small
        order = np.argsort(high)
        high = high[order]
        edges = _edges(high, len(buckets))
        found: list[U64] = []
        for bucket, start, stop in zip(buckets, edges[:-1], edges[1:], strict=True):
            if start != stop:
                within = order[start:stop]
                found.append(_search(bucket, high[start:stop], within, low))
        pairs = np.sort(np.concatenate(found)) if found else np.empty(0, np.uint64)
        return (pairs >> np.uint64(32)).astype(np.uint32), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)

    def column(self, name: str, chosen: Chosen) -> bytes:
        """Plain bytes of one payload column for the chosen rows, packed in the order given."""
        assert self._payload is not None
        width, cipher = self._columns[name]
        rows = chosen.rows
        batches = self._payload.bulk if len(rows) * 1024 > self.facts.rows else self._payload.small
        if len(rows) <= FEW_ROWS:
            return b"".join(_one_row(batches, name, cipher, row) for row in rows.tolist())
        sealed = np.empty((len(rows), width), np.uint8)
        for batch, start, stop in chosen.batches:
            at = chosen.order[start:stop]
            sealed[at] = batches[batch][name][rows[at] - batch * ROWS_PER_BATCH]
        return crypt_rows(cipher, rows, sealed).tobytes()


class Chosen:
    """Rows to fetch, grouped by record batch once for all their columns. No row is negative."""

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self.rows = rows
        if len(rows) <= FEW_ROWS:
            return
        batch = rows // ROWS_PER_BATCH
        self.order = np.argsort(batch, kind="stable")
        touched, starts = np.unique(batch[self.order], return_index=True)
        stops = [*starts[1:].tolist(), len(rows)]
        self.batches = list(zip(touched.tolist(), starts.tolist(), stops, strict=True))
        """(batch, start, stop): which part of `order` lies in which batch."""


def _one_row(
    batches: Sequence[Mapping[str, npt.NDArray[np.generic]]], name: str, cipher: Cipher[modes.ECB], row: int
) -> bytes:
    """As `crypt_rows` for a single row, without the price of arrays."""
    sealed = batches[row // ROWS_PER_BATCH][name][row % ROWS_PER_BATCH].tobytes()
    width, blocks = len(sealed), (len(sealed) + 15) // 16
    counters = b"".join(number.to_bytes(16, "big") for number in range(row * blocks, (row + 1) * blocks))
    stream = cipher.encryptor().update(counters)[:width]
    return (int.from_bytes(sealed, "big") ^ int.from_bytes(stream, "big")).to_bytes(width, "big")


def _edges(high: U64, buckets: int) -> list[int]:
    if buckets == 1:
        return [0, len(high)]
    firsts = np.arange(1, buckets, dtype=np.uint64) << np.uint64(64 - (buckets.bit_length() - 1))
    return [0, *np.searchsorted(high, firsts).tolist(), len(high)]


def _search(bucket: Mapping[str, npt.NDArray[np.generic]], high: U64, positions: npt.NDArray[np.intp], low: U64) -> U64:
    """Pairs position << 32 | row of one bucket. `high` is sorted; `low` is by position."""
    index: U64 = bucket["high"]  # type: ignore[assignment]  # the writer's type, MAC-verified
    if not len(index):
        return np.empty(0, np.uint64)
    left = np.searchsorted(index, high)
    inside = np.flatnonzero(left < len(index))
    near = inside[index[left[inside]] == high[inside]]
    left, positions, high = left[near], positions[near], high[near]
    after = left + 1
    more = after < len(index)
    if np.any(index[after[more]] == high[more]):  # several rows share the first half: nearly always the same pseudonym
        spans = np.searchsorted(index, high, side="right") - left
        ramp = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans)
        left, positions = np.repeat(left, spans) + ramp, np.repeat(positions, spans)
    same = bucket["low"][left] == low[positions]
    left, positions = left[same], positions[same]
    pairs: U64 = positions.astype(np.uint64) << np.uint64(32) | bucket["row"][left].astype(np.uint64)
    return pairs
