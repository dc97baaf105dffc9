"""The join: a question against a pinned register, as positions and rows. Pure columns, no loop over rows.

One match key: a position gets every register row of its value, up to what the catalogue allows per pseudonym.
Several match keys: only values that are unique on both sides count, and a hit must be without rival (DESIGN section 5).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from broker.errors import Code, SluisError
from broker.exchange import Matches, PseudonymColumn, Question, RowStatus
from broker.matching.columns import groups
from broker.register_ports import Snapshot

MAX_ROWS = 2**32 - 1

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]


def match(question: Question, snapshot: Snapshot, rows_per_pseudonym: int) -> Matches:
    """What each position found, ordered by position, then register row; a position left out found nothing.

    One match key: HIT once per register row of the value (repeated questions keep their positions); AMBIGUOUS when the
    register holds more than `rows_per_pseudonym` of it. Several match keys: a value counts when it occurs once in the
    register column and once in the question; a position is HIT when the counting keys lead to one register row and no
    other position is led to that row; AMBIGUOUS when they lead elsewhere too, or when only values that are not unique
    were found. The strictest key names the hit. A row without any match key is INVALID_INPUT. The register's number of
    match keys decides which of the two it is: a question of fewer (`weakest_match_key`) asks by the strictest ones.

    Raises FIELD_INVALID when the question has more match keys than the register, or none.
    """
    if not 1 <= len(question.columns) <= snapshot.match_keys:
        raise SluisError(
            Code.FIELD_INVALID,
            f"match_keys: the register has {snapshot.match_keys} match keys and the question {len(question.columns)}",
        )
    if question.rows > MAX_ROWS:
        raise SluisError(Code.TOO_LARGE, f"a question has at most {MAX_ROWS} rows")
    if snapshot.match_keys == 1:
        return _one_key(question.columns[0], snapshot, rows_per_pseudonym)
    return _several_keys(question, snapshot)


def _one_key(column: PseudonymColumn, snapshot: Snapshot, limit: int) -> Matches:
    asked = None if column.present.all() else np.flatnonzero(column.present)
    positions, rows = snapshot.lookup(0, column.pseudonyms if asked is None else column.pseudonyms[asked])
    if asked is not None:
        positions = asked[positions].astype(np.uint32)
    ambiguous = np.empty(0, np.uint32)
    if len(positions) > limit and np.any(positions[limit:] == positions[:-limit]):
        firsts = np.flatnonzero(np.r_[True, positions[1:] != positions[:-1]])
        spans = np.diff(np.r_[firsts, len(positions)])
        ambiguous = positions[firsts[spans > limit]]
        single = np.repeat(spans <= limit, spans)
        positions, rows = positions[single], rows[single]
    invalid = np.flatnonzero(~column.present).astype(np.uint32)
    return _matches(positions, rows, np.ones(len(positions), np.uint8), ambiguous, invalid)


def _several_keys(question: Question, snapshot: Snapshot) -> Matches:
    size = question.rows
    target = np.full(size, -1, np.int64)
    decided = np.zeros(size, np.uint8)
    doubtful = np.zeros(size, np.bool_)
    link_positions: list[I64] = []
    link_rows: list[I64] = []
    for number, column in enumerate(question.columns, start=1):
        linked, rows, unclear = _counting(column, snapshot, number - 1)
        doubtful[unclear] = True
        fresh = target[linked] < 0
        target[linked[fresh]], decided[linked[fresh]] = rows[fresh], number
        link_positions.append(linked)
        link_rows.append(rows)
    positions, rows = np.concatenate(link_positions), np.concatenate(link_rows)
    astray = np.zeros(size, np.bool_)
    astray[positions[rows != target[positions]]] = True
    astray[_rivals(positions, rows)] = True
    hit = (target >= 0) & ~astray
    ambiguous = astray | (doubtful & (target < 0))
    present = np.logical_or.reduce([column.present for column in question.columns])
    return _matches(
        np.flatnonzero(hit).astype(np.uint32),
        target[hit],
        decided[hit],
        np.flatnonzero(ambiguous).astype(np.uint32),
        np.flatnonzero(~present).astype(np.uint32),
    )


def _counting(column: PseudonymColumn, snapshot: Snapshot, key: int) -> tuple[I64, I64, I64]:
    """One key's links (position, row) by values unique on both sides, and positions of values found but not unique."""
    asked = np.flatnonzero(column.present)
    values = column.pseudonyms[asked]
    order, first = groups(values)
    starts = np.flatnonzero(first)
    repeats = np.diff(np.r_[starts, len(order)])
    found, rows = snapshot.lookup(key, values[order[starts]])
    times = np.bincount(found, minlength=len(starts))
    row_of = np.empty(len(starts), np.int64)
    row_of[found] = rows
    counts = np.flatnonzero((times == 1) & (repeats == 1))
    unclear = np.repeat((times > 1) | ((times == 1) & (repeats > 1)), repeats)
    return asked[order[starts[counts]]], row_of[counts], asked[order[unclear]]


def _rivals(positions: I64, rows: I64) -> I64:
    """Positions led to a register row to which another position is led too."""
    order = np.lexsort((positions, rows))
    rows, positions = rows[order], positions[order]
    same_row = np.r_[rows[1:] == rows[:-1], False] if len(rows) else np.empty(0, np.bool_)
    starts = np.flatnonzero(np.r_[True, ~same_row[:-1]]) if len(rows) else np.empty(0, np.intp)
    if not len(starts):
        return np.empty(0, np.int64)
    lowest, highest = np.minimum.reduceat(positions, starts), np.maximum.reduceat(positions, starts)
    contested = np.repeat(lowest != highest, np.diff(np.r_[starts, len(rows)]))
    led: I64 = positions[contested]
    return led


def _matches(hits: U32, rows: I64, keys: npt.NDArray[np.uint8], ambiguous: U32, invalid: U32) -> Matches:
    statuses = np.full(len(hits), RowStatus.HIT, np.uint8)
    if not len(ambiguous) and not len(invalid):
        return Matches(hits, statuses, keys, rows)
    others = len(ambiguous) + len(invalid)
    positions = np.concatenate([hits, ambiguous, invalid])
    order = np.argsort(positions, kind="stable")  # hits come ordered by row within a position
    unclear = np.full(len(ambiguous), RowStatus.AMBIGUOUS, np.uint8)
    empty = np.full(len(invalid), RowStatus.INVALID_INPUT, np.uint8)
    return Matches(
        positions[order],
        np.concatenate([statuses, unclear, empty])[order],
        np.concatenate([keys, np.zeros(others, np.uint8)])[order],
        np.concatenate([rows, np.full(others, -1, np.int64)])[order],
    )
