"""What lies on disk: nothing bare, nothing that can be altered unseen, nothing others can read."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from register_kit import NAME, AtRest, Entropy, Table, code_of, column, publish, table

from broker.errors import Code, SluisError
from broker.storage import registers
from broker.storage.registers import FileRegisterStore


def open_store(root: Path, **options: float) -> FileRegisterStore:
    return FileRegisterStore(root, AtRest(), Entropy(), unpublished_seconds=options.get("unpublished_seconds", 0))


def all_bytes(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def secrets_of(t: Table) -> list[bytes]:
    found: list[bytes] = []
    for record in t.records:
        found += [p for p, there in zip(record["pseudonyms"], record["present"], strict=True) if there]
        found += [*record["wraps"], record["commitment"], *record["fields"]]
    return [part for secret in found for part in (secret[:8], secret[:8][::-1], secret[-8:])]


def assert_nothing_bare(root: Path, t: Table) -> None:
    files = all_bytes(root)
    assert files
    wanted = set(secrets_of(t))
    for path, data in files.items():
        windows = {data[at : at + 8] for at in range(len(data) - 7)}
        assert not wanted & windows, path.name


def test_nothing_bare_at_rest_while_uploading_and_after(tmp_path: Path) -> None:
    t, store = table(150, keys=2), open_store(tmp_path)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 150))
    assert_nothing_bare(tmp_path, t)
    store.build("u1", rows=150, digest=t.digest, rows_per_pseudonym=1)
    assert_nothing_bare(tmp_path, t)
    assert any(path.name == "rows.arrow" for path in all_bytes(tmp_path))


def test_the_search_for_bare_bytes_can_find_them(tmp_path: Path) -> None:
    t = table(3)
    (tmp_path / "leak").write_bytes(b"xyz" + t.records[2]["fields"][1])
    with pytest.raises(AssertionError, match="leak"):
        assert_nothing_bare(tmp_path, t)


def test_no_row_of_the_digest_lies_bare(tmp_path: Path) -> None:
    t = table(20)
    publish(open_store(tmp_path), t)
    for data in all_bytes(tmp_path).values():
        assert bytes.fromhex(t.digest) not in data
        assert t.digest.encode() not in data


def test_two_versions_of_the_same_rows_share_no_ciphertext(tmp_path: Path) -> None:
    first = table(50)
    second = table(50, version=2, upload="u2")
    second.records = first.records
    store = open_store(tmp_path)
    publish(store, first)
    publish(store, second)
    for file, columns in (("index-1.arrow", ("high", "low")), ("rows.arrow", ("wraps-1", "commitments", "field-beds"))):
        one, other = (pa.ipc.open_file(path).read_all() for path in sorted(tmp_path.rglob(file)))
        for name in columns:
            assert len(one[name]) == 50
            assert not set(one[name].to_pylist()) & set(other[name].to_pylist())


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = open_store(root)
    publish(store, table(5))
    store.pin(NAME, 1)
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (root / "uploads").rglob("*"))


def answers(store: FileRegisterStore, t: Table) -> list[object]:
    """Every record's answer, or the code of the refusal."""
    try:
        snapshot = store.pin(NAME, 1)
        asked = column(*(record["pseudonyms"][0] for record in t.records))
        positions, rows = snapshot.lookup(0, asked)
        sealed = snapshot.fetch(rows, np.ones(len(rows), np.uint8), t.spec.attributes)
    except SluisError as error:
        return [error.code]
    return [positions.tolist(), rows.tolist(), sealed]


def test_one_flipped_byte_is_seen_wherever_it_is(tmp_path: Path) -> None:
    t = table(40)
    publish(open_store(tmp_path), t)
    version = next(tmp_path.rglob("version.json")).parent
    random = np.random.default_rng(4)
    for path in sorted(version.iterdir()):
        good = path.read_bytes()
        for at in {0, len(good) - 1, *random.integers(0, len(good), 60).tolist()}:
            path.write_bytes(good[:at] + bytes([good[at] ^ (1 << int(random.integers(8)))]) + good[at + 1 :])
            assert answers(open_store(tmp_path), t) == [Code.STORE_CORRUPT], (path.name, at)
        path.write_bytes(good[:-1])
        assert answers(open_store(tmp_path), t) == [Code.STORE_CORRUPT]
        path.write_bytes(good)
    assert answers(open_store(tmp_path), t)[1] == list(range(40))


def test_a_missing_file_another_version_and_another_storage_key_are_seen(tmp_path: Path) -> None:
    t = table(10)
    publish(open_store(tmp_path), t)
    version = next(tmp_path.rglob("version.json")).parent
    version.rename(version.with_name("v2"))
    assert code_of(lambda: open_store(tmp_path).pin(NAME, 2)) is Code.STORE_CORRUPT
    version.with_name("v2").rename(version)

    assert code_of(lambda: FileRegisterStore(tmp_path, AtRest("other"), Entropy()).pin(NAME, 1)) is Code.STORE_CORRUPT
    (version / "rows.arrow").unlink()
    assert code_of(lambda: open_store(tmp_path).pin(NAME, 1)) is Code.STORE_CORRUPT


def test_a_flipped_byte_in_a_spool_never_reaches_a_version(tmp_path: Path) -> None:
    t = table(60)
    store = open_store(tmp_path)
    store.begin(t.spec)
    for start in range(0, 60, 20):
        store.append("u1", start, t.chunk(start, start + 20))
    spool = next(tmp_path.rglob("rows.spool"))
    good = spool.read_bytes()
    for at in np.random.default_rng(5).integers(0, len(good), 40).tolist():
        spool.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        fresh = open_store(tmp_path)
        code = code_of(lambda s=fresh: s.build("u1", rows=60, digest=t.digest, rows_per_pseudonym=1))
        assert code in (Code.STORE_CORRUPT, Code.COUNT_WRONG)
        assert code_of(lambda s=fresh: s.pin(NAME, 1)) is Code.NOT_FOUND
    spool.write_bytes(good)
    open_store(tmp_path).build("u1", rows=60, digest=t.digest, rows_per_pseudonym=1)


def test_a_sweep_leaves_what_may_be_about_to_be_published(tmp_path: Path) -> None:
    store = open_store(tmp_path, unpublished_seconds=3600)
    publish(store, table(5))
    assert store.sweep([]) == ()
    store.sweep([(NAME, 1)])
    assert store.sweep([]) == ((NAME, 1),)
    assert not list(tmp_path.rglob("*.arrow"))
    assert code_of(lambda: store.committed("u1")) is Code.NOT_FOUND


def test_a_pinned_version_counts_as_published(tmp_path: Path) -> None:
    store = open_store(tmp_path, unpublished_seconds=3600)
    publish(store, table(5))
    store.pin(NAME, 1).close()
    assert store.sweep([]) == ((NAME, 1),)
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND


def test_a_sweep_while_a_version_is_opened_leaves_no_trace_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    t, store = table(5), open_store(tmp_path)
    publish(store, t)
    real = registers.OpenVersion

    def swept_meanwhile(*arguments: object) -> object:
        opened = real(*arguments)
        assert open_store(tmp_path).sweep([]) == ((NAME, 1),)
        return opened

    monkeypatch.setattr(registers, "OpenVersion", swept_meanwhile)
    assert store.pin(NAME, 1).lookup(0, column(t.records[4]["pseudonyms"][0]))[1].tolist() == [4]
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_sweep_finishes_what_a_crash_left(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    publish(store, table(5))
    version = next(tmp_path.rglob("version.json")).parent
    version.rename(version.with_name(".dropped-0011"))
    assert open_store(tmp_path).sweep([]) == ()
    assert not list(tmp_path.rglob("*.arrow"))
