"""`sluis audit finding`: a verification's report, signed by the auditor, and checked by whoever gets it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.signed_finding import SignedFinding, read_finding, read_report, sign_finding
from broker.cli.audit.columns import one_line
from broker.cli.audit.root import AsJson, app
from broker.cli.policy.root import private_key, write_output
from broker.errors import Code, SluisError

MAX_BYTES = 16 << 20
finding_app = typer.Typer(help="Sign what a verification found.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(finding_app, name="finding")


@finding_app.command("sign")
def sign(
    report: Annotated[
        Path, typer.Argument(help="What `verify --json` or `subject --json` printed.", exists=True, dir_okay=False)
    ],
    bundle: Annotated[
        Path, typer.Option("--bundle", help="The bundle that was verified.", exists=True, dir_okay=False)
    ],
    key: Annotated[
        Path, typer.Option("--key", help="Your Ed25519 key (`sluis policy new-key`).", exists=True, dir_okay=False)
    ],
    role: Annotated[str, typer.Option("--role", help="In which function you sign; no person's name.")],
    out: Annotated[Path, typer.Option("--out", help="The signed finding to write.", dir_okay=False)],
    remark: Annotated[str, typer.Option("--remark", help="What you want to add; it is signed too.")] = "",
) -> None:
    """Sign the report of a verification, good or bad, together with the digests of bundle and trust file.

    Example: sluis audit finding sign report.json --bundle log.bundle --key my.pem --role auditor --out finding.json
    """
    read = read_report(_json(report))
    if read["bundle"] != _digest(bundle):
        raise SluisError(
            Code.STATEMENT_INVALID, f"{report} is about another bundle than {bundle}; verify this one again"
        )
    _tell_report(read)
    made = sign_finding(read, role=role, remark=remark, made_at=datetime.now(UTC), key=private_key(key))
    write_output(out, json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n", "--out")
    print(f"wrote {out}, signed with key {made['key']}")


@finding_app.command("check")
def check(
    finding: Annotated[Path, typer.Argument(help="A signed finding.", exists=True, dir_okay=False)],
    key: Annotated[str, typer.Option("--key", help="The auditor's public key, 64 hex digits, got another way.")] = "",
    bundle: Annotated[
        Path | None, typer.Option("--bundle", help="The bundle it should be about.", exists=True, dir_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a signed finding and print it. Exit code 3: changed, of another key, or about another bundle.

    Example: sluis audit finding check finding.json --key 3d40... --bundle log.bundle
    """
    read = read_finding(_json(finding))
    if key and key.lower() != read.key:
        raise SluisError(Code.SIGNATURE_WRONG, f"{finding} is signed with another key, {read.key}")
    if bundle is not None and _digest(bundle) != read.report["bundle"]:
        raise SluisError(Code.STATEMENT_INVALID, f"{finding} is about another bundle than {bundle}")
    if as_json:
        shown = {"key": read.key, "role": read.role, "made_at": read.made_at, "remark": read.remark}
        print(json.dumps({**shown, "report": dict(read.report)}, ensure_ascii=False))
        return
    _tell_finding(read, known_key=bool(key), bundle_seen=bundle is not None)


def _tell_finding(read: SignedFinding, *, known_key: bool, bundle_seen: bool) -> None:
    _tell_report(read.report)
    if read.remark:
        for line in read.remark.split("\n"):
            print(f"remark       {one_line(line)}")
    print(f"signed       {read.made_at} as {one_line(read.role)}")
    print(f"key          {read.key}{'' if known_key else '  (compare it with the auditor: give it as --key)'}")
    if not bundle_seen:
        print("bundle       not compared: give it as --bundle")
    print("the signature is right")


def _tell_report(report: Any) -> None:
    print(f"log          {one_line(str(report['origin']))}, {report['size']} entries")
    print(f"bundle       SHA-256 {report['bundle']}")
    print(f"trust        {one_line(str(report['trust']))}")
    for code, count in sorted(report["counts"].items()):
        print(f"  {one_line(str(code))}: {count}")
    subject = report.get("subject")
    if isinstance(subject, dict):
        said = f"found {subject.get('found')}, questions searched {subject.get('searched')}"
        print(one_line(f"person       {said}, not searched {subject.get('not_searched')}"))
    print(one_line(str(report["summary"])))


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError
        return json.loads(path.read_text("utf-8"), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise SluisError(
            Code.STATEMENT_INVALID, f"{path}: not a report (`verify --json`) nor a finding (`finding sign`) in JSON"
        ) from error


def _refuse(_: str) -> None:
    raise ValueError("no fractions here")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
