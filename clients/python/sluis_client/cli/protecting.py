"""`sluis-client keys protect | passphrase`: the key store under a passphrase, keyring, token or server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluis_client.cli.session import JsonOption, ProfileOption, emit, the_profile
from sluis_client.errors import ClientError, Exit
from sluis_client.profile import Profile

if TYPE_CHECKING:
    from sluis_custody.ports import Wrapper


def keys_protect(
    private_key: Annotated[
        Path | None,
        typer.Option("--private-key", help="Also take in this file, your certificate's key, and destroy it."),
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt the key store, by what the profile names as key_store (left out: a passphrase). Safe to repeat.

    Keys, unfinished work and caches are sealed; the checkpoint, the journal and evidence stay readable. Stop other
    commands of this agency first. A run that was cut off goes on where it was. Without what opens it the store is lost.

    \b
    Example: sluis-client keys protect
    """
    from sluis_client.party_keys import key_bytes_of_file, keystore_of
    from sluis_client.private_files import destroy_file

    read = the_profile(profile)
    keystore = keystore_of(read)
    taken = None if private_key is None else key_bytes_of_file(read, private_key)
    document = keystore.protection.document
    by = document.by if document else read.key_store.partition(":")[0] or "passphrase"
    sealed = keystore.protection.protect(_wrapper(read, read.key_store or by, read.key_store_secret, new=not document))
    lines = [
        f"{sealed} files sealed in {keystore.directory}, protected by {by}"
        if sealed or not document
        else f"{keystore.directory} was protected by {by} already; nothing changed"
    ]
    if private_key is not None and taken is not None:
        keystore.keep_private_key(taken)
        if keystore.private_key() != taken:
            text = "the private key was not kept as given; its file is left as it is"
            raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE)
        destroy_file(private_key)
        lines.append(f"took in and destroyed {private_key}; now set in {read.path}: private_key: store")
    if not document:
        lines.append("keep what opens it (passphrase, token, server) apart from this machine and its backups")
    value = {"state": str(keystore.directory), "by": by, "sealed": sealed, "private_key": private_key is not None}
    emit(value, lines, as_json)


def keys_passphrase(
    to: Annotated[
        str, typer.Option("--to", help="passphrase, keyring, pkcs11:... or transit:...; left out: as it is now.")
    ] = "",
    new_secret: Annotated[
        str,
        typer.Option("--new-secret", help="Where the new one comes from: prompt, file:PATH, fd:N, credential:NAME."),
    ] = "prompt",  # noqa: S107 - the name of a source, no secret
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the passphrase of the key store, or put it under a keyring, token or server instead.

    One small file is replaced, whole or not at all; a wrong passphrase changes nothing. Copies of the state directory
    that were made before still open with what opened them then.

    \b
    Example: sluis-client keys passphrase
    """
    from sluis_client.party_keys import keystore_of

    read = the_profile(profile)
    keystore = keystore_of(read)
    document = keystore.protection.document
    if document is None:
        text = "the key store is not protected; run `sluis-client keys protect`"
        raise ClientError("KEYSTORE_SETTING", text, Exit.KEY_TROUBLE)
    place = to or read.key_store or document.by
    keystore.protection.rewrap(_wrapper(read, place, new_secret, new=True))
    by = place.partition(":")[0]
    lines = [f"{keystore.directory} is protected by {by} now"]
    if to and place != read.key_store:
        lines.append(f"now set in {read.path}: key_store: {place}, and key_store_secret if it changed")
    emit({"state": str(keystore.directory), "by": by}, lines, as_json)


def _wrapper(read: Profile, place: str, source: str, *, new: bool) -> Wrapper:
    from sluis_custody.choosing import wrapper_of
    from sluis_custody.secret_sources import secret_source

    from sluis_client.store_protection import custody_errors

    kind = place.partition(":")[0]
    asked = {"pkcs11": "PIN of the token", "transit": "Access token"}.get(kind, "New passphrase of the key store")
    with custody_errors():
        secret = secret_source(source, read.path.parent, asking=asked, confirm=new and kind == "passphrase")
        return wrapper_of(place, secret, read.key_store_ca_file)
