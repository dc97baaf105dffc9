"""PKCS#11 tokens (a smart card, an HSM, SoftHSM): keys that wrap or sign and never leave the token.

A key is named by a PKCS#11 URI (RFC 7512) with `token`, `object` and `module-path`; the PIN never stands in it:

    pkcs11:token=sluis;object=store-wrap?module-path=/usr/lib/softhsm/libsofthsm2.so

Wrapping uses an AES key of 256 bits (CKM_AES_GCM, random nonce of 12 bytes). Signing uses an EC key on P-256 or P-384
(CKM_ECDSA over a digest that is made here). A key that the token would give away is refused. Needs `python-pkcs11`.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.secret_sources import SecretSource

_Result = TypeVar("_Result")
_CURVES = {
    bytes.fromhex("06082a8648ce3d030107"): "sha256",  # P-256
    bytes.fromhex("06052b81040022"): "sha384",  # P-384
}
_WITHOUT_LIBRARY = "a PKCS#11 token needs the library python-pkcs11: pip install 'sluis-custody[token]'"


@dataclass(frozen=True)
class TokenAddress:
    """Where a key is: the library of the token's maker, the token's label, the key's label."""

    module: str
    token: str
    label: str

    @classmethod
    def parse(cls, uri: str) -> TokenAddress:
        """From a PKCS#11 URI. Raises CustodyError SETTING."""
        scheme, _, rest = uri.partition(":")
        path, _, query = rest.partition("?")
        parts = [*path.split(";"), *(query.split("&") if query else ())]
        named = {name: unquote(value) for name, _, value in (part.partition("=") for part in parts)}
        if "pin-value" in named or "pin-source" in named:
            raise CustodyError(Trouble.SETTING, "a PIN does not stand in the PKCS#11 URI: name its source apart")
        wanted = {"token", "object", "module-path"}
        if scheme != "pkcs11" or set(named) != wanted or len(parts) != len(named) or not all(named.values()):
            text = "a key in a token is named as pkcs11:token=LABEL;object=LABEL?module-path=/path/to/library.so"
            raise CustodyError(Trouble.SETTING, text)
        return cls(named["module-path"], named["token"], named["object"])


class Token:
    """One token, logged in to at the first use. Safe from several threads: they take turns."""

    def __init__(self, address: TokenAddress, pin: SecretSource) -> None:
        self._address, self._pin = address, pin
        self._lock = threading.Lock()
        self._session: Any = None

    def run(self, work: Callable[[Any, Any], _Result]) -> _Result:
        """`work(session, pkcs11)` while logged in; once more after a token that was pulled out came back.

        Raises:
            CustodyError: LOCKED for a wrong PIN, UNREACHABLE without the token, SETTING without library or key.
        """
        try:
            import pkcs11
            from pkcs11 import exceptions
        except ImportError:
            raise CustodyError(Trouble.SETTING, _WITHOUT_LIBRARY) from None
        lost = (
            exceptions.SessionHandleInvalid,
            exceptions.SessionClosed,
            exceptions.DeviceRemoved,
            exceptions.DeviceError,
            exceptions.UserNotLoggedIn,
        )
        with self._lock:
            for again in (True, False):
                try:
                    if self._session is None:
                        self._session = self._open(pkcs11)
                    return work(self._session, pkcs11)
                except lost as error:
                    self._drop()
                    if not again:
                        raise _told(error, self._address) from None
                except (exceptions.PKCS11Error, RuntimeError) as error:
                    raise _told(error, self._address) from None
        raise AssertionError("unreachable")

    def key(self, session: Any, pkcs11: Any, kind: str) -> Any:
        """The private or secret key of the address, once the token says that it does not give it away."""
        found = session.get_key(object_class=getattr(pkcs11.ObjectClass, kind), label=self._address.label)
        try:
            leaves = found[pkcs11.Attribute.EXTRACTABLE] or not found[pkcs11.Attribute.SENSITIVE]
        except pkcs11.exceptions.AttributeTypeInvalid:
            leaves = True
        if leaves:
            text = f"{self._address.label}: the token would give this key away; make one that is sensitive and not "
            raise CustodyError(Trouble.SETTING, text + "extractable")
        return found

    def _open(self, pkcs11: Any) -> Any:
        try:
            library = pkcs11.lib(self._address.module)
        except RuntimeError:  # as are all exceptions of this library
            text = f"{self._address.module}: cannot be loaded as a PKCS#11 library"
            raise CustodyError(Trouble.SETTING, text) from None
        token = library.get_token(token_label=self._address.token)
        try:
            return token.open(user_pin=self._pin().decode("utf-8", "replace"))
        except pkcs11.exceptions.UserAlreadyLoggedIn:  # a login counts for the whole process
            return token.open()

    def _drop(self) -> None:
        session, self._session = self._session, None
        with suppress(Exception):
            session.close()


def _told(error: Exception, address: TokenAddress) -> CustodyError:
    name = type(error).__name__
    if name in ("PinIncorrect", "PinInvalid", "PinLenRange"):
        return CustodyError(Trouble.LOCKED, f"token {address.token}: wrong PIN; tokens lock after a few wrong ones")
    if name in ("PinLocked", "PinExpired", "UserPinNotInitialized"):
        return CustodyError(Trouble.LOCKED, f"token {address.token}: its PIN is locked or not set ({name})")
    if name in ("NoSuchKey", "MultipleObjectsReturned"):
        return CustodyError(Trouble.SETTING, f"token {address.token}: no key, or several, named {address.label}")
    if name in ("EncryptedDataInvalid", "EncryptedDataLenRange"):
        return CustodyError(Trouble.DAMAGED, "what is stored does not open with the token's key: it was changed")
    return CustodyError(Trouble.UNREACHABLE, f"token {address.token} cannot be used ({name}): is it there?")


class TokenWrapper:
    """`ports.Wrapper` by an AES key in a token."""

    kind = "pkcs11"

    def __init__(self, token: Token, entropy: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._token, self._entropy = token, entropy

    def wrap(self, key: bytes, bound: bytes) -> dict[str, str | int]:
        """As the port."""
        nonce = self._entropy(12)

        def work(session: Any, pkcs11: Any) -> bytes:
            wrapping = self._token.key(session, pkcs11, "SECRET_KEY")
            return bytes(wrapping.encrypt(key, **_gcm(pkcs11, nonce, bound)))

        return {"nonce": nonce.hex(), "sealed": self._token.run(work).hex()}

    def unwrap(self, wrapped: Mapping[str, object], bound: bytes) -> bytes:
        """As the port."""
        try:
            nonce, sealed = bytes.fromhex(str(wrapped["nonce"])), bytes.fromhex(str(wrapped["sealed"]))
        except (KeyError, ValueError):
            raise CustodyError(Trouble.DAMAGED, "store-key.json is damaged; restore it from a backup") from None

        def work(session: Any, pkcs11: Any) -> bytes:
            wrapping = self._token.key(session, pkcs11, "SECRET_KEY")
            try:
                return bytes(wrapping.decrypt(sealed, **_gcm(pkcs11, nonce, bound)))
            except pkcs11.exceptions.GeneralError:  # what SoftHSM says of a wrong tag
                text = "what is stored does not open with the token's key: it was changed"
                raise CustodyError(Trouble.DAMAGED, text) from None

        return self._token.run(work)

    def forget(self, wrapped: Mapping[str, object]) -> None:
        """Nothing lies outside the file but the token's key, which others may use."""


def _gcm(pkcs11: Any, nonce: bytes, bound: bytes) -> dict[str, Any]:
    parameter = pkcs11.GCMParams(nonce, bound, 128)
    return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameter}


class TokenSigner:
    """`ports.Signer` by an EC key in a token; its public half must lie there under the same label."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._known: tuple[bytes, str] | None = None

    def public_key(self) -> bytes:
        """As the port. Raises CustodyError SETTING for a key on another curve."""
        return self._about()[0]

    def sign(self, message: bytes) -> bytes:
        """As the port."""
        digest = hashlib.new(self._about()[1], message).digest()

        def work(session: Any, pkcs11: Any) -> bytes:
            from pkcs11.util.ec import encode_ecdsa_signature

            key = self._token.key(session, pkcs11, "PRIVATE_KEY")
            return bytes(encode_ecdsa_signature(key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)))

        return self._token.run(work)

    def _about(self) -> tuple[bytes, str]:
        def work(session: Any, pkcs11: Any) -> tuple[bytes, str]:
            from pkcs11.util.ec import encode_ec_public_key

            private = self._token.key(session, pkcs11, "PRIVATE_KEY")
            kind = private[pkcs11.Attribute.KEY_TYPE]
            if kind == pkcs11.KeyType.EC:
                curve = bytes(private[pkcs11.Attribute.EC_PARAMS])
                if curve in _CURVES:
                    public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=private.label)
                    return bytes(encode_ec_public_key(public)), _CURVES[curve]
            raise CustodyError(Trouble.SETTING, "a signing key in a token is an EC key on P-256 or P-384")

        if self._known is None:
            self._known = self._token.run(work)
        return self._known
