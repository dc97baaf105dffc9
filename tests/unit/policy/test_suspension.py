"""A suspension notice: one signature closes, for one log, and nothing in it can be changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from policy_samples import load, texts

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.policy.suspension import (
    knows,
    may_suspend,
    read_suspension,
    sign_suspension,
    suspended_since,
    with_notice,
)

OFFICERS = Officers()
POLICIES = load(OFFICERS.add_to(texts()))
SIGNER = Ed25519PrivateKey.generate()
AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
LOG = {"origin": "sluis.example/test", "environment": "test"}


def made(key=SIGNER, purpose="snf-locatie", reason="a complaint", **changes):
    return sign_suspension(purpose, reason, **(LOG | changes), made_at=AT, key=key)


def hex_of(key):
    return key.public_key().public_bytes_raw().hex()


def refused(data, code, **log):
    with pytest.raises(SluisError) as raised:
        read_suspension(data, **(LOG | log))
    assert raised.value.code is code
    return raised.value.message


def test_it_reads_back():
    notice = made()
    assert read_suspension(notice.encode(), **LOG) == notice
    assert len(notice.notice) == 16
    assert notice.entry()["notice"] == notice.notice
    assert made(reason="another").notice != notice.notice


def test_another_log_and_another_form_are_refused():
    data = made().encode()
    assert "another log" in refused(data, Code.POLICY_INVALID, origin="sluis.example/other")
    refused(data, Code.POLICY_INVALID, environment="production")
    for bad in (b"", b"[]", b"{}", data + b" ", data[:-1], b"x" * 10_000):
        refused(bad, Code.POLICY_INVALID)


@pytest.mark.parametrize("member", ["environment", "made_at", "purpose", "reason"])
def test_every_member_is_signed(member):
    value = json.loads(made().encode())
    value["statement"][member] = {"environment": "test ", "made_at": "2026-11-23T10:00:01Z"}.get(member, "other")
    code = Code.POLICY_INVALID if member == "environment" else Code.POLICY_UNSIGNED
    refused(canonical_json(value), code)


@pytest.mark.parametrize("reason", ["", " ", "x" * 301, "two\nlines", "about 999993653"])
def test_a_reason_is_one_line_without_a_number_of_a_person(reason):
    with pytest.raises(SluisError) as raised:
        made(reason=reason)
    assert raised.value.code is Code.POLICY_INVALID
    assert "999993653" not in raised.value.message


def test_signers_and_officers_of_a_party_of_the_purpose_may_suspend_it():
    allowed = {party: may_suspend(POLICIES, [], hex_of(key), "snf-locatie") for party, key in OFFICERS.keys.items()}
    assert {party for party, may in allowed.items() if may} == {*POLICIES.participants("snf-locatie")}
    assert may_suspend(POLICIES, [hex_of(SIGNER).upper()], hex_of(SIGNER), "snf-locatie")
    assert not may_suspend(POLICIES, [hex_of(SIGNER)], hex_of(SIGNER), "no-purpose")
    assert not may_suspend(POLICIES, [], hex_of(SIGNER), "snf-locatie")
    # a certifier for whom a processor asks
    assert may_suspend(POLICIES, [], hex_of(OFFICERS.keys["certificeerder-noord"]), "cert-boete")


def test_a_purpose_is_suspended_since_the_earliest_notice_that_its_text_does_not_lift():
    stored = with_notice(None, "a" * 16, AT)
    stored = with_notice(stored, "b" * 16, AT + timedelta(hours=1))
    assert knows(stored, "a" * 16)
    assert not knows(stored, "c" * 16)
    assert not knows(None, "a" * 16)
    assert suspended_since(None, ()) is None
    assert suspended_since(stored, ()) == AT
    assert suspended_since(stored, ("a" * 16,)) == AT + timedelta(hours=1)
    assert suspended_since(stored, ("a" * 16, "b" * 16)) is None
