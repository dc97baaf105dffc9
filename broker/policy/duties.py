"""What differs between two texts besides what is permitted: duties, keeping, pseudonyms, words, and the set itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.policy.catalogue import Guardrails
from broker.policy.document import PolicySet
from broker.policy.purpose import Purpose

_PERIODS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Shift:
    """One difference in words. `looser`: None when it is neither looser nor tighter."""

    looser: bool | None
    text: str
    path: str = ""


def duty_steps(before: PolicySet, after: PolicySet, name: str) -> Iterator[Shift]:
    """Every difference between two texts of one purpose that decides nothing at the gate."""
    old, new = before.purposes[name], after.purposes[name]
    if old.state != new.state:
        yield Shift(None, f"state: {old.state} -> {new.state}", "state")
    yield from _keeping(old, new)
    yield from _duties(old, new)
    yield from _pseudonyms(old, new)
    yield from _rules(old, new)
    yield from _bands(old, new)
    yield from _law(old, new)
    yield from _words(old, new)


def set_steps(before: PolicySet, after: PolicySet) -> Iterator[Shift]:
    """Every difference between two sets that belongs to no purpose."""
    if before.expires and after.expires and before.expires != after.expires:
        text = f"the set expires: {before.expires:%Y-%m-%d %H:%M} -> {after.expires:%Y-%m-%d %H:%M} UTC"
        yield Shift(after.expires > before.expires, text)
    for party in sorted({*after.catalogue.auditors} - {*before.catalogue.auditors}):
        yield Shift(True, f"{party} may read the whole log, as an auditor", "catalogue.auditors")
    for party in sorted({*before.catalogue.auditors} - {*after.catalogue.auditors}):
        yield Shift(False, f"{party} may no longer read the log as an auditor", "catalogue.auditors")
    for rail in Guardrails.model_fields:
        old, new = getattr(before.catalogue.guardrails, rail), getattr(after.catalogue.guardrails, rail)
        if old != new:
            looser = (new < old) if rail == "smallest_min_group" else (new > old)
            yield Shift(looser, f"guardrail {rail}: {old} -> {new}", f"catalogue.guardrails.{rail}")
    yield from _vocabulary(before.meaning["catalogue"], after.meaning["catalogue"])
    yield from _named("officer", before.meaning.get("officers", {}), after.meaning.get("officers", {}), "")


def _number(what: str, old: int | None, new: int | None, path: str) -> Iterator[Shift]:
    """A number of days: more is looser, and none at all the loosest."""
    if old != new:
        looser = new is None or (old is not None and new > old)
        yield Shift(looser, f"{what}: {'none' if old is None else old} -> {'none' if new is None else new}", path)


def _keeping(old: Purpose, new: Purpose) -> Iterator[Shift]:
    yield from _number("days an answer may be kept", old.answer_keep_days, new.answer_keep_days, "answer_keep_days")
    what = "days the broker keeps what opens the log's commitments"
    yield from _number(what, old.vault_keep_days, new.vault_keep_days, "vault_keep_days")


def _duties(old: Purpose, new: Purpose) -> Iterator[Shift]:
    what = "days between deliveries of the register"
    yield from _number(what, old.deliver_every_days, new.deliver_every_days, "deliver_every_days")
    if (old.human_check is None) != (new.human_check is None):
        dropped = new.human_check is None
        text = "a person need no longer check every hit" if dropped else "a person must check every hit"
        yield Shift(dropped, text, "" if dropped else "human_check")
    if old.use_only_for != new.use_only_for:
        if new.use_only_for is None:
            yield Shift(True, "the answer may be used for anything: use_only_for is gone")
        elif old.use_only_for is None:
            yield Shift(False, f"the answer may be used only for: {new.use_only_for.en}", "use_only_for")
        else:
            yield Shift(None, f"use only for: {old.use_only_for.en} -> {new.use_only_for.en}", "use_only_for")


def _pseudonyms(old: Purpose, new: Purpose) -> Iterator[Shift]:
    if old.pseudonyms.mode != new.pseudonyms.mode:
        text = f"pseudonyms: mode {old.pseudonyms.mode} -> {new.pseudonyms.mode}"
        yield Shift(new.pseudonyms.mode == "keyed", text, "pseudonyms.mode")
    if old.pseudonyms.epoch != new.pseudonyms.epoch:
        longer = _PERIODS[new.pseudonyms.epoch] > _PERIODS[old.pseudonyms.epoch]
        text = f"one key, so one pseudonym, holds for a {old.pseudonyms.epoch} -> a {new.pseudonyms.epoch}"
        yield Shift(longer, text, "pseudonyms.epoch")
    if old.pseudonyms.steward != new.pseudonyms.steward:
        text = f"the key is made by {old.pseudonyms.steward} -> {new.pseudonyms.steward}"
        yield Shift(None, text, "pseudonyms.steward")


def _rules(old: Purpose, new: Purpose) -> Iterator[Shift]:
    before, after = old.register_rules(), new.register_rules()
    for rule in sorted({*before, *after}):
        was, is_now = before.get(rule), after.get(rule)
        if was == is_now:
            continue
        if was is None or is_now is None:
            gone = is_now is None
            text = f"the answerer need no longer apply the row rule {rule}" if gone else f"row rule {rule} applies"
            yield Shift(gone, text, "" if gone else _rule_path(rule))
        else:
            looser = is_now > was if isinstance(is_now, int) and isinstance(was, int) else None
            yield Shift(looser, f"row rule {rule}: {was} -> {is_now}", _rule_path(rule))


def _rule_path(rule: str) -> str:
    return "look_back" if rule.startswith("look_back") else rule


def _bands(old: Purpose, new: Purpose) -> Iterator[Shift]:
    if old.may_learn.count is None or new.may_learn.count is None:
        return
    before, after = old.may_learn.count.bands, new.may_learn.count.bands
    if before == after:
        return
    finer = not after or (bool(before) and bool({*after} - {*before}))
    told = [", ".join(map(str, bands)) or "none: the exact number" for bands in (before, after)]
    yield Shift(finer, f"bands of a count: {told[0]} -> {told[1]}", "may_learn.count")


def _law(old: Purpose, new: Purpose) -> Iterator[Shift]:
    for key in ("legal_basis", "processing_activity", "dpia", "written_by", "shadow_of"):
        if getattr(old, key) != getattr(new, key):
            yield Shift(None, f"{key}: {getattr(old, key) or 'none'} -> {getattr(new, key) or 'none'}", key)
    if old.lifts != new.lifts:
        lifted = sorted({*new.lifts} - {*old.lifts})
        if lifted:
            yield Shift(True, f"lifts the suspension by notice {', '.join(lifted)}", "lifts")
        else:
            yield Shift(False, "no longer lifts a notice of suspension")
    if old.answered != new.answered:
        yield Shift(None, "a person's answers to findings differ", "answered")


def _words(old: Purpose, new: Purpose) -> Iterator[Shift]:
    for key in ("title", "because"):
        if getattr(old, key) != getattr(new, key):
            yield Shift(None, f"{key} reads otherwise", key)
    changed = sorted(
        word for word, why in new.may_learn.attributes.items() if old.may_learn.attributes.get(word, why) != why
    )
    if changed:
        yield Shift(None, f"why it is needed reads otherwise: {', '.join(changed)}", "may_learn.attributes")
    if old.about != new.about:
        yield Shift(None, f"about: {old.about} -> {new.about}", "about")


def _vocabulary(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Shift]:
    kinds = {
        "parties": "party",
        "groups": "group",
        "identifiers": "identifier",
        "attributes": "attribute",
        "legal_bases": "legal basis",
        "subject_types": "subject type",
        "dpias": "assessment",
    }
    for member, kind in kinds.items():
        yield from _named(kind, old.get(member, {}), new.get(member, {}), f"catalogue.{member}.")


def _named(kind: str, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Shift]:
    """Words of the vocabulary. What they change in purposes is told there."""
    for name in sorted(new.keys() - old.keys()):
        yield Shift(None, f"new {kind}: {name}", f"{path}{name}" if path else "")
    for name in sorted(old.keys() - new.keys()):
        yield Shift(None, f"{kind} {name} is gone")
    for name in sorted(old.keys() & new.keys()):
        if old[name] == new[name]:
            continue
        if isinstance(new[name], Mapping):
            for key in sorted({*old[name], *new[name]}):
                was, is_now = old[name].get(key), new[name].get(key)
                if was != is_now:
                    yield _member(kind, name, key, was, is_now, f"{path}{name}" if path else "")
        else:
            joined, left = sorted({*new[name]} - {*old[name]}), sorted({*old[name]} - {*new[name]})
            told = [f"joined by {', '.join(joined)}"] if joined else []
            told += [f"left by {', '.join(left)}"] if left else []
            yield Shift(None, f"{kind} {name}: {'; '.join(told) or 'listed in another order'}", f"{path}{name}")


_LOOSER: Mapping[str, Callable[[Any, Any], bool | None]] = {
    "longest_retention_days": lambda was, is_now: is_now > was,
    "rows_per_pseudonym": lambda was, is_now: is_now > was,
    "bsn_entitled": lambda was, is_now: True if was is None else (False if is_now is None else None),
    "special_categories": lambda was, is_now: bool({*(is_now or {})} - {*(was or {})}),
    "special_category": lambda _, is_now: is_now is None,
    "treated_as_bsn": lambda _, is_now: not is_now,
    "national_number": lambda _, is_now: not is_now,
    "natural_person": lambda _, is_now: not is_now,
}
"""Members of words whose change loosens or tightens what purposes may be written."""


def _member(kind: str, name: str, key: str, was: object, is_now: object, path: str) -> Shift:
    judge = _LOOSER.get(key)
    simple = all(isinstance(value, str | int | None) for value in (was, is_now))
    values = ["none" if value is None else str(value) for value in (was, is_now)]
    told = f": {' -> '.join(values)}" if simple else " reads otherwise"
    return Shift(judge(was, is_now) if judge else None, f"{kind} {name}, {key}{told}", path)
