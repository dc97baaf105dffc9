"""The two modes beside other people's private set intersection: CPU seconds of both sides and all services together.

    python tests/bench/modes.py [--json] [--rows 10000 100000] [--rivals openmined spu] [--cache DIR]

Two parties hold `rows` numbers each, half of them in common, and learn which. Sluis: pseudonyms on both sides, and the
broker's join; in mode oblivious also the work of two key services, in this process and without the wire. `first`: the
first exchange in an epoch, and of that each agency and each service; `later`: the next one about the same subjects.
Rivals run in environments of their own under the cache directory, since they pin old dependencies: OpenMined PSI (ECDH
on P-256, intersection, both roles) and SecretFlow's RR22 (spu, two processes, their imports included). CPU time,
because wall time means nothing on a shared machine; ratios matter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import numpy as np
from sluis_client.evaluating import BATCH, Evaluating
from sluis_client.evaluations import EvaluationCache
from sluis_client.key_services import EvaluationBudget, Pins
from sluis_client.keystore import Keystore
from sluis_client.oblivious import Derivation, ObliviousPseudonymiser
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Context, Pseudonymiser
from sluis_client.secret import Secret

from broker.custody.voprf import derive_key_pair, evaluate, split_elements

RIVALS = Path(__file__).parent / "_psi_rivals.py"
PACKAGES = {"openmined": ["openmined-psi==2.0.6"], "spu": ["spu==0.9.5"]}
KEY, WIDTH, EPOCH = Secret(bytes(range(32))), 9, "2026-11"
NAMES = ("oost", "sluis")
Figures = dict[str, float | None]


class LocalService:
    """A key service without the wire and the log: what `broker.custody.voprf` computes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = derive_key_pair(name.encode().ljust(32, b"."), b"bench")
        self.seconds = 0.0
        self._lock = Lock()

    def evaluate(self, request_id: str, purpose: str, epoch: str, blinded: bytes) -> tuple[bytes, bytes]:
        """One batch, in the caller's thread, so that its CPU time can be told apart; the client calls from several."""
        began = time.thread_time()
        scalar = os.urandom(31) + b"\x00"
        done = evaluate(self.key, split_elements(blinded, "blinded_elements", BATCH), scalar)
        with self._lock:
            self.seconds += time.thread_time() - began
        return done.elements, done.proof

    def budget(self, purpose: str) -> EvaluationBudget:
        """All one can ask for."""
        until = datetime(2026, 12, 1, tzinfo=UTC)
        return EvaluationBudget(self.name, EPOCH, until, 10**9, 0, BATCH, {EPOCH: self.key.public})


def numbers(rows: int) -> tuple[list[str], list[str]]:
    """Two lists with half in common."""
    return (
        [f"{1_000_000 + n:09d}" for n in range(rows)],
        [f"{1_000_000 + rows // 2 + n:09d}" for n in range(rows)],
    )


def joined(one: bytes, other: bytes) -> int:
    """How many pseudonyms two columns share."""
    columns = [np.frombuffer(column, f"V{PSEUDONYM_BYTES}").view("S16") for column in (one, other)]
    return len(np.intersect1d(*columns))


def cpu(work: Callable[[], int], expected: int) -> float:
    """CPU seconds of this process, all threads."""
    began = time.process_time()
    assert work() == expected
    return time.process_time() - began


def keyed(rows: int) -> Figures:
    """Mode keyed: every exchange costs the same."""
    context = Context("sluis.example/bench", "test", "bench", EPOCH)
    blocks = ["".join(side).encode() for side in numbers(rows)]

    def work() -> int:
        makers = [Pseudonymiser(KEY, context, "bsn/1") for _ in blocks]
        one, other = (m.column_of_block(block, WIDTH).pseudonyms for m, block in zip(makers, blocks, strict=True))
        return joined(one, other)

    cost = cpu(work, rows // 2)
    return {"first": cost, "later": cost}


def oblivious(rows: int, folder: Path) -> Figures:
    """Mode oblivious with two services; each side keeps its values in a store of its own."""
    context = Context("sluis.example/bench", "test", "bench", EPOCH, "oblivious")
    derivation = Derivation(KEY, context, NAMES)
    services = {name: LocalService(name) for name in NAMES}
    pins = Pins(EPOCH, {name: one.key.public for name, one in services.items()})
    stores = [Keystore(folder / str(side)) for side in range(2)]

    def work() -> int:
        made = []
        for store, side in zip(stores, numbers(rows), strict=True):
            cache = EvaluationCache(store, "bench", EPOCH, ["bench"])
            values = Evaluating(derivation, pins, cache, services.__getitem__)
            maker = ObliviousPseudonymiser(derivation, "bsn/1", values)
            made.append(maker.columns([((number,),) for number in side], 1)[0].pseudonyms)
        return joined(*made)

    first = cpu(work, rows // 2)
    spent = {f"first, {name}": one.seconds for name, one in services.items()}
    agency = (first - sum(spent.values())) / len(stores)
    return {"first": first, "later": cpu(work, rows // 2), "first, each agency": agency, **spent}


def rival(name: str, rows: int, cache: Path) -> Figures:
    """CPU seconds of another's library in an environment of its own; nothing where that cannot be made."""
    python = cache / name / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(cache / name)], check=True, capture_output=True)
            install = [str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:", *PACKAGES[name]]
            subprocess.run(install, check=True, capture_output=True, timeout=900)
        command = [str(python), str(RIVALS), name, str(rows)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=3600)
        cost = float(done.stdout.split()[-1])
    except (subprocess.SubprocessError, ValueError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error)
        print(f"{name}: not measured: {str(said).strip().splitlines()[-1][:200]}", file=sys.stderr)
        return {"first": None, "later": None}
    return {"first": cost, "later": cost}


def measured(rows: int, rivals: Sequence[str], cache: Path) -> Mapping[str, Figures]:
    """Figures by name for one size."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"keyed": keyed(rows), "oblivious": oblivious(rows, Path(folder))}
    return found | {name: rival(name, rows, cache) for name in rivals}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rivals", nargs="*", default=["openmined"], choices=sorted(PACKAGES))
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "sluis-bench")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {rows: measured(rows, options.rivals, options.cache) for rows in options.rows}
    if options.json:
        print(json.dumps({str(rows): figures for rows, figures in found.items()}))
        return
    for rows, figures in found.items():
        print(f"{rows:,} x {rows:,}, half in common: CPU seconds")
        for name, cost in figures.items():
            shown = [f"{what} {value:.3f}" if value is not None else f"{what} -" for what, value in cost.items()]
            print(f"  {name:12}{'; '.join(shown)}")


if __name__ == "__main__":
    main()
