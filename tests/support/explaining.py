"""Explanations of unusual use in an `audit_kit.World`, as an honest broker would log them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from log_kit import ORIGIN
from rectified import head

from broker.canonical import canonical_json

if TYPE_CHECKING:
    from audit_kit import World


def explain(world: World, first: int, last: int, party: str = "", explanation: str = "planned", **stated: Any) -> int:
    """Whose entry `first` is explains what stood out from there to `last`; `stated`: other members of the statement."""
    body = world.body(first)
    facts = {
        "day": stated.pop("day", world.times[-1].date().isoformat()),
        "first": first,
        "kind": stated.pop("kind", "volume"),
        "last": last,
        "origin": ORIGIN,
        "party": party or body.get("asker") or body["party"],
        "purpose": body["purpose"],
    }
    made = hashlib.sha256(canonical_json({**facts, "type": "sluis/v1/unusual-use-item"})).hexdigest()[:32]
    said = {**facts, "item": made, "explanation": explanation, **stated}
    statement = {**head(world, "sluis/v1/unusual-use"), **said}
    body = {"what": "unusual-use", "purpose": said["purpose"], "notice": said["item"], "party": said["party"]}
    return world.batch(("notice", {**body, **world.signed(said["party"], statement)}))
