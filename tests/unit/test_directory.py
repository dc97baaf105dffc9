"""The operator's directory: what it refuses to load, each with the file that is wrong."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from world import START, World, make_world, policy_texts

from broker.canonical import canonical_json
from broker.config import Config
from broker.dev_pki import ThrowAwayCa
from broker.directory import Loaded, load_directory
from broker.errors import Code, SluisError
from broker.exchange_log.entry import log_time
from broker.parties import Environment
from broker.policy.bundle import policy_set_from_texts

POLICIES = policy_set_from_texts(policy_texts())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def load(world: World, **changes: object) -> Loaded:
    return load_directory(world.config.model_copy(update=changes), POLICIES)


def refused(world: World, path: Path, words: str, **changes: object) -> None:
    with pytest.raises(SluisError) as caught:
        load(world, **changes)
    assert caught.value.code is Code.CONFIG_INVALID
    assert caught.value.message.startswith(f"{path}: ")
    assert words in caught.value.message


def parties(config: Config, **changes: list[Path]) -> dict[str, list[Path]]:
    return {**config.parties, **changes}


def test_pins_lists_and_log_entries_are_what_the_files_say(world: World) -> None:
    loaded = load(world)
    assert set(loaded.directory.pins) == set(world.parties)
    der = x509.load_pem_x509_certificate((world.pki / "nla.pem").read_bytes()).public_bytes(Encoding.DER)
    assert loaded.directory.pins["nla"] == {hashlib.sha256(der).hexdigest()}
    (revocations,) = loaded.directory.revocations.values()
    assert (revocations.serials, revocations.this_update) == (frozenset(), START - timedelta(hours=1))
    assert loaded.directory.revocation_max_age == timedelta(hours=48)
    entry = loaded.entries["nla"]
    assert (entry["party"], entry["oin"], entry["kind"]) == ("nla", world.parties["nla"], "public")
    assert entry["certificates"] == [base64.b64encode(der).decode()]
    assert entry["crl_this_update"] == "2026-11-23T09:00:00.000000Z"
    assert loaded.issuers_pem == (world.pki / "ca.pem").read_bytes()


def test_a_fresh_list_is_news_once_the_one_in_the_log_is_old(world: World) -> None:
    loaded = load(world)
    body = loaded.entries["nla"]
    logged = canonical_json(body)

    def newer(hours: int) -> dict[str, object]:
        return {**body, "crl_this_update": log_time(START - timedelta(hours=1) + timedelta(hours=hours))}

    assert loaded.is_news(None, body)
    assert not loaded.is_news(logged, body)
    assert not loaded.is_news(logged, newer(23))
    assert loaded.is_news(logged, newer(24))
    assert loaded.is_news(logged, {**body, "revoked": ["ab"]})
    assert loaded.is_news(canonical_json({**body, "crl_this_update": None}), body), "logged by an older version"


def test_revoked_serials_are_read(world: World) -> None:
    issued = world.authority.issue("gone", world.parties["nla"])
    crl = world.authority.revocation_list([issued.serial], this_update=START)
    (world.pki / "ca.crl").write_bytes(crl)
    loaded = load(world)
    (revocations,) = loaded.directory.revocations.values()
    assert revocations.serials == {issued.serial}
    assert loaded.entries["nla"]["revoked"] == [f"{issued.serial:x}"]


def test_a_list_signed_by_another_ca_of_the_same_name_is_refused(world: World) -> None:
    other = ThrowAwayCa(START)
    (world.pki / "ca.crl").write_bytes(other.revocation_list(this_update=START))
    refused(world, world.pki / "ca.crl", "not signed by one of tls.client_issuers")


def test_a_second_list_of_one_issuer_is_refused(world: World) -> None:
    """An older one named last would bring revoked certificates back."""
    older = world.pki / "older.crl"
    older.write_bytes(world.authority.revocation_list(this_update=START - timedelta(days=1)))
    tls = world.config.tls.model_copy(update={"revocation_lists": [world.pki / "ca.crl", older]})
    refused(world, older, "a second list of one issuer", tls=tls)


def test_a_certificate_of_another_ca_is_refused(world: World) -> None:
    path = world.pki / "nla.pem"
    path.write_bytes(ThrowAwayCa(START).issue("nla", world.parties["nla"]).certificate)
    refused(world, path, "not issued by one of tls.client_issuers")


@pytest.mark.parametrize("oin", [None, "00000099000000102000", "00000099999999999000", "999993653"])
def test_a_certificate_with_another_oin_is_refused(world: World, oin: str | None) -> None:
    path = world.pki / "nla.pem"
    path.write_bytes(world.authority.issue("nla", oin).certificate)
    refused(world, path, "Subject.serialNumber is not an OIN the policy set has for this party")


def test_a_party_the_policy_does_not_know_is_refused(world: World) -> None:
    with pytest.raises(SluisError) as caught:
        load(world, parties={"nobody": [world.pki / "nla.pem"]})
    assert caught.value.code is Code.CONFIG_INVALID
    assert "parties.nobody" in caught.value.message


def test_several_certificates_of_a_party_are_all_pinned(world: World) -> None:
    world.issue("nla-2", world.parties["nla"])
    paths = [world.pki / "nla.pem", world.pki / "nla-2.pem"]
    loaded = load(world, parties=parties(world.config, nla=paths))
    assert len(loaded.directory.pins["nla"]) == 2
    assert len(loaded.entries["nla"]["certificates"]) == 2


def test_a_certificate_that_may_not_sign_only_connects(world: World) -> None:
    path = world.pki / "nla.pem"
    issued = world.authority.issue("nla", world.parties["nla"], signs=False)
    path.write_bytes(issued.certificate)
    refused(world, path, "the key usage of this certificate does not allow signing")
    world.issue("nla-signing", world.parties["nla"])
    apart = world.pki / "nla-signing.pem"
    loaded = load(world, signing={"nla": [apart]})
    assert len(loaded.directory.pins["nla"]) == 1
    refused(world, path, "does not allow signing", signing={"nla": [path]})


def _gone(path: Path) -> None:
    path.unlink()


def _garbage(path: Path) -> None:
    path.write_bytes(b"no PEM at all")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["ca.pem", "ca.crl", "nla.pem"])
@pytest.mark.parametrize("spoil", [_gone, _garbage, _empty, _folder])
def test_a_file_that_cannot_be_read_is_named(world: World, name: str, spoil: Callable[[Path], None]) -> None:
    spoil(world.pki / name)
    refused(world, world.pki / name, "")


@pytest.mark.parametrize("name", ["ca.pem", "nla.pem"])
def test_a_second_certificate_in_a_file_is_refused(world: World, name: str) -> None:
    """TLS would trust a CA that nobody looked at here."""
    path = world.pki / name
    path.write_bytes(path.read_bytes() + ThrowAwayCa(START).certificate)
    refused(world, path, "several certificates")


def test_production_refuses_the_throw_away_ca(world: World) -> None:
    refused(world, world.pki / "ca.pem", "refused in production", environment=Environment.PRODUCTION)


def test_production_refuses_a_test_oin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.directory.is_throw_away", lambda _: False)
    path = world.pki / f"{min(world.parties)}.pem"
    refused(world, path, "a test OIN (prefix 00000099) is refused", environment=Environment.PRODUCTION)
