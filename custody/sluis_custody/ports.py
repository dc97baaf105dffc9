"""The ports: what wraps the one key of a key store, and what signs without giving its key away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Wrapper(Protocol):
    """Keeps the store key of a key store from whoever holds the disk alone.

    `wrap` and `unwrap` are inverse for the same `bound`, which names the use. Both raise CustodyError: LOCKED for a
    wrong secret, UNREACHABLE for what may pass, DAMAGED for what was wrapped for another use or was changed.
    """

    @property
    def kind(self) -> str:
        """`passphrase`, `keyring`, `pkcs11` or `transit`."""
        ...

    def wrap(self, key: bytes, bound: bytes) -> dict[str, str | int]:
        """What is to be stored: text and numbers, of no use without the secret, the token or the server."""
        ...

    def unwrap(self, wrapped: Mapping[str, object], bound: bytes) -> bytes:
        """The key again."""
        ...

    def forget(self, wrapped: Mapping[str, object]) -> None:
        """Drops what `wrap` may have left outside the file (an entry of a keyring). Idempotent."""
        ...


class Signer(Protocol):
    """A private key that signs and cannot be read. Raises CustodyError as `Wrapper`."""

    def public_key(self) -> bytes:
        """SubjectPublicKeyInfo, DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """ECDSA over SHA-256 in DER (P-256), over SHA-384 (P-384), or Ed25519 (64 bytes), as the key is."""
        ...
