"""Signed statements: every member missing, unknown and wrong; every accepted key, good and bad."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.parties import Environment
from broker.statements import (
    MAX_SIGNATURE_BYTES,
    MAX_STATEMENT_BYTES,
    SIGNED_PREFIX,
    Scope,
    Signed,
    read_ask,
    read_encryption_key,
    read_epoch,
    read_register_manifest,
    verify_signature,
)

SCOPE = Scope("sluis.example/test-2026", Environment.TEST)
COMMON = {"origin": SCOPE.origin, "environment": "test"}
ASK: dict[str, Any] = {
    **COMMON,
    "type": "sluis/v1/ask",
    "answerers": ["snf"],
    "asker": "utrecht",
    "case_number": "ab" * 32,
    "cooperation_ref": None,
    "epoch": "2026Q4",
    "key_id": "0" * 32,
    "match_keys": 1,
    "not_after": "2026-11-23T10:10:00Z",
    "principal": None,
    "purpose": "snf-locatie",
    "request_id": "11111111-1111-4111-8111-111111111111",
    "scheme": "bag",
    "subjects": 1000,
    "tokens": "cd" * 32,
    "want": {"attributes": ["certificate-status"], "count": False, "hit": True},
}
REGISTER: dict[str, Any] = {
    **COMMON,
    "type": "sluis/v1/register",
    "answerer": "snf",
    "as_of": "2026-11-20T00:00:00Z",
    "attributes": ["beds", "certificate-status"],
    "coverage": "all certified locations",
    "digest": "ef" * 32,
    "epoch": "2026-11",
    "expires_at": "2026-12-31T23:00:00Z",
    "key_id": "0" * 32,
    "match_keys": 1,
    "purpose": "snf-locatie",
    "rows": 0,
    "rules": {"look_back_years": 2, "exclude_natural_persons": True, "look_back_counted_from": "as-of"},
    "scheme": "bag",
    "version": 7,
}
KEY: dict[str, Any] = {
    **COMMON,
    "type": "sluis/v1/encryption-key",
    "created_at": "2026-11-20T00:00:00Z",
    "kem": "MLKEM768-X25519",
    "party": "snf",
    "public_key": "a" * 2432,
}
EPOCH: dict[str, Any] = {
    **COMMON,
    "type": "sluis/v1/epoch",
    "created_at": "2026-11-20T00:00:00Z",
    "epoch": "2026",
    "key_id": "0" * 32,
    "mode": "keyed",
    "purpose": "snf-locatie",
    "recipients": {"snf": {"key": "1" * 32, "envelope": "2" * 32}},
    "steward": "snf",
    "valid_from": "2025-12-31T23:00:00Z",
    "valid_until": "2026-12-31T23:00:00Z",
}
READERS: dict[str, tuple[dict[str, Any], Callable[[Signed, Scope], Any]]] = {
    "ask": (ASK, read_ask),
    "register": (REGISTER, read_register_manifest),
    "key": (KEY, read_encryption_key),
    "epoch": (EPOCH, read_epoch),
}
MEMBERS = [(kind, name) for kind, (statement, _) in READERS.items() for name in statement]
NULLABLE = {("ask", "principal"), ("ask", "case_number"), ("ask", "cooperation_ref")}
CANARY = "999993653"


def signed(statement: object) -> Signed:
    return Signed(canonical_json(statement), b"not looked at")


def refusal(kind: str, statement: object) -> SluisError:
    with pytest.raises(SluisError) as caught:
        READERS[kind][1](signed(statement), SCOPE)
    return caught.value


@pytest.mark.parametrize("kind", READERS)
def test_a_good_statement_is_read_whole(kind: str) -> None:
    statement, read = READERS[kind]
    found = read(signed(statement), SCOPE)
    for name, value in statement.items():
        if name in {"type", "origin", "environment", "kem", "created_at", "want", "recipients"}:
            continue
        have = getattr(found, name)
        if isinstance(have, datetime):
            assert have == datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        elif isinstance(have, bytes):
            assert have.hex() == value
        else:
            assert have == (tuple(value) if isinstance(value, list) else value)


def test_the_nested_parts_are_read() -> None:
    want = read_ask(signed(ASK), SCOPE).want
    assert (want.hit, want.count, want.attributes) == (True, False, ("certificate-status",))
    recipient = read_epoch(signed(EPOCH), SCOPE).recipients["snf"]
    assert (recipient.key, recipient.envelope) == ("1" * 32, "2" * 32)
    assert read_ask(signed(ASK), SCOPE).raw == canonical_json(ASK)


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_a_missing_member_is_named(kind: str, name: str) -> None:
    error = refusal(kind, {key: value for key, value in READERS[kind][0].items() if key != name})
    assert error.code is Code.STATEMENT_INVALID
    assert error.metadata == {"member": name}


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
@pytest.mark.parametrize(
    "value",
    [None, True, -1, 1 - 2**53, "", CANARY, f"x{CANARY}", [CANARY], [f"x{CANARY}"], {CANARY: CANARY}, "A" * 3000],
)
def test_a_wrong_member_is_named_and_never_shown(kind: str, name: str, value: object) -> None:
    if value is None and (kind, name) in NULLABLE:
        READERS[kind][1](signed({**READERS[kind][0], name: None}), SCOPE)
        return
    if name == "rules" and value == {CANARY: CANARY}:
        value = {"rule": CANARY}
    error = refusal(kind, {**READERS[kind][0], name: value})
    assert error.code is Code.STATEMENT_INVALID
    assert CANARY not in str(error)
    assert CANARY not in str(error.metadata)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", ["extra", CANARY, "", "Type"])
def test_an_unknown_member_is_refused_and_not_shown(kind: str, name: str) -> None:
    error = refusal(kind, {**READERS[kind][0], name: 1})
    assert error.code is Code.STATEMENT_INVALID
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("answerers", []),
        ("answerers", ["b", "a"]),
        ("answerers", ["a", "a"]),
        ("answerers", [f"a{number:03}" for number in range(401)]),
        ("answerers", ["a", 1]),
        ("match_keys", 0),
        ("match_keys", 65),
        ("match_keys", True),
        ("subjects", 0),
        ("subjects", 100_000_001),
        ("request_id", "11111111-1111-1111-8111-111111111111"),
        ("request_id", "11111111-1111-4111-7111-111111111111"),
        ("request_id", "11111111-1111-4111-8111-11111111111A"),
        ("not_after", "2026-11-23T10:10:00+00:00"),
        ("not_after", "2026-02-30T10:10:00Z"),
        ("not_after", "0001-01-01T00:00:00Z"),
        ("not_after", "9999-12-31T23:59:59Z"),
        ("not_after", "2026-11-23T24:00:00Z"),
        ("not_after", "2026-11-23T10:10:60Z"),
        ("epoch", "2026Q5"),
        ("epoch", "2026-13"),
        ("epoch", "2026Q4\n"),
        ("key_id", "0" * 31),
        ("key_id", "A" * 32),
        ("tokens", "0" * 63),
        ("case_number", "0" * 63),
        ("asker", "Utrecht"),
        ("asker", "1utrecht"),
        ("asker", "a" * 64),
        ("asker", "utrecht\n"),
        ("want", {"hit": True, "count": False}),
        ("want", {"hit": 1, "count": False, "attributes": []}),
        ("want", {"hit": True, "count": False, "attributes": ["b", "a"]}),
        ("want", {"hit": True, "count": False, "attributes": [], "rows": True}),
        ("want", {"hit": True, "count": False, "attributes": [f"a{number:03}" for number in range(101)]}),
    ],
)
def test_shapes_of_an_ask(name: str, value: object) -> None:
    assert refusal("ask", {**ASK, name: value}).code is Code.STATEMENT_INVALID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rows", -1),
        ("rows", 2_000_000_001),
        ("version", 0),
        ("coverage", ""),
        ("coverage", "é" * 251),
        ("coverage", f"firm {CANARY}"),
        ("coverage", "all\nduty: none"),
        ("coverage", "all\x1b[2K"),
        ("coverage", "all\u202e"),
        ("rules", {"a": None}),
        ("rules", {"a": []}),
        ("rules", {"a": "x" * 101}),
        ("rules", {"a": f"since {CANARY}"}),
        ("rules", {"a": int(CANARY)}),
        ("rules", {"a": -int(CANARY)}),
        ("rules", {f"r{number}": 1 for number in range(17)}),
        ("attributes", ["b", "a"]),
    ],
)
def test_shapes_of_a_manifest(name: str, value: object) -> None:
    error = refusal("register", {**REGISTER, name: value})
    assert error.code is Code.STATEMENT_INVALID
    assert CANARY not in str(error)


@pytest.mark.parametrize(
    "recipients",
    [
        {},
        {"snf": None},
        {"snf": []},
        {"snf": {"key": "1" * 32}},
        {"snf": {"key": "1" * 32, "envelope": "2" * 32, "extra": "3"}},
        {"snf": {"key": "1" * 31, "envelope": "2" * 32}},
        {"snf": {"key": "1" * 32, "envelope": "2" * 64}},
        {"SNF": {"key": "1" * 32, "envelope": "2" * 32}},
        {f"x{CANARY}": {"key": "1" * 32, "envelope": "2" * 32}},
    ],
)
def test_recipients_are_read_strictly(recipients: object) -> None:
    error = refusal("epoch", {**EPOCH, "recipients": recipients})
    assert error.code is Code.STATEMENT_INVALID
    assert CANARY not in str(error)


@pytest.mark.parametrize("kind", READERS)
def test_other_logs_environments_and_types_are_refused(kind: str) -> None:
    other = "sluis/v1/epoch" if kind != "epoch" else "sluis/v1/ask"
    for changes in ({"origin": "sluis.example/other"}, {"environment": "production"}, {"type": other}):
        assert refusal(kind, {**READERS[kind][0], **changes}).code is Code.STATEMENT_INVALID
    production = Scope(SCOPE.origin, Environment.PRODUCTION)
    with pytest.raises(SluisError):
        READERS[kind][1](signed(READERS[kind][0]), production)


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "bend",
    [
        lambda raw: raw + b"\n",
        lambda raw: raw[:-1],
        lambda raw: raw.replace(b'":', b'": ', 1),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw[:-1] + b',"type":"x"}',
        lambda raw: (
            json.dumps(json.loads(raw), separators=(",", ":")).replace("sluis.example", "sluis\\u002eexample").encode()
        ),
        lambda raw: json.dumps(dict(reversed(json.loads(raw).items())), separators=(",", ":")).encode(),
        lambda _: b"",
        lambda _: b"null",
        lambda _: b"[]",
        lambda _: b"\xff",
        lambda _: b"{" * 5000,
    ],
)
def test_only_the_canonical_form_is_read(kind: str, bend: Callable[[bytes], bytes]) -> None:
    statement, read = READERS[kind]
    with pytest.raises(SluisError) as caught:
        read(Signed(bend(canonical_json(statement)), b""), SCOPE)
    assert caught.value.code is Code.STATEMENT_INVALID


@pytest.mark.parametrize("kind", READERS)
def test_the_length_is_bounded_before_anything_is_parsed(kind: str) -> None:
    with pytest.raises(SluisError) as caught:
        READERS[kind][1](Signed(b"{" * (MAX_STATEMENT_BYTES + 1), b""), SCOPE)
    assert caught.value.code is Code.FIELD_TOO_LONG


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300))
def test_any_bytes_are_refused_in_the_family(kind: str, raw: bytes) -> None:
    with pytest.raises(SluisError):
        READERS[kind][1](Signed(raw, b""), SCOPE)


# --------------------------------------------------------------------------------------------------- signatures

MESSAGE = canonical_json(ASK)
KEYS: dict[str, Any] = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "RSA-2048": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "RSA-1024": rsa.generate_private_key(public_exponent=65537, key_size=1024),  # refused by size
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def certificate(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    authority = KEYS["P-256"]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(authority, hashes.SHA256())
    )
    return built.public_bytes(Encoding.DER)


def sign(kind: str, message: bytes) -> bytes:
    key = KEYS[kind]
    data = SIGNED_PREFIX + message
    if kind.startswith("RSA"):
        return bytes(key.sign(data, PSS, hashes.SHA256()))
    if kind == "Ed25519":
        return bytes(key.sign(data))
    digest = {"P-256": hashes.SHA256(), "P-384": hashes.SHA384(), "P-521": hashes.SHA512()}[kind]
    return bytes(key.sign(data, ec.ECDSA(digest)))


def wrong(statement: Signed, certificate_: bytes) -> None:
    with pytest.raises(SluisError) as caught:
        verify_signature(statement, certificate_)
    assert caught.value.code is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA-2048"])
def test_accepted_keys(kind: str) -> None:
    good = Signed(MESSAGE, sign(kind, MESSAGE))
    verify_signature(good, certificate(KEYS[kind]))
    flipped = bytearray(good.signature)
    flipped[-1] ^= 1
    wrong(Signed(MESSAGE, bytes(flipped)), certificate(KEYS[kind]))
    wrong(Signed(MESSAGE + b" ", good.signature), certificate(KEYS[kind]))
    wrong(Signed(MESSAGE, b""), certificate(KEYS[kind]))
    wrong(Signed(MESSAGE, good.signature + b"\0" * MAX_SIGNATURE_BYTES), certificate(KEYS[kind]))
    for other, key in KEYS.items():
        if other != kind:
            wrong(good, certificate(key))


@pytest.mark.parametrize("kind", ["P-521", "RSA-1024", "Ed25519"])
def test_refused_keys_however_good_the_signature(kind: str) -> None:
    wrong(Signed(MESSAGE, sign(kind, MESSAGE)), certificate(KEYS[kind]))


def test_a_signature_without_the_label_is_none() -> None:
    wrong(Signed(MESSAGE, KEYS["P-256"].sign(MESSAGE, ec.ECDSA(hashes.SHA256()))), certificate(KEYS["P-256"]))


@pytest.mark.parametrize(
    "scheme",
    [
        (padding.PKCS1v15(), hashes.SHA256()),
        (padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=20), hashes.SHA256()),
        (padding.PSS(mgf=padding.MGF1(hashes.SHA1()), salt_length=32), hashes.SHA256()),
        (PSS, hashes.SHA512()),
    ],
)
def test_other_rsa_schemes_are_refused(scheme: tuple[Any, Any]) -> None:
    signature = KEYS["RSA-2048"].sign(SIGNED_PREFIX + MESSAGE, *scheme)
    wrong(Signed(MESSAGE, signature), certificate(KEYS["RSA-2048"]))


def test_another_hash_for_the_curve_is_refused() -> None:
    for kind, digest in (("P-256", hashes.SHA384()), ("P-384", hashes.SHA256())):
        signature = KEYS[kind].sign(SIGNED_PREFIX + MESSAGE, ec.ECDSA(digest))
        wrong(Signed(MESSAGE, signature), certificate(KEYS[kind]))


@given(st.binary(max_size=200))
def test_any_bytes_are_no_signature(signature: bytes) -> None:
    wrong(Signed(MESSAGE, signature), certificate(KEYS["P-256"]))
