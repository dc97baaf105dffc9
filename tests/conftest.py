"""What holds for every test.

Before any test module imports grpc: offer no TLS 1.2 suite that an EC certificate can serve (broker.cli.operate).
Hypothesis sets no deadline for an example: times are measured by tests/bench and printed, never asserted (DESIGN
section 11), and a loaded machine fails no test by its time alone. Strategies slow by themselves are still named.
Files lie in memory where there is room, since thousands of them are synced; what tests/fault breaks lies on a disk.
"""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import typer.main
import typer.testing
from hypothesis import settings

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"

settings.register_profile("sluis", deadline=None)
settings.load_profile("sluis")

_MEMORY = Path("/dev/shm")
if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

# A command line is built from its functions once and not for every run in this process: typer takes 0.1 s for ours.
typer.main.get_command = typer.testing._get_command = functools.cache(typer.main.get_command)
