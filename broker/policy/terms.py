"""A purpose prepared for deciding: sets instead of lists, and the parts of a reason that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from broker.policy.catalogue import Catalogue
from broker.policy.purpose import Purpose


@dataclass(frozen=True, slots=True)
class Terms:
    """What one decision under a purpose looks up. Follows from catalogue and purpose alone."""

    purpose: Purpose
    asks: frozenset[str]
    answers: frozenset[str]
    principals: Mapping[str, frozenset[str]]
    """Processor to the principals it may ask for. A processor never asks as itself."""
    match_keys: Mapping[str, int]
    """Accepted identifier to the number of its match keys that may be used."""
    held: Mapping[str, frozenset[str]]
    """Answerer to the attributes that may be learned from it."""
    rules: Mapping[str, str | int | bool]
    basis_from: date | None
    basis_until: date | None
    basis_retention: int
    asks_text: str
    answers_text: str
    identifiers_text: str
    attributes_text: str
    valid_text: str
    obligations: tuple[str, ...]


def terms_of(catalogue: Catalogue, purpose: Purpose) -> Terms:
    """The terms of a purpose whose groups are listed out and that passed every cross-check."""
    principals: dict[str, set[str]] = {}
    for pair in purpose.on_behalf_of:
        principals.setdefault(pair.processor, set()).add(pair.principal)
    held: dict[str, set[str]] = {answerer: set() for answerer in purpose.answers}
    for attribute in purpose.may_learn.attributes:
        for holder in catalogue.attributes[attribute].holders:
            for party in catalogue.groups.get(holder, (holder,)):
                if party in held:
                    held[party].add(attribute)
    keys = {name: catalogue.identifiers[name].match_keys for name in purpose.identified_by}
    basis = catalogue.legal_bases[purpose.legal_basis]
    return Terms(
        purpose=purpose,
        asks=frozenset(purpose.asks),
        answers=frozenset(purpose.answers),
        principals={processor: frozenset(names) for processor, names in principals.items()},
        match_keys={name: min(count, purpose.weakest_match_key or count) for name, count in keys.items()},
        held={party: frozenset(names) for party, names in held.items()},
        rules=purpose.register_rules(),
        basis_from=basis.in_force.from_,
        basis_until=basis.in_force.until,
        basis_retention=basis.longest_retention_days,
        asks_text=listed_names(purpose.asks),
        answers_text=listed_names(purpose.answers),
        identifiers_text=listed_names(purpose.identified_by),
        attributes_text=listed_names(tuple(sorted(purpose.may_learn.attributes))) or "none",
        valid_text=f"{purpose.valid.from_} to {purpose.valid.until}, both included",
        obligations=_obligations(purpose),
    )


def listed_names(names: tuple[str, ...]) -> str:
    """At most ten names, so that a reason stays readable and an entry small."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _obligations(purpose: Purpose) -> tuple[str, ...]:
    """The duties that come with a permit, each a word for machines and a sentence for people."""
    duties = [f"answer_keep_days: delete the answer within {purpose.answer_keep_days} days"]
    if purpose.use_only_for is not None:
        duties.append(f"use_only_for: {purpose.use_only_for.en}")
    if purpose.human_check:
        duties.append("human_check: a person checks every hit before anything is done with it")
    if purpose.deliver_every_days is not None:
        duties.append(f"deliver_every_days: the register is renewed at least every {purpose.deliver_every_days} days")
    return tuple(duties)
