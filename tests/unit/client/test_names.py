"""Names and dates of birth: ICAO 9303-3, Bulgaria's own table, and dates as exports write them."""

# ruff: noqa: RUF001  # Cyrillic names are the point here

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client import transliteration
from sluis_client.birthdates import birth_date, known_parts
from sluis_client.cells import Reason, Unusable
from sluis_client.names import name_variants
from sluis_client.schemes import SCHEMES

SCHEME = SCHEMES["name-birthdate"]
BORN = "1990-12-31"


def keys(family: str, given_names: str = "Jan", **more: str) -> tuple[tuple[str, ...] | None, ...]:
    return SCHEME.normalise({"family_name": family, "given_names": given_names, "birth_date": BORN, **more})


@pytest.mark.parametrize(
    ("name", "state", "key_1", "key_2"),
    [
        # domain.md section 5
        ("Wałęsa", None, "WALESA", "WALESA"),
        ("Świątek", None, "SWIATEK", "SWIATEK"),
        ("Ștefănescu", None, "STEFANESCU", "STEFANESCU"),
        ("Щерев", "BGR", "SHTEREV", "SHTEREV"),
        ("Юлия", None, "IULIIA", "YULIA"),
        ("Христо", None, "KHRISTO", "HRISTO"),
        # table A
        ("Şerban", None, "SERBAN", "SERBAN"),
        ("Ţuţea", None, "TUTEA", "TUTEA"),
        ("Żółć", None, "ZOLC", "ZOLC"),
        ("Müller", None, "MUELLER", "MULLER"),
        ("Jäger-Öz", None, "JAEGEROEZ", "JAGEROZ"),
        ("Groß", None, "GROSS", "GROSS"),
        ("GROẞ", None, "GROSS", "GROSS"),
        ("Åse", None, "AASE", "ASE"),
        ("Sørensen", None, "SOERENSEN", "SOERENSEN"),
        ("Þór", None, "THOR", "THOR"),
        ("Muñoz", None, "MUNOZ", "MUNOZ"),
        ("Ĳsbrand", None, "IJSBRAND", "IJSBRAND"),
        ("Yıldız İnci", None, "YILDIZINCI", "YILDIZINCI"),
        ("Nguyễn", None, "NGUYEN", "NGUYEN"),
        ("O’Neill d'Arc", None, "ONEILLDARC", "ONEILLDARC"),
        # table B and the states' exceptions
        ("Щерев", None, "SHCHEREV", "SHTEREV"),
        ("Георгиев", None, "GEORGIEV", "GEORGIEV"),
        ("Къньо", "BGR", "KIENO", "KANYO"),
        ("Мария", "BGR", "MARIIA", "MARIA"),
        ("Григорій", "UKR", "HRYHORII", "GRIGORIY"),
        ("Єва", "UKR", "YEVA", "IEVA"),
        ("Ђорђе", "SRB", "DORDE", "DORDE"),
        ("Жарко Чолић", "SRB", "ZARKOCOLIC", "ZHARKOCHOLIC"),
        ("Ќосе", "MKD", "KJOSE", "KOSE"),
        ("Ігар", "BLR", "IHAR", "IGAR"),
        ("Ольга", None, "OLGA", "OLYGA"),
        ("Смирно\u0301ва", None, "SMIRNOVA", "SMIRNOVA"),
    ],
)
def test_transliteration(name: str, state: str | None, key_1: str, key_2: str) -> None:
    assert name_variants("family_name", name, state) == (key_1, key_2)
    decomposed = unicodedata.normalize("NFD", name)
    assert name_variants("family_name", decomposed, state) == (key_1, key_2)
    assert name_variants("family_name", name.upper().lower(), state) == (key_1, key_2)


def test_tables_hold_the_letters_they_say() -> None:
    """Look-alikes: a Latin letter among the Cyrillic keys would never be found, and nobody would see it."""
    assert all("CYRILLIC" in unicodedata.name(letter) for letter in transliteration._CYRILLIC)
    tables = [*transliteration._EXCEPTIONS.values(), transliteration._BULGARIAN, transliteration._UKRAINIAN_FIRST]
    assert all(letter in transliteration._CYRILLIC for table in tables for letter in table)
    assert all("LATIN" in unicodedata.name(letter) for letter in transliteration._LATIN)
    values = [*transliteration._CYRILLIC.values(), *(value for table in tables for value in table.values())]
    values += [value for pair in transliteration._LATIN.values() for value in pair]
    assert all(value.isascii() and (value == "" or (value.isalpha() and value.isupper())) for value in values)


def test_latin_table_a_has_every_letter_of_its_range() -> None:
    for code in (*range(0xC0, 0xDF), *range(0x100, 0x17E), 0x1E9E):
        letter = chr(code)
        if letter.isalpha() and letter.upper() == letter and code != 0x138:  # kra: no capital, no row
            assert transliteration.latin(letter) is not None, hex(code)


def test_two_keys_let_printed_and_cyrillic_meet() -> None:
    printed, cyrillic = keys("Hristov", "Yulia"), keys("Христов", "Юлия")
    assert printed[0] == printed[1] == ("HRISTOV", "YULIA", "19901231")
    assert cyrillic[0] == ("KHRISTOV", "IULIIA", "19901231")
    assert cyrillic[1] == printed[1]
    assert keys("Müller")[1] == keys("Muller")[1]
    assert keys("Müller")[0] == keys("Mueller")[0]


def test_the_hint_never_changes_key_2() -> None:
    for state in ("", "BG", "bgr", "Bulgaarse", "SRB", "Oekraïense", "zomaar"):
        assert keys("Щукин", "Георги", country=state)[1] == ("SHTUKIN", "GEORGI", "19901231")
    assert keys("Щукин", country="Bulgaarse")[0] == ("SHTUKIN", "JAN", "19901231")


def test_prefix_belongs_to_the_family_name() -> None:
    apart = keys("Berg", name_prefix="van den")
    assert apart == keys("van den Berg") == keys("Van-den Berg", name_prefix=" ")
    assert apart[0] == ("VANDENBERG", "JAN", "19901231")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", Reason.EMPTY),
        ("-", Reason.NAME_LETTERS),
        ("Jansen, Piet", Reason.NAME_COMMA),
        ("Jansen 2", Reason.NAME_CHARACTERS),
        ("Wa??sa", Reason.NAME_CHARACTERS),
        ("MÃ¼ller", Reason.DAMAGED),
        ("Wa\ufffdsa", Reason.DAMAGED),
        ("Παπαδόπουλος", Reason.NAME_SCRIPT),
        ("محمد", Reason.NAME_SCRIPT),
        ("Ивaнов", Reason.NAME_MIXED),
        ("onbekend", Reason.NAME_UNKNOWN),
        ("Ь", Reason.NAME_LETTERS),
    ],
)
def test_names_refused(name: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        keys(name)
    assert (caught.value.column, caught.value.reason) == ("family_name", why.value)


@pytest.mark.parametrize(
    "cell",
    [
        "1990-12-31", "31-12-1990", "31/12/1990", "31.12.1990", "19901231", "33238", "33238.0", "1990/12/31",
        "31 dec 1990", "31-december-1990", "1990-12-31 00:00:00", "1990-12-31T00:00:00Z", " 31-12-1990\u00a0",
        "31-12-1990 00:00:00", "３１-１２-１９９０",
    ],
)  # fmt: skip
def test_dates(cell: str) -> None:
    assert birth_date(cell) == "19901231"


def test_day_comes_first() -> None:
    assert birth_date("3-4-1990") == "19900403"
    assert birth_date("03/04/1990") == "19900403"


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("", Reason.EMPTY),
        ("1990-00-00", Reason.DATE_PARTIAL),
        ("1990-12-00", Reason.DATE_PARTIAL),
        ("00-00-1990", Reason.DATE_PARTIAL),
        ("19900000", Reason.DATE_PARTIAL),
        ("00000000", Reason.DATE_PARTIAL),
        ("1990", Reason.DATE_PARTIAL),
        ("1990-12", Reason.DATE_PARTIAL),
        ("12-1990", Reason.DATE_PARTIAL),
        ("dec 1990", Reason.DATE_PARTIAL),
        ("??-12-1990", Reason.DATE_PARTIAL),
        ("xx-xx-1990", Reason.DATE_PARTIAL),
        ("12/31/1990", Reason.DATE_ORDER),
        ("31-12-90", Reason.DATE_YEAR),
        ("31-dec-90", Reason.DATE_YEAR),
        ("30-02-1990", Reason.DATE_INVALID),
        ("29-02-1900", Reason.DATE_INVALID),
        ("1990-13-01", Reason.DATE_INVALID),
        ("31 foo 1990", Reason.DATE_SHAPE),
        ("yesterday", Reason.DATE_SHAPE),
        ("1990-12-30T23:00:00Z", Reason.DATE_SHAPE),
        ("01-01-1800", Reason.DATE_RANGE),
        ("99999", Reason.DATE_RANGE),
    ],
)
def test_dates_refused(cell: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        birth_date(cell)
    assert caught.value.reason == why.value


@given(st.dates(date(1927, 5, 18), date(2099, 12, 31)))
def test_every_way_of_writing_a_day_is_the_same_day(when: date) -> None:
    serial = (when - date(1900, 1, 1)) // timedelta(days=1) + 2
    forms = [
        when.isoformat(),
        f"{when.day}-{when.month}-{when.year}",
        f"{when:%d/%m/%Y}",
        f"{when:%Y%m%d}",
        str(serial),
    ]
    assert {birth_date(form) for form in forms} == {f"{when:%Y%m%d}"}


@pytest.mark.parametrize(
    ("cell", "known"),
    [
        ("1990-12-31", (1990, 12, 31)), ("31-12-1990", (1990, 12, 31)), ("1990-00-00", (1990, 0, 0)),
        ("00-05-1990", (1990, 5, 0)), ("05-1990", (1990, 5, 0)), ("1990-05", (1990, 5, 0)), ("1990", (1990, 0, 0)),
        ("31-02-1990", (1990, 2, 0)), ("1990-13-05", (1990, 0, 0)), ("19900200", (1990, 2, 0)),
    ],
)  # fmt: skip
def test_what_is_known_of_a_date(cell: str, known: tuple[int, int, int]) -> None:
    assert known_parts(cell) == known


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("12/31/1990", Reason.DATE_ORDER), ("0000-00-00", Reason.DATE_PARTIAL), ("xx-xx-1990", Reason.DATE_PARTIAL),
        ("1790", Reason.DATE_RANGE), ("31-12-90", Reason.DATE_YEAR), ("soon", Reason.DATE_SHAPE), ("", Reason.EMPTY),
    ],
)  # fmt: skip
def test_dates_of_which_nothing_is_known(cell: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        known_parts(cell)
    assert caught.value.reason == why.value
