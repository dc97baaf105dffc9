"""Canonical JSON against the rfc8785 library, and the encoding that is hashed."""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from broker.canonical import canonical_json, commitment, encode, parse_canonical
from broker.errors import Code, SluisError


@dataclass(frozen=True)
class Place:
    """A value that the encoder knows and the profile does not."""

    number: int


ascii_keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=12)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ascii_keys, inner, max_size=4)
)


@given(values)
def test_the_profile_equals_rfc_8785(value: object) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(values)
def test_the_bytes_are_those_of_the_standard_library(value: object) -> None:
    """Another encoder, so that a fault of the one that writes the log shows."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    assert canonical_json(value) == text.encode()


@pytest.mark.parametrize("character", [chr(code) for code in (*range(0x80), 0x2028, 0xFEFF, 0xFFFF, 0x1F600)])
def test_every_character_that_encoders_treat_in_a_way_of_their_own(character: str) -> None:
    assert canonical_json({"a": [character]}) == rfc8785.dumps({"a": [character]})


@given(st.dictionaries(ascii_keys, values, max_size=4))
def test_parse_accepts_exactly_the_canonical_form(value: dict[str, object]) -> None:
    data = canonical_json(value)
    assert parse_canonical(data) == value
    if value:
        with pytest.raises(SluisError):
            parse_canonical(json.dumps(value, indent=1).encode())


@pytest.mark.parametrize(
    "bad",
    [
        1.5,
        float("nan"),
        2**53,
        {"é": 1},
        {1: 2},
        {"a": {1: 2}},
        b"bytes",
        "\ud800",
        {"\ud800": 1},
        object(),
        {"a": {"b": 1.0}},
        [[1.0]],
        [-(2**53)],
        # what the encoder would write by itself
        datetime(2026, 1, 1, tzinfo=UTC),
        [uuid.UUID(int=0)],
        {"a": np.int64(1)},
        Place(1),
        {"a": {1, 2}},
    ],
)
def test_values_outside_the_profile_are_refused(bad: object) -> None:
    with pytest.raises(SluisError) as caught:
        canonical_json(bad)
    assert caught.value.code is Code.FIELD_INVALID


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1.0}',
        b"\xff",
        b'{"a":NaN}',
        b"[" * 9999,
    ],
)
def test_bytes_that_are_not_canonical_are_refused(bad: bytes) -> None:
    with pytest.raises(SluisError) as caught:
        parse_canonical(bad)
    assert caught.value.code is Code.STATEMENT_INVALID


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.binary(max_size=9), max_size=4))
def test_no_two_lists_encode_alike(left: list[bytes], right: list[bytes]) -> None:
    assert (encode(*left) == encode(*right)) == (left == right)


def test_commitment_is_what_the_format_says() -> None:
    salt = bytes(range(32))
    expected = hashlib.sha256(encode(b"sluis/v1/commitment", b"tokens", salt, b"v")).hexdigest()
    assert commitment("tokens", salt, b"v") == expected
    with pytest.raises(SluisError):
        commitment("tokens", b"short", b"v")
