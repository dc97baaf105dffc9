"""Bad bundles whose corrections, disputes, outcomes or notices are wrong (see `bad_bundles`)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import rectified
from audit_kit import ASK, ASK_2, COUNT_2, DENIED, EPOCH, TWO, World
from bad_bundles import bad

SNF = ("snf", "snf-locatie")


def changed(world: World, index: int, **members: object) -> None:
    """An entry with other members, its statement as it was signed."""
    world.body(index).update(members)


def signed_anew(world: World, index: int, signer: str, /, **members: object) -> None:
    """An entry whose statement says something else, signed by its party."""
    body = world.body(index)
    body.update(world.signed(signer, {**body["statement"], **members}))


# who signed
@bad("a correction that its answerer did not sign", "STATEMENT_SIGNATURE")
def a_correction_not_signed(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    world.body(at)["statement"]["reason"] = "out-of-date"


@bad("a dispute that its asker did not sign", "STATEMENT_SIGNATURE")
def a_dispute_not_signed(world: World) -> None:
    at = rectified.dispute(world, ASK_2)
    world.body(at)["statement"]["reason"] = "out-of-date"


@bad("an outcome that its asker did not sign", "STATEMENT_SIGNATURE")
def an_outcome_not_signed(world: World) -> None:
    at = rectified.outcome(world, ASK_2)
    world.body(at)["statement"]["outcome"] = "confirmed"


@bad("an acknowledgement that its party did not sign", "STATEMENT_SIGNATURE")
def an_acknowledgement_not_signed(world: World) -> None:
    at = rectified.acknowledge(world, rectified.correct(world, *SNF, [ASK]) + 1)
    world.body(at)["statement"]["done"] = "erased"


@bad("a correction signed by another party", "CERTIFICATE_UNKNOWN")
def a_correction_by_another(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    world.body(at).update(world.signed("utrecht", world.body(at)["statement"]))


# what they say
@bad("a correction with a word of its own", "STATEMENT_FORM")
def a_free_word(world: World) -> None:
    at = rectified.correct(world, *SNF)
    signed_anew(world, at, "snf", reason="because Jansen said so")


@bad("an outcome of another log", "STATEMENT_DIFFERS")
def an_outcome_of_another_log(world: World) -> None:
    signed_anew(world, rectified.outcome(world, ASK_2), "utrecht", origin="sluis.example/other")


@bad("a dispute entry that names another exchange than its statement", "STATEMENT_DIFFERS")
def a_dispute_of_another_exchange(world: World) -> None:
    signed_anew(world, rectified.dispute(world, ASK_2), "utrecht", exchange=world.body(ASK)["exchange"])


@bad("a correction dated far ahead", "STATEMENT_AGE")
def a_correction_dated_ahead(world: World) -> None:
    signed_anew(world, rectified.correct(world, *SNF), "snf", not_after="2026-12-24T10:00:00Z")


@bad("a dispute logged after its time", "STATEMENT_AGE")
def a_dispute_logged_late(world: World) -> None:
    signed_anew(world, rectified.dispute(world, ASK_2), "utrecht", not_after="2026-11-23T10:00:00Z")


@bad("a correction logged twice", "RECTIFIED_TWICE")
def a_correction_logged_twice(world: World) -> None:
    at = rectified.correct(world, *SNF)
    world.batch(copy.deepcopy(world.entry(at)))


@bad("a second dispute under the id of the first", "RECTIFIED_TWICE")
def a_dispute_id_reused(world: World) -> None:
    rectified.dispute(world, ASK, notice=rectified.notice_id("one"))
    rectified.dispute(world, ASK_2, notice=rectified.notice_id("one"))


# about what
def _unknown_hits() -> dict[str, Callable[[World], int]]:
    return {
        "a dispute of an ask that was denied": lambda world: DENIED,
        "a dispute of a count": lambda world: COUNT_2,
        "a dispute of an ask without a register": lambda world: TWO,
        "a dispute of an entry that is no ask": lambda world: 3,
    }


def _dispute_of(world: World, index: int) -> None:
    at = rectified.dispute(world, ASK_2)
    if world.entry(index)[0] != "ask":
        changed(world, at, ask_index=index)
        return
    other: dict[str, Any] = world.body(index)
    named = {name: other[name] for name in ("asker", "answerer", "exchange")}
    changed(world, at, ask_index=index, purpose=other["purpose"], **named)
    signed_anew(world, at, other["asker"], **named)


for _name, _which in _unknown_hits().items():
    bad(_name, "HIT_UNKNOWN")(lambda world, which=_which: _dispute_of(world, which(world)))


@bad("an outcome of an ask of another party", "HIT_UNKNOWN")
def an_outcome_of_another_party(world: World) -> None:
    at = rectified.outcome(world, ASK_2)
    changed(world, at, asker="nla")
    signed_anew(world, at, "nla", asker="nla")


@bad("a dispute under another epoch than its question's", "HIT_UNKNOWN")
def a_dispute_of_another_epoch(world: World) -> None:
    changed(world, rectified.dispute(world, ASK_2), epoch="2026Q3")


# corrections
@bad("a correction by a party that answers nothing here", "NOT_ANSWERER")
def a_correction_by_a_stranger(world: World) -> None:
    rectified.correct(world, "sna", "snf-locatie")


@bad("a correction that searched fewer exchanges than there are", "CORRECTION_SEARCH")
def a_correction_that_searched_fewer(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at, searched=world.body(at)["searched"] - 1)


@bad("a correction that hides what it could not search", "CORRECTION_SEARCH")
def a_correction_that_hides_what_is_erased(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at, unsearched=1)


@bad("a correction of a record upheld that says it searched", "CORRECTION_SEARCH")
def an_upheld_that_searched(world: World) -> None:
    rectified.dispute(world, ASK_2)
    at = rectified.correct(world, *SNF, [ASK_2], what="upheld", dispute=rectified.notice_id(f"dispute {ASK_2}"))
    changed(world, at, searched=3)


@bad("a correction without one of its notices", "CORRECTION_NOTICES")
def a_correction_without_its_notice(world: World) -> None:
    rectified.correct(world, *SNF, [ASK])
    world.batches[-1].pop()


@bad("a correction with a notice more than it says", "CORRECTION_NOTICES")
def a_correction_with_one_notice_more(world: World) -> None:
    changed(world, rectified.correct(world, *SNF, [ASK]), notices=0)


@bad("a correction whose notice comes in a later batch", "CORRECTION_NOTICES")
def a_correction_with_a_late_notice(world: World) -> None:
    rectified.correct(world, *SNF, [ASK])
    world.batch(world.batches[-1].pop())


@bad("an answer to a dispute that tells the asker nothing", "CORRECTION_NOTICES")
def a_dispute_ended_in_silence(world: World) -> None:
    rectified.dispute(world, ASK_2)
    rectified.correct(world, *SNF, what="upheld", dispute=rectified.notice_id(f"dispute {ASK_2}"))


@bad("a notice about an exchange of another party", "NOTICE_ASK")
def a_notice_of_another_party(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at + 1, party="nla")


@bad("a notice about an exchange under another purpose", "NOTICE_ASK")
def a_notice_of_another_purpose(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at + 1, asks=[TWO + 1], party="nla")


@bad("a notice about an exchange that was denied", "NOTICE_ASK")
def a_notice_of_a_denied_ask(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at + 1, asks=[DENIED])


@bad("a notice that names an exchange twice", "NOTICE_ASK")
def a_notice_that_names_one_twice(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK])
    changed(world, at + 1, asks=[ASK, ASK])


# disputes and acknowledgements
@bad("a correction that answers a dispute nobody made", "DISPUTE_UNKNOWN")
def a_dispute_nobody_made(world: World) -> None:
    rectified.correct(world, *SNF, [ASK], dispute="00" * 16)


@bad("a dispute ended twice", "DISPUTE_UNKNOWN")
def a_dispute_ended_twice(world: World) -> None:
    rectified.dispute(world, ASK)
    for _ in range(2):
        rectified.correct(world, *SNF, [ASK], dispute=rectified.notice_id(f"dispute {ASK}"))


@bad("a record upheld that nobody disputes", "CORRECTION_NOTICES", "DISPUTE_UNKNOWN", "NOTICE_ASK")
def an_upheld_without_dispute(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK], what="upheld")
    changed(world, at, notices=2)
    world.batches[-1].append(copy.deepcopy(world.batches[-1][-1]))
    changed(world, at + 2, notice=rectified.notice_id("more"))


@bad("a dispute carried to an epoch where it stands already", "DISPUTE_UNKNOWN")
def a_dispute_carried_nowhere(world: World) -> None:
    rectified.dispute(world, ASK_2)
    notice = rectified.notice_id(f"dispute {ASK_2}")
    rectified.correct(world, *SNF, what="still-disputed", dispute=notice, epoch=EPOCH)


@bad("an acknowledgement of a notice nobody had", "ACKNOWLEDGEMENT")
def an_acknowledgement_of_nothing(world: World) -> None:
    at = rectified.acknowledge(world, rectified.correct(world, *SNF, [ASK]) + 1)
    changed(world, at, notice="00" * 16)
    signed_anew(world, at, "utrecht", notice="00" * 16)


@bad("an acknowledgement by another party", "ACKNOWLEDGEMENT")
def an_acknowledgement_by_another(world: World) -> None:
    at = rectified.acknowledge(world, rectified.correct(world, *SNF, [ASK]) + 1)
    changed(world, at, party="nla")
    signed_anew(world, at, "nla", party="nla")


@bad("a notice acknowledged twice", "ACKNOWLEDGEMENT")
def a_notice_acknowledged_twice(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK]) + 1
    rectified.acknowledge(world, at)
    rectified.acknowledge(world, at)


@bad("a correction with a blank too few behind it", "CORRECTION_NOTICES")
def a_blank_too_few(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK], blanks=3)
    world.body(at)["notices"] = 5


@bad("a blank behind no correction", "CORRECTION_NOTICES")
def a_blank_behind_nothing(world: World) -> None:
    rectified.correct(world, *SNF, [ASK], blanks=3)
    world.body(world.size - 1)["correction"] = 1


@bad("a blank under the id of a notice", "RECTIFIED_TWICE")
def a_blank_named_as_a_notice(world: World) -> None:
    at = rectified.correct(world, *SNF, [ASK], blanks=3)
    world.body(at + 2)["notice"] = world.body(at + 1)["notice"]


@bad("a dispute ended, and a blank where its asker should be told", "CORRECTION_NOTICES")
def the_disputer_is_not_told(world: World) -> None:
    rectified.dispute(world, ASK)
    rectified.correct(world, *SNF, dispute=rectified.notice_id(f"dispute {ASK}"), blanks=4)
