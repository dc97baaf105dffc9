"""The rows of bad input for canaries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bad_shapes import Bend, Row, members, put, restate, signatures
from good_requests import GOOD
from stage import CANARY

RPC = "RegisterService/SetCanaries"
_MEMBERS = ["type", "origin", "environment", "not_after", "request_id", "answerer", "purpose", "epoch", "key_id"]
_MEMBERS += ["scheme", "match_keys", "rows", "record"]
_INVALID = "STATEMENT_INVALID"


def _said(**changes: Any) -> Bend:
    return restate("signed", GOOD[RPC][0], lambda statement: statement.update(changes))


def canary_rows() -> Iterator[Row]:
    """Every row of `SetCanaries`."""
    yield from signatures(RPC, "signed", "uwv")
    yield from members(RPC, "signed", "uwv", "sluis/v1/canaries", _MEMBERS)
    for what, changes, code in (
        ("expired", {"not_after": "2026-11-23T09:59:59Z"}, "STATEMENT_EXPIRED"),
        ("too far ahead", {"not_after": "2026-11-23T10:59:59Z"}, _INVALID),
        ("of another party", {"answerer": "svb"}, "NOT_YOURS"),
        ("unknown purpose", {"purpose": "no-such-purpose"}, "PURPOSE_UNKNOWN"),
        ("not answered by the caller", {"purpose": "snf-locatie"}, "POLICY_DENIES"),
        ("an epoch without a key", {"epoch": "2031Q1"}, "EPOCH_UNKNOWN"),
        ("an epoch of no shape", {"epoch": "2026Q5"}, _INVALID),
        ("another key", {"key_id": "0" * 32}, "KEY_ID_WRONG"),
        ("a scheme of something else", {"scheme": "bag"}, "FIELD_INVALID"),
        ("no match key", {"match_keys": 0}, _INVALID),
        ("a match key too many", {"match_keys": 2}, "COUNT_WRONG"),
        ("another number of rows", {"rows": 7}, "COUNT_WRONG"),
        ("more rows than a list holds", {"rows": 1_001}, _INVALID),
        ("fewer rows than none", {"rows": -1}, _INVALID),
        ("another commitment", {"record": "0" * 64}, "COMMITMENT_WRONG"),
    ):
        yield Row(RPC, "signed.statement", what, _said(**changes), code)
    yield Row(RPC, "signed", "of others", lambda _s, _m: None, "SIGNATURE_WRONG", by="snf")
    for what, value in {"missing": b"", "short": b"x" * 31, "long": CANARY.encode() * 99}.items():
        yield Row(RPC, "canaries_salt", what, put("canaries_salt", value), "LENGTH_WRONG")
    yield Row(RPC, "canaries_salt", "another", put("canaries_salt", b"x" * 32), "COMMITMENT_WRONG")
    yield Row(RPC, "columns", "missing", put("columns", []), "COUNT_WRONG")
    for times in (2, 65):
        bend = put("columns", lambda known, times=times: [known[0]] * times)
        yield Row(RPC, "columns", f"{times} columns", bend, "COUNT_WRONG")
    where = "columns.pseudonyms"
    for what, change, code in (
        ("missing", lambda _: b"", "LENGTH_WRONG"),
        ("a byte short", lambda one: one[:-1], "LENGTH_WRONG"),
        ("a row more", lambda one: one + one[::-1], "COUNT_WRONG"),
        ("more than a list holds", lambda one: one * 1_001, "COUNT_WRONG"),
        ("another subject", lambda one: one[::-1], "COMMITMENT_WRONG"),
        ("a raw number", lambda _: f"{CANARY}       ".encode(), "LOOKS_LIKE_IDENTIFIERS"),
        ("a raw integer", lambda _: int(CANARY).to_bytes(16, "big"), "LOOKS_LIKE_IDENTIFIERS"),
    ):
        yield Row(RPC, where, what, put(where, change), code)
    where = "columns.presence"
    yield Row(RPC, where, "too long", put(where, b"\1\0"), "LENGTH_WRONG")
    yield Row(RPC, where, "unused bits set", put(where, b"\3"), "FIELD_INVALID")
    yield Row(RPC, where, "an absent row that holds something", put(where, b"\0"), "FIELD_INVALID")
