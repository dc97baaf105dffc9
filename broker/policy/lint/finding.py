"""What the linter finds, how heavily it weighs, and what every check looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from broker.policy.document import CATALOGUE_FILE, PURPOSE_FOLDER, PolicySet
from broker.policy.finding_codes import CODES, Severity
from broker.policy.lint.usage import Usage
from broker.policy.problems import Problem
from broker.policy.purpose import Answered, Purpose
from broker.policy.strict_yaml import Path

IN_EVERY_STATE = frozenset({"ANSWER_UNKNOWN_CODE", "ANSWER_NOT_ALLOWED", "ANSWER_IN_FUTURE"})
"""A written answer that cannot stand is refused in a draft too: it would be signed with the rest."""
_JUDGED = frozenset({"active", "shadow"})
_ORDER: Mapping[Severity, int] = {"refuse": 0, "answer": 1, "note": 2}


@dataclass(frozen=True)
class Remark:
    """What a check says, before it is weighed. `purpose`: whose file it is about; "" for the catalogue."""

    purpose: str
    problem: Problem


@dataclass(frozen=True)
class Finding:
    """A remark as it weighs here.

    `severity`: `refuse`, `answer` (a person must answer) or `note`. `once_active`: how it weighs when the purpose is
    active, which for a draft is heavier. `answer`: what a person wrote in the file about it.
    """

    purpose: str
    problem: Problem
    severity: Severity
    once_active: Severity
    answer: Answered | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody has to do something before this set should be signed."""
        return self.severity == "refuse" or (self.severity == "answer" and self.answer is None)

    @property
    def rank(self) -> tuple[int, Problem]:
        """The order in which findings are shown: the heaviest first, then by file and line."""
        return _ORDER[self.severity], self.problem


@dataclass(frozen=True)
class Ground:
    """What a check looks at. `approvals`: purpose to the officers who approved it."""

    policies: PolicySet
    today: date
    usage: Usage | None = None
    approvals: Mapping[str, AbstractSet[str]] = field(default_factory=dict)

    @cached_property
    def kept(self) -> tuple[Purpose, ...]:
        """Every purpose that is or may come into use; what is withdrawn stands for the record only."""
        return tuple(purpose for purpose in self.policies.purposes.values() if purpose.state != "withdrawn")

    @cached_property
    def judged(self) -> tuple[Purpose, ...]:
        """Every purpose that is active, or in shadow and therefore about to be."""
        return tuple(purpose for purpose in self.kept if purpose.state in _JUDGED)

    def at(self, purpose: Purpose, path: Path, code: str, text: str, suggestion: str) -> Remark:
        """A remark on a line of a purpose."""
        return Remark(purpose.name, self._problem(f"{PURPOSE_FOLDER}{purpose.name}.yaml", path, code, text, suggestion))

    def in_catalogue(self, path: Path, code: str, text: str, suggestion: str) -> Remark:
        """A remark on a line of the catalogue."""
        return Remark("", self._problem(CATALOGUE_FILE, path, code, text, suggestion))

    def about_persons(self, purpose: Purpose) -> bool:
        """Whether its subjects are natural persons, by what it is about or by what identifies them."""
        catalogue = self.policies.catalogue
        return catalogue.subject_types[purpose.about].natural_person or any(
            catalogue.identifiers[name].is_national_number for name in purpose.identified_by
        )

    def _problem(self, file: str, path: Path, code: str, text: str, suggestion: str) -> Problem:
        source = self.policies.lines.get(file)
        return Problem(file, source.line(path) if source else 1, code, text, suggestion)


Check = Callable[[Ground], Iterator[Remark]]


def weigh(policies: PolicySet, remark: Remark) -> Finding:
    """A remark with its severity. A purpose that is active or in shadow is judged in full; in a draft or a suspended
    purpose everything is a note, since nothing leaves under it, and says how it would weigh once active."""
    code = remark.problem.code
    full = CODES[code].severity
    purpose = policies.purposes.get(remark.purpose)
    judged = purpose is None or purpose.state in _JUDGED or code in IN_EVERY_STATE
    answer = next((entry for entry in purpose.answered if entry.finding == code), None) if purpose else None
    may_be_answered = full != "refuse"
    return Finding(
        purpose=remark.purpose,
        problem=remark.problem,
        severity=full if judged else "note",
        once_active=full,
        answer=answer if may_be_answered else None,
    )
