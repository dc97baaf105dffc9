"""One purpose: who may ask whom, about what, with which identifiers, to learn what, and under which law."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from broker.policy.typing_text import (
    Closed,
    Day,
    Days,
    EpochText,
    Flag,
    Name,
    Number,
    Positive,
    ServiceKey,
    Text,
    Wording,
    finding_code,
    notice_id,
)

Required = Literal["required"]
State = Literal["draft", "shadow", "active", "suspended", "withdrawn"]


class OnBehalfOf(Closed):
    """A processor that may ask for a principal; the log names both."""

    processor: Name
    principal: Name


class CountRule(Closed):
    """How numbers of hits may be learned: never of a group smaller than `min_group`, in bands if `bands` are given.

    `bands`: lower bounds, ascending, the first equal to `min_group`: `[5, 10, 50]` gives 5-9, 10-49, 50 or more.
    """

    min_group: Positive
    bands: tuple[Positive, ...] = ()
    per_epoch: Positive


class MayLearn(Closed):
    """What an answer may hold. Each attribute stands with its necessity."""

    hit: Flag = False
    attributes: dict[Name, Text] = Field(default_factory=dict)
    count: CountRule | None = None


class Pseudonyms(Closed):
    """How identifiers are pseudonymised, for how long one key holds, and who makes it.

    `key_services` and `public_keys` belong to mode `oblivious`: the services of the catalogue that evaluate, and for
    each epoch the public key of each of them.
    """

    added: ClassVar[frozenset[str]] = frozenset({"successors", "overlap_days", "key_services", "public_keys"})
    mode: Literal["keyed", "oblivious"]
    epoch: Literal["quarter", "month", "year"]
    steward: Name
    successors: tuple[Name, ...] = ()
    """Who may take the steward's place, in the order in which they are to be called."""
    overlap_days: Annotated[Positive, Field(le=28)] | None = None
    """On so many first days of an epoch the one before may still be asked under. None: not at all."""
    key_services: tuple[Name, ...] = ()
    """After loading in the order of their ids, which is the order of the derivation (docs/pseudonym-spec.md)."""
    public_keys: dict[EpochText, dict[Name, ServiceKey]] = Field(default_factory=dict)

    @property
    def stewards(self) -> tuple[str, ...]:
        """Who may make the key: the steward, then its successors."""
        return (self.steward, *self.successors)


class LookBack(Closed):
    """How far back the records go."""

    years: Annotated[Positive, Field(le=100)]
    counted_from: Literal["as-of", "receipt-of-overview"]


SUBJECT_SEARCHES = 50
"""Searches for a person a day for a party and purpose that names no other number: each is of one epoch."""


class Limits(Closed):
    """Bounds on use."""

    subjects_per_request: Positive
    requests_per_day: Positive


class PurposeLimits(Limits):
    """Bounds on use of one purpose."""

    added: ClassVar[frozenset[str]] = frozenset(
        {"evaluations_per_epoch", "register_evaluations_per_epoch", "subject_searches_per_day"}
    )

    subject_searches_per_day: Positive | None = None
    """Searches for a person (GDPR article 15) of one party in a day, each of one epoch; absent: SUBJECT_SEARCHES."""
    evaluations_per_epoch: Positive | None = None
    """Mode `oblivious`: elements that each key service evaluates for one party, in the days of one epoch."""
    register_evaluations_per_epoch: Positive | None = None
    """The same for a party that answers, whose register is larger than what anybody asks; absent: no other number."""


class AtMost(Closed):
    """A guard that holds up to a number; beyond it the question is reported or refused."""

    at_most: Number
    then: Literal["report", "refuse"]

    def holds(self, found: int | None) -> bool:
        """Whether nothing is to be reported or refused. None, not known yet, holds."""
        return found is None or found <= self.at_most

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at most {self.at_most}"

    def wider_than(self, other: AtMost) -> bool:
        """Whether more is let through than under `other`."""
        return self.at_most > other.at_most


class AtLeast(Closed):
    """A guard that holds from a number on; below it the question is reported or refused."""

    at_least: Annotated[Positive, Field(le=100)]
    then: Literal["report", "refuse"]

    def holds(self, found: int | None) -> bool:
        """Whether nothing is to be reported or refused. None, not known yet, holds."""
        return found is None or found >= self.at_least

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at least {self.at_least}"

    def wider_than(self, other: AtLeast) -> bool:
        """Whether more is let through than under `other`."""
        return self.at_least < other.at_least


MOST_LIVE = 1_000
"""Subjects that a question may have at most where an answerer answers live: it travels in one message."""
MOST_GUARDED = 1_000
"""Subjects that a question may have at most where guards against probing compare it with earlier ones."""


class Probing(Closed):
    """Guards against probing, each over one asker's permitted questions under this purpose and key epoch.

    `same_question`, `nested_question`, `asked_again`: how many earlier questions may have had the same subjects, lain
    inside or around this one, or shared one and the same subject with it. `subjects_per_hour`: subjects of this and the
    questions of the last 60 minutes. `subjects_per_epoch`: different subjects so far, with this question.
    `hits_per_hundred`: hits among a hundred subjects or a few more, the last that were answered.
    """

    added: ClassVar[frozenset[str]] = frozenset(
        {
            "same_question",
            "nested_question",
            "asked_again",
            "subjects_per_hour",
            "subjects_per_epoch",
            "hits_per_hundred",
        }
    )
    same_question: AtMost | None = None
    nested_question: AtMost | None = None
    asked_again: AtMost | None = None
    subjects_per_hour: AtMost | None = None
    subjects_per_epoch: AtMost | None = None
    hits_per_hundred: AtLeast | None = None

    @property
    def bounds_subjects(self) -> Iterator[tuple[str, AtMost]]:
        """The guards that count subjects, with their keys."""
        for key in ("subjects_per_hour", "subjects_per_epoch"):
            guard: AtMost | None = getattr(self, key)
            if guard is not None:
                yield key, guard


class StandingQuestions(Closed):
    """A question may be put again whenever its answerer has published a newer register version.

    `days`: for so long after it was first put, and within its key epoch. Each time is an exchange of its own.
    """

    days: Annotated[Positive, Field(le=366)]


class Validity(Closed):
    """First and last day, both included, in Europe/Amsterdam."""

    from_: Day = Field(alias="from")
    until: Day


class Answered(Closed):
    """A person's answer to a finding of `sluis policy check`: it stands in the file, so it is signed with it.

    `by`: the function of who answered, never a person's name. `on`: the day of the answer.
    """

    finding: Annotated[str, BeforeValidator(finding_code)]
    by: Text
    on: Day
    reason: Text


class Purpose(Closed):
    """`policies/purposes/<purpose>.yaml`. After loading, `asks` and `answers` hold parties: groups are listed out."""

    added: ClassVar[frozenset[str]] = frozenset(
        {"written_by", "answered", "shadow_of", "lifts", "probing", "answers_live", "standing_questions"}
    )
    purpose: Name
    title: Wording
    because: Text
    state: State
    asks: tuple[Name, ...]
    on_behalf_of: tuple[OnBehalfOf, ...] = ()
    answers: tuple[Name, ...]
    about: Name
    identified_by: tuple[Name, ...]
    weakest_match_key: Annotated[Positive, Field(le=16)] | None = None
    may_learn: MayLearn
    legal_basis: Name
    use_only_for: Wording | None = None
    processing_activity: Text
    dpia: Text | None = None
    pseudonyms: Pseudonyms
    look_back: LookBack | None = None
    valid_on: Literal["as-of"] | None = None
    """Only records that are valid on the register's as-of date."""
    exclude_natural_persons: Flag = False
    hit_only_if_natural_person: Flag = False
    human_check: Required | None = None
    deliver_every_days: Days | None = None
    answer_keep_days: Days
    vault_keep_days: Days
    case_number: Required | None = None
    cooperation_ref: Required | None = None
    limits: PurposeLimits
    probing: Probing | None = None
    answers_live: tuple[Name, ...] = ()
    """Answerers that deposit no register: each question is put to them while its asker waits."""
    standing_questions: StandingQuestions | None = None
    """None: no question may stand."""
    valid: Validity
    written_by: Name | None = None
    """The officer who wrote it; that officer's approval does not count (four eyes)."""
    answered: tuple[Answered, ...] = ()
    shadow_of: Name | None = None
    """The active purpose whose questions are also decided under this one, logged and never enforced."""
    lifts: tuple[Annotated[str, BeforeValidator(notice_id)], ...] = ()
    """Suspension notices that end with this text, by their ids."""

    @property
    def name(self) -> str:
        """Its name, which is also its file's."""
        return self.purpose

    def asking_pairs(self) -> tuple[tuple[str, str | None], ...]:
        """Every asker with the principal it asks for: a processor only for its principals, others for themselves."""
        principals: dict[str, list[str]] = {}
        for pair in self.on_behalf_of:
            principals.setdefault(pair.processor, []).append(pair.principal)
        return tuple((asker, principal) for asker in self.asks for principal in principals.get(asker, [None]))

    def evaluation_limit(self, party: str) -> int:
        """How many elements each key service evaluates for a party in the days of an epoch; 0 where nothing is said."""
        asks = self.limits.evaluations_per_epoch or 0
        return (self.limits.register_evaluations_per_epoch or asks) if party in self.answers else asks

    def register_rules(self) -> dict[str, str | int | bool]:
        """The row rules that a register under this purpose must declare (docs/formats.md section 4), by their names."""
        rules: dict[str, str | int | bool] = {}
        if self.look_back is not None:
            rules["look_back_years"] = self.look_back.years
            rules["look_back_counted_from"] = self.look_back.counted_from
        if self.valid_on is not None:
            rules["valid_on"] = self.valid_on
        if self.exclude_natural_persons:
            rules["exclude_natural_persons"] = True
        if self.hit_only_if_natural_person:
            rules["hit_only_if_natural_person"] = True
        return rules


RULE_PATHS = {
    "look_back_years": "look_back.years",
    "look_back_counted_from": "look_back.counted_from",
}
"""Where a rule stands in the file, when not under its own name."""
