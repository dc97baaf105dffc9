"""An agency's table, normalised: every row becomes match keys, or a problem with its line, its column and a reason.

What is made here holds identifiers and stays inside the agency; only counts, lines, header names and reasons show.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from sluis_client.cells import Unusable
from sluis_client.errors import ClientError, Exit
from sluis_client.headers import locate, named_column
from sluis_client.normalised import ColumnKeys, Keys, NormalisedTable, Problem, SourceRows
from sluis_client.reading import Table, read_table
from sluis_client.schemes import Scheme

__all__ = ["NormalisedTable", "Problem", "Table", "normalise_table", "read_table", "rows_refused"]

REPORTED = 20
"""So many problems are written out when `strict` refuses a file."""

TOO_MANY_CELLS = "more cells than the header: a delimiter inside a cell needs quotes around the cell"


def normalise_table(
    table: Table,
    scheme: Scheme,
    *,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
    restore_zeros: bool = False,
    keep_duplicates: bool = False,
    carry: Sequence[str] = (),
    rows_per_pseudonym: int = 1,
) -> NormalisedTable:
    """The match keys of `table` under `scheme`.

    `columns` maps a column of the scheme to a header name, where the header does not tell. `carry` names the header
    columns that go along with a subject as attributes. A row whose keys and carried cells were seen before is a
    duplicate: it is dropped, counted, and shares the position of the first. Rows with the same keys and other carried
    cells are kept up to `rows_per_pseudonym` of them; a later one is a problem that names the first.
    `keep_duplicates` keeps every usable row. `restore_zeros` as in `Scheme.normalise`.

    Raises:
        ClientError: COLUMN_UNKNOWN, COLUMN_MISSING, COLUMN_AMBIGUOUS; ROWS_REFUSED (exit code 3) when `strict` and
            any row is a problem, listing the first 20 by row, column and reason, never by value.
    """
    places = locate(table.header, scheme.columns, scheme.optional, columns or {})
    carried = [named_column(table.header, name, name) for name in carry]
    fast = _fast(table, scheme, places)
    if fast is not None and (keep_duplicates or not _repeats(fast[1], len(fast[0]))):
        return _whole(table, *fast)
    keys, problems = _slow(table, scheme, places, restore_zeros)
    kept, positions, conflicts = _distinct(table, keys, carried, None if keep_duplicates else rows_per_pseudonym)
    column = table.header[places[scheme.columns[0]]]
    for index, first in conflicts:
        problems.append(Problem(table.line_numbers[index], column, f"conflicts with row {table.line_numbers[first]}"))
    problems.sort(key=lambda problem: problem.row)
    if strict and problems:
        raise rows_refused(problems)
    chosen = [key for index in kept if (key := keys[index]) is not None]
    block = None
    if scheme.width is not None:
        block = "".join(key[0][0] for key in chosen if key[0] is not None).encode("ascii")
    return NormalisedTable(
        keys=chosen,
        row_numbers=[table.line_numbers[index] for index in kept],
        problems=problems,
        duplicates=len(table.rows) - len(problems) - len(kept),
        rows=SourceRows(table, kept),
        fast_block=block,
        positions=positions,
    )


def _whole(table: Table, column: list[str], block: bytes) -> NormalisedTable:
    """The table of a canonical column without repeats: every row is a subject, and nothing needs a second look."""
    return NormalisedTable(
        keys=ColumnKeys(column),
        row_numbers=table.line_numbers,
        problems=[],
        duplicates=0,
        rows=SourceRows(table, range(len(column))),
        fast_block=block,
        positions=range(len(column)),
    )


def _repeats(block: bytes, rows: int) -> bool:
    """Whether a number stands twice in a block of at most 18 digits a row."""
    if not rows:
        return False
    digits = np.frombuffer(block, dtype=np.uint8).reshape(rows, -1)
    numbers = np.zeros(rows, dtype=np.uint64)
    for place in range(digits.shape[1]):
        numbers *= np.uint64(10)
        numbers += digits[:, place] - np.uint8(48)
    numbers.sort()
    return bool((numbers[1:] == numbers[:-1]).any())


def _fast(table: Table, scheme: Scheme, places: Mapping[str, int]) -> tuple[list[str], bytes] | None:
    """The column and its block, if the scheme has one column and every cell of it is canonical already; else None."""
    if len(scheme.columns) != 1 or scheme.width is None:
        return None
    place = places[scheme.columns[0]]
    width = len(table.header)
    if max(map(len, table.rows), default=0) > width:
        return None
    column = [row[place] for row in table.rows]
    block = scheme.canonical_block(column)
    return None if block is None else (column, block)


def _slow(
    table: Table, scheme: Scheme, places: Mapping[str, int], restore_zeros: bool
) -> tuple[list[Keys | None], list[Problem]]:
    """Row by row: the keys of each, None where the row is a problem."""
    width = len(table.header)
    cells = tuple(places.items())
    keys: list[Keys | None] = []
    problems: list[Problem] = []
    for row, line in zip(table.rows, table.line_numbers, strict=True):
        if len(row) > width:
            problems.append(Problem(line, "", TOO_MANY_CELLS))
            keys.append(None)
            continue
        try:
            keys.append(scheme.normalise({name: row[place] for name, place in cells}, restore_zeros=restore_zeros))
        except Unusable as unusable:
            place = places.get(unusable.column)
            column = unusable.column if place is None else table.header[place]
            problems.append(Problem(line, column, unusable.reason))
            keys.append(None)
    return keys, problems


def _distinct(
    table: Table, keys: list[Keys | None], carried: Sequence[int], limit: int | None
) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Which rows are kept, where each row's subject went, and which rows contradict which first row.

    `limit` is how many rows with other carried cells one subject may have; None keeps all rows.
    """
    usable = [index for index, key in enumerate(keys) if key is not None]
    if limit is None or len(set(keys) - {None}) == len(usable):
        if len(usable) == len(keys):
            return usable, list(range(len(keys))), []
        positions = [-1] * len(keys)
        for position, index in enumerate(usable):
            positions[index] = position
        return usable, positions, []
    kept: list[int] = []
    positions = [-1] * len(keys)
    conflicts: list[tuple[int, int]] = []
    seen: dict[Keys | None, dict[Hashable, int]] = {}
    for index in usable:
        row = table.rows[index]
        versions = seen.setdefault(keys[index], {})
        attributes = tuple(row[place].strip() for place in carried)
        if attributes in versions:
            positions[index] = versions[attributes]
        elif len(versions) < limit:
            versions[attributes] = positions[index] = len(kept)
            kept.append(index)
        else:
            conflicts.append((index, kept[next(iter(versions.values()))]))
    return kept, positions, conflicts


def rows_refused(problems: Sequence[Problem]) -> ClientError:
    """The refusal of a whole file under `--strict`: the first 20 problems by row, column and reason."""
    listed = [f"  {problem}" for problem in problems[:REPORTED]]
    if len(problems) > REPORTED:
        listed.append(f"  and {len(problems) - REPORTED} more")
    count = "1 row cannot" if len(problems) == 1 else f"{len(problems)} rows cannot"
    text = "\n".join([f"{count} be used; repair the file, or leave out --strict to go on without:", *listed])
    return ClientError("ROWS_REFUSED", text, Exit.REFUSED_ROWS)
