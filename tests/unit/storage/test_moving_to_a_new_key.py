"""Each store under a storage key that changes: everything is moved, nothing is lost, and the old key opens nothing."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from log_kit import Keys, Log
from register_kit import NAME, Entropy, column, publish, table
from storage_roots import Roots

from broker.errors import Code, SluisError
from broker.exchange import AnswerRows
from broker.storage import data_keys
from broker.storage.answers import FileAnswerSpool
from broker.storage.registers import FileRegisterStore

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def code_of(call) -> Code:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code


def found(store: FileRegisterStore, t) -> bytes:
    snapshot = store.pin(NAME, 1)
    rows = np.arange(5, dtype=np.int64)
    hits = snapshot.lookup(0, column(*(record["pseudonyms"][0] for record in t.records)))
    assert len(hits[0]) == sum(record["present"][0] for record in t.records)
    return b"".join(snapshot.fetch(rows, np.ones(5, np.uint8), t.spec.attributes)[2])


@pytest.mark.parametrize("legacy", [False, True])
def test_registers_and_uploads_are_moved_by_their_small_key_files(tmp_path: Path, legacy: bool) -> None:
    roots = Roots("old")
    store = FileRegisterStore(tmp_path, roots, Entropy())
    t, half = table(30), table(30, version=2, upload="u2")
    publish(store, t)
    store.begin(half.spec)
    store.append("u2", 0, half.chunk(0, 10))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.arrow")}
    assert before
    values = found(store, t)
    if legacy:
        _as_before_there_were_key_files(tmp_path, roots, t, half)
        store = FileRegisterStore(tmp_path, roots, Entropy())
        values = found(store, t)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.arrow")}
    roots.hold("new", "old")
    assert found(FileRegisterStore(tmp_path, roots, Entropy()), t) == values, "both are read meanwhile"
    assert store.rewrap()
    assert store.rewrap(), "and may be moved again"
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.arrow")} == before, "no register is rewritten"
    after = FileRegisterStore(tmp_path, Roots("new"), Entropy())
    assert found(after, t) == values
    assert after.committed("u2") == 10
    after.append("u2", 10, half.chunk(10, 30))
    after.build("u2", rows=30, digest=half.digest, rows_per_pseudonym=1)
    assert code_of(lambda: FileRegisterStore(tmp_path, Roots("old"), Entropy()).pin(NAME, 1)) is Code.STORE_CORRUPT


def _as_before_there_were_key_files(root: Path, roots: Roots, t, half) -> None:
    """Puts the stores back as an older broker left them: keys derived from the storage root, no key files."""

    class Derived(data_keys.DataKeys):
        def make(self) -> bytes:
            return self.made

        made = b""

    for path in root.rglob("*"):
        if path.is_dir() and path.name.startswith("v") and path.parent.parent.name == "registers":
            _drop(path)
    _drop(root / "uploads")
    (root / "uploads").mkdir(mode=0o700)
    store = FileRegisterStore(root, roots, Entropy())
    keys = store._keys = Derived(roots, Entropy())
    store._spools.clear()
    keys.made = roots.key("upload", b"u1")
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 30))
    keys.made = roots.key("register", NAME.encode(), b"1")
    store.build("u1", rows=30, digest=t.digest, rows_per_pseudonym=1)
    keys.made = roots.key("upload", b"u2")
    store.begin(half.spec)
    store.append("u2", 0, half.chunk(0, 10))
    for path in root.rglob(data_keys.KEY_FILE):
        path.unlink()


def _drop(path: Path) -> None:
    import shutil

    shutil.rmtree(path)


def test_a_version_built_under_the_old_key_is_found_when_the_others_are_moved(tmp_path: Path) -> None:
    """A build may be under way while the storage key changes: its key is wrapped at its end, against moving."""
    roots = Roots("old")
    store = FileRegisterStore(tmp_path, roots, Entropy())
    t = table(30)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 30))
    make = store._keys.make

    def made() -> bytes:
        key = make()
        roots.hold("new", "old")
        store.rewrap()
        return key

    store._keys.make = made  # type: ignore[method-assign]
    store.build("u1", rows=30, digest=t.digest, rows_per_pseudonym=1)
    assert found(FileRegisterStore(tmp_path, Roots("new"), Entropy()), t)


def test_moving_waits_for_a_version_that_is_just_put_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the wrapping of its key and its rename a version is in no list: moving must not pass it by."""
    roots = Roots("old")
    store = FileRegisterStore(tmp_path, roots, Entropy())
    t = table(30)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 30))
    threads = []

    def change() -> None:
        roots.hold("new", "old")
        store.rewrap()

    def replaced(source: object, target: object) -> None:
        if not threads and Path(str(source)).name.startswith(".building"):
            threads.append(threading.Thread(target=change))
            threads[0].start()
            threads[0].join(0.3)
        replace(source, target)  # type: ignore[arg-type]

    replace = os.replace
    monkeypatch.setattr("broker.storage.registers.os.replace", replaced)
    store.build("u1", rows=30, digest=t.digest, rows_per_pseudonym=1)
    threads[0].join(60)
    assert found(FileRegisterStore(tmp_path, Roots("new"), Entropy()), t)


RUNS = [AnswerRows(b"p" * 4, b"k", b"\x01" * 16, b"w" * 60, b"c" * 32, (b"value",)) for _ in range(3)]


def test_kept_answers_are_written_anew_dated_as_before(tmp_path: Path) -> None:
    roots = Roots("old")
    spool = FileAnswerSpool(tmp_path, roots, Entropy())
    digest = spool.write("a", RUNS)
    spool.write("empty", [])
    (tmp_path / "damaged.answer").write_bytes(b"SLUISAN1" + bytes(60))
    dated = {path.name: path.read_bytes()[8:16] for path in tmp_path.iterdir()}
    roots.hold("new", "old")
    assert list(spool.read("a")) == RUNS
    assert spool.rewrap()
    moved = (tmp_path / "a.answer").read_bytes()
    assert spool.rewrap()
    assert (tmp_path / "a.answer").read_bytes() == moved, "what is moved is left"
    assert {path.name: path.read_bytes()[8:16] for path in tmp_path.iterdir()} == dated
    after = FileAnswerSpool(tmp_path, Roots("new"), Entropy())
    assert (list(after.read("a")), list(after.read("empty"))) == (RUNS, [])
    assert after.write("b", RUNS) == digest
    old = FileAnswerSpool(tmp_path, Roots("old"), Entropy())
    assert code_of(lambda: list(old.read("a"))) is Code.STORE_CORRUPT


def test_an_answer_being_written_under_the_old_key_is_waited_for(tmp_path: Path) -> None:
    roots = Roots("old")
    spool = FileAnswerSpool(tmp_path, roots, Entropy())
    said = []

    def runs():
        yield RUNS[0]
        roots.hold("new", "old")
        said.append(spool.rewrap())

    spool.write("a", runs())
    assert said == [False]
    assert spool.rewrap()
    assert list(FileAnswerSpool(tmp_path, Roots("new"), Entropy()).read("a")) == [RUNS[0]]


def test_an_answer_that_ends_while_the_others_are_moved_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = Roots("old")
    spool = FileAnswerSpool(tmp_path, roots, Entropy())
    go, listed = threading.Event(), threading.Event()
    glob = Path.glob

    def runs():
        yield RUNS[0]
        go.wait(60)

    def listing(path: Path, pattern: str):
        found = list(glob(path, pattern))
        go.set()
        writing.join(60)
        return found

    writing = threading.Thread(target=lambda: spool.write("a", runs()))
    writing.start()
    while not spool._writing:
        listed.wait(0.01)
    roots.hold("new", "old")
    monkeypatch.setattr(Path, "glob", listing)
    assert not spool.rewrap(), "the answer was not among those listed"
    monkeypatch.undo()
    assert spool.rewrap()
    assert list(FileAnswerSpool(tmp_path, Roots("new"), Entropy()).read("a")) == [RUNS[0]]


def kept(log: Log, number: int) -> str:
    return log.sequencer.submit(lambda tx: tx.commit_to("sluis/v1/tokens", b"%d" % number, keep_until=LATER)).value


def test_the_vault_is_moved_a_few_slots_at_a_time(tmp_path: Path) -> None:
    keys = Keys("old")
    log = Log(tmp_path, keys=keys).open()
    names = [
        log.sequencer.submit(lambda tx, n=n: tx.commit_to("sluis/v1/tokens", b"%d" % n, keep_until=LATER)).value
        for n in range(7)
    ]
    keys.hold("new", "old")
    names.append(kept(log, 7))
    at: str | None = ""
    steps = 0
    while at is not None:
        at = log.sequencer.submit(lambda tx, at=at: tx.rewrap(at, 2)).value
        steps += 1
    assert steps >= 4
    log.close()
    keys.hold("new")
    again = Log(tmp_path, keys=keys).open()
    values = [again.reader.opening(name)[1] for name in names]
    assert values == [b"%d" % n for n in range(8)]
    again.close()
    keys.hold("old")
    lost = Log(tmp_path, keys=keys).open()
    assert code_of(lambda: lost.reader.opening(names[0])) is Code.STORE_CORRUPT
    lost.close()


def test_a_damaged_slot_is_left_and_holds_up_nothing(tmp_path: Path) -> None:
    import sqlite3

    keys = Keys("old")
    log = Log(tmp_path, keys=keys).open()
    names = [
        log.sequencer.submit(lambda tx, n=n: tx.commit_to("l", b"%d" % n, keep_until=LATER)).value for n in range(3)
    ]
    log.close()
    (path,) = tmp_path.rglob("*.db")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE vault SET slot_key=zeroblob(60) WHERE commitment=?", (min(names),))
    raw.close()
    keys.hold("new", "old")
    log = Log(tmp_path, keys=keys).open()
    at: str | None = ""
    while at is not None:
        at = log.sequencer.submit(lambda tx, at=at: tx.rewrap(at, 10)).value
    log.close()
    keys.hold("new")
    log = Log(tmp_path, keys=keys).open()
    opened = [name for name in names if name != min(names) and log.reader.opening(name)]
    assert len(opened) == 2
    log.close()
