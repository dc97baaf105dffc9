"""The vault's table as a list of slots: what each is, whose it is, what was erased. Openings are `sqlite_vault`'s."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from broker.exchange import ANSWER_LABEL, SlotUse, VaultSlot
from broker.storage.sqlite_rows import from_ticks, to_ticks
from broker.storage.sqlite_session import Session

_SLOTS = "SELECT commitment, label, keep_until FROM vault"
_USES = "SELECT asker, exchange, principal, answerer, purpose, ask_index, asked_at FROM exchanges"
_USES_OF_SLOTS = (
    "SELECT DISTINCT u.commitment, x.asker, x.exchange, x.principal, x.answerer, x.purpose, x.ask_index, x.asked_at "
    "FROM vault_uses u JOIN exchanges e ON e.ask_index=u.ask_index "
    "JOIN exchanges x ON x.asker=e.asker AND x.exchange=e.exchange"
)
_KEPT = (
    "SELECT commitment, asker, exchange, principal, answerer, purpose, ask_index, asked_at FROM vault_kept "
    "WHERE commitment IN (SELECT value FROM json_each(?)) ORDER BY ask_index"
)
_LISTED = " WHERE commitment IN (SELECT value FROM json_each(?))"
"""Takes a JSON list: no limit on its length, and no statement is put together from values."""


def find_slots(session: Session, commitments: Sequence[str]) -> tuple[VaultSlot, ...]:
    """Those of `commitments` that are there, by commitment."""
    return _with_uses(session, session.rows(_SLOTS + _LISTED + " ORDER BY commitment", (_json(commitments),)))


def find_slots_of(session: Session, asker: str, exchange: str) -> tuple[VaultSlot, ...]:
    """Every slot of an exchange, by commitment."""
    where = (
        " WHERE commitment IN (SELECT u.commitment FROM exchanges e JOIN vault_uses u "
        "ON u.ask_index=e.ask_index WHERE e.asker=? AND e.exchange=?) ORDER BY commitment"
    )
    return _with_uses(session, session.rows(_SLOTS + where, (asker, exchange)))


def find_due(
    session: Session, before: datetime, after: tuple[datetime, str] | None, limit: int
) -> tuple[VaultSlot, ...]:
    """Slots due, kept answers apart, by time and commitment."""
    at, name = (to_ticks(after[0]), after[1]) if after else (-1, "")
    where = (
        " WHERE keep_until<? AND label<>? AND (keep_until, commitment)>(?, ?) ORDER BY keep_until, commitment LIMIT ?"
    )
    return _with_uses(session, session.rows(_SLOTS + where, (to_ticks(before), ANSWER_LABEL, at, name, limit)))


def find_labelled(session: Session, label: str, after: str, limit: int) -> tuple[VaultSlot, ...]:
    """Slots of a label by commitment, those greater than `after`."""
    where = " WHERE label=? AND commitment>? ORDER BY commitment LIMIT ?"
    return _with_uses(session, session.rows(_SLOTS + where, (label, after, limit)))


def find_uses(session: Session, asker: str, exchange: str) -> tuple[SlotUse, ...]:
    """The answerers' sides of an exchange, in the order asked."""
    found = session.rows(_USES + " WHERE asker=? AND exchange=? ORDER BY ask_index", (asker, exchange))
    return tuple(map(_use, found))


def find_erased_by(session: Session, commitment: str) -> int | None:
    """The entry that erased a commitment."""
    row = session.row("SELECT entry FROM erased WHERE commitment=?", (commitment,))
    return None if row is None else int(row[0])


def find_revived(session: Session, limit: int) -> tuple[str, ...]:
    """Slots that are there although they were erased."""
    rows = session.rows("SELECT v.commitment FROM erased e JOIN vault v USING (commitment) LIMIT ?", (limit,))
    return tuple(name for (name,) in rows)


def delete_slots(session: Session, commitments: Sequence[str]) -> tuple[int, list[str]]:
    """Deletes rows with their keys; returns how many there were, and the files whose rows are gone."""
    listed = (_json(commitments),)
    files = session.rows("SELECT file FROM vault" + _LISTED + " AND file IS NOT NULL", listed)  # noqa: S608  # ours
    count = session.run("DELETE FROM vault" + _LISTED, listed)  # noqa: S608
    session.run("DELETE FROM vault_uses" + _LISTED, listed)  # noqa: S608
    session.run("DELETE FROM vault_kept" + _LISTED, listed)  # noqa: S608
    return count, [name for (name,) in files]


def keep_with(session: Session, commitment: str, uses: Iterable[SlotUse]) -> None:
    """Remembers what a hold has to cover to keep a slot that belongs to no exchange."""
    for use in uses:
        session.run(
            "INSERT OR IGNORE INTO vault_kept VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                commitment,
                use.asker,
                use.exchange,
                use.principal,
                use.answerer,
                use.purpose,
                use.ask_index,
                to_ticks(use.asked_at),
            ),
        )


def note_erased(session: Session, commitments: Sequence[str], entry: int) -> None:
    """Remembers what `entry` erased; the first entry that said so stays."""
    session.run(
        "INSERT OR IGNORE INTO erased (commitment, entry) SELECT value, ? FROM json_each(?)",
        (entry, _json(commitments)),
    )


def old_answers(session: Session, now: datetime, limit: int) -> list[str]:
    """Slots of kept answers whose time is over."""
    rows = session.rows(
        "SELECT commitment FROM vault WHERE keep_until<? AND label=? LIMIT ?", (to_ticks(now), ANSWER_LABEL, limit)
    )
    return [name for (name,) in rows]


def _with_uses(session: Session, found: Sequence[Any]) -> tuple[VaultSlot, ...]:
    uses: dict[str, list[SlotUse]] = {}
    where = " WHERE u.commitment IN (SELECT value FROM json_each(?)) ORDER BY x.ask_index"
    listed = (_json([name for name, _, _ in found]),)
    for name, *row in [*session.rows(_USES_OF_SLOTS + where, listed), *session.rows(_KEPT, listed)]:
        uses.setdefault(name, []).append(_use(row))
    return tuple(VaultSlot(name, label, from_ticks(until), tuple(uses.get(name, ()))) for name, label, until in found)


def _use(row: Any) -> SlotUse:
    asker, exchange, principal, answerer, purpose, ask_index, asked_at = row
    return SlotUse(asker, exchange, principal, answerer, purpose, ask_index, from_ticks(asked_at))


def _json(values: Sequence[str]) -> str:
    return json.dumps(list(values))
