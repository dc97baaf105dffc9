"""What an honest key service logs verifies, in both verifiers; and what it counted goes on in the log that follows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from audit_kit import World
from bad_bundles_key_ends import ends
from evaluated import LIMIT, PURPOSE, bundle, destroy, evaluate, key_service, made, public_key
from log_kit import ORIGIN
from test_continuity import last_note
from test_standalone import codes_of

from broker.succession import previous_of

SECOND = timedelta(seconds=1)


def honest() -> World:
    """A month of a key service, and what comes after."""
    world = key_service()
    evaluate(world, elements=4)
    evaluate(world, elements=LIMIT - 4)
    evaluate(world, "uwv", elements=1000)  # who answers has a limit of its own
    return world


def overlapping() -> World:
    """In the first days of a month the key of the month before is in use still, and counts in the new month."""
    world = key_service(overlap=24)
    evaluate(world, epoch="2026-10", public_key=public_key("oost", "2026-10"))
    evaluate(world, elements=LIMIT - 3)
    return world


def in_due_time() -> World:
    world = honest()
    destroy(world, "2026-10", reason=None, after=timedelta(days=9 + 730))
    return world


def leaked() -> World:
    world = honest()
    destroy(world, after=SECOND)
    return world


def k_leaked_alone() -> World:
    """The policy pins nothing for the key in its place: that one is used with the services' keys of the month."""
    world = made(key_service())
    ends(world, "nla", purpose=PURPOSE, epoch="2026-11")
    evaluate(world)
    return world


def k_leaked_with_a_service_key() -> World:
    """Both are replaced: evaluations go on under the key in its place alone."""
    world = made(key_service(epochs=("2026-11", "2026-11.2")))
    ends(world, "nla", purpose=PURPOSE, epoch="2026-11")
    evaluate(world, epoch="2026-11.2", public_key=public_key("oost", "2026-11.2"))
    return world


@pytest.mark.parametrize(
    "make", [honest, overlapping, in_due_time, leaked, k_leaked_alone, k_leaked_with_a_service_key]
)
def test_an_honest_key_service_is_found_good(make) -> None:
    world = make()
    assert world.verify().findings == ()
    assert codes_of(world.bundle(), world.trust_text()) == set()


def test_counting_goes_on_in_the_log_that_follows() -> None:
    before = key_service()
    evaluate(before, elements=4)
    previous = previous_of(last_note(before).replace(ORIGIN, "sluis.example/old"), "sealed")
    counters = {"evaluations/nla/nla-verzoek-persoon/2026-11": 4}
    carried = {"what": "carried", "counters": counters, "policy": None, "suspended": {}}
    for spent, codes in ((4, set()), (0, {"EVALUATION_QUOTA"})):
        world = World(archive=[bundle()])
        world.begin(previous, ("config", carried))
        evaluate(world, elements=1, spent=spent)
        assert set(world.verify().counts) == codes
        assert codes_of(world.bundle(), world.trust_text()) == codes
