"""A store key in the operating system's keyring (PyPI `keyring`): whoever is logged in opens it.

The keyring holds a random wrapping key, not the store key, so that a copy of the keyring alone opens nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluis_custody.errors import CustodyError, Trouble

_Result = TypeVar("_Result")

SERVICE = "sluis"
_ZERO_NONCE = bytes(12)


class Keyring(Protocol):
    """The part of the `keyring` library that is used."""

    def get_password(self, service: str, username: str) -> str | None:
        """What is stored, or None."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Stores."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Drops."""
        ...


class KeyringWrapper:
    """`ports.Wrapper` in the keyring of the user who runs this. Every wrap makes an entry of its own."""

    kind = "keyring"

    def __init__(self, keyring: Keyring | None = None, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._keyring, self._entropy = keyring or _system_keyring(), entropy

    def wrap(self, key: bytes, bound: bytes) -> dict[str, str | int]:
        """As the port."""
        name, wrapping = f"store-key-{self._entropy(8).hex()}", self._entropy(32)
        self._call("stored in", lambda: self._keyring.set_password(SERVICE, name, wrapping.hex()))
        # the wrapping key is new for every wrap, so the nonce may be zero
        return {"entry": name, "sealed": AESGCM(wrapping).encrypt(_ZERO_NONCE, key, bound).hex()}

    def unwrap(self, wrapped: Mapping[str, object], bound: bytes) -> bytes:
        """As the port."""
        found = self._call("read from", lambda: self._keyring.get_password(SERVICE, str(wrapped.get("entry"))))
        if found is None:
            text = "the keyring of this user holds no key for this key store: log in as the user who protected it"
            raise CustodyError(Trouble.LOCKED, text)
        try:
            sealed = bytes.fromhex(str(wrapped.get("sealed")))
            return AESGCM(bytes.fromhex(str(found))).decrypt(_ZERO_NONCE, sealed, bound)
        except (InvalidTag, ValueError):
            text = "the keyring's entry does not open this key store: restore store-key.json from a backup"
            raise CustodyError(Trouble.DAMAGED, text) from None

    def forget(self, wrapped: Mapping[str, object]) -> None:
        """Drops the keyring's entry; one that is gone already is no trouble."""
        try:
            self._keyring.delete_password(SERVICE, str(wrapped.get("entry")))
        except Exception:  # noqa: BLE001 - each back end has exceptions of its own, and the entry opens nothing now
            return

    @staticmethod
    def _call(doing: str, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - each back end has exceptions of its own
            text = f"a key cannot be {doing} the keyring ({type(error).__name__}): is it unlocked, and is there one?"
            raise CustodyError(Trouble.UNREACHABLE, text) from None


def _system_keyring() -> Keyring:
    try:
        import keyring
    except ImportError:
        text = "the OS keyring needs the library `keyring`: pip install 'sluis-custody[keyring]'"
        raise CustodyError(Trouble.SETTING, text) from None
    found: Keyring = keyring.get_keyring()
    return found
