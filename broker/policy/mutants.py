"""The changes of a purpose that its tests should notice: each value taken out, put in, flipped, or moved by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from broker.policy.document import PURPOSE_FOLDER, PolicySet
from broker.policy.purpose import AtMost, OnBehalfOf, Purpose

_CASE = "add a case"
_LEAVES = {"use_only_for": "use_only_for.nl", "look_back": "look_back.years"}
"""Where a key that holds others is held."""


@dataclass(frozen=True)
class Mutant:
    """A purpose with one change, its lists as written (groups not listed out). `told`: the change in words.

    `any_of`: changes of one kind, such as strangers who join; it is enough that one of them is noticed.
    """

    path: str
    told: str
    purpose: Purpose
    hint: str
    any_of: str = ""


def mutants(policies: PolicySet, name: str) -> Iterator[Mutant]:
    """Every change of a purpose that is tried. Only lines that stand in its file are changed."""
    purpose = _as_written(policies, name)
    yield from _parties(policies, purpose)
    yield from _matter(policies, purpose)
    yield from _learning(policies, purpose)
    yield from _words(policies, purpose)
    yield from _numbers(purpose)
    yield from _guards(purpose)
    yield from _dropped(policies, purpose)


def _as_written(policies: PolicySet, name: str) -> Purpose:
    """The purpose with its lists as they stand in the file: there a group is one word."""
    value: Any = policies.lines[f"{PURPOSE_FOLDER}{name}.yaml"].value
    lists = {key: tuple(map(str, value[key])) for key in ("asks", "answers", "identified_by")}
    return policies.purposes[name].model_copy(update=lists)


def _put(purpose: Purpose, path: str, value: object) -> Purpose:
    """`purpose` with another value at a dotted path of fields."""
    head, _, rest = path.partition(".")
    field = f"{head}_" if head == "from" else head
    if not rest:
        return purpose.model_copy(update={field: value})
    inner = getattr(purpose, field)
    return purpose.model_copy(update={field: _put(inner, rest, value)})


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else "nothing" if value is None else str(value)


def _nested(path: str, value: object) -> str:
    """A held value as it is written: `pseudonyms: {steward: snf}`."""
    *outer, last = path.split(".")
    told = f"{last}: {_shown(value)}"
    for key in reversed(outer):
        told = f"{key}: {{{told}}}"
    return told


def _swap(purpose: Purpose, path: str, values: Sequence[object], *, hold: bool = False) -> Iterator[Mutant]:
    old: Any = purpose
    for step in path.split("."):
        old = getattr(old, f"{step}_" if step == "from" else step)
    for value in values:
        if value != old:
            hint = f"write `{_nested(path, old)}` under `holds`" if hold else _CASE
            yield Mutant(path, f"{path} {_shown(old)} becomes {_shown(value)}", _put(purpose, path, value), hint)


def _parties(policies: PolicySet, purpose: Purpose) -> Iterator[Mutant]:
    names = (*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of))
    taking_part = policies.catalogue.parties_of(names)
    strangers = [party for party in policies.catalogue.parties if party not in taking_part]
    for key in ("asks", "answers"):
        words: tuple[str, ...] = getattr(purpose, key)
        for word in words if len(words) > 1 else ():
            left = tuple(other for other in words if other != word)
            yield Mutant(key, f"{word} leaves {key}", _put(purpose, key, left), _CASE)
        for word in strangers:
            yield Mutant(key, f"{word} joins {key}", _put(purpose, key, (*words, word)), _CASE, f"joins {key}")
    for position, pair in enumerate(purpose.on_behalf_of):
        left_pairs = tuple(other for other in purpose.on_behalf_of if other != pair)
        told = f"{pair.processor} may no longer ask for {pair.principal}"
        yield Mutant(f"on_behalf_of.{position}", told, _put(purpose, "on_behalf_of", left_pairs), _CASE)
    for processor in sorted({pair.processor for pair in purpose.on_behalf_of}):
        for word in strangers:
            pairs = (*purpose.on_behalf_of, OnBehalfOf(processor=processor, principal=word))
            told = f"{processor} may ask for {word}"
            yield Mutant("on_behalf_of", told, _put(purpose, "on_behalf_of", pairs), _CASE, f"{processor} asks for")


def _matter(policies: PolicySet, purpose: Purpose) -> Iterator[Mutant]:
    words = purpose.identified_by
    for word in words if len(words) > 1 else ():
        left = tuple(other for other in words if other != word)
        yield Mutant("identified_by", f"{word} leaves identified_by", _put(purpose, "identified_by", left), _CASE)
    for word, identifier in policies.catalogue.identifiers.items():
        if word not in words and identifier.about == purpose.about:
            more = (*words, word)
            told = f"{word} joins identified_by"
            yield Mutant("identified_by", told, _put(purpose, "identified_by", more), _CASE, "joins identified_by")
    yield from _swap(purpose, "state", ["suspended"] if purpose.state == "active" else ["active"])
    yield from _swap(purpose, "about", list(policies.catalogue.subject_types))
    yield from _swap(purpose, "pseudonyms.mode", ["keyed", "oblivious"])
    yield from _swap(purpose, "pseudonyms.epoch", ["month", "quarter", "year"])
    stewards = sorted({*policies.participants(policies.purposes[purpose.name])})
    yield from _swap(purpose, "pseudonyms.steward", stewards[:3], hold=True)
    if purpose.pseudonyms.successors:
        yield from _swap(purpose, "pseudonyms.successors", [()], hold=True)
    if purpose.pseudonyms.overlap_days is not None:
        yield from _by_one(purpose, "pseudonyms.overlap_days")
    services = purpose.pseudonyms.key_services
    if services:  # public keys are another in every epoch: a proof holds them, no test
        fewer = [tuple(other for other in services if other != name) for name in services]
        yield from _swap(purpose, "pseudonyms.key_services", fewer, hold=True)


def _learning(policies: PolicySet, purpose: Purpose) -> Iterator[Mutant]:
    learn = purpose.may_learn
    if "hit" in learn.model_fields_set:
        yield from _swap(purpose, "may_learn.hit", [not learn.hit])
    for word in learn.attributes:
        left = {other: why for other, why in learn.attributes.items() if other != word}
        path = f"may_learn.attributes.{word}"
        yield Mutant(path, f"{word} may no longer be learned", _put(purpose, "may_learn.attributes", left), _CASE)
    answerers = set(policies.purposes[purpose.name].answers)
    for word in policies.catalogue.attributes if learn.attributes else ():
        if word not in learn.attributes and policies.catalogue.holders_of(word) & answerers:
            more = {**learn.attributes, word: "by chance"}
            told = f"{word} may be learned too"
            bent = _put(purpose, "may_learn.attributes", more)
            yield Mutant("may_learn.attributes", told, bent, _CASE, "joins attributes")
    if learn.count is None:
        return
    if learn.hit:
        yield from _swap(purpose, "may_learn.count", [None])
    yield from _by_one(purpose, "may_learn.count.min_group")
    yield from _by_one(purpose, "may_learn.count.per_epoch")
    bands = learn.count.bands
    if bands:
        others = [(), bands[:-1], (*bands, bands[-1] + 1)]
        yield from _swap(purpose, "may_learn.count.bands", others, hold=True)


def _words(policies: PolicySet, purpose: Purpose) -> Iterator[Mutant]:
    """Lines that decide nothing at the gate, and mean something: held by `holds`."""
    basis = policies.catalogue.legal_bases[purpose.legal_basis]
    others = [
        name
        for name, other in policies.catalogue.legal_bases.items()
        if name != purpose.legal_basis and other.longest_retention_days >= basis.longest_retention_days
    ]
    yield from _swap(purpose, "legal_basis", others[:1] or list(policies.catalogue.legal_bases)[:2], hold=True)
    yield from _swap(purpose, "processing_activity", ["https://register.example.nl/verwerkingen/other"], hold=True)
    if purpose.dpia is not None:
        yield from _swap(purpose, "dpia", ["another DPIA"], hold=True)
    if purpose.use_only_for is not None:
        for language in ("nl", "en"):
            yield from _swap(purpose, f"use_only_for.{language}", ["anything"], hold=True)
    for key in ("written_by", "shadow_of"):
        if getattr(purpose, key) is not None:
            yield from _swap(purpose, key, [None], hold=True)
    if purpose.lifts:
        yield from _swap(purpose, "lifts", [()], hold=True)
    if purpose.answers_live:
        yield from _swap(purpose, "answers_live", [()], hold=True)
    for position, answer in enumerate(purpose.answered):
        left = tuple(other for other in purpose.answered if other != answer)
        hint = "name the code under `holds`, such as `answered: [CODE]`,"
        told = f"the answer to {answer.finding} is taken out"
        yield Mutant(f"answered.{position}", told, _put(purpose, "answered", left), hint)


def _numbers(purpose: Purpose) -> Iterator[Mutant]:
    yield from _by_one(purpose, "limits.subjects_per_request")
    yield from _by_one(purpose, "limits.requests_per_day")
    for path in ("subject_searches_per_day", "evaluations_per_epoch", "register_evaluations_per_epoch"):
        if getattr(purpose.limits, path) is not None:
            yield from _by_one(purpose, f"limits.{path}", hold=True)
    if purpose.standing_questions is not None:
        yield from _by_one(purpose, "standing_questions.days")
    yield from _by_one(purpose, "valid.from")
    yield from _by_one(purpose, "valid.until")
    yield from _by_one(purpose, "answer_keep_days", hold=True)
    yield from _by_one(purpose, "vault_keep_days", hold=True)
    if purpose.deliver_every_days is not None:
        yield from _by_one(purpose, "deliver_every_days", hold=True)
    if purpose.weakest_match_key is not None:
        yield from _by_one(purpose, "weakest_match_key")
    if purpose.look_back is not None:
        yield from _by_one(purpose, "look_back.years")
        yield from _swap(purpose, "look_back.counted_from", ["as-of", "receipt-of-overview"])


def _guards(purpose: Purpose) -> Iterator[Mutant]:
    """Guards against probing. What is only reported leaves every question permitted, so `holds` holds it."""
    for key in type(purpose.probing).model_fields if purpose.probing is not None else ():
        guard = getattr(purpose.probing, key)
        if guard is None:
            continue
        path, reports = f"probing.{key}", guard.then == "report"
        bound = "at_most" if isinstance(guard, AtMost) else "at_least"
        yield from _by_one(purpose, f"{path}.{bound}", hold=reports)
        yield from _swap(purpose, f"{path}.then", ["refuse" if reports else "report"], hold=reports)
        hint = f"name {path}.{bound} under `holds`" if reports else _CASE
        yield Mutant(path, f"{path} is taken out", _put(purpose, path, None), hint)


def _dropped(policies: PolicySet, purpose: Purpose) -> Iterator[Mutant]:
    """Keys that a text need not have."""
    optional = (
        "weakest_match_key",
        "look_back",
        "valid_on",
        "case_number",
        "cooperation_ref",
        "standing_questions",
    )
    held = ["human_check", "deliver_every_days", "use_only_for"]
    keys = max(policies.catalogue.identifiers[name].match_keys for name in purpose.identified_by)
    if purpose.weakest_match_key == keys:  # it bars nothing now, so no question can show it
        held.append("weakest_match_key")
    for key in dict.fromkeys((*optional, *held)):
        if getattr(purpose, key) is not None:
            path = _LEAVES.get(key, key)
            hint = f"name {path} under `holds`" if key in held else _CASE
            yield Mutant(path, f"{key} is taken out", _put(purpose, key, None), hint)
    for key in ("exclude_natural_persons", "hit_only_if_natural_person"):
        if key in purpose.model_fields_set:
            yield from _swap(purpose, key, [not getattr(purpose, key)])


def _by_one(purpose: Purpose, path: str, *, hold: bool = False) -> Iterator[Mutant]:
    old: Any = purpose
    for step in path.split("."):
        old = getattr(old, f"{step}_" if step == "from" else step)
    one = timedelta(days=1) if isinstance(old, date) else 1
    yield from _swap(purpose, path, [value for value in (old - one, old + one) if value != 0], hold=hold)
