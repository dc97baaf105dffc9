"""Writes rows.json: rows and the match keys they give under the schemes of docs/pseudonym-spec.md section 2.

    python tests/vectors/schemes/generate.py

Made with the Python client itself, so that they pin it and let others follow it. Numbers are those that authorities
publish as examples, or made up. Schemes of persons have vectors of their own (tests/vectors/persons).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sluis_client.cells import Unusable
from sluis_client.schemes import SCHEMES

# ruff: noqa: RUF001  # full-width digits, long dashes and Cyrillic names are the point here

NUMBERS: dict[str, list[str]] = {
    "bsn": [
        "999993653", "999993847", "000009921", "BSN 999.993.653", "BSN-nummer: 9999 93 653", "sofi nr 999993653",
        "\ufeff999\u00a0993\u202f653\u200b", "９９９９９３６５３", "999993653.0", "999.993.653,00", "'999993653",
        '="999993653"', "10000008", "999993654", "000000000", "00000000", "9921", "9999936530", "-999993653",
        "99999365O", "٩٩٩٩٩٣٦٥٣", "99999365³", "", " \u00a0\u200b", "#N/B", "9,99994E+08",
        "'", "0000000", "99999365\ufffd", "BSN.999993653", "nr 999993653", "RSIN 999993653",
        "999\x1c993\x85653",
    ],
    "rsin": ["857587973", "RSIN 8575.87.973", "fiscaalnummer 857587973", "857587974", "NL857587973B01", "857587973b01",
             "NL 8575.87.973.B.01", "F\u0130SCAALNUMMER 857587973"],
    "kvk": [
        "68750110", "KvK: 12345678", "K.v.K.-nr. 12345678", "kvk12345678", "Kamer van Koophandel 12345678",
        "dossiernummer 12345678", "12.34.56.78", "12,345,678", " 12345678; ", "12345678.0", "1234567", "123456",
        "123456789", "12345678/0001", "00000000", "1.23457E+07", "#REF!", "#waarde!", "#N/C", "1E5", "-1E5",
        "12.345.678,00", "12.345,678", "12345,678", "12345678.000",
        "12--34 . 56-78", "12\u201134\u20115678", "𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖", "½2345678",
        "KVK-NUMMER:#12345678", "kvk nummer nr 12345678", "857587973B01", "12345678;.",
        "nr 12345678", ":12345678", ".12345678", ",12345678",
    ],
    "vestiging": [
        "000037178598", "990000541921", "Vestigingsnummer 0000 3717 8598", "vest. 000037178598", "00037178598",
        "37178598", "1.23457E+11", "KvK 000037178598", "vestigingsnr.=000037178598",
        "vestiging.nummer 000037178598",
    ],
    "bag": [
        "0797020000056894", "0797030000056834", "NL.IMBAG.Ligplaats.0797020000056894", "BAG-ID 0797020000056894",
        "0797–02–0000056894", "0797990000056894", "0000020000056894", "797020000056894", "14010000056894",
        "7.9702E+14", "1234", "bag id nummer 0797020000056894", "00000797020000056894", "nl.imbag.0797020000056894",
    ],
    "loonheffing": [
        "857587973L01", "LH-nummer: 8575.87.973.l.01", "loonheffingennummer 857587973 L 01", "857587973-L-01",
        "857587973B01", "857587974L01", "857587973", "857587973L1", "000000000L01",
        "857587973L00", "857587973 -L01", "857587973L01.00", "857587973L01.", "1E5", "57587973L01",
    ],
}  # fmt: skip
RESTORED: dict[str, list[str]] = {
    "bsn": ["10000008", "9921", "0009921"],
    "kvk": ["1234567", "1234567.0", "123456", "0000000"],
    "vestiging": ["37178598", "7178598"],
    "bag": ["797020000056894", "14010000056894", "363010000000", "1010000056894"],
}


def home(number: str, letter: str = "", more: str = "", postcode: str = "1234AB") -> dict[str, str]:
    """An address."""
    row = {"postcode": postcode, "house_number": number, "house_letter": letter, "house_number_addition": more}
    return {column: cell for column, cell in row.items() if cell or column in {"postcode", "house_number"}}


HOUSE_NUMBERS = [
    "012", "12.0", "12,00", "12-A", "12 a", "12A hs", "12-2", "12²", "12 bis", "12 (A)", "nr. 12 III",
    "huisnummer: 7", "99999", "A12", "Dorpsstraat 12", "0", "123456", "12 t/m 16", "12 en 14", "12+14",
    "nr12", "nr:12", "#12", "²12", "12.000", "12 ß", "12-13", "12tm14", "12A en B", "12 t/m", "12&", "0 feb",
    "12.feb", "3 mei", "2-3-26", "12 marsweg", "feb-2", "2026-02-12 12u", "12-feb-", "12345A678", "12A+é",
    "feb,26", "12 feb,26", "12-maart", "3 meibloemstraat", "nr#12", "12 tm 14", "12Aen", "12 meİ",
    "12-feb", "2-mrt-2026", "feb-26", "2026-02-12 00:00:00", "12 achterzijde", "12 é", "",
]  # fmt: skip
ADDRESSES = [
    *(
        home("12", postcode=cell)
        for cell in ("1234AB", "1234 ab", "1234\u00a0Ab", " 1234-AB", "NL-1234 AB", "NL1234.AB")
    ),
    *(
        home("12", postcode=cell)
        for cell in ("１２３４ＡＢ", "0123AB", "1234", "1234ABC", "1234SA", "1234SD", "1234SS", "")
    ),
    *(home("12", postcode=cell) for cell in ("1234--AB", "NL - 1234AB", "NL.1234AB", "NL1234AB", "1234A\ufffd")),
    *map(home, HOUSE_NUMBERS),
    *(home("12", *parts) for parts in (("A",), ("a", "hs"), ("", "a-hs"), ("", "2.0"), ("\u200b", " "), ("", "A*"))),
    *(home("12A", *parts) for parts in (("A",), ("a", "HS"), ("", "A"), ("", "hs"), ("B",))),
    *(home("12A hs", *parts) for parts in (("A", "hs"), ("A",), ("", "hs"))),
    *(
        home("12", *parts)
        for parts in (("ABCDE", "FGHIJ"), ("ABCDEFGHI", "é"), ("", "A en B"), ("", "2,00"), ("²", ".0"))
    ),
    *(home("12A", *parts) for parts in (("A", "A"), ("AB", ""), ("", "BCDEFGHI"), ("", "#N/A"))),
    *(home(number, *parts) for number, *parts in (("12AB", "A", "B"), ("12 AB", "A", ""), ("12A", "B", "CDEFGHIJ"))),
]
DOCUMENTS = [
    ("NL", "SPECI2014"), ("nld", " speci 2014 "), ("D", "C01X-0006H"), ("DE", "C01X0006H"), ("D<<", "C01X0006H<"),
    ("RO", "XZ 123456"), ("EL", "AB1234567"), ("UK", "123456789"), ("XKX", "K0123456"), ("UNO", "AB12345"),
    ("PL", "ZS0000177.0"), ("PL", "12345,0"), ("QQ", "C01X0006H"), ("", "C01X0006H"), ("PL", ""), ("PL", "A1"),
    ("PL", "A12345678901234567890"), ("PL", "0000000"), ("PL", "ONBEKEND"), ("PL", "ŻS0000177"),
    ("PL", "1,23457E+08"), ("NL", "SPECI201"), ("NL", "SPECIO014"),
    ("PL", "12E45678"), ("PL", "1.2e5"), ("PL", "ab-12/34<5"), ("PL", "12345,00"), ("PL", "AB12345.0"),
    ("PL", "AB12C.0"),
    ("PL", "ABß123"), ("PL", "-./"), (" .pl<. ", "AB12345"), ("P.L", "AB12345"), ("xk", "AB12345"), ("EU", "AB12345"),
    ("rom", "AB12345"), ("AN", "AB12345"), ("SUN", "AB12345"), ("ENG", "AB12345"),
    ("056", "AB12345"), ("Polen", "A"), ("#N/A", "AB12345"),
]  # fmt: skip
BIRTH_DATES = [
    "19901231.0", "33238,00", "10000", "73051", "09999", "1990/12.31", "1990-12-31 00:00", "31-12-1990 00:00:00.000Z",
    "1990-12-31 12:00", "31-12-1990 0:00", "1-okt.-1990", "31 SEPT. 1990", "1/maa 1990", "31dec 1990",
    "31 dec1990", "31 oct 1990", "1990 05", "1 juni  1990",
    "1 decem 1990", "1 mars 1990", "31 december 90", "mei. 1990", "00-00-0000", "13-13-1990", "12-13-1879",
    "1990-13-12", "19901312", "05 1990", "??-05-1990", "1990-xx", "xx-xx-xxxx", "xx 1990", "1990-", "١٩٩٠-١٢-٣١",
    "#NAAM?",
]  # fmt: skip
PEOPLE: list[tuple[str, str, str, dict[str, str]]] = [
    *(
        (family, "Jan", "1990-12-31", {})
        for family in ("Wałęsa", "Ștefănescu", "Müller", "Muller", "Mueller", "Jäger-Öz")
    ),
    *(
        (family, "Jan", "1990-12-31", {})
        for family in ("Groß", "Åse", "Sørensen", "Þór", "Ĳsbrand", "Yıldız", "Nguyễn")
    ),
    *((family, "Jan", "1990-12-31", {}) for family in ("O’Neill d'Arc", "van den Berg", "Гёте", "Щерев", "Ольга")),
    ("Христов", "Юлия", "31-12-1990", {}),
    ("Щерев", "Мария", "31-12-1990", {"country": "BG"}),
    ("Щукин", "Георги", "31-12-1990", {"country": "Bulgaarse"}),
    ("Къньо", "Я", "31-12-1990", {"country": "BGR"}),
    ("Григорій", "Єва", "31-12-1990", {"country": "Oekraïense"}),
    ("Ђорђе", "Жарко", "31-12-1990", {"country": "SRB"}),
    ("Чолић", "Жарко", "31-12-1990", {"country": "zomaar"}),
    ("Ќосе", "Џон", "31-12-1990", {"country": "MK"}),
    ("Ігар", "Ёлка", "31-12-1990", {"country": "Wit-Russisch"}),
    ("Berg", "Jan", "31-12-1990", {"name_prefix": "van den"}),
    *(
        ("Nowak", "Jan", born, {})
        for born in ("19901231", "33238", "33238.0", "31 dec 1990", "31-december-1990", "3-4-1990")
    ),
    *(("Nowak", "Jan", born, {}) for born in ("1990-12-31T00:00:00Z", "12-31-1990", "31-02-1990", "31-12-90", "1990")),
    *(("Nowak", "Jan", born, {}) for born in ("00-00-1990", "31-12-1879", "gisteren", "", "31 foo 1990", "1990-12-3x")),
    *((family, "Jan", "1990-12-31", {}) for family in ("", "-", "Jansen, Piet", "Jansen 2", "Wa??sa", "MÃ¼ller")),
    *((family, "Jan", "1990-12-31", {}) for family in ("Παπαδόπουλος", "Ивaнов", "onbekend", "Ь")),
    *(
        (family, "Jan", "1990-12-31", {})
        for family in ("Ǽ", "Ạ̈nh", "ŉ", "Ə", "\u0301", "Ã\u0081", "№", "1,", "Ξ1", "1Ξ", "ΞИA", "ꙀA", "Oʹ˜Neil")
    ),
    *(("Иван", "Иван", "1990-12-31", {"country": state}) for state in ("ua", " UKR. ", "\u200bUA", "Oekraine", "Rus")),
    ("Ќосе", "Џон", "31-12-1990", {"country": "Noord-Macedonië"}),
    *((family, "Йовков", "1990-12-31", {"country": "UA"}) for family in ("Яя-яя", "Югъ", "Ѝѐ", "Ґ'є", "Қ", "Згура")),
    *((family, "Мария-Ия", "1990-12-31", {"country": "BY"}) for family in ("Объёмов", "Щъь", "Мария́", "Ћ")),
    *(("Berg", "Jan", "31-12-1990", {"name_prefix": prefix}) for prefix in ("", " ", "\u200b", "'", "v.d.", "н", "1")),
    ("Berg,", "1", "x", {"name_prefix": "1", "country": "#N/A"}),
    ("Berg", "1", "x", {"name_prefix": ","}),
    ("Berg", "Jan", "x", {"name_prefix": ",", "country": "#N/A"}),
    ("Berg", "Jan", "31-12-1990", {"country": "#N/A"}),
    *(("Nowak", "Jan", born, {}) for born in BIRTH_DATES),
    ("Nowak", "", "1990-12-31", {}),
    ("Nowak", "nvt", "1990-12-31", {}),
]


def rows() -> list[tuple[str, bool, dict[str, str]]]:
    """Every scheme, whether zeros are restored, and a row for it."""
    found = [(scheme, False, {scheme: cell}) for scheme, cells in NUMBERS.items() for cell in cells]
    found += [(scheme, True, {scheme: cell}) for scheme, cells in RESTORED.items() for cell in cells]
    found += [("postcode-number", False, row) for row in ADDRESSES]
    found += [
        ("wid-document", False, {"document_country": state, "document_number": number}) for state, number in DOCUMENTS
    ]
    found += [
        ("name-birthdate", False, {"family_name": family, "given_names": given, "birth_date": born, **more})
        for family, given, born, more in PEOPLE
    ]
    return found


def case(scheme: str, restore_zeros: bool, row: dict[str, str]) -> dict[str, Any]:
    """One row and its match keys, or the column that is refused and why."""
    about = {"scheme": scheme, "restore_zeros": restore_zeros, "row": row}
    try:
        keys = SCHEMES[scheme].normalise(row, restore_zeros=restore_zeros)
    except Unusable as unusable:
        return {**about, "refused": {"column": unusable.column, "reason": unusable.reason}}
    return {**about, "keys": [None if fields is None else list(fields) for fields in keys]}


def vectors() -> dict[str, Any]:
    """The whole file."""
    cases = [case(*row) for row in rows()]
    ids = {scheme: SCHEMES[scheme].scheme_id for scheme in sorted({case["scheme"] for case in cases})}
    return {"about": "docs/pseudonym-spec.md section 2", "scheme_ids": ids, "cases": cases}


if __name__ == "__main__":
    text = json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n"
    Path(__file__).with_name("rows.json").write_text(text, encoding="utf-8")
