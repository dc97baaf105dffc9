"""Help texts as committed: what a user reads changes only on purpose. `UPDATE_GOLDEN=1` writes them anew."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

HERE = Path(__file__).parent
ROOTS = {"sluis": "broker", "sluis-client": "sluis_client"}


def commands(name: str) -> list[list[str]]:
    """Every command and group of a program, as words."""
    if name == "sluis":
        from broker.cli import app
    else:
        from sluis_client.cli import app
    found: list[list[str]] = []

    def walk(command: object, words: list[str]) -> None:
        found.append(words)
        if isinstance(command, TyperGroup):
            for sub in sorted(command.list_commands(None)):
                walk(command.get_command(None, sub), [*words, sub])

    walk(get_command(app), [])
    return found


@cache
def transcript(name: str) -> str:
    """All help texts of a program, one after the other."""
    script = (
        "import sys, json, io, contextlib\n"
        f"from {ROOTS[name]}.cli import app\n"
        "for words in json.loads(sys.argv[1]):\n"
        f"    print('$', ' '.join(['{name}', *words, '--help']), flush=True)\n"
        f"    app([*words, '--help'], prog_name='{name}', standalone_mode=False)\n"
        "    print(flush=True)\n"
    )
    import json

    environment = {**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"}
    environment.pop("SLUIS_CLIENT_PROFILE", None)
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(commands(name))],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROOTS))
def test_help_is_as_committed(name: str) -> None:
    golden = HERE / f"{name}.txt"
    text = transcript(name)
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "help changed; on purpose? UPDATE_GOLDEN=1 pytest tests/golden"


@pytest.mark.parametrize("name", sorted(ROOTS))
def test_every_command_has_a_line_of_help(name: str) -> None:
    text = transcript(name)
    for words in commands(name):
        at = text.index("$ " + " ".join([name, *words, "--help"]))
        body = text[at:].split("\n$ ")[0]
        assert len(body.splitlines()) > 4, words
