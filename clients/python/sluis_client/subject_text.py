"""The answer to a person in plain words, Dutch or English. The JSON file is the proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sluis_client.epochs import AMSTERDAM

LANGUAGES = ("nl", "en")

_WORDS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "title": "Inzage (AVG artikel 15): uitwisselingen waarin naar u is gevraagd",
        "head": "Gemaakt door {party} op {made}, over het logboek {origin} ({environment}); gezocht met {scheme}.",
        "touched": (
            "Een uitwisseling staat hieronder als uw pseudoniem stond onder de onderwerpen waarnaar werd gevraagd. "
            "Of het antwoord iets over u bevatte, staat niet in het logboek: vraag dat aan wie de vraag stelde. "
            "Alleen uitwisselingen waarin {party} vroeg, liet vragen of antwoordde, zijn doorzocht, en alleen die van "
            "dit logboek."
        ),
        "purpose": "Doel: {title} ({purpose})",
        "purpose_gone": "Doel: {purpose} (staat niet meer in het beleid)",
        "basis": "  Grondslag: {citation}",
        "epoch": "  Sleutelperiode {epoch} ({first} tot {last}): {searched} vragen doorzocht, {found} met u erin",
        "exchange": "    {asked}  {asker} vroeg {answerer}{principal}, met {others} onderwerpen in totaal",
        "principal": " namens {principal}",
        "wanted": "      gevraagd: {want}",
        "outcome": "      afloop: {status}",
        "given": "      verstrekt in het antwoord als geheel: {attributes}",
        "proof": "      bewijs: uitwisseling {exchange}, regel {index} van het logboek",
        "erased": "    Niet doorzocht: {n} vragen van {first} tot en met {last}; hun rijen zijn gewist",
        "never-held": (
            "    Niet doorzocht: {n} vragen van {first} tot en met {last}; ze zijn geweigerd zonder dat hun rijen "
            "gelezen werden"
        ),
        "no_key": (
            "  Niet te doorzoeken: sleutelperiode {epoch} ({first} tot {last}); de sleutel wordt hier niet bewaard"
        ),
        "not_evaluated": (
            "  Niet doorzocht: sleutelperiode {epoch} ({first} tot {last}); van u is hier toen geen pseudoniem gemaakt "
            "dat nog bewaard wordt"
        ),
        "days": "  Rijen van vragen worden na {days} dagen gewist; wat ouder is, is niet te doorzoeken.",
        "nothing": "  Geen sleutel van dit doel wordt hier bewaard: er is niets doorzocht.",
        "sum": "Samen: {found} gevonden, {searched} vragen doorzocht, {closed} niet te doorzoeken.",
        "hit": "of er een treffer is",
        "count": "een aantal",
    },
    "en": {
        "title": "Access (GDPR article 15): exchanges in which you were asked about",
        "head": "Made by {party} on {made}, about the log {origin} ({environment}); searched with {scheme}.",
        "touched": (
            "An exchange stands below if your pseudonym was among the subjects asked about. Whether the answer held "
            "anything about you, the log does not say: ask whoever asked. Only exchanges in which {party} asked, had "
            "others ask or answered were searched, and only those of this log."
        ),
        "purpose": "Purpose: {title} ({purpose})",
        "purpose_gone": "Purpose: {purpose} (no longer in the policy)",
        "basis": "  Legal basis: {citation}",
        "epoch": "  Key epoch {epoch} ({first} until {last}): {searched} questions searched, you were in {found}",
        "exchange": "    {asked}  {asker} asked {answerer}{principal}, about {others} subjects in all",
        "principal": " on behalf of {principal}",
        "wanted": "      asked for: {want}",
        "outcome": "      outcome: {status}",
        "given": "      given in the answer as a whole: {attributes}",
        "proof": "      proof: exchange {exchange}, entry {index} of the log",
        "erased": "    Not searched: {n} questions from {first} to {last}; their rows are erased",
        "never-held": (
            "    Not searched: {n} questions from {first} to {last}; they were denied and their rows never read"
        ),
        "no_key": "  Cannot be searched: key epoch {epoch} ({first} until {last}); its key is not kept here",
        "not_evaluated": (
            "  Not searched: key epoch {epoch} ({first} until {last}); no pseudonym of you was made here then that is "
            "still kept"
        ),
        "days": "  Rows of questions are erased after {days} days; what is older cannot be searched.",
        "nothing": "  No key of this purpose is kept here: nothing was searched.",
        "sum": "In all: {found} found, {searched} questions searched, {closed} cannot be searched.",
        "hit": "whether there is a hit",
        "count": "a number",
    },
}
_STATUS: Mapping[str, Mapping[str, str]] = {
    "nl": {
        "ANSWERED": "beantwoord",
        "DENIED": "geweigerd door het beleid; niets verstrekt",
        "NO_REGISTER": "geen register; niets verstrekt",
        "EXPIRED": "register verlopen; niets verstrekt",
        "NOT_COVERED": "register dekte de vraag niet; niets verstrekt",
        "WITHHELD": "achtergehouden; niets verstrekt",
        "NOT_THERE": "bevraagde partij antwoordde niet op tijd; niets verstrekt",
        "FAILED": "mislukt; niets verstrekt",
        "UNKNOWN": "onbekend: de verwerking brak af",
        "OPEN": "nog niet afgerond",
    },
    "en": {
        "ANSWERED": "answered",
        "DENIED": "denied by the policy; nothing was given",
        "NO_REGISTER": "no register; nothing was given",
        "EXPIRED": "register expired; nothing was given",
        "NOT_COVERED": "register did not cover the question; nothing was given",
        "WITHHELD": "withheld; nothing was given",
        "NOT_THERE": "the answerer did not answer in time; nothing was given",
        "FAILED": "failed; nothing was given",
        "UNKNOWN": "unknown: it was broken off",
        "OPEN": "not finished yet",
    },
}


def lines(answer: Mapping[str, Any], language: str) -> Iterator[str]:
    """The answer in words, line by line."""
    say = _WORDS[language]
    named = {name: answer[name] for name in ("party", "origin", "environment", "scheme")}
    yield say["title"]
    yield say["head"].format(**named, made=_day(answer["made_at"]))
    yield say["touched"].format(party=answer["party"])
    for purpose in answer["purposes"]:
        yield ""
        yield from _purpose(purpose, language)
    epochs = [epoch for purpose in answer["purposes"] for epoch in purpose["epochs"]]
    yield ""
    yield say["sum"].format(
        found=sum(len(epoch["exchanges"]) for epoch in epochs),
        searched=sum(epoch["searched"] for epoch in epochs),
        closed=sum(one["questions"] for epoch in epochs for one in epoch["not_searched"]),
    )


def _purpose(purpose: Mapping[str, Any], language: str) -> Iterator[str]:
    say, name = _WORDS[language], purpose["purpose"]
    if purpose["citation"] is None:
        yield say["purpose_gone"].format(purpose=name)
    else:
        yield say["purpose"].format(purpose=name, title=purpose["title"].get(language, name))
        yield say["basis"].format(citation=purpose["citation"])
    if not purpose["epochs"]:
        yield say["nothing"]
    for epoch in purpose["epochs"]:
        yield from _epoch(epoch, language)
    for one in purpose["keys_missing"]:
        yield say["no_key"].format(epoch=one["epoch"], first=_day(one["from"]), last=_day(one["until"]))
    for one in purpose.get("not_evaluated", ()):
        yield say["not_evaluated"].format(epoch=one["epoch"], first=_day(one["from"]), last=_day(one["until"]))
    if purpose["vault_keep_days"] is not None:
        yield say["days"].format(days=purpose["vault_keep_days"])


def _epoch(epoch: Mapping[str, Any], language: str) -> Iterator[str]:
    say = _WORDS[language]
    yield say["epoch"].format(
        epoch=epoch["epoch"],
        first=_day(epoch["from"]),
        last=_day(epoch["until"]),
        searched=epoch["searched"],
        found=len(epoch["exchanges"]),
    )
    for one in epoch["exchanges"]:
        principal = say["principal"].format(principal=one["principal"]) if one["principal"] else ""
        yield say["exchange"].format(
            asked=_moment(one["asked_at"]),
            asker=one["asker"],
            answerer=one["answerer"],
            principal=principal,
            others=one["subjects"],
        )
        wanted = [say[name] for name in ("hit", "count") if one["want"][name]] + list(one["want"]["attributes"])
        yield say["wanted"].format(want=", ".join(wanted))
        yield say["outcome"].format(status=_STATUS[language].get(one["status"], one["status"]))
        if one["attributes"]:
            yield say["given"].format(attributes=", ".join(one["attributes"]))
        yield say["proof"].format(exchange=one["exchange"], index=one["ask"]["index"])
    for one in epoch["not_searched"]:
        yield say[one["why"]].format(n=one["questions"], first=_day(one["first"]), last=_day(one["last"]))


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(AMSTERDAM):%Y-%m-%d}"


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(AMSTERDAM):%Y-%m-%d %H:%M}"
