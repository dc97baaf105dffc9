"""Which lines of a purpose no test holds: every value is changed in turn, and the officer's tests must notice.

A change that the strict reader would refuse counts as noticed. Prose (titles, reasons, necessities) is for people and
is not changed. Works on values that were read, so that a thousand purposes take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from broker.policy.cross_checks import check_purpose, list_out
from broker.policy.document import PURPOSE_FOLDER, PolicySet
from broker.policy.holds import flat, written
from broker.policy.mutants import Mutant, mutants
from broker.policy.policy_test import TestFile, read_tests, run_case
from broker.policy.problems import Problem
from broker.policy.strict_yaml import YamlFile
from broker.policy.terms import terms_of


@dataclass(frozen=True)
class Held:
    """The outcome for one set: how many changes were tried, and a problem for each that no test notices."""

    tried: int
    unheld: tuple[Problem, ...]


def unheld(policies: PolicySet, test_texts: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every change of a line that no test notices, as a problem at that line."""
    return held_by_tests(policies, test_texts).unheld


def held_by_tests(policies: PolicySet, test_texts: Mapping[str, str], only: Iterable[str] | None = None) -> Held:
    """Tries every change of every purpose (or of those in `only`) against the tests of that purpose."""
    files, _ = read_tests(policies, test_texts)
    by_purpose: dict[str, list[tuple[TestFile, YamlFile]]] = {}
    for tests, source in files:
        by_purpose.setdefault(tests.purpose, []).append((tests, source))
    found: list[Problem] = []
    tried = 0
    for name in sorted(policies.purposes if only is None else only):
        mine = by_purpose.get(name, [])
        noticed: set[str] = set()
        missed: dict[str, Mutant] = {}
        for mutant in mutants(policies, name):
            kind = mutant.any_of or mutant.told
            if kind in noticed and mutant.any_of:
                continue
            tried += 1
            if _noticed(policies, name, mutant, mine):
                noticed.add(kind)
            else:
                missed.setdefault(kind, mutant)
        found += [_problem(policies, name, mutant) for kind, mutant in missed.items() if kind not in noticed]
    return Held(tried, tuple(sorted(set(found))))


def _noticed(policies: PolicySet, name: str, mutant: Mutant, files: list[tuple[TestFile, YamlFile]]) -> bool:
    purpose = list_out(policies.catalogue, mutant.purpose)
    for tests, _ in files:
        if any(path == mutant.path and written(purpose, path) != value for path, value in flat(tests.holds)):
            return True
    source = policies.lines[f"{PURPOSE_FOLDER}{name}.yaml"]
    if any(True for _ in check_purpose(policies.catalogue, mutant.purpose, source)):
        return True
    terms = MappingProxyType({**policies.terms, name: terms_of(policies.catalogue, purpose)})
    changed = replace(policies, purposes=MappingProxyType({**policies.purposes, name: purpose}), terms=terms)
    return any(
        not run_case(changed, tests, source, position).passed
        for tests, source in files
        for position in range(len(tests.cases))
    )


def _problem(policies: PolicySet, name: str, mutant: Mutant) -> Problem:
    file, _, line = policies.line_of(name, mutant.path).rpartition(":")
    instance = ", for instance" if mutant.any_of else ""
    text = f"no test notices when {mutant.told}{instance}"
    return Problem(file, int(line), "UNHELD", text, f"{mutant.hint} in tests/{name}_test.yaml")
