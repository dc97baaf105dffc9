"""Recovery of a large log: what a broker does with it at start-up after a crash, and the full check of `sluis doctor`.

Budget: start-up of a log of 1,000,000 entries under 30 s. Beside it stand reading all leaves and hashing them, and
verifying as many Ed25519 signatures as there are checkpoints: no full check can do without either.

    python tests/bench/recovery.py [--entries 1000000] [--per-batch 8] [--keep DIRECTORY] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from log_kit import START, Keys, ask_body, release_body

from broker.custody.keys import SystemClock, SystemEntropy
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint, verify_checkpoint
from broker.exchange_log.entry import build_leaf, log_time
from broker.exchange_log.merkle import leaf_hash
from broker.exchange_log.opening import check_whole, genesis
from broker.parties import Environment
from broker.storage import sqlite_transaction
from broker.storage.sqlite import SqliteLogStore, open_reader


def make(path: Path, entries: int, per_batch: int) -> None:
    """A log of asks and releases with a vault slot each, as a broker leaves it; `per_batch` entries a checkpoint.

    Leaves are cut from two built ones, since building a million takes longer than all that is measured here.
    """
    keys, clock = Keys(), SystemClock()
    store = SqliteLogStore(path, keys, SystemEntropy())
    genesis(store, keys.signer, clock, environment=Environment.TEST, engine="bench")
    key = parse_verifier_key(keys.signer.verifier_key)
    store._session.run("PRAGMA synchronous=OFF")  # only to build it sooner
    made, at = 1, clock.now()
    sqlite_transaction.build_leaf = cut_leaf
    bodies = {"release": release_body(), "ask": ask_body(START)}
    while made < entries:
        at += timedelta(microseconds=500)
        with store.batch(at) as batch:
            tx = batch.transaction
            for _ in range(min(per_batch, entries - made)):
                kind = "release" if made % 2 == 0 else "ask"
                tx.commit_to("result", os.urandom(120), keep_until=at + timedelta(days=730))
                tx.append(kind, bodies[kind])
                made += 1
            batch.commit(sign_checkpoint(keys.signer, key, batch.size, batch.root))
    store._session.run("PRAGMA wal_checkpoint(TRUNCATE)")
    os.sync()
    os.kill(os.getpid(), 9)  # a broker that crashed


@lru_cache
def template(kind: str) -> bytes:
    """The body of a leaf of this kind, as built once; its end follows."""
    body = release_body() if kind == "release" else ask_body(START)
    leaf = build_leaf(0, kind, START, body)
    return leaf[: leaf.rindex(b',"index":')]


def cut_leaf(index: int, kind: str, sequenced_at: datetime, _: object) -> bytes:
    """As `build_leaf`, with the body of the template."""
    end = f',"index":{index},"kind":"{kind}","sequenced_at":"{log_time(sequenced_at)}","v":1}}'
    return template(kind) + end.encode()


def start(path: Path) -> None:
    """What `Broker` does with its log before it serves."""
    keys, clock = Keys(), SystemClock()
    store = SqliteLogStore(path, keys, SystemEntropy())
    genesis(store, keys.signer, clock, environment=Environment.TEST, engine="bench")
    sequencer = Sequencer(store, keys.signer, clock)
    sequencer.start()
    sequencer.submit(lambda tx: tx.append("access", {"party": "nla", "what": "entries", "exchange": None}))
    sequencer.stop()
    store.close()


def whole(path: Path) -> None:
    """`sluis doctor`'s check of the log."""
    reader = open_reader(path)
    check_whole(reader, parse_verifier_key(Keys().signer.verifier_key))


def hashing(path: Path) -> None:
    """The yardstick: every leaf read and hashed."""
    reader = open_reader(path)
    for entry in reader.entries(0, reader.size()):
        leaf_hash(entry.leaf)


def signatures(path: Path) -> None:
    """The yardstick: every checkpoint read and its signature verified."""
    reader, key = open_reader(path), parse_verifier_key(Keys().signer.verifier_key)
    for _, note in reader.checkpoints():
        verify_checkpoint(note, key)


def timed(step: Callable[[Path], None], path: Path) -> tuple[float, float, int]:
    """Wall and CPU seconds, and peak resident MiB, of a step in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, __file__, "--step", step.__name__, "--keep", str(path.parent)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    cpu, peak = done.stdout.split()
    return time.perf_counter() - began, float(cpu), int(peak)


STEPS: dict[str, Callable[[Path], None]] = {f.__name__: f for f in (start, whole, hashing, signatures)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-batch", type=int, default=8, help="entries under one checkpoint")
    parser.add_argument("--keep", type=Path, default=None, help="directory of the log; kept, and used again")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--step", choices=[*STEPS, "make"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step == "make":
        make(given.keep / "log.db", given.entries, given.per_batch)
    if given.step:
        began = time.process_time()
        STEPS[given.step](given.keep / "log.db")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(time.process_time() - began, peak)
        return
    with tempfile.TemporaryDirectory() as temporary:
        directory = given.keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        path = directory / "log.db"
        if not path.exists():
            command = [sys.executable, __file__, "--step", "make", "--keep", str(directory)]
            done = subprocess.run([*command, "--entries", str(given.entries), "--per-batch", str(given.per_batch)])
            assert done.returncode == -9, "the log could not be made"
        reader = open_reader(path)
        size, checkpoints = reader.size(), sum(1 for _ in reader.checkpoints())
        reader.close()
        rows = {name: timed(step, path) for name, step in STEPS.items()}
        result = {
            "entries": size,
            "checkpoints": checkpoints,
            "database_mib": path.stat().st_size >> 20,
            **{name: {"s": round(w, 2), "cpu_s": round(c, 2), "peak_mib": p} for name, (w, c, p) in rows.items()},
        }
    if given.json:
        print(json.dumps({"bench": "recovery", **result}))
        return
    print(f"{size} entries, {checkpoints} checkpoints, {result['database_mib']} MiB")
    for name, (wall, cpu, peak) in rows.items():
        print(f"{name:>12}: {wall:7.2f} s wall, {cpu:7.2f} s CPU, {peak:5} MiB   {STEPS[name].__doc__.splitlines()[0]}")


if __name__ == "__main__":
    main()
