"""Statements signed by a key that a token keeps; the connection has a certificate and key of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from fake_broker import World
from key_places import PIN, soft_token
from sluis_client.errors import ClientError
from sluis_client.profile import load_profile
from sluis_client.statement_shapes import ENCRYPTION_KEY
from sluis_client.statements import PartyKey, encryption_key_statement, verify
from sluis_custody.choosing import signer_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    token = soft_token(tmp_path_factory.mktemp("softhsm"))
    token.make_signing_key("sign")
    token.make_signing_key("other")
    return token


@pytest.fixture
def home(tmp_path, token):
    """The home of a party whose profile signs with a key in the token."""
    home = World(tmp_path).directory / "snf"
    like = x509.load_pem_x509_certificate((home / load_profile(home / "sluis-client.yaml").certificate).read_bytes())
    public = load_der_public_key(signer_of(token.uri("sign"), lambda: PIN).public_key())
    builder = x509.CertificateBuilder(
        like.issuer, like.subject, public, 4711, like.not_valid_before_utc, like.not_valid_after_utc
    )
    certificate = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    (home / "sign.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (home / "pin").write_bytes(PIN + b"\n")
    (home / "pin").chmod(0o600)
    return home


def profile_of(home, **values):
    path = home / "sluis-client.yaml"
    lines = [line for line in path.read_text().splitlines() if line.partition(":")[0] not in values]
    path.write_text("\n".join([*lines, *(f"{name}: {json.dumps(value)}" for name, value in values.items())]) + "\n")
    return load_profile(path)


def test_the_token_signs_and_the_connection_keeps_its_own_key(home, token):
    before = load_profile(home / "sluis-client.yaml").tls_identity()
    profile = profile_of(
        home, signing_certificate="sign.pem", signing_key=token.uri("sign"), key_store_secret="file:pin"
    )
    key = profile.party_key()
    statement = encryption_key_statement(
        origin=profile.origin,
        environment=profile.environment,
        party="snf",
        public_key=bytes(1216),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    assert verify(key.sign(statement), key.certificate, ENCRYPTION_KEY) == statement
    assert profile.tls_identity() == before


def test_a_key_of_another_certificate_is_refused(home, token):
    profile = profile_of(
        home, signing_certificate="sign.pem", signing_key=token.uri("other"), key_store_secret="file:pin"
    )
    with pytest.raises(ClientError) as caught:
        profile.party_key()
    assert caught.value.code == "KEY_NOT_OF_CERTIFICATE"


def test_a_signature_that_does_not_verify_does_not_leave(home, token):
    class Faulty:
        def __init__(self):
            self._right = signer_of(token.uri("sign"), lambda: PIN)

        def public_key(self):
            return self._right.public_key()

        def sign(self, message):
            return self._right.sign(message + b"x")

    key = PartyKey((home / "sign.pem").read_bytes(), Faulty())
    statement = encryption_key_statement(
        origin="o",
        environment="test",
        party="snf",
        public_key=bytes(1216),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    with pytest.raises(ClientError) as caught:
        key.sign(statement)
    assert caught.value.code == "SIGNATURE_WRONG"


@pytest.mark.parametrize("value", ["pkcs11:token=x", "transit:http://elsewhere:8200/v1/transit/keys/k"])
def test_addresses_that_are_none_are_told_by_the_profile(tmp_path, value):
    home = World(tmp_path).directory / "snf"
    with pytest.raises(ClientError) as caught:
        profile_of(home, signing_key=value)
    assert caught.value.code == "PROFILE_INVALID"
    assert "signing_key" in caught.value.message
