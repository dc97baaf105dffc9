"""The statements of rectification as the verifier reads them: members and words (docs/formats.md, Rectification)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.audit.entries import has_shape

_HEAD = dict.fromkeys(("environment", "origin", "type"), "text") | {"not_after": "time"}
_HIT = {
    **_HEAD,
    **dict.fromkeys(("answerer", "asker", "exchange", "request_id"), "text"),
    "position": "hex",
}
MEMBERS: Mapping[str, Mapping[str, str]] = {
    "sluis/v1/correction": {
        **_HEAD,
        **dict.fromkeys(("answerer", "epoch", "purpose", "reason", "request_id", "scheme", "what"), "text"),
        "dispute": "text?",
        "match_keys": "number",
        "record": "hex",
    },
    "sluis/v1/dispute": {**_HIT, "reason": "text"},
    "sluis/v1/outcome": {**_HIT, "outcome": "text", "role": "text"},
    "sluis/v1/acknowledgement": {**_HEAD, "done": "text", "notice": "text", "party": "text"},
}
WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "sluis/v1/correction": {
        "what": frozenset({"corrected", "withdrawn", "upheld", "still-disputed"}),
        "reason": frozenset(
            {"wrong-value", "out-of-date", "wrong-subject", "entered-by-mistake", "not-lawful"}
            | {"order-of-authority", "examined", "new-epoch"}
        ),
    },
    "sluis/v1/dispute": {
        "reason": frozenset({"wrong-value", "out-of-date", "wrong-subject", "not-lawful", "contested-by-subject"})
    },
    "sluis/v1/outcome": {
        "outcome": frozenset({"confirmed", "rejected"}),
        "role": frozenset({"case-worker", "inspector", "analyst", "lawyer", "team-lead", "privacy-officer"}),
    },
    "sluis/v1/acknowledgement": {"done": frozenset({"noted", "examining", "corrected", "erased", "not-used"})},
}
"""Closed vocabularies: no room for a word about a person."""


def has_form(statement: Mapping[str, Any], kind: str) -> bool:
    """Whether a statement is of `kind` with exactly its members, each of its shape, and its words from the lists."""
    members = MEMBERS[kind]
    return (
        statement.keys() == members.keys()
        and all(has_shape(statement[name], shape) for name, shape in members.items())
        and statement["type"] == kind
        and all(statement[name] in words for name, words in WORDS[kind].items())
    )
