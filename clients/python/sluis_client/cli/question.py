"""What `check` and `match` share: the options that describe a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluis_client.cli.session import names
from sluis_client.errors import ClientError

if TYPE_CHECKING:
    from sluis_client.transport import Decision, Want

AnswererOption = Annotated[list[str], typer.Option("--answerer", help="Who is asked: one name or several, a,b.")]
WantOption = Annotated[
    list[str] | None, typer.Option("--want", help="Attributes to learn: a,b. Hits come along with them.")
]
HitOption = Annotated[bool, typer.Option("--hit", help="Learn which rows are in the register (the default).")]
CountOption = Annotated[bool, typer.Option("--count", help="Learn only how many rows are in the register.")]
CaseOption = Annotated[str, typer.Option("--case-number", help="Your case number; never a person's number.")]
CooperationOption = Annotated[str, typer.Option("--cooperation-ref", help="Reference of the co-operation.")]
BehalfOption = Annotated[str, typer.Option("--on-behalf-of", help="The party for which you ask as processor.")]


def wanted(want: Sequence[str] | None, *, hit: bool, count: bool) -> Want:
    """What is to be learned: hits unless a count is asked. Raises USAGE."""
    from sluis_client.transport import Want

    attributes = names(want)
    if count and (hit or attributes):
        raise ClientError("USAGE", "--count cannot go with --hit or --want: it is for learning less")
    return Want(hit=not count, count=count, attributes=tuple(sorted(attributes)))


def decision_json(answerer: str, decision: Decision) -> dict[str, Any]:
    """A decision for `--json`."""
    return {
        "answerer": answerer,
        "permitted": decision.permitted,
        "policy_set": decision.policy_set,
        "obligations": list(decision.obligations),
        "checks": [vars(one) for one in decision.checks],
    }
