"""Searches for a subject in an `audit_kit.World`, as an honest broker would log them."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from rectified import head

if TYPE_CHECKING:
    from audit_kit import World


def asks_of(world: World, party: str, purpose: str, epoch: str) -> int:
    """Asks so far in which a party is asker, principal or answerer."""
    entries = [entry for batch in world.batches for entry in batch]
    return sum(
        kind == "ask"
        and party in (body["asker"], body["principal"], body["answerer"])
        and (body["purpose"], body["statement"]["epoch"]) == (purpose, epoch)
        for kind, body in entries
    )


def search(world: World, party: str, purpose: str, *, epoch: str = "2026Q4", unsearched: int = 0, **stated: Any) -> int:
    """A party searches for a person; `stated`: other members of its statement."""
    named = {"party": party, "purpose": purpose, "epoch": epoch}
    how = {"key_id": "cd" * 16, "scheme": "bag", "match_keys": 1}
    about = {"request_id": str(uuid.uuid4()), "pseudonyms": hashlib.sha256(b"%d" % world.size).hexdigest()}
    statement = head(world, "sluis/v1/subject-search", **{**named, **how, **about, **stated})
    counts = {"searched": asks_of(world, party, purpose, epoch) - unsearched, "unsearched": unsearched}
    body = {"what": "subject-search", "exchange": None, **named, **counts}
    return world.batch(("access", {**body, **world.signed(party, statement)}))
