"""The command `sluis`: for operators, privacy officers and auditors.

Exit codes: 0 done, 1 a fault of ours, 2 wrong usage, 3 a file or setting is refused, 4 what was asked for is not there,
5 denied or not verified (see each command).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from broker import __version__
from broker.cli import audit, key_service, log_life, operate, policy, witness
from broker.cli.terminal import each_line, one_line
from broker.errors import Code, Kind, SluisError

app = typer.Typer(
    name="sluis",
    help="The broker between supervisors: pseudonymised matching under a purpose, every exchange provable.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(policy.app, name="policy", help="Write, test, explain, bundle and sign purpose policies.")
app.add_typer(audit.app, name="audit", help="Export, verify and read the exchange log.")
app.add_typer(witness.app, name="witness")
app.add_typer(key_service.app, name="key-service")
operate.mount(app)
log_life.mount(app)


def _print_version(value: bool) -> None:
    if value:
        print(f"sluis {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options before the command."""


def exit_code(error: SluisError) -> int:
    """The exit code that goes with an error."""
    if error.code.kind is Kind.NOT_FOUND:
        return 4
    return 1 if error.code is Code.INTERNAL else 3


def main() -> None:
    """Runs the command; errors of the family are told in one line, without a traceback."""
    try:
        app()
    except SluisError as error:
        print(each_line(f"error {error.code.name}: {error.message}"), file=sys.stderr)
        sys.exit(exit_code(error))
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        why = error.strerror or type(error).__name__
        print(one_line(f"error FILE_UNUSABLE:{place}: {why}; name another"), file=sys.stderr)
        sys.exit(2)
    except Exception as error:  # noqa: BLE001 - a fault of ours is told without its text, which may quote a file
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f"{frame.tb_frame.f_globals.get('__name__')}:{frame.tb_lineno}" if frame else "?"
        print(f"error INTERNAL: a fault of ours; report it: {type(error).__name__} at {where}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
