"""A policy set in Cedar, for a second opinion. Written from the meaning of the purposes; none of the engine is used.

One `permit` per active purpose; Cedar denies what none of them permits. Moments are microseconds since 1970 in UTC, so
that a day of the law is a pair of numbers. What the engine computes from the clock (the epoch in force) is listed out.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy

from broker.policy.document import PolicySet
from broker.policy.evaluate import Facts, Request
from broker.policy.purpose import Purpose

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_UNIX = datetime.fromisoformat("1970-01-01T00:00:00Z")
_PERIODS = {"quarter": 3, "month": 1, "year": 12}
_COUNTED = {
    "same_question": "same",
    "nested_question": "nested",
    "asked_again": "again",
    "subjects_per_hour": "hour",
    "subjects_per_epoch": "epoch",
    "hits_per_hundred": "hits",
}


def cedar_text(policies: PolicySet, name: str) -> str:
    """The Cedar policy of one purpose; empty when its state lets nothing be permitted."""
    purpose = policies.purposes[name]
    if purpose.state != "active":
        return ""
    conditions = [*_parties(purpose), *_matter(policies, purpose), *_learning(policies, purpose), *_bounds(purpose)]
    conditions += _guards(purpose)
    if policies.expires is not None:
        conditions.append(f"context.now < {micros(policies.expires)}")
    conditions += _law(policies, purpose)
    body = "\n  && ".join(f"({condition})" for condition in conditions)
    return (
        f'permit (principal, action == Action::"ask", resource == Purpose::{json.dumps(name)}) when {{\n  {body}\n}};\n'
    )


def cedar_request(request: Request, facts: Facts) -> dict[str, Any]:
    """The same question and facts as Cedar reads them. What is None is left out."""
    want = request.want
    context: dict[str, Any] = {
        "asker": request.asker,
        "answerer": request.answerer,
        "epoch": request.epoch,
        "scheme": request.scheme,
        "match_keys": request.match_keys,
        "subjects": request.subjects,
        "rows": want.hit or bool(want.attributes),
        "count": want.count,
        "attributes": list(want.attributes),
        "now": micros(facts.now),
        "requests_today": facts.requests_today,
        "counts_this_epoch": facts.counts_this_epoch,
        "case_number": facts.case_number,
        "cooperation_ref": facts.cooperation_ref,
        "modes": sorted(facts.modes_available),
    }
    if request.principal is not None:
        context["on_behalf_of"] = request.principal
    if facts.register is not None:
        context["register"] = dict(facts.register.rules)
    if facts.count_distance is not None:
        context["count_distance"] = facts.count_distance
    if facts.probing is not None:
        context["probing"] = {name: count for name, count in vars(facts.probing).items() if count is not None}
    if facts.suspended_since is not None:
        context["suspended_since"] = micros(facts.suspended_since)
    return {
        "principal": {"type": "Party", "id": request.asker},
        "action": {"type": "Action", "id": "ask"},
        "resource": {"type": "Purpose", "id": request.purpose},
        "context": context,
    }


class CedarSet:
    """A policy set compiled to Cedar, one handle per purpose."""

    def __init__(self, policies: PolicySet, texts: dict[str, str] | None = None) -> None:
        compiled = texts or {name: cedar_text(policies, name) for name in policies.purposes}
        self._nobody = cedarpy.PolicySet.from_str("")
        self._handles = {name: cedarpy.PolicySet.from_str(text) for name, text in compiled.items()}
        self._entities = cedarpy.Entities.from_json_str("[]")

    def permits(self, purpose: str, asked: Iterable[tuple[Request, Facts]]) -> list[bool]:
        """The verdict on each question, all under one purpose. A Cedar error is a failure of the test, not a denial."""
        requests = [cedar_request(request, facts) for request, facts in asked]
        verdicts = []
        for result in cedarpy.is_authorized_batch(requests, self._handles.get(purpose, self._nobody), self._entities):
            assert not result.diagnostics.errors, result.diagnostics.errors
            verdicts.append(result.allowed)
        return verdicts


def micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _UNIX) // timedelta(microseconds=1)


def _midnight(day: date) -> int:
    return micros(datetime(day.year, day.month, day.day, tzinfo=_AMSTERDAM))


def _within(first: date | None, last: date | None) -> str:
    """On or after midnight of the first day, and before the midnight after the last."""
    parts = [f"context.now >= {_midnight(first)}"] if first else []
    parts += [f"context.now < {_midnight(last + timedelta(days=1))}"] if last else []
    return " && ".join(parts) or "true"


def _strings(words: Iterable[str]) -> str:
    return json.dumps(sorted(words))


def _parties(purpose: Purpose) -> Iterator[str]:
    yield "!(context has suspended_since)"
    yield f"{_strings(purpose.asks)}.contains(context.asker)"
    yield f"{_strings(purpose.answers)}.contains(context.answerer)"
    yield "context.answerer != context.asker"
    yield "!(context has on_behalf_of) || context.on_behalf_of != context.answerer"
    processors = {pair.processor for pair in purpose.on_behalf_of}
    alone = f"!(context has on_behalf_of) && !{_strings(processors)}.contains(context.asker)"
    pairs = " || ".join(
        f"(context.asker == {json.dumps(pair.processor)} && context.on_behalf_of == {json.dumps(pair.principal)})"
        for pair in purpose.on_behalf_of
    )
    yield f"({alone}) || (context has on_behalf_of && ({pairs or 'false'}))"


def _matter(policies: PolicySet, purpose: Purpose) -> Iterator[str]:
    keys = []
    for scheme in purpose.identified_by:
        most = policies.catalogue.identifiers[scheme].match_keys
        if purpose.weakest_match_key is not None and purpose.weakest_match_key < most:
            most = purpose.weakest_match_key
        keys.append(f"(context.scheme == {json.dumps(scheme)} && context.match_keys <= {most})")
    yield f"context.match_keys >= 1 && ({' || '.join(keys)})"
    yield f"context.modes.contains({json.dumps(purpose.pseudonyms.mode)})"
    yield " || ".join(
        f"(context.epoch == {json.dumps(name)} && {_within(first, last)})" for name, first, last in _epochs(purpose)
    )


def _epochs(purpose: Purpose) -> Iterator[tuple[str, date, date]]:
    """Every epoch that touches the days of the purpose, with the first and last day on which it may be asked under."""
    length = _PERIODS[purpose.pseudonyms.epoch]
    overlap = timedelta(days=purpose.pseudonyms.overlap_days or 0)
    for year in range(purpose.valid.from_.year - 1, purpose.valid.until.year + 1):
        for start in range(1, 13, length):
            end = start + length - 1
            last = date(year, end, calendar.monthrange(year, end)[1])
            names = {3: f"{year}Q{start // 3 + 1}", 1: f"{year}-{start:02}", 12: f"{year}"}
            yield names[length], date(year, start, 1), last + overlap


def _learning(policies: PolicySet, purpose: Purpose) -> Iterator[str]:
    learn = purpose.may_learn
    held: dict[str, set[str]] = {}
    for attribute in learn.attributes:
        for holder in policies.catalogue.attributes[attribute].holders:
            for party in policies.catalogue.groups.get(holder, (holder,)):
                held.setdefault(party, set()).add(attribute)
    each = " || ".join(
        f"(context.answerer == {json.dumps(party)} && {_strings(names)}.containsAll(context.attributes))"
        for party, names in sorted(held.items())
    )
    yield f"context.attributes.isEmpty() || {each or 'false'}"
    yield "context.rows || context.count"
    yield "true" if learn.hit else "!context.rows"
    if learn.count is None:
        yield "!context.count"
        return
    yield "!(context.count && context.rows)"
    far = f"!(context has count_distance) || context.count_distance >= {learn.count.min_group}"
    few = f"context.counts_this_epoch >= 0 && context.counts_this_epoch < {learn.count.per_epoch}"
    yield f"!context.count || (({far}) && {few})"


def _bounds(purpose: Purpose) -> Iterator[str]:
    yield f"context.subjects >= 1 && context.subjects <= {purpose.limits.subjects_per_request}"
    yield f"context.requests_today >= 0 && context.requests_today < {purpose.limits.requests_per_day}"
    given = 'context.case_number == "accepted"'
    yield given if purpose.case_number else f'{given} || context.case_number == "absent"'
    yield "context.cooperation_ref" if purpose.cooperation_ref else "true"
    rules = [*_rules(purpose)]
    declared = " && ".join(
        f"context.register has {name} && context.register.{name} == {value}" for name, value in rules
    )
    yield f"!(context has register) || ({declared})" if rules else "true"


def _rules(purpose: Purpose) -> Iterator[tuple[str, str]]:
    if purpose.look_back is not None:
        yield "look_back_years", str(purpose.look_back.years)
        yield "look_back_counted_from", json.dumps(purpose.look_back.counted_from)
    if purpose.valid_on is not None:
        yield "valid_on", json.dumps(purpose.valid_on)
    if purpose.exclude_natural_persons:
        yield "exclude_natural_persons", "true"
    if purpose.hit_only_if_natural_person:
        yield "hit_only_if_natural_person", "true"


def _guards(purpose: Purpose) -> Iterator[str]:
    """What was asked before is known where anything guards against it; only guards that refuse deny."""
    probing = purpose.probing
    if probing is None:
        return
    yield "context has probing"
    for key, counted in _COUNTED.items():
        guard = getattr(probing, key)
        if guard is None or guard.then != "refuse":
            continue
        if key == "hits_per_hundred":
            yield f"!(context.probing has {counted}) || context.probing.{counted} >= {guard.at_least}"
        else:
            yield f"context.probing.{counted} <= {guard.at_most}"


def _law(policies: PolicySet, purpose: Purpose) -> Iterator[str]:
    basis = policies.catalogue.legal_bases[purpose.legal_basis]
    yield _within(purpose.valid.from_, purpose.valid.until)
    yield _within(basis.in_force.from_, basis.in_force.until)
    yield f"{purpose.answer_keep_days} <= {basis.longest_retention_days}"
