"""Comparing checkpoints with other parties: a broker that shows two parties two logs is found when they compare.

The broker signs whatever it shows. Two parties that hold checkpoints of one size, or that the broker cannot join by a
proof, hold what it signed against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from sluis_client.errors import ClientError, Exit
from sluis_client.forks import Evidence, Signed, relate
from sluis_client.participant import Participant

MAX_BYTES = 16 << 20
_OFFLINE = "the broker cannot be reached, and sizes differ; run it again"


@dataclass(frozen=True)
class Compared:
    """What became of one checkpoint of another party.

    `refused`: not signed by the profile's log, so that it says nothing of it. For a `fork`, `evidence` is what proves
    it; for `unproven` it is the two checkpoints that the broker does not join.
    """

    source: str
    verdict: Literal["same", "fork", "unproven", "refused"]
    why: str
    size: int | None = None
    root: bytes | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Comparison:
    """All checkpoints beside one's own newest. `online`: the broker was there to be asked."""

    own: Signed
    online: bool
    compared: tuple[Compared, ...]


def compare(me: Participant, sources: Sequence[tuple[str, bytes]]) -> Comparison:
    """Holds other parties' checkpoints, each a file's name and bytes, against one's own newest and each other.

    A file holds a signed note, or JSON with notes under `checkpoint` or `checkpoints` at any depth: receipts, evidence.

    Raises:
        ClientError: LOG_SHRUNK, LOG_FORKED when the broker contradicts what is kept here already; FILE_UNREADABLE;
            NO_CHECKPOINT when nothing is kept here and the broker cannot be reached.
    """
    notes = [(source, note) for source, data in sources for note in _notes(source, data)]
    try:
        head, note = me.newest_checkpoint()
        own, online = Signed(head, note), True
    except ClientError as error:
        if error.exit_code is not Exit.BROKER_UNREACHABLE:
            raise
        kept = me.keystore.checkpoint()
        if kept is None:
            raise
        own, online = me.signed(kept), False
    read: list[tuple[str, Signed]] = []
    compared: list[Compared] = []
    for source, text in notes:
        try:
            read.append((source, me.signed(text)))
        except ClientError as error:
            compared.append(Compared(source, "refused", error.message))
    for source, other in read:
        compared.append(_against_own(me, source, other, own, online=online))
    compared += _among_each_other(read, own)
    return Comparison(own, online, tuple(compared))


def _against_own(me: Participant, source: str, other: Signed, own: Signed, *, online: bool) -> Compared:
    found = relate(own, other, me.transport if online else None)
    head = other.head
    if found.verdict == "same":
        why = f"continues to yours of {own.head.size}" if head.size != own.head.size else "is yours"
        return Compared(source, "same", why, head.size, head.root, None)
    if found.verdict == "fork":
        why = "the log's key signed two logs that contradict each other"
        return Compared(source, "fork", why, head.size, head.root, found.evidence)
    why = found.why if online else _OFFLINE
    if found.refused and head.size > own.head.size:
        why = (
            f"the broker signed a log of {head.size} entries, and shows you one of {own.head.size}; let the party that "
            "gave this compare yours, and run this again later"
        )
    return Compared(source, "unproven", why, head.size, head.root, found.evidence)


def _among_each_other(read: Sequence[tuple[str, Signed]], own: Signed) -> Iterator[Compared]:
    """Pairs of others' checkpoints of one size with two roots, of a size that is not one's own."""
    for (name, one), (source, other) in combinations(read, 2):
        if one.head.size == other.head.size != own.head.size and one.head.root != other.head.root:
            why = f"contradicts the one in {name}: the log's key signed two roots for one size"
            yield Compared(source, "fork", why, other.head.size, other.head.root, Evidence((one.note, other.note)))


def _notes(source: str, data: bytes) -> tuple[str, ...]:
    """The different notes in a file, in the order they stand there."""
    if len(data) > MAX_BYTES:
        raise _unreadable(source)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        if text.lstrip().startswith(("{", "[")):
            notes = list(dict.fromkeys(_in_json(json.loads(text))))
        else:
            notes = [_pasted(text)]
    except (ValueError, RecursionError):
        # from None: the parser's message quotes what it read
        raise _unreadable(source) from None
    if not notes:
        raise _unreadable(source)
    return tuple(notes)


def _pasted(text: str) -> str:
    """A note as mail programs leave it: white space around its lines and the last line's end do not count."""
    return "\n".join(line.strip() for line in text.strip().split("\n")) + "\n"


def _in_json(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "checkpoint" and isinstance(item, str):
                yield item
            elif name == "checkpoints" and isinstance(item, list):
                yield from (note for note in item if isinstance(note, str))
            else:
                yield from _in_json(item)
    elif isinstance(value, list):
        for item in value:
            yield from _in_json(item)


def _unreadable(source: str) -> ClientError:
    text = f"{source} holds no checkpoint: give a signed note, or a file of receipts"
    return ClientError("FILE_UNREADABLE", text, Exit.USAGE)
