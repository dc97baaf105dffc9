"""The mark on later answers: hits whose record somebody disputes, and since when (docs/formats.md, Rectification).

Only hits are marked: to say of a row that found nothing that it is disputed would tell that there was something.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from broker.canonical import canonical_json, encode
from broker.exchange import NO_MARKS, AnswerRows, DisputedRecord, Marks, Question, RowStatus
from broker.matching.records import positions_of, positions_with
from broker.matching.release import question_of
from broker.notice_ports import RectificationReads

_HIT = frozenset({RowStatus.HIT})


class Marking:
    """Finds the disputed hits of one answer. Looking before the release keeps the work out of the log's transaction."""

    def __init__(self, question: Question, runs: Callable[[], Iterator[AnswerRows]]) -> None:
        self._question = question
        self._runs = runs
        self._found: dict[tuple[str, str], tuple[int, ...]] = {}
        self._hits: frozenset[int] | None = None

    def look(self, store: RectificationReads, disputes: Iterable[DisputedRecord]) -> Marks:
        """The marks that `disputes` make; what was looked up before is not looked up again."""
        since: dict[int, datetime] = {}
        for dispute in disputes:
            key = (dispute.notice, dispute.epoch)
            if key not in self._found:
                self._found[key] = self._positions(store, dispute)
            for position in self._found[key]:
                since[position] = min(since.get(position, dispute.disputed_at), dispute.disputed_at)
        ordered = sorted(since)
        return Marks(tuple(ordered), tuple(since[position] for position in ordered))

    def _positions(self, store: RectificationReads, dispute: DisputedRecord) -> tuple[int, ...]:
        opening = store.opening(dispute.record)
        if opening is None:  # the dispute outlived its record's retention; nothing is left to compare with
            return ()
        positions = positions_of(self._question, question_of(opening[1], None)).tolist()
        if not positions:
            return ()
        if self._hits is None:
            self._hits = frozenset(positions_with(self._runs(), _HIT).tolist())
        return tuple(position for position in positions if position in self._hits)


def with_marks(result: bytes, marks: Marks) -> bytes:
    """The result value with the marks in it; as it was when there are none, so that older receipts keep their form."""
    if not marks.positions:
        return result
    digest = hashlib.sha256(encode(*marks.packed())).hexdigest()
    return canonical_json({**json.loads(result), "disputed": digest})


def marks_to_head(marks: Marks) -> list[list[object]]:
    """Marks as the stored head of an answer keeps them."""
    return [[position, moment.isoformat()] for position, moment in zip(marks.positions, marks.since, strict=True)]


def marks_of(head: Mapping[str, object]) -> Marks:
    """The inverse of `marks_to_head`."""
    kept = head.get("disputed")
    if not isinstance(kept, list):
        return NO_MARKS
    return Marks(tuple(int(one[0]) for one in kept), tuple(datetime.fromisoformat(one[1]) for one in kept))
