"""Fails when the committed generated code is not what protos/ generates. Run by `make proto-check`."""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "protos" / "gen" / "python" / "sluis" / "v1"


def generate(out: Path) -> None:
    """Runs the generator that the Makefile's `proto` runs, into `out`."""
    binaries = Path(sys.executable).parent
    options = [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    plugins = [f"--plugin=protoc-gen-{name}={binaries / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    protos = sorted(str(path) for path in (ROOT / "protos" / "sluis" / "v1").glob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "protos"), *options, *plugins, *protos]
    subprocess.run(command, check=True, capture_output=True)


def main() -> int:
    """Compares file by file; prints what differs."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh = Path(scratch) / "sluis" / "v1"
        expected = {path.name for path in fresh.iterdir()}
        present = {path.name for path in COMMITTED.glob("*_pb2*.py*")}
        differ = sorted(expected ^ present)
        differ += [
            name for name in sorted(expected & present) if not filecmp.cmp(fresh / name, COMMITTED / name, False)
        ]
    for name in differ:
        print(f"generated code differs: {name}; run `make proto` and commit")
    print("generated code is what protos/ gives" if not differ else "")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
