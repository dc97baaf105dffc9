"""Replay: the decision of an `ask` taken again from archived policies and logged facts, and compared whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from broker.audit.policies import Archived
from broker.errors import SluisError
from broker.policy.decision import decision_to_log, facts_from_log, request_from_log
from broker.policy.evaluate import ENGINES, evaluate


class Replayed(Enum):
    """Only SAME counts as replayed."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_REPLAYABLE = "not replayable"


def replay(
    archived: Archived | None, ask: Mapping[str, Any], *, shadow: Mapping[str, Any] | None = None
) -> tuple[Replayed, str]:
    """The outcome for the body of an `ask`, and why where it is not SAME.

    `shadow`: the body of an `evaluation` beside that ask; then its decision is taken again, from the ask's facts.
    """
    decided = ask if shadow is None else shadow
    if decided["engine"] not in ENGINES:
        return Replayed.NOT_REPLAYABLE, f"this program has {', '.join(ENGINES)} only"
    policies = None if archived is None else archived.policy_set
    if policies is None:
        return Replayed.NOT_REPLAYABLE, "its policy set is not in the archive, or cannot be read"
    try:
        facts = facts_from_log(ask["facts"])
        request = request_from_log(ask)
    except (SluisError, KeyError, TypeError):
        return Replayed.NOT_REPLAYABLE, "its facts or its statement are not complete"
    if shadow is not None:
        request = replace(request, purpose=shadow["purpose"])
    again = decision_to_log(evaluate(policies, request, facts, decided["engine"]))
    if again == decided["decision"]:
        return Replayed.SAME, ""
    return Replayed.DIFFERS, _difference(again, decided["decision"])


def _difference(again: Mapping[str, Any], logged: Mapping[str, Any]) -> str:
    """The first thing that differs, by name."""
    if again["effect"] != logged.get("effect"):
        return f"replay gives {again['effect']}"
    checks = logged.get("checks")
    pairs = zip(again["checks"], checks if isinstance(checks, list) else [], strict=False)
    for mine, theirs in pairs:
        if mine != theirs:
            return f"check {mine['id']}"
    return "obligations" if again["checks"] == checks else "the list of checks"
