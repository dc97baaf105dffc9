"""The rows of bad input for corrections, disputes, outcomes, acknowledgements and explanations of unusual use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bad_shapes import OK, Bend, Messages, Row, members, opening, pages, put, restate, signatures, signed_at
from good_requests import GOOD, item_of
from sluis_client.canonical import commitment
from stage import CANARY, KVK, Stage

UUID = "11111111-1111-4111-8111-111111111111"
CORRECT, DISPUTE, REPORT = (
    "RegisterService/CorrectRecord",
    "ExchangeService/DisputeHit",
    "ExchangeService/ReportOutcome",
)
LIST, ACKNOWLEDGE, EXPLAIN = (
    f"NoticeService/{name}" for name in ("ListNotices", "AcknowledgeNotice", "ExplainUnusualUse")
)
_HEAD = ["type", "origin", "environment", "not_after"]
_HIT = [*_HEAD, "request_id", "asker", "answerer", "exchange", "position"]
_RECORD = ["purpose", "epoch", "scheme", "match_keys", "record", "what", "reason", "dispute"]
MEMBERS = {
    CORRECT: ("correction", [*_HEAD, "request_id", "answerer", *_RECORD]),
    DISPUTE: ("dispute", [*_HIT, "reason"]),
    REPORT: ("outcome", [*_HIT, "outcome", "role"]),
    ACKNOWLEDGE: ("acknowledgement", [*_HEAD, "party", "notice", "done"]),
    EXPLAIN: (
        "unusual-use",
        [*_HEAD, "party", "item", "kind", "purpose", "day", "first", "last", "explanation"],
    ),
}
_INVALID = "STATEMENT_INVALID"


def _said(rpc: str, **changes: Any) -> Bend:
    return restate("signed", GOOD[rpc][0], lambda statement: statement.update(changes))


def _statements(rpc: str, *cases: tuple[str, dict[str, Any], str]) -> Iterator[Row]:
    """What every signed statement about rectification has, and cases of its own: what, members changed, code."""
    party = GOOD[rpc][0]
    kind, names = MEMBERS[rpc]
    yield from signatures(rpc, "signed", party)
    yield from members(rpc, "signed", party, f"sluis/v1/{kind}", names)
    for what, changes, code in (
        ("expired", {"not_after": "2026-11-23T09:59:59Z"}, "STATEMENT_EXPIRED"),
        ("too far ahead", {"not_after": "2026-11-23T10:59:59Z"}, _INVALID),
        ("at the end of time", {"not_after": "9999-12-31T23:59:59Z"}, _INVALID),
        ("on no day", {"not_after": "2026-02-30T10:00:00Z"}, _INVALID),
        *cases,
    ):
        yield Row(rpc, "signed.statement", what, _said(rpc, **changes), code)
    if "request_id" in names:
        version_1 = UUID.replace("-4", "-1")
        yield Row(rpc, "signed.statement", "UUID version 1", _said(rpc, request_id=version_1), _INVALID)
    yield Row(rpc, "signed", "of others", lambda _s, _m: None, "SIGNATURE_WRONG", by="snf")


def _correction_rows() -> Iterator[Row]:
    yield from _statements(
        CORRECT,
        ("of another party", {"answerer": "svb"}, "NOT_YOURS"),
        ("unknown purpose", {"purpose": "no-such-purpose"}, "PURPOSE_UNKNOWN"),
        ("not answered by the caller", {"purpose": "snf-locatie"}, "PURPOSE_UNKNOWN"),
        ("an epoch without a key", {"epoch": "2031Q1"}, "EPOCH_UNKNOWN"),
        ("an epoch of no shape", {"epoch": "2026Q5"}, _INVALID),
        ("no match key", {"match_keys": 0}, _INVALID),
        ("a match key too many", {"match_keys": 2}, "COUNT_WRONG"),
        ("another commitment", {"record": "0" * 64}, "COMMITMENT_WRONG"),
        ("upheld, and no dispute", {"what": "upheld"}, _INVALID),
        ("a dispute of nobody", {"dispute": "0" * 32}, "NOT_FOUND"),
    )
    yield Row(CORRECT, "record", "not the one that is disputed", _of_the_dispute, "FIELD_INVALID")
    yield Row(CORRECT, "signed.statement", "still disputed where it is already", _still, "ALREADY_REPORTED")
    for what, value in {"missing": b"", "short": b"x" * 31, "long": CANARY.encode() * 99}.items():
        yield Row(CORRECT, "record_salt", what, put("record_salt", value), "LENGTH_WRONG")
    yield Row(CORRECT, "record_salt", "another", put("record_salt", b"x" * 32), "COMMITMENT_WRONG")
    yield Row(CORRECT, "record", "missing", put("record", []), "COUNT_WRONG")
    for times in (2, 65):
        bend = put("record", lambda known, times=times: [known[0]] * times)
        yield Row(CORRECT, "record", f"{times} columns", bend, "COUNT_WRONG")
    where = "record.pseudonyms"
    for what, change, code in (
        ("missing", lambda _: b"", "LENGTH_WRONG"),
        ("a byte short", lambda one: one[:-1], "LENGTH_WRONG"),
        ("a byte long", lambda one: one + b"\1", "LENGTH_WRONG"),
        ("two rows", lambda one: one + one[::-1], "COUNT_WRONG"),
        ("another record", lambda one: one[::-1], "COMMITMENT_WRONG"),
        ("a raw number", lambda _: f"{CANARY}       ".encode(), "LOOKS_LIKE_IDENTIFIERS"),
        ("a raw integer", lambda _: int(CANARY).to_bytes(16, "big"), "LOOKS_LIKE_IDENTIFIERS"),
    ):
        yield Row(CORRECT, where, what, put(where, change), code)
    where = "record.presence"
    yield Row(CORRECT, where, "too long", put(where, b"\1\0"), "LENGTH_WRONG")
    yield Row(CORRECT, where, "unused bits set", put(where, b"\3"), "FIELD_INVALID")
    yield Row(CORRECT, where, "an absent row that holds something", put(where, b"\0"), "FIELD_INVALID")
    yield Row(CORRECT, where, "no match key at all", _absent, "FIELD_INVALID")


def _of_the_dispute(stage: Stage, messages: Messages) -> None:
    """A correction of another record, put as the answer to the dispute."""
    _said(CORRECT, what="upheld", reason="examined", dispute=stage.notice)(stage, messages)


def _still(stage: Stage, messages: Messages) -> None:
    said = {"what": "still-disputed", "reason": "new-epoch", "dispute": stage.notice}
    _said(CORRECT, **said)(stage, messages)


def _absent(stage: Stage, messages: Messages) -> None:
    put("record.pseudonyms", bytes(16))(stage, messages)
    put("record.presence", b"\0")(stage, messages)


def _hit_rows(rpc: str) -> Iterator[Row]:
    yield from _statements(
        rpc,
        ("of another asker", {"asker": "uwv"}, "NOT_YOURS"),
        ("an exchange of nobody", {"exchange": UUID}, "NOT_FOUND"),
        ("another answerer", {"answerer": "svb"}, "NOT_FOUND"),
        ("another commitment", {"position": "0" * 64}, "COMMITMENT_WRONG"),
    )
    yield Row(rpc, "signed.statement", "the same request id for other bytes", _reused, "REQUEST_ID_REUSED")
    yield Row(rpc, "position", "missing", put("position", None), "LENGTH_WRONG")
    yield Row(rpc, "position", "empty", put("position", opening(b"", b"")), "LENGTH_WRONG")
    where = "position.salt"
    for what, value in {"missing": b"", "short": b"x" * 31, "long": CANARY.encode() * 99}.items():
        yield Row(rpc, where, what, put(where, value), "LENGTH_WRONG")
    yield Row(rpc, where, "another", put(where, b"x" * 32), "COMMITMENT_WRONG")
    where = "position.value"
    for what, value in {"missing": b"", "oversized": CANARY.encode() * 2}.items():
        yield Row(rpc, where, what, put(where, value), "FIELD_TOO_LONG")
    yield Row(rpc, where, "another", put(where, CANARY.encode()), "COMMITMENT_WRONG")
    for what, value in {
        "behind the last row": b"20",
        "a number of a person": CANARY.encode(),
        "very large": b"9" * 16,
        "negative": b"-1",
        "led by a zero": b"01",
        "with a space": b"1 ",
        "other digits": "٣".encode(),
        "bytes that are no text": b"\xff\0",
    }.items():
        yield Row(rpc, where, what, _at(value), "FIELD_INVALID")
    yield Row(rpc, where, "no hit", _no_hit, "NOT_A_HIT")


def _at(value: bytes) -> Bend:
    """Another position, and the statement commits to it."""

    def bend(stage: Stage, messages: Messages) -> None:
        salt = b"s" * 32
        put("position", opening(salt, value))(stage, messages)
        restate("signed", "nla", lambda one: one.update(position=commitment("position", salt, value)))(stage, messages)

    return bend


def _no_hit(stage: Stage, messages: Messages) -> None:
    ask = stage.question(identifiers=[KVK[0], "69990001"])
    stage.nla.send(ask)
    restate("signed", "nla", lambda one: one.update(exchange=ask.statement["request_id"]))(stage, messages)


def _reused(stage: Stage, messages: Messages) -> None:
    used = json.loads(stage.disputed.signed.statement)["request_id"]
    restate("signed", "nla", lambda one: one.update(request_id=used))(stage, messages)


def _disputed_again(stage: Stage, messages: Messages) -> None:
    again = stage.rectifier("nla").dispute_request(stage.ask, int(stage.disputed.position.value))
    messages[0].CopyFrom(again)


def _notice_rows() -> Iterator[Row]:
    yield from pages(LIST)
    for flag in (True, False):
        yield Row(LIST, "unacknowledged", f"{flag} is a question like another", put("unacknowledged", flag), OK)
    for what, token in {"no number": "YWJj", "negative": "LTE=", "zero": "MA=="}.items():
        yield Row(LIST, "page_token", what, put("page_token", token), "PAGE_TOKEN_INVALID")
    yield from _statements(
        ACKNOWLEDGE,
        ("of another party", {"party": "nla"}, "NOT_YOURS"),
        ("a notice of nobody", {"notice": "0" * 32}, "NOT_FOUND"),
    )
    yield Row(ACKNOWLEDGE, "signed", "a notice of others", _to_snf, "NOT_FOUND", by="snf")


def _to_snf(stage: Stage, messages: Messages) -> None:
    restate("signed", "snf", lambda one: one.update(party="snf"))(stage, messages)


def _explained(**changes: Any) -> Bend:
    """Other facts, and the item's id is theirs."""

    def bend(stage: Stage, messages: Messages) -> None:
        statement = json.loads(signed_at(messages[0], "signed").statement)
        statement.update(changes)
        _said(EXPLAIN, **changes, item=item_of(statement))(stage, messages)

    return bend


def _unusual_rows() -> Iterator[Row]:
    yield from _statements(
        EXPLAIN,
        ("an item of other facts", {"item": "0" * 32}, _INVALID),
        ("another word", {"explanation": "because"}, _INVALID),
    )
    for what, bend, code in (
        ("of another party", _explained(party="uwv"), "NOT_YOURS"),
        ("unknown purpose", _explained(purpose="no-such-purpose"), "NOT_FOUND"),
        ("first entry is no question", _explained(first=0), "NOT_FOUND"),
        ("from before the log", _explained(first=0, last=0), "NOT_FOUND"),
        ("first behind last", _explained(first=2**32), "NOT_FOUND"),
        ("last behind the end", _explained(last=2**53 - 1), "NOT_FOUND"),
        ("a kind that nothing has", _explained(kind="odd"), _INVALID),
        ("a day that does not exist", _explained(day="2026-02-30"), _INVALID),
        ("first true", _explained(first=True), _INVALID),
    ):
        yield Row(EXPLAIN, "signed.statement", what, bend, code)


def rectification_rows() -> list[Row]:
    """Every row of rectification, notices and unusual use."""
    again = Row(DISPUTE, "position.value", "disputed already", _disputed_again, "ALREADY_REPORTED")
    hits = [*_hit_rows(DISPUTE), again, *_hit_rows(REPORT)]
    return [*_correction_rows(), *hits, *_notice_rows(), *_unusual_rows()]
