"""What a key service costs an element: refusing, evaluating, proving, and the whole call with debit and entry.

    python tests/bench/evaluate.py [--json] [--rounds 7]

Batches of 1,024 elements. The library's part stands beside the PyPI package `voprf`, on one thread and on all cores;
the whole call goes over mutual TLS to a broker in this process. CPU microseconds an element (client included in the
call), and how long another thread was kept waiting meanwhile. Ratios matter, absolute times do not.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import structlog
from evaluating import Blinded, Evaluates, make_oblivious_world
from voprf import ristretto

from broker.custody.keys import SystemEntropy
from broker.custody.voprf import Evaluator, derive_key_pair, evaluate, split_elements

ELEMENTS = 1024
SEED, INFO = bytes(range(32)), b"bench"
Figures = dict[str, dict[str, float]]


def measured(work: Callable[[], object], rounds: int) -> dict[str, float]:
    """Medians over rounds, an element: CPU and wall in microseconds; and the longest another thread stood still."""
    stop = threading.Event()
    gaps: list[float] = []

    def tick() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    ticking = threading.Thread(target=tick)
    ticking.start()
    cpu, wall = [], []
    for _ in range(rounds):
        began, at = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - began)
        wall.append(time.perf_counter() - at)
    stop.set()
    ticking.join()
    scale = 1e6 / ELEMENTS
    return {
        "cpu_us": round(statistics.median(cpu) * scale, 1),
        "wall_us": round(statistics.median(wall) * scale, 1),
        "median_gap_ms": round(statistics.median(gaps) * 1000, 2),
        "longest_gap_ms": round(max(gaps) * 1000, 1),
    }


def library(rounds: int) -> Figures:
    """The group operations alone, of both libraries."""
    key, theirs = derive_key_pair(SEED, INFO), ristretto.Evaluator.from_seed(SEED, INFO)
    blinded = Blinded([b"%d" % at for at in range(ELEMENTS)])
    elements = split_elements(blinded.elements, "bench", ELEMENTS)
    evaluator = Evaluator(SystemEntropy())
    works: dict[str, Callable[[], object]] = {
        "refuse what is no element": lambda: split_elements(blinded.elements, "bench", ELEMENTS),
        "evaluate and prove, one thread": lambda: evaluate(key, elements, bytes([7]) + bytes(31)),
        f"evaluate and prove, {os.cpu_count()} threads": lambda: evaluator.evaluate(key, elements),
        "the same by `voprf`, reading included": lambda: theirs.evaluate_batch(
            [ristretto.BlindedInput.deserialize(element) for element in elements]
        ),
    }
    found = {name: measured(work, rounds) for name, work in works.items()}
    evaluator.close()
    return found


def call(rounds: int) -> Figures:
    """The whole call to a broker's key service: TLS, rights, debit, entry, fsync, evaluation, proof."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_oblivious_world(Path(folder))
        world.start()
        try:
            party, elements = Evaluates(world, "uwv"), Blinded([b"%d" % at for at in range(ELEMENTS)]).elements
            return {"the whole call": measured(lambda: party.evaluate(elements), rounds)}
        finally:
            world.stop()


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    figures = {**library(options.rounds), **call(options.rounds)}
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{'us an element':42}{'CPU':>8}{'wall':>8}   gap of another thread, ms: median, longest")
    for name, row in figures.items():
        print(f"{name:42}{row['cpu_us']:8}{row['wall_us']:8}   {row['median_gap_ms']:8}{row['longest_gap_ms']:8}")


if __name__ == "__main__":
    main()
