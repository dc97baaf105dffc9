"""Findings on standing questions."""

from __future__ import annotations

from broker.policy.finding_pages.page import Page, PageText

PAGES: tuple[Page, ...] = (
    Page(
        code="STANDING_TOO_LONG",
        severity="refuse",
        en=PageText(
            title="A question stands longer than it is kept",
            means="`standing_questions.days` is more than `vault_keep_days`.",
            matters="The broker compares a standing question with the one first put. What was asked is gone by then.",
            mend="Write at most as many days as `vault_keep_days` has.",
        ),
        nl=PageText(
            title="Een vraag blijft langer staan dan zij wordt bewaard",
            means="`standing_questions.days` is meer dan `vault_keep_days`.",
            matters="De broker vergelijkt een staande vraag met de eerste. Wat is gevraagd, is dan al weg.",
            mend="Schrijf ten hoogste zoveel dagen als bij `vault_keep_days` staan.",
        ),
        example="standing_questions: {days: 90}",
    ),
    Page(
        code="STANDING_WITHOUT_HITS",
        severity="refuse",
        en=PageText(
            title="Standing questions for a count",
            means="Only counts may be asked under this purpose, and questions may stand.",
            matters="A count that moves from day to day tells about the few who came or went.",
            mend="Leave `standing_questions` out.",
        ),
        nl=PageText(
            title="Staande vragen om een telling",
            means="Onder dit doel mogen alleen tellingen worden gevraagd, en vragen mogen blijven staan.",
            matters="Een telling die per dag verschuift, vertelt over de enkelen die erbij kwamen of weggingen.",
            mend="Laat `standing_questions` weg.",
        ),
    ),
    Page(
        code="STANDING_LIVE",
        severity="refuse",
        en=PageText(
            title="Standing questions, and no register",
            means="Questions may stand, and every party that is asked answers live.",
            matters="A standing question waits for a newer register. Who answers live publishes none.",
            mend="Leave `standing_questions` out, or let a party publish a register.",
        ),
        nl=PageText(
            title="Staande vragen, en geen register",
            means="Vragen mogen blijven staan, en elke bevraagde partij antwoordt rechtstreeks.",
            matters="Een staande vraag wacht op een nieuwer register. Wie rechtstreeks antwoordt, publiceert er geen.",
            mend="Laat `standing_questions` weg, of laat een partij een register publiceren.",
        ),
    ),
)
