"""Server-side match of a question against a register, beside a raw NumPy merge join of the same arrays.

    python tests/bench/join.py [--rows 1000000] [--queries 1000000] [--json]

The register goes the whole way (upload spool, build, pin); half the queries hit. `match` is the broker's join over the
encrypted, mapped index; `merge` is np.searchsorted over sorted 8-byte prefixes with a check of the second half, sorting
of the question included, which is what DESIGN section 11 names as yardstick (with the upload, measured elsewhere).
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from broker.canonical import encode
from broker.custody.secret import Secret
from broker.custody.storage_keys import StorageKeys
from broker.exchange import PseudonymColumn, Question, RegisterChunk, UploadSpec
from broker.matching.guard import check_pseudonyms
from broker.matching.join import match
from broker.matching.release import answer_runs
from broker.storage.registers import FileRegisterStore

CHUNK = 65_536
WIDTHS = (34, 28)
NAME = "bench/bench/2026Q4/bag"


class Entropy:
    def token(self, size: int) -> bytes:
        return os.urandom(size)


def timed(call: Callable[[], object], times: int = 1) -> tuple[float, object]:
    best, result = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result


def sealed_rows(start: int, rows: int) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """Bytes that depend on the row, made anew where needed so that no copy of them is held."""
    random = np.random.default_rng([7, start])
    return random.bytes(60 * rows), random.bytes(32 * rows), tuple(random.bytes(w * rows) for w in WIDTHS)


def upload(store: FileRegisterStore, pseudonyms: np.ndarray) -> str:
    rows = len(pseudonyms)
    hashes = [hashlib.sha256() for _ in range(6)]
    store.begin(UploadSpec("bench", NAME, 1, 1, ("a", "b"), WIDTHS))
    for at in range(0, rows, CHUNK):
        part = pseudonyms[at : at + CHUNK]
        present = np.ones(len(part), np.bool_)
        wraps, commitments, fields = sealed_rows(at, len(part))
        bitmap = np.packbits(present, bitorder="little").tobytes()
        for digest, data in zip(hashes, (bitmap, part.tobytes(), wraps, commitments, *fields), strict=True):
            digest.update(data)
        store.append("bench", at, RegisterChunk((PseudonymColumn(part, present),), (wraps,), commitments, fields))
    return hashlib.sha256(encode(b"sluis/v1/register-digest", *(h.digest() for h in hashes))).hexdigest()


def merge_join(high: np.ndarray, low: np.ndarray, row: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The yardstick: sorted question against sorted register, unique values, nothing encrypted."""
    halves = asked.view(">u8").reshape(-1, 2)
    first = halves[:, 0].astype(np.uint64)
    order = np.argsort(first)
    first = first[order]
    at = np.searchsorted(high, first)
    at[at == len(high)] = 0
    near = np.flatnonzero(high[at] == first)
    at, order = at[near], order[near]
    same = low[at] == halves[order, 1]
    pairs = np.sort(order[same].astype(np.uint64) << np.uint64(32) | row[at[same]].astype(np.uint64))
    return pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)


def run(rows: int, queries: int, root: Path) -> dict[str, object]:
    random = np.random.default_rng(1)
    pseudonyms = np.frombuffer(random.bytes(16 * rows), "V16")
    hits = min(queries // 2, rows)
    targets = random.permutation(rows)[:hits]
    asked = np.empty(queries, "V16")
    spots = random.permutation(queries)
    asked[spots[:hits]] = pseudonyms[targets]
    asked[spots[hits:]] = np.frombuffer(random.bytes(16 * (queries - hits)), "V16")
    wanted = np.full(queries, -1, np.int64)
    wanted[spots[:hits]] = targets
    del targets, spots

    store = FileRegisterStore(root, StorageKeys(lambda: (Secret(bytes(32)),), Entropy()), Entropy())
    upload_s, digest = timed(lambda: upload(store, pseudonyms))
    build_s, _ = timed(lambda: store.build("bench", rows=rows, digest=str(digest), rows_per_pseudonym=1))
    ctypes.CDLL(None).malloc_trim(0)  # give back what the build freed, so that the growth below is growth
    pa.default_memory_pool().release_unused()
    before = resident_mib()
    pin_s, snapshot = timed(lambda: store.pin(NAME, 1))
    question = Question((PseudonymColumn(asked, np.ones(queries, np.bool_)),))
    held = np.flatnonzero(wanted >= 0)
    match(Question((PseudonymColumn(asked[:1], np.ones(1, np.bool_)),)), snapshot, 1)
    match_s, matches = timed(lambda: match(question, snapshot, 1), 3)
    anonymous = resident_mib() - before
    guard_s, _ = timed(lambda: [check_pseudonyms(asked[at : at + CHUNK]) for at in range(0, queries, CHUNK)], 3)
    fetch_s, released = timed(lambda: sum(len(r.statuses) for r in answer_runs(matches, snapshot, ("a", "b"))), 2)
    hit = asked[held[:1]]
    one = Question((PseudonymColumn(hit, np.ones(1, np.bool_)),))
    point_s, _ = timed(
        lambda: [list(answer_runs(match(one, snapshot, 1), snapshot, ("a", "b"))) for _ in range(1000)], 3
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    halves = pseudonyms.view(">u8").reshape(-1, 2)
    order = np.argsort(halves[:, 0].astype(np.uint64))
    high, low = (halves[:, at].astype(np.uint64)[order] for at in (0, 1))
    merge_s, merged = timed(lambda: merge_join(high, low, order, asked), 3)
    checked = all(np.array_equal(positions, held) and np.array_equal(found, wanted[held]) for positions, found in
                  ((matches.positions, matches.rows), merged))  # fmt: skip
    size = sum(path.stat().st_size for path in root.rglob("*.arrow"))
    return {
        "bench": "join", "rows": rows, "queries": queries, "hits": matches.hits, "released": released,
        "checked": bool(checked), "upload_s": upload_s, "build_s": build_s, "pin_s": pin_s, "match_s": match_s,
        "merge_s": merge_s, "ratio": match_s / merge_s, "guard_s": guard_s, "fetch_s": fetch_s,
        "point_us": point_s * 1000, "register_mib": size / 2**20, "match_anonymous_mib": anonymous,
        "peak_rss_mib": peak,
    }  # fmt: skip


def resident_mib() -> float:
    """Anonymous resident memory of this process: without the page cache that mappings show."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        result = run(options.rows, options.queries, Path(root))
    if options.json:
        print(json.dumps(result))
        return
    print(
        f"{result['queries']:,} queries x {result['rows']:,} rows, {result['hits']:,} hits, "
        f"checked: {result['checked']}"
    )
    print(
        f"  match           {result['match_s']:.3f} s   raw merge join {result['merge_s']:.3f} s   "
        f"ratio {result['ratio']:.2f}"
    )
    print(f"  guard           {result['guard_s']:.3f} s   fetch of two fields for all hits {result['fetch_s']:.3f} s")
    print(f"  one subject     {result['point_us']:.0f} us, match and fetch")
    print(f"  upload {result['upload_s']:.1f} s, build {result['build_s']:.1f} s, first pin {result['pin_s']:.2f} s")
    print(f"  register {result['register_mib']:.0f} MiB, anonymous memory of pin and match "
          f"{result['match_anonymous_mib']:.0f} MiB, peak resident {result['peak_rss_mib']:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
