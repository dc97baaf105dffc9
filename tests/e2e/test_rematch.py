"""`sluis audit replay --rematch`: released answers matched again beside a running broker, which is not touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from participant import Participant
from sluis.v1 import exchange_pb2
from typer.testing import CliRunner, Result
from world import World, policy_texts, running

from broker import rematching
from broker.cli.audit.root import app
from broker.exchange import Matches

pytestmark = pytest.mark.slow
PURPOSE, COUNTED = "snf-locatie", "snf-telling"
BAGS = [f"034401{number:010d}" for number in range(50)]
ATTRIBUTES = ["beds", "certificate-status"]


def texts() -> dict[str, str]:
    found = policy_texts()
    text = found[f"purposes/{PURPOSE}.yaml"].replace(f"purpose: {PURPOSE}", f"purpose: {COUNTED}")
    head, rest = text.split("may_learn:")
    _, after = rest.split("legal_basis:", 1)
    counting = "may_learn:\n  count: {min_group: 5, bands: [5, 20], per_epoch: 20}\nlegal_basis:"
    return {**found, f"purposes/{COUNTED}.yaml": head + counting + after}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path, texts()) as made:
        yield made


@pytest.fixture
def pair(world: World) -> tuple[Participant, Participant]:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.make_epoch(COUNTED, [snf, utrecht])
    return snf, utrecht


def publish(snf: Participant, rows: int = 40) -> None:
    known: dict[str, Any] = {bag: [str(number), "certified"] for number, bag in enumerate(BAGS[:rows])}
    snf.publish(PURPOSE, "bag", known, ATTRIBUTES)
    snf.publish(COUNTED, "bag", dict.fromkeys(BAGS[:rows], ()))


def ask_all(utrecht: Participant) -> list[int]:
    """Hits with attributes, bare hits, a count, a count of too few, and a denial; the statuses."""
    questions = [
        utrecht.question(PURPOSE, "bag", BAGS[30:], ["snf"], want=ATTRIBUTES),
        utrecht.question(PURPOSE, "bag", BAGS[:10], ["snf"]),
        utrecht.question(COUNTED, "bag", BAGS[10:], ["snf"], hit=False, count=True),
        utrecht.question(COUNTED, "bag", BAGS[38:], ["snf"], hit=False, count=True),
        utrecht.question(PURPOSE, "bag", BAGS[:10], ["snf"], want=["enterprise-name"]),
    ]
    return [utrecht.send(question)["snf"].head.status for question in questions]


def run(world: World, *arguments: str) -> Result:
    config = str(world.directory / "broker.yaml")
    return CliRunner().invoke(app, ["replay", "--rematch", "--config", config, *arguments])


def as_json(world: World) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run(world, "--json").stdout)
    return value


def files_of(world: World) -> dict[str, int]:
    """All files but SQLite's shared memory, which every reader maps."""
    paths = [path for path in world.config.data.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {str(path): path.stat().st_mtime_ns for path in paths}


def test_everything_matches_again_beside_a_running_broker(
    world: World, pair: tuple[Participant, Participant], monkeypatch: pytest.MonkeyPatch
) -> None:
    snf, utrecht = pair
    publish(snf)
    assert ask_all(utrecht) == [
        exchange_pb2.ANSWER_STATUS_ANSWERED,
        exchange_pb2.ANSWER_STATUS_ANSWERED,
        exchange_pb2.ANSWER_STATUS_ANSWERED,
        exchange_pb2.ANSWER_STATUS_WITHHELD,
        exchange_pb2.ANSWER_STATUS_DENIED,
    ]
    before = files_of(world)
    result = run(world)
    assert result.exit_code == 0, result.output
    assert "of 4 released answers 4 are the same, 0 differ, 0 are no longer possible" in result.stdout
    assert "not logged" in result.stdout
    assert files_of(world) == before

    true_match = rematching.match

    def other(*arguments: Any) -> Matches:
        found = true_match(*arguments)
        return Matches(found.positions[1:], found.statuses[1:], found.match_keys[1:], found.rows[1:])

    with monkeypatch.context() as patch:
        patch.setattr(rematching, "match", other)
        found = as_json(world)
    assert (found["same"], found["differs"], found["all_same"]) == (2, 2, False), "bands and withheld counts stand"
    assert [one["why"] for one in found["listed"]] == ["hits, rows", "hits, rows"]

    publish(snf, 20)  # the versions that answered are swept
    assert world.broker is not None
    world.broker._publication.sweep()
    found = as_json(world)
    assert (found["same"], found["no_longer_possible"]) == (0, 4)
    assert found["why"] == {"the register version that answered is no longer kept": 4}
    assert run(world).exit_code == 17


def test_what_the_vault_holds_no_more_is_no_longer_possible(
    world: World, pair: tuple[Participant, Participant]
) -> None:
    snf, utrecht = pair
    publish(snf)
    ask_all(utrecht)
    assert world.broker is not None
    world.clock.at += timedelta(days=731)
    assert world.broker._erasure.expire() > 0
    found = as_json(world)
    assert (found["same"], found["differs"], found["no_longer_possible"]) == (0, 0, 4)
    world.stop()
    assert run(world).exit_code == 17, "as well with the broker stopped"


def test_wrong_use_is_told(world: World, tmp_path: Path) -> None:
    bundle = tmp_path / "x.bundle"
    bundle.write_bytes(b"")
    assert CliRunner().invoke(app, ["replay", str(bundle), "--rematch"]).exit_code == 2
    assert CliRunner().invoke(app, ["replay"]).exit_code == 2
    assert run(world).exit_code == 0, "of nothing all is the same"
