"""What normalising a table gives: match keys, problems, and the way back to the source rows.

These hold identifiers and stay inside the agency; their `repr` shows counts only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from sluis_client.cells import Fields
from sluis_client.reading import Table

Keys = tuple[Fields | None, ...]
"""The fields of every match key of one subject, strictest first; None where it has no such key."""


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


class ColumnKeys(Sequence[Keys]):
    """The keys of a column that is canonical as it stands; each is made when it is asked for.

    Whoever works from `fast_block` never pays for a million tuples.
    """

    def __init__(self, column: list[str]) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, place: int) -> Keys: ...
    @overload
    def __getitem__(self, place: slice) -> list[Keys]: ...
    def __getitem__(self, place: int | slice) -> Keys | list[Keys]:
        if isinstance(place, slice):
            return [((cell,),) for cell in self._column[place]]
        return ((self._column[place],),)

    def __iter__(self) -> Iterator[Keys]:
        return (((cell,),) for cell in self._column)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # mutable below, like a list

    def __repr__(self) -> str:
        return f"ColumnKeys({len(self)})"


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

    keys: Sequence[Keys]
    row_numbers: Sequence[int]
    problems: list[Problem]
    duplicates: int
    rows: Sequence[Mapping[str, str]]
    fast_block: bytes | None
    positions: Sequence[int]

    def __repr__(self) -> str:
        return f"NormalisedTable(keys={len(self.keys)}, problems={len(self.problems)}, duplicates={self.duplicates})"
