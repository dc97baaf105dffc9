"""Splink on two tables, in an environment of its own: reads `{"a": rows, "b": rows}` on stdin, writes pairs of ids.

Splink sees the plaintext and the similarity of every value, which a broker never may: it is the ceiling, not a
rival. Names, date of birth, postcode, house number and street are compared; the model is trained on the two tables
without their ids (random sampling for u, expectation maximisation for m). A pair counts when its probability is
above 0.5 and neither record has a likelier partner.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

COLUMNS = ("family_name", "given_names", "birth_date", "postcode", "house_number", "street")


def frame(rows: list[dict[str, str]]) -> Any:
    """The columns compared, in small letters, null where empty."""
    held = [
        {"unique_id": row["id"], **{name: row.get(name, "").strip().lower() or None for name in COLUMNS}}
        for row in rows
    ]
    return pd.DataFrame(held)


def pairs(a: Any, b: Any) -> list[tuple[str, str]]:
    """Links above 0.5, each side's best."""
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            cl.NameComparison("family_name"),
            cl.NameComparison("given_names"),
            cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("house_number", [1]),
            cl.JaroWinklerAtThresholds("street", [0.9, 0.8]),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("family_name", "given_names"),
            block_on("birth_date"),
            block_on("postcode", "house_number"),
            block_on("street", "house_number"),
            block_on("postcode", "substr(family_name, 1, 2)"),
        ],
    )
    store = DuckDBAPI()
    linker = Linker([store.register(a), store.register(b)], settings)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("family_name", "given_names", "birth_date")], recall=0.5
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("family_name", "given_names"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_date"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("postcode", "house_number"))
    found = linker.inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()
    found = found.sort_values("match_probability", ascending=False)
    taken_a: set[str] = set()
    taken_b: set[str] = set()
    kept = []
    for one, other in zip(found["unique_id_l"], found["unique_id_r"], strict=True):
        if one not in taken_a and other not in taken_b:
            kept.append((one, other))
            taken_a.add(one)
            taken_b.add(other)
    return kept


if __name__ == "__main__":
    given = json.load(sys.stdin)
    json.dump(pairs(frame(given["a"]), frame(given["b"])), sys.stdout)
