"""A real broker whose operator goes back, or shows two parties two logs under one key: the parties find it.

Two brokers with the same keys on two copies of one database are what such an operator runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_agency import BAGS, Shell, put_in_force, share_key, write_profile
from test_exported_log import run as audit
from test_exported_log import trust_of
from world import MovingClock, World, make_world, texts_for

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC).replace(microsecond=0)
    made = make_world(tmp_path, texts_for(now), start=now)
    made.clock = MovingClock(now)
    made.start()
    for party in ("snf", "utrecht"):
        write_profile(made, party)
    share_key(made)
    put_in_force(made, 10)
    (tmp_path / "trust.yaml").write_text(trust_of(made))
    (tmp_path / "addresses.csv").write_text("bag\n" + "\n".join(BAGS[:5]), encoding="utf-8")
    yield made
    made.stop()


MATCH = ("match", "addresses.csv", "--purpose", "snf-locatie", "--scheme", "bag", "--answerer", "snf", "--new")


def copy_data(world: World, name: str) -> None:
    world.stop()
    shutil.copytree(world.directory / "data", world.directory / name)


def restart(world: World) -> None:
    """The broker again; the profiles follow it to its new port."""
    world.start()
    for party in ("snf", "utrecht"):
        write_profile(world, party)


def second_broker(world: World, data: str) -> World:
    """The same keys, policies and clock on another database."""
    text = (world.directory / "broker.yaml").read_text().replace("data: data", f"data: {data}")
    (world.directory / "second.yaml").write_text(text)
    from broker.config import load_config

    other = World(
        world.directory,
        world.clock,
        load_config(world.directory / "second.yaml"),
        world.verifier_key,
        world.authority,
        world.signers,
        world.parties,
    )
    other.start()
    return other


def test_two_parties_shown_two_logs_find_it_by_comparing(world: World) -> None:
    shell, directory = Shell(world), world.directory
    copy_data(world, "data-for-snf")
    restart(world)
    other = second_broker(world, "data-for-snf")
    try:
        write_profile(other, "snf")  # snf is sent to the other one
        for number in range(3):
            shell.run("utrecht", *MATCH, "--out", f"answers-{number}.csv")
        shell.run("snf", "log", "checkpoint")  # each party by itself sees a log that only grew
        shell.run("utrecht", "log", "checkpoint", "--out", "utrecht.txt")
        put_in_force(other, 7)
        shell.run("snf", "log", "checkpoint", "--out", "snf.txt")
        # utrecht's is the longer one: the broker proves against itself
        told = json.loads(
            shell.run("utrecht", "log", "compare", "snf.txt", "--evidence", "fork.json", "--json", expect=6)
        )
        assert [one["verdict"] for one in told["compared"]] == ["fork"]
        # snf, whose log is the shorter, is told to let the other compare
        assert "let the party that gave this compare yours" in shell.run(
            "snf", "log", "compare", "utrecht.txt", expect=6
        )
        assert "PROVEN FORK" in shell.run("snf", "log", "evidence", "fork.json")
    finally:
        other.stop()
        for name in ("broker.yaml", "second.yaml"):
            result = audit("export", "--config", str(directory / name), "--out", str(directory / f"{name}.bundle"))
            assert result[0] == 0, result
    for name in ("broker.yaml.bundle", "second.yaml.bundle"):
        bundle, trust = str(directory / name), str(directory / "trust.yaml")
        assert audit("verify", bundle, "--trust", trust)[0] == 0, "each by itself is a good log"
        code, text = audit("verify", bundle, "--trust", trust, "--expect", str(directory / "fork.json"))
        assert code == 13, text


def test_a_broker_restored_from_a_backup_is_refused_when_it_shrank_and_when_it_grew_again(world: World) -> None:
    shell, directory = Shell(world), world.directory
    copy_data(world, "backup")
    restart(world)
    for number in range(2):
        shell.run("utrecht", *MATCH, "--out", f"answers-{number}.csv")
    world.stop()
    shutil.rmtree(directory / "data")
    shutil.copytree(directory / "backup", directory / "data")
    restart(world)
    kept = (directory / "utrecht" / "state" / "checkpoint").read_bytes()
    with shell.start("utrecht", "log", "checkpoint") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 6, out + err
    assert err.startswith("error LOG_SHRUNK: THE BROKER'S LOG HAS LOST ENTRIES")
    with shell.start("utrecht", *MATCH, "--out", "never.csv") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 6, out + err
    assert not (directory / "never.csv").exists(), "an answer of a shrunken log is not used"
    for _ in range(5):
        put_in_force(world, 7)
    with shell.start("utrecht", "log", "checkpoint") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 6, out + err
    assert err.startswith("error LOG_FORKED: THE BROKER'S LOG CONTRADICTS WHAT IT SHOWED BEFORE")
    evidence = sorted((directory / "utrecht" / "state" / "evidence").iterdir())
    proven = [path for path in evidence if json.loads(path.read_bytes())["code"] == "LOG_FORKED"]
    assert "PROVEN FORK" in shell.run("snf", "log", "evidence", str(proven[0]))
    assert (directory / "utrecht" / "state" / "checkpoint").read_bytes() == kept


def test_commands_at_once_never_set_the_kept_checkpoint_back(world: World) -> None:
    """Processes that follow a growing log at the same time: every one succeeds, and the newest is kept."""
    shell = Shell(world)
    running = [shell.start("utrecht", *MATCH, "--out", f"answers-{number}.csv") for number in range(3)]
    running += [shell.start("utrecht", "log", "checkpoint") for _ in range(3)]
    sizes = []
    for process in running:
        with process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == 0, out + err
        if "entries, root" in out:
            sizes.append(int(out.split(": ")[1].split(" ")[0]))
    kept = int((world.directory / "utrecht" / "state" / "checkpoint").read_text().split("\n")[1])
    assert kept >= max(sizes)
    assert world.broker is not None
    receipts = [json.loads((world.directory / f"answers-{n}.csv.receipts.json").read_text()) for n in range(3)]
    shown = [int(one["answers"][0]["release"]["checkpoint"].split("\n")[1]) for one in receipts]
    assert kept >= max(shown)
