"""What has run out or will: validity, DPIAs, legal bases, and organisations that left. All judged on one day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from broker.policy.lint.finding import Ground, Remark
from broker.policy.problems import did_you_mean
from broker.policy.purpose import Purpose
from broker.policy.strict_yaml import Path

SOON = timedelta(days=60)
"""Long enough to write, test and sign what must follow."""
LONG_DAYS = 3 * 365 + 1


def validity(ground: Ground) -> Iterator[Remark]:
    """A purpose that ended, ends soon, or holds for more than three years."""
    for purpose in ground.kept:
        first, last = purpose.valid.from_, purpose.valid.until
        path = ("valid", "until")
        if last < ground.today:
            text = f"ended on {last}: everything is denied"
            yield ground.at(purpose, path, "ENDED", text, "renew it with a new last day, or write `state: withdrawn`")
        elif last < ground.today + SOON:
            text = f"ends on {last}, in {(last - ground.today).days} days"
            hint = "judge anew whether it is needed; then sign a later last day, or let it end"
            yield ground.at(purpose, path, "ENDS_SOON", text, hint)
        if (last - first).days + 1 > LONG_DAYS:
            text = f"holds from {first} to {last}, more than three years without a new judgement"
            yield ground.at(purpose, path, "HOLDS_LONG", text, "let it end sooner, and renew it when it does")


def dpias(ground: Ground) -> Iterator[Remark]:
    """The DPIA that a purpose names: known, decided, and not due for review (AVG 35)."""
    known = ground.policies.catalogue.dpias
    for purpose in ground.kept:
        if purpose.dpia is None:  # reading refuses this where the purpose is active
            continue
        dpia = known.get(purpose.dpia)
        if dpia is None:
            hint = did_you_mean(purpose.dpia, known) if known else "add it under `dpias:` in the catalogue"
            text = f"'{purpose.dpia}' is no DPIA of the catalogue"
            yield ground.at(purpose, ("dpia",), "DPIA_UNKNOWN", text, hint)
        elif dpia.decided_on > max(ground.today, purpose.valid.from_):
            text = f"{purpose.dpia} is to be decided on {dpia.decided_on} only, after the purpose begins"
            yield ground.at(
                purpose, ("dpia",), "DPIA_NOT_YET", text, "wait for it, or correct its day in the catalogue"
            )
        elif dpia.review_by < ground.today:
            text = f"{purpose.dpia} was due for review by {dpia.review_by}"
            hint = "review it, and write the new days under `dpias:` in the catalogue"
            yield ground.at(purpose, ("dpia",), "DPIA_OVERDUE", text, hint)
        elif dpia.review_by < ground.today + SOON:
            text = f"{purpose.dpia} is due for review by {dpia.review_by}"
            yield ground.at(purpose, ("dpia",), "DPIA_DUE_SOON", text, "plan the review (AVG 35(11))")


def bases(ground: Ground) -> Iterator[Remark]:
    """The days of the law against the days of the purpose."""
    for purpose in ground.kept:
        days = ground.policies.catalogue.legal_bases[purpose.legal_basis].in_force
        first, last = purpose.valid.from_, purpose.valid.until
        path = ("legal_basis",)
        said = f"{purpose.legal_basis} holds {_span(days.from_, days.until)}"
        if (days.until and days.until < first) or (days.from_ and days.from_ > last):
            text = f"{said}, and on no day of this purpose ({first} to {last})"
            yield ground.at(purpose, path, "BASIS_NEVER_HOLDS", text, "name the law that holds on those days")
        elif days.until and days.until < ground.today:
            text = f"{said}: it has ended, and everything is denied"
            yield ground.at(purpose, path, "BASIS_ENDED", text, "name the law that holds now, or withdraw the purpose")
        elif (days.until and days.until < last) or (days.from_ and days.from_ > first):
            text = f"{said}, and the purpose from {first} to {last}: on the other days everything is denied"
            yield ground.at(purpose, path, "BASIS_SHORTER", text, "let the purpose hold on the days of the law only")


def organisations(ground: Ground) -> Iterator[Remark]:
    """Parties that no longer take part, or will not until the purpose ends."""
    for purpose in ground.kept:
        for path, name in _named(purpose):
            left = ground.policies.catalogue.parties[name].left_on
            if left is None:
                continue
            if left < ground.today:
                hint = "remove it here, or from the group that names it"
                text = f"{name} takes part no longer; its last day was {left}"
                yield ground.at(purpose, path, "ORGANISATION_LEFT", text, hint)
            elif left < purpose.valid.until:
                text = f"{name} leaves after {left}, and the purpose holds until {purpose.valid.until}"
                yield ground.at(purpose, path, "ORGANISATION_LEAVES", text, "plan a revision without it for that day")


def _named(purpose: Purpose) -> Iterator[tuple[Path, str]]:
    for name in purpose.asks:
        yield ("asks",), name
    for name in purpose.answers:
        yield ("answers",), name
    for name in sorted({pair.principal for pair in purpose.on_behalf_of} - {*purpose.asks, *purpose.answers}):
        yield ("on_behalf_of",), name


def _span(first: object, last: object) -> str:
    if first and last:
        return f"from {first} to {last}"
    return f"from {first}" if first else f"until {last}"
