"""Every commitment that a log makes, kept small: 77 bytes each in one table, joined at the end with what was erased."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

LABELS = ("tokens", "case-number", "cooperation-ref", "result", "position", "record", "positions")
"""What a commitment can be to; a table names them by their place here."""
MARK_BYTES = 16
"""A commitment is known by so many bytes of its hash: to find two alike is 2^64 work, one like a given one 2^128."""
NOBODY = 0
"""The number of no name."""
_ROW = struct.Struct("<16s16sqqqIIIIIB")
_TYPE = np.dtype(
    [
        ("mark", "S16"),
        ("exchange", "S16"),
        ("index", "<i8"),
        ("due", "<i8"),
        ("asked_at", "<i8"),
        ("purpose", "<u4"),
        ("asker", "<u4"),
        ("principal", "<u4"),
        ("answerer", "<u4"),
        ("subjects", "<u4"),
        ("label", "u1"),
    ]
)
_TOLD = struct.Struct("<16sqq")
_TOLD_TYPE = np.dtype([("mark", "S16"), ("index", "<i8"), ("ask", "<i8")])
_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
Rows = npt.NDArray[np.void]


@dataclass(frozen=True)
class Use:
    """The ask that a commitment belongs to, in numbers. `due`: microseconds until which it is to be kept, 0 unknown,
    NO_TERM when it does not belong to the exchange."""

    exchange: bytes
    due: int
    asked_at: int
    purpose: int
    asker: int
    principal: int
    answerer: int
    subjects: int = 0


NO_TERM = -1
"""`due` of a use by which a hold keeps a commitment, and no order to erase the exchange reaches it."""
NO_USE = Use(b"", 0, 0, NOBODY, NOBODY, NOBODY, NOBODY)


class Commitments:
    """The table, in the order of the log."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._told = bytearray()
        self._names: dict[str, int] = {}

    def number(self, name: str | None) -> int:
        """The number that stands for a name from here on; NOBODY for None."""
        return NOBODY if name is None else self._names.setdefault(name, len(self._names) + 1)

    def names(self) -> tuple[str, ...]:
        """Every name that has a number."""
        return tuple(self._names)

    def add(self, commitment: str, label: str, index: int, use: Use) -> None:
        """Notes that entry `index` commits to something of this label."""
        self._data += _ROW.pack(
            mark_of(commitment),
            use.exchange,
            index,
            use.due,
            use.asked_at,
            use.purpose,
            use.asker,
            use.principal,
            use.answerer,
            use.subjects,
            LABELS.index(label),
        )

    def tell(self, commitment: str, index: int, ask_index: int) -> None:
        """Notes that a hold on this ask keeps what entry `index` commits to, which belongs to no exchange."""
        self._told += _TOLD.pack(mark_of(commitment), index, ask_index)

    def rows(self) -> Rows:
        """All rows, by commitment and then in the order of the log."""
        table = np.frombuffer(bytes(self._data), _TYPE)
        if self._told:
            table = np.concatenate([table, _told_rows(table, np.frombuffer(bytes(self._told), _TOLD_TYPE))])
        sorted_rows: Rows = table[np.argsort(table["mark"], kind="stable")]
        return sorted_rows


def _told_rows(table: Rows, told: npt.NDArray[np.void]) -> Rows:
    """A row for each commitment and ask told: whose the ask was, under the commitment of another entry."""
    asks = table[table["label"] == LABELS.index("tokens")]
    asks = asks[np.argsort(asks["index"], kind="stable")]
    at = np.searchsorted(asks["index"], told["ask"])
    known = at < len(asks)
    known[known] = asks["index"][at[known]] == told["ask"][known]
    rows: Rows = asks[at[known]].copy()
    rows["mark"], rows["index"], rows["due"], rows["subjects"] = told["mark"][known], told["index"][known], NO_TERM, 0
    rows["label"] = LABELS.index("positions")
    return rows


def mark_of(commitment: str) -> bytes:
    """How a commitment is known in a table."""
    return hashlib.sha256(bytes.fromhex(commitment)).digest()[:MARK_BYTES]


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _SINCE) // timedelta(microseconds=1)


def pairs(rows: Rows, marks: npt.NDArray[np.bytes_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Positions (in `marks`, in `rows`) of every equal pair; `rows` as `Commitments.rows` gives them."""
    first = np.searchsorted(rows["mark"], marks, "left")
    counts = np.searchsorted(rows["mark"], marks, "right") - first
    left = np.repeat(np.arange(len(marks)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, np.repeat(first, counts) + within
