"""The command `sluis-client`: for an agency that asks, answers, or holds a purpose's key.

Results go to standard output, everything else to standard error. Exit codes: `sluis_client.errors.Exit`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sluis_client import __version__
from sluis_client.cli import (
    answerer,
    asker,
    canaries,
    keys,
    live,
    log,
    proofs,
    reconciling,
    rectify,
    subject,
    unusual,
    watch,
)
from sluis_client.cli.session import profile_before, told_last
from sluis_client.errors import ClientError, Exit

app = typer.Typer(
    name="sluis-client",
    help="Ask and answer through the broker; identifiers and keys never leave this machine.\n\n"
    "Exit codes: 0 done, 1 a fault of ours, 2 wrong usage or input, 3 rows refused (--strict), 4 the broker refused, "
    "5 the policy denies, 6 not verified, 7 broker out of reach (run it again), 8 a key or certificate is wrong.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys.mount(app)
asker.mount(app)
answerer.mount(app)
watch.mount(app)
live.mount(app)
canaries.mount(app)
rectify.mount(app)
proofs.mount(app)
log.mount(app)
reconciling.mount(app)
unusual.mount(app)
subject.mount(app)


def _print_version(value: bool) -> None:
    if value:
        print(f"sluis-client {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            "-p",
            envvar="SLUIS_CLIENT_PROFILE",
            help="The agency's configuration file; left out: sluis-client.yaml.",
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""
    profile_before.set(profile)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs a command line and exits. An error is told in one line: its code, and what to do."""
    # gRPC writes handshakes that failed to standard error, eight lines of them for one; the error says it once
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    told_last.set(None)
    try:
        try:
            app(args=list(argv) if argv is not None else None, prog_name="sluis-client")
        except SystemExit as ended:
            last = told_last.get()
            if ended.code or last is None:
                raise
            raise last from None
    except ClientError as error:
        print(f"error {error.code}: {error.message}", file=sys.stderr)
        sys.exit(int(error.exit_code))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(int(Exit.OK))
    except Exception as error:  # noqa: BLE001  # the text of an unforeseen error may hold a cell of a file
        print(f"error INTERNAL: a fault of this program; report it: {_where(error)}", file=sys.stderr)
        sys.exit(int(Exit.INTERNAL))


def _where(error: Exception) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame is not None else "unknown place"
    return f"{type(error).__name__} at {place}"
