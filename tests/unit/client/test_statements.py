import json
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from sluis_client import statements
from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError, Exit
from sluis_client.statements import PartyKey, SignedStatement, check_certificate, check_members, verify

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
OIN = "00000099000000001000"
DIGEST = "ab" * 32
HEAD = {"origin": "sluis.example/t", "environment": "test"}
SUBJECT = HEAD | {"purpose": "snf-locatie", "epoch": "2026Q4", "key_id": "cd" * 16}


@cache
def new_key(kind):
    match kind:
        case "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "P-521":
            return ec.generate_private_key(ec.SECP521R1())
        case "RSA":
            return rsa.generate_private_key(65537, 2048)
        case "RSA-1024":
            return rsa.generate_private_key(65537, 1024)
        case _:
            return ed25519.Ed25519PrivateKey.generate()


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
CA_KEY = ec.generate_private_key(ec.SECP256R1())


def name(serial=None, common="x"):
    serials = [serial] if isinstance(serial, str) else serial or []
    parts = [x509.NameAttribute(NameOID.SERIAL_NUMBER, value) for value in serials]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), *parts])


def certificate(public, subject, *, signer=CA_KEY, issuer=None, ca=False, days=(-1, 30), usage=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or name(common="CA"))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    if usage is not None:
        builder = builder.add_extension(x509.KeyUsage(**(dict.fromkeys(USAGES, False) | usage)), critical=True)
    return builder.sign(signer, hashes.SHA256())


def pem(*certificates):
    return b"".join(item.public_bytes(serialization.Encoding.PEM) for item in certificates)


def der(item):
    return item.public_bytes(serialization.Encoding.DER)


CA = certificate(CA_KEY.public_key(), name(common="CA"), ca=True, usage={"key_cert_sign": True}, days=(-10, 60))


@cache
def party(kind="P-256"):
    key = new_key(kind)
    return PartyKey(der(certificate(key.public_key(), name(OIN))), key)


def ask(**changes):
    base = {
        **SUBJECT,
        "request_id": "6f1d3b1e-6a53-4c9e-8a55-0d6c1b8f2f10",
        "asker": "utrecht",
        "principal": None,
        "answerers": ["snf"],
        "scheme": "bag",
        "match_keys": 1,
        "hit": True,
        "count": False,
        "attributes": ["certificate-status", "beds"],
        "subjects": 1000,
        "tokens": DIGEST,
        "case_number": DIGEST,
        "cooperation_ref": None,
        "not_after": NOW + timedelta(minutes=10),
    }
    return statements.ask_statement(**(base | changes))


def manifest(**changes):
    base = {
        **SUBJECT,
        "answerer": "snf",
        "scheme": "bag",
        "match_keys": 1,
        "version": 7,
        "rows": 20_000,
        "digest": DIGEST,
        "attributes": [],
        "as_of": NOW,
        "coverage": "all certified locations",
        "expires_at": NOW + timedelta(days=30),
        "rules": {"look_back_years": 2, "exclude_natural_persons": True},
    }
    return statements.register_manifest(**(base | changes))


def encryption_key():
    return statements.encryption_key_statement(**HEAD, party="utrecht", public_key=bytes(1216), created_at=NOW)


def epoch():
    return statements.epoch_statement(
        **SUBJECT,
        mode="keyed",
        steward="snf",
        recipients={"utrecht": (DIGEST[:32], DIGEST[32:])},
        valid_from=NOW,
        valid_until=NOW + timedelta(days=30),
        created_at=NOW,
    )


ALL = {"ask": ask, "register": manifest, "encryption-key": encryption_key, "epoch": epoch}


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA"])
def test_a_statement_verifies_as_signed(make, kind):
    statement = make()
    signed = party(kind).sign(statement)
    assert signed.statement == canonical_json(statement)
    assert verify(signed, party(kind).certificate, statement["type"]) == statement


def documented(kind):
    """The members that docs/formats.md shows for a statement: its JSON example, with bare names spelled out."""
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")
    where = {"ask": "## 2.", "register": "## 4."}.get(kind, f"`sluis/v1/{kind}`")
    part = text[text.index(where) :]
    part = part[part.index("{") :]
    depth, names = 0, set()
    for match in re.finditer(r'[{,]\s*"([a-z_]+)"(?=[:,}])|[{}]', part):
        if match[0] == "{" or (match[1] and match[0][0] == "{"):
            depth += 1
        if match[0] == "}":
            depth -= 1
        if depth == 0:
            break
        if match[1] and depth == 1:
            names.add(match[1])
    return names


@pytest.mark.parametrize("kind", ALL)
def test_the_members_are_those_of_formats_md(kind):
    assert set(ALL[kind]()) == documented(kind)


def test_an_ask_as_formats_md_writes_it():
    assert ask()["want"] == {"attributes": ["beds", "certificate-status"], "count": False, "hit": True}
    assert ask()["not_after"] == "2026-11-23T10:10:00Z"


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA"])
def test_one_changed_byte_or_key_is_found(kind):
    signed = party(kind).sign(ask())
    bad = [
        SignedStatement(signed.statement.replace(b"1000", b"1001"), signed.signature),
        SignedStatement(signed.statement, signed.signature[:-1] + bytes([signed.signature[-1] ^ 1])),
        SignedStatement(signed.statement, b""),
        SignedStatement(b"", signed.signature),
        SignedStatement(b"sluis/v1/signed\n" + signed.statement, signed.signature),
    ]
    for item in bad:
        with pytest.raises(ClientError) as refused:
            verify(item, party(kind).certificate, statements.ASK)
        assert (refused.value.code, refused.value.exit_code) == ("SIGNATURE_WRONG", Exit.VERIFICATION_FAILED)
    for other in {"P-256", "P-384", "RSA"} - {kind}:
        with pytest.raises(ClientError) as refused:
            verify(signed, party(other).certificate, statements.ASK)
        assert refused.value.code == "SIGNATURE_WRONG"


def test_a_statement_of_another_type_is_refused():
    signed = party().sign(epoch())
    for kind in (statements.ASK, statements.REGISTER, "sluis/v1/unknown", ""):
        with pytest.raises(ClientError) as refused:
            verify(signed, party().certificate, kind)
        assert refused.value.code == "STATEMENT_INVALID"


def signed_as_is(raw):
    from sluis_client.certificates import sign

    return SignedStatement(raw, sign(new_key("P-256"), b"sluis/v1/signed\n" + raw))


def test_bytes_that_are_not_canonical_are_refused_though_signed():
    raw = canonical_json(ask())
    for bad in (json.dumps(ask()).encode(), raw + b"\n", raw[:-1] + b',"type":"sluis/v1/ask"}', b"[]"):
        with pytest.raises(ClientError) as refused:
            verify(signed_as_is(bad), party().certificate, statements.ASK)
        assert refused.value.code == "STATEMENT_INVALID"
    with pytest.raises(ClientError) as refused:
        verify(signed_as_is(canonical_json({"type": "x" * 49_152})), party().certificate, "x")
    assert refused.value.code == "STATEMENT_INVALID"


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_every_member_is_needed_and_no_other_is_known(make):
    good = make()
    check_members(good, good["type"])
    for member in good:
        for value in ({}, [], "", -1, 1.5, True, None, "UPPER"):
            if value == good[member] or (member, value) in TAKEN:
                continue
            with pytest.raises(ClientError) as refused:
                check_members(good | {member: value}, good["type"])
            assert refused.value.code == "STATEMENT_INVALID", (member, value)
        with pytest.raises(ClientError):
            check_members({name: value for name, value in good.items() if name != member}, good["type"])
    with pytest.raises(ClientError) as refused:
        check_members(good | {"more": 1}, good["type"])
    assert "more" in refused.value.message


@pytest.mark.parametrize("coverage", ["all\nduty: none", "all\x1b[2K", "all\u202e", "é" * 251])
def test_a_coverage_is_one_line_as_a_terminal_shows_it(coverage):
    good = ALL["register"]()
    check_members(good | {"coverage": "één regel\u00a0tekst"}, statements.REGISTER)
    with pytest.raises(ClientError) as refused:
        check_members(good | {"coverage": coverage}, statements.REGISTER)
    assert refused.value.code == "STATEMENT_INVALID"


class _Taken:
    """What a member may hold beside its example: null, empty lists and free text."""

    def __contains__(self, pair):
        member, value = pair
        null = value is None and member in ("principal", "case_number", "cooperation_ref")
        free = value == "UPPER" and member in ("coverage", "origin")
        return null or free or (value == {} and member == "rules") or (value == [] and member == "attributes")


TAKEN = _Taken()


@pytest.mark.parametrize(
    "change",
    [
        {"answerers": []},
        {"answerers": [f"a{number}" for number in range(401)]},
        {"answerers": ["Snf"]},
        {"match_keys": 0},
        {"match_keys": True},
        {"subjects": 0},
        {"tokens": DIGEST.upper()},
        {"request_id": "6F1D3B1E-6A53-4C9E-8A55-0D6C1B8F2F10"},
        {"request_id": "6f1d3b1e-6a53-1c9e-8a55-0d6c1b8f2f10"},
        {"epoch": "2026Q5"},
        {"key_id": "cd" * 15},
        {"environment": "acceptance"},
        {"case_number": "Z-2026-1"},
    ],
)
def test_asks_that_are_not_signed(change):
    with pytest.raises(ClientError) as refused:
        party().sign(ask(**change))
    assert refused.value.code == "STATEMENT_INVALID"
    assert str(next(iter(change.values()))) not in refused.value.message


def test_text_that_is_not_unicode_is_not_signed():
    with pytest.raises(ClientError) as refused:
        party().sign(manifest(coverage="\ud800"))
    assert refused.value.code == "STATEMENT_INVALID"


def test_lists_must_be_sorted_and_without_duplicates():
    for bad in (["b", "a"], ["a", "a"], ("a",), [1], "a"):
        with pytest.raises(ClientError):
            check_members(ask() | {"answerers": bad}, statements.ASK)
    assert ask(answerers=["b", "a", "b"])["answerers"] == ["a", "b"]


def test_times_are_utc_and_exist():
    amsterdam = timezone(timedelta(hours=1))
    assert statements.utc(datetime(2026, 11, 23, 11, tzinfo=amsterdam)) == "2026-11-23T10:00:00Z"
    assert statements.parse_utc("2026-11-23T10:00:00Z") == NOW
    with pytest.raises(ClientError):
        statements.utc(datetime(2026, 11, 23))
    for bad in (
        "2026-02-30T10:00:00Z",
        "2026-11-23T10:00:00+00:00",
        "2026-11-23 10:00:00Z",
        "2026-11-23T24:00:00Z",
        "",
    ):
        with pytest.raises(ClientError):
            statements.parse_utc(bad)


def test_keys_are_read_from_pem_and_der_and_never_shown():
    key = new_key("P-256")
    own = certificate(key.public_key(), name(OIN))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    for raw, password in (
        (key.private_bytes(serialization.Encoding.PEM, *form), None),
        (key.private_bytes(serialization.Encoding.DER, *form), None),
        (locked, b"word"),
    ):
        made = PartyKey(pem(own), raw, password)
        assert (made.certificate, made.oin) == (der(own), OIN)
        assert repr(made) == f"PartyKey(oin={OIN})"
    for raw, password in ((locked, None), (locked, b"other"), (b"", None), (b"-----BEGIN", None), (b"\x30\x00", None)):
        with pytest.raises(ClientError) as refused:
            PartyKey(der(own), raw, password)
        assert (refused.value.code, refused.value.exit_code) == ("KEY_UNREADABLE", Exit.KEY_TROUBLE)


def test_a_key_of_another_certificate_or_type_is_refused():
    own = der(certificate(new_key("P-256").public_key(), name(OIN)))
    with pytest.raises(ClientError) as refused:
        PartyKey(own, new_key("P-384"))
    assert refused.value.code == "KEY_NOT_OF_CERTIFICATE"
    for kind in ("P-521", "RSA-1024", "Ed25519"):
        key = new_key(kind)
        raw = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ClientError) as refused:
            PartyKey(der(certificate(key.public_key(), name(OIN))), raw)
        assert refused.value.code == "KEY_TYPE_WRONG"
        with pytest.raises(ClientError) as refused:
            verify(party().sign(ask()), der(certificate(key.public_key(), name(OIN))), statements.ASK)
        assert refused.value.code == "KEY_TYPE_WRONG"
    with pytest.raises(ClientError) as refused:
        PartyKey(b"no certificate", new_key("P-256"))
    assert refused.value.code == "KEY_UNREADABLE"


LEAF = certificate(new_key("P-256").public_key(), name(OIN))


def test_a_certificate_of_a_trusted_authority_is_accepted():
    other = certificate(new_key("P-384").public_key(), name(common="other"), ca=True, signer=new_key("P-384"))
    assert check_certificate(der(LEAF), pem(CA), OIN, NOW) == LEAF
    assert check_certificate(der(LEAF), pem(other, CA), ["00000099000000002000", OIN], NOW) == LEAF
    no_constraints = certificate(new_key("P-256").public_key(), name(OIN), ca=None)
    assert check_certificate(der(no_constraints), pem(CA), OIN, NOW)


STRANGER = ec.generate_private_key(ec.SECP256R1())
REFUSED = {
    "self-signed under the CA's name": (certificate(STRANGER.public_key(), name(OIN), signer=STRANGER), CA),
    "another issuer": (certificate(STRANGER.public_key(), name(OIN), issuer=name(common="other")), CA),
    "another OIN": (certificate(STRANGER.public_key(), name("00000099000000002000")), CA),
    "no OIN": (certificate(STRANGER.public_key(), name()), CA),
    "two OINs": (certificate(STRANGER.public_key(), name([OIN, OIN])), CA),
    "an authority itself": (certificate(STRANGER.public_key(), name(OIN), ca=True), CA),
    "expired": (certificate(STRANGER.public_key(), name(OIN), days=(-9, -1)), CA),
    "not yet valid": (certificate(STRANGER.public_key(), name(OIN), days=(1, 9)), CA),
    "expired authority": (
        LEAF,
        certificate(CA_KEY.public_key(), name(common="CA"), ca=True, days=(-9, -1)),
    ),
    "an issuer that is no authority": (LEAF, certificate(CA_KEY.public_key(), name(common="CA"), ca=False)),
    "an issuer that says nothing": (LEAF, certificate(CA_KEY.public_key(), name(common="CA"), ca=None)),
    "an authority that may not sign certificates": (
        LEAF,
        certificate(CA_KEY.public_key(), name(common="CA"), ca=True, usage={"digital_signature": True}),
    ),
}


@pytest.mark.parametrize(("leaf", "issuer"), REFUSED.values(), ids=REFUSED)
def test_certificates_that_are_refused(leaf, issuer):
    with pytest.raises(ClientError) as refused:
        check_certificate(der(leaf), pem(issuer), OIN, NOW)
    assert (refused.value.code, refused.value.exit_code) == ("CERTIFICATE_WRONG", Exit.VERIFICATION_FAILED)


def test_without_a_readable_authority_nothing_is_trusted():
    for issuers in (b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ClientError) as refused:
            check_certificate(der(LEAF), issuers, OIN, NOW)
        assert refused.value.code == "KEY_UNREADABLE"
    with pytest.raises(ClientError):
        check_certificate(b"", pem(CA), OIN, NOW)


def test_the_broker_reads_what_the_client_signs():
    broker = pytest.importorskip("broker.statements")
    parties = pytest.importorskip("broker.parties")
    scope = broker.Scope("sluis.example/t", parties.Environment.TEST)
    readers = {
        "ask": broker.read_ask,
        "register": broker.read_register_manifest,
        "encryption-key": broker.read_encryption_key,
        "epoch": broker.read_epoch,
    }
    for kind in ("P-256", "P-384", "RSA"):
        for which, make in ALL.items():
            made = party(kind).sign(make())
            signed = broker.Signed(made.statement, made.signature)
            broker.verify_signature(signed, party(kind).certificate)
            readers[which](signed, scope)
