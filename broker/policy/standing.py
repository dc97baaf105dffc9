"""The check on a standing question: an earlier one that is put again because the register behind its answer is newer.

It is evaluated behind the other checks, and only for a question that says it stands. Such a question is one more
exchange: every other check, limit and guard holds for it too.
"""

from __future__ import annotations

from typing import Final

from broker.policy.checks import Case, Checks
from broker.policy.decision import CheckResult

STANDING: Final = "standing-question"
_PATH = "standing_questions"
_NOT_FIRST = {
    "unknown": "its first question is not known: none of yours to this answerer, under this purpose and key, that may "
    "stand",
    "other": "it is not the question that it says it is: other subjects, or something else is asked of them",
    "gone": "the subjects of its first question are kept no longer, so nothing shows that it is the same question",
}
"""What is said where the question is not its first one put again."""


def _standing(case: Case) -> CheckResult:
    rule, facts = case.terms.purpose.standing_questions, case.facts.standing
    if rule is None:
        return CheckResult(STANDING, False, "no question may stand under this purpose", "")
    if facts is None:
        return CheckResult(STANDING, False, "what its first question was is not among the facts", _PATH)
    if facts.first != "same":
        return CheckResult(STANDING, False, _NOT_FIRST[facts.first], _PATH)
    if not facts.newer:
        text = "the answerer has published nothing newer than what answered it last"
        return CheckResult(STANDING, False, text, _PATH)
    text = f"days since its first question: {facts.days:d}; at most {rule.days}"
    return CheckResult(STANDING, 0 <= facts.days <= rule.days, text, f"{_PATH}.days")


CHECK: Checks = ((STANDING, _standing),)
"""The check, under its id."""
FIRST: Final = ("same", *_NOT_FIRST)
"""How a question stands to the first one that it names, in words of the log."""
