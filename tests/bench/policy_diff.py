"""How long it takes to compare two policy sets of 1,000 purposes, beside deciding as many questions as there are atoms.

    python tests/bench/policy_diff.py [--json]

Both sets are loaded before; every purpose differs in one thing. Budget: 0.2 s.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime

from _policies import many_purposes, questions

from broker.policy.bundle import policy_set_from_texts
from broker.policy.change_report import Section, compare
from broker.policy.difference import region_of
from broker.policy.evaluate import Facts, evaluate

PURPOSES = 1000
BUDGET_S = 0.2
FACTS = Facts(datetime(2026, 11, 23, 10, tzinfo=UTC), 3, 0, "absent", False, None, None)


def measure() -> dict[str, float]:
    """Fastest of five."""
    source = many_purposes(PURPOSES)
    before = policy_set_from_texts(source)
    other = {name: text.replace("requests_per_day: 50", "requests_per_day: 51") for name, text in source.items()}
    after = policy_set_from_texts(other)
    regions = [region for name in before.purposes if (region := region_of(before, name))]
    atoms = sum(len(one.pairs) * len(one.things) * len(one.keys) for one in regions)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        report = compare(before, after)
        taken.append(time.perf_counter() - start)
    assert len(report.sections[Section.LOOSER]) == PURPOSES
    asked = questions(PURPOSES)
    start = time.perf_counter()
    for number in range(atoms):
        evaluate(before, asked[number % len(asked)], FACTS)
    deciding = time.perf_counter() - start
    return {"purposes": PURPOSES, "atoms": atoms, "compare_s": min(taken), "deciding_atoms_s": deciding}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    row = measure()
    if options.json:
        print(json.dumps({"bench": "policy_diff", "budget_s": BUDGET_S, **row}))
        return
    size = f"{row['purposes']:,.0f} purposes ({row['atoms']:,.0f} atoms)"
    print(f"compare {size}   {row['compare_s']:.3f} s   budget {BUDGET_S} s")
    ratio = row["compare_s"] / row["deciding_atoms_s"]
    print(
        f"decide as many questions on one side          {row['deciding_atoms_s']:.3f} s   compare is {ratio:.2f} x that"
    )


if __name__ == "__main__":
    main()
