"""`sluis audit export`: the whole log in one file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from broker.audit.export import bundle_lines
from broker.cli.audit.root import app, on_terminal, written_whole
from broker.ports import LogReader


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
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    database: Annotated[
        Path | None, typer.Option("--database", help="The log's database, instead of --config.")
    ] = None,
) -> None:
    """Write the whole log with its policy sets to a bundle, for auditors.

    Works beside a running broker. The bundle holds no identifier, pseudonym or key.

    Example: sluis audit export --config broker.yaml --out log.bundle
    """
    from broker.app import open_log, open_log_database
    from broker.config import load_config

    reader = open_log_database(database) if database is not None else open_log(load_config(config))
    try:
        with written_whole(out) as stream:
            count = export_to(reader, stream, on_terminal("{} lines written"))
    finally:
        reader.close()
    print(f"wrote {out}: {count} lines")
