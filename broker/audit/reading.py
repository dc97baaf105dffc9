"""Reading a log bundle (docs/formats.md section 7) without verifying it: what every command but `verify` goes through.

Streams: one line is held at a time. A file that is no bundle, or was cut short, is refused; whether what it says is
true is for `broker.audit.verify`, run first. Lines of kinds not known here are passed on for others to read.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.errors import Code, SluisError

_LEAF = b'{"leaf":"'
_LEAF_END = b'"}\n'
PROGRESS_EVERY = 1_000


def parts(lines: Iterable[bytes], progress: Callable[[int, int], None] | None = None) -> Iterator[tuple[int, str, Any]]:
    """(line number from 1, what it is, its value) for every line but the last: `bundle`, `policy_set`, `leaf` (bytes),
    `checkpoint`, or the name of the one member of a line of another kind.

    `progress`: called with (entries read, entries stated) now and then.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle, or end before its last line.
    """
    number, stated, leaves, ended = 0, 0, 0, False
    for number, line in enumerate(lines, 1):
        if ended:
            raise not_a_bundle(number)
        if number == 1:
            head = _object(line, number)
            if head.get("bundle") != "sluis/v1/log" or not isinstance(head.get("size"), int):
                raise not_a_bundle(number)
            stated = head["size"]
            yield number, "bundle", head
        elif line.startswith(_LEAF):
            yield number, "leaf", _leaf(line, number)
            if progress is not None and leaves % PROGRESS_EVERY == 0:
                progress(leaves, stated)
            leaves += 1
        else:
            value = _object(line, number)
            if "lines" in value:
                if value["lines"] != number - 1:
                    raise not_a_bundle(number)
                ended = True
                continue
            if len(value) != 1:
                raise not_a_bundle(number)
            ((name, inner),) = value.items()
            yield number, name, inner
    if not ended:
        what = f"the bundle ends early, after line {number}" if number else "the bundle is empty"
        raise SluisError(Code.STATEMENT_INVALID, f"{what}; copy it again, and run `sluis audit verify`")


def entries(
    lines: Iterable[bytes],
    *,
    kinds: Iterable[str] = (),
    progress: Callable[[int, int], None] | None = None,
    archive: Callable[[Any], None] | None = None,
) -> Iterator[LogEntry]:
    """The entries of a bundle in the order of the log, members and shapes checked; of `kinds` only, when given.

    `archive`: called with each archived policy set, before any entry.

    Raises:
        SluisError: STATEMENT_INVALID when the lines are no bundle.
    """
    marks = tuple(f'"kind":"{kind}","sequenced_at"'.encode() for kind in kinds)
    for number, name, value in parts(lines, progress):
        if name == "policy_set" and archive is not None:
            archive(value)
        if name != "leaf" or (marks and not any(mark in value for mark in marks)):
            continue
        try:
            yield read_entry(value)
        except EntryError:
            raise not_a_bundle(number) from None


def not_a_bundle(number: int) -> SluisError:
    """The refusal of a line."""
    return SluisError(Code.STATEMENT_INVALID, f"line {number} is not of a log bundle; run `sluis audit verify` on it")


def _leaf(line: bytes, number: int) -> bytes:
    try:
        if line.endswith(_LEAF_END):
            return binascii.a2b_base64(line[len(_LEAF) : -len(_LEAF_END)], strict_mode=True)
    except (binascii.Error, ValueError):
        pass
    raise not_a_bundle(number)


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not value or not line.endswith(b"\n"):
        raise not_a_bundle(number)
    return value
