"""`sluis policy activate | suspend`: what a broker takes up while it runs. Both work on the broker's host."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.asking import POLICY_STATE, policy_state
from broker.audit.trust import parse_trust
from broker.cli.policy.root import (
    AsJson,
    BundleFile,
    Exit,
    app,
    fail,
    print_json,
    private_key,
    write_output,
    write_whole,
)
from broker.config import Config, load_config
from broker.errors import Code, SluisError
from broker.policy.document import PolicySet
from broker.policy.problems import did_you_mean
from broker.policy.suspension import DOCUMENT as SUSPENSION
from broker.policy.suspension import Suspension, knows, may_suspend, read_suspension, sign_suspension
from broker.ports import LogReader

_ConfigFile = Annotated[Path, typer.Option("--config", help="The broker's configuration file.")]
_Wait = Annotated[float, typer.Option(help="Seconds to wait for the broker to take it up.", min=0, max=600)]
_BROKER_YAML = Path("broker.yaml")


@app.command()
def activate(
    bundle_file: BundleFile,
    config: _ConfigFile = _BROKER_YAML,
    wait: _Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Put a signed bundle where the broker reads it; a running broker swaps its whole set at once, within a second.

    The bundle is judged first as the broker will judge it; what would be refused is not put there. Without a running
    broker it comes into force at the next start.

    Example: sluis policy activate policies-4.bundle --config broker.yaml
    """
    loaded = load_config(config)
    data = bundle_file.read_bytes()
    from broker.acceptance import check_bundle

    try:
        policies = check_bundle(loaded, data, datetime.now(UTC))
        before = _in_force(loaded)
        if before is not None and before[1] >= policies.revision and before[0] != policies.digest:
            raise SluisError(
                Code.POLICY_REVISION_LOWER,
                f"revision {policies.revision} is not higher than {before[1]}, which is in force; to roll back, bundle "
                "the old text under a new, higher revision",
            )
    except SluisError as error:
        fail(error, as_json)
    write_whole(loaded.policy.bundle, data)
    state = policy_state(policies.digest, policies.revision)
    taken = _await(loaded, lambda reader: reader.document(*POLICY_STATE) == state, wait)
    if as_json:
        print_json({"ok": True, "in_force": taken, "digest": policies.digest, "revision": policies.revision})
    elif taken:
        typer.echo(f"in force: revision {policies.revision}, digest {policies.digest}; the log has its activation")
    else:
        typer.echo(f"put in place: revision {policies.revision}; it comes into force when the broker runs")


@app.command()
def suspend(
    purpose: Annotated[str, typer.Argument(help="The purpose to close.")],
    key: Annotated[
        Path | None, typer.Option(help="Key (PEM) of a policy signer or of an officer of a party.", dir_okay=False)
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, in one line; it is logged, so no names of persons.")] = None,
    notice: Annotated[Path | None, typer.Option(help="Hand in a notice made elsewhere.", exists=True)] = None,
    config: _ConfigFile = _BROKER_YAML,
    wait: _Wait = 10,
    as_json: AsJson = False,
) -> None:
    """Close a purpose at once, by one person's signature. Opening it again takes both sides and a new revision.

    A running broker takes the notice up within a second: questions are denied, and answers that are being made are
    withheld. Elsewhere than on the broker's host: make it with `sluis policy notice`, and have it handed in.

    Example: sluis policy suspend snf-locatie --key officer.pem --reason "wrong register published"

    Example: sluis policy suspend snf-locatie --notice notice.json --config broker.yaml
    """
    loaded = load_config(config)
    if notice is not None and key is None and reason is None:
        made = _read(loaded, notice.read_bytes(), purpose, as_json)
    elif notice is None and key is not None and reason is not None:
        made = _made(purpose, reason, loaded.origin, loaded.environment.value, key, as_json)
    else:
        raise typer.BadParameter("give --key and --reason to make a notice, or --notice alone to hand one in")
    _hand_in(loaded, made, wait, as_json)


@app.command("notice")
def make_notice(
    purpose: Annotated[str, typer.Argument(help="The purpose to close.")],
    key: Annotated[Path, typer.Option(help="Key (PEM) of a policy signer or of an officer of a party.", exists=True)],
    reason: Annotated[str, typer.Option(help="Why, in one line; it is logged, so no names of persons.")],
    trust: Annotated[Path, typer.Option(help="The trust file of the log it is for.", exists=True)],
    out: Annotated[Path, typer.Option(help="Where to write the notice.", dir_okay=False)],
    as_json: AsJson = False,
) -> None:
    """Make a suspension notice, to be handed in on the broker's host by `sluis policy suspend --notice`.

    Example: sluis policy notice snf-locatie --key officer.pem --reason "complaint" --trust trust.yaml --out notice.json
    """
    known = parse_trust(trust.read_text(encoding="utf-8"), str(trust))
    made = _made(purpose, reason, known.origin, known.environment, key, as_json)
    write_output(out, made.encode(), "--out")
    if as_json:
        print_json({"ok": True, "notice": made.notice, "written": str(out)})
        return
    typer.echo(f"wrote {out}: notice {made.notice} for {made.purpose}; nothing is suspended yet")
    typer.echo(f"next, on the broker's host: sluis policy suspend {made.purpose} --notice {out.name}")


def _made(purpose: str, reason: str, origin: str, environment: str, key: Path, as_json: bool) -> Suspension:
    private = private_key(key)
    try:
        return sign_suspension(
            purpose, reason, origin=origin, environment=environment, made_at=datetime.now(UTC), key=private
        )
    except SluisError as error:
        fail(error, as_json)


def _read(config: Config, data: bytes, purpose: str, as_json: bool) -> Suspension:
    try:
        made = read_suspension(data, origin=config.origin, environment=config.environment.value)
    except SluisError as error:
        fail(error, as_json)
    if made.purpose != purpose:
        raise typer.BadParameter(f"the notice is for {made.purpose}, not for {purpose}", param_hint="--notice")
    return made


def _hand_in(config: Config, made: Suspension, wait: float, as_json: bool) -> None:
    from broker.acceptance import check_bundle
    from broker.policy_files import notices_of, read_bundle_file

    try:
        policies = check_bundle(config, read_bundle_file(config), datetime.now(UTC))
        _demand_allowed(config, policies, made)
    except SluisError as error:
        fail(error, as_json)
    folder = notices_of(config)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{made.notice}.json", made.encode())
    taken = _await(config, lambda reader: knows(reader.document(SUSPENSION, made.purpose), made.notice), wait)
    if as_json:
        print_json({"ok": taken, "notice": made.notice, "in_force": taken})
    elif taken:
        typer.echo(f"suspended: {made.purpose}, by notice {made.notice}, which stands in the log")
        typer.echo(f"to open it again: add `lifts: [{made.notice}]` to the purpose, and let both sides approve it")
    else:
        typer.echo(f"handed in: notice {made.notice}; NOT in force: no broker took it up in {wait:g} s", err=True)
        typer.echo("it comes into force when the broker runs; see its log", err=True)
    if not taken:
        raise typer.Exit(Exit.DENIED)


def _demand_allowed(config: Config, policies: PolicySet, made: Suspension) -> None:
    if made.purpose not in policies.purposes:
        hint = did_you_mean(made.purpose, policies.purposes)
        raise SluisError(Code.POLICY_INVALID, f"'{made.purpose}' is no purpose of the set in force; {hint}")
    if not may_suspend(policies, config.policy.signers, made.key, made.purpose):
        raise SluisError(
            Code.POLICY_UNSIGNED,
            "this key may not suspend this purpose: it is neither a policy signer's (broker.yaml) nor that of an "
            "officer (officers.yaml) of a party that takes part",
        )


def _in_force(config: Config) -> tuple[str, int] | None:
    """Digest and revision of the set that the log has in force; None without a log."""
    from broker.own_log import open_log

    try:
        reader = open_log(config)
    except SluisError as error:
        if error.code is Code.NOT_FOUND:
            return None
        raise
    try:
        stored = reader.document(*POLICY_STATE)
        state = json.loads(stored) if stored else None
        return None if state is None else (str(state["digest"]), int(state["revision"]))
    finally:
        reader.close()


def _await(config: Config, happened: Callable[[LogReader], bool], seconds: float) -> bool:
    """Whether the log shows it within that time."""
    from broker.own_log import open_log

    deadline = time.monotonic() + seconds
    while True:
        try:
            reader = open_log(config)
            try:
                if happened(reader):
                    return True
            finally:
                reader.close()
        except SluisError as error:
            if error.code is not Code.NOT_FOUND:
                raise
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.2)
