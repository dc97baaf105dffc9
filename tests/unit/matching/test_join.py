from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.errors import Code, SluisError
from broker.exchange import Matches, PseudonymColumn, Question, RowStatus
from broker.matching.join import match

HIT, AMBIGUOUS, INVALID = (int(s) for s in (RowStatus.HIT, RowStatus.AMBIGUOUS, RowStatus.INVALID_INPUT))
Row = tuple[bytes | None, ...]


def value(number: int) -> bytes:
    """A pseudonym; numbers below 8 share their first or their second half with others."""
    return (
        bytes([number % 2]) * 8 + bytes([number]) * 8 if number < 4 else bytes([number]) * 8 + bytes([number % 2]) * 8
    )


class DictSnapshot:
    """A register as a list of rows; looks up by comparing bytes."""

    def __init__(self, register: list[Row], keys: int) -> None:
        self.register, self.match_keys, self.rows = register, keys, len(register)

    def lookup(self, match_key: int, pseudonyms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        column = [row[match_key] for row in self.register]
        asked = [p.tobytes() for p in pseudonyms]
        pairs = [(at, row) for at, v in enumerate(asked) for row, held in enumerate(column) if held == v]
        return np.array([p for p, _ in pairs], np.uint32), np.array([r for _, r in pairs], np.int64)


def question_from(rows: list[Row], keys: int) -> Question:
    columns = []
    for key in range(keys):
        values = np.frombuffer(b"".join(row[key] or bytes(16) for row in rows), "V16")
        columns.append(PseudonymColumn(values, np.array([row[key] is not None for row in rows], np.bool_)))
    return Question(tuple(columns))


def lines(matches: Matches) -> list[tuple[int, int, int, int]]:
    return list(
        zip(
            matches.positions.tolist(),
            matches.statuses.tolist(),
            matches.match_keys.tolist(),
            matches.rows.tolist(),
            strict=True,
        )
    )


def expected(rows: list[Row], register: list[Row], keys: int, limit: int) -> list[tuple[int, int, int, int]]:
    """The join by its words in DESIGN section 5, a row at a time; the question may have fewer match keys."""
    if keys == 1:
        return one_key(rows, register, limit)
    return several_keys(rows, register, len(rows[0]) if rows else keys)


def one_key(rows: list[Row], register: list[Row], limit: int) -> list[tuple[int, int, int, int]]:
    out = []
    for at, (asked,) in enumerate(rows):
        found = [row for row, (held,) in enumerate(register) if held == asked and asked is not None]
        if asked is None:
            out.append((at, INVALID, 0, -1))
        elif len(found) > limit:
            out.append((at, AMBIGUOUS, 0, -1))
        else:
            out += [(at, HIT, 1, row) for row in found]
    return out


def several_keys(rows: list[Row], register: list[Row], keys: int) -> list[tuple[int, int, int, int]]:
    asked_times = [Counter(row[key] for row in rows) for key in range(keys)]
    held_rows: list[dict[bytes | None, list[int]]] = [{} for _ in range(keys)]
    for number, row in enumerate(register):
        for key in range(keys):
            held_rows[key].setdefault(row[key], []).append(number)
    links: list[dict[int, int]] = []
    unclear = set()
    for at, row in enumerate(rows):
        links.append({})
        for key, asked in enumerate(row):
            found = held_rows[key].get(asked, []) if asked is not None else []
            if len(found) == 1 and asked_times[key][asked] == 1:
                links[at][key] = found[0]
            elif found:
                unclear.add(at)
    led = Counter(target for linked in links for target in set(linked.values()))
    out = []
    for at, row in enumerate(rows):
        targets = set(links[at].values())
        if all(asked is None for asked in row):
            out.append((at, INVALID, 0, -1))
        elif len(targets) == 1 and led[min(targets)] == 1:
            out.append((at, HIT, min(links[at]) + 1, min(targets)))
        elif targets or at in unclear:
            out.append((at, AMBIGUOUS, 0, -1))
    return out


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, list[Row], list[Row], int]:
    """Few values under many match keys: links that agree, contradict and contend are common."""
    keys = draw(st.one_of(st.integers(1, 4), st.integers(10, 16)))
    used = draw(st.one_of(st.just(keys), st.integers(1, keys)))
    spread = draw(st.integers(2, 60))
    cell = st.one_of(st.none(), st.integers(0, spread).map(value))
    asked, held = st.tuples(*[cell] * used), st.tuples(*[cell] * keys)
    return keys, used, draw(st.lists(asked, max_size=14)), draw(st.lists(held, max_size=14)), draw(st.integers(1, 3))


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(tables())
def test_the_join_is_the_plain_one(drawn: tuple[int, int, list[Row], list[Row], int]) -> None:
    keys, used, rows, register, limit = drawn
    matches = match(question_from(rows, used), DictSnapshot(register, keys), limit)
    assert lines(matches) == expected(rows, register, keys, limit)
    dtypes = (matches.positions.dtype, matches.statuses.dtype, matches.match_keys.dtype, matches.rows.dtype)
    assert dtypes == (np.uint32, np.uint8, np.uint8, np.int64)


A, B, C, D = (value(number) for number in (10, 11, 12, 13))


def joined(rows: list[Row], register: list[Row], limit: int = 1) -> list[tuple[int, int, int, int]]:
    keys = len(register[0])
    return lines(match(question_from(rows, keys), DictSnapshot(register, keys), limit))


def test_repeated_questions_keep_their_positions() -> None:
    assert joined([(A,), (B,), (A,)], [(B,), (A,)]) == [(0, HIT, 1, 1), (1, HIT, 1, 0), (2, HIT, 1, 1)]


def test_several_records_up_to_the_limit_of_the_scheme() -> None:
    register: list[Row] = [(A,), (B,), (A,)]
    assert joined([(A,), (B,)], register, 2) == [(0, HIT, 1, 0), (0, HIT, 1, 2), (1, HIT, 1, 1)]
    assert joined([(A,), (B,)], register, 1) == [(0, AMBIGUOUS, 0, -1), (1, HIT, 1, 1)]


def test_the_strictest_key_names_the_hit_and_missing_keys_fall_through() -> None:
    assert joined([(A, B), (None, D)], [(A, B), (C, D)]) == [(0, HIT, 1, 0), (1, HIT, 2, 1)]


def test_keys_that_lead_to_different_rows_are_ambiguous() -> None:
    assert joined([(A, D)], [(A, B), (C, D)]) == [(0, AMBIGUOUS, 0, -1)]


def test_two_questions_that_lead_to_one_row_are_both_ambiguous() -> None:
    assert joined([(A, None), (None, B)], [(A, B)]) == [(0, AMBIGUOUS, 0, -1), (1, AMBIGUOUS, 0, -1)]


def test_a_value_that_is_not_unique_does_not_count() -> None:
    assert joined([(A, B)], [(A, C), (A, B)]) == [(0, HIT, 2, 1)]
    assert joined([(A, None)], [(A, C), (A, B)]) == [(0, AMBIGUOUS, 0, -1)]
    assert joined([(A, B), (A, C)], [(A, B)]) == [(0, HIT, 2, 0), (1, AMBIGUOUS, 0, -1)]


def test_a_row_without_any_key_is_invalid_and_a_stranger_is_absent() -> None:
    assert joined([(None, None), (D, D)], [(A, B)]) == [(0, INVALID, 0, -1)]


def test_more_match_keys_than_the_register_are_refused() -> None:
    with pytest.raises(SluisError) as caught:
        match(question_from([(A, B)], 2), DictSnapshot([(A,)], 1), 1)
    assert caught.value.code is Code.FIELD_INVALID


def test_a_question_of_fewer_match_keys_asks_by_the_strictest_and_stays_unique_only() -> None:
    """The limit of `weakest_match_key`: one key of a scheme of several never becomes a scheme of one key."""
    register: list[Row] = [(A, B), (A, C), (D, B)]
    matches = match(question_from([(A,), (D,), (D,)], 1), DictSnapshot(register, 2), 5)
    assert lines(matches) == [(0, AMBIGUOUS, 0, -1), (1, AMBIGUOUS, 0, -1), (2, AMBIGUOUS, 0, -1)]
    matches = match(question_from([(D,), (C,)], 1), DictSnapshot(register, 2), 5)
    assert lines(matches) == [(0, HIT, 1, 2)]


def test_twelve_match_keys_hit_by_the_strictest_that_counts_and_any_contradiction_is_ambiguous() -> None:
    held = [tuple(value(20 + 12 * row + key) for key in range(12)) for row in range(3)]
    lone: list[Row] = [tuple(held[row][key] if key == 4 * row + 3 else None for key in range(12)) for row in range(3)]
    assert joined(lone, held) == [(0, HIT, 4, 0), (1, HIT, 8, 1), (2, HIT, 12, 2)]
    torn: list[Row] = [(*held[0][:11], held[1][11])]  # eleven keys say one record, the loosest another
    assert joined(torn, held) == [(0, AMBIGUOUS, 0, -1)]
    held_twice: list[Row] = [held[0], (*[None] * 11, held[0][11])]  # asked twice, so that key 12 does not count
    assert joined(held_twice, held) == [(0, HIT, 1, 0), (1, AMBIGUOUS, 0, -1)]
    rival: list[Row] = [(*held[0][:11], None), (*[None] * 11, held[0][11])]  # two rows are led to one record
    assert joined(rival, held) == [(0, AMBIGUOUS, 0, -1), (1, AMBIGUOUS, 0, -1)]


def test_hits_counts_positions_not_records() -> None:
    keys = 1
    matches = match(question_from([(A,), (None,), (B,)], keys), DictSnapshot([(A,), (A,)], keys), 2)
    assert matches.hits == 1
