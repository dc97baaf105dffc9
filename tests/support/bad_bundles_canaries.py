"""Bad bundles whose canaries are wrong (see `bad_bundles`)."""

from __future__ import annotations

import hashlib
from typing import Any

from audit_kit import EPOCH, World
from bad_bundles import bad
from bad_bundles_exchanges import HIT, PURPOSE, fresh
from rectified import head

from broker.canonical import canonical_json


def canaries(log: World, party: str = "snf", **stated: Any) -> int:
    """A list of canaries; `stated`: members of its statement to be otherwise."""
    statement = {
        **head(log, "sluis/v1/canaries"),
        "request_id": f"00000000-0000-4000-8000-{log.size:012d}",
        "answerer": party,
        "purpose": PURPOSE,
        "epoch": EPOCH,
        "key_id": "cd" * 16,
        "scheme": "bag",
        "match_keys": 1,
        "rows": 5,
        "record": hashlib.sha256(b"%d" % log.size).hexdigest(),
        **stated,
    }
    digest = hashlib.sha256(canonical_json(statement)).hexdigest()[:32]
    body = {"what": "canaries", "notice": digest, "purpose": PURPOSE, "party": party}
    return log.batch(("notice", {**body, **log.signed(party, statement)}))


def met(log: World, listed: int, ask: int, **changed: Any) -> int:
    """A question asked for one; `changed`: members of the entry to be otherwise."""
    asked = log.body(ask)
    body = {
        "what": "canary",
        "notice": "ab" * 16,
        "purpose": PURPOSE,
        "answerer": "snf",
        "asked_by": "utrecht",
        "exchange": asked["exchange"],
        "ask_index": ask,
        "list": listed,
        "rows": 1,
        **changed,
    }
    return log.batch(("notice", body))


def asked_for(world: World, **changed: Any) -> World:
    """A short log in which one canary is asked for; `changed` in the entry that says so."""
    log = fresh(world)
    listed = canaries(log)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    met(log, listed, ask, **changed)
    log.release(ask)
    return log


def honest(world: World) -> World:
    """Told before every release where a list is in force: not before there is one, nor of another scheme or key."""
    log = fresh(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    canaries(log, scheme="postcode-number")
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    listed = canaries(log)
    for status in ("ANSWERED", "FAILED"):
        ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
        met(log, listed, ask, rows=0)
        log.release(ask, status)
    canaries(log, rows=0)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    return log


@bad("an answer of which it is not told how many canaries it asked for", "CANARY")
def not_told(world: World) -> World:
    log = fresh(world)
    canaries(log)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    return log


@bad("canaries of a party that does not answer", "CANARIES")
def set_by_another(world: World) -> World:
    log = fresh(world)
    canaries(log, "utrecht")
    return log


@bad("canaries under another key", "CANARIES")
def set_under_another_key(world: World) -> World:
    log = fresh(world)
    canaries(log, key_id="ef" * 16)
    return log


@bad("more canaries than a list holds", "CANARIES")
def too_many(world: World) -> World:
    log = fresh(world)
    canaries(log, rows=1_001)
    return log


@bad("canaries set twice under one id", "CANARIES")
def set_twice(world: World) -> World:
    log = fresh(world)
    request = {"request_id": "00000000-0000-4000-8000-000000000001"}
    canaries(log, **request)
    canaries(log, rows=4, **request)
    return log


@bad("canaries named by another digest", "CANARIES")
def another_digest(world: World) -> World:
    log = fresh(world)
    log.body(canaries(log))["notice"] = "00" * 16
    return log


@bad("canaries signed long before", "STATEMENT_AGE")
def signed_long_before(world: World) -> World:
    log = fresh(world)
    canaries(log, not_after="2026-11-23T09:00:00Z")
    return log


@bad("canaries in a statement with a member too many", "STATEMENT_FORM")
def a_member_too_many(world: World) -> World:
    log = fresh(world)
    canaries(log, more=1)
    return log


@bad("canaries of a statement that was not signed so", "STATEMENT_SIGNATURE")
def not_signed_so(world: World) -> World:
    log = fresh(world)
    body = log.body(canaries(log))
    body["statement"]["rows"] = 6
    body["notice"] = hashlib.sha256(canonical_json(body["statement"])).hexdigest()[:32]
    return log


@bad("a canary asked for by another party", "CANARY")
def asked_for_by_another(world: World) -> World:
    return asked_for(world, asked_by="nla")


@bad("a canary in another exchange", "CANARY")
def in_another_exchange(world: World) -> World:
    return asked_for(world, exchange="00000000-0000-4000-8000-00000000abcd")


@bad("a canary of a list that is not there", "CANARY")
def of_no_list(world: World) -> World:
    return asked_for(world, list=0)


@bad("more canaries than there were rows", "CANARY")
def more_than_were_asked(world: World) -> World:
    return asked_for(world, rows=11)


@bad("a canary asked for before its question", "CANARY")
def before_its_question(world: World) -> World:
    return asked_for(world, ask_index=1)


@bad("a canary told twice of one question", "CANARY")
def told_twice(world: World) -> World:
    log = fresh(world)
    listed = canaries(log)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    met(log, listed, ask)
    met(log, listed, ask)
    log.release(ask)
    return log


@bad("a canary told after the answer was given", "CANARY")
def after_the_answer(world: World) -> World:
    log = fresh(world)
    listed = canaries(log)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.release(ask)
    met(log, listed, ask)
    return log


@bad("a canary of a list that was replaced", "CANARY")
def of_a_list_that_was_replaced(world: World) -> World:
    log = fresh(world)
    listed = canaries(log)
    canaries(log)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    met(log, listed, ask)
    log.release(ask)
    return log
