"""The linter: what a policy set lets happen that somebody should think about before signing it.

Reading refuses what cannot be right. The linter finds what is unlawful by what the catalogue says, what a person must
answer for, and what is worth knowing. Pure: the day, the log's usage and the approvals are passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from broker.policy.approvals import Approval
from broker.policy.document import PURPOSE_FOLDER, PolicySet
from broker.policy.legal_days import local_day
from broker.policy.lint import amounts, chains, counts, covering, dates, people, prose, services, use, words
from broker.policy.lint.finding import Check, Finding, Ground, Remark, weigh
from broker.policy.lint.usage import Usage, usage_of
from broker.policy.problems import Problem

__all__ = ["Finding", "Usage", "lint", "usage_of"]

CHECKS: tuple[Check, ...] = (
    prose.reasons,
    prose.necessities,
    prose.uses,
    dates.validity,
    dates.dpias,
    dates.bases,
    dates.organisations,
    amounts.attributes,
    amounts.bulk,
    amounts.offers,
    amounts.case_numbers,
    counts.groups,
    counts.beside_rows,
    covering.covered,
    chains.to_national_numbers,
    words.special_categories,
    words.national_numbers_learned,
    words.unconfirmed,
    words.unused,
    services.standing,
    services.operators,
    services.public_keys,
    services.evaluations,
    people.approvers,
    people.authors,
    people.answers,
    people.shadows,
    use.never_used,
)
_NEEDS_LOG = frozenset({"NEVER_USED", "ATTRIBUTE_NEVER_ASKED"})
_NEEDS_TESTS = frozenset({"UNHELD"})


def lint(
    policies: PolicySet,
    *,
    now: datetime,
    usage: Usage | None = None,
    approvals: Iterable[Approval] = (),
    unheld: Iterable[Problem] | None = None,
) -> tuple[Finding, ...]:
    """Every finding, the heaviest first, then by file and line.

    `usage`: what `usage_of` made of the log; None: use is not judged. `approvals`: all that lie beside the files, also
    those that do not count. `unheld`: the lines that no test holds, as `broker.policy.mutation` finds them; None: not
    judged.
    """
    signed: dict[str, set[str]] = {}
    for approval in approvals:
        signed.setdefault(approval.purpose, set()).add(approval.officer)
    ground = Ground(policies, local_day(now), usage, signed)
    remarks = [remark for check in CHECKS for remark in check(ground)]
    remarks += [Remark(_purpose_of(problem.file), problem) for problem in unheld or ()]
    found = {(remark.purpose, remark.problem.code) for remark in remarks}
    remarks += _idle(ground, found, usage is not None, unheld is not None)
    return tuple(sorted((weigh(policies, remark) for remark in remarks), key=lambda finding: finding.rank))


def _idle(ground: Ground, found: set[tuple[str, str]], with_log: bool, with_tests: bool) -> Iterator[Remark]:
    """Answers to nothing, but for findings that this run did not look for."""
    unseen = (frozenset() if with_log else _NEEDS_LOG) | (frozenset() if with_tests else _NEEDS_TESTS)
    not_looked_for = {(name, code) for name in ground.policies.purposes for code in unseen}
    yield from people.idle_answers(ground, found | not_looked_for)


def _purpose_of(file: str) -> str:
    return file.removeprefix(PURPOSE_FOLDER).removesuffix(".yaml") if file.startswith(PURPOSE_FOLDER) else ""
