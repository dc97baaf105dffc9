"""What holds for every scheme and any text: a canonical key or `Unusable`, idempotence, and no value in a report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sluis_client.cells import Reason
from sluis_client.schemes import SCHEMES, Fields, Scheme, Unusable
from sluis_client.schemes_numbers import passes_eleven_test

CANONICAL = {
    "bsn": ["[0-9]{9}"],
    "rsin": ["[0-9]{9}"],
    "kvk": ["[0-9]{8}"],
    "vestiging": ["[0-9]{12}"],
    "loonheffing": ["[0-9]{9}L[0-9]{2}"],
    "bag": ["[0-9]{4}(01|02|03|10|20|30)[0-9]{10}"],
    "postcode-number": ["[1-9][0-9]{3}[A-Z]{2}", "[1-9][0-9]{0,4}", "[A-Z0-9]{0,8}"],
    "wid-document": ["[A-Z]{3}", "[A-Z0-9]{5,20}"],
    "name-birthdate": ["[A-Z]+", "[A-Z]+", "(18[89]|19[0-9]|20[0-9])[0-9][01][0-9][0-3][0-9]"],
}
PERSONS = {name for name, scheme in SCHEMES.items() if scheme.key_titles}
"""Schemes of many match keys, whose fields are not put back into columns."""
FIELD_COLUMNS = {
    "postcode-number": ("postcode", "house_number", "house_number_addition"),
    "wid-document": ("document_country", "document_number"),
    "name-birthdate": ("family_name", "given_names", "birth_date"),
}
JUNK = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789 .-,\u00a0\u200bLaAbBéÄŻЩя'²½/<Oo", max_size=18),
    st.sampled_from(["NL", "999993653", "857587973L01", "#N/B", "1.2E+8", "12-feb", "31-12-1990", "Müller"]),
)


def eleven_proof(number: int) -> str:
    """The first number from `number` on that passes the 11-test."""
    while not passes_eleven_test(f"{number:09d}"):
        number += 1
    return f"{number:09d}"


ELEVEN = st.integers(1, 999_999_900).map(eleven_proof)
# For each column, texts of which a good part is accepted; the junk comes on top.
LIKELY = {
    "bsn": ELEVEN.map(lambda number: number.removeprefix("0")),
    "rsin": ELEVEN.map(lambda number: f"RSIN {number[:3]}.{number[3:6]}.{number[6:]}"),
    "kvk": st.from_regex(r"(KvK:? ?)?[0-9]{7,8}(\.0)?", fullmatch=True),
    "vestiging": st.from_regex(r"[0-9]{4}[ .-]?[0-9]{8}|[1-9][0-9]{7}", fullmatch=True),
    "loonheffing": ELEVEN.flatmap(lambda number: st.sampled_from([f"{number}L01", f"{number} l 12", f"{number}.L.02"])),
    "bag": st.from_regex(r"0?[1-9][0-9]{2}(01|02|03|10|20|30)[0-9]{10}", fullmatch=True),
    "postcode": st.from_regex(r"[1-9][0-9]{3} ?[A-Za-z][B-Zb-z]", fullmatch=True),
    "house_number": st.from_regex(r"0?[1-9][0-9]{0,4}([ -]?[a-zA-Z0-9]{0,3}|²)", fullmatch=True),
    "street": st.sampled_from(["", "Kerkstraat", "ul. Łąkowa 5", "1e Dwarsstraat"]),
    "house_letter": st.from_regex(r"[A-Za-z]?", fullmatch=True),
    "house_number_addition": st.from_regex(r"[a-z]{0,2}-?[0-9]{0,2}", fullmatch=True),
    "document_country": st.sampled_from(["NL", "nld", "D", "DE", "PL", "ROU", "bg", "EL"]),
    "document_number": st.from_regex(r"[A-NP-Z]{2} ?[A-NP-Z0-9]{6}[0-9]", fullmatch=True),
    "document_type": st.just("paspoort"),
    "family_name": st.from_regex(
        r"[A-ZÄÖŁŚȘĲØ][a-zäöłśșüñåþß]{1,8}([ -'][A-ZÄ][a-z]+)?|[ЩЮХЖ][абвгийъьюя]{1,8}", fullmatch=True
    ),
    "given_names": st.from_regex(r"[A-ZÄÖŁŚȘ][a-zäöłśșüñåþ]{1,8}|[ЩЮХЖЄ][абвгийъьюя]{1,8}", fullmatch=True),
    "name_prefix": st.sampled_from(["van", "van den", "'t", "de la"]),
    "country": st.sampled_from(["", "BG", "UKR", "Bulgaarse", "SRB", "onbekend"]),
    "birth_date": st.one_of(
        st.dates(date(1880, 1, 1), date(2099, 12, 31)).map(date.isoformat),
        st.from_regex(r"(0[1-9]|[12][0-9])[-/.](0[1-9]|1[0-2])[-/.]19[0-9]{2}", fullmatch=True),
        st.integers(10_000, 73_000).map(str),
    ),
}


@st.composite
def scheme_and_row(draw: st.DrawFn) -> tuple[Scheme, dict[str, str]]:
    scheme = SCHEMES[draw(st.sampled_from(sorted(SCHEMES)))]
    columns = [*scheme.columns, *(column for column in scheme.optional if draw(st.booleans()))]
    spoilt = draw(st.sampled_from([None, None, *columns]))
    return scheme, {column: draw(JUNK if column == spoilt else LIKELY[column]) for column in columns}


def row_of(scheme: Scheme, fields: Fields) -> Mapping[str, str]:
    return dict(zip(FIELD_COLUMNS.get(scheme.name, scheme.columns), fields, strict=True))


@given(scheme_and_row(), st.booleans())
@example((SCHEMES["bsn"], {"bsn": "\ud800"}), False)
@example((SCHEMES["kvk"], {}), False)
@example((SCHEMES["name-birthdate"], {"family_name": "\u0301", "given_names": "ß", "birth_date": "1-1-1990"}), False)
def test_any_text_gives_canonical_fields_or_unusable(
    scheme_row: tuple[Scheme, dict[str, str]], restore_zeros: bool
) -> None:
    scheme, row = scheme_row
    refusal = None
    try:
        keys = scheme.normalise(row, restore_zeros=restore_zeros)
    except Unusable as unusable:
        refusal, keys = unusable, ()
    if refusal is not None:
        assert refusal.column in (*scheme.columns, *scheme.optional)
        assert refusal.reason in {reason.value for reason in Reason}
        assert str(refusal) == f"{refusal.column}: {refusal.reason}"
        return
    assert len(keys) == scheme.match_keys
    if scheme.name in PERSONS:
        assert any(keys)
        assert all(re.fullmatch("[A-Z0-9]+", field) for fields in keys if fields for field in fields)
        return
    for fields in keys:
        assert fields is not None
        for field, pattern in zip(fields, CANONICAL[scheme.name], strict=True):
            assert re.fullmatch(pattern, field), (scheme.name, pattern)
        if scheme.width is not None:
            assert [len(field) for field in fields] == [scheme.width]
        again = scheme.normalise(row_of(scheme, fields))
        assert all(other == fields for other in again)


@given(st.sampled_from(sorted(SCHEMES)), st.text(alphabet=" \u00a0\u2007\u202f\u200b\u200e\ufeff\u00ad\t", max_size=4))
def test_invisible_characters_around_a_cell_change_nothing(name: str, invisible: str) -> None:
    row = {
        "bsn": {"bsn": "999993653"},
        "rsin": {"rsin": "857587973"},
        "kvk": {"kvk": "68750110"},
        "vestiging": {"vestiging": "000037178598"},
        "loonheffing": {"loonheffing": "857587973L01"},
        "bag": {"bag": "0797020000056894"},
        "postcode-number": {"postcode": "1234AB", "house_number": "12", "house_letter": "A"},
        "wid-document": {"document_country": "NLD", "document_number": "SPECI2014"},
    }.get(name, {"family_name": "Wałęsa", "given_names": "Lech", "birth_date": "1990-12-31", "postcode": "1234AB"})
    wrapped = {column: invisible + cell + invisible for column, cell in row.items()}
    assert SCHEMES[name].normalise(wrapped) == SCHEMES[name].normalise(row)


def test_the_catalogue_of_schemes() -> None:
    assert set(SCHEMES) == set(CANONICAL) | PERSONS
    identities = [scheme.scheme_id for scheme in SCHEMES.values()]
    assert len(set(identities)) == len(identities)
    for name, scheme in SCHEMES.items():
        assert scheme.name == name
        assert scheme.scheme_id == ("name-birthdate/2" if name == "name-birthdate-2" else f"{name}/1")
        assert 1 <= scheme.sure_keys <= scheme.match_keys <= 16
        assert len(scheme.key_titles) in (0, scheme.match_keys)
        assert scheme.title
        assert not set(scheme.columns) & set(scheme.optional)
    assert {name for name, scheme in SCHEMES.items() if scheme.match_keys > 1} == {"name-birthdate", *PERSONS}
    with pytest.raises(TypeError):
        SCHEMES["bsn"] = SCHEMES["kvk"]


def test_reasons_are_short_and_hold_no_placeholders() -> None:
    for reason in Reason:
        assert 0 < len(reason.value) <= 120
        assert "{" not in reason.value
