"""What an operator reads when a file or a setting is wrong: one line that says what to do, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from world import ROOT, make_world

pytestmark = pytest.mark.slow


def sluis(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "broker", *words], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def changed(directory: Path, **settings: object) -> None:
    path = directory / "broker.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            ["policy", "bundle", str(ROOT / "policies"), "--revision", "2", "--expires", "2027-03-31", "--out", "no/x"],
            2,
        ),
        (["audit", "trust", "make", "--config", "broker.yaml", "--out", "no/t.yaml"], 2),
        (["audit", "export", "--config", "broker.yaml", "--out", "no/l.bundle"], None),
        (["serve", "--config", "broker.yaml", "--log-level", "LOUD"], 2),
        (["serve", "--config", "none.yaml"], 3),
        (["dev-pki", "pki", "--party", "snf=00000099000000001000"], 3),
        (["dev-pki", "other", "--party", "snf=123"], 3),
        (["dev-pki", "other", "--party", "snf"], 3),
        (["init", "."], 3),
        (["keys", "init", "--config", "broker.yaml"], 3),
    ],
)
def test_wrong_input_gets_one_line_and_its_exit_code(tmp_path: Path, words: list[str], code: int | None) -> None:
    make_world(tmp_path)
    done = sluis(*words, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert done.returncode == code if code is not None else done.returncode != 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "127.0.0.1:99999"}, "a port is 0 to 65535"),
        ({"lsten": "127.0.0.1:1"}, "lsten: is not a known setting; did you mean 'listen'?"),
        ({"listen": "localhost"}, "is an address and a port"),
        ({"origin": "NO"}, "lower-case letters"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    make_world(tmp_path)
    changed(tmp_path, **settings)
    done = sluis("serve", "--config", "broker.yaml", cwd=tmp_path)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", [None, b"no key"])
def test_a_broken_tls_key_is_named(tmp_path: Path, content: bytes | None) -> None:
    make_world(tmp_path)
    key = tmp_path / "pki" / "broker.key"
    key.unlink()
    if content is not None:
        key.write_bytes(content)
    done = sluis("serve", "--config", "broker.yaml", cwd=tmp_path)
    assert (done.returncode, "tls.key" in done.stderr, "Traceback" in done.stderr) == (3, True, False)


def test_a_misspelt_key_is_told_before_the_one_it_makes_missing(tmp_path: Path) -> None:
    make_world(tmp_path)
    path = tmp_path / "broker.yaml"
    path.write_text(path.read_text().replace("policy:", "polcy:", 1))
    done = sluis("serve", "--config", "broker.yaml", cwd=tmp_path)
    line = 1 + path.read_text().splitlines().index("polcy:")
    assert f"broker.yaml:{line}: polcy: is not a known setting; did you mean 'policy'?" in done.stderr


@pytest.mark.parametrize(("mode", "other", "said"), [(0o644, None, "read by others"), (0o600, "snf", "not the key of")])
def test_serve_and_doctor_refuse_a_wrong_tls_key(tmp_path: Path, mode: int, other: str | None, said: str) -> None:
    make_world(tmp_path)
    key = tmp_path / "pki" / "broker.key"
    if other is not None:
        key.write_bytes((tmp_path / "pki" / f"{other}.key").read_bytes())
    key.chmod(mode)
    done = sluis("serve", "--config", "broker.yaml", cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (3, True), done.stderr
    assert said in sluis("doctor", "--config", "broker.yaml", cwd=tmp_path).stdout


def test_doctor_before_the_first_start_asks_for_no_file_that_it_makes(tmp_path: Path) -> None:
    make_world(tmp_path)
    changed(tmp_path, high_water="other/sluis.mark")
    told = sluis("doctor", "--config", "broker.yaml", cwd=tmp_path)
    assert (told.returncode, "other: no such directory; mount its volume or make it" in told.stdout) == (3, True)
    refused = sluis("serve", "--config", "broker.yaml", cwd=tmp_path)
    assert (refused.returncode, "other: no such directory" in refused.stderr) == (3, True), refused.stderr
    (tmp_path / "other").mkdir()
    told = sluis("doctor", "--config", "broker.yaml", cwd=tmp_path)
    assert (told.returncode, "high-water file: not there yet: the first start makes it" in told.stdout) == (0, True)


@pytest.mark.parametrize("expires", ["31-03-2027", "2020-03-31", "2027-02-30"])
def test_an_expiry_is_a_day_to_come(tmp_path: Path, expires: str) -> None:
    words = ("policy", "bundle", str(ROOT / "policies"), "--revision", "2", "--expires", expires, "--out", "x")
    done = sluis(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "x").exists()


def test_a_stopped_sandbox_takes_its_broker_along(tmp_path: Path) -> None:
    import signal
    import time

    command = [
        sys.executable,
        str(ROOT / "deploy" / "demo" / "play.py"),
        "--sandbox",
        "--directory",
        str(tmp_path / "s"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        deadline = time.monotonic() + 120
        for line in process.stdout:
            if line.startswith("$ sluis serve") or time.monotonic() > deadline:
                break
        while not (tmp_path / "s" / "broker" / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        process.wait(40)
    assert '"stopped"' in (tmp_path / "s" / "broker" / "log.jsonl").read_text()
