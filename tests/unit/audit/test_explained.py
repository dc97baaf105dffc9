"""Explanations of unusual use: an honest one verifies and is shown; all sides have the same words and ids."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from audit_kit import ASK, ASK_2, World, played
from both_verifiers import one_file
from explaining import explain
from searching import search
from sluis_client.statement_shapes import EXPLANATIONS as CLIENT_WORDS
from sluis_client.statement_shapes import UNUSUAL_KINDS
from sluis_client.unusual_use import item_id as client_id
from typer.testing import CliRunner

from broker import unusual_use
from broker.audit import explained
from broker.audit.openings import Openings
from broker.audit.unusual import Item, item_id, unusual
from broker.audit.unusual_rows import RowThresholds, row_words
from broker.audit.unusual_rules import WORDS
from broker.audit.unusual_searches import SEARCH_WORDS
from broker.cli.audit.root import app
from broker.exchange import Want


def test_honest_explanations_verify_and_another_word_may_follow() -> None:
    world = played()
    explain(world, ASK, ASK_2, explanation="examining")
    explain(world, ASK, ASK_2, explanation="mistake")
    assert world.codes() == set()


def test_searches_are_explained_by_whoever_searched() -> None:
    world = played()
    first = search(world, "utrecht", "snf-locatie")
    explain(world, first, search(world, "utrecht", "snf-locatie"), kind="search-volume")
    assert world.codes() == set()
    run = one_file().Verification(one_file().read_trust(world.trust_text()), None, None)
    run.run(world.bundle())
    assert run.findings == []


def test_all_sides_have_the_same_words() -> None:
    words = {*WORDS, *SEARCH_WORDS, *row_words(RowThresholds())}
    assert set(unusual_use.KINDS) == explained.KINDS == set(UNUSUAL_KINDS) == words
    assert {word for word in words if word.startswith("search-")} == set(SEARCH_WORDS)
    assert set(unusual_use.EXPLANATIONS) == explained.EXPLANATIONS == set(CLIENT_WORDS)


def unusual_world() -> tuple[World, Item]:
    """Utrecht asks at night."""
    world = played()
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False), after=timedelta(hours=12))
    (item,) = (one for one in unusual(world.bundle(), openings=Openings()).items if one.seen.kind == "hours")
    return world, item


def test_all_sides_compute_the_same_id() -> None:
    _, item = unusual_world()
    seen = item.seen
    facts = {
        "day": seen.day.isoformat(),
        "first": seen.first,
        "kind": seen.kind,
        "last": seen.last,
        "party": item.party,
        "purpose": item.purpose,
        "origin": "sluis.example/test-2026",
    }
    assert client_id(facts) == item.item == item_id(facts["origin"], (item.party, None, item.purpose), seen)


def test_the_list_shows_what_was_explained(tmp_path: Path) -> None:
    world, item = unusual_world()
    at = explain(world, item.seen.first, item.seen.last, explanation="urgent", kind="hours", item=item.item)
    assert world.codes() == set()
    bundle = tmp_path / "log.bundle"
    bundle.write_bytes(b"".join(world.bundle()))
    text = CliRunner().invoke(app, ["unusual", str(bundle)]).stdout
    assert f"explained as urgent, entry {at}" in text
    assert ", 1 explained in the log" in text
    value = json.loads(CliRunner().invoke(app, ["unusual", str(bundle), "--json"]).stdout)
    told = {one["item"]: one["explained"] for one in value["items"]}
    assert told.pop(item.item) == {"explanation": "urgent", "index": at}
    assert all(explained is None for explained in told.values())
    left = json.loads(CliRunner().invoke(app, ["unusual", str(bundle), "--json", "--unexplained"]).stdout)
    assert {one["item"] for one in left["items"]} == set(told)


@pytest.mark.parametrize("member", ["day", "first", "kind", "last", "party", "purpose", "origin"])
def test_every_fact_is_in_the_id(member: str) -> None:
    facts = {"day": "2026-11-23", "first": 1, "kind": "hours", "last": 2, "party": "a", "purpose": "b", "origin": "o"}
    other = {**facts, member: 9 if isinstance(facts[member], int) else "x"}
    assert client_id(facts) != client_id(other)
