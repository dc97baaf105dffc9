"""What holds for every scheme and any text: a canonical key or `Unusable`, idempotence, and no value in a report."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sluis_client.cells import Reason
from sluis_client.schemes import SCHEMES, Fields, Scheme, Unusable

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
FIELD_COLUMNS = {
    "postcode-number": ("postcode", "house_number", "house_number_addition"),
    "wid-document": ("document_country", "document_number"),
    "name-birthdate": ("family_name", "given_names", "birth_date"),
}
# Close enough to the real thing that a good part of it is accepted.
LIKELY = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="0123456789 .-,\u00a0\u200bLaAbBéÄŻЩя'²½/<Oo", max_size=18),
    st.from_regex(r"[1-9][0-9]{3} ?[A-Za-z]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{1,5}[ -]?[a-zA-Z]{0,3}", fullmatch=True),
    st.from_regex(r"(0[1-9]|[12][0-9])-(0[1-9]|1[0-2])-19[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{8,9}", fullmatch=True),
    st.from_regex(r"[0-9]{9}L[0-9]{2}", fullmatch=True),
    st.from_regex(r"0[1-9][0-9]{2}(01|02|03|10|20|30)[0-9]{10}", fullmatch=True),
    st.from_regex(r"[A-ZÄÖŁŚȘЩЮ][a-zäöłśșüñåþ]{1,8}", fullmatch=True),
    st.sampled_from(["NL", "DEU", "d", "BG", "999993653", "857587973L01", "SPECI2014", "Щерев", "Müller"]),
)


@st.composite
def scheme_and_row(draw: st.DrawFn) -> tuple[Scheme, dict[str, str]]:
    scheme = SCHEMES[draw(st.sampled_from(sorted(SCHEMES)))]
    row = {column: draw(LIKELY) for column in scheme.columns}
    row |= {column: draw(LIKELY) for column in scheme.optional if draw(st.booleans())}
    return scheme, row


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
        "name-birthdate": {"family_name": "Wałęsa", "given_names": "Lech", "birth_date": "1990-12-31"},
    }[name]
    wrapped = {column: invisible + cell + invisible for column, cell in row.items()}
    assert SCHEMES[name].normalise(wrapped) == SCHEMES[name].normalise(row)


def test_the_catalogue_of_schemes() -> None:
    assert set(SCHEMES) == set(CANONICAL)
    for name, scheme in SCHEMES.items():
        assert scheme.name == name
        assert scheme.version == 1
        assert scheme.title
        assert not set(scheme.columns) & set(scheme.optional)
    assert [name for name, scheme in SCHEMES.items() if scheme.match_keys > 1] == ["name-birthdate"]
    with pytest.raises(TypeError):
        SCHEMES["bsn"] = SCHEMES["kvk"]  # type: ignore[index]


def test_reasons_are_short_and_hold_no_placeholders() -> None:
    for reason in Reason:
        assert 0 < len(reason.value) <= 120
        assert "{" not in reason.value
