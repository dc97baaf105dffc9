"""Canaries at the command line: set from a file, told who asked for one, cleared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from both_verifiers import verified_by_both
from sluis_client.errors import ClientError
from test_agency import BAGS, PURPOSE, agency, put_in_force, share_key, world_of
from test_agency_rectifying import Desk
from world import World

pytestmark = pytest.mark.slow
NOBODY = [f"034401{9_000_000 + number:010d}" for number in range(5)]
PLACE = ("--purpose", PURPOSE, "--scheme", "bag")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, "snf", "utrecht") as made:
        share_key(made)
        agency(made, "utrecht").purpose(PURPOSE)
        put_in_force(made)
        yield made


def test_canaries_from_a_file_to_who_asked(world: World) -> None:
    snf, utrecht = Desk(world, "snf"), Desk(world, "utrecht")
    utrecht.run("keys", "fetch", "--purpose", PURPOSE)
    assert "nobody asked for a canary of yours" in snf.run("canaries", "list")
    with pytest.raises(ClientError, match="1 of 6 rows cannot be used"):
        snf.run("canaries", "set", snf.file("bad.csv", [*NOBODY, "not a number"]), *PLACE)
    assert snf.json("canaries", "set", snf.file("nobody.csv", NOBODY), *PLACE)["canaries"] == 5
    rows = utrecht.match([BAGS[99], NOBODY[2], NOBODY[3]])
    assert [row["status"] for row in rows] == ["hit", "no hit", "no hit"]
    (seen,) = snf.json("canaries", "list")["sightings"]
    assert (seen["asked_by"], seen["rows"], seen["purpose"]) == ("utrecht", 2, PURPOSE)
    assert "utrecht" in snf.run("canaries", "list")
    assert utrecht.json("canaries", "list")["sightings"] == []
    assert snf.json("canaries", "clear", *PLACE)["canaries"] == 0
    utrecht.match([NOBODY[2]], "more.csv")
    assert len(snf.json("canaries", "list")["sightings"]) == 1
    snf.run("reconcile")
    verified_by_both(world)
