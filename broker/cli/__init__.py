"""The command `sluis`: for operators, privacy officers and auditors.

Exit codes: 0 done, 1 a fault of ours, 2 wrong usage, 3 a file or setting is refused, 4 what was asked for is not there,
5 denied or not verified (see each command).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, ClassVar

import typer

from broker import __version__
from broker.cli.lazily import Deferred, LazyGroup
from broker.cli.terminal import each_line, one_line
from broker.errors import Code, Kind, SluisError


class _Commands(LazyGroup):
    deferred: ClassVar[Mapping[str, Deferred]] = {
        "init": Deferred("broker.cli.operate", "Write a commented broker.yaml."),
        "dev-pki": Deferred("broker.cli.operate", "Make a throw-away CA with certificates, for demo and tests."),
        "serve": Deferred("broker.cli.operate", "Run the broker until SIGTERM or Ctrl-C; then drain and stop."),
        "doctor": Deferred(
            "broker.cli.operate",
            "Check configuration, keys, policy set, certificates and the whole log, without serving.",
        ),
        "seal": Deferred(
            "broker.cli.log_life",
            "End the log and begin the one that follows, bound to its last checkpoint; with the broker stopped.",
        ),
        "recover": Deferred(
            "broker.cli.log_life",
            "Begin a new log after entries were lost for good, with an entry that names the gap; with the broker "
            "stopped.",
        ),
        "retention": Deferred(
            "broker.cli.log_life",
            "Erase what a log that has ended need not keep any more: vault rows that are due, its registers, old "
            "answers.",
        ),
        "policy": Deferred("broker.cli.policy", "Write, test, explain, bundle and sign purpose policies."),
        "audit": Deferred("broker.cli.audit", "Export, verify and read the exchange log."),
        "witness": Deferred(
            "broker.cli.witness",
            "Watch logs and cosign their checkpoints (C2SP tlog-witness): at another organisation than the broker.",
        ),
        "key-service": Deferred(
            "broker.cli.key_service",
            "Run a key service of mode oblivious at another operator than the broker; make and destroy its keys.",
        ),
        "keys": Deferred("broker.cli.operate", "The broker's own keys."),
        "high-water": Deferred("broker.cli.log_life", "The mark outside the database of what was acknowledged."),
    }


app = typer.Typer(
    name="sluis",
    cls=_Commands,
    help="The broker between supervisors: pseudonymised matching under a purpose, every exchange provable.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
