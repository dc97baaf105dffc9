"""The scheme `postcode-number`: postcode, house number and addition, from tidy columns or from `12-A hs` in one.

Canonical fields: `("1234AB", "12", "AHS")`. House letter and addition are one field, because exports split them
differently; it holds capitals and digits only, so `12-A`, `12 a` and `12A` are one address. `12-2` is number 12,
addition 2, as in the BAG; ranges written as such (`12 t/m 16`) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sluis_client.cells import Fields, Reason, Unusable, tidy

COLUMNS = ("postcode", "house_number")
OPTIONAL = ("house_letter", "house_number_addition")

_POSTCODE = re.compile(r"(?:NL[ -]?)?([1-9][0-9]{3})[ .-]?([A-Z]{2})")
_NUMBER = re.compile(r"(?:(?:huisnummer|huisnr|nummer|nr|no)\b[ .:]*)?([0-9]+)(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(r"\b(?:t/m|tm|tot(?: en met)?|en)\b|[&+]", re.IGNORECASE)
_MONTHS = r"jan|feb|mrt|maa|mar|apr|mei|may|jun|jul|aug|sep|okt|oct|nov|dec"
_EXCEL_DATE = re.compile(
    rf"[0-9]{{1,2}}[ -/](?:{_MONTHS})[a-z]*\.?(?:[ -/][0-9]{{2,4}})?"
    rf"|(?:{_MONTHS})[a-z]*\.?[ -/][0-9]{{2,4}}"
    r"|[0-9]{1,2}[-/][0-9]{1,2}[-/](?:[0-9]{2}){1,2}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?",
    re.IGNORECASE,
)
_JOINTS = re.compile(r"[\s\-_/.,()'\u2010-\u2015\u2212\u2019]+")
_SUPERSCRIPTS = str.maketrans({"¹": " 1", "²": " 2", "³": " 3"})
_ADDITION_MAX = 8


def postcode(cell: str) -> str:
    """The canonical postcode, `1234AB`.

    Raises:
        Unusable: POSTCODE_SHAPE, POSTCODE_LETTERS, or as `tidy`.
    """
    found = _POSTCODE.fullmatch(tidy("postcode", cell).upper())
    if found is None:
        raise Unusable("postcode", Reason.POSTCODE_SHAPE)
    if found[2] in {"SA", "SD", "SS"}:
        raise Unusable("postcode", Reason.POSTCODE_LETTERS)
    return found[1] + found[2]


def house_number(cell: str) -> tuple[str, str]:
    """The house number without leading zeros, and what is written behind it (`""` when nothing is).

    Raises:
        Unusable: the reasons on house numbers and additions, or as `tidy`.
    """
    column = "house_number"
    text = tidy(column, cell).translate(_SUPERSCRIPTS)
    if _EXCEL_DATE.fullmatch(text):
        raise Unusable(column, Reason.EXCEL_DATE)
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Unusable(column, Reason.HOUSE_NUMBER_START)
    number, rest = found[1].lstrip("0"), found[2]
    if not 1 <= len(number) <= 5:
        raise Unusable(column, Reason.HOUSE_NUMBER_SIZE)
    if re.fullmatch(r"[.,]0{1,2}", rest):
        rest = ""
    if _RANGE.search(rest):
        raise Unusable(column, Reason.HOUSE_NUMBER_RANGE)
    return number, addition(column, rest)


def addition(column: str, text: str) -> str:
    """Capitals and digits of an addition; `""` for none.

    Raises:
        Unusable: ADDITION_CHARACTERS or ADDITION_LENGTH.
    """
    joined = _JOINTS.sub("", text.translate(_SUPERSCRIPTS)).upper()
    if joined and not (joined.isascii() and joined.isalnum()):
        raise Unusable(column, Reason.ADDITION_CHARACTERS)
    if len(joined) > _ADDITION_MAX:
        raise Unusable(column, Reason.ADDITION_LENGTH)
    return joined


def normalise(row: Mapping[str, str]) -> tuple[Fields | None, ...]:
    """The one match key of an address.

    Raises:
        Unusable: naming the column and the reason.
    """
    code = postcode(row.get("postcode", ""))
    number, inline = house_number(row.get("house_number", ""))
    letter = _optional(row, "house_letter")
    tail = _optional(row, "house_number_addition")
    whole = _join(inline, letter, tail)
    if len(whole) > _ADDITION_MAX:
        raise Unusable("house_number_addition", Reason.ADDITION_LENGTH)
    return ((code, number, whole),)


def _optional(row: Mapping[str, str], column: str) -> str:
    cell = row.get(column, "")
    if not cell.strip():
        return ""
    try:
        text = tidy(column, cell)
    except Unusable as unusable:
        if unusable.reason == Reason.EMPTY:  # only invisible characters
            return ""
        raise
    if re.fullmatch(r"[0-9]+[.,]0{1,2}", text):
        text = re.split(r"[.,]", text)[0]
    return addition(column, text)


def _join(inline: str, letter: str, tail: str) -> str:
    """One addition from three places; exports often repeat the letter behind the number and in its own column."""
    apart = letter + tail
    if not inline or inline == apart:
        return apart
    if letter:
        if inline == letter:
            return apart
        raise Unusable("house_letter", Reason.ADDITIONS_DISAGREE)
    return inline if inline.endswith(tail) else inline + tail
