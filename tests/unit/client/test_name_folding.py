"""Names in several lawful spellings have one folded form; different names keep theirs."""

# ruff: noqa: RUF001  # Cyrillic names are the point here

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.cells import Reason, Unusable
from sluis_client.name_folding import PARTICLES, fold, skeleton, without_particles, without_patronymics
from sluis_client.person_parts import person_parts

NAMES = st.from_regex(r"[A-Z]{1,12}", fullmatch=True)


def folded(name: str) -> str:
    return person_parts({"family_name": name}).families


@pytest.mark.parametrize(
    "spellings",
    [
        "Юлия Юлія Iuliia Yulia Yuliia Julia Julija",  # ICAO, Bulgaria, Ukraine (KMU 55/2010), Polish, Croatian
        "Христо Khristo Hristo",
        "Щерев Shcherev Shterev",
        "Шевченко Shevchenko Szewczenko Schewtschenko",
        "Мария Mariia Maria Mariya Marija",
        "Григорій Hryhorii Grigoriy Hryhoriy",
        "Зінченко Zinchenko Zinczenko",
        "Цветков Tsvetkov Cvetkov Tzvetkov",
        "Кънев Kanev",  # Ъ is A by Bulgaria's law
        "Объедков Obedkov",  # and silent before a vowel, as in Russian
        "Євген Yevhen Ievhen Jewhen",
        "Müller Mueller Muller MÜLLER",
        "Åkesson Aakesson Akesson",
        "Wałęsa Walesa",
        "Ștefănescu Ştefănescu Stefanescu",
        "Țurcanu Ţurcanu Turcanu",
        "Szűcs Szucs",
        "Őri Ori Öri Oeri",
        "Groß Gross",
    ],
)
def test_one_name_in_several_spellings(spellings: str) -> None:
    assert len({folded(name) for name in spellings.split()}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("Nowak", "Novakova"), ("Kovač", "Kovačević"), ("Popescu", "Popa"), ("Nagy", "Nemes"), ("Jansen", "Janssens"),
     ("Petrov", "Petrova"), ("Мельник", "Мельниченко"), ("de Vries", "de Wit")],
)  # fmt: skip
def test_different_names_stay_different(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@pytest.mark.parametrize(
    "spellings",
    [
        "van den Berg|Berg|VAN DEN BERG|v.d. Berg|Van Den Berg",
        "d'Ancona|D’Ancona|D' Ancona|Ancona",
        "von der Leyen|Leyen|von Leyen",
        "'t Hart|Hart|’t Hart",
        "de la Cruz|la Cruz|Cruz",
        "El-Khatib|El Khatib|Khatib",
    ],
)
def test_particles_do_not_count(spellings: str) -> None:
    forms = {folded(name) for name in spellings.split("|")}
    assert len(forms) == 1
    for name in ("Berg", "van den Berg"):
        row = {"family_name": name, "name_prefix": "van den"}
        assert person_parts(row).families == folded("Berg")


def test_a_name_of_particles_alone_is_a_name() -> None:
    assert without_particles(("VAN", "DER")) == ("VAN", "DER")
    assert folded("El") == fold("EL")
    assert all(word.isascii() and word.isupper() for word in PARTICLES)


def test_patronymics_are_no_given_names() -> None:
    assert without_patronymics(("OLEKSANDR", "PETROVYCH")) == ("OLEKSANDR",)
    assert without_patronymics(("OLENA", "SERHIIVNA")) == ("OLENA",)
    assert without_patronymics(("IVAN", "PETROVICH", "MARIA")) == ("IVAN", "MARIA")
    assert without_patronymics(("HANS", "FRIEDRICH")) == ("HANS", "FRIEDRICH")
    assert without_patronymics(("PETROVICH",)) == ("PETROVICH",)  # the first word always stays


@given(NAMES)
def test_a_fold_is_letters_and_never_longer(name: str) -> None:
    form = fold(name)
    assert form == "" or (form.isascii() and form.isalpha() and form.isupper())
    assert len(form) <= len(name)
    assert form


@given(NAMES)
def test_a_skeleton_starts_as_the_name_does_and_has_no_vowel_behind(name: str) -> None:
    bones = skeleton(fold(name))
    assert bones
    assert not set(bones[1:]) & set("AEIOUH")


@given(st.sampled_from(["Wałęsa", "Müller", "Ștefănescu", "Szűcs", "Dvořák", "Şahin"]))
def test_composed_and_decomposed_capitals_and_small_are_one(name: str) -> None:
    for form in ("NFC", "NFD"):
        for written in (name, name.upper(), name.lower()):
            assert folded(unicodedata.normalize(form, written)) == folded(name)


def test_skeletons_bear_mishearing() -> None:
    assert skeleton(fold("KOWALCZYK")) == skeleton(fold("KOVALCHIK")) == skeleton(fold("KOWALZIK"))
    assert skeleton(fold("BARTOK")) == skeleton(fold("PARDOK"))
    assert skeleton("") == ""


@pytest.mark.parametrize(
    ("column", "cell", "why"),
    [
        ("family_name", "Jansen, Piet", Reason.NAME_COMMA),
        ("family_name", "Παπαδόπουλος", Reason.NAME_SCRIPT),
        ("given_names", "Ивaн", Reason.NAME_MIXED),
        ("given_names", "MÃ¼ller", Reason.DAMAGED),
        ("name_prefix", "1", Reason.NAME_CHARACTERS),
        ("birth_date", "12/31/1990", Reason.DATE_ORDER),
        ("birth_date", "31-12-90", Reason.DATE_YEAR),
        ("birth_date", "1790-01-01", Reason.DATE_RANGE),
        ("postcode", "12\ufffd4AB", Reason.DAMAGED),
    ],
)
def test_what_cannot_be_read_is_refused(column: str, cell: str, why: Reason) -> None:
    with pytest.raises(Unusable) as caught:
        person_parts({"family_name": "Jansen", "given_names": "Piet", column: cell})
    assert (caught.value.column, caught.value.reason) == (column, why.value)
