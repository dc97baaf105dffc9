"""What was agreed and never used, by a year of the exchange log: data minimisation afterwards (AVG 5(1)(c))."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from broker.policy.lint.finding import Ground, Remark
from broker.policy.lint.usage import LOOKED_BACK_DAYS
from broker.policy.purpose import Purpose

FRESH = timedelta(days=31)
"""A log that ends longer ago says nothing of the present."""


def never_used(ground: Ground) -> Iterator[Remark]:
    """Purposes and attributes that nobody asked for in a year; nothing when the log does not cover that year."""
    usage = ground.usage
    if usage is None:
        return
    since = ground.today - timedelta(days=LOOKED_BACK_DAYS)
    if usage.first > since or usage.last < ground.today - FRESH:
        text = f"the log runs from {usage.first} to {usage.last}: too short to say what was never used in a year"
        hint = f"give an export that runs from {since} or before until now"
        yield ground.in_catalogue((), "LOG_TOO_SHORT", text, hint)
        return
    for purpose in ground.judged:
        if purpose.state == "active" and purpose.valid.from_ <= since <= ground.today <= purpose.valid.until:
            yield from _unused(ground, purpose, usage.permitted.get(purpose.name, 0))


def _unused(ground: Ground, purpose: Purpose, permitted: int) -> Iterator[Remark]:
    assert ground.usage is not None
    if not permitted:
        text = f"no question was permitted under it in the past {LOOKED_BACK_DAYS} days"
        yield ground.at(purpose, ("purpose",), "NEVER_USED", text, "withdraw it, or say why it must stay")
        return
    for name in purpose.may_learn.attributes:
        if not ground.usage.wanted.get((purpose.name, name)):
            text = f"nobody asked for '{name}' in the past {LOOKED_BACK_DAYS} days"
            hint = "leave it out, or say why it must stay"
            yield ground.at(purpose, ("may_learn", "attributes", name), "ATTRIBUTE_NEVER_ASKED", text, hint)
