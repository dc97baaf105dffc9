"""Log append beside its yardstick: bare SQLite (WAL, FULL) with group commit of rows of the same size.

Both run in the same process with the same callers and hand-over: a caller puts its work in a queue and waits until it
is durable. Ours also builds and checks the entry, hashes it into the tree, indexes it by party, signs the checkpoint
and makes the receipt. Budget (DESIGN section 11): at least 0.5 of the yardstick at 32 callers. On a machine that others
load too the rates tell little; the CPU time of a call still does.

    python tests/bench/append.py [--seconds 2] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import queue
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from log_kit import Keys, ask_body, release_body, time_text

from broker.custody.keys import SystemClock, SystemEntropy
from broker.exchange_log.append import Sequencer
from broker.exchange_log.entry import build_leaf
from broker.exchange_log.opening import genesis
from broker.own_log import open_high_water
from broker.parties import Environment
from broker.storage.sqlite import SqliteLogStore

CALLERS = (1, 32)


class BareGroupCommit:
    """The yardstick: one thread, one INSERT a work, one COMMIT a batch of at most 256."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        self._jobs: queue.SimpleQueue[tuple[bytes, threading.Lock] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def append(self, value: bytes) -> None:
        done = threading.Lock()
        done.acquire()
        self._jobs.put((value, done))
        done.acquire()

    def _run(self) -> None:
        while True:
            jobs = [self._jobs.get()]
            while len(jobs) < 256:
                try:
                    jobs.append(self._jobs.get_nowait())
                except queue.Empty:
                    break
            works = [job for job in jobs if job is not None]
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO rows (value) VALUES (?)", ((value,) for value, _ in works))
            self._db.execute("COMMIT")
            for _, done in works:
                done.release()
            if len(works) < len(jobs):
                return

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._db.close()


def rate(call: Callable[[], object], callers: int, seconds: float) -> tuple[float, float, float, float]:
    """Calls per second, median and 99th percentile latency in ms, and CPU in us a call, of `callers` threads."""
    spent, halt = time.process_time(), time.perf_counter() + seconds
    taken: list[list[float]] = [[] for _ in range(callers)]

    def go(mine: list[float]) -> None:
        now = time.perf_counter()
        while now < halt:
            began = now
            call()
            now = time.perf_counter()
            mine.append(now - began)

    threads = [threading.Thread(target=go, args=(mine,)) for mine in taken]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - began
    every = sorted(item for mine in taken for item in mine)
    cpu = (time.process_time() - spent) / len(every) * 1e6
    return len(every) / whole, statistics.median(every) * 1e3, every[int(len(every) * 0.99)] * 1e3, cpu


def measure(directory: Path, seconds: float, rounds: int, counts: Sequence[int], *, marked: bool) -> dict[str, object]:
    """`marked`: with a high-water file, here on the same volume as the log."""
    keys, clock = Keys(), SystemClock()
    store = SqliteLogStore(directory / "log.db", keys, SystemEntropy())
    high_water = open_high_water(directory / "mark", keys.signer.origin, store.reader, clock.now()) if marked else None
    genesis(store, keys.signer, clock, environment=Environment.TEST, engine="bench")
    sequencer = Sequencer(store, keys.signer, clock, high_water)
    sequencer.start()
    bodies = {"ask": ask_body(clock.now()), "release": release_body()}
    size = {kind: len(build_leaf(1, kind, clock.now(), body)) for kind, body in bodies.items()}
    result: dict[str, object] = {"unit": "durable entries/s, best of rounds", "leaf_bytes": size}
    for kind, body in bodies.items():
        bare = BareGroupCommit(directory / f"bare-{kind}.db")
        row = bytes(size[kind])

        def append(kind: str = kind, body: dict[str, object] = body) -> None:
            sequencer.submit(lambda tx: tx.append(kind, body))

        for callers in counts:
            ours, theirs = [], []
            for _ in range(rounds):
                if kind == "ask":  # made before, as the yardstick's row is; a decision may be a minute old
                    body["decided_at"] = time_text(clock.now())
                ours.append(rate(append, callers, seconds))
                theirs.append(rate(lambda bare=bare, row=row: bare.append(row), callers, seconds))
            best, yardstick = max(ours), max(theirs)
            result[f"{kind}_{callers}"] = {
                "sluis": round(best[0]),
                "p50_ms": round(best[1], 2),
                "p99_ms": round(best[2], 2),
                "bare_sqlite": round(yardstick[0]),
                "ratio": round(best[0] / yardstick[0], 2),
                "cpu_us": round(min(one[3] for one in ours)),
                "bare_cpu_us": round(min(one[3] for one in theirs)),
            }
        bare.stop()
    sequencer.stop()
    store.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, in turn; the best counts")
    parser.add_argument("--callers", type=int, nargs="+", default=CALLERS, help="numbers of callers to measure with")
    parser.add_argument("--high-water", action="store_true", help="move a high-water mark before each acknowledgement")
    parser.add_argument("--directory", type=Path, default=None, help="on the volume to measure; default: temporary")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        result = measure(Path(directory), given.seconds, given.rounds, given.callers, marked=given.high_water)
    if given.json:
        print(json.dumps({"bench": "append", **result}))
        return
    print(f"leaf bytes: {result['leaf_bytes']}")
    heads = ("sluis/s", "p50 ms", "p99 ms", "bare SQLite/s", "ratio", "CPU us", "bare CPU us")
    print(f"{'kind':>8} {'callers':>8} " + " ".join(f"{head:>13}" for head in heads))
    for name, row in result.items():
        if isinstance(row, dict) and "ratio" in row:
            kind, callers = name.split("_")
            print(f"{kind:>8} {callers:>8} " + " ".join(f"{value:>13}" for value in row.values()))


if __name__ == "__main__":
    main()
