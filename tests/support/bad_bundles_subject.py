"""Bad bundles whose searches for a subject are wrong (see `bad_bundles`)."""

from __future__ import annotations

from datetime import UTC, datetime

from audit_kit import World, policy_files, signed_bundle
from bad_bundles import bad
from searching import search


@bad("a search that its party did not sign", "STATEMENT_SIGNATURE")
def a_search_not_signed(world: World) -> None:
    world.body(search(world, "utrecht", "snf-locatie"))["statement"]["scheme"] = "kvk"


@bad("a search in another party's name", "CERTIFICATE_UNKNOWN")
def a_search_in_anothers_name(world: World) -> None:
    body = world.body(search(world, "utrecht", "snf-locatie"))
    body.update(world.signed("snf", body["statement"]))


@bad("a search whose statement has a member more", "STATEMENT_FORM")
def a_search_with_a_remark(world: World) -> None:
    search(world, "utrecht", "snf-locatie", remark="for the neighbour")


@bad("a search of another epoch than it was signed for", "STATEMENT_DIFFERS")
def a_search_of_another_epoch(world: World) -> None:
    body = world.body(search(world, "utrecht", "snf-locatie"))
    body.update(world.signed("utrecht", {**body["statement"], "epoch": "2026Q3"}))


@bad("a search that names an exchange", "STATEMENT_DIFFERS")
def a_search_that_tells(world: World) -> None:
    world.body(search(world, "utrecht", "snf-locatie"))["exchange"] = "10cbd1a4-3a6b-4ca6-8df7-2f3c1f5c7f8a"


@bad("a search signed long before", "STATEMENT_AGE")
def an_old_search(world: World) -> None:
    search(world, "utrecht", "snf-locatie", not_after="2026-11-23T09:00:00Z")


@bad("a search by a party that takes no part", "SUBJECT_SEARCH_PARTY")
def a_search_by_a_stranger(world: World) -> None:
    search(world, "nla", "snf-locatie")


@bad("a search under another key than the epoch's", "SUBJECT_SEARCH_KEY")
def a_search_under_another_key(world: World) -> None:
    search(world, "utrecht", "snf-locatie", key_id="ef" * 16)


@bad("a search that left questions out", "SUBJECT_SEARCH")
def a_search_that_left_out(world: World) -> None:
    world.body(search(world, "utrecht", "snf-locatie"))["searched"] -= 1


@bad("a search that looked into questions of others", "SUBJECT_SEARCH")
def a_search_too_wide(world: World) -> None:
    world.body(search(world, "someren", "snf-locatie"))["searched"] += 4


@bad("one search twice", "SUBJECT_SEARCH")
def a_search_twice(world: World) -> None:
    request = "10cbd1a4-3a6b-4ca6-8df7-2f3c1f5c7f8a"
    search(world, "utrecht", "snf-locatie", request_id=request)
    search(world, "snf", "snf-locatie", request_id=request)  # another party's id is its own
    search(world, "utrecht", "snf-locatie", request_id=request)


def searches_a_day(world: World, most: int) -> World:
    """A log of a purpose that allows so many searches for a person in a day."""
    texts = policy_files()
    name = "purposes/snf-locatie.yaml"
    limits = "limits: {"
    assert limits in texts[name]
    texts[name] = texts[name].replace(limits, f"{limits}subject_searches_per_day: {most}, ")
    log = World(keys=world.keys, archive=[signed_bundle(texts, 1)]).begin()
    log.epoch("snf", "snf-locatie")
    return log


def honest(world: World) -> World:
    """As often as is allowed, by each party, and again when the day in Amsterdam is over."""
    log = searches_a_day(world, 2)
    for _ in range(2):
        for party in ("utrecht", "snf", "utrecht", "snf"):
            search(log, party, "snf-locatie")
        log.at = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    return log


@bad("a search more in a day than the purpose allows", "SUBJECT_SEARCH_LIMIT")
def a_search_too_many(world: World) -> World:
    log = searches_a_day(world, 2)
    for _ in range(3):
        search(log, "utrecht", "snf-locatie")
    return log


@bad("a search more in a day than the usual number", "SUBJECT_SEARCH_LIMIT")
def a_search_over_the_usual_number(world: World) -> None:
    for _ in range(51):
        search(world, "utrecht", "snf-locatie")
