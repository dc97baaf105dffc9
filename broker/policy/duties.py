"""What differs between two texts of a purpose besides what is permitted: duties, keeping, pseudonyms, and words.

A longer epoch is looser: one pseudonym joins what is known of a subject over a longer time. A shorter one is tighter in
that, and looser where counts may be learned: the distance between two counts is judged within an epoch, and the budget
of counts begins anew in each; so budgets are compared by the year.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from broker.policy.difference import Section
from broker.policy.document import PolicySet
from broker.policy.leaves import told
from broker.policy.purpose import SUBJECT_SEARCHES, Probing, Purpose, StandingQuestions

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class Shift:
    """One difference in words, and the section where it is told."""

    section: Section
    text: str
    path: str = ""


def either(looser: bool) -> Section:
    """LOOSER, or else TIGHTER."""
    return Section.LOOSER if looser else Section.TIGHTER


def duty_steps(before: PolicySet, after: PolicySet, name: str) -> Iterator[Shift]:
    """Every difference between two texts of one purpose that decides nothing at the gate.

    Nobody need compare the wording of a purpose that is not active now: once it is, all of it is newly allowed.
    """
    old, new = before.purposes[name], after.purposes[name]
    for shift in _shifts(old, new):
        idle = shift.section is Section.TO_COMPARE and new.state != "active"
        yield replace(shift, section=Section.OTHER) if idle else shift


def _shifts(old: Purpose, new: Purpose) -> Iterator[Shift]:
    if old.state != new.state:
        yield Shift(Section.OTHER, f"state: {old.state} -> {new.state}", "state")
    yield from _keeping(old, new)
    yield from _duties(old, new)
    yield from _pseudonyms(old, new)
    if new.state == "active":
        yield from _counts_by_epoch(old, new)
    yield from _guards(old, new)
    yield from _rules(old, new)
    yield from _bands(old, new)
    yield from _law(old, new)
    yield from _words(old, new)


def _number(what: str, old: int | None, new: int | None, path: str) -> Iterator[Shift]:
    """A number of days: more is looser, and none at all the loosest."""
    if old != new:
        looser = new is None or (old is not None and new > old)
        yield Shift(
            either(looser), f"{what}: {'none' if old is None else old} -> {'none' if new is None else new}", path
        )


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
        yield Shift(either(dropped), text, "" if dropped else "human_check")
    if old.use_only_for != new.use_only_for:
        if new.use_only_for is None:
            yield Shift(Section.LOOSER, "the answer may be used for anything: use_only_for is gone")
        elif old.use_only_for is None:
            yield Shift(Section.TIGHTER, f"the answer may be used only for: {new.use_only_for.en}", "use_only_for")
        else:
            for lang in ("nl", "en"):
                was, is_now = getattr(old.use_only_for, lang), getattr(new.use_only_for, lang)
                if was != is_now:
                    yield Shift(Section.TO_COMPARE, f"use only for ({lang}): {was} -> {is_now}", f"use_only_for.{lang}")


def _pseudonyms(old: Purpose, new: Purpose) -> Iterator[Shift]:
    if old.pseudonyms.mode != new.pseudonyms.mode:
        text = f"pseudonyms: mode {old.pseudonyms.mode} -> {new.pseudonyms.mode}"
        yield Shift(either(new.pseudonyms.mode == "keyed"), text, "pseudonyms.mode")
    if old.pseudonyms.epoch != new.pseudonyms.epoch:
        longer = _MONTHS[new.pseudonyms.epoch] > _MONTHS[old.pseudonyms.epoch]
        text = f"one key, so one pseudonym, holds for a {old.pseudonyms.epoch} -> a {new.pseudonyms.epoch}"
        yield Shift(either(longer), text, "pseudonyms.epoch")
    if old.pseudonyms.steward != new.pseudonyms.steward:
        text = f"the key is made by {old.pseudonyms.steward} -> {new.pseudonyms.steward}"
        yield Shift(Section.OTHER, text, "pseudonyms.steward")
    if old.pseudonyms.successors != new.pseudonyms.successors:
        was, is_now = (", ".join(one.pseudonyms.successors) or "nobody" for one in (old, new))
        text = f"in the steward's place: {was} -> {is_now}"
        yield Shift(Section.OTHER, text, "pseudonyms.successors")
    before, after = old.pseudonyms.overlap_days or 0, new.pseudonyms.overlap_days or 0
    if before != after:
        text = f"days on which the key before may still be asked under: {before} -> {after}"
        yield Shift(either(after > before), text, "pseudonyms.overlap_days")
    yield from _services(old, new)
    before, after = (one.limits.subject_searches_per_day or SUBJECT_SEARCHES for one in (old, new))
    if before != after:
        path = "limits.subject_searches_per_day"
        yield from _number("searches for a person a day, for each party", before, after, path)
    if old.pseudonyms.mode == new.pseudonyms.mode == "oblivious":
        yield from _evaluations(old, new)


def _evaluations(old: Purpose, new: Purpose) -> Iterator[Shift]:
    was, is_now = old.limits, new.limits
    what = f"evaluations in an epoch ({new.pseudonyms.epoch}) at each key service"
    path = "limits.evaluations_per_epoch"
    yield from _number(what, was.evaluations_per_epoch, is_now.evaluations_per_epoch, path)
    before, after = ((one.register_evaluations_per_epoch or one.evaluations_per_epoch) for one in (was, is_now))
    if was.register_evaluations_per_epoch != is_now.register_evaluations_per_epoch and before != after:
        yield from _number(f"{what}, for a register", before, after, "limits.register_evaluations_per_epoch")


def _services(old: Purpose, new: Purpose) -> Iterator[Shift]:
    """Key services and their keys: one more has to be broken, or one fewer; another is for a person to judge."""
    was, is_now = {*old.pseudonyms.key_services}, {*new.pseudonyms.key_services}
    path = "pseudonyms.key_services"
    joined, left = ", ".join(sorted(is_now - was)), ", ".join(sorted(was - is_now))
    if joined and left:
        yield Shift(Section.TO_COMPARE, f"key services: {left} -> {joined}", path)
    elif joined:
        yield Shift(Section.TIGHTER, f"key services also: {joined}", path)
    elif left:
        yield Shift(Section.LOOSER, f"key services no longer: {left}", path)
    keys, keys_now = old.pseudonyms.public_keys, new.pseudonyms.public_keys
    for epoch in sorted({*keys, *keys_now}):
        if keys.get(epoch) == keys_now.get(epoch):
            continue
        path = f"pseudonyms.public_keys.{epoch}"
        if epoch not in keys_now:
            yield Shift(Section.OTHER, f"the keys of the key services for {epoch} are gone: nobody can use it any more")
        elif epoch not in keys:
            yield Shift(Section.OTHER, f"keys of the key services for {epoch}", path)
        else:  # every pseudonym of the epoch becomes another
            yield Shift(Section.TO_COMPARE, f"other keys of the key services for {epoch}", path)


def _counts_by_epoch(old: Purpose, new: Purpose) -> Iterator[Shift]:
    """What another epoch means for counts, where both texts allow them."""
    was, is_now = old.pseudonyms.epoch, new.pseudonyms.epoch
    if was == is_now or old.may_learn.count is None or new.may_learn.count is None:
        return
    epochs, epochs_now = 12 // _MONTHS[was], 12 // _MONTHS[is_now]
    most, most_now = old.may_learn.count.per_epoch, new.may_learn.count.per_epoch
    before, after = epochs * most, epochs_now * most_now
    if before != after:
        text = f"counts a year: {before} ({most} a {was}) -> {after} ({most_now} a {is_now})"
        yield Shift(either(after > before), text, "may_learn.count.per_epoch")
    text = f"the distance between two counts is judged within a {was} -> a {is_now}"
    yield Shift(either(_MONTHS[is_now] < _MONTHS[was]), text, "pseudonyms.epoch")


def _guards(old: Purpose, new: Purpose) -> Iterator[Shift]:
    """Guards against probing: none is the loosest, then a wider bound, then one that only reports."""
    for key in Probing.model_fields:
        was, is_now = getattr(old.probing, key, None), getattr(new.probing, key, None)
        if was == is_now:
            continue
        if is_now is None:
            yield Shift(Section.LOOSER, f"guard {key} is gone")
            continue
        if was is None:
            yield Shift(Section.TIGHTER, f"guard {key}: {is_now.bound}, else {is_now.then}", f"probing.{key}")
            continue
        text = f"guard {key}: {was.bound}, else {was.then} -> {is_now.bound}, else {is_now.then}"
        wider = {was.then == "refuse" and is_now.then == "report"} if was.then != is_now.then else set()
        if was.bound != is_now.bound:
            wider.add(is_now.wider_than(was))
        section = either(True in wider) if len(wider) == 1 else Section.TO_COMPARE
        yield Shift(section, text, f"probing.{key}")


def _rules(old: Purpose, new: Purpose) -> Iterator[Shift]:
    before, after = old.register_rules(), new.register_rules()
    for rule in sorted({*before, *after}):
        was, is_now = before.get(rule), after.get(rule)
        if was == is_now:
            continue
        if was is None or is_now is None:
            gone = is_now is None
            text = f"the answerer need no longer apply the row rule {rule}" if gone else f"row rule {rule} applies"
            yield Shift(either(gone), text, "" if gone else _rule_path(rule))
        elif isinstance(is_now, int) and isinstance(was, int):
            yield Shift(either(is_now > was), f"row rule {rule}: {was} -> {is_now}", _rule_path(rule))
        else:  # another rule answers rows that the old one left out
            yield Shift(_if_active(new), f"row rule {rule}: {was} -> {is_now}", _rule_path(rule))


def _if_active(new: Purpose) -> Section:
    """LOOSER where the purpose is active; otherwise it permits nothing, and this is one more change of its text."""
    return Section.LOOSER if new.state == "active" else Section.OTHER


def _rule_path(rule: str) -> str:
    return "look_back" if rule.startswith("look_back") else rule


def _bands(old: Purpose, new: Purpose) -> Iterator[Shift]:
    if old.may_learn.count is None or new.may_learn.count is None:
        return
    before, after = old.may_learn.count.bands, new.may_learn.count.bands
    if before == after:
        return
    finer = not after or (bool(before) and bool({*after} - {*before}))
    spoken = [", ".join(map(str, bands)) or "none: the exact number" for bands in (before, after)]
    yield Shift(either(finer), f"bands of a count: {spoken[0]} -> {spoken[1]}", "may_learn.count")


def _law(old: Purpose, new: Purpose) -> Iterator[Shift]:
    for key in ("legal_basis", "processing_activity", "dpia", "shadow_of"):
        if getattr(old, key) != getattr(new, key):
            section = Section.TO_COMPARE if key == "legal_basis" else Section.OTHER  # no rule orders laws
            yield Shift(section, f"{key}: {told(getattr(old, key))} -> {told(getattr(new, key))}", key)
    if old.written_by != new.written_by:
        section = Section.OTHER if new.written_by else _if_active(new)  # whoever wrote it may approve it then
        yield Shift(section, f"written_by: {told(old.written_by)} -> {told(new.written_by)}", "written_by")
    if old.lifts != new.lifts:
        lifted = sorted({*new.lifts} - {*old.lifts})
        if lifted:
            yield Shift(Section.LOOSER, f"lifts the suspension by notice {', '.join(lifted)}", "lifts")
        else:
            yield Shift(Section.TIGHTER, "no longer lifts a notice of suspension")
    if old.answers_live != new.answers_live:
        before, after = (", ".join(sorted(one.answers_live)) or "nobody" for one in (old, new))
        yield Shift(Section.TO_COMPARE, f"answers live: {before} -> {after}", "answers_live")
    if old.standing_questions != new.standing_questions:
        yield _standing(old.standing_questions, new.standing_questions)
    if old.answered != new.answered:
        yield Shift(Section.OTHER, "a person's answers to findings differ", "answered")


def _standing(old: StandingQuestions | None, new: StandingQuestions | None) -> Shift:
    """None is the tightest; then the fewer days the tighter."""
    if new is None:
        return Shift(Section.TIGHTER, "no question may stand any more")
    before = "not at all" if old is None else f"{old.days} days"
    wider = old is None or new.days > old.days
    return Shift(either(wider), f"questions may stand: {before} -> {new.days} days", "standing_questions.days")


def _words(old: Purpose, new: Purpose) -> Iterator[Shift]:
    for key in ("title", "because"):
        if getattr(old, key) != getattr(new, key):
            yield Shift(Section.OTHER, f"{key} reads otherwise", key)
    changed = sorted(
        word for word, why in new.may_learn.attributes.items() if old.may_learn.attributes.get(word, why) != why
    )
    if changed:
        yield Shift(Section.OTHER, f"why it is needed reads otherwise: {', '.join(changed)}", "may_learn.attributes")
    if old.about != new.about:
        yield Shift(Section.OTHER, f"about: {old.about} -> {new.about}", "about")
