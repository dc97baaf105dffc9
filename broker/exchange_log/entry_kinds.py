"""What the body of every kind of log entry holds (docs/formats.md section 3): its members, and the shape of each.

A kind whose body depends on one of its members (`action`, `what`) has a variant for each value of that member.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping

from broker.canonical import MAX_INTEGER
from broker.errors import Code, SluisError

TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEX = re.compile(r"[0-9a-f]+")
_HEX64 = re.compile(r"[0-9a-f]{64}")

_DECISION = frozenset({"effect", "checks", "obligations"})
_CHECK = frozenset({"id", "met", "reason", "path"})
_REGISTER = frozenset({"name", "version", "manifest"})
_TEXT = 4_096
"""The longest text, in characters."""

Shape = Callable[[object], bool]


def _matches(pattern: re.Pattern[str]) -> Shape:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _or_null(shape: Shape) -> Shape:
    return lambda value: value is None or shape(value)


def _one_of(*texts: str) -> Shape:
    return lambda value: isinstance(value, str) and value in texts


def _list_of(shape: Shape) -> Shape:
    return lambda value: isinstance(value, list | tuple) and all(map(shape, value))


def _map_of(shape: Shape) -> Shape:
    return lambda value: (
        isinstance(value, dict)
        and all(isinstance(name, str) and name.isascii() and shape(inner) for name, inner in value.items())
    )


def _members(shapes: Mapping[str, Shape]) -> Shape:
    return lambda value: (
        isinstance(value, dict)
        and value.keys() == shapes.keys()
        and all(shape(value[name]) for name, shape in shapes.items())
    )


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _TEXT


def is_count(value: object) -> bool:
    """A whole number from 0 that canonical JSON can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _decision(value: object) -> bool:
    """Written out: it is on the way of every ask."""
    if not isinstance(value, dict) or value.keys() != _DECISION:
        return False
    checks, obligations = value["checks"], value["obligations"]
    if value["effect"] not in ("permit", "deny") or not isinstance(checks, list) or not isinstance(obligations, list):
        return False
    try:
        for check in checks:
            met = check["met"]
            if len(check) != len(_CHECK) or (met is not True and met is not False):
                return False
            # joining refuses whatever is no text; together they are short, mostly, and so is each then
            if len("".join((check["id"], check["reason"], check["path"]))) > _TEXT and not _are_texts(check):
                return False
    except (TypeError, KeyError):
        return False
    return all(map(_text, obligations))


def _are_texts(check: Mapping[str, object]) -> bool:
    return _text(check["id"]) and _text(check["reason"]) and _text(check["path"])


def _base64(value: object) -> bool:
    """In the one alphabet, in whole groups of four; empty too."""
    try:
        binascii.a2b_base64(value, strict_mode=True)  # type: ignore[arg-type]  # TypeError for what is no text
    except (ValueError, TypeError):
        return False
    return isinstance(value, str)


def _register(value: object) -> bool:
    """A register version by its name and manifest, or none. Written out as well."""
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and value.keys() == _REGISTER
        and _text(value["name"])
        and is_count(value["version"])
        and _hex64(value["manifest"])
    )


def _effects(value: object) -> bool:
    return isinstance(value, dict) and all(_name(k) and _one_of("permit", "deny")(v) for k, v in value.items())


_name = _matches(_NAME)
_time_shape = _matches(TIME)
_hex64 = _matches(_HEX64)
_hex = _matches(_HEX)
_FOLLOWS = _one_of("sealed", "recovered")
"""Why another log went before: it was ended, or entries of it were lost."""
_SIGNED: dict[str, Shape] = {"statement": _object, "signature": _base64, "certificate": _hex64}

KINDS: Mapping[str, Mapping[str, Shape]] = {
    "genesis": {
        "origin": _text,
        "environment": _one_of("test", "production"),
        "engine": _text,
        "verifier_key": _text,
        "previous": _or_null(
            _members({"origin": _text, "size": is_count, "root": _hex64, "checkpoint": _text, "reason": _FOLLOWS})
        ),
    },
    "policy": {
        "digest": _hex64,
        "text_digest": _hex64,
        "revision": is_count,
        "expires": _or_null(_text),
        "signers": _list_of(_text),
        "engine": _text,
    },
    "party": {
        "party": _name,
        "oin": _text,
        "kind": _one_of("public", "private"),
        "certificates": _list_of(_base64),
        "issuers": _list_of(_base64),
        "revoked": _list_of(_hex),
        "crl_this_update": _or_null(_text),
    },
    "key": {"action": _one_of("encryption-key", "epoch", "end"), "party": _name, **_SIGNED},
    "register": {
        "action": _one_of("published", "withdrawn"),
        "party": _name,
        "register": _text,
        "version": is_count,
    },
    "ask": {
        "exchange": _text,
        "asker": _name,
        "principal": _or_null(_name),
        "answerer": _name,
        "purpose": _name,
        **_SIGNED,
        "decided_at": _time_shape,
        "facts": _object,
        "decision": _decision,
        "policy_set": _hex64,
        "engine": _text,
        "register": _register,
        "trace_id": _or_null(_hex),
        "nonce": _hex,
    },
    "release": {
        "exchange": _text,
        "asker": _name,
        "answerer": _name,
        "ask_index": is_count,
        "outcome": _one_of("authorised", "withheld", "failed", "unknown"),
        "status": _text,
        "register": _register,
        "attributes": _list_of(_name),
        "result": _or_null(_hex64),
        "nonce": _hex,
    },
    "evaluation": {
        "party": _name,
        "purpose": _text,
        "answerers": _list_of(_name),
        "decided_at": _time_shape,
        "effects": lambda value: _effects(value) or _list_of(_text)(value),
    },
    "notice": {
        "what": _one_of(
            "policy-suspension",
            "dispute-notice",
            "correction-notice",
            "correction-blank",
            "acknowledged",
            "unusual-use",
            "canaries",
            "canary",
            "live-answer",
        ),
        "purpose": _name,
        "notice": _hex,
    },
    "correction": {
        "answerer": _name,
        "purpose": _name,
        "epoch": _text,
        **_SIGNED,
        "searched": is_count,
        "unsearched": is_count,
        "notices": is_count,
    },
    "outcome": {
        "asker": _name,
        "answerer": _name,
        "exchange": _text,
        "ask_index": is_count,
        "purpose": _name,
        **_SIGNED,
    },
    "refusal": {"party": _or_null(_text), "rpc": _text, "code": _text, "request_id": _or_null(_text)},
    "access": {
        "party": _name,
        "what": _one_of("answer-repeated", "entries", "vault-export", "subject-search"),
        "exchange": _or_null(_text),
    },
    "recovery": {"what": _text, "detail": _text},
    "config": {"what": _one_of("log-key", "carried", "legal-hold-added", "legal-hold-lifted", "service-key-destroyed")},
    "seal": {"next_origin": _text, "next_key": _text},
    "erasure": {
        "what": _one_of("retention", "request"),
        "purpose": _or_null(_name),
        "commitments": _list_of(_hex64),
    },
}
"""Members of each kind's body, and their shapes."""

_ORDER: Mapping[str, Shape] = {"order": _hex, "statement": _object, "signature": _hex, "key": _hex64}
"""Members of an entry that does what a signed vault order says (docs/formats.md section 15)."""

_SHADOW: Mapping[str, Shape] = {
    "party": _name,
    "purpose": _name,
    "shadow_of": _name,
    "exchange": _text,
    "answerer": _name,
    "ask_index": is_count,
    "decided_at": _time_shape,
    "decision": _decision,
    "policy_set": _hex64,
    "engine": _text,
}
"""An `evaluation` of an ask under a purpose in shadow: what it would have decided."""

_ELEMENTS: Mapping[str, Shape] = {
    "party": _name,
    "purpose": _name,
    "key_service": _name,
    "epoch": _text,
    "public_key": _hex64,
    "request_id": _text,
    "elements": is_count,
    "period": _text,
    "spent": is_count,
    "decided_at": _time_shape,
    "policy_set": _hex64,
}
"""An `evaluation` by a key service: how many blinded elements, and what had been spent before."""

VARIANTS: Mapping[str, tuple[str, Mapping[str, Mapping[str, Shape]]]] = {
    "register": ("action", {"published": _SIGNED}),
    "notice": (
        "what",
        {
            "policy-suspension": {"statement": _object, "signature": _hex, "key": _hex64},
            "dispute-notice": {
                "asker": _name,
                "answerer": _name,
                "exchange": _text,
                "ask_index": is_count,
                "epoch": _text,
                **_SIGNED,
                "record": _hex64,
            },
            "correction-notice": {
                "party": _name,
                "correction": is_count,
                "asks": _list_of(is_count),
                "positions": _hex64,
            },
            "correction-blank": {"correction": is_count},
            "acknowledged": {"party": _name, **_SIGNED},
            "unusual-use": {"party": _name, **_SIGNED},
            "canaries": {"party": _name, **_SIGNED},
            "live-answer": {"party": _name, "ask_index": is_count, **_SIGNED},
            "canary": {
                "answerer": _name,
                "asked_by": _name,
                "exchange": _text,
                "ask_index": is_count,
                "list": is_count,
                "rows": is_count,
            },
        },
    ),
    "config": (
        "what",
        {
            "legal-hold-added": _ORDER,
            "legal-hold-lifted": _ORDER,
            "log-key": {"previous_key": _text, "verifier_key": _text},
            "service-key-destroyed": {
                "key_service": _name,
                "purpose": _name,
                "epoch": _text,
                "public_key": _hex64,
                "reason": _or_null(_text),
            },
            "carried": {
                "counters": _map_of(is_count),
                "policy": _or_null(_members({"digest": _hex64, "revision": is_count})),
                "suspended": _map_of(_list_of(_members({"notice": _hex, "since": _time_shape}))),
            },
        },
    ),
    "recovery": (
        "what",
        {
            "entries-lost": {
                "origin": _text,
                "found_size": is_count,
                "found_root": _hex64,
                "known_size": is_count,
                "known_root": _hex64,
                "from": _or_null(_time_shape),
                "until": _time_shape,
            }
        },
    ),
    "erasure": ("what", {"request": _ORDER}),
    "access": (
        "what",
        {
            "vault-export": {"key": _hex64},
            "subject-search": {
                "purpose": _name,
                "epoch": _text,
                **_SIGNED,
                "searched": is_count,
                "unsearched": is_count,
            },
        },
    ),
}
"""Kind -> the member that decides, and what members a body has besides, by the value of that member."""

FREE_FORM = frozenset(
    name
    for shapes in (*KINDS.values(), *(some for _, variants in VARIANTS.values() for some in variants.values()))
    for name, shape in shapes.items()
    if shape is _object
)
"""Members of which `check_body` says only that they are objects; all else it admits, canonical JSON can hold."""


def check_body(kind: str, body: Mapping[str, object]) -> None:
    """Checks that `body` has exactly the members of `kind`, each of its shape.

    Raises:
        SluisError: FIELD_INVALID; the text names the member and never its value.
    """
    shapes = KINDS.get(kind)
    if shapes is None:
        raise SluisError(Code.FIELD_INVALID, "kind: is not a kind of log entry (docs/formats.md section 3)")
    if kind in VARIANTS:
        member, variants = VARIANTS[kind]
        shapes = {**shapes, **variants.get(str(body.get(member)), {})}
    elif kind == "evaluation" and "shadow_of" in body:
        shapes = _SHADOW
    elif kind == "evaluation" and "key_service" in body:
        shapes = _ELEMENTS
    if body.keys() != shapes.keys():
        wrong = sorted(body.keys() ^ shapes.keys())
        raise SluisError(Code.FIELD_INVALID, f"{kind}.{wrong[0]}: is a member too many or one that is missing")
    for name, shape in shapes.items():
        if not shape(body[name]):
            raise SluisError(Code.FIELD_INVALID, f"{kind}.{name}: has not the shape of docs/formats.md section 3")
