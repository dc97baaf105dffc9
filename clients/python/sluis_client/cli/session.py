"""What all commands share: their common options, the way to the broker, and how they show things."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.errors import ClientError
from sluis_client.profile import DEFAULT_NAME, Profile, load_profile

if TYPE_CHECKING:
    from sluis_client.key_services import EvaluationBudget
    from sluis_client.participant import Participant
    from sluis_client.tables import Problem
    from sluis_client.transport import Decision, Progress
    from sluis_client.witnessed import Seen

PROBLEMS_SHOWN = 20

ProfileOption = Annotated[
    Path | None, typer.Option("--profile", "-p", help="The agency's configuration file; also before the command.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
EpochOption = Annotated[str, typer.Option("--epoch", help="Key epoch, such as 2026Q4; left out: the one in force.")]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--columns", "--column", help="Where an identifier stands: column=header; may be repeated."),
]

profile_before: ContextVar[Path | None] = ContextVar("profile_before", default=None)
"""The profile named before the command."""
told_last: ContextVar[ClientError | None] = ContextVar("told_last", default=None)
"""What a command that did its work has to say after its result."""


def the_profile(given: Path | None) -> Profile:
    """The profile named at the command, else the one named before it (or by SLUIS_CLIENT_PROFILE).

    Raises:
        ClientError: PROFILE_MISSING, PROFILE_INVALID.
    """
    return load_profile(given or profile_before.get() or Path(DEFAULT_NAME))


@contextmanager
def participant(profile: Path | None, *, look_after_keys: bool = True) -> Iterator[Participant]:
    """The agency of a profile, connected to its broker. Keys whose time has come are destroyed first."""
    from sluis_client.client import connect
    from sluis_client.client.key_services import KeyServices
    from sluis_client.participant import Participant
    from sluis_client.party_keys import keystore_of

    read = the_profile(profile)
    if read.unsafe_skip_approvals:
        note("unsafe_skip_approvals: whether both sides approved a purpose is not checked")
    keystore = keystore_of(read)
    with connect(read) as transport, KeyServices(read) as services:
        me = Participant(read, keystore, transport, key_services=services.connect)
        me.tell_evaluations = _tell_evaluations
        if look_after_keys:
            _destroy_due(me)
        yield me
        if read.demand_witnessed:
            from sluis_client.witness_cover import unwitnessed

            told_last.set(unwitnessed(me))


def _destroy_due(me: Participant) -> None:
    """What ended is destroyed before anything is done with it; a command that can go on is not held up by it."""
    from sluis_client.destruction import destroy_due, overdue

    if not overdue(me.keystore, me.now()):
        return
    try:
        for one in destroy_due(me):
            what = f"key of {one.purpose} {one.epoch}" if one.epoch else "encryption key"
            note(f"destroyed, its time was over: {what} {one.key_id} (entry {one.index})")
    except ClientError as error:
        note(f"keys that have ended wait to be destroyed or logged ({error.message}); run `sluis-client keys destroy`")


def _tell_evaluations(needed: int, budgets: Sequence[EvaluationBudget]) -> None:
    """Says what a run is about to spend, and what is left then."""
    from sluis_client.epochs import AMSTERDAM

    ends = [f"{one.until.astimezone(AMSTERDAM):%Y-%m-%d}" for one in budgets]
    each = (
        f"{one.service} {one.left - needed} of {one.limit} until {end}" for one, end in zip(budgets, ends, strict=True)
    )
    left = "; ".join(each)
    note(f"{needed} evaluations by each key service; left after it: {left}")


def emit(value: Mapping[str, Any], lines: Iterable[str], as_json: bool) -> None:
    """Prints the result: as one JSON object, or as lines of text."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False, indent=2))
        return
    for line in lines:
        print(line)


def witnessed_json(saw: Seen | None) -> dict[str, Any] | None:
    """Who saw a log, for programs; None: log-signed only."""
    return None if saw is None else {"by": list(saw.by), "of": saw.of, "at": saw.at.isoformat()}


def note(text: str) -> None:
    """Says something beside the result."""
    print(text, file=sys.stderr)


def columned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of text with their columns under each other."""
    if not rows:
        return
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on standard error, if that is a terminal; else silence."""
    if not sys.stderr.isatty():
        from sluis_client.transport import silent

        yield silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield show


def pairs(values: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a mapping. Raises USAGE."""
    found: dict[str, str] = {}
    for value in values or ():
        name, separator, rest = value.partition("=")
        if not separator or not name.strip() or not rest.strip() or name.strip() in found:
            raise ClientError("USAGE", f"{option} takes name=value, each name once")
        found[name.strip()] = rest.strip()
    return found


def names(values: Sequence[str] | None) -> tuple[str, ...]:
    """Lists such as `--answerer a,b --answerer c` as one."""
    found = (item.strip() for value in values or () for item in value.split(","))
    return tuple(dict.fromkeys(item for item in found if item))


def day(text: str, option: str, *, inclusive_end: bool = False) -> datetime:
    """Midnight in Europe/Amsterdam at the start of a day, or at its end. Raises USAGE."""
    from sluis_client.epochs import AMSTERDAM

    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        raise ClientError("USAGE", f"{option} takes a day as 2026-11-23") from None
    if inclusive_end:
        parsed += timedelta(days=1)
    return datetime(parsed.year, parsed.month, parsed.day, tzinfo=AMSTERDAM)


def tell_problems(problems: Sequence[Problem], rows: int, duplicates: int) -> None:
    """Says on standard error which rows cannot be used, by line, column and reason: never by value."""
    if duplicates:
        note(f"{duplicates} duplicate row(s) counted once")
    if not problems:
        return
    note(f"{len(problems)} of {rows} rows cannot be used and are left out:")
    for problem in problems[:PROBLEMS_SHOWN]:
        note(f"  {problem}")
    if len(problems) > PROBLEMS_SHOWN:
        note(f"  and {len(problems) - PROBLEMS_SHOWN} more (--json lists all)")


def problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems for `--json`."""
    return [{"row": problem.row, "column": problem.column, "reason": problem.reason} for problem in problems]


def decision_lines(answerer: str, decision: Decision, *, all_checks: bool) -> Iterator[str]:
    """A decision in words: every check, or those that stand in the way, with the line of the policy."""
    yield f"{answerer}: {'permitted' if decision.permitted else 'denied'}"
    for check in decision.checks if all_checks else decision.unmet:
        source = f" ({check.source})" if check.source else ""
        yield f"  {'met    ' if check.met else 'NOT MET'} {check.id}: {check.reason}{source}"
    if any(check.id == "suspension" for check in decision.unmet):
        yield "  next    ask your privacy officer: both sides must approve a text that lifts the notice"
    for duty in decision.obligations:
        yield f"  duty    {duty}"
