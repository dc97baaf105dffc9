"""Words of a question that the policy set does not know: the likely slips behind a denial, each with its line."""

from __future__ import annotations

from collections.abc import Iterator

from broker.policy.document import PolicySet
from broker.policy.policy_test import Question
from broker.policy.problems import Problem, did_you_mean
from broker.policy.strict_yaml import YamlFile

_RESULTS = ("count", "hit")


def unknown_words(policies: PolicySet, question: Question, source: YamlFile) -> tuple[Problem, ...]:
    """A finding for every word that no file of the set defines. The question can be decided all the same."""
    return tuple(_found(policies, question, source))


def _found(policies: PolicySet, question: Question, source: YamlFile) -> Iterator[Problem]:
    catalogue = policies.catalogue
    for key, word, known, kind in (
        ("purpose", question.purpose, policies.purposes, "purpose"),
        ("asks", question.asks, catalogue.parties, "party"),
        ("on_behalf_of", question.on_behalf_of, catalogue.parties, "party"),
        ("answers", question.answers, catalogue.parties, "party"),
        ("identified_by", question.identified_by, catalogue.identifiers, "identifier"),
    ):
        if word is None or word in known:
            continue
        line = source.line((key,))
        if kind == "party" and word in catalogue.groups:
            members = ", ".join(catalogue.groups[word][:5])
            text = f"'{word}' is a group, and one party asks or answers"
            yield Problem(source.file, line, "GROUP_IN_QUESTION", text, f"name one of its parties, such as {members}")
        else:
            hint = did_you_mean(word, known)
            yield Problem(source.file, line, "UNKNOWN_WORD", f"{key}: '{word}' is no {kind} of this policy set", hint)
    for position, word in enumerate(question.want or ()):
        if word not in catalogue.attributes and word not in _RESULTS:
            hint = did_you_mean(word, {*catalogue.attributes, *_RESULTS})
            line = source.line(("want", position))
            yield Problem(source.file, line, "UNKNOWN_WORD", f"want: '{word}' is no attribute of the catalogue", hint)
