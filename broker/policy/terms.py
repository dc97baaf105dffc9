"""A purpose prepared for deciding: sets instead of lists, and every verdict that no question can change.

A decision that has to fetch ten nested objects of a purpose it has not met for a while waits for memory more than it
computes. So what a met check says is made once per purpose, laid flat, and shared between purposes that say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from broker.policy.catalogue import Catalogue
from broker.policy.decision import CheckResult
from broker.policy.purpose import RULE_PATHS, Purpose

_STATES = {
    "draft": "a draft",
    "shadow": "in shadow: decisions are logged and nothing is released",
    "suspended": "suspended",
    "withdrawn": "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What one decision under a purpose looks up. Follows from catalogue and purpose alone.

    A `CheckResult` here is what its check says whenever it comes to that verdict.
    """

    purpose: Purpose
    active: CheckResult
    valid_from: date
    valid_until: date
    valid: CheckResult
    asks: Mapping[str, CheckResult]
    """Who may ask, with the verdict on each."""
    principals: Mapping[str, frozenset[str]]
    """Processor to the principals it may ask for. A processor never asks as itself."""
    for_itself: CheckResult
    answers: Mapping[str, CheckResult]
    identifiers: Mapping[str, CheckResult]
    match_keys: Mapping[str, int]
    """Accepted identifier to the number of its match keys that may be used."""
    mode: str
    mode_available: CheckResult
    period: str
    """Of its epochs: quarter, month or year."""
    overlap_days: int
    """On so many first days of an epoch the one before may be asked under too."""
    held: Mapping[str, frozenset[str]]
    """Answerer to the attributes that may be learned from it."""
    hit_path: str
    hit: CheckResult
    """On a question for hits or attributes."""
    no_hit: CheckResult
    """On a question for a count alone."""
    count: CheckResult | None
    """On a question for a count alone; None when no count may be learned."""
    min_group: int
    counts_per_epoch: int
    most_subjects: int
    subjects_tail: str
    most_requests: int
    requests_tail: str
    case_number: bool
    cooperation_ref: bool
    rules: Mapping[str, str | int | bool]
    rules_met: CheckResult
    no_register: CheckResult
    basis_from: date | None
    basis_until: date | None
    basis: CheckResult
    asks_text: str
    answers_text: str
    identifiers_text: str
    attributes_text: str
    valid_text: str
    obligations: tuple[str, ...]

    @property
    def first_and_last(self) -> tuple[date, date]:
        """The first and the last day on which text and law both hold; the last before the first when there is none."""
        first = max(day for day in (self.valid_from, self.basis_from) if day is not None)
        last = min(day for day in (self.valid_until, self.basis_until) if day is not None)
        return first, last


def terms_of(catalogue: Catalogue, purpose: Purpose) -> Terms:
    """The terms of a purpose whose groups are listed out and that passed every cross-check."""
    keys = {name: catalogue.identifiers[name].match_keys for name in purpose.identified_by}
    basis = catalogue.legal_bases[purpose.legal_basis]
    learn, limits, rules = purpose.may_learn, purpose.limits, purpose.register_rules()
    pairs = tuple((pair.processor, pair.principal) for pair in purpose.on_behalf_of)
    hit_path = "may_learn.hit" if "hit" in learn.model_fields_set else "may_learn"
    rules_path = RULE_PATHS.get(next(iter(rules)), next(iter(rules))) if rules else ""
    valid_text = f"{purpose.valid.from_} to {purpose.valid.until}, both included"
    mode = purpose.pseudonyms.mode
    kept = f"answers are kept {purpose.answer_keep_days} days, {purpose.legal_basis} allows"
    return Terms(
        purpose=purpose,
        active=_active(purpose.state),
        valid_from=purpose.valid.from_,
        valid_until=purpose.valid.until,
        valid=_result("purpose-valid", True, f"valid {valid_text}", "valid"),
        asks=_each("asker", purpose.asks, "{} may ask", "asks"),
        principals=_principals(pairs),
        for_itself=_result("principal", True, "asks for itself", "on_behalf_of" if pairs else "asks"),
        answers=_each("answerer", purpose.answers, "{} may be asked", "answers"),
        identifiers=_each("identifier", purpose.identified_by, "identified by {}", "identified_by"),
        match_keys={name: min(count, purpose.weakest_match_key or count) for name, count in keys.items()},
        mode=mode,
        mode_available=_result("mode", True, f"mode {mode} is available", "pseudonyms.mode"),
        period=purpose.pseudonyms.epoch,
        overlap_days=purpose.pseudonyms.overlap_days or 0,
        held=_held(catalogue, purpose),
        hit_path=hit_path,
        hit=_result(
            "hit", learn.hit, "hits may be learned" if learn.hit else "hits row by row may not be learned", hit_path
        ),
        no_hit=_result("hit", True, "no hits asked", hit_path),
        count=_counted(learn.count.min_group) if learn.count else None,
        min_group=learn.count.min_group if learn.count else 0,
        counts_per_epoch=learn.count.per_epoch if learn.count else 0,
        most_subjects=limits.subjects_per_request,
        subjects_tail=_tail(f"; allowed: 1 to {limits.subjects_per_request}"),
        most_requests=limits.requests_per_day,
        requests_tail=_tail(f"; allowed a day: {limits.requests_per_day}"),
        case_number=purpose.case_number is not None,
        cooperation_ref=purpose.cooperation_ref is not None,
        rules=rules,
        rules_met=_result("register-rules", True, f"the register declares: {', '.join(rules)}", rules_path),
        no_register=_result("register-rules", True, "no register is in force, so nothing can be answered", rules_path),
        basis_from=basis.in_force.from_,
        basis_until=basis.in_force.until,
        basis=_result(
            "legal-basis",
            purpose.answer_keep_days <= basis.longest_retention_days,
            f"{kept} {basis.longest_retention_days}",
            "legal_basis",
        ),
        asks_text=listed_names(purpose.asks),
        answers_text=listed_names(purpose.answers),
        identifiers_text=listed_names(purpose.identified_by),
        attributes_text=listed_names(tuple(sorted(learn.attributes))) or "none",
        valid_text=valid_text,
        obligations=_obligations(purpose),
    )


def listed_names(names: tuple[str, ...]) -> str:
    """At most ten names, so that a reason stays readable and an entry small."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


@lru_cache(maxsize=4096)
def _result(check: str, met: bool, reason: str, path: str) -> CheckResult:
    """One object for all purposes of which this is said."""
    return CheckResult(check, met, reason, path)


@lru_cache(maxsize=1024)
def _each(check: str, names: tuple[str, ...], reason: str, path: str) -> Mapping[str, CheckResult]:
    return {name: _result(check, True, reason.format(name), path) for name in names}


@lru_cache(maxsize=1024)
def _tail(text: str) -> str:
    return text


def _active(state: str) -> CheckResult:
    if state == "active":
        return _result("purpose-active", True, "the purpose is active", "state")
    reason = f"the purpose is {_STATES[state]}; only an active purpose permits"
    return _result("purpose-active", False, reason, "state")


def _counted(min_group: int) -> CheckResult:
    return _result("count", True, f"a count may be learned, of at least {min_group} subjects", "may_learn.count")


def _principals(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, frozenset[str]]:
    listed: dict[str, set[str]] = {}
    for processor, principal in pairs:
        listed.setdefault(processor, set()).add(principal)
    return {processor: frozenset(names) for processor, names in listed.items()}


def _held(catalogue: Catalogue, purpose: Purpose) -> Mapping[str, frozenset[str]]:
    held: dict[str, set[str]] = {answerer: set() for answerer in purpose.answers}
    for attribute in purpose.may_learn.attributes:
        for party in catalogue.holders_of(attribute) & held.keys():
            held[party].add(attribute)
    return {party: _names(frozenset(names)) for party, names in held.items()}


@lru_cache(maxsize=1024)
def _names(names: frozenset[str]) -> frozenset[str]:
    """The same set for all that hold the same: 342 municipalities mostly do."""
    return names


def _obligations(purpose: Purpose) -> tuple[str, ...]:
    """The duties that come with a permit, each a word for machines and a sentence for people."""
    duties = [f"answer_keep_days: delete the answer within {purpose.answer_keep_days} days"]
    if purpose.use_only_for is not None:
        duties.append(f"use_only_for: {purpose.use_only_for.en}")
    if purpose.human_check:
        duties.append("human_check: a person checks every hit before anything is done with it")
    if purpose.deliver_every_days is not None:
        duties.append(f"deliver_every_days: the register is renewed at least every {purpose.deliver_every_days} days")
    return tuple(duties)
