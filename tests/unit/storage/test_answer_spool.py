from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from register_kit import AtRest, Entropy, code_of

from broker.errors import Code, SluisError
from broker.exchange import AnswerRows
from broker.matching.release import rows_digest
from broker.storage.answers import FileAnswerSpool

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        return self.time


def runs(count: int = 3) -> list[AnswerRows]:
    made = [
        AnswerRows(
            os.urandom(8), b"\x01\x01", b"\x01\x02", os.urandom(120), os.urandom(64), (os.urandom(40), os.urandom(60))
        )
        for _ in range(count)
    ]
    return [*made, AnswerRows(os.urandom(4), b"\x03", b"\x00")]


@pytest.fixture
def spool(tmp_path: Path) -> FileAnswerSpool:
    return FileAnswerSpool(tmp_path, AtRest(), Entropy(), Clock())


@pytest.mark.parametrize("count", [0, 1, 5])
def test_answers_come_back_and_the_digest_is_that_of_the_rows(spool: FileAnswerSpool, count: int) -> None:
    written = runs(count)
    assert spool.write("nla.1f.snf", iter(written)) == rows_digest(written)
    assert list(spool.read("nla.1f.snf")) == written
    assert list(spool.read("nla.1f.snf")) == written


def test_an_answer_without_rows(spool: FileAnswerSpool) -> None:
    assert spool.write("a", []) == rows_digest([])
    assert list(spool.read("a")) == []


def test_an_unknown_answer_is_gone_at_once(spool: FileAnswerSpool) -> None:
    assert code_of(lambda: spool.read("a")) is Code.ANSWER_GONE


def test_nothing_bare_on_disk_and_only_for_the_owner(spool: FileAnswerSpool, tmp_path: Path) -> None:
    written = runs()
    spool.write("a", written)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    for run in written[:3]:
        for secret in (run.positions, run.wraps, run.commitments, *run.fields):
            assert secret[:8] not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a\0b", ".", "A", "a/b.answer"])
def test_names_stay_inside(spool: FileAnswerSpool, tmp_path: Path, name: str) -> None:
    written = runs()
    spool.write(name, written)
    assert list(spool.read(name)) == written
    assert [path.parent for path in tmp_path.rglob("*")] == [tmp_path]
    assert code_of(lambda: spool.write("", [])) is Code.FIELD_INVALID


def test_every_altered_cut_or_moved_byte_is_seen(spool: FileAnswerSpool, tmp_path: Path) -> None:
    written = runs(2)
    spool.write("a", written)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()

    def seen(data: bytes) -> bool:
        path.write_bytes(data)
        found = []
        try:
            found.extend(spool.read("a"))
        except SluisError as error:
            return error.code is Code.STORE_CORRUPT and found == written[: len(found)]
        return False

    assert all(seen(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :]) for at in range(len(good)))
    assert all(seen(good[:length]) for length in range(len(good)))
    assert seen(good + b"\0")
    assert seen(good + good[-20:])
    path.write_bytes(good)
    path.rename(tmp_path / "b.answer")
    assert code_of(lambda: list(spool.read("b"))) is Code.STORE_CORRUPT


def test_frames_cannot_change_places(spool: FileAnswerSpool, tmp_path: Path) -> None:
    same = AnswerRows(b"\0\0\0\0", b"\x01", b"\x01")
    spool.write("a", [same, AnswerRows(b"\1\0\0\0", b"\x01", b"\x01")])
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    size = (len(data) - 32 - 20) // 2
    path.write_bytes(data[:32] + data[32 + size : 32 + 2 * size] + data[32 : 32 + size] + data[-20:])
    assert code_of(lambda: list(spool.read("a"))) is Code.STORE_CORRUPT


def test_a_failing_write_keeps_the_old_answer(
    spool: FileAnswerSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = runs()
    spool.write("a", written)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, broken)
            assert code_of(lambda: spool.write("a", runs())) is Code.STORE_UNAVAILABLE
        assert list(spool.read("a")) == written
        assert len(list(tmp_path.iterdir())) == 1


def test_a_failing_source_keeps_nothing(spool: FileAnswerSpool, tmp_path: Path) -> None:
    def source() -> Iterator[AnswerRows]:
        yield runs()[0]
        raise SluisError(Code.STORE_CORRUPT, "register")

    assert code_of(lambda: spool.write("a", source())) is Code.STORE_CORRUPT
    assert not list(tmp_path.iterdir())


def test_sweep_goes_by_the_time_written(tmp_path: Path) -> None:
    clock = Clock()
    spool = FileAnswerSpool(tmp_path, AtRest(), Entropy(), clock)
    for hours in range(4):
        clock.time = NOON + timedelta(hours=hours)
        spool.write(f"a{hours}", runs())
    (tmp_path / ".writing-0011").write_bytes(b"half")
    os.utime(tmp_path / ".writing-0011", (0, 0))
    assert spool.sweep(NOON + timedelta(hours=2)) == 2
    assert spool.sweep(NOON + timedelta(hours=2)) == 0
    assert code_of(lambda: spool.read("a1")) is Code.ANSWER_GONE
    assert len(list(spool.read("a2"))) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a2.answer", "a3.answer"]


def test_what_is_no_answer_goes_too(tmp_path: Path) -> None:
    (tmp_path / "x.answer").write_bytes(b"junk")
    assert FileAnswerSpool(tmp_path, AtRest(), Entropy()).sweep(NOON) == 1
    assert not list(tmp_path.iterdir())
