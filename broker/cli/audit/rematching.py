"""`sluis audit replay --rematch`: released answers matched again on the broker's host."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from broker.audit.findings import Fault
from broker.cli.audit.root import clear_progress, on_terminal
from broker.rematching import Outcome, Rematched

SHOWN = 20


def rematch_all(config: Path, as_json: bool) -> None:
    """Matches again what a broker's data still allow. Exit 0: all are the same; 17: any is not."""
    from broker.config import load_config
    from broker.own_log import open_rematching

    tell = None if as_json else on_terminal("matching again: entry {} of {}")
    with open_rematching(load_config(config)) as rematching:
        outcome = rematching.all(tell)
    clear_progress()
    if as_json:
        print(json.dumps(_as_object(outcome)))
    else:
        _print(outcome)
    raise typer.Exit(0 if outcome.all_same else int(Fault.REPLAY))


def _print(outcome: Outcome) -> None:
    for compared in outcome.listed[:SHOWN]:
        print(f"release {compared.entry}, of {compared.answerer}, {compared.outcome.value}: {compared.why}")
    hidden = outcome.counts.total() - outcome.counts[Rematched.SAME] - min(SHOWN, len(outcome.listed))
    if hidden:
        print(f"and {hidden:,} more; --json lists the first {len(outcome.listed):,}")
    for why, count in outcome.why.most_common():
        print(f"{count:>8,}  {why}")
    print("not logged: the operator of this host did this, with the broker's keys")
    same, differ, gone = (outcome.counts[result] for result in Rematched)
    print(
        f"of {outcome.counts.total():,} released answers {same:,} are the same, {differ:,} differ, "
        f"{gone:,} are no longer possible"
    )


def _as_object(outcome: Outcome) -> dict[str, object]:
    return {
        "all_same": outcome.all_same,
        "released": outcome.counts.total(),
        **{result.value.replace(" ", "_"): outcome.counts[result] for result in Rematched},
        "why": dict(outcome.why),
        "listed": [
            {"index": one.entry, "answerer": one.answerer, "result": one.outcome.value, "why": one.why}
            for one in outcome.listed
        ],
    }
