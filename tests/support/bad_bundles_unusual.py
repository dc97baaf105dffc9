"""Bad bundles whose explanations of unusual use are wrong (see `bad_bundles`)."""

from __future__ import annotations

from audit_kit import ASK, ASK_2, World
from bad_bundles import bad
from explaining import explain
from searching import search


@bad("an explanation that its party did not sign", "STATEMENT_SIGNATURE")
def an_explanation_not_signed(world: World) -> None:
    world.body(explain(world, ASK, ASK_2))["statement"]["explanation"] = "urgent"


@bad("an explanation by another party", "CERTIFICATE_UNKNOWN")
def an_explanation_by_another(world: World) -> None:
    body = world.body(explain(world, ASK, ASK_2))
    body.update(world.signed("snf", body["statement"]))


@bad("an explanation in a word of its own", "STATEMENT_FORM")
def a_word_of_its_own(world: World) -> None:
    explain(world, ASK, ASK_2, explanation="the neighbour")


@bad("an explanation under another item's id", "STATEMENT_DIFFERS")
def another_items_id(world: World) -> None:
    world.body(explain(world, ASK, ASK_2))["notice"] = "0" * 32


@bad("an explanation whose id is not that of its facts", "UNUSUAL_USE")
def an_id_of_other_facts(world: World) -> None:
    explain(world, ASK, ASK_2, item="0" * 32)


@bad("an explanation of questions of another party", "UNUSUAL_USE")
def questions_of_another(world: World) -> None:
    explain(world, ASK, ASK_2, party="snf")


@bad("an explanation of what is no question", "UNUSUAL_USE")
def no_question(world: World) -> None:
    explain(world, ASK, ASK + 1)


@bad("an explanation of searches by questions", "UNUSUAL_USE")
def searches_by_questions(world: World) -> None:
    explain(world, ASK, ASK_2, kind="search-volume")


@bad("an explanation of questions by searches", "UNUSUAL_USE")
def questions_by_searches(world: World) -> None:
    first = search(world, "utrecht", "snf-locatie")
    explain(world, first, search(world, "utrecht", "snf-locatie"), kind="volume")


@bad("an explanation of another party's searches", "UNUSUAL_USE")
def searches_of_another(world: World) -> None:
    first = search(world, "utrecht", "snf-locatie")
    explain(world, first, search(world, "snf", "snf-locatie"), kind="search-volume")


@bad("the same explanation twice", "UNUSUAL_USE")
def explained_twice(world: World) -> None:
    explain(world, ASK, ASK_2)
    explain(world, ASK, ASK_2)


@bad("an explanation signed long before", "STATEMENT_AGE")
def an_old_explanation(world: World) -> None:
    explain(world, ASK, ASK_2, not_after="2026-11-23T09:00:00Z")


@bad("an explanation of a day that does not exist", "STATEMENT_FORM")
def no_such_day(world: World) -> None:
    explain(world, ASK, ASK_2, day="2026-02-30")
