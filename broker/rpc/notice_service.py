"""NoticeService: for every party that is told of a correction or a dispute."""

from __future__ import annotations

import grpc
from sluis.v1 import common_pb2, notices_pb2, notices_pb2_grpc

from broker.errors import Code, field_error
from broker.notices import Notice, NoticedExchange, Notices
from broker.rpc import convert
from broker.rpc.interceptors import call_of
from broker.unusual_use import UnusualUse

_KINDS = {
    "correction-notice": notices_pb2.NOTICE_KIND_CORRECTION,
    "dispute-notice": notices_pb2.NOTICE_KIND_DISPUTE,
}
_PAGE_BYTES = 256 * 1024
"""Bytes of statements and leaves after which a page ends."""
MAX_POSITION_BYTES = 16


class NoticeServicer(notices_pb2_grpc.NoticeServiceServicer):
    """Translates and delegates to the notices."""

    def __init__(self, notices: Notices, unusual: UnusualUse) -> None:
        self._notices = notices
        self._unusual = unusual

    def ListNotices(
        self, request: notices_pb2.ListNoticesRequest, context: grpc.ServicerContext
    ) -> notices_pb2.ListNoticesResponse:
        """See notices.proto."""
        size = convert.page_size(request.page_size, 100, 1000)
        party = call_of(context).caller.party
        at = convert.index_of(request.page_token)
        page: list[notices_pb2.Notice] = []
        weight = 0
        while len(page) < size and weight < _PAGE_BYTES:
            found = self._notices.listed(party, after=at, limit=1, unacknowledged=request.unacknowledged)
            if not found:
                return notices_pb2.ListNoticesResponse(notices=page)
            at = found[0].stored.entry
            page.append(_message(found[0]))
            weight += page[-1].ByteSize()
        return notices_pb2.ListNoticesResponse(notices=page, next_page_token=convert.make_page_token(str(at)))

    def AcknowledgeNotice(
        self, request: notices_pb2.AcknowledgeNoticeRequest, context: grpc.ServicerContext
    ) -> notices_pb2.AcknowledgeNoticeResponse:
        """See notices.proto."""
        receipt = self._notices.acknowledge(call_of(context).caller, convert.signed(request.signed, "signed"))
        return notices_pb2.AcknowledgeNoticeResponse(receipt=convert.receipt_message(receipt))

    def ExplainUnusualUse(
        self, request: notices_pb2.ExplainUnusualUseRequest, context: grpc.ServicerContext
    ) -> notices_pb2.ExplainUnusualUseResponse:
        """See notices.proto."""
        receipt = self._unusual.explain(call_of(context).caller, convert.signed(request.signed, "signed"))
        return notices_pb2.ExplainUnusualUseResponse(receipt=convert.receipt_message(receipt))


def position_opening(message: common_pb2.Opening) -> tuple[bytes, bytes]:
    """What opens a commitment to a position, within bounds. Raises LENGTH_WRONG, FIELD_TOO_LONG."""
    if len(message.salt) != 32:
        raise field_error(Code.LENGTH_WRONG, "position.salt", "has 32 bytes")
    if not 1 <= len(message.value) <= MAX_POSITION_BYTES:
        raise field_error(Code.FIELD_TOO_LONG, "position.value", f"has 1 to {MAX_POSITION_BYTES} bytes")
    return message.salt, message.value


def _message(notice: Notice) -> notices_pb2.Notice:
    return notices_pb2.Notice(
        notice=notice.stored.notice,
        kind=_KINDS[notice.what],
        noticed_at=convert.timestamp(notice.at),
        purpose=notice.purpose,
        epoch=notice.epoch,
        scheme=notice.scheme,
        signed=convert.signed_message(notice.signed),
        receipt=convert.receipt_message(notice.receipt),
        exchanges=map(_exchange, notice.exchanges),
        record=common_pb2.Opening(salt=notice.record[0], value=notice.record[1]) if notice.record else None,
        acknowledged=notice.stored.acknowledged,
        resolved=notice.resolved,
    )


def _exchange(touched: NoticedExchange) -> notices_pb2.NoticedExchange:
    return notices_pb2.NoticedExchange(
        exchange=touched.exchange,
        ask_index=touched.ask_index,
        asked_at=convert.timestamp(touched.asked_at),
        positions=b"".join(position.to_bytes(4, "little") for position in touched.positions or ()),
        certain=touched.certain,
    )
