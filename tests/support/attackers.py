"""What an attacker of the trust table has in hands, and how it searches: all that lies there, and a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from broker.custody.keys import SystemEntropy
from broker.exchange import PSEUDONYM_BYTES, PseudonymColumn
from broker.ports import AtRest
from broker.storage.registers import FileRegisterStore

U64 = npt.NDArray[np.uint64]


def everything_in(*places: Path) -> bytes:
    """The bytes of every file under these places, one behind the other."""
    files = (path for place in places for path in sorted(place.rglob("*")) if path.is_file())
    return b"".join(path.read_bytes() for path in files)


class Haystack:
    """Bytes in which 16-byte values are looked for, wherever they begin: as they are, and written in hex."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._windows = _windows(data)

    def holds(self, values: bytes) -> npt.NDArray[np.bool_]:
        """Which of `values` (16 bytes each, back to back) stand in it. Half a value is looked for first: 2^-64."""
        heads = np.frombuffer(values, "<u8")[::2]
        maybe = np.isin(heads, self._windows)
        for at in np.flatnonzero(maybe):
            maybe[at] = values[at * PSEUDONYM_BYTES : (at + 1) * PSEUDONYM_BYTES] in self._data
        return maybe

    def holds_hex(self, values: bytes) -> npt.NDArray[np.bool_]:
        """As `holds`, of values written as lower-case hex digits."""
        texts = values.hex().encode()
        maybe = np.isin(np.frombuffer(texts, "<u8")[::4], self._windows)
        for at in np.flatnonzero(maybe):
            maybe[at] = texts[at * 32 : (at + 1) * 32] in self._data
        return maybe


def _windows(data: bytes) -> U64:
    whole = np.frombuffer(data, np.uint8)
    parts = [
        np.frombuffer(data[shift : shift + (len(whole) - shift) // 8 * 8], "<u8") for shift in range(min(8, len(data)))
    ]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)


class OpenRegister:
    """A register opened with the storage key: what the broker itself can do with its files."""

    def __init__(self, data: Path, at_rest: AtRest, name: str, version: int) -> None:
        self._store = FileRegisterStore(data / "registers", at_rest, SystemEntropy())
        self.snapshot = self._store.pin(name, version)

    def holds(self, values: bytes) -> npt.NDArray[np.bool_]:
        """Which of `values` are pseudonyms of the register."""
        positions, _ = self.snapshot.lookup(0, np.frombuffer(values, f"V{PSEUDONYM_BYTES}"))
        found = np.zeros(len(values) // PSEUDONYM_BYTES, np.bool_)
        found[positions] = True
        return found

    def rows(self, values: bytes) -> list[int]:
        """The rows of the register that have `values`."""
        _, rows = self.snapshot.lookup(0, np.frombuffer(values, f"V{PSEUDONYM_BYTES}"))
        return [int(row) for row in rows]


def values_of(columns: Iterable[PseudonymColumn]) -> bytes:
    """The pseudonyms of a question that the broker opened, back to back."""
    return b"".join(column.pseudonyms[column.present].tobytes() for column in columns)


def found(names: Sequence[str], held: npt.NDArray[np.bool_]) -> set[str]:
    """The identifiers whose pseudonym was found."""
    return {names[at] for at in np.flatnonzero(held)}
