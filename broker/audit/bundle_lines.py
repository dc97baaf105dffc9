"""The lines of an export bundle (docs/formats.md section 7), and the commonest of them, a leaf's, read fast."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import BinaryIO

MAX_LINE_BYTES = 80 << 20
"""A policy set may be that long; nothing else comes near."""
_LEAF, _LEAF_END = b'{"leaf":"', b'"}\n'


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of an opened bundle, each with its newline, none longer than the limit."""
    while line := stream.readline(MAX_LINE_BYTES):
        yield line


def leaf_of(line: bytes) -> bytes | None:
    """The entry's bytes in a line that is exactly `{"leaf":"<base64 in its one form>"}`; None for any other line."""
    if line[:9] == _LEAF and line[-3:] == _LEAF_END:
        text = line[9:-3]
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError):
            return None
        # strict mode lets one thing pass that has two forms: bits of the last four letters that stand for nothing
        if binascii.b2a_base64(data[len(data) - (len(data) % 3 or 3) :], newline=False) == text[-4:]:
            return data
    return None
