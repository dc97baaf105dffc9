"""The monthly report as tables: for a terminal, as CSV (RFC 4180) and as a page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from broker.audit.statistics import UNKNOWN_PURPOSE, Figures, Group, Month
from broker.cli.audit.columns import one_line
from broker.cli.audit.report.words import WORDS, month_name, number, percent
from broker.policy.check_words import QUESTIONS
from broker.policy.wording import Lang

_COUNTS = ("exchanges", "subjects", "questions", "answered", "withheld", "failed", "open", "denied")
_STATUSES = ("ANSWERED", "NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD", "NOT_THERE", "FAILED", "UNKNOWN")


@dataclass(frozen=True)
class Table:
    """Heads and rows as texts; every column from `numeric` on holds numbers."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: int


@dataclass(frozen=True)
class Report:
    """A month in words: title, what one must know first, tables, notes."""

    lang: Lang
    title: str
    head: tuple[str, ...]
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def report_of(month: Month, *, by: str, lang: Lang, verified: bool) -> Report:
    """The report on a month."""
    words = WORDS[lang]
    head = [words["log"].format(origin=one_line(month.origin)), words["verified" if verified else "unverified"]]
    if month.log_ends is None:
        head.append(words["no_entries"])
    elif month.log_ends < month.last:
        head.append(words["partial"].format(day=month.log_ends))
    if not month.groups:
        head.append(words["none"])
    tables = [_counts(month, lang), _hits(month, lang), _denials(month, lang)] if month.groups else []
    notes = ["note_exchange", "note_subjects", "note_withheld", "note_hits"]
    hidden = [words["note_hidden"].format(least=month.suppress_below)] if month.suppress_below else []
    denials = [words["note_denials"]] if month.total.denials else []
    return Report(
        lang=lang,
        title=f"{words['title'].format(month=month_name(month.first, lang))}, {words['by_' + by]}",
        head=tuple(head),
        tables=tuple(table for table in tables if table.rows),
        notes=(*(words[note] for note in notes), *hidden, *denials) if month.groups else (),
    )


def name_of(group: Group | None, lang: Lang) -> str:
    """A group as the report names it; None is all."""
    words = WORDS[lang]
    if group is None:
        return words["total"]
    if group.name == UNKNOWN_PURPOSE:
        return words["unknown_purpose"]
    name = one_line(group.name)
    return name if group.role == "purpose" else f"{words[group.role]} {name}"


def text_of(report: Report) -> Iterator[str]:
    """The lines of the report in plain text."""
    yield from (report.title, *report.head)
    for table in report.tables:
        yield ""
        if table.title:
            yield table.title
        yield from _aligned(table)
    if report.notes:
        yield ""
        yield from report.notes


def html_of(report: Report, svg: str) -> str:
    """A page with the picture (without its own title) and its tables; it holds nothing from elsewhere."""
    tables = "\n".join(map(_html_table, report.tables))
    head = "".join(f"<p>{_html_text(line)}</p>" for line in report.head)
    notes = "".join(f"<li>{_html_text(note)}</li>" for note in report.notes)
    return (
        f'<!doctype html>\n<html lang="{report.lang}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(report.title)}</h1>\n{head}\n{svg}\n{tables}\n<ul>{notes}</ul>\n</body>\n</html>\n"
    )


def csv_of(month: Month) -> bytes:
    """One row a group, the last over all exchanges; English names, no grouping of digits. UTF-8, CRLF, RFC 4180.

    `hits` is empty unless `hits_are` is `known`; it is `suppressed` for small numbers and `not known` without openings.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    checks = tuple(QUESTIONS)
    heads = ("month", "role", "name", "exchanges", "subjects", "questions", "denied", "open")
    tail = ("hit_questions", "hit_questions_opened", "subjects_opened", "hits", "hits_are")
    writer.writerow([*heads, *map(str.lower, _STATUSES), *tail, *(f"denied_by_{check}" for check in checks)])
    every: list[tuple[Group | None, Figures]] = [*month.groups.items(), (None, month.total)]
    for group, figures in every:
        hits = month.hits_of(group)
        state = "known" if hits is not None else "suppressed" if figures.opened else "not known"
        writer.writerow(
            [
                f"{month.first:%Y-%m}",
                group.role if group else "all",
                _cell(group.name) if group else "",
                *(figures.exchanges, figures.subjects, figures.questions, figures.denied, figures.open),
                *(figures.statuses[status] for status in _STATUSES),
                *(figures.hit_questions, figures.opened, figures.opened_subjects),
                "" if hits is None else hits,
                state,
                *(figures.denials[check] for check in checks),
            ]
        )
    return out.getvalue().encode("utf-8")


def _cell(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in {"=", "+", "-", "@", "\t", "\r"} else one_line(name)


def _counts(month: Month, lang: Lang) -> Table:
    words = WORDS[lang]
    rows = [
        (name_of(group, lang), *(number(getattr(figures, member), lang) for member in _COUNTS))
        for group, figures in _every(month)
    ]
    return Table("", ("", *(words[member] for member in _COUNTS)), tuple(rows), 1)


def _hits(month: Month, lang: Lang) -> Table:
    words = WORDS[lang]
    heads = ("", words["hit_questions"], words["opened"], words["opened_subjects"], words["hits"], words["hit_rate"])
    rows = []
    for group, figures in _every(month):
        hits = month.hits_of(group)
        told = words["not_known"] if not figures.opened else words["not_shown"]
        shown = (number(hits, lang), percent(hits, figures.opened_subjects, lang)) if hits is not None else (told, "")
        counts = (figures.hit_questions, figures.opened, figures.opened_subjects)
        if figures.hit_questions:
            rows.append((name_of(group, lang), *(number(count, lang) for count in counts), *shown))
    return Table(words["hits_title"], heads, tuple(rows), 1)


def _denials(month: Month, lang: Lang) -> Table:
    words = WORDS[lang]
    heads = ("", words["check"], words["asked_by_check"], words["questions_denied"])
    rows = [
        (name_of(group, lang), one_line(check), QUESTIONS.get(check, {}).get(lang, ""), number(count, lang))
        for group, figures in month.groups.items()
        for check, count in sorted(figures.denials.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Table(words["denials_title"], heads, tuple(rows), 3)


def _every(month: Month) -> list[tuple[Group | None, Figures]]:
    return [*month.groups.items(), (None, month.total)]


def _aligned(table: Table) -> Iterator[str]:
    lines: list[Sequence[str]] = [table.heads, *table.rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.heads))]
    for line in lines:
        cells = (
            cell.rjust(width) if at >= table.numeric else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _html_text(text: str) -> str:
    """Words between backticks, which plain text has, as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        made = []
        for at, cell in enumerate(cells):
            name, scope = ("th", ' scope="row"') if at == 0 and tag == "td" else (tag, "")
            scope = ' scope="col"' if tag == "th" else scope
            kind = ' class="number"' if at >= table.numeric else ""
            made.append(f"<{name}{scope}{kind}>{escape(cell)}</{name}>")
        return f"<tr>{''.join(made)}</tr>"

    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    rows = "\n".join(row(cells, "td") for cells in table.rows)
    return f"<table>{caption}<thead>{row(table.heads, 'th')}</thead>\n<tbody>{rows}</tbody></table>"


_STYLE = (
    "body{font-family:sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}"
    "table{border-collapse:collapse;margin:1.5rem 0;width:100%}"
    "caption{text-align:left;font-weight:bold;padding:.4rem 0}"
    "th,td{border-bottom:1px solid #999;padding:.3rem .6rem;text-align:left}.number{text-align:right}"
    "svg{max-width:100%;height:auto}"
)
