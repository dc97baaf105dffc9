"""What the auditor's commands share: the command group, files read and written, progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from broker.audit.trust import Trust, parse_trust
from broker.errors import Code, SluisError

app = typer.Typer(
    name="audit",
    help="Export, verify and read the exchange log.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Exit codes of verify: 0 verified, 10 format, 11 tree, 12 another log, 13 not as expected, 14 policy, "
    "15 signature, 16 exchange, 17 replay, 20 time stamp.",
)
BundleFile = Annotated[Path, typer.Argument(help="The exported bundle.", exists=True, dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_trust(path: Path) -> Trust:
    """The trust file at `path`. Raises CONFIG_INVALID with what is wrong in it."""
    try:
        return parse_trust(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read as text") from error


def on_terminal(text: str) -> Callable[..., None] | None:
    """A progress line that is written over, on a terminal only."""
    if not sys.stderr.isatty():
        return None

    def tell(*numbers: int) -> None:
        sys.stderr.write(f"\r{text.format(*numbers)}\x1b[K\r")
        sys.stderr.flush()

    return tell


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
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be written ({type(error).__name__})") from error
    finally:
        part.unlink(missing_ok=True)
