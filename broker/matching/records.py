"""One record by its pseudonyms: cut from a question, found in a question, found in an answer. Pure columns.

A record is held as a question of one row: its tokens value (docs/formats.md section 1) is what is committed to.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from broker.exchange import AnswerRows, PseudonymColumn, Question, RowStatus
from broker.matching.columns import halves

Positions = npt.NDArray[np.intp]


def row_of(question: Question, position: int) -> Question:
    """The row at `position` (from 0) as a question of its own. The caller has checked that there is one."""
    cut = slice(position, position + 1)
    return Question(tuple(PseudonymColumn(one.pseudonyms[cut], one.present[cut]) for one in question.columns))


def positions_of(question: Question, record: Question) -> Positions:
    """Positions in `question` at which any match key has the pseudonym that the one row of `record` has there.

    Match keys that only one of the two has are not compared.
    """
    found = np.zeros(question.rows, np.bool_)
    for asked, wanted in zip(question.columns, record.columns, strict=False):
        if wanted.present[0]:
            (high,), (low,) = halves(wanted.pseudonyms)
            highs, lows = halves(asked.pseudonyms)
            found |= asked.present & (highs == high) & (lows == low)
    return np.flatnonzero(found)


def same_record(one: Question, other: Question) -> bool:
    """Whether two records share a pseudonym under a match key."""
    return bool(len(positions_of(one, other)))


def positions_with(runs: Iterable[AnswerRows], statuses: frozenset[RowStatus]) -> Positions:
    """Positions of an answer's rows that have one of `statuses`, ascending, each once."""
    wanted = np.asarray(sorted(statuses), np.uint8)
    parts = [
        np.frombuffer(run.positions, "<u4")[np.isin(np.frombuffer(run.statuses, np.uint8), wanted)] for run in runs
    ]
    return np.unique(np.concatenate(parts)).astype(np.intp) if parts else np.empty(0, np.intp)
