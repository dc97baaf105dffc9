"""Bad bundles of key services (see `bad_bundles`)."""

from __future__ import annotations

from datetime import timedelta

from audit_kit import SIGNERS, World
from bad_bundles import bad
from bad_bundles_key_ends import ends
from evaluated import LIMIT, PURPOSE, destroy, evaluate, key_service, made, public_key

SECOND = timedelta(seconds=1)


@bad("an evaluation for a party that takes no part", "EVALUATION_RIGHT")
def for_a_stranger(_: World) -> World:
    world = key_service()
    evaluate(world, "snf")
    return world


@bad("an evaluation under a purpose in mode keyed", "EVALUATION_RIGHT")
def under_a_keyed_purpose(_: World) -> World:
    world = key_service()
    evaluate(world, purpose="nla-verzoek-onderneming")
    return world


@bad("an evaluation under a draft", "EVALUATION_RIGHT")
def under_a_draft(_: World) -> World:
    world = key_service(state="draft")
    evaluate(world)
    return world


@bad("an evaluation by a service that the purpose does not name", "EVALUATION_RIGHT")
def by_another_service(_: World) -> World:
    world = key_service()
    evaluate(world, key_service="west")
    return world


@bad("an evaluation under a suspended purpose", "EVALUATION_RIGHT")
def while_suspended(_: World) -> World:
    world = key_service()
    evaluate(world)
    world.suspend("nla-verzoek-persoon", SIGNERS[0])
    evaluate(world)
    return world


@bad("an evaluation under a set that had expired", "EVALUATION_RIGHT")
def after_expiry(_: World) -> World:
    world = key_service()
    evaluate(world, period="2027-11", epoch="2027-11", decided_at="2027-11-25T10:00:00.000000Z")
    world.times[-1] = world.at = world.at.replace(year=2027, day=25, hour=10, minute=0, second=1)
    return world


@bad("an evaluation with a key that the policy does not pin", "EVALUATION_KEY")
def with_another_key(_: World) -> World:
    world = key_service()
    evaluate(world, public_key=public_key("oost", "2026-10"))
    return world


@bad("an evaluation under an epoch that is over", "EVALUATION_KEY")
def under_an_old_epoch(_: World) -> World:
    world = key_service()
    evaluate(world, epoch="2026-10", public_key=public_key("oost", "2026-10"))
    return world


@bad("an evaluation under a key that was retired, where another is pinned", "EVALUATION_KEY")
def under_a_retired_key(_: World) -> World:
    world = made(key_service(epochs=("2026-11", "2026-11.2")))
    evaluate(world)
    ends(world, "nla", purpose=PURPOSE, epoch="2026-11")
    evaluate(world)
    return world


@bad("an evaluation beyond the quota", "EVALUATION_QUOTA")
def beyond_the_quota(_: World) -> World:
    world = key_service()
    evaluate(world, elements=LIMIT)
    evaluate(world, elements=1)
    return world


@bad("an evaluation that counts too little spent", "EVALUATION_QUOTA")
def with_a_low_count(_: World) -> World:
    world = key_service()
    evaluate(world)
    evaluate(world, spent=0)
    return world


@bad("an evaluation counted in another month", "EVALUATION_QUOTA")
def in_another_period(_: World) -> World:
    world = key_service()
    evaluate(world, period="2026-12")
    return world


@bad("an evaluation of nothing", "EVALUATION_QUOTA")
def of_nothing(_: World) -> World:
    world = key_service()
    evaluate(world, elements=0)
    return world


@bad("an evaluation larger than a request may be", "EVALUATION_QUOTA")
def too_many_at_once(_: World) -> World:
    world = key_service(limit=5000)
    evaluate(world, elements=1025)
    return world


@bad("one request id for two evaluations", "REQUEST_ID_REUSED")
def one_id_twice(_: World) -> World:
    world = key_service()
    for _ in range(2):
        evaluate(world, request_id="10cbd1a4-3a6b-4ca6-8df7-2f3c1f5c7f8a")
    return world


@bad("an evaluation decided long before", "DECIDED_AT")
def decided_before(_: World) -> World:
    world = key_service()
    evaluate(world, decided_at="2026-11-23T08:00:00.000000Z")
    return world


@bad("an evaluation under a set that never was in force", "POLICY_UNKNOWN")
def under_another_set(_: World) -> World:
    world = key_service()
    evaluate(world, policy_set="ab" * 32)
    return world


@bad("a key destroyed before its time, and no reason", "SERVICE_KEY")
def destroyed_early(_: World) -> World:
    world = key_service()
    destroy(world, reason=None, after=timedelta(days=30))
    return world


@bad("a key destroyed twice", "SERVICE_KEY")
def destroyed_twice(_: World) -> World:
    world = key_service()
    for _ in range(2):
        destroy(world, after=SECOND)
    return world


@bad("a key used after it was destroyed", "SERVICE_KEY")
def used_afterwards(_: World) -> World:
    world = key_service()
    destroy(world, after=SECOND)
    evaluate(world)
    return world
