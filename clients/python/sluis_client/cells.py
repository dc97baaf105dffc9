"""One cell of an agency's export: what may be wrong with it, and the cleaning every scheme starts with.

A reason is one of a closed list of texts, so that no report made from it can hold a cell's value.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

Fields = tuple[str, ...]
"""The normalised fields of one match key."""


class Reason(StrEnum):
    """Why a cell cannot be used; each says what to look for in the file."""

    EMPTY = "empty"
    NO_COLUMN = "the file has no such column"
    DAMAGED = "damaged characters: the file was saved or read in another encoding"
    EXCEL_ERROR = "a spreadsheet error, not a value"
    SCIENTIFIC = "scientific notation: Excel destroyed digits; export the column as text"
    NOT_DIGITS = "characters other than digits"
    ALL_ZEROS = "all zeros"
    TOO_SHORT = "too few digits"
    TOO_LONG = "too many digits"
    ZEROS_LOST = "too few digits: leading zeros are lost; export the column as text, or use --restore-zeros if sure"
    BSN_ZEROS_LOST = "fewer than 8 digits: leading zeros are lost; export the column as text"
    CHECK_DIGIT = "fails the 11-test: mistyped, or another kind of number"
    VAT_NUMBER = "a VAT number, not the number asked for"
    LOONHEFFING_SHAPE = "not 9 digits, the letter L and 2 digits"
    BAG_TYPE = "digits 5 and 6 are no BAG object type (01, 02, 03, 10, 20 or 30)"
    BAG_MUNICIPALITY = "the municipality code is 0000"
    POSTCODE_SHAPE = "not 4 digits (the first not 0) and 2 letters"
    POSTCODE_LETTERS = "a postcode never ends in SA, SD or SS"
    HOUSE_NUMBER_START = "does not start with a house number"
    HOUSE_NUMBER_SIZE = "a house number is 1 to 99999"
    HOUSE_NUMBER_RANGE = "a range of house numbers: give one row for each"
    EXCEL_DATE = "Excel turned it into a date; export the column as text"
    ADDITION_CHARACTERS = "an addition holds only letters and digits"
    ADDITION_LENGTH = "an addition has at most 8 letters and digits"
    ADDITIONS_DISAGREE = "the additions in the columns contradict each other"
    COUNTRY_UNKNOWN = "not a country code of 2 or 3 letters (ISO 3166 or ICAO 9303)"
    DOCUMENT_CHARACTERS = "a document number holds only letters and digits"
    DOCUMENT_LENGTH = "a document number has 5 to 20 letters and digits"
    DOCUMENT_DUTCH = "a Dutch document number has 9 letters and digits"
    DOCUMENT_LETTER_O = "a Dutch document number never holds the letter O: it is the digit 0"
    DOCUMENT_LETTERS_ONLY = "holds no digit"
    NAME_CHARACTERS = "characters that stand in no name"
    NAME_COMMA = "a comma: give family name and given names in their own columns"
    NAME_SCRIPT = "letters other than Latin or Cyrillic: give the printed Latin name"
    NAME_MIXED = "Latin and Cyrillic letters in one name"
    NAME_UNKNOWN = "says that the name is unknown"
    NAME_LETTERS = "holds no letter"
    KEYS_TOO_LOOSE = "only match keys that are looser than this purpose allows can be made of it"
    PERSON_TOO_LITTLE = "too little of this person is filled in: no match key can be made"
    DATE_SHAPE = "not a date as 1990-12-31, 31-12-1990 or 19901231"
    DATE_PARTIAL = "a partial date: day, month or year is unknown"
    DATE_YEAR = "a year of two digits: write four"
    DATE_ORDER = "month above 12: dates are day first; American order is not guessed"
    DATE_INVALID = "no such day in the calendar"
    DATE_RANGE = "outside 1880 to 2099"


class Unusable(Exception):  # noqa: N818  # the name is the contract of docs/integrate.md
    """A cell that gives no match key. `reason` is a `Reason`; neither it nor `str()` holds the cell's value."""

    def __init__(self, column: str, reason: Reason) -> None:
        super().__init__(f"{column}: {reason.value}")
        self.column = column
        self.reason = reason.value


_EXCEL_TEXT = re.compile(r'="(.*)"', re.DOTALL)
_EXCEL_ERROR = re.compile(
    r"#(?:N/[AB]|REF!|VERW!|VALUE!|WAARDE!|NAME\?|NAAM\?|DIV/0!|DEEL/0!|NUM!|GETAL!|NULL!|LEEG!)", re.IGNORECASE
)
_FOLDED = ("<wide>", "<narrow>", "<noBreak>", "<font>")
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def tidy(column: str, value: str) -> str:
    """The visible text of a cell: NFC, full-width forms folded, invisible characters gone, white space single.

    Excel's text marks (`'0123`, `="0123"`) are taken off. Superscripts and fractions are left as they are, because
    folding them would join digits that stand apart (a house number `12²`).

    Raises:
        Unusable: EMPTY, DAMAGED or EXCEL_ERROR.
    """
    text = value
    if not text.isascii():
        text = _fold(column, text)
    elif not text:
        raise Unusable(column, Reason.EMPTY)
    if not _PLAIN.fullmatch(text) or "  " in text:
        text = " ".join(text.split())
    if (quoted := _EXCEL_TEXT.fullmatch(text)) is not None:
        text = quoted[1].strip()
    elif text.startswith("'"):
        text = text[1:].lstrip()
    if not text:
        raise Unusable(column, Reason.EMPTY)
    if _EXCEL_ERROR.fullmatch(text):
        raise Unusable(column, Reason.EXCEL_ERROR)
    return text


def _fold(column: str, text: str) -> str:
    if looks_damaged(text):
        raise Unusable(column, Reason.DAMAGED)
    folded = []
    for character in text:
        if character.isascii():
            folded.append(character)
            continue
        category = unicodedata.category(character)
        if category == "Cf":  # byte order mark, zero width, soft hyphen, direction marks
            continue
        if category in {"Zs", "Zl", "Zp"}:
            folded.append(" ")
        elif unicodedata.decomposition(character).startswith(_FOLDED):
            folded.append(unicodedata.normalize("NFKC", character))
        else:
            folded.append(character)
    return unicodedata.normalize("NFC", "".join(folded))


def looks_damaged(text: str) -> bool:
    """Whether `text` holds replacement characters, or is UTF-8 that was read as CP-1252 (`Ã©` for `é`)."""
    if "\ufffd" in text:
        return True
    if text.isascii():
        return False
    try:
        text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True
