"""docs/audit.md as an auditor works through it, in the folder that `make demo` leaves behind.

`UPDATE_DOCS=1` writes the outputs anew; look at the difference before you commit it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import console
import pytest
from console import Block, run, walk

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "audit.md"
ENVIRONMENT = {**console.ENVIRONMENT, "SLUIS": str(ROOT)}


class Stick:
    """What the auditor was given, and the broker that the operator runs for an export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker: subprocess.Popen[bytes] | None = None

    def prepare(self, block: Block) -> None:
        """What the operator does."""
        assert (block.what, block.name) == ("setup", "broker")
        ready = self.folder / "ready"
        with (self.folder / "broker.log").open("wb") as log:
            serve = [sys.executable, "-m", "broker", "serve", "--ready-file", str(ready)]
            self.broker = subprocess.Popen(serve, cwd=self.folder, stderr=log)
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert self.broker.poll() is None, (self.folder / "broker.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Stick]:
    folder = tmp_path / "demo-run"
    play = [sys.executable, str(ROOT / "deploy" / "demo" / "play.py"), "--quiet", "--directory", str(folder)]
    subprocess.run(play, check=True, capture_output=True)
    made = Stick(folder)
    yield made
    if made.broker is not None:
        made.broker.terminate()
        made.broker.wait(30)


@pytest.mark.slow
def test_every_command_prints_what_the_document_shows(stick: Stick) -> None:
    commands = walk(DOCUMENT, stick.prepare, lambda command: run(command, stick.folder, ENVIRONMENT))
    assert commands > 15
