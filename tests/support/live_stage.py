"""A live question that waits on the stage, and a good answer to it: what the rows of bad input bend."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message
from participant import Participant
from sluis.v1 import register_pb2
from sluis_client.canonical import commitment, encode, tokens_value
from sluis_client.secret import Secret
from sluis_client.statements import utc
from world import ORIGIN, policy_texts

from broker.exchange import PseudonymColumn, Question, Receipt
from broker.live import Offer, Reply, _Waiting
from broker.statements import Scope, Signed, read_ask

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]
ANSWER_MEMBERS = ["type", "origin", "environment", "not_after", "answerer", "asker", "exchange", "purpose", "epoch"]
ANSWER_MEMBERS += ["key_id", "scheme", "match_keys", "attributes", "tokens", "rows", "as_of", "coverage", "rules"]


def stage_texts() -> dict[str, str]:
    """The sample policies, with an answerer that answers live."""
    texts = policy_texts()
    name = f"purposes/{PURPOSE}.yaml"
    return {**texts, name: texts[name].replace("\nabout:", "\nanswers_live: [snf]\nabout:")}


class _Released(_Waiting):
    """An offer whose asker's side is done as soon as it is answered."""

    @property
    def reply(self) -> Reply | None:  # type: ignore[override]
        return None

    @reply.setter
    def reply(self, value: Reply | None) -> None:
        self.done = self.released = value is not None


def good_answer(stage: Any) -> list[Message]:
    """A question put on the broker's desk, and a good answer by its answerer."""
    utrecht, snf = stage.utrecht, stage.snf
    for one in (utrecht, snf):
        one.secret.setdefault(PURPOSE, Secret(b"k" * 32))
    asked = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
    signed = utrecht.signed(asked.statement)
    broker = stage.world.broker
    statement = read_ask(Signed(signed.statement, signed.signature), Scope(ORIGIN, stage.world.config.environment))
    question = Question(tuple(_column(column.pseudonyms) for column in asked.columns))
    offer = Offer(statement, "snf", b"", asked.salt, question, Receipt(b"", 0, (), ""))
    broker._desk._waiting[offer.name] = _Released(offer)
    return [answer_to(snf, asked.statement)]


def answer_to(snf: Participant, asked: dict[str, Any]) -> register_pb2.AnswerQuestionRequest:
    """All the records of the file, for every one is asked for."""
    rows, _ = snf._rows(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"], "x", 1)
    columns = snf.pseudonymiser(PURPOSE, "bag").columns([((bag,),) for bag in BAGS], 1)
    salt = os.urandom(32)
    value = tokens_value(columns) + encode(*rows.wraps, rows.commitments, *rows.fields)
    same = ("origin", "environment", "asker", "purpose", "epoch", "key_id", "scheme", "tokens", "match_keys")
    statement = {
        **{name: asked[name] for name in same},
        "type": "sluis/v1/live-answer",
        "answerer": "snf",
        "exchange": asked["request_id"],
        "attributes": ["beds"],
        "as_of": utc(snf.now()),
        "coverage": "everything in the test",
        "rules": {},
        "rows": commitment("live-rows", salt, value),
        "not_after": utc(snf.now() + timedelta(minutes=5)),
    }
    return register_pb2.AnswerQuestionRequest(signed=snf.signed(statement), rows_salt=salt, rows=rows)


def _column(pseudonyms: bytes) -> PseudonymColumn:
    import numpy as np

    values = np.frombuffer(pseudonyms, "V16")
    return PseudonymColumn(values, np.ones(len(values), np.bool_))
