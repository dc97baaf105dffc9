"""An agency's table, normalised: every row becomes match keys, or a problem with its line, its column and a reason.

What is made here holds identifiers and stays inside the agency; only counts, lines, header names and reasons show.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from sluis_client.cells import Fields, Unusable
from sluis_client.errors import ClientError, Exit
from sluis_client.headers import locate, named_column
from sluis_client.reading import Table, read_table
from sluis_client.schemes import Scheme

__all__ = ["NormalisedTable", "Problem", "SourceRows", "Table", "normalise_table", "read_table"]

REPORTED = 20
"""So many problems are written out when `strict` refuses a file."""

TOO_MANY_CELLS = "more cells than the header: a delimiter inside a cell needs quotes around the cell"

_Keys = tuple[Fields | None, ...]


@dataclass(frozen=True)
class Problem:
    """One row that gives no match key. Holds no cell: `column` is a name from the header, `reason` a fixed text.

    `row` is the line of the file on which the row begins, counted from 1.
    """

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.column}: {self.reason}" if self.column else f"row {self.row}: {self.reason}"


class SourceRows(Sequence[dict[str, str]]):
    """The source rows behind the keys; each becomes a dict (header name to cell) when it is asked for."""

    def __init__(self, table: Table, indices: Sequence[int]) -> None:
        self._header = table.header
        self._rows = table.rows
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, place: int) -> dict[str, str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, str]]: ...
    def __getitem__(self, place: int | slice) -> dict[str, str] | list[dict[str, str]]:
        if isinstance(place, slice):
            return [self._row(index) for index in self._indices[place]]
        return self._row(self._indices[place])

    def __iter__(self) -> Iterator[dict[str, str]]:
        return map(self._row, self._indices)

    def __repr__(self) -> str:
        return f"SourceRows({len(self)})"

    def _row(self, index: int) -> dict[str, str]:
        return {name: cell for name, cell in zip(self._header, self._rows[index], strict=False) if name}


@dataclass(repr=False)
class NormalisedTable:
    """The match keys of a table.

    `keys`, `row_numbers` (lines of the file) and `rows` run together, one entry for each subject kept. `positions` has
    one entry for each row of the source table: its subject's place in `keys`, or -1 when the row is a problem.
    `fast_block` is the one field of all keys joined as ASCII, for schemes of fixed width; else None.
    """

    keys: list[_Keys]
    row_numbers: list[int]
    problems: list[Problem]
    duplicates: int
    rows: Sequence[Mapping[str, str]]
    fast_block: bytes | None
    positions: list[int]

    def __repr__(self) -> str:
        return f"NormalisedTable(keys={len(self.keys)}, problems={len(self.problems)}, duplicates={self.duplicates})"


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
    keys, problems, block = fast if fast is not None else _slow(table, scheme, places, restore_zeros)
    kept, positions, conflicts = _distinct(table, keys, carried, None if keep_duplicates else rows_per_pseudonym)
    column = table.header[places[scheme.columns[0]]]
    for index, first in conflicts:
        problems.append(Problem(table.line_numbers[index], column, f"conflicts with row {table.line_numbers[first]}"))
    problems.sort(key=lambda problem: problem.row)
    if strict and problems:
        raise _refused(problems)
    usable = keys if len(kept) == len(keys) else [keys[index] for index in kept]
    chosen = [key for key in usable if key is not None]
    if scheme.width is not None and (block is None or len(chosen) != len(keys)):
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


_Found = tuple[list[_Keys | None], list[Problem], bytes | None]


def _fast(table: Table, scheme: Scheme, places: Mapping[str, int]) -> _Found | None:
    """All rows at once, if the scheme has one column and every cell of it is canonical already; else None."""
    if len(scheme.columns) != 1 or scheme.width is None:
        return None
    place = places[scheme.columns[0]]
    if any(len(row) > len(table.header) for row in table.rows):
        return None
    column = [row[place] for row in table.rows]
    block = scheme.canonical_block(column)
    if block is None:
        return None
    return [((cell,),) for cell in column], [], block


def _slow(table: Table, scheme: Scheme, places: Mapping[str, int], restore_zeros: bool) -> _Found:
    width = len(table.header)
    cells = tuple(places.items())
    keys: list[_Keys | None] = []
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
    return keys, problems, None


def _distinct(
    table: Table, keys: list[_Keys | None], carried: Sequence[int], limit: int | None
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
    seen: dict[_Keys | None, dict[Hashable, int]] = {}
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


def _refused(problems: Sequence[Problem]) -> ClientError:
    listed = [f"  {problem}" for problem in problems[:REPORTED]]
    if len(problems) > REPORTED:
        listed.append(f"  and {len(problems) - REPORTED} more")
    count = "1 row cannot" if len(problems) == 1 else f"{len(problems)} rows cannot"
    text = "\n".join([f"{count} be used; repair the file, or leave out --strict to go on without:", *listed])
    return ClientError("ROWS_REFUSED", text, Exit.REFUSED_ROWS)
