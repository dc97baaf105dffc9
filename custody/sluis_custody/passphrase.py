"""A store key wrapped under a passphrase: Argon2id (RFC 9106), then AES-256-GCM."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.secret_sources import SecretSource

MEMORY_KIB = 64 * 1024
"""64 MiB, 3 passes, 4 lanes: the second recommended option of RFC 9106 section 4. Also the least that is taken."""
ITERATIONS = 3
LANES = 4
MAX_MEMORY_KIB = 4 * 1024 * 1024
MIN_CHARACTERS = 12
_ZERO_NONCE = bytes(12)


class PassphraseWrapper:
    """`ports.Wrapper` under a passphrase. The parameters are stored, and never below those of this module."""

    kind = "passphrase"

    def __init__(self, source: SecretSource, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._source, self._entropy = source, entropy

    def wrap(self, key: bytes, bound: bytes) -> dict[str, str | int]:
        """As the port. Raises CustodyError LOCKED for a passphrase of fewer than 12 characters."""
        passphrase = self._source()
        if len(passphrase.decode("utf-8", "replace")) < MIN_CHARACTERS:
            text = f"a passphrase has at least {MIN_CHARACTERS} characters; nothing was changed"
            raise CustodyError(Trouble.LOCKED, text)
        # the salt is new for every wrap, so each derived key is used once and the nonce may be zero
        salt = self._entropy(16)
        derived = _derived(passphrase, salt, MEMORY_KIB, ITERATIONS, LANES)
        return {
            "kdf": "argon2id",
            "memory_kib": MEMORY_KIB,
            "iterations": ITERATIONS,
            "lanes": LANES,
            "salt": salt.hex(),
            "sealed": AESGCM(derived).encrypt(_ZERO_NONCE, key, bound).hex(),
        }

    def unwrap(self, wrapped: Mapping[str, object], bound: bytes) -> bytes:
        """As the port. A wrong passphrase cannot be told from a changed file: the text names both."""
        try:
            kdf, salt, sealed = (
                wrapped["kdf"],
                bytes.fromhex(str(wrapped["salt"])),
                bytes.fromhex(str(wrapped["sealed"])),
            )
            memory, iterations, lanes = (int(str(wrapped[name])) for name in ("memory_kib", "iterations", "lanes"))
        except (KeyError, ValueError):
            raise _damaged() from None
        bounded = MEMORY_KIB <= memory <= MAX_MEMORY_KIB and ITERATIONS <= iterations <= 64 and 1 <= lanes <= 64
        if kdf != "argon2id" or not bounded:
            raise _damaged()
        try:
            return AESGCM(_derived(self._source(), salt, memory, iterations, lanes)).decrypt(_ZERO_NONCE, sealed, bound)
        except InvalidTag:
            text = "wrong passphrase (or the key store was changed); nothing was changed, try again"
            raise CustodyError(Trouble.LOCKED, text) from None

    def forget(self, wrapped: Mapping[str, object]) -> None:
        """Nothing lies outside the file."""


def _derived(passphrase: bytes, salt: bytes, memory: int, iterations: int, lanes: int) -> bytes:
    try:
        kdf = Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory)
        return kdf.derive(passphrase)
    except (ValueError, MemoryError):
        raise _damaged() from None


def _damaged() -> CustodyError:
    text = "the key store's parameters are damaged or weaker than allowed; restore store-key.json from a backup"
    return CustodyError(Trouble.DAMAGED, text)
