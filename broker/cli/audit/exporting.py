"""`sluis audit export | keys`: the whole log in one file; with it, for a named auditor, what opens its commitments."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from broker.audit.commitments import LABELS
from broker.audit.export import bundle_lines
from broker.audit.vault_export import (
    SEED_BYTES,
    OpenedSlot,
    VaultFileError,
    check_public,
    export_lines,
    fingerprint,
    public_of,
)
from broker.canonical import canonical_json
from broker.cli.audit.root import app, clear_progress, on_terminal, written_whole
from broker.errors import Code, SluisError
from broker.ports import LogReader

if TYPE_CHECKING:
    from broker.config import Config

_PAGE = 500
_Database = Annotated[Path | None, typer.Option("--database", help="The log's database, instead of --config.")]


def export_to(reader: LogReader, out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Writes a bundle of the log behind `reader`; returns the number of lines."""
    count = 0
    for line in bundle_lines(reader):
        out.write(line)
        count += 1
        if progress is not None and count % 1_000 == 0:
            progress(count)
    return count


@app.command("export")
def export(
    *,
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    database: _Database = None,
    with_vault: Annotated[
        Path | None,
        typer.Option("--with-vault", help="Write what opens the commitments here, encrypted to --for.", dir_okay=False),
    ] = None,
    auditor: Annotated[str, typer.Option("--for", help="The auditor, as the catalogue's `auditors` names it.")] = "",
    key: Annotated[
        Path | None,
        typer.Option("--auditor-key", help="The auditor's .pub file, got from it.", exists=True, dir_okay=False),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the broker.", min=0, max=600)] = 10,
) -> None:
    """Write the whole log with its policy sets to a bundle, for auditors.

    Works beside a running broker. The bundle holds no identifier, pseudonym or key. With --with-vault the broker first
    logs for whom the vault is exported, and must run; that file holds pseudonyms, case numbers and results.

    Example: sluis audit export --config broker.yaml --out log.bundle

    Example: sluis audit export --out log.bundle --with-vault log.vault --for privacy-auditor --auditor-key auditor.pub
    """
    from broker.config import load_config
    from broker.own_log import open_log, open_log_database

    if (with_vault is None) != (not auditor) or (with_vault is None) != (key is None):
        raise typer.BadParameter("--with-vault, --for and --auditor-key go together")
    if with_vault is not None and key is not None:
        if database is not None:
            raise typer.BadParameter("--with-vault needs --config: the vault opens with the broker's keys")
        if len({path.resolve() for path in (out, with_vault, key)}) < 3:
            raise typer.BadParameter("--out, --with-vault and --auditor-key name the same file; give each its own")
        _export_with_vault(load_config(config), out, with_vault, auditor, _public(key), wait)
        return
    reader = open_log_database(database) if database is not None else open_log(load_config(config))
    try:
        with written_whole(out) as stream:
            count = export_to(reader, stream, on_terminal("{} lines written"))
    finally:
        reader.close()
    clear_progress()
    print(f"wrote {out}: {count} lines")


@app.command("keys")
def keys(
    out: Annotated[Path, typer.Option("--out", help="Name of the key; .key and .pub are added.", dir_okay=False)],
) -> None:
    """Make an auditor's key pair for vault exports. Give the .pub file to the operator; the .key file stays with you.

    Example: sluis audit keys --out auditor
    """
    seed = os.urandom(SEED_BYTES)
    private, public = out.with_name(out.name + ".key"), out.with_name(out.name + ".pub")
    if private.exists() or public.exists():
        raise SluisError(Code.CONFIG_INVALID, f"{private} or {public} is there already; name another")
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(seed.hex() + "\n")
        public.write_text(public_of(seed).hex() + "\n", encoding="ascii")
    except OSError as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{out}: cannot be written: {error.strerror or type(error).__name__}; name another"
        ) from error
    print(f"wrote {private} and {public}; fingerprint {fingerprint(public_of(seed))}")
    print("tell the operator this fingerprint by another way than the file")


def _export_with_vault(config: Config, out: Path, vault: Path, auditor: str, public: bytes, wait: float) -> None:
    """Bundle and vault of one moment, once the log says for whom."""
    from broker.own_log import open_vault

    reader = open_vault(config)
    try:
        _announce(config, reader, auditor, fingerprint(public), wait)
        with reader.snapshot(), written_whole(out) as bundle, written_whole(vault) as sealed:
            size, _ = reader.checkpoint()
            count = export_to(reader, bundle, on_terminal("{} lines written"))
            slots = 0
            for line in export_lines(
                _slots(reader), origin=config.origin, size=size, auditor=auditor, public=public, entropy=os.urandom
            ):
                sealed.write(line)
                slots += 1
    finally:
        reader.close()
    clear_progress()
    print(f"wrote {out}: {count} lines; {vault}: {slots - 2} slots, which only {auditor} can open")


def _announce(config: Config, reader: LogReader, auditor: str, key: str, wait: float) -> None:
    from broker.erasure import EXPORT
    from broker.own_log import exports_of

    export = os.urandom(16).hex()
    folder = exports_of(config)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{export}.json"
    partial = path.with_suffix(".partial")
    partial.write_bytes(canonical_json({"auditor": auditor, "export": export, "key": key}))
    partial.replace(path)
    deadline = time.monotonic() + wait
    while reader.document(EXPORT, export) is None:
        if (folder / "refused" / path.name).exists():
            text = f"the broker refused: is {auditor} among the `auditors` of the catalogue in force?"
            raise SluisError(Code.ORDER_INVALID, text)
        if time.monotonic() >= deadline:
            path.unlink(missing_ok=True)
            text = "no running broker logged the export; a vault is exported only when the log says for whom"
            raise SluisError(Code.LOG_UNAVAILABLE, text)
        time.sleep(0.2)


def _slots(reader: LogReader) -> Iterator[OpenedSlot]:
    for label in LABELS:
        after = ""
        while page := reader.labelled(label, after, _PAGE):
            after = page[-1].commitment
            for slot in page:
                opening = reader.opening(slot.commitment)
                if opening is not None:
                    yield OpenedSlot(slot.commitment, label, *opening)


def _public(path: Path) -> bytes:
    """The key in a .pub file, checked before anything is logged about it."""
    try:
        public = bytes.fromhex(path.read_text("ascii").strip())
        check_public(public)
    except VaultFileError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: is no .pub file of `sluis audit keys`") from error
    return public
