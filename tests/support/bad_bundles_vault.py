"""Erasures and legal holds as a dishonest broker would log them."""

from __future__ import annotations

import copy
from datetime import timedelta

import rectified
from audit_kit import ASK, ASK_2, OFFICERS, RELEASE, SIGNERS, World
from bad_bundles import bad

from broker.exchange import Want
from broker.policy.vault_orders import erase_order


@bad("retention that comes a day early", "ERASURE_EARLY")
def early(world: World) -> None:
    world.erase(*world.commitments(ASK), after=timedelta(days=728))


@bad("an erasure of what the log never committed to", "ERASURE_UNKNOWN")
def unknown(world: World) -> None:
    world.erase("0f1e" * 16)


@bad("an erasure of what differs in its last digit from what the log committed to", "ERASURE_UNKNOWN")
def nearly_known(world: World) -> None:
    made = world.body(RELEASE)["result"]
    world.erase(made[:-1] + ("0" if made[-1] != "0" else "1"))


@bad("an erasure before what it erases", "ERASURE_UNKNOWN")
def before(world: World) -> None:
    hit = Want(hit=True, count=False)
    ahead = copy.deepcopy(world)
    ahead.erase("0f1e" * 16, after=timedelta(seconds=1))
    name = ahead.body(ahead.ask("nla", ["utrecht"], "verhuurvergunning", hit, case_number="NLA-2026-1"))["statement"]
    world.erase(name["tokens"], after=timedelta(seconds=1))
    world.ask("nla", ["utrecht"], "verhuurvergunning", hit, case_number="NLA-2026-1")


@bad("the same erased twice: it had come back", "ERASURE_TWICE")
def twice(world: World) -> None:
    names = world.commitments(ASK)
    world.erase(*names)
    world.erase(*names[:1], after=timedelta(seconds=1))


@bad("retention in spite of a legal hold", "ERASURE_HELD")
def held(world: World) -> None:
    world.hold(purpose="snf-locatie")
    world.erase(*world.commitments(ASK))


@bad("an erasure on request in spite of a legal hold on the party", "ERASURE_HELD")
def held_on_request(world: World) -> None:
    world.hold(OFFICERS.keys["snf"], party="snf", asked_until=world.at)
    world.erase_on_request(ASK)


@bad("an exchange erased on the word of another agency's officer", "ERASURE_UNORDERED")
def not_theirs(world: World) -> None:
    world.erase_on_request(ASK, key="nla")


@bad("more erased than the order names", "ERASURE_UNORDERED")
def more(world: World) -> None:
    index = world.erase_on_request(ASK)
    body = world.body(index)
    body["commitments"] = sorted({*body["commitments"], *world.commitments(ASK_2)})


@bad("an order that nobody of any party signed", "ERASURE_ORDER", "ERASURE_UNORDERED")
def stranger(world: World) -> None:
    world.body(world.erase_on_request(ASK)).update(_order(world))


@bad("an order with another reason than was signed", "ERASURE_ORDER")
def forged(world: World) -> None:
    world.body(world.erase_on_request(ASK))["statement"]["reason"] = "asked by the director"


@bad("a hold by an officer of no party concerned", "ERASURE_ORDER")
def strange_hold(world: World) -> None:
    world.hold(OFFICERS.keys["sna"], purpose="snf-locatie")


@bad("a hold lifted by an officer of another party than who placed it", "ERASURE_ORDER")
def strange_lift(world: World) -> None:
    world.lift(world.hold(purpose="snf-locatie"), OFFICERS.keys["snf"])


@bad("a hold lifted twice", "ERASURE_ORDER")
def lifted_twice(world: World) -> None:
    hold = world.hold(purpose="snf-locatie")
    world.lift(hold)
    world.lift(hold)


@bad("an order carried out long after it was made", "ORDER_AGE")
def old_order(world: World) -> None:
    world.erase_on_request(ASK, age=timedelta(days=31))


@bad("an order dated ahead", "ORDER_AGE")
def order_ahead(world: World) -> None:
    world.erase_on_request(ASK, age=timedelta(hours=-2))


@bad("what a correction commits to erased in spite of a hold on its purpose", "ERASURE_HELD")
def correction_held(world: World) -> None:
    rectified.correct(world, "snf", "snf-locatie")
    world.hold(purpose="snf-locatie", asked_from=world.at - timedelta(hours=1))
    world.erase(rectified.RECORD)


@bad("a correction's record erased in spite of a hold on an exchange that it told", "ERASURE_HELD")
def told_held(world: World) -> None:
    rectified.correct(world, "snf", "snf-locatie", [ASK])
    world.hold(purpose="snf-locatie", exchange=world.body(ASK)["exchange"])
    world.erase(rectified.RECORD)


@bad("a notice's positions erased in spite of a hold on the party told", "ERASURE_HELD")
def notice_held(world: World) -> None:
    rectified.correct(world, "snf", "snf-locatie", [ASK])
    world.hold(party=world.body(ASK)["asker"])
    world.erase(rectified.POSITIONS)


@bad("a correction's record erased with an exchange that it told", "ERASURE_UNORDERED")
def record_taken_along(world: World) -> None:
    rectified.correct(world, "snf", "snf-locatie", [ASK])
    body = world.body(world.erase_on_request(ASK))
    body["commitments"] = sorted({*body["commitments"], rectified.RECORD})


@bad("an erasure whose commitments are out of order", "LEAF_FORM")
def unsorted(world: World) -> None:
    body = world.body(world.erase(*world.commitments(ASK)))
    body["commitments"] = body["commitments"][::-1]


def _order(world: World) -> dict[str, object]:
    """The order for ASK, signed by someone who signs for nobody."""
    body = world.body(ASK)
    made_at = world.at
    named = [(body["asker"], body["exchange"])]
    signed = erase_order(named, "x", case=None, origin="sluis.example/test-2026", environment="test", made_at=made_at)
    return signed(SIGNERS[2]).members()
