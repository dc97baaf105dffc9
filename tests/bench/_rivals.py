"""Other engines on the same rule, for `decide.py`: cedarpy and CEL, without explanations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cedarpy
import cel

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from cedar_policies import CedarSet, cedar_request, cedar_text, micros

from broker.policy.document import PolicySet
from broker.policy.evaluate import Facts, Request
from broker.policy.legal_days import epoch_name, local_day, midnight
from broker.policy.purpose import Purpose

Decide = Callable[[Request], bool]


def cedar_per_purpose(policies: PolicySet, facts: Facts) -> Decide:
    """One Cedar handle a purpose: the choice of the handle is ours."""
    compiled = CedarSet(policies)
    return lambda request: compiled.permits(request.purpose, [(request, facts)])[0]


def cedar_whole(policies: PolicySet, facts: Facts) -> Decide:
    """One Cedar handle for the whole set: the choice is Cedar's."""
    handle = cedarpy.PolicySet.from_str("".join(cedar_text(policies, name) for name in policies.purposes))
    entities = cedarpy.Entities.from_json_str("[]")

    def decide(request: Request) -> bool:
        (result,) = cedarpy.is_authorized_batch([cedar_request(request, facts)], handle, entities)
        assert not result.diagnostics.errors
        return bool(result.allowed)

    return decide


def cel_per_purpose(policies: PolicySet, facts: Facts) -> Decide:
    """One CEL program a purpose. The epoch in force is a fact here, for CEL knows no quarters."""
    programs = {name: cel.compile(cel_text(policies, purpose)) for name, purpose in policies.purposes.items()}
    day = local_day(facts.now)

    def decide(request: Request) -> bool:
        purpose = policies.purposes[request.purpose]
        context: dict[str, Any] = cedar_request(request, facts)["context"]
        context["epoch_in_force"] = epoch_name(purpose.pseudonyms.epoch, day)
        context["principal"] = request.principal or ""
        context["register"] = dict(facts.register.rules) if facts.register else {}
        context["no_register"] = facts.register is None
        return bool(programs[request.purpose].execute(context))

    return decide


def cel_text(policies: PolicySet, purpose: Purpose) -> str:
    """The rule of a purpose without counts and processors, as the samples of this bench have none."""
    assert purpose.may_learn.count is None
    assert not purpose.on_behalf_of
    return " && ".join(f"({part})" for part in _parts(policies, purpose))


def _parts(policies: PolicySet, purpose: Purpose) -> Iterator[str]:
    held = {party: sorted(attributes) for party, attributes in policies.terms[purpose.name].held.items() if attributes}
    first, end = midnight(purpose.valid.from_), midnight(purpose.valid.until + timedelta(days=1))
    yield "true" if purpose.state == "active" else "false"
    yield f"asker in {json.dumps(list(purpose.asks))} && principal == ''"
    yield f"answerer in {json.dumps(list(purpose.answers))} && answerer != asker"
    yield f"scheme in {json.dumps(list(purpose.identified_by))} && match_keys == 1"
    yield f"{json.dumps(purpose.pseudonyms.mode)} in modes && epoch == epoch_in_force"
    yield f"now >= {micros(first)} && now < {micros(end)}"
    yield " || ".join(
        f"(answerer == {json.dumps(party)} && attributes.all(a, a in {json.dumps(names)}))"
        for party, names in held.items()
    )
    yield "rows && !count" if purpose.may_learn.hit else "false"
    yield f"subjects >= 1 && subjects <= {purpose.limits.subjects_per_request}"
    yield f"requests_today >= 0 && requests_today < {purpose.limits.requests_per_day}"
    yield "case_number == 'accepted'" if purpose.case_number else "case_number in ['accepted', 'absent']"
    rules = " && ".join(f"register[{json.dumps(k)}] == {json.dumps(v)}" for k, v in purpose.register_rules().items())
    yield f"no_register || ({rules})" if rules else "true"
