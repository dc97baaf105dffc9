"""A crash or a failing disk at every durable step: old versions answer, what was acknowledged stays, a retry works."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from register_kit import NAME, AtRest, Entropy, Table, column, publish, table

from broker.errors import Code, SluisError
from broker.storage.registers import FileRegisterStore

STEPS = ("fsync", "replace", "ftruncate", "write")


class Crash(BaseException):
    """The process dies here: no handler for ordinary errors runs."""


class Faults:
    """Breaks the k-th call of the durable system calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException], after: bool) -> None:
        self.left: int | None = None
        for name in STEPS:
            monkeypatch.setattr(os, name, self._broken(getattr(os, name), error, after))

    def _broken(
        self, call: Callable[..., object], error: Callable[[], BaseException], after: bool
    ) -> Callable[..., object]:
        def broken(*arguments: object, **options: object) -> object:
            if self.left is None:
                return call(*arguments, **options)
            self.left -= 1
            if self.left < 0:
                if after:
                    call(*arguments, **options)
                self.left = None
                raise error()
            return call(*arguments, **options)

        return broken


FAILURES = {
    "disk error": (lambda: OSError(5, "Input/output error"), False),
    "crash before": (Crash, False),
    "crash after": (Crash, True),
}


def open_store(root: Path) -> FileRegisterStore:
    return FileRegisterStore(root, AtRest(), Entropy(), unpublished_seconds=0)


def answers(store: FileRegisterStore, t: Table) -> bool:
    snapshot = store.pin(NAME, t.spec.version)
    _, rows = snapshot.lookup(0, column(*(record["pseudonyms"][0] for record in t.records)))
    return rows.tolist() == list(range(len(t.records)))


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_append_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    error, after = FAILURES[failure]
    faults = Faults(monkeypatch, error, after)
    t, step = table(60), 0
    reached = True
    while reached:
        root = tmp_path / f"{step}"
        store = open_store(root)
        store.begin(t.spec)
        acknowledged = store.append("u1", 0, t.chunk(0, 20))
        faults.left = step
        try:
            acknowledged = store.append("u1", 20, t.chunk(20, 40))
            reached = faults.left is None
        except SluisError as raised:
            assert raised.code is Code.STORE_UNAVAILABLE  # noqa: PT017  # raised midway, or not at all
        except Crash:
            store = open_store(root)
        faults.left = None
        committed = store.committed("u1")
        assert committed in (acknowledged, 40)
        assert open_store(root).committed("u1") == committed
        if committed == 20:
            store.append("u1", 20, t.chunk(20, 40))
        store.append("u1", 40, t.chunk(40, 60))
        store.build("u1", rows=60, digest=t.digest, rows_per_pseudonym=1)
        assert answers(store, t)
        step += 1
    assert step > 2


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failing_build_leaves_the_old_version_and_can_be_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    error, after = FAILURES[failure]
    faults = Faults(monkeypatch, error, after)
    old, new, step = table(30), table(40, version=2, upload="u2"), 0
    reached = True
    while reached:
        root = tmp_path / f"{step}"
        store = open_store(root)
        publish(store, old)
        store.begin(new.spec)
        store.append("u2", 0, new.chunk(0, 40))
        faults.left = step
        built = False
        try:
            store.build("u2", rows=40, digest=new.digest, rows_per_pseudonym=1)
            reached, built = faults.left is None, True
        except SluisError as raised:
            assert raised.code is Code.STORE_UNAVAILABLE  # noqa: PT017  # raised midway, or not at all
        except Crash:
            store = open_store(root)
        faults.left = None
        assert answers(store, old)
        assert store.committed("u2") == 40
        if not built:
            store.build("u2", rows=40, digest=new.digest, rows_per_pseudonym=1)
        assert answers(open_store(root), new)
        assert answers(open_store(root), old)
        assert not list(root.rglob(".building*"))
        step += 1
    assert step > 8


def test_a_torn_tail_of_any_length_is_cut(tmp_path: Path) -> None:
    t = table(30)
    store = open_store(tmp_path)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 10))
    spool = next(tmp_path.rglob("rows.spool"))
    first = spool.read_bytes()
    store.append("u1", 10, t.chunk(10, 20))
    second = spool.read_bytes()[len(first) :]
    for length in [*range(1, 40), len(second) // 2, len(second) - 1]:
        spool.write_bytes(first + second[:length])
        assert open_store(tmp_path).committed("u1") == 10
        zeros = bytes(len(second) - length)
        if zeros != second[length:]:  # a last byte that is zero anyway tears nothing off
            spool.write_bytes(first + second[:length] + zeros)
            assert open_store(tmp_path).committed("u1") == 10
    store = open_store(tmp_path)
    store.append("u1", 10, t.chunk(10, 20))
    store.append("u1", 20, t.chunk(20, 30))
    store.build("u1", rows=30, digest=t.digest, rows_per_pseudonym=1)
    assert answers(store, t)


def test_rows_whose_sync_failed_are_not_counted_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may have dropped them and call the next fsync clean."""
    t = table(20)
    store = open_store(tmp_path)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 10))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(SluisError):
            store.append("u1", 10, t.chunk(10, 20))
    assert store.committed("u1") == 10
    assert open_store(tmp_path).committed("u1") == 10


def test_rows_sent_again_meet_a_fresh_key_stream(tmp_path: Path) -> None:
    t = table(10)
    store = open_store(tmp_path)
    store.begin(t.spec)
    seen = set()
    for _ in range(3):
        store.append("u1", 0, t.chunk(0, 10))
        spool = next(tmp_path.rglob("rows.spool"))
        seen.add(spool.read_bytes())
        spool.write_bytes(b"")
    assert len(seen) == 3


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    from broker.storage.durable import sole_use

    t = table(10)
    store = open_store(tmp_path)
    store.begin(t.spec)
    with sole_use(tmp_path / "uploads" / "u1.lock"), pytest.raises(SluisError) as caught:
        open_store(tmp_path).append("u1", 0, t.chunk(0, 10))
    assert caught.value.code is Code.UPLOAD_BUSY
    assert store.append("u1", 0, t.chunk(0, 10)) == 10


def test_two_processes_over_one_spool_see_each_other(tmp_path: Path) -> None:
    t = table(30)
    one, other = open_store(tmp_path), open_store(tmp_path)
    one.begin(t.spec)
    one.append("u1", 0, t.chunk(0, 10))
    other.append("u1", 10, t.chunk(10, 20))
    one.append("u1", 20, t.chunk(20, 30))
    other.build("u1", rows=30, digest=t.digest, rows_per_pseudonym=1)
    with pytest.raises(SluisError) as caught:
        one.append("u1", 30, t.chunk(0, 1))
    assert caught.value.code is Code.UPLOAD_SEALED
    assert answers(one, t)


class Synced:
    """What was made durable, and as what: file sizes, and the names in directories."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state: dict[int, object] = {}
        real = os.fsync

        def fsync(descriptor: int) -> None:
            real(descriptor)
            path = Path(f"/proc/self/fd/{descriptor}").resolve()
            self.state[os.fstat(descriptor).st_ino] = (
                sorted(p.name for p in path.iterdir()) if path.is_dir() else path.stat().st_size
            )

        monkeypatch.setattr(os, "fsync", fsync)

    def covers(self, path: Path) -> bool:
        now: object = sorted(p.name for p in path.iterdir()) if path.is_dir() else path.stat().st_size
        return self.state.get(path.stat().st_ino) == now


def test_all_is_synced_before_it_is_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = Synced(monkeypatch)
    root = tmp_path / "a" / "b"
    t, store = table(40), open_store(root)
    store.begin(t.spec)
    upload = root / "uploads" / "u1"
    assert synced.covers(upload / "spec.json")
    assert synced.covers(upload)
    for start in (0, 20):
        store.append("u1", start, t.chunk(start, start + 20))
        assert synced.covers(upload / "rows.spool")
    store.build("u1", rows=40, digest=t.digest, rows_per_pseudonym=1)
    version = next(root.rglob("version.json")).parent
    assert {path.name for path in version.iterdir()} == {"version.json", "rows.arrow", "index-1.arrow", "key"}
    for path in [*version.iterdir(), version, version.parent, upload, upload / "built"]:
        assert synced.covers(path), path
    assert all(synced.covers(path) for path in (tmp_path / "a", root))


def test_what_a_killed_writer_left_is_synced_before_it_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    t = table(20)
    store = open_store(tmp_path)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 20))
    synced = Synced(monkeypatch)
    assert open_store(tmp_path).committed("u1") == 20
    assert synced.covers(tmp_path / "uploads" / "u1" / "rows.spool")
