"""ExchangeService: for askers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from itertools import groupby

import grpc
from sluis.v1 import exchange_pb2, exchange_pb2_grpc

from broker.asking import AskGate, bound_asks, suspended
from broker.coordinator import Coordinator
from broker.disputing import Disputing
from broker.errors import Code, SluisError, field_error
from broker.exchange import AskStatement, ExchangeState, Question, RegisterVersion, Want
from broker.exchange_log.append import Sequencer
from broker.parties import Caller
from broker.policy.document import PolicySet, Purpose
from broker.policy.evaluate import Decision, Request, epoch_of, next_midnight
from broker.ports import Clock, LogReader, Transaction
from broker.questions import Opened, is_live, requests_counter
from broker.rpc import convert
from broker.rpc.interceptors import Call, StreamSlots, call_of, check_alive
from broker.rpc.notice_service import position_opening
from broker.statements import MAX_ANSWERERS, Scope, read_ask, signer_of

TAKEN_UNSEEN = 4096
"""Pseudonyms taken in before the head is judged; a larger question is judged first, and a hopeless one not read."""


class ExchangeServicer(exchange_pb2_grpc.ExchangeServiceServicer):
    """Translates and delegates to the coordinator."""

    def __init__(
        self,
        *,
        coordinator: Coordinator,
        disputing: Disputing,
        gate: AskGate,
        sequencer: Sequencer,
        reader: LogReader,
        bundle: Callable[[str], bytes | None],
        scope: Scope,
        clock: Clock,
        slots: StreamSlots,
        bulk: StreamSlots,
        bulk_from: int,
        live: StreamSlots,
        certificate_of: Callable[[RegisterVersion], bytes],
        grid: Callable[[datetime], None],
    ) -> None:
        self._coordinator = coordinator
        self._disputing = disputing
        self._gate = gate
        self._sequencer = sequencer
        self._reader = reader
        self._bundle = bundle
        self._scope = scope
        self._clock = clock
        self._slots = slots
        self._bulk = bulk
        self._bulk_from = bulk_from
        self._live = live
        self._certificate_of = certificate_of
        self._grid = grid

    def Match(
        self, request_iterator: Iterator[exchange_pb2.MatchRequest], context: grpc.ServicerContext
    ) -> Iterator[exchange_pb2.MatchResponse]:
        """See exchange.proto. Nothing that depends on rows is yielded before the caller has half-closed."""
        call = call_of(context)
        with self._slots.slot(call.caller.party):
            arrived = self._clock.now()
            caller, statement, opened, reader = self._head(call, request_iterator)
            call = replace(call, caller=caller)
            if statement.subjects * statement.match_keys > TAKEN_UNSEEN and self._gate.hopeless(
                self._reader, statement, arrived
            ):
                yield from self._answers(call, statement, opened, None, arrived)
                return
            for message in request_iterator:
                if message.WhichOneof("part") != "rows":
                    raise SluisError(Code.STREAM_ORDER, "every message after the first holds `rows`")
                reader.add(message.rows)
            check_alive(call.context)
            question = reader.question()
            with self._lane(statement):
                yield from self._answers(call, statement, opened, question, arrived)

    def _lane(self, statement: AskStatement) -> AbstractContextManager[None]:
        policies = self._gate.policies()
        if any(is_live(policies, statement.purpose, answerer) for answerer in statement.answerers):
            return self._live.slot(statement.asker)  # it waits for somebody, and holds a worker meanwhile
        return self._bulk.slot("bulk") if statement.subjects >= self._bulk_from else nullcontext()

    def _head(
        self, call: Call, messages: Iterator[exchange_pb2.MatchRequest]
    ) -> tuple[Caller, AskStatement, Opened, convert.QuestionReader]:
        first = next(messages, None)
        if first is None or first.WhichOneof("part") != "ask":
            raise SluisError(Code.STREAM_ORDER, "the first message of a question holds `ask`")
        signed = convert.signed(first.ask.signed, "ask.signed")
        statement = read_ask(signed, self._scope)
        call.request_id(statement.request_id)
        caller = signer_of(signed, call.caller)
        if statement.asker != caller.party:
            raise SluisError(Code.NOT_YOURS, "the statement's asker is not the party this connection belongs to")
        opened = convert.opened(first.ask, statement)
        return caller, statement, opened, convert.QuestionReader(statement, opened)

    def _answers(
        self, call: Call, statement: AskStatement, opened: Opened, question: Question | None, arrived: datetime
    ) -> Iterator[exchange_pb2.MatchResponse]:
        policies = self._gate.policies()
        for answer in self._coordinator.ask(call.caller, statement, opened, question, call.trace_id):
            self._grid(arrived)
            certificate = self._certificate_of(answer.register) if answer.register else b""
            for part in convert.answer_messages(answer, policies, statement.purpose, certificate):
                check_alive(call.context)
                yield part

    def CheckRequest(
        self, request: exchange_pb2.CheckRequestRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.CheckRequestResponse:
        """See exchange.proto."""
        call = call_of(context)
        now = self._clock.now()
        policies = self._gate.policies()
        asked = self._dry_requests(call, request, policies, now)
        decisions = [
            self._gate.dry_run(
                self._reader,
                one,
                case_number=request.case_number,
                cooperation_ref=request.cooperation_ref,
                now=now,
            )
            for one in asked
        ]
        self._log_evaluation(call, asked, decisions, now)
        return exchange_pb2.CheckRequestResponse(
            decisions=[
                exchange_pb2.AnswererDecision(
                    answerer=one.answerer,
                    decision=convert.decision_message(decision, policies, one.purpose, policies.digest),
                )
                for one, decision in zip(asked, decisions, strict=True)
            ]
        )

    def _dry_requests(
        self, call: Call, request: exchange_pb2.CheckRequestRequest, policies: PolicySet, now: datetime
    ) -> list[Request]:
        purpose = convert.text(request.purpose, "purpose", "name")
        known = policies.purposes.get(purpose)
        epoch = convert.text(request.epoch, "epoch", "epoch", optional=True)
        if not request.HasField("want"):
            raise field_error(Code.FIELD_MISSING, "want", "say what you would learn: hit, count or attributes")
        attributes = convert.names(request.want.attributes, "want.attributes", low=0, high=100)
        if not 1 <= request.match_keys <= 64:
            raise field_error(Code.FIELD_INVALID, "match_keys", "is 1 to 64")
        if not 1 <= request.subjects <= 100_000_000:
            raise field_error(Code.FIELD_INVALID, "subjects", "is 1 to 100000000")
        convert.free_text(request.case_number, "case_number", convert.MAX_CASE_NUMBER_BYTES)
        convert.free_text(request.cooperation_ref, "cooperation_ref", convert.MAX_COOPERATION_REF_BYTES)
        return [
            Request(
                asker=call.caller.party,
                principal=convert.text(request.principal, "principal", "name", optional=True) or None,
                answerer=answerer,
                purpose=purpose,
                epoch=epoch or (epoch_of(known, now).name if known else ""),
                scheme=convert.text(request.scheme, "scheme", "name"),
                match_keys=request.match_keys,
                want=Want(request.want.hit, request.want.count, tuple(sorted(attributes))),
                subjects=request.subjects,
            )
            for answerer in convert.names(request.answerers, "answerers", low=1, high=MAX_ANSWERERS)
        ]

    def _log_evaluation(self, call: Call, asked: list[Request], decisions: list[Decision], now: datetime) -> None:
        body = {
            "party": call.caller.party,
            "purpose": asked[0].purpose,
            "answerers": [one.answerer for one in asked],
            "decided_at": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "effects": ["permit" if decision.permitted else "deny" for decision in decisions],
        }

        def work(tx: Transaction) -> int:
            bound_asks(tx, call.caller.party, len(asked), now)
            return tx.append("evaluation", body)

        self._sequencer.submit(work)

    def ListPurposes(
        self, request: exchange_pb2.ListPurposesRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.ListPurposesResponse:
        """See exchange.proto."""
        party = call_of(context).caller.party
        policies = self._gate.policies()
        size = convert.page_size(request.page_size, 50, 100)
        after = convert.page_token(request.page_token)
        mine = [
            name
            for name, purpose in sorted(policies.purposes.items())
            if name > after and party in policies.participants(purpose)
        ]
        page = [self._purpose(policies, policies.purposes[name]) for name in mine[:size]]
        token = convert.make_page_token(mine[size - 1]) if len(mine) > size else ""
        return exchange_pb2.ListPurposesResponse(purposes=page, next_page_token=token)

    def GetPurpose(
        self, request: exchange_pb2.GetPurposeRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.GetPurposeResponse:
        """See exchange.proto. A purpose the caller has no part in is not found."""
        policies = self._gate.policies()
        purpose = policies.purposes.get(convert.text(request.purpose, "purpose", "name"))
        if purpose is None or call_of(context).caller.party not in policies.participants(purpose):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you take part in no purpose of that name; see ListPurposes")
        return exchange_pb2.GetPurposeResponse(purpose=self._purpose(policies, purpose), policy_set=policies.digest)

    def GetPolicySet(
        self, request: exchange_pb2.GetPolicySetRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.GetPolicySetResponse:
        """See exchange.proto."""
        digest = convert.text(request.digest, "digest", "hex64", optional=True)
        stored = self._bundle(digest or self._gate.policies().digest)
        if stored is None:
            raise SluisError(Code.NOT_FOUND, "no policy set of that digest is in the archive")
        return exchange_pb2.GetPolicySetResponse(bundle=stored)

    def GetBudget(
        self, request: exchange_pb2.GetBudgetRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.GetBudgetResponse:
        """See exchange.proto."""
        party = call_of(context).caller.party
        policies = self._gate.policies()
        purpose = policies.purposes.get(convert.text(request.purpose, "purpose", "name"))
        if purpose is None or party not in policies.participants(purpose):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you take part in no purpose of that name; see ListPurposes")
        now = self._clock.now()
        spent = self._reader.spent(requests_counter(party, purpose.purpose, now))
        limit = purpose.limits.requests_per_day
        return exchange_pb2.GetBudgetResponse(
            requests_per_day=limit,
            requests_left=max(0, limit - spent),
            resets_at=convert.timestamp(next_midnight(now)),
        )

    def GetExchange(
        self, request: exchange_pb2.GetExchangeRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.GetExchangeResponse:
        """See exchange.proto."""
        exchange = convert.text(request.exchange, "exchange", "uuid")
        states = self._reader.exchange(call_of(context).caller.party, exchange)
        if not states:
            raise SluisError(Code.NOT_FOUND, "you have no exchange of that id; see ListExchanges")
        return exchange_pb2.GetExchangeResponse(exchange=_summary(list(states)))

    def ListExchanges(
        self, request: exchange_pb2.ListExchangesRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.ListExchangesResponse:
        """See exchange.proto."""
        size = convert.page_size(request.page_size, 100, 1000)
        before = convert.index_of(request.page_token)
        purpose = convert.text(request.purpose, "purpose", "name", optional=True)
        asker = call_of(context).caller.party
        states = self._reader.exchanges(asker, purpose=purpose, before=before, limit=size)
        summaries = []
        for exchange, _ in groupby(states, key=lambda state: state.exchange):
            summaries.append(_summary(list(self._reader.exchange(asker, exchange))))
        token = ""
        if len(states) == size:
            token = convert.make_page_token(str(min(answerer.ask_index for answerer in summaries[-1].answerers)))
        return exchange_pb2.ListExchangesResponse(exchanges=summaries, next_page_token=token)

    def DisputeHit(
        self, request: exchange_pb2.DisputeHitRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.DisputeHitResponse:
        """See exchange.proto."""
        signed, position = convert.signed(request.signed, "signed"), position_opening(request.position)
        notice, receipt = self._disputing.dispute(call_of(context).caller, signed, position)
        return exchange_pb2.DisputeHitResponse(notice=notice, receipt=convert.receipt_message(receipt))

    def ReportOutcome(
        self, request: exchange_pb2.ReportOutcomeRequest, context: grpc.ServicerContext
    ) -> exchange_pb2.ReportOutcomeResponse:
        """See exchange.proto."""
        signed, position = convert.signed(request.signed, "signed"), position_opening(request.position)
        receipt = self._disputing.report_outcome(call_of(context).caller, signed, position)
        return exchange_pb2.ReportOutcomeResponse(receipt=convert.receipt_message(receipt))

    def _purpose(self, policies: PolicySet, purpose: Purpose) -> exchange_pb2.Purpose:
        attributes = []
        for name in purpose.may_learn.attributes:
            attribute = policies.catalogue.attributes[name]
            attributes.append(
                exchange_pb2.Attribute(
                    name=name,
                    width=attribute.width,
                    type=attribute.type,
                    meaning_nl=attribute.meaning.nl,
                    meaning_en=attribute.meaning.en,
                )
            )
        return exchange_pb2.Purpose(
            name=purpose.purpose,
            title_nl=purpose.title.nl,
            title_en=purpose.title.en,
            state="suspended" if purpose.state == "active" and self._is_suspended(purpose) else purpose.state,
            asks=purpose.asks,
            answers=purpose.answers,
            about=purpose.about,
            schemes=purpose.identified_by,
            hit=purpose.may_learn.hit,
            count=purpose.may_learn.count is not None,
            attributes=attributes,
            mode=purpose.pseudonyms.mode,
            epoch=epoch_of(purpose, self._clock.now()).name,
            steward=purpose.pseudonyms.steward,
            subjects_per_request=purpose.limits.subjects_per_request,
            requests_per_day=purpose.limits.requests_per_day,
            case_number_required=purpose.case_number == "required",
            cooperation_ref_required=purpose.cooperation_ref == "required",
            answer_keep_days=purpose.answer_keep_days,
        )

    def _is_suspended(self, purpose: Purpose) -> bool:
        return suspended(self._reader, purpose) is not None


def _summary(states: list[ExchangeState]) -> exchange_pb2.ExchangeSummary:
    return exchange_pb2.ExchangeSummary(
        exchange=states[0].exchange,
        purpose=states[0].purpose,
        asked_at=convert.timestamp(states[0].asked_at),
        answerers=[
            exchange_pb2.AnswererState(
                answerer=state.answerer,
                status=convert.answer_status(state.status),
                ask_index=state.ask_index,
                release_index=state.release_index,
            )
            for state in states
        ],
    )
