"""Standing questions from both ends: an agency watches, an answerer publishes anew, and the log bears it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import verified_by_both
from sluis_client.cli import app
from sluis_client.errors import ClientError
from sluis_client.keystore import Keystore
from test_agency import BAGS, PURPOSE, agency, share_key, world_of
from test_agency_rectifying import Desk
from typer.testing import CliRunner
from world import World

pytestmark = pytest.mark.slow
DAYS = 20


def standing(texts: dict[str, str]) -> dict[str, str]:
    """Questions may stand, and no question of its own may be repeated."""
    name = f"purposes/{PURPOSE}.yaml"
    guards = "probing:\n  same_question: {at_most: 0, then: refuse}\n"
    text = texts[name].replace("\nabout:", f"\nstanding_questions: {{days: {DAYS}}}\n{guards}about:")
    return {**texts, name: text.replace("subjects_per_request: 5000", "subjects_per_request: 500")}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, "snf", "utrecht", bend=standing) as made:
        share_key(made)
        agency(made, "utrecht").purpose(PURPOSE)
        yield made


@pytest.fixture
def snf(world: World) -> Answerer:
    return Answerer(world, "snf")


@pytest.fixture
def utrecht(world: World) -> Watcher:
    desk = Watcher(world, "utrecht")
    desk.run("keys", "fetch", "--purpose", PURPOSE)
    return desk


class Answerer(Desk):
    """Publishes locations with their certificate's status."""

    def publish(self, statuses: dict[str, str]) -> None:
        path = self.home / "locations.csv"
        rows = "\n".join(f"{bag},{number % 9},{status}" for number, (bag, status) in enumerate(statuses.items()))
        path.write_text(f"bag,beds,certificate-status\n{rows}\n")
        day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
        where = ("--purpose", PURPOSE, "--scheme", "bag", "--as-of", day, "--coverage", "all")
        self.run("publish", path, *where)


class Watcher(Desk):
    """Watches a file of three addresses."""

    def table(self, bags: list[str], name: str = "addresses.csv") -> Path:
        path = self.home / name
        path.write_text("bag,Dossier\n" + "\n".join(f"{bag},D-{number}" for number, bag in enumerate(bags)) + "\n")
        return path

    def add(self, path: Path, name: str = "certificates") -> dict[str, Any]:
        words = ("--purpose", PURPOSE, "--scheme", "bag", "--answerer", "snf", "--want", "certificate-status")
        out = self.home / f"{name}.csv"
        return self.json("watch", "add", path, *words, "--reference", "Dossier", "--name", name, "--out", out)

    def look(self, *names: str, code: int = 0) -> list[dict[str, Any]]:
        words = ["--profile", str(self.profile), "watch", "run", *names, "--once", "--json"]
        result = CliRunner().invoke(app, words)
        if isinstance(result.exception, ClientError):
            raise result.exception
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines() if line.startswith('{"watch"')]

    @property
    def state(self) -> Keystore:
        return Keystore(self.home / "state")


def test_a_withdrawn_certificate_is_told_once(world: World, snf: Answerer, utrecht: Watcher) -> None:
    snf.publish({BAGS[0]: "valid", BAGS[1]: "valid"})
    added = utrecht.add(utrecht.table(BAGS[:3]))
    assert added["subjects"] == 3
    assert (utrecht.home / "certificates.csv").exists()
    assert utrecht.look() == []
    snf.publish({BAGS[0]: "withdrawn", BAGS[2]: "valid"})
    (notice,) = utrecht.look()
    assert (notice["watch"], notice["answerer"], notice["perhaps_told_before"]) == ("certificates", "snf", False)
    assert (notice["from_version"], notice["to_version"]) == (1, 2)
    told = [
        (one["row"], one["reference"], one["before"], [now["status"] for now in one["now"]])
        for one in notice["changes"]
    ]
    assert told == [(2, "D-0", "hit", ["hit"]), (3, "D-1", "hit", []), (4, "D-2", "no hit", ["hit"])]
    assert notice["changes"][0]["now"][0]["values"] == {"certificate-status": "withdrawn"}
    assert utrecht.look() == []
    snf.publish({BAGS[0]: "withdrawn", BAGS[2]: "valid", BAGS[7]: "valid"})
    assert utrecht.look() == []  # newer, asked, and nothing that was asked about changed
    (receipts,) = [
        path for path in utrecht.home.glob("certificates.csv.*.receipts.json") if notice["exchange"][:8] in path.name
    ]
    assert "verified" in utrecht.run("receipt", "verify", receipts)
    assert [one["name"] for one in utrecht.json("watch", "list")["watches"]] == ["certificates"]
    utrecht.run("watch", "remove", "certificates")
    assert utrecht.json("watch", "list")["watches"] == []
    verified_by_both(world)


def test_nothing_of_the_file_or_the_answer_is_kept(snf: Answerer, utrecht: Watcher) -> None:
    snf.publish({BAGS[0]: "withdrawn"})
    utrecht.add(utrecht.table(BAGS[:2]))
    snf.publish({BAGS[0]: "valid"})
    assert len(utrecht.look()) == 1
    kept = (utrecht.home / "state" / "watches" / "certificates").read_text()
    assert not any(word in kept for word in (*BAGS[:2], "D-0", "withdrawn", "valid"))


def test_cut_off_before_it_was_told_it_is_told_again(
    snf: Answerer, utrecht: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    snf.publish({BAGS[0]: "valid"})
    utrecht.add(utrecht.table(BAGS[:2]))
    snf.publish({BAGS[0]: "withdrawn"})

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    # after the answer came and before it was kept: the very same question is put again, and costs nothing
    with monkeypatch.context() as patch:
        patch.setattr("sluis_client.watching.keep", killed)
        with pytest.raises(Killed):
            CliRunner().invoke(
                app, ["--profile", str(utrecht.profile), "watch", "run", "--once"], catch_exceptions=False
            )
    with monkeypatch.context() as patch:
        patch.setattr("sluis_client.watching.told", killed)
        with pytest.raises(Killed):
            CliRunner().invoke(
                app, ["--profile", str(utrecht.profile), "watch", "run", "--once"], catch_exceptions=False
            )
    (notice,) = utrecht.look()
    assert (notice["perhaps_told_before"], notice["to_version"]) == (True, 2)
    assert utrecht.look() == []
    exchanges = utrecht.json("exchanges", "list")["exchanges"]
    assert len(exchanges) == 2


def test_what_stands_in_the_way_is_said_and_the_watch_lives_on(world: World, snf: Answerer, utrecht: Watcher) -> None:
    snf.publish({BAGS[0]: "valid"})
    path = utrecht.table(BAGS[:2])
    utrecht.add(path)
    with pytest.raises(ClientError, match="there is a watch named"):
        utrecht.add(utrecht.table(BAGS[5:7], "others.csv"))
    snf.publish({BAGS[0]: "withdrawn"})
    utrecht.table(BAGS[1:3])
    assert utrecht.look(code=2) == []  # the file is about others now
    utrecht.table(BAGS[:2])
    assert len(utrecht.look()) == 1
    with pytest.raises(ClientError, match="no watch of that name"):
        utrecht.look("nothing")
