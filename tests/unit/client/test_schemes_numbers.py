"""Numbers of fixed width: published examples of domain.md section 5, messy forms, and python-stdnum as oracle."""

# ruff: noqa: RUF001  # full-width digits and long dashes are the point here

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.cells import Reason
from sluis_client.schemes import SCHEMES, Unusable
from stdnum.nl import bsn as oracle_bsn

NUMBERS = ("bsn", "rsin", "kvk", "vestiging", "loonheffing", "bag")
EXAMPLES = {
    "bsn": ["999993653", "999993847", "999990482", "000009921"],
    "rsin": ["857587973"],
    "kvk": ["68750110", "69599084", "69599076"],
    "vestiging": ["000037178598", "990000541921"],
    "loonheffing": ["857587973L01"],
    "bag": ["0797020000056894", "0797030000056834"],
}


def normalise(scheme: str, cell: str, restore_zeros: bool = False) -> str:
    (fields,) = SCHEMES[scheme].normalise({scheme: cell}, restore_zeros=restore_zeros)
    assert fields is not None
    (field,) = fields
    return field


def reason(scheme: str, cell: str, restore_zeros: bool = False) -> str:
    with pytest.raises(Unusable) as caught:
        normalise(scheme, cell, restore_zeros)
    assert caught.value.column == scheme
    return caught.value.reason


@pytest.mark.parametrize(("scheme", "number"), [(name, number) for name in NUMBERS for number in EXAMPLES[name]])
def test_published_examples_are_canonical(scheme: str, number: str) -> None:
    assert normalise(scheme, number) == number
    if scheme != "loonheffing":
        assert SCHEMES[scheme].canonical_block([number, number]) == number.encode() * 2


@pytest.mark.parametrize(
    ("scheme", "cell", "why"),
    [
        ("bsn", "999993654", Reason.CHECK_DIGIT),
        ("bsn", "123456789", Reason.CHECK_DIGIT),
        ("bsn", "000000000", Reason.ALL_ZEROS),
        ("bsn", "00000000", Reason.ALL_ZEROS),
        ("bsn", "9921", Reason.BSN_ZEROS_LOST),
        ("bsn", "9999936530", Reason.TOO_LONG),
        ("bsn", "-999993653", Reason.NOT_DIGITS),
        ("bsn", "99999365O", Reason.NOT_DIGITS),
        ("bsn", "٩٩٩٩٩٣٦٥٣", Reason.NOT_DIGITS),
        ("bsn", "99999365³", Reason.NOT_DIGITS),
        ("bsn", "", Reason.EMPTY),
        ("bsn", " \u00a0\u200b", Reason.EMPTY),
        ("bsn", "#N/B", Reason.EXCEL_ERROR),
        ("bsn", "9,99994E+08", Reason.SCIENTIFIC),
        ("rsin", "857587974", Reason.CHECK_DIGIT),
        ("rsin", "NL857587973B01", Reason.VAT_NUMBER),
        ("kvk", "1234567", Reason.ZEROS_LOST),
        ("kvk", "123456", Reason.TOO_SHORT),
        ("kvk", "123456789", Reason.TOO_LONG),
        ("kvk", "12345678/0001", Reason.NOT_DIGITS),
        ("vestiging", "00037178598", Reason.ZEROS_LOST),
        ("vestiging", "1.23457E+11", Reason.SCIENTIFIC),
        ("loonheffing", "857587973B01", Reason.VAT_NUMBER),
        ("loonheffing", "857587974L01", Reason.CHECK_DIGIT),
        ("loonheffing", "857587973", Reason.LOONHEFFING_SHAPE),
        ("loonheffing", "857587973L1", Reason.LOONHEFFING_SHAPE),
        ("loonheffing", "000000000L01", Reason.ALL_ZEROS),
        ("bag", "0797990000056894", Reason.BAG_TYPE),
        ("bag", "0000020000056894", Reason.BAG_MUNICIPALITY),
        ("bag", "797020000056894", Reason.ZEROS_LOST),
        ("bag", "7.9702E+14", Reason.SCIENTIFIC),
        ("bag", "1234", Reason.TOO_SHORT),
    ],
)
def test_refused_with_its_reason(scheme: str, cell: str, why: Reason) -> None:
    assert reason(scheme, cell) == why.value


@pytest.mark.parametrize(
    ("scheme", "cell", "number"),
    [
        ("bsn", "BSN 999.993.653", "999993653"),
        ("bsn", "BSN-nummer: 9999 93 653", "999993653"),
        ("bsn", "\ufeff999\u00a0993\u202f653\u200b", "999993653"),
        ("bsn", "９９９９９３６５３", "999993653"),
        ("bsn", "999993653.0", "999993653"),
        ("bsn", "999.993.653,00", "999993653"),
        ("bsn", "'999993653", "999993653"),
        ("bsn", '="999993653"', "999993653"),
        ("bsn", "10000008", "010000008"),
        ("rsin", "RSIN 8575.87.973", "857587973"),
        ("kvk", "KvK: 12345678", "12345678"),
        ("kvk", "K.v.K.-nr. 12345678", "12345678"),
        ("kvk", "kvk12345678", "12345678"),
        ("kvk", "12.34.56.78", "12345678"),
        ("kvk", "12,345,678", "12345678"),
        ("kvk", " 12345678; ", "12345678"),
        ("kvk", "12345678.0", "12345678"),
        ("vestiging", "Vestigingsnummer 0000 3717 8598", "000037178598"),
        ("loonheffing", "LH-nummer: 8575.87.973.l.01", "857587973L01"),
        ("bag", "NL.IMBAG.Ligplaats.0797020000056894", "0797020000056894"),
        ("bag", "0797–02–0000056894", "0797020000056894"),  # en dashes, as Word makes them
    ],
)
def test_messy_forms(scheme: str, cell: str, number: str) -> None:
    assert normalise(scheme, cell) == number


def test_zeros_come_back_only_when_asked() -> None:
    assert normalise("kvk", "1234567", restore_zeros=True) == "01234567"
    assert normalise("kvk", "1234567.0", restore_zeros=True) == "01234567"
    assert normalise("bag", "797020000056894", restore_zeros=True) == "0797020000056894"
    assert normalise("bag", "14010000056894", restore_zeros=True) == "0014010000056894"
    assert normalise("vestiging", "37178598", restore_zeros=True) == "000037178598"
    assert reason("kvk", "123456", restore_zeros=True) == Reason.TOO_SHORT
    assert reason("bsn", "9921", restore_zeros=True) == Reason.BSN_ZEROS_LOST


@given(st.text(alphabet="0123456789", min_size=7, max_size=10))
def test_bsn_agrees_with_python_stdnum(digits: str) -> None:
    padded = digits.zfill(9) if len(digits) == 8 else digits
    try:
        mine: str | None = normalise("bsn", digits)
    except Unusable:
        mine = None
    valid = len(padded) == 9 and oracle_bsn.is_valid(padded)
    assert mine == (padded if valid else None)


@given(st.sampled_from(NUMBERS), st.lists(st.text(alphabet="0123456789", min_size=7, max_size=17), max_size=5))
def test_block_says_what_normalising_says(name: str, column: list[str]) -> None:
    scheme = SCHEMES[name]
    if scheme.width is not None:
        column = [cell.zfill(scheme.width)[: scheme.width] for cell in column]
    block = scheme.canonical_block(column)
    normal = []
    for cell in column:
        try:
            normal.append(normalise(name, cell))
        except Unusable:
            normal.append("")
    if name == "loonheffing":
        assert block is None
    else:
        assert block == ("".join(normal).encode() if normal == column else None)


def test_block_of_valid_numbers() -> None:
    numbers = [n for n in (f"{i:09d}" for i in range(999990000, 999991000)) if oracle_bsn.is_valid(n)]
    assert len(numbers) > 50
    assert SCHEMES["bsn"].canonical_block(numbers) == "".join(numbers).encode()
    for spoilt in ("999993654", "00000000", "9999936530", "９９９９９３６５３", "99999365²", "000000000", ""):
        assert SCHEMES["bsn"].canonical_block([*numbers, spoilt]) is None
    # two cells whose lengths are wrong and whose sum is right
    assert SCHEMES["kvk"].canonical_block(["1234567", "123456789"]) is None
    assert SCHEMES["bsn"].canonical_block([]) == b""
