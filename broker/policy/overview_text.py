"""Purposes, parties and what may be learned in sentences that a lawyer reads, in Dutch or in English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from broker.policy.catalogue import Catalogue
from broker.policy.document import PolicySet
from broker.policy.overview import ANSWERS, Asker, Grant, Standing, days_of, grouped, standing_on
from broker.policy.overview_words import STANDINGS, WORDS
from broker.policy.purpose import Purpose
from broker.policy.typing_text import Wording
from broker.policy.wording import Lang


@dataclass(frozen=True)
class Entry:
    """What one purpose allows, to be read. `lines`: labels with their texts."""

    purpose: str
    standing: Standing
    stands: str
    lines: tuple[tuple[str, str], ...]


def entries_of(policies: PolicySet, grants: Sequence[Grant], day: date, lang: Lang) -> tuple[Entry, ...]:
    """An entry for each purpose among `grants`, which stand by purpose: who learns what from whom, then its terms."""
    words, catalogue, found = WORDS[lang], policies.catalogue, []
    for name, each in groupby(grants, key=lambda grant: grant.purpose):
        standing = standing_on(policies, name, day)
        lines: list[tuple[str, str]] = []
        for grant in each:
            if not lines:
                lines.append((words["asker"], "; ".join(askers_named(catalogue, grant.askers, lang))))
            lines.append((words["answerer"], "; ".join(parties_named(catalogue, grant.answerers, lang))))
            lines.append((words["learns"], "; ".join(things_named(policies, name, grant.things, lang))))
        lines += terms_named(policies, name, lang)
        found.append(Entry(name, standing, standing_named(policies, name, standing, lang), tuple(lines)))
    return tuple(found)


def said(wording: Wording, lang: Lang) -> str:
    """The text in one language."""
    return wording.nl if lang == "nl" else wording.en


def party_named(catalogue: Catalogue, party: str, lang: Lang) -> str:
    """A party's title, with its name in the files where the title does not end with it."""
    title = said(catalogue.parties[party].title, lang)
    return title if title.casefold().endswith(f"({party})") else f"{title} ({party})"


def parties_named(catalogue: Catalogue, parties: Iterable[str], lang: Lang) -> tuple[str, ...]:
    """Parties by title; a whole group by its name and size."""
    groups, others = grouped(catalogue, tuple(parties))
    each = WORDS[lang]["each of"]
    return (
        *(each.format(group=group, number=len(catalogue.groups[group])) for group in groups),
        *(party_named(catalogue, party, lang) for party in others),
    )


def askers_named(catalogue: Catalogue, askers: Iterable[Asker], lang: Lang) -> tuple[str, ...]:
    """Those who ask for themselves, then processors, each with the principals it asks for."""
    known, pairs = tuple(askers), dict[str, list[str]]()
    for asker in known:
        if asker.principal is not None:
            pairs.setdefault(asker.party, []).append(asker.principal)
    form = WORDS[lang]["for"]
    return (
        *parties_named(catalogue, [asker.party for asker in known if asker.principal is None], lang),
        *(
            form.format(
                asker=party_named(catalogue, processor, lang),
                principal=joined(parties_named(catalogue, principals, lang), lang),
            )
            for processor, principals in pairs.items()
        ),
    )


def things_named(policies: PolicySet, name: str, things: Iterable[str], lang: Lang) -> tuple[str, ...]:
    """What may be learned under the purpose `name`, by title."""
    words, purpose = WORDS[lang], policies.purposes[name]
    found = []
    for thing in things:
        if thing in ANSWERS:
            rule = purpose.may_learn.count
            bands = words["bands"].format(bands=", ".join(map(str, rule.bands))) if rule and rule.bands else ""
            text = words[thing].format(least=rule.min_group if rule else "")
            found.append(text + (bands if thing == "count" else ""))
        else:
            found.append(said(policies.catalogue.attributes[thing].title, lang))
    return tuple(found)


def joined(texts: Iterable[str], lang: Lang, word: str = "and") -> str:
    """`a, b and c`."""
    every = tuple(texts)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {WORDS[lang][word]} {every[-1]}"


def standing_named(policies: PolicySet, name: str, standing: Standing, lang: Lang) -> str:
    """Whether the purpose holds, and why not."""
    first, last = days_of(policies, name) or (date.min, date.max)
    return STANDINGS[lang][standing].format(first=first, last=last)


def terms_named(policies: PolicySet, name: str, lang: Lang) -> tuple[tuple[str, str], ...]:
    """What bounds a purpose whoever asks, as label and text: question, subject, law, use, demands, limits and days."""
    words, purpose, catalogue = WORDS[lang], policies.purposes[name], policies.catalogue
    law = catalogue.legal_bases[purpose.legal_basis]
    confirm = f" ({words['to be confirmed'].format(what=law.to_be_confirmed)})" if law.to_be_confirmed else ""
    identifiers = joined((said(catalogue.identifiers[i].title, lang) for i in purpose.identified_by), lang, "or")
    days = days_of(policies, name)
    lines = [
        ("question", said(purpose.title, lang)),
        (
            "about",
            words["by"].format(about=said(catalogue.subject_types[purpose.about].title, lang), identifiers=identifiers),
        ),
        ("law", f"{law.citation}: {said(law.summary, lang)}{confirm}"),
        *([("only for", said(purpose.use_only_for, lang))] if purpose.use_only_for else []),
        ("demands", "; ".join(_demands(catalogue, purpose, lang)) or words["nothing more"]),
        ("bounds", _bounds(purpose, lang)),
        ("kept", words["keeping"].format(answer=purpose.answer_keep_days, vault=purpose.vault_keep_days)),
        ("dpia", purpose.dpia or words["no dpia"]),
        ("days", words["from to"].format(first=days[0], last=days[1]) if days else words["never"]),
        ("stands", policies.line_of(name, "purpose")),
    ]
    return tuple((words[label], text) for label, text in lines)


def _demands(catalogue: Catalogue, purpose: Purpose, lang: Lang) -> list[str]:
    words = WORDS[lang]
    asked: list[tuple[object, str]] = [
        (purpose.case_number, "case number"),
        (purpose.cooperation_ref, "cooperation"),
        (purpose.human_check, "human check"),
        (purpose.exclude_natural_persons, "no persons"),
        (purpose.hit_only_if_natural_person, "only persons"),
        (purpose.valid_on, "as of"),
    ]
    found = [words[label] for demanded, label in asked if demanded]
    weakest = purpose.weakest_match_key
    found += [words["match"].format(keys=weakest)] if weakest is not None else []
    found += [words["look back"].format(years=purpose.look_back.years)] if purpose.look_back else []
    found += [words["deliver"].format(days=purpose.deliver_every_days)] if purpose.deliver_every_days else []
    services = [said(catalogue.key_services[name].title, lang) for name in purpose.pseudonyms.key_services]
    found += [words["services"].format(services=joined(services, lang))] if services else []
    return found


def _bounds(purpose: Purpose, lang: Lang) -> str:
    words, limits, rule = WORDS[lang], purpose.limits, purpose.may_learn.count
    text = words["limits"].format(subjects=limits.subjects_per_request, requests=limits.requests_per_day)
    epoch = words[purpose.pseudonyms.epoch]
    text += words["counts"].format(counts=rule.per_epoch, epoch=epoch) if rule else ""
    most, whole = limits.evaluations_per_epoch, limits.register_evaluations_per_epoch
    text += words["evaluations"].format(evaluations=most, epoch=epoch) if most is not None else ""
    text += words["registers"].format(evaluations=whole) if whole is not None else ""
    standing = purpose.standing_questions
    return text + (words["standing"].format(days=standing.days) if standing is not None else "")
