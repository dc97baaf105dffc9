"""Requests to destroy a key of a key service: read strictly, since they come as files."""

from __future__ import annotations

import json

import pytest

from broker.errors import Code, SluisError
from broker.key_destruction import MAX_REQUEST_BYTES, DestroyRequest

GOOD = DestroyRequest("nla-verzoek-persoon", "2026-11", "the key directory was copied")


def test_a_request_reads_as_it_was_written():
    assert DestroyRequest.decode(GOOD.encode()) == GOOD


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * MAX_REQUEST_BYTES,
        GOOD.encode() + b"x" * MAX_REQUEST_BYTES,
        json.dumps({**json.loads(GOOD.encode()), "type": "other"}).encode(),
        json.dumps({**json.loads(GOOD.encode()), "more": "1"}).encode(),
        json.dumps({**json.loads(GOOD.encode()), "reason": None}).encode(),
        json.dumps({**json.loads(GOOD.encode()), "reason": "two\nlines"}).encode(),
        json.dumps({**json.loads(GOOD.encode()), "reason": "x" * 201}).encode(),
    ],
    ids=["empty", "list", "null", "binary", "deep", "long", "type", "member", "no text", "lines", "long reason"],
)
def test_what_is_no_request_is_refused(data):
    with pytest.raises(SluisError) as caught:
        DestroyRequest.decode(data)
    assert caught.value.code is Code.FIELD_INVALID
