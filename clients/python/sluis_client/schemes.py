"""The identifier schemes: how a row of an agency's export becomes match keys.

This code and what it makes never leave the agency: `sluis_client.pseudonymise` turns the fields into pseudonyms.
A scheme's version changes whenever any input would give other fields; both sides must use the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sluis_client import names, person_keys, person_parts, schemes_address, schemes_document, schemes_numbers
from sluis_client.cells import Fields, Reason, Unusable

__all__ = ["SCHEMES", "Fields", "Reason", "Scheme", "Unusable"]

_Keys = tuple[Fields | None, ...]


@dataclass(frozen=True)
class Scheme:
    """One versioned profile of normalisation.

    `name` is the word that policies, questions and registers use. A later version is another word, so that registers
    of both can stand side by side and never meet: `name-birthdate` is version 1, `name-birthdate-2` version 2.
    `columns` are the input columns that must be there and `optional` those that may; `match_keys` says how many match
    keys a row gives, strictest first, and `sure_keys` how many of them need no person to check a hit; `width` is the
    fixed number of ASCII bytes of the one field, or None.
    `key_titles`: what each key of a scheme of persons is made of.
    """

    name: str
    version: int
    title: str
    columns: tuple[str, ...]
    match_keys: int
    optional: tuple[str, ...] = ()
    width: int | None = None
    key_titles: tuple[str, ...] = ()
    _sure: int | None = field(default=None, repr=False, kw_only=True)
    _rule: Callable[[Mapping[str, str], bool], _Keys] = field(repr=False, kw_only=True)
    _block: Callable[[list[str]], bytes | None] | None = field(default=None, repr=False, kw_only=True)

    @property
    def scheme_id(self) -> str:
        """Name and version, such as `bag/1`: what goes into the derivation of a pseudonym."""
        return f"{self.name.removesuffix(f'-{self.version}')}/{self.version}"

    @property
    def sure_keys(self) -> int:
        """How many match keys, from the strictest, need no person to check a hit."""
        return self.match_keys if self._sure is None else self._sure

    def needs_check(self, match_key: int) -> bool:
        """Whether a person must look at a hit by that match key (from 1) before anything is done with it."""
        return match_key > self.sure_keys

    def normalise(self, row: Mapping[str, str], *, restore_zeros: bool = False) -> _Keys:
        """The fields of every match key of `row`, None where the row has no such key.

        `row` maps canonical column names to cells; an absent column counts as an empty cell. `restore_zeros` puts
        back leading zeros that a spreadsheet dropped, where the scheme allows it: only for a file known to lack them.

        Raises:
            Unusable: naming the first column that cannot be used and why; nothing else is raised for any text.
        """
        return self._rule(row, restore_zeros)

    def canonical_block(self, column: list[str]) -> bytes | None:
        """All cells of a one-column scheme of fixed width, joined as ASCII; None unless every cell is canonical.

        What it returns is byte for byte what joining the normalised fields gives, found with array arithmetic.
        """
        return None if self._block is None else self._block(column)


def _number(shape: schemes_numbers.NumberShape, title: str) -> Scheme:
    column = shape.column

    def rule(row: Mapping[str, str], restore_zeros: bool) -> _Keys:
        return ((shape.number(row.get(column, ""), restore_zeros),),)

    return Scheme(column, 1, title, (column,), 1, width=shape.width, _rule=rule, _block=shape.block)


def _persons(
    name: str,
    version: int,
    title: str,
    keys: tuple[person_keys.MatchKey, ...],
    *,
    address: bool = False,
    first: tuple[str, ...] = (),
    identifier: Callable[[Mapping[str, str], bool], Fields] | None = None,
) -> Scheme:
    """A scheme of match keys of persons; `identifier` makes the key that goes before them, of the columns `first`."""

    def rule(row: Mapping[str, str], restore_zeros: bool) -> _Keys:
        found = person_keys.keys_of(keys, row)
        if identifier is not None:
            known = any(row.get(column, "").strip() for column in first)
            found = (identifier(row, restore_zeros) if known else None, *found)
        return person_keys.some_key(found)

    ahead = ("identifier: " + " and ".join(first).replace("_", " "),) if first else ()
    return Scheme(
        name,
        version,
        title,
        (*first, *person_parts.NAME_COLUMNS),
        len(ahead) + len(keys),
        optional=(*person_parts.NAME_OPTIONAL, *(person_parts.ADDRESS_OPTIONAL if address else ())),
        key_titles=(*ahead, *(key.title for key in keys)),
        _sure=len(ahead) + sum(key.sure for key in keys),
        _rule=rule,
    )


def _bsn(row: Mapping[str, str], restore_zeros: bool) -> Fields:
    return (schemes_numbers.BSN.number(row.get("bsn", ""), restore_zeros),)


def _document(row: Mapping[str, str], _: bool) -> Fields:
    (fields,) = schemes_document.normalise(row)
    assert fields is not None
    return fields


def _loonheffing(row: Mapping[str, str], _: bool) -> _Keys:
    return ((schemes_numbers.loonheffing(row.get("loonheffing", "")),),)


_ALL = (
    _number(schemes_numbers.BSN, "citizen service number (burgerservicenummer)"),
    _number(schemes_numbers.RSIN, "legal persons' number (RSIN)"),
    _number(schemes_numbers.KVK, "Chamber of Commerce number (KvK-nummer)"),
    _number(schemes_numbers.VESTIGING, "establishment number (vestigingsnummer)"),
    Scheme(
        "loonheffing", 1, "payroll tax number (loonheffingennummer)", ("loonheffing",), 1, width=12, _rule=_loonheffing
    ),
    _number(schemes_numbers.BAG, "identification of an addressable object or building in the BAG"),
    Scheme(
        "postcode-number",
        1,
        "postcode, house number and addition",
        schemes_address.COLUMNS,
        1,
        optional=schemes_address.OPTIONAL,
        _rule=lambda row, _: schemes_address.normalise(row),
    ),
    Scheme(
        "wid-document",
        1,
        "identity document: issuing state and number",
        schemes_document.COLUMNS,
        1,
        optional=schemes_document.OPTIONAL,
        _rule=lambda row, _: schemes_document.normalise(row),
    ),
    Scheme(
        "name-birthdate",
        1,
        "family name, given names and date of birth",
        names.COLUMNS,
        names.MATCH_KEYS,
        optional=names.OPTIONAL,
        _rule=lambda row, _: names.normalise(row),
    ),
    _persons("name-birthdate-2", 2, "name and date of birth, eight ways", person_keys.NAME_BIRTHDATE),
    _persons(
        "name-birthdate-address",
        1,
        "name, date of birth and address, twelve ways",
        person_keys.NAME_BIRTHDATE_ADDRESS,
        address=True,
    ),
    _persons(
        "bsn-name-birthdate-address",
        1,
        "citizen service number where there is one, else name, date of birth and address",
        person_keys.NAME_BIRTHDATE_ADDRESS,
        address=True,
        first=("bsn",),
        identifier=_bsn,
    ),
    _persons(
        "document-name-birthdate-address",
        1,
        "identity document where there is one, else name, date of birth and address",
        person_keys.NAME_BIRTHDATE_ADDRESS,
        address=True,
        first=schemes_document.COLUMNS,
        identifier=_document,
    ),
)

SCHEMES: Mapping[str, Scheme] = MappingProxyType({scheme.name: scheme for scheme in _ALL})
"""Every scheme by its name."""
