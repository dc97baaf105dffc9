"""The documents against the tree: links, paths, `make` targets and commands that they name exist."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import sluis_client.cli
import typer
from pydantic import BaseModel
from sluis_client.cells import Reason

import broker.cli
from broker.config import Config, KeyServiceRole, Limits, Policy, TimeStamps, Tls, Witnessing

ROOT = Path(__file__).parents[2]
SKIPPED = {".venv", "node_modules", "demo-run", "sandbox-run", "dist"}
NAMES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.md")
    if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
APPS = {"sluis": broker.cli.app, "sluis-client": sluis_client.cli.app}

_FENCE = re.compile(r"^( *)```[a-z]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_TICKED = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_WORD = re.compile(r"[a-z-]+")
_PATH = re.compile(r"[A-Za-z0-9_.*<>-]+(/[A-Za-z0-9_.*<>-]+)*/?")


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def fenced_lines(path: Path) -> Iterator[str]:
    """The lines of all fenced blocks, continued ones joined."""
    for _, block in _FENCE.findall(path.read_text(encoding="utf-8")):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()


def anchors(path: Path) -> set[str]:
    """The headings of a document as link targets."""
    slugs = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(path)))
    return {slug.strip().replace(" ", "-") for slug in slugs}


@cache
def make_targets() -> frozenset[str]:
    """Targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE))


def click_of(program: str) -> Any:
    """The command tree of a program."""
    return typer.main.get_command(APPS[program])


def test_the_documents_are_found() -> None:
    assert {"README.md", "docs/architecture.md", "docs/adr/0001-statements-are-canonical-json.md"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_resolves(name: str) -> None:
    path = ROOT / name
    broken = []
    for target in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / unquote(file)).resolve() if file else path
        if not to.exists() or (anchor and anchor not in anchors(to)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("name", NAMES)
def test_every_path_in_backticks_exists(name: str) -> None:
    """What begins with a folder or file of the root must be there; `*` and `<...>` stand for anything."""
    tops = {path.name for path in ROOT.iterdir() if path.name not in SKIPPED and not path.name.startswith(".")}
    missing = []
    for ticked in _TICKED.findall(prose(ROOT / name)):
        text = ticked.removesuffix("/")
        if not _PATH.fullmatch(ticked) or text.split("/")[0] not in tops:
            continue
        pattern = re.sub(r"<[^>]*>", "*", text)
        if not any(ROOT.glob(pattern)):
            missing.append(ticked)
    assert not missing


@pytest.mark.parametrize("name", NAMES)
def test_every_make_target_exists(name: str) -> None:
    named = [words[1] for words in map(str.split, fenced_lines(ROOT / name)) if words[:1] == ["make"] and words[1:]]
    named += re.findall(r"`make ([a-z-]+)`", prose(ROOT / name))
    assert not [target for target in named if target != "#" and target not in make_targets()]


def commands(name: str) -> Iterator[tuple[str, list[str]]]:
    """Every use of our programs in a fenced block: program and the words behind it."""
    for line in fenced_lines(ROOT / name):
        plain = line.strip().removeprefix("$ ")
        plain = re.split(r"\s#", plain)[0].removeprefix(".venv/bin/")
        if plain.partition(" ")[0] in APPS:
            words = shlex.split(plain)
            yield words[0], words[1:]


def wrong_with(program: str, words: list[str]) -> str | None:
    """What a command line names that the program has not, or None."""
    command = click_of(program)
    rest = list(words)
    while hasattr(command, "commands"):
        while rest and rest[0].startswith("-"):
            if option_of(command, rest[0]) is None:
                return rest[0]
            takes = not option_of(command, rest[0]).is_flag
            rest = rest[2 if takes else 1 :]
        if not rest:
            return None
        if rest[0] not in command.list_commands(None):
            return rest[0]
        command = command.get_command(None, rest.pop(0))
    for word in rest:
        if word.startswith("-") and option_of(command, word.partition("=")[0]) is None:
            return word
    return None


def option_of(command: Any, name: str) -> Any:
    """The option of a command by its name, or None; every command has `--help`."""
    known = {spelling: option for option in command.params for spelling in option.opts}
    helps = command.get_help_option_names(None) if name == "--help" else ()
    return known.get(name) or (command if name in helps else None)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_shown_exists_with_its_options(name: str) -> None:
    wrong = [(program, words, what) for program, words in commands(name) if (what := wrong_with(program, words))]
    assert not wrong


def test_commands_in_running_text_exist() -> None:
    """`sluis audit verify` in a sentence, too: as far as it is made of plain words."""
    wrong = []
    for name in NAMES:
        for ticked in _TICKED.findall(prose(ROOT / name)):
            words = ticked.split()
            if words[0] in APPS and all(map(_WORD.fullmatch, words)) and ticked not in NOT_BUILT:
                what = wrong_with(words[0], words[1:])
                if what:
                    wrong.append((name, ticked, what))
    assert not wrong


NOT_BUILT = {"sluis backup"}
"""Named by documents as not built; the next test keeps the list honest."""


def test_what_is_called_not_built_is_not_built() -> None:
    assert all(wrong_with(words[0], words[1:]) for words in map(str.split, NOT_BUILT))


def test_the_check_of_commands_can_fail() -> None:
    assert wrong_with("sluis", ["audit", "verify", "x", "--trust", "y"]) is None
    assert wrong_with("sluis", ["audit", "burn"]) == "burn"
    assert wrong_with("sluis", ["serve", "--fast"]) == "--fast"
    assert wrong_with("sluis-client", ["match", "f.csv", "--want", "beds"]) is None
    assert wrong_with("sluis-client", ["guess"]) == "guess"


def test_every_setting_of_the_broker_is_documented_with_its_default() -> None:
    rows = dict(
        re.findall(r"^\| `([a-z_.]+)` \| ([^|]+?) \|", (ROOT / "docs/operate.md").read_text("utf-8"), re.MULTILINE)
    )
    models: dict[str, type[BaseModel]] = {"tls.": Tls, "policy.": Policy, "limits.": Limits, "": Config}
    models |= {"witness.": Witnessing, "time_stamps.": TimeStamps, "key_service.": KeyServiceRole}
    expected = {
        prefix + name: "none" if field.is_required() else f"`{field.default}`"
        for prefix, model in models.items()
        for name, field in model.model_fields.items()
        if prefix or name not in {"tls", "policy", "limits", "witness", "time_stamps", "key_service"}
    }
    assert {name: rows.get(name) for name in expected} == expected


def test_the_audit_exit_codes_are_those_of_the_program() -> None:
    from broker.audit.findings import Fault

    text = (ROOT / "docs/audit.md").read_text("utf-8")
    documented = {int(code) for code in re.findall(r"^\| ([12][0-9]) \|", text, re.MULTILINE)}
    assert documented == {int(fault) for fault in Fault}


def test_the_client_exit_codes_are_those_of_the_program() -> None:
    from sluis_client.errors import Exit

    text = (ROOT / "docs/integrate.md").read_text("utf-8").split("| exit code |")[1].split("\n\n")[0]
    assert {int(code) for code in re.findall(r"^\| ([0-9]+) \|", text, re.MULTILINE)} == {int(code) for code in Exit}


def test_every_row_of_the_trust_table_is_played_and_every_play_stands_in_it() -> None:
    text = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
    table = text.split("| coalition |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert len(table) >= 16
    named: set[str] = set()
    for row in table:
        played = re.findall(r"`([a-z_]+)`", row.rstrip("| ").rpartition(" | ")[2])
        assert played, row[:60]
        named |= set(played)
    files = sorted((ROOT / "tests/e2e").glob("test_trust_*.py"))
    there = {name for file in files for name in re.findall(r"^def test_(\w+)\(", file.read_text(), re.MULTILINE)}
    assert named == there


def test_the_specification_holds_every_reason_and_the_vectors_show_them() -> None:
    """A client in another language refuses in the same words: the table is the closed list, and each one is decided."""
    text = (ROOT / "docs" / "pseudonym-spec.md").read_text(encoding="utf-8")
    _, _, table = text.partition("\n### Reasons\n")
    table, _, _ = table.partition("\n## ")
    reasons = {reason.value for reason in Reason}
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == reasons
    vectors = ROOT / "tests" / "vectors"
    rows = json.loads((vectors / "schemes" / "rows.json").read_text(encoding="utf-8"))["cases"]
    persons = json.loads((vectors / "persons" / "keys.json").read_text(encoding="utf-8"))["cases"]
    outcomes = [*rows, *(outcome for case in persons for outcome in case["schemes"].values())]
    shown = {outcome["refused"]["reason"] for outcome in outcomes if "refused" in outcome}
    assert shown == reasons - {Reason.NO_COLUMN, Reason.KEYS_TOO_LOOSE}  # which are of a file, not of a row


def test_sections_that_programs_send_their_readers_to_are_about_it() -> None:
    """A comment or message that says `docs/x.md section N` names a section that is there."""
    referred = re.compile(r"docs/([a-z-]+\.md) section (\d+)")
    seen = 0
    for folder in ("broker", "clients", "custody"):
        for path in (ROOT / folder).rglob("*.py"):
            for name, number in referred.findall(path.read_text(encoding="utf-8")):
                seen += 1
                assert f"\n## {number}. " in (ROOT / "docs" / name).read_text(encoding="utf-8"), (path, name, number)
    assert seen > 50
