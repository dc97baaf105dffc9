"""The log of a broker that lived a little verifies offline; flipped, cut or mistrusted, it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from participant import Participant
from sluis.v1 import exchange_pb2
from typer.testing import CliRunner
from world import ORIGIN, World, running

from broker.audit.trust import trust_text
from broker.cli import app
from broker.policy.evaluate import ENGINE

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(30)]


def trust_of(world: World) -> str:
    return trust_text(
        origin=ORIGIN,
        environment="test",
        log_keys=[world.verifier_key],
        issuers=[(world.pki / "ca.pem").read_text()],
        policy_signers=world.signer_keys(),
        policy_quorum=2,
        engines=[ENGINE],
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with log.bundle and trust.yaml of a broker that saw every kind of thing."""
    directory = tmp_path_factory.mktemp("export")
    with running(directory) as world:
        snf, utrecht, nla = (Participant(world, name) for name in ("snf", "utrecht", "nla"))
        snf.make_epoch(PURPOSE, [snf, utrecht])
        for version in (BAGS[:10], BAGS[:20]):
            snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in version}, ["beds"])
        ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
        utrecht.send(ask)
        utrecht.send(ask)
        utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:3], ["snf"], want=["enterprise-name"]))
        utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:3], ["snf", "nla"], case_number="UTR-2026-1"))
        request = exchange_pb2.CheckRequestRequest(
            answerers=["snf"], purpose=PURPOSE, scheme="bag", match_keys=1, subjects=1
        )
        request.want.hit = True
        nla.exchanges.CheckRequest(request, timeout=20)
    world.start()
    try:
        Participant(world, "utrecht").exchanges.GetPurpose(exchange_pb2.GetPurposeRequest(purpose=PURPOSE), timeout=20)
        (directory / "trust.yaml").write_text(trust_of(world))
        result = run("export", "--config", str(directory / "broker.yaml"), "--out", str(directory / "log.bundle"))
        assert result == (0, result[1])
    finally:
        world.stop()
    return directory


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *arguments])
    return result.exit_code, result.output


def verify(bundle: Path, trust: Path) -> tuple[int, str]:
    return run("verify", str(bundle), "--trust", str(trust))


def test_the_export_verifies(exported: Path) -> None:
    code, text = verify(exported / "log.bundle", exported / "trust.yaml")
    assert code == 0, text
    assert text.strip().splitlines()[-1].startswith("verified:")


def test_the_verifier_says_what_it_found_as_json(exported: Path) -> None:
    code, text = run("verify", str(exported / "log.bundle"), "--trust", str(exported / "trust.yaml"), "--json")
    assert code == 0, text
    assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("part", [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999])
def test_one_flipped_byte_fails(exported: Path, tmp_path: Path, part: float) -> None:
    bundle = bytearray((exported / "log.bundle").read_bytes())
    bundle[int(len(bundle) * part)] ^= 1
    (tmp_path / "flipped").write_bytes(bundle)
    code, text = verify(tmp_path / "flipped", exported / "trust.yaml")
    assert code >= 10, text
    assert "NOT verified" in text


def test_a_cut_bundle_fails(exported: Path, tmp_path: Path) -> None:
    lines = (exported / "log.bundle").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut").write_bytes(b"".join(lines[:-3]))
    assert verify(tmp_path / "cut", exported / "trust.yaml")[0] >= 10


def test_another_log_s_key_fails(exported: Path, tmp_path: Path) -> None:
    with running(tmp_path) as other:
        trust = tmp_path / "trust.yaml"
        trust.write_text(trust_of(other))
    assert verify(exported / "log.bundle", trust)[0] >= 10


def test_no_identifier_stands_in_the_export(exported: Path) -> None:
    import base64

    leaves = [json.loads(line) for line in (exported / "log.bundle").read_bytes().splitlines()]
    text = b"".join(base64.b64decode(line["leaf"]) for line in leaves if "leaf" in line)
    assert b"UTR-2026-1" not in text
    for bag in BAGS:
        assert bag.encode() not in text
