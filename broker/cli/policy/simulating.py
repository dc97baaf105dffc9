"""`sluis policy simulate`: a draft against what was really asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.cli.policy.in_force import demand_verified
from broker.cli.policy.root import AsJson, Exit, Folder, app, day_of_option, fail, print_json, read_folder
from broker.errors import SluisError
from broker.policy.guards import GUARD_IDS
from broker.policy.legal_days import day_of, midnight
from broker.policy.simulate import Change, Group, Simulation, simulate
from broker.policy.standing import STANDING

_TITLES = {
    Change.NOW_PERMITTED: "DENIED THEN, WOULD NOW BE PERMITTED",
    Change.NOW_DENIED: "PERMITTED THEN, WOULD NOW BE DENIED",
    Change.UNKNOWN: "UNKNOWN: the draft needs a fact that the log does not hold",
}
_WHY = {
    Change.NOW_PERMITTED: "denied then by",
    Change.NOW_DENIED: "denied now by",
    Change.UNKNOWN: "not known",
}
_LACKS = {
    "case-number": "the form of case numbers changes, and the log holds only the verdict on a number",
    "count-distance": "how far the count lay from earlier counts that the draft would have given",
    "counts-per-epoch": "whether earlier counts whose outcome is not known would have used up the epoch",
    STANDING: "what was first asked, which nobody noted then",
    **dict.fromkeys(GUARD_IDS, "what the asker had asked before, which nobody counted then"),
    "mode": "whether the broker would have had the draft's mode",
    "register-rules": "whether the register would have been published under the draft's row rules",
    "requests-per-day": "whether earlier questions whose outcome is not known would have used up the day",
}


@app.command("simulate")
def simulate_draft(
    draft: Folder,
    log: Annotated[Path, typer.Option(help="A log bundle of `sluis audit export`.", exists=True, dir_okay=False)],
    trust: Annotated[Path | None, typer.Option(help="Verify the bundle first.", exists=True, dir_okay=False)] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day, in Europe/Amsterdam.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day.")] = None,
    show: Annotated[int, typer.Option(min=1, help="How many groups to show of each kind.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Decide every question of the past under a draft, and show what would have changed.

    The counters of each day and epoch are counted anew under the draft. Where the draft needs a fact that the log does
    not hold the outcome is unknown, and never taken for the same. Personal data are neither needed nor held.

    Exit 8: the draft would have permitted what was denied. Unknown outcomes alone end with 0, and are shown.

    Example: sluis policy simulate policies/ --log log.bundle --trust trust.yaml --from 2026-10-01
    """
    policies = read_folder(draft, as_json)
    start = midnight(day_of_option(first, "--from")) if first else None
    end = midnight(day_of_option(until, "--until") + timedelta(days=1)) if until else None
    if start is not None and end is not None and end <= start:
        raise typer.BadParameter("the last day lies before the first", param_hint="--until")
    try:
        if trust is not None:
            demand_verified(log, trust)
        with log.open("rb") as stream:
            found = simulate(policies, read_lines(stream), start=start, end=end)
    except SluisError as error:
        fail(error, as_json)
    if as_json:
        print_json(simulation_object(found, verified=trust is not None))
    else:
        print_simulation(found, verified=trust is not None, show=show)
    if found.counts[Change.NOW_PERMITTED]:
        raise typer.Exit(Exit.ALLOWS_MORE)


def print_simulation(found: Simulation, *, verified: bool, show: int) -> None:
    """What changes, what permits more first; `show`: how many groups of each kind."""
    if found.first is None or found.last is None:
        typer.echo("no question was asked in that period")
    else:
        said = "verified with the trust file" if verified else "NOT verified: give --trust, or run `sluis audit verify`"
        typer.echo(f"{found.asks:,} past questions, {day_of(found.first)} to {day_of(found.last)}; log {said}")
    for change, title in _TITLES.items():
        groups = [group for group in found.groups if group.change is change]
        if groups:
            typer.echo(f"\n{title}: {found.counts[change]:,} of {found.asks:,}")
        for group in groups[:show]:
            _print_group(group)
        if len(groups) > show:
            typer.echo(f"  and {len(groups) - show} more groups; --show {len(groups)} shows all")
    typer.echo("")
    for name in found.never_asked:
        typer.echo(f"no one asked under {name} in this period: nothing can be said of it")
    typer.echo(
        f"of {found.asks:,} past questions {found.counts[Change.NOW_PERMITTED]:,} change from deny to permit, "
        f"{found.counts[Change.NOW_DENIED]:,} from permit to deny, {found.counts[Change.UNKNOWN]:,} are unknown; "
        f"{found.counts[Change.OTHER_REASONS]:,} stay denied for other reasons, "
        f"{found.counts[Change.SAME]:,} stay the same"
    )


def _print_group(group: Group) -> None:
    times = "once" if group.count == 1 else f"{group.count:,} times"
    when = f"on {group.first}" if group.first == group.last else f"from {group.first} to {group.last}"
    typer.echo(f"  {group.purpose}: {group.asker} asked {group.answerer} {times}, {when}")
    checks = ", ".join(group.checks) if group.checks else "nothing"
    typer.echo(f"    {_WHY[group.change]}: {checks}")
    if group.change is Change.UNKNOWN:
        for check in group.checks:
            typer.echo(f"      {check}: {_LACKS[check]}")
    listed = ", ".join(map(str, group.examples))
    typer.echo(f"    log entries: {listed}{', ...' if group.count > len(group.examples) else ''}")


def simulation_object(found: Simulation, *, verified: bool) -> dict[str, Any]:
    """As `print_simulation`, for programs."""
    return {
        "ok": not found.counts[Change.NOW_PERMITTED],
        "verified": verified,
        "asks": found.asks,
        "counts": {change.name.lower(): found.counts[change] for change in Change},
        "groups": [
            {
                "change": group.change.name.lower(),
                "purpose": group.purpose,
                "asker": group.asker,
                "answerer": group.answerer,
                "checks": list(group.checks),
                "count": group.count,
                "first": group.first.isoformat(),
                "last": group.last.isoformat(),
                "entries": group.examples,
            }
            for group in found.groups
        ],
        "never_asked": list(found.never_asked),
    }
