"""Calls that go wrong whatever they ask: deadlines, bytes that are no message, messages too large, broken streams."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import grpc
import pytest
from good_requests import GOOD, question
from google.protobuf.message import Message
from live_stage import stage_texts
from sluis.v1 import exchange_pb2, register_pb2
from stage import METHODS, Stage, check_unchanged, logs, make_stage, refused, state_of
from world import running

from broker.errors import Code
from broker.rpc.interceptors import MAX_MESSAGE, MAX_STREAM_SECONDS, MAX_UNARY_SECONDS

pytestmark = pytest.mark.slow

MALFORMED = {
    "an open length": b"\x0a\xff",
    "a field that breaks off": b"\x0a\x09999993653"[:-1],
    "group ends": b"\x0c",
    "a wire type that is none": b"\x0f",
    "text that is not UTF-8": b"\x0a\x02\xff\xfe",
    "a varint without end": b"\x08" + b"\xff" * 11,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("stage"), stage_texts()) as world:
        yield make_stage(world)


@pytest.mark.parametrize("rpc", METHODS)
@pytest.mark.parametrize("which", ["missing", "too long"])
def test_a_call_needs_a_deadline_that_is_not_too_long(stage: Stage, rpc: str, which: str) -> None:
    method = METHODS[rpc]
    limit = MAX_STREAM_SECONDS if method.client_streaming or method.server_streaming else MAX_UNARY_SECONDS
    code = {"missing": "DEADLINE_REQUIRED", "too long": "DEADLINE_TOO_LONG"}[which]
    party, build = GOOD[rpc]
    messages = build(stage)
    before = state_of(stage.world)
    with pytest.raises(grpc.RpcError) as caught:
        stage.call(party, rpc, messages, timeout=None if which == "missing" else limit + 30)
    assert refused(caught.value).reason == code
    check_unchanged(before, state_of(stage.world), party=party, rpc=rpc, code=code)


@pytest.mark.parametrize("rpc", METHODS)
def test_a_deadline_that_has_passed_does_nothing(stage: Stage, rpc: str) -> None:
    party, build = GOOD[rpc]
    messages = build(stage)
    before = state_of(stage.world)
    with pytest.raises(grpc.RpcError) as caught:
        stage.call(party, rpc, messages, timeout=-1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert state_of(stage.world) == before


@pytest.mark.parametrize("rpc", METHODS)
@pytest.mark.parametrize("what", MALFORMED)
def test_bytes_that_are_no_message_are_refused_with_a_code(stage: Stage, rpc: str, what: str) -> None:
    party, _ = GOOD[rpc]
    before = state_of(stage.world)
    data = MALFORMED[what]
    if what == "text that is not UTF-8" and not _first_is_text(rpc):
        pytest.skip("its first field is no text")
    with logs() as logged, pytest.raises(grpc.RpcError) as caught:
        stage.call(party, rpc, [data])
    told = refused(caught.value)
    assert (told.reason, told.status) == ("MESSAGE_INVALID", grpc.StatusCode.INVALID_ARGUMENT)
    assert "99999365" not in logged() + told.text
    check_unchanged(before, state_of(stage.world), party=party, rpc=rpc, code="MESSAGE_INVALID")


def _first_is_text(rpc: str) -> bool:
    fields = {one.number: one for one in METHODS[rpc].input_type.fields}
    return 1 in fields and fields[1].type == fields[1].TYPE_STRING


@pytest.mark.parametrize("rpc", METHODS)
def test_a_message_over_the_limit_is_refused_with_a_code(stage: Stage, rpc: str) -> None:
    party, _ = GOOD[rpc]
    size = MAX_MESSAGE
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])
    unknown = b"\x9a\x06" + length + b"x" * size  # field 99, which any reader would skip
    before = state_of(stage.world)
    with pytest.raises(grpc.RpcError) as caught:
        stage.call(party, rpc, [unknown])
    told = refused(caught.value)
    assert (told.reason, told.status) == ("TOO_LARGE", grpc.StatusCode.RESOURCE_EXHAUSTED)
    check_unchanged(before, state_of(stage.world), party=party, rpc=rpc, code="TOO_LARGE")


def test_far_over_the_limit_grpc_itself_refuses(stage: Stage) -> None:
    before = state_of(stage.world)
    with pytest.raises(grpc.RpcError) as caught:
        stage.call("uwv", "RegisterService/UploadRows", [b"\x9a\x06" + b"x" * (5 * MAX_MESSAGE)])
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    time.sleep(0.3)  # the broker sees a stream that ended, and says so in the log
    check_unchanged(
        before,
        state_of(stage.world),
        party="uwv",
        rpc="RegisterService/UploadRows",
        code="STREAM_TRUNCATED",
    )


def test_a_bad_message_in_the_middle_of_a_question_ends_it(stage: Stage) -> None:
    first, *rest = question(stage)
    before = state_of(stage.world)
    for bad, code in ((b"\x0a\xff", "MESSAGE_INVALID"), (b"x" * (MAX_MESSAGE + 1), "TOO_LARGE")):
        with pytest.raises(grpc.RpcError) as caught:
            stage.call("nla", "ExchangeService/Match", [first, bad, *rest])
        assert refused(caught.value).reason == code
        after = state_of(stage.world)
        check_unchanged(before, after, party="nla", rpc="ExchangeService/Match", code=code)
        before = after


def _break_off(stage: Stage, messages: list[Message]) -> None:
    """Sends messages, does not half-close, and goes away."""

    def broken() -> Iterator[Message]:
        yield from messages
        time.sleep(0.3)
        call.cancel()

    call = stage.nla.exchanges.Match(broken(), timeout=20)
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    time.sleep(0.5)


def test_a_question_that_breaks_off_leaves_nothing_but_a_refusal(stage: Stage) -> None:
    ask = stage.question()
    ask.chunk = 8
    messages = list(ask.messages(stage.nla.key))
    before = state_of(stage.world)
    _break_off(stage, messages[:-1])
    after = state_of(stage.world)
    assert after.differs(before) == []
    assert [json.loads(leaf)["kind"] for leaf in after.leaves[len(before.leaves) :]] in ([], ["refusal"])
    stage.call("nla", "ExchangeService/Match", messages)  # the same request is free to be asked


def test_breaking_off_after_the_last_row_is_asking_or_not_asking_and_never_half(stage: Stage) -> None:
    """gRPC may show a cancelled stream as one that ended; all rows are in then, and nothing can be delivered."""
    messages = question(stage)
    before = len(state_of(stage.world).leaves)
    _break_off(stage, messages)
    kinds = [json.loads(leaf)["kind"] for leaf in state_of(stage.world).leaves[before:]]
    assert sorted(kinds) in ([], ["refusal"], ["ask", "refusal", "release"], ["ask", "release"])
    answers = stage.call("nla", "ExchangeService/Match", messages)
    assert answers[0].answer.status == exchange_pb2.ANSWER_STATUS_ANSWERED
    kinds = [json.loads(leaf)["kind"] for leaf in state_of(stage.world).leaves[before:]]
    assert (kinds.count("ask"), kinds.count("release")) == (1, 1)


def test_rows_before_a_bad_message_stay_and_the_upload_goes_on(stage: Stage) -> None:
    request = register_pb2.BeginRegisterRequest()
    request.CopyFrom(stage.begin)
    request.request_id = "22222222-2222-4222-8222-222222222222"
    begun = stage.uwv.registers.BeginRegister(request, timeout=20)
    good = register_pb2.UploadRowsRequest(upload=begun.upload, rows=stage.rows)
    bad = register_pb2.UploadRowsRequest(upload=begun.upload, rows=stage.rows)
    for field, code in (("offset", "OFFSET_WRONG"), ("columns", "COUNT_WRONG")):
        bad.rows.CopyFrom(stage.rows)
        bad.rows.offset = 40
        if field == "offset":
            bad.rows.offset = 41
        else:
            bad.rows.ClearField("columns")
        offset = stage.uwv.registers.GetUpload(register_pb2.GetUploadRequest(upload=begun.upload), timeout=20)
        messages = [bad] if offset.committed_rows else [good, bad]
        with pytest.raises(grpc.RpcError) as caught:
            stage.call("uwv", "RegisterService/UploadRows", messages)
        assert refused(caught.value).reason == code
        reply = stage.uwv.registers.GetUpload(register_pb2.GetUploadRequest(upload=begun.upload), timeout=20)
        assert reply.committed_rows == 40


def test_another_upload_named_in_a_later_message_is_refused(stage: Stage) -> None:
    request = register_pb2.BeginRegisterRequest()
    request.CopyFrom(stage.begin)
    request.request_id = "33333333-3333-4333-8333-333333333333"
    begun = stage.uwv.registers.BeginRegister(request, timeout=20)
    good = register_pb2.UploadRowsRequest(upload=begun.upload, rows=stage.rows)
    other = register_pb2.UploadRowsRequest(upload=stage.full_upload.upload, rows=stage.rows)
    with pytest.raises(grpc.RpcError) as caught:
        stage.call("uwv", "RegisterService/UploadRows", [good, other])
    told = refused(caught.value)
    assert (told.reason, told.fields) == ("FIELD_INVALID", ("upload",))


def test_an_unknown_method_is_unimplemented(stage: Stage) -> None:
    channel = stage.world.channel("uwv")
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/sluis.v1.ExchangeService/Erase")(b"", timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert Code.INTERNAL.name not in str(caught.value.details())
