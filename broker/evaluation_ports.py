"""The port by which a key service reaches its keys: what is asked of a key holder, whoever that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Evaluated:
    """Evaluated elements back to back, in the order asked, and one DLEQ proof for them all (RFC 9497 section 2.2)."""

    elements: bytes
    proof: bytes


class EvaluationKeys(Protocol):
    """Holds k_i of one key service, one for each purpose and epoch. Safe from any thread."""

    @property
    def service(self) -> str:
        """The id of the service in the signed policy."""
        ...

    def public_key(self, purpose: str, epoch: str) -> bytes | None:
        """32 bytes, or None where there is no key. Raises STORE_UNAVAILABLE, STORE_CORRUPT."""
        ...

    def read(self, data: bytes, field: str, most: int) -> tuple[bytes, ...]:
        """The blinded elements in `data`. Raises LENGTH_WRONG, COUNT_WRONG, ELEMENT_INVALID, each naming `field`."""
        ...

    def evaluate(self, purpose: str, epoch: str, blinded: Sequence[bytes]) -> Evaluated:
        """Evaluates what `read` gave. The same elements give the same, under another proof. Raises EPOCH_UNKNOWN."""
        ...

    def destroy(self, purpose: str, epoch: str, public: bytes) -> bool:
        """Destroys the key with this public key, durably; False when it is not there. Another key stays."""
        ...
