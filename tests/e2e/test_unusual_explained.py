"""A party explains use that stood out: from the auditor's list to a signed entry that verifies, by its own client."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_agency import PURPOSE, Shell
from test_reconciling import shell as shell  # noqa: PLC0414  # the fixture
from typer.testing import CliRunner

from broker.audit.unusual import item_id
from broker.audit.unusual_rules import Seen
from broker.cli.audit.root import app
from broker.policy.legal_days import local_day

pytestmark = pytest.mark.slow


def audit(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def listed(shell: Shell) -> tuple[Shell, Path, str]:
    """A list with one item: the question that the shell asked, whatever the hour is."""
    broker = shell.world.broker
    assert broker is not None
    reader = broker._store.reader
    asks = [entry.index for entry in reader.entries(0, reader.size()) if b'"kind":"ask"' in entry.leaf]
    day = local_day(datetime.now(UTC))
    seen = Seen("hours", day, asks[0], asks[-1], len(asks), ())
    origin = "sluis.example/test-2026"
    item = item_id(origin, ("utrecht", None, PURPOSE), seen)
    value: dict[str, Any] = {
        "origin": origin,
        "items": [
            {
                "item": item,
                "party": "utrecht",
                "purpose": PURPOSE,
                "kind": "hours",
                "day": day.isoformat(),
                "first": asks[0],
                "last": asks[-1],
            }
        ],
    }
    path = shell.world.directory / "unusual.json"
    path.write_text(json.dumps(value))
    return shell, path, item


def test_from_the_list_to_an_entry_that_verifies(listed: tuple[Shell, Path, str]) -> None:
    shell, path, item = listed
    words = ("unusual", "explain", str(path), "--item", item, "--as", "planned", "--json")
    made = json.loads(shell.run("utrecht", *words))
    again = json.loads(shell.run("utrecht", *words))
    assert again == made, "a repeat gives the same entry"
    folder = shell.world.directory
    bundle, trust = folder / "log.bundle", folder / "trust.yaml"
    audit("export", "--config", folder / "broker.yaml", "--out", bundle)
    audit("trust", "make", "--config", folder / "broker.yaml", "--out", trust)
    assert "verified: " in audit("verify", bundle, "--trust", trust)
    (entry,) = map(json.loads, audit("show", bundle, "--kind", "notice", "--json").splitlines())
    assert entry["index"] == made["index"]
    assert (entry["body"]["what"], entry["body"]["notice"]) == ("unusual-use", item)
    assert shell.run("utrecht", "reconcile", "--json")


def test_what_is_not_ones_own_or_not_there_is_refused(listed: tuple[Shell, Path, str]) -> None:
    shell, path, item = listed
    words = ("unusual", "explain", str(path), "--item", item, "--as")
    shell.run("snf", *words, "planned", expect=2)
    shell.run("utrecht", *words, "the neighbour", expect=2)
    shell.run("utrecht", "unusual", "explain", str(path), "--item", "0" * 32, "--as", "planned", expect=2)
    value = json.loads(path.read_text())
    facts = value["items"][0]
    facts["last"] += 1  # the release behind the question
    seen = Seen("hours", datetime.fromisoformat(facts["day"]).date(), facts["first"], facts["last"], 1, ())
    facts["item"] = item_id(value["origin"], ("utrecht", None, PURPOSE), seen)
    path.write_text(json.dumps(value))
    shell.run("utrecht", "unusual", "explain", str(path), "--item", facts["item"], "--as", "planned", expect=4)
    facts["item"] = item
    path.write_text(json.dumps(value))
    shell.run("utrecht", "unusual", "explain", str(path), "--item", item, "--as", "planned", expect=2)
    path.write_text("{}")
    shell.run("utrecht", "unusual", "explain", str(path), "--item", item, "--as", "planned", expect=2)
