"""What goes over the wire between log and witness (C2SP tlog-witness): written by one end, read strictly by the other.

Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from broker.exchange_log.checkpoint import MAX_NOTE_BYTES
from broker.exchange_log.merkle import HASH_BYTES

ADD_CHECKPOINT = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
"""Content type of a 409 that tells the size."""
MAX_PROOF = 63
MAX_BODY = MAX_NOTE_BYTES + MAX_PROOF * 45 + 64
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})")
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,15})\n")


class WireError(ValueError):
    """Not of the form that the standard gives; the text says what it should be."""


@dataclass(frozen=True)
class AddCheckpoint:
    """A request to cosign `note`, a tree that `proof` shows to extend the one of `old` leaves."""

    old: int
    proof: tuple[bytes, ...]
    note: str


def write_add_checkpoint(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of a request: old size, proof, blank line, signed note."""
    lines = [f"old {old}", *(base64.b64encode(item).decode() for item in proof), "", note]
    return "\n".join(lines).encode()


def read_add_checkpoint(data: bytes) -> AddCheckpoint:
    """The request in a body. Raises WireError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("the request is not UTF-8") from None
    head, blank, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if not blank or old is None:
        raise WireError("the request is a line `old N`, proof lines, an empty line and a checkpoint")
    if len(lines) > MAX_PROOF:
        raise WireError(f"a proof has at most {MAX_PROOF} lines")
    return AddCheckpoint(int(old[1]), tuple(map(_hash, lines)), note)


def read_size(data: bytes) -> int:
    """The size in the body of a 409. Raises WireError."""
    match = _SIZE.fullmatch(data)
    if match is None:
        raise WireError("a conflict tells the size in decimal and a newline")
    return int(match[1])


def origin_hash(origin: str) -> str:
    """How an origin stands in a path of the monitoring prefix."""
    return hashlib.sha256(origin.encode()).hexdigest()


def _hash(line: str) -> bytes:
    try:
        value = base64.b64decode(line.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise WireError("a proof line is a hash of 32 bytes in base64") from None
    if len(value) != HASH_BYTES or base64.b64encode(value).decode() != line:
        raise WireError("a proof line is a hash of 32 bytes in base64")
    return value
