"""Names to A to Z: ICAO Doc 9303 part 3 (8th edition, 2021) section 6 tables A and B, and Bulgaria's national table.

Pinned as `TABLES`: a later edition makes a new scheme version, because a changed table changes pseudonyms. Where a
table is silent or plainly wrong this says so:

- Of the alternatives of table A the plain letter is taken (U of `UE or UXX or U`); the forms with XX are not.
- Table A has no comma-below letters of Romanian: they are mapped to the cedilla forms first.
- Letters outside table A that are a base letter with marks (Vietnamese, Welsh) lose the marks.
- Table B has no soft sign: dropped. It prints no row for U+0403 and U+040B (an older edition: G, Macedonian GJ; C),
  and gives Serbian U+0413 as H, while Serbian documents print G: G is kept.
- Bulgaria: Transliteration Act of 2009; word-final `-ия` is IA.
"""

from __future__ import annotations

import unicodedata

# ruff: noqa: RUF001  # the tables are meant to hold look-alikes; a test checks the block of every key

TABLES = "ICAO 9303-3:2021 section 6; Bulgarian Transliteration Act 2009"

_COMMA_BELOW = str.maketrans({"Ș": "Ş", "Ț": "Ţ"})

# Table A: letters whose transliteration is not their base letter; the second is the alternative the table allows.
_LATIN: dict[str, tuple[str, str]] = {
    "Ä": ("AE", "A"),
    "Å": ("AA", "A"),
    "Ö": ("OE", "O"),
    "Ü": ("UE", "U"),
    **{
        letter: (latin, latin)
        for letter, latin in {
            "Æ": "AE", "Ð": "D", "Ø": "OE", "Þ": "TH", "Đ": "D", "Ħ": "H", "ı": "I", "Ĳ": "IJ", "Ŀ": "L",
            "Ł": "L", "Ŋ": "N", "Œ": "OE", "Ŧ": "T", "ẞ": "SS", "ß": "SS",
        }.items()
    },
}  # fmt: skip

_CYRILLIC: dict[str, str] = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Д": "D", "Е": "E", "Ж": "ZH", "З": "Z", "И": "I", "Й": "I", "К": "K",
    "Л": "L", "М": "M", "Н": "N", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "У": "U", "Ф": "F", "Х": "KH",
    "Ц": "TS", "Ч": "CH", "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ы": "Y", "Ь": "", "Э": "E", "Ю": "IU", "Я": "IA",
    "Ё": "E", "Ђ": "D", "Ѓ": "G", "Є": "IE", "Ѕ": "DZ", "І": "I", "Ї": "I", "Ј": "J", "Љ": "LJ", "Њ": "NJ", "Ћ": "C",
    "Ќ": "K", "Ў": "U", "Џ": "DZ", "Ѫ": "U", "Ѵ": "Y", "Ґ": "G", "Ғ": "G", "Һ": "C",
}  # fmt: skip

# Exceptions of table B, by the state that issued the document.
_EXCEPTIONS: dict[str, dict[str, str]] = {
    "BGR": {"Щ": "SHT"},
    "BLR": {"Г": "H", "Ё": "IO"},
    "MKD": {"Ѓ": "GJ", "Ќ": "KJ", "Х": "H", "Ц": "C", "Џ": "DJ"},
    "SRB": {"Ж": "Z", "Х": "H", "Ц": "C", "Ч": "C", "Ш": "S"},
    "UKR": {"Г": "H", "И": "Y"},
}
_UKRAINIAN_FIRST = {"Є": "YE", "Ї": "YI", "Й": "Y", "Ю": "YU", "Я": "YA"}
_BULGARIAN = {"Й": "Y", "Х": "H", "Щ": "SHT", "Ъ": "A", "Ь": "Y", "Ю": "YU", "Я": "YA"}


def latin(word: str) -> tuple[str, str] | None:
    """The upper-case Latin `word` by table A and with its alternatives (`MUELLER`, `MULLER`); None if it cannot be."""
    first, second = [], []
    for letter in unicodedata.normalize("NFC", word).translate(_COMMA_BELOW):
        if "A" <= letter <= "Z":
            pair = (letter, letter)
        elif letter in _LATIN:
            pair = _LATIN[letter]
        else:
            base = _base_letter(letter)
            if base is None:
                return None
            pair = (base, base)
        first.append(pair[0])
        second.append(pair[1])
    return "".join(first), "".join(second)


def cyrillic(word: str, country: str | None) -> tuple[str, str] | None:
    """The upper-case Cyrillic `word` by table B and by Bulgaria's own table; None if it holds a letter of neither.

    `country` (three letters) picks the exceptions of table B. The second never depends on it.
    """
    exceptions = _EXCEPTIONS.get(country or "", {})
    first, second = [], []
    word = unicodedata.normalize("NFC", word)
    for place, original in enumerate(word):
        letter = original if original in _CYRILLIC else _unmarked(original)
        if not letter:
            continue
        if letter not in _CYRILLIC:
            return None
        icao = exceptions.get(letter, _CYRILLIC[letter])
        if country == "UKR" and place == 0:
            icao = _UKRAINIAN_FIRST.get(letter, icao)
        first.append(icao)
        second.append(_BULGARIAN.get(letter, _CYRILLIC[letter]))
    if word.endswith("ИЯ"):
        second[-1] = "A"  # so that the И before it and this make IA
    return "".join(first), "".join(second)


def _unmarked(letter: str) -> str:
    """The letter under its marks (`Ѝ` to `И`); `""` for a mark that stands alone, which table B cannot show."""
    return "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))


def _base_letter(letter: str) -> str | None:
    """A to Z for a letter with marks, nothing for a lone mark, None for anything else."""
    base = _unmarked(letter)
    if base == "" or (len(base) == 1 and "A" <= base <= "Z"):
        return base
    return None
