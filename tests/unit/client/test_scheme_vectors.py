"""The vectors for schemes that are not of persons, which clients in other languages follow."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sluis_client.cells import Unusable
from sluis_client.schemes import SCHEMES

FILE = Path(__file__).parents[2] / "vectors" / "schemes" / "rows.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
NAMES = sorted(name for name, scheme in SCHEMES.items() if not scheme.key_titles)


@pytest.mark.parametrize("name", NAMES)
def test_rows_give_these_keys(name: str) -> None:
    for case in (case for case in VECTORS["cases"] if case["scheme"] == name):
        restore_zeros = case["restore_zeros"]
        if "keys" in case:
            found = SCHEMES[name].normalise(case["row"], restore_zeros=restore_zeros)
            assert [None if fields is None else list(fields) for fields in found] == case["keys"]
            continue
        with pytest.raises(Unusable) as caught:
            SCHEMES[name].normalise(case["row"], restore_zeros=restore_zeros)
        assert {"column": caught.value.column, "reason": caught.value.reason} == case["refused"]


def test_the_vectors_are_of_every_other_scheme() -> None:
    assert {name: SCHEMES[name].scheme_id for name in NAMES} == VECTORS["scheme_ids"]
    good = Counter(case["scheme"] for case in VECTORS["cases"] if "keys" in case)
    refused = Counter(case["scheme"] for case in VECTORS["cases"] if "refused" in case)
    assert min(good[name] for name in NAMES) >= 3
    assert min(refused[name] for name in NAMES) >= 3
