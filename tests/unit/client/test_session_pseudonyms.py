"""Pseudonyms of live questions: the same on both sides, and of one question."""

from __future__ import annotations

import hashlib
import hmac
import itertools

from sluis_client.canonical import encode, pack_presence
from sluis_client.pseudonymise import Column, Context
from sluis_client.secret import Secret
from sluis_client.session_pseudonyms import session_columns

KEY = Secret(bytes(range(32)))
CONTEXT = Context("sluis.example/1", "test", "snf-locatie", "2026Q4")
COLUMN = Column(b"a" * 16 + bytes(16) + b"b" * 16, pack_presence([True, False, True], 3))
WHO = ("utrecht", "00000000-0000-4000-8000-000000000001")


def plain(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 of one block, as RFC 5869 writes it."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()


def test_it_is_what_the_specification_says() -> None:
    (_, made) = session_columns(KEY, CONTEXT, *WHO, [COLUMN, COLUMN])
    info = encode("sluis/v1/session", "sluis.example/1", "test", "snf-locatie", "2026Q4", "keyed", *WHO, "2")
    key = plain(bytes(range(32)), info)
    expected = [hmac.new(key, cell * 16, hashlib.sha256).digest()[:16] for cell in (b"a", b"b")]
    assert made == Column(expected[0] + bytes(16) + expected[1], COLUMN.presence)


def test_no_two_sessions_share_one() -> None:
    """Another key, context, asker, exchange or match key: nothing in common."""
    other = Context("sluis.example/1", "test", "snf-locatie", "2027Q1")
    ways = [
        (KEY, CONTEXT, *WHO),
        (Secret(bytes(32)), CONTEXT, *WHO),
        (KEY, other, *WHO),
        (KEY, CONTEXT, "rotterdam", WHO[1]),
        (KEY, CONTEXT, WHO[0], WHO[1][:-1] + "2"),
    ]
    made = [column for way in ways for column in session_columns(*way, [COLUMN, COLUMN])]
    seen = [{column.pseudonyms[:16], column.pseudonyms[32:]} for column in made]
    assert all(not one & two for one, two in itertools.combinations(seen, 2))
    assert session_columns(KEY, CONTEXT, *WHO, [COLUMN]) == session_columns(KEY, CONTEXT, *WHO, [COLUMN])
