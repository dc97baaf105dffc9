"""How long reading and checking 1,000 purposes takes, beside plain PyYAML (C loader) over the same files.

    python tests/bench/policy_check.py [--json]

Two sets: copies of one purpose under other names, and the active samples in turn with limits and reasons that differ.
Each figure is the median of five runs. Ratios matter, absolute times do not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import yaml
from _policies import many_purposes

from broker.policy.bundle import policy_set_from_texts
from broker.policy.lint import lint

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SIZE = 1_000
READ_BUDGET_S = 1.0
CHECK_BUDGET_S = 3.0
_SAMPLES = Path(__file__).parents[2] / "policies"


def mixed_purposes(size: int) -> dict[str, str]:
    """The sample catalogue with `size` purposes, made from the active samples, no two of which say the same."""
    texts = [file.read_text(encoding="utf-8") for file in sorted((_SAMPLES / "purposes").glob("*.yaml"))]
    active = [text for text in texts if "\nstate: active\n" in text]
    made = {"catalogue.yaml": (_SAMPLES / "catalogue.yaml").read_text(encoding="utf-8")}
    for n in range(size):
        text = active[n % len(active)]
        name = text.split("\npurpose: ")[1].split("\n")[0]
        text = text.replace(f"purpose: {name}\n", f"purpose: {name}-{n:04d}\n")
        text = text.replace("because: >-\n", f"because: >-\n  This is number {n}.\n")
        made[f"purposes/{name}-{n:04d}.yaml"] = text.replace("requests_per_day: ", f"requests_per_day: {n + 1}")
    return made


def median_of(work: Callable[[], object], rounds: int = 5) -> float:
    """Seconds."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(what: str, texts: dict[str, str]) -> dict[str, object]:
    """One row: plain YAML, reading strictly with every cross-check, and that with every lint check."""

    def plain() -> None:
        for text in texts.values():
            yaml.load(text, Loader=yaml.CSafeLoader)

    def check() -> None:
        lint(policy_set_from_texts(texts), now=NOW)

    found = Counter(finding.severity for finding in lint(policy_set_from_texts(texts), now=NOW))
    return {
        "set": what,
        "files": len(texts),
        "pyyaml_s": round(median_of(plain), 3),
        "read_s": round(median_of(lambda: policy_set_from_texts(texts)), 3),
        "check_s": round(median_of(check), 3),
        "findings": dict(found),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure("copies", many_purposes(SIZE)), measure("mixed", mixed_purposes(SIZE))]
    if options.json:
        print(json.dumps({"bench": "policy_check", "read_s": READ_BUDGET_S, "check_s": CHECK_BUDGET_S, "rows": rows}))
        return
    print(f"{'set':<8}{'files':>7}{'PyYAML C':>11}{'read':>9}{'check':>9}   findings")
    for row in rows:
        times = f"{row['pyyaml_s']:>9} s{row['read_s']:>7} s{row['check_s']:>7} s"
        print(f"{row['set']:<8}{row['files']:>7}{times}   {row['findings']}")
    print(f"budgets: read {READ_BUDGET_S} s, check (with reading) {CHECK_BUDGET_S} s")


if __name__ == "__main__":
    main()
