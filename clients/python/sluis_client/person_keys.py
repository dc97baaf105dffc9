"""Match keys of persons, each explained in docs/linkage.md: what must agree, from strict to loose.

Every key follows two rules that were fixed before anything was measured. What it asks to agree must tell people
apart in a large register: a family name counts for about 10 bits, a given name 6, an initial 3 or 4, three letters
5 to 7, a date of birth 14, year and month 9, a postcode 13; every key has 24 or more, a key that needs no person to
check 27 or more with a full date. And it must not rest on the address alone, since people share one: name and date
together hold 13 bits or more. Which of the many keys that obey were taken was chosen by measurement on one half of
the test sets (tests/bench/linkage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sluis_client.cells import Fields, Reason, Unusable
from sluis_client.name_folding import skeleton
from sluis_client.person_parts import PersonParts, person_parts

Parts = tuple[str, ...]


@dataclass(frozen=True)
class MatchKey:
    """One way in which two records may agree. `sure`: a hit by it needs no person to check, as far as the key goes."""

    title: str
    sure: bool
    _take: Callable[[PersonParts], Parts]

    def fields(self, parts: PersonParts) -> Fields | None:
        """Its fields; None when the row lacks one of them."""
        taken = self._take(parts)
        return taken if all(taken) else None


def _birth(parts: PersonParts) -> str:
    return parts.year + parts.month + parts.day if parts.day else ""


def _either_order(parts: PersonParts) -> Parts:
    """Day and month in ascending order, so that swapped ones agree."""
    return (parts.year, *sorted((parts.month, parts.day))) if parts.day else ("",)


def _month(parts: PersonParts) -> str:
    return parts.year + parts.month if parts.month else ""


def _pair(one: str, other: str) -> Parts:
    """Two names in alphabetical order, so that swapped ones agree."""
    return tuple(sorted((one, other)))


_EXACT = MatchKey("family name, all given names, date of birth", True, lambda p: (p.families, p.givens, _birth(p)))
_SWAPPED = MatchKey(
    "first family name and first given name in either order, date of birth with day and month in either order",
    True,
    lambda p: (*_pair(p.first_family, p.first_given), *_either_order(p)),
)
_SOUND = MatchKey(
    "consonants of first family name and first given name in either order, date of birth",
    True,
    lambda p: (*_pair(skeleton(p.first_family), skeleton(p.first_given)), _birth(p)),
)
_LAST_FAMILY = MatchKey(
    "last family name, first letter of the given name, date of birth",
    True,
    lambda p: (p.last_family, p.first_given[:1], _birth(p)),
)
_MOVED_NAME = MatchKey(
    "first given name, date of birth, postcode", True, lambda p: (p.first_given, _birth(p), p.postcode)
)
_BEGINNINGS_EITHER = MatchKey(
    "three letters of family name and given name in either order, date of birth with day and month in either order",
    False,
    lambda p: (*_pair(p.first_family[:3], p.first_given[:3]), *_either_order(p)),
)
_GIVEN = MatchKey(
    "first given name, first letter of the family name, date of birth",
    False,
    lambda p: (p.first_given, p.first_family[:1], _birth(p)),
)
_FAMILY = MatchKey("first family name, date of birth", False, lambda p: (p.first_family, _birth(p)))
_NO_DAY = MatchKey(
    "last family name and first given name in either order, year and month of birth",
    False,
    lambda p: (*_pair(p.last_family, p.first_given), _month(p)),
)
_BEGINNINGS_HOUSE = MatchKey(
    "three letters of family name and given name, year of birth, house number, street",
    False,
    lambda p: (p.first_family[:3], p.first_given[:3], p.year, p.house_number, p.street),
)
_NAMES_HOUSE = MatchKey(
    "first family name and first given name in either order, house number, street",
    False,
    lambda p: (*_pair(p.first_family, p.first_given), p.house_number, p.street),
)
_SOUND_POSTCODE = MatchKey(
    "consonants of first family name and first given name, postcode",
    False,
    lambda p: (skeleton(p.first_family), skeleton(p.first_given), p.postcode),
)
_BEGINNINGS = MatchKey(
    "three letters of family name and given name, date of birth",
    False,
    lambda p: (p.first_family[:3], p.first_given[:3], _birth(p)),
)
_GIVEN_HOUSE = MatchKey(
    "first given name, three letters of the family name, house number, street",
    False,
    lambda p: (p.first_given, p.first_family[:3], p.house_number, p.street),
)
_BIRTH_POSTCODE = MatchKey("date of birth, postcode", False, lambda p: (_birth(p), p.postcode))
_BIRTH_HOUSE = MatchKey("date of birth, house number, street", False, lambda p: (_birth(p), p.house_number, p.street))

NAME_BIRTHDATE = (_EXACT, _SWAPPED, _SOUND, _LAST_FAMILY, _BEGINNINGS_EITHER, _GIVEN, _FAMILY, _NO_DAY)
"""Name and date of birth, strictest first: four sure keys, four that a person must check."""

NAME_BIRTHDATE_ADDRESS = (
    _EXACT,
    _SWAPPED,
    _SOUND,
    _LAST_FAMILY,
    _MOVED_NAME,
    _BEGINNINGS_HOUSE,
    _NAMES_HOUSE,
    _SOUND_POSTCODE,
    _BEGINNINGS,
    _GIVEN_HOUSE,
    _BIRTH_POSTCODE,
    _BIRTH_HOUSE,
)
"""With address: five sure keys, seven that a person must check; the last two hold no name."""


def keys_of(keys: tuple[MatchKey, ...], row: Mapping[str, str]) -> tuple[Fields | None, ...]:
    """The fields of each of `keys` in a row; all None when the row tells too little of the person.

    Raises:
        Unusable: as `person_parts`.
    """
    parts = person_parts(row)
    return tuple(key.fields(parts) for key in keys)


def some_key(fields: tuple[Fields | None, ...]) -> tuple[Fields | None, ...]:
    """`fields`, unless none of them is there. Raises Unusable: PERSON_TOO_LITTLE."""
    if not any(fields):
        raise Unusable("family_name", Reason.PERSON_TOO_LITTLE)
    return fields
