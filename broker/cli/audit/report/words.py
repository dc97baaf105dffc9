"""The words of the monthly report in English and Dutch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from broker.policy.wording import Lang

_MONTHS: Mapping[Lang, tuple[str, ...]] = {
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    "nl": (
        "januari",
        "februari",
        "maart",
        "april",
        "mei",
        "juni",
        "juli",
        "augustus",
        "september",
        "oktober",
        "november",
        "december",
    ),
}

WORDS: Mapping[Lang, Mapping[str, str]] = {
    "en": {
        "title": "Exchanges in {month}",
        "by_purpose": "by purpose",
        "by_party": "by party",
        "log": "log {origin}",
        "verified": "the log was verified with the trust file",
        "unverified": "the log was NOT verified: run `sluis audit verify`, or give --trust",
        "partial": "the log ends on {day}: the month is not whole",
        "no_entries": "the log holds no entry",
        "none": "nothing was asked in this month",
        "purpose": "purpose",
        "asks": "asking party",
        "answers": "answering party",
        "total": "all exchanges",
        "unknown_purpose": "(not in the policy set)",
        "exchanges": "exchanges",
        "subjects": "asked about",
        "questions": "questions",
        "answered": "answered",
        "withheld": "no answer",
        "failed": "failed",
        "open": "open",
        "denied": "denied",
        "hits_title": "Hits",
        "hit_questions": "answered with hits",
        "opened": "hits known of",
        "opened_subjects": "asked about in those",
        "hits": "hits",
        "hit_rate": "hit rate",
        "not_known": "not known from the log",
        "not_shown": "not shown",
        "denials_title": "Denied questions by the check that was not met",
        "check": "check",
        "asked_by_check": "what it asks; the answer was no",
        "questions_denied": "denied",
        "note_exchange": "An exchange is one question to one or more parties; under `questions` each of them counts.",
        "note_subjects": "`Asked about` counts subjects of permitted exchanges, one asked about twice as two.",
        "note_withheld": "`No answer`: no register, expired, not covering what was asked, or withheld at release.",
        "note_denials": "A denied question may fail several checks, so these numbers do not add up.",
        "note_hits": "The log holds results as commitments. Hits are known where a party opened them (--openings).",
        "note_hidden": "Fewer than {least} hits, or all but fewer than {least}, are not shown: "
        "they may tell of a person.",
        "other": "{count} others",
        "picture": "One bar for each, as long as its questions; pattern and colour tell what became of them.",
    },
    "nl": {
        "title": "Uitwisselingen in {month}",
        "by_purpose": "per doel",
        "by_party": "per partij",
        "log": "log {origin}",
        "verified": "het log is geverifieerd met het vertrouwensbestand",
        "unverified": "het log is NIET geverifieerd: gebruik `sluis audit verify`, of geef --trust",
        "partial": "het log eindigt op {day}: de maand is niet compleet",
        "no_entries": "het log is leeg",
        "none": "in deze maand is niets gevraagd",
        "purpose": "doel",
        "asks": "vragende partij",
        "answers": "antwoordende partij",
        "total": "alle uitwisselingen",
        "unknown_purpose": "(niet in de beleidsset)",
        "exchanges": "uitwisselingen",
        "subjects": "gevraagd over",
        "questions": "vragen",
        "answered": "beantwoord",
        "withheld": "geen antwoord",
        "failed": "mislukt",
        "open": "open",
        "denied": "geweigerd",
        "hits_title": "Treffers",
        "hit_questions": "beantwoord met treffers",
        "opened": "treffers bekend van",
        "opened_subjects": "gevraagd over daarin",
        "hits": "treffers",
        "hit_rate": "aandeel treffers",
        "not_known": "niet bekend uit het log",
        "not_shown": "niet getoond",
        "denials_title": "Geweigerde vragen naar de toets waaraan niet was voldaan",
        "check": "toets",
        "asked_by_check": "wat de toets vraagt; het antwoord was nee",
        "questions_denied": "geweigerd",
        "note_exchange": "Een uitwisseling is één vraag aan een of meer partijen; bij `vragen` telt elk.",
        "note_subjects": "`Gevraagd over` telt de onderwerpen van toegestane uitwisselingen; wie er twee keer in "
        "voorkomt, telt als twee.",
        "note_withheld": "`Geen antwoord`: geen register, verlopen, omvat het gevraagde niet, of bij vrijgave "
        "tegengehouden.",
        "note_denials": "Een geweigerde vraag kan op meer toetsen stuiten, dus deze getallen tellen niet op.",
        "note_hits": "Resultaten staan verzegeld in het log; een partij kan ze openen (--openings).",
        "note_hidden": "Minder dan {least} treffers, of alle op minder dan {least} na, worden niet getoond: "
        "zij kunnen iets over een persoon zeggen.",
        "other": "{count} andere",
        "picture": "Een staaf voor elk, zo lang als het aantal vragen; patroon en kleur tonen wat ervan werd.",
    },
}


def month_name(day: date, lang: Lang) -> str:
    """`November 2026`."""
    return f"{_MONTHS[lang][day.month - 1]} {day.year}"


def number(value: int, lang: Lang) -> str:
    """Grouped by thousands, as the language does."""
    text = f"{value:,}"
    return text.replace(",", ".") if lang == "nl" else text


def percent(part: int, whole: int, lang: Lang) -> str:
    """A share with one decimal, as the language writes it."""
    text = f"{100 * part / whole:.1f}%"
    return text.replace(".", ",") if lang == "nl" else text
