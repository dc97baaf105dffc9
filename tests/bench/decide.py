"""How long one explained decision takes at 10, 100 and 1000 purposes, beside the bare rule and other engines.

    python tests/bench/decide.py [--json]

Prints medians and 99th percentiles in microseconds over questions of which about half are permitted, loading time, and
the time to decide, serialise and hash one decision as the log does. Beside it the same rule in cedarpy (one handle a
purpose; one for the whole set) and in CEL (one program a purpose), which explain nothing; every one of them must give
our verdict on every question. Ratios matter, absolute times do not.
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
from _rivals import cedar_per_purpose, cedar_whole, cel_per_purpose

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


def rivals(size: int) -> dict[str, float]:
    """Medians of other engines over the same questions, in microseconds, and the ratio of our explained decision."""
    policies = policy_set_from_texts(many_purposes(size))
    asked = questions(size)
    ours, _ = timed(lambda question: evaluate(policies, question, FACTS), asked, rounds=5)
    row: dict[str, float] = {"purposes": size, "explained_us": ours}
    few = asked if size < 1000 else asked[:60]
    for name, make, some in (
        ("cedar_per_purpose", cedar_per_purpose, asked),
        ("cedar_whole", cedar_whole, few),
        ("cel", cel_per_purpose, asked),
    ):
        decide = make(policies, FACTS)
        for question in some:
            assert decide(question) == evaluate(policies, question, FACTS).permitted, (name, question)
        row[f"{name}_us"], _ = timed(decide, some, rounds=2)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = [measure(size) for size in (10, 100, 1000)]
    others = [rivals(size) for size in (10, 100, 1000)]
    growth = rows[-1]["explained_us"] / rows[0]["explained_us"]
    if options.json:
        print(json.dumps({"bench": "decide", "budget_us": BUDGET_US, "growth": growth, "rows": rows, "others": others}))
        return
    print("purposes   load s   bare rule us (p99)   explained us (p99)   with log form and hash us (p99)")
    for row in rows:
        print(
            f"{row['purposes']:8.0f} {row['load_s']:8.2f} {row['bare_us']:12.1f} ({row['bare_p99_us']:.1f})"
            f" {row['explained_us']:14.1f} ({row['explained_p99_us']:.1f})"
            f" {row['logged_us']:18.1f} ({row['logged_p99_us']:.1f})"
        )
    print(f"budget: an explained decision under {BUDGET_US} us at 1000 purposes (median), and at most 1.5 x that at 10")
    print(f"grows {growth:.2f} x from 10 to 1000 purposes")
    print("purposes   explained us   cedar, a handle a purpose   cedar, one handle   CEL, a program a purpose")
    for row in others:
        ours = row["explained_us"]
        told = [
            f"{row[key]:12.1f} ({row[key] / ours:.1f} x)"
            for key in ("cedar_per_purpose_us", "cedar_whole_us", "cel_us")
        ]
        print(f"{row['purposes']:8.0f} {ours:12.1f} " + " ".join(told))


if __name__ == "__main__":
    main()
