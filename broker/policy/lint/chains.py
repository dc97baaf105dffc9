"""Chains of purposes: what is learned under one lets the asker ask under the next, up to a national number.

Exact over the catalogue's `identifies`: an attribute that shows an identifier opens every purpose that accepts it for
the same asker. What people infer without such a link is not decidable here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from broker.policy.lint.finding import Ground, Remark
from broker.policy.purpose import Purpose
from broker.policy.terms import listed_names

_Steps = tuple[str, ...]


def to_national_numbers(ground: Ground) -> Iterator[Remark]:
    """An attribute from which its asker can come to a national number that it did not start with."""
    shows = _shown(ground)
    if not shows:
        return
    by_asker: dict[str, list[Purpose]] = defaultdict(list)
    for purpose in ground.kept:
        for asker in purpose.asks:
            by_asker[asker].append(purpose)
    found: dict[tuple[str, str, _Steps], list[str]] = defaultdict(list)
    for asker, purposes in by_asker.items():
        leads = _leads(ground, purposes, shows)
        for purpose in purposes:
            if all(_is_national(ground, name) for name in purpose.identified_by):
                continue
            for attribute in purpose.may_learn.attributes:
                shown = shows.get(attribute)
                if shown is not None and shown in leads:
                    found[purpose.name, attribute, leads[shown]].append(asker)
    for (name, attribute, steps), askers in sorted(found.items()):
        purpose = ground.policies.purposes[name]
        text = (
            f"{listed_names(tuple(askers))} can go on from '{attribute}' to a national number: {', then '.join(steps)}"
        )
        hint = f"leave '{attribute}' out, or say why this asker may know whose number it is"
        path = ("may_learn", "attributes", attribute)
        yield ground.at(purpose, path, "CHAIN_TO_NATIONAL_NUMBER", text, hint)


def _shown(ground: Ground) -> dict[str, str]:
    attributes = ground.policies.catalogue.attributes.items()
    return {name: attribute.identifies for name, attribute in attributes if attribute.identifies is not None}


def _is_national(ground: Ground, identifier: str) -> bool:
    return ground.policies.catalogue.identifiers[identifier].is_national_number


def _leads(ground: Ground, purposes: list[Purpose], shows: Mapping[str, str]) -> dict[str, _Steps]:
    """Identifier to a way from it to a national number, for the asker of these purposes."""
    leads: dict[str, _Steps] = {}
    for name in ground.policies.catalogue.identifiers:
        if _is_national(ground, name):
            users = tuple(purpose.name for purpose in purposes if name in purpose.identified_by)
            use = f", with which it may ask under {listed_names(users)}" if users else ""
            leads[name] = (f"it shows '{name}'{use}",)
    reached = True
    while reached:
        reached = False
        for purpose in purposes:
            for attribute in purpose.may_learn.attributes:
                shown = shows.get(attribute)
                if shown is None or shown not in leads:
                    continue
                for accepted in purpose.identified_by:
                    if accepted not in leads:
                        step = f"with '{accepted}' it learns '{attribute}' under {purpose.name}"
                        leads[accepted] = (step, *leads[shown])
                        reached = True
    return leads
