"""The part of the port to the broker that takes and answers live questions; see `sluis_client.transport`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement
from sluis_client.upload import RegisterRun

if TYPE_CHECKING:
    from sluis_client.transport import Receipt


@dataclass(frozen=True, repr=False)
class LiveQuestion:
    """A question whose asker waits, as received; nothing of it is trusted before it is checked."""

    signed: SignedStatement
    certificate: bytes
    tokens_salt: bytes
    columns: tuple[Column, ...]
    ask: Receipt


class LiveTransport(Protocol):
    """What a live answerer asks of the broker."""

    def take_question(self, purpose: str, wait_seconds: int) -> LiveQuestion | None:
        """The question that waits longest; None when none came in time."""
        ...

    def answer_question(self, signed: SignedStatement, salt: bytes, rows: RegisterRun | None) -> Receipt | None:
        """Hands in an answer; the receipt of its entry, or None when the release gate withheld it."""
        ...
