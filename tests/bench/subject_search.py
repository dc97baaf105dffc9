"""How long a search for a subject takes: questions of 1 and of 1,000 rows, through the store and vault as they are.

python tests/bench/subject_search.py [--small 100000] [--large 10000]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1])]

from log_kit import START, Log

from broker.exchange import ExchangeState, PseudonymColumn, Question
from broker.matching.release import tokens_value
from broker.subject_search import Look


def question(rows: int) -> Question:
    """Random pseudonyms, all present."""
    return Question((PseudonymColumn(np.frombuffer(os.urandom(16 * rows), "V16"), np.ones(rows, np.bool_)),))


def fill(log: Log, purpose: str, asks: int, rows: int) -> Question:
    """So many asks; returns a record that stands in the last one."""
    last = question(rows)
    for first in range(0, asks, 500):

        def work(tx: Any, first: int = first) -> None:
            for number in range(first, min(asks, first + 500)):
                asked = last if number == asks - 1 else question(rows)
                tokens = tx.commit_to("tokens", tokens_value(asked), keep_until=START + timedelta(days=730))
                access = {"party": "utrecht", "what": "entries", "exchange": None}
                state = ExchangeState(
                    exchange=f"{purpose}-{number}",
                    asker="utrecht",
                    principal=None,
                    answerer="snf",
                    purpose=purpose,
                    statement_digest="ab" * 32,
                    asked_at=START,
                    ask_index=tx.append("access", access),
                    lease_until=START,
                    epoch="2026Q4",
                    tokens=tokens,
                )
                tx.open_exchange(state)

        log.sequencer.submit(work)
    (column,) = last.columns
    return Question((PseudonymColumn(column.pseudonyms[:1], column.present[:1]),))


def main(small: int, large: int) -> None:
    """Prints a line for each shape."""
    with tempfile.TemporaryDirectory() as directory, Log(Path(directory)) as log:
        for purpose, asks, rows in (("one-row", small, 1), ("thousand-rows", large, 1_000)):
            record = fill(log, purpose, asks, rows)
            named: Any = SimpleNamespace(party="utrecht", purpose=purpose, epoch="2026Q4")
            look = Look(named, record)
            began, used = time.perf_counter(), time.process_time()
            look.at(log.store.reader, lambda: True)
            spent, used = time.perf_counter() - began, time.process_time() - used
            assert (look.searched, len(look.found)) == (asks, 1)
            each = f"{10_000 * spent / asks:.2f} s for 10,000, of which {10_000 * used / asks:.2f} s CPU"
            print(f"{asks:,} questions of {rows:,} rows: {spent:.2f} s, {each}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=100_000, help="questions of one row")
    parser.add_argument("--large", type=int, default=10_000, help="questions of a thousand rows")
    given = parser.parse_args()
    main(given.small, given.large)
