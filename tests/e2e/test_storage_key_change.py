"""The storage key changes under a broker that serves and is stopped in between; protected keys, locked and unlocked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from participant import Participant, reason_of
from sluis.v1 import exchange_pb2_grpc
from sluis_custody.directory import forget_open_keys
from typer.testing import CliRunner
from world import World, make_world, running, texts_for

from broker.cli import app
from broker.custody.key_files import NEXT_STORAGE_FILE, STORAGE_FILE
from broker.errors import Code, SluisError
from broker.own_log import open_vault

pytestmark = pytest.mark.slow
PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC)
    with running(tmp_path, texts_for(now), start=now) as made:
        yield made


def run(world: World, *arguments: str, expect: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--config", str(world.directory / "broker.yaml")])
    assert result.exit_code == expect, result.output
    return result.output


def openings(world: World) -> int:
    """How many slots of the vault open now."""
    reader = open_vault(world.config)
    try:
        names = [slot.commitment for label in _LABELS for slot in reader.labelled(label, "", 1000)]
        return sum(reader.opening(name) is not None for name in names)
    finally:
        reader.close()


def restart(world: World, asker: Participant) -> None:
    world.stop()
    world.start()
    asker.exchanges = exchange_pb2_grpc.ExchangeServiceStub(world.channel(asker.party))


_LABELS = ("tokens", "answer", "result")


def test_a_broker_changes_its_storage_key_while_it_serves(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"])
    ask = utrecht.question(PURPOSE, "bag", BAGS[:2], ["snf"], want=["beds"])
    rows = utrecht.send(ask)["snf"].rows
    assert rows
    old = (world.config.keys / STORAGE_FILE).read_bytes()
    backup = world.directory / "backup"
    shutil.copytree(world.config.keys, backup)
    slots = openings(world)
    assert slots

    # a kill in between: the step stops before the files beside the database are moved
    assert run(world, "keys", "rotate-storage-key", "--wait", "0", expect=3)
    assert world.broker is not None
    world.broker._rekeying._others = (lambda: False,)
    world.broker._rekeying.step()
    assert "storage key being changed since" in run(world, "doctor")
    assert openings(world) == slots, "either key opens meanwhile"
    restart(world, utrecht)
    assert utrecht.send(ask)["snf"].rows == rows, "a repeat gets its kept answer"
    assert "done" in run(world, "keys", "rotate-storage-key", "--wait", "60")
    assert (world.config.keys / STORAGE_FILE).read_bytes() != old
    assert not (world.config.keys / NEXT_STORAGE_FILE).exists()
    assert utrecht.send(ask)["snf"].rows == rows
    again = utrecht.question(PURPOSE, "bag", BAGS[2:4], ["snf"], want=["beds"])
    assert len(utrecht.send(again)["snf"].rows) == 1
    assert openings(world) >= slots
    restart(world, utrecht)
    assert utrecht.send(ask)["snf"].rows == rows
    world.stop()

    # what a thief of the old key finds in the new data
    (world.config.keys / STORAGE_FILE).write_bytes(old)
    with pytest.raises(SluisError) as caught:
        openings(world)
    assert caught.value.code is Code.STORE_CORRUPT
    restart(world, utrecht)
    with pytest.raises(grpc.RpcError) as refused:
        utrecht.send(ask)
    assert reason_of(refused.value) == "STORE_CORRUPT"


def test_a_broker_with_protected_keys_serves_and_is_not_ready_while_they_are_locked(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a passphrase of some length\n")
    secret.chmod(0o600)
    world = make_world(tmp_path, key_store={"by": "passphrase", "secret": "file:secret"})
    try:
        assert b"SLUISKS1" in (world.config.keys / STORAGE_FILE).read_bytes()
        assert "protected by passphrase" in run(world, "doctor", expect=0)
        world.start()
        assert world.broker is not None
        told: list[bool] = []
        world.broker._server.ready = lambda *, is_ready: told.append(is_ready)  # type: ignore[method-assign]
        world.broker._tell_health()
        world.broker._keys.lock()
        world.broker._tell_health()
        world.broker._keys.unlock()
        world.broker._tell_health()
        world.broker._keys._roots, roots = None, world.broker._keys._roots
        world.broker._tell_health()
        world.broker._keys._roots = roots
        assert told == [True, False, True, False], "either key that is locked makes it not ready"
        new = tmp_path / "new"
        new.write_text("another passphrase of length\n")
        new.chmod(0o600)
        assert "protected by passphrase now" in run(world, "keys", "passphrase", "--new-secret", "file:new")
        world.stop()
        forget_open_keys()
        with pytest.raises(SluisError) as caught:
            world.start()
        assert (caught.value.code, "wrong passphrase" in caught.value.message) == (Code.STORE_UNAVAILABLE, True)
        shutil.copy2(new, secret)
        world.start()
    finally:
        world.stop()


def test_keys_of_an_older_broker_are_protected_in_place(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    refused = CliRunner().invoke(app, ["keys", "protect", "--config", str(tmp_path / "broker.yaml")])
    assert isinstance(refused.exception, SluisError)
    assert "key_store" in refused.exception.message
    (tmp_path / "secret").write_text("a passphrase of some length\n")
    (tmp_path / "secret").chmod(0o600)
    text = (tmp_path / "broker.yaml").read_text()
    (tmp_path / "broker.yaml").write_text(text + "key_store: {by: passphrase, secret: 'file:secret'}\n")
    bare = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "broker.yaml")])
    assert "lie in the clear: run `sluis keys protect`" in bare.output, "nothing is taken for protected that is not"
    assert "2 key files sealed" in run(world, "keys", "protect")
    assert "nothing changed" in run(world, "keys", "protect")
    assert "protected by passphrase" in run(world, "doctor")
