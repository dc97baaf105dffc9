"""Keys at rest from the storage root, and from the one before it while what hangs on that is moved."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.canonical import encode
from broker.custody.secret import Secret
from broker.errors import Code, SluisError
from broker.ports import Entropy

_NONCE_BYTES = 12


class StorageKeys:
    """`ports.AtRest`: HKDF-SHA-256 (RFC 5869) from each storage root, the newest first.

    `roots` raises STORE_UNAVAILABLE while the keys are locked, and so does everything here.
    """

    def __init__(self, roots: Callable[[], tuple[Secret, ...]], entropy: Entropy) -> None:
        self._roots, self._entropy = roots, entropy
        self._derived: dict[str, tuple[tuple[Secret, ...], tuple[bytes, ...]]] = {}

    def key(self, use: str, *context: bytes) -> bytes:
        """As `ports.AtRest.key`."""
        return self.keys(use, *context)[0]

    def keys(self, use: str, *context: bytes) -> tuple[bytes, ...]:
        """As `ports.AtRest.keys`."""
        roots = self._roots()
        if context:
            return tuple(_derive(root, use, context) for root in roots)
        held = self._derived.get(use)
        if held is None or held[0] is not roots:
            held = self._derived[use] = (roots, tuple(_derive(root, use, context) for root in roots))
        return held[1]

    def seal(self, use: str, data: bytes, bound: bytes) -> bytes:
        """As `ports.AtRest.seal`."""
        nonce = self._entropy.token(_NONCE_BYTES)
        return nonce + AESGCM(self.key(use)).encrypt(nonce, data, bound)

    def open(self, use: str, sealed: bytes, bound: bytes) -> tuple[bytes, bool]:
        """As `ports.AtRest.open`."""
        for number, key in enumerate(self.keys(use)):
            try:
                return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound), number == 0
            except (InvalidTag, ValueError):
                continue
        text = "what is stored does not open with this storage key: it was altered, or the key is another"
        raise SluisError(Code.STORE_CORRUPT, text)


def _derive(root: Secret, use: str, context: tuple[bytes, ...]) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=encode(use.encode(), *context))
    return derivation.derive(root.reveal())
