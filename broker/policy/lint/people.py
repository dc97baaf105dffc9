"""Who wrote, who may approve, and what people answered in the files."""

from __future__ import annotations

from collections.abc import Iterator

from broker.policy.approvals import Sides, sides_of
from broker.policy.finding_codes import CODES
from broker.policy.lint.finding import Ground, Remark
from broker.policy.problems import did_you_mean
from broker.policy.purpose import Purpose


def approvers(ground: Ground) -> Iterator[Remark]:
    """Whether two officers other than the author can approve each purpose, one for each side."""
    officers = ground.policies.officers
    if not officers:
        if ground.judged:
            text = "there is no officers.yaml, so nobody can approve a purpose"
            hint = "add it before you sign; docs/write-policy.md says how"
            yield ground.in_catalogue((), "NO_OFFICERS", text, hint)
        return
    for purpose in ground.kept:
        if purpose.written_by is None:
            text = "does not say which officer wrote it, so that nobody can see whether its author approves it"
            yield ground.at(purpose, ("purpose",), "NO_AUTHOR", text, "add `written_by:` with an officer")
        able = _able(ground, purpose)
        if not able.complete:
            besides = f" besides {purpose.written_by}, who wrote it" if purpose.written_by else ""
            text = f"no officer{besides} can give it the approval of {able.lacking}"
            hint = "add an officer to officers.yaml, or let another officer write it"
            yield ground.at(purpose, ("written_by",), "NO_APPROVER", text, hint)


def authors(ground: Ground) -> Iterator[Remark]:
    """An approval by the officer who wrote the purpose."""
    for purpose in ground.kept:
        if purpose.written_by is not None and purpose.written_by in ground.approvals.get(purpose.name, ()):
            text = f"{purpose.written_by} wrote it and approved it; that approval does not count"
            hint = "let another officer of that side approve it, and remove this approval"
            yield ground.at(purpose, ("written_by",), "AUTHOR_APPROVES", text, hint)


def answers(ground: Ground) -> Iterator[Remark]:
    """Written answers that cannot stand: to no finding that exists, to one that is refused, or from the future."""
    answerable = [code for code, page in CODES.items() if page.severity != "refuse"]
    for purpose in ground.kept:
        for position, answer in enumerate(purpose.answered):
            path = ("answered", position, "finding")
            page = CODES.get(answer.finding)
            if page is None:
                hint = did_you_mean(answer.finding, answerable)
                yield ground.at(purpose, path, "ANSWER_UNKNOWN_CODE", f"{answer.finding} is no finding", hint)
            elif page.severity == "refuse":
                text = f"{answer.finding} is refused, whatever the answer"
                hint = f"mend it (`sluis policy explain-code {answer.finding}`) and remove the answer"
                yield ground.at(purpose, path, "ANSWER_NOT_ALLOWED", text, hint)
            if answer.on > ground.today:
                text = f"the answer is of {answer.on}, which is still to come"
                hint = "write the day on which it was given"
                yield ground.at(purpose, ("answered", position, "on"), "ANSWER_IN_FUTURE", text, hint)


def shadows(ground: Ground) -> Iterator[Remark]:
    """A shadow of a purpose that is not active sees no questions."""
    for purpose in ground.kept:
        of = ground.policies.purposes.get(purpose.shadow_of or "")
        if purpose.state == "shadow" and of is not None and of.state != "active":
            text = f"{of.name} is {of.state}, so no question is decided under this shadow"
            yield ground.at(purpose, ("shadow_of",), "SHADOW_IDLE", text, "name an active purpose, or wait until it is")


def idle_answers(ground: Ground, found: set[tuple[str, str]]) -> Iterator[Remark]:
    """Answers to findings that no longer occur. `found`: purpose and code of everything that does."""
    for purpose in ground.kept:
        for position, answer in enumerate(purpose.answered):
            page = CODES.get(answer.finding)
            if page is not None and page.severity != "refuse" and (purpose.name, answer.finding) not in found:
                text = f"{answer.finding} does not occur here, so the answer says nothing"
                path = ("answered", position, "finding")
                yield ground.at(
                    purpose, path, "ANSWER_IDLE", text, "remove the answer, so that it cannot silence later"
                )


def _able(ground: Ground, purpose: Purpose) -> Sides:
    asking, answering = set(), set()
    for officer in ground.policies.officers:
        if officer == purpose.written_by:
            continue
        for_asking, for_answering = sides_of(ground.policies, purpose.name, officer)
        if for_asking:
            asking.add(officer)
        if for_answering:
            answering.add(officer)
    return Sides(frozenset(asking), frozenset(answering))
