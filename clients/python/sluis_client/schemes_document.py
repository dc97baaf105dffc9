"""The scheme `wid-document`: number of an identity document as the Wet op de identificatieplicht knows it.

Canonical fields: `(country, number)`: the issuing state in three letters (ISO 3166-1 alpha-3, ICAO 9303 additions,
Germany as `DEU`) and the number in capitals and digits. The kind of document is read but is no part of the key:
registers name kinds differently, and a state does not give one number to two of its documents on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sluis_client.cells import Fields, Reason, Unusable, tidy
from sluis_client.countries import country_code

COLUMNS = ("document_country", "document_number")
OPTIONAL = ("document_type",)

_JOINTS = re.compile(r"[\s.\-/<\u2010-\u2015\u2212]+")
_SCIENTIFIC = re.compile(r"[0-9]+[.,][0-9]+E[+-]?[0-9]+", re.IGNORECASE)


def normalise(row: Mapping[str, str]) -> tuple[Fields | None, ...]:
    """The one match key of an identity document.

    A number made of digits that lost leading zeros cannot be told from a shorter number, so zeros are never restored.

    Raises:
        Unusable: naming the column and the reason.
    """
    country = country_code(tidy("document_country", row.get("document_country", "")))
    if country is None:
        raise Unusable("document_country", Reason.COUNTRY_UNKNOWN)
    return ((country, document_number(row.get("document_number", ""), country)),)


def document_number(cell: str, country: str) -> str:
    """The number in capitals and digits.

    Raises:
        Unusable: the reasons on document numbers, SCIENTIFIC, or as `tidy`.
    """
    column = "document_number"
    text = tidy(column, cell)
    if _SCIENTIFIC.fullmatch(text):
        raise Unusable(column, Reason.SCIENTIFIC)
    number = _JOINTS.sub("", re.sub(r"(?<=[0-9])[.,]0$", "", text)).upper()
    if not (number.isascii() and number.isalnum()):
        raise Unusable(column, Reason.DOCUMENT_CHARACTERS)
    if not 5 <= len(number) <= 20:
        raise Unusable(column, Reason.DOCUMENT_LENGTH)
    if not number.strip("0"):
        raise Unusable(column, Reason.ALL_ZEROS)
    if number.isalpha():
        raise Unusable(column, Reason.DOCUMENT_LETTERS_ONLY)
    if country == "NLD":
        if len(number) != 9:
            raise Unusable(column, Reason.DOCUMENT_DUTCH)
        if "O" in number:
            raise Unusable(column, Reason.DOCUMENT_LETTER_O)
    return number
