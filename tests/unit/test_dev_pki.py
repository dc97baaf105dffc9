"""The throw-away CA: certificates of the right shape, keys that nobody else reads, and a name production knows."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from broker.dev_pki import ThrowAwayCa, is_throw_away, write_dev_pki

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
OIN = "00000099000000101000"


@pytest.fixture(scope="module")
def authority() -> ThrowAwayCa:
    return ThrowAwayCa(NOW)


def test_a_party_certificate_carries_the_oin_and_is_issued_by_the_ca(authority: ThrowAwayCa) -> None:
    issued = authority.issue("nla", OIN)
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    ca = x509.load_pem_x509_certificate(authority.certificate)
    certificate.verify_directly_issued_by(ca)
    assert [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)] == [OIN]
    key = load_pem_private_key(issued.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()
    assert issued.serial == certificate.serial_number
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert ExtendedKeyUsageOID.CLIENT_AUTH in usage
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert "BEGIN" not in repr(issued)


def test_the_broker_certificate_has_hosts_and_no_oin(authority: ThrowAwayCa) -> None:
    issued = authority.issue("broker", None, hosts=["localhost", "127.0.0.1"])
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    assert not certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_the_ca_may_sign_certificates_and_lists_and_no_further_ca(authority: ThrowAwayCa) -> None:
    ca = x509.load_pem_x509_certificate(authority.certificate)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert ca.not_valid_after_utc - NOW == timedelta(days=90)


def test_the_revocation_list_names_what_was_revoked(authority: ThrowAwayCa) -> None:
    issued = authority.issue("nla", OIN)
    crl = x509.load_pem_x509_crl(authority.revocation_list([issued.serial], this_update=NOW, days=7))
    ca = x509.load_pem_x509_certificate(authority.certificate)
    key = ca.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(key)
    assert [one.serial_number for one in crl] == [issued.serial]
    assert (crl.last_update_utc, crl.next_update_utc) == (NOW, NOW + timedelta(days=7))
    assert crl.issuer == ca.subject


def test_two_cas_share_a_name_and_nothing_else(authority: ThrowAwayCa) -> None:
    """Which is why directory.py checks signatures and never only names."""
    other = ThrowAwayCa(NOW)
    ours = x509.load_pem_x509_certificate(authority.certificate)
    theirs = x509.load_pem_x509_certificate(other.certificate)
    assert ours.subject == theirs.subject
    assert ours.public_key() != theirs.public_key()


def test_production_knows_it_by_its_organisation(authority: ThrowAwayCa) -> None:
    assert is_throw_away(authority.certificate)
    assert not is_throw_away(authority.issue("Sluis throw-away CA", None).certificate)


def test_the_files_and_who_may_read_them(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    paths = write_dev_pki(directory, {"nla": OIN}, ["localhost"], NOW)
    names = {"ca.pem", "ca.crl", "broker.pem", "broker.key", "nla.pem", "nla.key"}
    assert {path.name for path in paths} == names == {path.name for path in directory.iterdir()}
    for path in paths:
        readable_by_others = bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
        assert readable_by_others is (path.suffix != ".key")


def test_writing_again_replaces_files_and_keeps_keys_private(tmp_path: Path) -> None:
    (tmp_path / "nla.key").write_text("old")
    (tmp_path / "nla.key").chmod(0o644)
    write_dev_pki(tmp_path, {"nla": OIN}, ["localhost"], NOW)
    assert stat.S_IMODE((tmp_path / "nla.key").stat().st_mode) == 0o600
    first = (tmp_path / "ca.pem").read_bytes()
    write_dev_pki(tmp_path, {"nla": OIN}, ["localhost"], NOW)
    assert (tmp_path / "ca.pem").read_bytes() != first
