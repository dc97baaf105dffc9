"""The tokens value of a question, row by row (docs/formats.md section 1)."""

from __future__ import annotations

from collections.abc import Iterator

from broker.errors import Code, SluisError

PSEUDONYM_BYTES = 16


def subjects(tokens: bytes, match_keys: int, rows: int) -> Iterator[tuple[int, bytes]]:
    """(number from 1, pseudonym of the strictest match key present) of every row that has one.

    Raises:
        SluisError: STORE_CORRUPT when the value has not the shape that the statement says.
    """
    parts, at = [], 0
    while at < len(tokens):
        size = int.from_bytes(tokens[at : at + 4], "big")
        parts.append(memoryview(tokens)[at + 4 : at + 4 + size])
        at += 4 + size
    bitmap_bytes = (rows + 7) // 8
    shape = [bitmap_bytes, rows * PSEUDONYM_BYTES] * match_keys
    if at != len(tokens) or [len(part) for part in parts] != shape:
        raise SluisError(Code.STORE_CORRUPT, "the tokens kept for a question have not the shape of the question")
    for row in range(rows):
        for bitmap, column in zip(parts[::2], parts[1::2], strict=True):
            if bitmap[row >> 3] >> (row & 7) & 1:
                yield row + 1, bytes(column[row * PSEUDONYM_BYTES : (row + 1) * PSEUDONYM_BYTES])
                break
