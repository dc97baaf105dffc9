"""What must be true before key services are asked: evaluations cost quota, and none of it is given back.

The ask gate decides, and logs; here a client only keeps itself from paying for a question that its own verified policy
shows to be denied, or that the gate says it would deny, or for pseudonyms under a key that was replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

from sluis_client.epochs import generation_of
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Context
from sluis_client.transport import Decision, Want

FORESEEN = "WOULD_BE_DENIED"


def demand_newest_key(me: Participant, context: Context) -> None:
    """Asks the broker whether the key of this epoch was replaced. Raises EPOCH_RETIRED; as the transport."""
    newest = me.transport.epoch(context.purpose, context.epoch).newest
    if generation_of(newest) > generation_of(context.epoch):
        text = (
            f"the key of {context.epoch} was retired before its time, and {newest} is in its place; nothing was spent: "
            "run `sluis-client keys fetch`, and the same command again"
        )
        raise ClientError("EPOCH_RETIRED", text, Exit.BROKER_REFUSED)


def demand_foreseeable(view: PurposeView, scheme: str, want: Want, subjects: int, *, case: bool, ref: bool) -> None:
    """Refuses a question that the policy denies whatever the counters say; `case` and `ref`: whether they are given.

    Raises:
        ClientError: WOULD_BE_DENIED, naming each reason. Nothing was sent or spent then.
    """
    most = view.limits.get("subjects_per_request", subjects)
    unknown = sorted(set(want.attributes) - set(view.attributes))
    reasons = [
        (
            subjects > most,
            f"{subjects} subjects, and the purpose allows {most} in a question: ask about fewer at a time",
        ),
        (scheme not in view.schemes, f"it identifies by {', '.join(view.schemes)}, not by {scheme}"),
        (bool(unknown), f"not among its attributes: {', '.join(unknown)}"),
        (want.hit and not view.hit, "hits may not be learned"),
        (want.count and not view.count, "counts may not be learned"),
        (view.case_number_required and not case, "it requires --case-number"),
        (view.cooperation_ref_required and not ref, "it requires --cooperation-ref"),
        (view.state != "active", f"it is {view.state}, and only an active purpose permits"),
    ]
    met = [text for holds, text in reasons if holds]
    if met:
        text = f"{view.name} would deny this question: {'; '.join(met)}. Nothing was evaluated or spent"
        raise ClientError(FORESEEN, text, Exit.POLICY_DENIED)


def demand_permitted(purpose: str, decisions: Sequence[tuple[str, Decision]]) -> None:
    """Refuses a question of which a dry run shows that the gate denies it at every answerer: a suspension, a budget of
    the day, the form of a case number.

    Raises:
        ClientError: WOULD_BE_DENIED, naming the checks that are not met. Nothing was evaluated then.
    """
    if any(decision.permitted for _, decision in decisions):
        return
    names = sorted({check.id for _, decision in decisions for check in decision.checks if not check.met})
    text = f"{purpose} would deny this question: {', '.join(names)}. Nothing was evaluated or spent"
    raise ClientError(FORESEEN, text, Exit.POLICY_DENIED)
