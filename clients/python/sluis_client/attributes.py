"""Attribute values as exports write them, to the one spelling of the catalogue's type; Dutch spellings are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sluis_client.birthdates import birth_date
from sluis_client.cells import Reason, Unusable, tidy
from sluis_client.policy import AttributeView

TOO_WIDE = "longer than the catalogue allows"
NOT_INTEGER = "not a whole number"
NOT_BOOLEAN = "not yes or no (ja/nee, true/false, 1/0)"
NOT_CODE = "not one of the catalogue's codes"

_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,18})(?:[.,]0)?")
_YES = frozenset({"ja", "j", "yes", "y", "true", "waar", "1"})
_NO = frozenset({"nee", "n", "no", "false", "onwaar", "0"})


class Unfit(Exception):  # noqa: N818  # a finding about a row, like cells.Unusable
    """A cell that is no value of its attribute. `reason` is a fixed text and never holds the cell."""

    def __init__(self, attribute: str, reason: str) -> None:
        super().__init__(f"{attribute}: {reason}")
        self.attribute = attribute
        self.reason = reason


def attribute_value(attribute: AttributeView, cell: str) -> str | None:
    """The value of a cell in the catalogue's spelling; None (null) for an empty cell.

    integer: digits, with a minus where negative. date: `2026-11-23`, read day first. boolean: `true` or `false`.
    code: the code, also where the cell holds its Dutch or English title. text: white space made single.

    Raises:
        Unfit: for any other cell, naming the attribute and a fixed reason.
    """
    try:
        text = tidy(attribute.name, cell)
        value = _READERS.get(attribute.type, _text)(attribute, text)
    except Unusable as unusable:
        if unusable.reason == Reason.EMPTY.value:
            return None
        raise Unfit(attribute.name, unusable.reason) from None
    if len(value.encode("utf-8")) > attribute.width:
        raise Unfit(attribute.name, TOO_WIDE)
    return value


def _integer(attribute: AttributeView, text: str) -> str:
    match = _INTEGER.fullmatch(text.replace(" ", ""))
    if match is None:
        raise Unfit(attribute.name, NOT_INTEGER)
    sign = "-" if match[1] == "-" and match[2] != "0" else ""
    return sign + match[2]


def _date(attribute: AttributeView, text: str) -> str:
    day = birth_date(text, attribute.name)
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def _boolean(attribute: AttributeView, text: str) -> str:
    word = text.casefold()
    if word in _YES:
        return "true"
    if word in _NO:
        return "false"
    raise Unfit(attribute.name, NOT_BOOLEAN)


def _code(attribute: AttributeView, text: str) -> str:
    word = text.casefold()
    if word in attribute.codes:
        return word
    code = attribute.code_titles.get(word)
    if code is None:
        raise Unfit(attribute.name, NOT_CODE)
    return code


def _text(_: AttributeView, text: str) -> str:
    return text


_READERS: Mapping[str, Callable[[AttributeView, str], str]] = {
    "integer": _integer,
    "date": _date,
    "boolean": _boolean,
    "code": _code,
    "text": _text,
}
