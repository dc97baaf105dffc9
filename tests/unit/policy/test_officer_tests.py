"""The officer's tests hold, and they are able to fail."""

from __future__ import annotations

import pytest
from policy_samples import ROOT, bent, load, officer_tests

from broker.policy.evaluate import CHECK_IDS, STANDING
from broker.policy.policy_test import read_question, run_tests, untested

POLICIES = load()
RESULTS, PROBLEMS = run_tests(POLICIES, officer_tests())

BODY = """purpose: snf-locatie
at: 2026-11-23T10:00:00Z
given: {asks: utrecht, answers: snf, identified_by: bag, want: [beds]}
cases:
  - name: first
    expect: permit
"""


def run(text):
    return run_tests(POLICIES, {"tests/x_test.yaml": text})


@pytest.mark.parametrize("result", RESULTS, ids=[f"{r.where.removeprefix('tests/')}" for r in RESULTS])
def test_the_sample_policies_do_what_the_officer_expects(result):
    assert result.passed, (result.name, result.expected_because, result.effect, result.failing)


def test_every_purpose_has_its_file_and_cases():
    assert PROBLEMS == ()
    files = {path.name.removesuffix("_test.yaml") for path in (ROOT / "tests").glob("*.yaml")}
    generated = {f"{name}_boundaries" for name in POLICIES.purposes}
    assert files == {*POLICIES.purposes, *generated, "d01_certifier_persons"}
    assert untested(POLICIES, RESULTS) == ()


def test_d01_covers_every_purpose():
    assert {r.purpose for r in RESULTS if "d01" in r.where} == set(POLICIES.purposes)
    assert {r.expected for r in RESULTS if "d01" in r.where} == {"deny"}


def test_the_cases_fail_every_check_that_they_can():
    found = {check for result in RESULTS for check in result.failing}
    # these two need a policy set that expired or a purpose that is not there
    refused = {"asked-again", "subjects-per-hour", "subjects-per-epoch"}
    assert found == {*CHECK_IDS, STANDING, *refused} - {"purpose-known", "policy-set-current"}


MUTANTS = [
    ("snf-locatie", "asks: [municipalities]", "asks: [municipalities, nla]"),
    ("snf-locatie", "answers: [snf]", "answers: [snf, sna]"),
    ("snf-locatie", "[bag, postcode-number]", "[bag]"),
    ("snf-locatie", "state: active", "state: suspended"),
    ("snf-locatie", "subjects_per_request: 1000", "subjects_per_request: 1001"),
    ("snf-locatie", "subjects_per_request: 1000", "subjects_per_request: 999"),
    ("snf-locatie", "requests_per_day: 50", "requests_per_day: 51"),
    ("snf-locatie", "requests_per_day: 50", "requests_per_day: 49"),
    ("snf-locatie", "from: 2026-01-01", "from: 2025-12-31"),
    ("snf-locatie", "from: 2026-01-01", "from: 2026-01-02"),
    ("snf-locatie", "until: 2027-12-31", "until: 2028-01-01"),
    ("snf-locatie", "until: 2027-12-31", "until: 2027-12-30"),
    ("snf-locatie", "epoch: quarter", "epoch: year"),
    ("snf-locatie", "    beds: Needed to see whether the number of residents fits what was certified.\n", ""),
    ("snf-locatie", "limits:", "case_number: required\nlimits:"),
    ("snf-locatie", "limits:", "cooperation_ref: required\nlimits:"),
    ("snf-locatie", "  hit: true\n", "  hit: true\n  count: {min_group: 5, per_epoch: 1}\n"),
    ("sna-overzicht", "per_epoch: 8", "per_epoch: 9"),
    ("sna-overzicht", "min_group: 5", "min_group: 6"),
    ("sna-overzicht", "subjects_per_request: 200000", "subjects_per_request: 200001"),
    ("cert-boete", "years: 2", "years: 3"),
    ("cert-boete", "counted_from: receipt-of-overview", "counted_from: as-of"),
    ("cert-boete", "valid_on: as-of\n", ""),
    ("cert-boete", "exclude_natural_persons: true\n", ""),
    ("cert-boete", "principal: certificeerder-noord", "principal: snf"),
    ("cert-fiscaal", "exclude_natural_persons: true\n", ""),
    ("nla-verzoek-onderneming", "case_number: required\n", ""),
    ("nla-verzoek-onderneming", "subjects_per_request: 50", "subjects_per_request: 51"),
    ("nla-verstrekking-onderneming", "cooperation_ref: required\n", ""),
    ("nla-verstrekking-onderneming", "asks: [uwv, svb,", "asks: [uwv, belastingdienst, svb,"),
    ("verhuurvergunning-verhuurder", "hit_only_if_natural_person: true\n", ""),
    ("bezetting", "  count:", "  hit: true\n  count:"),
    ("nau-status", "from: 2027-07-01", "from: 2026-07-01"),
    ("nla-verzoek-persoon", "state: draft", "dpia: X\nstate: active"),
    ("wagweu-melding", "state: draft", "dpia: X\nstate: active"),
]


@pytest.mark.parametrize(("purpose", "old", "new"), MUTANTS, ids=[f"{i}-{m[0]}" for i, m in enumerate(MUTANTS)])
def test_a_changed_line_makes_an_officers_test_fail(purpose, old, new):
    results, problems = run_tests(load(bent(f"purposes/{purpose}.yaml", old, new)), officer_tests())
    assert problems == ()
    assert any(not result.passed and result.purpose == purpose for result in results)


def test_a_case_passes_only_for_the_right_reasons():
    (good, wrong_effect, wrong_reason, too_few, too_many), problems = run(
        BODY
        + "  - {name: b, when: {subjects: 1001}, expect: permit}\n"
        + "  - {name: c, when: {subjects: 1001}, expect: deny, because: [asker]}\n"
        + "  - {name: d, when: {subjects: 1001, asks: nla}, expect: deny, because: [asker]}\n"
        + "  - {name: e, when: {asks: nla}, expect: deny, because: [asker, hit]}\n"
    )
    assert problems == ()
    assert good.passed
    assert good.where == "tests/x_test.yaml:5"
    assert not any(result.passed for result in (wrong_effect, wrong_reason, too_few, too_many))
    assert wrong_reason.failing == ("subjects-per-request",)


def test_null_takes_a_given_value_away():
    (first, second), _ = run(
        BODY.replace("want: [beds]", "want: [beds], case_number: nonsense")
        .replace("expect: permit", "expect: deny\n    because: [case-number]")
        + "  - {name: b, when: {case_number: null}, expect: permit}\n"
    )  # fmt: skip
    assert first.passed
    assert second.passed


@pytest.mark.parametrize(
    ("old", "new", "line", "code"),
    [
        ("purpose: snf-locatie", "purpose: snf-locaties", 1, "UNKNOWN_WORD"),
        ("at: 2026-11-23T10:00:00Z", "at: 2026-11-23", 2, "NOT_A_TIME"),
        ("asks: utrecht", "ask: utrecht", 3, "UNKNOWN_KEY"),
        ("asks: utrecht, ", "", 5, "MISSING"),
        ("expect: permit", "expect: allow", 6, "UNKNOWN_WORD"),
        ("expect: permit", "expect: deny", 5, "BECAUSE"),
        ("expect: permit", "expect: permit\n    because: [asker]", 5, "BECAUSE"),
        ("expect: permit", "expect: deny\n    because: [askers]", 7, "UNKNOWN_WORD"),
        ("  - name: first\n    expect: permit\n", "  []\n", 4, "EMPTY_LIST"),
        ("expect: permit", "expect: permit\n    when: {subjects: x}", 7, "NOT_A_NUMBER"),
    ],
)
def test_a_test_file_that_cannot_be_run_says_where(old, new, line, code):
    results, problems = run(BODY.replace(old, new))
    assert results == ()
    assert (line, code) in [(problem.line, problem.code) for problem in problems], [str(p) for p in problems]


def test_a_purpose_without_a_denial_or_a_permit_counts_as_untested():
    results, _ = run(BODY)
    assert "snf-locatie" in untested(POLICIES, results)
    results, _ = run(BODY + "  - {name: b, when: {asks: nla}, expect: deny, because: [asker]}\n")
    assert "snf-locatie" not in untested(POLICIES, results)
    assert "nla-verzoek-persoon" in untested(POLICIES, results)


def test_a_question_of_its_own_names_its_purpose():
    question, problems = read_question("{purpose: x, asks: a, answers: b, identified_by: bag, want: [hit]}", "q.yaml")
    assert problems == ()
    assert question is not None
    question, (problem,) = read_question("{asks: a, answers: b, want: [hit]}", "q.yaml")
    assert question is None
    assert "purpose, identified_by" in problem.text
