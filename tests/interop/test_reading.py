"""The specification read in another language: a Go program recomputes every published vector, and notices a wrong one.

Skipped, with the reason printed, where Go or its modules are not at hand.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from go_programs import built

pytestmark = pytest.mark.slow

MODULE = Path(__file__).parent / "reading"
VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program in `reading/`, built."""
    return built(MODULE, tmp_path_factory.mktemp("go") / "reading")


def read(program: Path, vectors: Path) -> tuple[int, str]:
    done = subprocess.run([str(program), str(vectors)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout


def test_every_vector_is_what_the_pages_say(reading: Path) -> None:
    code, said = read(reading, VECTORS)
    assert code == 0, said
    found = re.fullmatch(r"([0-9]+) values compared, 0 differ\n", said)
    assert found is not None, said
    assert int(found[1]) >= 3_784


def _flipped(value: str) -> str:
    return value[:-1] + ("0" if value[-1] != "0" else "1")


def _bent(of: Callable[[Any], Any], key: str | int) -> Callable[[Any], None]:
    def bend(file: Any) -> None:
        holder = of(file)
        holder[key] = _flipped(holder[key])

    return bend


BENT: dict[str, Callable[[Any], None]] = {
    "pseudonym/keys.json": _bent(lambda file: file["cases"][0], "key_id"),
    "pseudonym/pseudonyms.json": _bent(lambda file: file["cases"][3], "pseudonym"),
    "pseudonym/bad_pseudonyms.json": _bent(lambda file: file["cases"][2]["sides"][1], "y"),
    "pseudonym/sessions.json": _bent(lambda file: file["cases"][4], "session"),
    "pseudonym/seals.json": _bent(lambda file: file["cases"][1], "commitment"),
    "pseudonym/bad_seals.json": _bent(lambda file: file["cases"][0], "names"),
    "pseudonym/envelopes.json": _bent(lambda file: file, "key"),
    "pseudonym/canonical.json": _bent(lambda file: file["encode"][2], "bytes"),
    "pseudonym/register_digest.json": _bent(lambda file: file, "digest"),
    "pseudonym/oblivious.json": _bent(lambda file: file["cases"][1], "y"),
    "pseudonym/bad_oblivious.json": _bent(lambda file: file["cases"][1]["sides"][0], "pseudonym"),
    "pseudonym/evaluations.json": _bent(lambda file: file["cases"][0]["outputs"], 2),
    "pseudonym/bad_evaluations.json": _bent(lambda file: file["cases"][0], "code"),
    "persons/keys.json": _bent(lambda file: file["cases"][0]["schemes"]["name-birthdate-2"]["keys"][0], 2),
    "schemes/rows.json": _bent(lambda file: file["cases"][0]["keys"][0], 0),
}


@pytest.mark.parametrize("name", BENT)
def test_one_changed_digit_is_noticed(reading: Path, tmp_path: Path, name: str) -> None:
    for folder in ("pseudonym", "persons", "schemes"):
        shutil.copytree(VECTORS / folder, tmp_path / folder)
    file = json.loads((tmp_path / name).read_text("utf-8"))
    BENT[name](file)
    (tmp_path / name).write_text(json.dumps(file), "utf-8")
    code, said = read(reading, tmp_path)
    assert code == 1, said
    assert said.count(f"{name}: ") == 1
    assert said.endswith(", 1 differ\n")


@pytest.mark.parametrize("key", ["column", "reason"])
@pytest.mark.parametrize("name", ["persons/keys.json", "schemes/rows.json"])
def test_another_refusal_is_noticed(reading: Path, tmp_path: Path, name: str, key: str) -> None:
    for folder in ("pseudonym", "persons", "schemes"):
        shutil.copytree(VECTORS / folder, tmp_path / folder)
    file = json.loads((tmp_path / name).read_text("utf-8"))
    outcomes = [outcome for case in file["cases"] for outcome in case.get("schemes", {"": case}).values()]
    refusal = next(outcome["refused"] for outcome in outcomes if "refused" in outcome)
    refusal[key] = "another"
    (tmp_path / name).write_text(json.dumps(file), "utf-8")
    code, said = read(reading, tmp_path)
    assert code == 1, said
    assert said.count(f"{name}: ") == 1
    assert said.endswith(", 1 differ\n")
