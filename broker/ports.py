"""The ports: what the core asks of the outside. Narrow, by consumer, with the promise written at each method.

Adapters live in `broker.storage` and `broker.custody`; only `broker.app` knows them. Every adapter passes one
contract suite (`tests/contract/`). Adapters raise only `SluisError`: STORE_UNAVAILABLE for what may pass,
STORE_CORRUPT for what will not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broker.exchange import (
    AnswerRows,
    AnswerStatus,
    ExchangeState,
    RegisterVersion,
)
from broker.notice_ports import NoticeReads, NoticeWrites
from broker.probing_ports import AskedReads, AskedWrites
from broker.vault_ports import VaultReads, VaultWrites


class Clock(Protocol):
    """Where time comes from. Injected so that a decision reads it once and a test can set it."""

    def now(self) -> datetime:
        """The time in UTC, aware, with microseconds."""
        ...


class Entropy(Protocol):
    """Where randomness comes from."""

    def token(self, size: int) -> bytes:
        """`size` bytes fit for keys and salts."""
        ...


class CheckpointSigner(Protocol):
    """Holds the log's signing key. Raises STORE_UNAVAILABLE while the key is locked."""

    @property
    def origin(self) -> str:
        """The log's origin line, and the key's name in signed notes."""
        ...

    @property
    def verifier_key(self) -> str:
        """C2SP vkey: origin+keyhash+base64(type || public key)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) over `message`."""
        ...


class AtRest(Protocol):
    """Derives the keys that protect what the broker stores. The root lies outside the database."""

    def key(self, use: str, *context: bytes) -> bytes:
        """32 bytes for one use and context: HKDF-SHA-256(storage key, encode(use, context...)).

        Same in, same out, until the storage key is changed: what is stored under it is found with `keys`.
        """
        ...

    def keys(self, use: str, *context: bytes) -> tuple[bytes, ...]:
        """`key`, and behind it that of the storage key before, while what hangs on that one is moved."""
        ...

    def seal(self, use: str, data: bytes, bound: bytes) -> bytes:
        """Nonce (12 random bytes), then AES-256-GCM of `data` under `key(use)` with `bound` as associated data."""
        ...

    def open(self, use: str, sealed: bytes, bound: bytes) -> tuple[bytes, bool]:
        """The inverse of `seal`, and whether it hangs on the newest storage key. Raises STORE_CORRUPT."""
        ...


class Transaction(VaultWrites, NoticeWrites, AskedWrites, Protocol):
    """One unit of work inside the sequencer's write transaction. Nothing of it exists until the batch commits.

    Entries appended here become leaves of one batch with one checkpoint. Not for use outside the sequencer's thread.
    """

    @property
    def sequenced_at(self) -> datetime:
        """The batch's time: strictly monotone over batches, the only time that orders entries."""
        ...

    def append(self, kind: str, body: Mapping[str, object]) -> int:
        """Adds an entry; returns its index.

        Raises FIELD_INVALID outside the canonical profile, TOO_LARGE over 65,535 bytes.
        """
        ...

    def spent(self, counter: str) -> int:
        """What was debited from `counter` so far; 0 when unknown."""
        ...

    def debit(self, counter: str, amount: int) -> int:
        """Adds to `counter`; returns the new total. Never refunded."""
        ...

    def exchange(self, asker: str, request_id: str) -> tuple[ExchangeState, ...]:
        """All answerers' states of an exchange, in the order asked; empty when unknown. Sees this batch's writes."""
        ...

    def open_exchange(self, state: ExchangeState) -> None:
        """Records an ask. Raises REQUEST_ID_REUSED when (asker, exchange, answerer) exists."""
        ...

    def close_exchange(
        self,
        state: ExchangeState,
        status: AnswerStatus,
        release_index: int | None,
        answer: Mapping[str, object],
    ) -> bool:
        """Records the release of `state`; False when it was closed already: nothing changed and nothing may be sent."""
        ...

    def questions_with_count(self, asker: str, answerer: str, purpose: str, epoch: str) -> tuple[str, ...]:
        """Token commitments of the count questions permitted so far, oldest first."""
        ...

    def register(self, name: str) -> RegisterVersion | None:
        """The version in force or withdrawn; expiry is the caller's to judge."""
        ...

    def registers(self, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
        """Every register of an answerer under a purpose and epoch, whatever its scheme."""
        ...

    def next_version(self, name: str) -> int:
        """A version number for `name` never handed out before."""
        ...

    def publish(self, version: RegisterVersion, *, expect: int | None) -> None:
        """Makes `version` the one in force.

        Raises REGISTER_CHANGED unless the version in force is `expect` (None: none).
        """
        ...

    def withdraw(self, name: str) -> None:
        """Marks the version in force withdrawn. Raises NOT_FOUND."""
        ...

    def document(self, kind: str, key: str) -> bytes | None:
        """A stored document (an epoch manifest, an upload, an archived policy set, ...)."""
        ...

    def put_document(self, kind: str, key: str, value: bytes) -> None:
        """Stores or replaces a document."""
        ...


@dataclass(frozen=True)
class Mark:
    """What was acknowledged: `size` entries with `root` of the log `origin`, by the broker of start `generation`.

    `note` is the checkpoint, "" while the log is empty; `next` the origin of the log that followed, "" before.
    """

    origin: str
    generation: int
    size: int
    root: bytes
    note: str
    at: datetime
    next: str = ""


@dataclass(frozen=True)
class StoredEntry:
    """A leaf as stored: its index and exact bytes."""

    index: int
    leaf: bytes


class LogReader(VaultReads, NoticeReads, AskedReads, Protocol):
    """Reads of what is committed. Safe from any thread; never sees an uncommitted batch."""

    def registers(self, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
        """Every register of an answerer under a purpose and epoch, whatever its scheme."""
        ...

    def close(self) -> None:
        """Ends all reading. Idempotent."""
        ...

    def size(self) -> int:
        """Number of committed leaves."""
        ...

    def checkpoint(self, at_least: int = 0) -> tuple[int, str]:
        """The newest signed checkpoint (size, note), or the smallest that covers `at_least` leaves when that is > 0."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """All checkpoints, by size."""
        ...

    def entries(self, start: int, stop: int) -> Iterator[StoredEntry]:
        """Leaves start..stop-1."""
        ...

    def nodes(self) -> Iterator[bytes]:
        """The stored complete nodes of the tree, in the order in which they became complete."""
        ...

    def entries_of(self, party: str, start: int, limit: int) -> tuple[StoredEntry, ...]:
        """Leaves from index `start` on that concern `party`, at most `limit`."""
        ...

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """RFC 6962 section 2.1.1 audit path of leaf `index` in the tree of `size`."""
        ...

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 6962 section 2.1.2 proof between two sizes."""
        ...

    def root(self, size: int) -> bytes:
        """The root over the first `size` leaves; FIELD_INVALID beyond the tree's size."""
        ...

    def spent(self, counter: str) -> int:
        """As Transaction.spent, as of the last commit."""
        ...

    def counters(self) -> Iterator[tuple[str, int]]:
        """All counters that something was debited from, by name."""
        ...

    def exchange(self, asker: str, request_id: str) -> tuple[ExchangeState, ...]:
        """As Transaction.exchange, as of the last commit."""
        ...

    def exchanges(self, asker: str, *, purpose: str, before: int, limit: int) -> tuple[ExchangeState, ...]:
        """States of `asker`'s exchanges with ask_index < before (0: no bound), newest first; purpose "" means all."""
        ...

    def open_exchanges(self, leased_before: datetime) -> tuple[ExchangeState, ...]:
        """Asks without release whose lease has run out: recovery closes them as UNKNOWN."""
        ...

    def register(self, name: str) -> RegisterVersion | None:
        """As Transaction.register."""
        ...

    def registers_of(self, answerer: str, *, after: str, limit: int) -> tuple[RegisterVersion, ...]:
        """An answerer's registers by name, those greater than `after`."""
        ...

    def all_registers(self) -> tuple[RegisterVersion, ...]:
        """Every register version in force or withdrawn: what the sweeper keeps or drops."""
        ...

    def document(self, kind: str, key: str) -> bytes | None:
        """As Transaction.document."""
        ...

    def documents(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """All documents of a kind, by key."""
        ...


class AnswerSpool(Protocol):
    """Holds computed answers, encrypted, between release entry and the last time they may be sent again (24 h)."""

    def write(self, name: str, runs: Iterable[AnswerRows]) -> str:
        """Stores the runs durably; returns the digest (hex SHA-256 of their canonical encoding)."""
        ...

    def read(self, name: str) -> Iterator[AnswerRows]:
        """The runs again. Raises ANSWER_GONE."""
        ...

    def drop(self, name: str) -> None:
        """Drops an answer, durably. Idempotent."""
        ...

    def rewrap(self) -> bool:
        """Moves answers to the newest storage key; False while one is being written under an older one: call again."""
        ...

    def sweep(self, older_than: datetime) -> int:
        """Drops answers written before `older_than`; returns how many."""
        ...


class HighWater(Protocol):
    """Where the newest acknowledged checkpoint is kept, on another volume than the log. One broker moves it."""

    @property
    def mark(self) -> Mark:
        """The newest mark."""
        ...

    def demand_held(self) -> None:
        """Raises LOG_UNAVAILABLE when another broker has moved the mark, or it cannot be read."""
        ...

    def advance(self, mark: Mark) -> None:
        """Moves the mark by compare-and-set; durable on return. Raises LOG_UNAVAILABLE: it may or may not be moved."""
        ...


class LogStore(Protocol):
    """What the sequencer writes through: one transaction at a time, by one writer at a time."""

    @property
    def reader(self) -> LogReader:
        """The read side."""
        ...

    def batch(self, sequenced_at: datetime) -> AbstractContextManager[StoreBatch]:
        """Opens the one write transaction. Leaving it without `commit` rolls back. Raises LOG_UNAVAILABLE."""
        ...


class StoreBatch(Protocol):
    """The open write transaction."""

    @property
    def transaction(self) -> Transaction:
        """What units of work use."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """A unit of work that raises inside is undone whole; others in the batch stand."""
        ...

    @property
    def size(self) -> int:
        """Tree size including what was appended in this batch."""
        ...

    @property
    def root(self) -> bytes:
        """Root hash over `size` leaves."""
        ...

    def leaf(self, index: int) -> bytes:
        """Leaf bytes appended in this batch or before."""
        ...

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Audit path of `index` in the tree of `size`; valid after the last append of the batch."""
        ...

    def commit(self, checkpoint: str) -> None:
        """Moves the checkpoint from the size the batch began at and makes all durable on return.

        `checkpoint` is "" when the batch appended no entry. Raises LOG_UNAVAILABLE when nothing was committed,
        LOG_OUTCOME_UNKNOWN when the commit may or may not have happened: the caller reads the tree again
        before it signs anything.
        """
        ...
