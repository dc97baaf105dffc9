"""The high-water file: a cut, restored or forked database is refused, and nothing acknowledged lies above the mark."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from log_kit import ORIGIN, START, Keys, Log, access_body

from broker.config import Config
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.high_water import SLOT_BYTES, check_outside, empty_mark, newest_of, slot_of
from broker.own_log import begin_high_water
from broker.ports import Mark
from broker.storage import high_water as high_water_file
from broker.storage.high_water import FileHighWater, read_mark

MARK = "other-volume.mark"


def write(log: Log, count: int = 1, party: str = "nla") -> None:
    for _ in range(count):
        log.sequencer.submit(lambda tx: [tx.append("access", access_body(party)) for _ in range(3)])


def opened(directory: Path, mark: Path | None = None, keys: Keys | None = None) -> Log:
    return Log(directory, keys, high_water=mark or directory / MARK)


def refusal(directory: Path, mark: Path | None = None, keys: Keys | None = None) -> SluisError:
    with pytest.raises(SluisError) as caught:
        opened(directory, mark, keys).open()
    return caught.value


def copy_of(directory: Path, name: str) -> Path:
    """The database as it stands, copied without its mark."""
    other = directory.with_name(name)
    shutil.copytree(directory, other, ignore=shutil.ignore_patterns(MARK))
    return other


def put_back(saved: Path, directory: Path) -> None:
    for path in directory.glob("sluis.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(saved, directory, dirs_exist_ok=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def test_the_mark_follows_every_acknowledged_batch(home: Path) -> None:
    with opened(home) as log:
        for size in (4, 7, 10):
            write(log)
            mark = read_mark(home / MARK)
            assert (mark.size, mark.root) == (size, log.reader.root(size))
            assert parse_checkpoint(mark.note).size == size
    with opened(home) as log:
        assert read_mark(home / MARK).generation == 2
        write(log)
    assert read_mark(home / MARK).size == 13


def test_a_restored_backup_is_refused_and_the_newer_files_are_taken_again(home: Path) -> None:
    with opened(home) as log:
        write(log, 3)
    backup = copy_of(home, "backup")
    with opened(home) as log:
        write(log, 2)
    newest = copy_of(home, "newest")
    put_back(backup, home)
    error = refusal(home)
    assert error.code is Code.LOG_SHRUNK
    assert "10 entries" in error.message
    assert "16 were acknowledged" in error.message
    assert "`sluis recover`" in error.message
    put_back(newest, home)
    with opened(home) as log:
        write(log)
        assert log.reader.size() == 19


def cut(directory: Path, keep: int) -> None:
    db = sqlite3.connect(directory / "sluis.db")
    db.execute("DROP TRIGGER leaves_stay")
    db.execute("DELETE FROM leaves WHERE entry>=?", (keep,))
    db.execute("DELETE FROM checkpoints WHERE size>?", (keep,))
    db.execute("UPDATE head SET size=?", (keep,))
    db.commit()
    db.close()


def test_a_truncated_database_is_refused(home: Path) -> None:
    with opened(home) as log:
        write(log, 3)
    cut(home, 7)
    assert refusal(home).code is Code.LOG_SHRUNK


def test_a_database_that_is_gone_is_not_begun_anew(home: Path) -> None:
    with opened(home) as log:
        write(log)
    for path in home.glob("sluis.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    error = refusal(home)
    assert error.code is Code.LOG_SHRUNK
    assert "has 0 entries" in error.message


def test_a_fork_of_the_same_and_of_greater_length_is_refused(home: Path) -> None:
    with opened(home) as log:
        write(log, 2)
    fork = copy_of(home, "fork")
    with opened(home) as log:
        write(log, 2)
    for more in (2, 1):
        with Log(fork) as log:  # goes on from the copy, with no high-water file to stop it
            write(log, more, "snf")
        error = refusal(fork, home / MARK)
        assert error.code is Code.LOG_FORKED
        assert "other entries" in error.message


def test_a_mark_that_is_missing_damaged_or_anothers(home: Path) -> None:
    with opened(home) as log:
        write(log)
    whole = (home / MARK).read_bytes()
    (home / MARK).write_bytes(bytes(len(whole)))
    assert "damaged" in refusal(home).message
    (home / MARK).write_bytes(b"")
    assert refusal(home).code is Code.HIGH_WATER_UNUSABLE
    (home / MARK).unlink()
    error = refusal(home)
    assert error.code is Code.HIGH_WATER_UNUSABLE
    assert "`sluis high-water begin`" in error.message
    other = home / "other"
    other.mkdir()
    with opened(other, keys=Keys("a", "sluis.example/other")):
        pass
    error = refusal(home, other / MARK)
    assert error.code is Code.HIGH_WATER_UNUSABLE
    assert "sluis.example/other" in error.message
    (home / MARK).write_bytes(whole)
    with opened(home) as log:
        write(log)


@pytest.mark.parametrize("slot", [0, 1])
def test_one_torn_slot_leaves_the_other(home: Path, slot: int) -> None:
    with opened(home) as log:
        write(log, 4)
    data = bytearray((home / MARK).read_bytes())
    newest = newest_of(bytes(data))
    assert newest is not None
    data[slot * SLOT_BYTES + 100] ^= 1
    (home / MARK).write_bytes(data)
    left = read_mark(home / MARK)
    assert left.size == (newest[1].size if newest[0] != slot else newest[1].size - 3)
    with opened(home) as log:
        write(log)
    assert read_mark(home / MARK).size == 16


def test_every_flipped_byte_of_a_slot_is_noticed() -> None:
    mark = Mark(ORIGIN, 3, 17, bytes(range(32)), "a note", START)
    slot = slot_of(mark)
    assert newest_of(slot) == (0, mark)
    for at in range(len(slot.rstrip())):
        flipped = bytearray(slot)
        flipped[at] ^= 1
        assert newest_of(bytes(flipped)) is None


def test_a_second_broker_on_one_file_is_refused(home: Path) -> None:
    with opened(home) as log:
        write(log)
        copy = copy_of(home, "copy")
        error = refusal(copy, home / MARK)
        assert error.code is Code.HIGH_WATER_UNUSABLE
        assert "another broker holds" in error.message
        write(log)


def test_a_broker_whose_mark_was_taken_over_writes_nothing_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on two machines that share a volume where locks do not hold."""
    monkeypatch.setattr(high_water_file.fcntl, "flock", lambda *_: None)
    first = opened(home).open()
    write(first)
    copy = copy_of(home, "copy")
    with opened(copy, home / MARK) as second:
        for _ in range(2):
            with pytest.raises(SluisError) as caught:
                write(first)
            assert caught.value.code is Code.LOG_UNAVAILABLE
            assert not first.sequencer.ready()
        assert first.reader.size() == 4, "nothing was written past the other"
        write(second)
    first.close()


def test_a_file_replaced_under_a_running_broker_stops_it(home: Path) -> None:
    with opened(home) as log:
        write(log)
        (home / "new").write_bytes((home / MARK).read_bytes())
        (home / "new").replace(home / MARK)
        with pytest.raises(SluisError) as caught:
            write(log)
        assert caught.value.code is Code.LOG_UNAVAILABLE
        assert log.reader.size() == 4


FAILING: list[tuple[str, Code, int]] = [
    ("pread", Code.LOG_UNAVAILABLE, 4),
    ("lseek", Code.LOG_OUTCOME_UNKNOWN, 7),
    ("fdatasync", Code.LOG_OUTCOME_UNKNOWN, 7),
]


@pytest.mark.parametrize(("call", "code", "size"), FAILING)
def test_a_mark_that_cannot_be_moved_acknowledges_nothing_and_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: Code, size: int
) -> None:
    with opened(home) as log:
        write(log)

        def fail(*_: object) -> None:
            raise OSError(5, "EIO")

        with monkeypatch.context() as patch:
            patch.setattr(high_water_file.os, call, fail)
            with pytest.raises(SluisError) as caught:
                write(log)
            assert caught.value.code is code
            assert log.reader.size() == size
            assert not log.sequencer.ready()
        assert log.sequencer.ready()
        write(log)
        mark = read_mark(home / MARK)
        assert (mark.size, mark.root) == (log.reader.size(), log.reader.root(mark.size))


def test_who_asks_again_after_a_failed_mark_hears_nothing_that_the_mark_does_not_cover(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat finds its entries and appends none, so no batch of its own moves the mark."""
    with opened(home) as log:
        write(log)

        def fail(*_: object) -> None:
            raise OSError(5, "EIO")

        with monkeypatch.context() as patch:
            patch.setattr(high_water_file.os, "lseek", fail)
            with pytest.raises(SluisError):
                write(log)
            with pytest.raises(SluisError) as caught:
                log.sequencer.submit(lambda tx: None)
            assert caught.value.code in (Code.LOG_UNAVAILABLE, Code.LOG_OUTCOME_UNKNOWN)
        log.sequencer.submit(lambda tx: None)
        mark = read_mark(home / MARK)
        assert (mark.size, mark.root) == (7, log.reader.root(7))
        assert parse_checkpoint(mark.note).size == 7


def test_a_crash_between_commit_and_mark_starts_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(home).open()
    write(log)
    with monkeypatch.context() as patch:
        patch.setattr(FileHighWater, "advance", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(SluisError):
            write(log)
    log.close()
    assert read_mark(home / MARK).size == 4
    with opened(home) as log:
        assert read_mark(home / MARK).size == 7


def killed_between(step: str) -> Callable[..., None]:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt(step)

    return die


@pytest.mark.parametrize("call", ["open", "link", "fsync"])
def test_the_file_appears_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(high_water_file.os, call, killed_between(call))
        with pytest.raises(KeyboardInterrupt):
            FileHighWater.create(home / MARK, empty_mark(ORIGIN, START))
    if not (home / MARK).exists():
        FileHighWater.create(home / MARK, empty_mark(ORIGIN, START)).close()
    assert read_mark(home / MARK) == empty_mark(ORIGIN, START)
    with pytest.raises(SluisError, match="already"):
        FileHighWater.create(home / MARK, empty_mark(ORIGIN, START))
    assert (home / MARK).stat().st_mode & 0o077 == 0


def test_what_a_witness_holds_counts_as_the_mark_does(home: Path) -> None:
    with opened(home) as log:
        write(log, 2)
        older, newest = (parse_checkpoint(log.reader.checkpoint(at)[1]) for at in (4, 7))
        check_outside(log.reader, ORIGIN, [("witness one", older), ("witness two", newest)])
        check_outside(log.reader, "sluis.example/another", [("witness one", newest)])
    cut(home, 4)
    shorter = Log(home)
    with pytest.raises(SluisError) as caught:
        check_outside(shorter.reader, ORIGIN, [("witness one", older), ("witness two", newest)])
    assert caught.value.code is Code.LOG_SHRUNK
    assert "witness two holds a checkpoint over 7" in caught.value.message
    shorter.close()


def test_what_was_set_aside_first_is_never_overwritten(home: Path) -> None:
    with opened(home) as log:
        write(log)
    mark = read_mark(home / MARK)
    config = Config.model_construct(high_water=home / MARK)
    for text in (b"first damaged", b"second damaged", b"third damaged"):
        (home / MARK).unlink()
        (home / MARK).write_bytes(text)
        begin_high_water(config, mark, replace=True)
    assert [path.read_bytes() for path in sorted(home.glob(f"{MARK}.old*"))] == [
        b"first damaged",
        b"second damaged",
        b"third damaged",
    ]
    assert read_mark(home / MARK).size == mark.size
