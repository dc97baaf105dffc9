"""Openings of commitments (docs/formats.md section 1), given by a party or a vault: results, case numbers, rows.

An opening proves itself: only the right salt and value hash to the commitment in the log. Of a result no more is kept
than its number of hits; rows only for who asks for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from broker.audit import strict_json
from broker.audit.tokens import Tokens, TokensError, read_tokens
from broker.errors import Code, SluisError

if TYPE_CHECKING:
    from broker.audit.vault_export import OpenedSlot

MAX_BYTES = 256 << 20
_SALT_BYTES = 32


class Result(NamedTuple):
    """What an opened result says. `released`: the count that was told, None where none was."""

    hits: int
    released: int | None


@dataclass
class Openings:
    """Every opening of some files, by commitment. `cases`: commitments to case numbers -> the number's UTF-8 text.

    `with_rows`: whether the rows of questions are kept too; they take 17 bytes a row and match key.
    """

    with_rows: bool = False
    results: dict[bytes, Result] = field(default_factory=dict)
    cases: dict[bytes, bytes] = field(default_factory=dict)
    questions: dict[bytes, Tokens] = field(default_factory=dict)

    def result(self, commitment: object) -> Result | None:
        """What lies behind the `result` of a release; None when no file opens it."""
        return self.results.get(bytes.fromhex(commitment)) if isinstance(commitment, str) else None

    def case(self, commitment: object) -> bytes | None:
        """What lies behind the `case_number` of a question; None when no file opens it."""
        return self.cases.get(bytes.fromhex(commitment)) if isinstance(commitment, str) else None

    def rows(self, commitment: str) -> Tokens | None:
        """What lies behind the `tokens` of a question; None when no file opens it."""
        return self.questions.get(bytes.fromhex(commitment))

    def add_slots(self, slots: Iterable[OpenedSlot]) -> None:
        """Takes in the slots of a vault export. Raises VaultFileError where the file was altered or cut."""
        for slot in slots:
            if slot.label != "tokens" or self.with_rows:
                self._take(slot.salt, slot.value, slot.label)

    def add(self, data: bytes, name: str) -> int:
        """Takes in the openings in a file: objects with `salt` and `value` (hex) at any depth of JSON or JSON lines.

        These are a receipts file (`answers.csv.receipts.json`) and a client's record of a question. Returns how many.

        Raises:
            SluisError: STATEMENT_INVALID when the file holds none; `name` says which file.
        """
        if len(data) > MAX_BYTES:
            raise SluisError(Code.STATEMENT_INVALID, f"{name}: larger than 256 MiB; give the files one by one")
        count = 0
        try:
            for value in _values(data):
                for salt, opened in _found(value):
                    self._take(salt, opened)
                    count += 1
        except (ValueError, RecursionError):
            raise SluisError(Code.STATEMENT_INVALID, f"{name}: this is no JSON with openings in it") from None
        if not count:
            raise SluisError(
                Code.STATEMENT_INVALID,
                f"{name}: holds no opening (an object with `salt` and `value`); an asker's receipts file does",
            )
        return count

    def _take(self, salt: bytes, value: bytes, label: str | None = None) -> None:
        """One opening; a party's file does not say of what, so that it is told by its form."""
        result = _result(value) if label in (None, "result") else None
        if result is not None:
            self.results[commitment_to("result", salt, value)] = result
            return
        if label in (None, "case-number"):
            self.cases[commitment_to("case-number", salt, value)] = value
        if label in (None, "tokens") and self.with_rows:
            try:
                self.questions[commitment_to("tokens", salt, value)] = read_tokens(value)
            except TokensError:
                return


def commitment_to(label: str, salt: bytes, value: bytes) -> bytes:
    """The commitment to a value (docs/formats.md section 1)."""
    parts = (b"sluis/v1/commitment", label.encode(), salt, value)
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def _result(value: bytes) -> Result | None:
    """A result value (docs/formats.md section 3), or None for any other."""
    try:
        read = strict_json.read(value)
        hits, count = read["hits"], read["count"]
    except (strict_json.NotCanonicalError, KeyError):
        return None
    good = isinstance(hits, int) and not isinstance(hits, bool) and (count is None or isinstance(count, int))
    return Result(hits, count) if good and hits >= 0 else None


def _values(data: bytes) -> Iterator[Any]:
    try:
        yield json.loads(data)
    except ValueError:
        for line in data.splitlines():
            yield json.loads(line)


def _found(value: object) -> Iterator[tuple[bytes, bytes]]:
    if isinstance(value, dict):
        opening = _opening(value)
        if opening is not None:
            yield opening
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _found(item)


def _opening(value: dict[str, Any]) -> tuple[bytes, bytes] | None:
    salt, opened = value.get("salt"), value.get("value")
    if not isinstance(salt, str) or not isinstance(opened, str):
        return None
    try:
        raw = bytes.fromhex(salt)
        return (raw, bytes.fromhex(opened)) if len(raw) == _SALT_BYTES else None
    except ValueError:
        return None
