"""The one key of a key store, wrapped, and what it seals.

    store-key.json     {"type":"sluis/v1/store-key","by":<kind>,"check":<hex>,"complete":<bool>,"wrapped":{...}}
    sealed             "SLUISKS1" || salt (32 random bytes) || AES-256-GCM(file key, zero nonce, plaintext, name)
    file key           HKDF-SHA-256(store key, salt, encode("sluis/v1/sealed-file", use, name))

A passphrase protects one small document, so changing it replaces one file, whole or not at all. A file key is used
once (its salt is random), so the nonce is zero; the name is bound, so that files cannot be swapped. `check` commits
to the store key: no wrapping here does that by itself. `encode` puts the length, u32 big-endian, before each part.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper

FILE_NAME = "store-key.json"
MAGIC = b"SLUISKS1"
KEY_BYTES = 32
_TYPE = "sluis/v1/store-key"
_SALT_BYTES = 32
_ZERO_NONCE = bytes(12)


def encode(*parts: bytes) -> bytes:
    """Each part behind its length (u32, big-endian): no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class StoreKey:
    """32 bytes that seal the files of one key store. Never printed, pickled, copied or hashed."""

    __slots__ = ("_key", "_use")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, key: bytes, use: str) -> None:
        if len(key) != KEY_BYTES:
            raise CustodyError(Trouble.DAMAGED, f"a store key has {KEY_BYTES} bytes")
        self._key, self._use = bytes(key), use

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreKey) and hmac.compare_digest(self._key, other._key) and self._use == other._use

    def __repr__(self) -> str:
        return "StoreKey(hidden)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a StoreKey is not pickled or copied")

    @classmethod
    def make(cls, use: str, entropy: Callable[[int], bytes] = secrets.token_bytes) -> StoreKey:
        """A fresh one. `use` says whose store it is, such as `client`: a wrapped key serves no other use."""
        return cls(entropy(KEY_BYTES), use)

    def seal(self, name: str, data: bytes, entropy: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
        """The sealed form of a file's content; differs at every call."""
        salt = entropy(_SALT_BYTES)
        return MAGIC + salt + self._cipher(name, salt).encrypt(_ZERO_NONCE, data, name.encode())

    def open(self, name: str, data: bytes) -> bytes:
        """The content again.

        Raises:
            CustodyError: DAMAGED when it was changed, belongs to another name, or was sealed under another key.
        """
        salt, body = data[len(MAGIC) : len(MAGIC) + _SALT_BYTES], data[len(MAGIC) + _SALT_BYTES :]
        try:
            if not is_sealed(data):
                raise InvalidTag
            return self._cipher(name, salt).decrypt(_ZERO_NONCE, body, name.encode())
        except (InvalidTag, ValueError):
            text = f"{name} does not open with this key store's key: it was changed or moved; restore it from a backup"
            raise CustodyError(Trouble.DAMAGED, text) from None

    def wrapped_by(self, wrapper: Wrapper, *, complete: bool) -> StoreKeyDocument:
        """The document to store. Raises as `Wrapper.wrap`."""
        wrapped = wrapper.wrap(self._key, _bound(self._use))
        return StoreKeyDocument(wrapper.kind, self._check(), complete, wrapped)

    def _check(self) -> str:
        return hmac.digest(self._key, encode(b"sluis/v1/store-key-check", self._use.encode()), "sha256").hex()

    def _cipher(self, name: str, salt: bytes) -> AESGCM:
        info = encode(b"sluis/v1/sealed-file", self._use.encode(), name.encode())
        return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(self._key))

    def fits(self, document: StoreKeyDocument) -> bool:
        """Whether this is the key that a document was made of."""
        return hmac.compare_digest(self._check(), document.check)


@dataclass(frozen=True)
class StoreKeyDocument:
    """What `store-key.json` says. `complete`: every file is sealed; before, files may still lie there in the clear."""

    by: str
    check: str
    complete: bool
    wrapped: dict[str, str | int] = field(repr=False)

    def to_bytes(self) -> bytes:
        """As stored."""
        value = {"type": _TYPE, "by": self.by, "check": self.check, "complete": self.complete, "wrapped": self.wrapped}
        return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> StoreKeyDocument:
        """The inverse of `to_bytes`. Raises CustodyError DAMAGED."""
        try:
            value = json.loads(data)
            by, check, complete, wrapped = value["by"], value["check"], value["complete"], value["wrapped"]
            shaped = (type(by), type(check), type(complete), type(wrapped)) == (str, str, bool, dict)
            if value["type"] != _TYPE or not shaped:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            raise _damaged() from None
        return cls(by, check, complete, wrapped)

    def opened_by(self, wrapper: Wrapper, use: str) -> StoreKey:
        """The store key.

        Raises:
            CustodyError: SETTING when `wrapper` is of another kind; as `Wrapper.unwrap`; DAMAGED when what was
                unwrapped is not the key that the document was made of.
        """
        if wrapper.kind != self.by:
            text = f"the key store is protected by {self.by}, and the settings say {wrapper.kind}; correct the settings"
            raise CustodyError(Trouble.SETTING, text)
        key = StoreKey(wrapper.unwrap(self.wrapped, _bound(use)), use)
        if not key.fits(self):
            raise _damaged()
        return key

    def finished(self) -> StoreKeyDocument:
        """The same, once every file is sealed."""
        return replace(self, complete=True)


def is_sealed(data: bytes) -> bool:
    """Whether bytes look like a sealed file, by their first eight."""
    return data.startswith(MAGIC)


def _bound(use: str) -> bytes:
    return encode(_TYPE.encode(), use.encode())


def _damaged() -> CustodyError:
    return CustodyError(Trouble.DAMAGED, f"{FILE_NAME} is damaged or of another key store; restore it from a backup")
