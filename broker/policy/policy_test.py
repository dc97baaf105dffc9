"""The officer's tests: cases with a pinned clock, what is expected, and because of which checks.

A test file says what a purpose must permit and deny, in the words of the purpose. A denial names exactly the checks
that fail, so that a test cannot pass for the wrong reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from broker.exchange import Want
from broker.policy.document import PolicySet
from broker.policy.evaluate import (
    CHECK_IDS,
    GUARD_IDS,
    STANDING,
    Decision,
    Facts,
    ProbingFacts,
    RegisterFacts,
    Request,
    StandingFacts,
    epoch_of,
    evaluate,
    judge_case_number,
)
from broker.policy.holds import Holds, broken_holds
from broker.policy.problems import Problem, did_you_mean
from broker.policy.schema import read_model
from broker.policy.strict_yaml import PlainScalar, YamlFile, read_yaml
from broker.policy.typing_text import Closed, Flag, Name, Number, Text, moment, refuse_value

__all__ = [
    "TEST_SUFFIX",
    "CaseResult",
    "Question",
    "TestFile",
    "pose",
    "read_question",
    "run_tests",
    "untested",
]

TEST_SUFFIX = "_test.yaml"


def _null(value: Any) -> Any:
    return None if isinstance(value, PlainScalar) and value == "null" else value


def _rule_value(value: Any) -> Any:
    if isinstance(value, PlainScalar) and value in ("true", "false"):
        return value == "true"
    if isinstance(value, PlainScalar) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, str):
        return str(value)
    return refuse_value("WRONG_SHAPE", "a rule is true, false, a number or a word", "write it as the purpose does")


Moment = Annotated[datetime, BeforeValidator(moment)]
MaybeMoment = Annotated[Moment | None, BeforeValidator(_null)]
MaybeText = Annotated[Text | None, BeforeValidator(_null)]
MaybeName = Annotated[Name | None, BeforeValidator(_null)]
MaybeNumber = Annotated[Number | None, BeforeValidator(_null)]
RuleValue = Annotated[bool | int | str, BeforeValidator(_rule_value)]
MaybeRules = Annotated[dict[str, RuleValue] | None, BeforeValidator(_null)]


class AskedBefore(Closed):
    """What the asker asked earlier under the purpose, as the guards against probing count it. Left out: nothing."""

    same: Number = 0
    nested: Number = 0
    again: Number = 0
    hour: MaybeNumber = None
    epoch: MaybeNumber = None
    hits: MaybeNumber = None

    def facts(self, subjects: int) -> ProbingFacts:
        """The facts of a question about `subjects`, which count for hour and epoch where those are left out."""
        hour, epoch = (subjects if told is None else told for told in (self.hour, self.epoch))
        return ProbingFacts(self.same, self.nested, self.again, hour, epoch, self.hits)


class Standing(Closed):
    """That the question is an earlier one put again. Left out: the same, after no day, and something newer is there."""

    first: Literal["same", "unknown", "other", "gone"] = "same"
    newer: Flag = True
    days: Number = 0

    def facts(self) -> StandingFacts:
        """As the broker would find them."""
        return StandingFacts(self.first, self.newer, self.days)


MaybeStanding = Annotated[Standing | None, BeforeValidator(_null)]


class Question(Closed):
    """A question and the facts around it, in the words of a purpose. What is left out has the value shown here.

    `epoch`: the one in force. `want`: attribute names, `hit`, `count`. `register_rules`: what the register declares;
    left out, it declares what the purpose demands; null, there is no register. `suspended_since`: when a notice
    suspended the purpose.
    """

    purpose: Name | None = None
    at: Moment | None = None
    asks: Name | None = None
    on_behalf_of: MaybeName = None
    answers: Name | None = None
    identified_by: Name | None = None
    match_keys: Number = 1
    epoch: Text | None = None
    want: tuple[Name, ...] | None = None
    subjects: Number = 1
    case_number: MaybeText = None
    cooperation_ref: MaybeText = None
    requests_today: Number = 0
    counts_this_epoch: Number = 0
    count_distance: MaybeNumber = None
    register_rules: MaybeRules = None
    asked_before: AskedBefore = AskedBefore()
    standing: MaybeStanding = None
    oblivious_available: Flag = True
    suspended_since: MaybeMoment = None

    def over(self, given: Question) -> Question:
        """This question laid over `given`: what is written here counts."""
        written = {name: getattr(self, name) for name in self.model_fields_set}
        return given.model_copy(update=written)


class Expectation(Closed):
    """One case: what changes against `given`, and what must come of it."""

    name: Text
    when: Question = Question()
    expect: Literal["permit", "deny"]
    because: tuple[Name, ...] = ()


class TestFile(Closed):
    """`policies/tests/<purpose>_test.yaml`. `holds`: lines that decide nothing at the gate, and must not change."""

    __test__ = False  # not for pytest

    purpose: Name
    at: Moment
    given: Question
    holds: Holds = Field(default_factory=dict)
    cases: Annotated[tuple[Expectation, ...], Field(min_length=1)]


@dataclass(frozen=True)
class CaseResult:
    """What became of one case. `failing`: the checks that were not met; `where`: file:line of the case."""

    where: str
    purpose: str
    name: str
    passed: bool
    expected: str
    expected_because: tuple[str, ...]
    effect: str
    failing: tuple[str, ...]
    decision: Decision


def run_tests(policies: PolicySet, texts: Mapping[str, str]) -> tuple[tuple[CaseResult, ...], tuple[Problem, ...]]:
    """The results of every case in `texts` (file name to text), and the problems of files that cannot be run."""
    files, problems = read_tests(policies, texts)
    results = [
        run_case(policies, tests, source, position) for tests, source in files for position in range(len(tests.cases))
    ]
    return tuple(results), problems


def read_tests(
    policies: PolicySet, texts: Mapping[str, str]
) -> tuple[tuple[tuple[TestFile, YamlFile], ...], tuple[Problem, ...]]:
    """The test files that can be run, and the problems of those that cannot."""
    files: list[tuple[TestFile, YamlFile]] = []
    problems: list[Problem] = []
    for file, text in sorted(texts.items()):
        source, found = read_yaml(text, file)
        problems += found
        if source is None:
            continue
        tests, found = read_model(TestFile, source)
        problems += found
        if tests is None:
            continue
        wrong = tuple(_file_problems(policies, tests, source))
        problems += wrong
        if not wrong:
            files.append((tests, source))
    return tuple(files), tuple(problems)


def untested(policies: PolicySet, results: tuple[CaseResult, ...]) -> tuple[str, ...]:
    """Purposes without a case that expects a denial, or, where active, without one that expects a permit."""
    held = {(result.purpose, result.expected) for result in results}
    return tuple(
        name
        for name, purpose in sorted(policies.purposes.items())
        if (name, "deny") not in held or (purpose.state == "active" and (name, "permit") not in held)
    )


def pose(policies: PolicySet, question: Question) -> tuple[Request, Facts]:
    """The request and facts that a complete question stands for. `question.at` and `question.purpose` must be set."""
    assert question.at is not None
    name = question.purpose or ""
    purpose = policies.purposes.get(name)
    want = question.want or ()
    request = Request(
        asker=question.asks or "",
        principal=question.on_behalf_of,
        answerer=question.answers or "",
        purpose=name,
        epoch=question.epoch or (epoch_of(purpose, question.at).name if purpose else ""),
        scheme=question.identified_by or "",
        match_keys=question.match_keys,
        want=Want("hit" in want, "count" in want, tuple(w for w in want if w not in ("hit", "count"))),
        subjects=question.subjects,
        standing=question.standing is not None,
    )
    register: RegisterFacts | None = None
    if "register_rules" not in question.model_fields_set:
        register = RegisterFacts(purpose.register_rules() if purpose else {})
    elif question.register_rules is not None:
        register = RegisterFacts(question.register_rules)
    facts = Facts(
        now=question.at,
        requests_today=question.requests_today,
        counts_this_epoch=question.counts_this_epoch,
        case_number=judge_case_number(policies, request.asker, question.case_number),
        cooperation_ref=question.cooperation_ref is not None,
        register=register,
        count_distance=question.count_distance,
        modes_available=frozenset({"keyed", "oblivious"} if question.oblivious_available else {"keyed"}),
        suspended_since=question.suspended_since,
        probing=question.asked_before.facts(question.subjects) if purpose and purpose.probing else None,
        standing=None if question.standing is None else question.standing.facts(),
    )
    return request, facts


def missing(question: Question) -> tuple[str, ...]:
    """What a question must say and does not."""
    needed = ("asks", "answers", "identified_by", "want")
    return tuple(name for name in needed if getattr(question, name) is None)


def _file_problems(policies: PolicySet, tests: TestFile, source: YamlFile) -> list[Problem]:
    problems = []
    known = (*CHECK_IDS, *GUARD_IDS, STANDING)
    if tests.purpose not in policies.purposes:
        text = f"'{tests.purpose}' is no purpose"
        hint = did_you_mean(tests.purpose, policies.purposes)
        problems.append(Problem(source.file, source.line(("purpose",)), "UNKNOWN_WORD", text, hint))
    else:
        problems += broken_holds(policies.catalogue, policies.purposes[tests.purpose], tests.holds, source)
    for position, case in enumerate(tests.cases):
        line = source.line(("cases", position))
        absent = missing(case.when.over(tests.given))
        if absent:
            text = f"the question does not say: {', '.join(absent)}"
            problems.append(Problem(source.file, line, "MISSING", text, "add it to `given` or `when`"))
        if (case.expect == "deny") != bool(case.because):
            text = "a denial says because of which checks, a permit has none"
            problems.append(Problem(source.file, line, "BECAUSE", text, "write `because: [attributes]`"))
        for check in case.because:
            if check not in known:
                hint = did_you_mean(check, known)
                where = source.line(("cases", position, "because"))
                problems.append(Problem(source.file, where, "UNKNOWN_WORD", f"'{check}' is no check", hint))
    return problems


def run_case(policies: PolicySet, tests: TestFile, source: YamlFile, position: int) -> CaseResult:
    """What becomes of one case under `policies`."""
    case = tests.cases[position]
    question = case.when.over(tests.given)
    named = question.purpose or tests.purpose
    whole_ = question.model_copy(update={"purpose": named, "at": question.at or tests.at})
    decision = evaluate(policies, *pose(policies, whole_))
    effect = "permit" if decision.permitted else "deny"
    failing = tuple(check.id for check in decision.failing)
    return CaseResult(
        where=f"{source.file}:{source.line(('cases', position))}",
        purpose=named,
        name=case.name,
        passed=effect == case.expect and set(failing) == set(case.because),
        expected=case.expect,
        expected_because=case.because,
        effect=effect,
        failing=failing,
        decision=decision,
    )


def read_question(text: str, file: str) -> tuple[Question | None, tuple[Problem, ...]]:
    """A question from a file of its own, as `sluis policy explain` takes it; `purpose` is needed too."""
    source, problems = read_yaml(text, file)
    if source is None:
        return None, problems
    question, problems = read_model(Question, source)
    if question is None:
        return None, problems
    absent = (*(() if question.purpose else ("purpose",)), *missing(question))
    if absent:
        text_ = f"the question does not say: {', '.join(absent)}"
        return None, (Problem(file, 1, "MISSING", text_, "add it"),)
    return question, ()
