"""The guards against probing that a purpose sets: checks on how a question stands to the asker's earlier ones.

They are evaluated behind the other checks, and only those that the purpose has. A guard with `then: refuse` is not met
beyond its bound. One with `then: report` is met all the same, and the permit then carries the duty to explain the use
in the log; `sluis audit unusual` lists it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from broker.policy.checks import Case, Checks
from broker.policy.decision import CheckResult, ProbingFacts
from broker.policy.document import PolicySet
from broker.policy.purpose import AtLeast, AtMost, Probing

EXPLAIN: Final = "explain-"
"""How the duty to explain begins, before the id of the guard."""
_MISSING = "what was asked before is not among the facts"
Guard = AtMost | AtLeast
_GUARDS: tuple[tuple[str, str, str, Callable[[ProbingFacts], int | None]], ...] = (
    ("same-question", "same_question", "earlier questions about the same subjects", lambda found: found.same),
    ("nested-question", "nested_question", "earlier questions inside or around this one", lambda found: found.nested),
    ("asked-again", "asked_again", "earlier questions about one of these subjects", lambda found: found.again),
    ("subjects-per-hour", "subjects_per_hour", "subjects asked about within an hour", lambda found: found.hour),
    ("subjects-per-epoch", "subjects_per_epoch", "subjects asked about in this epoch", lambda found: found.epoch),
    ("hits-per-hundred", "hits_per_hundred", "hits of the last hundred subjects or so", lambda found: found.hits),
)
"""Id, key of the policy, what is counted, and where the facts say how many; in the order of evaluation."""
GUARD_IDS = tuple(name for name, *_ in _GUARDS)


@lru_cache(maxsize=256)
def guards_of(probing: Probing | None) -> Checks:
    """The checks of the guards that a purpose has, under their ids."""
    found = []
    for name, key, counted, count in _GUARDS:
        guard: Guard | None = getattr(probing, key, None)
        if guard is not None:
            found.append((name, _check(name, f"probing.{key}", counted, count, guard)))
    return tuple(found)


def is_guarded(policies: PolicySet, purpose: str) -> bool:
    """Whether the purpose, or one in its shadow, has guards against probing."""
    names = (purpose, *policies.shadows.get(purpose, ()))
    known = (policies.purposes.get(name) for name in names)
    return any(one is not None and one.probing is not None for one in known)


def reported(probing: Probing | None, facts: ProbingFacts | None) -> tuple[str, ...]:
    """The duties to explain that come with a permit under these facts."""
    if probing is None or facts is None:
        return ()
    duties = []
    for name, key, counted, count in _GUARDS:
        guard: Guard | None = getattr(probing, key)
        if guard is not None and guard.then == "report" and not guard.holds(count(facts)):
            duties.append(f"{EXPLAIN}{name}: say in the log why, with `sluis-client unusual explain` ({counted})")
    return tuple(duties)


def _check(
    name: str, path: str, counted: str, count: Callable[[ProbingFacts], int | None], guard: Guard
) -> Callable[[Case], CheckResult]:
    def check(case: Case) -> CheckResult:
        facts = case.facts.probing
        if facts is None:
            return CheckResult(name, False, _MISSING, path)
        found = count(facts)
        if guard.holds(found):
            return _told(name, True, f"{counted}: {_number(found)}; {guard.bound}", path)
        if guard.then == "report":
            return _told(name, True, f"{counted}: {_number(found)}; {guard.bound}, to be explained", path)
        return _told(name, False, f"{counted}: {_number(found)}; {guard.bound}", path)

    return check


def _number(found: int | None) -> str:
    return "not known yet" if found is None else str(found)


@lru_cache(maxsize=1024)
def _told(name: str, met: bool, reason: str, path: str) -> CheckResult:
    return CheckResult(name, met, reason, path)
