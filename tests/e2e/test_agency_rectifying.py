"""Two agencies correct, dispute, report and take note with their own command line, against a real broker."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import verified_by_both
from sluis_client.cli import app
from sluis_client.errors import ClientError
from sluis_client.keystore import Keystore
from test_agency import BAGS, PURPOSE, agency, put_in_force, share_key, world_of
from typer.testing import CliRunner
from world import World

pytestmark = pytest.mark.slow


class Desk:
    """One agency's command line, in a directory of its own."""

    def __init__(self, world: World, party: str) -> None:
        self.home = world.directory / party
        self.profile = self.home / "sluis-client.yaml"

    def run(self, *arguments: object) -> str:
        words = ["--profile", str(self.profile), *map(str, arguments)]
        result = CliRunner().invoke(app, words, catch_exceptions=True)
        if isinstance(result.exception, ClientError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: object) -> dict[str, Any]:
        said = self.run(*arguments, "--json")
        value: dict[str, Any]
        value, _ = json.JSONDecoder().raw_decode(said, said.index("{\n"))  # the broker in this process logs around it
        return value

    def file(self, name: str, bags: list[str]) -> Path:
        path = self.home / name
        path.write_text("BAG-id\n" + "\n".join(bags) + "\n")
        return path

    def match(self, bags: list[str], out: str = "answers.csv") -> list[dict[str, str]]:
        asked = self.file("asked.csv", bags)
        answers = self.home / out
        self.run(
            "match", asked, "--purpose", PURPOSE, "--scheme", "bag", "--answerer", "snf", "--out", answers, "--new"
        )
        return list(csv.DictReader(io.StringIO(answers.read_bytes().decode("utf-8-sig"))))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, "snf", "utrecht") as made:
        share_key(made)
        agency(made, "utrecht").purpose(PURPOSE)
        put_in_force(made)
        yield made


@pytest.fixture
def snf(world: World) -> Desk:
    return Desk(world, "snf")


@pytest.fixture
def utrecht(world: World) -> Desk:
    desk = Desk(world, "utrecht")
    desk.run("keys", "fetch", "--purpose", PURPOSE)
    return desk


def test_a_correction_from_file_to_acknowledgement(
    world: World, snf: Desk, utrecht: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = utrecht.match([*BAGS[98:102]])
    assert [(row["status"], row["position"], row["disputed since"]) for row in rows] == [
        ("hit", "0", ""),
        ("hit", "1", ""),
        ("no hit", "2", ""),
        ("no hit", "3", ""),
    ]
    wrong = snf.file("wrong.csv", [BAGS[99], BAGS[5]])
    plan = ("--purpose", PURPOSE, "--scheme", "bag", "--what", "corrected", "--reason", "wrong-value")
    monkeypatch.setattr("sluis_client.cli.rectify.MANY_RECORDS", 0)
    with pytest.raises(ClientError, match="give --records 2 when you mean it"):
        snf.run("correct", wrong, *plan)
    monkeypatch.undo()
    done = snf.json("correct", wrong, *plan)["corrections"]
    assert [(one["row"], one["searched"], one["unsearched"]) for one in done] == [(2, 1, 0), (3, 1, 0)]
    assert done[0].keys() == {"row", "epoch", "index", "searched", "unsearched"}, "not how many were told"
    (notice,) = utrecht.json("notices", "list", "--open")["notices"]
    assert (notice["from"], notice["what"], notice["signature_verified"]) == ("snf", "corrected", True)
    assert [one["positions"] for one in notice["exchanges"]] == [[1]]
    assert "position 1" in utrecht.run("notices", "list")
    assert utrecht.json("notices", "list", "--open", "--older-than", 1)["notices"] == []
    utrecht.run("notices", "acknowledge", notice["notice"][:8], "--done", "corrected")
    assert utrecht.json("notices", "list", "--open")["notices"] == []
    assert not Keystore(snf.home / "state").record_names("statements"), "nothing is left under way"
    verified_by_both(world)


def test_a_dispute_is_found_marked_and_answered(world: World, snf: Desk, utrecht: Desk) -> None:
    utrecht.match(BAGS[3:6])
    made = utrecht.json("dispute", utrecht.home / "answers.csv", "--row", 3, "--reason", "contested-by-subject")
    (one,) = made["disputes"]
    assert (one["row"], one["answerer"]) == (3, "snf")
    told = snf.run("notices", "list", "--open")
    assert "disputed: contested-by-subject" in told
    assert BAGS[4] not in told
    register = snf.file("register.csv", BAGS[:100])
    assert snf.json("notices", "find", one["notice"][:8], register)["rows"] == [6]
    snf.run("notices", "acknowledge", one["notice"], "--done", "examining")

    rows = utrecht.match(BAGS[3:6], "later.csv")
    assert [bool(row["disputed since"]) for row in rows] == [False, True, False]
    utrecht.run("receipt", "verify", utrecht.home / "later.csv.receipts.json")

    answered = ("--dispute", one["notice"], "--what", "upheld", "--reason", "examined")
    assert len(snf.json("correct", *answered)["corrections"]) == 1
    with pytest.raises(ClientError, match="DISPUTE_CLOSED"):
        snf.run("correct", *answered)
    assert [row["disputed since"] for row in utrecht.match(BAGS[3:6], "last.csv")] == ["", "", ""]
    (notice,) = utrecht.json("notices", "list", "--open")["notices"]
    assert notice["what"] == "upheld"
    verified_by_both(world)


def test_a_dispute_is_carried_to_the_next_epoch(world: World, snf: Desk, utrecht: Desk) -> None:
    utrecht.match(BAGS[3:6])
    (one,) = utrecht.json("dispute", utrecht.home / "answers.csv", "--row", 3, "--reason", "wrong-value")["disputes"]
    register = snf.file("register.csv", BAGS[:100])
    with pytest.raises(ClientError, match="ALREADY_REPORTED"):
        snf.run("correct", register, "--dispute", one["notice"], "--what", "still-disputed", "--reason", "new-epoch")
    other = snf.file("other.csv", BAGS[50:100])
    with pytest.raises(ClientError, match="ROW_UNKNOWN"):
        snf.run("correct", other, "--dispute", one["notice"], "--what", "still-disputed", "--reason", "new-epoch")


def test_an_outcome_is_reported_once(world: World, utrecht: Desk) -> None:
    utrecht.match(BAGS[98:102])
    answers = utrecht.home / "answers.csv"
    first = utrecht.json("outcome", answers, "--row", 2, "--row", 3, "--rejected", "--role", "inspector")["outcomes"]
    again = utrecht.json("outcome", answers, "--row", 2, "--rejected", "--role", "inspector")["outcomes"]
    assert again[0]["index"] == first[0]["index"]
    with pytest.raises(ClientError, match="ALREADY_REPORTED"):
        utrecht.run("outcome", answers, "--row", 2, "--confirmed", "--role", "inspector")
    with pytest.raises(ClientError, match="ROW_UNKNOWN"):
        utrecht.run("outcome", answers, "--row", 4, "--confirmed", "--role", "inspector")
    verified_by_both(world)


def test_a_statement_cut_off_is_sent_again_with_the_same_bytes(
    world: World, snf: Desk, utrecht: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sluis_client import sending
    from sluis_client.errors import Exit

    utrecht.match(BAGS[3:6])
    wrong = snf.file("wrong.csv", [BAGS[4]])
    plan = ("--purpose", PURPOSE, "--scheme", "bag", "--what", "withdrawn", "--reason", "not-lawful")
    sent = sending._sent

    def cut_off(record: Any, send: Any) -> Any:
        sent(record, send)
        raise ClientError("BROKER_UNREACHABLE", "no answer", Exit.BROKER_UNREACHABLE)

    monkeypatch.setattr(sending, "_sent", cut_off)
    with pytest.raises(ClientError, match="BROKER_UNREACHABLE"):
        snf.run("correct", wrong, *plan)
    monkeypatch.setattr(sending, "_sent", sent)
    world.clock.at += timedelta(hours=2)
    assert snf.json("correct", wrong, *plan)["corrections"][0]["searched"] == 1
    assert len(utrecht.json("notices", "list")["notices"]) == 1, "it was logged once"
