"""Strict reading of YAML: what a lawyer sees is what the machine reads.

A subset of YAML 1.1 over PyYAML's events: one document of maps, lists and text. Scalars stay text (`NO`, `0123` and
`12:30` are what they look like); the schema types them. Duplicate keys, anchors, aliases, tags, directives, second
documents, keys that are not plain ASCII, invisible or look-alike characters, and anything oversize or deep is refused,
each with its line. Takes text; does no I/O.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from broker.policy.problems import Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
MAX_NODES = 20_000
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
_FOLLOW = "write plain text with ordinary spaces"

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Shown as nothing, though Unicode files them under marks, letters or symbols (Default_Ignorable_Code_Point)."""

Path: TypeAlias = tuple[str | int, ...]
Node: TypeAlias = "dict[str, Node] | list[Node] | str"


class PlainScalar(str):
    """A scalar that stood without quotes. Only these may mean null, true or false to a schema."""

    __slots__ = ()


@dataclass(frozen=True)
class YamlFile:
    """A file as read: its tree (maps, lists, text) and the 1-based line of every path in it."""

    file: str
    value: Node
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it that has one."""
        for length in range(len(path), -1, -1):
            found = self.lines.get(path[:length])
            if found is not None:
                return found
        return 1


class _RefusedError(Exception):
    """Reading cannot go on."""


def read_yaml(text: str, file: str, *, loader: Any = _LOADER) -> tuple[YamlFile | None, tuple[Problem, ...]]:
    """The tree of `text`, or the problems why not; never both. `file` is only used to say where.

    `loader`: PyYAML's C or pure loader class; both give the same (tested).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        text_ = f"larger than {MAX_BYTES // 1024} KiB"
        return None, (Problem(file, 1, "TOO_LARGE", text_, "split the file"),)
    problems = _odd_characters(text, file)
    if problems:
        return None, problems
    reader = _Reader(file, text, yaml.parse(text, Loader=loader))
    try:
        value = reader.document()
    except _RefusedError:
        value = ""
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or "cannot be read"
        at = (mark.line + 1) if mark else 1
        if "nesting depth" in what:  # libyaml reads ahead, and since PyYAML 6.0.4 has a limit of its own
            reader.refuse(at, "TOO_DEEP", f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        else:
            reader.refuse(at, "YAML_SYNTAX", f"not YAML: {what}", "check indents and quotes")
    if reader.problems:
        return None, tuple(reader.problems)
    return YamlFile(file, value, reader.lines), ()


def _odd_characters(text: str, file: str) -> tuple[Problem, ...]:
    """Everything that a reader of the file cannot see, or can take for something else."""
    if text.isascii() and text.isprintable():
        return ()
    problems = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line.isascii() and line.isprintable():
            continue
        for character in line:
            found = _odd(character)
            if found:
                name = f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
                problems.append(Problem(file, number, found, f"holds {name}", _FOLLOW))
                break
        else:
            if unicodedata.normalize("NFC", line) != line:
                problems.append(Problem(file, number, "NOT_NFC", "letters and accents are not joined", "save as NFC"))
    return tuple(problems)


def _odd(character: str) -> str | None:
    if character.isascii():
        return None if " " <= character <= "~" else ("TAB" if character == "\t" else "INVISIBLE_CHARACTER")
    category = unicodedata.category(character)
    if category[0] in "CZ" or _INVISIBLE.fullmatch(character):
        return "INVISIBLE_CHARACTER"
    if category[0] == "L" and not unicodedata.name(character, "").startswith("LATIN "):
        return "LOOK_ALIKE_CHARACTER"
    if category[0] == "N" or category == "Me":
        return "LOOK_ALIKE_CHARACTER"
    return None


@dataclass
class _Reader:
    """Walks the events once. Depth is bounded, so recursion is too."""

    file: str
    text: str
    events: Iterator[yaml.Event]
    problems: list[Problem] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    nodes: int = 0

    def refuse(self, line: int, code: str, text: str, suggestion: str) -> None:
        self.problems.append(Problem(self.file, line, code, text, suggestion))

    def stop(self, line: int, code: str, text: str, suggestion: str) -> _RefusedError:
        self.refuse(line, code, text, suggestion)
        return _RefusedError()

    def document(self) -> Node:
        next(self.events)  # stream start
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            raise self.stop(1, "EMPTY", "the file is empty", "see docs/write-policy.md for the shape")
        if isinstance(start, yaml.DocumentStartEvent) and (start.version or start.tags):
            raise self.stop(_line(start), "DIRECTIVE", "YAML directives are not read", "remove the % line")
        value = self.node(next(self.events), ())
        next(self.events)  # document end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.stop(_line(after), "SECOND_DOCUMENT", "a file holds one document", "put it in its own file")
        return value

    def node(self, event: yaml.Event, path: Path) -> Node:
        line = _line(event)
        self.lines.setdefault(path, line)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.stop(line, "TOO_MANY_NODES", f"more than {MAX_NODES} values", "split the file")
        if len(path) >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
            raise self.stop(line, "TOO_DEEP", f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.AliasEvent):
            raise self.stop(line, "ALIAS", "references (*name) are not read", "write the value out")
        if getattr(event, "anchor", None) is not None:
            raise self.stop(line, "ANCHOR", "anchors (&name) are not read", "write the value out where it is used")
        if getattr(event, "tag", None) is not None:
            raise self.stop(line, "TAG", "tags (!name) are not read", "remove it; the schema knows the type")
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def scalar(self, event: yaml.ScalarEvent, line: int) -> str:
        self.check_escapes(event, line)
        if event.style is not None and event.style != "":
            return str(event.value)
        if event.value == "":
            self.refuse(line, "EMPTY_VALUE", "nothing stands here", "write a value, or leave the key out")
        return PlainScalar(event.value)

    def check_escapes(self, event: yaml.ScalarEvent, line: int) -> None:
        """An escape would put into the text what its reader does not see."""
        if event.style == '"' and event.start_mark and event.end_mark:
            written = self.text[event.start_mark.index : event.end_mark.index]
            if "\\" in written:
                self.refuse(line, "ESCAPE", "a backslash between double quotes is not read", "use single quotes")

    def sequence(self, path: Path) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            line = _line(event)
            key = self.key(event, line)
            if key in entries:
                first = self.lines[(*path, key)]
                self.refuse(line, "DUPLICATE_KEY", f"'{key}' stands here a second time", f"the first is line {first}")
            here = (*path, key)
            self.lines.setdefault(here, line)
            entries[key] = self.node(next(self.events), here)
        return entries

    def key(self, event: yaml.Event, line: int) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
            raise self.stop(line, "KEY_SHAPE", "a key is one plain word", "write `key: value`")
        self.check_escapes(event, line)
        if not _KEY.fullmatch(event.value):
            self.refuse(
                line,
                "KEY_SHAPE",
                "a key has only ASCII letters, digits, dots, hyphens and underscores",
                "retype the key",
            )
        return str(event.value)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
