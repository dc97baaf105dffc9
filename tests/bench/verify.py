"""Offline verification of a large log, beside what it cannot do without: bare hashing, bare ECDSA, bare decisions.

    python tests/bench/verify.py [--entries 20000] [--exchanges 0.1] [--keep FOLDER] [--json]

The log is made first and streamed to a file, so that `--entries 1000000` needs no more memory than 10,000: a share of
`--exchanges` is questions and their answers, each signed; the rest is small entries. Budgets (issue 4): the hashing
part at least 100,000 entries/s and at least a quarter of bare leaf hashing; replay at least half of the plain
evaluator; a million entries in under 300 MiB.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "support")]

from audit_kit import World, authority, b64, policy_files, signed_bundle
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from log_kit import ORIGIN, time_text

from broker.audit.bundle_lines import leaf_of, read_lines
from broker.audit.entries import read_entry
from broker.audit.policies import read_archived
from broker.audit.replay import Replayed, decide_again, replay
from broker.audit.tree import GrowingTree, hash_children, hash_leaf
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.canonical import canonical_json, parse_canonical
from broker.exchange import Want
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint
from broker.exchange_log.merkle import CompactRange, leaf_hash
from broker.policy.decision import facts_from_log, request_from_log
from broker.policy.evaluate import evaluate

BATCH = 32
WANT = Want(True, False, ("beds",))
Entry = tuple[str, dict[str, Any]]


def beginning() -> World:
    """A world in which a municipality may ask as often as it likes."""
    texts = policy_files()
    name = "purposes/snf-locatie.yaml"
    texts[name] = texts[name].replace("requests_per_day: 50", "requests_per_day: 1000000")
    world = World(archive=[signed_bundle(texts, 1)]).begin()
    world.epoch("snf", "snf-locatie")
    world.publish("snf", "snf-locatie", "bag")
    return world


def batches(world: World, entries: int, share: float) -> Iterator[list[Entry]]:
    """What comes after the beginning, a batch at a time; the world forgets what it has given."""
    made, exchanges = world.size, 0
    filler = {"party": "privacy-auditor", "what": "entries", "exchange": None}
    index = made
    waiting: list[Entry] = []
    while index < entries:
        batch, waiting = waiting, []
        at = world.at + timedelta(seconds=1)
        while len(batch) < BATCH and index + len(batch) < entries:
            if (made + exchanges * 2 + 2) <= (index + len(batch)) * share and len(waiting) < BATCH // 2:
                body = _ask(world, at)
                batch.append(("ask", body))
                waiting.append(("release", _release(body, index + len(batch) - 1)))
                exchanges += 1
            else:
                batch.append(("access", dict(filler)))
        index += len(batch)
        world.at = at
        yield batch


def _ask(world: World, at: Any) -> dict[str, Any]:
    world.ask("utrecht", ["snf"], "snf-locatie", WANT, after=at - world.at)
    world.at -= timedelta(seconds=1)
    world.times.pop()
    ((_, body),) = world.batches.pop()
    return body


def _release(ask: dict[str, Any], index: int) -> dict[str, Any]:
    head = {name: ask[name] for name in ("exchange", "asker", "answerer", "register")}
    said = {"outcome": "authorised", "status": "ANSWERED", "attributes": ["beds"]}
    return {**head, **said, "ask_index": index, "result": hashlib.sha256(ask["exchange"].encode()).hexdigest(),
            "nonce": uuid.uuid4().hex}  # fmt: skip


def write(path: Path, trust: Path, entries: int, share: float) -> None:
    """Writes the bundle and its trust file."""
    world = beginning()
    trust.write_text(world.trust_text())
    tree, key, digest, count = CompactRange(), parse_verifier_key(world.keys.signer.verifier_key), hashlib.sha256(), 0
    with path.open("wb") as out:

        def line(value: dict[str, Any]) -> None:
            nonlocal count
            data = canonical_json(value) + b"\n"
            digest.update(data)
            out.write(data)
            count += 1

        def batch(items: list[Entry], at: Any) -> None:
            for kind, body in items:
                leaf = canonical_json(
                    {"body": body, "index": tree.size, "kind": kind, "sequenced_at": time_text(at), "v": 1}
                )
                tree.append(leaf_hash(leaf))
                line({"leaf": b64(leaf)})
            line({"checkpoint": sign_checkpoint(world.keys.signer, key, tree.size, tree.root())})

        line({"bundle": "sluis/v1/log", "origin": ORIGIN, "size": max(entries, world.size)})
        line({"policy_set": parse_canonical(world.archive[0])})
        for items, at in zip(list(world.batches), list(world.times), strict=True):
            batch(items, at)
        for items in batches(world, entries, share):
            batch(items, world.at)
        out.write(canonical_json({"lines": count, "sha256": digest.hexdigest()}) + b"\n")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of CPU, and what came of it."""
    start = time.process_time()
    value = work()
    return time.process_time() - start, value


def hashing(path: Path) -> bytes:
    """What the verifier does to bytes: base64, the sum of the file, leaf hashes, tree, a root a checkpoint."""
    tree, whole = GrowingTree(), hashlib.sha256()
    with path.open("rb") as stream:
        for line in read_lines(stream):
            leaf = leaf_of(line)
            if leaf is not None:
                tree.add(leaf)
            elif line.startswith(b'{"checkpoint"'):
                tree.root()
            whole.update(line)
    return tree.root()


def bare(leaves: list[bytes]) -> int:
    """SHA-256 of every leaf, and of the nodes above them, in memory."""
    stack: list[tuple[int, bytes]] = []
    for leaf in leaves:
        height, value = 0, hash_leaf(leaf)
        while stack and stack[-1][0] == height:
            value = hash_children(stack.pop()[1], value)
            height += 1
        stack.append((height, value))
    return len(stack)


SAMPLE = 20_000
"""Leaves held in memory for what stands beside."""


def child(path: Path, trust: Path) -> None:
    """Verifies, in a process of its own; prints seconds, kilobytes resident and what was found."""
    with path.open("rb") as stream:
        seconds, report = timed(lambda: verify(read_lines(stream), parse_trust(trust.read_text())))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "kib": peak, "size": report.size, "found": report.counts}))


def measure(folder: Path, entries: int, share: float) -> dict[str, Any]:
    path, trust = folder / "log.bundle", folder / "trust.yaml"
    making, _ = timed(lambda: write(path, trust, entries, share))
    command = [sys.executable, __file__, "--verify", str(path), str(trust)]
    whole = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert whole["found"] == {}, whole["found"]
    hashed, _ = timed(lambda: hashing(path))
    leaves: list[bytes] = []
    with path.open("rb") as stream:
        for line in stream:
            leaf = leaf_of(line)
            if leaf is not None and len(leaves) < SAMPLE:
                leaves.append(leaf)
            if b'"policy_set"' in line[:20]:
                archived = read_archived(json.loads(line)["policy_set"])
    alone, _ = timed(lambda: bare(leaves))
    asks = [(leaf, read_entry(leaf).body) for leaf in leaves if b'"kind":"ask"' in leaf]
    key = authority().members["utrecht"].key
    signature = key.sign(b"m" * 800, ec.ECDSA(hashes.SHA256()))
    public = key.public_key()
    ecdsa, _ = timed(lambda: [public.verify(signature, b"m" * 800, ec.ECDSA(hashes.SHA256())) for _ in asks])
    assert archived is not None
    policies = archived.policy_set
    assert policies is not None
    questions = [(request_from_log(body), facts_from_log(body["facts"])) for _, body in asks]
    deciding, _ = timed(lambda: [evaluate(policies, *question) for question in questions])
    read = [(leaf, body["engine"], question) for (leaf, body), question in zip(asks, questions, strict=True)]
    again, same = timed(lambda: [decide_again(archived, *question, engine) in leaf for leaf, engine, question in read])
    assert all(same)
    whole_replay, outcomes = timed(lambda: [replay(archived, body, leaf=leaf)[0] for leaf, body in asks])
    assert set(outcomes) <= {Replayed.SAME}
    size = whole["size"]
    return {
        "entries": size,
        "bytes": path.stat().st_size,
        "exchanges": share,
        "making_s": round(making, 1),
        "verify_s": round(whole["seconds"], 2),
        "verify": round(size / whole["seconds"]),
        "resident_mib": round(whole["kib"] / 1024),
        "hashing": round(size / hashed),
        "bare_hashing": round(len(leaves) / alone),
        "hashing_ratio": round((size / hashed) / (len(leaves) / alone), 2),
        "ecdsa": round(len(asks) / ecdsa),
        "evaluate": round(len(asks) / deciding),
        "replay": round(len(asks) / again),
        "replay_ratio": round(deciding / again, 2),
        "replay_from_entries": round(len(asks) / whole_replay),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--exchanges", type=float, default=0.1, help="share of entries that are asks and releases")
    parser.add_argument("--keep", type=Path, default=None, help="folder to leave the bundle and its trust file in")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--verify", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.verify:
        child(*given.verify)
        return
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        row = measure(given.keep, given.entries, given.exchanges)
    else:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(Path(folder), given.entries, given.exchanges)
    if given.json:
        print(json.dumps({"bench": "verify", **row}))
        return
    print(f"{row['entries']:,} entries, {row['bytes'] / 1e6:.0f} MB, {row['exchanges']:.0%} of them of exchanges")
    print("per second of CPU:")
    print(f"  whole verification      {row['verify']:>9,}   in {row['verify_s']} s, {row['resident_mib']} MiB")
    print(f"  hashing part of it      {row['hashing']:>9,}   {row['hashing_ratio']} x bare; budget 100,000 and 0.25 x")
    print(f"  bare leaf hashing       {row['bare_hashing']:>9,}")
    print(f"  replay of decisions     {row['replay']:>9,}   {row['replay_ratio']} x plain; budget 0.5 x")
    print(f"  and read from entries   {row['replay_from_entries']:>9,}")
    print(f"  plain evaluate          {row['evaluate']:>9,}")
    print(f"  plain ECDSA P-256       {row['ecdsa']:>9,}   one a question")


if __name__ == "__main__":
    main()
