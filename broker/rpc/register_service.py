"""RegisterService: for answerers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import grpc
from sluis.v1 import register_pb2, register_pb2_grpc

from broker.canaries import MOST_CANARIES, Canaries
from broker.errors import Code, SluisError, field_error
from broker.exchange import PSEUDONYM_BYTES, Question, UploadSpec
from broker.live import LiveDesk, Offer, read_live_answer
from broker.parties import Caller
from broker.ports import Clock, LogReader
from broker.publication import BeginUpload, Publication
from broker.rectifying import Rectification
from broker.rpc import convert
from broker.rpc.interceptors import StreamSlots, call_of, check_alive
from broker.rpc.live_questions import live_question

MAX_MATCH_KEYS = 64
MOST_WAIT = 20
"""Seconds."""


class RegisterServicer(register_pb2_grpc.RegisterServiceServicer):
    """Translates and delegates to the publication."""

    def __init__(
        self,
        *,
        publication: Publication,
        rectification: Rectification,
        canaries: Canaries,
        desk: LiveDesk,
        widths: Callable[[tuple[str, ...]], tuple[int, ...]],
        pollers: StreamSlots,
        reader: LogReader,
        clock: Clock,
        slots: StreamSlots,
        grid: Callable[[datetime], None],
    ) -> None:
        self._publication = publication
        self._rectification = rectification
        self._canaries = canaries
        self._desk = desk
        self._widths = widths
        self._pollers = pollers
        self._reader = reader
        self._clock = clock
        self._slots = slots
        self._grid = grid

    def BeginRegister(
        self, request: register_pb2.BeginRegisterRequest, context: grpc.ServicerContext
    ) -> register_pb2.BeginRegisterResponse:
        """See register.proto."""
        call = call_of(context)
        request_id = convert.text(request.request_id, "request_id", "uuid")
        call.request_id(request_id)
        attributes = convert.names(request.attributes, "attributes", low=0, high=100)
        if list(attributes) != sorted(attributes):
            raise field_error(Code.FIELD_INVALID, "attributes", "must be sorted")
        if not 1 <= request.match_keys <= MAX_MATCH_KEYS:
            raise field_error(Code.FIELD_INVALID, "match_keys", "is 1 to 64")
        begun = BeginUpload(
            request_id=request_id,
            purpose=convert.text(request.purpose, "purpose", "name"),
            epoch=convert.text(request.epoch, "epoch", "epoch"),
            key_id=convert.text(request.key_id, "key_id", "hex32"),
            scheme=convert.text(request.scheme, "scheme", "name"),
            match_keys=request.match_keys,
            attributes=attributes,
        )
        upload, committed = self._publication.begin(call.caller, begun)
        return register_pb2.BeginRegisterResponse(
            upload=upload.spec.upload,
            register=upload.spec.register,
            version=upload.spec.version,
            committed_rows=committed,
        )

    def UploadRows(
        self, request_iterator: Iterator[register_pb2.UploadRowsRequest], context: grpc.ServicerContext
    ) -> register_pb2.UploadRowsResponse:
        """See register.proto."""
        call = call_of(context)
        with self._slots.slot(call.caller.party):
            first = next(request_iterator, None)
            if first is None:
                raise SluisError(Code.STREAM_TRUNCATED, "the stream ended before its first message")
            name = convert.text(first.upload, "upload", "upload")
            upload = self._publication.upload(call.caller, name)
            committed = self._publication.committed(upload)
            message: register_pb2.UploadRowsRequest | None = first
            while message is not None:
                check_alive(context)
                if message.upload not in {"", name}:
                    raise field_error(Code.FIELD_INVALID, "upload", "must be the same in all messages of a stream")
                if not message.HasField("rows"):
                    raise field_error(Code.FIELD_MISSING, "rows", "is required")
                chunk = convert.register_chunk(message.rows, upload.spec)
                committed = self._publication.append(upload, message.rows.offset, chunk)
                message = next(request_iterator, None)
            return register_pb2.UploadRowsResponse(committed_rows=committed)

    def GetUpload(
        self, request: register_pb2.GetUploadRequest, context: grpc.ServicerContext
    ) -> register_pb2.GetUploadResponse:
        """See register.proto."""
        upload = self._publication.upload(call_of(context).caller, convert.text(request.upload, "upload", "upload"))
        return register_pb2.GetUploadResponse(
            upload=upload.spec.upload,
            register=upload.spec.register,
            version=upload.spec.version,
            committed_rows=self._publication.committed(upload),
            sealed=bool(upload.sealed),
        )

    def SealRegister(
        self, request: register_pb2.SealRegisterRequest, context: grpc.ServicerContext
    ) -> register_pb2.SealRegisterResponse:
        """See register.proto."""
        name = convert.text(request.upload, "upload", "upload")
        signed = convert.signed(request.manifest, "manifest")
        register, receipt = self._publication.seal(call_of(context).caller, name, signed)
        return register_pb2.SealRegisterResponse(
            register=convert.register_message(register, self._clock.now()), receipt=convert.receipt_message(receipt)
        )

    def WithdrawRegister(
        self, request: register_pb2.WithdrawRegisterRequest, context: grpc.ServicerContext
    ) -> register_pb2.WithdrawRegisterResponse:
        """See register.proto."""
        call = call_of(context)
        request_id = convert.text(request.request_id, "request_id", "uuid")
        call.request_id(request_id)
        name = convert.text(request.register, "register", "register")
        receipt = self._publication.withdraw(call.caller, name, request_id)
        return register_pb2.WithdrawRegisterResponse(receipt=convert.receipt_message(receipt))

    def GetRegister(
        self, request: register_pb2.GetRegisterRequest, context: grpc.ServicerContext
    ) -> register_pb2.GetRegisterResponse:
        """See register.proto."""
        register = self._reader.register(convert.text(request.register, "register", "register"))
        if register is None or register.manifest.answerer != call_of(context).caller.party:
            raise SluisError(Code.NOT_FOUND, "you have no register of that name; see ListRegisters")
        return register_pb2.GetRegisterResponse(register=convert.register_message(register, self._clock.now()))

    def ListRegisters(
        self, request: register_pb2.ListRegistersRequest, context: grpc.ServicerContext
    ) -> register_pb2.ListRegistersResponse:
        """See register.proto."""
        size = convert.page_size(request.page_size, 100, 1000)
        after = convert.page_token(request.page_token)
        found = self._reader.registers_of(call_of(context).caller.party, after=after, limit=size)
        now = self._clock.now()
        token = convert.make_page_token(found[-1].name) if len(found) == size else ""
        return register_pb2.ListRegistersResponse(
            registers=[convert.register_message(register, now) for register in found], next_page_token=token
        )

    def CorrectRecord(
        self, request: register_pb2.CorrectRecordRequest, context: grpc.ServicerContext
    ) -> register_pb2.CorrectRecordResponse:
        """See register.proto."""
        call, arrived = call_of(context), self._clock.now()
        signed = convert.signed(request.signed, "signed")
        if len(request.record_salt) != 32:
            raise field_error(Code.LENGTH_WRONG, "record_salt", "has 32 bytes")
        if not 1 <= len(request.record) <= MAX_MATCH_KEYS:
            raise field_error(Code.COUNT_WRONG, "record", "has one column for each match key")
        record = Question(convert.pseudonym_columns(request.record, len(request.record), "record"))
        with self._slots.slot(call.caller.party):
            done = self._rectification.correct(call.caller, signed, request.record_salt, record)
        self._grid(
            arrived
        )  # to look an answer up takes time, and only a question that held the record has it looked up
        return register_pb2.CorrectRecordResponse(
            receipt=convert.receipt_message(done.receipt),
            searched=done.searched,
            unsearched=done.unsearched,
        )

    def SetCanaries(
        self, request: register_pb2.SetCanariesRequest, context: grpc.ServicerContext
    ) -> register_pb2.SetCanariesResponse:
        """See register.proto."""
        call = call_of(context)
        signed = convert.signed(request.signed, "signed")
        if len(request.canaries_salt) != 32:
            raise field_error(Code.LENGTH_WRONG, "canaries_salt", "has 32 bytes")
        if len(request.columns) > MAX_MATCH_KEYS:
            raise field_error(Code.COUNT_WRONG, "columns", "has one column for each match key")
        if any(len(column.pseudonyms) > MOST_CANARIES * PSEUDONYM_BYTES for column in request.columns):
            raise field_error(Code.COUNT_WRONG, "columns", f"has at most {MOST_CANARIES} rows")
        columns = convert.pseudonym_columns(request.columns, len(request.columns), "columns") if request.columns else ()
        canaries = Question(columns) if columns else None
        receipt = self._canaries.set(call.caller, signed, request.canaries_salt, canaries)
        return register_pb2.SetCanariesResponse(receipt=convert.receipt_message(receipt))

    def TakeQuestion(
        self, request: register_pb2.TakeQuestionRequest, context: grpc.ServicerContext
    ) -> register_pb2.TakeQuestionResponse:
        """See register.proto."""
        caller, purpose = call_of(context).caller, convert.text(request.purpose, "purpose", "name")
        if request.wait_seconds > MOST_WAIT:
            raise field_error(Code.FIELD_INVALID, "wait_seconds", f"is at most {MOST_WAIT}")
        offer = self._take(caller, purpose, request.wait_seconds)
        if offer is not None and not context.is_active():
            self._desk.put_back(offer)
        check_alive(context)
        return register_pb2.TakeQuestionResponse(question=live_question(offer) if offer else None)

    def _take(self, caller: Caller, purpose: str, seconds: int) -> Offer | None:
        if seconds:
            try:
                with self._pollers.slot(caller.party):
                    return self._desk.take(caller, purpose, seconds)
            except SluisError as error:
                if error.code is not Code.TOO_MANY_STREAMS:
                    raise
        return self._desk.take(caller, purpose, 0)  # whoever waits holds a worker, so only some may

    def AnswerQuestion(
        self, request: register_pb2.AnswerQuestionRequest, context: grpc.ServicerContext
    ) -> register_pb2.AnswerQuestionResponse:
        """See register.proto."""
        caller = call_of(context).caller
        signed = convert.signed(request.signed, "signed")
        if len(request.rows_salt) != 32:
            raise field_error(Code.LENGTH_WRONG, "rows_salt", "has 32 bytes")
        offer = self._desk.offer_of(caller, signed)
        chunk = None
        if request.HasField("rows"):
            asked = offer.statement
            keys, attributes = len(request.rows.columns), asked.want.attributes
            if request.rows.offset:
                raise field_error(Code.OFFSET_WRONG, "rows.offset", "is 0: an answer has one run")
            if keys != read_live_answer(signed, self._desk.scope).match_keys:
                raise field_error(Code.COUNT_WRONG, "rows.columns", "has one column for each match key")
            spec = UploadSpec("", "", 1, keys, attributes, self._widths(attributes))
            chunk = convert.register_chunk(request.rows, spec)
        receipt = self._desk.answer(caller, offer, signed, request.rows_salt, chunk)
        return register_pb2.AnswerQuestionResponse(receipt=convert.receipt_message(receipt) if receipt else None)
