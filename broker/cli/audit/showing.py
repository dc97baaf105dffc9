"""`sluis audit show`: the entries one wants to see, one a line."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.entries import LogEntry
from broker.audit.entry_shapes import BODIES
from broker.audit.following import parties_of
from broker.audit.selecting import Selection, Shown, select
from broker.cli.audit.columns import one_line
from broker.cli.audit.key_words import key_words
from broker.cli.audit.noticing import print_open_notices
from broker.cli.audit.opening import OpeningFiles, OpeningKey, read_openings
from broker.cli.audit.rectified_words import KINDS, rectified_words
from broker.cli.audit.root import AsJson, BundleFile, app
from broker.cli.audit.vault_words import KINDS as VAULT_KINDS
from broker.cli.audit.vault_words import vault_words
from broker.cli.policy.root import day_of_option
from broker.policy.problems import did_you_mean

_KIND_WIDTH = 10
_PARTIES_WIDTH = 28
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_WORDS = {
    "genesis": ("origin", "environment"),
    "party": ("oin", "kind"),
    "register": ("register", "version", "action"),
    "refusal": ("rpc", "code"),
}
_ANY_WORDS = ("what", "action", "purpose")
_WIDE = 110
"""From here on parties have a column of their own."""


@app.command("show")
def show(
    bundle: BundleFile,
    *,
    party: Annotated[str, typer.Option("--party", help="Entries that name this party.")] = "",
    purpose: Annotated[str, typer.Option("--purpose", help="Entries about this purpose.")] = "",
    first: Annotated[str | None, typer.Option("--from", help="First day, in Europe/Amsterdam.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Last day.")] = None,
    verdict: Annotated[str, typer.Option("--verdict", help="Decisions: permit or deny.")] = "",
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Entries of this kind; may be given again.")] = None,
    exchange: Annotated[str, typer.Option("--exchange", help="Entries of this exchange (its request id).")] = "",
    case: Annotated[str, typer.Option("--case", help="Questions of this case number; needs --openings.")] = "",
    case_opening: Annotated[
        Path | None,
        typer.Option(
            "--case-opening", help="Questions whose case number this file opens.", exists=True, dir_okay=False
        ),
    ] = None,
    least: Annotated[
        float | None, typer.Option("--hits-from", min=0, max=1, help="Least share of hits, 0 to 1; needs --openings.")
    ] = None,
    most: Annotated[float | None, typer.Option("--hits-to", min=0, max=1, help="Greatest share of hits.")] = None,
    openings: OpeningFiles = None,
    key: OpeningKey = None,
    open_only: Annotated[
        bool, typer.Option("--open-notices", help="Instead: notices that wait, with --party or --purpose only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the entries of a bundle, one a line. Reads without checking: run `sluis audit verify` first.

    Filters are combined: an entry is shown that passes all of them. Case numbers and results stand in the log as
    commitments; a party that asked can open them (its receipts file, its record of the question), and a vault export.

    Example: sluis audit show log.bundle --party snf --from 2026-11-01 --until 2026-11-30 --verdict deny

    Example: sluis audit show log.bundle --openings answers.csv.receipts.json --hits-from 0.5

    Example: sluis audit show log.bundle --open-notices --party snf
    """
    if open_only:
        others = (first, until, verdict, kind, exchange, case, case_opening, least, most, openings, key)
        if any(one is not None and one not in ("", []) for one in others):
            raise typer.BadParameter("goes with --party, --purpose and --json only", param_hint="--open-notices")
        print_open_notices(bundle, party, purpose, as_json=as_json)
        return
    _refuse_what_cannot_be(verdict, kind or [], case, case_opening, opened=bool(openings), ratio=(least, most))
    start, end = days_of(first, until)
    wanted = Selection(
        party=party,
        purpose=purpose,
        first=start,
        last=end,
        verdict=verdict,
        kinds=frozenset(kind or ()),
        exchange=exchange,
        by_case=bool(case) or case_opening is not None,
        case=case.encode() if case else None,
        hit_ratio=None if (least, most) == (None, None) else (least or 0.0, 1.0 if most is None else most),
        openings=read_openings([*(openings or []), *([case_opening] if case_opening is not None else [])], key),
    )
    if not _print_selected(bundle, wanted, as_json=as_json):
        typer.echo(
            "no entry passes these filters; look at a name's spelling in `sluis audit show` without them", err=True
        )


def _print_selected(bundle: Path, wanted: Selection, *, as_json: bool) -> int:
    """Prints what is wanted; returns how many entries that were."""
    width, count = _width(), 0
    with bundle.open("rb") as stream:
        for shown in select(read_lines(stream), wanted):
            count += 1
            if as_json:
                print(json.dumps(_as_object(shown)))
            else:
                for line in lines_of(shown, width):
                    print(line)
    return count


def days_of(first: str | None, until: str | None) -> tuple[date | None, date | None]:
    """The days of --from and --until; refuses a period that ends before it begins."""
    start = day_of_option(first, "--from") if first else None
    end = day_of_option(until, "--until") if until else None
    if start is not None and end is not None and end < start:
        raise typer.BadParameter("the last day lies before the first", param_hint="--until")
    return start, end


def _refuse_what_cannot_be(
    verdict: str,
    kinds: list[str],
    case: str,
    case_opening: Path | None,
    *,
    opened: bool,
    ratio: tuple[float | None, float | None],
) -> None:
    if verdict not in {"", "permit", "deny"}:
        raise typer.BadParameter("is permit or deny", param_hint="--verdict")
    for one in kinds:
        if one not in BODIES:
            raise typer.BadParameter(did_you_mean(one, tuple(BODIES)), param_hint="--kind")
    if case and case_opening is not None:
        raise typer.BadParameter("give the number or the file, not both", param_hint="--case")
    if (case or ratio != (None, None)) and not opened:
        raise typer.BadParameter("the log holds commitments only: give a file that opens them", param_hint="--openings")
    if None not in ratio and (ratio[0] or 0.0) > (ratio[1] or 0.0):
        raise typer.BadParameter("the greatest share lies under the least", param_hint="--hits-to")


def _width() -> int | None:
    """Columns to fold lines at; None where no person looks, so that one entry stays one line."""
    return max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def lines_of(shown: Shown, width: int | None) -> list[str]:
    """An entry as lines of at most `width` columns; as one line, however long, when that is None."""
    entry = shown.entry
    head = f"{entry.index:>8}  {entry.at.strftime(_TIME)}  {entry.kind:<{_KIND_WIDTH}}  "
    parties, said = one_line(", ".join(parties_of(entry.body))), one_line(_saying(shown))
    if width is None:
        return [f"{head}{parties:<{_PARTIES_WIDTH}}  {said}".rstrip()]
    indent = len(head)
    if width >= _WIDE:
        head = f"{head}{parties:<{_PARTIES_WIDTH}}  "
        indent = len(head)
    else:
        said = f"{parties}: {said}" if parties else said
    folded = textwrap.wrap(said, width - indent, break_long_words=True, break_on_hyphens=False) or [""]
    return [((head if at == 0 else " " * indent) + line).rstrip() for at, line in enumerate(folded)]


def _saying(shown: Shown) -> str:
    """What happened, in a few words."""
    entry, asked = shown.entry, shown.asked
    body = entry.body
    if entry.kind == "ask" and asked is not None:
        verdict = "permit" if asked.permitted else " ".join(("deny", *asked.unmet))
        again = f"; stands since {body['statement']['standing'][:8]}" if asked.standing else ""
        return f"{asked.purpose}: {verdict}; {asked.subjects:,} subject{'' if asked.subjects == 1 else 's'}{again}"
    if entry.kind == "release":
        purpose = f"{asked.purpose}: " if asked is not None else ""
        return f"{purpose}{body['outcome']} {body['status']}{_hits(shown)}"
    if entry.kind == "evaluation":
        return _evaluation(entry)
    if entry.kind in KINDS:
        return rectified_words(entry)
    if body.get("what") == "service-key-destroyed":
        return _destroyed(body)
    if entry.kind == "key":
        return key_words(entry)
    if entry.kind in VAULT_KINDS:
        return vault_words(entry)
    if entry.kind == "policy":
        return f"revision {body['revision']}, {body['digest'][:12]}"
    words = (body.get(member) for member in _WORDS.get(entry.kind, _ANY_WORDS))
    return " ".join(str(word) for word in words if isinstance(word, str | int))


def _hits(shown: Shown) -> str:
    if shown.result is None or shown.asked is None or shown.asked.counted:
        return ""
    return f", hits {shown.result.hits:,} of {shown.asked.subjects:,}"


def _destroyed(body: Mapping[str, Any]) -> str:
    why = "when it was due" if body["reason"] is None else f"at once: {body['reason']}"
    return f"{body['purpose']}: key of {body['key_service']} for {body['epoch']} destroyed {why}"


def _evaluation(entry: LogEntry) -> str:
    body = entry.body
    if "key_service" in body:
        after = body["spent"] + body["elements"]
        return f"{body['purpose']}: {body['elements']:,} evaluated, {after:,} in {body['period']}"
    if "shadow_of" not in body:
        return f"{body['purpose']}: tried out"
    return f"{body['purpose']}: in shadow of {body['shadow_of']}, {body['decision'].get('effect')}"


def _as_object(shown: Shown) -> dict[str, Any]:
    entry = shown.entry
    value: dict[str, Any] = {"index": entry.index, "time": entry.time, "kind": entry.kind, "body": entry.body}
    if entry.kind == "release" and shown.asked is not None:
        value["purpose"] = shown.asked.purpose
        value["subjects"] = shown.asked.subjects
        if shown.result is not None and not shown.asked.counted:
            value["hits"] = shown.result.hits
    return value
