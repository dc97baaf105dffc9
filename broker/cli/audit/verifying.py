"""`sluis audit verify`: a bundle against a trust file, and the verdict in plain words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.advice import advice_on
from broker.audit.bundle_lines import read_lines
from broker.audit.findings import Code, Finding, Report
from broker.audit.preceding import Preceding
from broker.audit.verify import verify, verify_preceding
from broker.cli.audit.columns import one_line
from broker.cli.audit.opening import OpeningKey, vault_of
from broker.cli.audit.root import SHOWN_FINDINGS, AsJson, BundleFile, app, clear_progress, on_terminal, read_trust


@app.command("verify")
def verify_command(
    bundle: BundleFile,
    *,
    trust: Annotated[
        Path, typer.Option("--trust", help="The trust file, got another way.", exists=True, dir_okay=False)
    ],
    expect: Annotated[
        Path | None,
        typer.Option(
            "--expect", help="A checkpoint or receipt you hold; the log must contain it.", exists=True, dir_okay=False
        ),
    ] = None,
    previous: Annotated[
        list[Path] | None,
        typer.Option(
            "--previous", help="The bundle of the log before; repeat for those before it.", exists=True, dir_okay=False
        ),
    ] = None,
    previous_trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--previous-trust",
            help="Its trust file; as often as --previous, in that order.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    vault: Annotated[
        Path | None,
        typer.Option("--vault", help="The vault export that came with the bundle.", exists=True, dir_okay=False),
    ] = None,
    key: OpeningKey = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle against a trust file: every byte, hash, signature, decision and counter.

    With --previous also that it follows that log: bound to its last entry, counting on from its counters.

    Example: sluis audit verify log.bundle --trust trust.yaml

    Example: sluis audit verify log.bundle --trust trust.yaml --expect receipt.json

    Example: sluis audit verify 2027.bundle --trust 2027.yaml --previous 2026.bundle --previous-trust 2026.yaml
    """
    tell = None if as_json else _told_with_rate(on_terminal("{:,} of {:,} entries, {:,} a second"))
    before = _verify_chain(previous or [], previous_trust or [], tell, as_json=as_json)
    trusted = read_trust(trust)
    with ExitStack() as files:
        stream = files.enter_context(bundle.open("rb"))
        sealed = None if vault is None else vault_of(files.enter_context(vault.open("rb")), key)
        report = verify(
            read_lines(stream),
            trusted,
            expect=None if expect is None else expect.read_bytes(),
            preceding=before,
            vault=sealed,
            progress=tell,
        )
    clear_progress()
    if as_json:
        print(json.dumps(report_object(report), ensure_ascii=False))
    else:
        _print_report(report, stamps_due=bool(trusted.time_stampers))
    raise typer.Exit(report.exit_code)


def _verify_chain(
    bundles: Sequence[Path], trusts: Sequence[Path], tell: Callable[..., None] | None, *, as_json: bool
) -> Preceding | None:
    """The log right before; the given ones are verified oldest first, and the first that is not ends the command."""
    if len(bundles) != len(trusts):
        raise typer.BadParameter("give one --previous-trust for each --previous", param_hint="--previous-trust")
    before = None
    for bundle, trust in reversed(list(zip(bundles, trusts, strict=True))):
        with bundle.open("rb") as stream:
            report, before = verify_preceding(read_lines(stream), read_trust(trust), preceding=before, progress=tell)
        if not report.verified:
            if as_json:
                print(json.dumps(report_object(report), ensure_ascii=False))
            else:
                print(f"{bundle}, given as a log before, does not verify:")
                _print_report(report)
            raise typer.Exit(report.exit_code)
    return before


def _told_with_rate(tell: Callable[..., None] | None) -> Callable[[int, int], None] | None:
    """A progress line that says how fast it goes."""
    if tell is None:
        return None
    began = time.monotonic()

    def told(read: int, stated: int) -> None:
        nonlocal began
        if not read:
            began = time.monotonic()  # another bundle
        tell(read, stated, int(read / max(time.monotonic() - began, 0.001)))

    return told


def _print_report(report: Report, *, stamps_due: bool = False) -> None:
    size = f"{report.size} entries under {report.checkpoints} checkpoints"
    if "ORIGIN" in report.counts:  # the likeliest cause of all that follows is no forgery, so it comes first
        print(f"log          not {report.origin}, which the trust file is for; {size}")
        print("             first see whether bundle and trust file belong together; if they do, read on")
    else:
        print(f"log          {report.origin}, {size}")
    print(f"trust        {report.trust}")
    if report.follows is not None:
        compared = "compared" if report.preceded else "not compared; give --previous"
        print(f"follows      {one_line(report.follows)}: {compared}")
    if report.sealed is not None:
        print(f"sealed       {one_line(report.sealed)} follows")
    if report.first is not None:
        print(f"time         {report.first} to {report.last}")
    print(f"entries      {', '.join(f'{count} {kind}' for kind, count in report.kinds.items()) or 'none'}")
    print(
        f"decisions    {report.replayed_same} replayed the same, {report.replayed_differ} differ, "
        f"{report.not_replayable} not replayable; {report.open_asks} asks still open at the end"
    )
    if report.vault is None:
        print("commitments  not checked; give --vault and --key when you have a vault export")
    else:
        print(f"commitments  {report.vault.opened} opened, {report.vault.erased} erased by an entry")
    _print_witnesses(report)
    if report.stamped is not None:
        stamped = report.stamped
        later = f"; {report.size - stamped.size} later entries are not stamped" if report.size > stamped.size else ""
        to = f"stamped to {stamped.size} at {stamped.at} by {one_line(stamped.by)}"
        print(f"time stamps  {report.stamps} checked; {to}{later}")
    elif stamps_due:
        print(
            "time stamps  none that hold, though the trust file names time_stampers: only the log's own clock dates it"
        )
    if report.stamps_unchecked:
        print(f"time stamps  {report.stamps_unchecked} not checked: the trust file names no time_stampers")
    print_findings(report)
    print(report.summary)


def print_findings(report: Report) -> None:
    """Gravest first, one paragraph a code: where, what it means, what to do next."""
    left = SHOWN_FINDINGS
    for name in sorted(report.counts, key=lambda name: (Code[name].fault, list(Code).index(Code[name]))):
        code = Code[name]
        places = [_place(finding) for finding in report.findings if finding.code is code]
        shown, left = places[:left], left - len(places[:left])
        print(f"  {name}: {code.text}")
        for place in shown:
            print(f"      {one_line(place)}")
        if report.counts[name] > len(shown):
            print(f"      and {report.counts[name] - len(shown)} more; --json lists the first {len(report.findings)}")
        print(f"    means  {advice_on(code).means}")
        print(f"    next   {advice_on(code).next}")


def _place(finding: Finding) -> str:
    if finding.index is not None:
        place = f"entry {finding.index}"
    else:
        place = f"line {finding.line}" if finding.line is not None else "the whole log"
    return f"{place}: {finding.detail}" if finding.detail else place


def _print_witnesses(report: Report) -> None:
    newest = report.witnessed
    if newest is not None:
        by = f"{len(newest.by)} of {newest.of} ({', '.join(newest.by)}), {newest.asked} asked"
        print(f"witnesses    the first {newest.size} entries were seen by {by}, at {newest.at}")
        if report.size > newest.size:
            last = report.size - newest.size
            print(f"             the last {last} are signed by the log's own key and seen by no quorum")
    elif report.cosigned_unchecked:
        print(f"witnesses    {report.cosigned_unchecked} cosigned checkpoints not checked: the trust file names none")


def report_object(report: Report) -> dict[str, Any]:
    """A report as --json prints it."""
    value = asdict(report)
    value["findings"] = [
        {"code": f.code.name, "text": f.code.text, "detail": f.detail, "index": f.index, "line": f.line}
        for f in report.findings
    ]
    value["advice"] = {name: asdict(advice_on(Code[name])) for name in report.counts}
    return {
        "verified": report.verified,
        "exit_code": report.exit_code,
        "summary": report.summary,
        "completeness": report.completeness,
        **value,
    }
