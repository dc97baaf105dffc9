"""Commands are imported when called; the help shows of each what the command says of itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.main import get_command

from broker.cli import app
from broker.cli.lazily import LazyGroup

HEAVY = ("grpc", "numpy", "opentelemetry", "broker.policy", "broker.audit")


def test_the_help_says_of_each_command_what_it_says_itself() -> None:
    group = get_command(app)
    assert isinstance(group, LazyGroup)
    for name, deferred in group.deferred.items():
        command = group.get_command(None, name)
        assert command is not None
        assert command.name == name
        assert deferred.short_help == command.get_short_help_str(1_000)


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (["--help"], HEAVY),
        (["--version"], HEAVY),
        (["policy", "check", "--help"], ("grpc", "opentelemetry")),
        (["witness", "--help"], HEAVY),
        (["doctor", "--help"], ("grpc", "opentelemetry", "broker.audit")),
        (["audit", "verify", "--help"], ("grpc", "opentelemetry")),
    ],
)
def test_a_command_imports_nothing_of_the_others(words: list[str], without: tuple[str, ...]) -> None:
    code = (
        "import json, sys\nfrom broker.cli import app\n"
        "app(json.loads(sys.argv[1]), standalone_mode=False)\n"
        "print(json.dumps([name for name in sys.argv[2:] if name in sys.modules]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(words), *without], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stderr) == []


def test_a_mistyped_command_is_told_the_one_like_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from broker.cli import main; main()", "polcy"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "No such command 'polcy'. Did you mean 'policy'?" in done.stderr
