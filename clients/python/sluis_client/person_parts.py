"""What a row says of a person, in parts from which match keys are put together (`sluis_client.person_keys`).

A part that the row does not hold is `""`, and a match key that needs it is absent. A cell that is there and cannot
be read is refused, so that its owner can mend it; only an address without a known form counts as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sluis_client.birthdates import known_parts
from sluis_client.cells import Reason, Unusable, tidy
from sluis_client.name_folding import fold, without_particles, without_patronymics
from sluis_client.names import written_words
from sluis_client.transliteration import cyrillic, latin

NAME_COLUMNS = ("family_name", "given_names", "birth_date")
NAME_OPTIONAL = ("name_prefix",)
ADDRESS_OPTIONAL = ("postcode", "house_number", "street")

_SHORT_PARTICLE = re.compile(r"(?<!\S)([DLST])['`\u00b4\u2018\u2019\u2032]\s*(?=\w)", re.IGNORECASE)
# A hard sign before a vowel is Russian and stays (table B: IE); elsewhere it is Bulgaria's A (Transliteration Act,
# article 3).
_HARD_SIGN = re.compile("Ъ(?![ЕЁЮЯЇИО])")
_POSTCODE = re.compile(r"(?:NL(?=[0-9]{4}))?([0-9A-Z]{3,10})")
_HOUSE_NUMBER = re.compile(r"0*([1-9][0-9]{0,4})(?![0-9])")
_NO_LETTERS = re.compile("[^A-Z]")


@dataclass(frozen=True, repr=False)
class PersonParts:
    """Names folded, dates as digits, address as capitals and digits; `""` for what is not known."""

    family: tuple[str, ...]
    """Words of the family name without particles."""
    given: tuple[str, ...]
    """Given names without patronymics."""
    year: str
    month: str
    day: str
    postcode: str
    house_number: str
    street: str

    @property
    def families(self) -> str:
        """The whole family name."""
        return "".join(self.family)

    @property
    def givens(self) -> str:
        """All given names."""
        return "".join(self.given)

    @property
    def first_family(self) -> str:
        """The first word of a double family name."""
        return self.family[0] if self.family else ""

    @property
    def last_family(self) -> str:
        """The last word of a double family name."""
        return self.family[-1] if self.family else ""

    @property
    def first_given(self) -> str:
        """The first given name."""
        return self.given[0] if self.given else ""


def person_parts(row: Mapping[str, str]) -> PersonParts:
    """The parts of a row.

    Raises:
        Unusable: naming the first column that holds something that cannot be read.
    """
    family = without_particles(_words("family_name", row))
    prefix = _words("name_prefix", row)
    given = without_patronymics(_words("given_names", row))
    year, month, day = _date(row)
    return PersonParts(
        family=tuple(map(fold, family)) or tuple(map(fold, prefix)),
        given=tuple(map(fold, given)),
        year=f"{year:04d}" if year else "",
        month=f"{month:02d}" if month else "",
        day=f"{day:02d}" if day else "",
        postcode=_postcode(_cell("postcode", row)),
        house_number=_house_number(_cell("house_number", row)),
        street=_street(_cell("street", row)),
    )


def _cell(column: str, row: Mapping[str, str]) -> str:
    """The tidied cell; `""` when it is empty or absent."""
    cell = row.get(column, "")
    if not cell.strip():
        return ""
    try:
        return tidy(column, cell)
    except Unusable as unusable:
        if unusable.reason == Reason.EMPTY:  # only invisible characters
            return ""
        raise


def _words(column: str, row: Mapping[str, str]) -> tuple[str, ...]:
    text = _cell(column, row)
    if not text:
        return ()
    try:
        words, script = written_words(column, _SHORT_PARTICLE.sub(r"\1 ", text))
    except Unusable as unusable:
        if unusable.reason in {Reason.NAME_UNKNOWN, Reason.NAME_LETTERS}:
            return ()
        raise
    found = []
    for word in words:
        pair = cyrillic(_HARD_SIGN.sub("А", word), None) if script == "cyrillic" else latin(word)  # noqa: RUF001
        if pair is None:
            raise Unusable(column, Reason.NAME_SCRIPT)
        found.append(pair[0])
    return tuple(word for word in found if word)


def _date(row: Mapping[str, str]) -> tuple[int, int, int]:
    if not _cell("birth_date", row):
        return 0, 0, 0
    try:
        return known_parts(row["birth_date"])
    except Unusable as unusable:
        if unusable.reason == Reason.DATE_PARTIAL:
            return 0, 0, 0
        raise


def _postcode(text: str) -> str:
    found = _POSTCODE.fullmatch(re.sub(r"[\s.\-]", "", text.upper()))
    return found[1] if found and any(letter.isdigit() for letter in found[1]) else ""


def _house_number(text: str) -> str:
    """The number without its addition, which registers write in too many ways."""
    found = _HOUSE_NUMBER.match(text)
    return found[1] if found else ""


def _street(text: str) -> str:
    """The first six letters of the street: behind them stand `straat`, `str.` and typing errors."""
    pair = latin(text.upper())
    if pair is None:
        letters = [latin(letter) for letter in text.upper() if letter.isalpha()]
        pair = ("".join(one[0] for one in letters if one), "")
    return _NO_LETTERS.sub("", pair[0])[:6]
