"""The index search, the row cipher and builds that cross batches and buckets."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from register_kit import NAME, AtRest, Entropy

from broker.canonical import encode
from broker.exchange import PseudonymColumn, RegisterChunk, UploadSpec
from broker.storage import register_build, register_files
from broker.storage.register_files import Chosen, _edges, _one_row, _search, block_cipher, crypt_rows
from broker.storage.registers import FileRegisterStore

TOP = 2**64 - 1
numbers = st.sampled_from([0, 1, 2, 3, 2**63, TOP - 1, TOP])
pairs = st.tuples(numbers, st.integers(0, 2))


@given(st.lists(pairs, max_size=12), st.lists(pairs, max_size=12))
def test_the_search_finds_every_pair_whatever_halves_are_shared(
    held: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    held = sorted(held)
    bucket = {
        "high": np.array([high for high, _ in held], np.uint64),
        "low": np.array([low for _, low in held], np.uint64),
        "row": np.arange(len(held), dtype=np.uint32)[::-1].copy(),
    }
    high = np.array([high for high, _ in asked], np.uint64)
    order = np.argsort(high)
    found = _search(bucket, high[order], order, np.array([low for _, low in asked], np.uint64))
    wanted = [
        at << 32 | int(bucket["row"][row])
        for at, value in enumerate(asked)
        for row, other in enumerate(held)
        if value == other
    ]
    assert sorted(found.tolist()) == sorted(wanted)


@given(st.lists(st.integers(0, TOP), max_size=50), st.sampled_from([1, 2, 8, 256]))
def test_edges_cut_the_question_by_its_first_bits(high: list[int], buckets: int) -> None:
    ordered = np.sort(np.array(high, np.uint64))
    edges = _edges(ordered, buckets)
    assert (len(edges), edges[0], edges[-1]) == (buckets + 1, 0, len(high))
    for number in range(buckets):
        part = ordered[edges[number] : edges[number + 1]].tolist()
        assert all(value * buckets >> 64 == number for value in part)


@pytest.mark.parametrize("width", [1, 16, 26, 32, 60, 64, 100])
def test_a_row_is_aes_ctr_from_the_counter_of_its_number(width: int) -> None:
    key, row = os.urandom(32), 2**33 + 5
    plain = os.urandom(width)
    counter = (row * ((width + 15) // 16)).to_bytes(16, "big")
    wanted = Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor().update(plain)
    rows = np.array([7, row, 9])
    values = np.frombuffer(os.urandom(width) + plain + os.urandom(width), np.uint8).reshape(3, width)
    sealed = crypt_rows(block_cipher(key), rows, values)
    assert sealed[1].tobytes() == wanted
    assert (crypt_rows(block_cipher(key), rows, sealed) == values).all()
    many = np.arange(64)  # of one byte alone, two rows may be alike by chance
    same = np.zeros((64, width), np.uint8)
    assert not np.array_equal(crypt_rows(block_cipher(key), many, same), crypt_rows(block_cipher(key), many + 1, same))
    batches = [{"x": np.zeros((1, width), np.uint8)}, {"x": sealed}]
    at = register_files.ROWS_PER_BATCH + 1
    resealed = crypt_rows(block_cipher(key), np.array([at]), values[1:2])
    batches[1]["x"] = np.concatenate([sealed[:1], resealed])
    assert _one_row(batches, "x", block_cipher(key), at) == plain


def test_a_spill_sorts_by_both_halves(tmp_path: Path) -> None:
    spill = register_build._Spill(tmp_path, 1, 10)
    high, low = np.array([5, 5, 5, 4, 5], np.uint64), np.array([2, 1, 2, 9, 1], np.uint64)
    spill.add(0, high, low, np.arange(5))
    assert spill.sorted(0, 0).tolist() == [(4, 9, 3), (5, 1, 1), (5, 1, 4), (5, 2, 0), (5, 2, 2)]
    assert register_build._more_than(high[[3, 1, 4, 0, 2]], low[[3, 1, 4, 0, 2]], 1)
    assert not register_build._more_than(high[[3, 1, 4, 0, 2]], low[[3, 1, 4, 0, 2]], 2)


@given(st.lists(st.integers(0, 300_000), max_size=40))
def test_chosen_rows_are_grouped_by_batch(rows: list[int]) -> None:
    chosen = Chosen(np.array(rows, np.int64))
    if len(rows) > register_files.FEW_ROWS:
        seen: list[int] = []
        for batch, start, stop in chosen.batches:
            part = chosen.rows[chosen.order[start:stop]]
            assert (part // register_files.ROWS_PER_BATCH == batch).all()
            seen += part.tolist()
        assert sorted(seen) == sorted(rows)


@pytest.mark.parametrize("step", [999, 65_536, 80_000])
def test_builds_that_cross_batches_and_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr(register_build, "BUCKET_ROWS", 5000)
    monkeypatch.setattr(register_files, "LARGE_FILE", 1)
    rows, width = 140_001, 21
    random = np.random.default_rng(step)
    pseudonyms = [np.frombuffer(random.bytes(16 * rows), "V16").copy() for _ in range(2)]
    present = [np.ones(rows, np.bool_), random.random(rows) < 0.7]
    pseudonyms[1][~present[1]] = np.zeros((), "V16")
    sealed = [random.bytes(60 * rows), random.bytes(60 * rows), random.bytes(32 * rows), random.bytes(width * rows)]
    parts = []
    for key in range(2):
        parts += [np.packbits(present[key], bitorder="little").tobytes(), pseudonyms[key].tobytes()]
    hashes = [hashlib.sha256(column).digest() for column in (*parts, *sealed)]
    digest = hashlib.sha256(encode(b"sluis/v1/register-digest", *hashes)).hexdigest()
    store = FileRegisterStore(tmp_path, AtRest(), Entropy())
    store.begin(UploadSpec("u", NAME, 1, 2, ("beds",), (width,)))
    for at in range(0, rows, step):
        to = min(at + step, rows)
        columns = tuple(PseudonymColumn(pseudonyms[key][at:to], present[key][at:to]) for key in range(2))
        one, two, commitments, beds = (
            data[at * w : to * w] for data, w in zip(sealed, (60, 60, 32, width), strict=True)
        )
        store.append("u", at, RegisterChunk(columns, (one, two), commitments, (beds,)))
    store.build("u", rows=rows, digest=digest, rows_per_pseudonym=1)
    snapshot = store.pin(NAME, 1)
    for key in range(2):
        held = np.flatnonzero(present[key])
        for asked in (random.permutation(held), held[:3]):
            positions, found = snapshot.lookup(key, pseudonyms[key][asked])
            assert (positions == np.arange(len(asked))).all()
            assert (found == asked).all()
            wraps, commitments, (beds,) = snapshot.fetch(found, np.full(len(found), key + 1, np.uint8), ("beds",))
            assert wraps == np.frombuffer(sealed[key], "V60")[asked].tobytes()
            assert commitments == np.frombuffer(sealed[2], "V32")[asked].tobytes()
            assert beds == np.frombuffer(sealed[3], f"V{width}")[asked].tobytes()
    strangers = np.frombuffer(random.bytes(16 * 10_000), "V16")
    assert not len(snapshot.lookup(0, strangers)[0])


@pytest.mark.slow
def test_a_million_against_a_million_stays_within_two_gibibytes() -> None:
    """The whole of it in one process: upload, build, pin, join, fetch; peak resident memory as the kernel counts it."""
    bench = Path(__file__).parents[2] / "bench" / "join.py"
    run = subprocess.run(
        [sys.executable, str(bench), "--rows", "1000000", "--queries", "1000000", "--json"],
        capture_output=True,
        check=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    import json

    result = json.loads(run.stdout)
    assert result["hits"] == 500_000
    assert result["checked"]
    assert 0 < result["peak_rss_mib"] < 2048
