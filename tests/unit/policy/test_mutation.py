"""Lines that no test holds are found, and the samples have none; boundary cases and JUnit output."""

from __future__ import annotations

import json
import re
import shutil
from xml.etree import ElementTree as ET

import pytest
from policy_samples import ROOT, bent, load, officer_tests
from random_policies import random_texts
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.policy.boundaries import HEADER, boundary_tests
from broker.policy.holds import written
from broker.policy.junit import junit_xml
from broker.policy.mutants import mutants
from broker.policy.mutation import held_by_tests, unheld
from broker.policy.policy_test import run_tests
from broker.policy.problems import Problem

POLICIES = load()
TESTS = officer_tests()
BY_HAND = {name: text for name, text in TESTS.items() if "_boundaries_" not in name}
WITHOUT_HOLDS = {name: re.sub(r"\nholds:\n(  .*\n)+", "\n", text) for name, text in BY_HAND.items()}
SNF = "tests/snf-locatie_test.yaml"


def test_the_samples_hold_every_line_by_what_a_person_wrote():
    """Generated cases say what a purpose says now, so they would prove nothing here."""
    outcome = held_by_tests(POLICIES, BY_HAND)
    assert [str(problem) for problem in outcome.unheld] == []
    assert outcome.tried > 500


@pytest.mark.slow
def test_every_held_value_of_the_samples_is_needed():
    """Taken out one at a time, each leaves its own line unheld: the report can find every one of them."""
    for name in POLICIES.purposes:
        file = f"tests/{name}_test.yaml"
        for key in ("legal_basis", "processing_activity", "dpia", "answer_keep_days", "vault_keep_days"):
            bare = re.sub(rf"\n  {key}: .*", "", BY_HAND[file])
            found = held_by_tests(POLICIES, {file: bare}, only=[name]).unheld
            if (name, key) != ("nau-status", "legal_basis"):  # shown by a question: its law is not in force before
                assert bool(found) == (bare != BY_HAND[file]), (name, key)
            assert {problem.line for problem in found} <= {POLICIES.lines[f"purposes/{name}.yaml"].line((key,))}


def test_every_line_of_a_purpose_that_means_something_is_changed():
    """What is not changed is prose, or the head of a block whose lines are."""
    prose = {"purpose", "title", "title.nl", "title.en", "because", "use_only_for", "may_learn", "pseudonyms", "limits",
             "probing", "valid", "look_back", "on_behalf_of", "may_learn.count", "answered", "answered.by",
             "answered.on", "answered.reason"}  # fmt: skip
    for name in POLICIES.purposes:
        source = POLICIES.lines[f"purposes/{name}.yaml"]
        changed = {mutant.path for mutant in mutants(POLICIES, name)}
        lines = {source.line(tuple(int(s) if s.isdigit() else s for s in path.split("."))) for path in changed}
        for path, line in source.lines.items():
            key = ".".join(str(step) for step in path if not isinstance(step, int))
            if (
                line not in lines
                and key not in prose
                and not key.startswith(("may_learn.attributes", "title", "answered"))
            ):
                assert not key, (name, key)


def test_a_change_is_always_a_change():
    for name in POLICIES.purposes:
        own = POLICIES.purposes[name]
        told = [mutant.told for mutant in mutants(POLICIES, name)]
        assert len(told) == len(set(told)), name
        assert all(mutant.purpose != own for mutant in mutants(POLICIES, name))


def test_what_no_test_notices_is_named_with_its_line_and_what_to_add():
    found = unheld(POLICIES, WITHOUT_HOLDS)
    by_text = {problem.text: problem for problem in found if problem.file == "purposes/snf-locatie.yaml"}
    kept = by_text["no test notices when answer_keep_days 92 becomes 91"]
    assert kept.line == POLICIES.lines[kept.file].line(("answer_keep_days",))
    assert kept.suggestion == "write `answer_keep_days: 92` under `holds` in tests/snf-locatie_test.yaml"
    steward = by_text["no test notices when pseudonyms.steward snf becomes rotterdam"]
    assert "write `pseudonyms: {steward: snf}` under `holds`" in steward.suggestion


def _case(name, when, expect, because=""):
    told = f"  - name: {name}\n    when: {{{when}}}\n    expect: {expect}\n"
    return told + (f"    because: [{because}]\n" if because else "")


ONE_MORE = _case("one address more than was agreed", "subjects: 1001", "deny", "subjects-per-request")
LAST = _case("the last request of the day", "requests_today: 49", "permit")
EARLY = _case("a second too early", "at: 2025-12-31T22:59:59Z", "deny", "purpose-valid")
STRANGER = _case("the inspectorate is no party to the covenant", "asks: nla", "deny", "asker")
LOST = [
    (ONE_MORE, "limits.subjects_per_request 1000 becomes 1001"),
    (LAST, "limits.requests_per_day 50 becomes 49"),
    (EARLY, "valid.from 2026-01-01 becomes 2025-12-31"),
]


@pytest.mark.parametrize(("case", "told"), LOST)
def test_a_case_that_is_lost_leaves_its_line_unheld(case, told):
    assert case in BY_HAND[SNF]
    before = set(map(str, unheld(POLICIES, BY_HAND)))
    after = set(map(str, unheld(POLICIES, {**BY_HAND, SNF: BY_HAND[SNF].replace(case, "")})))
    assert any(told in text for text in after - before), after - before


def test_without_any_test_nothing_is_held():
    assert len(unheld(POLICIES, {})) > 400


def loose(purpose, body):
    found = unheld(POLICIES, {"tests/x_test.yaml": body})
    return {problem.text for problem in found if problem.file == f"purposes/{purpose}.yaml"}


def test_a_case_that_fails_anyway_holds_nothing():
    """Else one wrong case would notice every change there is."""
    wrong = "  - name: it does not\n    expect: deny\n    because: [asker]\n"
    assert loose("snf-locatie", HOLDS + wrong) == loose("snf-locatie", HOLDS)
    assert "no test notices when limits.subjects_per_request 1000 becomes 1001" in loose("snf-locatie", HOLDS + wrong)


def test_a_case_counts_for_the_purpose_that_it_names():
    elsewhere = HOLDS.partition("holds:")[0].replace("purpose: snf-locatie", "purpose: bezetting") + "cases:\n"
    about = _case("too many", "purpose: snf-locatie, subjects: 1001", "deny", "subjects-per-request")
    told = "no test notices when limits.subjects_per_request 1000 becomes 1001"
    assert told not in loose("snf-locatie", elsewhere + about)
    assert told in loose("snf-locatie", elsewhere + _case("own", "want: [count]", "permit"))


def test_a_key_that_bars_nothing_now_is_held_by_its_value():
    policies = load(bent("purposes/snf-locatie.yaml", "legal_basis:", "weakest_match_key: 1\nlegal_basis:"))
    made = boundary_tests(policies, "snf-locatie")
    assert "  weakest_match_key: 1\n" in made
    told = "no test notices when weakest_match_key is taken out"
    for text, missed in ((made, False), (made.replace("  weakest_match_key: 1\n", ""), True)):
        found = [problem for problem in unheld(policies, {"tests/x_test.yaml": text}) if problem.text == told]
        assert bool(found) == missed
        assert all("under `holds`" in problem.suggestion for problem in found)


def test_an_answer_to_a_finding_is_held_by_its_code():
    policies = POLICIES
    made = boundary_tests(policies, "snf-locatie")
    assert "  answered: ['NO_CASE_NUMBER']\n" in made or "  answered: [NO_CASE_NUMBER]\n" in made
    assert run_tests(policies, {"tests/x_test.yaml": made})[1] == ()
    told = "no test notices when the answer to NO_CASE_NUMBER is taken out"
    for text, missed in ((made, False), (made.replace("[NO_CASE_NUMBER]", "[]"), True)):
        found = held_by_tests(policies, {"tests/x_test.yaml": text}, only=["snf-locatie"]).unheld
        assert (told in {problem.text for problem in found}) == missed


HOLDS = """purpose: snf-locatie
at: 2026-11-23T10:00:00Z
given: {asks: utrecht, answers: snf, identified_by: bag, want: [beds]}
holds:
  answer_keep_days: 92
  pseudonyms: {steward: snf}
  human_check: null
  identified_by: [bag, postcode-number]
cases:
  - name: first
    expect: permit
"""


def holds_problems(old, new):
    assert old in HOLDS
    return run_tests(POLICIES, {"tests/x_test.yaml": HOLDS.replace(old, new)})[1]


def test_held_values_are_compared_with_the_purpose():
    assert run_tests(POLICIES, {"tests/x_test.yaml": HOLDS})[1] == ()
    (problem,) = holds_problems("answer_keep_days: 92", "answer_keep_days: 91")
    assert (problem.code, problem.line) == ("NOT_HELD", 5)
    assert problem.text == "answer_keep_days is held at 91, and the purpose says 92"
    (problem,) = holds_problems("{steward: snf}", "{steward: nla}")
    assert (problem.code, problem.line) == ("NOT_HELD", 6)
    (problem,) = holds_problems("[bag, postcode-number]", "[bag]")
    assert "held at [bag]" in problem.text
    (problem,) = holds_problems("answer_keep_days: 92", "answer_keep_day: 92")
    assert (problem.code, problem.suggestion) == ("UNKNOWN_WORD", "did you mean 'answer_keep_days'?")
    (problem,) = holds_problems("human_check: null", "limits: {x: {y: {z: 1}}}")
    assert problem.code == "WRONG_SHAPE"
    (problem,) = holds_problems("human_check: null", "title: {nl: [a, {b: c}]}")
    assert problem.code == "WRONG_SHAPE"


def test_a_set_is_held_as_it_is_written():
    for written_so in ("identified_by: [postcode-number, bag]", "asks: [municipalities]"):
        text = HOLDS.replace("identified_by: [bag, postcode-number]", written_so)
        assert run_tests(POLICIES, {"tests/x_test.yaml": text})[1] == ()
    (problem,) = holds_problems("identified_by: [bag, postcode-number]", "asks: [utrecht, someren]")
    assert problem.code == "NOT_HELD"


def test_what_can_be_held():
    purpose = POLICIES.purposes["cert-boete"]
    assert written(purpose, "look_back.years") == "2"
    assert written(purpose, "exclude_natural_persons") == "true"
    assert written(purpose, "valid.until") == "2027-12-31"
    assert written(purpose, "written_by") == "null"
    for path in ("look_back", "nonsense", "on_behalf_of", "dpia.x"):
        with pytest.raises(KeyError):
            written(purpose, path)


# ------------------------------------------------------------------------------------------------ boundary cases


@pytest.mark.parametrize("seed", range(20))
def test_generated_cases_pass_and_hold_every_line_of_any_purpose(seed):
    policies = load(random_texts(seed, purposes=3))
    made = {f"tests/{name}_boundaries_test.yaml": boundary_tests(policies, name) for name in policies.purposes}
    results, problems = run_tests(policies, made)
    assert problems == ()
    assert [result.where for result in results if not result.passed] == []
    permitted = {result.purpose for result in results if result.expected == "permit"}
    loose = unheld(policies, made)
    for name in permitted:  # one that permits nothing at all cannot show its limits
        assert [str(problem) for problem in loose if problem.file == f"purposes/{name}.yaml"] == []


def test_generating_again_gives_the_same_and_the_committed_files_are_current():
    for name in POLICIES.purposes:
        file = f"tests/{name}_boundaries_test.yaml"
        assert TESTS[file] == boundary_tests(POLICIES, name), f"sluis policy test policies/ --generate {name}"
        assert HEADER in TESTS[file]


def test_text_on_several_lines_is_held_to_the_letter():
    for style in ("|", "|-", "|+"):
        new = f"  en: {style}\n    leaving out: 'double'\n\n      inspections\n\n"
        old = "  en: leaving out double inspections; not for choosing addresses to inspect\n"
        policies = load(bent("purposes/snf-locatie.yaml", old, new))
        made = boundary_tests(policies, "snf-locatie")
        assert run_tests(policies, {"tests/x_test.yaml": made})[1] == (), style
        other = made.replace("      inspections", "     inspections")
        assert other != made
        assert [problem.code for problem in run_tests(policies, {"tests/x_test.yaml": other})[1]] == ["NOT_HELD"]


def test_a_change_breaks_the_generated_cases():
    changed = load(bent("purposes/snf-locatie.yaml", "subjects_per_request: 1000", "subjects_per_request: 999"))
    results, _ = run_tests(changed, {name: text for name, text in TESTS.items() if "snf-locatie_boundaries" in name})
    assert [result.name for result in results if not result.passed] == ["as many subjects as were agreed"]


# ----------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(ROOT, tmp_path / "policies")
    return tmp_path / "policies"


def run(*arguments, code):
    result = CliRunner().invoke(app, ["test", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


@pytest.mark.slow
def test_held_says_what_is_loose_and_how_many(folder):
    assert "0 not noticed" in run(folder, "--held", code=0)
    for path in (folder / "tests").glob("*_test.yaml"):
        path.unlink()
    for name, text in WITHOUT_HOLDS.items():
        (folder / name).write_text(text, encoding="utf-8")
    shown = run(folder, "--held", code=10)
    assert "purposes/snf-locatie.yaml:" in shown
    assert "UNHELD" in shown
    assert "prose is not changed" in shown
    value = json.loads(run(folder, "--held", "--json", code=10))
    assert value["ok"] is False
    assert value["changes_tried"] > len(value["unheld"]) > 100


def test_generate_writes_and_leaves_what_a_person_made(folder):
    target = folder / "tests" / "snf-locatie_boundaries_test.yaml"
    target.unlink()
    assert "cases of what the purpose says now" in run(folder, "--generate", "snf-locatie", code=0)
    assert target.read_text() == TESTS["tests/snf-locatie_boundaries_test.yaml"]
    for mine in (b"# mine\n", b"\xff\xfe"):
        target.write_bytes(mine)
        assert "left as it is" in run(folder, "--generate", "snf-locatie", code=2)
        assert target.read_bytes() == mine
    assert "run the tests after it" in run(folder, "--generate", "snf-locatie", "--held", code=2)
    assert "did you mean" in run(folder, "--generate", "snf-locati", code=2)


def test_junit_is_read_back(folder, tmp_path):
    report = tmp_path / "r.xml"
    run(folder, "--held", "--junit", report, code=0)
    root = ET.fromstring(report.read_bytes())
    assert (root.tag, root.get("failures")) == ("testsuites", "0")
    assert int(root.get("tests", "0")) == len(root.findall(".//testcase")) > 600
    path = folder / "purposes" / "snf-locatie.yaml"
    path.write_text(path.read_text().replace("requests_per_day: 50", "requests_per_day: 51"))
    run(folder, "--junit", report, code=4)
    root = ET.fromstring(report.read_bytes())
    failures = root.findall(".//failure")
    assert int(root.get("failures", "0")) == len(failures) > 0
    (suite,) = (one for one in root if one.get("name") == SNF)
    assert int(suite.get("failures", "0")) == len(suite.findall(".//failure"))
    case = next(case for case in suite if case.find("failure") is not None)
    assert case.get("file") == SNF
    assert int(case.get("line", "0")) > 5


def test_junit_holds_any_text():
    odd = Problem("purposes/x.yaml", 3, "UNHELD", 'a < b & "c" \x00 \ud800 \ufffe', "x")
    root = ET.fromstring(junit_xml((), (odd,)))
    assert root.find(".//failure").get("message") == 'a < b & "c" ? ? ?'


def test_a_pipeline_is_told_of_files_that_cannot_be_run(folder, tmp_path):
    report = tmp_path / "r.xml"
    (folder / "tests" / "x_test.yaml").write_text("purpose: snf-locati\n")
    run(folder, "--junit", report, code=3)
    root = ET.fromstring(report.read_bytes())
    wrong = [case for case in root.iter("testcase") if case.get("file") == "tests/x_test.yaml"]
    assert {case.find("failure").get("type") for case in wrong} == {"MISSING"}
