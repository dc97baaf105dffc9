from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from register_kit import MemorySnapshot, column, table

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import AnswerRows, AnswerStatus, Matches, PseudonymColumn, Question, RowStatus
from broker.matching.release import (
    answer_runs,
    band_label,
    count_distance,
    question_of,
    release_count,
    result_value,
    rows_digest,
    tokens_value,
)

cells = st.one_of(st.none(), st.integers(0, 30).map(lambda n: hashlib.sha256(b"%d" % n).digest()[:16]))


def question_from(*columns: list[bytes | None]) -> Question:
    made = []
    for values in columns:
        present = np.array([v is not None for v in values], np.bool_)
        made.append(PseudonymColumn(column(*(v or bytes(16) for v in values)), present))
    return Question(tuple(made))


def value(number: int) -> bytes:
    return hashlib.sha256(b"v%d" % number).digest()[:16]


def hits(positions: list[int], rows: list[int] | None = None, keys: list[int] | None = None) -> Matches:
    size = len(positions)
    return Matches(
        np.array(positions, np.uint32),
        np.full(size, RowStatus.HIT, np.uint8),
        np.array(keys or [1] * size, np.uint8),
        np.array(rows or list(range(size)), np.int64),
    )


def count_of(values: list[bytes | None], found: list[int], k: int, bands: tuple[int, ...] = ()) -> tuple[object, ...]:
    released = release_count(hits(found), question_from(values), min_group=k, bands=bands)
    return released.status, released.count, released.band


ASKED = [value(number) for number in range(20)]


@pytest.mark.parametrize(("found", "told"), [(0, False), (4, False), (5, True), (15, True), (16, False), (20, False)])
def test_small_groups_and_near_wholes_are_withheld(found: int, told: bool) -> None:
    status = AnswerStatus.ANSWERED if told else AnswerStatus.WITHHELD
    assert count_of(ASKED, list(range(found)), 5) == (status, found if told else None, "")


def test_repeating_a_subject_makes_neither_group_larger() -> None:
    repeated = [value(0)] * 10 + [value(n) for n in range(1, 12)]
    assert count_of(repeated, list(range(10)), 5)[0] is AnswerStatus.WITHHELD
    padded = [*ASKED[:6], *[value(99)] * 50]
    assert count_of(padded, list(range(6)), 5)[0] is AnswerStatus.WITHHELD  # 6 of 7 subjects, not of 56


def test_several_records_of_one_subject_count_once() -> None:
    assert count_of(ASKED, [0, 0, 0, 1, 1], 1) == (AnswerStatus.ANSWERED, 2, "")


def test_only_hits_count() -> None:
    matches = hits([0, 1, 2])
    matches.statuses[1] = RowStatus.AMBIGUOUS
    assert release_count(matches, question_from(ASKED), min_group=1).count == 2


def test_with_bands_only_the_band_leaves() -> None:
    assert count_of(ASKED, list(range(12)), 5, (10, 50)) == (AnswerStatus.ANSWERED, None, "10-49")
    assert count_of(ASKED, list(range(3)), 5, (10, 50)) == (AnswerStatus.WITHHELD, None, "")
    assert count_of(ASKED, [], 1, (10, 50)) == (AnswerStatus.ANSWERED, None, "0-9")


@pytest.mark.parametrize(
    ("count", "bands", "label"),
    [(0, (10, 50), "0-9"), (9, (10, 50), "0-9"), (10, (10, 50), "10-49"), (50, (10, 50), "50+"), (10**9, (10,), "10+"),
     (0, (1, 5), "0"), (4, (0, 5), "0-4"), (5, (5, 6), "5")],
)  # fmt: skip
def test_band_labels(count: int, bands: tuple[int, ...], label: str) -> None:
    assert band_label(count, bands) == label


def test_the_distance_is_to_the_nearest_earlier_question() -> None:
    now = question_from(ASKED)
    earlier = [ASKED[:10], [*ASKED[1:], value(77)], [value(500)]]
    values = [tokens_value(question_from(values)) for values in earlier]
    assert [count_distance(now, [v]) for v in values] == [10, 2, 21]
    assert count_distance(now, values) == 2
    assert count_distance(now, [tokens_value(question_from(ASKED[::-1] * 2))]) == 0
    assert count_distance(now, []) is None


def test_the_distance_sees_rows_by_their_strictest_key() -> None:
    now = question_from([value(1), None, None], [value(9), value(2), None])
    same = question_from([None, value(1)], [value(2), value(8)])
    assert count_distance(now, [tokens_value(same)]) == 0


@given(st.lists(cells, max_size=25), st.lists(cells, max_size=25))
def test_the_distance_is_the_symmetric_difference(one: list[bytes | None], other: list[bytes | None]) -> None:
    distance = count_distance(question_from(one), [tokens_value(question_from(other))])
    assert distance == len((set(one) - {None}) ^ (set(other) - {None}))


@given(
    st.integers(1, 3).flatmap(lambda keys: st.lists(st.tuples(*[cells] * keys), max_size=20).map(lambda r: (keys, r)))
)
def test_tokens_value_is_the_format_and_goes_back(drawn: tuple[int, list[tuple[bytes | None, ...]]]) -> None:
    keys, rows = drawn
    question = question_from(*([row[key] for row in rows] for key in range(keys)))
    parts = []
    for key in range(keys):
        bits = bytearray((len(rows) + 7) // 8)
        for at, row in enumerate(rows):
            bits[at // 8] |= (row[key] is not None) << (at % 8)
        parts += [bytes(bits), b"".join(row[key] or bytes(16) for row in rows)]
    written = tokens_value(question)
    assert written == encode(*parts)
    back = question_of(written, keys)
    assert tokens_value(back) == written
    for ours, theirs in zip(question.columns, back.columns, strict=True):
        assert (ours.present == theirs.present).all()
        assert ours.pseudonyms.tobytes() == theirs.pseudonyms.tobytes()


def test_what_an_absent_row_holds_is_not_written() -> None:
    dirty = Question((PseudonymColumn(column(value(1), value(2)), np.array([True, False])),))
    assert tokens_value(dirty) == encode(b"\x01", value(1) + bytes(16))


@pytest.mark.parametrize(
    ("data", "keys", "code"),
    [
        (b"", 1, Code.LENGTH_WRONG),
        (encode(b"\x01"), 1, Code.LENGTH_WRONG),
        (encode(b"\x01", bytes(16)), 2, Code.LENGTH_WRONG),
        (encode(b"\x01", bytes(15)), 1, Code.LENGTH_WRONG),
        (encode(b"\x01\x00", bytes(16)), 1, Code.LENGTH_WRONG),
        (encode(b"\x01", value(1))[:-1], 1, Code.LENGTH_WRONG),
        (encode(b"\x01", value(1), b"\x01", value(1) * 2), 2, Code.LENGTH_WRONG),
        (encode(b"\x03", value(1)), 1, Code.FIELD_INVALID),
        (encode(b"\x00", value(1)), 1, Code.FIELD_INVALID),
        (encode(b"\x01", value(1)) + b"\x00", 1, Code.LENGTH_WRONG),
    ],
)
def test_bytes_that_are_no_tokens_value(data: bytes, keys: int, code: Code) -> None:
    with pytest.raises(SluisError) as caught:
        question_of(data, keys)
    assert caught.value.code is code


def test_answer_runs_hold_granted_fields_in_order() -> None:
    t = table(50)
    snapshot = MemorySnapshot(t.spec, t.records)
    matches = hits([0, 3, 3, 7, 9], [4, 8, 2, 0, 49])
    for run in (1, 2, 8192):
        runs = list(answer_runs(matches, snapshot, ("status",), run=run))
        assert [len(part.statuses) for part in runs] == ([1] * 5 if run == 1 else [2, 2, 1] if run == 2 else [5])
        assert b"".join(part.positions for part in runs) == np.array([0, 3, 3, 7, 9], "<u4").tobytes()
        assert b"".join(part.wraps for part in runs) == b"".join(t.records[row]["wraps"][0] for row in (4, 8, 2, 0, 49))
        commitments = b"".join(t.records[row]["commitment"] for row in (4, 8, 2, 0, 49))
        assert b"".join(part.commitments for part in runs) == commitments
        status = b"".join(t.records[row]["fields"][1] for row in (4, 8, 2, 0, 49))
        assert [len(part.fields) for part in runs] == [1] * len(runs)
        assert b"".join(part.fields[0] for part in runs) == status


def test_many_runs_cross_the_blocks_that_are_fetched_at_once() -> None:
    t = table(40)
    rows = [n % 40 for n in range(100)]
    runs = list(answer_runs(hits(list(range(100)), rows), MemorySnapshot(t.spec, t.records), ("beds",), run=3))
    assert len(runs) == 34  # four blocks of 24 rows, 8 runs each, and 4 rows left
    assert b"".join(run.fields[0] for run in runs) == b"".join(t.records[row]["fields"][0] for row in rows)


def test_without_attributes_a_position_is_answered_once() -> None:
    matches = hits([0, 3, 3, 7], [4, 8, 9, 0])
    (run,) = answer_runs(matches, MemorySnapshot(table(10).spec, []), ())
    assert run == AnswerRows(np.array([0, 3, 7], "<u4").tobytes(), b"\x01" * 3, b"\x01" * 3)
    assert not list(answer_runs(hits([]), MemorySnapshot(table(1).spec, []), ("beds",)))
    assert not list(answer_runs(hits([]), MemorySnapshot(table(1).spec, []), ()))


def test_rows_digest_and_result_value_are_the_format() -> None:
    runs = [AnswerRows(b"p", b"s", b"k", b"w", b"c", (b"f", b"g")), AnswerRows(b"p", b"s", b"k")]
    parts = [encode(b"p", b"s", b"k", b"w", b"c", b"f", b"g"), encode(b"p", b"s", b"k", b"", b"")]
    assert rows_digest(runs) == hashlib.sha256(b"".join(parts)).hexdigest()
    value_bytes = result_value(hits=3, count=None, band=None, rows="ab")
    assert value_bytes == b'{"band":null,"count":null,"hits":3,"rows":"ab"}'
    assert json.loads(result_value(hits=0, count=7, band="5-9", rows=None)) == {
        "band": "5-9", "count": 7, "hits": 0, "rows": None,
    }  # fmt: skip


def test_nothing_here_prints_a_count() -> None:
    released = release_count(hits(list(range(7))), question_from(ASKED), min_group=5)
    assert "7" not in repr(released)
