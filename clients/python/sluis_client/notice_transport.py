"""The part of the port to the broker that corrects, disputes, reports and takes note; see `sluis_client.transport`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement

if TYPE_CHECKING:
    from sluis_client.transport import Opening, Receipt


@dataclass(frozen=True)
class Corrected:
    """What a correction came to: exchanges searched, and those whose questions are erased.

    Not who was told, nor how many: that they asked is theirs.
    """

    receipt: Receipt
    searched: int
    unsearched: int


@dataclass(frozen=True)
class NoticedExchange:
    """One of this agency's exchanges that a correction touches; `positions` empty when they are not known any more."""

    exchange: str
    asked_at: datetime
    positions: tuple[int, ...]
    certain: bool


@dataclass(frozen=True)
class RelayedNotice:
    """A notice as received; nothing of it is trusted before it is checked. `kind`: correction or dispute."""

    notice: str
    kind: str
    at: datetime
    purpose: str
    epoch: str
    scheme: str
    signed: SignedStatement
    receipt: Receipt
    exchanges: tuple[NoticedExchange, ...]
    record: Opening | None
    acknowledged: int | None
    resolved: int | None


class RectificationTransport(Protocol):
    """What rectification asks of the broker. All are safe to call again with the same arguments."""

    def correct(self, signed: SignedStatement, salt: bytes, record: tuple[Column, ...]) -> Corrected:
        """Logs a correction of the one row in `record`."""
        ...

    def set_canaries(self, signed: SignedStatement, salt: bytes, canaries: tuple[Column, ...]) -> Receipt:
        """Sets canaries in the place of those before; no columns: there are none any more."""
        ...

    def dispute(self, signed: SignedStatement, position: Opening) -> tuple[str, Receipt]:
        """Disputes a hit; the dispute's id."""
        ...

    def report_outcome(self, signed: SignedStatement, position: Opening) -> Receipt:
        """Reports what a person found."""
        ...

    def notices(self, *, unacknowledged: bool = False) -> tuple[RelayedNotice, ...]:
        """This agency's notices, oldest first."""
        ...

    def acknowledge(self, signed: SignedStatement) -> Receipt:
        """Takes note."""
        ...
