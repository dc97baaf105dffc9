"""Runs the console blocks of a document as a reader would, and compares what they print.

A block ```console holds commands (`$ ...`) and their output; there a line `...` stands for any lines. A comment
`<!-- file: NAME -->` before a fenced block makes the block that file; `<!-- replace: NAME -->` before a ```diff block
replaces its `-` lines there by its `+` lines; `<!-- setup: NAME -->` before a console block has the test prepare what a
reader has already. What differs at each run (keys, digests, times) is made equal before the comparison.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

PASSWORD = "een korte zin volstaat"
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "COLUMNS": "110",
    "LINES": "50",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "LC_ALL": "C.UTF-8",
}
"""A reader's terminal, with the programs of this environment."""
_BLOCK = re.compile(
    r"(?:<!-- (?P<what>file|replace|setup): (?P<name>[^ ]+) -->\n)?^```(?P<kind>[a-z]*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_CHANGING = (
    (re.compile(r"\b(?:[0-9a-f]{4} ){15}[0-9a-f]{4}\b"), "<fingerprint>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<64 hex digits>"),
    (re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12,63}\b|\b[0-9]{16}\b"), "<hex digits>"),
    (re.compile(r"(?<=\.bundle \()[0-9]{12}(?=\))|(?<=draft \()[0-9]{12}(?=\))"), "<hex digits>"),
    (re.compile(r"\b20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?( CES?T|Z)?"), "<time>"),
    (re.compile(r"[A-Za-z0-9+/]{40,}={0,2}"), "<base64>"),
    (re.compile(r"(?<=approved_on.: .)20[0-9-]{8}|(?<= side, on )20[0-9-]{8}"), "<day>"),
)
_PROGRESS = re.compile(r"(?:\r[^\r\n]*\x1b\[K)+\r?")
"""A line that a terminal shows for a moment and takes away."""
_BY_KEY = re.compile(r"signer  |  signed by  ")


@dataclass(frozen=True)
class Block:
    """A fenced block. `start`, `end`: of its body in the text."""

    kind: str
    what: str
    name: str
    body: str
    start: int
    end: int


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block of a document."""
    for found in _BLOCK.finditer(text):
        place = found.start("body"), found.end("body")
        yield Block(found["kind"], found["what"] or "", found["name"] or "", found["body"], *place)


def steps(body: str) -> list[tuple[str, str]]:
    """The commands of a console block with their expected output."""
    found: list[tuple[str, str]] = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0] + "\n" + line.rstrip("\n"), "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def run(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a command prints on a terminal; a password is typed where one is asked for."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", "bash", "-c", command],  # a terminal of its own, for passwords
        cwd=folder,
        env={**os.environ, **environment},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    printed, answered, deadline = b"", 0, time.monotonic() + 120
    while time.monotonic() < deadline:
        ready, _, _ = select.select([controller], [], [], 0.1)
        if ready:
            try:
                data = os.read(controller, 65536)
            except OSError:
                break
            printed += data
        asked = len(re.findall(rb"(?:[Pp]assword[^\n]*|Repeat for confirmation): ", printed))
        if asked > answered:
            os.write(controller, PASSWORD.encode() + b"\n")
            answered = asked
        if not ready and process.poll() is not None:
            break
    os.close(controller)
    assert process.wait(10) is not None
    return _PROGRESS.sub("", printed.decode().replace("\r\n", "\n"))


def steady(text: str) -> str:
    """`text` without what differs at each run."""
    for pattern, stand_in in _CHANGING:
        text = pattern.sub(stand_in, text)
    return "\n".join(_in_order(line.rstrip() for line in text.splitlines()))


def _in_order(lines: Iterable[str]) -> Iterator[str]:
    """Lines of one kind that follow each other, such as signers by key, in an order that no key decides."""
    return chain.from_iterable(
        sorted(alike) if by_key else list(alike)
        for by_key, alike in groupby(lines, lambda line: _BY_KEY.match(line) is not None)
    )


def agrees(expected: str, printed: str) -> bool:
    """Whether output is as a document has it; a line `...` in `expected` stands for any lines."""
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == "..." else re.escape(line) + r"\n" for line in steady(expected).splitlines()
    )
    return re.fullmatch(pattern, "".join(line + "\n" for line in steady(printed).splitlines())) is not None


def walk(document: Path, do: Callable[[Block], None], type_in: Callable[[str], str]) -> int:
    """Goes through a document: `do` has what stands before a block done, `type_in` runs a command; returns how many.

    Fails at the first command that prints something else. With `UPDATE_DOCS` set, outputs are written anew instead.
    """
    text = document.read_text(encoding="utf-8")
    update = bool(os.environ.get("UPDATE_DOCS"))
    anew, at, commands = "", 0, 0
    for block in blocks(text):
        if block.what:
            do(block)
        if block.kind != "console":
            continue
        body = ""
        for command, expected in steps(block.body):
            printed = type_in(command)
            commands += 1
            fits = agrees(expected, printed)
            if not update:
                assert fits, f"$ {command}\n--- the document has\n{expected}--- it printed\n{printed}"
            body += f"$ {command}\n" + (expected if fits and "\n...\n" in f"\n{expected}" else printed)
        anew += text[at : block.start] + body
        at = block.end
    if update:
        document.write_text(anew + text[at:], encoding="utf-8")
    return commands
