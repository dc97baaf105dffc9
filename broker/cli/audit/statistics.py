"""`sluis audit statistics`: the figures of a month, as tables, CSV, page and picture."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from broker.audit.bundle_lines import read_lines
from broker.audit.statistics import SUPPRESS_BELOW, Month, statistics
from broker.cli.audit.opening import OpeningFiles, OpeningKey, read_openings
from broker.cli.audit.report.chart import bars_of
from broker.cli.audit.report.png import png_of
from broker.cli.audit.report.svg import svg_of
from broker.cli.audit.report.tables import Report, csv_of, html_of, report_of, text_of
from broker.cli.audit.root import (
    AsJson,
    BundleFile,
    app,
    clear_progress,
    on_terminal,
    read_trust,
    verify_first,
    written_whole,
)
from broker.policy.wording import Lang

_PICTURES = {".svg", ".png"}
_FORMS = (".txt", ".csv", ".html", ".svg", ".png")


@app.command("statistics")
def statistics_command(
    bundle: BundleFile,
    *,
    month: Annotated[str, typer.Option("--month", help="The month, such as 2026-11 (Europe/Amsterdam).")],
    by: Annotated[Literal["purpose", "party"], typer.Option("--by", help="What the figures are told by.")] = "purpose",
    openings: OpeningFiles = None,
    key: OpeningKey = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="Verify the bundle first.", exists=True, dir_okay=False)
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option("--out", help="Also write .txt, .csv, .html, .svg or .png; may be given again.")
    ] = None,
    lang: Annotated[Lang, typer.Option("--lang", help="Language.")] = "en",
    suppress_below: Annotated[
        int, typer.Option("--suppress-below", min=0, help="Hide numbers of hits under this; 0 hides none.")
    ] = SUPPRESS_BELOW,
    as_json: AsJson = False,
) -> None:
    """Count a month: exchanges, subjects, answers, denials by reason, and hits where openings tell them.

    The log holds results as commitments only, so hits are "not known from the log" without --openings. Small numbers of
    hits are not shown. A picture (.svg, .png) always comes with its table: in a .txt of the same name beside it.

    Example: sluis audit statistics log.bundle --month 2026-11 --trust trust.yaml

    Example: sluis audit statistics log.bundle --month 2026-11 --by party --lang nl --out nov.html --out nov.csv
    """
    days = _month(month)
    for file in out or ():
        if file.suffix not in _FORMS or file.is_dir():
            raise typer.BadParameter(f"'{file}' ends in none of {', '.join(_FORMS)}", param_hint="--out")
    opened = read_openings(openings, key)
    if trust is not None:
        verify_first(bundle, read_trust(trust), as_json)
    tell = None if as_json else on_terminal("counting: {} of {} entries")
    with bundle.open("rb") as stream:
        found = statistics(
            read_lines(stream), days, by=by, openings=opened, suppress_below=suppress_below, progress=tell
        )
    clear_progress()
    report = report_of(found, by=by, lang=lang, verified=trust is not None)
    for file in out or ():
        _write(file, found, report)
    if as_json:
        print(json.dumps(_as_object(found, by=by, verified=trust is not None), ensure_ascii=False))
        return
    for line in text_of(report):
        print(line)


def _month(text: str) -> tuple[date, date]:
    """First and last day."""
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise typer.BadParameter("write a month of 2000 to 2099, such as 2026-11", param_hint="--month")
    first = date.fromisoformat(f"{text}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _write(file: Path, month: Month, report: Report) -> None:
    """One file, and beside a picture its table."""
    text = ("\n".join(text_of(report)) + "\n").encode()
    bars = bars_of(month, report.lang)
    made = {
        ".txt": lambda: text,
        ".csv": lambda: csv_of(month),
        ".html": lambda: html_of(report, svg_of(report, bars, alone=False)).encode(),
        ".svg": lambda: svg_of(report, bars).encode(),
        ".png": lambda: png_of(report, bars),
    }[file.suffix]()
    with written_whole(file) as stream:
        stream.write(made)
    if file.suffix in _PICTURES:
        with written_whole(file.with_suffix(".txt")) as stream:
            stream.write(text)


def _as_object(month: Month, *, by: str, verified: bool) -> dict[str, Any]:
    groups = [(group, figures) for group, figures in month.groups.items()]
    rows = []
    for group, figures in [*groups, (None, month.total)]:
        rows.append(
            {
                "role": group.role if group else "all",
                "name": group.name if group else None,
                **{name: getattr(figures, name) for name in ("exchanges", "subjects", "questions", "denied", "open")},
                "statuses": dict(sorted(figures.statuses.items())),
                "denials": dict(sorted(figures.denials.items())),
                "hit_questions": figures.hit_questions,
                "opened": figures.opened,
                "opened_subjects": figures.opened_subjects,
                "hits": month.hits_of(group),
                "hits_hidden": bool(figures.opened) and month.hits_of(group) is None,
            }
        )
    return {
        "origin": month.origin,
        "from": month.first.isoformat(),
        "until": month.last.isoformat(),
        "log_ends": month.log_ends and month.log_ends.isoformat(),
        "by": by,
        "verified": verified,
        "suppress_below": month.suppress_below,
        "rows": rows,
    }
