"""The broker's key store as configured: opening it, protecting it, changing what protects it or the storage key."""

from __future__ import annotations

from datetime import UTC, datetime

from sluis_custody.choosing import wrapper_of
from sluis_custody.directory import Unlock
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.secret_sources import secret_source
from sluis_custody.store_key import StoreKeyDocument

from broker.config import Config
from broker.custody.key_files import NEXT_STORAGE_FILE, custody_errors
from broker.custody.keys import FileKeys
from broker.errors import Code, SluisError

_ASKED = {"pkcs11": "PIN of the token", "transit": "Access token"}


def keys_of(config: Config) -> FileKeys:
    """The broker's keys, unlocked.

    Raises:
        SluisError: CONFIG_INVALID, also when they are not protected as configured; STORE_UNAVAILABLE when what protects
            them does not open with the secret given, or not now.
    """
    keys = FileKeys.load(config.keys, config.origin, unlocking(config))
    if config.key_store is not None and keys.files.document() is None:
        text = "key_store is set, and the files under keys lie in the clear: run `sluis keys protect`"
        raise SluisError(Code.CONFIG_INVALID, text)
    return keys


def make_keys(config: Config) -> str:
    """Creates the broker's keys where there are none, protected as configured; returns the log's verifier key."""
    wrapper = None if config.key_store is None else _wrapper(config, config.key_store.by, new=True)
    keys = FileKeys.create(config.keys, config.origin, unlocking=unlocking(config), wrapper=wrapper)
    return keys.signer.verifier_key


def unlocking(config: Config) -> Unlock:
    """What opens the key store. A configuration without `key_store` opens one that is not protected."""

    def unlock(by: str) -> Wrapper:
        if config.key_store is None:
            text = f"the files under keys are protected by {by}: set key_store in broker.yaml"
            raise CustodyError(Trouble.SETTING, text)
        return _wrapper(config, config.key_store.by, new=False)

    return unlock


def protect(config: Config) -> int:
    """Seals the key files as configured; returns how many lay in the clear. Safe to repeat, also after a kill."""
    if config.key_store is None:
        text = "key_store: is not set: say in broker.yaml what protects the keys (docs/key-custody.md)"
        raise SluisError(Code.CONFIG_INVALID, text)
    keys = FileKeys(config.keys, config.origin, unlocking(config))
    keys.files.demand_private()
    new = keys.files.document() is None
    with custody_errors():
        wrapper = _wrapper(config, config.key_store.by, new=new)
    return keys.files.protect(wrapper)


def rewrap(config: Config, to: str, secret: str) -> str:
    """Puts the key store under another passphrase, token or server; returns the kind of what protects it now."""
    if config.key_store is None:
        raise SluisError(Code.CONFIG_INVALID, "key_store: is not set: the keys are not protected")
    keys = FileKeys(config.keys, config.origin, unlocking(config))
    with custody_errors():
        wrapper = _wrapper(config, to or config.key_store.by, new=True, source=secret)
    keys.files.rewrap(wrapper)
    return wrapper.kind


def begin_rotation(config: Config) -> bool:
    """Makes the storage root to come; False when a change is under way already. The running broker goes on from there.

    Raises:
        SluisError: as `keys_of`; CONFIG_INVALID when the directory cannot be written.
    """
    return keys_of(config).begin_rotation()


def under_rotation(config: Config) -> bool:
    """Whether a change of the storage key is under way."""
    return (config.keys / NEXT_STORAGE_FILE).exists()


def told(config: Config) -> str:
    """For `sluis doctor`: how the keys are protected, and whether the storage key is being changed."""
    document = FileKeys(config.keys, config.origin).files.document()
    text = "in the clear, for the broker's user only" if document is None else _protected(document)
    if under_rotation(config):
        since = datetime.fromtimestamp((config.keys / NEXT_STORAGE_FILE).stat().st_mtime, UTC)
        text += f"; storage key being changed since {since:%Y-%m-%d %H:%M} UTC"
    return text


def _protected(document: StoreKeyDocument) -> str:
    if not document.complete:
        text = "some lie in the clear: `sluis keys protect` was cut off; run it again"
        raise SluisError(Code.CONFIG_INVALID, text)
    return f"protected by {document.by}"


def _wrapper(config: Config, place: str, *, new: bool, source: str = "") -> Wrapper:
    assert config.key_store is not None
    kind = place.partition(":")[0]
    asked = _ASKED.get(kind, "New passphrase of the keys" if new else "Passphrase of the keys")
    secret = secret_source(
        source or config.key_store.secret, config.keys.parent, asking=asked, confirm=new and kind == "passphrase"
    )
    return wrapper_of(place, secret, config.key_store.ca_file)
