"""Canonical bytes: the JSON profile that is signed and logged, and the length-prefixed encoding that is hashed.

Profile of RFC 8785 (JCS): ASCII keys, no floats, integers within +-(2^53 - 1), UTF-8 output without escapes beyond
those of RFC 8785 section 3.2.2.2. On this profile the output equals JCS (tests compare with `rfc8785` and with the
standard library's encoder). `orjson` writes it, since that is on the way of every log entry (ADR 0021).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import orjson

from broker.errors import Code, SluisError

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32

_PROFILE = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_TOO_DEEP = "canonical JSON is nested too deeply"
_TYPE_ERROR = "canonical JSON holds only null, booleans, integers, text, lists and objects with ASCII keys"


def canonical_json(value: object) -> bytes:
    """The canonical bytes of `value`.

    Raises:
        SluisError: FIELD_INVALID when the value is outside the profile.
    """
    check_profile(value)
    return written(value)


def written(value: object) -> bytes:
    """The canonical bytes of a value that is known to keep to the profile, but for lone surrogates perhaps.

    Raises:
        SluisError: FIELD_INVALID for lone surrogates.
    """
    try:
        return orjson.dumps(value, option=_PROFILE)
    except TypeError:  # what `check_profile` leaves to it
        raise SluisError(Code.FIELD_INVALID, "canonical JSON holds no lone surrogates") from None


def parse_canonical(data: bytes) -> dict[str, Any]:
    """The object whose canonical bytes are exactly `data`.

    Raises:
        SluisError: STATEMENT_INVALID when `data` is not the canonical form of a JSON object.
    """
    try:
        value = json.loads(data.decode("utf-8"))
        same = isinstance(value, dict) and canonical_json(value) == data
    except (ValueError, RecursionError, SluisError) as error:
        raise SluisError(Code.STATEMENT_INVALID, "not canonical JSON (docs/formats.md section 1)") from error
    if not same:
        raise SluisError(Code.STATEMENT_INVALID, "not in canonical form: sort keys, no spaces, no floats")
    return value  # type: ignore[no-any-return]  # isinstance checked above


def check_profile(value: object, depth: int = 0) -> None:
    """Checks that `value`, `depth` levels down in what will be written, keeps to the profile.

    Lone surrogates show only when the text is written.

    Raises:
        SluisError: FIELD_INVALID.
    """
    items: Iterable[object]
    if isinstance(value, dict):
        items = value.values()
        try:
            plain = "".join(value).isascii()
        except TypeError:
            plain = False
        if not plain:
            raise SluisError(Code.FIELD_INVALID, _TYPE_ERROR)
    elif isinstance(value, list | tuple):
        items = value
    else:
        _check_scalar(value)
        return
    if depth >= MAX_DEPTH and value:
        raise SluisError(Code.FIELD_INVALID, _TOO_DEEP)
    for item in items:
        kind = type(item)
        if kind is str or kind is bool or item is None:  # most are, and this is on the way of every log entry
            continue
        if kind is dict or isinstance(item, dict | list | tuple):
            check_profile(item, depth + 1)
        else:
            _check_scalar(item)


def _check_scalar(value: object) -> None:
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise SluisError(Code.FIELD_INVALID, "canonical JSON holds integers up to 2^53 - 1")
    elif value is not None and not isinstance(value, str):
        raise SluisError(Code.FIELD_INVALID, _TYPE_ERROR)


def encode(*parts: bytes) -> bytes:
    """Each part behind its length in 4 bytes, big-endian: no two lists of parts encode alike."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def commitment(label: str, salt: bytes, value: bytes) -> str:
    """The salted commitment of `value`, hex: SHA-256(encode("sluis/v1/commitment", label, salt, value)).

    `salt` is 32 random bytes; without it a commitment to a nine-digit number is found in minutes.
    """
    if len(salt) != 32:
        raise SluisError(Code.LENGTH_WRONG, "a commitment's salt has 32 bytes")
    return hashlib.sha256(encode(b"sluis/v1/commitment", label.encode(), salt, value)).hexdigest()
