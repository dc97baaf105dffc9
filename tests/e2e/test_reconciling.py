"""Reconciliation with a real broker: an honest one fits at both sides, one that makes things up does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from test_agency import BAGS, PURPOSE, Shell, agency, locations, write_profile
from world import MovingClock, make_world, texts_for

pytestmark = pytest.mark.slow

MATCH = ("match", "addresses.csv", "--purpose", PURPOSE, "--scheme", "bag", "--answerer", "snf", "--out", "a.csv")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    now = datetime.now(UTC).replace(microsecond=0)
    world = make_world(tmp_path, texts_for(now), start=now)
    world.clock = MovingClock(now)
    world.start()
    for party in ("snf", "utrecht"):
        write_profile(world, party)
    (tmp_path / "locations.csv").write_bytes(locations(20))
    (tmp_path / "addresses.csv").write_text("bag\n" + "\n".join(BAGS[:5]), encoding="utf-8")
    made = Shell(world)
    for party in ("snf", "utrecht"):
        made.run(party, "keys", "init")
    made.run("snf", "keys", "create", "--purpose", PURPOSE)
    publish(made)
    made.run("utrecht", *MATCH)
    yield made
    world.stop()


def publish(shell: Shell) -> None:
    as_of = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    words = ("publish", "locations.csv", "--purpose", PURPOSE, "--scheme", "bag", "--columns", "bag=BAG-id")
    shell.run("snf", *words, "--as-of", as_of, "--coverage", "all")


def reconcile(shell: Shell, party: str, *words: str, expect: int = 0) -> dict[str, Any]:
    return json.loads(shell.run(party, "reconcile", "--json", *words, expect=expect))


def forge(shell: Shell, kind: str, **changes: Any) -> dict[str, Any]:
    """The broker's operator appends a changed copy of the newest entry of a kind."""
    broker = shell.world.broker
    assert broker is not None
    reader = broker._store.reader
    entries = [json.loads(entry.leaf) for entry in reader.entries(0, reader.size())]
    body: dict[str, Any] = [entry["body"] for entry in entries if entry["kind"] == kind][-1]
    body = {**body, **changes}
    if "decided_at" in body:
        body["decided_at"] = shell.world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    broker._sequencer.submit(lambda tx: tx.append(kind, body))
    return body


def test_an_honest_broker_fits_at_both_sides(shell: Shell) -> None:
    (exchange,) = json.loads(shell.run("utrecht", "exchanges", "list", "--json"))["exchanges"]
    shell.run("utrecht", *MATCH, "--request-id", exchange["exchange"])  # the same answer, again
    shell.run("utrecht", "check", "--purpose", PURPOSE, "--scheme", "bag", "--answerer", "snf")
    shell.run("utrecht", *MATCH[:-2], "--want", "enterprise-name", "--out", "never.csv", expect=5)
    publish(shell)
    shell.run("utrecht", *MATCH, "--new")
    shell.run("snf", "receipts", "fetch", "--out", "mine.json")
    shell.run("snf", "withdraw", f"snf/{PURPOSE}/{exchange_epoch(shell)}/bag")
    shell.run("utrecht", *MATCH, "--new")
    for party, receipts in (("snf", "mine.json"), ("utrecht", "a.csv.receipts.json")):
        told = reconcile(shell, party, "--receipts", receipts, "--out", f"{party}.json")
        assert (told["fits"], told["found"]) == (True, [])
        assert json.loads((shell.world.directory / f"{party}.json").read_text()) == told
        assert reconcile(shell, party)["entries"] == 0
        assert shell.run(party, "reconcile", "--quiet") == ""
    assert told["kinds"]["access"] == 1
    assert told["kinds"]["evaluation"] == 1
    assert reconcile(shell, "snf", "--all")["asked_by"] == {"utrecht": 4}


def exchange_epoch(shell: Shell) -> str:
    (register,) = json.loads(shell.run("snf", "registers", "list", "--json"))["registers"]
    return str(register["name"].split("/")[2])


def test_what_the_operator_makes_up_is_found(shell: Shell) -> None:
    for party in ("snf", "utrecht"):
        assert reconcile(shell, party)["fits"]
    other = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11"
    body = forge(shell, "ask")  # the very question, logged twice
    statement = {**body["statement"], "request_id": other}
    forge(shell, "ask", exchange=other, statement=statement)  # with the old signature
    signature = base64.b64encode(agency(shell.world, "utrecht").key.sign(statement).signature).decode()
    forge(shell, "ask", exchange=other, answerer="nla", statement=statement, signature=signature)
    named = {**body["register"], "version": 7, "manifest": "ab" * 32}
    forge(shell, "release", exchange=other, register=named)
    told = reconcile(shell, "utrecht", expect=6)
    assert [one["code"] for one in told["open"]] == ["ASK_TWICE", "ASK_NOT_MADE", "ASK_NOT_MADE", "RELEASE_NOT_ASKED"]
    assert "did not sign it" in told["open"][1]["text"]
    assert "signed with your certificate's key" in told["open"][2]["text"]
    told = reconcile(shell, "snf", expect=6)
    assert "ANSWERED_FROM_UNKNOWN_REGISTER" in [one["code"] for one in told["open"]]
    assert told["open"] == reconcile(shell, "snf", "--quiet", expect=6)["open"], "open until it is accepted"
