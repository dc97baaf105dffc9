"""Canonical bytes: the JSON that is signed, the length-prefixed encoding that is hashed, commitments and token columns.

The rules are those of docs/formats.md section 1 (a profile of RFC 8785). The broker has its own code for them; both
are held to the same vectors (`tests/vectors/pseudonym/`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sluis_client.errors import ClientError, Exit

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32
SALT_BYTES = 32


class TokenColumn(Protocol):
    """One match key's column of a table: what `tokens_value` reads of it."""

    @property
    def pseudonyms(self) -> bytes:
        """16 bytes a row, zero where absent."""
        ...

    @property
    def presence(self) -> bytes:
        """One bit a row, least significant bit first, unused bits zero."""
        ...


def canonical_json(value: object) -> bytes:
    """The canonical bytes of `value`: sorted ASCII keys, no white space, no floats, integers within +-(2^53 - 1).

    Raises:
        ClientError: STATEMENT_INVALID when the value is outside the profile.
    """
    _check(value, 0)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # from None: the codec's message quotes the text
        raise ClientError("STATEMENT_INVALID", "canonical JSON holds no lone surrogates") from None


def parse_canonical(data: bytes) -> dict[str, Any]:
    """The object whose canonical bytes are exactly `data`; other spellings, duplicate keys among them, are refused.

    Raises:
        ClientError: STATEMENT_INVALID.
    """
    try:
        value = json.loads(data.decode("utf-8"))
        same = isinstance(value, dict) and canonical_json(value) == data
    except (ValueError, RecursionError, ClientError):
        # from None: the parser's message quotes what it read
        raise _unreadable("not canonical JSON (docs/formats.md section 1)") from None
    if not same:
        raise _unreadable("not in canonical form: sort keys, no white space, no floats")
    return value  # type: ignore[no-any-return]  # isinstance checked above


def _unreadable(message: str) -> ClientError:
    return ClientError("STATEMENT_INVALID", message, Exit.VERIFICATION_FAILED)


def _check(value: object, depth: int) -> None:
    """Refuses what is outside the profile. Lone surrogates show when the text is encoded."""
    if depth > MAX_DEPTH:
        raise ClientError("STATEMENT_INVALID", "canonical JSON is nested too deeply")
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ClientError("STATEMENT_INVALID", "canonical JSON holds integers up to 2^53 - 1")
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ClientError("STATEMENT_INVALID", "canonical JSON has ASCII text keys only")
            _check(item, depth + 1)
        return
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        for item in value:
            _check(item, depth + 1)
        return
    raise ClientError("STATEMENT_INVALID", "canonical JSON holds only null, booleans, integers, text, lists, objects")


def encode(*parts: bytes | str) -> bytes:
    """Each part behind its length in 4 bytes, big-endian; text as UTF-8. No two lists of parts encode alike.

    Raises:
        ClientError: FIELD_INVALID for text that holds lone surrogates.
    """
    encoded = b""
    try:
        for part in parts:
            raw = part.encode("utf-8") if isinstance(part, str) else part
            encoded += len(raw).to_bytes(4, "big") + raw
    except UnicodeEncodeError:
        # from None: the codec's message quotes the text
        raise ClientError("FIELD_INVALID", "text to encode holds lone surrogates; it is not Unicode") from None
    return encoded


def commitment(label: str, salt: bytes, value: bytes) -> str:
    """The salted commitment to `value`, hex: SHA-256(encode("sluis/v1/commitment", label, salt, value)).

    `salt` is 32 random bytes: without it a commitment to a nine-digit number is found in minutes.

    Raises:
        ClientError: LENGTH_WRONG for another length of salt.
    """
    if len(salt) != SALT_BYTES:
        raise ClientError("LENGTH_WRONG", f"a commitment's salt has {SALT_BYTES} random bytes")
    return hashlib.sha256(encode("sluis/v1/commitment", label, salt, value)).hexdigest()


def pack_presence(present: Sequence[bool] | None, rows: int) -> bytes:
    """The presence bitmap of `rows` rows: one bit a row, least significant bit first, unused bits zero.

    `present` None: every row is present.

    Raises:
        ClientError: LENGTH_WRONG when `present` has another length.
    """
    if present is None:
        whole, rest = divmod(rows, 8)
        return b"\xff" * whole + (bytes([(1 << rest) - 1]) if rest else b"")
    if len(present) != rows:
        raise ClientError("LENGTH_WRONG", f"presence has {len(present)} rows, the column {rows}")
    return np.packbits(np.asarray(present, dtype=np.bool_), bitorder="little").tobytes()


def unpack_presence(presence: bytes, rows: int) -> list[bool]:
    """The inverse of `pack_presence`.

    Raises:
        ClientError: LENGTH_WRONG for a wrong length or a set unused bit.
    """
    bits = np.unpackbits(np.frombuffer(presence, np.uint8), bitorder="little").astype(np.bool_)
    if len(presence) != (rows + 7) // 8 or bits[rows:].any():
        raise ClientError("LENGTH_WRONG", f"the presence bitmap is not one of {rows} rows")
    return [bool(bit) for bit in bits[:rows]]


def tokens_value(columns: Sequence[TokenColumn]) -> bytes:
    """What a question's `tokens` commitment commits to: bitmap and pseudonyms of every match key, in order."""
    return encode(*(part for column in columns for part in (column.presence, column.pseudonyms)))
