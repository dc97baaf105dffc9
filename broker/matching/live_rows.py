"""The rows of a live answer as the join sees them: few, in memory, and gone with the exchange."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from broker.canonical import encode
from broker.exchange import COMMITMENT_BYTES, WRAP_BYTES, Pseudonyms, Question, RegisterChunk
from broker.matching.release import tokens_value


def rows_value(chunk: RegisterChunk | None) -> bytes:
    """What a live answer's commitment to its rows is over (docs/formats.md, Live answers); None: no rows."""
    if chunk is None:
        return encode()
    return tokens_value(Question(chunk.columns)) + encode(*chunk.wraps, chunk.commitments, *chunk.fields)


def all_asked(chunk: RegisterChunk, question: Question) -> bool:
    """Whether every row stands there because the question asks for it: a live answer deposits nothing else."""
    found = np.zeros(chunk.rows, np.bool_)
    for mine, theirs in zip(chunk.columns, question.columns, strict=False):
        found |= mine.present & np.isin(mine.pseudonyms, theirs.pseudonyms[theirs.present])
    return bool(found.all())


class LiveRows:
    """A `Snapshot` over one live answer. `match_keys`: as many as the scheme has; `attributes`: those of `fields`."""

    def __init__(self, chunk: RegisterChunk | None, match_keys: int, attributes: Sequence[str]) -> None:
        self._chunk = chunk
        self._attributes = tuple(attributes)
        self.match_keys = match_keys
        self.rows = chunk.rows if chunk is not None else 0

    def lookup(self, match_key: int, pseudonyms: Pseudonyms) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        """See Snapshot."""
        pairs: list[tuple[int, int]] = []
        if self._chunk is not None:
            column = self._chunk.columns[match_key]
            rows_of: dict[bytes, list[int]] = {}
            for row in np.flatnonzero(column.present).tolist():
                rows_of.setdefault(column.pseudonyms[row].tobytes(), []).append(row)
            pairs = [(at, row) for at, value in enumerate(pseudonyms) for row in rows_of.get(value.tobytes(), ())]
        positions, rows = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(positions, np.uint32), np.array(rows, np.int64)

    def fetch(
        self, rows: npt.NDArray[np.int64], match_keys: npt.NDArray[np.uint8], attributes: Sequence[str]
    ) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        """See Snapshot."""
        if not attributes or self._chunk is None:
            return b"", b"", ()
        chunk = self._chunk
        named = dict(zip(self._attributes, chunk.fields, strict=True))

        def cut(data: bytes, row: int, width: int) -> bytes:
            return data[row * width : (row + 1) * width] if row >= 0 else bytes(width)

        keyed = list(zip(rows.tolist(), match_keys.tolist(), strict=True))
        wraps = b"".join(cut(chunk.wraps[max(key, 1) - 1], row, WRAP_BYTES) for row, key in keyed)
        commitments = b"".join(cut(chunk.commitments, row, COMMITMENT_BYTES) for row, _ in keyed)
        widths = {name: len(column) // chunk.rows for name, column in named.items()}
        fields = tuple(b"".join(cut(named[name], row, widths[name]) for row, _ in keyed) for name in attributes)
        return wraps, commitments, fields

    def close(self) -> None:
        """See Snapshot."""
