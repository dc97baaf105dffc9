"""Unusual use, explained by the party whose it was: a signed statement with a word of a closed list, logged.

The item itself is found by whoever reads the log (`sluis audit unusual`); here it is only checked that the statement is
about the party's own questions, and that its id is that of the facts it names.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.intake import Intake, demand_own, signed_members
from broker.parties import NAME, Caller
from broker.ports import Transaction
from broker.statement_members import HEX32, Members, Scope, Signed, open_statement
from broker.statements import signer_of

KINDS = (
    "equal-run",
    "hit-ratio",
    "hours",
    "limit",
    "nested",
    "probing",
    "repeated",
    "same-subjects",
    "search-hours",
    "search-limit",
    "search-volume",
    "single-run",
    "split",
    "volume",
)
"""What may stand out; the words of `sluis audit unusual`. Those that begin with `search-` are of searches for a person,
the others of questions."""
EXPLANATIONS = ("planned", "backlog", "urgent", "test", "technical", "mistake", "examining")
"""A planned campaign; arrears worked off; an urgent case; a trial of own systems; a fault of them; what should not have
been asked; still being looked into."""
_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")
_DOCUMENT = "unusual-use"


@dataclass(frozen=True)
class Explained:
    """`sluis/v1/unusual-use`: by the asking party. `first`, `last`: indices of the entries that it spans."""

    party: str
    item: str
    kind: str
    purpose: str
    day: str
    first: int
    last: int
    explanation: str
    not_after: datetime


def read_explained(signed: Signed, scope: Scope) -> Explained:
    """The explanation in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/unusual-use")
    statement = Explained(
        party=members.text("party", NAME, "a party's name"),
        item=members.text("item", HEX32, "32 hex digits"),
        kind=members.one_of("kind", KINDS),
        purpose=members.text("purpose", NAME, "a purpose's name"),
        day=_day(members),
        first=members.number("first", 0, 2**53 - 1),
        last=members.number("last", 0, 2**53 - 1),
        explanation=members.one_of("explanation", EXPLANATIONS),
        not_after=members.time("not_after"),
    )
    members.end()
    if statement.item != item_id(statement, scope.origin):
        raise members.wrong("item", "is not the id of the facts in this statement; take both from the same list")
    return statement


def _day(members: Members) -> str:
    day = members.text("day", _DAY, "a day such as 2026-11-23")
    try:
        date.fromisoformat(day)
    except ValueError:
        raise members.wrong("day", "is not a day that exists") from None
    return day


def item_id(stated: Explained, origin: str) -> str:
    """The id of an item (docs/formats.md, Unusual use)."""
    value = {
        "day": stated.day,
        "first": stated.first,
        "kind": stated.kind,
        "last": stated.last,
        "origin": origin,
        "party": stated.party,
        "purpose": stated.purpose,
        "type": "sluis/v1/unusual-use-item",
    }
    return hashlib.sha256(canonical_json(value)).hexdigest()[:32]


class UnusualUse:
    """Takes explanations."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def explain(self, caller: Caller, signed: Signed) -> Receipt:
        """Logs an explanation, once for an item and explanation: a repeat gives the first one's receipt.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, NOT_FOUND,
                TOO_MANY_STATEMENTS.
        """
        caller = signer_of(signed, caller)
        statement = read_explained(signed, self._intake.scope)
        demand_own(statement.party, caller)
        key = f"{caller.party}.{statement.item}.{statement.explanation}"
        stored = self._intake.reader.document(_DOCUMENT, key)
        if stored is not None:
            return self._intake.receipt(int(stored))
        self._intake.check_time(statement.not_after)
        self._check_asks(statement)

        def work(tx: Transaction) -> int:
            known = tx.document(_DOCUMENT, key)
            if known is not None:
                return int(known)
            self._intake.bound(tx, caller.party, 1)
            body = {"what": "unusual-use", "purpose": statement.purpose, "notice": statement.item}
            index = tx.append("notice", {**body, "party": caller.party, **signed_members(signed, caller)})
            tx.put_document(_DOCUMENT, key, str(index).encode())
            return index

        return self._intake.receipt(self._intake.sequencer.submit(work).value)

    def _check_asks(self, statement: Explained) -> None:
        """The first and the last entry are the party's own, under that purpose. Raises NOT_FOUND, whosever they are."""
        if not statement.first <= statement.last < self._intake.reader.size():
            raise _no_asks()
        for index in (statement.first, statement.last):
            (entry,) = self._intake.reader.entries(index, index + 1)
            value: dict[str, Any] = json.loads(entry.leaf)
            body = value["body"]
            if statement.kind.startswith("search-"):
                good = value["kind"] == "access" and body["what"] == "subject-search"
                whose = body.get("party")
            else:
                good, whose = value["kind"] == "ask", body.get("asker")
            if not good or (whose, body["purpose"]) != (statement.party, statement.purpose):
                raise _no_asks()


def _no_asks() -> SluisError:
    return SluisError(
        Code.NOT_FOUND, "these entries are not yours under that purpose, or not of that kind; see the list again"
    )
