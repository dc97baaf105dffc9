"""The rows of an answer: checked to be rows of the question, then opened with the asker's own keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sluis_client.canonical import unpack_presence
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Column, Context, Fields, Maker
from sluis_client.schemes import Scheme
from sluis_client.seal import COMMITMENT_BYTES, SEAL_OVERHEAD, WRAP_BYTES, RowOpener
from sluis_client.seal import Field as SealedField
from sluis_client.statements import SignedStatement
from sluis_client.transport import Answer, AnswerRun, Progress, silent

ROW_HIT, ROW_AMBIGUOUS, ROW_INVALID = 1, 3, 4
ROW_STATUSES = {ROW_HIT: "hit", ROW_AMBIGUOUS: "ambiguous", ROW_INVALID: "invalid input"}
"""Statuses a row of an answer may have; a row that is left out is a "no hit"."""


@dataclass(frozen=True, repr=False)
class Posed:
    """A question as this agency put it, with what opens the answer. Holds identifiers: stays inside the agency."""

    view: PurposeView
    context: Context
    scheme: Scheme
    pseudonymiser: Maker
    keys: Sequence[tuple[Fields | None, ...]]
    columns: tuple[Column, ...]
    signed: SignedStatement


@dataclass(frozen=True, repr=False)
class Row:
    """One row of an answer: its position in the question, what it found, and the opened attributes of a hit.

    `match_key`: number of the match key that decided, from 1; 0 where none did.
    """

    position: int
    status: str
    match_key: int
    values: Mapping[str, str | None] = field(default_factory=dict)


def open_rows(posed: Posed, answer: Answer, register: tuple[str, int], progress: Progress = silent) -> tuple[Row, ...]:
    """The rows of an answer of a register version (name, number), each checked to be of the question, then opened.

    Raises:
        ClientError: ANSWER_BROKEN, SEAL_BROKEN.
    """
    who, names = answer.answerer, answer.attributes
    unknown = [name for name in names if name not in posed.view.attributes]
    if unknown:
        raise broken(who, f"it holds attributes that the policy does not name: {', '.join(unknown)}")
    fields = [SealedField(name, posed.view.attributes[name].width) for name in names]
    opener = RowOpener(posed.context, *register, fields)
    present = [np.asarray(unpack_presence(column.presence, column.rows), np.bool_) for column in posed.columns]
    widths = [item.width + SEAL_OVERHEAD for item in fields]
    rows: list[Row] = []
    seen = _Seen(len(posed.keys), posed.view.rows_per_pseudonym(posed.scheme.name) if names else 1)
    for run in answer.runs:
        positions, statuses, match_keys = _shape(who, run, widths, present, seen)
        for index, (position, status, match_key) in enumerate(zip(positions, statuses, match_keys, strict=True)):
            values: Mapping[str, str | None] = {}
            if names and status == ROW_HIT:
                values = _open(
                    posed, opener, run, (index, int(position), int(match_key)), dict(zip(names, widths, strict=True))
                )
            rows.append(Row(int(position), ROW_STATUSES[int(status)], int(match_key), values))
        progress("opening", len(rows), 0)
    if seen.hits != answer.hits:
        raise broken(who, "its number of hits is not that of its rows")
    return tuple(rows)


class _Seen:
    """Which positions an answer has spoken of so far, and how often."""

    def __init__(self, subjects: int, limit: int) -> None:
        self._times = np.zeros(subjects, np.uint32)
        self._hit = np.zeros(subjects, np.bool_)
        self._other = np.zeros(subjects, np.bool_)
        self._limit = limit

    @property
    def hits(self) -> int:
        return int(self._hit.sum())

    def add(self, positions: npt.NDArray[np.uint32], statuses: npt.NDArray[np.uint8]) -> bool:
        """Whether the positions are of the question, none too often, and none both a hit and something else."""
        if positions.size and int(positions.max()) >= len(self._times):
            return False
        np.add.at(self._times, positions, 1)
        hit = statuses == ROW_HIT
        self._hit[positions[hit]] = True
        self._other[positions[~hit]] = True
        once = self._times[positions[~hit]] == 1
        return bool(once.all()) and int(self._times.max()) <= self._limit and not (self._hit & self._other).any()


def _shape(
    who: str, run: AnswerRun, widths: Sequence[int], present: Sequence[npt.NDArray[np.bool_]], seen: _Seen
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The columns of a run, once they are of one length and speak of rows that were asked."""
    count = len(run.statuses)
    sealed = bool(widths)
    good = (
        len(run.positions) == 4 * count
        and len(run.match_keys) == count
        and len(run.wraps) == WRAP_BYTES * count * sealed
        and len(run.commitments) == COMMITMENT_BYTES * count * sealed
        and [len(column) for column in run.fields] == [width * count for width in widths]
    )
    if not good:
        raise broken(who, "its columns are not of one length")
    positions = np.frombuffer(run.positions, "<u4")
    statuses, match_keys = np.frombuffer(run.statuses, np.uint8), np.frombuffer(run.match_keys, np.uint8)
    if not np.isin(statuses, list(ROW_STATUSES)).all() or not seen.add(positions, statuses):
        raise broken(who, "its rows are not rows of the question")
    hits = statuses == ROW_HIT
    for number, column in enumerate(present, start=1):
        if not column[positions[hits & (match_keys == number)]].all():
            raise broken(who, "a hit came by a match key that its row does not have")
    if (match_keys[hits] == 0).any() or (match_keys > len(present)).any():
        raise broken(who, "a hit came by a match key that does not exist")
    anywhere = np.logical_or.reduce(present)
    if (anywhere[positions] & (statuses == ROW_INVALID)).any():
        raise broken(who, "it calls rows invalid that were not")
    return positions, statuses, match_keys


def _open(
    posed: Posed,
    opener: RowOpener,
    run: AnswerRun,
    place: tuple[int, int, int],
    widths: Mapping[str, int],
) -> dict[str, str | None]:
    index, position, match_key = place
    fields = posed.keys[position][match_key - 1]
    assert fields is not None
    sealed = {
        name: column[index * width : (index + 1) * width]
        for (name, width), column in zip(widths.items(), run.fields, strict=True)
    }
    return opener.open(
        posed.pseudonymiser.row_secret(match_key, fields),
        match_key,
        run.wraps[index * WRAP_BYTES : (index + 1) * WRAP_BYTES],
        run.commitments[index * COMMITMENT_BYTES : (index + 1) * COMMITMENT_BYTES],
        sealed,
    )


def broken(answerer: str, why: str) -> ClientError:
    """A refusal of an answer that does not hang together."""
    whose = f"the answer of {answerer}" if answerer else "the answer"
    return ClientError("ANSWER_BROKEN", f"{whose} is refused: {why}", Exit.VERIFICATION_FAILED)
