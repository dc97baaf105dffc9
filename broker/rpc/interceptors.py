"""One interceptor around every call: who calls, by when, what went wrong, and how it is told.

No exception's text leaves the house except that of the error family: everything else becomes INTERNAL with an incident
id, and the log gets the type, never the text.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from broker.errors import Code, Kind, SluisError
from broker.parties import Caller
from broker.ports import Clock
from broker.rpc.identity import AuthContext, Identity

log = structlog.get_logger("broker.rpc")

MAX_UNARY_SECONDS = 300
MAX_STREAM_SECONDS = 900
MAX_MESSAGE = 1024 * 1024
"""Bytes of one request message (notes/grpc.md)."""
MAX_VIOLATIONS = 20
"""Details travel in trailers, which gRPC caps at 16 KiB (notes/grpc.md)."""

_CANCELLATION_SECONDS = 0.5
"""How long a stream's early end may turn out to be a cancelled call."""

_STATUS = {kind: getattr(grpc.StatusCode, kind.value) for kind in Kind}
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_HOUSE_TROUBLE = frozenset(
    {Kind.UNAVAILABLE, Kind.UNKNOWN, Kind.INTERNAL, Kind.EXHAUSTED, Kind.ABORTED, Kind.DATA_LOSS, Kind.UNIMPLEMENTED}
)
_LOGGED_ALL_THE_SAME = frozenset({Code.TOO_LARGE, Code.QUOTA_SPENT})
"""Of the codes that mean trouble in the house, those that tell of the caller."""


@dataclass(frozen=True)
class Call:
    """What a servicer may know of its call."""

    caller: Caller
    rpc: str
    trace_id: str | None
    context: grpc.ServicerContext

    def request_id(self, request_id: str) -> None:
        """Tells which request this is, so that a refusal is logged with it."""
        _notes[id(self.context)] = request_id


_calls: dict[int, Call] = {}
_notes: dict[int, str] = {}


def call_of(context: grpc.ServicerContext) -> Call:
    """The call that the interceptor resolved for this context."""
    return _calls[id(context)]


class StreamSlots:
    """How many streams may be open: in all and per party. A full house answers at once instead of queueing."""

    def __init__(self, total: int, per_party: int) -> None:
        self._free = total
        self._per_party = per_party
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, party: str) -> Iterator[None]:
        """Holds a slot. Raises TOO_MANY_STREAMS."""
        with self._lock:
            mine = self._open.get(party, 0)
            if self._free <= 0 or mine >= self._per_party:
                raise SluisError(
                    Code.TOO_MANY_STREAMS, "too many streams at once; finish one or wait", retry_after_ms=1000
                )
            self._free -= 1
            self._open[party] = mine + 1
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._open[party] -= 1


class Edge(grpc.ServerInterceptor):
    """Wraps every `sluis.v1` method; others (health) pass through."""

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        on_refusal: Callable[[Caller, str, Code, str | None], None],
        on_call: Callable[[str, str, float], None],
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._on_refusal = on_refusal
        self._on_call = on_call

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Replaces the handler's behaviour by the guarded one, of the same kind."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith("/sluis.v1."):
            return handler
        rpc = method.removeprefix("/sluis.v1.")
        codecs = {
            "request_deserializer": _reading(handler.request_deserializer),
            "response_serializer": handler.response_serializer,
        }
        streams = handler.request_streaming or handler.response_streaming
        limit = MAX_STREAM_SECONDS if streams else MAX_UNARY_SECONDS
        if handler.response_streaming:
            behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
            wrap = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return wrap(self._guard_stream(rpc, behaviour, limit), **codecs)
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        wrap = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return wrap(self._guard_unary(rpc, behaviour, limit), **codecs)

    def _guard_unary(self, rpc: str, behaviour: Any, limit: int) -> Any:
        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            with self._guard(rpc, context, limit):
                return behaviour(_readable(request), context)

        return guarded

    def _guard_stream(self, rpc: str, behaviour: Any, limit: int) -> Any:
        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._guard(rpc, context, limit):
                yield from behaviour(_readable(request), context)

        return guarded

    @contextmanager
    def _guard(self, rpc: str, context: grpc.ServicerContext, limit: int) -> Iterator[None]:
        began = time.monotonic()
        caller: Caller | None = None
        outcome = "OK"
        try:
            caller = self._identity.resolve(cast("AuthContext", context.auth_context()), self._clock.now())
            _check_deadline(context, limit)
            _calls[id(context)] = Call(caller, rpc, _trace_id(context), context)
            yield
        except SluisError as error:
            if error.code is Code.STREAM_TRUNCATED and _went_away(context):
                outcome = "CANCELLED"
                _abort(context, error)
            outcome = error.code.name
            self._refused(caller, rpc, error, _notes.get(id(context)))
            _abort(context, error)
        except GeneratorExit:
            outcome = "CANCELLED"
            raise
        except grpc.RpcError:  # the caller went away in the middle of its stream: nobody is left to tell
            outcome = "CANCELLED"
            text = "the stream ended before the call did; repeat the same request"
            _abort(context, SluisError(Code.STREAM_TRUNCATED, text))
        except Exception as error:  # noqa: BLE001 - the one catch-all: no other text may leave
            outcome = "INTERNAL"
            incident = str(uuid.uuid4())
            log.error("incident", rpc=rpc, incident=incident, type=_type_chain(error))
            text = f"something went wrong inside the broker; tell the operator incident {incident}"
            _abort(context, SluisError(Code.INTERNAL, text, metadata={"incident": incident}))
        finally:
            _calls.pop(id(context), None)
            _notes.pop(id(context), None)
            self._on_call(rpc, outcome, time.monotonic() - began)

    def _refused(self, caller: Caller | None, rpc: str, error: SluisError, request_id: str | None) -> None:
        party = caller.party if caller else None
        log.info("refused", rpc=rpc, code=error.code.name, party=party)
        if caller is not None and (error.code in _LOGGED_ALL_THE_SAME or error.code.kind not in _HOUSE_TROUBLE):
            try:
                self._on_refusal(caller, rpc, error.code, request_id)
            except Exception as trouble:  # noqa: BLE001 - the caller hears its refusal; no other text may leave
                log.error("refusal not logged", rpc=rpc, code=error.code.name, type=_type_chain(trouble))


def _went_away(context: grpc.ServicerContext) -> bool:
    """Whether the caller cancelled: gRPC may tell the end of its stream a moment before it tells that."""
    ended = threading.Event()
    return not context.add_callback(ended.set) or ended.wait(_CANCELLATION_SECONDS)


def _reading(deserialise: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    """Turns what cannot be read into a refusal in the message's place: gRPC would answer INTERNAL by itself."""

    assert deserialise is not None, "generated handlers have one"

    def read(data: bytes) -> Any:
        if len(data) > MAX_MESSAGE:
            return SluisError(Code.TOO_LARGE, f"a message has at most {MAX_MESSAGE} bytes; send several")
        try:
            return deserialise(data)
        except Exception:  # noqa: BLE001 - whatever it is, the bytes are not the message
            return SluisError(Code.MESSAGE_INVALID, "the bytes are no message of this method; use sluis.v1")

    return read


def _readable(request: Any) -> Any:
    """The request, or the stream of requests, without those that could not be read: they raise."""
    if isinstance(request, Message):
        return request
    if isinstance(request, SluisError):
        raise request
    return _each_readable(request)


def _each_readable(requests: Iterator[Any]) -> Iterator[Any]:
    for one in requests:
        if isinstance(one, SluisError):
            raise one
        yield one


def status_of(error: SluisError) -> status_pb2.Status:
    """The google.rpc.Status of an error: ErrorInfo always, every detail type at most once (AIP-193)."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.code.name, domain="sluis", metadata=error.metadata)]
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=item.field, description=item.description)
            for item in error.violations[:MAX_VIOLATIONS]
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after_ms is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error.retry_after_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=_STATUS[error.code.kind].value[0], message=error.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _abort(context: grpc.ServicerContext, error: SluisError) -> None:
    context.set_trailing_metadata((("grpc-status-details-bin", status_of(error).SerializeToString()),))
    context.abort(_STATUS[error.code.kind], error.message)


_ROUNDED_UP = 1.0
"""Seconds that gRPC may add to a deadline: it writes those of 100 seconds and more in coarser units, rounded up."""


def _check_deadline(context: grpc.ServicerContext, limit: int) -> None:
    left = context.time_remaining()
    if left is None or left > 10**8:
        raise SluisError(Code.DEADLINE_REQUIRED, f"set a deadline of at most {limit} seconds on the call")
    if left >= limit + _ROUNDED_UP:
        raise SluisError(Code.DEADLINE_TOO_LONG, f"set a deadline of at most {limit} seconds on the call")


def check_alive(context: grpc.ServicerContext) -> None:
    """Ends the work of a caller that has gone or whose time is up. Raises DEADLINE_PASSED."""
    if not context.is_active() or (context.time_remaining() or 0) <= 0:
        raise SluisError(
            Code.DEADLINE_PASSED, "the call's deadline passed before the answer was ready; allow more time"
        )


def _trace_id(context: grpc.ServicerContext) -> str | None:
    for key, value in context.invocation_metadata():
        if key == "traceparent" and isinstance(value, str) and (match := _TRACEPARENT.fullmatch(value)):
            return match.group(1)
    return None


def _type_chain(error: BaseException) -> str:
    """The exception's types and where it rose, without a word of its text."""
    names: list[str] = []
    step: BaseException | None = error
    while step is not None and len(names) < 5:
        frame = step.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else "?"
        names.append(f"{type(step).__name__}@{where}")
        step = step.__cause__ or step.__context__
    return " < ".join(names)
