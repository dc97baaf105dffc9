"""Rows as the core's values, and the queries that the transaction and the reader share."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.canonical import canonical_json, encode
from broker.errors import Code, SluisError
from broker.exchange import AnswerStatus, ExchangeState, RegisterVersion
from broker.parties import Environment
from broker.ports import AtRest
from broker.statements import Scope, Signed, read_register_manifest
from broker.storage.sqlite_session import Session, corrupt

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_USE = "answer-heads"

EXCHANGES = (
    "SELECT exchange, asker, principal, answerer, purpose, statement_digest, asked_at, ask_index, lease_until, epoch, "
    "tokens, counted, status, release_index, answer FROM exchanges"
)
"""Queries begin with this and go on with WHERE."""
INSERT_EXCHANGE = (
    "INSERT INTO exchanges (exchange, asker, principal, answerer, purpose, statement_digest, asked_at, ask_index, "
    "lease_until, epoch, tokens, counted, status, release_index, answer) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
REGISTERS = "SELECT name, version, statement, signature, published_at, withdrawn FROM registers"
"""As EXCHANGES."""


def to_ticks(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _TICK


def from_ticks(ticks: int) -> datetime:
    """The inverse of `to_ticks`."""
    return _EPOCH + ticks * _TICK


def moved_to_newest(at_rest: AtRest, use: str, sealed: bytes, bound: bytes) -> bytes | None:
    """`sealed` under the newest storage key; None when it is already, or is damaged and opens under none."""
    try:
        data, newest = at_rest.open(use, sealed, bound)
    except SluisError as error:
        if error.code is not Code.STORE_CORRUPT:
            raise
        return None
    return None if newest else at_rest.seal(use, data, bound)


class AnswerHeads:
    """Seals what is needed to send an answer again: a hit count of a one-subject question is personal."""

    def __init__(self, at_rest: AtRest) -> None:
        self._at_rest = at_rest

    def seal(self, state: ExchangeState) -> bytes | None:
        """The sealed head of `state`; None when it has none."""
        if not state.answer:
            return None
        return self._at_rest.seal(_USE, canonical_json(state.answer), _place(state))

    def open(self, sealed: bytes, exchange: str, asker: str, answerer: str) -> dict[str, object]:
        """The head again. Raises STORE_CORRUPT."""
        data, _ = self._at_rest.open(_USE, sealed, encode(asker.encode(), exchange.encode(), answerer.encode()))
        return json.loads(data)  # type: ignore[no-any-return]  # we wrote an object

    def rewrap(self, session: Session, after: int, limit: int) -> int | None:
        """Moves heads to the newest storage key: at most `limit` rows, those after the entry `after`.

        Returns the last one looked at, None when there are no more. A head that is damaged is left as it is.
        """
        sql = (
            "SELECT ask_index, answer, exchange, asker, answerer FROM exchanges WHERE ask_index>? "
            "AND answer IS NOT NULL ORDER BY ask_index LIMIT ?"
        )
        found = session.rows(sql, (after, limit))
        for number, sealed, exchange, asker, answerer in found:
            place = encode(asker.encode(), exchange.encode(), answerer.encode())
            moved = moved_to_newest(self._at_rest, _USE, sealed, place)
            if moved is not None:
                session.run("UPDATE exchanges SET answer=? WHERE ask_index=?", (moved, number))
        return int(found[-1][0]) if len(found) == limit else None


def _place(state: ExchangeState) -> bytes:
    return encode(state.asker.encode(), state.exchange.encode(), state.answerer.encode())


def exchange_values(state: ExchangeState, heads: AnswerHeads) -> tuple[object, ...]:
    """The values of INSERT_EXCHANGE."""
    return (
        state.exchange,
        state.asker,
        state.principal,
        state.answerer,
        state.purpose,
        state.statement_digest,
        to_ticks(state.asked_at),
        state.ask_index,
        to_ticks(state.lease_until),
        state.epoch,
        state.tokens,
        int(state.counted),
        None if state.status is None else int(state.status),
        state.release_index,
        heads.seal(state),
    )


def exchange_state(row: Any, heads: AnswerHeads) -> ExchangeState:
    """The state in a row of EXCHANGES."""
    try:
        return _exchange_state(row, heads)
    except (ValueError, TypeError, OverflowError) as error:
        raise corrupt() from error


def _exchange_state(row: Any, heads: AnswerHeads) -> ExchangeState:
    return ExchangeState(
        exchange=row[0],
        asker=row[1],
        principal=row[2],
        answerer=row[3],
        purpose=row[4],
        statement_digest=row[5],
        asked_at=from_ticks(row[6]),
        ask_index=row[7],
        lease_until=from_ticks(row[8]),
        epoch=row[9],
        tokens=row[10],
        counted=bool(row[11]),
        status=None if row[12] is None else AnswerStatus(row[12]),
        release_index=row[13],
        answer=heads.open(row[14], row[0], row[1], row[3]) if row[14] is not None else {},
    )


def register_version(row: Any) -> RegisterVersion:
    """The register version in a row of REGISTERS; the manifest is read from its signed bytes."""
    name, version, statement, signature, published_at, withdrawn = row
    try:
        head = json.loads(statement)
        scope = Scope(origin=head["origin"], environment=Environment(head["environment"]))
        manifest = read_register_manifest(Signed(statement, signature), scope)
        return RegisterVersion(name, version, manifest, from_ticks(published_at), bool(withdrawn))
    except (SluisError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise corrupt() from error


def find_exchange(session: Session, heads: AnswerHeads, asker: str, request_id: str) -> tuple[ExchangeState, ...]:
    """All answerers' states, in the order asked."""
    found = session.rows(EXCHANGES + " WHERE asker=? AND exchange=? ORDER BY ask_index", (asker, request_id))
    return tuple(exchange_state(row, heads) for row in found)


def find_register(session: Session, name: str) -> RegisterVersion | None:
    """The register version in force or withdrawn."""
    row = session.row(REGISTERS + " WHERE name=?", (name,))
    return None if row is None else register_version(row)


def find_registers(session: Session, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
    """Every register of an answerer under a purpose and epoch, by name."""
    sql = REGISTERS + " WHERE answerer=? AND purpose=? AND epoch=? ORDER BY name"
    return tuple(map(register_version, session.rows(sql, (answerer, purpose, epoch))))


def find_document(session: Session, kind: str, key: str) -> bytes | None:
    """A stored document."""
    row = session.row("SELECT value FROM documents WHERE kind=? AND key=?", (kind, key))
    return None if row is None else row[0]


def find_spent(session: Session, counter: str) -> int:
    """What was debited from a counter."""
    row = session.row("SELECT spent FROM counters WHERE name=?", (counter,))
    return 0 if row is None else int(row[0])
