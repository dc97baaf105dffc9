"""Findings on answerers that answer live."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES: tuple[Page, ...] = (
    Page(
        code="LIVE_NOT_ANSWERER",
        severity="refuse",
        en=PageText(
            title="Answers live, and may not be asked",
            means="`answers_live:` names a party that does not stand under `answers`.",
            matters="A reader would think that this party can be asked.",
            mend="Name parties of `answers`; groups are not taken here.",
        ),
        nl=PageText(
            title="Antwoordt rechtstreeks, en mag niet bevraagd worden",
            means="`answers_live:` noemt een partij die niet onder `answers` staat.",
            matters="Een lezer zou denken dat deze partij bevraagd kan worden.",
            mend="Noem partijen van `answers`; groepen gelden hier niet.",
        ),
    ),
    Page(
        code="LIVE_PERSONS",
        severity="refuse",
        en=PageText(
            title="Live questions about persons",
            means="The purpose is about natural persons, and an answerer would answer live.",
            matters="Pseudonyms of a live question are bound to it. The broker could not find the questions about a "
            "person (AVG 15), nor tell who was given a record that is corrected (AVG 19).",
            mend="Let the answerer publish a register, and leave `answers_live` out.",
        ),
        nl=PageText(
            title="Rechtstreekse vragen over personen",
            means="Het doel gaat over natuurlijke personen, en een partij zou rechtstreeks antwoorden.",
            matters="Pseudoniemen van een rechtstreekse vraag horen bij die ene vraag. De broker kan de vragen over "
            "een persoon niet vinden (AVG 15), en niet zeggen wie een gecorrigeerd gegeven kreeg (AVG 19).",
            mend="Laat de partij een register publiceren, en laat `answers_live` weg.",
        ),
    ),
    Page(
        code="LIVE_TOO_LARGE",
        severity="refuse",
        en=PageText(
            title="Live questions that are too large",
            means="A live question travels to the answerer in one message, and questions may be larger here.",
            matters="Live answers are for questions about few subjects, while somebody waits.",
            mend="Lower `limits.subjects_per_request` to 1,000 or less, or let the answerer publish a register.",
        ),
        nl=PageText(
            title="Rechtstreekse vragen die te groot zijn",
            means="Een rechtstreekse vraag reist in een bericht, en vragen mogen hier groter zijn.",
            matters="Rechtstreekse antwoorden zijn voor vragen over enkelen, terwijl iemand wacht.",
            mend="Verlaag `limits.subjects_per_request` tot 1.000 of minder, of laat een register publiceren.",
        ),
    ),
    Page(
        code="LIVE_NOT_COMPARED",
        severity="refuse",
        en=PageText(
            title="Live questions cannot be compared",
            means="Pseudonyms of a live question are bound to that question, so nobody can compare it with an earlier "
            "one. A count, and guards against probing, need that.",
            matters="Counts that differ by a few people tell about those people, and nothing would stop them.",
            mend="Leave `count` and `probing` out, or write a purpose of its own for what is answered from a register.",
        ),
        nl=PageText(
            title="Rechtstreekse vragen zijn niet te vergelijken",
            means="Pseudoniemen van een rechtstreekse vraag horen bij die ene vraag, dus niemand kan haar met een "
            "eerdere vergelijken. Een telling, en bewaking tegen uitvragen, hebben dat nodig.",
            matters="Tellingen die enkele mensen verschillen vertellen over die mensen, en niets zou dat beletten.",
            mend="Laat `count` en `probing` weg, of schrijf een eigen doel voor wat uit een register wordt beantwoord.",
        ),
    ),
)
