"""`sluis audit trust`: the trust file, made by the operator and compared by the auditor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from broker.audit.stamp_rule import StampRule
from broker.cli.audit.root import AsJson, app, read_trust

trust_app = typer.Typer(help="Make and compare trust files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(trust_app, name="trust")


@trust_app.command("make")
def trust_make(
    out: Annotated[Path, typer.Option("--out", help="The trust file to write.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    stamp_gap: Annotated[
        int | None,
        typer.Option("--stamp-max-gap-hours", min=1, max=8760, help="Hours that entries may stand without a stamp."),
    ] = None,
    stamp_from: Annotated[
        int, typer.Option("--stamp-from", min=0, help="First entry of which that is asked: where stamping began.")
    ] = 0,
) -> None:
    """Write the trust file that goes with a broker. The operator's side: an auditor compares its fingerprint.

    An auditor who takes this file from the operator alone trusts the operator: compare `trust show` with what the
    parties and the policy signers say.

    Example: sluis audit trust make --config broker.yaml --out trust.yaml
    """
    from broker.config import load_config
    from broker.trust_making import trust_of

    read = load_config(config)
    if stamp_gap is not None and read.time_stamps is None:
        raise typer.BadParameter("the configuration names no time stamper", param_hint="--stamp-max-gap-hours")
    if stamp_from and stamp_gap is None:
        raise typer.BadParameter("goes with --stamp-max-gap-hours", param_hint="--stamp-from")
    stamps = {} if stamp_gap is None else {"stamp_max_gap_hours": stamp_gap, "stamp_from": stamp_from}
    out.write_text(trust_of(read, **stamps), encoding="utf-8")
    print(f"wrote {out}; fingerprint {read_trust(out).fingerprint}")


@trust_app.command("show")
def trust_show(
    file: Annotated[Path, typer.Argument(help="The trust file.", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """Print a trust file's fingerprint, to compare by telephone or on paper.

    Example: sluis audit trust show trust.yaml
    """
    trust = read_trust(file)
    if as_json:
        value = {"fingerprint": trust.fingerprint, "origin": trust.origin, "environment": trust.environment}
        print(json.dumps({**value, "key_periods": list(trust.periods.texts)}))
        return
    print(f"log          {trust.origin} ({trust.environment})")
    print(f"log keys     {len(trust.log_keys)}")
    print(f"issuers      {len(trust.issuers)}")
    print(f"policies     {trust.policy_quorum} of {len(trust.policy_signers)} signers")
    print(f"engines      {', '.join(sorted(trust.engines))}")
    if trust.time_stampers:
        print(f"stampers     {len(trust.time_stampers)}{_due(trust.stamp_rule)}")
    rule = trust.witness_rule
    if rule is not None:
        print(f"witnesses    {rule.quorum} of {len(rule.keys)}, grace {int(rule.grace.total_seconds()) // 60} minutes")
    for text in trust.periods.texts:
        key, first, last = text.split(" ")
        since = "" if first == "-" else f"from {first} "
        print(f"counts       {since}{'' if last == '-' else f'until {last} '}only: {key}")
    print(f"fingerprint  {trust.fingerprint}")


def _due(rule: StampRule | None) -> str:
    """How long entries may stand without a stamp."""
    if rule is None:
        return "; stamps are checked, and none is missed"
    since = f", from entry {rule.since}" if rule.since else ""
    return f"; every entry stamped within {int(rule.gap.total_seconds()) // 3600} hours{since}"
