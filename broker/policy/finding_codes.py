"""Every code that reading, linting and testing policies can give, with its weight and a page that explains it.

Codes are stable and never reused. The pages are in English and Dutch, for a reader who is a lawyer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from broker.policy.finding_pages import ALL
from broker.policy.finding_pages.page import Page, PageText, Severity

__all__ = ["CODES", "SEVERITIES", "Page", "PageText", "Severity"]

CODES: Mapping[str, Page] = MappingProxyType({page.code: page for page in ALL})
"""Code to page, in the order in which the list shows them."""

SEVERITIES: Mapping[str, Mapping[Severity, str]] = MappingProxyType(
    {
        "en": {"refuse": "refused", "answer": "a person must answer", "note": "note"},
        "nl": {"refuse": "geweigerd", "answer": "een mens moet antwoorden", "note": "opmerking"},
    }
)
