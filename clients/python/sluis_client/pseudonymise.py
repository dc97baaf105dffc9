"""Mode `keyed`, "pseudonymised matching": normalised fields become pseudonyms under a purpose's key.

Mode `oblivious` is in `sluis_client.oblivious`; contexts, columns and key ids are of both modes.

The exact bytes stand in docs/pseudonym-spec.md. This is not private set intersection: whoever holds K can enumerate
the identifiers of its purpose and epoch. What a pseudonym is safe against is everyone without K, and every other
purpose, epoch, environment and log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol, Self

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from sluis_client.canonical import encode, pack_presence
from sluis_client.errors import ClientError
from sluis_client.secret import Secret, hkdf_expand, hkdf_extract

Fields = tuple[str, ...]
PSEUDONYM_BYTES = 16
MODE_KEYED = "keyed"
MODE_OBLIVIOUS = "oblivious"
MODES = (MODE_KEYED, MODE_OBLIVIOUS)
ENVIRONMENTS = ("test", "production")
_ABSENT = bytes(PSEUDONYM_BYTES)
# Rows whose hash objects stay in the processor's cache; larger runs are slower (tests/bench/pseudonymise.py).
_RUN = 512
_TASK_ROWS = 32_768


@dataclass(frozen=True)
class Context:
    """What every derivation is bound to. Two contexts that differ in one member share no key and no pseudonym.

    Raises:
        ClientError: MODE_NOT_AVAILABLE for a mode that this client does not know, CONTEXT_INVALID for an empty member
            or an environment other than `test` and `production`.
    """

    origin: str
    environment: str
    purpose: str
    epoch: str
    mode: str = MODE_KEYED

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ClientError("MODE_NOT_AVAILABLE", f"this client knows modes {' and '.join(MODES)}; upgrade it")
        if self.environment not in ENVIRONMENTS:
            raise ClientError("CONTEXT_INVALID", "the environment is test or production")
        if not (self.origin and self.purpose and self.epoch):
            raise ClientError("CONTEXT_INVALID", "origin, purpose and epoch must not be empty")

    def parts(self) -> tuple[str, str, str, str, str]:
        """Origin, environment, purpose, epoch, mode: in the order in which every derivation takes them."""
        return self.origin, self.environment, self.purpose, self.epoch, self.mode

    def scope(self) -> tuple[str, str]:
        """Origin and environment."""
        return self.origin, self.environment


@dataclass(frozen=True)
class Column:
    """One match key's pseudonyms, 16 bytes a row (zero where absent), and its presence bitmap."""

    pseudonyms: bytes
    presence: bytes

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.pseudonyms) // PSEUDONYM_BYTES

    def __repr__(self) -> str:
        return f"Column(rows={self.rows})"


class _Copyable(Protocol):
    """A keyed hash whose state can be taken over."""

    def copy(self) -> _Copyable: ...

    def update(self, data: bytes) -> None: ...

    def finalize(self) -> bytes: ...


def key_id(key: Secret, context: Context) -> str:
    """The public name of K under its context: 32 hex digits. Register and question must carry the same one."""
    return _mac(key.reveal(), encode("sluis/v1/key-id", *context.parts()))[:16].hex()


class ColumnMaker(Protocol):
    """What makes the pseudonyms of one purpose, epoch and identifier scheme."""

    def columns(self, rows: Sequence[tuple[Fields | None, ...]], match_keys: int) -> tuple[Column, ...]:
        """See `Pseudonymiser`."""
        ...

    def column_of_block(self, block: bytes, width: int) -> Column:
        """See `Pseudonymiser`."""
        ...


class Maker(ColumnMaker, Protocol):
    """What makes the pseudonyms and row secrets of one purpose, epoch and identifier scheme, in either mode."""

    context: Context
    scheme_id: str
    key_id: str

    def row_secret(self, match_key: int, fields: Fields) -> Secret:
        """See `Pseudonymiser`."""
        ...


class Pseudonymiser:
    """Makes the pseudonyms and row secrets of one purpose, epoch and identifier scheme, in mode `keyed`.

    `scheme_id` is name/version as in `Scheme`, such as "bag/1". Match keys are numbered from 1, strictest first.
    The same fields under the same key and context always give the same pseudonym; K itself is not kept.

    Raises:
        ClientError: CONTEXT_INVALID when `scheme_id` is not name/version, MODE_NOT_AVAILABLE in another mode.
    """

    def __init__(self, key: Secret, context: Context, scheme_id: str) -> None:
        check_scheme_id(scheme_id)
        if context.mode != MODE_KEYED:
            raise ClientError("MODE_NOT_AVAILABLE", f"mode {context.mode} makes its pseudonyms with key services")
        self.context = context
        self.scheme_id = scheme_id
        self.key_id = key_id(key, context)
        extracted = hkdf_extract(key.reveal())
        self._match = HMAC(hkdf_expand(extracted, encode("sluis/v1/match", *context.parts())), hashes.SHA256())
        self._row = HMAC(hkdf_expand(extracted, encode("sluis/v1/row", *context.parts())), hashes.SHA256())
        self._row_started: dict[int, _Copyable] = {}

    def __repr__(self) -> str:
        return f"Pseudonymiser(scheme={self.scheme_id}, key_id={self.key_id})"

    def columns(self, rows: Sequence[tuple[Fields | None, ...]], match_keys: int) -> tuple[Column, ...]:
        """A column for each match key. A row holds one entry a match key; None: the row lacks that match key.

        Raises:
            ClientError: LENGTH_WRONG when a row has another number of entries.
        """
        if any(len(row) != match_keys for row in rows):
            raise ClientError("LENGTH_WRONG", f"every row must have {match_keys} match keys, absent ones as None")
        return tuple(self._column([row[number] for row in rows], number + 1) for number in range(match_keys))

    def column_of_block(self, block: bytes, width: int) -> Column:
        """The column of a scheme with one match key of one field of fixed width: `width` bytes a row, back to back.

        The quick way for input that needs no repair (`Scheme.canonical_block`); equals `columns` on the same fields.

        Raises:
            ClientError: LENGTH_WRONG when `block` is not whole rows.
        """
        if width < 1 or len(block) % width:
            raise ClientError("LENGTH_WRONG", f"the block is not whole rows of {width} bytes")
        keyed = self._started(self._match, 1)
        keyed.update(width.to_bytes(4, "big"))
        runs = [_run(keyed, piece, width) for piece in _pieces(block, width * _RUN)]
        return Column(b"".join(runs), pack_presence(None, len(block) // width))

    def row_secret(self, match_key: int, fields: Fields) -> Secret:
        """y of one record under one match key: what its record key is wrapped under. Independent of its pseudonym."""
        if match_key not in self._row_started:
            self._row_started[match_key] = self._started(self._row, match_key)
        one = self._row_started[match_key].copy()
        one.update(encode(*fields))
        return Secret(one.finalize())

    def _column(self, entries: Sequence[Fields | None], match_key: int) -> Column:
        keyed = self._started(self._match, match_key)
        pseudonyms: list[bytes] = []
        for fields in entries:
            if fields is None:
                pseudonyms.append(_ABSENT)
                continue
            one = keyed.copy()
            one.update(encode(*fields))
            pseudonyms.append(one.finalize()[:PSEUDONYM_BYTES])
        return Column(b"".join(pseudonyms), pack_presence([fields is not None for fields in entries], len(entries)))

    def _started(self, keyed: _Copyable, match_key: int) -> _Copyable:
        # x's part that no row changes is hashed once and its state copied for every row
        if not 1 <= match_key <= 255:
            raise ClientError("LENGTH_WRONG", "match keys are numbered 1 to 255")
        started = keyed.copy()
        started.update(encode("sluis/v1/input", *self.context.parts(), self.scheme_id, bytes([match_key])))
        return started


def check_scheme_id(scheme_id: str) -> None:
    """Raises CONTEXT_INVALID unless a scheme is named name/version."""
    if not all(scheme_id.partition("/")) or scheme_id.count("/") != 1:
        raise ClientError("CONTEXT_INVALID", "a scheme is named name/version, such as bag/1")


class PseudonymisingPool:
    """Pseudonymises large tables in worker processes: started afresh (spawn), each given K over its start-up pipe.

    A context manager; results equal those of `Pseudonymiser`. Worth it from about 100,000 rows.
    """

    def __init__(self, key: Secret, context: Context, scheme_id: str, processes: int) -> None:
        self._executor = ProcessPoolExecutor(
            processes,
            mp_context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(key.reveal(), context, scheme_id),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(cancel_futures=True)

    def column_of_block(self, block: bytes, width: int) -> Column:
        """As `Pseudonymiser.column_of_block`."""
        if width < 1 or len(block) % width:
            raise ClientError("LENGTH_WRONG", f"the block is not whole rows of {width} bytes")
        pieces = list(_pieces(block, width * _TASK_ROWS))
        parts = self._executor.map(_block_in_worker, pieces, [width] * len(pieces))
        return Column(b"".join(parts), pack_presence(None, len(block) // width))

    def columns(self, rows: Sequence[tuple[Fields | None, ...]], match_keys: int) -> tuple[Column, ...]:
        """As `Pseudonymiser.columns`."""
        # whole bytes of bitmap a task, so that bitmaps join without shifting
        pieces = [rows[start : start + _TASK_ROWS] for start in range(0, len(rows), _TASK_ROWS)]
        parts = list(self._executor.map(_columns_in_worker, pieces, [match_keys] * len(pieces)))
        return tuple(
            Column(
                b"".join(part[number].pseudonyms for part in parts), b"".join(part[number].presence for part in parts)
            )
            for number in range(match_keys)
        )


def _mac(key: bytes, message: bytes) -> bytes:
    keyed = HMAC(key, hashes.SHA256())
    keyed.update(message)
    return keyed.finalize()


def _run(keyed: _Copyable, piece: bytes, width: int) -> bytes:
    copy = keyed.copy
    outputs: list[bytes] = []
    keep = outputs.append
    for (field,) in struct.iter_unpack(f"{width}s", piece):
        one = copy()
        one.update(field)
        keep(one.finalize())
    # first half of every 32-byte output
    return np.frombuffer(b"".join(outputs), dtype="V16")[::2].tobytes()


def _pieces(block: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(block), size):
        yield block[start : start + size]


_worker: list[Pseudonymiser] = []


def _start_worker(key: bytes, context: Context, scheme_id: str) -> None:
    _worker[:] = [Pseudonymiser(Secret(key), context, scheme_id)]


def _block_in_worker(piece: bytes, width: int) -> bytes:
    return _worker[0].column_of_block(piece, width).pseudonyms


def _columns_in_worker(rows: Sequence[tuple[Fields | None, ...]], match_keys: int) -> tuple[Column, ...]:
    return _worker[0].columns(rows, match_keys)
