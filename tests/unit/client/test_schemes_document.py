"""Identity documents: issuing state and number."""

from __future__ import annotations

import importlib.resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.cells import Reason
from sluis_client.countries import BY_ALPHA_2, country_code
from sluis_client.schemes import SCHEMES, Unusable
from stdnum.nl import identiteitskaartnummer as oracle

SCHEME = SCHEMES["wid-document"]


def normalise(country: str, number: str) -> tuple[str, ...]:
    (fields,) = SCHEME.normalise({"document_country": country, "document_number": number})
    assert fields is not None
    return fields


@pytest.mark.parametrize(
    ("country", "number", "fields"),
    [
        ("NL", "SPECI2014", ("NLD", "SPECI2014")),
        ("nld", " speci 2014 ", ("NLD", "SPECI2014")),
        ("D", "C01X-0006H", ("DEU", "C01X0006H")),
        ("DE", "C01X0006H", ("DEU", "C01X0006H")),
        ("D<<", "C01X0006H<", ("DEU", "C01X0006H")),
        ("RO", "XZ 123456", ("ROU", "XZ123456")),
        ("EL", "AB1234567", ("GRC", "AB1234567")),
        ("PL", "ZS0000177.0", ("POL", "ZS0000177")),
    ],
)
def test_accepted(country: str, number: str, fields: tuple[str, str]) -> None:
    assert normalise(country, number) == fields


@pytest.mark.parametrize(
    ("country", "number", "column", "why"),
    [
        ("QQ", "C01X0006H", "document_country", Reason.COUNTRY_UNKNOWN),
        ("", "C01X0006H", "document_country", Reason.EMPTY),
        ("PL", "", "document_number", Reason.EMPTY),
        ("PL", "A1", "document_number", Reason.DOCUMENT_LENGTH),
        ("PL", "0000000", "document_number", Reason.ALL_ZEROS),
        ("PL", "ONBEKEND", "document_number", Reason.DOCUMENT_LETTERS_ONLY),
        ("PL", "ŻS0000177", "document_number", Reason.DOCUMENT_CHARACTERS),
        ("PL", "1,23457E+08", "document_number", Reason.SCIENTIFIC),
        ("NL", "SPECI201", "document_number", Reason.DOCUMENT_DUTCH),
        ("NL", "SPECIO014", "document_number", Reason.DOCUMENT_LETTER_O),
    ],
)
def test_refused(country: str, number: str, column: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        normalise(country, number)
    assert (caught.value.column, caught.value.reason) == (column, why.value)


@given(st.from_regex(r"[A-NP-Z]{2}[A-NP-Z0-9]{6}[0-9]", fullmatch=True))
def test_every_dutch_number_that_stdnum_takes_is_taken(number: str) -> None:
    assert oracle.is_valid(number)
    if number.strip("0"):
        assert normalise("NL", number) == ("NLD", number)


def test_country_table_is_iso_3166() -> None:
    table = importlib.resources.files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text(encoding="utf-8")
    published = {line[:2] for line in table.splitlines() if line and not line.startswith("#")}
    assert set(BY_ALPHA_2) == published
    assert len(set(BY_ALPHA_2.values())) == len(BY_ALPHA_2)
    assert all(len(code) == 3 and country_code(code) == code for code in BY_ALPHA_2.values())
