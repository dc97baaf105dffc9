"""From a strictly read file to a typed model, with every mismatch as file:line, code and suggestion."""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from broker.policy.problems import Problem, did_you_mean
from broker.policy.strict_yaml import Path, YamlFile

Model = TypeVar("Model", bound=BaseModel)
_SHAPES = {
    "model_type": ("keys with values", "write each as `key: value`, indented below it"),
    "dict_type": ("keys with values", "write each as `key: value`, indented below it"),
    "tuple_type": ("a list", "put it between brackets, such as [a, b]"),
}
_SAMPLE = "compare it with the samples in policies/"
_MAX_PROBLEMS = 100


def read_model(model: type[Model], source: YamlFile) -> tuple[Model | None, tuple[Problem, ...]]:
    """`source` as a `model`, or every reason why not; never both."""
    try:
        return model.model_validate(source.value), ()
    except ValidationError as error:
        found = [_problem(model, source, detail) for detail in error.errors(include_url=False)[:_MAX_PROBLEMS]]
        return None, tuple(sorted(set(found)))


def _problem(model: type[BaseModel], source: YamlFile, detail: ErrorDetails) -> Problem:
    # pydantic puts "[key]" behind the location of a wrong mapping key
    path: Path = tuple(step for step in detail["loc"] if step != "[key]")
    shown = ".".join(map(str, path)) or "the file"
    line = source.line(path)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = did_you_mean(str(path[-1]), _keys_at(model, path[:-1]))
        return Problem(source.file, line, "UNKNOWN_KEY", f"{shown} is not a known key", known)
    if kind == "missing":
        code, hint = "MISSING", f"add `{path[-1]}:`"
        if path == ("valid", "until"):
            code, hint = "NO_END_DATE", "every purpose ends; add the last day, such as `until: 2027-12-31`"
        return Problem(source.file, line, code, f"{shown} is missing", hint)
    if kind == "literal_error":
        allowed = [word.strip("'") for word in str(context.get("expected", "")).replace(" or ", ", ").split(", ")]
        return Problem(
            source.file,
            line,
            "UNKNOWN_WORD",
            f"{shown}: not one of its words",
            did_you_mean(str(detail["input"]), allowed),
        )
    if kind in _SHAPES:
        needed, hint = _SHAPES[kind]
        return Problem(source.file, line, "WRONG_SHAPE", f"{shown} must be {needed}", hint)
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return Problem(source.file, line, "OUT_OF_RANGE", f"{shown} must be {bound}", "write a number within it")
    if kind == "string_pattern_mismatch":
        return Problem(
            source.file, line, "WRONG_SHAPE", f"{shown} is no term of a vocabulary", "such as eu-gdpr:A6-1-e"
        )
    if kind == "too_short":
        return Problem(source.file, line, "EMPTY_LIST", f"{shown} must list at least one", "name whom or what you mean")
    code = kind if kind.isupper() else "INVALID"
    return Problem(source.file, line, code, f"{shown}: {detail['msg']}", context.get("suggestion", _SAMPLE))


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """The keys that the schema knows at `path`."""
    kind: Any = model
    for step in path:
        kind = _bare(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = next((f for n, f in kind.model_fields.items() if (f.alias or n) == step), None)
            kind = field.annotation if field else None
        else:
            kind = next(iter(typing.get_args(kind)[-1:]), None) if typing.get_origin(kind) is dict else _item(kind)
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _item(kind: Any) -> Any:
    return next(iter(typing.get_args(kind)), None)


def _bare(kind: Any) -> Any:
    """An annotation without Annotated and without None."""
    while True:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif origin in (types.UnionType, typing.Union):
            kind = next(arg for arg in typing.get_args(kind) if arg is not types.NoneType)
        else:
            return kind
