"""The members of every kind of entry, and their shapes, as the verifier reads them (docs/formats.md section 3)."""

from __future__ import annotations

from collections.abc import Mapping

BODIES: Mapping[str, Mapping[str, str]] = {
    "genesis": {"origin": "text", "environment": "text", "engine": "text", "verifier_key": "text", "previous": "map?"},
    "policy": {
        "digest": "hex",
        "text_digest": "hex",
        "revision": "number",
        "expires": "time?",
        "signers": "texts",
        "engine": "text",
    },
    "party": {
        "party": "text",
        "oin": "text",
        "kind": "text",
        "certificates": "texts",
        "issuers": "texts",
        "revoked": "texts",
        "crl_this_update": "time?",
    },
    "key": {"action": "text", "party": "text", "statement": "map", "signature": "text", "certificate": "hex"},
    "register": {"action": "text", "party": "text", "register": "text", "version": "number"},
    "ask": {
        "exchange": "text",
        "asker": "text",
        "principal": "text?",
        "answerer": "text",
        "purpose": "text",
        "statement": "map",
        "signature": "text",
        "certificate": "hex",
        "decided_at": "time",
        "facts": "map",
        "decision": "map",
        "policy_set": "hex",
        "engine": "text",
        "register": "reference?",
        "trace_id": "text?",
        "nonce": "text",
    },
    "release": {
        "exchange": "text",
        "asker": "text",
        "answerer": "text",
        "ask_index": "number",
        "outcome": "text",
        "status": "text",
        "register": "reference?",
        "attributes": "texts",
        "result": "hex?",
        "nonce": "text",
    },
    "evaluation": {
        "party": "text",
        "purpose": "text",
        "answerers": "texts",
        "decided_at": "time",
        "effects": "effects",
    },
    "notice": {"what": "text", "purpose": "text", "notice": "text"},
    "correction": {
        "answerer": "text",
        "purpose": "text",
        "epoch": "text",
        "statement": "map",
        "signature": "text",
        "certificate": "hex",
        "searched": "number",
        "unsearched": "number",
        "notices": "number",
    },
    "outcome": {
        "asker": "text",
        "answerer": "text",
        "exchange": "text",
        "ask_index": "number",
        "purpose": "text",
        "statement": "map",
        "signature": "text",
        "certificate": "hex",
    },
    "refusal": {"party": "text?", "rpc": "text", "code": "text", "request_id": "text?"},
    "access": {"party": "text", "what": "text", "exchange": "text?"},
    "recovery": {"what": "text", "detail": "text"},
    "config": {"what": "text"},
    "seal": {"next_origin": "text", "next_key": "text"},
    "erasure": {"what": "text", "purpose": "text?", "commitments": "texts"},
}
_ORDER = {"order": "text", "statement": "map", "signature": "text", "key": "hex"}
SHADOW: Mapping[str, str] = {
    "party": "text",
    "purpose": "text",
    "shadow_of": "text",
    "exchange": "text",
    "answerer": "text",
    "ask_index": "number",
    "decided_at": "time",
    "decision": "map",
    "policy_set": "hex",
    "engine": "text",
}
"""An `evaluation` beside an ask, under a purpose in shadow."""

ELEMENTS: Mapping[str, str] = {
    "party": "text",
    "purpose": "text",
    "key_service": "text",
    "epoch": "text",
    "public_key": "hex",
    "request_id": "text",
    "elements": "number",
    "period": "text",
    "spent": "number",
    "decided_at": "time",
    "policy_set": "hex",
}
"""An `evaluation` of blinded elements by a key service."""

LOSS: Mapping[str, str] = {
    "what": "text",
    "detail": "text",
    "origin": "text",
    "found_size": "number",
    "found_root": "hex",
    "known_size": "number",
    "known_root": "hex",
    "from": "time?",
    "until": "time",
}
"""A `recovery` that names lost entries (`what` is `entries-lost`)."""

VARIANTS: Mapping[str, tuple[str, Mapping[str, Mapping[str, str]]]] = {
    "key": ("action", {"encryption-key": {}, "epoch": {}, "end": {}}),
    "register": (
        "action",
        {"published": {"statement": "map", "signature": "text", "certificate": "hex"}, "withdrawn": {}},
    ),
    "notice": (
        "what",
        {
            "policy-suspension": {"statement": "map", "signature": "text", "key": "hex"},
            "dispute-notice": {
                "asker": "text",
                "answerer": "text",
                "exchange": "text",
                "ask_index": "number",
                "epoch": "text",
                "statement": "map",
                "signature": "text",
                "certificate": "hex",
                "record": "hex",
            },
            "correction-notice": {"party": "text", "correction": "number", "asks": "numbers", "positions": "hex"},
            "correction-blank": {"correction": "number"},
            "acknowledged": {"party": "text", "statement": "map", "signature": "text", "certificate": "hex"},
            "unusual-use": {"party": "text", "statement": "map", "signature": "text", "certificate": "hex"},
            "canaries": {"party": "text", "statement": "map", "signature": "text", "certificate": "hex"},
            "live-answer": {
                "party": "text",
                "ask_index": "number",
                "statement": "map",
                "signature": "text",
                "certificate": "hex",
            },
            "canary": {
                "answerer": "text",
                "asked_by": "text",
                "exchange": "text",
                "ask_index": "number",
                "list": "number",
                "rows": "number",
            },
        },
    ),
    "config": (
        "what",
        {
            "legal-hold-added": _ORDER,
            "legal-hold-lifted": _ORDER,
            "log-key": {"previous_key": "text", "verifier_key": "text"},
            "service-key-destroyed": {
                "key_service": "text",
                "purpose": "text",
                "epoch": "text",
                "public_key": "hex",
                "reason": "text?",
            },
            "carried": {"counters": "map", "policy": "map?", "suspended": "map"},
        },
    ),
    "access": (
        "what",
        {
            "answer-repeated": {},
            "entries": {},
            "vault-export": {"key": "hex"},
            "subject-search": {
                "purpose": "text",
                "epoch": "text",
                "statement": "map",
                "signature": "text",
                "certificate": "hex",
                "searched": "number",
                "unsearched": "number",
            },
        },
    ),
    "erasure": ("what", {"retention": {}, "request": _ORDER}),
}
"""Kind -> the member that decides, and what members a body has besides, by each value that this verifier knows."""
