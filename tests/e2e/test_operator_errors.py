"""What an operator reads when a file or a setting is wrong: one line that says what to do, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from world import ROOT, make_world


def sluis(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "broker", *words], cwd=cwd, capture_output=True, text=True, timeout=60)


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
        (["audit", "trust-make", "--config", "broker.yaml", "--out", "no/t.yaml"], 2),
        (["audit", "export", "--config", "broker.yaml", "--out", "no/l.bundle"], None),
        (["serve", "--config", "broker.yaml", "--log-level", "LOUD"], 2),
        (["serve", "--config", "none.yaml"], 3),
        (["dev-pki", "pki", "--party", "snf=00000099000000001000"], 3),
        (["dev-pki", "other", "--party", "snf=123"], 3),
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
        ({"lsten": "127.0.0.1:1"}, "lsten"),
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
