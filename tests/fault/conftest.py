"""Files of these tests lie on a disk: what a file system in memory does with a sync tells nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _on_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sluis-fault-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


tmp_path = pytest.fixture(_on_disk)
module_path = pytest.fixture(scope="module")(_on_disk)
