"""Who received a record: the exchanges whose question holds its pseudonym and whose answer gave a hit for it.

GDPR article 19 asks that every recipient is told of a correction. The broker knows a record by its pseudonym alone,
under one purpose and epoch, and finds it in the questions that the vault still holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broker.answering import stored_runs
from broker.errors import Code, SluisError
from broker.exchange import AnswerStatus, ExchangeState, Question, RowStatus
from broker.matching.records import Positions, positions_of, positions_with
from broker.matching.release import question_of
from broker.notice_ports import RectificationReads
from broker.ports import AnswerSpool

FOUND = frozenset({RowStatus.HIT, RowStatus.AMBIGUOUS})


@dataclass(frozen=True)
class Received:
    """An exchange in which the record was, or may have been, given to its asker."""

    ask_index: int
    asker: str
    positions: tuple[int, ...]
    certain: bool
    """False: the rows of the answer are gone, or not released yet."""


class Search:
    """Looks for one record in questions; each question is opened once, so it can be taken up again."""

    def __init__(self, record: Question, spool: AnswerSpool) -> None:
        self._record = record
        self._spool = spool
        self._seen: dict[int, Received | None] = {}
        self._erased: set[int] = set()

    def look(self, store: RectificationReads, asks: Iterable[int]) -> None:
        """Searches those of `asks` that were not searched before."""
        for index in asks:
            if index not in self._seen and index not in self._erased:
                self._look_at(store, index)

    def found(self, asks: Iterable[int]) -> tuple[Received, ...]:
        """Of `asks`, those in which the record was given."""
        return tuple(one for index in asks if (one := self._seen.get(index)) is not None)

    def unsearched(self, asks: Iterable[int]) -> int:
        """How many of `asks` could not be searched: their questions are erased."""
        return sum(index in self._erased for index in asks)

    def _look_at(self, store: RectificationReads, index: int) -> None:
        state = store.exchange_at(index)
        opening = store.opening(state.tokens) if state is not None else None
        if state is None or opening is None:
            self._erased.add(index)
            return
        positions = positions_of(question_of(opening[1], None), self._record)
        self._seen[index] = self._received(store, state, positions) if len(positions) else None

    def _received(self, store: RectificationReads, state: ExchangeState, positions: Positions) -> Received | None:
        given = released(store, self._spool, state, FOUND)
        if given is not None:
            positions = positions[[position in given for position in positions.tolist()]]
            if not len(positions):
                return None
        return Received(state.ask_index, state.asker, tuple(positions.tolist()), certain=given is not None)


def released(
    store: RectificationReads, spool: AnswerSpool, state: ExchangeState, statuses: frozenset[RowStatus]
) -> frozenset[int] | None:
    """Positions of an answer that have one of `statuses`; None when its rows are gone (after 24 hours) or to come."""
    if state.status is not AnswerStatus.ANSWERED or not {"rows", "spool"} & state.answer.keys():
        return None
    try:
        return frozenset(positions_with(stored_runs(store, spool, state.answer), statuses).tolist())
    except SluisError as error:
        if error.code is Code.ANSWER_GONE:
            return None
        raise
