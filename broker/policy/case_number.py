"""Case numbers: a party's own pattern, matched without a regex engine, and never a BSN.

A pattern is a row of characters and character sets, each with an optional repeat: `NLA-[0-9]{4}-[0-9]{4,6}`. There are
no groups, alternatives or open-ended repeats, so matching is bounded: at most 64 characters, in time that is at most
their number times the pattern's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

MAX_LENGTH = 64
BSN_DIGITS = 8
"""A run of this many digits can hold a BSN (eight digits are a BSN without its leading zero)."""
CaseNumber: TypeAlias = Literal["absent", "accepted", "malformed", "looks-like-bsn"]

_STEP = re.compile(r"(?:\[([A-Za-z0-9-]+)\]|([A-Za-z0-9 ./_-]))(?:\{([0-9]{1,2})(?:,([0-9]{1,2}))?\}|(\?))?")
_DIGITS = frozenset("0123456789")
_WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)


@dataclass(frozen=True)
class Step:
    """One of `characters`, from `least` to `most` times."""

    characters: frozenset[str]
    least: int
    most: int


@lru_cache(maxsize=512)
def parse_pattern(pattern: str) -> tuple[Step, ...]:
    """The steps of a pattern. Raises ValueError, saying what to change."""
    steps = []
    at = 0
    while at < len(pattern):
        found = _STEP.match(pattern, at)
        if found is None:
            raise ValueError(
                f"cannot read the pattern from '{pattern[at : at + 10]}'; use only A-Z, [0-9]{{4}}, {{1,6}} and ?"
            )
        listed, single, least, most, optional = found.groups()
        low = 0 if optional else int(least or 1)
        high = 1 if optional else int(most or least or 1)
        if low > high or high == 0:
            raise ValueError("a repeat {n,m} needs n up to m, and m of at least 1")
        steps.append(Step(frozenset(_listed(listed) if listed else single), low, high))
        at = found.end()
    if sum(step.most for step in steps) > MAX_LENGTH or not any(step.least for step in steps):
        raise ValueError(f"a case number has 1 to {MAX_LENGTH} characters")
    return tuple(steps)


def longest_digit_run(steps: tuple[Step, ...]) -> int:
    """The most digits in a row that a match can hold."""
    longest = run = 0
    for step in steps:
        run = run + step.most if step.characters & _DIGITS else 0 if step.least else run
        longest = max(longest, run)
    return longest


def matches(steps: tuple[Step, ...], text: str) -> bool:
    """Whether the whole of `text` matches."""
    places = {0}
    for step in steps:
        reached = set()
        for place in places:
            count = 0
            while True:
                if count >= step.least:
                    reached.add(place + count)
                if count == step.most or place + count >= len(text) or text[place + count] not in step.characters:
                    break
                count += 1
        places = reached
    return len(text) in places


def holds_bsn(text: str) -> bool:
    """Whether a run of eight or nine digits in `text` passes the 11-test of the BSN."""
    return any(_passes(run) for run in re.findall(r"[0-9]+", text) if len(run) in (BSN_DIGITS, 9))


def judge(pattern: str | None, text: str | None) -> CaseNumber:
    """What to record of a case number instead of the number itself. Without a pattern every number is malformed."""
    if not text:
        return "absent"
    if len(text) > MAX_LENGTH or not text.isascii():
        return "malformed"
    if holds_bsn(text):
        return "looks-like-bsn"
    if pattern is not None and matches(parse_pattern(pattern), text):
        return "accepted"
    return "looks-like-bsn" if holds_bsn(re.sub(r"[ .-]", "", text)) else "malformed"


def _listed(listed: str) -> Iterator[str]:
    at = 0
    while at < len(listed):
        if listed[at + 1 : at + 2] == "-" and at + 2 < len(listed):
            first, last = listed[at], listed[at + 2]
            same = any(first in kind and last in kind for kind in _KINDS)
            if first > last or not same:
                raise ValueError(f"the range {first}-{last} must run within 0-9, A-Z or a-z")
            yield from (chr(code) for code in range(ord(first), ord(last) + 1))
            at += 3
        else:
            yield listed[at]
            at += 1


_KINDS = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def _passes(digits: str) -> bool:
    nine = digits.rjust(9, "0")
    return nine != "0" * 9 and sum(w * int(d) for w, d in zip(_WEIGHTS, nine, strict=True)) % 11 == 0
