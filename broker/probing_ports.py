"""What the guards against probing ask of the log's store: which subjects a party asked about before.

Part of `broker.ports.Transaction` and `LogReader`, with their promises. No pseudonym lies in what is stored: only marks
under a key of the store's own, one for each scope, so that neither two scopes nor a register can be joined with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broker.exchange import Pseudonyms


@dataclass(frozen=True)
class AskedBefore:
    """How a question stands to the earlier ones of its scope.

    `overlaps`: for each earlier question that shares a subject with it, how many subjects that one had and how many
    they share, oldest first. `most`: the largest number of earlier questions that share one and the same subject.
    `known`: subjects of this question that any earlier one had, however long ago in the scope.
    """

    overlaps: tuple[tuple[int, int], ...]
    most: int
    known: int


@dataclass(frozen=True)
class AskedQuestion:
    """A question to be noted. `scope`: within what it is compared; `rows`: as its statement says; `keep_until`: when it
    may be dropped. `exchange`: its request id, and of a standing question that of the first one."""

    scope: str
    asker: str
    exchange: str
    rows: int
    at: datetime
    keep_until: datetime


class AskedReads(Protocol):
    """What both sides read."""

    def asked_since(self, scope: str, since: datetime) -> int:
        """Rows of the questions noted in a scope from `since` on."""
        ...


class AskedWrites(AskedReads, Protocol):
    """What a transaction has besides. A scope is one asker under one purpose and epoch."""

    def asked_before(self, scope: str, subjects: Pseudonyms, since: datetime, but: str | None = None) -> AskedBefore:
        """How `subjects` (each value once) stand to the questions noted in `scope` from `since` on, without those
        noted as the exchange `but`, of which the subjects are known all the same."""
        ...

    def note_asked(self, asked: AskedQuestion, subjects: Pseudonyms) -> None:
        """Notes a question: `subjects` has each value once."""
        ...

    def drop_asked_of(self, asker: str, exchange: str) -> None:
        """Drops whom a question was about, as far as it was noted. How many rows it had, and when, stays."""
        ...

    def drop_asked(self, now: datetime) -> int:
        """Drops the questions whose `keep_until` has passed; returns how many."""
        ...
