"""The rows of bad input for live questions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bad_shapes import Bend, Row, columns, members, put, restate, signatures, texts
from live_stage import ANSWER_MEMBERS
from stage import CANARY

TAKE, ANSWER = "RegisterService/TakeQuestion", "RegisterService/AnswerQuestion"
_INVALID = "STATEMENT_INVALID"


def _said(**changes: Any) -> Bend:
    return restate("signed", "snf", lambda statement: statement.update(changes))


def live_rows() -> Iterator[Row]:
    """Every row of `TakeQuestion` and `AnswerQuestion`."""
    yield from texts(TAKE, "purpose")
    yield Row(TAKE, "purpose", "unknown", put("purpose", "no-such-purpose"), "POLICY_DENIES")
    yield Row(TAKE, "purpose", "answered from registers", put("purpose", "bezetting"), "POLICY_DENIES")
    yield Row(TAKE, "purpose", "answered by another", lambda _s, _m: None, "POLICY_DENIES", by="utrecht")
    for seconds in (21, 2**32 - 1):
        yield Row(TAKE, "wait_seconds", f"{seconds}", put("wait_seconds", seconds), "FIELD_INVALID")
    yield from signatures(ANSWER, "signed", "snf")
    yield from members(ANSWER, "signed", "snf", "sluis/v1/live-answer", ANSWER_MEMBERS)
    for what, changes, code in (
        ("expired", {"not_after": "2026-11-23T09:59:59Z"}, "STATEMENT_EXPIRED"),
        ("too far ahead", {"not_after": "2026-11-23T10:59:59Z"}, _INVALID),
        ("of another party", {"answerer": "svb"}, "NOT_YOURS"),
        ("to another asker", {"asker": "rotterdam"}, "NOT_FOUND"),
        ("to another exchange", {"exchange": "00000000-0000-4000-8000-000000000000"}, "NOT_FOUND"),
        ("of another purpose", {"purpose": "bezetting"}, _INVALID),
        ("of another epoch", {"epoch": "2031Q1"}, _INVALID),
        ("under another key", {"key_id": "0" * 32}, _INVALID),
        ("by another scheme", {"scheme": "kvk"}, _INVALID),
        ("to other rows", {"tokens": "0" * 64}, _INVALID),
        ("with attributes nobody asked for", {"attributes": ["beds", "certificate-status"]}, _INVALID),
        ("without the attributes asked for", {"attributes": []}, _INVALID),
        ("a match key too many", {"match_keys": 2}, "COUNT_WRONG"),
        ("with a rule too many", {"rules": {"valid_on": "as-of"}}, "POLICY_DENIES"),
        ("of a day to come", {"as_of": "2026-12-23T09:59:59Z"}, _INVALID),
        ("another commitment", {"rows": "0" * 64}, "COMMITMENT_WRONG"),
    ):
        yield Row(ANSWER, "signed.statement", what, _said(**changes), code)
    yield Row(ANSWER, "signed", "of others", lambda _s, _m: None, "SIGNATURE_WRONG", by="utrecht")
    for what, value in {"missing": b"", "short": b"x" * 31, "long": CANARY.encode() * 99}.items():
        yield Row(ANSWER, "rows_salt", what, put("rows_salt", value), "LENGTH_WRONG")
    yield Row(ANSWER, "rows_salt", "another", put("rows_salt", b"x" * 32), "COMMITMENT_WRONG")
    yield Row(ANSWER, "rows", "left out", put("rows", None), "COMMITMENT_WRONG")
    yield Row(ANSWER, "rows.offset", "not the first", put("rows.offset", 1), "OFFSET_WRONG")
    yield from columns(ANSWER, "rows.columns", 0)
    for field, code in {"rows.wraps": "COUNT_WRONG", "rows.fields": "COUNT_WRONG"}.items():
        yield Row(ANSWER, field, "missing", put(field, []), code)
        yield Row(ANSWER, field, "too many", put(field, lambda known: [known[0], known[0]]), code)
        yield Row(ANSWER, field, "a byte short", put(field, lambda known: [known[0][:-1]]), "LENGTH_WRONG")
        yield Row(ANSWER, field, "others", put(field, lambda known: [known[0][::-1]]), "COMMITMENT_WRONG")
    where = "rows.commitments"
    yield Row(ANSWER, where, "missing", put(where, b""), "LENGTH_WRONG")
    yield Row(ANSWER, where, "a byte short", put(where, lambda one: one[:-1]), "LENGTH_WRONG")
