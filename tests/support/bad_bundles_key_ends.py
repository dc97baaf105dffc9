"""Bad bundles about the end of keys, and the keys in their place (see `bad_bundles`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from audit_kit import EPOCH, EPOCH_KEY, World, policy_files, signed_bundle
from bad_bundles import bad
from bad_bundles_exchanges import HIT, fresh
from log_kit import ORIGIN

PURPOSE = "snf-locatie"
DUE = datetime(2027, 1, 5, tzinfo=UTC)
"""When no question of the epoch is kept any more, in a log of `due`."""


def ends(world: World, party: str = "snf", **stated: Any) -> int:
    """A party says that a key has ended: unless `stated` otherwise, that the epoch's was retired after a leak."""
    statement = {
        "caches": 0,
        "ended_at": "2026-11-23T10:00:00Z",
        "environment": "test",
        "epoch": EPOCH,
        "key_id": "cd" * 16,
        "origin": ORIGIN,
        "party": party,
        "purpose": PURPOSE,
        "reason": "leak",
        "type": "sluis/v1/key-end",
        "what": "retired",
        **stated,
    }
    return world.batch(("key", {"action": "end", "party": party, **world.signed(party, statement)}))


def due(world: World) -> World:
    """A log whose purpose keeps questions for a day, at a time when the epoch's key has ended."""
    texts = policy_files()
    name = f"purposes/{PURPOSE}.yaml"
    texts[name] = re.sub(r"vault_keep_days: \d+", "vault_keep_days: 1", texts[name])
    log = World(keys=world.keys, archive=[signed_bundle(texts, 1)]).begin()
    log.epoch("snf", PURPOSE)
    log.at = DUE
    return log


def destroyed(world: World, party: str = "snf", **stated: Any) -> int:
    """A party says that it destroyed the epoch's key, when that is due."""
    return ends(world, party, **{"what": "destroyed", "reason": "escrow-over", **stated})


@bad("a key retired by another than a steward", "KEY_STEWARD")
def a_key_retired_by_another(world: World) -> None:
    ends(world, "utrecht")


@bad("a key retired twice", "KEY_REPEATED")
def a_key_retired_twice(world: World) -> None:
    ends(world)
    ends(world, ended_at="2026-11-23T10:00:01Z")


@bad("the end of a key that was not the epoch's", "KEY_TERMS")
def the_end_of_another_key(world: World) -> World:
    log = due(world)
    destroyed(log, "utrecht", key_id="ef" * 16)
    return log


@bad("a destruction said twice", "KEY_REPEATED")
def a_destruction_said_twice(world: World) -> World:
    log = due(world)
    destroyed(log)
    destroyed(log, ended_at="2026-11-23T10:00:01Z")
    return log


@bad("a key destroyed before its escrow was over", "KEY_ESCROW")
def a_key_destroyed_early(world: World) -> None:
    ends(world, "utrecht", what="destroyed", reason="escrow-over")


@bad("a key destroyed on the last day of its escrow", "KEY_ESCROW")
def a_key_destroyed_a_day_early(world: World) -> World:
    log = due(world)
    log.at = datetime(2027, 1, 1, 22, 58, tzinfo=UTC)
    destroyed(log)
    return log


def honest(world: World) -> World:
    """Every holder says that its key is gone, from the minute on at which it may be."""
    log = due(world)
    log.at = datetime(2027, 1, 1, 22, 59, tzinfo=UTC)
    for party in ("snf", "utrecht"):
        destroyed(log, party)
    return log


@bad("a retirement for a reason that is none", "STATEMENT_FORM")
def a_retirement_for_no_reason(world: World) -> None:
    ends(world, reason="boredom")


@bad("the end of an encryption key with an epoch", "STATEMENT_FORM")
def the_end_of_an_encryption_key_with_an_epoch(world: World) -> None:
    ends(world, what="encryption-key-destroyed", reason="renewed")


@bad("an encryption key destroyed that is in use", "KEY_TERMS")
def an_encryption_key_destroyed_in_use(world: World) -> None:
    key = world.body(EPOCH_KEY)["statement"]["recipients"]["snf"]["key"]
    ends(world, what="encryption-key-destroyed", reason="renewed", purpose=None, epoch=None, key_id=key)


@bad("the end of a key that its party did not sign", "STATEMENT_SIGNATURE")
def an_end_nobody_signed(world: World) -> World:
    log = due(world)
    log.body(destroyed(log))["statement"]["caches"] = 1
    return log


@bad("a second key of a period while the first still holds", "KEY_TERMS")
def a_second_key_beside_the_first(world: World) -> None:
    world.epoch("snf", PURPOSE, epoch=f"{EPOCH}.2", key_id="ef" * 16)


@bad("a third key of a period after the first", "KEY_TERMS")
def a_third_key_after_the_first(world: World) -> None:
    ends(world)
    world.epoch("snf", PURPOSE, epoch=f"{EPOCH}.3", key_id="ef" * 16)


@bad("a retired key sealed to one recipient more", "KEY_TERMS")
def a_retired_key_sealed_again(world: World) -> None:
    ends(world)
    world.epoch("snf", PURPOSE, created_at="2026-11-23T10:00:01Z")


@bad("a register under a retired key", "REGISTER_KEY")
def a_register_under_a_retired_key(world: World) -> None:
    ends(world)
    world.publish("snf", PURPOSE, "postcode-number")


@bad("a question under a retired key", "ASK_KEY")
def a_question_under_a_retired_key(world: World) -> World:
    log = fresh(world)
    ends(log)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT), "FAILED")
    return log
