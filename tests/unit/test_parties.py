"""OINs and the names of parties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import Code, SluisError
from broker.parties import NAME, Oin, check_party_name


@pytest.mark.parametrize(
    "text",
    [
        "00000001002220647000",  # Utrecht, domain.md section 5
        "00000004194049711000",
        "00000003687501100000",  # KvK-based: eight digits and 0000
        "0000000400000A1B2000",  # the main number of a sub-OIN may have letters
        "00000099000000101000",
    ],
)
def test_oins_of_the_standard_are_read(text: str) -> None:
    oin = Oin(text)
    assert str(oin) == text
    assert oin.is_test is text.startswith("00000099")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000000100222064700",
        "000000010022206470000",
        "00000001002220647001",
        "0000000A002220647000",
        "00000001002220a47000",
        "00000001002220647000\n",
        " 00000001002220647000",
        "0000000100222064700\u0660",
        "999993653",
    ],
)
def test_other_texts_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SluisError) as caught:
        Oin(text)
    assert caught.value.code is Code.OIN_INVALID
    if text:
        assert text not in caught.value.message


def test_a_test_prefix_elsewhere_is_no_test_oin() -> None:
    assert not Oin("00000001000000990000").is_test


@pytest.mark.parametrize("name", ["a", "snf", "g-0344", "nla-2026-2027", "a" * 63, "a1234567"])
def test_names(name: str) -> None:
    assert check_party_name(name, "asker") == name


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "-a", "a_b", "a b", "a" * 64, "snf\n", "é", "x999993653", "a12345678", "a-12345678-b"]
)
def test_what_is_no_name_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(SluisError) as caught:
        check_party_name(name, "asker")
    assert caught.value.code is Code.FIELD_INVALID
    assert caught.value.message.startswith("asker: ")
    assert "999993653" not in caught.value.message


@given(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True), st.integers(10_000_000, 999_999_999))
def test_no_name_hides_a_long_number(name: str, number: int) -> None:
    assert not NAME.fullmatch(f"{name}{number}")
    assert not NAME.fullmatch(f"{name}-{number}-x")
