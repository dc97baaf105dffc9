"""Writes keys.json: rows of persons and the fields of every match key under each scheme of docs/linkage.md.

    python tests/vectors/persons/generate.py

Made with the Python client itself, so that they pin it and let others follow it; a reading of docs/linkage.md in Go
(tests/interop/reading) makes the same. The vectors of pseudonyms (tests/vectors/pseudonym) take fields and know nothing
of names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sluis_client.cells import Unusable
from sluis_client.schemes import SCHEMES

# ruff: noqa: RUF001  # Cyrillic names are the point here

SCHEMES_OF_PERSONS = [
    "name-birthdate-2",
    "name-birthdate-address",
    "document-name-birthdate-address",
    "bsn-name-birthdate-address",
]
HOME = {"postcode": "1234 AB", "house_number": "12-A", "street": "Kerkstraat"}


def row(family: str, given: str, born: str, **more: str) -> dict[str, str]:
    """One row."""
    return {"family_name": family, "given_names": given, "birth_date": born, **more}


CASES: list[tuple[str, dict[str, str]]] = [
    ("a double name, two given names, an address", row("Kowalska-Nowak", "Anna Maria", "1990-03-04", **HOME)),
    ("Bulgarian, as written", row("Щерев", "Юлия", "4-3-1990", **HOME)),
    ("Bulgarian, by the national law", row("Shterev", "Yulia", "4-3-1990", **HOME)),
    ("Bulgarian, by ICAO 9303", row("Shcherev", "Iuliia", "4-3-1990", **HOME)),
    ("Bulgarian hard sign", row("Кънев", "Къньо", "1979-12-31")),
    ("Ukrainian with a patronymic, as written", row("Гриценко", "Євген Петрович", "1988-08-24")),
    ("Ukrainian by resolution 55", row("Hrytsenko", "Yevhen Petrovych", "1988-08-24")),
    ("Ukrainian by way of Polish", row("Szewczenko", "Julija", "1988-08-24")),
    ("Polish CK", row("Potocki", "Beck", "1988-08-24")),
    ("Polish CK, as Ukraine writes it", row("Потоцький", "Бек", "1988-08-24")),
    ("Romanian comma below", row("Ștefănescu", "Ioana", "2001-02-28")),
    ("Romanian cedilla", row("Ştefănescu", "Ioana", "2001-02-28")),
    ("Hungarian order", row("László", "Szűcs", "1970-01-02")),
    ("Polish", row("Wałęsa", "Lech", "1943-09-29")),
    ("umlaut", row("Müller", "Jürgen", "1960-06-06")),
    ("umlaut, expanded", row("Mueller", "Juergen", "1960-06-06")),
    ("particles in the name", row("van den Berg", "Jan", "1955-05-05")),
    ("particles in a column of their own", row("Berg", "Jan", "1955-05-05", name_prefix="van den")),
    ("an apostrophe that is a particle", row("d'Ancona", "Rosa", "1955-05-05")),
    ("an apostrophe that is not", row("O'Neill", "Mar'yana", "1955-05-05")),
    ("a name of particles", row("El", "De", "1955-05-05")),
    ("an unknown day", row("Nowak", "Jan", "1990-03-00", **HOME)),
    ("an unknown day and month", row("Nowak", "Jan", "00-00-1990", **HOME)),
    ("a day that does not exist", row("Nowak", "Jan", "31-02-1990", **HOME)),
    ("no date", row("Nowak", "Jan", "", **HOME)),
    ("no given name", row("Nowak", "", "1990-03-04", **HOME)),
    ("unknown given name", row("Nowak", "onbekend", "1990-03-04", **HOME)),
    ("no name", row("", "", "1990-03-04", **HOME)),
    ("a house without a number", row("Nowak", "Jan", "1990-03-04", postcode="NL-1234ab", street="Zandpad")),
    (
        "a foreign address",
        row("Nowak", "Jan", "1990-03-04", postcode="00-950", house_number="7 m. 3", street="ul. Łąkowa"),
    ),
    ("a BSN that lost its zero", row("Nowak", "Jan", "1990-03-04", bsn="00009921")),
    ("a BSN behind its name", row("Nowak", "Jan", "1990-03-04", bsn="BSN-nr: 9999.93.653")),
    ("a month in words", row("Nowak", "Jan", "4 mrt. 1990")),
    ("a serial number", row("Nowak", "Jan", "32936.0", **HOME)),
    ("a midnight", row("Nowak", "Jan", "1990-03-04T00:00:00Z")),
    ("a month and a year", row("Nowak", "Jan", "03 1990")),
    ("a year and a month", row("Nowak", "Jan", "1990/3")),
    ("a year", row("Nowak", "Jan", "1990", **HOME)),
    ("a month in words and a year: no date", row("Nowak", "Jan", "maart 1990", **HOME)),
    ("a blanked day: no date", row("Nowak", "Jan", "xx-03-1990", **HOME)),
    ("a year of zeros: no date", row("Nowak", "Jan", "04-03-0000", **HOME)),
    ("a month above 12 with a day above 12: a year", row("Nowak", "Jan", "31-13-1990", **HOME)),
    ("a month above 12, year first: a year", row("Nowak", "Jan", "1990-13-04", **HOME)),
    ("a Russian hard sign", row("Адъютантов", "Объян", "1979-12-31")),
    ("a Russian hard sign, by ICAO 9303", row("Adieiutantov", "Obieian", "1979-12-31")),
    ("a hard sign before an O", row("Къонов", "Ъгъл", "1979-12-31")),
    ("an apostrophe and a space", row("d' Ancona", "Rosa", "1955-05-05")),
    ("an apostrophe behind a hyphen", row("Ruiz-d'Ancona", "Rosa", "1955-05-05")),
    ("a C with a K", row("Beckers", "Nick", "1955-05-05")),
    ("an unknown name that is written otherwise", row("N.v.t.", "Ян", "1990-03-04", **HOME)),
    ("a name of marks", row("-", "'", "1990-03-04", **HOME)),
    ("particles in both columns", row("de la", "Jan", "1955-05-05", name_prefix="van der")),
    ("only a prefix", row("", "Jan", "1955-05-05", name_prefix="van der")),
    ("only a patronymic", row("Ivanov", "Ivanovich Petrovna", "1955-05-05")),
    (
        "an address in full-width forms",
        row("Nowak", "Jan", "", postcode="ＮＬ１２３４ＡＢ", house_number="１２", street="Große ﬁ 3e"),
    ),
    ("a document", row("Nowak", "Jan", "1990-03-04", document_country="pl", document_number="AB 1234567")),
    ("refused: nothing to tell by", row("Nowak", "Jan", "")),
    ("refused: a comma", row("Nowak, Jan", "Jan", "1990-03-04")),
    ("refused: two scripts", row("Ивaнов", "Ivan", "1990-03-04")),
    ("refused: Greek", row("Παπαδόπουλος", "Nikos", "1990-03-04")),
    ("refused: American order", row("Nowak", "Jan", "12/31/1990")),
    ("refused: damaged", row("MÃ¼ller", "Jan", "1990-03-04")),
    ("refused: a wrong BSN", row("Nowak", "Jan", "1990-03-04", bsn="999993654")),
    ("refused: a BSN that cannot be seen", row("Nowak", "Jan", "1990-03-04", bsn="\u200b")),
    ("refused: a BSN without two zeros", row("Nowak", "Jan", "1990-03-04", bsn="9921")),
    (
        "refused: an address that is an error",
        row("Nowak", "Jan", "1990-03-04", postcode="#N/A", bsn="x", document_number="x"),
    ),
    ("refused: a damaged street", row("Nowak", "Jan", "1990-03-04", street="Grotestra\ufffd")),
    ("refused: a letter with marks on another base", row("Ǽ", "Jan", "1990-03-04")),
    ("refused: the prefix before the given names", row("Berg", "1", "x", name_prefix=",")),
    ("refused: the year before the order", row("Nowak", "Jan", "12/31/1850")),
    ("refused: a year of two digits", row("Nowak", "Jan", "4 mrt 90")),
    ("refused: no word for a month", row("Nowak", "Jan", "4 marz 1990")),
    ("refused: a time", row("Nowak", "Jan", "1990-03-04 12:00")),
    ("refused: a document without its country", row("Nowak", "Jan", "1990-03-04", document_number="AB1234567")),
]


def outcome(scheme: str, cells: dict[str, str]) -> dict[str, Any]:
    """The keys of a row, or what is wrong with it."""
    try:
        keys = SCHEMES[scheme].normalise(cells)
    except Unusable as unusable:
        return {"refused": {"column": unusable.column, "reason": unusable.reason}}
    return {"keys": [None if fields is None else list(fields) for fields in keys]}


def vectors() -> dict[str, Any]:
    """The whole file."""
    cases = [
        {"name": name, "row": cells, "schemes": {scheme: outcome(scheme, cells) for scheme in SCHEMES_OF_PERSONS}}
        for name, cells in CASES
    ]
    ids = {name: SCHEMES[name].scheme_id for name in SCHEMES_OF_PERSONS}
    sure = {name: SCHEMES[name].sure_keys for name in SCHEMES_OF_PERSONS}
    return {"about": "docs/linkage.md sections 3 and 4", "scheme_ids": ids, "sure_keys": sure, "cases": cases}


if __name__ == "__main__":
    text = json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"
    Path(__file__).with_name("keys.json").write_text(text, encoding="utf-8")
