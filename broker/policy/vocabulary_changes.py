"""What differs between two sets besides their purposes: the vocabulary, the officers, the guardrails, and the expiry.

Closed: every member of every word has a judge, and a member without one must be compared by a person. What a change
of a word changes in purposes (holders, groups, match keys, the days on which a law holds) is told there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from broker.policy.catalogue import Guardrails
from broker.policy.difference import Section
from broker.policy.document import PolicySet
from broker.policy.duties import Shift, either
from broker.policy.leaves import differing, told
from broker.policy.terms import listed_names

Judge: TypeAlias = Callable[[Any, Any], Section]
"""Old and new value of a member, which differ, to the section of the change."""


def set_steps(before: PolicySet, after: PolicySet) -> Iterator[Shift]:
    """Every difference between two sets that belongs to no purpose."""
    if before.expires and after.expires and before.expires != after.expires:
        text = f"the set expires: {before.expires:%Y-%m-%d %H:%M} -> {after.expires:%Y-%m-%d %H:%M} UTC"
        yield Shift(either(after.expires > before.expires), text)
    for party in sorted({*after.catalogue.auditors} - {*before.catalogue.auditors}):
        yield Shift(Section.LOOSER, f"{party} may read the whole log, as an auditor", "catalogue.auditors")
    for party in sorted({*before.catalogue.auditors} - {*after.catalogue.auditors}):
        yield Shift(Section.TIGHTER, f"{party} may no longer read the log as an auditor", "catalogue.auditors")
    for rail in Guardrails.model_fields:
        old, new = getattr(before.catalogue.guardrails, rail), getattr(after.catalogue.guardrails, rail)
        if old != new:
            looser = (new < old) if rail == "smallest_min_group" else (new > old)
            yield Shift(either(looser), f"guardrail {rail}: {old} -> {new}", f"catalogue.guardrails.{rail}")
    old_words, new_words = before.meaning["catalogue"], after.meaning["catalogue"]
    for key in ("catalogue", "remark"):
        if old_words.get(key) != new_words.get(key):
            yield Shift(Section.OTHER, f"the catalogue's {key} reads otherwise", f"catalogue.{key}")
    for member, kind in KINDS.items():
        yield from _words(member, kind, old_words.get(member, {}), new_words.get(member, {}))
    for name in sorted(before.catalogue.parties.keys() & after.catalogue.parties.keys()):
        yield from _numbers(before, after, name)
        yield from _case_number(before, after, name)
    yield from _officers(before, after)


KINDS: Mapping[str, str] = {
    "parties": "party",
    "groups": "group",
    "identifiers": "identifier",
    "attributes": "attribute",
    "legal_bases": "legal basis",
    "subject_types": "subject type",
    "dpias": "assessment",
    "key_services": "key service",
}
"""Members of the catalogue that list words, each with what one of them is called."""


def _words(member: str, kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Shift]:
    """A new word by itself allows nothing: a purpose must draw on it, and that is told there."""
    for name in sorted(new.keys() - old.keys()):
        yield Shift(Section.OTHER, f"new {kind}: {name}", f"catalogue.{member}.{name}")
    for name in sorted(old.keys() - new.keys()):
        yield Shift(Section.OTHER, f"{kind} {name} is gone")
    for name in sorted(old.keys() & new.keys()):
        was, is_now, path = old[name], new[name], f"catalogue.{member}.{name}"
        if was == is_now:
            continue
        if isinstance(is_now, Mapping):
            yield from _members(member, f"{kind} {name}", was, is_now, path)
        else:
            text = f"{kind} {name}: {_joined_and_left(was, is_now) or 'listed in another order'}"
            yield Shift(Section.OTHER, text, path)


def _members(member: str, word: str, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Shift]:
    for key in sorted({*old, *new}):
        was, is_now = old.get(key), new.get(key)
        if was == is_now or key in APART.get(member, ()):
            continue
        section = JUDGES.get(member, {}).get(key, _compare)(was, is_now)
        if isinstance(was, list) and isinstance(is_now, list):
            text = _joined_and_left(was, is_now) or "listed in another order"
        else:
            text = "; ".join(
                f"{leaf}: {told(a)} -> {told(b)}" if leaf else f"{told(a)} -> {told(b)}"
                for leaf, a, b in differing(was, is_now)
            )
        yield Shift(section, f"{word}, {key}: {text}", f"{path}.{key}" if path else "")


def _joined_and_left(old: Any, new: Any) -> str:
    joined, left = sorted({*new} - {*old}), sorted({*old} - {*new})
    parts = [f"joined by {', '.join(joined)}"] if joined else []
    parts += [f"left by {', '.join(left)}"] if left else []
    return "; ".join(parts)


def _numbers(before: PolicySet, after: PolicySet, name: str) -> Iterator[Shift]:
    """Whoever shows a certificate with one of a party's OINs acts as that party."""
    old, new = before.catalogue.parties[name], after.catalogue.parties[name]
    was, is_now = {old.oin, *old.sub_oins}, {new.oin, *new.sub_oins}
    path = f"catalogue.parties.{name}.oin"
    for oin in sorted(map(str, is_now - was)):
        yield Shift(Section.LOOSER, f"party {name}: whoever holds OIN {oin} may act as it", path)
    for oin in sorted(map(str, was - is_now)):
        yield Shift(Section.TIGHTER, f"party {name}: whoever holds OIN {oin} may no longer act as it", path)
    if was == is_now and old.oin != new.oin:
        yield Shift(Section.TO_COMPARE, f"party {name}, oin: {old.oin} -> {new.oin}, of the same OINs", path)


def _case_number(before: PolicySet, after: PolicySet, name: str) -> Iterator[Shift]:
    """Another pattern accepts other numbers: looser, since patterns are not compared with each other.

    Without a pattern no number is accepted, and no purpose that requires one loads: tighter for a party that asks
    under no active purpose, and otherwise a person must see that its questions belong to no case any more.
    """
    old, new = before.catalogue.parties[name].case_number, after.catalogue.parties[name].case_number
    if old == new:
        return
    path = f"catalogue.parties.{name}"
    text = f"party {name}, case_number: {told(old)} -> {told(new)}"
    if new is not None:
        yield Shift(Section.LOOSER, text, f"{path}.case_number")
        return
    asks = sorted(one.name for one in after.purposes.values() if one.state == "active" and name in one.asks)
    if asks:
        spoken = listed_names(tuple(asks))
        yield Shift(Section.TO_COMPARE, f"{text}; it asks without a case number under {spoken}", path)
    else:
        yield Shift(Section.TIGHTER, f"{text}; it asks under no active purpose", path)


def _officers(before: PolicySet, after: PolicySet) -> Iterator[Shift]:
    """Whose signature counts, for which parties (groups listed out)."""
    for name in sorted(after.officers.keys() - before.officers.keys()):
        text = f"new officer: {name}, who may approve for {listed_names(_signs_for(after, name))}"
        yield Shift(Section.LOOSER, text)
    for name in sorted(before.officers.keys() - after.officers.keys()):
        yield Shift(Section.TIGHTER, f"officer {name} is gone, and may approve nothing")
    for name in sorted(before.officers.keys() & after.officers.keys()):
        old, new = before.officers[name], after.officers[name]
        was, is_now = _signs_for(before, name), _signs_for(after, name)
        grown, gone = sorted({*is_now} - {*was}), sorted({*was} - {*is_now})
        if grown:
            yield Shift(Section.LOOSER, f"officer {name} may also sign for {listed_names(tuple(grown))}")
        if gone:
            yield Shift(Section.TIGHTER, f"officer {name} may no longer sign for {listed_names(tuple(gone))}")
        if was == is_now and old.signs_for != new.signs_for:
            yield Shift(Section.OTHER, f"officer {name}, signs_for: the same parties, written otherwise")
        yield from _members("officers", f"officer {name}", old.model_dump(mode="json"), new.model_dump(mode="json"), "")


def _signs_for(policies: PolicySet, officer: str) -> tuple[str, ...]:
    return tuple(sorted(policies.catalogue.parties_of(policies.officers[officer].signs_for)))


def _other(_was: Any, _is_now: Any) -> Section:
    return Section.OTHER


def _compare(_was: Any, _is_now: Any) -> Section:
    return Section.TO_COMPARE


def _more(was: Any, is_now: Any) -> Section:
    """Numbers and days: more or later is looser, and none at all the loosest."""
    return either(is_now is None or (was is not None and is_now > was))


def _offered(was: Any, is_now: Any) -> Section:
    if was is None or is_now is None:
        return either(is_now is None)
    return either(any(is_now[key] > was[key] for key in is_now))


def _dropped(_was: Any, is_now: Any) -> Section:
    """A protection: without it is looser."""
    return either(not is_now)


def _marked(was: Any, is_now: Any) -> Section:
    """A mark with a value: without it is looser, with one it had not tighter, with another for a person."""
    return Section.TO_COMPARE if was is not None and is_now is not None else either(is_now is None)


def _kind(_was: Any, is_now: Any) -> Section:
    """The guardrail on national numbers binds private parties only."""
    return Section.LOOSER if is_now == "public" else Section.TO_COMPARE


def _codes(was: Any, is_now: Any) -> Section:
    """Fewer codes tell less; another code, or another meaning of one, is for a person."""
    return either(False) if is_now and is_now.items() <= was.items() else Section.TO_COMPARE


def _entitled(was: Any, is_now: Any) -> Section:
    """A law that entitles: with one it had not is looser. Whether a lawyer confirmed it decides nothing."""
    if was is None or is_now is None:
        return either(was is None)
    return Section.TO_COMPARE if was["citation"] != is_now["citation"] else Section.OTHER


def _lifted(was: Any, is_now: Any) -> Section:
    """Special categories for which a law lifts the ban."""
    sections = {_entitled(was.get(key), is_now.get(key)) for key in {*was, *is_now} if was.get(key) != is_now.get(key)}
    return next(section for section in Section if section in sections)


APART: Mapping[str, frozenset[str]] = {
    "parties": frozenset({"oin", "sub_oins", "case_number"}),
    "officers": frozenset({"signs_for"}),
}
"""Members that have a rule of their own above."""
JUDGES: Mapping[str, Mapping[str, Judge]] = {
    "parties": {
        "title": _other, "kind": _kind, "bsn_entitled": _entitled, "left_on": _more, "answers_at_most": _offered,
    },
    "subject_types": {"title": _other, "natural_person": _dropped},
    "identifiers": {
        "title": _other, "about": _compare, "national_number": _dropped, "treated_as_bsn": _dropped,
        "rows_per_pseudonym": _more, "match_keys": _other,
    },
    "attributes": {
        "title": _other, "meaning": _compare, "type": _compare, "unit": _compare, "codes": _codes, "width": _more,
        "holders": _other, "special_category": _marked, "identifies": _marked,
    },
    "legal_bases": {
        "citation": _other, "summary": _other, "dpv": _other, "longest_retention_days": _more, "in_force": _other,
        "special_categories": _lifted, "to_be_confirmed": _other,
    },
    "dpias": {"title": _other, "decided_on": _other, "review_by": _other},
    "key_services": {"title": _other, "operator": _compare},
    "officers": {"title": _other, "key": lambda *_: Section.LOOSER},
}  # fmt: skip
"""How every member of every kind of word is judged."""
