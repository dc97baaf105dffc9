"""A question on its way through the gates, as plain values, and the names that it has in counters and entries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.exchange import AnswerStatus, AskStatement, ExchangeState, Question, RegisterVersion, Want
from broker.parties import Caller
from broker.policy.document import PolicySet
from broker.policy.evaluate import Decision, Request, day_of
from broker.policy.legal_days import calendar_epoch

DEFAULT_VAULT_DAYS = 730


@dataclass(frozen=True)
class Opened:
    """What opens the commitments of an ask; the edge has checked that it does."""

    tokens_salt: bytes
    case_number: tuple[bytes, bytes] | None = None
    cooperation_ref: tuple[bytes, bytes] | None = None

    def __repr__(self) -> str:
        return "Opened()"


@dataclass(frozen=True)
class Posed:
    """A question as the edge checked it, with the one clock reading its decision uses."""

    caller: Caller
    statement: AskStatement
    opened: Opened
    question: Question | None
    """None when the head alone is enough to deny: its rows were not taken in."""
    trace_id: str | None
    now: datetime
    nonces: Mapping[str, str]
    """One random nonce per answerer, so that equal entries do not look alike."""


@dataclass(frozen=True)
class Put:
    """What an answer needs of a question as it was put, and put again. `certificate`: DER, whose key signed it."""

    question: Question | None
    certificate: bytes
    tokens_salt: bytes

    def __repr__(self) -> str:
        return "Put()"


@dataclass(frozen=True)
class Terms:
    """What the purpose says about answering; plain values, so that the match needs no policy."""

    rows_per_pseudonym: int
    min_group: int
    bands: tuple[int, ...]
    vault_until: datetime


@dataclass(frozen=True)
class AskedOf:
    """The ask as put to one answerer."""

    state: ExchangeState
    decision: Decision
    register: RegisterVersion | None
    unanswerable: AnswerStatus | None
    """NO_REGISTER, EXPIRED or NOT_COVERED when there is nothing to match against."""
    live: bool = False
    """Whether the answerer is asked at its own premises: then there is no register."""


@dataclass(frozen=True)
class Asked:
    """An ask whose entries are in the batch."""

    asks: tuple[AskedOf, ...]
    terms: Terms


def statement_digest(statement: AskStatement) -> str:
    """Hex SHA-256 of the signed bytes: same id and same digest is the same exchange."""
    return hashlib.sha256(statement.raw).hexdigest()


def requests_counter(asker: str, purpose: str, now: datetime) -> str:
    """Name of the counter of permitted exchanges of a party under a purpose on a day in Europe/Amsterdam."""
    return f"requests/{asker}/{purpose}/{day_of(now)}"


def counts_counter(asker: str, answerer: str, purpose: str, epoch: str) -> str:
    """Name of the counter of permitted counts of a party at an answerer in a calendar epoch: a second key within it
    brings no second budget."""
    return f"counts/{asker}/{answerer}/{purpose}/{calendar_epoch(epoch)}"


def is_live(policies: PolicySet, purpose: str, answerer: str) -> bool:
    """Whether the answerer deposits no register under a purpose, and is asked while the asker waits."""
    known = policies.purposes.get(purpose)
    return known is not None and answerer in known.answers_live


def terms_of(policies: PolicySet, statement: AskStatement, now: datetime) -> Terms:
    """What the purpose of a statement says about answering, under one policy set."""
    purpose = policies.purposes.get(statement.purpose)
    identifier = policies.catalogue.identifiers.get(statement.scheme)
    count = purpose.may_learn.count if purpose else None
    days = purpose.vault_keep_days if purpose else DEFAULT_VAULT_DAYS
    return Terms(
        rows_per_pseudonym=identifier.rows_per_pseudonym if identifier else 1,
        min_group=count.min_group if count else 1,
        bands=count.bands if count else (),
        vault_until=now + timedelta(days=days),
    )


def request_of(statement: AskStatement, answerer: str) -> Request:
    """The question of a statement, put to one answerer, as the policy sees it."""
    return Request(
        asker=statement.asker,
        principal=statement.principal,
        answerer=answerer,
        purpose=statement.purpose,
        epoch=statement.epoch,
        scheme=statement.scheme,
        match_keys=statement.match_keys,
        want=Want(statement.want.hit, statement.want.count, statement.want.attributes),
        subjects=statement.subjects,
        standing=statement.standing is not None,
    )


def register_reference(register: RegisterVersion | None) -> dict[str, object] | None:
    """How a log entry names a register version."""
    if register is None:
        return None
    manifest = hashlib.sha256(register.manifest.raw).hexdigest()
    return {"name": register.name, "version": register.version, "manifest": manifest}


def log_time(moment: datetime) -> str:
    """A time as log entries write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
