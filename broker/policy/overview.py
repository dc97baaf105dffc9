"""Who may learn what from whom: read off the purposes, exactly, by party and by attribute.

A grant is a product: each of its askers may learn each of its things from each of its answerers. The grants of a
purpose together are all that `evaluate` can permit under it, to a question that keeps to limits and conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from broker.policy.catalogue import Catalogue
from broker.policy.document import PolicySet
from broker.policy.legal_days import local_day
from broker.policy.purpose import State

_Key = TypeVar("_Key")
ANSWERS = ("hit", "count")
"""What can be learned besides attributes."""
Standing: TypeAlias = Literal["open", "later", "ended", "never", "mode", "draft", "shadow", "suspended", "withdrawn"]
"""Whether a purpose can permit on a day, and why not. `mode`: it needs a mode that the broker may not have."""


class Asker(NamedTuple):
    """A party that may ask; a processor asks for its principal, and both learn the answer."""

    party: str
    principal: str | None


@dataclass(frozen=True)
class Grant:
    """Each of `askers` may learn each of `things` from each of `answerers`. No list is empty."""

    purpose: str
    askers: tuple[Asker, ...]
    answerers: tuple[str, ...]
    things: tuple[str, ...]
    """`hit`, then attributes as the purpose lists them, then `count`."""


class Learned(NamedTuple):
    """What may be learned under one purpose."""

    purpose: str
    things: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Askers that may learn the same from everybody. `cells`: one for each column, empty where nothing is learned."""

    askers: tuple[Asker, ...]
    cells: tuple[tuple[Learned, ...], ...]


@dataclass(frozen=True)
class Matrix:
    """Askers by answerers. Parties that no cell tells apart share a row or a column."""

    columns: tuple[tuple[str, ...], ...]
    rows: tuple[Row, ...]


def grants_of(policies: PolicySet, purposes: Iterable[str]) -> tuple[Grant, ...]:
    """All grants of `purposes`, in their order. KeyError for a purpose that the set does not have."""
    return tuple(grant for name in purposes for grant in _grants(policies, name))


def in_state(policies: PolicySet, states: Collection[State]) -> tuple[str, ...]:
    """The purposes in one of `states`, sorted."""
    return tuple(sorted(name for name, purpose in policies.purposes.items() if purpose.state in states))


def days_of(policies: PolicySet, name: str) -> tuple[date, date] | None:
    """The first and the last day on which purpose, law and policy set all hold; None when there is no such day."""
    first, last = policies.terms[name].first_and_last
    if policies.expires is not None:
        # the set expires at a moment: the last day is the one that holds the moment before
        last = min(last, local_day(policies.expires - timedelta(microseconds=1)))
    return (first, last) if first <= last else None


def standing_on(policies: PolicySet, name: str, day: date, modes: Collection[str] = ("keyed",)) -> Standing:
    """Whether `name` can permit at some moment of `day`; `open`, or the first reason why not."""
    purpose = policies.purposes[name]
    if purpose.state != "active":
        return purpose.state
    if purpose.pseudonyms.mode not in modes:
        return "mode"
    days = days_of(policies, name)
    if days is None:
        return "never"
    first, last = days
    return "later" if day < first else "ended" if day > last else "open"


def who_can_see(grants: Iterable[Grant], thing: str) -> tuple[Grant, ...]:
    """The grants under which `thing`, an attribute, `hit` or `count`, may be learned."""
    return tuple(grant for grant in grants if thing in grant.things)


def asked_by(grants: Iterable[Grant], party: str) -> tuple[Grant, ...]:
    """What `party` may learn: as asker, as processor, and as the principal for whom another asks."""
    found = []
    for grant in grants:
        askers = tuple(asker for asker in grant.askers if party in asker)
        if askers:
            found.append(replace(grant, askers=askers))
    return tuple(found)


def answered_by(grants: Iterable[Grant], party: str) -> tuple[Grant, ...]:
    """What others may learn from `party`."""
    return tuple(replace(grant, answerers=(party,)) for grant in grants if party in grant.answerers)


def matrix_of(grants: Sequence[Grant]) -> Matrix:
    """Askers by answerers over `grants`; parties whose cells are all equal stand together."""
    cells: dict[tuple[Asker, str], list[Learned]] = {}
    for grant in grants:
        learned = Learned(grant.purpose, grant.things)
        for asker in grant.askers:
            for answerer in grant.answerers:
                cells.setdefault((asker, answerer), []).append(learned)
    askers = sorted({asker for asker, _ in cells}, key=_order)
    answerers = sorted({answerer for _, answerer in cells})
    columns = _alike({b: tuple(tuple(cells.get((a, b), ())) for a in askers) for b in answerers})
    rows = _alike({a: tuple(tuple(cells.get((a, column[0]), ())) for column in columns) for a in askers})
    return Matrix(
        columns,
        tuple(Row(row, tuple(tuple(cells.get((row[0], column[0]), ())) for column in columns)) for row in rows),
    )


def grouped(catalogue: Catalogue, parties: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`parties` as whole groups that do not overlap, the largest first to be taken, and the others. Both sorted."""
    left, groups = set(parties), []
    for group, members in sorted(catalogue.groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(members) > 1 and set(members) <= left:
            groups.append(group)
            left -= set(members)
    return tuple(sorted(groups)), tuple(sorted(left))


def _grants(policies: PolicySet, name: str) -> Iterable[Grant]:
    purpose, terms = policies.purposes[name], policies.terms[name]
    learn = purpose.may_learn
    alike: dict[tuple[str, ...], list[str]] = {}
    for answerer in purpose.answers:
        held = tuple(attribute for attribute in learn.attributes if attribute in terms.held[answerer])
        things = (*(("hit",) if learn.hit else ()), *held, *(("count",) if learn.count else ()))
        alike.setdefault(things, []).append(answerer)
    askers = tuple(Asker(*pair) for pair in purpose.asking_pairs())
    for things, answerers in alike.items():
        yield Grant(name, askers, tuple(answerers), things)


def _order(asker: Asker) -> tuple[str, str]:
    return (asker.party, asker.principal or "")


def _alike(seen: dict[_Key, tuple[tuple[Learned, ...], ...]]) -> tuple[tuple[_Key, ...], ...]:
    """Keys with equal values together, in the order in which each value first came."""
    together: dict[tuple[tuple[Learned, ...], ...], list[_Key]] = {}
    for key, value in seen.items():
        together.setdefault(value, []).append(key)
    return tuple(tuple(keys) for keys in together.values())
