"""What one log counted goes on in the next, for both verifiers: of guards against probing, and what no entry gives."""

from __future__ import annotations

from dataclasses import replace

from audit_kit import World
from bad_bundles_exchanges import guarded_policies
from log_kit import ORIGIN, Keys
from test_continuity import HIT, as_before, carried_of, last_note
from test_standalone import codes_of

from broker.audit.verify import verify
from broker.policy.decision import ProbingFacts
from broker.succession import previous_of


def test_subjects_asked_about_go_on_and_what_no_entry_gives_is_not_held_against_the_broker() -> None:
    first = ProbingFacts(0, 0, 0, 10, 10, None)

    def asked(world: World, facts: ProbingFacts) -> World:
        world.epoch("snf", "snf-locatie")
        world.publish("snf", "snf-locatie", "bag")
        world.release(world.ask("utrecht", ["snf"], "snf-locatie", HIT, found={"probing": facts}))
        return world

    world = asked(World(archive=[guarded_policies()]).begin(), first)
    before = replace(as_before(world), seal={"next_origin": ORIGIN, "next_key": Keys().signer.verifier_key})
    carried, subjects = carried_of(before, world), "subjects/utrecht/snf-locatie/2026Q4"
    assert carried["counters"][subjects] == 10
    carried["counters"][f"rectification/snf/{world.at:%Y-%m-%d}"] = 3
    previous = previous_of(last_note(world).replace(ORIGIN, before.origin), "sealed")
    for stated, codes in ((10, set()), (9, {"CARRIED", "COUNTER_PROBING"})):
        after = World(archive=[guarded_policies()])
        after.at, after.requests = world.at, world.requests.copy()
        after.begin(previous, ("config", {**carried, "counters": {**carried["counters"], subjects: stated}}))
        asked(after, replace(first, epoch=20))
        assert set(verify(after.bundle(), after.trust(), preceding=before).counts) == codes
        assert codes_of(after.bundle(), after.trust_text()) == codes - {"CARRIED"}
