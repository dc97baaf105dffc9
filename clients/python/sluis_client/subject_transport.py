"""The part of the port to the broker that searches for a person; see `sluis_client.transport`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement

if TYPE_CHECKING:
    from sluis_client.transport import Receipt


@dataclass(frozen=True)
class Unsearched:
    """Questions that could not be looked into. `why`: erased or never-held; when the first and last were asked."""

    why: str
    questions: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Touched:
    """A question that held the person, as relayed; nothing of it is trusted before its receipts verify."""

    ask: Receipt
    release: Receipt | None


@dataclass(frozen=True)
class SubjectFound:
    """What a search came to. `receipt`: of its `access` entry."""

    receipt: Receipt
    searched: int
    unsearched: tuple[Unsearched, ...]
    touched: tuple[Touched, ...]


class SubjectTransport(Protocol):
    """What subject access asks of the broker."""

    def search_subject(self, signed: SignedStatement, salt: bytes, pseudonyms: tuple[Column, ...]) -> SubjectFound:
        """Searches once. A search that was cut off is made again under a new request id: each is an entry."""
        ...
