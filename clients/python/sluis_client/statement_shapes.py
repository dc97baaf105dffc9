"""The shape of every statement: its members and what each may hold (docs/formats.md)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from unicodedata import category

from sluis_client.errors import ClientError, Exit

ASK = "sluis/v1/ask"
REGISTER = "sluis/v1/register"
ENCRYPTION_KEY = "sluis/v1/encryption-key"
EPOCH = "sluis/v1/epoch"
KEY_END = "sluis/v1/key-end"
CORRECTION = "sluis/v1/correction"
DISPUTE = "sluis/v1/dispute"
OUTCOME = "sluis/v1/outcome"
ACKNOWLEDGEMENT = "sluis/v1/acknowledgement"
UNUSUAL_USE = "sluis/v1/unusual-use"
CANARIES = "sluis/v1/canaries"
LIVE_ANSWER = "sluis/v1/live-answer"
SUBJECT_SEARCH = "sluis/v1/subject-search"
SUBJECT_ANSWER = "sluis/v1/subject-answer"
SUBJECT_PSEUDONYMS = "sluis/v1/subject-pseudonyms"
KEM = "MLKEM768-X25519"
COVERAGE_BYTES = 500

CORRECTIONS = ("corrected", "withdrawn", "upheld", "still-disputed")
CORRECTION_REASONS = (
    "wrong-value",
    "out-of-date",
    "wrong-subject",
    "entered-by-mistake",
    "not-lawful",
    "order-of-authority",
    "examined",
    "new-epoch",
)
DISPUTE_REASONS = ("wrong-value", "out-of-date", "wrong-subject", "not-lawful", "contested-by-subject")
OUTCOMES = ("confirmed", "rejected")
ROLES = ("case-worker", "inspector", "analyst", "lawyer", "team-lead", "privacy-officer")
DONE = ("noted", "examining", "corrected", "erased", "not-used")
"""The closed words of rectification (docs/formats.md, Rectification)."""

KEY_ENDS: Mapping[str, tuple[str, ...]] = {
    "retired": ("leak", "departure", "lost-steward", "precaution"),
    "destroyed": ("escrow-over",),
    "encryption-key-destroyed": ("renewed",),
}
"""What may be said of a key's end, and the closed words for why (docs/formats.md section 5)."""

UNUSUAL_KINDS = (
    "equal-run",
    "hit-ratio",
    "hours",
    "limit",
    "nested",
    "probing",
    "repeated",
    "same-subjects",
    "search-hours",
    "search-limit",
    "search-volume",
    "single-run",
    "split",
    "volume",
)
EXPLANATIONS = ("planned", "backlog", "urgent", "test", "technical", "mistake", "examining")
"""The closed words of unusual use (docs/formats.md, Unusual use)."""

Shape = Callable[[object], bool]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_EPOCH_NAME = re.compile(r"[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))?(\.([2-9]|[1-9][0-9]))?")
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHORT_DIGEST = re.compile(r"[0-9a-f]{32}")
_PUBLIC_KEY = re.compile(r"[0-9a-f]{2432}")
_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def check_members(statement: Mapping[str, Any], expected_type: str) -> None:
    """Refuses a statement of another type, with an unknown or missing member, or with a member of the wrong shape.

    Raises:
        ClientError: STATEMENT_INVALID, naming the member.
    """
    shapes = _SHAPES.get(expected_type)
    if shapes is None or statement.get("type") != expected_type:
        raise invalid(f"expected a statement of type {expected_type}")
    shapes = {**shapes, **_optional(statement, expected_type)}
    if set(statement) != set(shapes):
        wrong = sorted(set(statement) ^ set(shapes))
        raise invalid(f"{expected_type}: missing or unknown members: {', '.join(wrong)}")
    for name, good in shapes.items():
        if not good(statement[name]):
            raise invalid(f"{expected_type}: member {name} has the wrong shape")


def _optional(statement: Mapping[str, Any], of_type: str) -> Mapping[str, Shape]:
    """The shapes of members that a statement of this type may have, and has."""
    return {name: shape for name, shape in _OPTIONAL.get(of_type, {}).items() if name in statement}


def invalid(message: str) -> ClientError:
    """A refusal of a statement; the text says what is wrong with it."""
    return ClientError("STATEMENT_INVALID", message, Exit.VERIFICATION_FAILED)


def _like(pattern: re.Pattern[str]) -> Shape:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _or_null(shape: Shape) -> Shape:
    return lambda value: value is None or shape(value)


def _one_of(*values: str) -> Shape:
    return lambda value: value in values and isinstance(value, str)


def _number(low: int, high: int) -> Shape:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _names(low: int, high: int) -> Shape:
    def good(value: object) -> bool:
        if not isinstance(value, list) or not low <= len(value) <= high or not all(map(_like(_NAME), value)):
            return False
        return value == sorted(set(value))

    return good


def _text(limit: int) -> Shape:
    # a lone surrogate counts here and is refused by the canonical form
    return lambda value: isinstance(value, str) and 1 <= len(value.encode("utf-8", "surrogatepass")) <= limit


def is_line(value: object, limit: int) -> bool:
    """One line of 1 to `limit` bytes as terminals show it: no line break, no control character."""
    return _text(limit)(value) and all(
        character.isprintable() or category(character) == "Zs" for character in str(value)
    )


def _line(limit: int) -> Shape:
    return lambda value: is_line(value, limit)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def is_time(value: object) -> bool:
    """Whether `value` is a time as statements write it, on a date that exists."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _object(**shapes: Shape) -> Shape:
    def good(value: object) -> bool:
        return (
            isinstance(value, dict)
            and set(value) == set(shapes)
            and all(shape(value[name]) for name, shape in shapes.items())
        )

    return good


def _is_rules(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= 16
        and all(isinstance(key, str) and isinstance(item, bool | int | str) for key, item in value.items())
    )


_RECIPIENT = _object(key=_like(_SHORT_DIGEST), envelope=_like(_SHORT_DIGEST))


def _is_recipients(value: object) -> bool:
    is_name = _like(_NAME)
    return isinstance(value, dict) and bool(value) and all(is_name(k) and _RECIPIENT(v) for k, v in value.items())


_HEAD: dict[str, Shape] = {
    "type": _text(40),
    "origin": _text(200),
    "environment": _one_of("test", "production"),
}
_SUBJECT: dict[str, Shape] = {
    **_HEAD,
    "purpose": _like(_NAME),
    "epoch": _like(_EPOCH_NAME),
    "key_id": _like(_KEY_ID),
}
_OF_HIT: dict[str, Shape] = {
    **_HEAD,
    "request_id": _like(_UUID4),
    "asker": _like(_NAME),
    "answerer": _like(_NAME),
    "exchange": _like(_UUID4),
    "position": _like(_DIGEST),
    "not_after": is_time,
}
_OPTIONAL: dict[str, dict[str, Shape]] = {ASK: {"standing": _like(_UUID4)}}
_SHAPES: dict[str, dict[str, Shape]] = {
    ASK: {
        **_SUBJECT,
        "request_id": _like(_UUID4),
        "asker": _like(_NAME),
        "principal": _or_null(_like(_NAME)),
        "answerers": _names(1, 400),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "want": _object(hit=_is_flag, count=_is_flag, attributes=_names(0, 100)),
        "subjects": _number(1, 100_000_000),
        "tokens": _like(_DIGEST),
        "case_number": _or_null(_like(_DIGEST)),
        "cooperation_ref": _or_null(_like(_DIGEST)),
        "not_after": is_time,
    },
    REGISTER: {
        **_SUBJECT,
        "answerer": _like(_NAME),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "version": _number(1, 2**53 - 1),
        "rows": _number(0, 2_000_000_000),
        "digest": _like(_DIGEST),
        "attributes": _names(0, 100),
        "as_of": is_time,
        "coverage": _line(COVERAGE_BYTES),
        "expires_at": is_time,
        "rules": _is_rules,
    },
    ENCRYPTION_KEY: {
        **_HEAD,
        "party": _like(_NAME),
        "kem": _one_of(KEM),
        "public_key": _like(_PUBLIC_KEY),
        "created_at": is_time,
    },
    EPOCH: {
        **_SUBJECT,
        "mode": _one_of("keyed", "oblivious"),
        "steward": _like(_NAME),
        "recipients": _is_recipients,
        "valid_from": is_time,
        "valid_until": is_time,
        "created_at": is_time,
    },
    KEY_END: {
        **_HEAD,
        "party": _like(_NAME),
        "purpose": _or_null(_like(_NAME)),
        "epoch": _or_null(_like(_EPOCH_NAME)),
        "key_id": _like(_KEY_ID),
        "what": _one_of(*KEY_ENDS),
        "reason": _one_of(*(reason for reasons in KEY_ENDS.values() for reason in reasons)),
        "caches": _number(0, 1_000_000),
        "ended_at": is_time,
    },
    CORRECTION: {
        **_HEAD,
        "request_id": _like(_UUID4),
        "answerer": _like(_NAME),
        "purpose": _like(_NAME),
        "epoch": _like(_EPOCH_NAME),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "record": _like(_DIGEST),
        "what": _one_of(*CORRECTIONS),
        "reason": _one_of(*CORRECTION_REASONS),
        "dispute": _or_null(_like(_KEY_ID)),
        "not_after": is_time,
    },
    DISPUTE: {**_OF_HIT, "reason": _one_of(*DISPUTE_REASONS)},
    OUTCOME: {**_OF_HIT, "outcome": _one_of(*OUTCOMES), "role": _one_of(*ROLES)},
    ACKNOWLEDGEMENT: {
        **_HEAD,
        "party": _like(_NAME),
        "notice": _like(_KEY_ID),
        "done": _one_of(*DONE),
        "not_after": is_time,
    },
    CANARIES: {
        **_SUBJECT,
        "request_id": _like(_UUID4),
        "answerer": _like(_NAME),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "rows": _number(0, 1_000),
        "record": _like(_DIGEST),
        "not_after": is_time,
    },
    LIVE_ANSWER: {
        **_SUBJECT,
        "answerer": _like(_NAME),
        "asker": _like(_NAME),
        "exchange": _like(_UUID4),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "attributes": _names(0, 100),
        "tokens": _like(_DIGEST),
        "rows": _like(_DIGEST),
        "as_of": is_time,
        "coverage": _line(COVERAGE_BYTES),
        "rules": _is_rules,
        "not_after": is_time,
    },
    SUBJECT_SEARCH: {
        **_SUBJECT,
        "request_id": _like(_UUID4),
        "party": _like(_NAME),
        "scheme": _like(_NAME),
        "match_keys": _number(1, 64),
        "pseudonyms": _like(_DIGEST),
        "not_after": is_time,
    },
    SUBJECT_ANSWER: {
        **_HEAD,
        "party": _like(_NAME),
        "answer": _like(_DIGEST),
        "made_at": is_time,
    },
    SUBJECT_PSEUDONYMS: {
        **_HEAD,
        "party": _like(_NAME),
        "auditor_key": _like(_DIGEST),
        "scheme": _like(_NAME),
        "pseudonyms": _like(_DIGEST),
        "made_at": is_time,
    },
    UNUSUAL_USE: {
        **_HEAD,
        "party": _like(_NAME),
        "item": _like(_KEY_ID),
        "kind": _one_of(*UNUSUAL_KINDS),
        "purpose": _like(_NAME),
        "day": _like(_DAY),
        "first": _number(0, 2**53 - 1),
        "last": _number(0, 2**53 - 1),
        "explanation": _one_of(*EXPLANATIONS),
        "not_after": is_time,
    },
}
