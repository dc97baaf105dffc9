"""The sample policies as texts, and ways to bend them. Imported by the tests in this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.exchange import Want
from broker.policy.document import PolicySet, read_policies
from broker.policy.evaluate import Facts, RegisterFacts, Request
from broker.policy.problems import Problem

ROOT = Path(__file__).parents[3] / "policies"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def texts() -> dict[str, str]:
    files = [ROOT / "catalogue.yaml", *sorted((ROOT / "purposes").glob("*.yaml"))]
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


def officer_tests() -> dict[str, str]:
    return {f"tests/{file.name}": file.read_text(encoding="utf-8") for file in sorted((ROOT / "tests").glob("*.yaml"))}


def load(source: dict[str, str] | None = None, **options: Any) -> PolicySet:
    policies, problems = read_policies(source or texts(), **options)
    assert policies is not None, [str(problem) for problem in problems]
    return policies


def bent(file: str, old: str, new: str) -> dict[str, str]:
    """The texts with one passage of one file replaced; the passage must be there."""
    source = texts()
    assert old in source[file], f"{old!r} no longer stands in {file}"
    return source | {file: source[file].replace(old, new, 1)}


def problems_of(source: dict[str, str]) -> tuple[Problem, ...]:
    policies, problems = read_policies(source)
    assert (policies is None) == bool(problems)
    return problems


def request(**changes: Any) -> Request:
    """A question that snf-locatie permits, with changes."""
    values: dict[str, Any] = {
        "asker": "utrecht",
        "principal": None,
        "answerer": "snf",
        "purpose": "snf-locatie",
        "epoch": "2026Q4",
        "scheme": "bag",
        "match_keys": 1,
        "want": Want(True, False, ("beds",)),
        "subjects": 10,
    }
    return Request(**(values | changes))


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "now": NOW,
        "requests_today": 0,
        "counts_this_epoch": 0,
        "case_number": "absent",
        "cooperation_ref": False,
        "register": RegisterFacts({}),
        "count_distance": None,
    }
    return Facts(**(values | changes))
