"""Who gets in, over real connections. TLS 1.2, unknown, expired, revoked and wrong-OIN certificates are refused."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from participant import Participant, reason_of
from sluis.v1 import exchange_pb2
from world import START, World, make_world, policy_texts, running

from broker.acceptance import check_bundle
from broker.app import Broker
from broker.config import load_config
from broker.dev_pki import ThrowAwayCa
from broker.doctor import _examine_in_force
from broker.errors import Code, SluisError

pytestmark = pytest.mark.slow

WIDE = {"not_before": datetime(2020, 1, 1, tzinfo=UTC), "not_after": datetime(2080, 1, 1, tzinfo=UTC)}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("identity")) as made:
        yield made


def knock(world: World, certificate: str) -> str:
    """The reason with which a call under this certificate is refused, or "OK"."""
    try:
        Participant(world, "utrecht", certificate).exchanges.ListPurposes(
            exchange_pb2.ListPurposesRequest(), timeout=20
        )
    except grpc.RpcError as error:
        return reason_of(error) if error.code() is not grpc.StatusCode.UNAVAILABLE else "no connection"
    return "OK"


def handshake(world: World, highest: ssl.TLSVersion) -> str | None:
    """The TLS version agreed with the broker when we offer no more than `highest`."""
    context = ssl.create_default_context(cafile=str(world.pki / "ca.pem"))
    context.load_cert_chain(world.pki / "utrecht.pem", world.pki / "utrecht.key")
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", world.port), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as wrapped,
    ):
        return wrapped.version()


def test_tls_1_3_is_agreed_and_1_2_is_refused(world: World) -> None:
    assert handshake(world, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(world, ssl.TLSVersion.TLSv1_2)


def test_a_registered_certificate_gets_in(world: World) -> None:
    assert knock(world, "utrecht") == "OK"


def test_a_certificate_of_another_ca_gets_no_connection(world: World) -> None:
    issued = ThrowAwayCa(datetime(2020, 1, 1, tzinfo=UTC), days=365 * 60).issue("x", world.parties["utrecht"])
    (world.pki / "foreign.pem").write_bytes(issued.certificate)
    (world.pki / "foreign.key").write_bytes(issued.key)
    assert knock(world, "foreign") == "no connection"


@pytest.mark.parametrize(
    ("oin", "reason"),
    [
        (None, "OIN_INVALID"),
        ("123", "OIN_INVALID"),
        ("00000099999999999000", "OIN_UNKNOWN"),
        ("utrecht", "CERTIFICATE_UNKNOWN"),
        ("snf", "CERTIFICATE_UNKNOWN"),
    ],
)
def test_a_wrong_or_unregistered_oin_is_refused(world: World, oin: str | None, reason: str) -> None:
    world.issue("stranger", world.parties.get(oin, oin) if oin else None, **WIDE)
    assert knock(world, "stranger") == reason


def test_an_expired_certificate_is_refused(world: World) -> None:
    """The handshake would refuse it too; here the clock of the broker says so first."""
    before = world.clock.at
    try:
        world.clock.at = datetime(2081, 1, 1, tzinfo=UTC)
        assert knock(world, "utrecht") == "CERTIFICATE_EXPIRED"
    finally:
        world.clock.at = before


def test_a_certificate_revoked_while_running_is_refused_after_the_list_is_read(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        world.issue("leaver", world.parties["utrecht"], **WIDE)
        assert knock(world, "utrecht") == "OK"
        from cryptography import x509

        serial = x509.load_pem_x509_certificate((world.pki / "utrecht.pem").read_bytes()).serial_number
        (world.pki / "ca.crl").write_bytes(world.authority.revocation_list([serial], this_update=START))
        assert world.broker is not None
        world.broker.reload_directory()
        assert knock(world, "utrecht") == "CERTIFICATE_REVOKED"
        assert knock(world, "someren") == "OK"


def test_a_stale_revocation_list_lets_nobody_in(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        world.clock.at += timedelta(days=3)
        assert knock(world, "utrecht") in {"REVOCATION_STALE", "no connection"}


def test_a_party_may_have_several_certificates(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.issue("utrecht-2", world.parties["utrecht"], **WIDE)
    document = yaml.safe_load((tmp_path / "broker.yaml").read_text())
    document["parties"]["utrecht"].append("pki/utrecht-2.pem")
    (tmp_path / "broker.yaml").write_text(yaml.safe_dump(document))
    world.config = load_config(tmp_path / "broker.yaml")
    world.start()
    try:
        assert knock(world, "utrecht") == knock(world, "utrecht-2") == "OK"
    finally:
        world.stop()


def test_a_sub_oin_is_its_party(tmp_path: Path) -> None:
    texts = policy_texts()
    oin = "00000099000012345000"
    assert oin not in texts["catalogue.yaml"]
    head, mark, tail = texts["catalogue.yaml"].partition("\n  utrecht:\n")
    assert mark
    texts["catalogue.yaml"] = head + mark + f'    sub_oins: ["{oin}"]\n' + tail
    world = make_world(tmp_path, texts)
    world.issue("dienst", oin, **WIDE)
    document = yaml.safe_load((tmp_path / "broker.yaml").read_text())
    document["parties"]["utrecht"].append("pki/dienst.pem")
    (tmp_path / "broker.yaml").write_text(yaml.safe_dump(document))
    world.config = load_config(tmp_path / "broker.yaml")
    world.start()
    try:
        assert knock(world, "dienst") == "OK"
    finally:
        world.stop()


def production(tmp_path: Path, **changes: object) -> SluisError:
    """What a broker says that is told to be production with the world's test material."""
    world = make_world(tmp_path)
    must = {"environment": "production", "high_water": "high-water"}
    document = yaml.safe_load((tmp_path / "broker.yaml").read_text()) | must | changes
    (tmp_path / "broker.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(SluisError) as caught:
        Broker(load_config(tmp_path / "broker.yaml"), clock=world.clock)
    return caught.value


def test_production_refuses_test_oins(tmp_path: Path) -> None:
    error = production(tmp_path)
    assert error.code is Code.CONFIG_INVALID
    assert "test OIN" in error.message


def test_production_refuses_unsigned_policies(tmp_path: Path) -> None:
    error = production(tmp_path, policy={"bundle": "policy.bundle", "signers": ["00" * 32], "quorum": 1})
    assert "unsigned" in error.message


def test_production_refuses_the_throw_away_ca(tmp_path: Path) -> None:
    from broker.directory import load_directory
    from broker.policy.bundle import load_bundle

    world = make_world(tmp_path)
    must = {"environment": "production", "high_water": "high-water"}
    document = yaml.safe_load((tmp_path / "broker.yaml").read_text()) | must
    (tmp_path / "broker.yaml").write_text(yaml.safe_dump(document))
    config = load_config(tmp_path / "broker.yaml")
    bundle = (tmp_path / "policy.bundle").read_bytes()
    policies = load_bundle(bundle, signers=world.signer_keys(), quorum=2, now=START)
    with pytest.raises(SluisError, match="throw-away CA"):
        load_directory(config, policies)


def test_a_log_of_test_never_becomes_production(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.start()
    world.stop()
    document = yaml.safe_load((tmp_path / "broker.yaml").read_text()) | {"origin": "sluis.example/other"}
    (tmp_path / "broker.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(SluisError) as caught:
        Broker(load_config(tmp_path / "broker.yaml"), clock=world.clock)
    assert caught.value.code is Code.CONFIG_INVALID


def _bundle(world: World) -> bytes:
    return world.config.policy.bundle.read_bytes()


def test_a_lower_policy_revision_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.write_bundle(policy_texts(), revision=5)
    world.start()
    world.stop()
    world.write_bundle(policy_texts(), revision=4)
    world.start()
    try:
        assert world.broker is not None
        assert world.broker._in_force.current().revision == 5
    finally:
        world.stop()
    with pytest.raises(SluisError) as caught:
        _examine_in_force(world.config, check_bundle(world.config, _bundle(world), world.clock.at))
    assert caught.value.code is Code.POLICY_REVISION_LOWER


@pytest.mark.parametrize("signers", [0, 1])
def test_an_under_signed_policy_set_is_refused(tmp_path: Path, signers: int) -> None:
    world = make_world(tmp_path)
    world.write_bundle(policy_texts(), revision=2, signers=signers)
    with pytest.raises(SluisError) as caught:
        Broker(world.config, clock=world.clock)
    assert caught.value.code is Code.POLICY_UNSIGNED
