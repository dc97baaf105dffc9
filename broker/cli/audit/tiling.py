"""`sluis audit tiles`: the log as static files that any C2SP tlog-tiles reader understands."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from broker.cli.audit.root import app, written_whole
from broker.errors import Code, SluisError


class Folder:
    """A shelf in a directory: files appear whole, by rename."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None

    def size(self, path: str) -> int:
        """Its bytes' number; -1 when there is none."""
        try:
            return (self._root / path).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return -1

    def write(self, path: str, data: bytes) -> None:
        """Writes or replaces a file. Raises CONFIG_INVALID when that cannot be done."""
        target = self._root / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SluisError(
                Code.CONFIG_INVALID, f"{target.parent}: cannot be made ({type(error).__name__})"
            ) from error
        with written_whole(target) as stream:
            stream.write(data)

    def drop_partial(self, path: str) -> None:
        """Removes the partial tiles of a full tile."""
        shutil.rmtree(self._root / f"{path}.p", ignore_errors=True)


@app.command("tiles")
def tiles(
    out: Annotated[Path, typer.Option("--out", help="The directory for the files.", file_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    database: Annotated[
        Path | None, typer.Option("--database", help="The log's database, instead of --config.")
    ] = None,
    witnessed: Annotated[
        bool, typer.Option("--witnessed", help="Up to the newest checkpoint that a quorum of witnesses cosigned.")
    ] = False,
) -> None:
    """Write the log as static files (C2SP tlog-tiles), or bring those up to date that are there.

    Works beside a running broker. Files hold what a bundle holds of the log, without policy sets. What is there already
    must be of this log: another one, or a longer one, is refused and left as it is.

    Example: sluis audit tiles --config broker.yaml --out /srv/tiles
    """
    from broker.config import load_config
    from broker.exchange_log.checkpoint import parse_checkpoint
    from broker.exchange_log.cosignature import COSIGNED, NEWEST, cosigned_key
    from broker.exchange_log.tiles import write_tiles
    from broker.own_log import open_log, open_log_database

    reader = open_log_database(database) if database is not None else open_log(load_config(config))
    try:
        if witnessed:
            stored = reader.document(*NEWEST)
            if stored is None:
                raise SluisError(Code.NOT_FOUND, "no checkpoint of this log has a quorum of cosignatures yet")
            note = stored.decode()
            size = parse_checkpoint(note).size
        else:
            size, note = reader.checkpoint()
            note = (reader.document(COSIGNED, cosigned_key(size)) or note.encode()).decode()
        written = write_tiles(reader, Folder(out), size, note)
    finally:
        reader.close()
    print(f"wrote {written} files to {out}: {size} entries")
