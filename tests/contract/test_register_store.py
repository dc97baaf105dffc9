"""One suite for every register store: the file store, and a reference of dicts and lists."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from register_kit import NAME, AtRest, Entropy, MemoryRegisterStore, code_of, column, publish, table

from broker.errors import Code
from broker.exchange import RegisterChunk, UploadSpec
from broker.register_ports import RegisterStore
from broker.storage.registers import FileRegisterStore


@pytest.fixture(params=["files", "files-one-open", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RegisterStore:
    if request.param == "memory":
        return MemoryRegisterStore()
    opened = 1 if request.param == "files-one-open" else 8
    return FileRegisterStore(tmp_path, AtRest(), Entropy(), open_versions=opened, unpublished_seconds=0)


@pytest.mark.parametrize("keys", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, 9, 100])
def test_every_record_is_found_under_every_key_and_gives_its_own_bytes(
    store: RegisterStore, rows: int, keys: int
) -> None:
    t = table(rows, keys=keys)
    publish(store, t)
    snapshot = store.pin(NAME, 1)
    assert (snapshot.rows, snapshot.match_keys) == (rows, keys)
    for key in range(keys):
        asked = [row for row in range(rows) if t.records[row]["present"][key]]
        positions, found = snapshot.lookup(key, column(*(t.records[row]["pseudonyms"][key] for row in asked)))
        assert (positions.dtype, found.dtype) == (np.uint32, np.int64)
        assert positions.tolist() == list(range(len(asked)))
        assert found.tolist() == asked
        under = np.full(len(asked), key + 1, np.uint8)
        wraps, commitments, fields = snapshot.fetch(found, under, ("status", "beds"))
        assert wraps == b"".join(t.records[row]["wraps"][key] for row in asked)
        assert commitments == b"".join(t.records[row]["commitment"] for row in asked)
        assert fields[0] == b"".join(t.records[row]["fields"][1] for row in asked)
        assert fields[1] == b"".join(t.records[row]["fields"][0] for row in asked)


def test_repeats_in_the_question_and_in_the_register_give_every_pair_in_order(store: RegisterStore) -> None:
    t = table(20)
    for row in (3, 11, 19):
        t.records[row]["pseudonyms"] = t.records[0]["pseudonyms"]
    publish(store, t, limit=4)
    many, one, none = t.records[0]["pseudonyms"][0], t.records[5]["pseudonyms"][0], os.urandom(16)
    positions, rows = store.pin(NAME, 1).lookup(0, column(one, many, none, many, one))
    assert list(zip(positions.tolist(), rows.tolist(), strict=True)) == [
        (0, 5), (1, 0), (1, 3), (1, 11), (1, 19), (3, 0), (3, 3), (3, 11), (3, 19), (4, 5),
    ]  # fmt: skip


def test_fetch_gives_zeros_for_no_row_and_mixes_match_keys(store: RegisterStore) -> None:
    t = table(10, keys=2)
    publish(store, t)
    rows, keys = np.array([4, -1, 9, 4]), np.array([2, 0, 1, 1], np.uint8)
    wraps, commitments, (beds,) = store.pin(NAME, 1).fetch(rows, keys, ("beds",))
    record = t.records
    assert wraps == record[4]["wraps"][1] + bytes(60) + record[9]["wraps"][0] + record[4]["wraps"][0]
    assert commitments == record[4]["commitment"] + bytes(32) + record[9]["commitment"] + record[4]["commitment"]
    assert beds == record[4]["fields"][0] + bytes(21) + record[9]["fields"][0] + record[4]["fields"][0]


def test_fetch_gives_only_what_is_asked(store: RegisterStore) -> None:
    publish(store, table(5))
    snapshot = store.pin(NAME, 1)
    rows, keys = np.array([1]), np.array([1], np.uint8)
    assert snapshot.fetch(rows, keys, ()) == (b"", b"", ())
    assert code_of(lambda: snapshot.fetch(rows, keys, ("owner",))) is Code.FIELD_INVALID


def test_a_register_without_attributes(store: RegisterStore) -> None:
    t = table(30, attributes=())
    publish(store, t)
    positions, rows = store.pin(NAME, 1).lookup(0, column(t.records[29]["pseudonyms"][0]))
    assert (positions.tolist(), rows.tolist()) == ([0], [29])


def test_an_absent_match_key_is_never_found(store: RegisterStore) -> None:
    t = table(40, keys=2)
    publish(store, t)
    positions, _ = store.pin(NAME, 1).lookup(1, column(bytes(16)))
    assert not len(positions)


def test_offsets_must_continue_what_is_committed(store: RegisterStore) -> None:
    t = table(10)
    store.begin(t.spec)
    assert store.append("u1", 0, t.chunk(0, 4)) == 4
    assert code_of(lambda: store.append("u1", 0, t.chunk(0, 4))) is Code.OFFSET_WRONG
    assert code_of(lambda: store.append("u1", 5, t.chunk(5, 9))) is Code.OFFSET_WRONG
    assert store.committed("u1") == 4
    assert store.append("u1", 4, t.chunk(4, 10)) == 10


def test_begin_is_idempotent_for_the_same_shape_only(store: RegisterStore) -> None:
    t = table(10)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 4))
    store.begin(t.spec)
    assert store.committed("u1") == 4
    other = UploadSpec("u1", NAME, 2, 1, t.spec.attributes, t.spec.widths)
    assert code_of(lambda: store.begin(other)) is Code.REQUEST_ID_REUSED


def test_unknown_uploads_and_versions_are_not_found(store: RegisterStore) -> None:
    t = table(3)
    assert code_of(lambda: store.committed("u1")) is Code.NOT_FOUND
    assert code_of(lambda: store.append("u1", 0, t.chunk(0, 3))) is Code.NOT_FOUND
    assert code_of(lambda: store.build("u1", rows=3, digest=t.digest, rows_per_pseudonym=1)) is Code.NOT_FOUND
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    store.discard("u1")


def test_a_chunk_of_another_shape_is_refused_and_changes_nothing(store: RegisterStore) -> None:
    t = table(6)
    store.begin(t.spec)
    chunk = t.chunk(0, 6)
    assert code_of(lambda: store.append("u1", 0, RegisterChunk(chunk.columns))) is Code.LENGTH_WRONG
    assert store.committed("u1") == 0


def test_wrong_count_and_wrong_digest_build_nothing_and_can_be_mended(store: RegisterStore) -> None:
    t = table(10)
    store.begin(t.spec)
    store.append("u1", 0, t.chunk(0, 9))
    assert code_of(lambda: store.build("u1", rows=10, digest=t.digest, rows_per_pseudonym=1)) is Code.COUNT_WRONG
    assert code_of(lambda: store.build("u1", rows=9, digest=t.digest, rows_per_pseudonym=1)) is Code.DIGEST_WRONG
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    store.append("u1", 9, t.chunk(9, 10))
    store.build("u1", rows=10, digest=t.digest, rows_per_pseudonym=1)
    assert store.pin(NAME, 1).rows == 10


def test_too_many_rows_of_one_pseudonym(store: RegisterStore) -> None:
    t = table(10)
    for row in (2, 7):
        t.records[row]["pseudonyms"] = t.records[0]["pseudonyms"]
    assert code_of(lambda: publish(store, t, limit=2)) is Code.TOO_MANY_PER_PSEUDONYM
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    store.build("u1", rows=10, digest=t.digest, rows_per_pseudonym=3)
    assert store.pin(NAME, 1).rows == 10


def test_with_several_match_keys_repeats_are_allowed(store: RegisterStore) -> None:
    t = table(10, keys=2)
    shared = os.urandom(16)
    for row in (2, 7):
        t.records[row]["pseudonyms"][1], t.records[row]["present"][1] = shared, True
    publish(store, t)
    assert store.pin(NAME, 1).lookup(1, column(shared))[1].tolist() == [2, 7]


def test_build_is_idempotent_and_seals_the_upload(store: RegisterStore) -> None:
    t = table(10)
    publish(store, t)
    store.build("u1", rows=10, digest=t.digest, rows_per_pseudonym=1)
    assert store.committed("u1") == 10
    assert code_of(lambda: store.append("u1", 10, t.chunk(0, 1))) is Code.UPLOAD_SEALED
    assert code_of(lambda: store.build("u1", rows=10, digest="0" * 64, rows_per_pseudonym=1)) is Code.DIGEST_WRONG
    assert code_of(lambda: store.build("u1", rows=9, digest=t.digest, rows_per_pseudonym=1)) is Code.COUNT_WRONG


def test_versions_stand_beside_each_other_until_swept(store: RegisterStore) -> None:
    first, second = table(10), table(12, version=2, upload="u2")
    publish(store, first)
    before = store.pin(NAME, 1)
    publish(store, second)
    asked = column(first.records[3]["pseudonyms"][0], second.records[3]["pseudonyms"][0])
    assert before.lookup(0, asked)[0].tolist() == [0]
    assert store.pin(NAME, 2).lookup(0, asked)[0].tolist() == [1]
    assert store.sweep([(NAME, 2)]) == ((NAME, 1),)
    assert store.sweep([(NAME, 2)]) == ()
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    assert before.lookup(0, asked)[0].tolist() == [0]
    assert before.fetch(np.array([3]), np.array([1], np.uint8), ("beds",))[2] == (first.records[3]["fields"][0],)
    before.close()
    before.close()
    assert store.pin(NAME, 2).rows == 12


def test_discard_drops_the_upload_and_what_was_built(store: RegisterStore) -> None:
    t = table(5)
    publish(store, t)
    store.discard("u1")
    assert code_of(lambda: store.pin(NAME, 1)) is Code.NOT_FOUND
    assert code_of(lambda: store.committed("u1")) is Code.NOT_FOUND
    publish(store, t)
    assert store.pin(NAME, 1).rows == 5


def test_names_of_any_text_keep_apart(store: RegisterStore) -> None:
    names = ["a/b", "a=2fb", "A/b", "../../etc", ".", "a//b", "é", "a" * 60 + "/b"]
    for number, name in enumerate(names):
        t = table(number + 1, upload=f"../{name}")
        t.spec = UploadSpec(t.spec.upload, name, 1, 1, t.spec.attributes, t.spec.widths)
        publish(store, t)
    assert [store.pin(name, 1).rows for name in names] == list(range(1, len(names) + 1))
    assert store.sweep([(name, 1) for name in names[1:]]) == (("a/b", 1),)
