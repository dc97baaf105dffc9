"""Bad bundles by someone who read the verifiers: what one or both once took, or fell over (see `bad_bundles`)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from audit_kit import START, Authority, World, authority, b64, sealed
from bad_bundles import bad, leaf_line, leaf_lines, leaf_of
from bad_bundles_exchanges import guarded
from bad_bundles_log import resigned
from log_kit import time_text

from broker.canonical import canonical_json
from broker.exchange import Want

HIT = Want(True, False, ("beds",))
PURPOSE = "snf-locatie"
LATER = timedelta(seconds=61)


def _last(world: World, kind: str, what: str) -> dict[str, Any]:
    bodies = [body for batch in world.batches for name, body in batch if name == kind and body.get("what") == what]
    return bodies[-1]


@bad("a blank notice whose kind has a space behind it", "LEAF_FORM", "CORRECTION_NOTICES")
def a_kind_with_a_space(world: World) -> None:
    _last(world, "notice", "correction-blank")["what"] = "correction-blank "


@bad("a decision of the year 1", "LEAF_FORM", "RELEASE_UNASKED")
def a_decision_of_the_year_1(world: World) -> World:
    """There is no hour before it, which both verifiers fell over where its batch ends."""
    log = guarded(world)
    ask = log.body(log.size - 2)
    ask["decided_at"], ask["facts"]["probing"]["more"] = "0001-01-01T00:30:00.000000Z", 1
    return log


@bad("an entry with a number that no memory holds", "INDEX")
def a_number_beyond_memory(world: World) -> list[bytes]:
    """The ask that is open at the end, so that nothing later names its number."""
    open_ask = world.ask("utrecht", ["snf"], PURPOSE, HIT)
    lines = world.lines()
    at = leaf_lines(lines)[open_ask]
    value = {**json.loads(leaf_of(lines[at])), "index": 2**52}
    return resigned(world, [*lines[:at], leaf_line(canonical_json(value)), *lines[at + 1 :]])


@bad("a checkpoint with a signature under a name with a space of Unicode", "CHECKPOINT_FORM", "TAIL_UNSIGNED")
def a_name_with_a_space(world: World) -> list[bytes]:
    lines = world.lines()
    note = json.loads(lines[-1])["checkpoint"] + "— a\u00a0witness AAAAAAAA\n"
    return sealed([*lines[:-1], canonical_json({"checkpoint": note}) + b"\n"])


@bad("a revoked certificate that comes back after an entry without it", "REVOCATION_UNDONE")
def a_certificate_that_comes_back(world: World) -> None:
    old, new = authority().members["utrecht"], authority().issue("utrecht")
    world.batch(("party", world.party_entry("utrecht", [old, new], revoked=[old.serial])))
    world.batch(("party", world.party_entry("utrecht", [new], revoked=[old.serial])))
    world.batch(("party", world.party_entry("utrecht", [old, new])), after=LATER)
    world.ask("utrecht", ["snf"], PURPOSE, HIT, member=old)


@bad("a certificate revoked while it was left out, that comes back as good", "REVOCATION_UNDONE")
def a_certificate_revoked_while_away(world: World) -> None:
    old, new = authority().members["utrecht"], authority().issue("utrecht")
    world.batch(("party", world.party_entry("utrecht", [new], revoked=[old.serial])))
    world.batch(("party", world.party_entry("utrecht", [old, new])), after=LATER)


def _older(world: World, issuers: list[bytes]) -> dict[str, Any]:
    date = time_text(START - timedelta(days=3))
    return {**world.party_entry("utrecht"), "issuers": [b64(der) for der in issuers], "crl_this_update": date}


@bad("an older revocation list behind a CA that is named twice", "REVOCATION_UNDONE")
def an_older_list_of_a_ca_named_twice(world: World) -> None:
    world.batch(("party", _older(world, [authority().der] * 2)))


@bad("an older revocation list after an entry with other CAs", "REVOCATION_UNDONE")
def an_older_list_after_other_cas(world: World) -> None:
    other = Authority().der
    world.batch(("party", _older(world, [authority().der, other])))
    world.batch(("party", _older(world, [authority().der])))


@bad("a vault given to someone before any policy set names auditors", "ACCESS_PARTY")
def a_vault_given_before_any_policy(_: World) -> World:
    access = {"party": "neighbour", "what": "vault-export", "exchange": None, "key": "ab" * 32}
    return World().begin(None, ("access", access))


@bad("a service's key destroyed before any policy set says when", "SERVICE_KEY")
def a_key_destroyed_before_any_policy(_: World) -> World:
    key = {"key_service": "broker", "purpose": PURPOSE, "epoch": "2026Q4", "public_key": "ab" * 32, "reason": None}
    return World().begin(None, ("config", {"what": "service-key-destroyed", **key}))
