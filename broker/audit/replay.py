"""Replay: the decision of an `ask` taken again from archived policies and logged facts, and compared whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from broker.audit import strict_json
from broker.audit.policies import Archived
from broker.errors import SluisError
from broker.policy.decision import CheckResult, Decision, Facts, Request, facts_from_log, request_from_log
from broker.policy.evaluate import ENGINES, evaluate

_DECISION = b'"decision":'
NO_POLICIES = "its policy set is not in the archive, or cannot be read"


class Replayed(Enum):
    """Only SAME counts as replayed."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_REPLAYABLE = "not replayable"


class Difference(NamedTuple):
    """One thing that replay gives otherwise than the log has it. `what`: effect, obligations, or a check's id."""

    what: str
    logged: str
    replayed: str


def replay(
    archived: Archived | None,
    ask: Mapping[str, Any],
    *,
    shadow: Mapping[str, Any] | None = None,
    leaf: bytes | None = None,
) -> tuple[Replayed, str]:
    """The outcome for the body of an `ask`, and why where it is not SAME.

    `shadow`: the body of an `evaluation` beside that ask; then its decision is taken again, from the ask's facts.
    `leaf`: the canonical bytes of the entry that holds the decision, where at hand: saves writing it again.
    """
    decided = ask if shadow is None else shadow
    refused = not_replayable(archived, decided["engine"])
    if archived is None or refused:
        return Replayed.NOT_REPLAYABLE, refused
    read = asked(ask)
    if read is None:
        return Replayed.NOT_REPLAYABLE, "its facts or its statement are not complete"
    request, facts = read
    if shadow is not None:
        request = replace(request, purpose=shadow["purpose"])
    again = decide_again(archived, request, facts, decided["engine"])
    if leaf is not None and _stands_in(again, leaf):
        return Replayed.SAME, ""
    logged = strict_json.write(decided["decision"])
    if again == logged:
        return Replayed.SAME, ""
    return Replayed.DIFFERS, ", ".join(one.what for one in differences(again, logged))


def _stands_in(again: bytes, leaf: bytes) -> bool:
    """Whether an entry's `decision` is exactly this: before it a body has texts only, and none holds a bare quote."""
    return leaf.startswith(again + b',"engine":"', leaf.find(_DECISION) + len(_DECISION))


def not_replayable(archived: Archived | None, engine: object) -> str:
    """Why a decision of `engine` under a set of the archive cannot be taken again; "" when it can."""
    if engine not in ENGINES:
        return f"this program has {', '.join(ENGINES)} only"
    return "" if archived is not None and archived.policy_set is not None else NO_POLICIES


def asked(ask: Mapping[str, Any]) -> tuple[Request, Facts] | None:
    """What was decided on in the body of an `ask`; None when it is not complete."""
    try:
        return request_from_log(ask), facts_from_log(ask["facts"])
    except (SluisError, KeyError, TypeError, AttributeError):
        return None


def decide_again(archived: Archived, request: Request, facts: Facts, engine: str) -> bytes:
    """The decision that a set of the archive gives, in canonical bytes as an entry holds them.

    Needs `not_replayable` to have given "".
    """
    policies = archived.policy_set
    if policies is None:
        raise ValueError(NO_POLICIES)
    return decision_bytes(evaluate(policies, request, facts, engine))


def decision_bytes(decision: Decision) -> bytes:
    """Canonical bytes of a decision (docs/formats.md section 3)."""
    effect = b'],"effect":"permit","obligations":' if decision.permitted else b'],"effect":"deny","obligations":'
    checks = b",".join([_check_bytes(check) for check in decision.checks])
    return b'{"checks":[' + checks + effect + _obligations_bytes(decision.obligations) + b"}"


def differences(again: bytes, logged: bytes) -> tuple[Difference, ...]:
    """Everything in which two decisions differ: the effect, each check's verdict, reason and path, the obligations."""
    mine, theirs = strict_json.read(again), _readable(logged)
    found = [*_plain(mine, theirs, "effect"), *_checks(mine, theirs), *_plain(mine, theirs, "obligations")]
    if not found:
        found.append(Difference("form", "written in another form", "the canonical form of the same"))
    return tuple(found)


# a check of most purposes says the same thing every time: its bytes are made once
@lru_cache(maxsize=4096)
def _check_bytes(check: CheckResult) -> bytes:
    met, quoted = "true" if check.met else "false", strict_json.quoted
    text = f'{{"id":{quoted(check.id)},"met":{met},"path":{quoted(check.path)},"reason":{quoted(check.reason)}}}'
    return text.encode("utf-8")


@lru_cache(maxsize=1024)
def _obligations_bytes(obligations: tuple[str, ...]) -> bytes:
    return strict_json.write(list(obligations))


def _readable(logged: bytes) -> Mapping[str, Any]:
    try:
        return strict_json.read(logged)
    except strict_json.NotCanonicalError:
        return {}


def _plain(mine: Mapping[str, Any], theirs: Mapping[str, Any], member: str) -> Iterator[Difference]:
    """`effect` or `obligations`, where they differ."""
    if _bytes(mine[member]) != _bytes(theirs.get(member)):
        yield Difference(member, _text(theirs.get(member)), _text(mine[member]))


def _checks(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    listed = theirs.get("checks")
    checks = [check if isinstance(check, dict) else {} for check in listed] if isinstance(listed, list) else []
    if [check.get("id") for check in checks] != [check["id"] for check in mine["checks"]]:
        yield Difference("the list of checks", _ids(checks), _ids(mine["checks"]))
        return
    for check, logged in zip(mine["checks"], checks, strict=True):
        if _bytes(check) != _bytes(logged):
            yield Difference(check["id"], _said(logged), _said(check))


def _said(check: Mapping[str, Any]) -> str:
    met = check.get("met")
    verdict = ("met" if met else "not met") if isinstance(met, bool) else "no verdict"
    path = f" ({check['path']})" if check.get("path") else ""
    return f"{verdict}: {check.get('reason')}{path}"


def _ids(checks: list[dict[str, Any]]) -> str:
    return ", ".join(str(check.get("id")) for check in checks) or "none"


def _bytes(value: object) -> bytes:
    return strict_json.write(value)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
