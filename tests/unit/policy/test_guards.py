"""Guards against probing: only those that a purpose has are evaluated, behind the other checks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_samples import bent, facts, load, request

from broker.policy.decision import ProbingFacts
from broker.policy.document import PolicySet
from broker.policy.evaluate import CHECK_IDS, evaluate
from broker.policy.guards import GUARD_IDS, guards_of, is_guarded, reported

LIMITS = "limits: {subjects_per_request: 1000, requests_per_day: 50}"
NOTHING = ProbingFacts(0, 0, 0, 1, 1, None)
FIELDS = dict(zip(GUARD_IDS, ("same", "nested", "again", "hour", "epoch", "hits"), strict=True))
KEYS = {name: name.replace("-", "_") for name in GUARD_IDS}


def with_guards(**guards: str) -> PolicySet:
    few = LIMITS.replace("1000", "5")
    probing = "".join(f"\n  {key}: {guard}" for key, guard in guards.items())
    return load(bent("purposes/snf-locatie.yaml", LIMITS, f"{few}\nprobing:{probing}"))


def one_guard(name: str, then: str) -> PolicySet:
    bound = "at_least" if name == "hits-per-hundred" else "at_most"
    return with_guards(**{KEYS[name]: f"{{{bound}: 7, then: {then}}}"})


def found(name: str, number: int | None) -> ProbingFacts:
    return ProbingFacts(**{**NOTHING.__dict__, FIELDS[name]: number})


@pytest.mark.parametrize("name", GUARD_IDS)
@pytest.mark.parametrize("then", ["report", "refuse"])
def test_a_guard_holds_to_its_bound_and_no_further(name: str, then: str) -> None:
    policies = one_guard(name, then)
    step = -1 if name == "hits-per-hundred" else 1
    within = evaluate(policies, request(subjects=3), facts(probing=found(name, 7)))
    beyond = evaluate(policies, request(subjects=3), facts(probing=found(name, 7 + step)))
    assert within.permitted
    assert not any(duty.startswith("explain-") for duty in within.obligations)
    assert beyond.permitted is (then == "report")
    assert [check.id for check in beyond.failing] == ([] if then == "report" else [name])
    explained = [duty.partition(":")[0] for duty in beyond.obligations if duty.startswith("explain-")]
    assert explained == ([f"explain-{name}"] if then == "report" else [])
    assert tuple(check.id for check in within.checks) == (*CHECK_IDS, name)


def test_without_the_facts_a_guard_denies() -> None:
    decision = evaluate(one_guard("same-question", "report"), request(subjects=3), facts())
    assert [check.id for check in decision.failing] == ["same-question"]


def test_a_share_of_hits_that_is_not_known_yet_holds() -> None:
    assert evaluate(one_guard("hits-per-hundred", "refuse"), request(subjects=3), facts(probing=NOTHING)).permitted


@pytest.mark.parametrize("bad", ["7", [], {}])
def test_a_fact_that_is_no_number_denies(bad: object) -> None:
    odd = ProbingFacts(bad, 0, 0, 1, 1, None)  # what a damaged log may hold
    assert not evaluate(one_guard("same-question", "report"), request(subjects=3), facts(probing=odd)).permitted


def test_facts_are_nothing_to_a_purpose_without_guards() -> None:
    plain = load(bent("purposes/snf-locatie.yaml", LIMITS, LIMITS))
    assert evaluate(plain, request(subjects=3), facts(probing=NOTHING)) == evaluate(plain, request(subjects=3), facts())
    assert guards_of(None) == ()
    assert reported(None, NOTHING) == ()


def test_a_purpose_is_guarded_by_its_own_guards_or_those_of_its_shadow() -> None:
    assert is_guarded(one_guard("asked-again", "report"), "snf-locatie")
    assert not is_guarded(one_guard("asked-again", "report"), "bezetting")
    assert not is_guarded(one_guard("asked-again", "report"), "no-such")


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["report", "refuse"]))
def test_more_is_never_permitted_where_less_was_not(one: int, more: int, then: str) -> None:
    policies = _CACHED[then]
    low, high = sorted((one, more))
    few, many = (evaluate(policies, request(subjects=3), facts(probing=found("asked-again", n))) for n in (low, high))
    assert few.permitted or not many.permitted
    assert len(few.obligations) <= len(many.obligations) or not many.permitted


_CACHED = {then: one_guard("asked-again", then) for then in ("report", "refuse")}
