"""Which column of an export is which: the header's names against ours, in Dutch and English.

No error made here holds a header's text: in a file without a header line that text is a subject's data.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from sluis_client.errors import ClientError, Exit

_NAMES: Mapping[str, str] = {
    "bsn": "bsn, bsn-nummer, burgerservicenummer, sofinummer, citizen service number",
    "rsin": "rsin, rsin-nummer, fiscaal nummer, rsin/fiscaal nummer",
    "kvk": "kvk, kvk-nummer, kvknr, kvk nr, nummer kvk, nummer kamer van koophandel, kvk dossiernummer, dossiernummer, "
    "coc number, chamber of commerce number",
    "vestiging": "vestiging, vestigingsnummer, vestigingsnr, kvk-vestigingsnummer, kvk vestiging, establishment number",
    "loonheffing": "loonheffing, loonheffingennummer, loonheffingsnummer, loonheffingnummer, lh-nummer, lhnr, lhnummer",
    "bag": "bag, bag-id, bag id, bagnummer, bag-identificatie, identificatie, adresseerbaar object, "
    "adresseerbaar object id, adresseerbaarobjectidentificatie, verblijfsobject, verblijfsobject-id, "
    "verblijfsobjectidentificatie, nummeraanduiding, nummeraanduiding-id, pand-id",
    "postcode": "postcode, pc, pc6, postal code, zip",
    "street": "street, straat, straatnaam, openbare ruimte, naam openbare ruimte, street name",
    "house_number": "house number, huisnummer, huisnr, nummer, huisnummer en toevoeging, huisnummer + toevoeging",
    "house_letter": "house letter, huisletter, letter",
    "house_number_addition": "house number addition, addition, toevoeging, huisnummertoevoeging, huisnr toevoeging, "
    "toev, huisnr toev",
    "document_country": "document country, issuing country, issuing state, land van afgifte, land document, "
    "documentland, afgevende staat, land",
    "document_number": "document number, documentnummer, documentnr, paspoortnummer, nummer identiteitsbewijs, "
    "nummer reisdocument, idnummer, wid-nummer",
    "document_type": "document type, documentsoort, soort document, type document, soort identiteitsbewijs",
    "family_name": "family name, last name, surname, achternaam, geslachtsnaam, familienaam",
    "given_names": "given names, first names, given name, first name, voornamen, voornaam",
    "name_prefix": "name prefix, voorvoegsel, voorvoegsels, tussenvoegsel, tussenvoegsels",
    "birth_date": "birth date, date of birth, dob, geboortedatum, geb datum, gebdat",
    "country": "country, nationality, nationaliteit, country of nationality",
}


def fold(name: str) -> str:
    """A header name without case, spaces, punctuation and invisible characters."""
    return "".join(letter for letter in unicodedata.normalize("NFKC", name).casefold() if letter.isalnum())


_FOLDED = {column: tuple(fold(name) for name in names.split(",")) for column, names in _NAMES.items()}


def check_header(header: Sequence[str]) -> None:
    """Refuse a header in which two columns have the same name.

    Raises:
        ClientError: HEADER_DUPLICATE, naming the columns by their places.
    """
    seen: dict[str, int] = {}
    for place, name in enumerate(header, start=1):
        key = fold(name) or name.strip()
        if key and key in seen:
            raise ClientError(
                "HEADER_DUPLICATE",
                f"columns {seen[key]} and {place} have the same name: rename or remove one of them",
                Exit.USAGE,
            )
        seen[key] = place


def find_column(header: Sequence[str], column: str) -> int | None:
    """The place of `column` in `header` by its own name first, then by the names it is known under.

    Raises:
        ClientError: COLUMN_AMBIGUOUS when several columns fit and none has the plain name.
    """
    folded = [fold(name) for name in header]
    own = fold(column)
    if own in folded:
        return folded.index(own)
    places = [place for place, name in enumerate(folded) if name in _FOLDED.get(column, ())]
    if len(places) > 1:
        raise ClientError(
            "COLUMN_AMBIGUOUS",
            f"columns {' and '.join(str(place + 1) for place in places)} could both be '{column}': "
            f"choose with --column {column}=<header>",
            Exit.USAGE,
        )
    return places[0] if places else None


def named_column(header: Sequence[str], column: str, name: str) -> int:
    """The place of the column that the caller calls `name`, to be used as `column`.

    Raises:
        ClientError: COLUMN_MISSING.
    """
    names = [title.strip() for title in header]
    if name.strip() in names:
        return names.index(name.strip())
    folded = [fold(title) for title in header]
    if fold(name) and fold(name) in folded:
        return folded.index(fold(name))
    raise ClientError(
        "COLUMN_MISSING", f"the file has no column '{name}' to use as '{column}': check the header line", Exit.USAGE
    )


def locate(
    header: Sequence[str], required: Sequence[str], optional: Sequence[str], chosen: Mapping[str, str]
) -> dict[str, int]:
    """Where each column stands; optional ones only when they are there.

    Raises:
        ClientError: COLUMN_UNKNOWN when `chosen` names a column the scheme does not have, COLUMN_MISSING or
            COLUMN_AMBIGUOUS.
    """
    for column in chosen:
        if column not in (*required, *optional):
            raise ClientError(
                "COLUMN_UNKNOWN",
                f"this identifier has no column '{column}': it has {', '.join((*required, *optional))}",
                Exit.USAGE,
            )
    places: dict[str, int] = {}
    for column in (*required, *optional):
        place = named_column(header, column, chosen[column]) if column in chosen else find_column(header, column)
        if place is not None:
            places[column] = place
        elif column in required:
            raise ClientError(
                "COLUMN_MISSING",
                f"none of the {len(header)} columns is '{column}' (known as: {_NAMES.get(column, column)}): "
                f"is there a header line? choose one with --column {column}=<header>",
                Exit.USAGE,
            )
    return places
