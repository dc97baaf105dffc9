"""How long it takes to decide 100,000 past questions again, beside plain `json.loads` of the same lines.

    python tests/bench/simulate.py [--json] [--asks 100000]

Two figures: the decisions alone, over facts that were read already (budget: 100,000 under 3 s), and `sluis policy
simulate` end to end from the file. The log is made here: entries of an honest log, repeated under other ids and times.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "support")]

from audit_kit import START, World, policy_bundle

from broker.audit.bundle_lines import read_lines
from broker.exchange import Want
from broker.policy.bundle import policy_set_from_texts, read_bundle
from broker.policy.evaluate import evaluate
from broker.policy.history import past_asks
from broker.policy.simulate import Change, simulate

BUDGET_S = 3.0
SNF = "purposes/snf-locatie.yaml"


def template() -> World:
    """Forty asks of several kinds, about half of them permitted."""
    world = World().begin()
    world.publish("snf", "snf-locatie", "bag")
    world.publish("sna", "sna-overzicht", "kvk")
    wants = [Want(True, False, ("beds",)), Want(True, False, ("beds", "valid-until")), Want(False, True, ())]
    for n in range(40):
        party = ("utrecht", "someren", "nla")[n % 3]
        world.ask(party, ["snf"], "snf-locatie", wants[n % len(wants)], subjects=1 + n * 30)
    return world


def lines_of(asks: int) -> Iterator[bytes]:
    """A bundle whose asks are the template's under other ids and times; not signed, for it is only read."""
    random, at = Random(1), START
    leaves = []
    for line in template().bundle():
        if not line.startswith(b'{"leaf":"'):
            if line.startswith((b'{"bundle"', b'{"policy_set"')):
                yield line
            continue
        leaf = base64.b64decode(json.loads(line)["leaf"])
        if b'"kind":"ask"' in leaf:
            leaves.append((leaf, json.loads(leaf)["body"]))
    for n in range(asks):
        leaf, body = leaves[n % len(leaves)]
        at += timedelta(seconds=2)
        now = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        made = leaf.replace(body["exchange"].encode(), str(uuid.UUID(int=random.getrandbits(128), version=4)).encode())
        made = made.replace(body["decided_at"].encode(), now)
        yield b'{"leaf":"' + base64.b64encode(made) + b'"}\n'


def timed(work: Any) -> tuple[float, Any]:
    """Seconds of wall time, and what came of it."""
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def plainly(path: Path) -> int:
    """Reads every line and every leaf with `json.loads`, and does nothing with it."""
    read = 0
    with path.open("rb") as stream:
        for line in stream:
            leaf = json.loads(line).get("leaf")
            if leaf:
                read += len(json.loads(base64.b64decode(leaf)))
    return read


def measure(asks: int) -> dict[str, float]:
    """All figures over one log."""
    texts = dict(read_bundle(policy_bundle()).texts)
    texts[SNF] = texts[SNF].replace("subjects_per_request: 1000", "subjects_per_request: 500")
    draft = policy_set_from_texts(texts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.bundle"
        with path.open("wb") as out:
            out.writelines(lines_of(asks))
        plain, _ = timed(lambda: plainly(path))
        with path.open("rb") as stream:
            reading, past = timed(lambda: list(past_asks(read_lines(stream))))
        questions = [(one.request, one.facts) for one in past]
        deciding, _ = timed(lambda: sum(evaluate(draft, *question).permitted for question in questions))
        with path.open("rb") as stream:
            whole, found = timed(lambda: simulate(draft, read_lines(stream)))
        size = path.stat().st_size
    assert found.asks == asks
    return {
        "asks": asks,
        "bytes": size,
        "json_loads_s": plain,
        "reading_s": reading,
        "deciding_s": deciding,
        "simulate_s": whole,
        "now_denied": found.counts[Change.NOW_DENIED],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--asks", type=int, default=100_000)
    options = parser.parse_args()
    row = measure(options.asks)
    if options.json:
        print(json.dumps({"bench": "simulate", "budget_s": BUDGET_S, **row}))
        return
    print(f"{row['asks']:,.0f} asks, {row['bytes'] / 1e6:.0f} MB; {row['now_denied']:,.0f} would now be denied")
    for name, key in (("json.loads of every line and leaf", "json_loads_s"), ("reading asks", "reading_s"),
                      ("decisions alone", "deciding_s"), ("simulate, end to end", "simulate_s")):  # fmt: skip
        print(f"{name:34} {row[key]:6.2f} s {row[key] / row['json_loads_s']:6.2f} x the first")
    print(f"budget: the decisions of 100,000 asks under {BUDGET_S:.0f} s")


if __name__ == "__main__":
    main()
