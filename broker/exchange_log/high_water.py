"""The high-water mark: the newest checkpoint that was acknowledged, kept on another volume than the log. Pure.

Whoever puts an older copy of the database back, cuts its tail or goes on from a copy of it is found out at the next
start: the log there must hold the mark's tree. The file has two slots, written in turn (docs/formats.md section 9), so
that a torn write loses only what was not acknowledged yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from broker.canonical import canonical_json, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import Checkpoint
from broker.exchange_log.entry import log_time, parse_time
from broker.exchange_log.entry_kinds import is_count
from broker.exchange_log.merkle import EMPTY_ROOT
from broker.ports import HighWater, LogReader, Mark

SLOT_BYTES = 4_096
SLOTS = 2
_TYPE = "sluis/v1/high-water"
_MEMBERS = {"at", "generation", "next", "note", "origin", "root", "size", "type"}
WAY_OUT = (
    "bring back the newer files, or, when they are lost for good, begin a new log that names the gap: "
    "`sluis recover` (docs/operate.md section 5)"
)


def empty_mark(origin: str, at: datetime) -> Mark:
    """The mark of a log that is about to begin."""
    return Mark(origin, 0, 0, EMPTY_ROOT, "", at)


def slot_of(mark: Mark) -> bytes:
    """The bytes of one slot: a digest line, the mark as canonical JSON, filled up with spaces.

    Raises:
        SluisError: TOO_LARGE for a note that does not fit.
    """
    body = canonical_json(
        {
            "at": log_time(mark.at),
            "generation": mark.generation,
            "next": mark.next,
            "note": mark.note,
            "origin": mark.origin,
            "root": mark.root.hex(),
            "size": mark.size,
            "type": _TYPE,
        }
    )
    slot = hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"
    if len(slot) > SLOT_BYTES:
        raise SluisError(Code.TOO_LARGE, "a checkpoint is too long for the high-water file")
    return slot.ljust(SLOT_BYTES)


def newest_of(data: bytes) -> tuple[int, Mark] | None:
    """Slot number and mark of the newest whole slot in a file's bytes; None when no slot is whole."""
    found = []
    for number in range(SLOTS):
        mark = _mark_in(data[number * SLOT_BYTES : (number + 1) * SLOT_BYTES])
        if mark is not None:
            found.append((number, mark))
    return max(found, key=lambda item: (item[1].generation, item[1].size, item[1].next != ""), default=None)


def _mark_in(slot: bytes) -> Mark | None:
    digest, _, rest = slot.partition(b"\n")
    body = rest.rstrip(b" ").removesuffix(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    try:
        value: Mapping[str, Any] = parse_canonical(body)
        if value.keys() != _MEMBERS or value["type"] != _TYPE:
            return None
        size, generation, root = value["size"], value["generation"], bytes.fromhex(value["root"])
        texts = (value["origin"], value["note"], value["next"])
        if not is_count(size) or not is_count(generation) or not all(isinstance(text, str) for text in texts):
            return None
        return Mark(value["origin"], generation, size, root, value["note"], parse_time(value["at"]), value["next"])
    except (SluisError, ValueError, TypeError):
        return None


def check_mark(reader: LogReader, origin: str, mark: Mark, *, followed_by: str = "") -> None:
    """Checks that the log behind `reader`, of `origin`, holds the tree of the mark.

    `followed_by`: the log that may have followed already.

    Raises:
        SluisError: HIGH_WATER_UNUSABLE for the mark of another log; LOG_SEALED when another log followed; LOG_SHRUNK,
            LOG_FORKED; and what reading raises.
    """
    if mark.origin != origin:
        raise SluisError(
            Code.HIGH_WATER_UNUSABLE,
            f"the high-water file is of the log {mark.origin}, and this is {origin}: set `high_water` to the file of "
            "this log; each log has its own",
        )
    if mark.next not in ("", followed_by):
        raise SluisError(
            Code.LOG_SEALED,
            f"the log {origin} has ended and {mark.next} followed: serve that one, with its configuration",
        )
    _demand_tree(reader, mark.size, mark.root, f"the high-water file says that {mark.size} were acknowledged")


def claim(high_water: HighWater, checkpoint: Checkpoint, note: str, at: datetime) -> None:
    """Takes the mark over at the start of a broker, under a new generation: one that still runs is fenced off.

    `checkpoint` is the log's newest, checked, and `note` its text. Raises LOG_UNAVAILABLE.
    """
    mark = high_water.mark
    high_water.advance(
        replace(
            mark,
            generation=mark.generation + 1,
            size=checkpoint.size,
            root=checkpoint.root,
            note=note,
            at=max(at, mark.at),
        )
    )


def check_outside(reader: LogReader, origin: str, held: Iterable[tuple[str, Checkpoint]]) -> None:
    """Checks that the log holds the trees of checkpoints that others keep: (who, checkpoint), such as a witness.

    Raises:
        SluisError: LOG_SHRUNK, LOG_FORKED; and what reading raises. Checkpoints of other logs are passed over.
    """
    for who, checkpoint in held:
        if checkpoint.origin == origin:
            _demand_tree(reader, checkpoint.size, checkpoint.root, f"{who} holds a checkpoint over {checkpoint.size}")


def _demand_tree(reader: LogReader, size: int, root: bytes, said: str) -> None:
    here = reader.size()
    if here < size:
        raise SluisError(
            Code.LOG_SHRUNK,
            f"the log's database has {here} entries, but {said}: it was cut, or an older copy was put back. Nothing "
            f"was started; {WAY_OUT}",
        )
    if reader.root(size) != root:
        raise SluisError(
            Code.LOG_FORKED,
            f"the log's database ({here} entries) holds other entries than it did, for {said}: two histories under one "
            f"origin. Nothing was started; {WAY_OUT}",
        )
