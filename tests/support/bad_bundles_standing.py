"""Bad bundles whose standing questions are none (see `bad_bundles`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from audit_kit import World, policy_files, signed_bundle
from bad_bundles import bad
from bad_bundles_exchanges import HIT, PURPOSE

from broker.exchange import Want
from broker.policy.evaluate import StandingFacts

DAYS = 30
DAY = timedelta(days=1)
SAME = StandingFacts("same", newer=True, days=0)
FIRST = "00000000-0000-4000-8000-00000000f157"


def standing(world: World, days: int | None = DAYS) -> World:
    """A short log of a purpose under which questions may stand: a key, a register, a first question, its answer."""
    texts = policy_files()
    name = f"purposes/{PURPOSE}.yaml"
    if days is not None:
        texts[name] = texts[name].replace("\nabout:", f"\nstanding_questions: {{days: {days}}}\nabout:")
    log = World(keys=world.keys, archive=[signed_bundle(texts, 1)]).begin()
    log.epoch("snf", PURPOSE)
    log.publish("snf", PURPOSE, "bag")
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT, request_id=FIRST))
    return log


def newer(log: World, version: int = 2) -> None:
    """A newer register version."""
    log.publish("snf", PURPOSE, "bag", version)


def again(
    log: World, found: StandingFacts | None = SAME, first: str | None = FIRST, asker: str = "utrecht", **more: Any
) -> int:
    """The question put again, with these facts, and answered where it is permitted."""
    stated = {} if first is None else {"standing": first}
    ask = log.ask(asker, ["snf"], PURPOSE, more.pop("want", HIT), stated=stated | more, found={"standing": found})
    if log.body(ask)["decision"]["effect"] == "permit":
        log.release(ask)
    return ask


def honest(world: World) -> World:
    """Put again as often as there is something newer, refused in every way, and a first question after all that."""
    log = standing(world)
    again(log, StandingFacts("same", newer=False, days=0))
    for version in (2, 3):
        newer(log, version)
        again(log)
    newer(log, 4)
    again(log, StandingFacts("unknown", newer=False, days=0), first="00000000-0000-4000-8000-00000000dead")
    again(log, StandingFacts("unknown", newer=False, days=0), asker="nla")
    again(log, StandingFacts("other", newer=True, days=0), subjects=11)
    again(log, StandingFacts("gone", newer=True, days=0))
    log.at += 5 * DAY
    again(log, StandingFacts("same", newer=True, days=5))
    again(log, None, first=None)
    return log


@bad("a question put again though nothing was newer", "STANDING")
def nothing_newer(world: World) -> World:
    log = standing(world)
    again(log)
    return log


@bad("a question put again twice for one version", "STANDING")
def twice_for_one_version(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log)
    again(log)
    return log


@bad("a question put again of which there was no first", "STANDING")
def no_first(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, first="00000000-0000-4000-8000-00000000dead")
    return log


@bad("another party's question put again", "STANDING")
def of_another_party(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, asker="nla")
    return log


@bad("a question put again about more subjects", "STANDING")
def more_subjects(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, subjects=11)
    return log


@bad("a question put again for more attributes", "STANDING")
def more_attributes(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, want=Want(True, False))
    return log


@bad("a question put again under a purpose where none may stand", "STANDING")
def none_may_stand(world: World) -> World:
    log = standing(world, days=None)
    newer(log)
    again(log)
    return log


@bad("a question said to be younger than it is", "STANDING")
def younger(world: World) -> World:
    log = standing(world)
    log.at += (DAYS + 1) * DAY
    newer(log)
    again(log)
    return log


@bad("a question that stands longer than the policy lets it", "REPLAY_DIFFERS")
def too_old(world: World) -> World:
    log = standing(world)
    log.at += (DAYS + 1) * DAY
    newer(log)
    decision = log.body(again(log, StandingFacts("same", newer=True, days=DAYS + 1)))["decision"]
    decision["checks"][-1]["met"] = True
    return log


@bad("a question that says it stands, and nothing of its first", "STANDING")
def nothing_said(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, None)
    return log


@bad("a question said to stand by the broker alone", "STANDING")
def by_the_broker_alone(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, first=None)
    return log


@bad("a question whose first is said to be lost", "STANDING")
def said_to_be_lost(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, StandingFacts("unknown", newer=False, days=0))
    return log


@bad("a question said to be the same, that its statement shows to be another", "STANDING")
def shown_to_be_another(world: World) -> World:
    log = standing(world)
    newer(log)
    again(log, match_keys=1, subjects=9)
    return log


@bad("a standing question whose first has another form", "STATEMENT_FORM", "RELEASE_UNASKED")
def of_another_form(world: World) -> World:
    log = standing(world)
    newer(log)
    stated = {"standing": 7}
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT, stated=stated, found={"standing": SAME}))
    return log
