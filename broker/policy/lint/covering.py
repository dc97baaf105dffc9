"""Purposes that a wider purpose makes superfluous: exact, by the comparison of `broker.policy.difference`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from broker.policy.difference import Region, includes, region_of
from broker.policy.lint.finding import Ground, Remark
from broker.policy.purpose import Purpose


def covered(ground: Ground) -> Iterator[Remark]:
    """A purpose of which another permits everything. Of two that permit the same, only the second is told."""
    as_active = {purpose.name: purpose.model_copy(update={"state": "active"}) for purpose in ground.kept}
    policies = replace(ground.policies, purposes=as_active)
    regions = {name: region for name in as_active if (region := region_of(policies, name)) is not None}
    wide: dict[tuple[str, str], list[Purpose]] = defaultdict(list)
    for purpose in ground.judged:
        for name in purpose.asks if purpose.name in regions else ():
            wide[purpose.about, name].append(purpose)
    for purpose in ground.kept:
        if purpose.name not in regions:
            continue
        for other in wide[purpose.about, purpose.asks[0]]:
            if _covers(regions, other, purpose) and not (
                other.name > purpose.name and _covers(regions, purpose, other)
            ):
                text = f"everything that it permits is permitted by {other.name} too"
                hint = f"remove it, or narrow {other.name}"
                yield ground.at(purpose, ("purpose",), "COVERED", text, hint)
                break


def _covers(regions: dict[str, Region], outer: Purpose, inner: Purpose) -> bool:
    """Row rules and mode count too: an outer purpose with a rule that the inner lacks answers fewer rows."""
    if outer.name in (inner.name, inner.shadow_of) or outer.shadow_of == inner.name:
        return False
    if outer.pseudonyms.mode != inner.pseudonyms.mode:
        return False
    if not outer.register_rules().items() <= inner.register_rules().items():
        return False
    return includes(regions[outer.name], regions[inner.name])
