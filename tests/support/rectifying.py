"""What a party sends to correct, dispute, report and acknowledge: at the wire, so that a test can bend every part."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any

from participant import TIMEOUT, Ask, Participant
from sluis.v1 import common_pb2, exchange_pb2, notices_pb2, notices_pb2_grpc, register_pb2
from sluis_client.canonical import commitment, tokens_value
from sluis_client.rectification_statements import (
    acknowledgement_statement,
    correction_statement,
    dispute_statement,
    outcome_statement,
)
from sluis_client.schemes import SCHEMES
from world import ORIGIN


class Rectifier:
    """One party's side of rectification."""

    def __init__(self, party: Participant) -> None:
        self.party = party
        self.notices = notices_pb2_grpc.NoticeServiceStub(party.world.channel(party.party))

    def _head(self) -> dict[str, Any]:
        return {"origin": ORIGIN, "environment": "test", "now": self.party.now()}

    def record(self, purpose: str, scheme: str, identifier: str) -> tuple[bytes, common_pb2.PseudonymColumn]:
        """A record's tokens value and column."""
        (column,) = self.party.pseudonymiser(purpose, scheme).columns([((identifier,),)], SCHEMES[scheme].match_keys)
        return tokens_value([column]), common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms)

    def correction(
        self,
        purpose: str,
        scheme: str,
        identifier: str,
        *,
        what: str = "corrected",
        reason: str = "wrong-value",
        dispute: str | None = None,
        epoch: str = "",
        **bend: Any,
    ) -> register_pb2.CorrectRecordRequest:
        """A request to correct a record; `bend` changes the statement."""
        value, column = self.record(purpose, scheme, identifier)
        salt = os.urandom(32)
        statement = correction_statement(
            **self._head(),
            request_id=str(uuid.uuid4()),
            answerer=self.party.party,
            purpose=purpose,
            epoch=epoch or self.party.context(purpose).epoch,
            scheme=scheme,
            match_keys=1,
            record=commitment("record", salt, value),
            what=what,
            reason=reason,
            dispute=dispute,
        )
        signed = self.party.signed({**statement, **bend})
        return register_pb2.CorrectRecordRequest(signed=signed, record_salt=salt, record=[column])

    def correct(self, request: register_pb2.CorrectRecordRequest) -> register_pb2.CorrectRecordResponse:
        """Sends it."""
        return self.party.registers.CorrectRecord(request, timeout=TIMEOUT)

    def _of_hit(self, ask: Ask, position: int, bend: Mapping[str, Any]) -> tuple[dict[str, Any], common_pb2.Opening]:
        salt, value = os.urandom(32), str(position).encode()
        about = {
            "request_id": str(uuid.uuid4()),
            "asker": self.party.party,
            "answerer": ask.statement["answerers"][0],
            "exchange": ask.statement["request_id"],
            "position": commitment("position", salt, value),
        }
        return {**self._head(), **about, **bend}, common_pb2.Opening(salt=salt, value=value)

    def dispute_request(
        self, ask: Ask, position: int, reason: str = "wrong-value", **bend: Any
    ) -> exchange_pb2.DisputeHitRequest:
        """A request to dispute a hit."""
        members, opening = self._of_hit(ask, position, bend)
        signed = self.party.signed(dispute_statement(reason=reason, **members))
        return exchange_pb2.DisputeHitRequest(signed=signed, position=opening)

    def dispute(self, request: exchange_pb2.DisputeHitRequest) -> exchange_pb2.DisputeHitResponse:
        """Sends it."""
        return self.party.exchanges.DisputeHit(request, timeout=TIMEOUT)

    def report_request(
        self, ask: Ask, position: int, outcome: str = "rejected", **bend: Any
    ) -> exchange_pb2.ReportOutcomeRequest:
        """A report of what a person found."""
        members, opening = self._of_hit(ask, position, bend)
        signed = self.party.signed(outcome_statement(outcome=outcome, role="inspector", **members))
        return exchange_pb2.ReportOutcomeRequest(signed=signed, position=opening)

    def report(
        self, ask: Ask, position: int, outcome: str = "rejected", **bend: Any
    ) -> exchange_pb2.ReportOutcomeResponse:
        """Reports what a person found."""
        request = self.report_request(ask, position, outcome, **bend)
        return self.party.exchanges.ReportOutcome(request, timeout=TIMEOUT)

    def listed(self, *, unacknowledged: bool = False) -> list[notices_pb2.Notice]:
        """All its notices, two a page."""
        found: list[notices_pb2.Notice] = []
        token = ""
        while True:
            request = notices_pb2.ListNoticesRequest(page_size=2, page_token=token, unacknowledged=unacknowledged)
            page = self.notices.ListNotices(request, timeout=TIMEOUT)
            found += page.notices
            token = page.next_page_token
            if not token:
                return found

    def acknowledge_request(
        self, notice: str, done: str = "noted", **bend: Any
    ) -> notices_pb2.AcknowledgeNoticeRequest:
        """What takes note."""
        statement = acknowledgement_statement(**self._head(), party=self.party.party, notice=notice, done=done)
        return notices_pb2.AcknowledgeNoticeRequest(signed=self.party.signed({**statement, **bend}))

    def acknowledge(self, notice: str, done: str = "noted", **bend: Any) -> notices_pb2.AcknowledgeNoticeResponse:
        """Takes note."""
        request = self.acknowledge_request(notice, done, **bend)
        return self.notices.AcknowledgeNotice(request, timeout=TIMEOUT)
