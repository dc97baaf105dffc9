"""One exchange end to end over mutual TLS, at the wire: publish, ask, match, release, receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from participant import Participant, reason_of
from sluis.v1 import audit_pb2, exchange_pb2, register_pb2
from sluis_client.receipts import verify_receipt
from world import World, running

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(50)]
ATTRIBUTES = ["beds", "certificate-status"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def snf(world: World) -> Participant:
    return Participant(world, "snf")


@pytest.fixture
def utrecht(world: World, snf: Participant) -> Participant:
    asker = Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, asker])
    return asker


def records(identifiers: list[str]) -> dict[str, list[str | None]]:
    return {identifier: [str(number), "certified"] for number, identifier in enumerate(identifiers)}


def test_a_hit_brings_its_attributes_and_a_receipt(world: World, snf: Participant, utrecht: Participant) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS[:40]), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[30:], ["snf"], want=ATTRIBUTES)
    answered = utrecht.send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
    assert answered.positions == list(range(10))
    assert utrecht.open(ask, answered)[0] == {"beds": "30", "certificate-status": "certified"}
    assert answered.receipts is not None
    entry = verify_receipt(answered.receipts.release, [world.verifier_key])
    assert entry["body"]["outcome"] == "authorised"
    assert verify_receipt(answered.receipts.ask, [world.verifier_key])["body"]["statement"] == ask.statement


def test_the_same_request_gives_the_same_answer_without_a_debit(
    world: World, snf: Participant, utrecht: Participant
) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=ATTRIBUTES)
    first = utrecht.send(ask)["snf"]
    budget = utrecht.exchanges.GetBudget(exchange_pb2.GetBudgetRequest(purpose=PURPOSE), timeout=20).requests_left
    again = utrecht.send(ask)["snf"]
    assert again.rows == first.rows
    assert again.head == first.head
    assert again.receipts is not None
    assert first.receipts is not None
    assert again.receipts.release.leaf == first.receipts.release.leaf
    left = utrecht.exchanges.GetBudget(exchange_pb2.GetBudgetRequest(purpose=PURPOSE), timeout=20).requests_left
    assert left == budget


def test_a_request_id_serves_one_question(world: World, snf: Participant, utrecht: Participant) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"])
    utrecht.send(ask)
    other = utrecht.question(PURPOSE, "bag", BAGS[:6], ["snf"], request_id=str(ask.statement["request_id"]))
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.send(other)
    assert reason_of(caught.value) == "REQUEST_ID_REUSED"


def test_an_attribute_that_was_never_agreed_is_denied_with_reasons(
    world: World, snf: Participant, utrecht: Participant
) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=["beds", "naam"])
    answered = utrecht.send(ask)["snf"]
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_DENIED
    assert not answered.rows
    unmet = [check for check in answered.head.decision.checks if not check.met]
    assert [check.id for check in unmet] == ["attributes"]
    assert unmet[0].source.startswith("purposes/snf-locatie.yaml:")


def test_no_register_and_not_covered_and_expired_are_not_no_hit(
    world: World, snf: Participant, utrecht: Participant
) -> None:
    def status() -> int:
        ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"])
        return utrecht.send(ask)["snf"].head.status

    assert status() == exchange_pb2.ANSWER_STATUS_NO_REGISTER
    sealed = snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES, expires=timedelta(hours=1))
    assert status() == exchange_pb2.ANSWER_STATUS_ANSWERED
    world.clock.at += timedelta(hours=2)
    assert status() == exchange_pb2.ANSWER_STATUS_EXPIRED
    request = register_pb2.WithdrawRegisterRequest(
        request_id="11111111-1111-4111-8111-111111111111", register=sealed.register.name
    )
    snf.registers.WithdrawRegister(request, timeout=20)
    assert status() == exchange_pb2.ANSWER_STATUS_NO_REGISTER


def test_a_new_version_replaces_the_old_at_once(world: World, snf: Participant, utrecht: Participant) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS[:10]), ATTRIBUTES)
    snf.publish(PURPOSE, "bag", records(BAGS[10:20]), ATTRIBUTES)
    answered = utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:20], ["snf"]))["snf"]
    assert answered.positions == list(range(10, 20))
    assert answered.head.register.version == 2
    assert len(list((world.directory / "data" / "registers" / "registers").rglob("v*"))) <= 2 + 4


def test_the_log_holds_both_entries_and_the_answerer_gets_its_receipts(
    world: World, snf: Participant, utrecht: Participant
) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"])
    utrecht.send(ask)
    request = audit_pb2.ListReceiptsRequest(exchange=str(ask.statement["request_id"]))
    receipts = snf.audit.ListReceipts(request, timeout=20).receipts
    kinds = [verify_receipt(receipt, [world.verifier_key])["kind"] for receipt in receipts]
    assert kinds == ["ask", "release"]
    other = Participant(world, "nla").audit.ListReceipts(request, timeout=20).receipts
    assert not other


def test_nothing_personal_stands_in_the_log(world: World, snf: Participant, utrecht: Participant) -> None:
    snf.publish(PURPOSE, "bag", records(BAGS), ATTRIBUTES)
    ask = utrecht.question(PURPOSE, "bag", BAGS[:5], ["snf"], want=ATTRIBUTES, case_number=None)
    utrecht.send(ask)
    entries = []
    page = utrecht.audit.ListEntries(audit_pb2.ListEntriesRequest(page_size=1000), timeout=20)
    entries += [entry.leaf for entry in page.entries]
    text = b"".join(entries)
    for identifier in BAGS:
        assert identifier.encode() not in text
    for at in range(0, len(ask.columns[0].pseudonyms), 16):
        pseudonym = ask.columns[0].pseudonyms[at : at + 16]
        assert pseudonym not in text
        assert pseudonym.hex().encode() not in text
    assert {json.loads(leaf)["kind"] for leaf in entries} >= {"ask", "release", "key"}
