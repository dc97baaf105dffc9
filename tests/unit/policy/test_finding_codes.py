"""The registry of codes is complete: what the source can say is explained, and each code is planted in some test."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest
from lint_plants import PLANTS
from policy_samples import bent, load, officer_tests, problems_of, texts
from test_policy_load import BENDS
from test_strict_yaml import TRAPS
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.policy.finding_codes import CODES
from broker.policy.policy_test import read_question, run_tests
from broker.policy.question_words import unknown_words
from broker.policy.strict_yaml import read_yaml

ROOT = Path(__file__).parents[3] / "broker"
NO_CODES = {
    string.ascii_uppercase,
    *("PERMIT", "DENY", "TOEGESTAAN", "GEWEIGERD", "NEE"),
    *("LOOSER", "TIGHTER", "FOLDER", "TARGET", "DIGEST", "CODE", "PARTY", "NFC", "NOTES", "DPIA"),
}
"""Capitals that are no codes of findings: verdicts, headings, parameter names."""
SNF = "purposes/snf-locatie.yaml"


def emitted():
    """Every constant that is written as a code, but for names of exports and the pages themselves."""
    found = {}
    files = [*(ROOT / "policy").rglob("*.py"), *(ROOT / "cli" / "policy").glob("*.py")]
    for file in files:
        if "finding_pages" in file.parts:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        exports = {
            id(constant)
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets)
            for constant in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exports:
                words = re.findall(r"^([A-Z][A-Z0-9_]{2,})$|: ([A-Z][A-Z_]{2,}): ", node.value)
                for whole, inside in words:
                    found.setdefault(whole or inside, file.name)
    return found


def test_what_the_source_says_is_registered_and_the_reverse():
    found = emitted()
    assert set(CODES) - set(found) == set()
    assert set(found) - set(CODES) == NO_CODES


def test_codes_are_unique_and_pages_are_whole():
    from broker.policy.finding_pages import ALL

    assert len(ALL) == len(CODES) >= 100
    for page in ALL:
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{2,40}", page.code)
        for text in (page.en, page.nl):
            for part in (text.title, text.means, text.matters, text.mend):
                assert part.strip() == part, (page.code, part)
                assert part, page.code
            assert text.title[-1] not in ".:;", page.code
            assert all(part[-1] == "." for part in (text.means, text.matters, text.mend)), page.code
        assert page.en != page.nl


OFFICERS = "officers:\n  a:\n    title: {nl: a, en: a}\n    signs_for: [nla]\n    key: 'KEY'\n"
KEY = "ab" * 32
READ = {
    # codes that no other table plants: file, passage, what stands there instead
    "NOT_TEXT": (SNF, "dpia: DPIA-SAMPLE-06", "dpia: [a]"),
    "TEXT_LENGTH": (SNF, "dpia: DPIA-SAMPLE-06", "dpia: ' '"),
    "CODE_SHAPE": (SNF, "finding: NO_CASE_NUMBER", "finding: no case number"),
    "NOTICE_SHAPE": (SNF, "limits:", "lifts: [xyz]\nlimits:"),
    "SHADOW_STATE": (SNF, "limits:", "shadow_of: bezetting\nlimits:"),
    "FILE_UNKNOWN": ("purposes/x.yml", "", "a: 1\n"),
    "MISSING": (SNF, "about: location\n", ""),
    "KEY_SHAPE_ED25519": ("officers.yaml", "", OFFICERS),
    "KEY_REPEATED": (
        "officers.yaml",
        "",
        OFFICERS.replace("KEY", KEY) + OFFICERS.replace("officers:\n  a:", "  b:").replace("KEY", KEY),
    ),
}


@pytest.mark.parametrize("code", READ)
def test_reading_gives_it_with_a_line_and_a_suggestion(code):
    file, old, new = READ[code]
    source = bent(file, old, new) if old else texts() | {file: new}
    (problem,) = [problem for problem in problems_of(source) if problem.code == code]
    assert problem.file == file
    assert problem.suggestion


@pytest.mark.parametrize("bend", [bend for bend in BENDS if bend[3]], ids=lambda bend: f"{bend[3]}-{bend[0]}")
def test_every_problem_of_a_bent_line_has_a_registered_code_and_a_suggestion(bend):
    for problem in problems_of(bent(*bend[:3])):
        assert problem.code in CODES
        assert CODES[problem.code].severity == "refuse"
        assert problem.suggestion, str(problem)


@pytest.mark.parametrize(("text", "expected"), TRAPS, ids=[f"{i}-{t[1][1]}" for i, t in enumerate(TRAPS)])
def test_every_trap_has_a_registered_code_and_a_suggestion(text, expected):
    for problem in read_yaml(text, "f.yaml")[1]:
        assert problem.code in CODES
        assert problem.suggestion, str(problem)


def _test_file(old, new):
    name = "tests/snf-locatie_test.yaml"
    text = officer_tests()[name]
    assert old in text
    return {name: text.replace(old, new, 1)}


CASES = {
    "BECAUSE": ("    expect: permit\n", "    expect: permit\n    because: [asker]\n"),
    "NOT_HELD": ("  answer_keep_days: 92\n", "  answer_keep_days: 91\n"),
    "MISSING": ("asks: utrecht, ", ""),
    "NOT_A_TIME": ("at: 2026-11-23T10:00:00Z", "at: 2026-11-23 10:00"),
}


@pytest.mark.parametrize("code", CASES)
def test_tests_that_cannot_be_run_say_why(code):
    results, problems = run_tests(load(), _test_file(*CASES[code]))
    found = [p for p in (*problems, *(p for r in results for p in getattr(r, "problems", ()))) if p.code == code]
    assert found
    assert all(problem.suggestion for problem in found)


def test_a_group_in_a_question():
    question = "{purpose: snf-locatie, asks: municipalities, answers: snf, identified_by: bag, want: [hit]}"
    read, problems = read_question(question, "q.yaml")
    assert problems == ()
    source, _ = read_yaml(question, "q.yaml")
    (problem,) = unknown_words(load(), read, source)
    assert problem.code == "GROUP_IN_QUESTION"
    assert problem.suggestion


ELSEWHERE = {
    "NOT_UTF8": "test_check_refuses_files_it_would_not_read",
    "UNREADABLE": "test_a_file_that_cannot_be_opened_is_told",
    "APPROVAL_SHAPE": "test_a_file_that_is_no_approval_is_told",
    "TEST_FAILED": "test_a_failing_case_names_its_line",
    "UNTESTED": "test_a_purpose_without_tests_fails",
    "SCHEMA_OUT_OF_DATE": "test_the_schema_of_another_vocabulary_is_told",
    "INVALID": "test_a_value_refused_without_a_code_of_its_own",
}
"""Codes that need a folder, by the test that plants them."""


def test_every_code_is_planted_somewhere():
    planted = {
        *(plant.code for plant in PLANTS),
        *(bend[3] for bend in BENDS if bend[3]),
        *(trap[1][1] for trap in TRAPS),
        *READ,
        *CASES,
        "GROUP_IN_QUESTION",
        *ELSEWHERE,
    }
    assert set(CODES) - planted == set()
    here = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in here] == []


def explain(*arguments, code=0):
    result = CliRunner().invoke(app, ["explain-code", *arguments])
    assert result.exit_code == code, result.output
    return result


def test_explain_code_tells_what_why_and_how_in_both_languages():
    page = explain("NO_CASE_NUMBER").stdout
    assert page.startswith("NO_CASE_NUMBER (a person must answer): ")
    assert "How to mend it" in page
    assert "    - {finding: NO_CASE_NUMBER, by: privacy officer, on: 2026-11-23, reason: " in page
    dutch = explain("no-case-number", "--lang", "nl").stdout
    assert dutch.startswith("NO_CASE_NUMBER (een mens moet antwoorden): ")
    assert "Hoe u het herstelt" in dutch
    assert "answered:" not in explain("NO_DPIA").stdout
    shown = json.loads(explain("BANDS", "--json").stdout)
    assert (shown["code"], shown["severity"]) == ("BANDS", "refuse")
    assert shown["example"].startswith("count:")


def test_explain_code_lists_all_and_knows_its_limits():
    listed = explain().stdout
    assert all(f"  {code} " in listed for code in CODES)
    assert len(json.loads(explain("--json").stdout)["codes"]) == len(CODES)
    assert "did you mean 'NO_CASE_NUMBER'?" in explain("NO_CASE_NMBER", code=2).output
    explain("BULK", "--lang", "fr", code=2)


def test_the_answer_that_the_page_shows_can_be_read():
    page = explain("BULK").stdout
    example = page[page.index("  answered:") :].replace("\n  ", "\n").strip()
    assert problems_of(bent("purposes/verhuurvergunning.yaml", "limits:", f"{example}\nlimits:")) == ()
