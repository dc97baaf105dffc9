"""Checks between purpose and catalogue at load: what no single line can show. Any finding refuses the set."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from broker.policy.case_number import BSN_DIGITS, longest_digit_run, parse_pattern
from broker.policy.catalogue import Attribute, Catalogue
from broker.policy.key_services import catalogue_faults, purpose_faults, repeated_keys, standing_faults
from broker.policy.problems import Problem, did_you_mean
from broker.policy.purpose import OnBehalfOf, Purpose
from broker.policy.question_rules import question_rules
from broker.policy.strict_yaml import Path, YamlFile

Say = Callable[..., Problem]


def list_out(catalogue: Catalogue, purpose: Purpose) -> Purpose:
    """`purpose` with groups listed out and every list that is a set in sorted order."""
    pairs = sorted(purpose.on_behalf_of, key=lambda pair: (pair.processor, pair.principal))
    return purpose.model_copy(
        update={
            "asks": _members(catalogue, purpose.asks),
            "answers": _members(catalogue, purpose.answers),
            "identified_by": tuple(sorted(purpose.identified_by)),
            "on_behalf_of": tuple(pairs),
            "pseudonyms": purpose.pseudonyms.model_copy(
                update={"key_services": tuple(sorted(purpose.pseudonyms.key_services))}
            ),
        }
    )


def check_catalogue(catalogue: Catalogue, source: YamlFile) -> tuple[Problem, ...]:
    """Every problem within the catalogue."""
    say = _speaker(source)
    return (
        *_party_problems(catalogue, say),
        *_group_problems(catalogue, say),
        *_identifier_problems(catalogue, say),
        *_attribute_problems(catalogue, say),
        *(say(*fault) for fault in catalogue_faults(catalogue)),
    )


def check_purpose(catalogue: Catalogue, purpose: Purpose, source: YamlFile) -> tuple[Problem, ...]:
    """Every problem between `purpose` (as written, groups not yet listed out) and the catalogue."""
    say = _speaker(source)
    words = tuple(_word_problems(catalogue, purpose, say))
    if words:
        return words
    listed = list_out(catalogue, purpose)
    return (
        *_party_rules(catalogue, listed, purpose.on_behalf_of, say),
        *_learning_rules(catalogue, listed, say),
        *_person_rules(catalogue, listed, say),
        *_bound_rules(catalogue, listed, say),
        *(say(*fault) for fault in purpose_faults(purpose)),
        *(say(*fault) for fault in standing_faults(catalogue, purpose) if purpose.state == "active"),
    )


def check_together(
    purposes: Mapping[str, Purpose], officers: Iterable[str], sources: Mapping[str, YamlFile]
) -> Iterator[Problem]:
    """Every problem between purposes, and between purposes and officers. `sources`: every file by its name."""
    for name, fault in repeated_keys(purposes.values()):
        source = sources.get(f"purposes/{name}.yaml")
        if source is not None:
            yield _speaker(source)(*fault)
    for name, purpose in purposes.items():
        source = sources.get(f"purposes/{name}.yaml")
        if source is None:  # its file has another name, which is refused already
            continue
        say = _speaker(source)
        if purpose.written_by is not None and purpose.written_by not in officers:
            hint = did_you_mean(purpose.written_by, officers)
            yield say(("written_by",), "UNKNOWN_WORD", f"'{purpose.written_by}' is no officer of officers.yaml", hint)
        if purpose.shadow_of is None:
            continue
        if purpose.state not in ("draft", "shadow"):
            text = f"a purpose that is {purpose.state} is nobody's shadow"
            yield say(("shadow_of",), "SHADOW_STATE", text, "write `state: shadow`, or remove `shadow_of`")
        other = purposes.get(purpose.shadow_of)
        if other is None or other.name == name:
            hint = did_you_mean(purpose.shadow_of, [known for known in purposes if known != name])
            yield say(("shadow_of",), "UNKNOWN_WORD", f"'{purpose.shadow_of}' is no other purpose", hint)


def _speaker(source: YamlFile) -> Say:
    def say(path: Path, code: str, text: str, suggestion: str) -> Problem:
        return Problem(source.file, source.line(path), code, text, suggestion)

    return say


def _members(catalogue: Catalogue, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(catalogue.parties_of(names)))


def _repeats(words: Sequence[str], path: Path, say: Say) -> Iterator[Problem]:
    for position, word in enumerate(words):
        if word in words[:position]:
            yield say((*path, position), "REPEATED", f"'{word}' is listed twice", "remove one")


def _party_problems(catalogue: Catalogue, say: Say) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, party in catalogue.parties.items():
        for oin in (party.oin, *party.sub_oins):
            if oin in seen:
                yield say(("parties", name), "OIN_REPEATED", f"has the OIN of {seen[oin]}", "an OIN names one party")
            seen[oin] = name
        if party.bsn_entitled is not None and party.kind == "private":
            path = ("parties", name, "bsn_entitled")
            yield say(path, "NATIONAL_NUMBER_PRIVATE", "a private party cannot be entitled to the BSN", "remove it")
        if party.case_number is not None:
            yield from _pattern_problems(name, party.case_number, say)
    for position, name in enumerate(catalogue.auditors):
        if name not in catalogue.parties:
            hint = did_you_mean(name, catalogue.parties)
            yield say(("auditors", position), "UNKNOWN_WORD", f"'{name}' is no party", hint)
    yield from _repeats(catalogue.auditors, ("auditors",), say)


def _pattern_problems(party: str, pattern: str, say: Say) -> Iterator[Problem]:
    path = ("parties", party, "case_number")
    try:
        steps = parse_pattern(pattern)
    except ValueError as error:
        yield say(path, "CASE_PATTERN", str(error), "write it such as NLA-[0-9]{4}-[0-9]{1,6}")
        return
    if longest_digit_run(steps) >= BSN_DIGITS:
        hint = f"break up runs of {BSN_DIGITS} or more digits, for instance with a hyphen"
        yield say(path, "CASE_PATTERN_FITS_BSN", "a BSN would fit in a case number of this pattern", hint)


def _group_problems(catalogue: Catalogue, say: Say) -> Iterator[Problem]:
    for group, members in catalogue.groups.items():
        path = ("groups", group)
        if group in catalogue.parties:
            yield say(path, "NAME_TAKEN", f"'{group}' is also the name of a party", "give the group another name")
        if not members:
            yield say(path, "EMPTY_LIST", "a group lists at least one party", "name its parties, or remove the group")
        for position, name in enumerate(members):
            if name not in catalogue.parties:
                hint = did_you_mean(name, catalogue.parties)
                yield say((*path, position), "UNKNOWN_WORD", f"'{name}' is no party", hint)
        yield from _repeats(members, path, say)


def _identifier_problems(catalogue: Catalogue, say: Say) -> Iterator[Problem]:
    for name, identifier in catalogue.identifiers.items():
        if identifier.about not in catalogue.subject_types:
            hint = did_you_mean(identifier.about, catalogue.subject_types)
            text = f"'{identifier.about}' is no subject type"
            yield say(("identifiers", name, "about"), "UNKNOWN_WORD", text, hint)


def _attribute_problems(catalogue: Catalogue, say: Say) -> Iterator[Problem]:
    for name, attribute in catalogue.attributes.items():
        path = ("attributes", name)
        if name in ("hit", "count"):
            yield say(path, "NAME_TAKEN", f"'{name}' is a kind of answer", "give the attribute another name")
        for position, holder in enumerate(attribute.holders):
            if holder not in catalogue.parties and holder not in catalogue.groups:
                hint = did_you_mean(holder, {*catalogue.parties, *catalogue.groups})
                yield say((*path, "holders", position), "UNKNOWN_WORD", f"'{holder}' is no party or group", hint)
        if attribute.identifies is not None and attribute.identifies not in catalogue.identifiers:
            hint = did_you_mean(attribute.identifies, catalogue.identifiers)
            yield say((*path, "identifies"), "UNKNOWN_WORD", f"'{attribute.identifies}' is no identifier", hint)
        if (attribute.type == "code") != bool(attribute.codes):
            hint = "write `type: code` with `codes:`, or neither"
            yield say(path, "CODES", "an attribute has a code list exactly when its type is code", hint)
        least = _least_width(attribute)
        if attribute.width < least:
            yield say((*path, "width"), "WIDTH_TOO_SMALL", f"its values need {least} bytes", f"write `width: {least}`")


def _least_width(attribute: Attribute) -> int:
    if attribute.type == "code":
        return max((len(code) for code in attribute.codes), default=1)
    return {"date": 10, "boolean": 5}.get(attribute.type, 1)


def _word_problems(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    """Words that the catalogue does not have, and lists that are empty or repeat."""
    parties = {*catalogue.parties, *catalogue.groups}
    lists: tuple[tuple[Path, Sequence[str], Iterable[str], str], ...] = (
        (("asks",), purpose.asks, parties, "party or group"),
        (("answers",), purpose.answers, parties, "party or group"),
        (("identified_by",), purpose.identified_by, catalogue.identifiers, "identifier"),
    )
    services = purpose.pseudonyms.key_services
    for position, word in enumerate(services):
        if word not in catalogue.key_services:
            hint = did_you_mean(word, catalogue.key_services)
            at = ("pseudonyms", "key_services", position)
            yield say(at, "UNKNOWN_WORD", f"'{word}' is no key service of the catalogue", hint)
    yield from _repeats(services, ("pseudonyms", "key_services"), say)
    for path, words, known, what in lists:
        if not words:
            yield say(path, "EMPTY_LIST", f"{path[0]} must list at least one {what}", "name whom or what you mean")
        for position, word in enumerate(words):
            if word not in known:
                hint = did_you_mean(word, known)
                yield say((*path, position), "UNKNOWN_WORD", f"'{word}' is no {what} of the catalogue", hint)
        yield from _repeats(words, path, say)
    singles: tuple[tuple[Path, str, Iterable[str], str], ...] = (
        (("about",), purpose.about, catalogue.subject_types, "subject type"),
        (("legal_basis",), purpose.legal_basis, catalogue.legal_bases, "legal basis"),
        (("pseudonyms", "steward"), purpose.pseudonyms.steward, catalogue.parties, "party"),
        *(
            (("pseudonyms", "successors", position), name, catalogue.parties, "party")
            for position, name in enumerate(purpose.pseudonyms.successors)
        ),
        *((("may_learn", "attributes", a), a, catalogue.attributes, "attribute") for a in purpose.may_learn.attributes),
        *_pair_words(purpose.on_behalf_of, catalogue),
    )
    for path, word, known, what in singles:
        if word not in known:
            yield say(path, "UNKNOWN_WORD", f"'{word}' is no {what} of the catalogue", did_you_mean(word, known))


def _pair_words(pairs: Sequence[OnBehalfOf], catalogue: Catalogue) -> Iterator[tuple[Path, str, Iterable[str], str]]:
    for position, pair in enumerate(pairs):
        yield ("on_behalf_of", position, "processor"), pair.processor, catalogue.parties, "party"
        yield ("on_behalf_of", position, "principal"), pair.principal, catalogue.parties, "party"


def _party_rules(catalogue: Catalogue, purpose: Purpose, pairs: Sequence[OnBehalfOf], say: Say) -> Iterator[Problem]:
    for name in sorted(set(purpose.asks) & set(purpose.answers)):
        hint = "write two purposes, one for each direction"
        yield say(("answers",), "ASKS_ITSELF", f"{name} would both ask and answer", hint)
    for position, pair in enumerate(pairs):
        path: Path = ("on_behalf_of", position)
        if pair.processor not in purpose.asks:
            yield say(path, "PROCESSOR_DOES_NOT_ASK", f"{pair.processor} is not among those who ask", "add it to asks")
        if pair.principal in (pair.processor, *purpose.answers):
            yield say(path, "ASKS_ITSELF", f"{pair.principal} cannot be the principal here", "name another party")
        if pairs.index(pair) != position:
            yield say(path, "REPEATED", "this pair is listed twice", "remove one")
    participants = {*purpose.asks, *purpose.answers}
    yield from _steward_rules(purpose, participants, say)
    hint = "leave it out here, or remove it from `auditors:` in the catalogue"
    for name in sorted(set(catalogue.auditors) & {*participants, *(pair.principal for pair in pairs)}):
        yield say(("asks",), "AUDITOR_TAKES_PART", f"{name} audits, so it cannot take part in an exchange", hint)
    if purpose.case_number:
        for name in purpose.asks:
            if catalogue.parties[name].case_number is None:
                hint = f"add `case_number:` to {name} in the catalogue"
                yield say(("case_number",), "CASE_PATTERN", f"{name} has no pattern for its case numbers", hint)


def _steward_rules(purpose: Purpose, participants: Collection[str], say: Say) -> Iterator[Problem]:
    """Steward and successors hold the key, so they take part; each stands once in the line."""
    steward, *successors = purpose.pseudonyms.stewards
    places: list[tuple[Path, str]] = [(("pseudonyms", "steward"), steward)]
    places += [(("pseudonyms", "successors", position), name) for position, name in enumerate(successors)]
    for position, (path, name) in enumerate(places):
        if name not in participants:
            hint = did_you_mean(name, participants)
            yield say(path, "STEWARD_NOT_PARTICIPANT", f"{name} neither asks nor answers", hint)
        if name in purpose.pseudonyms.stewards[:position]:
            yield say(path, "REPEATED", f"{name} is listed twice", "remove one")


def _learning_rules(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    learn = purpose.may_learn
    if not learn.hit and not learn.attributes and learn.count is None:
        yield say(("may_learn",), "NOTHING_TO_LEARN", "an answer under this purpose could hold nothing", "write what")
    if learn.attributes and not learn.hit:
        yield say(("may_learn", "attributes"), "HIT_IMPLIED", "an attribute shows a hit", "write `hit: true`")
    for name in learn.attributes:
        if not set(_members(catalogue, catalogue.attributes[name].holders)) & set(purpose.answers):
            holders = ", ".join(catalogue.attributes[name].holders)
            yield say(
                ("may_learn", "attributes", name),
                "HOLDER_DOES_NOT_ANSWER",
                f"no one who answers holds '{name}'",
                f"held by: {holders}",
            )
    if learn.count is not None:
        group = catalogue.guardrails.smallest_min_group
        path = ("may_learn", "count")
        if learn.count.min_group < group:
            yield say(
                (*path, "min_group"), "GROUP_TOO_SMALL", f"the guardrail is {group}", f"write `min_group: {group}`"
            )
        bands = learn.count.bands
        if bands and (bands[0] != learn.count.min_group or list(bands) != sorted(set(bands))):
            text = "bands are lower bounds, ascending, the first equal to min_group"
            hint = f"such as [{learn.count.min_group}, {learn.count.min_group * 2}, {learn.count.min_group * 5}]"
            yield say((*path, "bands"), "BANDS", text, hint)


def _person_rules(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    natural = catalogue.subject_types[purpose.about].natural_person
    for name in purpose.identified_by:
        identifier = catalogue.identifiers[name]
        if identifier.about != purpose.about:
            text = f"'{name}' identifies {identifier.about}, and this purpose is about {purpose.about}"
            yield say(("identified_by",), "OTHER_SUBJECT_TYPE", text, "write a purpose of its own for it")
        natural = natural or identifier.is_national_number or catalogue.subject_types[identifier.about].natural_person
        if identifier.is_national_number:
            yield from _entitlement(catalogue, purpose, name, say)
    if natural and purpose.pseudonyms.mode != "oblivious":
        text = "a purpose on natural persons, or with a number that can be a BSN, needs mode oblivious"
        yield say(("pseudonyms", "mode"), "PERSONS_NEED_OBLIVIOUS", text, "write `mode: oblivious`")
    if purpose.exclude_natural_persons and purpose.hit_only_if_natural_person:
        text = "natural persons cannot be both excluded and answered"
        yield say(("hit_only_if_natural_person",), "CONTRADICTION", text, "keep one of the two")


def _entitlement(catalogue: Catalogue, purpose: Purpose, identifier: str, say: Say) -> Iterator[Problem]:
    for name in sorted({*purpose.asks, *purpose.answers, *(pair.principal for pair in purpose.on_behalf_of)}):
        party = catalogue.parties[name]
        if party.kind == "private":
            text = f"{name} is private, and '{identifier}' is or can hold a national number"
            yield say(("identified_by",), "NATIONAL_NUMBER_PRIVATE", text, f"remove {name} or the identifier")
        elif party.bsn_entitled is None:
            text = f"{name} has no law in the catalogue that lets it use the BSN, so not '{identifier}'"
            yield say(("identified_by",), "NOT_BSN_ENTITLED", text, f"cite the law under parties.{name}.bsn_entitled")


def _bound_rules(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    rails, basis = catalogue.guardrails, catalogue.legal_bases[purpose.legal_basis]
    days = (purpose.valid.until - purpose.valid.from_).days + 1
    if days < 1:
        yield say(("valid", "until"), "ENDS_BEFORE_START", "the last day lies before the first", "swap or correct them")
    elif days > rails.longest_validity_days:
        text = f"holds for {days} days; the guardrail is {rails.longest_validity_days}"
        yield say(("valid", "until"), "HOLDS_TOO_LONG", text, "let it end sooner, and renew it when it does")
    if purpose.answer_keep_days > basis.longest_retention_days:
        text = f"{purpose.answer_keep_days} days; {purpose.legal_basis} allows {basis.longest_retention_days}"
        yield say(("answer_keep_days",), "RETENTION_ABOVE_BASIS", text, "keep answers for a shorter time")
    if purpose.vault_keep_days > rails.longest_vault_keep_days:
        text = f"{purpose.vault_keep_days} days; the guardrail is {rails.longest_vault_keep_days}"
        yield say(("vault_keep_days",), "RETENTION_ABOVE_BASIS", text, "keep accountability data for a shorter time")
    if purpose.limits.subjects_per_request > rails.most_subjects_per_request:
        text = f"the guardrail is {rails.most_subjects_per_request} subjects"
        yield say(("limits", "subjects_per_request"), "LIMIT_ABOVE_GUARDRAIL", text, "ask about fewer at a time")
    yield from question_rules(catalogue, purpose, say)
    if purpose.state == "active" and purpose.dpia is None:
        yield say(("state",), "NO_DPIA", "an active purpose names its DPIA (AVG 35)", "add `dpia:`, or make it a draft")
    keys = max(catalogue.identifiers[name].match_keys for name in purpose.identified_by)
    if purpose.weakest_match_key is not None and purpose.weakest_match_key > keys:
        text = f"the identifiers have at most {keys} match keys"
        yield say(("weakest_match_key",), "MATCH_KEY_UNKNOWN", text, f"write at most {keys}")
