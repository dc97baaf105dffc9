"""`sluis audit`: export, verify and read the exchange log. The auditor's commands; verifying needs no broker.

Exit codes of `verify`: 0 verified; else the class of the gravest fault: 10 format, 11 tree, 12 another log, 13 not what
you expected, 14 policy, 15 signature, 16 exchange, 17 replay. Every command: 2 usage, 3 a file is refused, 4 not there.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from broker.audit import strict_json
from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.audit.export import bundle_lines
from broker.audit.findings import Code as Found
from broker.audit.findings import Report
from broker.audit.trust import Trust, parse_trust
from broker.audit.verify import read_lines, verify
from broker.errors import Code, SluisError
from broker.ports import LogReader

SHOWN_FINDINGS = 20

app = typer.Typer(
    name="audit",
    help="Export, verify and read the exchange log.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="Exit codes of verify: 0 verified, 10 format, 11 tree, 12 another log, 13 not as expected, 14 policy, "
    "15 signature, 16 exchange, 17 replay.",
)
BundleFile = Annotated[Path, typer.Argument(help="The exported bundle.", exists=True, dir_okay=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def export_to(reader: LogReader, out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Writes a bundle of the log behind `reader`; returns the number of lines."""
    count = 0
    for line in bundle_lines(reader):
        out.write(line)
        count += 1
        if progress is not None and count % 1_000 == 0:
            progress(count)
    return count


@app.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", help="The bundle to write.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
    database: Annotated[
        Path | None, typer.Option("--database", help="The log's database, instead of --config.")
    ] = None,
) -> None:
    """Write the whole log with its policy sets to a bundle, for auditors.

    Works beside a running broker. The bundle holds no identifier, pseudonym or key.

    Example: sluis audit export --config broker.yaml --out log.bundle
    """
    from broker.app import open_log, open_log_database
    from broker.config import load_config

    reader = open_log_database(database) if database is not None else open_log(load_config(config))
    try:
        with _written_whole(out) as stream:
            count = export_to(reader, stream, _on_terminal("{} lines written"))
    finally:
        reader.close()
    print(f"wrote {out}: {count} lines")


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
    tell = None if as_json else _on_terminal("{} of {} entries")
    with bundle.open("rb") as stream:
        report = verify(
            read_lines(stream),
            _trust(trust),
            expect=None if expect is None else expect.read_bytes(),
            progress=tell,
        )
    if as_json:
        print(json.dumps(_report_object(report), ensure_ascii=False))
    else:
        _print_report(report)
    raise typer.Exit(report.exit_code)


@app.command("show")
def show(
    bundle: BundleFile,
    as_json: AsJson = False,
    party: Annotated[str, typer.Option("--party", help="Only entries that name this party.")] = "",
) -> None:
    """List the entries of a bundle, one a line. Reads without checking: run `sluis audit verify` first.

    Example: sluis audit show log.bundle --party snf
    """
    with bundle.open("rb") as stream:
        for entry in _entries(stream):
            if party and party not in _parties(entry):
                continue
            if as_json:
                print(json.dumps({"index": entry.index, "time": entry.time, "kind": entry.kind, "body": entry.body}))
            else:
                parties, said = ", ".join(_parties(entry)), _saying(entry)
                print(f"{entry.index:>8}  {entry.time}  {entry.kind:<10}  {parties:<28}  {said}".rstrip())


@app.command("trust-make")
def trust_make(
    out: Annotated[Path, typer.Option("--out", help="The trust file to write.", dir_okay=False)],
    config: Annotated[Path, typer.Option("--config", help="The broker's configuration file.")] = Path("broker.yaml"),
) -> None:
    """Write the trust file that goes with a broker. The operator's side: an auditor compares its fingerprint.

    An auditor who takes this file from the operator alone trusts the operator: compare `trust-show` with what the
    parties and the policy signers say.

    Example: sluis audit trust-make --config broker.yaml --out trust.yaml
    """
    from broker.app import trust_of
    from broker.config import load_config

    out.write_text(trust_of(load_config(config)), encoding="utf-8")
    print(f"wrote {out}; fingerprint {_trust(out).fingerprint}")


@app.command("trust-show")
def trust_show(
    file: Annotated[Path, typer.Argument(help="The trust file.", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """Print a trust file's fingerprint, to compare by telephone or on paper.

    Example: sluis audit trust-show trust.yaml
    """
    trust = _trust(file)
    if as_json:
        print(json.dumps({"fingerprint": trust.fingerprint, "origin": trust.origin, "environment": trust.environment}))
        return
    print(f"log          {trust.origin} ({trust.environment})")
    print(f"log keys     {len(trust.log_keys)}")
    print(f"issuers      {len(trust.issuers)}")
    print(f"policies     {trust.policy_quorum} of {len(trust.policy_signers)} signers")
    print(f"engines      {', '.join(sorted(trust.engines))}")
    print(f"fingerprint  {trust.fingerprint}")


def _trust(path: Path) -> Trust:
    try:
        return parse_trust(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read as text") from error


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
    for finding in report.findings[:SHOWN_FINDINGS]:
        print(f"  {finding}")
    hidden = sum(report.counts.values()) - min(len(report.findings), SHOWN_FINDINGS)
    if hidden:
        print(f"  and {hidden} more; --json lists the first {len(report.findings)}")
    print(report.summary)


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


def _entries(stream: BinaryIO) -> Iterator[LogEntry]:
    for number, line in enumerate(read_lines(stream), 1):
        try:
            value = strict_json.read(line.rstrip(b"\n"))
            if value.keys() == {"leaf"}:
                yield read_entry(base64.b64decode(value["leaf"], validate=True))
        except (strict_json.NotCanonicalError, EntryError, ValueError, TypeError):
            raise SluisError(
                Code.STATEMENT_INVALID, f"line {number} is not of a log bundle ({Found.BUNDLE_LINE.name}); verify it"
            ) from None


def _parties(entry: LogEntry) -> tuple[str, ...]:
    named = (entry.body.get(member) for member in ("asker", "principal", "answerer", "party"))
    return tuple(dict.fromkeys(name for name in named if isinstance(name, str)))


def _saying(entry: LogEntry) -> str:
    """What happened, in a few words."""
    body = entry.body
    if entry.kind == "ask":
        failing = [check.get("id", "") for check in body["decision"].get("checks", ()) if not check.get("met")]
        return f"{body['purpose']}: {body['decision'].get('effect')} {' '.join(failing)}"
    words = {
        "genesis": ("origin", "environment"),
        "policy": ("digest",),
        "party": ("oin", "kind"),
        "key": ("action",),
        "register": ("register", "action"),
        "release": ("outcome", "status"),
        "evaluation": ("purpose",),
        "refusal": ("rpc", "code"),
        "access": ("what",),
        "recovery": ("what",),
    }
    return " ".join(str(body[member]) for member in words.get(entry.kind, ()))


def _on_terminal(text: str) -> Callable[..., None] | None:
    """A progress line that is written over, on a terminal only."""
    if not sys.stderr.isatty():
        return None

    def tell(*numbers: int) -> None:
        sys.stderr.write(f"\r{text.format(*numbers)}\x1b[K\r")
        sys.stderr.flush()

    return tell


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file that appears whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be written ({type(error).__name__})") from error
    finally:
        part.unlink(missing_ok=True)
