"""Time stamps from the configuration to the auditor: a broker, `openssl ts` behind HTTP, export and verify."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from time_stamper import OpensslStamper, openssl_stamps, serving
from typer.testing import CliRunner
from world import make_world, texts_for

from broker.cli import app
from broker.own_log import open_log
from broker.stamping import newest_stamp

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not openssl_stamps(), reason="the openssl of this machine has no `ts`"),
]


def test_a_broker_has_its_log_stamped_and_an_auditor_sees_it(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    tsa = OpensslStamper(tmp_path / "tsa")
    with serving(tsa.answer) as (url, seen):
        world = make_world(
            tmp_path / "world",
            texts_for(now),
            start=now,
            time_stamps={"url": url, "certificates": [str(tsa.root)], "every_minutes": 1},
        )
        process = world.start_process()
        try:
            reader = open_log(world.config)
            end = time.monotonic() + 60
            while newest_stamp(reader) is None:
                assert time.monotonic() < end, (world.directory / "broker.log").read_text()
                time.sleep(0.05)
            reader.close()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
    assert len(seen) == 1
    assert "checkpoint time-stamped" in (world.directory / "broker.log").read_text()

    config, bundle, trust = world.directory / "broker.yaml", tmp_path / "log.bundle", tmp_path / "trust.yaml"
    for command in (["export", "--out", bundle], ["trust", "make", "--out", trust]):
        made = CliRunner().invoke(app, ["audit", *map(str, command), "--config", str(config)])
        assert made.exit_code == 0, made.output
    verified = CliRunner().invoke(app, ["audit", "verify", str(bundle), "--trust", str(trust)])
    assert verified.exit_code == 0, verified.output
    assert "1 checked; stamped to" in verified.stdout
    assert "by CN=openssl time stamper" in verified.stdout
    doctor = CliRunner().invoke(app, ["doctor", "--config", str(config)])
    assert "ok  time stamps: newest covers" in doctor.stdout


def test_without_a_time_stamper_the_broker_serves_all_the_same(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    tsa = OpensslStamper(tmp_path / "tsa")
    stamps = {"url": "http://127.0.0.1:9/tsr", "certificates": [str(tsa.root)]}
    world = make_world(tmp_path / "world", texts_for(now), start=now, time_stamps=stamps)
    process = world.start_process()
    try:
        end = time.monotonic() + 60
        while "checkpoint not time-stamped" not in (said := (world.directory / "broker.log").read_text()):
            assert time.monotonic() < end, said
            time.sleep(0.05)
        assert '"type": "unreachable"' in said
        assert "serving" in said
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    doctor = CliRunner().invoke(app, ["doctor", "--config", str(world.directory / "broker.yaml")])
    assert "NOT time stamps: CONFIG_INVALID: no checkpoint is stamped yet" in doctor.stdout
    assert doctor.exit_code == 3
