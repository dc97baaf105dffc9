"""The statements of rectification (docs/formats.md, Rectification): correction, dispute, outcome, acknowledgement.

GDPR articles 16, 18 and 19. Every vocabulary here is closed: no statement has room for a word about a person. What
points at a person, a pseudonym or a position in a question, stands as a salted commitment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from broker.parties import NAME
from broker.statement_members import EPOCH, HEX32, HEX64, UUID4, Members, Scope, Signed, open_statement

CORRECTIONS = ("corrected", "withdrawn", "upheld", "still-disputed")
"""What an answerer did: put a record right; took it away; looked into a dispute and stands by the record; says that a
dispute is open under another epoch's pseudonym too."""
RESOLVING = frozenset({"corrected", "withdrawn", "upheld"})
"""These end the dispute that they name."""
TELLING = frozenset({"corrected", "withdrawn"})
"""These are told to everybody who received the record (article 19)."""
CORRECTION_REASONS = (
    "wrong-value",
    "out-of-date",
    "wrong-subject",
    "entered-by-mistake",
    "not-lawful",
    "order-of-authority",
    "examined",
    "new-epoch",
)
DISPUTE_REASONS = ("wrong-value", "out-of-date", "wrong-subject", "not-lawful", "contested-by-subject")
OUTCOMES = ("confirmed", "rejected")
ROLES = ("case-worker", "inspector", "analyst", "lawyer", "team-lead", "privacy-officer")
DONE = ("noted", "examining", "corrected", "erased", "not-used")
"""What a party did with a notice."""


@dataclass(frozen=True)
class Correction:
    """`sluis/v1/correction`: by an answerer, about one record under one purpose, epoch and scheme."""

    request_id: str
    answerer: str
    purpose: str
    epoch: str
    scheme: str
    match_keys: int
    record: str
    """Commitment (label `record`) to the tokens value of a question of this one record."""
    what: str
    reason: str
    dispute: str | None
    """The dispute's notice id, for which this is the answer."""
    not_after: datetime


@dataclass(frozen=True)
class Dispute:
    """`sluis/v1/dispute`: by an asker, about one hit it was given."""

    request_id: str
    asker: str
    answerer: str
    exchange: str
    position: str
    """Commitment (label `position`) to the position in the question, as decimal text."""
    reason: str
    not_after: datetime


@dataclass(frozen=True)
class Outcome:
    """`sluis/v1/outcome`: by an asker; a person compared, and the hit is that subject or is not."""

    request_id: str
    asker: str
    answerer: str
    exchange: str
    position: str
    outcome: str
    role: str
    not_after: datetime


@dataclass(frozen=True)
class Acknowledgement:
    """`sluis/v1/acknowledgement`: by whoever was notified."""

    party: str
    notice: str
    done: str
    not_after: datetime


def read_correction(signed: Signed, scope: Scope) -> Correction:
    """The correction in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/correction")
    statement = Correction(
        request_id=_request_id(members),
        answerer=_party(members, "answerer"),
        purpose=members.text("purpose", NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4, 2026-11 or 2026"),
        scheme=members.text("scheme", NAME, "an identifier scheme's name"),
        match_keys=members.number("match_keys", 1, 64),
        record=members.text("record", HEX64, "64 hex digits"),
        what=members.one_of("what", CORRECTIONS),
        reason=members.one_of("reason", CORRECTION_REASONS),
        dispute=members.optional_text("dispute", HEX32, "32 hex digits or null"),
        not_after=members.time("not_after"),
    )
    members.end()
    if statement.what not in TELLING and statement.dispute is None:
        raise members.wrong("dispute", f"must name the dispute that is {statement.what}")
    return statement


def read_dispute(signed: Signed, scope: Scope) -> Dispute:
    """The dispute in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/dispute")
    statement = Dispute(
        request_id=_request_id(members),
        asker=_party(members, "asker"),
        answerer=_party(members, "answerer"),
        exchange=members.text("exchange", UUID4, "a UUID version 4 in lower case"),
        position=members.text("position", HEX64, "64 hex digits"),
        reason=members.one_of("reason", DISPUTE_REASONS),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


def read_outcome(signed: Signed, scope: Scope) -> Outcome:
    """The outcome in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/outcome")
    statement = Outcome(
        request_id=_request_id(members),
        asker=_party(members, "asker"),
        answerer=_party(members, "answerer"),
        exchange=members.text("exchange", UUID4, "a UUID version 4 in lower case"),
        position=members.text("position", HEX64, "64 hex digits"),
        outcome=members.one_of("outcome", OUTCOMES),
        role=members.one_of("role", ROLES),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


def read_acknowledgement(signed: Signed, scope: Scope) -> Acknowledgement:
    """The acknowledgement in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/acknowledgement")
    statement = Acknowledgement(
        party=_party(members, "party"),
        notice=members.text("notice", HEX32, "32 hex digits"),
        done=members.one_of("done", DONE),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


def _request_id(members: Members) -> str:
    return members.text("request_id", UUID4, "a UUID version 4 in lower case")


def _party(members: Members, name: str) -> str:
    return members.text(name, NAME, "a party's name")
