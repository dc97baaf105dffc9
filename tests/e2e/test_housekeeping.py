"""What the broker does by itself: drop what expired or was abandoned, note what changed, close what died."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from participant import Participant, reason_of
from sluis.v1 import register_pb2
from typer.testing import CliRunner
from world import World, running

from broker.cli import app

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


def kinds(world: World) -> list[str]:
    assert world.broker is not None
    reader = world.broker._store.reader
    return [json.loads(entry.leaf)["kind"] for entry in reader.entries(0, reader.size())]


def test_an_upload_left_unsealed_for_a_week_is_dropped(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    request = register_pb2.BeginRegisterRequest(
        request_id=str(uuid.uuid4()),
        purpose=PURPOSE,
        epoch=snf.context(PURPOSE).epoch,
        key_id=snf.pseudonymiser(PURPOSE, "bag").key_id,
        scheme="bag",
        match_keys=1,
    )
    begun = snf.registers.BeginRegister(request, timeout=20)
    spools = world.directory / "data" / "registers" / "uploads"
    assert list(spools.iterdir())
    assert world.broker is not None
    world.broker._publication.sweep()
    assert list(spools.iterdir())
    world.clock.at += timedelta(days=8)
    world.broker._publication.sweep()
    assert not list(spools.iterdir())
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=world.clock.at))
    world.broker.reload_directory()
    with pytest.raises(grpc.RpcError) as caught:
        snf.registers.GetUpload(register_pb2.GetUploadRequest(upload=begun.upload), timeout=20)
    assert reason_of(caught.value) == "NOT_FOUND"


def test_an_expired_register_is_dropped_from_disk(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"], expires=timedelta(hours=1))
    assert world.broker is not None
    assert world.broker._publication.sweep() == ()
    world.clock.at += timedelta(hours=2)
    assert [name for name, _ in world.broker._publication.sweep()] == [f"snf/{PURPOSE}/2026Q4/bag"]


def test_a_fresh_revocation_list_is_no_news_of_a_party_and_a_revocation_is(world: World) -> None:
    from cryptography import x509

    assert world.broker is not None
    before = kinds(world).count("party")
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=world.clock.at))
    world.broker.reload_directory()
    assert kinds(world).count("party") == before
    serial = x509.load_pem_x509_certificate((world.pki / "nau.pem").read_bytes()).serial_number
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list([serial], this_update=world.clock.at))
    world.broker.reload_directory()
    assert kinds(world).count("party") > before


def test_a_restart_logs_nothing_that_did_not_change(world: World) -> None:
    before = kinds(world)
    world.stop()
    world.start()
    assert kinds(world) == before


def test_the_operator_s_trust_file_and_doctor(world: World) -> None:
    config = str(world.directory / "broker.yaml")
    out = world.directory / "trust.yaml"
    made = CliRunner().invoke(app, ["audit", "trust", "make", "--config", config, "--out", str(out)])
    assert made.exit_code == 0, made.output
    shown = CliRunner().invoke(app, ["audit", "trust", "show", str(out)])
    assert made.output.split()[-1] in shown.output
    world.stop()
    healthy = CliRunner().invoke(app, ["doctor", "--config", config])
    assert "keys" in healthy.output
    (world.pki / "snf.pem").write_bytes((world.pki / "nla.pem").read_bytes())
    ill = CliRunner().invoke(app, ["doctor", "--config", config])
    assert ill.exit_code == 3
    assert "NOT parties" in ill.output
    world.start = lambda: None


def test_init_writes_a_file_that_the_reader_takes(tmp_path: Path) -> None:
    from broker.config import load_config
    from broker.errors import SluisError

    assert CliRunner().invoke(app, ["init", str(tmp_path)]).exit_code == 0
    with pytest.raises(SluisError, match="quorum"):
        load_config(tmp_path / "broker.yaml")  # the one thing to fill in: whose signatures count
    text = (tmp_path / "broker.yaml").read_text()
    (tmp_path / "broker.yaml").write_text(text.replace("signers: []", f"signers: [{'ab' * 32}, {'cd' * 32}]"))
    assert load_config(tmp_path / "broker.yaml").policy.quorum == 2


def test_a_caller_that_goes_away_in_mid_stream_is_neither_incident_nor_refusal(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    first = next(iter(utrecht.question(PURPOSE, "bag", BAGS, ["snf"]).messages(utrecht.key)))
    before = kinds(world)
    text = ""
    for round_ in range(1, 21):  # the end of the stream and its cancellation race each other
        started, gone = threading.Event(), threading.Event()

        def slow(started: threading.Event = started, gone: threading.Event = gone) -> Iterator[object]:
            yield first
            started.set()
            gone.wait(120)

        call = utrecht.exchanges.Match(slow(), timeout=120)
        assert started.wait(60)
        call.cancel()
        deadline = time.monotonic() + 60
        while text.count("rpc=ExchangeService/Match") < round_ and time.monotonic() < deadline:
            time.sleep(0.02)
            text += capsys.readouterr().out
        gone.set()
    assert text.count("CANCELLED") == 20
    assert "incident" not in text
    assert "STREAM_TRUNCATED" not in text
    assert kinds(world) == before
