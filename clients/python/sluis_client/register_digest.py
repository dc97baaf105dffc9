"""The digest of a register's columns, which the answerer signs in its manifest (docs/formats.md section 4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sluis_client.canonical import encode
from sluis_client.errors import ClientError
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column
from sluis_client.seal import COMMITMENT_BYTES, SEAL_OVERHEAD, WRAP_BYTES


class RegisterDigest:
    """The running digest of a register's columns (docs/formats.md section 4), fed run by run in the order of rows.

    However the rows are cut into runs, the digest is the same.
    """

    def __init__(self, match_keys: int, attributes: int) -> None:
        self.rows = 0
        self._bitmaps = [_Bitmap() for _ in range(match_keys)]
        self._pseudonyms = [hashlib.sha256() for _ in range(match_keys)]
        self._wraps = [hashlib.sha256() for _ in range(match_keys if attributes else 0)]
        self._commitments = hashlib.sha256()
        self._fields = [hashlib.sha256() for _ in range(attributes)]

    def feed(
        self,
        columns: Sequence[Column],
        wraps: Sequence[bytes] = (),
        commitments: bytes = b"",
        fields: Sequence[bytes] = (),
    ) -> None:
        """One run of rows. A register without attributes has neither wraps nor commitments.

        Raises:
            ClientError: LENGTH_WRONG when the columns are not all of the same rows; nothing was fed then.
        """
        rows = columns[0].rows if columns else 0
        sealed = bool(self._fields)
        if (
            len(columns) != len(self._pseudonyms)
            or any(len(column.pseudonyms) != rows * PSEUDONYM_BYTES for column in columns)
            or [len(wrap) for wrap in wraps] != [WRAP_BYTES * rows] * len(self._wraps)
            or len(commitments) != COMMITMENT_BYTES * rows * sealed
            or len(fields) != len(self._fields)
            or any(not _is_whole(len(field), rows) for field in fields)
            or any(not _is_bitmap(column.presence, rows) for column in columns)
        ):
            raise ClientError("LENGTH_WRONG", "all columns of a run must have the same rows, and zero bits behind them")
        for number, column in enumerate(columns):
            self._bitmaps[number].feed(column.presence, rows)
            self._pseudonyms[number].update(column.pseudonyms)
        for digest, data in zip(self._wraps, wraps, strict=True):
            digest.update(data)
        self._commitments.update(commitments)
        for digest, data in zip(self._fields, fields, strict=True):
            digest.update(data)
        self.rows += rows

    def hexdigest(self) -> str:
        """The digest over all rows fed so far; more may follow."""
        parts: list[bytes] = []
        for bitmap, pseudonyms in zip(self._bitmaps, self._pseudonyms, strict=True):
            parts += [bitmap.digest(), pseudonyms.digest()]
        parts += [wraps.digest() for wraps in self._wraps]
        if self._fields:
            parts.append(self._commitments.digest())
        parts += [field.digest() for field in self._fields]
        return hashlib.sha256(encode("sluis/v1/register-digest", *parts)).hexdigest()


class _Bitmap:
    """Joins bitmaps of runs that need not be whole bytes; padded once, at the end."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._rest = np.zeros(0, np.uint8)

    def feed(self, presence: bytes, rows: int) -> None:
        bits = np.concatenate([self._rest, _bits(presence)[:rows]])
        whole = len(bits) - len(bits) % 8
        self._whole.update(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._rest = bits[whole:]

    def digest(self) -> bytes:
        whole = self._whole.copy()
        whole.update(np.packbits(self._rest, bitorder="little").tobytes())
        return whole.digest()


def _bits(presence: bytes) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(presence, np.uint8), bitorder="little")


def _is_bitmap(presence: bytes, rows: int) -> bool:
    return len(presence) == (rows + 7) // 8 and not _bits(presence)[rows:].any()


def _is_whole(length: int, rows: int) -> bool:
    return length == 0 if rows == 0 else length % rows == 0 and length // rows > SEAL_OVERHEAD
