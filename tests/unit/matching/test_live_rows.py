"""The rows of a live answer give the join what the whole register would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_join import DictSnapshot, Row, lines, question_from, value

from broker.exchange import AnswerRows, PseudonymColumn, RegisterChunk
from broker.matching.join import match
from broker.matching.live_rows import LiveRows, all_asked, rows_value
from broker.matching.release import answer_runs

ATTRIBUTES = ("beds", "status")


def chunk_of(register: list[Row], keys: int) -> RegisterChunk | None:
    """The rows with wraps, commitments and fields that say whose they are."""
    if not register:
        return None
    columns = []
    for key in range(keys):
        values = np.frombuffer(b"".join(row[key] or bytes(16) for row in register), "V16")
        columns.append(PseudonymColumn(values, np.array([row[key] is not None for row in register], np.bool_)))
    names = range(len(register))
    wraps = tuple(b"".join(bytes([row, key]) * 30 for row in names) for key in range(1, keys + 1))
    fields = tuple(b"".join(bytes([row, at]) * width for row in names) for at, width in ((1, 10), (2, 11)))
    return RegisterChunk(tuple(columns), wraps, b"".join(bytes([row]) * 32 for row in names), fields)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Row], list[Row], int]:
    keys = draw(st.integers(1, 3))
    cell = st.one_of(st.none(), st.integers(0, 9).map(value))
    row = st.tuples(*[cell] * keys)
    return draw(st.lists(row, min_size=1, max_size=8)), draw(st.lists(row, max_size=8)), keys


@settings(deadline=None)
@given(cases())
def test_only_the_rows_asked_for_are_needed(case: tuple[list[Row], list[Row], int]) -> None:
    """Of several match keys too: what is unique, ambiguous or rival among all rows is so among those asked for."""
    rows, register, keys = case
    question = question_from(rows, keys)
    asked = [{row[key] for row in rows if row[key] is not None} for key in range(keys)]
    kept = [at for at, row in enumerate(register) if any(row[key] in asked[key] for key in range(keys))]
    whole = lines(match(question, DictSnapshot(register, keys), 2))
    chunk = chunk_of([register[at] for at in kept], keys)
    few = lines(match(question, LiveRows(chunk, keys, ATTRIBUTES), 2))
    assert [(*line[:3], kept[line[3]] if line[3] >= 0 else -1) for line in few] == whole
    assert chunk is None or all_asked(chunk, question)
    if len(kept) < len(register) and any(any(row) for at, row in enumerate(register) if at not in kept):
        more = chunk_of(register, keys)
        assert more is not None
        assert not all_asked(more, question)


def test_what_leaves_is_the_hits_own_and_only_what_was_asked() -> None:
    register: list[Row] = [(value(1), value(5)), (value(2), value(6))]
    question = question_from([(None, value(6)), (value(9), None)], 2)
    rows = LiveRows(chunk_of(register, 2), 2, ATTRIBUTES)
    (run,) = answer_runs(match(question, rows, 1), rows, ("status",))
    expected = AnswerRows(
        b"\0\0\0\0", b"\1", b"\2", bytes([1, 2]) * 30, bytes([1]) * 32, (bytes([1, 2]) * 11,)
    )  # row 1, by match key 2
    assert run == expected
    (bare,) = answer_runs(match(question, rows, 1), rows, ())
    assert (bare.wraps, bare.commitments, bare.fields) == (b"", b"", ())


@pytest.mark.parametrize("part", ["columns", "wraps", "commitments", "fields"])
def test_the_commitment_is_over_everything(part: str) -> None:
    chunk, other = chunk_of([(value(1),)], 1), chunk_of([(value(2),), (value(3),)], 1)
    assert chunk is not None
    assert other is not None
    changed = RegisterChunk(**{**vars(chunk), part: getattr(other, part)})
    assert len({rows_value(chunk), rows_value(changed), rows_value(None)}) == 3
