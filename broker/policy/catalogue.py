"""The closed vocabulary that purposes draw on: parties, identifiers, attributes, legal bases and guardrails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from broker.policy.purpose import Limits
from broker.policy.typing_text import Closed, Day, Days, Flag, Name, OinText, Positive, Text, Wording

SpecialCategory: TypeAlias = Literal[
    "ethnicity", "politics", "religion", "union-membership", "genetic", "biometric", "health", "sex-life", "criminal"
]
"""AVG article 9(1), and article 10 (`criminal`)."""


class Citation(Closed):
    """A law that says so. `to_be_confirmed` stays until a lawyer has read it."""

    citation: Text
    to_be_confirmed: Text | None = None


class Party(Closed):
    """An organisation that may ask or answer."""

    added: ClassVar[frozenset[str]] = frozenset({"left_on", "answers_at_most"})

    title: Wording
    oin: OinText
    sub_oins: tuple[OinText, ...] = ()
    kind: Literal["public", "private"]
    bsn_entitled: Citation | None = None
    """The law that lets it use the BSN (UAVG 46); absent: it never may."""
    left_on: Day | None = None
    """The last day on which it takes part; absent: it takes part."""
    answers_at_most: Limits | None = None
    """What it is able and willing to answer, whoever asks; a purpose may not ask more of it."""
    case_number: Text | None = None
    """Pattern of its case numbers (`broker.policy.case_number`); absent: it cannot give one."""


class SubjectType(Closed):
    """What a question is about."""

    title: Wording
    natural_person: Flag


class Identifier(Closed):
    """A versioned normalisation profile and what is known of its values."""

    title: Wording
    about: Name
    national_number: Flag = False
    """Whether it is the number of a natural person issued by the state (BSN)."""
    treated_as_bsn: Flag = False
    """Whether it can hold a BSN (a loonheffingennummer of a sole trader), so that the same rules hold."""
    rows_per_pseudonym: Annotated[Positive, Field(le=1_000)] = 1
    match_keys: Annotated[Positive, Field(le=16)] = 1

    @property
    def is_national_number(self) -> bool:
        """Whether the rules of the BSN hold for it."""
        return self.national_number or self.treated_as_bsn


class Attribute(Closed):
    """A fact that may be learned. `width`: bytes of UTF-8 that its sealed value is padded to."""

    added: ClassVar[frozenset[str]] = frozenset({"special_category", "identifies"})

    title: Wording
    meaning: Wording
    type: Literal["text", "code", "integer", "date", "boolean"]
    unit: Text | None = None
    codes: dict[Name, Wording] = Field(default_factory=dict)
    width: Annotated[Positive, Field(le=1_024)]
    holders: tuple[Name, ...]
    special_category: SpecialCategory | None = None
    """Whether it is data that AVG article 9 or 10 forbids to process without a ground of its own."""
    identifies: Name | None = None
    """The identifier whose value it shows: who learns it can ask with it under another purpose."""


class InForce(Closed):
    """The days on which a law holds, `until` included; either end may be open."""

    from_: Day | None = Field(default=None, alias="from")
    until: Day | None = None


class LegalBasis(Closed):
    """Why a purpose is lawful. `dpv`: the term of the W3C Data Privacy Vocabulary."""

    added: ClassVar[frozenset[str]] = frozenset({"special_categories"})

    citation: Text
    summary: Wording
    dpv: Annotated[str, Field(pattern=r"^[a-z-]+:[A-Za-z0-9-]+$")]
    longest_retention_days: Days
    in_force: InForce = InForce()
    special_categories: dict[SpecialCategory, Citation] = Field(default_factory=dict)
    """Special categories that may be processed, each with the law that lifts the ban."""
    to_be_confirmed: Text | None = None


class Dpia(Closed):
    """A data protection impact assessment (AVG 35) that purposes name by its key here."""

    title: Wording
    decided_on: Day
    review_by: Day
    """The last day on which it counts without a review (AVG 35(11))."""


class KeyService(Closed):
    """A service that evaluates blinded elements in mode `oblivious`. `operator`: a party, or `broker`."""

    title: Wording
    operator: Name


class Guardrails(Closed):
    """Limits on every purpose. The first two are fixed: a set that weakens them is refused."""

    national_number_with_private_party: Literal["never"]
    natural_persons: Literal["oblivious only"]
    smallest_min_group: Positive
    most_subjects_per_request: Positive
    longest_vault_keep_days: Days
    longest_validity_days: Days


class Catalogue(Closed):
    """`policies/catalogue.yaml`."""

    added: ClassVar[frozenset[str]] = frozenset({"dpias", "key_services"})

    catalogue: Name
    remark: Text | None = None
    parties: dict[Name, Party]
    groups: dict[Name, tuple[Name, ...]] = Field(default_factory=dict)
    auditors: tuple[Name, ...] = ()
    subject_types: dict[Name, SubjectType]
    identifiers: dict[Name, Identifier]
    attributes: dict[Name, Attribute]
    legal_bases: dict[Name, LegalBasis]
    dpias: dict[Text, Dpia] = Field(default_factory=dict)
    key_services: dict[Name, KeyService] = Field(default_factory=dict)
    guardrails: Guardrails

    def parties_of(self, names: Iterable[str]) -> frozenset[str]:
        """`names` with each group listed out; a name that is no group stands for itself."""
        return frozenset(party for name in names for party in self.groups.get(name, (name,)))

    def holders_of(self, attribute: str) -> frozenset[str]:
        """The parties that hold an attribute. KeyError for an unknown one."""
        return self.parties_of(self.attributes[attribute].holders)
