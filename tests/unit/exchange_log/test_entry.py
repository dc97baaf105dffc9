"""Entries: built and read strictly, for every kind."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from audit_kit import World, played, policy_bundle
from hypothesis import given
from hypothesis import strategies as st
from log_kit import START, access_body, ask_body, release_body, time_text

from broker.audit.entries import EntryError, read_entry
from broker.canonical import MAX_DEPTH, canonical_json
from broker.errors import Code, SluisError
from broker.exchange import Want
from broker.exchange_log.entry import (
    MAX_LEAF_BYTES,
    build_leaf,
    log_time,
    parse_leaf,
    parse_time,
    parties_of,
)
from broker.exchange_log.entry_kinds import KINDS, check_body

WORLD = played()
WORLD.archive.append(policy_bundle(revision=2, shadow=True))
WORLD.batch(("policy", WORLD.policy_entry(WORLD.archive[-1])))
WORLD.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("beds",)))
WORLD.suspend("snf-locatie")
WORLD.erase("ab" * 32)
ENTRIES = [entry for batch in WORLD.batches for entry in batch]
WORLD.change_key()
WORLD.batch(("seal", {"next_origin": "sluis.example/test-2027", "next_key": "a key"}))
_PREVIOUS = {"origin": "sluis.example/test-2025", "size": 9, "root": "ab" * 32, "checkpoint": "a note"}
FOLLOWING = World().begin(
    {**_PREVIOUS, "reason": "recovered"},
    (
        "recovery",
        {
            "what": "entries-lost",
            "detail": "a disk failed",
            "origin": "sluis.example/test-2025",
            "found_size": 6,
            "found_root": "cd" * 32,
            "known_size": 9,
            "known_root": "ab" * 32,
            "from": None,
            "until": time_text(START),
        },
    ),
    (
        "config",
        {
            "what": "carried",
            "counters": {"requests/nla/snf-locatie/2026-11-23": 3},
            "policy": {"digest": "ab" * 32, "revision": 2},
            "suspended": {"snf-locatie": [{"notice": "00" * 8, "since": time_text(START)}]},
        },
    ),
)
ENTRIES = [entry for world in (WORLD, FOLLOWING) for batch in world.batches for entry in batch]


def test_every_kind_is_built_read_and_read_by_the_verifier() -> None:
    assert {kind for kind, _ in ENTRIES} == set(KINDS)
    assert any("shadow_of" in body for kind, body in ENTRIES if kind == "evaluation")
    for index, (kind, body) in enumerate(ENTRIES):
        at = parse_time(body["decided_at"]) if "decided_at" in body else START
        leaf = build_leaf(index, kind, at, body)
        entry = parse_leaf(leaf)
        assert (entry.index, entry.kind, entry.sequenced_at, entry.body) == (index, kind, at, body)
        assert read_entry(leaf).body == body


def test_a_leaf_is_what_the_format_says() -> None:
    leaf = build_leaf(17, "access", datetime(2026, 11, 23, 10, 0, 0, 5, UTC), access_body())
    assert leaf == (
        b'{"body":{"exchange":null,"party":"nla","what":"entries"},"index":17,"kind":"access",'
        b'"sequenced_at":"2026-11-23T10:00:00.000005Z","v":1}'
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_missing_unknown_and_misshapen_members_are_refused(kind: str) -> None:
    for body in (body for k, body in ENTRIES if k == kind):
        for member in body:
            for changed in (
                {k: v for k, v in body.items() if k != member},
                {**body, member: 1.5},
                {**body, f"{member}x": 1},
            ):
                with pytest.raises(SluisError) as caught:
                    check_body(kind, changed)
                assert caught.value.code is Code.FIELD_INVALID
                assert str(body[member]) not in caught.value.message or not isinstance(body[member], str)


def _changed(value: object, change: Callable[[object], Iterator[object]]) -> Iterator[object]:
    """`value` with one of its inner values changed, in every way and at every place."""
    yield from change(value)
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from ({**value, name: other} for other in _changed(inner, change))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in _changed(inner, change))


def _outside(value: object) -> Iterator[object]:
    """What canonical JSON does not hold, and what other encoders would write all the same."""
    yield from (1.5, float("nan"), 2**53, b"x", uuid.UUID(int=0), START, "\ud800", object())
    if isinstance(value, dict):
        yield from ({**value, "\xe9": 1}, {**value, 1: 2}, MappingProxyType(value), {**value, "x": {"\xe9": None}})


def _each_once() -> list[tuple[str, dict[str, Any]]]:
    """An entry of every kind and variant, with every set of members."""
    found = {(kind, *sorted(body), str(body.get("what"))): (kind, body) for kind, body in ENTRIES}
    return list(found.values())


@pytest.mark.parametrize(("kind", "body"), _each_once(), ids=lambda part: part if isinstance(part, str) else "")
def test_no_place_in_an_entry_takes_what_canonical_json_does_not_hold(kind: str, body: dict[str, Any]) -> None:
    """Shapes are checked instead of the profile where they say more: they must say enough."""
    at = parse_time(body["decided_at"]) if "decided_at" in body else START
    assert json.loads(build_leaf(1, kind, at, body))["body"] == body
    for member, value in body.items():
        for changed in _changed(value, _outside):
            with pytest.raises(SluisError) as caught:
                build_leaf(1, kind, at, {**body, member: changed})
            assert caught.value.code in (Code.FIELD_INVALID, Code.STATEMENT_INVALID), member


def test_an_entry_is_nested_as_deeply_as_canonical_json_may_be() -> None:
    facts: dict[str, object] = {}
    outcomes = []
    for _ in range(MAX_DEPTH + 2):
        facts = {"a": facts}
        for write in (
            lambda facts: canonical_json({"body": {"facts": facts}}),
            lambda facts: build_leaf(1, "ask", START, {**ask_body(START), "facts": facts}),
        ):
            try:
                outcomes.append(bool(write(facts)))
            except SluisError as error:
                outcomes.append(error.code is not Code.FIELD_INVALID)
    assert outcomes[::2] == outcomes[1::2] == [True] * (MAX_DEPTH - 2) + [False] * 4


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SluisError):
        build_leaf(0, "gossip", START, {})


def test_the_largest_leaf() -> None:
    body = access_body()
    body["exchange"] = ""
    head = len(build_leaf(0, "access", START, body))
    with pytest.raises(SluisError) as caught:
        build_leaf(0, "recovery", START, {"what": "x", "detail": "x" * 5_000})
    assert caught.value.code is Code.FIELD_INVALID
    names = ["a" * 60] * 1_200
    evaluation = {"party": "nla", "purpose": "p", "answerers": names, "decided_at": time_text(START), "effects": []}
    with pytest.raises(SluisError) as caught:
        build_leaf(0, "evaluation", START, evaluation)
    assert caught.value.code is Code.TOO_LARGE
    assert head < MAX_LEAF_BYTES


@pytest.mark.parametrize("seconds", [-0.000001, 60.000001, 3600, -3600])
def test_a_decision_from_another_time_is_not_logged(seconds: float) -> None:
    with pytest.raises(SluisError) as caught:
        build_leaf(1, "ask", START + timedelta(seconds=seconds), ask_body(START))
    assert caught.value.code is Code.LOG_UNAVAILABLE


@pytest.mark.parametrize("seconds", [0, 0.000001, 60])
def test_a_decision_of_this_moment_is_logged(seconds: float) -> None:
    assert build_leaf(1, "ask", START + timedelta(seconds=seconds), ask_body(START))


def _leaf(**changes: Any) -> bytes:
    value = json.loads(build_leaf(3, "access", START, access_body()))
    return canonical_json({**value, **changes})


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"{}",
        _leaf(v=2),
        _leaf(v=True),
        _leaf(index=-1),
        _leaf(index=True),
        _leaf(index="3"),
        _leaf(kind="gossip"),
        _leaf(kind=None),
        _leaf(body=[]),
        _leaf(more=1),
        _leaf(sequenced_at="2026-11-23T10:00:00Z"),
        _leaf(sequenced_at="2026-02-30T10:00:00.000000Z"),
        _leaf(sequenced_at="2026-11-23T10:00:00.000000+01:00"),
        _leaf(sequenced_at="\uff12026-11-23T10:00:00.000000Z"),
        _leaf().replace(b'"index"', b' "index"'),
        _leaf() + b"\n",
        b"x" * 70_000,
    ],
)
def test_what_is_not_an_entry_is_refused_by_writer_and_verifier(leaf: bytes) -> None:
    with pytest.raises(SluisError):
        parse_leaf(leaf)
    with pytest.raises(EntryError):
        read_entry(leaf)


@given(st.binary(max_size=80) | st.sampled_from([_leaf()]), st.integers(0, 100), st.integers(1, 255))
def test_changed_bytes_read_alike_or_not_at_all(leaf: bytes, at: int, flip: int) -> None:
    """The two readers were written apart: whatever one accepts, the other does."""
    changed = bytearray(leaf)
    if changed:
        changed[at % len(changed)] ^= flip
    outcomes = []
    for read in (parse_leaf, read_entry):
        try:
            outcomes.append(read(bytes(changed)).index)
        except (SluisError, EntryError):
            outcomes.append(None)
    assert outcomes[0] is None or outcomes[0] == outcomes[1]


def test_times_go_there_and_back() -> None:
    moment = datetime(2026, 3, 29, 0, 59, 59, 999_999, UTC)
    assert parse_time(log_time(moment)) == moment
    for bad in (None, 5, "2026-03-29", "2026-03-29T00:59:59Z", "2026-13-29T00:59:59.000000Z"):
        with pytest.raises(SluisError):
            parse_time(bad)


def test_the_parties_an_entry_concerns() -> None:
    assert parties_of(ask_body(START)) == ("utrecht", "snf")
    assert parties_of(release_body()) == ("utrecht", "snf")
    assert parties_of(access_body("nla")) == ("nla",)
    assert parties_of({"asker": "a", "principal": "b", "answerer": "a", "party": None}) == ("a", "b")
