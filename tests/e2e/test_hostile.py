"""Attacks that once worked, each as a test that they do not any more."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from participant import Ask, Participant, reason_of
from sluis.v1 import audit_pb2, exchange_pb2, keys_pb2, register_pb2
from test_faults import Faults, collect
from typer.testing import CliRunner
from world import World, policy_texts, running

from broker.cli import app

pytestmark = pytest.mark.slow

HOUSING = "snf-locatie"
COUNTED = "bezetting"
BAGS = [f"034401{number:010d}" for number in range(40)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


def restart_under(world: World, purpose: str, old: str, new: str) -> None:
    """Stops the broker and starts it on a higher revision in which one text is another."""
    texts = policy_texts()
    name = f"purposes/{purpose}.yaml"
    assert old in texts[name]
    texts[name] = texts[name].replace(old, new)
    world.stop()
    world.write_bundle(texts, revision=2)
    world.start()


def left_open(world: World, purpose: str, **options: bool) -> tuple[Participant, Ask]:
    """An ask that was permitted and logged, whose release failed."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(purpose, [snf, utrecht])
    snf.publish(purpose, "bag", {bag: [] for bag in BAGS[:7]})
    ask = utrecht.question(purpose, "bag", BAGS, ["snf"], **options)
    with Faults(world, 1, "refused"):
        assert collect(utrecht, ask)[0] == []
    return utrecht, ask


def test_a_count_left_open_is_not_answered_under_looser_terms(world: World) -> None:
    utrecht, ask = left_open(world, COUNTED, hit=False, count=True)
    restart_under(world, COUNTED, "bands: [5, 10, 25, 50, 100, 250, 500], ", "")
    answered = Participant(world, "utrecht").send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_UNKNOWN
    assert not answered.head.HasField("count")
    del utrecht


@pytest.mark.parametrize("answered_before", [False, True])
def test_nothing_leaves_under_a_suspended_purpose(world: World, answered_before: bool) -> None:
    utrecht, ask = left_open(world, HOUSING)
    if answered_before:
        utrecht.send(ask)
    restart_under(world, HOUSING, "state: active", "state: suspended")
    again = Participant(world, "utrecht")
    if answered_before:
        with pytest.raises(grpc.RpcError) as caught:
            again.send(ask)
        assert reason_of(caught.value) == "POLICY_DENIES"
    else:
        answered = again.send(ask)["snf"]
        assert answered.head.status == exchange_pb2.ANSWER_STATUS_UNKNOWN
        assert not answered.rows


def test_a_withdrawn_register_and_a_day_end_the_repeats(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    sealed = snf.publish(HOUSING, "bag", {bag: ["4"] for bag in BAGS}, ["beds"])
    first, second = (utrecht.question(HOUSING, "bag", BAGS[:1], ["snf"], want=["beds"]) for _ in range(2))
    utrecht.send(first)
    utrecht.send(second)
    world.clock.at += timedelta(hours=25)
    assert world.broker is not None
    world.broker._erasure.expire()
    assert not world.broker._store.reader.exchange("utrecht", str(first.statement["request_id"]))[0].answer
    for withdrawn in (False, True):
        if withdrawn:
            request = register_pb2.WithdrawRegisterRequest(request_id=str(uuid.uuid4()), register=sealed.register.name)
            snf.registers.WithdrawRegister(request, timeout=20)
        with pytest.raises(grpc.RpcError) as caught:
            utrecht.send(second)
        assert reason_of(caught.value) == "ANSWER_GONE"


def test_a_repeated_withdrawal_spares_what_was_published_since(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    sealed = snf.publish(HOUSING, "bag", {bag: [] for bag in BAGS})
    request = register_pb2.WithdrawRegisterRequest(request_id=str(uuid.uuid4()), register=sealed.register.name)
    first = snf.registers.WithdrawRegister(request, timeout=20).receipt
    snf.publish(HOUSING, "bag", {bag: [] for bag in BAGS})
    assert snf.registers.WithdrawRegister(request, timeout=20).receipt.index == first.index
    answered = utrecht.send(utrecht.question(HOUSING, "bag", BAGS[:3], ["snf"]))["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED


def test_an_older_upload_never_replaces_a_newer_version(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    old = str(uuid.uuid4())
    snf.registers.BeginRegister(
        register_pb2.BeginRegisterRequest(
            request_id=old,
            purpose=HOUSING,
            epoch=snf.context(HOUSING).epoch,
            key_id=snf.pseudonymiser(HOUSING, "bag").key_id,
            scheme="bag",
            match_keys=1,
        ),
        timeout=5,
    )
    snf.publish(HOUSING, "bag", {bag: [] for bag in BAGS})
    with pytest.raises(grpc.RpcError) as caught:
        snf.publish(HOUSING, "bag", {bag: [] for bag in BAGS[:3]}, request_id=old)
    assert reason_of(caught.value) == "REGISTER_CHANGED"
    answered = utrecht.send(utrecht.question(HOUSING, "bag", BAGS, ["snf"]))["snf"]
    assert (answered.head.register.version, answered.head.hits) == (2, len(BAGS))


def test_a_hopeless_large_question_is_denied_before_its_rows(world: World) -> None:
    """The denial comes though not one row was sent, and stands in the log."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    ask = utrecht.question(HOUSING, "bag", [f"034401{number:010d}" for number in range(5000)], ["snf"])
    head = next(iter(ask.messages(utrecht.key)))
    messages = list(utrecht.exchanges.Match(iter([head]), timeout=10))
    assert messages[0].answer.status == exchange_pb2.ANSWER_STATUS_DENIED
    unmet = [check.id for check in messages[0].answer.decision.checks if not check.met]
    assert unmet == ["subjects-per-request"]
    assert json.loads(messages[-1].receipts.ask.leaf)["body"]["decision"]["effect"] == "deny"


def test_answerers_that_nobody_knows_are_one_refusal(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    strangers = [f"nobody-{number:03d}" for number in range(300)]
    assert world.broker is not None
    before = world.broker._store.reader.size()
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.send(utrecht.question(HOUSING, "bag", BAGS[:1], strangers))
    assert reason_of(caught.value) == "STATEMENT_INVALID"
    assert world.broker._store.reader.size() == before + 1


def test_one_party_cannot_fill_the_log_by_asking(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.asking.ASK_ENTRIES_PER_DAY", 3)
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    reasons = []
    for _ in range(5):
        try:
            utrecht.send(utrecht.question(HOUSING, "bag", BAGS[:1], ["nla"]))
            reasons.append("denied")
        except grpc.RpcError as error:
            reasons.append(reason_of(error))
    assert reasons == ["denied"] * 3 + ["TOO_MANY_ASKS"] * 2


def test_pages_of_long_entries_fit_a_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.rpc.audit_service.PAGE_BYTES", 8000)
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    asks = [utrecht.question(HOUSING, "bag", BAGS[:1], ["snf"]) for _ in range(6)]
    for ask in asks:
        utrecht.send(ask)
    seen, at = [], 0
    while True:
        page = utrecht.audit.ListReceipts(audit_pb2.ListReceiptsRequest(from_index=at, page_size=1000), timeout=20)
        if not page.receipts:
            break
        assert sum(len(receipt.leaf) for receipt in page.receipts) < 16_000
        seen += [receipt.index for receipt in page.receipts]
        at = page.next_index
    entries, at = [], 0
    assert world.broker is not None
    while at < world.broker._store.reader.size():
        reply = utrecht.audit.ListEntries(audit_pb2.ListEntriesRequest(from_index=at, page_size=1000), timeout=20)
        entries += [entry.index for entry in reply.entries]
        at = reply.next_index
    assert seen == sorted(set(seen))
    assert len(seen) == 12
    assert set(seen) <= set(entries)


def test_an_epoch_is_not_shown_to_strangers(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(HOUSING, [snf, utrecht])
    with pytest.raises(grpc.RpcError) as caught:
        Participant(world, "nla").keys.GetEpoch(keys_pb2.GetEpochRequest(purpose=HOUSING), timeout=20)
    assert reason_of(caught.value) == "PURPOSE_UNKNOWN"


def test_another_policy_set_under_the_same_revision_is_refused(world: World) -> None:
    texts = policy_texts()
    name = f"purposes/{HOUSING}.yaml"
    texts[name] = texts[name].replace("requests_per_day: 50", "requests_per_day: 500")
    world.stop()
    world.write_bundle(texts, revision=1)
    world.start()  # what was put there is not taken up: the last good set stays
    assert world.broker is not None
    assert world.broker._in_force.current().purposes[HOUSING].limits.requests_per_day == 50
    doctor = CliRunner().invoke(app, ["doctor", "--config", str(world.directory / "broker.yaml")])
    assert "NOT policy in force: POLICY_REVISION_LOWER" in doctor.output
