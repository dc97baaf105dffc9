"""What happens while an answer is made: the register is withdrawn, or the question's lease runs out. Nothing leaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from participant import Ask, Participant
from sluis.v1 import exchange_pb2, register_pb2
from test_faults import collect, entries
from world import World, running

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


def put(world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Participant], None]) -> tuple[Ask, Any]:
    """A question of utrecht's, and what came back; `meanwhile` happens after the match and before the release."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:10]}, ["beds"])
    assert world.broker is not None
    answering = world.broker._coordinator._answering
    prepare = answering.prepare

    def slowly(*arguments: Any) -> Any:
        made = prepare(*arguments)
        meanwhile(snf)
        return made

    monkeypatch.setattr(answering, "prepare", slowly)
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    return ask, collect(utrecht, ask)


def test_an_answer_in_the_making_is_withheld_when_its_register_is_withdrawn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def withdraw(snf: Participant) -> None:
        (register,) = snf.registers.ListRegisters(register_pb2.ListRegistersRequest(), timeout=20).registers
        request = register_pb2.WithdrawRegisterRequest(register=register.name, request_id=str(uuid.uuid4()))
        snf.registers.WithdrawRegister(request, timeout=20)

    ask, (_, reason) = put(world, monkeypatch, withdraw)
    assert reason == "OK"
    (release,) = entries(world, "release", ask.statement["request_id"])
    assert (release["outcome"], release["status"], release["attributes"]) == ("withheld", "WITHHELD", [])


def test_an_answer_that_takes_longer_than_the_lease_never_leaves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(_: Participant) -> None:
        world.clock.at += timedelta(minutes=16)

    ask, (got, reason) = put(world, monkeypatch, wait)
    assert (got, reason) == ([], "EXCHANGE_OPEN")
    assert entries(world, "release", ask.statement["request_id"]) == []
    answered = Participant(world, "utrecht").send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_UNKNOWN
    (release,) = entries(world, "release", ask.statement["request_id"])
    assert release["outcome"] == "unknown"
