"""Which lines of a purpose no test holds: every value is changed in turn, and the officer's tests must notice.

A change that the strict reader would refuse counts as noticed. Prose (titles, reasons, necessities) is for people and
is not changed. Works on values that were read, so that a thousand purposes take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from broker.policy.cross_checks import check_purpose, list_out
from broker.policy.document import PURPOSE_FOLDER, PolicySet
from broker.policy.holds import Written, agrees, flat
from broker.policy.mutants import Mutant, mutants
from broker.policy.policy_test import TestFile, read_tests, run_case
from broker.policy.problems import Problem
from broker.policy.purpose import Purpose
from broker.policy.strict_yaml import YamlFile
from broker.policy.terms import terms_of


@dataclass(frozen=True)
class Held:
    """The outcome for one set: how many changes were tried, and a problem for each that no test notices."""

    tried: int
    unheld: tuple[Problem, ...]


@dataclass
class _Net:
    """What can notice a change of one purpose: the held lines and the cases on it, from whichever file.

    Only those that hold as the purpose stands: a case that fails anyway says nothing of a change.
    """

    holds: list[tuple[str, Written]] = field(default_factory=list)
    cases: list[tuple[TestFile, YamlFile, int]] = field(default_factory=list)


def unheld(policies: PolicySet, test_texts: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every change of a line that no test notices, as a problem at that line. Cases that fail anyway do not count."""
    return held_by_tests(policies, test_texts).unheld


def held_by_tests(policies: PolicySet, test_texts: Mapping[str, str], only: Iterable[str] | None = None) -> Held:
    """Tries every change of every purpose (or of those in `only`) against the tests of that purpose."""
    nets = _nets(policies, test_texts)
    found: list[Problem] = []
    tried = 0
    for name in sorted(policies.purposes if only is None else only):
        noticed: set[str] = set()
        missed: dict[str, Mutant] = {}
        for mutant in mutants(policies, name):
            kind = mutant.any_of or mutant.told
            if kind in noticed and mutant.any_of:
                continue
            tried += 1
            if _noticed(policies, name, mutant, nets[name]):
                noticed.add(kind)
            else:
                missed.setdefault(kind, mutant)
        found += [_problem(policies, name, mutant) for kind, mutant in missed.items() if kind not in noticed]
    return Held(tried, tuple(sorted(set(found))))


def _nets(policies: PolicySet, test_texts: Mapping[str, str]) -> dict[str, _Net]:
    nets = {name: _Net() for name in policies.purposes}
    for tests, source in read_tests(policies, test_texts)[0]:
        own = policies.purposes[tests.purpose]
        nets[tests.purpose].holds += [
            (path, held) for path, held in flat(tests.holds) if agrees(policies.catalogue, own, path, held)
        ]
        for position in range(len(tests.cases)):
            result = run_case(policies, tests, source, position)
            if result.passed and result.purpose in nets:
                nets[result.purpose].cases.append((tests, source, position))
    return nets


def _noticed(policies: PolicySet, name: str, mutant: Mutant, net: _Net) -> bool:
    purpose = list_out(policies.catalogue, mutant.purpose)
    if any(_lost(policies, purpose, net)):
        return True
    source = policies.lines[f"{PURPOSE_FOLDER}{name}.yaml"]
    if check_purpose(policies.catalogue, mutant.purpose, source):
        return True
    # cases look at nothing but the purpose they name, and the catalogue
    changed = replace(policies, purposes={name: purpose}, terms={name: terms_of(policies.catalogue, purpose)})
    return any(not run_case(changed, tests, source, position).passed for tests, source, position in net.cases)


def _lost(policies: PolicySet, purpose: Purpose, net: _Net) -> Iterator[bool]:
    """For every held line, whether it reads otherwise now."""
    for path, held in net.holds:
        try:
            yield not agrees(policies.catalogue, purpose, path, held)
        except KeyError:
            yield True


def _problem(policies: PolicySet, name: str, mutant: Mutant) -> Problem:
    file, _, line = policies.line_of(name, mutant.path).rpartition(":")
    instance = ", for instance" if mutant.any_of else ""
    text = f"no test notices when {mutant.told}{instance}"
    return Problem(file, int(line), "UNHELD", text, f"{mutant.hint} in tests/{name}_test.yaml")
