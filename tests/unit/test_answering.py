"""Match and release gate: what an answer is before it may go, and that every fault is an outcome of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.answering import SMALL_ANSWER, Answering, Prepared, decode, decode_run, run_size, stored_runs
from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import AnswerRows, AnswerStatus, PseudonymColumn, Question, Want
from broker.matching.release import encode_run, rows_digest
from broker.questions import Terms

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
KEY_ID = "0f" * 16
WIDTH = 34


class Snapshot:
    """A register in memory: row n holds pseudonym n."""

    match_keys = 1

    def __init__(self, pseudonyms: np.ndarray[Any, Any], error: SluisError | None = None) -> None:
        self._row = {one.tobytes(): number for number, one in enumerate(pseudonyms)}
        self.rows = len(pseudonyms)
        self.error = error
        self.closed = 0

    def lookup(self, match_key: int, pseudonyms: np.ndarray[Any, Any]) -> tuple[Any, Any]:
        if self.error is not None:
            raise self.error
        pairs = [(at, self._row[one.tobytes()]) for at, one in enumerate(pseudonyms) if one.tobytes() in self._row]
        positions, rows = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(positions, np.uint32), np.array(rows, np.int64)

    def fetch(self, rows: Any, match_keys: Any, attributes: Any) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        if not attributes:
            return b"", b"", ()
        count = len(rows)
        return b"w" * 60 * count, b"c" * 32 * count, tuple(b"f" * WIDTH * count for _ in attributes)

    def close(self) -> None:
        self.closed += 1


class Spool:
    """Keeps answers by name."""

    def __init__(self) -> None:
        self.kept: dict[str, list[AnswerRows]] = {}
        self.error: SluisError | None = None

    def write(self, name: str, runs: Iterable[AnswerRows]) -> str:
        found = list(runs)
        if self.error is not None:
            raise self.error
        self.kept[name] = found
        return rows_digest(found)

    def read(self, name: str) -> Iterator[AnswerRows]:
        return iter(self.kept[name])


class World:
    """An answering over one register of `rows` rows."""

    def __init__(self, rows: int) -> None:
        self.pseudonyms = np.frombuffer(os.urandom(16 * rows), dtype="V16")
        self.snapshot = Snapshot(self.pseudonyms)
        self.spool = Spool()
        self.pinned: list[tuple[str, int]] = []
        self.answering = Answering(SimpleNamespace(pin=self._pin), self.spool)

    def _pin(self, name: str, version: int) -> Snapshot:
        self.pinned.append((name, version))
        return self.snapshot

    def question(self, hits: int, misses: int) -> Question:
        pseudonyms = np.concatenate([self.pseudonyms[:hits], np.frombuffer(os.urandom(16 * misses), dtype="V16")])
        return Question((PseudonymColumn(pseudonyms, np.ones(hits + misses, dtype=np.bool_)),))

    def prepare(
        self,
        question: Question,
        want: Want,
        *,
        key_id: str = KEY_ID,
        unanswerable: AnswerStatus | None = None,
        bands: tuple[int, ...] = (),
    ) -> Prepared:
        statement: Any = SimpleNamespace(asker="utrecht", request_id="r", want=want, key_id=KEY_ID)
        manifest = SimpleNamespace(key_id=key_id)
        register = SimpleNamespace(name="snf/p/2026Q4/bag", version=3, manifest=manifest)
        state = SimpleNamespace(answerer="snf")
        ask: Any = SimpleNamespace(register=register, unanswerable=unanswerable, state=state, live=False)
        terms = Terms(rows_per_pseudonym=1, min_group=5, bands=bands, vault_until=NOW + timedelta(days=1))
        return self.answering.prepare(statement, terms, ask, question)


HIT = Want(hit=True, count=False)
WITH = Want(hit=True, count=False, attributes=("beds",))
COUNT = Want(hit=False, count=True)


def positions(runs: Iterable[AnswerRows]) -> list[int]:
    return [int(one) for run in runs for one in np.frombuffer(run.positions, "<u4")]


def test_a_small_answer_waits_in_the_vault_and_commits_to_its_rows() -> None:
    world = World(100)
    prepared = world.prepare(world.question(3, 4), WITH)
    assert (prepared.status, prepared.outcome, prepared.hits) == (AnswerStatus.ANSWERED, "authorised", 3)
    runs = list(prepared.runs())
    assert positions(runs) == [0, 1, 2]
    assert prepared.small == encode(*(encode_run(run) for run in runs))
    result = json.loads(prepared.result)
    assert result == {"band": None, "count": None, "hits": 3, "rows": rows_digest(runs)}
    assert dict(prepared.head) == {"hits": 3}
    assert not world.spool.kept
    assert world.snapshot.closed == 1
    assert repr(prepared) == "Prepared(ANSWERED)"


def test_a_large_answer_waits_in_the_spool_whole() -> None:
    rows = SMALL_ANSWER // (60 + 32 + WIDTH)
    world = World(rows)
    prepared = world.prepare(world.question(rows, 0), WITH)
    assert prepared.small is None
    assert dict(prepared.head) == {"hits": rows, "spool": "utrecht.r.snf"}
    runs = list(prepared.runs())
    assert positions(runs) == list(range(rows))
    assert json.loads(prepared.result)["rows"] == rows_digest(runs)
    assert list(stored_runs(None, world.spool, prepared.head)) == runs


def test_an_answer_of_nothing_is_an_answer() -> None:
    world = World(10)
    prepared = world.prepare(world.question(0, 5), HIT)
    assert (prepared.status, prepared.hits, positions(prepared.runs())) == (AnswerStatus.ANSWERED, 0, [])


@pytest.mark.parametrize(
    ("hits", "misses", "bands", "status", "count", "band"),
    [
        (6, 20, (), AnswerStatus.ANSWERED, 6, ""),
        (6, 20, (5, 10), AnswerStatus.ANSWERED, None, "5-9"),
        (4, 20, (), AnswerStatus.WITHHELD, None, ""),
        (20, 4, (), AnswerStatus.WITHHELD, None, ""),
    ],
)
def test_counts_pass_the_release_gate(
    hits: int, misses: int, bands: tuple[int, ...], status: AnswerStatus, count: int | None, band: str
) -> None:
    world = World(50)
    prepared = world.prepare(world.question(hits, misses), COUNT, bands=bands)
    assert (prepared.status, prepared.count, prepared.band) == (status, count, band)
    assert prepared.outcome == ("authorised" if status is AnswerStatus.ANSWERED else "withheld")
    assert (list(prepared.runs()), prepared.hits, prepared.small) == ([], 0, None)
    result = json.loads(prepared.result)
    assert (result["hits"], result["rows"], result["count"]) == (0, None, count)
    assert str(hits) not in prepared.result.decode().replace(f'"count":{count}', "") or status is AnswerStatus.ANSWERED


@pytest.mark.parametrize("status", [AnswerStatus.NO_REGISTER, AnswerStatus.EXPIRED, AnswerStatus.NOT_COVERED])
def test_where_there_is_nothing_to_match_no_register_is_opened(status: AnswerStatus) -> None:
    world = World(10)
    prepared = world.prepare(world.question(1, 1), HIT, unanswerable=status)
    assert (prepared.status, prepared.outcome) == (status, "withheld")
    assert not world.pinned


@pytest.mark.parametrize("code", [Code.STORE_UNAVAILABLE, Code.STORE_CORRUPT, Code.NOT_FOUND])
def test_a_fault_of_the_store_is_failed_and_releases_nothing(code: Code) -> None:
    world = World(10)
    world.snapshot.error = SluisError(code, "broken")
    prepared = world.prepare(world.question(1, 1), HIT)
    assert (prepared.status, prepared.outcome, list(prepared.runs())) == (AnswerStatus.FAILED, "failed", [])
    assert world.snapshot.closed == 1


def test_a_spool_that_cannot_be_written_is_failed() -> None:
    rows = SMALL_ANSWER // (60 + 32 + WIDTH)
    world = World(rows)
    world.spool.error = SluisError(Code.STORE_UNAVAILABLE, "full")
    assert world.prepare(world.question(rows, 0), WITH).status is AnswerStatus.FAILED


def test_a_register_under_another_key_is_failed_and_never_a_no_hit() -> None:
    world = World(10)
    prepared = world.prepare(world.question(1, 1), HIT, key_id="00" * 16)
    assert prepared.status is AnswerStatus.FAILED
    assert not world.pinned


def test_a_stored_answer_is_read_again_until_it_is_dropped() -> None:
    world = World(10)
    prepared = world.prepare(world.question(3, 0), WITH)
    vault: dict[str, tuple[bytes, bytes]] = {"ab": (b"salt", prepared.small or b"")}
    reader: Any = SimpleNamespace(opening=vault.get)
    head = {**prepared.head, "rows": "ab"}
    assert list(stored_runs(reader, world.spool, head)) == list(prepared.runs())
    vault.clear()
    with pytest.raises(SluisError) as caught:
        list(stored_runs(reader, world.spool, head))
    assert caught.value.code is Code.ANSWER_GONE
    assert list(stored_runs(reader, world.spool, {"count": 7})) == []


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_decode_is_the_inverse_of_encode(parts: list[bytes]) -> None:
    assert list(decode(encode(*parts))) == parts


@given(st.binary(max_size=20), st.binary(max_size=20), st.lists(st.binary(max_size=20), max_size=4))
def test_a_run_is_read_back_whole(positions_: bytes, wraps: bytes, fields: list[bytes]) -> None:
    run = AnswerRows(positions_, b"s", b"m", wraps, b"c", tuple(fields))
    assert decode_run(encode_run(run)) == run
    assert run_size(run) == len(positions_) + 2 + len(wraps) + 1 + sum(map(len, fields))
