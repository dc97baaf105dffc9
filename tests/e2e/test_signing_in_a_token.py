"""An agency whose signing key never leaves its token, from its first key to a verified log: SoftHSM, over a broker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from both_verifiers import verified_by_both
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from key_places import PIN, SoftToken, soft_token
from sluis_client import ask, rectifying
from sluis_client.errors import ClientError
from sluis_custody.choosing import signer_of
from test_agency import BAGS, PURPOSE, agency, put_in_force, question, share_key, write_profile
from world import World, make_world, texts_for

pytestmark = pytest.mark.slow
PARTIES = ("snf", "utrecht")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    token = soft_token(tmp_path_factory.mktemp("softhsm"))
    for party in PARTIES:
        token.make_signing_key(f"sluis-{party}")
    return token


def certified(world: World, party: str, token: SoftToken) -> None:
    """A certificate of the world's CA over the token's key, as a CA gives one for a request that the token signed."""
    like = x509.load_pem_x509_certificate((world.pki / f"{party}.pem").read_bytes())
    public = load_der_public_key(signer_of(token.uri(f"sluis-{party}"), lambda: PIN).public_key())
    dates = like.not_valid_before_utc, like.not_valid_after_utc
    builder = x509.CertificateBuilder(like.issuer, like.subject, public, x509.random_serial_number(), *dates)
    for extension in like.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    made = builder.sign(world.authority._key, hashes.SHA256())
    (world.pki / f"{party}-token.pem").write_bytes(made.public_bytes(Encoding.PEM))


def signs_with_the_token(world: World, party: str, token: SoftToken) -> None:
    write_profile(world, party)
    home = world.directory / party
    (home / "pin").write_bytes(PIN + b"\n")
    (home / "pin").chmod(0o600)
    path = home / "sluis-client.yaml"
    signing = {
        "signing_certificate": f"../pki/{party}-token.pem",
        "signing_key": token.uri(f"sluis-{party}"),
        "key_store_secret": "file:pin",
    }
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | signing), encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path, token: SoftToken) -> Iterator[World]:
    now = datetime.now(UTC).replace(microsecond=0)
    signing = {party: [f"pki/{party}-token.pem"] for party in PARTIES}
    made = make_world(tmp_path, texts_for(now), start=now, signing=signing)
    for party in PARTIES:
        certified(made, party, token)
    made.start()
    for party in PARTIES:
        signs_with_the_token(made, party, token)
    yield made
    made.stop()


def test_an_agency_whose_key_is_in_a_token_takes_part_in_everything(world: World) -> None:
    share_key(world)
    published = put_in_force(world)
    utrecht = agency(world, "utrecht")
    asked = ask.ask(utrecht, *question(BAGS[90:130]))
    assert [(answer.status, answer.hits) for answer in asked.answers] == [("ANSWERED", 10)]
    assert published.receipt.index < (asked.answers[0].ask_index or 0)
    done = rectifying.correct(
        agency(world, "snf"),
        rectifying.Plan(PURPOSE, "bag", "corrected", "wrong-value", "", ""),
        [(2, question(BAGS[95:96])[1].keys[0])],
    )
    assert len(done) == 1
    verified_by_both(world)


def test_the_key_of_the_connection_signs_nothing_there(world: World) -> None:
    path = world.directory / "snf" / "sluis-client.yaml"
    document = yaml.safe_load(path.read_text())
    bare = {name: value for name, value in document.items() if not name.startswith(("signing_", "key_store"))}
    path.write_text(yaml.safe_dump(bare))
    with pytest.raises(ClientError) as caught:
        share_key(world)
    assert caught.value.code == "SIGNATURE_WRONG"
