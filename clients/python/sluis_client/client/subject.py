"""The call of subject access: mixed into the gRPC transport."""

from __future__ import annotations

import grpc
from sluis.v1 import audit_pb2, audit_pb2_grpc

from sluis_client.client import convert
from sluis_client.client.calls import STREAM_SECONDS, Retries
from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement
from sluis_client.subject_transport import SubjectFound, Touched, Unsearched

_WHY = {
    audit_pb2.UNSEARCHED_REASON_ERASED: "erased",
    audit_pb2.UNSEARCHED_REASON_NEVER_HELD: "never-held",
}


class SubjectCalls:
    """`sluis_client.subject_transport.SubjectTransport` over a channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._subjects = audit_pb2_grpc.AuditServiceStub(channel)

    def search_subject(self, signed: SignedStatement, salt: bytes, pseudonyms: tuple[Column, ...]) -> SubjectFound:
        """See SubjectTransport. One attempt: the broker takes a request id once."""
        request = audit_pb2.SearchSubjectRequest(
            signed=convert.signed_message(signed),
            salt=salt,
            pseudonyms=[convert.column_message(column) for column in pseudonyms],
        )
        return Retries(attempts=1).run(lambda: self._search(request))

    def _search(self, request: audit_pb2.SearchSubjectRequest) -> SubjectFound:
        summary: audit_pb2.SubjectSearched | None = None
        touched: list[Touched] = []
        for message in self._subjects.SearchSubject(request, timeout=STREAM_SECONDS):
            if message.HasField("summary") and summary is None:
                summary = message.summary
            elif message.HasField("found") and summary is not None:
                touched.append(_touched(message.found))
            else:
                raise convert.broken("a search for a subject came in another order than summary, then exchanges")
        if summary is None or summary.found != len(touched):
            raise convert.broken("a search for a subject ended before all that was found had come")
        unsearched = tuple(map(_unsearched, summary.unsearched))
        return SubjectFound(convert.receipt(summary.receipt), summary.searched, unsearched, tuple(touched))


def _touched(message: audit_pb2.TouchedExchange) -> Touched:
    release = convert.receipt(message.release) if message.HasField("release") else None
    return Touched(convert.receipt(message.ask), release)


def _unsearched(message: audit_pb2.UnsearchedQuestions) -> Unsearched:
    if message.reason not in _WHY:
        raise convert.broken("questions were not searched for a reason this client does not know; upgrade the client")
    return Unsearched(
        _WHY[message.reason], message.questions, convert.moment(message.first), convert.moment(message.last)
    )
