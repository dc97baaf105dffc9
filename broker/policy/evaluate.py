"""The decision: pure, total, deny by default, and explained.

`evaluate` is a function of policy set, request and facts alone; the same three give the same decision on any machine
and in any year, which is what replay checks. It never raises: what cannot be evaluated is not met.
"""

from __future__ import annotations

from datetime import datetime

from broker.errors import SluisError
from broker.policy.case_number import CaseNumber, judge
from broker.policy.checks import CHECKS, ENGINES, Case, Checks, shown
from broker.policy.decision import (
    CheckResult,
    Decision,
    Facts,
    ProbingFacts,
    RegisterFacts,
    Request,
    StandingFacts,
    decision_from_log,
    decision_to_log,
    facts_from_log,
    facts_to_log,
)
from broker.policy.document import PolicySet
from broker.policy.guards import GUARD_IDS, guards_of, reported
from broker.policy.legal_days import (
    Epoch,
    calendar_epoch,
    day_of,
    epoch_of,
    local_day,
    next_midnight,
    open_epochs,
)
from broker.policy.standing import CHECK as STANDING_CHECK
from broker.policy.standing import STANDING

__all__ = [
    "CHECK_IDS",
    "ENGINE",
    "ENGINES",
    "GUARD_IDS",
    "STANDING",
    "CheckResult",
    "Decision",
    "Epoch",
    "Facts",
    "ProbingFacts",
    "RegisterFacts",
    "Request",
    "StandingFacts",
    "day_of",
    "decision_from_log",
    "decision_to_log",
    "epoch_of",
    "evaluate",
    "facts_from_log",
    "facts_to_log",
    "judge_case_number",
    "next_midnight",
    "permits",
]

ENGINE = "sluis-engine/2"
"""Named in every entry. Any change to a verdict or a reason is a new version beside this one."""
CHECK_IDS = ("purpose-known", *(name for name, _ in CHECKS))
_NOT_EVALUATED = "could not be evaluated"
_KNOWN = CheckResult("purpose-known", True, "the purpose is in the policy set", "purpose")


def evaluate(policies: PolicySet, request: Request, facts: Facts, engine: str = ENGINE) -> Decision:
    """The decision on one question to one answerer: every check of `CHECK_IDS` in that order, then the guards, then
    `STANDING` of a question that says it stands.

    Total: an error inside a check makes it "not met" with the reason "could not be evaluated". `engine`: one of
    `ENGINES`, for replay of what an older one decided; KeyError for any other.
    """
    checks = ENGINES[engine]
    results: list[CheckResult] = []
    permitted = False
    explained: tuple[str, ...] = ()
    try:
        terms = policies.terms.get(request.purpose)
        if terms is None:
            reason = f"the policy set has no purpose named {shown(request.purpose)}"
            results.append(CheckResult("purpose-known", False, reason, ""))
        else:
            results.append(_KNOWN)
            if terms.purpose.probing is not None:
                checks = (*checks, *guards_of(terms.purpose.probing))
            if request.standing:
                checks = (*checks, *STANDING_CHECK)
            case = Case(terms, request, facts, local_day(facts.now), policies.expires)
            permitted = _run(checks, case, results)
            explained = reported(terms.purpose.probing, facts.probing)
    except Exception:  # noqa: BLE001  # deny by default: a decision must never fail to be one
        permitted = False
    done = len(results)
    ids = ("purpose-known", *(name for name, _ in checks))
    results.extend(CheckResult(name, False, _NOT_EVALUATED, "") for name in ids[done:])
    return Decision(permitted, tuple(results), (*terms.obligations, *explained) if permitted and terms else ())


def _run(checks: Checks, case: Case, results: list[CheckResult]) -> bool:
    every = True
    for name, check in checks:
        try:
            result = check(case)
        except Exception:  # noqa: BLE001  # deny by default
            result = CheckResult(name, False, _NOT_EVALUATED, "")
        results.append(result)
        if result[1] is not True:
            every = False
    return every


def permits(policies: PolicySet, request: Request, now: datetime) -> bool:
    """The bare rule without explanations, counters and case numbers: membership of sets. A cross-check for tests.

    Whenever `evaluate` permits, this does.
    """
    purpose = policies.purposes.get(request.purpose)
    if purpose is None or purpose.state != "active":
        return False
    listed = {pair.principal for pair in purpose.on_behalf_of if pair.processor == request.asker}
    held = {
        name
        for name in purpose.may_learn.attributes
        for holder in policies.catalogue.attributes[name].holders
        if request.answerer in policies.catalogue.groups.get(holder, (holder,))
    }
    want, learn = request.want, purpose.may_learn
    rows = want.hit or bool(want.attributes)
    return (
        request.asker in purpose.asks
        and (request.principal in listed if listed else request.principal is None)
        and request.answerer in purpose.answers
        and request.scheme in purpose.identified_by
        and set(want.attributes) <= held
        and (learn.hit if rows else want.count)
        and not (want.count and (rows or learn.count is None))
        and purpose.valid.from_ <= local_day(now) <= purpose.valid.until
        and calendar_epoch(request.epoch)
        in open_epochs(purpose.pseudonyms.epoch, purpose.pseudonyms.overlap_days or 0, local_day(now))
    )


def judge_case_number(policies: PolicySet, party: str, text: str | None) -> CaseNumber:
    """The verdict on a case number given by `party`; the number itself goes no further. Never raises."""
    try:
        known = policies.catalogue.parties.get(party)
        return judge(known.case_number if known else None, text)
    except (SluisError, ValueError, TypeError, AttributeError):
        return "malformed"
