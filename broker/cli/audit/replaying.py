"""`sluis audit replay`: every decision of the past taken again, and what a draft would have made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.findings import Fault
from broker.audit.replay import Replayed
from broker.audit.replaying import Listed, Outcome, replay_all
from broker.cli.audit.columns import one_line, table
from broker.cli.audit.rematching import rematch_all
from broker.cli.audit.root import AsJson, app, clear_progress, on_terminal, read_trust, verify_first
from broker.cli.policy.root import Exit, read_side
from broker.cli.policy.simulating import print_simulation, simulation_object
from broker.policy.document import PolicySet
from broker.policy.simulate import Change, simulate

SHOWN = 20
_NOT_VERIFIED = "NOT verified: a forged log may replay; give --trust, or run `sluis audit verify` first"


@app.command("replay")
def replay(
    bundle: Annotated[
        Path | None, typer.Argument(help="The exported bundle; none with --rematch.", exists=True, dir_okay=False)
    ] = None,
    *,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="Verify the bundle first.", exists=True, dir_okay=False)
    ] = None,
    what_if: Annotated[
        Path | None,
        typer.Option("--what-if", help="A policies folder or bundle: what it would have decided.", exists=True),
    ] = None,
    rematch: Annotated[
        bool, typer.Option("--rematch", help="On the broker's host: match released answers again.")
    ] = False,
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file, for --rematch.")] = Path(
        "broker.yaml"
    ),
    as_json: AsJson = False,
) -> None:
    """Take every decision again, from the archived policies and the logged facts, and compare it whole.

    Each by the engine it names. Effect, all checks with their reasons, and obligations must be the same. What cannot
    be taken again is never counted as the same. Exit 0: all are the same; 17: any is not. With --what-if, exit 8: the
    draft would have permitted what was denied.

    Replay alone does not verify. With --trust the bundle is verified first, and a forged one ends with verify's exit
    code.

    --rematch works on the broker's data and needs its keys, beside a running broker or without one, and writes nothing:
    it joins the rows asked with the register version that answered, as long as both are kept, and holds the result
    against the log's commitment. It shows no row and no number of hits. It is not logged: whoever holds the keys could
    read the same.

    Example: sluis audit replay log.bundle --trust trust.yaml

    Example: sluis audit replay log.bundle --what-if policies/

    Example: sluis audit replay --rematch --config broker.yaml
    """
    if rematch:
        if bundle is not None or trust is not None or what_if is not None:
            raise typer.BadParameter(
                "reads the broker's own log: give --config and nothing else", param_hint="--rematch"
            )
        rematch_all(config, as_json)
        return
    if bundle is None:
        raise typer.BadParameter("name the bundle, or give --rematch", param_hint="BUNDLE")
    draft = None if what_if is None else read_side(what_if, as_json)
    if trust is not None:
        verify_first(bundle, read_trust(trust), as_json, replays=what_if is None)
    verified = trust is not None
    if draft is not None:
        _what_if(draft, bundle, verified=verified, as_json=as_json)
    tell = None if as_json else on_terminal("replaying: {} of {} entries")
    with bundle.open("rb") as stream:
        outcome = replay_all(read_lines(stream), tell)
    clear_progress()
    if as_json:
        print(json.dumps(_as_object(outcome, verified=verified), ensure_ascii=False))
    else:
        _print(outcome, verified=verified)
    raise typer.Exit(0 if outcome.all_same else int(Fault.REPLAY))


def _what_if(draft: PolicySet, bundle: Path, *, verified: bool, as_json: bool) -> NoReturn:
    with bundle.open("rb") as stream:
        found = simulate(draft, read_lines(stream))
    if as_json:
        print(json.dumps(simulation_object(found, verified=verified), ensure_ascii=False))
    else:
        print_simulation(found, verified=verified, show=SHOWN)
    raise typer.Exit(Exit.ALLOWS_MORE if found.counts[Change.NOW_PERMITTED] else 0)


def _print(outcome: Outcome, *, verified: bool) -> None:
    print(f"log  {one_line(outcome.origin)}, {outcome.size:,} entries")
    print("verified with the trust file" if verified else _NOT_VERIFIED)
    if outcome.rows:
        print()
        rows = [
            (row.what, row.purpose, row.engine, row.revision or "?", *(counts[result] for result in Replayed))
            for row, counts in sorted(outcome.rows.items())
        ]
        heads = ("decision", "purpose", "engine", "revision", *(result.value for result in Replayed))
        for line in table(heads, rows):
            print(one_line(line))
    for listed in outcome.listed[:SHOWN]:
        _print_listed(listed)
    hidden = outcome.decisions - outcome.count(Replayed.SAME) - min(SHOWN, len(outcome.listed))
    if hidden:
        print(f"\nand {hidden:,} more; --json lists the first {len(outcome.listed):,}")
    print()
    if outcome.dry_runs:
        print(f"dry runs, which hold no facts and are not replayed: {outcome.dry_runs:,}")
    print(
        f"of {outcome.decisions:,} decisions {outcome.count(Replayed.SAME):,} are the same, "
        f"{outcome.count(Replayed.DIFFERS):,} differ, {outcome.count(Replayed.NOT_REPLAYABLE):,} are not replayable"
    )


def _print_listed(listed: Listed) -> None:
    row = listed.row
    why = f": {listed.why}" if listed.outcome is Replayed.NOT_REPLAYABLE else ""
    print("\n" + one_line(f"entry {listed.index}, {row.what} under {row.purpose}, {listed.outcome.value}{why}"))
    for one in listed.differences:
        print(one_line(f"  {one.what}"))
        print(one_line(f"    logged    {one.logged}"))
        print(one_line(f"    replayed  {one.replayed}"))


def _as_object(outcome: Outcome, *, verified: bool) -> dict[str, Any]:
    return {
        "all_same": outcome.all_same,
        "verified": verified,
        "origin": outcome.origin,
        "entries": outcome.size,
        "decisions": outcome.decisions,
        **{_name(result): outcome.count(result) for result in Replayed},
        "dry_runs": outcome.dry_runs,
        "rows": [
            {**row._asdict(), **{_name(result): counts[result] for result in Replayed}}
            for row, counts in sorted(outcome.rows.items())
        ],
        "why_not_replayable": dict(outcome.why),
        "listed": [
            {
                "index": listed.index,
                **listed.row._asdict(),
                "result": _name(listed.outcome),
                "why": listed.why,
                "differences": [one._asdict() for one in listed.differences],
            }
            for listed in outcome.listed
        ],
    }


def _name(result: Replayed) -> str:
    return result.value.replace(" ", "_")
