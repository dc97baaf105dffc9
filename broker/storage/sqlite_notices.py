"""Disputes and notices as rows: what the transaction writes, and the queries that it shares with the reader."""

from __future__ import annotations

from typing import Any

from broker.exchange import (
    DISPUTED_PLACE,
    OUTCOME_PLACE,
    AnswerStatus,
    DisputedRecord,
    ExchangeState,
    OwnAsk,
    StoredNotice,
)
from broker.storage import sqlite_rows as rows
from broker.storage.sqlite_session import Session, corrupt

_DISPUTES = (
    "SELECT notice, asker, exchange, answerer, purpose, epoch, record, entry, disputed_at, resolved FROM disputes"
)
_NOTICES = "SELECT notice, party, entry, acknowledged FROM notices"


def find_asks_at(session: Session, answerer: str, purpose: str, epoch: str) -> tuple[int, ...]:
    """Asks for rows that were answered, or may still be, ascending."""
    sql = (
        "SELECT ask_index FROM exchanges WHERE answerer=? AND purpose=? AND epoch=? AND counted=0 "
        "AND (status IS NULL OR status=?) ORDER BY ask_index"
    )
    return tuple(index for (index,) in session.rows(sql, (answerer, purpose, epoch, int(AnswerStatus.ANSWERED))))


def find_own_asks(
    session: Session, party: str, purpose: str, epoch: str, *, after: int, limit: int
) -> tuple[OwnAsk, ...]:
    """Asks in which a party has any part, ascending."""
    where = "=? AND purpose=? AND epoch=? AND ask_index>?"
    sql = (
        "SELECT ask_index, asked_at, tokens, release_index FROM exchanges WHERE ask_index IN ("  # noqa: S608  # ours
        f"SELECT ask_index FROM exchanges WHERE asker{where} UNION "
        f"SELECT ask_index FROM exchanges WHERE answerer{where} UNION "
        f"SELECT ask_index FROM exchanges WHERE principal{where}) ORDER BY ask_index LIMIT ?"
    )
    found = session.rows(sql, (*(party, purpose, epoch, after) * 3, limit))
    return tuple(OwnAsk(index, rows.from_ticks(at), tokens, release) for index, at, tokens, release in found)


def find_exchange_at(session: Session, heads: rows.AnswerHeads, ask_index: int) -> ExchangeState | None:
    """The state that an ask opened."""
    row = session.row(rows.EXCHANGES + " WHERE ask_index=?", (ask_index,))
    return None if row is None else rows.exchange_state(row, heads)


def find_dispute(session: Session, notice: str) -> tuple[DisputedRecord, ...]:
    """A dispute under each of its epochs, oldest first."""
    return tuple(map(_dispute, session.rows(_DISPUTES + " WHERE notice=? ORDER BY entry", (notice,))))


def find_open_disputes(session: Session, answerer: str, purpose: str, epoch: str) -> tuple[DisputedRecord, ...]:
    """Disputes that nothing has ended yet, oldest first."""
    where = " WHERE answerer=? AND purpose=? AND epoch=? AND resolved IS NULL ORDER BY entry"
    return tuple(map(_dispute, session.rows(_DISPUTES + where, (answerer, purpose, epoch))))


def find_notice(session: Session, notice: str) -> StoredNotice | None:
    """A notice by its id."""
    row = session.row(_NOTICES + " WHERE notice=?", (notice,))
    return None if row is None else StoredNotice(*row)


def find_notices(
    session: Session, party: str, *, after: int, limit: int, unacknowledged: bool
) -> tuple[StoredNotice, ...]:
    """A party's notices by entry, those behind `after`."""
    where = " WHERE party=? AND entry>?" + (" AND acknowledged IS NULL" if unacknowledged else "")
    found = session.rows(_NOTICES + where + " ORDER BY entry LIMIT ?", (party, after, limit))
    return tuple(StoredNotice(*row) for row in found)


def insert_notice(session: Session, notice: StoredNotice) -> None:
    """Records a notice."""
    session.run(
        "INSERT INTO notices (notice, party, entry, acknowledged) VALUES (?, ?, ?, ?)",
        (notice.notice, notice.party, notice.entry, notice.acknowledged),
    )


def acknowledge(session: Session, notice: str, entry: int) -> bool:
    """Records an acknowledgement, once."""
    sql = "UPDATE notices SET acknowledged=? WHERE notice=? AND acknowledged IS NULL"
    return session.run(sql, (entry, notice)) == 1


def insert_dispute(session: Session, dispute: DisputedRecord) -> None:
    """Records a dispute under an epoch."""
    session.run(
        "INSERT INTO disputes "
        "(notice, asker, exchange, answerer, purpose, epoch, record, entry, disputed_at, resolved) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            dispute.notice,
            dispute.asker,
            dispute.exchange,
            dispute.answerer,
            dispute.purpose,
            dispute.epoch,
            dispute.record,
            dispute.entry,
            rows.to_ticks(dispute.disputed_at),
            dispute.resolved,
        ),
    )


def resolve_dispute(session: Session, notice: str, entry: int) -> bool:
    """Ends a dispute under all its epochs, once."""
    return session.run("UPDATE disputes SET resolved=? WHERE notice=? AND resolved IS NULL", (entry, notice)) > 0


def drop_places(session: Session, asker: str, exchange: str) -> None:
    """Drops the documents that say which rows of an exchange were disputed or reported on."""
    first, behind = f"{asker}/{exchange}/", f"{asker}/{exchange}0"  # `0` comes right after `/`
    sql = "DELETE FROM documents WHERE kind IN (?, ?) AND key>=? AND key<?"
    session.run(sql, (DISPUTED_PLACE, OUTCOME_PLACE, first, behind))


def find_places(session: Session, asker: str, exchange: str, answerer: str) -> frozenset[int]:
    """Positions of an exchange at an answerer that were disputed or reported on."""
    first, behind = f"{asker}/{exchange}/{answerer}/", f"{asker}/{exchange}/{answerer}0"
    sql = "SELECT key FROM documents WHERE kind IN (?, ?) AND key>=? AND key<?"
    found = session.rows(sql, (DISPUTED_PLACE, OUTCOME_PLACE, first, behind))
    return frozenset(int(key[len(first) :]) for (key,) in found)


def _dispute(row: Any) -> DisputedRecord:
    try:
        notice, asker, exchange, answerer, purpose, epoch, record, entry, ticks, resolved = row
        at = rows.from_ticks(ticks)
        return DisputedRecord(notice, asker, exchange, answerer, purpose, epoch, record, entry, at, resolved)
    except (TypeError, ValueError, OverflowError) as error:
        raise corrupt() from error


class RectificationRows:
    """Implements `broker.ports`' reads about disputes and notices, for the reader and the transaction alike."""

    @property
    def _reads(self) -> Session:
        """What reads: committed state only, or a batch's own too."""
        raise NotImplementedError

    @property
    def _opener(self) -> rows.AnswerHeads:
        """What opens the heads of answers."""
        raise NotImplementedError

    def asks_at(self, answerer: str, purpose: str, epoch: str) -> tuple[int, ...]:
        """Asks for rows that were answered, or may still be, ascending."""
        return find_asks_at(self._reads, answerer, purpose, epoch)

    def own_asks(self, party: str, purpose: str, epoch: str, *, after: int, limit: int) -> tuple[OwnAsk, ...]:
        """Asks in which `party` has any part, ascending."""
        return find_own_asks(self._reads, party, purpose, epoch, after=after, limit=limit)

    def exchange_at(self, ask_index: int) -> ExchangeState | None:
        """The state that an ask opened."""
        return find_exchange_at(self._reads, self._opener, ask_index)

    def notice(self, notice: str) -> StoredNotice | None:
        """A notice by its id."""
        return find_notice(self._reads, notice)

    def dispute(self, notice: str) -> tuple[DisputedRecord, ...]:
        """A dispute under each of its epochs, oldest first."""
        return find_dispute(self._reads, notice)

    def places(self, asker: str, exchange: str, answerer: str) -> frozenset[int]:
        """Positions of an exchange at an answerer that were disputed or reported on."""
        return find_places(self._reads, asker, exchange, answerer)

    def open_disputes(self, answerer: str, purpose: str, epoch: str) -> tuple[DisputedRecord, ...]:
        """Disputes that nothing has ended yet, oldest first."""
        return find_open_disputes(self._reads, answerer, purpose, epoch)
