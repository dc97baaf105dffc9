"""A question and its decision as AuthZEN has them (OpenID Authorization API 1.0, Dutch government profile NL GOV).

For a party whose gateway speaks AuthZEN, or whose log of decisions expects it. No case number, nothing of a subject and
no word with a long number in it stands in it. A question that was not put to a broker has no `traceparent`.
`processing_activity_id` should not leave an organisation (NL GOV): it is for the asker's own log.
"""

from __future__ import annotations

from typing import Any

from broker.policy.checks import shown
from broker.policy.document import PolicySet
from broker.policy.evaluate import ENGINE, Decision, Facts, Request
from broker.policy.wording import Lang, duty_in, reason_in


def to_authzen(policies: PolicySet, request: Request, facts: Facts, decision: Decision, lang: Lang) -> dict[str, Any]:
    """The pair `request` and `response`. `lang`: of the reasons that are meant for people."""
    purpose = policies.purposes.get(request.purpose)
    properties: dict[str, Any] = {"purpose": _plain(request.purpose)}
    if purpose is not None:
        properties["processing_activity_id"] = purpose.processing_activity
    wanted = [_plain(name) for name in request.want.attributes]
    wanted += ["hit"] if request.want.hit else []
    wanted += ["count"] if request.want.count else []
    failing = {check.id: reason_in(lang, check.reason).text for check in decision.failing}
    return {
        "request": {
            "subject": _party(policies, request.asker, on_behalf_of=request.principal),
            "action": {"name": "match", "properties": properties},
            "resource": {
                "type": "register",
                "id": f"{_plain(request.answerer)}/{_plain(request.purpose)}",
                "properties": {
                    "answers": _party(policies, request.answerer),
                    "identified_by": _plain(request.scheme),
                    "match_keys": request.match_keys,
                    "epoch": _plain(request.epoch),
                    "subjects": request.subjects,
                    "want": sorted(wanted),
                },
            },
            "context": {
                "time": f"{facts.now:%Y-%m-%dT%H:%M:%SZ}",
                "case_number": facts.case_number,
                "cooperation_ref": facts.cooperation_ref,
            },
        },
        "response": {
            "decision": decision.permitted,
            "context": {
                "reason_user": failing,
                "reason_admin": {check.id: check.reason for check in decision.failing},
                "obligations": [duty_in(lang, duty, purpose).text for duty in decision.obligations],
                "policy": policies.digest,
                "engine": ENGINE,
            },
        },
    }


def _party(policies: PolicySet, name: str, on_behalf_of: str | None = None) -> dict[str, Any]:
    """A party as a subject: known by its OIN, else by the name that was given."""
    known = policies.catalogue.parties.get(name)
    properties: dict[str, Any] = {"name": _plain(name)}
    if known is not None:
        properties["kind"] = known.kind
    if on_behalf_of is not None:
        properties["on_behalf_of"] = _plain(on_behalf_of)
    return {"type": "oin" if known else "party", "id": known.oin if known else _plain(name), "properties": properties}


def _plain(word: str) -> str:
    """A word of the question as a reason would show it: one that could hide a person's number is not repeated."""
    return shown(word).strip("'")
