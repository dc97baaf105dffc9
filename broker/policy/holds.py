"""`holds:` in a test file: lines of a purpose that decide nothing at the gate, and must stay as they are.

How long an answer is kept, under which law, who makes the key: no question shows them, so a test names their values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from broker.policy.problems import Problem, did_you_mean
from broker.policy.purpose import Purpose
from broker.policy.strict_yaml import YamlFile
from broker.policy.typing_text import refuse_value

Written: TypeAlias = str | tuple[str, ...]
MAX_DEPTH = 3


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
    """The value at `path` as text; `null` where the purpose says nothing. KeyError when no such value can be held."""
    value: Any = _dumped(purpose)
    for step in path.split("."):
        if value is None:
            return "null"
        if not isinstance(value, dict):
            raise KeyError(path)
        value = value[step]
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value)):
        raise KeyError(path)
    return tuple(map(_text, value)) if isinstance(value, list) else _text(value)


def broken_holds(purpose: Purpose, holds: Mapping[str, Any], source: YamlFile) -> Iterator[Problem]:
    """A problem for every held line that reads otherwise, or cannot be held."""
    for path, held in flat(holds):
        line = source.line(("holds", *path.split(".")))
        try:
            found = written(purpose, path)
        except KeyError:
            hint = did_you_mean(path, _paths(purpose))
            yield Problem(source.file, line, "UNKNOWN_WORD", f"'{path}' is no key that can be held", hint)
            continue
        if found != held:
            values = [value if isinstance(value, str) else f"[{', '.join(value)}]" for value in (held, found)]
            text = f"{path} is held at {values[0]}, and the purpose says {values[1]}"
            yield Problem(source.file, line, "NOT_HELD", text, "mend the purpose, or the test if the change is meant")


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
