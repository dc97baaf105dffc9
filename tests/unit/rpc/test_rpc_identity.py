"""Who calls: every way in which a connection is not a party, from the authentication context alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from world import policy_texts

from broker.dev_pki import Issued, ThrowAwayCa
from broker.errors import Code, SluisError
from broker.parties import Caller, Environment, PartyKind
from broker.policy.bundle import policy_set_from_texts
from broker.policy.document import PolicySet
from broker.rpc.identity import Directory, Identity, load_revocations

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NLA, SNA = "00000099000000101000", "00000099000000102000"
TEXTS = policy_texts()
POLICIES = policy_set_from_texts(TEXTS)
CA = ThrowAwayCa(NOW - HOUR)


def with_oins(name: str, oin: str, sub: str = "") -> PolicySet:
    """The sample policies with another OIN for a party, and sub-OINs."""
    old = f"    oin: {POLICIES.catalogue.parties[name].oin}\n"
    assert old in TEXTS["catalogue.yaml"]
    new = f"    oin: {oin}\n" + (f"    sub_oins: [{sub}]\n" if sub else "")
    return policy_set_from_texts({**TEXTS, "catalogue.yaml": TEXTS["catalogue.yaml"].replace(old, new)})


def fingerprint(issued: Issued) -> str:
    der = x509.load_pem_x509_certificate(issued.certificate).public_bytes(Encoding.DER)
    return hashlib.sha256(der).hexdigest()


def directory(pins: Mapping[str, Sequence[Issued]], revoked: Sequence[int] = (), at: datetime = NOW) -> Directory:
    lists = load_revocations(CA.revocation_list(revoked, this_update=at))
    pinned = {party: frozenset(map(fingerprint, some)) for party, some in pins.items()}
    return Directory(pinned, {lists.issuer: lists}, timedelta(hours=48))


def context(issued: Issued | None, tls: bytes = b"TLSv1.3") -> dict[str, list[bytes]]:
    found = {"transport_security_type": [b"ssl"], "ssl_tls_version": [tls]}
    if issued is not None:
        found["x509_pem_cert"] = [issued.certificate]
        found["x509_subject"] = [b"CN=snf"]
    return found


def resolve(
    issued: Issued | None,
    known: Directory,
    *,
    policies: PolicySet = POLICIES,
    environment: Environment = Environment.TEST,
    tls: bytes = b"TLSv1.3",
    now: datetime = NOW,
) -> Caller:
    return Identity(known, lambda: policies, environment).resolve(context(issued, tls), now)


def refused(code: Code, issued: Issued | None, known: Directory, **changes: object) -> SluisError:
    with pytest.raises(SluisError) as caught:
        resolve(issued, known, **changes)
    assert caught.value.code is code
    return caught.value


@pytest.fixture(scope="module")
def nla() -> Issued:
    return CA.issue("nla", NLA)


def test_a_registered_certificate_is_its_party(nla: Issued) -> None:
    caller = resolve(nla, directory({"nla": [nla]}))
    assert (caller.party, caller.oin.text, caller.kind) == ("nla", NLA, PartyKind.PUBLIC)
    assert caller.fingerprint == fingerprint(nla)
    assert hashlib.sha256(caller.certificate).hexdigest() == caller.fingerprint
    assert not caller.is_auditor


def test_private_parties_and_auditors_are_known_as_such() -> None:
    sna = CA.issue("sna", SNA)
    (auditor,) = POLICIES.catalogue.auditors
    eye = CA.issue(auditor, POLICIES.catalogue.parties[auditor].oin)
    known = directory({"sna": [sna], auditor: [eye]})
    assert resolve(sna, known).kind is PartyKind.PRIVATE
    assert resolve(eye, known).is_auditor


@pytest.mark.parametrize("tls", [b"TLSv1.2", b"TLSv1.1", b"", b"TLSv1.30", b"tlsv1.3"])
def test_older_tls_is_refused(nla: Issued, tls: bytes) -> None:
    refused(Code.TLS_TOO_OLD, nla, directory({"nla": [nla]}), tls=tls)


def test_a_connection_that_says_no_tls_version_is_refused(nla: Issued) -> None:
    identity = Identity(directory({"nla": [nla]}), lambda: POLICIES, Environment.TEST)
    for auth in ({}, {"x509_pem_cert": [nla.certificate]}):
        with pytest.raises(SluisError) as caught:
            identity.resolve(auth, NOW)
        assert caught.value.code is Code.TLS_TOO_OLD


def test_no_certificate_is_refused(nla: Issued) -> None:
    refused(Code.CERTIFICATE_MISSING, None, directory({"nla": [nla]}))


def test_names_in_a_certificate_are_no_identity(nla: Issued) -> None:
    """CN and SAN say nla; without the OIN that is nothing."""
    named = CA.issue("nla", None, hosts=["nla.example"])
    refused(Code.OIN_INVALID, named, directory({"nla": [nla, named]}))


@pytest.mark.parametrize("oin", ["999993653", "0000009900000010100", NLA.lower() + "0", "NL-" + NLA[3:]])
def test_a_serial_number_that_is_no_oin_is_refused_and_not_shown(nla: Issued, oin: str) -> None:
    odd = CA.issue("nla", oin)
    error = refused(Code.OIN_INVALID, odd, directory({"nla": [nla, odd]}))
    assert oin not in str(error)


def test_two_serial_numbers_are_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, oin) for oin in (NLA, SNA)])
    authority = x509.load_pem_x509_certificate(CA.certificate)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority.subject)
    builder = builder.public_key(key.public_key()).serial_number(9)
    builder = builder.not_valid_before(NOW - HOUR).not_valid_after(NOW + HOUR)
    both = Issued(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), b"", 9)
    refused(Code.OIN_INVALID, both, directory({"nla": [both], "sna": [both]}))


def test_an_oin_of_nobody_is_refused() -> None:
    stranger = CA.issue("stranger", "00000099000000999000")
    refused(Code.OIN_UNKNOWN, stranger, directory({"nla": [stranger]}))


def test_a_certificate_that_is_not_pinned_is_refused(nla: Issued) -> None:
    """Issued by the right CA, with the right OIN: still not the one that the operator was given."""
    second = CA.issue("nla", NLA)
    refused(Code.CERTIFICATE_UNKNOWN, second, directory({"nla": [nla]}))
    refused(Code.CERTIFICATE_UNKNOWN, second, directory({}))


def test_a_pin_of_another_party_does_not_count(nla: Issued) -> None:
    refused(Code.CERTIFICATE_UNKNOWN, nla, directory({"sna": [nla]}))


def test_expiry_is_judged_at_every_call() -> None:
    short = CA.issue("nla", NLA, not_before=NOW - HOUR, not_after=NOW + HOUR)
    identity = Identity(directory({"nla": [short]}), lambda: POLICIES, Environment.TEST)
    auth = context(short)
    for good in (NOW - HOUR, NOW, NOW + HOUR):
        assert identity.resolve(auth, good).party == "nla"
    for bad in (NOW - HOUR - timedelta(seconds=1), NOW + HOUR + timedelta(seconds=1)):
        with pytest.raises(SluisError) as caught:
            identity.resolve(auth, bad)
        assert caught.value.code is Code.CERTIFICATE_EXPIRED


def test_a_revoked_certificate_is_refused_from_the_next_call_on(nla: Issued) -> None:
    identity = Identity(directory({"nla": [nla]}), lambda: POLICIES, Environment.TEST)
    assert identity.resolve(context(nla), NOW).party == "nla"
    identity.directory = directory({"nla": [nla]}, [nla.serial])
    with pytest.raises(SluisError) as caught:
        identity.resolve(context(nla), NOW)
    assert caught.value.code is Code.CERTIFICATE_REVOKED


def test_without_a_fresh_list_nobody_gets_in(nla: Issued) -> None:
    old = directory({"nla": [nla]}, at=NOW - timedelta(hours=49))
    error = refused(Code.REVOCATION_STALE, nla, old)
    assert error.retry_after_ms == 60_000
    refused(Code.REVOCATION_STALE, nla, replace(old, revocations={}))
    assert resolve(nla, directory({"nla": [nla]}, at=NOW - timedelta(hours=48))).party == "nla"


def test_a_list_past_its_next_update_is_stale_however_young(nla: Issued) -> None:
    lists = load_revocations(CA.revocation_list(this_update=NOW - 2 * HOUR))
    known = directory({"nla": [nla]})
    for next_update, code in ((NOW - HOUR, Code.REVOCATION_STALE), (NOW, None), (None, None)):
        fresh = replace(known, revocations={lists.issuer: replace(lists, next_update=next_update)})
        if code is None:
            assert resolve(nla, fresh).party == "nla"
        else:
            refused(code, nla, fresh)


def test_the_list_of_another_issuer_does_not_count(nla: Issued) -> None:
    known = directory({"nla": [nla]})
    (lists,) = known.revocations.values()
    refused(Code.REVOCATION_STALE, nla, replace(known, revocations={b"another issuer": lists}))


def test_a_revoked_certificate_is_refused_before_its_oin_is_looked_at() -> None:
    gone = CA.issue("nla", "999993653")
    refused(Code.CERTIFICATE_REVOKED, gone, directory({"nla": [gone]}, [gone.serial]))


def test_a_sub_oin_is_its_party() -> None:
    sub = "00000004000000001000"
    desk = CA.issue("nla desk", sub)
    policies = with_oins("nla", NLA, sub)
    caller = resolve(desk, directory({"nla": [desk]}), policies=policies)
    assert (caller.party, caller.oin.text) == ("nla", sub)
    refused(Code.OIN_UNKNOWN, desk, directory({"nla": [desk]}))


def test_a_party_may_have_several_certificates(nla: Issued) -> None:
    second = CA.issue("nla", NLA)
    known = directory({"nla": [nla, second]})
    callers = [resolve(one, known) for one in (nla, second)]
    assert [caller.party for caller in callers] == ["nla", "nla"]
    assert callers[0].fingerprint != callers[1].fingerprint


def test_production_takes_no_test_oin_and_takes_a_real_one(nla: Issued) -> None:
    refused(Code.OIN_TEST_IN_PRODUCTION, nla, directory({"nla": [nla]}), environment=Environment.PRODUCTION)
    real = "00000001002220647000"
    issued = CA.issue("nla", real)
    policies = with_oins("nla", real)
    caller = resolve(issued, directory({"nla": [issued]}), policies=policies, environment=Environment.PRODUCTION)
    assert caller.party == "nla"


@given(st.binary(max_size=300))
def test_bytes_that_are_no_certificate_are_refused_in_the_family(pem: bytes) -> None:
    identity = Identity(directory({}), lambda: POLICIES, Environment.TEST)
    for raw in (pem, b"-----BEGIN CERTIFICATE-----\n" + pem + b"\n-----END CERTIFICATE-----\n"):
        with pytest.raises(SluisError) as caught:
            identity.resolve({"ssl_tls_version": [b"TLSv1.3"], "x509_pem_cert": [raw]}, NOW)
        assert caught.value.code is Code.CERTIFICATE_UNKNOWN


def test_the_policy_in_force_decides_also_after_it_was_swapped(nla: Issued) -> None:
    current = [POLICIES]
    identity = Identity(directory({"nla": [nla]}), lambda: current[0], Environment.TEST)
    assert identity.resolve(context(nla), NOW).party == "nla"
    current[0] = with_oins("nla", "00000099000000777000")
    with pytest.raises(SluisError) as caught:
        identity.resolve(context(nla), NOW)
    assert caught.value.code is Code.OIN_UNKNOWN
