"""The pages that explain findings, by topic, for a reader who is a lawyer."""

from __future__ import annotations

from broker.policy.finding_pages import (
    amounts,
    bounds,
    characters,
    form,
    live,
    parties,
    people,
    probing,
    reasons,
    services,
    standing,
    tests,
    values,
)
from broker.policy.finding_pages.page import Page

ALL: tuple[Page, ...] = (
    *form.PAGES,
    *characters.PAGES,
    *values.PAGES,
    *parties.PAGES,
    *bounds.PAGES,
    *probing.PAGES,
    *live.PAGES,
    *standing.PAGES,
    *reasons.PAGES,
    *amounts.PAGES,
    *people.PAGES,
    *services.PAGES,
    *tests.PAGES,
)
