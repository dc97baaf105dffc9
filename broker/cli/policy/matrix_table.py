"""The matrix in a terminal: a table for each asker, and a list where a table would not fit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from broker.policy.document import PolicySet
from broker.policy.overview import Grant, days_of, matrix_of, standing_on
from broker.policy.overview_text import askers_named, parties_named, standing_named, things_named
from broker.policy.overview_words import WORDS
from broker.policy.wording import Lang

_LEAST = 20
"""Columns under which a cell of words is no longer read with ease."""


def write_matrix(policies: PolicySet, grants: Sequence[Grant], day: date, lang: Lang, width: int) -> None:
    """Prints who learns what from whom in `width` columns. Nothing is cut off, however narrow."""
    words, whole = WORDS[lang], matrix_of(grants)
    longest = max((len(grant.purpose) for grant in grants), default=0)
    for row in whole.rows:
        typer.echo()
        typer.echo(_filled("; ".join(askers_named(policies.catalogue, row.askers, lang)), width))
        table = Table(box=box.ASCII2, expand=True, show_lines=True)
        table.add_column(words["answerer"], ratio=2)
        table.add_column(words["learns"], ratio=3)
        table.add_column(words["under"], min_width=longest)
        for column, cell in zip(whole.columns, row.cells, strict=True):
            answerers = "; ".join(parties_named(policies.catalogue, column, lang))
            for name, things in cell:
                learned = "; ".join(things_named(policies, name, things, lang))
                under = f"{name}\n{_until(policies, name, day, lang)}"
                if width < longest + 2 * _LEAST:
                    for text, indent in ((answerers, 2), (learned, 4), *((part, 4) for part in under.split("\n"))):
                        typer.echo(_filled(text, width, indent))
                else:
                    table.add_row(Text(answerers), Text(learned), Text(under))
        if table.row_count:
            Console(width=width, highlight=False).print(table)


def _until(policies: PolicySet, name: str, day: date, lang: Lang) -> str:
    standing, days = standing_on(policies, name, day), days_of(policies, name)
    if standing != "open" or days is None:
        return f"[{standing_named(policies, name, standing, lang)}]"
    return WORDS[lang]["until"].format(last=days[1])


def _filled(text: str, width: int, indent: int = 0) -> str:
    margin = " " * indent
    return textwrap.fill(
        text,
        max(width, indent + 1),
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
