"""The matrix as one page for screen and paper: no scripts, nothing fetched, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from html import escape
from math import ceil

from broker.policy.document import PolicySet
from broker.policy.matrix_style import STYLE
from broker.policy.overview import Grant, Learned, Matrix, Row, matrix_of, standing_on
from broker.policy.overview_text import (
    Entry,
    askers_named,
    entries_of,
    parties_named,
    party_named,
    standing_named,
    things_named,
)
from broker.policy.wording import Lang

_COLUMNS = 4
"""Answering parties side by side in one table: what stays readable on a sheet of A4."""

_SAID: Mapping[Lang, Mapping[str, str]] = {
    "en": {
        "title": "Who may learn what from whom",
        "on": "on {day}",
        "skip": "Skip to the matrix",
        "contents": "On this page",
        "intro": "What stands in no cell is denied. What stands in a cell is permitted to a question that keeps to the "
        "terms of its purpose, further down.",
        "made": "Made from the policy with digest {digest} ({signed}). A notice that suspends a purpose stands with a "
        "broker and not in these files: it closes what this page shows as open.",
        "unsigned": "files as they are, not signed",
        "signed": "signed, revision {revision}",
        "part": "{title}: table {part} of {parts}",
        "corner": "Who asks",
        "from": "from {answerers}",
        "nothing": "nothing",
        "purposes": "Purposes and their terms",
        "groups": "Groups and their parties",
        "hidden": "Purposes that are not in the matrix",
        "hidden intro": "On {day} these permit nothing.",
        "nobody": "On this day nobody may learn anything.",
    },
    "nl": {
        "title": "Wie mag wat van wie weten",
        "on": "op {day}",
        "skip": "Naar de matrix",
        "contents": "Op deze pagina",
        "intro": "Wat in geen cel staat, wordt geweigerd. Wat in een cel staat, is toegestaan voor een vraag die zich "
        "houdt aan de voorwaarden van het doel, verderop.",
        "made": "Gemaakt uit het beleid met digest {digest} ({signed}). Een bericht dat een doel opschort staat bij "
        "een tussenpersoon en niet in deze bestanden: het sluit wat deze pagina als geldend toont.",
        "unsigned": "bestanden zoals ze zijn, niet ondertekend",
        "signed": "ondertekend, revisie {revision}",
        "part": "{title}: tabel {part} van {parts}",
        "corner": "Wie vraagt",
        "from": "van {answerers}",
        "nothing": "niets",
        "purposes": "Doelen en hun voorwaarden",
        "groups": "Groepen en hun partijen",
        "hidden": "Doelen die niet in de matrix staan",
        "hidden intro": "Op {day} staan deze niets toe.",
        "nobody": "Op deze dag mag niemand iets weten.",
    },
}


def matrix_page(policies: PolicySet, grants: Sequence[Grant], hidden: Sequence[str], day: date, lang: Lang) -> str:
    """The page of `grants` on `day`. `hidden`: purposes that are left out, to be named with the reason."""
    say = _SAID[lang]
    title = f"{say['title']} {say['on'].format(day=day)}"
    signed = say["signed"].format(revision=policies.revision) if policies.signers else say["unsigned"]
    entries = entries_of(policies, grants, day, lang)
    groups = tuple(sorted(name for name, members in policies.catalogue.groups.items() if len(members) > 1))
    parts = [
        ("matrix", say["title"], _tables(policies, grants, day, lang)),
        ("purposes", say["purposes"], _purposes(entries) if entries else ()),
        ("groups", say["groups"], _groups(policies, groups, lang) if groups else ()),
        ("hidden", say["hidden"], _hidden(policies, hidden, day, lang) if hidden else ()),
    ]
    sections = [(anchor, heading, tuple(lines)) for anchor, heading, lines in parts]
    shown = [(anchor, heading, lines) for anchor, heading, lines in sections if lines]
    lines = [
        "<!DOCTYPE html>",
        f'<html lang="{lang}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        f'<a class="skip" href="#matrix">{escape(say["skip"])}</a>',
        "<header>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(say['intro'])}</p>",
        f'<p class="quiet">{escape(say["made"].format(digest=policies.digest, signed=signed))}</p>',
        "</header>",
        f'<nav aria-label="{escape(say["contents"])}"><ul class="contents">',
        *(f'<li><a href="#{anchor}">{escape(heading)}</a></li>' for anchor, heading, _ in shown),
        "</ul></nav>",
        "<main>",
    ]
    for anchor, heading, body in shown:
        lines += [f'<section aria-labelledby="{anchor}">', f'<h2 id="{anchor}" tabindex="-1">{escape(heading)}</h2>']
        lines += [*body, "</section>"]
    return "\n".join([*lines, "</main>", "</body>", "</html>", ""])


def _tables(policies: PolicySet, grants: Sequence[Grant], day: date, lang: Lang) -> Iterator[str]:
    """Tables of a few columns each, as even as can be; a row stands where it has a cell."""
    whole, say = matrix_of(grants), _SAID[lang]
    if not whole.rows:
        yield f"<p>{escape(say['nobody'])}</p>"
        return
    parts = ceil(len(whole.columns) / _COLUMNS)
    size = ceil(len(whole.columns) / parts)
    for part in range(parts):
        kept = slice(part * size, (part + 1) * size)
        rows = [Row(row.askers, row.cells[kept]) for row in whole.rows]
        piece = Matrix(whole.columns[kept], tuple(row for row in rows if any(row.cells)))
        title = f"{say['title']} {say['on'].format(day=day)}"
        caption = title if parts == 1 else say["part"].format(title=title, part=part + 1, parts=parts)
        yield from _table(policies, piece, caption, day, lang)


def _table(policies: PolicySet, matrix: Matrix, caption: str, day: date, lang: Lang) -> Iterator[str]:
    # the roles are said aloud: on a narrow screen the rows are laid out as blocks, and browsers then forget them
    say = _SAID[lang]
    columns = [escape("; ".join(parties_named(policies.catalogue, column, lang))) for column in matrix.columns]
    yield f'<table role="table"><caption>{escape(caption)}</caption>'
    yield '<thead role="rowgroup"><tr role="row">'
    yield f'<th scope="col" role="columnheader">{escape(say["corner"])}</th>'
    for column in columns:
        yield f'<th scope="col" role="columnheader">{say["from"].format(answerers=column)}</th>'
    yield '</tr></thead><tbody role="rowgroup">'
    for row in matrix.rows:
        askers = ";<br>".join(escape(asker) for asker in askers_named(policies.catalogue, row.askers, lang))
        yield f'<tr role="row"><th scope="row" role="rowheader">{askers}</th>'
        for column, cell in zip(columns, row.cells, strict=True):
            if not cell:
                unseen = f'<span class="unseen"> {escape(say["nothing"])}</span>'
                yield f'<td role="cell" class="nothing">&ndash;{unseen}</td>'
                continue
            yield f'<td role="cell"><span class="from">{say["from"].format(answerers=column)}</span>'
            for learned in cell:
                yield from _learned(policies, learned, day, lang)
            yield "</td>"
        yield "</tr>"
    yield "</tbody></table>"


def _learned(policies: PolicySet, learned: Learned, day: date, lang: Lang) -> Iterator[str]:
    name = learned.purpose
    standing = standing_on(policies, name, day)
    stands = "" if standing == "open" else f" [{escape(standing_named(policies, name, standing, lang))}]"
    yield f'<div class="cell"><a href="#purpose-{name}">{name}</a>{stands}'
    yield from _list(things_named(policies, name, learned.things, lang))
    yield "</div>"


def _purposes(entries: Sequence[Entry]) -> Iterator[str]:
    yield '<div class="purposes">'
    for entry in entries:
        yield from _purpose(entry)
    yield "</div>"


def _purpose(entry: Entry) -> Iterator[str]:
    anchor = f"purpose-{entry.purpose}"
    stands = "" if entry.standing == "open" else f" [{escape(entry.stands)}]"
    yield f'<section class="purpose" aria-labelledby="{anchor}">'
    yield f'<h3 id="{anchor}" tabindex="-1">{entry.purpose}{stands}</h3><dl>'
    for label, text in entry.lines:
        yield f"<div><dt>{escape(label)}</dt><dd>{escape(text)}</dd></div>"
    yield "</dl></section>"


def _groups(policies: PolicySet, groups: Sequence[str], lang: Lang) -> Iterator[str]:
    yield '<dl class="groups">'
    for group in groups:
        members = "; ".join(party_named(policies.catalogue, name, lang) for name in policies.catalogue.groups[group])
        yield f"<div><dt>{group}</dt><dd>{escape(members)}</dd></div>"
    yield "</dl>"


def _hidden(policies: PolicySet, hidden: Sequence[str], day: date, lang: Lang) -> Iterator[str]:
    yield f"<p>{escape(_SAID[lang]['hidden intro'].format(day=day))}</p>"
    stands = {name: standing_named(policies, name, standing_on(policies, name, day), lang) for name in hidden}
    yield from _list(f"{name}: {text}" for name, text in stands.items())


def _list(texts: Iterable[str]) -> Iterator[str]:
    yield "<ul>"
    yield from (f"<li>{escape(text)}</li>" for text in texts)
    yield "</ul>"
