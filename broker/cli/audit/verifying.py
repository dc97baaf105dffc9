"""`sluis audit verify`: a bundle against a trust file, and the verdict in plain words."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.findings import Report
from broker.audit.verify import read_lines, verify
from broker.cli.audit.root import SHOWN_FINDINGS, AsJson, BundleFile, app, on_terminal, read_trust


@app.command("verify")
def verify_command(
    bundle: BundleFile,
    trust: Annotated[Path, typer.Option("--trust", help="The trust file, got another way.", exists=True)],
    expect: Annotated[
        Path | None,
        typer.Option("--expect", help="A checkpoint or receipt you hold; the log must contain it.", exists=True),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a bundle against a trust file: every byte, hash, signature, decision and counter.

    Examples:
      sluis audit verify log.bundle --trust trust.yaml
      sluis audit verify log.bundle --trust trust.yaml --expect receipt.json
    """
    tell = None if as_json else on_terminal("{} of {} entries")
    with bundle.open("rb") as stream:
        report = verify(
            read_lines(stream),
            read_trust(trust),
            expect=None if expect is None else expect.read_bytes(),
            progress=tell,
        )
    if as_json:
        print(json.dumps(_report_object(report), ensure_ascii=False))
    else:
        _print_report(report)
    raise typer.Exit(report.exit_code)


def _print_report(report: Report) -> None:
    print(f"log          {report.origin}, {report.size} entries under {report.checkpoints} checkpoints")
    print(f"trust        {report.trust}")
    if report.first is not None:
        print(f"time         {report.first} to {report.last}")
    print(f"entries      {', '.join(f'{count} {kind}' for kind, count in report.kinds.items()) or 'none'}")
    print(
        f"decisions    {report.replayed_same} replayed the same, {report.replayed_differ} differ, "
        f"{report.not_replayable} not replayable; {report.open_asks} asks still open at the end"
    )
    _print_witnesses(report)
    if report.stamped is not None:
        stamped = report.stamped
        later = f"; {report.size - stamped.size} later entries are not stamped" if report.size > stamped.size else ""
        print(f"time stamps  {report.stamps} checked; stamped to {stamped.size} at {stamped.at} by {stamped.by}{later}")
    if report.stamps_unchecked:
        print(f"time stamps  {report.stamps_unchecked} not checked: the trust file names no time_stampers")
    for finding in report.findings[:SHOWN_FINDINGS]:
        print(f"  {finding}")
    hidden = sum(report.counts.values()) - min(len(report.findings), SHOWN_FINDINGS)
    if hidden:
        print(f"  and {hidden} more; --json lists the first {len(report.findings)}")
    print(report.summary)


def _print_witnesses(report: Report) -> None:
    newest = report.witnessed
    if newest is not None:
        by = ", ".join(newest.by)
        rest = f"; log-signed only {newest.size} to {report.size}" if report.size > newest.size else ""
        print(f"witnesses    {report.cosigned} checkpoints with a quorum; witnessed to {newest.size}", end=" ")
        print(f"at {newest.at} by {by}{rest}")
    elif report.cosigned_unchecked:
        print(f"witnesses    {report.cosigned_unchecked} cosigned checkpoints not checked: the trust file names none")


def _report_object(report: Report) -> dict[str, Any]:
    value = asdict(report)
    value["findings"] = [
        {"code": f.code.name, "text": f.code.text, "detail": f.detail, "index": f.index, "line": f.line}
        for f in report.findings
    ]
    return {
        "verified": report.verified,
        "exit_code": report.exit_code,
        "summary": report.summary,
        "completeness": report.completeness,
        **value,
    }
