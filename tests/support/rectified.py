"""Corrections, disputes, outcomes and notices in an `audit_kit.World`, as an honest broker would log them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from log_kit import ORIGIN

if TYPE_CHECKING:
    from audit_kit import World

RECORD = "ab" * 32
POSITIONS = "ef" * 32
"""Commitments; nothing here is opened."""


def notice_id(name: str) -> str:
    """An id of the right shape."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def head(world: World, kind: str, **members: object) -> dict[str, Any]:
    """A statement of rectification, made half a second before the batch that will hold it."""
    not_after = (world.at + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": kind, "origin": ORIGIN, "environment": "test", "not_after": not_after, **members}


def holding(world: World, answerer: str, purpose: str, epoch: str) -> int:
    """Permitted asks for rows that were answered, or may still be."""
    entries = [entry for batch in world.batches for entry in batch]
    closed = {body["ask_index"]: body["status"] for kind, body in entries if kind == "release"}
    return sum(
        kind == "ask"
        and (body["answerer"], body["purpose"], body["statement"]["epoch"]) == (answerer, purpose, epoch)
        and body["decision"]["effect"] == "permit"
        and not body["statement"]["want"]["count"]
        and closed.get(index, "ANSWERED") == "ANSWERED"
        for index, (kind, body) in enumerate(entries)
    )


def _about(ask: Mapping[str, Any], ask_index: int) -> dict[str, Any]:
    named = {name: ask[name] for name in ("asker", "answerer", "exchange", "purpose")}
    return {**named, "ask_index": ask_index}


def dispute(world: World, ask_index: int, notice: str = "", reason: str = "wrong-value") -> int:
    """The asker of an answered ask disputes a hit."""
    ask = world.body(ask_index)
    about = _about(ask, ask_index)
    named = {name: about[name] for name in ("asker", "answerer", "exchange")}
    statement = head(
        world, "sluis/v1/dispute", **named, position="cd" * 32, reason=reason, request_id=str(uuid.uuid4())
    )
    body = {"what": "dispute-notice", "notice": notice or notice_id(f"dispute {ask_index}"), "record": RECORD}
    signed = world.signed(ask["asker"], statement)
    return world.batch(("notice", {**body, **about, "epoch": ask["statement"]["epoch"], **signed}))


def outcome(world: World, ask_index: int, said: str = "rejected") -> int:
    """A person of the asker compared a hit."""
    ask = world.body(ask_index)
    about = _about(ask, ask_index)
    named = {name: about[name] for name in ("asker", "answerer", "exchange")}
    stated = {"position": "cd" * 32, "outcome": said, "role": "inspector", "request_id": str(uuid.uuid4())}
    statement = head(world, "sluis/v1/outcome", **named, **stated)
    return world.batch(("outcome", {**about, **world.signed(ask["asker"], statement)}))


def correct(
    world: World,
    answerer: str,
    purpose: str,
    asks: Sequence[int] = (),
    *,
    epoch: str = "2026Q4",
    what: str = "corrected",
    dispute: str | None = None,
    blanks: int = 0,
) -> int:
    """An answerer corrects a record that was given in `asks`; notices and blanks stand in the same batch."""
    stated = {"answerer": answerer, "purpose": purpose, "epoch": epoch, "scheme": "bag", "match_keys": 1}
    said = {"what": what, "reason": "wrong-value", "dispute": dispute, "request_id": str(uuid.uuid4())}
    statement = head(world, "sluis/v1/correction", **stated, **said, record=RECORD)
    parties: dict[str, list[int]] = {}
    for index in sorted(asks):
        parties.setdefault(world.body(index)["asker"], []).append(index)
    searched = holding(world, answerer, purpose, epoch) if what in ("corrected", "withdrawn") else 0
    body = {"answerer": answerer, "purpose": purpose, "epoch": epoch, **world.signed(answerer, statement)}
    counts = {"searched": searched, "unsearched": 0, "notices": len(parties) + blanks}
    index = world.size
    notices = [
        (
            "notice",
            {
                "what": "correction-notice",
                "notice": notice_id(f"{index} {party}"),
                "purpose": purpose,
                "party": party,
                "correction": index,
                "asks": touched,
                "positions": POSITIONS,
            },
        )
        for party, touched in sorted(parties.items())
    ]
    blank = {"what": "correction-blank", "purpose": purpose, "correction": index}
    notices += [("notice", {**blank, "notice": notice_id(f"{index} blank {number}")}) for number in range(blanks)]
    return world.batch(("correction", {**body, **counts}), *notices)


def acknowledge(world: World, notice_index: int, done: str = "noted") -> int:
    """The party of a notice takes note."""
    about = world.body(notice_index)
    party = about["party"] if about["what"] == "correction-notice" else about["answerer"]
    statement = head(world, "sluis/v1/acknowledgement", party=party, notice=about["notice"], done=done)
    body = {"what": "acknowledged", "purpose": about["purpose"], "notice": about["notice"], "party": party}
    return world.batch(("notice", {**body, **world.signed(party, statement)}))


def lived_through(world: World, ask_index: int) -> None:
    """One of each: an outcome, a dispute that is acknowledged and ended by a correction, whose notice is too."""
    ask = world.body(ask_index)
    outcome(world, ask_index)
    acknowledge(world, dispute(world, ask_index), "examining")
    named = notice_id(f"dispute {ask_index}")
    ended = correct(world, ask["answerer"], ask["purpose"], [ask_index], dispute=named, blanks=3)
    acknowledge(world, ended + 1)
