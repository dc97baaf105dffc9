"""`sluis policy in-force`: what was in force on a day, by whose signature, and the proof."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.in_force import InForce, PolicyHistory
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.cli.policy.root import AsJson, Exit, app, day_of_option, fail, moment_of, print_json, write_whole
from broker.errors import Code, SluisError
from broker.policy.document import CATALOGUE_FILE, OFFICERS_FILE
from broker.policy.legal_days import AMSTERDAM, local_day, midnight
from broker.policy.problems import did_you_mean

_TIME = "%Y-%m-%d %H:%M:%S %Z"


@app.command("in-force")
def in_force(
    purpose: Annotated[str, typer.Argument(help="The purpose.")],
    on: Annotated[
        str | None, typer.Option("--on", help="A day in Europe/Amsterdam, or a moment in UTC; else now.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option("--log", help="A log bundle of `sluis audit export`.", exists=True)
    ] = None,
    trust: Annotated[Path | None, typer.Option("--trust", help="Verify the bundle first.", exists=True)] = None,
    config: Annotated[Path, typer.Option("--config", help="On the broker's host, instead of --log.")] = Path(
        "broker.yaml"
    ),
    out: Annotated[Path | None, typer.Option(help="Write text, catalogue, officers and proof to this folder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the exact text of a purpose that was in force, who signed it, and the proof that it stands in the log.

    A day may show several texts, when one replaced another on it. Exit 5: none was in force then. Exit 7: its set had
    expired, so that it permitted nothing. What came after the end of the log cannot be told, and the output says so.

    Example: sluis policy in-force snf-locatie --on 2026-11-23 --log log.bundle --trust trust.yaml

    Example: sluis policy in-force snf-locatie --config broker.yaml --out snf-locatie-in-force/
    """
    start, end = _period(on)
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise typer.BadParameter("holds something already; name a new folder", param_hint="--out")
    verified = False
    try:
        if log is not None and trust is not None:
            demand_verified(log, trust)
            verified = True
        with log_lines(log, config) as lines:
            history = PolicyHistory(lines)
        found = list(history.in_force(purpose, start, end))
    except SluisError as error:
        fail(error, as_json)
    if not found:
        known = history.purposes()
        hint = "" if purpose in known else f"; {did_you_mean(purpose, known)}"
        typer.echo(f"{purpose}: no policy set that was in force then holds this purpose{hint}", err=True)
        raise typer.Exit(Exit.DENIED)
    if out is not None:
        _write_folder(out, found, history)
    expired = all(item.archived.expires <= start for item in found)
    later = on is not None and history.known_until is not None and history.known_until < start
    if as_json:
        shown = [{**_as_json(item), "receipt": history.receipt(item.index)} for item in found]
        print_json({"ok": not expired, "verified": verified, "in_force": shown, "after_the_log": later})
        raise typer.Exit(Exit.EXPIRED if expired else 0)
    for item in found:
        _print(item, history, start, verified=verified)
    if later and history.known_until is not None:
        typer.echo(f"the log ends at {_local(history.known_until)}: what came into force after that it cannot tell")
    if out is not None:
        typer.echo(f"wrote {out}; check the proof: sluis audit verify BUNDLE --trust TRUST --expect {out}/proof.json")
    if expired:
        raise typer.Exit(Exit.EXPIRED)


@contextmanager
def log_lines(log: Path | None, config: Path) -> Iterator[Iterable[bytes]]:
    """The lines of a bundle, or those that an export of the configured log would have."""
    if log is not None:
        with log.open("rb") as stream:
            yield read_lines(stream)
        return
    from broker.audit.export import bundle_lines
    from broker.config import load_config
    from broker.own_log import open_log

    reader = open_log(load_config(config))
    try:
        yield bundle_lines(reader)
    finally:
        reader.close()


def demand_verified(log: Path, trust: Path) -> None:
    """Raises CONFIG_INVALID unless the bundle verifies as a whole with the trust file."""
    with log.open("rb") as stream:
        report = verify(read_lines(stream), parse_trust(trust.read_text(encoding="utf-8"), str(trust)))
    if not report.verified:
        raise SluisError(
            Code.CONFIG_INVALID,
            f"{log}: {report.summary}; run `sluis audit verify` to see what is wrong, and trust nothing in it",
        )


def _period(on: str | None) -> tuple[datetime, datetime]:
    """A day from midnight to midnight, or one moment."""
    if on is not None and "T" not in on:
        day = day_of_option(on, "--on")
        return midnight(day), midnight(day + timedelta(days=1))
    moment = datetime.now(UTC) if on is None else moment_of(on, "--on")
    return moment, moment + timedelta(microseconds=1)


def _local(moment: datetime) -> str:
    return moment.astimezone(AMSTERDAM).strftime(_TIME)


def _print(item: InForce, history: PolicyHistory, start: datetime, *, verified: bool) -> None:
    purpose, archived = item.purpose, item.archived
    until = "" if item.until is None else f" until {_local(item.until)}"
    typer.echo(f"{purpose.name}: {purpose.state}, in force from {_local(item.since)}{until}")
    if item.archived.expires <= start:
        typer.echo("  EXPIRED      before the time you asked about: nothing was permitted any more")
    elif not purpose.valid.from_ <= local_day(start) <= purpose.valid.until:
        typer.echo(f"  NOT VALID    then: it holds from {purpose.valid.from_} to {purpose.valid.until}, both included")
    typer.echo(f"  set          revision {archived.revision}, expires {_local(archived.expires)}")
    typer.echo(f"  digest       {archived.digest} (meaning)\n  text digest  {archived.text_digest}")
    for key, role in sorted(archived.roles.items()):
        typer.echo(f"  signed by    {key} as {role!r}, by its own account")
    for approval in item.approvals:
        sides = {"asking": item.sides.asking, "answering": item.sides.answering}
        counts = " and ".join(side for side, officers in sides.items() if approval.officer in officers)
        if counts:
            typer.echo(f"  approved by  {approval.officer}, {counts} side, on {approval.approved_on}")
    if not item.sides.complete:
        typer.echo(f"  NOT approved by {item.sides.lacking}")
    for notice in item.suspended:
        typer.echo(f"  SUSPENDED    since {_local(notice.since)} by notice {notice.notice}: {notice.reason}")
    receipt = history.receipt(item.index)
    checked = "log verified with the trust file" if verified else "log NOT verified; give --log and --trust"
    hashes = len(receipt["inclusion"])
    typer.echo(f"  activation   entry {item.index} of the log, proven by {hashes} hashes under this checkpoint:")
    typer.echo("".join(f"               {line}\n" for line in history.checkpoint.splitlines() if line), nl=False)
    typer.echo(f"               {checked}")
    typer.echo(f"  the text, exactly as signed (purposes/{purpose.name}.yaml):\n")
    typer.echo(item.text, nl=not item.text.endswith("\n"))


def _as_json(item: InForce) -> dict[str, Any]:
    return {
        "purpose": item.purpose.name,
        "state": item.purpose.state,
        "since": f"{item.since:%Y-%m-%dT%H:%M:%S.%fZ}",
        "until": item.until and f"{item.until:%Y-%m-%dT%H:%M:%S.%fZ}",
        "entry": item.index,
        "digest": item.archived.digest,
        "text_digest": item.archived.text_digest,
        "revision": item.archived.revision,
        "expires": f"{item.archived.expires:%Y-%m-%dT%H:%M:%SZ}",
        "signers": dict(item.archived.roles),
        "approvals": [approval.to_object() for approval in item.approvals],
        "approved": item.sides.complete,
        "suspended": [
            {"notice": one.notice, "since": f"{one.since:%Y-%m-%dT%H:%M:%S.%fZ}", "reason": one.reason, "key": one.key}
            for one in item.suspended
        ],
        "text": item.text,
    }


def _write_folder(out: Path, found: list[InForce], history: PolicyHistory) -> None:
    """The last text of the period, with what it draws on; the proofs of all."""
    out.mkdir(parents=True, exist_ok=True)
    last = found[-1]
    write_whole(out / f"{last.purpose.name}.yaml", last.text.encode())
    for name in (CATALOGUE_FILE, OFFICERS_FILE):
        if name in last.archived.texts:
            write_whole(out / name, last.archived.texts[name].encode())
    proofs = [history.receipt(item.index) for item in found]
    write_whole(out / "proof.json", json.dumps(proofs, indent=1).encode())
