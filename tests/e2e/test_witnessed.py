"""A broker with witnesses: cosigned within a beat, refusing after the grace, not before, and sound again by itself."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from participant import Ask, Participant, details_of, reason_of
from sluis.v1 import audit_pb2
from sluis_client.witness_cover import covered
from sluis_client.witnessed import seen_under
from test_agency import agency, write_profile
from typer.testing import CliRunner
from witnesses import OwnWitness
from world import ORIGIN, World, make_world

from broker.audit.export import bundle_lines
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.cli import app
from broker.custody.keys import SystemClock
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key
from broker.exchange_log.cosignature import verify_cosigned
from broker.own_log import open_log
from broker.trust_making import trust_of
from broker.witness.wire import origin_hash

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(20)]


@contextmanager
def witnessed(tmp_path: Path, count: int = 2, **section: object) -> Iterator[tuple[World, list[OwnWitness]]]:
    """A broker's world, not started, with real witnesses that run; both are stopped at the end."""
    names = [f"witness.example/w{n}" for n in range(count)]
    made = [OwnWitness(tmp_path / name.rpartition("/")[2], name, []).start() for name in names]
    listed = [{"url": one.url, "verifier_key": one.vkey} for one in made]
    world = make_world(tmp_path, witness={"witnesses": listed, "quorum": count, **section})
    for one in made:
        one.stop()
        one.logs = [world.verifier_key]
        one.clock = world.clock
        one.start()
    try:
        yield world, made
    finally:
        world.stop()
        for one in made:
            one.stop()


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def serving(world: World) -> bool:
    stub = health_pb2_grpc.HealthStub(world.channel("snf"))
    state = stub.Check(health_pb2.HealthCheckRequest(), timeout=20).status
    return bool(state == health_pb2.HealthCheckResponse.SERVING)


def refusal(who: Participant, ask: Ask) -> grpc.RpcError | None:
    try:
        who.send(ask)
    except grpc.RpcError as error:
        return error
    return None


def cosigned(who: Participant) -> audit_pb2.GetCheckpointResponse:
    return who.audit.GetCheckpoint(audit_pb2.GetCheckpointRequest(), timeout=20)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.witness.feeding.BEAT_SECONDS", 0.05)
    monkeypatch.setattr("broker.witness.feeding.PAUSE_SECONDS", 0.2)


def test_life_with_witnesses(tmp_path: Path) -> None:
    with witnessed(tmp_path) as (world, made):
        world.start()
        snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        snf.make_epoch(PURPOSE, [snf, utrecht])
        snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:10]}, ["beds"])
        first = utrecht.question(PURPOSE, "bag", BAGS, ["snf"])
        assert utrecht.send(first)["snf"].positions == list(range(10))

        def size() -> int:
            return parse_checkpoint(cosigned(utrecht).checkpoint).size

        wait_for(lambda: parse_checkpoint(cosigned(utrecht).cosigned).size == size())
        key = parse_verifier_key(world.verifier_key)
        found = verify_cosigned(cosigned(utrecht).cosigned, key, [one.key.public for one in made])
        assert set(found.at) == {one.key.public.name for one in made}
        assert serving(world)

        made[1].stop()
        world.clock.at = world.clock.now().replace(microsecond=0)
        assert refusal(utrecht, utrecht.question(PURPOSE, "bag", BAGS, ["snf"])) is None, "not before its time"
        world.clock.at += timedelta(minutes=16)
        late = utrecht.question(PURPOSE, "bag", BAGS, ["snf"])
        error = refusal(utrecht, late)
        assert error is not None
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "LOG_UNWITNESSED")
        assert details_of(error).domain == "sluis"
        wait_for(lambda: not serving(world))
        assert utrecht.send(first)["snf"].positions == list(range(10)), "what was answered is given again"

        made[1].start()
        wait_for(lambda: refusal(utrecht, late) is None)
        wait_for(lambda: serving(world))
        wait_for(lambda: parse_checkpoint(cosigned(utrecht).cosigned).size == size())
        assert world.broker is not None
        trust = parse_trust(trust_of(world.config))
        record = made[0].directory / "logs" / origin_hash(ORIGIN) / "checkpoint"
        report = verify(bundle_lines(world.broker._store.reader), trust, expect=record.read_bytes())
        assert report.verified, report.findings
        assert report.witnessed is not None
        assert report.witnessed.size == report.size


def test_a_start_beside_sound_witnesses_refuses_nobody(tmp_path: Path) -> None:
    with witnessed(tmp_path, grace_minutes=0) as (world, _):
        world.start()
        assert serving(world)
        snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        snf.make_epoch(PURPOSE, [snf, utrecht])
        assert refusal(utrecht, utrecht.question(PURPOSE, "bag", BAGS, ["snf"])) is None


def test_a_log_that_was_long_unwitnessed_waits_for_its_first_quorum(tmp_path: Path) -> None:
    with witnessed(tmp_path, count=1) as (world, made):
        made[0].stop()
        world.start()
        world.stop()
        world.clock.at += timedelta(hours=1)
        world.start()
        assert not serving(world)
        utrecht = Participant(world, "utrecht")
        made[0].start()
        wait_for(lambda: parse_checkpoint(cosigned(utrecht).cosigned or cosigned(utrecht).checkpoint).size > 0)
        wait_for(lambda: serving(world))


def test_a_broker_that_lost_its_data_signs_no_second_beginning(tmp_path: Path) -> None:
    with witnessed(tmp_path) as (world, _):
        world.start()
        utrecht = Participant(world, "utrecht")
        wait_for(lambda: cosigned(utrecht).cosigned)
        world.stop()
        shutil.rmtree(tmp_path / "data")
        with pytest.raises(SluisError) as caught:
            world.start()
        assert caught.value.code is Code.LOG_SHRUNK
        with sqlite3.connect(tmp_path / "data" / "sluis.db") as database:
            assert database.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


def test_doctor_says_who_witnesses(tmp_path: Path) -> None:
    with witnessed(tmp_path) as (world, made):
        world.start()
        utrecht = Participant(world, "utrecht")
        wait_for(lambda: cosigned(utrecht).cosigned)
        world.stop()
        config = ["doctor", "--config", str(world.directory / "broker.yaml")]
        result = CliRunner().invoke(app, config)
        (line,) = [line for line in result.output.splitlines() if " witnesses: " in line]
        assert line.startswith("ok ")
        assert all(f"{one.key.public.name} holds " in line for one in made)
        made[0].stop()
        result = CliRunner().invoke(app, config)
        (line,) = [line for line in result.output.splitlines() if " witnesses: " in line]
        assert line.startswith("NOT ")
        assert "witness.example/w0: it cannot be reached" in line
        assert result.exit_code == 3


def test_without_witnesses_it_runs_and_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    world.start()
    try:
        assert cosigned(Participant(world, "utrecht")).cosigned == ""
        assert serving(world)
        result = CliRunner().invoke(app, ["doctor", "--config", str(tmp_path / "broker.yaml")])
        assert "ok  witnesses: none: the log runs unwitnessed" in result.output
    finally:
        world.stop()


def test_a_client_asks_who_saw_the_log_and_trusts_the_witnesses_keys_alone(tmp_path: Path) -> None:
    with witnessed(tmp_path) as (world, made):
        world.start()
        write_profile(world, "utrecht")
        path = world.directory / "utrecht" / "sluis-client.yaml"
        document = yaml.safe_load(path.read_text())
        named = {"witnesses": [one.vkey for one in made], "witness_quorum": 2}
        path.write_text(yaml.safe_dump({**document, **named, "demand_witnessed": True, "witness_wait_seconds": 60}))
        me = agency(world, "utrecht")
        _, note = me.newest_checkpoint()
        saw, cover = covered(me, [note])
        assert saw is not None
        assert (len(saw.by), saw.of) == (2, 2)
        rule = me.profile.witness_rule
        assert rule is not None
        assert seen_under([note], cover, me.profile.log_keys, rule) == saw


def test_a_seal_soon_after_a_change_of_key_is_cosigned_and_says_so(tmp_path: Path) -> None:
    with witnessed(tmp_path, count=1) as (world, made):
        world.start()
        utrecht = Participant(world, "utrecht")
        wait_for(lambda: cosigned(utrecht).cosigned)
        world.stop()
        config = str(world.directory / "broker.yaml")
        document = yaml.safe_load(Path(config).read_text())
        document |= {"origin": "sluis.example/test-2027", "data": "data-next", "keys": "keys-next"}
        after = world.directory / "next.yaml"
        after.write_text(yaml.safe_dump(document))
        assert CliRunner().invoke(app, ["keys", "init", "--config", str(after)]).exit_code == 0
        changed = CliRunner().invoke(app, ["keys", "rotate-log-key", "--config", config])
        made[0].stop()
        made[0].logs = [changed.stdout.splitlines()[0]]
        end = ["seal", "--config", config, "--next-config", str(after)]
        result = CliRunner().invoke(app, end)
        assert "cosigned by 0 of 1 witnesses; NOT the quorum of 1" in result.output, result.output
        made[0].clock = SystemClock()  # as `sluis seal` reads it: a cosignature dated otherwise is not kept
        made[0].start()
        result = CliRunner().invoke(app, ["doctor", "--config", config])
        (line,) = [line for line in result.output.splitlines() if " witnesses: " in line]
        assert line.startswith("NOT "), line
        assert "the seal is the last entry and 0 of 1 witnesses hold it: run `sluis seal` again" in line
        result = CliRunner().invoke(app, end)
        assert "witnessed   the last checkpoint is cosigned by 1 of 1 witnesses\n" in result.output, result.output
        result = CliRunner().invoke(app, ["doctor", "--config", config])
        (line,) = [line for line in result.output.splitlines() if " witnesses: " in line]
        assert line.startswith("ok "), line
        reader = open_log(world.config)
        report = verify(bundle_lines(reader), parse_trust(trust_of(world.config)))
        reader.close()
        assert report.verified, report.findings
        assert report.witnessed is not None
        assert report.witnessed.size == report.size, "the bundle of the old log holds what the next genesis does"
        made[0].stop()
        result = CliRunner().invoke(app, end)
        assert "cosigned by 0 of 1 witnesses; NOT the quorum of 1" in result.output, result.output
