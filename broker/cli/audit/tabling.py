"""`sluis audit table`: the exchanges of a bundle for a spreadsheet or a program."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.table import Row, as_csv, as_json_lines, rows
from broker.cli.audit.opening import OpeningFiles, OpeningKey, read_openings
from broker.cli.audit.root import BundleFile, app, clear_progress, on_terminal, written_whole

_FORMATS = {"csv": as_csv, "json": as_json_lines}


@app.command("table")
def table(
    bundle: BundleFile,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; without it, standard output.", dir_okay=False)
    ] = None,
    kind: Annotated[str, typer.Option("--format", help="csv, or json: one object a line.")] = "csv",
    openings: OpeningFiles = None,
    key: OpeningKey = None,
) -> None:
    """Write one row for each exchange and answerer: who asked whom, when, why, the verdict and what became of it.

    Reads without checking: run `sluis audit verify` first. The columns are in docs/formats.md section 7. Case number,
    hits and counts are empty but where --openings tells them.

    Example: sluis audit table log.bundle --format csv --out exchanges.csv
    """
    if kind not in _FORMATS:
        raise typer.BadParameter(f"is {' or '.join(_FORMATS)}", param_hint="--format")
    if out is not None and out.exists() and out.samefile(bundle):
        raise typer.BadParameter("is the bundle itself; name another", param_hint="--out")
    opened = read_openings(openings, key)
    with bundle.open("rb") as stream:
        told = on_terminal("{} of {} entries") if out is not None else None
        count = 0

        def counted() -> Iterator[Row]:
            nonlocal count
            for count, row in enumerate(rows(read_lines(stream), told, opened), 1):  # noqa: B007 - told at the end
                yield row

        found = _FORMATS[kind](counted())
        if out is None:
            for line in found:
                sys.stdout.buffer.write(line)
            return
        with written_whole(out) as target:
            target.writelines(found)
    clear_progress()
    print(f"wrote {out}: {count} rows")
