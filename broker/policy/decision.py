"""What goes into a decision and what comes out, with their form in the log. No value here depends on a data subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from broker.errors import Code, SluisError
from broker.exchange import Want
from broker.policy.case_number import CaseNumber

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Request:
    """One question to one answerer, as the policy sees it. `principal`: on whose behalf `asker` asks, or None."""

    asker: str
    principal: str | None
    answerer: str
    purpose: str
    epoch: str
    scheme: str
    match_keys: int
    want: Want
    subjects: int
    standing: bool = False
    """Whether it says that it is an earlier question put again, which has stood since."""


@dataclass(frozen=True)
class RegisterFacts:
    """The row rules that the register in force declares in its signed manifest."""

    rules: Mapping[str, object]


@dataclass(frozen=True)
class ProbingFacts:
    """How a question stands to the asker's earlier permitted ones under the purpose and epoch; numbers only.

    `same`, `nested`, `again`: earlier questions with the same subjects; inside or around this one; sharing one subject,
    for the subject with the most. `hour`: rows of this question and of those of the last 60 minutes. `epoch`:
    different subjects so far, this question's too. `hits`: hits of a hundred among the last hundred subjects or a few
    more that were answered; None before so many were.
    """

    same: int
    nested: int
    again: int
    hour: int
    epoch: int
    hits: int | None


@dataclass(frozen=True)
class StandingFacts:
    """How a standing question stands to the first one that it names.

    `first`: "same"; or "unknown", "other" or "gone" (`broker.policy.standing`). `newer`: whether the register in force
    is a later version than the one that answered last. `days`: whole days since the first was put.
    """

    first: str
    newer: bool
    days: int


@dataclass(frozen=True)
class Facts:
    """Everything a decision reads besides the policy set and the request; logged, so that it can be replayed.

    `now`: the one clock reading, aware. `requests_today`, `counts_this_epoch`: permitted before this one.
    `case_number`: the verdict of `judge_case_number`, never the number. `register`: None when none is in force.
    `count_distance`: fewest subjects by which this count differs from an earlier one; None when there is none.
    """

    now: datetime
    requests_today: int
    counts_this_epoch: int
    case_number: CaseNumber
    cooperation_ref: bool
    register: RegisterFacts | None
    count_distance: int | None
    modes_available: frozenset[str] = frozenset({"keyed"})
    suspended_since: datetime | None = None
    """When a signed notice suspended the purpose, aware; None when none does. Unknown to engine 1."""
    probing: ProbingFacts | None = None
    """None where neither the purpose nor a shadow of it has guards against probing."""
    standing: StandingFacts | None = None
    """None of a question that does not say that it stands."""


class CheckResult(NamedTuple):
    """One check's verdict. `path`: where the policy says so, for `PolicySet.line_of`; "" when no line does."""

    id: str
    met: bool
    reason: str
    path: str


@dataclass(frozen=True)
class Decision:
    """Permitted only if every check is met. `obligations` are the asker's duties; empty on a denial."""

    permitted: bool
    checks: tuple[CheckResult, ...]
    obligations: tuple[str, ...]

    @property
    def failing(self) -> tuple[CheckResult, ...]:
        """The checks that were not met, in their fixed order."""
        return tuple(check for check in self.checks if not check.met)


def facts_to_log(facts: Facts, *, suspensions: bool = True) -> dict[str, Any]:
    """`facts` as the plain object of an `ask` entry. `suspensions`: False for entries of engine 1, which had none."""
    logged = {
        "now": _logged_time(facts.now),
        "requests_today": facts.requests_today,
        "counts_this_epoch": facts.counts_this_epoch,
        "case_number": facts.case_number,
        "cooperation_ref": facts.cooperation_ref,
        "register": None if facts.register is None else {"rules": dict(facts.register.rules)},
        "count_distance": facts.count_distance,
        "modes_available": sorted(facts.modes_available),
    }
    if suspensions:
        logged["suspended_since"] = None if facts.suspended_since is None else _logged_time(facts.suspended_since)
    if facts.probing is not None:
        logged["probing"] = asdict(facts.probing)
    if facts.standing is not None:
        logged["standing"] = asdict(facts.standing)
    return logged


def _logged_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)


def request_from_log(body: Mapping[str, Any]) -> Request:
    """The request as the policy saw it: what the asker signed, to the answerer of this `ask` entry.

    Raises KeyError or TypeError when the statement is not complete.
    """
    statement = body["statement"]
    want = statement["want"]
    return Request(
        asker=statement["asker"],
        principal=statement["principal"],
        answerer=body["answerer"],
        purpose=statement["purpose"],
        epoch=statement["epoch"],
        scheme=statement["scheme"],
        match_keys=statement["match_keys"],
        want=Want(want["hit"], want["count"], tuple(want["attributes"])),
        subjects=statement["subjects"],
        standing="standing" in statement,
    )


def facts_from_log(logged: Mapping[str, Any]) -> Facts:
    """The inverse of `facts_to_log`, for either engine. Raises STATEMENT_INVALID for any other members."""
    try:
        values = dict(logged)
        register, moment, since = values.pop("register"), values.pop("now"), values.pop("suspended_since", None)
        probing, standing = values.pop("probing", None), values.pop("standing", None)
        facts = Facts(
            now=datetime.fromisoformat(moment),
            suspended_since=None if since is None else datetime.fromisoformat(since),
            register=None if register is None else RegisterFacts(dict(register["rules"])),
            modes_available=frozenset(values.pop("modes_available")),
            probing=None if probing is None else ProbingFacts(**probing),
            standing=None if standing is None else StandingFacts(**standing),
            **values,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SluisError(Code.STATEMENT_INVALID, "these are not the facts of a decision") from error
    # the comparison refuses every other form of a time that `fromisoformat` takes
    if facts_to_log(facts, suspensions="suspended_since" in logged) != logged:
        raise SluisError(Code.STATEMENT_INVALID, "these are not the facts of a decision as they are logged")
    return facts


def decision_to_log(decision: Decision) -> dict[str, Any]:
    """`decision` as docs/formats.md section 3 writes it."""
    return {
        "effect": "permit" if decision.permitted else "deny",
        "checks": [{"id": id_, "met": met, "reason": why, "path": path} for id_, met, why, path in decision.checks],
        "obligations": list(decision.obligations),
    }


def decision_from_log(logged: Mapping[str, Any]) -> Decision:
    """The inverse of `decision_to_log`. Raises STATEMENT_INVALID."""
    try:
        checks = tuple(CheckResult(**check) for check in logged["checks"])
        decision = Decision(logged["effect"] == "permit", checks, tuple(logged["obligations"]))
    except (KeyError, TypeError) as error:
        raise SluisError(Code.STATEMENT_INVALID, "this is not a decision") from error
    if decision_to_log(decision) != logged:
        raise SluisError(Code.STATEMENT_INVALID, "this is not a decision as it is logged")
    return decision
