"""What one policy set allows and another does not: exact, by set algebra over the finite model of a purpose.

What a purpose permits is a product: pairs of asker and principal, answerers with what may be learned from them,
identifiers with their match keys, and ranges (subjects, requests, moments, counts). So inclusion and difference follow
from its factors; a property test compares them with every question of a small universe. Row rules, epochs and mode are
compared as such: both sets are asked as each of them demands. The expiry of a set is told once, for the whole set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from broker.policy.document import PolicySet
from broker.policy.legal_days import AMSTERDAM, midnight

Pair = tuple[str, str | None]
"""Asker and principal."""
Thing = tuple[str, str]
"""Answerer and what may be learned from it: `hit`, `count`, or an attribute."""


class Section(Enum):
    """Where a change is told. The first and the third allow more; of the fourth no rule can say whether it does."""

    NEWLY = "THIS CHANGE NEWLY ALLOWS"
    NO_LONGER = "THIS CHANGE NO LONGER ALLOWS"
    LOOSER = "LOOSER"
    TO_COMPARE = "A PERSON MUST COMPARE"
    TIGHTER = "TIGHTER"
    OTHER = "OTHER CHANGES"


@dataclass(frozen=True)
class Region:
    """What a purpose permits. Empty regions are None instead: nothing at all is permitted then."""

    pairs: frozenset[Pair]
    things: frozenset[Thing]
    keys: Mapping[str, int]
    """Identifier -> match keys that may be used."""
    subjects: int
    requests: int
    start: datetime
    end: datetime
    case_number: bool
    cooperation_ref: bool
    min_group: int
    per_epoch: int


@dataclass(frozen=True)
class Step:
    """A factor that grew or shrank: `looser` says which. Values are as a person reads them."""

    looser: bool
    what: str
    before: str
    after: str
    path: str


@dataclass(frozen=True)
class Atoms:
    """Who may ask whom what by which identifier: a product, as part of a difference. `path`: the factor that grew."""

    pairs: frozenset[Pair]
    things: frozenset[Thing]
    schemes: frozenset[str]
    path: str


def region_of(policies: PolicySet, name: str) -> Region | None:
    """What purpose `name` permits; None when it permits nothing, whatever is asked."""
    purpose = policies.purposes.get(name)
    if purpose is None or purpose.state != "active":
        return None
    terms, learn = policies.terms[name], purpose.may_learn
    first, last = terms.first_and_last
    start, end = midnight(first), midnight(last + timedelta(days=1))
    things = {(answerer, "hit") for answerer in purpose.answers if learn.hit}
    things |= {(answerer, word) for answerer, held in terms.held.items() for word in held if learn.hit}
    things |= {(answerer, "count") for answerer in purpose.answers if learn.count is not None}
    if not things or start >= end:
        return None
    return Region(
        pairs=frozenset(purpose.asking_pairs()),
        things=frozenset(things),
        keys=terms.match_keys,
        subjects=purpose.limits.subjects_per_request,
        requests=purpose.limits.requests_per_day,
        start=start,
        end=end,
        case_number=purpose.case_number is not None,
        cooperation_ref=purpose.cooperation_ref is not None,
        min_group=learn.count.min_group if learn.count else 0,
        per_epoch=learn.count.per_epoch if learn.count else 0,
    )


def added(before: Region | None, after: Region | None) -> tuple[Atoms, ...]:
    """What `after` has and `before` has not, as disjoint products: new pairs, new things, new identifiers."""
    if after is None:
        return ()
    schemes = frozenset(after.keys)
    if before is None or before.end <= after.start or after.end <= before.start:
        return (Atoms(after.pairs, after.things, schemes, "purpose"),)
    pairs, things = after.pairs & before.pairs, after.things & before.things
    parts = (
        Atoms(after.pairs - before.pairs, after.things, schemes, "asks"),
        Atoms(pairs, after.things - before.things, schemes, "may_learn"),
        Atoms(pairs, things, schemes - frozenset(before.keys), "identified_by"),
    )
    return tuple(part for part in parts if part.pairs and part.things and part.schemes)


def steps(before: Region, after: Region) -> Iterator[Step]:
    """Every range that differs where both permit something."""
    numbers = (
        ("subjects in a question", before.subjects, after.subjects, "limits.subjects_per_request"),
        ("questions a day", before.requests, after.requests, "limits.requests_per_day"),
    )
    for what, old, new, path in numbers:
        if old != new:
            yield Step(new > old, what, str(old), str(new), path)
    for scheme in sorted(before.keys.keys() & after.keys.keys()):
        if before.keys[scheme] != after.keys[scheme]:
            old, new = before.keys[scheme], after.keys[scheme]
            yield Step(new > old, f"match keys of {scheme}", str(old), str(new), "weakest_match_key")
    if before.start != after.start:
        yield Step(after.start < before.start, "permits from", _when(before.start), _when(after.start), "valid.from")
    if before.end != after.end:
        yield Step(after.end > before.end, "permits until", _when(before.end), _when(after.end), "valid.until")
    for what, was, is_now in (
        ("case number", before.case_number, after.case_number),
        ("co-operation reference", before.cooperation_ref, after.cooperation_ref),
    ):
        if was != is_now:
            path = "case_number" if what == "case number" else "cooperation_ref"
            yield Step(not is_now, what, _required(was), _required(is_now), path)
    yield from _count_steps(before, after)


def _count_steps(before: Region, after: Region) -> Iterator[Step]:
    if not before.per_epoch or not after.per_epoch:
        return
    if before.min_group != after.min_group:
        old, new = before.min_group, after.min_group
        yield Step(new < old, "smallest group of a count", str(old), str(new), "may_learn.count.min_group")
    if before.per_epoch != after.per_epoch:
        old, new = before.per_epoch, after.per_epoch
        yield Step(new > old, "counts in an epoch", str(old), str(new), "may_learn.count.per_epoch")


def includes(outer: Region | None, inner: Region | None) -> bool:
    """Whether `outer` permits everything that `inner` permits: exact."""
    if inner is None:
        return True
    if outer is None or added(outer, inner):
        return False
    return not any(step.looser for step in steps(outer, inner))


def allows_more(before: PolicySet, after: PolicySet) -> tuple[str, ...]:
    """The purposes under which `after` permits a question that `before` does not, sorted: exact."""
    return tuple(
        name for name in sorted(after.purposes) if not includes(region_of(before, name), region_of(after, name))
    )


def _required(required: bool) -> str:
    return "required" if required else "not required"


def _when(moment: datetime) -> str:
    local = moment.astimezone(AMSTERDAM)
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"
