"""The check on standing questions, its place in a decision, and how a change of it reads."""

import pytest
from policy_samples import bent, facts, load, request

from broker.policy.difference import Section
from broker.policy.duties import duty_steps
from broker.policy.evaluate import CHECK_IDS, STANDING, StandingFacts, evaluate

VALID = "valid: {from"
NAME = "purposes/snf-locatie.yaml"


def with_days(days):
    return load(bent(NAME, VALID, f"standing_questions: {{days: {days}}}\n{VALID}"))


STANDS = with_days(90)


@pytest.mark.parametrize(
    ("found", "met"),
    [
        (StandingFacts("same", newer=True, days=0), True),
        (StandingFacts("same", newer=True, days=90), True),
        (StandingFacts("same", newer=True, days=91), False),
        (StandingFacts("same", newer=True, days=-1), False),
        (StandingFacts("same", newer=False, days=0), False),
        (StandingFacts("other", newer=True, days=0), False),
        (StandingFacts("gone", newer=True, days=0), False),
        (StandingFacts("unknown", newer=True, days=0), False),
        (StandingFacts("no such word", newer=True, days=0), False),
        (StandingFacts("same", newer=True, days="3"), False),
        (None, False),
    ],
)
def test_when_it_is_met(found, met):
    decision = evaluate(STANDS, request(standing=True), facts(standing=found))
    assert decision.checks[-1].id == STANDING
    assert (decision.permitted, decision.checks[-1].met) == (met, met)


def test_a_question_that_does_not_stand_has_no_such_check():
    decision = evaluate(STANDS, request(), facts())
    assert tuple(check.id for check in decision.checks) == CHECK_IDS


def test_without_the_policy_s_word_none_stands():
    decision = evaluate(load({}), request(standing=True), facts(standing=StandingFacts("same", newer=True, days=0)))
    assert [check.id for check in decision.failing] == [STANDING]


@pytest.mark.parametrize(
    ("old", "new", "section", "text"),
    [
        (None, 90, Section.LOOSER, "questions may stand: not at all -> 90 days"),
        (90, 91, Section.LOOSER, "questions may stand: 90 days -> 91 days"),
        (90, 89, Section.TIGHTER, "questions may stand: 90 days -> 89 days"),
        (90, None, Section.TIGHTER, "no question may stand any more"),
    ],
)
def test_how_a_change_reads(old, new, section, text):
    before, after = (load({}) if days is None else with_days(days) for days in (old, new))
    found = list(duty_steps(before, after, "snf-locatie"))
    assert [(one.section, one.text) for one in found] == [(section, text)]
