"""The checks, one function each: met or not, in plain words, and where the policy says so.

A reason says what was found and what is allowed. It repeats a word of the request only when that is a plain name, and
never a case number. What a check says of every question alike stands ready in `Terms`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import TypeAlias

from broker.policy.decision import CheckResult, Facts, Request
from broker.policy.legal_days import calendar_epoch, open_epochs
from broker.policy.purpose import RULE_PATHS
from broker.policy.terms import Terms, listed_names

Check: TypeAlias = "Callable[[Case], CheckResult]"
Checks: TypeAlias = tuple[tuple[str, Check], ...]
_PLAIN = re.compile(r"(?!.*[0-9]{8})[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHOWN = 5
# CheckResult(...) without its Python-level __new__: a third of a decision's time otherwise
_result: Callable[[tuple[str, bool, str, str]], CheckResult] = partial(tuple.__new__, CheckResult)


@dataclass(slots=True)
class Case:
    """What a check may read, and never changes. `today`: the day of `facts.now` in Europe/Amsterdam."""

    terms: Terms
    request: Request
    facts: Facts
    today: date
    expires: datetime | None


def shown(word: object) -> str:
    """A word of a request, quoted, if it is a plain name without a long number in it."""
    return f"'{word}'" if isinstance(word, str) and _PLAIN.fullmatch(word) else "(a word that is no name)"


_NO_EXPIRY = _result(("policy-set-current", True, "the policy set has no expiry: it is a draft or a demonstration", ""))
_NO_NOTICE = _result(("suspension", True, "no notice suspends the purpose", "state"))
_NOTHING_WANTED = "the question asks for nothing: neither hits, a count nor attributes"
_NO_ATTRIBUTES = _result(("attributes", True, "no attributes asked", "may_learn"))
_NO_COUNT = {
    name: _result((name, True, "no count asked", "may_learn"))
    for name in ("count", "count-distance", "counts-per-epoch")
}
_COUNT_FORBIDDEN = {
    name: _result((name, False, "no count may be learned", "may_learn"))
    for name in ("count", "count-distance", "counts-per-epoch")
}
_COUNT_ALONE = _result(
    ("count", False, "a count cannot be asked together with hits or attributes; ask twice", "may_learn.count")
)
_FIRST_COUNT = _result(("count-distance", True, "no earlier count to compare with", "may_learn.count.min_group"))
_CASE_NUMBER = {
    (True, "absent"): _result(("case-number", False, "a case number is required, and none was given", "case_number")),
    (False, "absent"): _result(("case-number", True, "none is required", "")),
    (True, "accepted"): _result(
        ("case-number", True, "a case number was given, in the asker's own form", "case_number")
    ),
    (False, "accepted"): _result(("case-number", True, "a case number was given, in the asker's own form", "")),
}
_CASE_NUMBER_WRONG = {
    "looks-like-bsn": "the case number looks like a BSN; give one that holds no BSN",
    "malformed": "the case number does not have the form of the asker's case numbers",
}
_NO_COOPERATION = _result(("cooperation-ref", True, "none is required", ""))
_COOPERATION = {
    True: _result(("cooperation-ref", True, "a co-operation reference was given", "cooperation_ref")),
    False: _result(
        ("cooperation-ref", False, "a co-operation reference is required, and none was given", "cooperation_ref")
    ),
}
_NO_RULES = _result(("register-rules", True, "no row rules are demanded", ""))


def _policy_set_current(case: Case) -> CheckResult:
    if case.expires is None:
        return _NO_EXPIRY
    return _expiry(case.expires)[case.facts.now < case.expires]


@lru_cache(maxsize=64)
def _expiry(expires: datetime) -> tuple[CheckResult, CheckResult]:
    """What is said of a set with this expiry after it and before it."""
    until = f"{expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return (
        _result(("policy-set-current", False, f"the policy set expired at {until}", "")),
        _result(("policy-set-current", True, f"the policy set holds until {until}", "")),
    )


def _purpose_active(case: Case) -> CheckResult:
    return case.terms.active


def _suspension(case: Case) -> CheckResult:
    since = case.facts.suspended_since
    if since is None:
        return _NO_NOTICE
    reason = f"suspended by a signed notice since {since:%Y-%m-%d %H:%M} UTC; a new text that names the notice lifts it"
    return _result(("suspension", False, reason, "state"))


def _purpose_valid(case: Case) -> CheckResult:
    terms, today = case.terms, case.today
    if terms.valid_from <= today <= terms.valid_until:
        return terms.valid
    which = "from" if today < terms.valid_from else "until"
    return _result(("purpose-valid", False, f"today is {today}; valid {terms.valid_text}", f"valid.{which}"))


def _asker(case: Case) -> CheckResult:
    asker = case.request.asker
    known = case.terms.asks.get(asker)
    if known is not None:
        return known
    return _result(("asker", False, f"{shown(asker)} asks; allowed: {case.terms.asks_text}", "asks"))


def _principal(case: Case) -> CheckResult:
    asker, principal = case.request.asker, case.request.principal
    listed = case.terms.principals.get(asker)
    if principal is None:
        if listed is None:
            return case.terms.for_itself
        allowed = listed_names(tuple(sorted(listed)))
        reason = f"{asker} is a processor here and must name its principal; allowed: {allowed}"
        return _result(("principal", False, reason, "on_behalf_of"))
    if listed is not None and principal in listed:
        return _result(("principal", True, f"{asker} may ask on behalf of {principal}", "on_behalf_of"))
    reason = f"{shown(asker)} on behalf of {shown(principal)} is no listed pair"
    return _result(("principal", False, reason, "on_behalf_of"))


def _answerer(case: Case) -> CheckResult:
    request = case.request
    answerer = request.answerer
    if answerer in (request.asker, request.principal):
        return _result(("answerer", False, f"{shown(answerer)} would answer its own question", "answers"))
    known = case.terms.answers.get(answerer)
    if known is not None:
        return known
    reason = f"{shown(answerer)} is asked; allowed: {case.terms.answers_text}"
    return _result(("answerer", False, reason, "answers"))


def _identifier(case: Case) -> CheckResult:
    scheme = case.request.scheme
    known = case.terms.identifiers.get(scheme)
    if known is not None:
        return known
    reason = f"identified by {shown(scheme)}; allowed: {case.terms.identifiers_text}"
    return _result(("identifier", False, reason, "identified_by"))


def _match_keys(case: Case) -> CheckResult:
    scheme = case.request.scheme
    most = case.terms.match_keys.get(scheme)
    if most is None:
        reason = "an identifier that is not accepted has no match keys"
        return _result(("match-keys", False, reason, "identified_by"))
    used = case.request.match_keys
    weakest = case.terms.purpose.weakest_match_key is not None
    path = "weakest_match_key" if weakest else f"catalogue.identifiers.{scheme}.match_keys"
    return _result(("match-keys", 1 <= used <= most, f"match keys used: {used:d}; allowed: 1 to {most}", path))


def _epoch(case: Case) -> CheckResult:
    expected, *before = open_epochs(case.terms.period, case.terms.overlap_days, case.today)
    asked = case.request.epoch
    calendar = calendar_epoch(asked)
    if calendar == expected:
        return _result(("epoch", True, f"{expected} is the epoch in force", "pseudonyms.epoch"))
    if calendar in before:
        reason = f"{calendar} is the epoch before {expected}, and they overlap for {case.terms.overlap_days} days"
        return _result(("epoch", True, reason, "pseudonyms.overlap_days"))
    reason = f"{shown(asked)} is not the epoch in force, {expected}"
    return _result(("epoch", False, reason, "pseudonyms.epoch"))


def _mode(case: Case) -> CheckResult:
    terms = case.terms
    if terms.mode in case.facts.modes_available:
        return terms.mode_available
    return _result(("mode", False, f"mode {terms.mode} is not available at this broker", "pseudonyms.mode"))


def _attributes(case: Case) -> CheckResult:
    wanted, answerer = case.request.want.attributes, case.request.answerer
    if not wanted:
        return _NO_ATTRIBUTES
    held = case.terms.held.get(answerer, frozenset())
    if held.issuperset(wanted):
        return _result(("attributes", True, f"asked and allowed: {listed_names(wanted)}", "may_learn.attributes"))
    agreed = case.terms.purpose.may_learn.attributes
    strange = [name for name in wanted if name not in agreed]
    path = "may_learn.attributes" if agreed else "may_learn"
    if strange:
        reason = f"not in this purpose: {_some(strange)}; allowed: {case.terms.attributes_text}"
        return _result(("attributes", False, reason, path))
    missing = [name for name in wanted if name not in held]
    return _result(("attributes", False, f"{shown(answerer)} does not hold: {_some(missing)}", path))


def _hit(case: Case) -> CheckResult:
    want = case.request.want
    if want.hit or want.attributes:
        return case.terms.hit
    if want.count:
        return case.terms.no_hit
    return _result(("hit", False, _NOTHING_WANTED, case.terms.hit_path))


def _count(case: Case) -> CheckResult:
    want, allowed = case.request.want, case.terms.count
    if not want.count:
        return _NO_COUNT["count"]
    if allowed is None:
        return _COUNT_FORBIDDEN["count"]
    return _COUNT_ALONE if want.hit or want.attributes else allowed


def _subjects(case: Case) -> CheckResult:
    terms, asked = case.terms, case.request.subjects
    reason = f"subjects asked about: {asked:d}{terms.subjects_tail}"
    met = 1 <= asked <= terms.most_subjects
    return _result(("subjects-per-request", met, reason, "limits.subjects_per_request"))


def _requests(case: Case) -> CheckResult:
    terms, done = case.terms, case.facts.requests_today
    reason = f"requests permitted earlier today: {done:d}{terms.requests_tail}"
    return _result(("requests-per-day", 0 <= done < terms.most_requests, reason, "limits.requests_per_day"))


def _case_number(case: Case) -> CheckResult:
    found = case.facts.case_number
    known = _CASE_NUMBER.get((case.terms.case_number, found))
    if known is not None:
        return known
    form = f"catalogue.parties.{case.request.asker}.case_number"
    return _result(("case-number", False, _CASE_NUMBER_WRONG[found], form))


def _cooperation_ref(case: Case) -> CheckResult:
    if not case.terms.cooperation_ref:
        return _NO_COOPERATION
    return _COOPERATION[case.facts.cooperation_ref is True]


def _register_rules(case: Case) -> CheckResult:
    demanded, register = case.terms.rules, case.facts.register
    if not demanded:
        return _NO_RULES
    if register is None:
        return case.terms.no_register
    for name, value in demanded.items():
        found = register.rules.get(name)
        if type(found) is not type(value) or found != value:
            reason = f"the register does not declare the rule {name} = {str(value).lower()}"
            return _result(("register-rules", False, reason, RULE_PATHS.get(name, name)))
    return case.terms.rules_met


def _count_distance(case: Case) -> CheckResult:
    if not case.request.want.count:
        return _NO_COUNT["count-distance"]
    terms, distance = case.terms, case.facts.count_distance
    if terms.count is None:
        return _COUNT_FORBIDDEN["count-distance"]
    if distance is None:
        return _FIRST_COUNT
    reason = f"subjects by which it differs from an earlier count: {distance:d}; at least {terms.min_group}"
    return _result(("count-distance", distance >= terms.min_group, reason, "may_learn.count.min_group"))


def _counts_per_epoch(case: Case) -> CheckResult:
    if not case.request.want.count:
        return _NO_COUNT["counts-per-epoch"]
    terms, done = case.terms, case.facts.counts_this_epoch
    if terms.count is None:
        return _COUNT_FORBIDDEN["counts-per-epoch"]
    reason = f"counts permitted earlier in this epoch: {done:d}; allowed: {terms.counts_per_epoch}"
    met = 0 <= done < terms.counts_per_epoch
    return _result(("counts-per-epoch", met, reason, "may_learn.count.per_epoch"))


def _legal_basis(case: Case) -> CheckResult:
    terms, today = case.terms, case.today
    if (terms.basis_from and today < terms.basis_from) or (terms.basis_until and today > terms.basis_until):
        name = terms.purpose.legal_basis
        path = f"catalogue.legal_bases.{name}.in_force"
        return _result(("legal-basis", False, f"{name} is not in force on {today}", path))
    return terms.basis


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shown(name) for name in names[:_SHOWN]) + more


CHECKS: Checks = (
    ("policy-set-current", _policy_set_current),
    ("purpose-active", _purpose_active),
    ("suspension", _suspension),
    ("purpose-valid", _purpose_valid),
    ("asker", _asker),
    ("principal", _principal),
    ("answerer", _answerer),
    ("identifier", _identifier),
    ("match-keys", _match_keys),
    ("mode", _mode),
    ("epoch", _epoch),
    ("attributes", _attributes),
    ("hit", _hit),
    ("count", _count),
    ("subjects-per-request", _subjects),
    ("requests-per-day", _requests),
    ("case-number", _case_number),
    ("cooperation-ref", _cooperation_ref),
    ("register-rules", _register_rules),
    ("count-distance", _count_distance),
    ("counts-per-epoch", _counts_per_epoch),
    ("legal-basis", _legal_basis),
)
"""Every check after `purpose-known`, in the order in which they are always evaluated and logged, under its id."""
ENGINES: Mapping[str, Checks] = {
    "sluis-engine/1": tuple(check for check in CHECKS if check[0] != "suspension"),
    "sluis-engine/2": CHECKS,
}
"""The checks of every engine that ever decided: what replay needs. An engine in use is never changed."""
