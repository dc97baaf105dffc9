"""`sluis witness` as its operator runs it: keys, serve, show; two on one state; killed at any moment; bad settings."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from log_kit import ORIGIN, Keys, Log, access_body
from typer.testing import CliRunner

from broker.cli import app
from broker.errors import SluisError
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key
from broker.exchange_log.cosignature import parse_witness_key, verify_cosigned
from broker.witness.calling import Cosignature, HasSize, WitnessEnd, WitnessTrouble
from broker.witness.settings import load_settings

NAME = "witness.example/w1"
VKEY = Keys().signer.verifier_key


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["witness", *words])
    return result.exit_code, result.output + (str(result.exception) if result.exception else "")


def settle(directory: Path, **more: object) -> Path:
    """A witness.yaml and a key; the configuration file."""
    assert run("keys", "--name", NAME, "--state", str(directory / "state"))[0] == 0
    lines = [
        "listen: 127.0.0.1:0",
        "state: state",
        f"logs: [{VKEY}]",
        *(f"{key}: {value}" for key, value in more.items()),
    ]
    (directory / "witness.yaml").write_text("\n".join(lines) + "\n")
    return directory / "witness.yaml"


@contextmanager
def serving(config: Path) -> Iterator[tuple[subprocess.Popen[bytes], WitnessEnd]]:
    ready = config.parent / "ready"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "broker", "witness", "serve", "--config", str(config), "--ready-file", str(ready)]
    with (config.parent / "log").open("ab") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out)
    try:
        deadline = time.monotonic() + 60
        while not ready.exists() or not ready.read_text().endswith("\n"):
            assert process.poll() is None, (config.parent / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        key = parse_witness_key(key_of(config))
        yield process, WitnessEnd(f"http://127.0.0.1:{int(ready.read_text())}", key)
    finally:
        process.kill()
        process.wait(60)


def key_of(config: Path) -> str:
    from broker.witness.memory import load_key

    return str(load_key(config.parent / "state").public)


@pytest.mark.slow
def test_its_life_as_a_process(tmp_path: Path) -> None:
    config = settle(tmp_path)
    with Log(tmp_path) as log, serving(config) as (process, end):
        size, note = log.reader.checkpoint()
        assert run("show", "--config", str(config))[0] != 0
        assert isinstance(end.offer(0, (), note), Cosignature)
        code, shown = run("show", "--config", str(config))
        assert code == 0
        cosigned = verify_cosigned(shown, parse_verifier_key(VKEY), [end.key])
        assert (cosigned.checkpoint.size, list(cosigned.at)) == (size, [NAME])
        assert run("show", "--config", str(config), "--origin", "other")[0] != 0

        second = subprocess.run(
            [sys.executable, "-m", "broker", "witness", "serve", "--config", str(config)],
            capture_output=True,
            timeout=30,
        )
        assert second.returncode == 3
        assert b"another witness has this state open" in second.stderr

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    text = (tmp_path / "log").read_text()
    assert '"event": "witnessing"' in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_killed_at_any_moment_it_never_goes_back(tmp_path: Path) -> None:
    """A kill between keeping and answering: the log is told the size, and what was answered is always kept."""
    config = settle(tmp_path)
    answered = 0
    with Log(tmp_path) as log:
        for delay in (0.0, 0.004, 0.011, 0.02):
            with serving(config) as (process, end):
                held = end.newest(parse_verifier_key(VKEY))
                old = held[0] if held else 0
                assert old >= answered
                deadline = time.monotonic() + delay
                while True:
                    log.sequencer.submit(lambda tx: tx.append("access", access_body()))
                    size, note = log.reader.checkpoint()
                    if time.monotonic() >= deadline and process.poll() is None:
                        process.send_signal(signal.SIGKILL)
                    try:
                        answer = end.offer(old, log.reader.consistency(old, size) if old else (), note)
                    except (WitnessTrouble, http.client.HTTPException):
                        break
                    if isinstance(answer, HasSize):
                        assert answer.size > old
                        old = answer.size
                        continue
                    old = answered = size
        with serving(config) as (_, end):
            held = end.newest(parse_verifier_key(VKEY))
            size = held[0] if held else 0
            assert size >= answered
            ours = dict(log.reader.checkpoints())
            if held:
                assert parse_checkpoint(held[1]).root == parse_checkpoint(ours[size]).root


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "witness.yaml"),
        ("listen: 127.0.0.1:0\nstate: s\nlogs: []\n", "logs"),
        ("listen: here\nstate: s\nlogs: [a]\n", "listen"),
        (f"listen: 127.0.0.1:0\nstate: s\nlogs: [{VKEY}x]\n", "witness.yaml:3: logs.0: a log's verifier key"),
        (f"listen: 127.0.0.1:0\nstat: s\nlogs: [{VKEY}]\n", "did you mean 'state'?"),
        (
            f"listen: 127.0.0.1:0\nstate: s\nlogs: [{VKEY}]\ntls: {{certificat: a, key: b}}\n",
            "did you mean 'certificate'?",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "witness.yaml").write_text(text)
    with pytest.raises(SluisError) as caught:
        load_settings(tmp_path / "witness.yaml")
    assert said in caught.value.message


def test_the_example_is_one(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "deploy/witness/witness.yaml"
    settings = load_settings(example)
    assert list(settings.keys) == [ORIGIN]
    assert settings.state == example.parent / "state"


def test_words_when_something_is_missing(tmp_path: Path) -> None:
    assert "sluis witness keys" in run("show", "--config", str(settle_without_key(tmp_path)))[1]
    code, text = run("serve", "--config", str(tmp_path / "none.yaml"))
    assert code
    assert "deploy/witness/witness.yaml" in text
    settle(tmp_path)
    code, text = run("keys", "--name", NAME, "--state", str(tmp_path / "state"))
    assert code
    assert "never replaced" in text
    code, text = run("keys", "--name", "two words", "--state", str(tmp_path / "other"))
    assert code
    assert not (tmp_path / "other").exists()


def settle_without_key(directory: Path) -> Path:
    (directory / "witness.yaml").write_text(f"listen: 127.0.0.1:0\nstate: state\nlogs: [{VKEY}]\n")
    return directory / "witness.yaml"
