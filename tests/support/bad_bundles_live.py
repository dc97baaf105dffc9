"""Bad bundles whose live answers are wrong (see `bad_bundles`)."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

from audit_kit import World, policy_files, signed_bundle
from bad_bundles import bad
from bad_bundles_exchanges import HIT, PURPOSE, fresh
from rectified import head

from broker.canonical import canonical_json

RULES: dict[str, Any] = {"valid_on": "as-of"}


def live(world: World) -> World:
    """A short log: a key, an answerer that answers live, and nothing asked yet."""
    texts = policy_files()
    name = f"purposes/{PURPOSE}.yaml"
    texts[name] = texts[name].replace("\nabout:", "\nvalid_on: as-of\nanswers_live: [snf]\nabout:")
    log = World(keys=world.keys, archive=[signed_bundle(texts, 1)]).begin()
    log.epoch("snf", PURPOSE)
    return log


def said(log: World, ask: int, changed: dict[str, Any] | None = None, party: str = "snf", **stated: Any) -> int:
    """A live answer to an ask; `stated`: members of its statement to be otherwise, `changed`: of its entry."""
    asked = log.body(ask)["statement"]
    statement = {
        **head(log, "sluis/v1/live-answer"),
        **{name: asked[name] for name in ("asker", "epoch", "key_id", "purpose", "scheme", "tokens", "match_keys")},
        "answerer": party,
        "exchange": asked["request_id"],
        "attributes": list(asked["want"]["attributes"]),
        "rows": hashlib.sha256(b"%d" % log.size).hexdigest(),
        "as_of": "2026-11-20T00:00:00Z",
        "coverage": "all certified locations",
        "rules": copy.deepcopy(RULES),
        **stated,
    }
    digest = hashlib.sha256(canonical_json(statement)).hexdigest()[:32]
    body = {"what": "live-answer", "notice": digest, "purpose": PURPOSE, "party": party, "ask_index": ask}
    return log.batch(("notice", {**body, **log.signed(party, statement), **(changed or {})}))


def answered(world: World, changed: dict[str, Any] | None = None, **stated: Any) -> World:
    """A live answer that is given; what is said of it otherwise."""
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    said(log, ask, changed, **stated)
    log.release(ask)
    return log


def honest(world: World) -> World:
    """Live questions as they should be: answered, not there, failed, given up."""
    log = live(world)
    for status in ("ANSWERED", "NOT_THERE", "FAILED", "UNKNOWN"):
        ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
        if status == "ANSWERED":
            said(log, ask)
        log.release(ask, status)
    return log


@bad("a live answer that nobody signed", "RELEASE_STATUS")
def nobody_signed(world: World) -> World:
    log = live(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT))
    return log


@bad("a live answer that was signed and held back as not there", "RELEASE_STATUS")
def held_back(world: World) -> World:
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    said(log, ask)
    log.release(ask, "NOT_THERE")
    return log


@bad("a live answerer said to have no register", "RELEASE_STATUS")
def no_register(world: World) -> World:
    log = live(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT), "NO_REGISTER")
    return log


@bad("a live answer withheld for no reason", "RELEASE_STATUS")
def withheld(world: World) -> World:
    log = live(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT), "WITHHELD")
    return log


@bad("an answerer with a register said not to be there", "RELEASE_STATUS")
def not_there_with_a_register(world: World) -> World:
    log = fresh(world)
    log.release(log.ask("utrecht", ["snf"], PURPOSE, HIT), "NOT_THERE")
    return log


@bad("a live answer of an answerer that has a register", "LIVE_ANSWER")
def has_a_register(world: World) -> World:
    log = fresh(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    said(log, ask, rules={})
    log.release(ask)
    return log


@bad("a live answer given twice", "LIVE_ANSWER")
def given_twice(world: World) -> World:
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    said(log, ask)
    said(log, ask)
    log.release(ask)
    return log


@bad("a live answer after its release", "LIVE_ANSWER", "RELEASE_STATUS")
def after_its_release(world: World) -> World:
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.release(ask)
    said(log, ask)
    return log


@bad("a live answer of another exchange", "LIVE_ANSWER")
def of_another_exchange(world: World) -> World:
    return answered(world, exchange="00000000-0000-4000-8000-00000000abcd")


@bad("a live answer to another asker", "LIVE_ANSWER")
def to_another_asker(world: World) -> World:
    return answered(world, asker="rotterdam")


@bad("a live answer to other rows", "LIVE_ANSWER")
def to_other_rows(world: World) -> World:
    return answered(world, tokens="00" * 32)


@bad("a live answer with attributes nobody asked for", "LIVE_ANSWER")
def more_attributes(world: World) -> World:
    return answered(world, attributes=["beds", "valid-until"])


@bad("a live answer under another key", "LIVE_ANSWER")
def under_another_key(world: World) -> World:
    return answered(world, key_id="ef" * 16)


@bad("a live answer without the row rules demanded", "LIVE_ANSWER")
def without_rules(world: World) -> World:
    return answered(world, rules={})


@bad("a live answer with a row rule of another type", "LIVE_ANSWER")
def rules_of_another_type(world: World) -> World:
    return answered(world, rules={"valid_on": True})


@bad("a live answer by another scheme", "LIVE_ANSWER")
def by_another_scheme(world: World) -> World:
    return answered(world, scheme="kvk")


@bad("a live answer with fewer match keys than its question", "LIVE_ANSWER")
def fewer_match_keys(world: World) -> World:
    return answered(world, match_keys=0)


@bad("a live answer named by another digest", "LIVE_ANSWER")
def another_digest(world: World) -> World:
    return answered(world, {"notice": "00" * 16})


@bad("a live answer by another party", "LIVE_ANSWER")
def by_another_party(world: World) -> World:
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    said(log, ask, party="sna")
    log.release(ask)
    return log


@bad("a live answer of another purpose", "STATEMENT_DIFFERS", "LIVE_ANSWER")
def of_another_purpose(world: World) -> World:
    return answered(world, purpose="bezetting")


@bad("a live answer signed long before", "STATEMENT_AGE")
def signed_long_before(world: World) -> World:
    return answered(world, not_after="2026-11-23T09:00:00Z")


@bad("a live answer in a statement with a member too many", "STATEMENT_FORM", "RELEASE_STATUS")
def a_member_too_many(world: World) -> World:
    return answered(world, more=1)


@bad("a live answer that was not signed so", "STATEMENT_SIGNATURE")
def not_signed_so(world: World) -> World:
    log = live(world)
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    body = log.body(said(log, ask))
    body["statement"]["rows"] = "cd" * 32
    body["notice"] = hashlib.sha256(canonical_json(body["statement"])).hexdigest()[:32]
    log.release(ask)
    return log


@bad("a live question that names a register", "REGISTER_DIFFERS", "FACTS", "RELEASE_STATUS")
def names_a_register(world: World) -> World:
    log = live(world)
    log.publish("snf", PURPOSE, "bag", valid_on="as-of")
    ask = log.ask("utrecht", ["snf"], PURPOSE, HIT)
    log.release(ask)
    return log
