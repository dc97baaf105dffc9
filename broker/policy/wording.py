"""A decision in the words of a lawyer, in English or in Dutch: verdicts, questions, reasons, duties and what to do.

What is logged and replayed stays English (`broker.policy.checks`); Dutch is made from it, so that a decision of any
year can be shown in Dutch. A reason that no template knows is shown in English, and marked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal, TypeAlias, get_args

from broker.policy.check_words import ADVICE, QUESTIONS
from broker.policy.decision import CheckResult
from broker.policy.purpose import Purpose
from broker.policy.wording_nl import DUTIES, PHRASES, REASONS, STATES

__all__ = ["LANGUAGES", "Lang", "Said", "advice_on", "duty_in", "effect_in", "question_of", "reason_in"]

Lang: TypeAlias = Literal["en", "nl"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
NOT_TRANSLATED = "(niet vertaald)"
"""Stands before a text that is shown in English because no Dutch is known for it."""

_NAME = "[a-z][a-z0-9-]*"
_SHOWN = r"(?:'[A-Za-z0-9._-]+'|\(a word that is no name\))"
_MORE = "(?: and [0-9]+ more)?"
_SLOTS: Mapping[str, str] = {
    "name": _NAME,
    "names": f"{_NAME}(?:, {_NAME})*{_MORE}",
    "rules": "[a-z_]+(?:, [a-z_]+)*",
    "rule": "[a-z_]+",
    "value": "[a-z0-9-]+",
    "shown": _SHOWN,
    "some": f"{_SHOWN}(?:, {_SHOWN})*{_MORE}",
    "state": "|".join(map(re.escape, STATES)),
    "number": "-?[0-9]+",
    "day": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "moment": "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}",
    "epoch": "[0-9]{4}(?:Q[1-4]|-[0-9]{2})?",
    "text": ".+",
}
"""What a slot of a template may hold: exactly what the engine can put there."""


@dataclass(frozen=True)
class Said:
    """A text in the language asked for. `translated`: False where the English had to stand in, with its mark."""

    text: str
    translated: bool = True


def effect_in(lang: Lang, permitted: bool) -> str:
    """The verdict in one word."""
    return _EFFECTS[lang][permitted]


_EFFECTS = {"en": {True: "PERMIT", False: "DENY"}, "nl": {True: "TOEGESTAAN", False: "GEWEIGERD"}}


def question_of(check: str, lang: Lang) -> str:
    """What a check asks, as a question that its verdict answers; the id itself for a check of an unknown engine."""
    return QUESTIONS[check][lang] if check in QUESTIONS else check


def advice_on(check: CheckResult, lang: Lang) -> str:
    """What whoever asks, or whoever writes the policy, can do about a check; "" when it is met or was not evaluated."""
    if check.met or check.reason == _NOT_EVALUATED or check.id not in ADVICE:
        return ""
    return ADVICE[check.id][lang]


_NOT_EVALUATED = "could not be evaluated"


def reason_in(lang: Lang, reason: str) -> Said:
    """The reason of a check, as the engine gave it, in `lang`."""
    return Said(reason) if lang == "en" else _in_dutch(reason, "reason")


def duty_in(lang: Lang, duty: str, purpose: Purpose | None) -> Said:
    """An obligation of a permit in `lang`. `purpose`: the one decided under, whose own Dutch text is used."""
    if lang == "en":
        return Said(duty)
    allowed = purpose.use_only_for if purpose else None
    if allowed is not None and duty == f"use_only_for: {allowed.en}":
        return Said(f"use_only_for: gebruik alleen voor {allowed.nl}")
    return _in_dutch(duty, "duty")


Table: TypeAlias = "tuple[tuple[re.Pattern[str], tuple[str, ...], str], ...]"


@cache
def _table(kind: Literal["reason", "duty"]) -> Table:
    return tuple((*compiled(english), dutch) for english, dutch in (REASONS if kind == "reason" else DUTIES))


def compiled(template: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The pattern of all reasons that `template` can give, and its slots in their order."""
    parts = re.split(r"\{([a-z]+)\}", template)
    slots = tuple(parts[1::2])
    pattern = "".join(f"({_SLOTS[part]})" if position % 2 else re.escape(part) for position, part in enumerate(parts))
    return re.compile(pattern), slots


@lru_cache(maxsize=4096)
def _in_dutch(text: str, kind: Literal["reason", "duty"]) -> Said:
    for pattern, slots, dutch in _table(kind):
        found = pattern.fullmatch(text)
        if found:
            return Said(_filled(dutch, (_slot(slot, value) for slot, value in zip(slots, found.groups(), strict=True))))
    return Said(f"{NOT_TRANSLATED} {text}", translated=False)


def _filled(template: str, values: Iterable[str]) -> str:
    """Values are put in by position and never read for slots themselves."""
    each = iter(values)
    return re.sub(r"\{[a-z]+\}", lambda _: next(each), template)


def _slot(slot: str, value: str) -> str:
    change: Callable[[str], str] = _CHANGES.get(slot, str)
    return change(value)


def _list(text: str) -> str:
    for english, dutch in PHRASES:
        text = re.sub(english, dutch, text)
    return text


_CHANGES: Mapping[str, Callable[[str], str]] = {
    "names": _list,
    "shown": _list,
    "some": _list,
    "state": lambda text: STATES[text],
}
