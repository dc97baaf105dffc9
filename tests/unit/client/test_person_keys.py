"""Match keys of persons: what meets, on which key, what does not, and that a key without its parts is absent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.cells import Reason, Unusable
from sluis_client.person_keys import NAME_BIRTHDATE, NAME_BIRTHDATE_ADDRESS
from sluis_client.schemes import SCHEMES

LEAN, WIDE = SCHEMES["name-birthdate-2"], SCHEMES["name-birthdate-address"]
PERSON = {
    "family_name": "Kowalska-Nowak",
    "given_names": "Anna Maria",
    "birth_date": "1990-03-04",
    "postcode": "1234 AB",
    "house_number": "12-A",
    "street": "Kerkstraat",
}


def met(other: dict[str, str], scheme: str = "name-birthdate-2", person: dict[str, str] = PERSON) -> list[int]:
    """The numbers of the match keys on which two rows meet."""
    rule = SCHEMES[scheme]
    pairs = zip(rule.normalise(person), rule.normalise(other), strict=True)
    return [number for number, (one, two) in enumerate(pairs, start=1) if one is not None and one == two]


def but(**changes: str) -> dict[str, str]:
    return {**PERSON, **changes}


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"given_names": "Anna"}, [2, 3, 4, 5, 6, 7, 8]),
        ({"family_name": "Kowalska"}, [2, 3, 5, 6, 7]),
        ({"family_name": "Nowak"}, [4, 8]),
        ({"family_name": "Anna", "given_names": "Kowalska"}, [2, 3, 5]),
        ({"family_name": "Kovalska-Novak"}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"birth_date": "1990-04-03"}, [2, 5]),
        ({"birth_date": "1990-03-00"}, [8]),
        ({"birth_date": "1990-03-14"}, [8]),
        ({"family_name": "Kowslaka"}, [5, 6]),
        ({"given_names": "Anita Maria"}, [4, 7]),
        ({"given_names": ""}, [7]),
        ({"family_name": "Wiśniewska"}, []),
        ({"birth_date": "1991-03-04"}, []),
        ({"family_name": "Zając", "given_names": "Ewa"}, []),
    ],
)
def test_where_two_records_of_a_person_meet(change: dict[str, str], keys: list[int]) -> None:
    assert met(but(**change)) == keys


def test_the_address_stands_in_for_what_is_missing() -> None:
    """Keys 1 to 4 and 9 hold no address; the last two hold no name."""
    scheme = "name-birthdate-address"
    assert met(but(), scheme) == list(range(1, 13))
    assert met(but(family_name="Wiśniewska"), scheme) == [5, 11, 12]
    assert met(but(birth_date=""), scheme) == [7, 8, 10]
    assert met(but(family_name="", given_names=""), scheme) == [11, 12]
    assert met(but(postcode="", house_number="", street=""), scheme) == [1, 2, 3, 4, 9]
    assert met(but(postcode="9999ZZ", house_number="1"), scheme) == [1, 2, 3, 4, 9]
    # those who share a house, or a family name and a house, share no key
    assert met(but(family_name="Baran", given_names="Ewa", birth_date="1985-07-01"), scheme) == []
    assert met(but(given_names="Ewa", birth_date="1985-07-01"), scheme) == []
    # twins do when only date and address are looked at: that is why a person must check
    assert met(but(given_names="Ewa"), scheme) == [11, 12]
    assert all(SCHEMES[scheme].needs_check(key) for key in (11, 12))


@pytest.mark.parametrize("scheme", ["bsn-name-birthdate-address", "document-name-birthdate-address"])
def test_the_identifier_goes_first_where_there_is_one(scheme: str) -> None:
    known = {"bsn": "999993653", "document_number": "AB1234567", "document_country": "POL"}
    keys = SCHEMES[scheme].normalise({**PERSON, **known})
    bare = SCHEMES["name-birthdate-address"].normalise(PERSON)
    assert keys == ((("999993653",) if scheme.startswith("bsn") else ("POL", "AB1234567")), *bare)
    assert SCHEMES[scheme].normalise(PERSON) == (None, *bare)
    with pytest.raises(Unusable) as caught:
        SCHEMES[scheme].normalise({**PERSON, "bsn": "999993654", "document_number": "AB1234567"})
    assert caught.value.reason in {Reason.CHECK_DIGIT.value, Reason.EMPTY.value}


@given(
    st.sampled_from([LEAN, WIDE]),
    st.sets(st.sampled_from(["family_name", "given_names", "birth_date", "postcode", "house_number", "street"])),
)
def test_absent_parts_make_absent_keys_and_change_no_other(scheme: object, missing: set[str]) -> None:
    rule = LEAN if scheme is LEAN else WIDE
    whole = rule.normalise(PERSON)
    row = {column: "" if column in missing else cell for column, cell in PERSON.items()}
    named = {"family_name": "family", "given_names": "given", "birth_date": "birth"}
    named |= {"postcode": "postcode", "house_number": "house", "street": "street"}
    there = [not any(named[column] in title for column in missing) for title in rule.key_titles]
    if not any(there):
        with pytest.raises(Unusable, match=Reason.PERSON_TOO_LITTLE.value):
            rule.normalise(row)
        return
    found = rule.normalise(row)
    assert [fields is not None for fields in found] == there
    assert all(fields is None or fields == before for fields, before in zip(found, whole, strict=True))


def test_unknown_names_and_dates_count_as_absent() -> None:
    blank = SCHEMES["name-birthdate-2"].normalise(but(given_names=""))
    assert LEAN.normalise(but(given_names="onbekend")) == LEAN.normalise(but(given_names=" \u200b")) == blank
    assert LEAN.normalise(but(given_names="-")) == blank
    for cell in ("XX-XX-1990", "0000-00-00", ""):  # nothing is left to tell this person by
        with pytest.raises(Unusable, match=Reason.PERSON_TOO_LITTLE.value):
            LEAN.normalise(but(birth_date=cell))


def test_every_key_is_explained_in_docs_and_sure_keys_go_first() -> None:
    for keys in (NAME_BIRTHDATE, NAME_BIRTHDATE_ADDRESS):
        sure = [key.sure for key in keys]
        assert sure == sorted(sure, reverse=True)
        assert len({key.title for key in keys}) == len(keys)
        assert all("birth" in key.title and "date" in key.title for key in keys if key.sure)
