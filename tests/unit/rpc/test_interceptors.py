"""The edge: what is told of an error, and what never leaves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from sluis.v1 import exchange_pb2
from stage import logs

from broker.errors import Code, Kind, SluisError, Violation, field_error
from broker.parties import Caller, Oin, PartyKind
from broker.rpc.interceptors import (
    MAX_MESSAGE,
    MAX_STREAM_SECONDS,
    MAX_UNARY_SECONDS,
    Edge,
    StreamSlots,
    call_of,
    check_alive,
    status_of,
)

CANARY = "999993653"
CALLER = Caller("nla", Oin("00000099000000101000"), PartyKind.PUBLIC, b"", "0" * 64)
REQUEST = exchange_pb2.GetBudgetRequest(purpose="snf-locatie")


class AbortedError(Exception):
    """What grpc's own `abort` raises: a bare exception."""


class Context:
    """A servicer context as grpc gives it."""

    def __init__(self, left: float | None = 10.0, metadata: tuple[tuple[str, Any], ...] = ()) -> None:
        self.left, self.metadata = left, metadata
        self.active = True
        self.trailers: dict[str, bytes] = {}
        self.code: grpc.StatusCode | None = None
        self.details = ""

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    def time_remaining(self) -> float | None:
        return self.left

    def invocation_metadata(self) -> tuple[tuple[str, Any], ...]:
        return self.metadata

    def is_active(self) -> bool:
        return self.active

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return self.active  # a call that has ended takes none

    def set_trailing_metadata(self, pairs: tuple[tuple[str, bytes], ...]) -> None:
        self.trailers = dict(pairs)

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details
        raise AbortedError

    @property
    def status(self) -> status_pb2.Status:
        return status_pb2.Status.FromString(self.trailers["grpc-status-details-bin"])

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        info = error_details_pb2.ErrorInfo()
        assert self.status.details[0].Unpack(info)
        return info


class World:
    """An edge whose identity, log and servicer are the test's."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, str, str, str | None]] = []
        self.calls: list[tuple[str, str]] = []
        self.identity_error: Exception | None = None
        self.refusal_error: Exception | None = None
        self.edge = Edge(
            SimpleNamespace(resolve=self._resolve),
            SimpleNamespace(now=lambda: datetime(2026, 11, 23, tzinfo=UTC)),
            self._refused,
            lambda rpc, outcome, seconds: self.calls.append((rpc, outcome)),
        )

    def _resolve(self, auth: object, now: datetime) -> Caller:
        if self.identity_error is not None:
            raise self.identity_error
        return CALLER

    def _refused(self, caller: Caller, rpc: str, code: Code, request_id: str | None) -> None:
        self.refusals.append((caller.party, rpc, code.name, request_id))
        if self.refusal_error is not None:
            raise self.refusal_error

    def handler(self, made: grpc.RpcMethodHandler, method: str = "/sluis.v1.ExchangeService/GetBudget") -> Any:
        return self.edge.intercept_service(lambda _: made, SimpleNamespace(method=method))

    def unary(self, behaviour: Callable[[Any, Any], Any], context: Context, request: object = REQUEST) -> Any:
        made = grpc.unary_unary_rpc_method_handler(behaviour, exchange_pb2.GetBudgetRequest.FromString)
        return self.handler(made).unary_unary(request, context)

    def stream(self, behaviour: Callable[[Any, Any], Any], context: Context, requests: list[Any]) -> list[Any]:
        made = grpc.stream_stream_rpc_method_handler(behaviour, exchange_pb2.MatchRequest.FromString)
        handler = self.handler(made, "/sluis.v1.ExchangeService/Match")
        return list(handler.stream_stream(iter(requests), context))


@pytest.fixture
def world() -> World:
    return World()


def raising(error: Exception) -> Callable[[Any, Any], Any]:
    def behaviour(request: object, context: object) -> Any:
        raise error

    return behaviour


def test_a_good_call_goes_through_with_its_caller(world: World) -> None:
    seen = []

    def behaviour(request: object, context: Any) -> str:
        seen.append(call_of(context))
        return "reply"

    trace = "0af7651916cd43dd8448eb211c80319c"
    context = Context(metadata=(("traceparent", f"00-{trace}-b7ad6b7169203331-01"),))
    assert world.unary(behaviour, context) == "reply"
    assert (seen[0].caller, seen[0].rpc, seen[0].trace_id) == (CALLER, "ExchangeService/GetBudget", trace)
    assert world.calls == [("ExchangeService/GetBudget", "OK")]
    with pytest.raises(KeyError):
        call_of(context)


@pytest.mark.parametrize(
    "value", ["", "00-short-b7ad6b7169203331-01", "00-" + "G" * 32 + "-b7ad6b7169203331-01", CANARY, b"\x00\x01"]
)
def test_a_trace_of_another_shape_is_none(world: World, value: object) -> None:
    seen = []
    context = Context(metadata=(("traceparent", value),))
    world.unary(lambda _, ctx: seen.append(call_of(ctx).trace_id), context)
    assert seen == [None]


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_status_and_error_info(world: World, code: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.rpc.interceptors._CANCELLATION_SECONDS", 0.0)
    context = Context()
    with pytest.raises(AbortedError):
        world.unary(raising(SluisError(code, "change this", metadata={"member": "x"})), context)
    assert context.code is getattr(grpc.StatusCode, code.kind.value)
    assert context.status.code == context.code.value[0]
    assert (context.info.reason, context.info.domain, dict(context.info.metadata)) == (
        code.name,
        "sluis",
        {"member": "x"},
    )
    assert context.details == context.status.message == "change this"
    assert world.calls == [("ExchangeService/GetBudget", code.name)]


def test_a_stream_that_ends_because_its_call_was_cancelled_is_no_refusal(world: World) -> None:
    context = Context()
    context.active = False
    with pytest.raises(AbortedError):
        world.unary(raising(SluisError(Code.STREAM_TRUNCATED, "repeat it")), context)
    assert world.calls == [("ExchangeService/GetBudget", "CANCELLED")]
    assert world.refusals == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        KeyError(CANARY),
        OSError(2, CANARY, CANARY),
        RuntimeError("outer"),
        UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY),
        AssertionError(CANARY),
        type(f"Odd{CANARY}", (Exception,), {})("x"),
    ],
)
def test_no_other_text_leaves(world: World, error: Exception) -> None:
    error.__cause__ = ValueError(f"caused by {CANARY}")
    context = Context()
    with logs() as logged, pytest.raises(AbortedError):
        world.unary(raising(error), context)
    assert context.code is grpc.StatusCode.INTERNAL
    assert context.info.reason == "INTERNAL"
    assert CANARY not in context.details
    assert CANARY.encode() not in context.trailers["grpc-status-details-bin"]
    incident = context.info.metadata["incident"]
    assert re.fullmatch(r"[0-9a-f-]{36}", incident)
    assert incident in context.details
    assert incident in logged()
    assert world.refusals == []
    if not type(error).__name__.startswith("Odd"):  # a type's name is the program's, never the caller's
        assert CANARY not in logged()
    assert "ValueError@" in logged()


def test_no_other_text_leaves_a_stream(world: World) -> None:
    def behaviour(requests: Iterator[Any], context: Any) -> Iterator[str]:
        yield "one"
        raise ValueError(CANARY)

    context = Context()
    with pytest.raises(AbortedError):
        world.stream(behaviour, context, [])
    assert context.code is grpc.StatusCode.INTERNAL
    assert CANARY not in context.details


def test_violations_are_capped_and_every_detail_comes_once() -> None:
    violations = [Violation(f"field{number}", "is wrong") for number in range(50)]
    error = SluisError(Code.FIELD_INVALID, "wrong", violations=violations, retry_after_ms=1500)
    status = status_of(error)
    assert [detail.TypeName() for detail in status.details] == [
        "google.rpc.ErrorInfo",
        "google.rpc.BadRequest",
        "google.rpc.RetryInfo",
    ]
    request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(request)
    assert status.details[2].Unpack(retry)
    assert [one.field for one in request.field_violations] == [f"field{number}" for number in range(20)]
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_details_that_say_nothing_are_left_out() -> None:
    status = status_of(SluisError(Code.NOT_FOUND, "none"))
    assert [detail.TypeName() for detail in status.details] == ["google.rpc.ErrorInfo"]
    status = status_of(field_error(Code.FIELD_MISSING, "want", "is required"))
    assert [detail.TypeName() for detail in status.details] == ["google.rpc.ErrorInfo", "google.rpc.BadRequest"]


def test_who_is_not_known_is_refused_and_not_logged_as_a_party(world: World) -> None:
    world.identity_error = SluisError(Code.OIN_UNKNOWN, "no party")
    context = Context()
    with pytest.raises(AbortedError):
        world.unary(lambda *_: "reply", context)
    assert context.info.reason == "OIN_UNKNOWN"
    assert world.refusals == []


def test_a_fault_in_identity_lets_nobody_in(world: World) -> None:
    world.identity_error = RuntimeError(CANARY)
    context = Context()
    with pytest.raises(AbortedError):
        world.unary(lambda *_: "reply", context)
    assert context.code is grpc.StatusCode.INTERNAL


def test_a_refusal_is_logged_with_its_request(world: World) -> None:
    def behaviour(request: object, context: Any) -> None:
        call_of(context).request_id("11111111-1111-4111-8111-111111111111")
        raise SluisError(Code.NOT_YOURS, "name your own")

    with pytest.raises(AbortedError):
        world.unary(behaviour, Context())
    rpc = "ExchangeService/GetBudget"
    assert world.refusals == [("nla", rpc, "NOT_YOURS", "11111111-1111-4111-8111-111111111111")]
    with pytest.raises(AbortedError):
        world.unary(raising(SluisError(Code.NOT_FOUND, "none")), Context())
    assert world.refusals[1] == ("nla", rpc, "NOT_FOUND", None)


@pytest.mark.parametrize("code", [code for code in Code if code.kind in {Kind.UNAVAILABLE, Kind.UNKNOWN, Kind.ABORTED}])
def test_trouble_of_the_house_is_no_refusal(world: World, code: Code) -> None:
    """Else a log that cannot be written would be asked to write that."""
    with pytest.raises(AbortedError):
        world.unary(raising(SluisError(code, "later")), Context())
    assert world.refusals == []


def test_a_refusal_that_cannot_be_logged_is_told_all_the_same(world: World) -> None:
    world.refusal_error = ValueError(CANARY)
    context = Context()
    with logs() as logged, pytest.raises(AbortedError):
        world.unary(raising(SluisError(Code.NOT_FOUND, "none")), context)
    assert context.info.reason == "NOT_FOUND"
    assert CANARY not in logged()
    assert "refusal not logged" in logged()


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (None, "DEADLINE_REQUIRED"),
        (1e9, "DEADLINE_REQUIRED"),  # what grpc gives when no deadline was set
        (MAX_UNARY_SECONDS + 1, "DEADLINE_TOO_LONG"),
        (MAX_UNARY_SECONDS, ""),
        (MAX_UNARY_SECONDS + 0.9998, ""),  # what arrives of a deadline of exactly the limit
    ],
)
def test_deadlines_of_unary_calls(world: World, left: float | None, reason: str) -> None:
    context = Context(left)
    if not reason:
        assert world.unary(lambda *_: "reply", context) == "reply"
        return
    with pytest.raises(AbortedError):
        world.unary(lambda *_: "reply", context)
    assert context.info.reason == reason


def test_streams_may_take_longer(world: World) -> None:
    assert world.stream(lambda *_: iter(["a"]), Context(MAX_STREAM_SECONDS), []) == ["a"]
    context = Context(MAX_STREAM_SECONDS + 1)
    with pytest.raises(AbortedError):
        world.stream(lambda *_: iter(["a"]), context, [])
    assert context.info.reason == "DEADLINE_TOO_LONG"


def test_a_caller_that_has_gone_ends_the_work() -> None:
    context: Any = Context()
    check_alive(context)
    for left, active in ((0.0, True), (-1.0, True), (5.0, False)):
        context.left, context.active = left, active
        with pytest.raises(SluisError) as caught:
            check_alive(context)
        assert caught.value.code is Code.DEADLINE_PASSED


def test_a_stream_that_its_caller_closes_is_counted_as_cancelled(world: World) -> None:
    made = grpc.stream_stream_rpc_method_handler(lambda *_: iter(["a", "b"]), exchange_pb2.MatchRequest.FromString)
    answers = world.handler(made, "/sluis.v1.ExchangeService/Match").stream_stream(iter([]), Context())
    assert next(answers) == "a"
    answers.close()
    assert world.calls == [("ExchangeService/Match", "CANCELLED")]
    assert world.refusals == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"\x0a\xff", "MESSAGE_INVALID"), (b"\x0a\x01\xff", "MESSAGE_INVALID"), (b"x" * (MAX_MESSAGE + 1), "TOO_LARGE")],
)
def test_bytes_that_cannot_be_read_become_a_refusal(world: World, data: bytes, reason: str) -> None:
    behaviour = SimpleNamespace(called=False)
    made = grpc.unary_unary_rpc_method_handler(
        lambda *_: setattr(behaviour, "called", True), exchange_pb2.GetBudgetRequest.FromString
    )
    handler = world.handler(made)
    context = Context()
    with pytest.raises(AbortedError):
        handler.unary_unary(handler.request_deserializer(data), context)
    assert context.info.reason == reason
    assert not behaviour.called
    assert world.refusals == [("nla", "ExchangeService/GetBudget", reason, None)]
    context = Context()
    good = exchange_pb2.MatchRequest()
    with pytest.raises(AbortedError):
        world.stream(lambda requests, _: (one for one in requests), context, [good, handler.request_deserializer(data)])
    assert context.info.reason == reason


def test_good_bytes_are_the_message(world: World) -> None:
    handler = world.handler(
        grpc.unary_unary_rpc_method_handler(lambda request, _: request, exchange_pb2.GetBudgetRequest.FromString)
    )
    assert handler.request_deserializer(REQUEST.SerializeToString()) == REQUEST


def test_other_services_pass_through_untouched(world: World) -> None:
    made = grpc.unary_unary_rpc_method_handler(lambda *_: "SERVING")
    assert world.handler(made, "/grpc.health.v1.Health/Check") is made
    assert world.edge.intercept_service(lambda _: None, SimpleNamespace(method="/sluis.v1.X/Y")) is None


def test_slots_are_bounded_in_all_and_per_party_and_come_back() -> None:
    slots = StreamSlots(total=3, per_party=2)
    with slots.slot("nla"), slots.slot("nla"):
        with pytest.raises(SluisError) as caught, slots.slot("nla"):
            pass
        assert (caught.value.code, caught.value.retry_after_ms) == (Code.TOO_MANY_STREAMS, 1000)
        with slots.slot("uwv"), pytest.raises(SluisError), slots.slot("snf"):
            pass
        with slots.slot("snf"):
            pass
    with pytest.raises(ValueError), slots.slot("nla"):
        raise ValueError
    with slots.slot("nla"), slots.slot("nla"), slots.slot("uwv"):
        pass
