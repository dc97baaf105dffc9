"""`sluis audit show`: entries, one a line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Annotated, BinaryIO

import typer

from broker.audit import strict_json
from broker.audit.entries import EntryError, LogEntry, read_entry
from broker.audit.findings import Code as Found
from broker.audit.verify import read_lines
from broker.cli.audit.root import AsJson, BundleFile, app
from broker.errors import Code, SluisError


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
