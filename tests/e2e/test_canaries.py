"""Canaries: subjects that do not exist, which an answerer sets and nobody should ask for."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from both_verifiers import verified_by_both
from participant import Participant, reason_of
from sluis.v1 import audit_pb2, common_pb2, exchange_pb2, register_pb2
from sluis_client.canonical import commitment, encode, tokens_value
from sluis_client.statements import utc
from test_exported_log import run
from world import ORIGIN, World, running

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(100)]
CANARIES = BAGS[90:95]


class Answerer(Participant):
    """A participant that sets canaries."""

    def set_canaries(self, bags: Sequence[str], **bent: Any) -> register_pb2.SetCanariesResponse:
        """Sends a list; `bent` in the statement."""
        salt, maker = os.urandom(32), self.pseudonymiser(PURPOSE, "bag")
        columns = maker.columns([((bag,),) for bag in bags], 1) if bags else ()
        statement = {
            "type": "sluis/v1/canaries",
            "origin": ORIGIN,
            "environment": "test",
            "request_id": str(uuid.uuid4()),
            "answerer": self.party,
            "purpose": PURPOSE,
            "epoch": self.context(PURPOSE).epoch,
            "key_id": maker.key_id,
            "scheme": "bag",
            "match_keys": 1,
            "rows": len(bags),
            "record": commitment("record", salt, tokens_value(columns) if bags else b""),
            "not_after": utc(self.now() + timedelta(minutes=5)),
            **bent,
        }
        request = register_pb2.SetCanariesRequest(
            signed=self.signed(statement),
            canaries_salt=salt,
            columns=[common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms) for column in columns],
        )
        return self.registers.SetCanaries(request, timeout=20)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def parties(world: World) -> tuple[Answerer, Participant]:
    snf, utrecht = Answerer(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:10]}, ["beds"])
    return snf, utrecht


def sightings(world: World) -> list[dict[str, Any]]:
    assert world.broker is not None
    reader = world.broker._store.reader
    entries = (json.loads(entry.leaf)["body"] for entry in reader.entries(0, reader.size()))
    return [body for body in entries if body.get("what") == "canary" and body["rows"]]


def ask(who: Participant, bags: Sequence[str], **more: Any) -> list[int]:
    (answered,) = who.send(who.question(PURPOSE, "bag", list(bags), ["snf"], **more)).values()
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
    return answered.positions


def own(who: Participant) -> list[dict[str, Any]]:
    found = who.audit.ListEntries(audit_pb2.ListEntriesRequest(page_size=1000), timeout=20).entries
    return [json.loads(entry.leaf) for entry in found]


def test_a_question_for_a_canary_is_no_hit_and_an_entry_that_its_asker_does_not_see(
    world: World, parties: tuple[Answerer, Participant]
) -> None:
    snf, utrecht = parties
    assert ask(utrecht, CANARIES) == []
    assert sightings(world) == []
    snf.set_canaries(CANARIES)
    assert ask(utrecht, [*BAGS[8:12], *CANARIES[:2]]) == [0, 1]
    assert ask(utrecht, BAGS[8:12]) == [0, 1]
    (seen,) = sightings(world)
    assert (seen["asked_by"], seen["answerer"], seen["rows"]) == ("utrecht", "snf", 2)
    assert any(entry["body"].get("what") == "canary" for entry in own(snf))
    assert not any(entry["body"].get("what") in ("canary", "canaries") for entry in own(utrecht))


def test_neither_the_growth_of_the_log_nor_a_guessed_leaf_tells_an_asker_that_it_met_a_canary(
    world: World, parties: tuple[Answerer, Participant]
) -> None:
    snf, utrecht = parties
    snf.set_canaries(CANARIES)
    assert world.broker is not None
    reader = world.broker._store.reader
    grown = []
    for bags in (BAGS[20:21], CANARIES[:1], BAGS[21:22]):
        before = reader.size()
        ask(utrecht, bags)
        grown.append(reader.size() - before)
    entries = [json.loads(entry.leaf)["body"] for entry in reader.entries(0, reader.size())]
    told = [body for body in entries if body.get("what") == "canary"]
    assert (len(set(grown)), [body["rows"] for body in told]) == (1, [0, 1, 0])
    # and what an asker knows of the entry does not make up its bytes
    assert len({body["notice"] for body in told}) == 3
    named = encode("sluis/v1/canary", *(told[1][name] for name in ("asked_by", "exchange", "answerer")))
    assert told[1]["notice"] != hashlib.sha256(named).hexdigest()[:32]


def test_a_repeat_of_the_same_request_is_told_once(world: World, parties: tuple[Answerer, Participant]) -> None:
    snf, utrecht = parties
    snf.set_canaries(CANARIES)
    question = utrecht.question(PURPOSE, "bag", CANARIES, ["snf"])
    utrecht.send(question)
    utrecht.send(question)
    assert len(sightings(world)) == 1


def test_a_later_list_takes_the_place_of_the_one_before_and_none_ends_it(
    world: World, parties: tuple[Answerer, Participant]
) -> None:
    snf, utrecht = parties
    snf.set_canaries(CANARIES)
    snf.set_canaries(BAGS[80:82])
    ask(utrecht, CANARIES)
    assert sightings(world) == []
    world.stop()
    world.start()
    again = Participant(world, "utrecht")
    again.secret = utrecht.secret
    ask(again, BAGS[80:81])
    assert len(sightings(world)) == 1
    snf_again = Answerer(world, "snf")
    snf_again.secret = snf.secret
    snf_again.set_canaries([])
    ask(again, BAGS[80:82])
    assert len(sightings(world)) == 1


@pytest.mark.parametrize(
    ("bent", "reason"),
    [
        ({"rows": 4}, "COUNT_WRONG"),
        ({"match_keys": 2}, "COUNT_WRONG"),
        ({"record": "00" * 32}, "COMMITMENT_WRONG"),
        ({"answerer": "utrecht"}, "NOT_YOURS"),
        ({"purpose": "bezetting"}, "EPOCH_UNKNOWN"),
        ({"purpose": "no-such"}, "PURPOSE_UNKNOWN"),
        ({"epoch": "2025Q1"}, "EPOCH_UNKNOWN"),
        ({"key_id": "00" * 16}, "KEY_ID_WRONG"),
        ({"scheme": "kvk"}, "FIELD_INVALID"),
        ({"not_after": "2026-11-23T09:00:00Z"}, "STATEMENT_EXPIRED"),
    ],
)
def test_a_bad_list_is_refused_and_changes_nothing(
    world: World, parties: tuple[Answerer, Participant], bent: dict[str, Any], reason: str
) -> None:
    snf, utrecht = parties
    with pytest.raises(grpc.RpcError) as caught:
        snf.set_canaries(CANARIES, **bent)
    assert reason_of(caught.value) == reason
    ask(utrecht, CANARIES)
    assert sightings(world) == []


def test_who_does_not_answer_the_purpose_sets_none(world: World, parties: tuple[Answerer, Participant]) -> None:
    other = Answerer(world, "utrecht")
    other.secret = parties[1].secret
    with pytest.raises(grpc.RpcError) as caught:
        other.set_canaries(CANARIES)
    assert reason_of(caught.value) == "POLICY_DENIES"


def test_both_verifiers_take_it_and_the_auditor_sees_who_asked(
    world: World, parties: tuple[Answerer, Participant], tmp_path: Path
) -> None:
    snf, utrecht = parties
    snf.set_canaries(CANARIES)
    ask(utrecht, CANARIES[:1])
    bundle = verified_by_both(world)
    shown = run("show", str(bundle), "--kind", "notice")[1]
    assert "utrecht" in shown
    assert "canar" in shown
