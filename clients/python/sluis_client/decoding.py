"""Bytes of an export to text and delimiter: what spreadsheets and databases write, found without guessing wildly."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter

from sluis_client.errors import ClientError, Exit

DELIMITERS = ";\t|,"
"""In order of preference when two fit equally well: a Dutch Excel writes semicolons."""

NO_DELIMITER = "\x1f"
"""Stands for "one column": the unit separator, which stands in no text file."""

_SEP_LINE = re.compile(r"\ufeff?sep=(.)\r?\n?", re.IGNORECASE)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"PK\x03\x04", "an Excel (.xlsx), LibreOffice or zip file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)"),
    (b"%PDF", "a PDF file"),
    (b"\x1f\x8b", "a gzip file: unpack it, or if it is a sheet"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3", "a database file"),
)
_SAMPLE_ROWS = 50


def decode(data: bytes, encoding: str | None) -> tuple[str, str]:
    """The text of `data` and the encoding it was read with.

    A byte order mark decides; without one UTF-8 when all bytes are UTF-8, else CP-1252. `encoding` overrules.

    Raises:
        ClientError: FILE_NOT_TEXT, ENCODING_UNKNOWN or ENCODING_WRONG; the text says what to do.
    """
    for mark, what in _NOT_TEXT:
        if data.startswith(mark):
            raise ClientError(
                "FILE_NOT_TEXT", f"this is {what}: save the sheet as 'CSV UTF-8 (*.csv)' and give that file", Exit.USAGE
            )
    if encoding is not None:
        return _decode_as(data, encoding), encoding
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_as(data, name), name
    if b"\0" in data:
        raise ClientError(
            "ENCODING_UNKNOWN", "the file holds zero bytes: give its encoding, such as --encoding utf-16-le", Exit.USAGE
        )
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        raise ClientError(
            "ENCODING_UNKNOWN", "neither UTF-8 nor CP-1252: give the file's encoding with --encoding", Exit.USAGE
        ) from None


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except LookupError:
        raise ClientError(
            "ENCODING_UNKNOWN", "no such encoding: try utf-8, cp1252, iso-8859-15 or utf-16", Exit.USAGE
        ) from None
    except (UnicodeError, ValueError):
        raise ClientError(
            "ENCODING_WRONG", f"the file is not {encoding}: give another --encoding, or save it as UTF-8", Exit.USAGE
        ) from None
    return text.removeprefix("\ufeff")


def split_sep_line(text: str) -> tuple[str | None, str]:
    """The delimiter that a first line `sep=;` names, if there is one, and the text after that line."""
    found = _SEP_LINE.match(text)
    if found is None:
        return None, text
    return found[1], text[found.end() :]


def find_delimiter(text: str) -> str:
    """The delimiter of `text`, or `NO_DELIMITER` when its header has one column.

    The header decides: a delimiter must split it, and half of the first rows. Of several, the one that splits those
    rows most evenly wins, then the one that makes most columns.
    """
    sample = "".join(_first_lines(text))
    best, best_score = NO_DELIMITER, (0.0, 0)
    for delimiter in DELIMITERS:
        widths = _widths(sample, delimiter)
        if not widths or widths[0] < 2 or 2 * sum(width > 1 for width in widths) < len(widths):
            continue
        even = Counter(widths)[widths[0]] / len(widths)
        if (even, widths[0]) > best_score:
            best, best_score = delimiter, (even, widths[0])
    return best


def _first_lines(text: str) -> list[str]:
    stream = io.StringIO(text, newline="")
    return [line for _, line in zip(range(4 * _SAMPLE_ROWS), stream, strict=False)]


def _widths(sample: str, delimiter: str) -> list[int]:
    """Number of cells of the header and of the rows after it, blank lines left out."""
    widths: list[int] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                widths.append(len(row))
            if len(widths) > _SAMPLE_ROWS:
                break
    except csv.Error:
        return widths[:1]
    return widths
