"""From a setting to what wraps or signs: the one place that knows every kind.

passphrase                                         Argon2id under a passphrase
keyring                                            the OS keyring of the user who runs this
pkcs11:token=...;object=...?module-path=...        a key in a PKCS#11 token; the secret is its PIN
transit:https://HOST:8200/v1/MOUNT/keys/NAME       a key of OpenBao or Vault; the secret is an access token
"""

from __future__ import annotations

from pathlib import Path

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.os_keyring import KeyringWrapper
from sluis_custody.passphrase import PassphraseWrapper
from sluis_custody.ports import Signer, Wrapper
from sluis_custody.secret_sources import SecretSource
from sluis_custody.token import Token, TokenAddress, TokenSigner, TokenWrapper
from sluis_custody.transit import TransitKey, TransitSigner, TransitWrapper

_KINDS = "passphrase, keyring, pkcs11:token=... or transit:https://..."


def check_protection(text: str) -> str:
    """`text` when it names a way to protect a key store; else CustodyError SETTING. Nothing is opened."""
    kind, _, rest = text.partition(":")
    if kind == "pkcs11":
        TokenAddress.parse(text)
    elif kind == "transit":
        TransitKey(rest, lambda: b"")
    elif text not in ("passphrase", "keyring"):
        raise CustodyError(Trouble.SETTING, f"a key store is protected by {_KINDS}")
    return text


def wrapper_of(text: str, secret: SecretSource, ca_file: Path | None = None) -> Wrapper:
    """What wraps as `text` says. Raises CustodyError SETTING; nothing is opened but the OS keyring's library."""
    kind, _, rest = check_protection(text).partition(":")
    if kind == "passphrase":
        return PassphraseWrapper(secret)
    if kind == "keyring":
        return KeyringWrapper()
    if kind == "pkcs11":
        return TokenWrapper(Token(TokenAddress.parse(text), secret))
    return TransitWrapper(TransitKey(rest, secret, ca_file))


def signer_of(text: str, secret: SecretSource, ca_file: Path | None = None, public_key: bytes | None = None) -> Signer:
    """What signs as `text` says: `pkcs11:...` or `transit:...`. Raises CustodyError SETTING."""
    kind, _, rest = text.partition(":")
    if kind == "pkcs11":
        return TokenSigner(Token(TokenAddress.parse(text), secret))
    if kind == "transit":
        return TransitSigner(TransitKey(rest, secret, ca_file), public_key)
    raise CustodyError(Trouble.SETTING, "a signing key is named by pkcs11:token=... or transit:https://...")


def is_signer(text: str) -> bool:
    """Whether `text` names a signing key outside this machine's files."""
    return text.startswith(("pkcs11:", "transit:"))
