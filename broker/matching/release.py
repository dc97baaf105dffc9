"""The release gate: what of the matches may leave, and in which exact bytes it is committed to and sent."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from broker.canonical import canonical_json, encode
from broker.errors import Code, SluisError
from broker.exchange import (
    COMMITMENT_BYTES,
    PSEUDONYM_BYTES,
    WRAP_BYTES,
    AnswerRows,
    AnswerStatus,
    Matches,
    PseudonymColumn,
    Pseudonyms,
    Question,
    RowStatus,
)
from broker.matching.columns import distinct, subjects
from broker.register_ports import Snapshot

RUN_ROWS = 8192
FETCH_RUNS = 8
"""Runs fetched at once: grouping more rows by record batch is cheaper than many small fetches."""


@dataclass(frozen=True)
class CountRelease:
    """What may be told of a count: the number, a band, or neither (status WITHHELD)."""

    status: AnswerStatus
    count: int | None = None
    band: str = ""

    def __repr__(self) -> str:
        return f"CountRelease({self.status.name})"


def release_count(matches: Matches, question: Question, *, min_group: int, bands: Sequence[int] = ()) -> CountRelease:
    """The count of distinct subjects with a hit, as far as it may leave.

    WITHHELD when fewer than `min_group` of the n distinct subjects asked have a hit, or more than n - `min_group`: both
    tell about single subjects. Repeating a subject changes neither number. A `min_group` of 0 or 1 withholds nothing.
    `bands`: lower bounds, ascending; then only the band's label leaves ("10-49", "50+"; "0-9" below the first bound).
    """
    tokens, known = subjects(question)
    asked = len(distinct(tokens[known]))
    hits = matches.positions[matches.statuses == RowStatus.HIT]
    count = len(distinct(tokens[hits]))
    if min_group > 1 and (count < min_group or count > asked - min_group):
        return CountRelease(AnswerStatus.WITHHELD)
    if bands:
        return CountRelease(AnswerStatus.ANSWERED, None, band_label(count, bands))
    return CountRelease(AnswerStatus.ANSWERED, count)


def band_label(count: int, bands: Sequence[int]) -> str:
    """The band of `count` among ascending lower bounds: "10-49" for bounds 10 and 50; the last is open, "50+"."""
    edges = [0, *(bound for bound in bands if bound > 0)]
    for lower, upper in zip(edges, [*edges[1:], None], strict=True):
        if upper is None:
            return f"{lower}+"
        if lower <= count < upper:
            return f"{lower}-{upper - 1}" if upper - 1 > lower else str(lower)
    raise AssertionError("the last band is open")


def count_distance(question: Question, earlier: Iterable[bytes]) -> int | None:
    """In how many subjects this question differs from the nearest earlier one; None when there is none.

    `earlier`: tokens values (docs/formats.md section 1). The distance is the size of the symmetric difference of the
    sets of subjects, a subject being a row's strictest pseudonym. Two counts whose questions differ in few subjects
    tell, by subtraction, about those few.

    Raises LENGTH_WRONG, FIELD_INVALID for bytes that are no tokens value.
    """
    now = _subjects_of(question)
    distances = [_difference(now, _subjects_of(question_of(value, None))) for value in earlier]
    return min(distances, default=None)


def _subjects_of(question: Question) -> Pseudonyms:
    tokens, known = subjects(question)
    return distinct(tokens[known])


def _difference(one: Pseudonyms, other: Pseudonyms) -> int:
    both = np.concatenate([one, other])
    shared = len(both) - len(distinct(both))
    return len(both) - 2 * shared


def tokens_value(question: Question) -> bytes:
    """The tokens value of docs/formats.md section 1: per match key the presence bitmap and the packed pseudonyms.

    Rows without a match key are written as zero bytes, whatever the column holds there.
    """
    parts = []
    for column in question.columns:
        parts.append(np.packbits(column.present, bitorder="little").tobytes())
        if column.present.all():
            parts.append(column.pseudonyms.tobytes())
        else:
            parts.append(np.where(column.present, column.pseudonyms, np.zeros((), "V16")).tobytes())
    return encode(*parts)


def question_of(value: bytes, match_keys: int | None) -> Question:
    """The question whose tokens value is exactly `value`; `match_keys` None: as many as it holds.

    Raises LENGTH_WRONG for wrong lengths, FIELD_INVALID for set padding bits or bytes where a match key is absent.
    """
    parts = _parts(value)
    if not parts or len(parts) % 2 or (match_keys is not None and len(parts) != 2 * match_keys):
        raise SluisError(Code.LENGTH_WRONG, "tokens: one bitmap and one pseudonym column for each match key are needed")
    rows = len(parts[1]) // PSEUDONYM_BYTES
    columns = []
    for bitmap, packed in zip(parts[::2], parts[1::2], strict=True):
        if len(packed) != rows * PSEUDONYM_BYTES or len(bitmap) != (rows + 7) // 8:
            raise SluisError(Code.LENGTH_WRONG, "tokens: all columns have the same number of rows, 16 bytes a row")
        bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little").view(np.bool_)
        pseudonyms, present = np.frombuffer(packed, "V16"), bits[:rows]
        if bits[rows:].any() or np.any(pseudonyms[~present].view(np.uint8)):
            raise SluisError(Code.FIELD_INVALID, "tokens: unused presence bits and rows without a match key are zero")
        columns.append(PseudonymColumn(pseudonyms, present))
    return Question(tuple(columns))


def _parts(value: bytes) -> list[memoryview]:
    view, parts, at = memoryview(value), [], 0
    while at < len(view):
        size = int.from_bytes(view[at : at + 4], "big")
        if at + 4 + size > len(view):
            raise SluisError(Code.LENGTH_WRONG, "tokens: a part is shorter than its length says")
        parts.append(view[at + 4 : at + 4 + size])
        at += 4 + size
    return parts


def answer_runs(
    matches: Matches, snapshot: Snapshot, attributes: Sequence[str], *, run: int = RUN_ROWS
) -> Iterator[AnswerRows]:
    """The answer's rows in runs of `run`, with the sealed fields of `attributes` and of no others.

    Without attributes a position is answered once: how many records it has is more than hit or no hit.
    Lazy: the snapshot must stay open until the last run is taken.
    """
    if not attributes and len(matches.positions):
        matches = _once(matches)
    for start in range(0, len(matches.positions), run * FETCH_RUNS):
        block = slice(start, start + run * FETCH_RUNS)
        keys = matches.match_keys[block]
        sealed = _Sealed(*snapshot.fetch(matches.rows[block], keys, attributes)) if attributes else None
        positions, statuses = matches.positions[block].astype("<u4"), matches.statuses[block]
        for at in range(0, len(keys), run):
            part = slice(at, min(at + run, len(keys)))
            head = positions[part].tobytes(), statuses[part].tobytes(), keys[part].tobytes()
            yield AnswerRows(*head, *sealed.part(part, len(keys))) if sealed else AnswerRows(*head)


@dataclass(frozen=True, repr=False)
class _Sealed:
    wraps: bytes
    commitments: bytes
    fields: tuple[bytes, ...]

    def part(self, rows: slice, total: int) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        def cut(data: bytes, width: int) -> bytes:
            return data[rows.start * width : rows.stop * width]

        fields = tuple(cut(field, len(field) // total) for field in self.fields)
        return cut(self.wraps, WRAP_BYTES), cut(self.commitments, COMMITMENT_BYTES), fields


def _once(matches: Matches) -> Matches:
    first: npt.NDArray[np.bool_] = np.r_[True, matches.positions[1:] != matches.positions[:-1]]
    if first.all():
        return matches
    return Matches(matches.positions[first], matches.statuses[first], matches.match_keys[first], matches.rows[first])


class RowsDigest:
    """The answer rows digest of docs/formats.md section 3, run by run."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, run: AnswerRows) -> None:
        """Adds the next run."""
        self._digest.update(encode_run(run))

    def hexdigest(self) -> str:
        """The digest of the runs so far."""
        return self._digest.hexdigest()


def encode_run(run: AnswerRows) -> bytes:
    """One run as the bytes that are digested and spooled."""
    return encode(run.positions, run.statuses, run.match_keys, run.wraps, run.commitments, *run.fields)


def rows_digest(runs: Iterable[AnswerRows]) -> str:
    """SHA-256 over `encode(positions, statuses, match_keys, wraps, commitments, fields...)` of every run, hex."""
    digest = RowsDigest()
    for run in runs:
        digest.update(run)
    return digest.hexdigest()


def result_value(*, hits: int, count: int | None, band: str | None, rows: str | None) -> bytes:
    """The result value a release commits to (docs/formats.md section 3), canonical JSON."""
    return canonical_json({"band": band or None, "count": count, "hits": hits, "rows": rows})
