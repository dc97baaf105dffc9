"""The house's form: a module of at most 400 lines, a function under 70 (docs/architecture.md).

The one-file verifier of `clients/auditor/` is one file on purpose and is not read here.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broker", "clients/python/sluis_client", "custody/sluis_custody")
SOURCES = sorted(path for package in PACKAGES for path in ROOT.glob(f"{package}/**/*.py"))
MODULE_LINES = 400
FUNCTION_LINES = 70


def too_long(source: str) -> Iterator[str]:
    """What is too long in a module's source, and how long it is."""
    lines = len(source.splitlines())
    if lines > MODULE_LINES:
        yield f"{lines} lines; at most {MODULE_LINES}: give one of its nouns a module of its own"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length >= FUNCTION_LINES:
                yield f"{node.name}: {length} lines; fewer than {FUNCTION_LINES}"


def test_modules_and_functions_are_short() -> None:
    assert len(SOURCES) > 300
    found = [f"{path.relative_to(ROOT)}: {text}" for path in SOURCES for text in too_long(path.read_text("utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("lines", "count"), [(69, 0), (70, 1), (399, 1), (400, 2)])
def test_what_is_too_long_is_found(lines: int, count: int) -> None:
    """One function of so many lines, with one line before it."""
    source = "x = 1\ndef f():\n" + "    pass\n" * (lines - 1)
    assert len(list(too_long(source))) == count


def test_no_two_test_modules_have_one_name() -> None:
    """pytest imports them by their names alone: a second one fails only when both are collected."""
    names = Counter(path.name for path in ROOT.glob("tests/**/test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
