"""One reading of openings: every command takes a vault export where it takes a party's file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_kit import ASK, RELEASE, World, played
from typer.testing import CliRunner, Result
from vaulted import write_vault

from broker.audit.openings import Openings
from broker.cli.audit.root import app
from broker.errors import SluisError


@pytest.fixture(scope="module")
def world() -> World:
    return played()


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stick")
    (made / "log.bundle").write_bytes(b"".join(world.bundle()))
    write_vault(world, made)
    return made


def run(folder: Path, command: str, *arguments: object, vault: str = "log.vault", key: str = "auditor.key") -> Result:
    given = ("--openings", folder / vault, "--key", folder / key)
    return CliRunner().invoke(app, [command, str(folder / "log.bundle"), *map(str, (*arguments, *given))])


def test_show_filters_by_hits_and_case(folder: Path, world: World) -> None:
    hits = run(folder, "show", "--hits-from", "0.2", "--hits-to", "0.2", "--json")
    found = [json.loads(line) for line in hits.stdout.splitlines()]
    assert RELEASE in [one["index"] for one in found]
    assert {one["hits"] for one in found} == {2}
    numbers = {value.decode() for label, _, value in world.vault.values() if label == "case-number"}
    number = next(number for number in sorted(numbers) if number.startswith("NLA"))
    cases = run(folder, "show", "--case", number, "--json")
    assert "ask" in {json.loads(line)["kind"] for line in cases.stdout.splitlines()}


def test_statistics_know_hits(folder: Path) -> None:
    shown = run(folder, "statistics", "--month", "2026-11", "--json", "--suppress-below", "0")
    total = json.loads(shown.stdout)["rows"][-1]
    assert total["opened"] == total["hit_questions"] > 0
    assert total["hits"] == 2 * total["opened"]


def test_rows_are_kept_only_where_they_are_wanted(world: World) -> None:
    for wanted in (False, True):
        opened = Openings(wanted)
        for label, salt, value in world.vault.values():
            opened._take(salt, value, label)
        rows = opened.rows(world.tokens_of(ASK))
        assert (rows is not None) == wanted
    assert rows is not None
    assert rows.rows == world.body(ASK)["statement"]["subjects"]


def test_a_label_that_lies_opens_nothing(world: World) -> None:
    opened = Openings(True)
    for label, salt, value in world.vault.values():
        opened._take(salt, value, "tokens" if label == "result" else "result")
    assert opened.result(world.body(RELEASE)["result"]) is None
    assert opened.rows(world.tokens_of(ASK)) is None


@pytest.mark.parametrize("command", ["show", "statistics", "unusual", "table"])
def test_a_vault_that_was_cut_or_is_for_another_is_refused(folder: Path, command: str) -> None:
    whole = (folder / "log.vault").read_bytes()
    (folder / "cut.vault").write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    (folder / "other.key").write_text("00" * 96)
    (folder / "no.key").write_text("what?")
    month = ("--month", "2026-11") if command == "statistics" else ()
    for vault, key, why in (
        ("cut.vault", "auditor.key", "ends before its last line"),
        ("log.vault", "other.key", "encrypted to another key"),
        ("log.vault", "no.key", "no .key file"),
    ):
        refused = run(folder, command, *month, vault=vault, key=key)
        assert isinstance(refused.exception, SluisError)
        assert why in str(refused.exception)
    arguments = [command, str(folder / "log.bundle"), *month, "--openings", str(folder / "log.vault")]
    assert CliRunner().invoke(app, arguments).exit_code == 2
