"""A comparison of two policy sets in sentences: newly allowed, no longer, looser, for a person, tighter, or else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.policy.difference import Atoms, Pair, Section, added, allows_more, region_of, steps
from broker.policy.document import PolicySet
from broker.policy.duties import duty_steps
from broker.policy.leaves import differing
from broker.policy.terms import listed_names
from broker.policy.vocabulary_changes import set_steps

_SPOKEN = {"hit": "hit or no hit", "count": "a count"}


@dataclass(frozen=True, order=True)
class Sentence:
    """One change. `purpose`: "" when it concerns the whole set. `path`: where the new text says so, "" if nowhere."""

    purpose: str
    text: str
    path: str = ""


@dataclass(frozen=True)
class Comparison:
    """Everything that differs, by section. `more`: whether the new set allows more or is looser in anything."""

    sections: Mapping[Section, tuple[Sentence, ...]]
    more: bool
    must_compare: bool
    """Whether something differs of which no rule can say that it is tighter: wordings, types, codes."""
    same: bool
    """Whether both mean the same to the letter."""


def compare(before: PolicySet, after: PolicySet) -> Comparison:
    """The comparison of two sets; exact in what is allowed (`broker.policy.difference`)."""
    found: dict[Section, list[Sentence]] = {section: [] for section in Section}
    names = sorted({*before.purposes, *after.purposes})
    untouched = _same_words(before, after)
    for name in names:
        if untouched and before.meaning["purposes"].get(name) == after.meaning["purposes"].get(name):
            continue
        for section, sentence in _purpose(before, after, name):
            found[section].append(sentence)
    for step in set_steps(before, after):
        found[step.section].append(Sentence("", step.text, step.path))
    renamed = tuple(_renamed(before, after))
    found[Section.OTHER] += renamed
    more = bool(found[Section.NEWLY] or found[Section.LOOSER] or allows_more(before, after))
    same = before.digest == after.digest and before.expires == after.expires
    sections = {section: tuple(sentences) for section, sentences in found.items()}
    return Comparison(sections, more, bool(sections[Section.TO_COMPARE]), same)


def _same_words(before: PolicySet, after: PolicySet) -> bool:
    same: bool = before.meaning["catalogue"] == after.meaning["catalogue"] and before.expires == after.expires
    return same


def _purpose(before: PolicySet, after: PolicySet, name: str) -> Iterator[tuple[Section, Sentence]]:
    old, new = region_of(before, name), region_of(after, name)
    for atoms in added(old, new):
        yield Section.NEWLY, Sentence(name, _allowed(after, name, atoms), atoms.path)
    for atoms in added(new, old):
        yield Section.NO_LONGER, Sentence(name, _allowed(before, name, atoms), "")
    if old is not None and new is not None:
        for step in steps(old, new):
            section = Section.LOOSER if step.looser else Section.TIGHTER
            yield section, Sentence(name, f"{step.what}: {step.before} -> {step.after}", step.path)
    if name in before.purposes and name in after.purposes:
        for change in duty_steps(before, after, name):
            yield change.section, Sentence(name, change.text, change.path)
        if new is None:
            yield from _idle(before, after, name)
    elif new is None and name in after.purposes:
        state = after.purposes[name].state
        yield Section.OTHER, Sentence(name, f"is new, and {state}: it permits nothing yet", "state")
    elif old is None and name in before.purposes:
        yield Section.OTHER, Sentence(name, f"was {before.purposes[name].state}, and is gone")


def _idle(before: PolicySet, after: PolicySet, name: str) -> Iterator[tuple[Section, Sentence]]:
    """Of a purpose that permits nothing, every key of its text that changed besides its state."""
    old, new = before.meaning["purposes"][name], after.meaning["purposes"][name]
    paths = [path for path, _, _ in differing(old, new) if path != "state"]
    if paths:
        state = after.purposes[name].state
        idle = f"is {state} and permits nothing" if state != "active" else "permits nothing"
        yield Section.OTHER, Sentence(name, f"{idle}; its text changed: {', '.join(paths)}", paths[0])


def _allowed(policies: PolicySet, name: str, atoms: Atoms) -> str:
    """One sentence for a product; answerers that tell the same are told of together."""
    purpose = policies.purposes[name]
    by_answerer: dict[str, set[str]] = {}
    for answerer, thing in atoms.things:
        by_answerer.setdefault(answerer, set()).add(thing)
    by_things: dict[tuple[str, ...], list[str]] = {}
    for answerer, things in sorted(by_answerer.items()):
        by_things.setdefault(tuple(sorted(things, key=_order)), []).append(answerer)
    asked = "; and ".join(
        f"{listed_names(tuple(answerers))} for: {', '.join(_SPOKEN.get(thing, thing) for thing in things)}"
        for things, answerers in by_things.items()
    )
    schemes = listed_names(tuple(sorted(atoms.schemes)))
    return f"{_askers(atoms.pairs)} may ask, about {purpose.about}, identified by {schemes}, of {asked}"


def _order(thing: str) -> tuple[bool, str]:
    return thing not in _SPOKEN, thing


def _askers(pairs: frozenset[Pair]) -> str:
    alone = tuple(sorted(asker for asker, principal in pairs if principal is None))
    told = [listed_names(alone)] if alone else []
    told += [f"{asker} on behalf of {principal}" for asker, principal in sorted(pairs, key=str) if principal]
    return "; ".join(told)


def _renamed(before: PolicySet, after: PolicySet) -> Iterator[Sentence]:
    """New purposes that are an old one under another name: another name is another key."""

    def bare(meaning: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in meaning.items() if key not in ("purpose", "title", "because")}

    old, new = before.meaning["purposes"], after.meaning["purposes"]
    gone = {name: bare(old[name]) for name in old if name not in new}
    for name in new:
        if name in old:
            continue
        for other, meaning in gone.items():
            if bare(new[name]) == meaning:
                text = f"is {other} under another name: a new purpose, with keys and registers of its own"
                yield Sentence(name, text, "purpose")
