"""Random input at the edge gives answers or errors of the family: never INTERNAL, never UNKNOWN, never silence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import grpc
import pytest
from bad_shapes import signed_at
from good_requests import GOOD
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_stage import stage_texts
from stage import METHODS, Stage, make_stage, refused
from world import running

from broker.errors import Code, Kind

EXAMPLES = int(os.environ.get("SLUIS_FUZZ_EXAMPLES", "80"))
NEVER = {Kind.INTERNAL, Kind.UNKNOWN, Kind.UNAVAILABLE, Kind.DATA_LOSS}
SIGNED = {
    "ExchangeService/Match": "ask.signed",
    "RegisterService/SealRegister": "manifest",
    "KeyService/PublishEncryptionKey": "key",
    "KeyService/PublishEpoch": "manifest",
    "RegisterService/CorrectRecord": "signed",
    "RegisterService/SetCanaries": "signed",
    "RegisterService/AnswerQuestion": "signed",
    "ExchangeService/DisputeHit": "signed",
    "ExchangeService/ReportOutcome": "signed",
    "NoticeService/AcknowledgeNotice": "signed",
    "NoticeService/ExplainUnusualUse": "signed",
    "AuditService/SearchSubject": "signed",
}
pytestmark = pytest.mark.slow
often = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("stage"), stage_texts()) as world:
        yield make_stage(world)


def tell(stage: Stage, party: str, rpc: str, messages: list[Any]) -> str:
    """The outcome: OK, or the stable code, which must be one that blames the request."""
    watching = rpc == "AuditService/WatchReceipts"
    try:
        stage.call(party, rpc, messages, timeout=0.1 if watching else 20)
    except grpc.RpcError as error:
        told = refused(error)
    else:
        return "OK"
    if watching and told.status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "OK"
    assert told.domain == "sluis", (told.status, told.text)
    assert Code[told.reason].kind not in NEVER, told.text
    return told.reason


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.floats(allow_nan=False)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
) | st.datetimes(datetime(2000, 1, 1), datetime(2999, 12, 31, 23, 59, 59)).map(lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")
whole_rows = st.integers(0, 39).flatmap(lambda rows: st.binary(min_size=16 * rows, max_size=16 * rows))


@pytest.mark.parametrize("rpc", SIGNED)
@often
@given(data=st.data())
def test_any_bytes_as_a_well_signed_statement(stage: Stage, rpc: str, data: st.DataObject) -> None:
    party, build = GOOD[rpc]
    messages = build(stage)
    signed = signed_at(messages[0], SIGNED[rpc])
    raw = bytearray(signed.statement)
    if data.draw(st.booleans()):
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    else:
        raw = bytearray(data.draw(st.binary(min_size=1, max_size=200)))
    signed.CopyFrom(stage.resigned(party, bytes(raw)))
    tell(stage, party, rpc, messages)


@pytest.mark.parametrize("rpc", SIGNED)
@often
@given(data=st.data())
def test_any_value_as_a_member(stage: Stage, rpc: str, data: st.DataObject) -> None:
    """Signed well, in whatever form JSON gives it: nothing but a statement of the right shape gets through."""
    party, build = GOOD[rpc]
    messages = build(stage)
    signed = signed_at(messages[0], SIGNED[rpc])
    statement = json.loads(signed.statement)
    name = data.draw(st.sampled_from(sorted(statement)))
    statement[name] = data.draw(anything)
    raw = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=data.draw(st.booleans()))
    signed.CopyFrom(stage.resigned(party, raw.encode("utf-8", "surrogatepass")))
    tell(stage, party, rpc, messages)


@pytest.mark.parametrize("rpc", SIGNED)
@often
@given(signature=st.binary(max_size=1100))
def test_any_bytes_as_a_signature(stage: Stage, rpc: str, signature: bytes) -> None:
    party, build = GOOD[rpc]
    messages = build(stage)
    signed_at(messages[0], SIGNED[rpc]).signature = signature
    assert tell(stage, party, rpc, messages) in {"SIGNATURE_WRONG", "FIELD_MISSING", "FIELD_TOO_LONG"}


@pytest.mark.parametrize("rpc", ["ExchangeService/Match", "RegisterService/UploadRows"])
@often
@given(
    pseudonyms=st.binary(max_size=400) | whole_rows,
    presence=st.binary(max_size=8),
    offset=st.integers(0, 2**64 - 1) | st.just(0),
)
def test_any_bytes_as_a_column(stage: Stage, rpc: str, pseudonyms: bytes, presence: bytes, offset: int) -> None:
    party, build = GOOD[rpc]
    messages: list[Any] = list(build(stage))
    rows = messages[-1].rows
    rows.columns[0].pseudonyms, rows.columns[0].presence, rows.offset = pseudonyms, presence, offset
    assert tell(stage, party, rpc, messages) != "OK"


@pytest.mark.parametrize("rpc", [rpc for rpc in METHODS if "page_token" in METHODS[rpc].input_type.fields_by_name])
@often
@given(
    token=st.text(max_size=500) | st.binary(max_size=30).map(lambda raw: raw.hex()) | st.from_regex("[A-Za-z0-9_=-]+")
)
def test_any_text_as_a_page_token(stage: Stage, rpc: str, token: str) -> None:
    party, build = GOOD[rpc]
    messages: list[Any] = list(build(stage))
    messages[0].page_token = token.encode("utf-8", "replace").decode()
    assert tell(stage, party, rpc, messages) in {"OK", "PAGE_TOKEN_INVALID"}


@pytest.mark.parametrize("rpc", METHODS)
@often
@given(data=st.binary(max_size=300))
def test_any_bytes_as_a_message(stage: Stage, rpc: str, data: bytes) -> None:
    tell(stage, GOOD[rpc][0], rpc, [data])


def _values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages_of(field.message_type)
    of: dict[int, st.SearchStrategy[Any]] = {
        field.TYPE_STRING: st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
        | st.sampled_from(["uwv", "nla", "kvk", "2026Q4", "0" * 32, "0" * 64, "nla-verzoek-onderneming"]),
        field.TYPE_BYTES: st.binary(max_size=100),
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.TYPE_UINT32: st.integers(0, 2**32 - 1) | st.just(1),
        field.TYPE_UINT64: st.integers(0, 2**64 - 1) | st.integers(0, 50),
    }
    return of[field.type]


def messages_of(descriptor: Descriptor) -> st.SearchStrategy[Message]:
    """Any message of a type."""
    fields = {
        one.name: st.lists(_values(one), max_size=3) if one.is_repeated else _values(one) for one in descriptor.fields
    }
    single = {name: value for name, value in fields.items() if descriptor.fields_by_name[name].containing_oneof is None}
    chosen = [{name: fields[name]} for name in fields if name not in single] or [{}]
    made = message_factory.GetMessageClass(descriptor)
    return (
        st.sampled_from(chosen)
        .flatmap(lambda one: st.fixed_dictionaries({}, optional={**single, **one}))
        .map(lambda given_: made(**given_))
    )


@pytest.mark.parametrize("rpc", METHODS)
@often
@given(data=st.data())
def test_any_message_of_the_right_type(stage: Stage, rpc: str, data: st.DataObject) -> None:
    method = METHODS[rpc]
    one = messages_of(method.input_type)
    tell(stage, GOOD[rpc][0], rpc, data.draw(st.lists(one, min_size=1, max_size=3)))
