"""Log entries: the kinds of docs/formats.md section 3, built and read strictly. Pure.

A leaf is canonical JSON `{"body":...,"index":n,"kind":"...","sequenced_at":"...","v":1}` of at most 65,535 bytes. The
body of every kind has exactly the members listed here, each of its shape: an entry that an auditor would not
understand is never written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from broker.canonical import check_profile, parse_canonical, written
from broker.errors import Code, SluisError
from broker.exchange_log.entry_kinds import FREE_FORM, TIME, check_body, is_count

VERSION = 1
MAX_LEAF_BYTES = 65_535
_TAIL = re.compile(rb',"index":(0|[1-9][0-9]{0,15}),"kind":"[a-z]{1,20}","sequenced_at":"[^"]{27}","v":1\}\Z')
_TAIL_BYTES = 160
"""At least as long as everything behind the body of an entry."""
DECISION_AGE = timedelta(seconds=60)
"""How long before its batch's time a decision may have been taken."""


@dataclass(frozen=True)
class Entry:
    """A leaf, read."""

    index: int
    kind: str
    sequenced_at: datetime
    body: Mapping[str, Any]


def log_time(moment: datetime) -> str:
    """A time as entries hold it: UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: object) -> datetime:
    """The time in an entry.

    Raises:
        SluisError: STATEMENT_INVALID.
    """
    try:
        if isinstance(text, str) and TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise SluisError(Code.STATEMENT_INVALID, "an entry's time reads 2026-11-23T10:00:00.000000Z")


def build_leaf(index: int, kind: str, sequenced_at: datetime, body: Mapping[str, object]) -> bytes:
    """The leaf bytes of an entry.

    Raises:
        SluisError: FIELD_INVALID outside the kind's shape or the canonical profile; TOO_LARGE over 65,535 bytes;
            LOG_UNAVAILABLE when the decision in it was taken after `sequenced_at` or more than 60 s before, because
            the clock stepped or the log was slow: an auditor could not accept it. Safe to try again.
    """
    check_body(kind, body)
    if "decided_at" in body and not timedelta(0) <= sequenced_at - parse_time(body["decided_at"]) <= DECISION_AGE:
        raise SluisError(
            Code.LOG_UNAVAILABLE,
            "the broker's clock stepped, or the log was slow, between decision and log entry; try again",
            retry_after_ms=1_000,
        )
    for name in FREE_FORM:  # every other shape admits only what canonical JSON holds
        if name in body:
            check_profile(body[name], depth=2)
    text = _stamp(sequenced_at)
    leaf = written({"body": body, "index": index, "kind": kind, "sequenced_at": text, "v": VERSION})
    if len(leaf) > MAX_LEAF_BYTES:
        raise SluisError(Code.TOO_LARGE, f"a log entry has at most {MAX_LEAF_BYTES} bytes; ask for less at once")
    return leaf


def parse_leaf(leaf: bytes) -> Entry:
    """The entry in `leaf`.

    Raises:
        SluisError: STATEMENT_INVALID or FIELD_INVALID unless `leaf` is a canonical entry of a known kind.
    """
    if len(leaf) > MAX_LEAF_BYTES:
        raise SluisError(Code.STATEMENT_INVALID, f"a log entry has at most {MAX_LEAF_BYTES} bytes")
    value = parse_canonical(leaf)
    if value.keys() != {"body", "index", "kind", "sequenced_at", "v"} or value["v"] != VERSION:
        raise SluisError(Code.STATEMENT_INVALID, "not a log entry of version 1")
    index, kind, body = value["index"], value["kind"], value["body"]
    if not is_count(index) or not isinstance(kind, str) or not isinstance(body, dict) or isinstance(value["v"], bool):
        raise SluisError(Code.STATEMENT_INVALID, "not a log entry of version 1")
    check_body(kind, body)
    return Entry(index, kind, parse_time(value["sequenced_at"]), body)


def leaf_index(leaf: bytes) -> int | None:
    """The index that a leaf says it has, by its end alone, or None; nothing else of it is read."""
    found = _TAIL.search(leaf, max(0, len(leaf) - _TAIL_BYTES))
    return None if found is None else int(found[1])


def parties_of(body: Mapping[str, object]) -> tuple[str, ...]:
    """The parties that an entry concerns: its asker, principal, answerer and party, without duplicates."""
    get = body.get
    named = dict.fromkeys((get("asker"), get("principal"), get("answerer"), get("party")))
    return tuple(name for name in named if isinstance(name, str))


@lru_cache(maxsize=8)
def _stamp(moment: datetime) -> str:
    return log_time(moment)
