from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_samples import NOW, ROOT, bent, facts, load, request
from typer.testing import CliRunner

from broker.cli.policy import app
from broker.exchange import Want
from broker.policy import checks, guards, standing, terms
from broker.policy.check_words import ADVICE, QUESTIONS
from broker.policy.evaluate import (
    CHECK_IDS,
    GUARD_IDS,
    STANDING,
    CheckResult,
    ProbingFacts,
    RegisterFacts,
    StandingFacts,
    evaluate,
)
from broker.policy.wording import (
    LANGUAGES,
    NOT_TRANSLATED,
    advice_on,
    compiled,
    duty_in,
    effect_in,
    question_of,
    reason_in,
)
from broker.policy.wording_nl import DUTIES, PHRASES, REASONS, STATES

SET = load()
SAME_IN_BOTH = {"is", "in", "of", "utc", "bsn", "register"}
"""Words of the English templates that are Dutch words too."""
STATED = {
    state: load(bent("purposes/snf-locatie.yaml", "state: active", f"state: {state}"))
    for state in ("draft", "shadow", "suspended", "withdrawn")
}


def english_words() -> set[str]:
    sides = [english for english, _ in (*REASONS, *DUTIES)] + list(STATES)
    return {
        word
        for side in sides
        for word in re.findall(r"[a-z]+", re.sub(r"\{[a-z]+\}|^[a-z_]+:", " ", side).lower())
        if len(word) > 1
    } - SAME_IN_BOTH


def names_taken_out(english: str, dutch: str) -> str:
    """The Dutch without what stands in a slot: names, days and numbers are the same in every language."""
    (template,) = [dutch_side for side, dutch_side in (*REASONS, *DUTIES) if compiled(side)[0].fullmatch(english)]
    return re.sub(r"\{[a-z]+\}|^[a-z_]+:", " ", template)


def guarded_set(then: str):
    """The samples with every guard against probing in one purpose."""
    keys = ("same_question", "nested_question", "asked_again", "subjects_per_hour", "subjects_per_epoch")
    guards = "".join(f"  {key}: {{at_most: 3, then: {then}}}\n" for key in keys)
    guards += f"  hits_per_hundred: {{at_least: 3, then: {then}}}\n"
    limits = "limits: {subjects_per_request: 1000, requests_per_day: 50}\n"
    few = limits.replace("1000", "3")
    return load(bent("purposes/snf-locatie.yaml", limits, f"{few}probing:\n{guards}"))


def wide():
    """Reasons from every check of every purpose, over what a question and its facts can be."""
    wants = (
        Want(True, False, ()),
        Want(False, False, ()),
        Want(False, True, ()),
        Want(True, True, ("beds",)),
        Want(False, False, ("beds", "no-such", "x y", *(f"a{n}" for n in range(9)))),
        Want(False, False, ("certificate-status",)),
    )
    for name, purpose in SET.purposes.items():
        rules = purpose.register_rules()
        basis = {"purpose": name, "answerer": purpose.answers[0], "asker": purpose.asks[0]}
        basis |= {"scheme": purpose.identified_by[0]}
        parties = (*SET.catalogue.parties, "nobody", "12345678", "a b")
        for party, other in itertools.product(parties, parties[::4]):
            yield SET, request(**basis | {"asker": party, "answerer": other}), facts()
            yield SET, request(**basis | {"principal": party}), facts()
        for want, answerer in itertools.product(wants, ("snf", "sna", "nla", "utrecht", "(x)")):
            yield SET, request(**basis | {"want": want, "answerer": answerer}), facts()
        for scheme, keys, epoch in itertools.product(
            (*SET.catalogue.identifiers, "no-such", "?"), (0, 1, 9), ("2026Q4", "2026-11", "2026", "2019Q1", "x y")
        ):
            yield SET, request(**basis | {"scheme": scheme, "match_keys": keys, "epoch": epoch}), facts()
        for changes in (
            {"now": datetime(2025, 1, 1, tzinfo=UTC)},
            {"now": datetime(2030, 1, 1, tzinfo=UTC)},
            {"requests_today": -1},
            {"requests_today": 10**6},
            *({"case_number": found} for found in ("accepted", "absent", "malformed", "looks-like-bsn", "?")),
            {"cooperation_ref": True},
            {"register": None},
            {"register": RegisterFacts(rules)},
            *({"register": RegisterFacts({k: v for k, v in rules.items() if k != left})} for left in rules),
            {"modes_available": frozenset({"keyed", "oblivious"})},
            {"suspended_since": NOW},
            {"suspended_since": "yesterday"},
        ):
            yield SET, request(**basis), facts(**changes)
        for distance, done in itertools.product((None, 0, 4, 1000, True), (0, 1, 5000)):
            asked = request(**basis | {"want": wants[2]})
            yield SET, asked, facts(count_distance=distance, counts_this_epoch=done)
    yield SET, request(purpose="no-such"), facts()
    yield SET, request(purpose="12345678"), facts()
    yield SET, request(subjects=0), facts()
    for state in STATED.values():
        yield state, request(), facts()
    turned = datetime(2027, 1, 1, tzinfo=UTC)
    yield (
        load(bent("purposes/snf-locatie.yaml", "steward: snf}", "steward: snf, overlap_days: 7}")),
        request(),
        facts(now=turned),
    )
    for then in ("report", "refuse"):
        for number in (0, 50):
            found = facts(probing=ProbingFacts(number, number, number, number, number, number))
            yield guarded_set(then), request(), found
        yield guarded_set(then), request(), facts(probing=ProbingFacts(0, 0, 0, 0, 0, None))
        yield guarded_set(then), request(), facts()
    stands, again = (
        load(bent("purposes/snf-locatie.yaml", "valid: {from", "standing_questions: {days: 9}\nvalid: {from")),
        request(standing=True),
    )
    yield SET, again, facts()
    yield stands, again, facts()
    for first, newer in itertools.product(standing.FIRST, (False, True)):
        yield stands, again, facts(standing=StandingFacts(first, newer=newer, days=4))
    for hours in (-1, 1):
        yield replace(SET, expires=NOW + timedelta(hours=hours)), request(), facts()


@pytest.fixture(scope="module")
def decisions():
    return [evaluate(*each) for each in wide()]


@pytest.fixture(scope="module")
def reasons(decisions):
    return {check.reason for decision in decisions for check in decision.checks}


def test_every_reason_is_said_in_dutch_and_holds_no_english(reasons):
    forbidden = english_words()
    assert {"allowed", "the", "not", "asks"} <= forbidden
    for reason in reasons:
        said = reason_in("nl", reason)
        assert said.translated, reason
        dutch = names_taken_out(reason, said.text)
        left = set(re.findall(r"[a-z]+", dutch.lower())) & forbidden
        assert not left, (reason, said.text, left)
        assert reason_in("en", reason).text == reason


def test_every_template_is_given_by_the_engine_and_by_one_line_of_the_table(reasons):
    for english, _ in REASONS:
        pattern, _slots = compiled(english)
        assert any(pattern.fullmatch(reason) for reason in reasons), f"nothing gives: {english}"
    for reason in reasons:
        assert sum(bool(compiled(english)[0].fullmatch(reason)) for english, _ in REASONS) == 1, reason


def test_the_words_of_the_engine_s_source_are_all_in_the_table():
    # a template added to the engine that the wide drive does not reach is found by its text
    known = " | ".join([*(english for english, _ in (*REASONS, *DUTIES)), *STATES, *(phrase for phrase, _ in PHRASES)])
    known = known.replace("\\", "")
    found = set()
    for module in (checks, guards, standing, terms):
        tree = ast.parse(inspect.getsource(module))
        beside = {
            id(part) for node in ast.walk(tree) if isinstance(node, (ast.Expr, ast.Raise)) for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in beside:
                found.add(node.value.strip(" ,;:'"))
    # no reason is one word or a pattern
    words = {text for text in found if " " in text and not re.search(r"[{\[|]|^%", text)}
    assert len(words) > 40
    assert {text for text in words if text not in known} == set()


def test_slots_of_both_sides_are_the_same():
    for english, dutch in (*REASONS, *DUTIES):
        assert re.findall(r"\{[a-z]+\}", english) == re.findall(r"\{[a-z]+\}", dutch), english


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "asker": st.text(max_size=12) | st.sampled_from(sorted(SET.catalogue.parties)),
            "principal": st.none() | st.text(max_size=12),
            "answerer": st.text(max_size=12) | st.sampled_from(sorted(SET.catalogue.parties)),
            "purpose": st.sampled_from(sorted(SET.purposes)),
            "scheme": st.text(max_size=8) | st.sampled_from(sorted(SET.catalogue.identifiers)),
            "epoch": st.text(max_size=8),
            "match_keys": st.integers(-3, 20),
            "subjects": st.integers(-3, 10**8),
            "want": st.builds(Want, st.booleans(), st.booleans(), st.lists(st.text(max_size=9), max_size=9).map(tuple)),
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "now": st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
            "requests_today": st.integers(-5, 10**8),
            "counts_this_epoch": st.integers(-5, 10**8),
            "count_distance": st.none() | st.integers(-5, 10**8),
            "case_number": st.sampled_from(["absent", "accepted", "malformed", "looks-like-bsn", ""]),
            "register": st.none() | st.just(RegisterFacts({"valid_on": "as-of"})),
            "suspended_since": st.none()
            | st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
        },
    ),
)
def test_whatever_is_asked_the_reasons_are_dutch(asked, found):
    for check in evaluate(SET, request(**asked), facts(**found)).checks:
        assert reason_in("nl", check.reason).translated, check


def test_a_reason_of_another_engine_stays_english_and_says_so():
    said = reason_in("nl", "the moon is full")
    assert (said.text, said.translated) == (f"{NOT_TRANSLATED} the moon is full", False)
    assert reason_in("nl", "utrecht may ask, says utrecht").translated is False


def test_a_value_is_never_read_as_a_slot():
    # a name may look like anything that a name can be, also like a template's word
    assert reason_in("nl", "name may ask on behalf of shown").text == "name mag de vraag stellen namens shown"


def test_lists_in_reasons_are_dutch_too():
    said = reason_in("nl", "not in this purpose: 'x', (a word that is no name) and 3 more; allowed: none")
    assert said.text == "niet in dit doel: 'x', (een woord dat geen naam is) en nog 3; toegestaan: geen"
    assert "en nog 2" in reason_in("nl", "'x' asks; allowed: a, b and 2 more").text


def test_duties_are_dutch_and_use_the_purpose_s_own_words(decisions):
    duties = {(duty, decision_purpose) for decision_purpose, known in SET.terms.items() for duty in known.obligations}
    assert {duty.split(":")[0] for duty, _ in duties} == {
        "answer_keep_days",
        "use_only_for",
        "human_check",
        "deliver_every_days",
    }
    for duty, name in duties:
        said = duty_in("nl", duty, SET.purposes[name])
        assert said.translated, duty
        assert said.text != duty
        assert duty_in("en", duty, None).text == duty
    lost = duty_in("nl", "use_only_for: something from another set", SET.purposes["snf-locatie"])
    assert lost.translated is False


def test_every_check_has_a_question_and_advice_in_both_languages():
    assert set(QUESTIONS) == set(ADVICE) == {*CHECK_IDS, *GUARD_IDS, STANDING}
    for check in (*CHECK_IDS, *GUARD_IDS, STANDING):
        assert len({question_of(check, lang) for lang in LANGUAGES}) == len(LANGUAGES)
        assert len({advice_on(CheckResult(check, False, "no", ""), lang) for lang in LANGUAGES} - {""}) == len(
            LANGUAGES
        )
        assert all(question_of(check, lang).endswith("?") for lang in LANGUAGES)
    assert question_of("a-check-to-come", "nl") == "a-check-to-come"
    assert advice_on(CheckResult("a-check-to-come", False, "no", ""), "nl") == ""
    assert advice_on(CheckResult("asker", True, "yes", ""), "nl") == ""
    # what was not evaluated is nobody's to mend
    known, *rest = evaluate(SET, request(purpose="no-such"), facts()).checks
    assert [bool(advice_on(check, "nl")) for check in (known, *rest)] == [True, *[False] * len(rest)]
    assert (effect_in("nl", True), effect_in("nl", False)) == ("TOEGESTAAN", "GEWEIGERD")


RUNNER = CliRunner()
QUESTION = "purpose: snf-locatie\nasks: utrecht\nanswers: snf\nidentified_by: bag\nsubjects: 3\nwant: [beds]\n"


def explain(*arguments, code=0, text=QUESTION):
    given = ["explain", str(ROOT), "--request", "-", "--at", "2026-11-23T10:00:00Z", *arguments]
    result = RUNNER.invoke(app, given, input=text)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_explain_in_dutch_from_standard_input():
    shown = explain("--lang", "nl").stdout
    assert shown.startswith("TOEGESTAAN snf-locatie   2026-11-23T10:00:00Z (2026-11-23 11:00 Amsterdam)\n")
    assert (
        "Gemeente Utrecht (utrecht) bevraagt Stichting Normering Flexwonen (snf) over 3 onderwerpen met BAG-nummer"
        in shown
    )
    assert " plicht answer_keep_days: verwijder het antwoord binnen 92 dagen" in shown
    assert f"beslist volgens beleid {SET.digest[:12]}" in shown
    assert NOT_TRANSLATED not in shown


def test_explain_quotes_the_line_and_says_what_to_do():
    shown = explain(code=5, text=QUESTION.replace("utrecht", "nla")).stdout
    at = shown.index(" NO  asker")
    here = shown[at : shown.index(" yes", at)]
    assert "'nla' asks; allowed: rotterdam" in here
    assert "| asks: [municipalities]\n" in here
    assert "to do: if this party should be able to ask, add it to `asks`" in here
    assert "denied because of 1 of 23 checks: asker" in shown


def test_explain_names_slips_with_their_line():
    bad = QUESTION.replace("utrecht", "utrech").replace("beds", "bed")
    result = explain(code=5, text=bad)
    assert (
        "(standard input):2: UNKNOWN_WORD: asks: 'utrech' is no party of this policy set; did you mean" in result.stderr
    )
    assert "(standard input):6: UNKNOWN_WORD: want: 'bed' is no attribute of the catalogue; did you mean 'beds'?" in (
        result.stderr
    )
    result = explain(code=5, text=QUESTION.replace("utrecht", "municipalities"))
    assert "GROUP_IN_QUESTION: 'municipalities' is a group" in result.stderr
    result = explain("--json", code=5, text=QUESTION.replace("snf-locatie", "snf-locatei"))
    (note,) = json.loads(result.stdout)["notes"]
    assert (note["line"], note["suggestion"]) == (1, "did you mean 'snf-locatie'?")


def test_explain_as_json_keeps_what_is_logged_beside_what_is_said():
    shown = json.loads(explain("--json", "--lang", "nl").stdout)
    first = {check["id"]: check for check in shown["checks"]}["asker"]
    assert first["reason"] == "utrecht may ask"
    assert first["text"] == "utrecht mag de vraag stellen"
    assert first["line_text"] == "asks: [municipalities]"
    assert shown["obligations"][0].startswith("answer_keep_days: delete")
    assert shown["duties"][0].startswith("answer_keep_days: verwijder")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "YAML_SYNTAX"), ("purpose: snf-locatie\n", "the question does not say: asks"), ("", "EMPTY")],
)
def test_explain_refuses_a_question_it_cannot_read(text, said):
    assert said in explain(code=3, text=text).stderr
    assert json.loads(explain("--json", code=3, text=text).stdout)["ok"] is False


def test_explain_needs_a_file_that_is_there(tmp_path):
    result = RUNNER.invoke(app, ["explain", str(ROOT), "--request", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "there is no file" in result.stderr
