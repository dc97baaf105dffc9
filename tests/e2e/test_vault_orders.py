"""Erasure, holds and retention from an officer's key to the auditor's verdict, over a running broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from participant import Participant, reason_of
from typer.testing import CliRunner, Result
from world import World, running, texts_for

from broker.cli import app
from broker.errors import SluisError
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow
PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC)  # orders are made by commands, which read the machine's clock
    with running(tmp_path, texts_for(now), start=now) as made:
        (tmp_path / "trust.yaml").write_text(trust_of(made.config))
        yield made


def run(world: World, *arguments: str, config: bool = True) -> Result:
    more = ["--config", str(world.directory / "broker.yaml")] if config else []
    return CliRunner().invoke(app, ["audit", *arguments, *more])


def last_line(result: Result) -> str:
    """The broker in this process logs to the same place, before."""
    return result.stdout.splitlines()[-1]


def key_of(world: World, name: str, key: Ed25519PrivateKey) -> str:
    path = world.directory / f"{name}.officer.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


def answered(world: World) -> tuple[Participant, object, str]:
    """An exchange of utrecht with snf that was answered."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"])
    ask = utrecht.question(PURPOSE, "bag", BAGS[:2], ["snf"], want=["beds"])
    assert len(utrecht.send(ask)["snf"].rows) == 1
    return utrecht, ask, str(ask.statement["request_id"])


def verified(world: World) -> dict[str, object]:
    bundle = world.directory / "log.bundle"
    assert run(world, "export", "--out", str(bundle)).exit_code == 0
    trust = str(world.directory / "trust.yaml")
    result = run(world, "verify", str(bundle), "--trust", trust, "--json", config=False)
    assert result.exit_code == 0, result.stdout
    value: dict[str, object] = json.loads(result.stdout)
    return value


def test_a_hold_and_then_an_erasure(world: World) -> None:
    utrecht, ask, exchange = answered(world)
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    named = ("erase", "--exchange", f"utrecht/{exchange}", "--key", key, "--reason", "granted", "--case", "AVG 12")
    held = run(world, "hold", "add", "--purpose", PURPOSE, "--until", "2027-12-31", "--reason", "inquiry", "--key", key)
    assert held.exit_code == 0, held.output
    hold = json.loads(last_line(run(world, "hold", "list", "--json")))[0]["hold"]
    refused = run(world, *named)
    assert refused.exception is not None
    assert "legal hold" in str(refused.exception)
    lifted = run(world, "hold", "lift", hold, "--key", key, "--reason", "closed")
    assert last_line(lifted).startswith("lifted: order ")
    assert run(world, "hold", "list").stdout == "no holds\n"
    done = run(world, *named)
    assert done.exit_code == 0, done.output
    assert "\nerased: order " in f"\n{done.stdout}"
    assert world.broker is not None
    reader = world.broker._store.reader
    assert reader.opening(ask.statement["tokens"]) is None
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.send(ask)
    assert reason_of(caught.value) == "ANSWER_GONE"
    kinds = verified(world)["kinds"]
    assert isinstance(kinds, dict)
    assert (kinds["erasure"], kinds["config"]) == (1, 2)
    found = [path for path in world.directory.rglob("*") if path.is_file() and b"AVG 12" in path.read_bytes()]
    assert found == [], "the case reference lies in no file, that of the order that was carried out included"
    assert len(list((world.config.data / "orders" / "taken").iterdir())) == 3


def test_an_order_made_at_a_desk_and_one_of_a_stranger(world: World, tmp_path: Path) -> None:
    _, ask, exchange = answered(world)
    order = str(tmp_path / "order.json")
    trust = ("--trust", str(tmp_path / "trust.yaml"))
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    made = ("--exchange", f"utrecht/{exchange}", "--reason", "granted", "--out", order, *trust)
    assert run(world, "erase", *made, "--key", key, config=False).exit_code == 0
    done = run(world, "erase", "--order", order, "--json")
    assert json.loads(last_line(done))["taken"] is True
    assert world.broker is not None
    assert world.broker._store.reader.opening(ask.statement["tokens"]) is None
    stranger = key_of(world, "snf", world.officers.keys["snf"])
    refused = run(world, "erase", "--exchange", f"utrecht/{exchange}", "--reason", "x", "--key", stranger)
    assert "must be signed by an officer who signs for the asker" in str(refused.exception)
    verified(world)


def test_retention_is_logged_and_verifies(world: World) -> None:
    _, ask, _ = answered(world)
    world.clock.at += timedelta(days=731)
    assert world.broker is not None
    assert world.broker._erasure.expire() == 2
    assert world.broker._store.reader.opening(ask.statement["tokens"]) is None
    kinds = verified(world)["kinds"]
    assert isinstance(kinds, dict)
    assert kinds["erasure"] == 1


def test_a_vault_export_opens_for_its_auditor_and_is_logged(world: World, tmp_path: Path) -> None:
    _, _, exchange = answered(world)
    made = run(world, "keys", "--out", str(tmp_path / "auditor"), config=False)
    assert made.exit_code == 0, made.output
    assert (tmp_path / "auditor.key").stat().st_mode & 0o777 == 0o600
    bundle, vault = str(tmp_path / "log.bundle"), str(tmp_path / "log.vault")
    named = ("--out", bundle, "--with-vault", vault, "--auditor-key", str(tmp_path / "auditor.pub"))
    refused = run(world, "export", *named, "--for", "snf")
    assert "auditors" in str(refused.exception)
    assert not Path(vault).exists()
    exported = run(world, "export", *named, "--for", "privacy-auditor")
    assert exported.exit_code == 0, exported.output
    trust = ("--trust", str(tmp_path / "trust.yaml"))
    opened = ("--vault", vault, "--key", str(tmp_path / "auditor.key"))
    told = run(world, "verify", bundle, *trust, *opened, config=False)
    assert told.exit_code == 0, told.output
    assert "commitments  2 opened, 0 erased by an entry" in told.stdout
    assert "commitments  not checked" in run(world, "verify", bundle, *trust, config=False).stdout
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    run(world, "erase", "--exchange", f"utrecht/{exchange}", "--key", key, "--reason", "granted")
    assert run(world, "export", *named, "--for", "privacy-auditor").exit_code == 0
    told = run(world, "verify", bundle, *trust, *opened, config=False)
    assert told.exit_code == 0, told.output
    assert "commitments  0 opened, 2 erased by an entry" in told.stdout
    world.stop()
    alone = run(world, "export", *named, "--for", "privacy-auditor", "--wait", "0")
    assert "only when the log says for whom" in str(alone.exception)


def test_a_key_that_is_none_is_refused_before_the_log_says_anything(world: World, tmp_path: Path) -> None:
    assert run(world, "keys", "--out", str(tmp_path / "auditor"), config=False).exit_code == 0
    assert world.broker is not None
    size = world.broker._store.reader.size()
    bundle, vault, pub = tmp_path / "log.bundle", tmp_path / "log.vault", tmp_path / "auditor.pub"

    def exported(key: Path, out: Path = bundle) -> str:
        named = ("--out", str(out), "--with-vault", str(vault), "--auditor-key", str(key), "--for", "privacy-auditor")
        result = run(world, "export", *named)
        assert result.exit_code != 0
        assert isinstance(result.exception, SluisError | SystemExit)
        return f"{result.exception} {result.stderr}"

    assert "the private key: it stays with the auditor" in exported(tmp_path / "auditor.key")
    damaged = tmp_path / "damaged.pub"
    for text, said in (("ff" * 1216, "damaged"), (pub.read_text()[:-3], "1216 bytes"), ("my key", "no .pub file")):
        damaged.write_text(text)
        assert said in exported(damaged)
    kept = pub.read_bytes()
    assert "same file" in exported(pub, out=vault)
    assert "same file" in exported(pub, out=pub)
    assert (pub.read_bytes(), world.broker._store.reader.size()) == (kept, size)
    assert not vault.exists()


def test_without_a_broker_an_order_waits(world: World) -> None:
    _, _, exchange = answered(world)
    world.stop()
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    named = ("erase", "--exchange", f"utrecht/{exchange}", "--key", key, "--reason", "granted", "--wait", "0")
    waiting = run(world, *named)
    assert waiting.exit_code == 5
    assert "NOT carried out" in waiting.stdout
    world.start()
    assert world.broker is not None
    world.broker._take_orders()
    kinds = verified(world)["kinds"]
    assert isinstance(kinds, dict)
    assert kinds["erasure"] == 1
    assert list((world.config.data / "orders" / "taken").iterdir())
