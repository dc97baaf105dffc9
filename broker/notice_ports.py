"""What rectification asks of the log's store (GDPR articles 16, 18, 19): who may hold a record, disputes and notices.

Part of `broker.ports.Transaction` and `LogReader`, with their promises: a transaction sees its own batch, a reader what
is committed.
"""

from __future__ import annotations

from typing import Protocol

from broker.exchange import DisputedRecord, ExchangeState, OwnAsk, StoredNotice
from broker.vault_ports import Openings


class RectificationReads(Openings, Protocol):
    """What both sides read."""

    def asks_at(self, answerer: str, purpose: str, epoch: str) -> tuple[int, ...]:
        """Indices of the asks for rows that were answered, or may still be, ascending: who may hold a record."""
        ...

    def own_asks(self, party: str, purpose: str, epoch: str, *, after: int, limit: int) -> tuple[OwnAsk, ...]:
        """Asks, denied ones too, in which `party` is asker, principal or answerer: index > `after`, ascending."""
        ...

    def exchange_at(self, ask_index: int) -> ExchangeState | None:
        """The state that an ask opened."""
        ...

    def notice(self, notice: str) -> StoredNotice | None:
        """A notice by its id."""
        ...

    def dispute(self, notice: str) -> tuple[DisputedRecord, ...]:
        """A dispute by its id: one record for each epoch under which it stands, oldest first."""
        ...

    def places(self, asker: str, exchange: str, answerer: str) -> frozenset[int]:
        """Positions of an exchange at an answerer that were disputed or reported on."""
        ...

    def open_disputes(self, answerer: str, purpose: str, epoch: str) -> tuple[DisputedRecord, ...]:
        """Disputes of an answerer's records that nothing has ended yet, oldest first."""
        ...

    def document(self, kind: str, key: str) -> bytes | None:
        """A stored document."""
        ...


class NoticeReads(RectificationReads, Protocol):
    """What a reader has besides."""

    def notices_of(self, party: str, *, after: int, limit: int, unacknowledged: bool) -> tuple[StoredNotice, ...]:
        """A party's notices by entry, those with entry > `after`; with `unacknowledged` only those."""
        ...


class NoticeWrites(RectificationReads, Protocol):
    """What a transaction has besides."""

    def add_notice(self, notice: StoredNotice) -> None:
        """Records that a party was notified."""
        ...

    def acknowledge(self, notice: str, entry: int) -> bool:
        """Records an acknowledgement; False when the notice has one already."""
        ...

    def add_dispute(self, dispute: DisputedRecord) -> None:
        """Records a dispute, or that one stands under another epoch too."""
        ...

    def drop_places(self, asker: str, exchange: str) -> None:
        """Drops the documents that say which rows of an exchange were disputed or reported on."""
        ...

    def resolve_dispute(self, notice: str, entry: int) -> bool:
        """Ends a dispute under all its epochs; False when it had ended."""
        ...
