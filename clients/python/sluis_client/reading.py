"""The cells of a CSV export, with the line each row began on. Nothing here writes, prints or logs a cell."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from sluis_client.decoding import decode, find_delimiter, split_sep_line
from sluis_client.errors import ClientError, Exit
from sluis_client.headers import check_header, fold


@dataclass(frozen=True, repr=False)
class Table:
    """The cells of a file: `rows[i]` began on line `line_numbers[i]` of the file, counted from 1 as editors do.

    Rows shorter than the header are filled up with empty cells; longer ones are kept as they are, to be reported.
    """

    header: list[str]
    rows: list[list[str]]
    line_numbers: list[int]
    encoding: str = "utf-8"
    delimiter: str = ","

    def __repr__(self) -> str:
        return f"Table(columns={len(self.header)}, rows={len(self.rows)})"


def read_table(source: Path | bytes, *, delimiter: str | None = None, encoding: str | None = None) -> Table:
    """The cells of a CSV file or of its bytes; encoding and delimiter are found unless given.

    Blank lines, and rows of empty cells only where the header has several columns, are left out. A first line `sep=;`
    is obeyed.

    Raises:
        ClientError: FILE_UNREADABLE, FILE_NOT_TEXT, FILE_EMPTY, ENCODING_UNKNOWN, ENCODING_WRONG, DELIMITER_INVALID,
            QUOTES_WRONG or HEADER_DUPLICATE, all with exit code 2. No text holds a cell of the file.
    """
    text, used = decode(source if isinstance(source, bytes) else _bytes_of(source), encoding)
    named, text = split_sep_line(text)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise ClientError("DELIMITER_INVALID", "a delimiter is one character, such as ; or , or a tab", Exit.USAGE)
    chosen = delimiter or named or find_delimiter(text)
    header, rows, lines = _records(text, chosen, first_line=1 if named is None else 2)
    check_header(header)
    return Table(header, rows, lines, used, chosen)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ClientError(
            "FILE_UNREADABLE", f"cannot read {path}: {error.strerror}; check the path and its permissions", Exit.USAGE
        ) from None


def _records(text: str, delimiter: str, first_line: int) -> tuple[list[str], list[list[str]], list[int]]:
    """The header, the rows squared to it, and the line each row began on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    rows: list[list[str]] = []
    lines: list[int] = []
    width, start = 0, first_line
    try:
        for row in reader:
            if header is None:
                if any(map(fold, row)):
                    header = _header(row)
                    width = len(header)
            elif len(row) == width == 1 or any(map(str.strip, row)):
                rows.append(row if len(row) == width else _squared(row, width))
                lines.append(start)
            start = first_line + reader.line_num
    except csv.Error:
        raise ClientError(
            "QUOTES_WRONG",
            f'line {start}: a quoted cell is not closed, holds a lone ", or is far too long: '
            'write " inside a cell as "" and export again',
            Exit.USAGE,
        ) from None
    if header is None:
        raise ClientError(
            "FILE_EMPTY", "the file is empty: expected a header line and one row for each subject", Exit.USAGE
        )
    return header, rows, lines


def _header(row: list[str]) -> list[str]:
    names = [" ".join(name.replace("\ufeff", "").split()) for name in row]
    while not names[-1]:
        names.pop()
    return names


def _squared(row: list[str], width: int) -> list[str]:
    while len(row) > width and not row[-1].strip():
        row.pop()
    row.extend([""] * (width - len(row)))
    return row
