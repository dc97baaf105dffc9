"""Parties, answers and conditions of purposes in the words of a lawyer, in Dutch and in English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from broker.policy.catalogue import Catalogue
from broker.policy.document import PolicySet
from broker.policy.overview import ANSWERS, Asker, Standing, days_of, grouped
from broker.policy.purpose import Purpose
from broker.policy.typing_text import Wording
from broker.policy.wording import Lang

WORDS: Mapping[Lang, Mapping[str, str]] = {
    "en": {
        "hit": "whether it is registered",
        "count": "how many are registered, of at least {least}",
        "bands": ", in bands",
        "each of": "all of {group} ({number})",
        "for": "{asker}, on behalf of {principal}",
        "and": "and",
        "or": "or",
        "question": "question",
        "asker": "who asks",
        "answerer": "from whom",
        "learns": "may learn",
        "about": "about",
        "by": "{about}, by {identifiers}",
        "law": "law",
        "to be confirmed": "to be confirmed: {what}",
        "only for": "only for",
        "demands": "demands",
        "bounds": "at most",
        "kept": "kept",
        "days": "holds",
        "dpia": "DPIA",
        "no dpia": "none named",
        "stands": "stands in",
        "case number": "a case number with every question",
        "cooperation": "the reference of a co-operation with every question",
        "human check": "that a person checks every hit",
        "no persons": "that natural persons, such as sole traders, are left out of the answer",
        "only persons": "that only natural persons are answered",
        "as of": "that only records valid on the as-of date are answered",
        "look back": "that records go back no more than {years} years",
        "deliver": "that the register is renewed at least every {days} days",
        "nothing more": "nothing more",
        "limits": "{subjects} subjects in a question, {requests} questions a day",
        "counts": ", {counts} numbers a {epoch}",
        "quarter": "quarter",
        "month": "month",
        "year": "year",
        "keeping": "the answer {answer} days by who asks, the accountability {vault} days by the broker",
        "from to": "from {first} to {last}, both included",
        "never": "on no day: purpose and law never hold together",
    },
    "nl": {
        "hit": "of het geregistreerd staat",
        "count": "hoeveel er geregistreerd staan, van ten minste {least}",
        "bands": ", in klassen",
        "each of": "alle {group} ({number})",
        "for": "{asker}, namens {principal}",
        "and": "en",
        "or": "of",
        "question": "vraag",
        "asker": "wie vraagt",
        "answerer": "van wie",
        "learns": "mag weten",
        "about": "over",
        "by": "{about}, met {identifiers}",
        "law": "grondslag",
        "to be confirmed": "nog te bevestigen: {what}",
        "only for": "alleen voor",
        "demands": "vereist",
        "bounds": "ten hoogste",
        "kept": "bewaard",
        "days": "geldt",
        "dpia": "DPIA",
        "no dpia": "geen genoemd",
        "stands": "staat in",
        "case number": "een zaaknummer bij elke vraag",
        "cooperation": "het kenmerk van een samenwerking bij elke vraag",
        "human check": "dat een mens elke treffer controleert",
        "no persons": "dat natuurlijke personen, zoals eenmanszaken, buiten het antwoord blijven",
        "only persons": "dat alleen over natuurlijke personen wordt geantwoord",
        "as of": "dat alleen wordt geantwoord uit wat op de peildatum geldt",
        "look back": "dat de gegevens niet verder teruggaan dan {years} jaar",
        "deliver": "dat het register ten minste elke {days} dagen wordt vernieuwd",
        "nothing more": "niets meer",
        "limits": "{subjects} onderwerpen per vraag, {requests} vragen per dag",
        "counts": ", {counts} aantallen per {epoch}",
        "quarter": "kwartaal",
        "month": "maand",
        "year": "jaar",
        "keeping": "het antwoord {answer} dagen door wie vraagt, de verantwoording {vault} dagen door de tussenpersoon",
        "from to": "van {first} tot en met {last}",
        "never": "op geen dag: doel en grondslag gelden nooit samen",
    },
}

STANDINGS: Mapping[Lang, Mapping[Standing, str]] = {
    "en": {
        "open": "holds",
        "later": "not yet: from {first}",
        "ended": "no longer: until {last}",
        "never": "on no day: purpose and law never hold together",
        "mode": "not yet: needs mode oblivious, which a broker may not have",
        "draft": "a draft: denies every question",
        "shadow": "in shadow: logged, and nothing is released",
        "suspended": "suspended: denies every question",
        "withdrawn": "withdrawn: denies every question",
    },
    "nl": {
        "open": "geldt",
        "later": "nog niet: vanaf {first}",
        "ended": "niet meer: tot en met {last}",
        "never": "op geen dag: doel en grondslag gelden nooit samen",
        "mode": "nog niet: vraagt modus oblivious, die een tussenpersoon niet hoeft te hebben",
        "draft": "een concept: weigert elke vraag",
        "shadow": "in schaduw: vastgelegd, en er wordt niets verstrekt",
        "suspended": "opgeschort: weigert elke vraag",
        "withdrawn": "ingetrokken: weigert elke vraag",
    },
}


def said(wording: Wording, lang: Lang) -> str:
    """The text in one language."""
    return wording.nl if lang == "nl" else wording.en


def party_named(catalogue: Catalogue, party: str, lang: Lang) -> str:
    """A party's title, with its name in the files."""
    return f"{said(catalogue.parties[party].title, lang)} ({party})"


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
            text = words[thing].format(least=rule.min_group if rule else "")
            found.append(text + (words["bands"] if thing == "count" and rule and rule.bands else ""))
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
        ("demands", "; ".join(_demands(purpose, lang)) or words["nothing more"]),
        ("bounds", _bounds(purpose, lang)),
        ("kept", words["keeping"].format(answer=purpose.answer_keep_days, vault=purpose.vault_keep_days)),
        ("dpia", purpose.dpia or words["no dpia"]),
        ("days", words["from to"].format(first=days[0], last=days[1]) if days else words["never"]),
        ("stands", policies.line_of(name, "purpose")),
    ]
    return tuple((words[label], text) for label, text in lines)


def _demands(purpose: Purpose, lang: Lang) -> list[str]:
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
    found += [words["look back"].format(years=purpose.look_back.years)] if purpose.look_back else []
    found += [words["deliver"].format(days=purpose.deliver_every_days)] if purpose.deliver_every_days else []
    return found


def _bounds(purpose: Purpose, lang: Lang) -> str:
    words, limits, rule = WORDS[lang], purpose.limits, purpose.may_learn.count
    text = words["limits"].format(subjects=limits.subjects_per_request, requests=limits.requests_per_day)
    epoch = words[purpose.pseudonyms.epoch]
    return text + (words["counts"].format(counts=rule.per_epoch, epoch=epoch) if rule else "")
