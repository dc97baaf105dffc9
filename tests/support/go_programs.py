"""Go programs of the tests, built where Go and their modules are at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_NOT_HAD = re.compile(r"dial tcp|no such host|connection refused|i/o timeout|toolchain not available")
_SECONDS = 120


def built(module: Path, out: Path) -> Path:
    """The program in the folder `module`, built as `out`.

    Skips the test, with the reason, where Go is not there or the modules do not come; fails it where they are there
    and the program does not build.
    """
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        pytest.skip("Go is not on this machine")
    command = [go, "build", "-mod=readonly", "-o", str(out), "."]
    try:
        made = subprocess.run(command, cwd=module, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the Go modules of {module.name} did not come within {_SECONDS} seconds")
    if made.returncode and _NOT_HAD.search(made.stderr):
        pytest.skip(f"the Go modules of {module.name} cannot be had here")
    if made.returncode:
        pytest.fail(f"{module.name} does not build:\n{made.stderr}")
    return out
