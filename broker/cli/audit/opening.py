"""What opens commitments, as the auditor's commands take it: parties' files, and vault exports with their key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from broker.audit import strict_json
from broker.audit.openings import Openings
from broker.audit.vault_export import EXPORT_TYPE, VaultFile, VaultFileError, read_export
from broker.errors import Code, SluisError

OpeningFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--openings",
        help="A party's receipts file, or a vault export with --key; may be given again.",
        exists=True,
        dir_okay=False,
    ),
]
OpeningKey = Annotated[
    Path | None,
    typer.Option("--key", help="Your key that the vault export is encrypted to.", exists=True, dir_okay=False),
]
_HEAD_BYTES = 8192


def read_openings(files: list[Path] | None, key: Path | None, *, with_rows: bool = False) -> Openings:
    """All openings of some files; `with_rows`: those of questions too.

    Raises:
        SluisError: STATEMENT_INVALID for a file that holds none or was altered, CONFIG_INVALID for a key that is none.
    """
    opened, vaults = Openings(with_rows), 0
    for file in files or ():
        with file.open("rb") as stream:
            if _is_vault(stream):
                vaults += 1
                try:
                    opened.add_slots(vault_of(stream, key).slots)
                except VaultFileError as error:
                    text = f"{file}: the vault export cannot be used: {error}"
                    raise SluisError(Code.STATEMENT_INVALID, text) from None
            else:
                opened.add(stream.read(), str(file))
    if key is not None and not vaults:
        raise typer.BadParameter("opens a vault export, and none is given", param_hint="--key")
    return opened


def vault_of(stream: BinaryIO, key: Path | None) -> VaultFile:
    """A vault export, opened with the auditor's key. Raises STATEMENT_INVALID, CONFIG_INVALID."""
    if key is None:
        raise typer.BadParameter("a vault export needs the key it is encrypted to", param_hint="--key")
    seed = seed_of(key)
    try:
        return read_export(stream, seed)
    except VaultFileError as error:
        raise SluisError(Code.STATEMENT_INVALID, f"the vault export cannot be used: {error}") from error


def seed_of(key: Path) -> bytes:
    """The private key in a .key file of `sluis audit keys`. Raises CONFIG_INVALID."""
    try:
        return bytes.fromhex(key.read_text("ascii").strip())
    except (OSError, ValueError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{key}: is no .key file of `sluis audit keys`") from error


def _is_vault(stream: BinaryIO) -> bool:
    """Whether the first line is that of a vault export; the stream stands at its beginning again."""
    line = stream.readline(_HEAD_BYTES)
    stream.seek(0)
    try:
        return strict_json.read(line.rstrip(b"\n")).get("vault") == EXPORT_TYPE
    except strict_json.NotCanonicalError:
        return False
