"""The log fails at each step of an exchange, in both ways: nothing leaves, and the same request later is answered.

`refused`: the work never happened. `persisted`: it happened, but the caller was told that nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from participant import Answered, Ask, Participant, reason_of
from sluis.v1 import exchange_pb2
from world import World, running

from broker.errors import Code, SluisError

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def parties(world: World) -> tuple[Participant, Participant]:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:10]}, ["beds"])
    return snf, utrecht


class Faults:
    """Stands before the sequencer of a running broker and fails the n-th write from now on."""

    def __init__(self, world: World, at: int, way: str) -> None:
        assert world.broker is not None
        self.sequencer = world.broker._sequencer
        self.real = self.sequencer.submit
        self.left = at
        self.way = way

    def __enter__(self) -> Self:
        self.sequencer.submit = self.submit
        return self

    def __exit__(self, *_: object) -> None:
        self.sequencer.submit = self.real

    def submit(self, work: Any) -> Any:
        self.left -= 1
        if self.left >= 0:
            return self.real(work)
        if self.way == "persisted":
            self.real(work)
            raise SluisError(Code.LOG_OUTCOME_UNKNOWN, "the log does not know; repeat the same request")
        raise SluisError(Code.LOG_UNAVAILABLE, "the log cannot be written; repeat the same request")


def entries(world: World, kind: str, exchange: object) -> list[dict[str, Any]]:
    assert world.broker is not None
    reader = world.broker._store.reader
    leaves = [json.loads(entry.leaf) for entry in reader.entries(0, reader.size())]
    return [leaf["body"] for leaf in leaves if leaf["kind"] == kind and leaf["body"].get("exchange") == exchange]


def collect(who: Participant, ask: Ask) -> tuple[list[exchange_pb2.MatchResponse], str]:
    """Everything that left, and the reason it ended with."""
    got: list[exchange_pb2.MatchResponse] = []
    try:
        got.extend(who.exchanges.Match(ask.messages(who.key), timeout=10))
    except grpc.RpcError as error:
        return got, reason_of(error)
    return got, "OK"


@pytest.mark.parametrize("way", ["refused", "persisted"])
@pytest.mark.parametrize("step", [0, 1])
def test_when_the_log_fails_nothing_leaves_and_a_repeat_is_answered(
    world: World, parties: tuple[Participant, Participant], step: int, way: str
) -> None:
    _, utrecht = parties
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    with Faults(world, step, way):
        got, reason = collect(utrecht, ask)
    assert got == []
    assert reason == ("LOG_OUTCOME_UNKNOWN" if way == "persisted" else "LOG_UNAVAILABLE")
    answered = utrecht.send(ask)["snf"]
    assert answered.positions == list(range(10))
    exchange = ask.statement["request_id"]
    assert len(entries(world, "ask", exchange)) == len(entries(world, "release", exchange)) == 1
    # and asked once more: the very same receipts, of the entries that are there
    again = utrecht.send(ask)["snf"]
    assert answered.receipts is not None
    assert again.receipts is not None
    for part in ("ask", "release"):
        first, second = getattr(answered.receipts, part), getattr(again.receipts, part)
        assert (first.index, first.leaf) == (second.index, second.leaf)
        assert json.loads(first.leaf)["body"] == entries(world, part, exchange)[0]


def test_a_repeat_after_a_failed_release_is_debited_once(
    world: World, parties: tuple[Participant, Participant]
) -> None:
    _, utrecht = parties
    request = exchange_pb2.GetBudgetRequest(purpose=PURPOSE)
    before = utrecht.exchanges.GetBudget(request, timeout=20).requests_left
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"])
    with Faults(world, 1, "refused"):
        collect(utrecht, ask)
    utrecht.send(ask)
    assert utrecht.exchanges.GetBudget(request, timeout=20).requests_left == before - 1


def test_an_ask_whose_lease_ran_out_is_closed_as_unknown_and_never_answered(
    world: World, parties: tuple[Participant, Participant]
) -> None:
    _, utrecht = parties
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"])
    with Faults(world, 1, "refused"):
        collect(utrecht, ask)
    world.clock.at += timedelta(minutes=20)
    answered: Answered = utrecht.send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_UNKNOWN
    assert not answered.rows
    (release,) = entries(world, "release", ask.statement["request_id"])
    assert release["outcome"] == "unknown"


def test_a_restart_between_ask_and_release_still_answers_the_repeat(
    world: World, parties: tuple[Participant, Participant]
) -> None:
    _, utrecht = parties
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    with Faults(world, 1, "refused"):
        collect(utrecht, ask)
    world.stop()
    world.start()
    again = Participant(world, "utrecht")
    assert again.send(ask)["snf"].positions == list(range(10))


@pytest.mark.parametrize("where", ["pin", "spool"])
def test_a_store_that_fails_becomes_a_logged_failure(
    world: World, parties: tuple[Participant, Participant], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, utrecht = parties

    def broken(*_: object, **__: object) -> Any:
        raise SluisError(Code.STORE_UNAVAILABLE, "the disk is gone")

    assert world.broker is not None
    if where == "pin":
        monkeypatch.setattr(world.broker._registers, "pin", broken)
    else:
        monkeypatch.setattr("broker.answering.SMALL_ANSWER", 0)
        monkeypatch.setattr(world.broker._spool, "write", broken)
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    answered = utrecht.send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_FAILED
    assert not answered.rows
    (release,) = entries(world, "release", ask.statement["request_id"])
    assert release["outcome"] == "failed"


def test_large_answers_wait_in_the_spool_and_are_sent_again(
    world: World, parties: tuple[Participant, Participant], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, utrecht = parties
    monkeypatch.setattr("broker.answering.SMALL_ANSWER", 0)
    ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    first, second = utrecht.send(ask)["snf"], utrecht.send(ask)["snf"]
    assert first.rows == second.rows
    assert utrecht.open(ask, second)[3] == {"beds": "4"}
    world.clock.at += timedelta(hours=25)
    assert world.broker is not None
    world.broker._spool.sweep(world.clock.now())
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.send(ask)
    assert reason_of(caught.value) == "ANSWER_GONE"
