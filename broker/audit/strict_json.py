"""The verifier's own reading of canonical JSON (docs/formats.md section 1), written apart from the broker's.

A value is accepted only when it writes back to exactly the bytes it came from, so duplicate keys, other orders, white
space, escapes and numbers in any other notation are refused by one comparison.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

_LARGEST = 9_007_199_254_740_991
_DEEPEST = 32


class NotCanonicalError(ValueError):
    """The bytes are not canonical JSON."""


def _refuse(_: str) -> NoReturn:
    raise NotCanonicalError("a number that is not a whole number")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) > _LARGEST:
        raise NotCanonicalError("a number beyond 2^53 - 1")
    return number


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, _ in pairs:
        if not name.isascii():
            raise NotCanonicalError("a key that is not ASCII")
    return dict(pairs)


_READER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_whole, object_pairs_hook=_pairs)
_QUICK = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse, parse_int=_whole)
"""For ASCII bytes, whose keys are ASCII: an escape for anything else does not write back to the same bytes."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def write(value: object) -> bytes:
    """The canonical bytes of a value that `read` gave, or a part of one."""
    return _WRITER.encode(value).encode("utf-8")


def quoted(text: str) -> str:
    """A text as it stands in canonical JSON, quotes included."""
    return _WRITER.encode(text)


def read(data: bytes) -> dict[str, Any]:
    """The object in `data`. Raises NotCanonicalError."""
    try:
        value = (_QUICK if data.isascii() else _READER).decode(data.decode("utf-8"))
        if not isinstance(value, dict) or write(value) != data:
            raise NotCanonicalError("not in canonical form")
    except RecursionError as error:
        raise NotCanonicalError("nested too deeply") from error
    except NotCanonicalError:
        raise
    except ValueError as error:
        raise NotCanonicalError("not JSON in UTF-8") from error
    if data.count(b"{") + data.count(b"[") > _DEEPEST and not _is_flat(data) and _depth(value) > _DEEPEST:
        raise NotCanonicalError("nested too deeply")
    return value


def _is_flat(data: bytes) -> bool:
    """Whether its brackets, those in texts left out, fold up in so few steps that it cannot be nested too deeply."""
    brackets = _TEXT.sub(b"", data).translate(None, _NO_BRACKETS)
    for _ in range(8):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets


def _depth(value: object) -> int:
    """Levels of containers around the deepest value."""
    deepest, level = 0, [value]
    while level:
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        deepest += bool(level)
    return deepest
