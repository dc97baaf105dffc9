"""Where two nested values differ, leaf by leaf, under dotted paths such as `limits.requests_per_day`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def differing(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of every leaf that differs, sorted by path. A list is one leaf; absent is None."""
    nested = isinstance(old, Mapping) or isinstance(new, Mapping)
    if nested and all(value is None or isinstance(value, Mapping) for value in (old, new)):
        before, after = old or {}, new or {}
        for key in sorted({*before, *after}):
            yield from differing(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif old != new:
        yield path, old, new


def told(value: Any) -> str:
    """A leaf as a person reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
