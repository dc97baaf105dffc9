"""The nouns of an exchange: what is asked, of whom, and what became of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

import numpy as np
import numpy.typing as npt

PSEUDONYM_BYTES = 16
WRAP_BYTES = 60
COMMITMENT_BYTES = 32
SEAL_OVERHEAD = 18
"""A sealed field has the catalogue's width + 2 (length) + 16 (tag) bytes."""

ANSWER_KEPT = timedelta(hours=24)
"""How long an answer may be sent again; then it is dropped, its receipts stay."""

Pseudonyms = npt.NDArray[np.void]
"""Array of dtype V16: pseudonyms as opaque 16-byte values (never `S16`, which drops trailing zeros)."""


class AnswerStatus(IntEnum):
    """What became of the question at one answerer. Numbers equal those of the wire contract."""

    ANSWERED = 1
    DENIED = 2
    NO_REGISTER = 3
    EXPIRED = 4
    NOT_COVERED = 5
    WITHHELD = 6
    FAILED = 7
    UNKNOWN = 8
    NOT_THERE = 9


class RowStatus(IntEnum):
    """What one row of a question found. Numbers equal those of the wire contract."""

    HIT = 1
    NO_HIT = 2
    AMBIGUOUS = 3
    INVALID_INPUT = 4


@dataclass(frozen=True)
class Want:
    """What is asked to be learned: hits, a count, or named attributes (which imply hits)."""

    hit: bool
    count: bool
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PseudonymColumn:
    """One match key's pseudonyms for all rows of a table; `present` marks the rows that have this match key."""

    pseudonyms: Pseudonyms
    present: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        assert self.pseudonyms.dtype == np.dtype("V16")
        assert self.pseudonyms.shape == self.present.shape

    def __repr__(self) -> str:
        return f"PseudonymColumn(rows={len(self.pseudonyms)})"


@dataclass(frozen=True)
class Question:
    """A table with one pseudonym column per match key, strictest first; all columns have the same length."""

    columns: tuple[PseudonymColumn, ...]

    @property
    def rows(self) -> int:
        """Number of subjects asked about."""
        return len(self.columns[0].pseudonyms)

    def __repr__(self) -> str:
        return f"Question(rows={self.rows}, match_keys={len(self.columns)})"


@dataclass(frozen=True)
class AskStatement:
    """The signed question head (docs/formats.md section 2), parsed. `raw` is what was signed."""

    raw: bytes
    signature: bytes
    request_id: str
    asker: str
    principal: str | None
    answerers: tuple[str, ...]
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    want: Want
    subjects: int
    tokens: str
    case_number: str | None
    cooperation_ref: str | None
    not_after: datetime
    standing: str | None = None
    """Request id of the first question, where this is that one put again (docs/adr/0037)."""


@dataclass(frozen=True)
class RegisterManifest:
    """The signed register manifest (docs/formats.md section 4), parsed. `raw` is what was signed."""

    raw: bytes
    signature: bytes
    answerer: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    attributes: tuple[str, ...]
    version: int
    rows: int
    digest: str
    as_of: datetime
    expires_at: datetime
    coverage: str
    rules: Mapping[str, object]


def register_name(answerer: str, purpose: str, epoch: str, scheme: str) -> str:
    """The one name of a register: answerer/purpose/epoch/scheme."""
    return f"{answerer}/{purpose}/{epoch}/{scheme}"


@dataclass(frozen=True)
class RegisterVersion:
    """A published register version as the catalogue of registers knows it."""

    name: str
    version: int
    manifest: RegisterManifest
    published_at: datetime
    withdrawn: bool = False


@dataclass(frozen=True)
class UploadSpec:
    """The shape of a register upload; fixed at begin."""

    upload: str
    register: str
    version: int
    match_keys: int
    attributes: tuple[str, ...]
    widths: tuple[int, ...]
    """Sealed bytes per row of each attribute: the catalogue's width + 18."""


@dataclass(frozen=True)
class RegisterChunk:
    """A run of register rows, columnar; lengths already checked against the upload's shape."""

    columns: tuple[PseudonymColumn, ...]
    wraps: tuple[bytes, ...] = ()
    commitments: bytes = b""
    fields: tuple[bytes, ...] = ()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns[0].pseudonyms)

    def __repr__(self) -> str:
        return f"RegisterChunk(rows={self.rows})"


@dataclass(frozen=True)
class Matches:
    """What the join found, columnar; rows are in order of position, then of register row.

    `positions` point into the question, `rows` into the register snapshot (-1 where the status is not HIT).
    Positions that found nothing are absent: absent means NO_HIT.
    """

    positions: npt.NDArray[np.uint32]
    statuses: npt.NDArray[np.uint8]
    match_keys: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]

    @property
    def hits(self) -> int:
        """Number of distinct positions with status HIT."""
        return int(np.unique(self.positions[self.statuses == RowStatus.HIT]).size)


@dataclass(frozen=True)
class AnswerRows:
    """A run of hits with the sealed bytes that belong to them, ready for the wire."""

    positions: bytes
    statuses: bytes
    match_keys: bytes
    wraps: bytes = b""
    commitments: bytes = b""
    fields: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"AnswerRows(rows={len(self.statuses)})"


@dataclass(frozen=True)
class Receipt:
    """Entry, position, RFC 6962 audit path and signed checkpoint."""

    leaf: bytes
    index: int
    inclusion: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True)
class ExchangeState:
    """One answerer's side of an exchange, as stored."""

    exchange: str
    asker: str
    principal: str | None
    answerer: str
    purpose: str
    statement_digest: str
    asked_at: datetime
    ask_index: int
    lease_until: datetime
    epoch: str = ""
    tokens: str = ""
    """Commitment to the question's tokens; `questions_with_count` returns it where `counted` and not DENIED."""
    counted: bool = False
    """Whether a count was asked."""
    status: AnswerStatus | None = None
    release_index: int | None = None
    answer: Mapping[str, object] = field(default_factory=dict)
    """What is needed to send the answer again: head fields and the name of the spooled rows."""


@dataclass(frozen=True)
class DisputedRecord:
    """A record that an asker disputes, under one epoch; the mark on later answers hangs on it."""

    notice: str
    """Id of the dispute: 32 hex digits."""
    asker: str
    exchange: str
    answerer: str
    purpose: str
    epoch: str
    record: str
    """Commitment to the record's tokens value; the vault opens it."""
    entry: int
    disputed_at: datetime
    resolved: int | None = None
    """Index of the correction that ended it."""


@dataclass(frozen=True)
class StoredNotice:
    """That a party was notified: where its notice stands in the log, and where its acknowledgement does."""

    notice: str
    party: str
    entry: int
    acknowledged: int | None = None


@dataclass(frozen=True)
class Marks:
    """Positions of an answer's hits that are disputed, ascending, and since when (docs/formats.md, Rectification)."""

    positions: tuple[int, ...] = ()
    since: tuple[datetime, ...] = ()

    def packed(self) -> tuple[bytes, bytes]:
        """Positions of 4 bytes and seconds since 1970 of 8 bytes, little-endian."""
        seconds = (int(moment.timestamp()).to_bytes(8, "little") for moment in self.since)
        return b"".join(position.to_bytes(4, "little") for position in self.positions), b"".join(seconds)


NO_MARKS = Marks()


@dataclass(frozen=True)
class SlotUse:
    """An answerer's side of an exchange that a vault slot belongs to; or a correction, under its own request id."""

    asker: str
    exchange: str
    principal: str | None
    answerer: str
    purpose: str
    ask_index: int
    asked_at: datetime


@dataclass(frozen=True)
class OwnAsk:
    """An ask in which a party is asker, principal or answerer: what a search for a subject needs of it."""

    ask_index: int
    asked_at: datetime
    tokens: str
    release_index: int | None


@dataclass(frozen=True)
class VaultSlot:
    """A slot of the vault without what is in it. `uses`: every answerer's side of each exchange it belongs to; of a
    correction's slot, the correction and the asks it told."""

    commitment: str
    label: str
    keep_until: datetime
    uses: tuple[SlotUse, ...] = ()

    @property
    def purpose(self) -> str | None:
        """The purpose it was asked under, when there is one."""
        named = {use.purpose for use in self.uses}
        return named.pop() if len(named) == 1 else None


ANSWER_LABEL = "answer"
"""Label of the slots that hold small answers for 24 hours: copies that no log entry commits to."""
DISPUTED_PLACE, OUTCOME_PLACE = "disputed", "outcome"
"""Kinds of the documents that say which row of an exchange (asker/exchange/answerer/position) was disputed or reported
on: they go with the exchange's openings, for with the asker's own file they say whom it was about."""
