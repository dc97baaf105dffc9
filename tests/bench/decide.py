"""How long one explained decision takes, at 10, 100 and 1000 purposes, beside the bare rule without explanations.

    python tests/bench/decide.py [--json]

Prints medians and 99th percentiles in microseconds over questions of which about half are permitted, loading time, and
the time to decide, serialise and hash one decision as the log does. Ratios matter, absolute times do not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from _policies import many_purposes, questions

from broker.canonical import canonical_json
from broker.policy.bundle import policy_set_from_texts
from broker.policy.document import PolicySet
from broker.policy.evaluate import Facts, Request, decision_to_log, evaluate, facts_to_log, permits

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
FACTS = Facts(NOW, 3, 0, "absent", False, None, None)
BUDGET_US = 25


def timed(work: Callable[[Request], object], asked: list[Request], rounds: int = 25) -> tuple[float, float]:
    """Median and 99th percentile of one call, in microseconds."""
    taken = []
    for _ in range(rounds):
        for question in asked:
            start = time.perf_counter_ns()
            work(question)
            taken.append((time.perf_counter_ns() - start) / 1000)
    taken.sort()
    return statistics.median(taken), taken[int(len(taken) * 0.99)]


def measure(size: int) -> dict[str, float]:
    """One size: load once, then time the three kinds of work over the same questions."""
    source = many_purposes(size)
    start = time.perf_counter()
    policies: PolicySet = policy_set_from_texts(source)
    loaded = time.perf_counter() - start
    asked = questions(size)
    permitted = sum(evaluate(policies, question, FACTS).permitted for question in asked)

    def logged(question: Request) -> bytes:
        decision = decision_to_log(evaluate(policies, question, FACTS))
        return hashlib.sha256(canonical_json({"decision": decision, "facts": facts_to_log(FACTS)})).digest()

    bare, bare_99 = timed(lambda question: permits(policies, question, NOW), asked)
    explained, explained_99 = timed(lambda question: evaluate(policies, question, FACTS), asked)
    log, log_99 = timed(logged, asked, rounds=5)
    return {
        "purposes": size,
        "permitted_share": permitted / len(asked),
        "load_s": loaded,
        "bare_us": bare,
        "bare_p99_us": bare_99,
        "explained_us": explained,
        "explained_p99_us": explained_99,
        "logged_us": log,
        "logged_p99_us": log_99,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = [measure(size) for size in (10, 100, 1000)]
    if options.json:
        print(json.dumps({"bench": "decide", "budget_us": BUDGET_US, "rows": rows}))
        return
    print("purposes   load s   bare rule us (p99)   explained us (p99)   with log form and hash us (p99)")
    for row in rows:
        print(
            f"{row['purposes']:8.0f} {row['load_s']:8.2f} {row['bare_us']:12.1f} ({row['bare_p99_us']:.1f})"
            f" {row['explained_us']:14.1f} ({row['explained_p99_us']:.1f})"
            f" {row['logged_us']:18.1f} ({row['logged_p99_us']:.1f})"
        )
    print(f"budget: an explained decision under {BUDGET_US} us at 1000 purposes (median)")


if __name__ == "__main__":
    main()
