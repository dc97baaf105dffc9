"""Cosigned checkpoints for bundles of the played world: good ones, to be bent by a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from audit_kit import World
from witnesses import liar

from broker.canonical import canonical_json
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.cosignature import cosign, with_lines
from broker.witness.memory import WitnessKey

WITNESSES = tuple(liar(f"witness.example/w{n}") for n in range(3))
VKEYS = [str(one.public) for one in WITNESSES]
RULE = {"witnesses": VKEYS, "witness_quorum": 2}
"""Members of a trust file: two of three."""


def cosigned(note: str, at: datetime, by: Iterable[WitnessKey] = WITNESSES[:2]) -> str:
    """`note` with good cosignatures."""
    body = parse_checkpoint(note).body
    return with_lines(note, [cosign(one.public, one.sign, body, at) for one in by])


Bend = Callable[[int, str, datetime], "Sequence[str]"]
"""(number of the checkpoint from 0, its note, time of its batch) -> the cosigned checkpoints to stand behind it."""


def honest(_: int, note: str, at: datetime) -> Sequence[str]:
    """Two witnesses, half a second after the batch."""
    return [cosigned(note, at + timedelta(milliseconds=500))]


def with_cosigned(world: World, bend: Bend = honest) -> list[bytes]:
    """The world's lines, not summed up, with what `bend` gives behind each checkpoint."""
    lines: list[bytes] = []
    number = 0
    for line in world.lines():
        lines.append(line)
        if line.startswith(b'{"checkpoint"'):
            notes = bend(number, json.loads(line)["checkpoint"], world.times[number])
            lines += [canonical_json({"cosigned": note}) + b"\n" for note in notes]
            number += 1
    return lines
