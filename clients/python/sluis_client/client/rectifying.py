"""The calls of rectification: mixed into the gRPC transport."""

from __future__ import annotations

import grpc
from sluis.v1 import (
    common_pb2,
    exchange_pb2,
    exchange_pb2_grpc,
    notices_pb2,
    notices_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
)

from sluis_client.client import convert
from sluis_client.client.calls import LONG_SECONDS, UNARY_SECONDS, Retries
from sluis_client.notice_transport import Corrected, NoticedExchange, RelayedNotice
from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement
from sluis_client.transport import Opening, Receipt

_KINDS = {notices_pb2.NOTICE_KIND_CORRECTION: "correction", notices_pb2.NOTICE_KIND_DISPUTE: "dispute"}


class RectifyingCalls:
    """`sluis_client.notice_transport.RectificationTransport` over a channel."""

    def __init__(self, channel: grpc.Channel, retries: Retries) -> None:
        self._retries = retries
        self._exchanges = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self._registers = register_pb2_grpc.RegisterServiceStub(channel)
        self._notices = notices_pb2_grpc.NoticeServiceStub(channel)

    def correct(self, signed: SignedStatement, salt: bytes, record: tuple[Column, ...]) -> Corrected:
        """See RectificationTransport."""
        request = register_pb2.CorrectRecordRequest(
            signed=convert.signed_message(signed),
            record_salt=salt,
            record=[convert.column_message(column) for column in record],
        )
        reply = self._retries.run(lambda: self._registers.CorrectRecord(request, timeout=LONG_SECONDS))
        return Corrected(convert.receipt(reply.receipt), reply.searched, reply.unsearched)

    def set_canaries(self, signed: SignedStatement, salt: bytes, canaries: tuple[Column, ...]) -> Receipt:
        """See RectificationTransport."""
        request = register_pb2.SetCanariesRequest(
            signed=convert.signed_message(signed),
            canaries_salt=salt,
            columns=[convert.column_message(column) for column in canaries],
        )
        reply = self._retries.run(lambda: self._registers.SetCanaries(request, timeout=UNARY_SECONDS))
        return convert.receipt(reply.receipt)

    def dispute(self, signed: SignedStatement, position: Opening) -> tuple[str, Receipt]:
        """See RectificationTransport."""
        request = exchange_pb2.DisputeHitRequest(signed=convert.signed_message(signed), position=_opening(position))
        reply = self._retries.run(lambda: self._exchanges.DisputeHit(request, timeout=UNARY_SECONDS))
        return reply.notice, convert.receipt(reply.receipt)

    def report_outcome(self, signed: SignedStatement, position: Opening) -> Receipt:
        """See RectificationTransport."""
        request = exchange_pb2.ReportOutcomeRequest(signed=convert.signed_message(signed), position=_opening(position))
        return convert.receipt(
            self._retries.run(lambda: self._exchanges.ReportOutcome(request, timeout=UNARY_SECONDS)).receipt
        )

    def notices(self, *, unacknowledged: bool = False) -> tuple[RelayedNotice, ...]:
        """See RectificationTransport."""
        found: list[RelayedNotice] = []
        token = ""
        while True:
            page = self._list_notices(notices_pb2.ListNoticesRequest(page_token=token, unacknowledged=unacknowledged))
            found += [_notice(message) for message in page.notices]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def _list_notices(self, request: notices_pb2.ListNoticesRequest) -> notices_pb2.ListNoticesResponse:
        return self._retries.run(lambda: self._notices.ListNotices(request, timeout=UNARY_SECONDS))

    def acknowledge(self, signed: SignedStatement) -> Receipt:
        """See RectificationTransport."""
        request = notices_pb2.AcknowledgeNoticeRequest(signed=convert.signed_message(signed))
        return convert.receipt(
            self._retries.run(lambda: self._notices.AcknowledgeNotice(request, timeout=UNARY_SECONDS)).receipt
        )


def _opening(opening: Opening) -> common_pb2.Opening:
    return common_pb2.Opening(salt=opening.salt, value=opening.value)


def _notice(message: notices_pb2.Notice) -> RelayedNotice:
    if message.kind not in _KINDS:
        raise convert.broken("a notice is of a kind this client does not know; upgrade the client")
    return RelayedNotice(
        notice=message.notice,
        kind=_KINDS[message.kind],
        at=convert.moment(message.noticed_at),
        purpose=message.purpose,
        epoch=message.epoch,
        scheme=message.scheme,
        signed=convert.signed(message.signed),
        receipt=convert.receipt(message.receipt),
        exchanges=tuple(map(_exchange, message.exchanges)),
        record=Opening(message.record.salt, message.record.value) if message.HasField("record") else None,
        acknowledged=message.acknowledged if message.HasField("acknowledged") else None,
        resolved=message.resolved if message.HasField("resolved") else None,
    )


def _exchange(message: notices_pb2.NoticedExchange) -> NoticedExchange:
    packed = message.positions
    positions = tuple(int.from_bytes(packed[at : at + 4], "little") for at in range(0, len(packed), 4))
    return NoticedExchange(message.exchange, convert.moment(message.asked_at), positions, message.certain)
