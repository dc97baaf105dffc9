"""`make demo` as a newcomer runs it: it ends in `verified`, and what it made stands where the README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKED = 25


@pytest.mark.slow
def test_the_demo_ends_verified(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "deploy" / "demo" / "play.py"), "--directory", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[-1] == "verified"
    assert "  snf: 600 hits" in lines
    assert "  sna: 1000 hits" in lines
    assert any(line.startswith("    NOT MET attributes:") for line in lines)
    assert any(line.startswith("  NOT verified:") for line in lines)
    assert "  uwv: 13 hits" in lines
    spent = [line for line in lines if line.startswith(f"  {ASKED} evaluations by each key service; left after it: ")]
    assert len(spent) == 1
    assert "sluis 4975 of 5000" in spent[0]
    assert any(line.startswith("  searched ") and line.endswith("found 0") for line in lines)
    run = [str(Path(sys.executable).parent / "sluis"), "audit", "verify", "log.bundle", "--trust", "trust.yaml"]
    again = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path / "run", check=False)
    assert again.returncode == 0
    assert "verified:" in again.stdout
