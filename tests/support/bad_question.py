"""The rows of bad input for the question stream, ExchangeService.Match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bad_shapes import Bend, Messages, Row, columns, members, opening, put, restate, signatures
from good_requests import question
from sluis.v1 import exchange_pb2
from stage import CANARY, Stage

RPC = "ExchangeService/Match"
ASK_MEMBERS = [
    "answerers",
    "asker",
    "case_number",
    "cooperation_ref",
    "environment",
    "epoch",
    "key_id",
    "match_keys",
    "not_after",
    "origin",
    "principal",
    "purpose",
    "request_id",
    "scheme",
    "subjects",
    "tokens",
    "type",
    "want",
    "want.hit",
    "want.count",
    "want.attributes",
]


def _said(**changes: Any) -> Bend:
    return restate("ask.signed", "nla", lambda statement: statement.update(changes))


def _split(messages: Messages) -> None:
    """The rows in two messages, so that their order can be wrong."""
    rows: Any = messages[1]
    pseudonyms = rows.rows.columns[0].pseudonyms
    half = len(pseudonyms) // 32 * 16
    second = exchange_pb2.MatchRequest()
    second.CopyFrom(rows)
    rows.rows.columns[0].pseudonyms = pseudonyms[:half]
    second.rows.columns[0].pseudonyms = pseudonyms[half:]
    second.rows.offset = half // 16
    messages.append(second)


def _order(*numbers: int) -> Bend:
    def bend(_: Stage, messages: Messages) -> None:
        _split(messages)
        messages[:] = [messages[number] for number in numbers]

    return bend


def _rows() -> Iterator[Row]:
    for what, numbers, code in (
        ("nothing at all", (), "STREAM_ORDER"),
        ("rows first", (1, 2), "STREAM_ORDER"),
        ("ask last", (1, 2, 0), "STREAM_ORDER"),
        ("ask twice", (0, 0, 1, 2), "STREAM_ORDER"),
        ("ask in the middle", (0, 1, 0, 2), "STREAM_ORDER"),
    ):
        yield Row(RPC, "ask", what, _order(*numbers), code)
    for what, numbers, code in (
        ("missing", (0,), "STREAM_TRUNCATED"),
        ("half", (0, 1), "STREAM_TRUNCATED"),
    ):
        yield Row(RPC, "rows", what, _order(*numbers), code)
    yield Row(RPC, "rows", "empty message between", _empty_between, "STREAM_ORDER")
    for what, numbers, code in (
        ("swapped", (0, 2, 1), "OFFSET_WRONG"),
        ("first twice", (0, 1, 1, 2), "OFFSET_WRONG"),
        ("a gap", (0, 2), "OFFSET_WRONG"),
    ):
        yield Row(RPC, "rows.offset", what, _order(*numbers), code)
    yield Row(RPC, "rows.offset", "largest", put("rows.offset", 2**64 - 1, 1), "OFFSET_WRONG")
    yield from columns(RPC, "rows.columns", 1)
    where = "rows.columns.pseudonyms"
    yield Row(RPC, where, "one row more", put(where, lambda one: one + bytes(range(16)), 1), "COUNT_WRONG")
    yield Row(RPC, where, "one row less", put(where, lambda one: one[16:], 1), "STREAM_TRUNCATED")
    yield Row(RPC, where, "other rows", put(where, lambda one: one[16:] + one[:16], 1), "COMMITMENT_WRONG")


def _empty_between(_: Stage, messages: Messages) -> None:
    messages.insert(1, exchange_pb2.MatchRequest())


def _openings() -> Iterator[Row]:
    where = "ask.tokens_salt"
    for what, value in {"missing": b"", "short": b"x" * 31, "long": b"x" * 33}.items():
        yield Row(RPC, where, what, put(where, value), "LENGTH_WRONG")
    yield Row(RPC, where, "another", put(where, b"x" * 32), "COMMITMENT_WRONG")
    for name, limit in (("case_number", 64), ("cooperation_ref", 200)):
        field = f"ask.{name}"
        uncommitted = _said(**{name: None})
        yield Row(RPC, field, "missing", put(field, None), "COMMITMENT_WRONG")
        yield Row(RPC, field, "not committed to", uncommitted, "COMMITMENT_WRONG")
        yield Row(RPC, field, "empty", put(field, opening(b"", b"")), "LENGTH_WRONG")
        for what, value in {"missing": b"", "short": b"x" * 31, "long": CANARY.encode() * 99}.items():
            yield Row(RPC, f"{field}.salt", what, put(f"{field}.salt", value), "LENGTH_WRONG")
        yield Row(RPC, f"{field}.salt", "another", put(f"{field}.salt", b"x" * 32), "COMMITMENT_WRONG")
        long = (CANARY * 40).encode()[: limit + 1]
        yield Row(RPC, f"{field}.value", "missing", put(f"{field}.value", b""), "FIELD_TOO_LONG")
        yield Row(RPC, f"{field}.value", "oversized", put(f"{field}.value", long), "FIELD_TOO_LONG")
        yield Row(RPC, f"{field}.value", "another", put(f"{field}.value", CANARY.encode()), "COMMITMENT_WRONG")


def _statements() -> Iterator[Row]:
    yield from signatures(RPC, "ask.signed", "nla")
    yield from members(RPC, "ask.signed", "nla", "sluis/v1/ask", ASK_MEMBERS)
    where = "ask.signed.statement"
    for what, bend, code in (
        ("of another asker", _said(asker="uwv"), "NOT_YOURS"),
        ("expired", _said(not_after="2026-11-23T09:59:59Z"), "STATEMENT_EXPIRED"),
        ("too far ahead", _said(not_after="2026-11-23T10:59:59Z"), "STATEMENT_INVALID"),
        ("at the end of time", _said(not_after="9999-12-31T23:59:59Z"), "STATEMENT_INVALID"),
        ("at the beginning of time", _said(not_after="0001-01-01T00:00:00Z"), "STATEMENT_INVALID"),
        ("on no day", _said(not_after="2026-02-30T10:00:00Z"), "STATEMENT_INVALID"),
        ("UUID version 1", _said(request_id="11111111-1111-1111-8111-111111111111"), "STATEMENT_INVALID"),
        ("nobody asked", _said(answerers=[]), "STATEMENT_INVALID"),
        ("too many asked", _said(answerers=[f"a{at:03}" for at in range(401)]), "STATEMENT_INVALID"),
        ("answerers not sorted", _said(answerers=["uwv", "svb"]), "STATEMENT_INVALID"),
        ("an answerer twice", _said(answerers=["uwv", "uwv"]), "STATEMENT_INVALID"),
        ("no subjects", _said(subjects=0), "STATEMENT_INVALID"),
        ("subjects true", _said(subjects=True), "STATEMENT_INVALID"),
        ("fewer subjects than rows", _said(subjects=19), "COUNT_WRONG"),
        ("more subjects than rows", _said(subjects=21), "STREAM_TRUNCATED"),
        ("no match key", _said(match_keys=0), "STATEMENT_INVALID"),
        ("more match keys than columns", _said(match_keys=2), "COUNT_WRONG"),
        ("another commitment", _said(tokens="0" * 64), "COMMITMENT_WRONG"),
        ("an epoch of no shape", _said(epoch="2026Q5"), "STATEMENT_INVALID"),
        ("want with a member too many", _said(want={"hit": True, "count": False, "attributes": [], "x": 1}), _INVALID),
        ("another key", _said(key_id="0" * 32), "KEY_ID_WRONG"),
        ("the same request id for other bytes", _reused, "REQUEST_ID_REUSED"),
    ):
        yield Row(RPC, where, what, bend, code)


_INVALID = "STATEMENT_INVALID"


def _reused(stage: Stage, messages: Messages) -> None:
    messages[:] = question(stage, stage.question(request_id=str(stage.ask.statement["request_id"])))


def match_rows() -> list[Row]:
    """Every row of the question stream."""
    return [*_statements(), *_openings(), *_rows()]
