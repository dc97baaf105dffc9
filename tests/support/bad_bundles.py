"""Bad bundles in one table: what a dishonest broker, or a damaged file, gives an auditor, and how it must be judged.

Any verifier can be run over all of them. Each is a `BadBundle`:

    name    what is wrong, in words; unique
    lines   the bundle's lines with their newlines (docs/formats.md section 7)
    trust   the text of the trust file to verify it against (section 8)
    expect  the bytes for `--expect`, or None
    codes   exactly the codes of `broker.audit.findings.Code` that must be found, each at least once, and no other

`bad_bundles()` yields them all. To add some, write a module `tests/support/bad_bundles_<topic>.py` whose functions
are registered with `@bad(name, CODE, ...)`; it is found by its name. Such a function gets a fresh played world (see
`audit_kit`: `ASK`, `RELEASE`, ... name its entries) and returns

    None           the world's bundle as it now stands, everything signed with the log's real key
    a World        that one's bundle, against the trust of the played one
    list[bytes]    finished lines
    Given(...)     lines, trust text and expectation, where these are not the played world's

`tests/unit/audit/test_bad_bundles.py` runs `sluis audit verify` over the table.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_kit import World, b64, played, sealed

from broker.canonical import canonical_json


@dataclass(frozen=True)
class BadBundle:
    """See the module."""

    name: str
    lines: list[bytes]
    trust: str
    expect: bytes | None
    codes: frozenset[str]


@dataclass(frozen=True)
class Given:
    """What a maker gives when the played world's own trust, or no expectation, will not do. None: the played one's."""

    lines: list[bytes] | None = None
    trust: str | None = None
    expect: bytes | None = None


Make = Callable[[World], "World | list[bytes] | Given | None"]
_MAKERS: dict[str, tuple[frozenset[str], Make]] = {}


def bad(name: str, *codes: str) -> Callable[[Make], Make]:
    """Registers the maker of a bad bundle, and exactly the codes it must be refused with."""
    assert codes, name
    assert name not in _MAKERS, f"two bad bundles are named {name}"

    def keep(make: Make) -> Make:
        _MAKERS[name] = (frozenset(codes), make)
        return make

    return keep


def bad_names() -> tuple[str, ...]:
    """The names of all bad bundles, without making any."""
    for path in sorted(Path(__file__).parent.glob("bad_bundles_*.py")):
        importlib.import_module(path.stem)
    return tuple(_MAKERS)


def codes_of(name: str) -> frozenset[str]:
    """The codes that the bad bundle of that name must be refused with."""
    return _MAKERS[name][0]


def bad_bundle(name: str) -> BadBundle:
    """The bad bundle of that name."""
    codes, make = _MAKERS[name]
    world = played()
    trust = world.trust_text()
    made = make(world)
    given = made if isinstance(made, Given) else Given()
    lines = made if isinstance(made, list) else given.lines
    if lines is None:
        lines = (made if isinstance(made, World) else world).bundle()
    return BadBundle(name, lines, given.trust or trust, given.expect, codes)


def bad_bundles() -> Iterator[BadBundle]:
    """All of them; each is made when it is asked for."""
    return (bad_bundle(name) for name in bad_names())


def leaf_lines(lines: list[bytes]) -> list[int]:
    """Where the entries stand among the lines: the place of entry n is item n."""
    return [at for at, line in enumerate(lines) if line.startswith(b'{"leaf"')]


def note_lines(lines: list[bytes]) -> list[int]:
    """Where the checkpoints stand among the lines."""
    return [at for at, line in enumerate(lines) if line.startswith(b'{"checkpoint"')]


def notes(world: World) -> list[str]:
    """The checkpoints of a world's bundle."""
    lines = world.lines()
    return [json.loads(lines[at])["checkpoint"] for at in note_lines(lines)]


def leaf_of(line: bytes) -> bytes:
    """The entry's bytes in a line."""
    return base64.b64decode(json.loads(line)["leaf"])


def leaf_line(leaf: bytes) -> bytes:
    """The line for an entry's bytes."""
    return canonical_json({"leaf": b64(leaf)}) + b"\n"


def with_size(lines: list[bytes], size: int) -> list[bytes]:
    """The lines with another number of entries in the first one, summed up again."""
    head = {**json.loads(lines[0]), "size": size}
    return sealed([canonical_json(head) + b"\n", *lines[1:]])
