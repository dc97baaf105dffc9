"""The change of the storage key while the broker serves: what hangs on the old one is moved, then the old one ends.

    asked     a new root lies beside the old one (`sluis keys rotate-storage-key`, FileKeys.begin_rotation)
    taken up  from now on everything is written under the new root and read under either
    moved     slots of the vault and kept answers in the database, keys of registers and uploads, answers in files
    ended     the new root takes the place of the old one, which is overwritten

Little is done at a time, in the housekeeping's thread. A crash at any instant resumes: a start reads both roots, and
moves again whatever does not open under the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from broker.exchange_log.append import Sequencer
from broker.ports import Transaction

log = structlog.get_logger("broker.rekeying")

ROWS = 250
"""Rows moved in one work of the sequencer, which holds up everyone meanwhile."""
WORKS = 8
"""Works in one step."""


class StorageRoots(Protocol):
    """Who holds the storage roots."""

    def take_up_rotation(self) -> bool:
        """Reads a root to come; whether a change is under way."""
        ...

    def end_rotation(self) -> None:
        """Puts the new root in the place of the old one, which is destroyed."""
        ...


class Rekeying:
    """Moves everything, a step at a time. `others` move what lies beside the database; True when nothing is left."""

    def __init__(self, roots: StorageRoots, sequencer: Sequencer, others: Sequence[Callable[[], bool]]) -> None:
        self._roots, self._sequencer, self._others = roots, sequencer, others
        self._at: str | None = None
        self._under_way = False

    def step(self) -> None:
        """Does a little, when a change is under way. Raises what the stores raise: the next step goes on."""
        if not self._roots.take_up_rotation():
            self._under_way = False
            return
        if not self._under_way:
            log.info("change of the storage key begun")
            self._under_way, self._at = True, ""
        for _ in range(WORKS):
            if self._at is None:
                break
            self._at = self._sequencer.submit(partial(_move, self._at)).value
        if self._at is None and all(move() for move in self._others):
            self._roots.end_rotation()
            self._under_way = False
            log.info("storage key changed, the old one destroyed")


def _move(at: str, transaction: Transaction) -> str | None:
    return transaction.rewrap(at, ROWS)
