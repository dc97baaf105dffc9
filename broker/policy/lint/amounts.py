"""How much may be asked and learned: size of questions, number of attributes, offers of answerers, case numbers."""

from __future__ import annotations

from collections.abc import Iterator

from broker.policy.lint.finding import Ground, Remark

MOST_ATTRIBUTES = 6
BULK_SUBJECTS = 10_000
BULK_PERSONS = 1_000
BULK_A_DAY = 1_000_000
"""From here on a purpose moves registers rather than answers on cases. The figures are ours, not the law's."""


def attributes(ground: Ground) -> Iterator[Remark]:
    """Many attributes in one purpose."""
    for purpose in ground.kept:
        count = len(purpose.may_learn.attributes)
        if count > MOST_ATTRIBUTES:
            text = f"{count} attributes may be learned; more than {MOST_ATTRIBUTES} are seldom all needed"
            hint = "leave out what does not change a decision, or split the purpose"
            yield ground.at(purpose, ("may_learn", "attributes"), "MANY_ATTRIBUTES", text, hint)


def bulk(ground: Ground) -> Iterator[Remark]:
    """Questions about very many subjects."""
    for purpose in ground.kept:
        subjects, requests = purpose.limits.subjects_per_request, purpose.limits.requests_per_day
        most = BULK_PERSONS if ground.about_persons(purpose) else BULK_SUBJECTS
        if subjects > most or subjects * requests > BULK_A_DAY:
            text = f"{subjects:,} subjects in a question and {subjects * requests:,} a day"
            hint = "lower the limits to what the work needs"
            yield ground.at(purpose, ("limits",), "BULK", text, hint)


def offers(ground: Ground) -> Iterator[Remark]:
    """Limits above what an answerer says it answers: the stricter side decides."""
    for purpose in ground.kept:
        for name in purpose.answers:
            offered = ground.policies.catalogue.parties[name].answers_at_most
            if offered is None:
                continue
            for key, what in (
                ("subjects_per_request", "subjects in a question"),
                ("requests_per_day", "questions a day"),
            ):
                asked, most = getattr(purpose.limits, key), getattr(offered, key)
                if asked > most:
                    text = f"{asked} {what}; {name} answers at most {most}"
                    yield ground.at(purpose, ("limits", key), "ABOVE_OFFER", text, f"write `{key}: {most}` or less")


def case_numbers(ground: Ground) -> Iterator[Remark]:
    """Rows may be learned without a case to which the question belongs."""
    for purpose in ground.kept:
        if purpose.may_learn.hit and purpose.case_number is None:
            text = "answers row by row, and no case number ties a question to a case"
            yield ground.at(purpose, ("may_learn",), "NO_CASE_NUMBER", text, "add `case_number: required`")
