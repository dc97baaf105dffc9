"""Cedar, which knows nothing of the engine, decides the same questions."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest
from cedar_policies import CedarSet, cedar_text
from policy_samples import facts, load, request, texts
from random_policies import DIMENSIONS, Asked, questions, random_texts

from broker.policy import checks
from broker.policy.document import PolicySet
from broker.policy.evaluate import evaluate

EXPIRES = datetime(2027, 6, 1, tzinfo=UTC)


def all_active() -> dict[str, str]:
    """The samples with every purpose in use, those on persons too: the rules of drafts are compared as well."""
    switched = {}
    for file, text in texts().items():
        state = "state: active" if "\ndpia: " in text else "state: active\ndpia: DPIA-SAMPLE"
        switched[file] = text.replace("state: draft", state)
    return switched


def disagreements(
    policies: PolicySet, number: int, seed: int, cedar: CedarSet | None = None, under: str | None = None
) -> tuple[list[tuple[str, Asked]], Counter[tuple[str, bool]]]:
    """The questions on which the engines differ, and how many were permitted, by the dimension that was bent."""
    by_purpose: dict[str, list[tuple[str, Asked]]] = defaultdict(list)
    for bent, asked in questions(policies, number, seed, under):
        by_purpose[asked[0].purpose].append((bent, asked))
    cedar = cedar or CedarSet(policies)
    differing = []
    seen: Counter[tuple[str, bool]] = Counter()
    for name, items in by_purpose.items():
        opinions = cedar.permits(name, [asked for _, asked in items])
        for (bent, asked), opinion in zip(items, opinions, strict=True):
            permitted = evaluate(policies, *asked).permitted
            seen[bent, permitted] += 1
            if permitted != opinion:
                differing.append((bent, asked))
    return differing, seen


def check_spread(seen: Counter[tuple[str, bool]]) -> None:
    """About half is permitted, and no dimension is left out on either side of its border."""
    permitted = sum(count for (_, effect), count in seen.items() if effect)
    assert 0.35 < permitted / seen.total() < 0.65
    assert {bent for bent, effect in seen if not effect} >= set(DIMENSIONS)
    # a suspension always denies; in every other dimension there is another value that is as good
    assert {bent for bent, effect in seen if effect} >= set(DIMENSIONS) - {"suspended_since"}


def test_cedar_agrees_on_the_samples_and_on_random_sets():
    total: Counter[tuple[str, bool]] = Counter()
    for source, expires in ((texts(), EXPIRES), (all_active(), None), (random_texts(1), EXPIRES)):
        differing, seen = disagreements(load(source, expires=expires), 1_100, seed=7)
        assert differing == []
        total += seen
    assert total.total() == 3_300


SETS = [load(texts(), expires=EXPIRES), load(all_active(), expires=EXPIRES), load(random_texts(2), expires=EXPIRES)]


@pytest.mark.slow
def test_cedar_agrees_on_more_than_a_hundred_thousand_questions():
    total: Counter[tuple[str, bool]] = Counter()
    sources = [(texts(), EXPIRES), (all_active(), EXPIRES), (all_active(), None)]
    for n, (source, expires) in enumerate(sources):
        differing, seen = disagreements(load(source, expires=expires), 20_000, seed=n)
        assert differing == []
        total += seen
    for seed in range(30):
        policies = load(random_texts(seed), expires=EXPIRES if seed % 2 else None)
        differing, seen = disagreements(policies, 2_000, seed)
        assert differing == []
        total += seen
    assert total.total() == 120_000
    check_spread(total)


CHANGES = [
    ("snf-locatie", "context.subjects <= 1000", "context.subjects <= 1001"),
    ("snf-locatie", "context.subjects >= 1", "context.subjects >= 0"),
    ("snf-locatie", "context.requests_today < 50", "context.requests_today <= 50"),
    ("snf-locatie", "!(context has suspended_since)", "true"),
    ("snf-locatie", '"last-inspection", ', ""),
    ("snf-locatie", "context.answerer != context.asker", "false"),
    ("bezetting", "context.count_distance >= 5", "context.count_distance >= 4"),
    ("bezetting", "context.counts_this_epoch < 12", "context.counts_this_epoch < 13"),
    ("cert-boete", "context.on_behalf_of ==", "context.on_behalf_of !="),
    ("cert-boete", "context.register.look_back_years == 2", "context.register.look_back_years == 1"),
    ("nla-verzoek-onderneming", 'context.case_number == "accepted"', "true"),
    ("nla-verstrekking-onderneming", "context.cooperation_ref", "true"),
    ("wagweu-melding", 'context.modes.contains("oblivious")', "true"),
    ("wagweu-melding", "context.match_keys <= 2", "context.match_keys <= 1"),
    ("verhuurvergunning", "context.now >= ", "context.now > "),
    ("nla-verzoek-persoon", "context.probing.again <= 5", "context.probing.again <= 6"),
    ("nla-verzoek-persoon", "context.probing.epoch <= 1000", "true"),
]


@pytest.mark.parametrize(("purpose", "old", "new"), CHANGES)
def test_one_wrong_word_in_cedar_is_found(purpose, old, new):
    policies = SETS[1]
    compiled = cedar_text(policies, purpose)
    assert old in compiled, old
    others = {name: cedar_text(policies, name) for name in policies.purposes}
    wrong = CedarSet(policies, others | {purpose: compiled.replace(old, new)})
    differing, _ = disagreements(policies, 1_500, seed=3, cedar=wrong, under=purpose)
    assert {asked[0].purpose for _, asked in differing} == {purpose}


# an identifier that is not accepted has no match keys either, so forgetting that check changes no effect
@pytest.mark.parametrize("forgotten", [name for name, _ in checks.CHECKS if name != "identifier"])
def test_a_check_that_the_engine_forgets_is_found(monkeypatch, forgotten):
    """Each check that says yes to everything lets through a question that Cedar denies."""
    kept = tuple((name, check if name != forgotten else _always) for name, check in checks.CHECKS)
    monkeypatch.setitem(checks.ENGINES, "sluis-engine/2", kept)
    assert any(disagreements(policies, 2_000, seed=5)[0] for policies in SETS)


def _always(_case):
    return checks.CheckResult("any", True, "", "")


def test_nothing_is_permitted_that_cedar_has_no_policy_for():
    policies = load(
        texts() | {"purposes/bezetting.yaml": texts()["purposes/bezetting.yaml"].replace("active", "draft")}
    )
    assert cedar_text(policies, "bezetting") == ""
    asked = request(purpose="bezetting"), facts()
    assert CedarSet(policies).permits("bezetting", [asked]) == [False]
    assert CedarSet(policies).permits("no-such-purpose", [asked]) == [False]
