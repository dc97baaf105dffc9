"""The vectors for schemes of persons, which clients in other languages follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sluis_client.cells import Unusable
from sluis_client.schemes import SCHEMES

FILE = Path(__file__).parents[2] / "vectors" / "persons" / "keys.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in VECTORS["cases"]}


@pytest.mark.parametrize("name", sorted(CASES))
def test_rows_give_these_keys(name: str) -> None:
    case = CASES[name]
    for scheme, expected in case["schemes"].items():
        if "keys" in expected:
            found = SCHEMES[scheme].normalise(case["row"])
            assert [None if fields is None else list(fields) for fields in found] == expected["keys"]
            continue
        with pytest.raises(Unusable) as caught:
            SCHEMES[scheme].normalise(case["row"])
        assert {"column": caught.value.column, "reason": caught.value.reason} == expected["refused"]


def test_the_vectors_are_of_every_scheme_of_persons() -> None:
    persons = {name for name, scheme in SCHEMES.items() if scheme.key_titles}
    assert set(VECTORS["scheme_ids"]) == persons
    assert {name: SCHEMES[name].scheme_id for name in persons} == VECTORS["scheme_ids"]
    assert {name: SCHEMES[name].sure_keys for name in persons} == VECTORS["sure_keys"]
    assert all(set(case["schemes"]) == persons for case in CASES.values())
    assert sum("refused" in outcome for case in CASES.values() for outcome in case["schemes"].values()) > 20


def test_lawful_spellings_meet_on_the_strictest_key() -> None:
    def exact(name: str) -> list[str]:
        keys: list[str] = CASES[name]["schemes"]["name-birthdate-2"]["keys"][0]
        return keys

    assert exact("Bulgarian, as written") == exact("Bulgarian, by the national law") == exact("Bulgarian, by ICAO 9303")
    assert exact("Ukrainian with a patronymic, as written") == exact("Ukrainian by resolution 55")
    assert exact("Romanian comma below") == exact("Romanian cedilla")
    assert exact("umlaut") == exact("umlaut, expanded")
    assert exact("particles in the name") == exact("particles in a column of their own")
