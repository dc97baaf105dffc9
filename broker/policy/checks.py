"""The checks, one function each: met or not, in plain words, and where the policy says so.

A reason says what was found and what is allowed. It repeats a word of the request only when that is a plain name, and
never a case number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

from broker.policy.decision import Facts, Request
from broker.policy.legal_days import epoch_name
from broker.policy.purpose import RULE_PATHS
from broker.policy.terms import Terms, listed_names

Verdict: TypeAlias = tuple[bool, str, str]
Checks: TypeAlias = "tuple[tuple[str, Callable[[Case], Verdict]], ...]"
_PLAIN = re.compile(r"(?!.*[0-9]{8})[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Case:
    """What a check may read. `today`: the day of `facts.now` in Europe/Amsterdam."""

    terms: Terms
    request: Request
    facts: Facts
    today: date
    expires: datetime | None


def shown(word: object) -> str:
    """A word of a request, quoted, if it is a plain name without a long number in it."""
    return f"'{word}'" if isinstance(word, str) and _PLAIN.fullmatch(word) else "(a word that is no name)"


def _policy_set_current(case: Case) -> Verdict:
    if case.expires is None:
        return True, "the policy set has no expiry: it is a draft or a demonstration", ""
    current = case.facts.now < case.expires
    return current, f"the policy set {'holds until' if current else 'expired at'} {case.expires:%Y-%m-%d %H:%M} UTC", ""


def _purpose_active(case: Case) -> Verdict:
    state = case.terms.purpose.state
    if state == "active":
        return True, "the purpose is active", "state"
    return False, f"the purpose is {_STATES[state]}; only an active purpose permits", "state"


def _suspension(case: Case) -> Verdict:
    since = case.facts.suspended_since
    if since is None:
        return True, "no notice suspends the purpose", "state"
    reason = f"suspended by a signed notice since {since:%Y-%m-%d %H:%M} UTC; a new text that names the notice lifts it"
    return False, reason, "state"


_STATES = {
    "draft": "a draft",
    "shadow": "in shadow: decisions are logged and nothing is released",
    "suspended": "suspended",
    "withdrawn": "withdrawn",
}


def _purpose_valid(case: Case) -> Verdict:
    valid = case.terms.purpose.valid
    if valid.from_ <= case.today <= valid.until:
        return True, f"valid {case.terms.valid_text}", "valid"
    which = "from" if case.today < valid.from_ else "until"
    return False, f"today is {case.today}; valid {case.terms.valid_text}", f"valid.{which}"


def _asker(case: Case) -> Verdict:
    asker = case.request.asker
    if asker in case.terms.asks:
        return True, f"{asker} may ask", "asks"
    return False, f"{shown(asker)} asks; allowed: {case.terms.asks_text}", "asks"


def _principal(case: Case) -> Verdict:
    asker, principal = case.request.asker, case.request.principal
    listed = case.terms.principals.get(asker)
    if principal is None:
        if listed is None:
            return True, "asks for itself", "on_behalf_of" if case.terms.principals else "asks"
        reason = (
            f"{asker} is a processor here and must name its principal; allowed: {listed_names(tuple(sorted(listed)))}"
        )
        return False, reason, "on_behalf_of"
    if listed is not None and principal in listed:
        return True, f"{asker} may ask on behalf of {principal}", "on_behalf_of"
    return False, f"{shown(asker)} on behalf of {shown(principal)} is no listed pair", "on_behalf_of"


def _answerer(case: Case) -> Verdict:
    answerer = case.request.answerer
    if answerer in (case.request.asker, case.request.principal):
        return False, f"{shown(answerer)} would answer its own question", "answers"
    if answerer in case.terms.answers:
        return True, f"{answerer} may be asked", "answers"
    return False, f"{shown(answerer)} is asked; allowed: {case.terms.answers_text}", "answers"


def _identifier(case: Case) -> Verdict:
    scheme = case.request.scheme
    if scheme in case.terms.match_keys:
        return True, f"identified by {scheme}", "identified_by"
    return False, f"identified by {shown(scheme)}; allowed: {case.terms.identifiers_text}", "identified_by"


def _match_keys(case: Case) -> Verdict:
    most = case.terms.match_keys.get(case.request.scheme)
    if most is None:
        return False, "an identifier that is not accepted has no match keys", "identified_by"
    used = case.request.match_keys
    weakest = case.terms.purpose.weakest_match_key is not None
    path = "weakest_match_key" if weakest else f"catalogue.identifiers.{case.request.scheme}.match_keys"
    return 1 <= used <= most, f"match keys used: {used:d}; allowed: 1 to {most}", path


def _epoch(case: Case) -> Verdict:
    expected = epoch_name(case.terms.purpose.pseudonyms.epoch, case.today)
    if case.request.epoch == expected:
        return True, f"{expected} is the epoch in force", "pseudonyms.epoch"
    return False, f"{shown(case.request.epoch)} is not the epoch in force, {expected}", "pseudonyms.epoch"


def _mode(case: Case) -> Verdict:
    mode = case.terms.purpose.pseudonyms.mode
    if mode in case.facts.modes_available:
        return True, f"mode {mode} is available", "pseudonyms.mode"
    return False, f"mode {mode} is not available at this broker", "pseudonyms.mode"


def _attributes(case: Case) -> Verdict:
    wanted = case.request.want.attributes
    if not wanted:
        return True, "no attributes asked", "may_learn"
    held = case.terms.held.get(case.request.answerer, frozenset())
    if held.issuperset(wanted):
        return True, f"asked and allowed: {listed_names(wanted)}", "may_learn.attributes"
    agreed = case.terms.purpose.may_learn.attributes
    strange = [name for name in wanted if name not in agreed]
    path = "may_learn.attributes" if agreed else "may_learn"
    if strange:
        return False, f"not in this purpose: {_some(strange)}; allowed: {case.terms.attributes_text}", path
    missing = [name for name in wanted if name not in held]
    return False, f"{shown(case.request.answerer)} does not hold: {_some(missing)}", path


def _hit(case: Case) -> Verdict:
    want, learn = case.request.want, case.terms.purpose.may_learn
    path = "may_learn.hit" if "hit" in learn.model_fields_set else "may_learn"
    if not (want.hit or want.count or want.attributes):
        return False, "the question asks for nothing: neither hits, a count nor attributes", path
    if not (want.hit or want.attributes):
        return True, "no hits asked", path
    return learn.hit, "hits may be learned" if learn.hit else "hits row by row may not be learned", path


def _count(case: Case) -> Verdict:
    want, rule = case.request.want, case.terms.purpose.may_learn.count
    if not want.count:
        return True, "no count asked", "may_learn"
    if rule is None:
        return False, "no count may be learned", "may_learn"
    if want.hit or want.attributes:
        return False, "a count cannot be asked together with hits or attributes; ask twice", "may_learn.count"
    return True, f"a count may be learned, of at least {rule.min_group} subjects", "may_learn.count"


def _subjects(case: Case) -> Verdict:
    most, asked = case.terms.purpose.limits.subjects_per_request, case.request.subjects
    return 1 <= asked <= most, f"subjects asked about: {asked:d}; allowed: 1 to {most}", "limits.subjects_per_request"


def _requests(case: Case) -> Verdict:
    most, done = case.terms.purpose.limits.requests_per_day, case.facts.requests_today
    return (
        0 <= done < most,
        f"requests permitted earlier today: {done:d}; allowed a day: {most}",
        "limits.requests_per_day",
    )


def _case_number(case: Case) -> Verdict:
    required, found = case.terms.purpose.case_number, case.facts.case_number
    path = "case_number" if required else ""
    if found == "absent":
        return not required, "a case number is required, and none was given" if required else "none is required", path
    if found == "accepted":
        return True, "a case number was given, in the asker's own form", path
    form = f"catalogue.parties.{case.request.asker}.case_number"
    if found == "looks-like-bsn":
        return False, "the case number looks like a BSN; give one that holds no BSN", form
    if found == "malformed":
        return False, "the case number does not have the form of the asker's case numbers", form
    raise ValueError("an unknown verdict")


def _cooperation_ref(case: Case) -> Verdict:
    if not case.terms.purpose.cooperation_ref:
        return True, "none is required", ""
    if case.facts.cooperation_ref is True:
        return True, "a co-operation reference was given", "cooperation_ref"
    return False, "a co-operation reference is required, and none was given", "cooperation_ref"


def _register_rules(case: Case) -> Verdict:
    demanded, register = case.terms.rules, case.facts.register
    if not demanded:
        return True, "no row rules are demanded", ""
    path = RULE_PATHS.get(next(iter(demanded)), next(iter(demanded)))
    if register is None:
        return True, "no register is in force, so nothing can be answered", path
    for name, value in demanded.items():
        found = register.rules.get(name)
        if type(found) is not type(value) or found != value:
            where = RULE_PATHS.get(name, name)
            return False, f"the register does not declare the rule {name} = {str(value).lower()}", where
    return True, f"the register declares: {', '.join(demanded)}", path


def _count_distance(case: Case) -> Verdict:
    rule, distance = case.terms.purpose.may_learn.count, case.facts.count_distance
    if not case.request.want.count:
        return True, "no count asked", "may_learn"
    if rule is None:
        return False, "no count may be learned", "may_learn"
    if distance is None:
        return True, "no earlier count to compare with", "may_learn.count.min_group"
    reason = f"subjects by which it differs from an earlier count: {distance:d}; at least {rule.min_group}"
    return distance >= rule.min_group, reason, "may_learn.count.min_group"


def _counts_per_epoch(case: Case) -> Verdict:
    rule, done = case.terms.purpose.may_learn.count, case.facts.counts_this_epoch
    if not case.request.want.count:
        return True, "no count asked", "may_learn"
    if rule is None:
        return False, "no count may be learned", "may_learn"
    reason = f"counts permitted earlier in this epoch: {done:d}; allowed: {rule.per_epoch}"
    return 0 <= done < rule.per_epoch, reason, "may_learn.count.per_epoch"


def _legal_basis(case: Case) -> Verdict:
    terms = case.terms
    name, kept = terms.purpose.legal_basis, terms.purpose.answer_keep_days
    if (terms.basis_from and case.today < terms.basis_from) or (terms.basis_until and case.today > terms.basis_until):
        return False, f"{name} is not in force on {case.today}", f"catalogue.legal_bases.{name}.in_force"
    kept_text = f"answers are kept {kept} days, {name} allows {terms.basis_retention}"
    return kept <= terms.basis_retention, kept_text, "legal_basis"


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
"""Every check after `purpose-known`, in the order in which they are always evaluated and logged."""
ENGINES: Mapping[str, Checks] = {
    "sluis-engine/1": tuple(check for check in CHECKS if check[0] != "suspension"),
    "sluis-engine/2": CHECKS,
}
"""The checks of every engine that ever decided: what replay needs. An engine in use is never changed."""
