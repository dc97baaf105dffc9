"""The calls of a live answerer: mixed into the gRPC transport."""

from __future__ import annotations

import grpc
from sluis.v1 import register_pb2, register_pb2_grpc

from sluis_client.client import convert
from sluis_client.client.calls import UNARY_SECONDS, Retries
from sluis_client.live_transport import LiveQuestion
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column
from sluis_client.statements import SignedStatement
from sluis_client.transport import Receipt
from sluis_client.upload import RegisterRun

_ONCE = Retries(attempts=1)
"""A second attempt would come when nobody waits any more; and whoever watches takes the next question anyway."""


class LiveCalls:
    """`sluis_client.live_transport.LiveTransport` over a channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._live = register_pb2_grpc.RegisterServiceStub(channel)

    def take_question(self, purpose: str, wait_seconds: int) -> LiveQuestion | None:
        """See LiveTransport."""
        request = register_pb2.TakeQuestionRequest(purpose=purpose, wait_seconds=wait_seconds)
        reply = _ONCE.run(lambda: self._live.TakeQuestion(request, timeout=wait_seconds + UNARY_SECONDS))
        if not reply.HasField("question"):
            return None
        asked = reply.question
        columns = []
        for column in asked.columns:
            if len(column.pseudonyms) % PSEUDONYM_BYTES or len(column.pseudonyms) // 128 > len(column.presence):
                raise convert.broken("a question's columns are not of their length")
            columns.append(Column(column.pseudonyms, column.presence))
        return LiveQuestion(
            convert.signed(asked.signed),
            asked.certificate,
            asked.tokens_salt,
            tuple(columns),
            convert.receipt(asked.ask),
        )

    def answer_question(self, signed: SignedStatement, salt: bytes, rows: RegisterRun | None) -> Receipt | None:
        """See LiveTransport."""
        request = register_pb2.AnswerQuestionRequest(
            signed=convert.signed_message(signed),
            rows_salt=salt,
            rows=None if rows is None else convert.register_rows(rows),
        )
        reply = _ONCE.run(lambda: self._live.AnswerQuestion(request, timeout=2 * UNARY_SECONDS))
        return convert.receipt(reply.receipt) if reply.HasField("receipt") else None
