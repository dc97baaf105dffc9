"""The rows of a question as its `tokens` commitment holds them (docs/formats.md section 1): the verifier's own reading.

What is read here are pseudonyms: personal data, never to be shown, only compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PSEUDONYM_BYTES = 16


class TokensError(ValueError):
    """Not a tokens value."""


@dataclass(frozen=True, repr=False)
class Subjects:
    """A question's subjects by one match key: their pseudonyms, each once, by their first 8 bytes."""

    named: frozenset[int]
    whole: bool
    """Whether every row has this match key."""
    rows: int

    def __len__(self) -> int:
        return len(self.named) if self.whole else self.rows


@dataclass(frozen=True, repr=False)
class Tokens:
    """A question's rows. For each match key a flag for every row, and its pseudonym as two 8-byte numbers."""

    present: tuple[npt.NDArray[np.bool_], ...]
    pseudonyms: tuple[npt.NDArray[np.uint64], ...]
    """Shape (rows, 2)."""

    @property
    def rows(self) -> int:
        """Subjects asked about."""
        return len(self.present[0])

    def holds(self, person: Tokens) -> bool:
        """Whether a row has the pseudonym of the one row of `person` under any match key that both have."""
        for present, asked, named, wanted in zip(
            self.present, self.pseudonyms, person.present, person.pseudonyms, strict=False
        ):
            if named[0] and bool(np.any(present & (asked[:, 0] == wanted[0, 0]) & (asked[:, 1] == wanted[0, 1]))):
                return True
        return False

    def subjects(self) -> tuple[Subjects, ...]:
        """Who is asked about, by each match key."""
        return tuple(
            Subjects(frozenset(values[present, 0].tolist()), bool(present.all()), self.rows)
            for present, values in zip(self.present, self.pseudonyms, strict=True)
        )


def read_tokens(value: bytes) -> Tokens:
    """The rows in a tokens value. Raises TokensError."""
    parts = parts_of(value)
    if not parts:
        raise TokensError("no bitmap and column for each match key")
    rows = len(parts[1]) // PSEUDONYM_BYTES
    present, pseudonyms = [], []
    for bitmap, packed in zip(parts[::2], parts[1::2], strict=True):
        if len(packed) != rows * PSEUDONYM_BYTES or len(bitmap) != (rows + 7) // 8:
            raise TokensError("columns of different lengths")
        present.append(np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little")[:rows].astype(np.bool_))
        pseudonyms.append(np.frombuffer(packed, "<u8").reshape(rows, 2))
    return Tokens(tuple(present), tuple(pseudonyms))


def parts_of(value: bytes) -> list[bytes]:
    """The parts of `encode(...)`, an even number; none when it is not that."""
    parts, at = [], 0
    while at < len(value):
        size = int.from_bytes(value[at : at + 4], "big")
        parts.append(value[at + 4 : at + 4 + size])
        at += 4 + size
    return parts if at == len(value) and len(parts) % 2 == 0 else []
