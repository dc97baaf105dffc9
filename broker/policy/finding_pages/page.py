"""The form of a page that explains a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["refuse", "answer", "note"]
"""`refuse`: it must be mended. `answer`: a person must answer for it in the file. `note`: worth knowing."""


@dataclass(frozen=True, slots=True)
class PageText:
    """A page in one language: what the finding means, why it matters, and how to mend it."""

    title: str
    means: str
    matters: str
    mend: str


@dataclass(frozen=True, slots=True)
class Page:
    """A finding's code and weight, explained twice. `example`: a line of a policy file as it should be; "" if none."""

    code: str
    severity: Severity
    en: PageText
    nl: PageText
    example: str = ""
