"""`holds:` in a test file: lines of a purpose that decide nothing at the gate, and must stay as they are.

How long an answer is kept, under which law, who makes the key: no question shows them, so a test names their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator

from broker.policy.catalogue import Catalogue
from broker.policy.problems import Problem, did_you_mean
from broker.policy.purpose import Answered, Purpose
from broker.policy.strict_yaml import YamlFile
from broker.policy.typing_text import refuse_value

Written: TypeAlias = str | tuple[str, ...]
MAX_DEPTH = 3
_SETS = frozenset({"asks", "answers", "identified_by", "lifts", "answered", "answers_live", "pseudonyms.key_services"})
"""Lists whose order says nothing."""


def _tree(value: Any, depth: int = 1) -> dict[str, Any]:
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        refuse_value("WRONG_SHAPE", "must be keys of the purpose with their values", "such as `answer_keep_days: 30`")
    return {str(key): _value(inner, depth) for key, inner in value.items()}


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _tree(value, depth + 1)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(map(str, value))
    if isinstance(value, str):
        return str(value)
    return refuse_value("WRONG_SHAPE", "must be a value or a list of values", "such as `answer_keep_days: 30`")


Holds = Annotated[dict[str, Any], BeforeValidator(_tree)]
"""Keys of a purpose, nested as they are there, with the values that must not change."""


def flat(holds: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Written]]:
    """Every held value under its dotted path, such as `pseudonyms.steward`."""
    for key, value in holds.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def written(purpose: Purpose, path: str) -> Written:
    """The value at `path` as text; `null` where the purpose says nothing. KeyError when no such value can be held.

    Of `answered` the codes of the findings are held: by whom, when and why is prose.
    """
    value: Any = purpose
    for step in path.split("."):
        if value is None:
            return "null"
        value = _inner(value, step)
    if isinstance(value, BaseModel | dict):
        raise KeyError(path)
    if not isinstance(value, tuple):
        return _text(value)
    listed = [item.finding if isinstance(item, Answered) else item for item in value]
    if any(isinstance(item, BaseModel) for item in listed):
        raise KeyError(path)
    return tuple(map(_text, listed))


def agrees(catalogue: Catalogue, purpose: Purpose, path: str, held: Written) -> bool:
    """Whether a purpose still says what is held, groups and the order of sets aside. KeyError as `written`."""
    found = written(purpose, path)
    if path in _SETS and isinstance(held, tuple) and isinstance(found, tuple):
        return catalogue.parties_of(held) == set(found)
    return found == held


def broken_holds(
    catalogue: Catalogue, purpose: Purpose, holds: Mapping[str, Any], source: YamlFile
) -> Iterator[Problem]:
    """A problem for every held line that reads otherwise (NOT_HELD), or cannot be held."""
    for path, held in flat(holds):
        line = source.line(("holds", *path.split(".")))
        try:
            same = agrees(catalogue, purpose, path, held)
        except KeyError:
            hint = did_you_mean(path, _paths(purpose))
            yield Problem(source.file, line, "UNKNOWN_WORD", f"'{path}' is no key that can be held", hint)
            continue
        if not same:
            values = [_shown(value) for value in (held, written(purpose, path))]
            text = f"{path} is held at {values[0]}, and the purpose says {values[1]}"
            yield Problem(source.file, line, "NOT_HELD", text, "mend the purpose, or the test if the change is meant")


def _inner(value: object, step: str) -> Any:
    if isinstance(value, BaseModel):
        names = {field.alias or name: name for name, field in type(value).model_fields.items()}
        return getattr(value, names[step])
    if isinstance(value, dict):
        return value[step]
    raise KeyError(step)


def _shown(value: Written) -> str:
    return " ".join(value.split()) if isinstance(value, str) else f"[{', '.join(value)}]"


def _dumped(purpose: Purpose) -> dict[str, Any]:
    return {**dict.fromkeys(Purpose.added), **purpose.model_dump(mode="json", by_alias=True)}


def _paths(purpose: Purpose) -> list[str]:
    found: list[str] = []

    def walk(value: Mapping[str, Any], before: str) -> None:
        for key, inner in value.items():
            if isinstance(inner, dict):
                walk(inner, f"{before}{key}.")
            elif not isinstance(inner, list) or not any(isinstance(item, dict) for item in inner):
                found.append(before + key)

    walk(_dumped(purpose), "")
    return found


def _text(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
