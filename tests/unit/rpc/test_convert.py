"""Between wire and nouns: every shape and bound, and texts that never repeat what was sent."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis.v1 import common_pb2, exchange_pb2, register_pb2

from broker.canonical import commitment
from broker.errors import Code, SluisError
from broker.exchange import AskStatement, PseudonymColumn, Question, RegisterManifest, RegisterVersion, UploadSpec, Want
from broker.matching.release import tokens_value
from broker.rpc import convert

CANARY = "999993653"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SALT = b"s" * 32


def refused(code: Code, function: Any, *arguments: Any, **named: Any) -> SluisError:
    with pytest.raises(SluisError) as caught:
        function(*arguments, **named)
    assert caught.value.code is code, caught.value
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.violations)
    return caught.value


# ------------------------------------------------------------------------------------------------------- texts

GOOD = {
    "name": "snf-locatie",
    "register": "snf/snf-locatie/2026Q4/postcode-number",
    "epoch": "2026-11",
    "hex32": "0f" * 16,
    "hex64": "0f" * 32,
    "uuid": "11111111-1111-4111-8111-111111111111",
    "upload": "snf.11111111-1111-4111-8111-111111111111",
}


@pytest.mark.parametrize("shape", GOOD)
def test_texts_of_a_shape(shape: str) -> None:
    assert convert.text(GOOD[shape], "field", shape) == GOOD[shape]
    assert convert.text("", "field", shape, optional=True) == ""
    error = refused(Code.FIELD_MISSING, convert.text, "", "field", shape)
    assert [one.field for one in error.violations] == ["field"]
    refused(Code.FIELD_TOO_LONG, convert.text, "a" * 301, "field", shape)
    for bad in (CANARY, f"x{CANARY}", GOOD[shape] + "\n", " " + GOOD[shape], GOOD[shape].upper() + "!", "é", "\x00"):
        refused(Code.FIELD_INVALID, convert.text, bad, "field", shape)
        refused(Code.FIELD_INVALID, convert.text, bad, "field", shape, optional=True)


@pytest.mark.parametrize(
    "bad", ["a/b/2026Q4", "a/b/2026Q4/c/d", "../b/2026Q4/c", "a//2026Q4/c", f"a/x{CANARY}/2026Q4/c"]
)
def test_register_names_are_four_parts_without_numbers(bad: str) -> None:
    refused(Code.FIELD_INVALID, convert.text, bad, "register", "register")


def test_free_text_is_bounded_in_bytes() -> None:
    assert convert.free_text("é" * 32, "case_number", 64) == "é" * 32
    refused(Code.FIELD_TOO_LONG, convert.free_text, "é" * 33, "case_number", 64)
    refused(Code.FIELD_TOO_LONG, convert.free_text, CANARY * 8, "case_number", 64)


def test_lists_of_names() -> None:
    assert convert.names(["b", "a"], "answerers", low=1, high=2) == ("b", "a")
    assert convert.names([], "attributes", low=0, high=2) == ()
    refused(Code.FIELD_MISSING, convert.names, [], "answerers", low=1, high=2)
    refused(Code.FIELD_TOO_LONG, convert.names, ["a", "b", "c"], "answerers", low=1, high=2)
    refused(Code.FIELD_INVALID, convert.names, ["a", "a"], "answerers", low=1, high=2)
    refused(Code.FIELD_INVALID, convert.names, ["a", f"x{CANARY}"], "answerers", low=1, high=2)
    refused(Code.FIELD_MISSING, convert.names, ["a", ""], "answerers", low=1, high=2)


# ------------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize(("given_", "size"), [(0, 50), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_page_sizes(given_: int, size: int) -> None:
    assert convert.page_size(given_, 50, 100) == size


@pytest.mark.parametrize("bad", [-1, -(2**31)])
def test_negative_page_sizes_are_refused(bad: int) -> None:
    refused(Code.FIELD_INVALID, convert.page_size, bad, 50, 100)


@given(st.from_regex(r"[a-z0-9/-]{1,250}", fullmatch=True))
def test_a_token_leads_back_to_its_key(key: str) -> None:
    assert convert.page_token(convert.make_page_token(key)) == key


@given(st.integers(1, 2**53))
def test_a_token_leads_back_to_its_index(index: int) -> None:
    assert convert.index_of(convert.make_page_token(str(index))) == index


@given(st.text(max_size=60))
def test_any_text_is_a_token_of_ours_or_refused(text: str) -> None:
    token = text.encode("utf-8", "replace").decode()
    key, code = "", None
    try:
        key = convert.page_token(token)
    except SluisError as error:
        code = error.code
    assert code is Code.PAGE_TOKEN_INVALID or convert.make_page_token(key) == token


@pytest.mark.parametrize("key", ["0", "01", "-1", "1.0", "٣", "1" * 17, "9" * 250, "abc", " 1", CANARY + "x"])
def test_a_token_of_no_index_is_refused(key: str) -> None:
    refused(Code.PAGE_TOKEN_INVALID, convert.index_of, convert.make_page_token(key))


def test_no_token_is_the_first_page() -> None:
    assert (convert.page_token(""), convert.index_of("")) == ("", 0)


# ----------------------------------------------------------------------------------------------------- columns


def column(rows: int, presence: bytes = b"", raw: bytes | None = None) -> common_pb2.PseudonymColumn:
    return common_pb2.PseudonymColumn(pseudonyms=os.urandom(16 * rows) if raw is None else raw, presence=presence)


def columns(messages: list[common_pb2.PseudonymColumn], match_keys: int = 1) -> tuple[PseudonymColumn, ...]:
    return convert.pseudonym_columns(messages, match_keys, "rows.columns")


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 65_536])
def test_a_column_without_presence_is_all_present(rows: int) -> None:
    message = column(rows)
    (found,) = columns([message])
    assert found.pseudonyms.tobytes() == message.pseudonyms
    assert found.present.all()


def test_presence_is_least_significant_bit_first() -> None:
    raw = os.urandom(16) + bytes(16) + os.urandom(16 * 7) + bytes(16)
    (found,) = columns([column(10, bytes([0b11111101, 0b01]), raw)])
    assert found.present.tolist() == [True, False, *[True] * 7, False]


def test_pseudonyms_that_end_in_zero_bytes_are_kept_whole() -> None:
    raw = os.urandom(15) + b"\x00"
    (found,) = columns([column(1, b"", raw)])
    assert found.pseudonyms.tobytes() == raw


@pytest.mark.parametrize(
    ("messages", "match_keys", "code"),
    [
        ([], 1, Code.COUNT_WRONG),
        ([column(1), column(1)], 1, Code.COUNT_WRONG),
        ([column(1)], 2, Code.COUNT_WRONG),
        ([column(0)], 1, Code.LENGTH_WRONG),
        ([column(65_537)], 1, Code.LENGTH_WRONG),
        ([column(0, raw=b"x" * 17)], 1, Code.LENGTH_WRONG),
        ([column(2), column(3)], 2, Code.LENGTH_WRONG),
        ([column(9, b"\xff")], 1, Code.LENGTH_WRONG),
        ([column(8, b"\xff\x00")], 1, Code.LENGTH_WRONG),
        ([column(7, b"\xff")], 1, Code.FIELD_INVALID),
        ([column(8, b"\x7f")], 1, Code.FIELD_INVALID),
        ([column(20, raw=f"{CANARY:<16}".encode() * 20)], 1, Code.LOOKS_LIKE_IDENTIFIERS),
        ([column(20), column(20, raw=int(CANARY).to_bytes(16, "little") * 20)], 2, Code.LOOKS_LIKE_IDENTIFIERS),
    ],
)
def test_columns_of_another_shape_are_refused(messages: list[Any], match_keys: int, code: Code) -> None:
    refused(code, columns, messages, match_keys)


def test_raw_numbers_are_found_also_behind_a_presence_bitmap() -> None:
    raw = bytes(16) + f"{CANARY:<16}".encode() * 19
    refused(Code.LOOKS_LIKE_IDENTIFIERS, columns, [column(20, b"\xfe\xff\x0f", raw)])


# ------------------------------------------------------------------------------------------------------ question


def ask_of(question: Question, **changes: Any) -> AskStatement:
    tokens = commitment("tokens", SALT, tokens_value(question))
    members: dict[str, Any] = {
        "raw": b"",
        "signature": b"",
        "request_id": GOOD["uuid"],
        "asker": "nla",
        "principal": None,
        "answerers": ("uwv",),
        "purpose": "p",
        "epoch": "2026Q4",
        "key_id": "0" * 32,
        "scheme": "kvk",
        "match_keys": len(question.columns),
        "want": Want(hit=True, count=False),
        "subjects": question.rows,
        "tokens": tokens,
        "case_number": None,
        "cooperation_ref": None,
        "not_after": NOW,
    }
    return AskStatement(**{**members, **changes})


def question_of(rows: int, match_keys: int = 1) -> Question:
    made = [np.frombuffer(os.urandom(16 * rows), dtype="V16") for _ in range(match_keys)]
    return Question(tuple(PseudonymColumn(one, np.ones(rows, dtype=np.bool_)) for one in made))


def runs(question: Question, size: int) -> list[exchange_pb2.QuestionRows]:
    return [
        exchange_pb2.QuestionRows(
            offset=at,
            columns=[
                common_pb2.PseudonymColumn(pseudonyms=one.pseudonyms[at : at + size].tobytes())
                for one in question.columns
            ],
        )
        for at in range(0, question.rows, size)
    ]


@pytest.mark.parametrize(("rows", "match_keys", "size"), [(1, 1, 1), (10, 1, 3), (10, 2, 10), (64, 10, 7)])
def test_a_question_in_runs_is_the_question(rows: int, match_keys: int, size: int) -> None:
    question = question_of(rows, match_keys)
    reader = convert.QuestionReader(ask_of(question), convert.Opened(SALT))
    for run in runs(question, size):
        reader.add(run)
    found = reader.question()
    assert tokens_value(found) == tokens_value(question)


def test_rows_out_of_order_too_many_too_few_and_others_are_refused() -> None:
    question = question_of(10)
    opened = convert.Opened(SALT)
    first, second = runs(question, 5)
    reader = convert.QuestionReader(ask_of(question), opened)
    refused(Code.OFFSET_WRONG, reader.add, second)
    reader.add(first)
    refused(Code.OFFSET_WRONG, reader.add, first)
    refused(Code.STREAM_TRUNCATED, reader.question)
    reader.add(second)
    reader.question()
    extra = exchange_pb2.QuestionRows(offset=10, columns=[column(1)])
    refused(Code.COUNT_WRONG, reader.add, extra)
    reader = convert.QuestionReader(ask_of(question), convert.Opened(b"t" * 32))
    reader.add(first)
    reader.add(second)
    refused(Code.COMMITMENT_WRONG, reader.question)


# ------------------------------------------------------------------------------------------------------ openings


def test_openings_are_checked_against_the_statement() -> None:
    question = question_of(1)
    value = b"NLA-2026-1234"
    statement = ask_of(question, case_number=commitment("case-number", SALT, value))
    good = exchange_pb2.Ask(tokens_salt=SALT, case_number=common_pb2.Opening(salt=SALT, value=value))
    found = convert.opened(good, statement)
    assert found.case_number == (SALT, value)
    assert found.cooperation_ref is None
    assert "NLA" not in repr(found)

    def bent(**changes: Any) -> exchange_pb2.Ask:
        message = exchange_pb2.Ask()
        message.CopyFrom(good)
        for name, one in changes.items():
            if isinstance(one, common_pb2.Opening):
                getattr(message, name).CopyFrom(one)
            elif one is None:
                message.ClearField(name)
            else:
                setattr(message, name, one)
        return message

    opening = common_pb2.Opening
    refused(Code.LENGTH_WRONG, convert.opened, bent(tokens_salt=b""), statement)
    refused(Code.COMMITMENT_WRONG, convert.opened, bent(case_number=None), statement)
    refused(Code.COMMITMENT_WRONG, convert.opened, bent(cooperation_ref=opening(salt=SALT, value=b"x")), statement)
    refused(Code.LENGTH_WRONG, convert.opened, bent(case_number=opening(salt=b"", value=value)), statement)
    for length in (0, 65):
        long = opening(salt=SALT, value=b"9" * length)
        refused(Code.FIELD_TOO_LONG, convert.opened, bent(case_number=long), statement)
    other = opening(salt=SALT, value=CANARY.encode())
    refused(Code.COMMITMENT_WRONG, convert.opened, bent(case_number=other), statement)
    label = ask_of(question, case_number=commitment("cooperation-ref", SALT, value))
    refused(Code.COMMITMENT_WRONG, convert.opened, good, label)


def test_signed_statements_are_bounded() -> None:
    signed = common_pb2.SignedStatement
    found = convert.signed(signed(statement=b"s" * 49_152, signature=b"x" * 1024), "key")
    assert (len(found.statement), len(found.signature)) == (49_152, 1024)
    for message, code, field in (
        (signed(signature=b"x"), Code.FIELD_MISSING, "key.statement"),
        (signed(statement=b"x"), Code.FIELD_MISSING, "key.signature"),
        (signed(statement=b"s" * 49_153, signature=b"x"), Code.FIELD_TOO_LONG, "key.statement"),
        (signed(statement=b"s", signature=b"x" * 1025), Code.FIELD_TOO_LONG, "key.signature"),
    ):
        error = refused(code, convert.signed, message, "key")
        assert [one.field for one in error.violations] == [field]


# ------------------------------------------------------------------------------------------------ register rows

SPEC = UploadSpec("snf.x", "snf/p/2026Q4/bag", 1, 2, ("a", "b"), (20, 30))


def rows_of(count: int, **changes: Any) -> register_pb2.RegisterRows:
    members: dict[str, Any] = {
        "columns": [column(count), column(count)],
        "wraps": [bytes(60 * count)] * 2,
        "commitments": bytes(32 * count),
        "fields": [bytes(20 * count), bytes(30 * count)],
    }
    return register_pb2.RegisterRows(**{**members, **changes})


def test_register_rows_of_the_uploads_shape() -> None:
    chunk = convert.register_chunk(rows_of(3), SPEC)
    assert (chunk.rows, len(chunk.columns), len(chunk.wraps), len(chunk.fields)) == (3, 2, 2, 2)
    bare = UploadSpec("snf.x", "snf/p/2026Q4/bag", 1, 2, (), ())
    assert convert.register_chunk(rows_of(3, wraps=[], commitments=b"", fields=[]), bare).rows == 3
    refused(Code.COUNT_WRONG, convert.register_chunk, rows_of(3), bare)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"columns": [column(3)]}, Code.COUNT_WRONG),
        ({"columns": [column(3), column(4)]}, Code.LENGTH_WRONG),
        ({"wraps": []}, Code.COUNT_WRONG),
        ({"wraps": [bytes(180)]}, Code.COUNT_WRONG),
        ({"wraps": [bytes(180), bytes(179)]}, Code.LENGTH_WRONG),
        ({"commitments": b""}, Code.LENGTH_WRONG),
        ({"commitments": bytes(97)}, Code.LENGTH_WRONG),
        ({"fields": []}, Code.COUNT_WRONG),
        ({"fields": [bytes(60)]}, Code.COUNT_WRONG),
        ({"fields": [bytes(90), bytes(60)]}, Code.LENGTH_WRONG),
    ],
)
def test_register_rows_of_another_shape_are_refused(changes: dict[str, Any], code: Code) -> None:
    refused(code, convert.register_chunk, rows_of(3, **changes), SPEC)


# -------------------------------------------------------------------------------------------------------- answers


def version(**changes: Any) -> RegisterVersion:
    manifest = RegisterManifest(
        raw=b"raw",
        signature=b"signature",
        answerer="snf",
        purpose="p",
        epoch="2026Q4",
        key_id="0" * 32,
        scheme="bag",
        match_keys=1,
        attributes=(),
        version=7,
        rows=5,
        digest="0" * 64,
        as_of=NOW,
        expires_at=NOW,
        coverage="all of it",
        rules={},
    )
    return RegisterVersion("snf/p/2026Q4/bag", 7, manifest, NOW, **changes)


def test_the_state_of_a_register() -> None:
    before = datetime(2026, 11, 23, 9, 59, tzinfo=UTC)
    states = register_pb2.RegisterState
    assert convert.register_message(version(), before).state == states.REGISTER_STATE_PUBLISHED
    assert convert.register_message(version(), NOW).state == states.REGISTER_STATE_EXPIRED
    assert convert.register_message(version(withdrawn=True), before).state == states.REGISTER_STATE_WITHDRAWN
    facts = convert.register_facts(version())
    assert (facts.version, facts.coverage, facts.as_of.ToDatetime(UTC)) == (7, "all of it", NOW)
    assert (facts.manifest.statement, facts.manifest.signature) == (b"raw", b"signature")


def test_an_open_exchange_has_no_status_yet() -> None:
    assert convert.answer_status(None) == exchange_pb2.ANSWER_STATUS_UNSPECIFIED
