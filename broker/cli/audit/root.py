"""What the auditor's commands share: the command group, files read and written, progress."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.findings import Code as Finding
from broker.audit.findings import Fault
from broker.audit.trust import Trust, parse_trust
from broker.audit.verify import verify
from broker.errors import Code, SluisError

app = typer.Typer(
    name="audit",
    help="Export, verify and read the exchange log.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Exit codes of verify: 0 verified, 10 format, 11 tree, 12 another log, 13 not as expected, 14 policy, "
    "15 signature, 16 exchange, 17 replay, 18 witnesses, 19 vault, 20 time stamp.",
)
BundleFile = Annotated[Path, typer.Argument(help="The exported bundle.", exists=True, dir_okay=False)]
SHOWN_FINDINGS = 20
QUIET_SECONDS = 0.5
"""What ends sooner shows no progress."""
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_trust(path: Path) -> Trust:
    """The trust file at `path`. Raises CONFIG_INVALID with what is wrong in it."""
    try:
        return parse_trust(path.read_text("utf-8"), path.name)
    except OSError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: is not text, so no trust file; name another") from error


def on_terminal(text: str) -> Callable[..., None] | None:
    """A progress line that is written over, on a terminal only; `clear_progress` takes it away at the end."""
    if not sys.stderr.isatty():
        return None
    began = time.monotonic()

    def tell(*numbers: int) -> None:
        if time.monotonic() - began >= QUIET_SECONDS:
            sys.stderr.write(f"\r{text.format(*numbers)}\x1b[K\r")
            sys.stderr.flush()

    return tell


def clear_progress() -> None:
    """Takes the progress line away, so that what is printed next stands alone."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{path}: cannot be written: {error.strerror or type(error).__name__}; name another"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def verify_first(bundle: Path, trust: Trust, as_json: bool, *, replays: bool = False) -> None:
    """Ends the command with verify's exit code unless the bundle verifies.

    `replays`: go on where nothing is wrong but that decisions replay differently, for a command that shows those.
    """
    tell = None if as_json else on_terminal("verifying: {} of {} entries")
    with bundle.open("rb") as stream:
        report = verify(read_lines(stream), trust, progress=tell)
    clear_progress()
    if report.verified or (replays and all(Finding[name].fault is Fault.REPLAY for name in report.counts)):
        return
    if as_json:
        print(json.dumps({"verified": False, "exit_code": report.exit_code, "summary": report.summary}))
    for finding in report.findings[:SHOWN_FINDINGS]:
        typer.echo(f"  {finding}", err=True)
    typer.echo(f"{report.summary}; went no further", err=True)
    raise typer.Exit(report.exit_code)
