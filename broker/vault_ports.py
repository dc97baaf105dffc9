"""What the log's store holds beside the log: salts and values behind commitments, until they are erased.

Part of `broker.ports.Transaction` and `LogReader`, with their promises: a transaction sees its own batch, a reader what
is committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from broker.exchange import SlotUse, VaultSlot


class Openings(Protocol):
    """What both sides read."""

    def opening(self, commitment: str) -> tuple[bytes, bytes] | None:
        """Salt and value behind a commitment, or None once erased."""
        ...


class VaultReads(Openings, Protocol):
    """What a reader has besides."""

    def openings(self) -> int:
        """How many commitments can be opened still."""
        ...

    def due(self, before: datetime, after: tuple[datetime, str] | None, limit: int) -> tuple[VaultSlot, ...]:
        """Slots that were to be kept until earlier than `before`, kept answers apart, by that time and commitment.

        `after`: time and commitment of the last one seen.
        """
        ...

    def labelled(self, label: str, after: str, limit: int) -> tuple[VaultSlot, ...]:
        """Slots of a label by commitment, those greater than `after`."""
        ...

    def uses(self, asker: str, exchange: str) -> tuple[SlotUse, ...]:
        """The answerers' sides of an exchange, in the order asked; empty when unknown."""
        ...

    def erased_by(self, commitment: str) -> int | None:
        """The entry that erased a commitment."""
        ...


class VaultWrites(Openings, Protocol):
    """What a transaction has besides."""

    def commit_to(
        self,
        label: str,
        value: bytes,
        *,
        keep_until: datetime,
        salt: bytes | None = None,
        ask_index: int | None = None,
    ) -> str:
        """Puts salt and value in the vault and returns the commitment (hex) for the entry.

        `salt`: given when the commitment was made by a caller; else 32 fresh random bytes. `ask_index`: an ask of the
        exchange it belongs to. Raises COMMITMENT_WRONG for a commitment that was erased: nothing brings it back.
        """
        ...

    def keep_with(self, commitment: str, uses: Iterable[SlotUse]) -> None:
        """Lets a hold that covers one of `uses` keep a slot that belongs to no exchange; no order erases it by them."""
        ...

    def slots(self, commitments: Sequence[str]) -> tuple[VaultSlot, ...]:
        """The slots among `commitments` that the vault holds, by commitment."""
        ...

    def slots_of(self, asker: str, exchange: str) -> tuple[VaultSlot, ...]:
        """Every slot of an exchange, kept answers included, by commitment."""
        ...

    def erase(self, commitments: Sequence[str], entry: int) -> int:
        """Deletes slots and their keys for good, as `entry` says; returns how many were there.

        Gone with this batch's commit; files beside the database are unlinked right after it, their keys being gone.
        """
        ...

    def revived(self, limit: int) -> tuple[str, ...]:
        """Slots that are there although an entry erased them: what a restore brought back."""
        ...

    def drop_answers(self, asker: str, exchange: str) -> None:
        """Drops what is kept to send an exchange's answers again: hit counts and rows. No entry commits to them."""
        ...

    def drop_old_answers(self, now: datetime, asked_before: datetime, limit: int) -> int:
        """As `drop_answers` for at most `limit` exchanges asked earlier than that; returns how many things went."""
        ...

    def rewrap(self, at: str, limit: int) -> str | None:
        """Moves what hangs on an older storage key to the newest: at most `limit` slots or kept answers after `at`.

        `at`: what it returned last, "" to begin; None: there are no more. What opens under neither key is left.
        """
        ...

    def note_erased(self, commitments: Sequence[str], entry: int) -> None:
        """Remembers which entry erased what, without touching a slot."""
        ...
