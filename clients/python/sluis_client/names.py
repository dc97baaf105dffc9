"""The scheme `name-birthdate`: family name, given names and date of birth, as two match keys.

Each key has the canonical fields `(FAMILYNAME, GIVENNAMES, YYYYMMDD)`, names in A to Z without spaces.

- **Key 1** is the printed Latin name by ICAO 9303-3 table A (`Müller` MUELLER), or, when the name is in Cyrillic, its
  transliteration by table B with the exceptions of the country, if given (`Христо` KHRISTO).
- **Key 2** is the variant: the plain letters that table A allows as well (MULLER), or Bulgaria's national table
  (HRISTO), which is what a Bulgarian passport prints. It does not depend on the country column, so that a party
  that knows the country and one that does not still meet here.

Keys are only ever compared with keys of the same number. So a name without variants carries the same fields in both
keys: a register with the printed `Hristo` (HRISTO, HRISTO) meets a question with `Христо` (KHRISTO, HRISTO) on key 2.

A name prefix (`van den`) belongs to the family name, as on Dutch documents. Partial dates give no key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from sluis_client.birthdates import birth_date
from sluis_client.cells import Fields, Reason, Unusable, tidy
from sluis_client.countries import country_code
from sluis_client.transliteration import cyrillic, latin

COLUMNS = ("family_name", "given_names", "birth_date")
OPTIONAL = ("name_prefix", "country")
MATCH_KEYS = 2

_WORD_BREAKS = re.compile(r"[\s\-.\u00b7\u2010-\u2015\u2212]+")
# Apostrophes of all kinds, modifier letters and accents typed on their own: part of a word, and not in A to Z.
_SILENT = re.compile(r"['`\u00b4\u02b0-\u02ff\u2018\u2019\u201b\u2032]+")
UNKNOWN = frozenset({"ONBEKEND", "UNKNOWN", "NNB", "NVT", "GEENVOORNAMEN", "GEENVOORNAAM"})
_STATES = {"BULGA": "BGR", "ROEME": "ROU", "OEKRA": "UKR", "SERVI": "SRB", "WIT-R": "BLR", "BELAR": "BLR"}


def normalise(row: Mapping[str, str]) -> tuple[Fields | None, ...]:
    """The two match keys of a person.

    Raises:
        Unusable: naming the column and the reason.
    """
    state = _state(row.get("country", ""))
    family = name_variants("family_name", row.get("family_name", ""), state)
    given = name_variants("given_names", row.get("given_names", ""), state)
    prefix = ("", "")
    if row.get("name_prefix", "").strip():
        prefix = name_variants("name_prefix", row["name_prefix"], state)
    when = birth_date(row.get("birth_date", ""))
    return tuple((prefix[key] + family[key], given[key], when) for key in range(MATCH_KEYS))


def name_variants(column: str, cell: str, state: str | None) -> tuple[str, str]:
    """A name in A to Z for key 1 and for key 2.

    Raises:
        Unusable: the reasons on names, or as `tidy`.
    """
    words, script = written_words(column, tidy(column, cell))
    pairs = [cyrillic(word, state) if script == "cyrillic" else latin(word) for word in words]
    if None in pairs:
        raise Unusable(column, Reason.NAME_SCRIPT)
    first, second = ("".join(pair[key] for pair in pairs if pair is not None) for key in range(MATCH_KEYS))
    if not (first and second):
        raise Unusable(column, Reason.NAME_LETTERS)
    return first, second


def written_words(column: str, text: str) -> tuple[list[str], str]:
    """The words of a tidied name in upper case, and their one script, `latin` or `cyrillic`.

    Raises:
        Unusable: the reasons on names.
    """
    text = unicodedata.normalize("NFC", text).upper()
    text = _SILENT.sub("", unicodedata.normalize("NFC", text))
    words = [word for word in _WORD_BREAKS.split(text) if word]
    letters = "".join(words)
    scripts = {_script(column, letter) for letter in letters} - {""}
    if not scripts:
        raise Unusable(column, Reason.NAME_LETTERS)
    if "other" in scripts:
        raise Unusable(column, Reason.NAME_SCRIPT)
    if len(scripts) > 1:
        raise Unusable(column, Reason.NAME_MIXED)
    if letters in UNKNOWN:
        raise Unusable(column, Reason.NAME_UNKNOWN)
    return words, scripts.pop()


def _script(column: str, letter: str) -> str:
    """`latin`, `cyrillic`, `other`, or nothing for a combining mark.

    Raises:
        Unusable: when it is no letter at all.
    """
    if "A" <= letter <= "Z":
        return "latin"
    category = unicodedata.category(letter)
    if category.startswith("M"):
        return ""
    if letter == ",":
        raise Unusable(column, Reason.NAME_COMMA)
    if not category.startswith("L"):
        raise Unusable(column, Reason.NAME_CHARACTERS)
    if "\u0400" <= letter <= "\u052f":
        return "cyrillic"
    return "latin" if letter < "\u0250" or "\u1e00" <= letter <= "\u1eff" else "other"


def _state(cell: str) -> str | None:
    """The state of a nationality or country cell; None when it names none we know, since it is only a hint."""
    text = cell.strip()
    return country_code(text) or _STATES.get(text.upper()[:5])
