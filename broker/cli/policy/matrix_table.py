"""The matrix in a terminal: a table for each asker, and a list where a table would not fit."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import date
from typing import TypeAlias

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

_FRAME = 10
"""Columns that the lines and margins of a table of three take."""


Line: TypeAlias = tuple[str, str, str]
"""From whom, what, and under which purpose."""


def write_matrix(policies: PolicySet, grants: Sequence[Grant], day: date, lang: Lang, width: int) -> None:
    """Prints who learns what from whom in `width` columns. Nothing is cut off and no word broken, however narrow."""
    whole, words = matrix_of(grants), WORDS[lang]
    heads = (words["answerer"], words["learns"], words["under"])
    lines = [
        [
            (
                "; ".join(parties_named(policies.catalogue, column, lang)),
                "; ".join(things_named(policies, learned.purpose, learned.things, lang)),
                f"{learned.purpose}\n{_until(policies, learned.purpose, day, lang)}",
            )
            for column, cell in zip(whole.columns, row.cells, strict=True)
            for learned in cell
        ]
        for row in whole.rows
    ]
    widths = _widths([heads, *(line for each in lines for line in each)], width)
    for row, each in zip(whole.rows, lines, strict=True):
        typer.echo()
        typer.echo(_filled("; ".join(askers_named(policies.catalogue, row.askers, lang)), width))
        if widths is None:
            _write_list(heads, each, width)
        else:
            _write_table(heads, each, widths, width)


def _widths(lines: Sequence[Line], width: int) -> tuple[int, int, int] | None:
    """Of three columns that each hold their longest word; None when that does not fit in `width`."""
    least = [max(len(word) for line in lines for word in line[place].split()) for place in range(3)]
    spare = width - _FRAME - sum(least)
    if spare < 0:
        return None
    return (least[0] + spare * 2 // 5, least[1] + spare - spare * 2 // 5, least[2])


def _write_table(heads: Line, lines: Sequence[Line], widths: tuple[int, int, int], width: int) -> None:
    table = Table(box=box.ASCII2, show_lines=True)
    for head, column in zip(heads, widths, strict=True):
        table.add_column(head, width=column)
    for line in lines:
        table.add_row(*map(Text, line))
    Console(width=width, highlight=False).print(table)


def _write_list(heads: Line, lines: Sequence[Line], width: int) -> None:
    for line in lines:
        for head, text, indent in zip(heads, line, (2, 4, 4), strict=True):
            typer.echo(_filled(f"{head}: {text}".replace("\n", ", "), width, indent))


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
