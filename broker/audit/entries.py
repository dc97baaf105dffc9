"""The verifier's own reading of log entries (docs/formats.md section 3): members and shapes of every kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from broker.audit import strict_json
from broker.audit.entry_shapes import BODIES, ELEMENTS, LOSS, SHADOW, VARIANTS

MAX_BYTES = 65_535
GRACE = timedelta(seconds=60)
"""How long before its entry a decision may have been taken (docs/formats.md section 3)."""
_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", re.ASCII)


class EntryError(ValueError):
    """Not an entry."""


@dataclass(frozen=True)
class LogEntry:
    """An entry whose members and their shapes are those of its kind."""

    index: int
    kind: str
    at: datetime
    time: str
    body: Mapping[str, Any]


def read_entry(leaf: bytes) -> LogEntry:
    """The entry in `leaf`. Raises EntryError."""
    if len(leaf) > MAX_BYTES:
        raise EntryError("longer than 65,535 bytes")
    try:
        value = strict_json.read(leaf)
    except strict_json.NotCanonicalError as error:
        raise EntryError(str(error)) from None
    if sorted(value) != ["body", "index", "kind", "sequenced_at", "v"] or value["v"] != 1 or value["v"] is True:
        raise EntryError("not the members of version 1")
    kind, body, time = value["kind"], value["body"], value["sequenced_at"]
    if not is_number(value["index"]) or not isinstance(kind, str) or not isinstance(body, dict):
        raise EntryError("not the members of version 1")
    if not isinstance(time, str) or len(time) != 27:
        raise EntryError("its time has not microseconds")
    _check_body(kind, body)
    return LogEntry(value["index"], kind, read_time(time), time, body)


def read_time(text: object) -> datetime:
    """A time of an entry or a statement, aware. Raises EntryError."""
    try:
        if isinstance(text, str) and _TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise EntryError("not a time in UTC")


def is_number(value: object) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_hex(value: object) -> bool:
    """A SHA-256 in lower-case hex."""
    return isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef")


def is_texts(value: object) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _check_body(kind: str, body: Mapping[str, Any]) -> None:
    members = BODIES.get(kind)
    if members is None:
        raise EntryError("its kind is not known to this verifier")
    if kind in VARIANTS:
        decides, variants = VARIANTS[kind]
        extra = variants.get(str(body.get(decides)))
        if extra is None:
            raise EntryError(f"a {kind} whose {decides} is not known to this verifier")
        members = {**members, **extra}
    elif kind == "evaluation" and "shadow_of" in body:
        members = SHADOW
    elif kind == "evaluation" and "key_service" in body:
        members = ELEMENTS
    elif kind == "recovery" and body.get("what") == "entries-lost":
        members = LOSS
    if body.keys() != members.keys():
        raise EntryError(f"not the members of a {kind}")
    for name, shape in members.items():
        if not has_shape(body[name], shape):
            raise EntryError(f"the {name} of a {kind}")


def has_shape(value: object, shape: str) -> bool:
    """Whether `value` has the shape: text, texts, number, numbers, hex, day, time, map, flag, null, reference (to a
    register version), effects (of a dry run).

    `?` behind it allows null.
    """
    return _SHAPES[shape](value)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _is_effects(value: object) -> bool:
    """What a dry run came to: for each answerer in their order, or by its name."""
    found = list(value.values()) if isinstance(value, dict) else value
    return isinstance(found, list) and all(one in ("permit", "deny") for one in found)


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "version", "manifest"}
        and isinstance(value["name"], str)
        and is_number(value["version"])
        and is_hex(value["manifest"])
    )


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _or_null(shape: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or shape(value)


def _is_day(value: object) -> bool:
    """A day that exists."""
    try:
        return isinstance(value, str) and _DAY.fullmatch(value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False


_PLAIN: Mapping[str, Callable[[object], bool]] = {
    "day": _is_day,
    "effects": _is_effects,
    "flag": lambda value: isinstance(value, bool),
    "hex": is_hex,
    "map": _is_map,
    "null": lambda value: value is None,
    "number": is_number,
    "numbers": lambda value: isinstance(value, list) and all(map(is_number, value)),
    "reference": _is_reference,
    "text": _is_text,
    "texts": is_texts,
    "time": _is_time,
}
_SHAPES: Mapping[str, Callable[[object], bool]] = {
    **_PLAIN,
    **{f"{name}?": _or_null(shape) for name, shape in _PLAIN.items()},
}
