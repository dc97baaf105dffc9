"""What a row of bad input is, and the bends that many fields share.

One row bends one thing of a request that is good otherwise. `OK` marks values that are legitimate, said aloud.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from sluis.v1 import common_pb2
from stage import CANARY, Stage

OK = "OK"
"""Any value of this kind is legitimate: the call is answered."""
Messages = list[Message]
Bend = Callable[[Stage, Messages], None]
CANARY_NAME = f"x{CANARY}"
"""Would pass as a name but for the number in it."""


@dataclass(frozen=True)
class Row:
    """One bad request. `by`: the party that calls when not the request's usual one."""

    rpc: str
    field: str
    what: str
    bend: Bend
    code: str
    by: str = ""

    def __str__(self) -> str:
        return f"{self.rpc}-{self.field}-{self.what}".replace(" ", "_")


def put(path: str, value: Any, at: int = 0) -> Bend:
    """Sets a field of message `at`; a list replaces a repeated field, None clears, a function changes what is there."""

    def bend(_: Stage, messages: Messages) -> None:
        target: Any = messages[at]
        *way, last = path.split(".")
        for name in way:
            target = getattr(target, name)
            if not isinstance(target, Message):
                target = target[0]
        given = value(getattr(target, last)) if callable(value) else value
        if given is None:
            target.ClearField(last)
        elif isinstance(given, list):
            getattr(target, last).clear()
            getattr(target, last).extend(given)
        elif isinstance(given, Message):
            getattr(target, last).CopyFrom(given)
        else:
            setattr(target, last, given)

    return bend


def texts(rpc: str, field: str, *, optional: bool = False, many: bool = False, at: int = 0) -> Iterator[Row]:
    """The rows that every text field of a fixed shape has."""

    def of(value: str) -> Any:
        return [value] if many else value

    bad = "FIELD_INVALID"
    yield Row(rpc, field, "missing", put(field, None, at), OK if optional else "FIELD_MISSING")
    if many:
        yield Row(rpc, field, "empty item", put(field, [""], at), "FIELD_MISSING")
    yield Row(rpc, field, "oversized", put(field, of("a" * 301), at), "FIELD_TOO_LONG")
    yield Row(rpc, field, "wrong shape", put(field, of("Not A Name!"), at), bad)
    yield Row(rpc, field, "control characters", put(field, of("snf\x00\n"), at), bad)
    yield Row(rpc, field, "other digits", put(field, of("٣٤"), at), bad)
    yield Row(rpc, field, "a number of a person", put(field, of(CANARY), at), bad)
    yield Row(rpc, field, "a number in a name", put(field, of(CANARY_NAME), at), bad)


def pages(rpc: str, *, token: bool = True) -> Iterator[Row]:
    """The rows of a paged list."""
    yield Row(rpc, "page_size", "negative", put("page_size", -1), "FIELD_INVALID")
    yield Row(rpc, "page_size", "very negative", put("page_size", -(2**31)), "FIELD_INVALID")
    yield Row(rpc, "page_size", "none means the default", put("page_size", 0), OK)
    yield Row(rpc, "page_size", "large means the maximum", put("page_size", 2**31 - 1), OK)
    if token:
        for what, value in {
            "no base64": "%%%",
            "half a token": "YQ",
            "not UTF-8": "gIA=",
            "a number of a person": CANARY,
            "letters that do not count": "!Y!Q!=!=",
            "oversized": "YWFh" * 5000,
            "very oversized": "YWFh" * 200_000,
        }.items():
            yield Row(rpc, "page_token", what, put("page_token", value), "PAGE_TOKEN_INVALID")
        yield Row(rpc, "page_token", "none means the first page", put("page_token", ""), OK)


def signatures(rpc: str, field: str, party: str, *, at: int = 0) -> Iterator[Row]:
    """The rows that every signed statement has, but for its members."""

    def other_statement(stage: Stage, messages: Messages) -> None:
        put(f"{field}.statement", lambda raw: raw.replace(b'0Z"', b'1Z"', 1), at)(stage, messages)

    def by_another(stage: Stage, messages: Messages) -> None:
        signed = signed_at(messages[at], field)
        other = "utrecht" if party != "utrecht" else "snf"
        signed.CopyFrom(stage.resigned(other, signed.statement))

    def raw(change: Callable[[bytes], bytes]) -> Bend:
        def bend(stage: Stage, messages: Messages) -> None:
            signed = signed_at(messages[at], field)
            signed.CopyFrom(stage.resigned(party, change(signed.statement)))

        return bend

    yield Row(rpc, field, "missing", put(field, None, at), "FIELD_MISSING")
    yield Row(rpc, f"{field}.statement", "missing", put(f"{field}.statement", b"", at), "FIELD_MISSING")
    yield Row(rpc, f"{field}.statement", "oversized", put(f"{field}.statement", b"x" * 49_153, at), "FIELD_TOO_LONG")
    for what, change in {
        "no JSON": lambda _: CANARY.encode() + b"x",
        "a number": lambda _: CANARY.encode(),
        "not UTF-8": lambda _: b"\xff\xfe",
        "a list": lambda _: b"[]",
        "empty object": lambda _: b"{}",
        "spaces": lambda one: one.replace(b":", b": ", 1),
        "cut off": lambda one: one[:-1],
        "a member twice": lambda one: one[:-1] + b',"type":"x"}',
        "members out of order": lambda one: b'{"type":1,"origin":2}',
        "deep": lambda _: b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "a float": lambda _: b'{"a":1.5}',
        "a huge number": lambda _: b'{"a":' + b"9" * 5000 + b"}",
    }.items():
        yield Row(rpc, f"{field}.statement", what, raw(change), "STATEMENT_INVALID")
    where = f"{field}.signature"
    yield Row(rpc, where, "missing", put(where, b"", at), "FIELD_MISSING")
    yield Row(rpc, where, "oversized", put(where, b"x" * 1025, at), "FIELD_TOO_LONG")
    yield Row(rpc, where, "noise", put(where, CANARY.encode() * 7, at), "SIGNATURE_WRONG")
    yield Row(rpc, where, "cut off", put(where, lambda one: one[:-1], at), "SIGNATURE_WRONG")
    yield Row(rpc, where, "by another party", by_another, "SIGNATURE_WRONG")
    yield Row(rpc, where, "of another statement", other_statement, "SIGNATURE_WRONG")


def signed_at(message: Any, field: str) -> common_pb2.SignedStatement:
    """The signed statement at a dotted path."""
    for name in field.split("."):
        message = getattr(message, name)
    return message


def restate(field: str, party: str, change: Callable[[dict[str, Any]], Any]) -> Bend:
    """Changes a statement's members and signs it well again."""

    def bend(stage: Stage, messages: Messages) -> None:
        signed = signed_at(messages[0], field)
        members = json.loads(signed.statement)
        change(members)
        signed.CopyFrom(stage.resigned(party, members))

    return bend


def members(rpc: str, field: str, party: str, kind: str, names: Sequence[str]) -> Iterator[Row]:
    """Each member missing, of another type and with a number of a person in it; and one member too many.

    `names`: the statement's members, dotted where they lie deeper (docs/formats.md).
    """

    def holder(statement: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
        *way, last = name.split(".")
        for step in way:
            statement = statement[step]
        return statement, last

    def setter(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
        def change(statement: dict[str, Any]) -> None:
            where, last = holder(statement, name)
            where[last] = value

        return change

    def remover(name: str) -> Callable[[dict[str, Any]], None]:
        def change(statement: dict[str, Any]) -> None:
            where, last = holder(statement, name)
            del where[last]

        return change

    where = f"{field}.statement"
    for name in names:
        bad: dict[str, Any] = {
            "is a number of a person": CANARY,
            "is a name with a number in it": CANARY_NAME,
            "lists a number of a person": [CANARY_NAME],
            "is an object": {CANARY_NAME: CANARY},
            "is minus one": -1,
            "is as large as can be": 2**53 - 1,
            "is long": "a" * 2000,
        }
        yield Row(rpc, where, f"{name} missing", restate(field, party, remover(name)), "STATEMENT_INVALID")
        for what, value in bad.items():
            bend = restate(field, party, setter(name, value))
            yield Row(rpc, where, f"{name} {what}", bend, "STATEMENT_INVALID")
    for value in (1, CANARY):
        bend = restate(field, party, setter(CANARY_NAME, value))
        yield Row(rpc, where, f"a member too many {type(value).__name__}", bend, "STATEMENT_INVALID")
    other = "sluis/v1/epoch" if kind != "sluis/v1/epoch" else "sluis/v1/ask"
    for name, value in {"type": other, "origin": "sluis.example/other", "environment": "production"}.items():
        bend = restate(field, party, setter(name, value))
        yield Row(rpc, where, f"{name} of another", bend, "STATEMENT_INVALID")


def opening(salt: bytes, value: bytes) -> common_pb2.Opening:
    """An opening of nothing in particular."""
    return common_pb2.Opening(salt=salt, value=value)


def columns(rpc: str, field: str, at: int) -> Iterator[Row]:
    """The rows of pseudonym columns, in questions and registers alike."""
    pseudonyms, presence = f"{field}.pseudonyms", f"{field}.presence"
    yield Row(rpc, field, "missing", put(field, [], at), "COUNT_WRONG")
    yield Row(rpc, field, "too many", put(field, lambda known: [known[0], known[0]], at), "COUNT_WRONG")
    yield Row(rpc, pseudonyms, "missing", put(pseudonyms, b"", at), "LENGTH_WRONG")
    yield Row(rpc, pseudonyms, "a byte short", put(pseudonyms, lambda one: one[:-1], at), "LENGTH_WRONG")
    yield Row(rpc, pseudonyms, "a byte long", put(pseudonyms, lambda one: one + b"\1", at), "LENGTH_WRONG")
    raw = (CANARY + "       ").encode() * 20
    yield Row(rpc, pseudonyms, "raw numbers", put(pseudonyms, raw, at), "LOOKS_LIKE_IDENTIFIERS")
    padded = b"".join(int(CANARY).to_bytes(16, "big") for _ in range(20))
    yield Row(rpc, pseudonyms, "raw integers", put(pseudonyms, padded, at), "LOOKS_LIKE_IDENTIFIERS")
    yield Row(rpc, presence, "too short", put(presence, b"\xff", at), "LENGTH_WRONG")
    yield Row(rpc, presence, "too long", put(presence, b"\xff" * 99, at), "LENGTH_WRONG")

    def absent(stage: Stage, messages: Messages) -> None:
        known = len(_column(messages[at]).pseudonyms) // 16
        put(presence, bytes((known + 7) // 8), at)(stage, messages)

    def spare(stage: Stage, messages: Messages) -> None:
        known = len(_column(messages[at]).pseudonyms) // 16 - 1
        put(pseudonyms, lambda one: one[: known * 16], at)(stage, messages)
        put(presence, b"\xff" * ((known + 7) // 8), at)(stage, messages)

    yield Row(rpc, presence, "absent rows that hold something", absent, "FIELD_INVALID")
    yield Row(rpc, presence, "unused bits set", spare, "FIELD_INVALID")


def _column(message: Any) -> common_pb2.PseudonymColumn:
    return message.rows.columns[0]
