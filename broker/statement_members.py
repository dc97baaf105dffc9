"""How a signed statement is read: member by member, and nothing may be left (docs/formats.md section 1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

from broker.canonical import parse_canonical
from broker.errors import Code, SluisError
from broker.parties import NAME, Environment

MAX_STATEMENT_BYTES = 49_152
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HEX64 = re.compile(r"[0-9a-f]{64}")
HEX32 = re.compile(r"[0-9a-f]{32}")
EPOCH = re.compile(r"[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))?(\.([2-9]|[1-9][0-9]))?")
TIME = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
LONG_NUMBER = re.compile(r"[0-9]{8}")


@dataclass(frozen=True)
class Scope:
    """The log and environment a statement must have been made for."""

    origin: str
    environment: Environment


@dataclass(frozen=True)
class Signed:
    """A statement as it came: the exact bytes and the signature over them."""

    statement: bytes
    signature: bytes


class Members:
    """Reads the members of a statement one by one; what was not read at the end is unknown and refused."""

    def __init__(self, value: Mapping[str, Any], where: str = "statement") -> None:
        self._left = dict(value)
        self._where = where

    def take(self, name: str) -> Any:
        """The member as it came. Raises STATEMENT_INVALID when it is missing."""
        if name not in self._left:
            raise self.wrong(name, "is missing")
        return self._left.pop(name)

    def text(self, name: str, pattern: re.Pattern[str], shape: str) -> str:
        """Text of a pattern; `shape` says which in words."""
        value = self.take(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.wrong(name, f"must be {shape}")
        return value

    def optional_text(self, name: str, pattern: re.Pattern[str], shape: str) -> str | None:
        """As `text`, or null."""
        if self._left.get(name, "") is None:
            del self._left[name]
            return None
        return self.text(name, pattern, shape)

    def text_if_there(self, name: str, pattern: re.Pattern[str], shape: str) -> str | None:
        """As `text`, of a member that may be missing; it is never null."""
        return self.text(name, pattern, shape) if name in self._left else None

    def free_text(self, name: str, limit: int) -> str:
        """One line of 1 to `limit` bytes without a long number. It is shown in terminals: no control characters."""
        value = self.take(name)
        if not isinstance(value, str) or not 1 <= len(value.encode()) <= limit:
            raise self.wrong(name, f"must be text of 1 to {limit} bytes")
        if not all(character.isprintable() or category(character) == "Zs" for character in value):
            raise self.wrong(name, "holds a line break, a tab or another character that is not printed; write one line")
        if LONG_NUMBER.search(value):
            raise self.wrong(name, "holds a long number; it is logged and shown, so describe in words")
        return value

    def number(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(name, f"must be a whole number from {low} to {high}")
        return value

    def one_of(self, name: str, words: tuple[str, ...]) -> str:
        """One word of a closed vocabulary."""
        value = self.take(name)
        if not isinstance(value, str) or value not in words:
            raise self.wrong(name, f"must be one of: {', '.join(words)}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def time(self, name: str) -> datetime:
        """A time in UTC."""
        text = self.text(name, TIME, "a UTC time such as 2026-11-23T10:00:00Z")
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError as error:
            raise self.wrong(name, "is not a date that exists") from error

    def names(self, name: str, low: int, high: int) -> tuple[str, ...]:
        """A sorted list of `low` to `high` distinct names."""
        value = self.take(name)
        good = isinstance(value, list) and low <= len(value) <= high
        if not good or not all(isinstance(item, str) and NAME.fullmatch(item) for item in value):
            raise self.wrong(name, f"must be a list of {low} to {high} names")
        if list(value) != sorted(set(value)):
            raise self.wrong(name, "must be sorted and without duplicates")
        return tuple(value)

    def mapping(self, name: str) -> dict[str, Any]:
        """An object."""
        value = self.take(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return value

    def end(self) -> None:
        """Refuses members that nobody took."""
        if self._left:
            raise SluisError(Code.STATEMENT_INVALID, f"{self._where} has members that are not known; remove them")

    def wrong(self, name: str, text: str) -> SluisError:
        """The refusal of a member, to be raised; never with its value."""
        return SluisError(Code.STATEMENT_INVALID, f"{self._where}.{name} {text}", metadata={"member": name})


def open_statement(signed: Signed, scope: Scope, kind: str) -> Members:
    """The members of a statement of `kind` for this log and environment, left to be taken. Raises STATEMENT_INVALID."""
    if len(signed.statement) > MAX_STATEMENT_BYTES:
        raise SluisError(Code.FIELD_TOO_LONG, f"a statement has at most {MAX_STATEMENT_BYTES} bytes")
    members = Members(parse_canonical(signed.statement))
    if members.take("type") != kind:
        raise members.wrong("type", f'must be "{kind}"')
    if members.take("origin") != scope.origin:
        raise members.wrong("origin", "names another log than this broker's; set the origin you were given")
    if members.take("environment") != scope.environment.value:
        raise members.wrong("environment", f"must be {scope.environment.value}: this broker serves no other")
    return members
