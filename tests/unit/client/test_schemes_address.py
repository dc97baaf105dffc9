"""Postcode, house number and addition from separate and combined columns."""

# ruff: noqa: RUF001  # full-width digits and long dashes are the point here

from __future__ import annotations

import pytest
from sluis_client.cells import Reason
from sluis_client.schemes import SCHEMES, Unusable

SCHEME = SCHEMES["postcode-number"]


def normalise(**row: str) -> tuple[str, ...]:
    (fields,) = SCHEME.normalise({"postcode": "1234AB", "house_number": "12", **row})
    assert fields is not None
    return fields


@pytest.mark.parametrize("cell", ["1234AB", "1234 ab", "1234\u00a0Ab", " 1234-AB", "NL-1234 AB", "１２３４ＡＢ"])
def test_postcode(cell: str) -> None:
    assert normalise(postcode=cell) == ("1234AB", "12", "")


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("0123AB", Reason.POSTCODE_SHAPE),
        ("1234", Reason.POSTCODE_SHAPE),
        ("1234ABC", Reason.POSTCODE_SHAPE),
        ("1234SS", Reason.POSTCODE_LETTERS),
        ("1234SA", Reason.POSTCODE_LETTERS),
        ("1234SD", Reason.POSTCODE_LETTERS),
        ("", Reason.EMPTY),
    ],
)
def test_postcode_refused(cell: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        normalise(postcode=cell)
    assert (caught.value.column, caught.value.reason) == ("postcode", why.value)


@pytest.mark.parametrize(
    ("cell", "number", "addition"),
    [
        ("12", "12", ""),
        ("012", "12", ""),
        ("12.0", "12", ""),
        ("12-A", "12", "A"),
        ("12 a", "12", "A"),
        ("12A hs", "12", "AHS"),
        ("12-2", "12", "2"),
        ("12²", "12", "2"),
        ("12 bis", "12", "BIS"),
        ("12hs", "12", "HS"),
        ("12-HS", "12", "HS"),
        ("12 (A)", "12", "A"),
        ("nr. 12 III", "12", "III"),
        ("99999", "99999", ""),
    ],
)
def test_combined_house_number(cell: str, number: str, addition: str) -> None:
    assert normalise(house_number=cell) == ("1234AB", number, addition)


@pytest.mark.parametrize(
    ("number", "letter", "tail", "addition"),
    [
        ("12", "A", "", "A"),
        ("12", "a", "hs", "AHS"),
        ("12", "", "a-hs", "AHS"),
        ("12A", "A", "", "A"),
        ("12A", "a", "HS", "AHS"),
        ("12A hs", "A", "hs", "AHS"),
        ("12A", "", "A", "A"),
        ("12A", "", "hs", "AHS"),
        ("12", "\u200b", " ", ""),
        ("12", "", "2.0", "2"),
    ],
)
def test_additions_from_three_places(number: str, letter: str, tail: str, addition: str) -> None:
    assert normalise(house_number=number, house_letter=letter, house_number_addition=tail)[2] == addition


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ({"house_number": "A12"}, "house_number", Reason.HOUSE_NUMBER_START),
        ({"house_number": "Dorpsstraat 12"}, "house_number", Reason.HOUSE_NUMBER_START),
        ({"house_number": "0"}, "house_number", Reason.HOUSE_NUMBER_SIZE),
        ({"house_number": "123456"}, "house_number", Reason.HOUSE_NUMBER_SIZE),
        ({"house_number": "12 t/m 16"}, "house_number", Reason.HOUSE_NUMBER_RANGE),
        ({"house_number": "12 en 14"}, "house_number", Reason.HOUSE_NUMBER_RANGE),
        ({"house_number": "12-feb"}, "house_number", Reason.EXCEL_DATE),
        ({"house_number": "2-mrt-2026"}, "house_number", Reason.EXCEL_DATE),
        ({"house_number": "feb-26"}, "house_number", Reason.EXCEL_DATE),
        ({"house_number": "2026-02-12 00:00:00"}, "house_number", Reason.EXCEL_DATE),
        ({"house_number": "12 achterzijde"}, "house_number", Reason.ADDITION_LENGTH),
        ({"house_number": "12 é"}, "house_number", Reason.ADDITION_CHARACTERS),
        ({"house_number_addition": "A*"}, "house_number_addition", Reason.ADDITION_CHARACTERS),
        ({"house_number": "12A", "house_letter": "B"}, "house_letter", Reason.ADDITIONS_DISAGREE),
    ],
)
def test_house_number_refused(row: dict[str, str], column: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        normalise(**row)
    assert (caught.value.column, caught.value.reason) == (column, why.value)
