"""`sluis audit follow` beside a broker: as a process, with data subjects, killed midway, and into a real collector."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector import Collector, attributes_of, collecting, plain
from participant import Participant
from typer.testing import CliRunner, Result
from world import ORIGIN, World, running

from broker.cli import app
from broker.errors import SluisError
from broker.own_log import open_log

pytestmark = pytest.mark.slow
PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(30)]
ASKED: list[bytes] = []
"""The pseudonyms of the question, packed."""
OTELCOL = Path(__file__).parents[1] / "otelcol" / "otelcol"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker that answered one question about thirty locations, and denied one about three."""
    with running(tmp_path_factory.mktemp("follow")) as world:
        snf, utrecht = (Participant(world, name) for name in ("snf", "utrecht"))
        snf.make_epoch(PURPOSE, [snf, utrecht])
        snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:10]}, ["beds"])
        ask = utrecht.question(PURPOSE, "bag", BAGS, ["snf"], want=["beds"])
        ASKED.append(ask.columns[0].pseudonyms)
        utrecht.send(ask)
        utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:3], ["snf"], want=["enterprise-name"]))
        yield world


def command(world: World, to: str, cursor: Path, *more: str) -> list[str]:
    config = str(world.directory / "broker.yaml")
    return ["audit", "follow", "--config", config, "--to", to, "--cursor", str(cursor), *more]


def follow(world: World, to: str, cursor: Path, *more: str) -> Result:
    return CliRunner().invoke(app, command(world, to, cursor, "--once", *more))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command sets logging and signals up for a process of its own; here it shares one with other tests."""
    monkeypatch.setattr("broker.telemetry.configure_logging", lambda _: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def kinds(world: World) -> list[str]:
    reader = open_log(world.config)
    try:
        return [json.loads(entry.leaf)["kind"] for entry in reader.entries(0, reader.size())]
    finally:
        reader.close()


def test_beside_a_broker(world: World, tmp_path: Path) -> None:
    with collecting() as collector:
        said = follow(world, collector.url, tmp_path / "c")
        assert said.exit_code == 0, said.output
        assert not collector.wrong
        found = kinds(world)
        assert len(collector.logs) == found.count("ask") == 2
        assert len(collector.spans) == found.count("ask") + found.count("release") == 3
        assert f"sent 5 records, up to entry {len(found)} of {ORIGIN}" in said.output
        assert collector.resources[0]["sluis.origin"] == ORIGIN
        processor = attributes_of(collector.spans[0])["dpl.core.foreign_operation.processor"]
        assert processor == f"https://{ORIGIN}/parties/utrecht"
        assert follow(world, collector.url, tmp_path / "c").output.endswith(f"of {ORIGIN}\n")
        assert len(collector.logs) == 2, "nothing twice when nothing went wrong"


def test_with_subjects_each_of_them_is_named_and_no_pseudonym_leaves(world: World, tmp_path: Path) -> None:
    with collecting() as collector:
        said = follow(world, collector.url, tmp_path / "c", "--with-subjects")
        assert said.exit_code == 0, said.output
        children = [span for span in collector.spans if "dpl.core.data_subject_id" in attributes_of(span)]
        assert len(children) == 30, "a denied question is not kept"
        ids = [attributes_of(span)["dpl.core.data_subject_id"] for span in children]
        assert len(set(ids)) == 30, "the same subject has the same name under one purpose and epoch"
        asked = {ASKED[0][at : at + 16].hex() for at in range(0, len(ASKED[0]), 16)}
        assert len(asked) == 30
        sent = repr(same(collector))
        assert not any(pseudonym in sent for pseudonym in asked)
        for bag in BAGS:
            assert bag not in sent


def test_a_follower_that_is_killed_goes_on_where_it_was(world: World, tmp_path: Path) -> None:
    with collecting() as collector:
        collector.answers = [(200, {}, b"{ }"), *[(503, {}, b"")] * 500]  # one batch is taken, then it is full
        arguments = [sys.executable, "-m", "broker", *command(world, collector.url, tmp_path / "c")]
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while collector.requests < 2:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        collector.answers = []
        assert not (tmp_path / "c").exists()
        assert follow(world, collector.url, tmp_path / "c").exit_code == 0
        assert len(set(collector.uids)) == 3
        assert len(collector.spans) == 3


def test_sigterm_ends_it_cleanly(world: World, tmp_path: Path) -> None:
    with collecting() as collector:
        arguments = [sys.executable, "-m", "broker", *command(world, collector.url, tmp_path / "c")]
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while not (tmp_path / "c").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0
        assert out.startswith("sent 5 records")
        assert [json.loads(line)["event"] for line in err.splitlines()] == ["exported"]


def refused(result: Result) -> str:
    assert result.exit_code != 0
    return result.exception.message if isinstance(result.exception, SluisError) else result.output


def test_wrong_input_is_told(world: World, tmp_path: Path) -> None:
    cursor = tmp_path / "c"
    for url in ("collector:4318", "ftp://x", "http://", "http://x/?a=b", "http://x:99999", "http://[::1"):
        assert "is an address such as" in refused(follow(world, url, cursor)).replace("\n", " ")
    assert "holds no" in refused(follow(world, "https://me:secret@x", cursor))
    (tmp_path / "h").write_text("Authorization: Bearer secret\n")
    (tmp_path / "h").chmod(0o644)
    assert "chmod 600" in refused(follow(world, "http://x", cursor, "--headers", str(tmp_path / "h")))
    (tmp_path / "h").chmod(0o600)
    for bad in (b"\xff\xfe: x\n", b"A: b\x0bc\n"):
        (tmp_path / "h").write_bytes(bad)
        assert "a header reads NAME: VALUE" in refused(
            follow(world, "http://x", cursor, "--headers", str(tmp_path / "h"))
        )
    (tmp_path / "h").write_bytes(b"A: b\n" * 20_000)
    assert "too long" in refused(follow(world, "http://x", cursor, "--headers", str(tmp_path / "h")))
    assert "is a directory" in refused(follow(world, "http://x", cursor, "--ca", str(tmp_path))).replace("\n", " ")
    (tmp_path / "h").write_text("no header\n")
    assert "a header reads NAME: VALUE" in refused(follow(world, "http://x", cursor, "--headers", str(tmp_path / "h")))
    assert "holds no CA certificates" in refused(follow(world, "http://x", cursor, "--ca", str(tmp_path / "h")))
    assert "holds {party}" in refused(follow(world, "http://x", cursor, "--party-url", "https://x/"))
    cursor.write_text("{}")
    assert "not a follower's cursor" in refused(follow(world, "http://127.0.0.1:9", cursor))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(not OTELCOL.exists(), reason="there is no OpenTelemetry collector here; `make otelcol` builds one")
def test_a_real_collector_takes_it_and_passes_the_same_on(world: World, tmp_path: Path) -> None:
    """Through the OpenTelemetry collector, which decodes it and sends what it read on in its binary form."""
    port = free_port()
    with collecting() as behind, collecting() as direct:
        (tmp_path / "otelcol.yaml").write_text(
            f"receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}\n"
            f"exporters: {{otlp_http: {{endpoint: '{behind.url}', compression: none, "
            "retry_on_failure: {enabled: false}, sending_queue: {enabled: false}}}\n"
            "service:\n  telemetry: {metrics: {level: none}}\n  pipelines:\n"
            "    traces: {receivers: [otlp], exporters: [otlp_http]}\n"
            "    logs: {receivers: [otlp], exporters: [otlp_http]}\n"
        )
        said = (tmp_path / "said").open("wb")
        process = subprocess.Popen([str(OTELCOL), "--config", str(tmp_path / "otelcol.yaml")], stderr=said, stdout=said)
        said.close()
        try:
            end = time.monotonic() + 60
            while not listens(port):
                assert process.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < end, (tmp_path / "said").read_text()
                time.sleep(0.1)
            through = follow(world, f"http://127.0.0.1:{port}", tmp_path / "c", "--with-subjects")
            assert through.exit_code == 0, (through.output, (tmp_path / "said").read_text())
            assert follow(world, direct.url, tmp_path / "d", "--with-subjects").exit_code == 0
            assert same(behind) == same(direct)
            assert len(behind.spans) == 33
            assert len(behind.logs) == 2
            assert behind.resources[0] == direct.resources[0]
        finally:
            process.terminate()
            process.wait(60)


def same(collector: Collector) -> list[object]:
    """Everything that was received, in one order."""
    assert not collector.wrong
    spans = [
        (
            span.trace_id,
            span.span_id,
            span.parent_span_id,
            span.name,
            span.kind,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            span.status.code,
            attributes_of(span),
        )
        for span in collector.spans
    ]
    logs = [
        (
            r.trace_id,
            r.span_id,
            r.event_name,
            r.time_unix_nano,
            r.observed_time_unix_nano,
            attributes_of(r),
            plain(r.body),
        )
        for r in collector.logs
    ]
    return [*sorted(spans, key=lambda item: item[1]), *sorted(logs, key=lambda item: item[1])]
