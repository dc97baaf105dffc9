"""How long `sluis audit replay` takes a decision, beside the plain evaluator and beside reading the same lines as JSON.

    python tests/bench/replay.py [--json] [--asks 100000]

Three times of the same asks in one run: deciding alone (`evaluate` over facts that were read already); replaying what
was read (deciding, and comparing every check, reason and obligation; budget: at most twice deciding alone); and replay
end to end from the file, whose floor is `json.loads` of every line and leaf. The memory is that of the whole process
after the end-to-end run. The log is made here: an honest one's asks, each decided anew, under other ids and counters.
"""

from __future__ import annotations

import argparse
import base64
import json
import resource
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "support"), str(Path(__file__).parent)]

from audit_kit import START, policy_bundle, policy_set
from simulate import plainly, template, timed

from broker.audit.bundle_lines import read_lines
from broker.audit.policies import read_archived
from broker.audit.reading import parts
from broker.audit.replay import asked, decide_again
from broker.audit.replaying import replay_all
from broker.canonical import canonical_json, parse_canonical
from broker.policy.decision import decision_to_log, facts_from_log, facts_to_log, request_from_log
from broker.policy.evaluate import ENGINE, evaluate
from broker.policy.history import cut_decision

BUDGET = 0.5
SAMPLE = 20_000


def lines_of(asks: int) -> Iterator[bytes]:
    """A bundle with `asks` asks of several kinds; no checkpoint is right, for nothing here verifies."""
    random, at, policies = Random(1), START, policy_set(policy_bundle())
    bodies, count = [], 0
    for line in template().bundle():
        value = json.loads(line)
        leaf = json.loads(base64.b64decode(value["leaf"])) if "leaf" in value else {}
        if leaf.get("kind") == "ask":
            bodies.append(leaf["body"])
        elif "lines" not in value and "checkpoint" not in value:
            count += 1
            yield line
    for n in range(asks):
        body = bodies[n % len(bodies)]
        at += timedelta(seconds=2)
        facts = replace(facts_from_log(body["facts"]), now=at, requests_today=n // 40 % 600)
        body["exchange"] = body["statement"]["request_id"] = str(uuid.UUID(int=random.getrandbits(128), version=4))
        body["facts"], body["decided_at"] = facts_to_log(facts), facts_to_log(facts)["now"]
        body["decision"] = decision_to_log(evaluate(policies, request_from_log(body), facts))
        entry = {"body": body, "index": n, "kind": "ask", "sequenced_at": body["decided_at"], "v": 1}
        yield canonical_json({"leaf": base64.b64encode(canonical_json(entry)).decode()}) + b"\n"
    yield canonical_json({"lines": count + asks, "sha256": "00" * 32}) + b"\n"


def measure(asks: int) -> dict[str, float]:
    """Microseconds an ask, and the memory of the process in MiB."""
    archived = read_archived(parse_canonical(policy_bundle()))
    assert archived is not None
    policies = archived.policy_set
    assert policies is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.bundle"
        with path.open("wb") as out:
            out.writelines(lines_of(asks))
        with path.open("rb") as stream:
            whole, outcome = timed(lambda: replay_all(read_lines(stream)))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert outcome.all_same
        assert outcome.decisions == asks
        reading, _ = timed(lambda: plainly(path))
        read = []
        with path.open("rb") as stream:
            for _, name, leaf in parts(read_lines(stream)):
                if name == "leaf" and b'"kind":"ask"' in leaf and len(read) < SAMPLE:
                    value, logged = cut_decision(leaf)
                    known = asked(value["body"])
                    assert known is not None
                    read.append((*known, logged))
    deciding = again = float("inf")
    for _ in range(3):
        deciding = min(deciding, timed(lambda: sum(evaluate(policies, *one[:2]).permitted for one in read))[0])
        took, same = timed(lambda: sum(decide_again(archived, *one[:2], ENGINE) == one[2] for one in read))
        assert same == len(read)
        again = min(again, took)
    return {
        "evaluate": deciding / len(read) * 1e6,
        "replay_of_what_was_read": again / len(read) * 1e6,
        "end_to_end": whole / asks * 1e6,
        "json_loads": reading / asks * 1e6,
        "memory_mib": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--asks", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.asks)
    ratio = found["evaluate"] / found["replay_of_what_was_read"]
    if given.json:
        print(json.dumps({"asks": given.asks, "budget": BUDGET, "ratio": ratio, **found}))
        return
    print(f"{given.asks:,} asks; microseconds each")
    for name in ("evaluate", "replay_of_what_was_read", "json_loads", "end_to_end"):
        print(f"  {name.replace('_', ' '):<24}{found[name]:8.1f}")
    print(f"replay runs at {ratio:.2f} of the evaluator's rate (budget: at least {BUDGET})")
    both = found["evaluate"] + found["json_loads"]
    print(f"end to end, reading the file included, at {both / found['end_to_end']:.2f} of evaluator and json.loads")
    print(f"memory at its highest: {found['memory_mib']:.0f} MiB")


if __name__ == "__main__":
    main()
