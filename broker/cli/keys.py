"""`sluis keys protect | passphrase | rotate-storage-key`: what protects the keys, and the storage key itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from broker.config import load_config

_Config = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_DEFAULT = Path("broker.yaml")


def mount(keys: typer.Typer) -> None:
    """Adds these commands."""
    keys.command("protect")(keys_protect)
    keys.command("passphrase")(keys_passphrase)
    keys.command("rotate-storage-key")(rotate_storage_key)


def keys_protect(config: _Config = _DEFAULT) -> None:
    """Encrypt the key files, by what broker.yaml names under key_store. Safe to repeat, also after it was cut off.

    A running broker goes on with the keys it holds. Without what opens them the keys are lost: keep it apart.

    Example: sluis keys protect --config broker.yaml
    """
    from broker.key_store import protect

    loaded = load_config(config)
    sealed = protect(loaded)
    assert loaded.key_store is not None
    by = loaded.key_store.by.partition(":")[0]
    print(f"{sealed} key files sealed, protected by {by}" if sealed else f"protected by {by} already; nothing changed")


def keys_passphrase(
    to: Annotated[
        str, typer.Option("--to", help="passphrase, keyring, pkcs11:... or transit:...; left out: as it is now.")
    ] = "",
    new_secret: Annotated[
        str,
        typer.Option("--new-secret", help="Where the new one comes from: prompt, file:PATH, fd:N, credential:NAME."),
    ] = "prompt",  # noqa: S107 - the name of a source, no secret
    config: _Config = _DEFAULT,
) -> None:
    """Change the passphrase of the key files, or put them under a keyring, token or server instead.

    One small file is replaced, whole or not at all. Backups made before still open with what opened them then.

    Example: sluis keys passphrase --config broker.yaml --new-secret prompt
    """
    from broker.key_store import rewrap

    by = rewrap(load_config(config), to, new_secret)
    print(f"the keys are protected by {by} now; key_store in broker.yaml must name it and its secret")


def rotate_storage_key(
    wait: Annotated[int, typer.Option("--wait", min=0, help="Seconds to wait for the broker to finish.")] = 600,
    config: _Config = _DEFAULT,
) -> None:
    """Change the key on which everything at rest hangs. The broker goes on serving; a crash in between resumes.

    The running broker moves vault, kept answers and registers to the new key, then destroys the old one. A stopped
    broker does so after its next start. Backups of data made before need the old key: keep its backup with them, or
    make new ones. Exit 0: done. Exit 3: under way still.

    Example: sluis keys rotate-storage-key --config broker.yaml
    """
    from broker.key_store import begin_rotation, under_rotation

    loaded = load_config(config)
    begun = begin_rotation(loaded)
    print("new storage key made; the broker moves what hangs on the old one" if begun else "a change is under way")
    for _ in range(wait * 4):
        if not under_rotation(loaded):
            print("done: the old storage key is destroyed; make new backups of keys and data, apart from each other")
            return
        time.sleep(0.25)
    print("not done yet: the broker goes on with it while it runs; `sluis doctor` tells when it is over")
    raise typer.Exit(3)
