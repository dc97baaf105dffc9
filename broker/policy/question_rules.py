"""Cross-checks of what a purpose says on how its questions are put: guarded, answered live, standing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from broker.policy.catalogue import Catalogue
from broker.policy.problems import Problem
from broker.policy.purpose import MOST_GUARDED, MOST_LIVE, Purpose

Say = Callable[..., Problem]
"""Makes a problem of a path in the purpose's file: path, code, text, hint."""


def question_rules(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    """What is wrong with `probing`, `answers_live` and `standing_questions`."""
    yield from _probing(purpose, say)
    yield from _live(catalogue, purpose, say)
    yield from _standing(purpose, say)


def _live(catalogue: Catalogue, purpose: Purpose, say: Say) -> Iterator[Problem]:
    """Pseudonyms of a live question are bound to it: nothing compares it with another, which counts and guards need."""
    if not purpose.answers_live:
        return
    strangers = sorted(set(purpose.answers_live) - set(purpose.answers))
    if strangers:
        text = f"{', '.join(strangers)} may not be asked under this purpose"
        yield say(("answers_live",), "LIVE_NOT_ANSWERER", text, "name parties of `answers`")
    natural = catalogue.subject_types[purpose.about].natural_person or purpose.pseudonyms.mode != "keyed"
    if natural:
        text = "nobody could search live questions for a person, nor tell who was given a record that is corrected"
        yield say(("answers_live",), "LIVE_PERSONS", text, "let the answerer publish a register")
    if purpose.limits.subjects_per_request > MOST_LIVE:
        text = f"questions have up to {purpose.limits.subjects_per_request} subjects; live ones up to {MOST_LIVE}"
        yield say(("limits", "subjects_per_request"), "LIVE_TOO_LARGE", text, "ask about fewer at a time")
    for key, has in (("count", purpose.may_learn.count), ("probing", purpose.probing)):
        if has is not None:
            text = f"live questions cannot be compared with each other, which {key} needs"
            path = ("may_learn", "count") if key == "count" else ("probing",)
            yield say(path, "LIVE_NOT_COMPARED", text, f"leave {key} out, or write a purpose of its own for it")


def _standing(purpose: Purpose, say: Say) -> Iterator[Problem]:
    """What was asked first must be kept for as long as it stands, and a version of a register must answer it."""
    standing = purpose.standing_questions
    if standing is None:
        return
    if standing.days > purpose.vault_keep_days:
        text = f"the broker keeps what was first asked for {purpose.vault_keep_days} days"
        hint = f"write at most {purpose.vault_keep_days}, or raise vault_keep_days"
        yield say(("standing_questions", "days"), "STANDING_TOO_LONG", text, hint)
    if not purpose.may_learn.hit:
        text = "only hits and attributes can change from one register version to the next; counts may be asked here"
        yield say(("standing_questions",), "STANDING_WITHOUT_HITS", text, "leave it out")
    if set(purpose.answers) <= set(purpose.answers_live):
        text = "every party here answers live, and so publishes no register that could be newer"
        yield say(("standing_questions",), "STANDING_LIVE", text, "leave it out")


def _probing(purpose: Purpose, say: Say) -> Iterator[Problem]:
    """Guards compare questions row by row inside the log's transaction, so questions must be small; and none may refuse
    every question there is."""
    probing, most = purpose.probing, purpose.limits.subjects_per_request
    if probing is None:
        return
    if not probing.model_fields_set:
        yield say(
            ("probing",), "PROBING_EMPTY", "no guard is named", "name one, such as same_question, or leave it out"
        )
    if most > MOST_GUARDED:
        text = f"questions have up to {most} subjects; guards against probing take up to {MOST_GUARDED}"
        yield say(("limits", "subjects_per_request"), "PROBING_TOO_LARGE", text, "ask about fewer at a time")
    for key, guard in probing.bounds_subjects:
        if guard.at_most < most:
            text = f"one question may have {most} subjects already"
            yield say(("probing", key, "at_most"), "PROBING_BELOW_LIMIT", text, f"write at least {most}")
    if probing.hits_per_hundred is not None and not purpose.may_learn.hit:
        text = "hits row by row may not be learned, so nobody can be guessing"
        yield say(("probing", "hits_per_hundred"), "PROBING_WITHOUT_HITS", text, "leave it out")
