"""One unit of work in a batch: the tree in memory, everything else in SQLite under a savepoint per work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from broker.errors import Code, SluisError
from broker.exchange import (
    ANSWER_LABEL,
    AnswerStatus,
    DisputedRecord,
    ExchangeState,
    RegisterVersion,
    SlotUse,
    StoredNotice,
    VaultSlot,
)
from broker.exchange_log.entry import build_leaf, parties_of
from broker.exchange_log.merkle import CompactRange, leaf_hash
from broker.storage import sqlite_notices as notices
from broker.storage import sqlite_rows as rows
from broker.storage import sqlite_slots as slots
from broker.storage.sqlite_probing import AskedRows, Marker
from broker.storage.sqlite_session import Session
from broker.storage.sqlite_vault import Vault

SEAL = "seal"
"""The kind of the entry that ends a log."""


class SqliteTransaction(notices.RectificationRows, AskedRows):
    """Implements `broker.ports.Transaction` for the works of one batch."""

    def __init__(
        self,
        session: Session,
        tree: CompactRange,
        at: datetime,
        vault: Vault,
        heads: rows.AnswerHeads,
        marker: Marker,
        *,
        sealed: bool = False,
    ) -> None:
        self._session = session
        self._at = at
        self._vault = vault
        self._heads = heads
        self._marker = marker
        self._writing = False
        self.tree = tree
        self.began = tree.size
        self.sealed = sealed
        self.leaves: list[bytes] = []
        self.made: list[tuple[int, int, bytes]] = []
        self.concerns: list[tuple[str, int]] = []
        self.files: list[Path] = []
        self.orphans: list[str] = []

    @property
    def sequenced_at(self) -> datetime:
        """The batch's time."""
        return self._at

    def append(self, kind: str, body: Mapping[str, object]) -> int:
        """Adds an entry; returns its index. Raises LOG_SEALED, FIELD_INVALID, TOO_LARGE, LOG_UNAVAILABLE."""
        if self.sealed:
            raise SluisError(Code.LOG_SEALED, "this log has ended and takes no entry; use the one that followed")
        index = self.tree.size
        leaf = build_leaf(index, kind, self._at, body)
        self.sealed = kind == SEAL
        self.made += self.tree.append(leaf_hash(leaf))
        self.leaves.append(leaf)
        self.concerns += [(party, index) for party in parties_of(body)]
        return index

    def commit_to(
        self,
        label: str,
        value: bytes,
        *,
        keep_until: datetime,
        salt: bytes | None = None,
        ask_index: int | None = None,
    ) -> str:
        """Puts salt and value in the vault; returns the commitment. Raises COMMITMENT_WRONG for what was erased."""
        name, path = self._vault.put(self._to_write(), label, value, keep_until, salt, ask_index)
        if path is not None:
            self.files.append(path)
        return name

    def keep_with(self, commitment: str, uses: Iterable[SlotUse]) -> None:
        """Remembers what a hold has to cover to keep a slot that belongs to no exchange."""
        slots.keep_with(self._to_write(), commitment, uses)

    def slots(self, commitments: Sequence[str]) -> tuple[VaultSlot, ...]:
        """Those of `commitments` that are there, by commitment."""
        return slots.find_slots(self._session, commitments)

    def slots_of(self, asker: str, exchange: str) -> tuple[VaultSlot, ...]:
        """Every slot of an exchange."""
        return slots.find_slots_of(self._session, asker, exchange)

    def erase(self, commitments: Sequence[str], entry: int) -> int:
        """Deletes slots and keys with this batch's commit, and their files right after."""
        count, files = slots.delete_slots(self._to_write(), commitments)
        self.orphans += files
        slots.note_erased(self._session, commitments, entry)
        return count

    def revived(self, limit: int) -> tuple[str, ...]:
        """Slots that are there although they were erased."""
        return slots.find_revived(self._session, limit)

    def note_erased(self, commitments: Sequence[str], entry: int) -> None:
        """Remembers what an entry erased."""
        slots.note_erased(self._to_write(), commitments, entry)

    def drop_answers(self, asker: str, exchange: str) -> None:
        """Drops what is kept to send an exchange's answers again."""
        session = self._to_write()
        session.run("UPDATE exchanges SET answer=NULL WHERE asker=? AND exchange=?", (asker, exchange))
        kept = [slot.commitment for slot in self.slots_of(asker, exchange) if slot.label == ANSWER_LABEL]
        self.orphans += slots.delete_slots(session, kept)[1]

    def drop_old_answers(self, now: datetime, asked_before: datetime, limit: int) -> int:
        """Drops what was kept to send answers again and is too old for it."""
        session = self._to_write()
        old = slots.old_answers(session, now, limit)
        self.orphans += slots.delete_slots(session, old)[1]
        # Hit counts of a one-subject question are personal: they go with the answer they belong to.
        return len(old) + session.run(
            "UPDATE exchanges SET answer=NULL WHERE ask_index IN (SELECT ask_index FROM exchanges "
            "WHERE answer IS NOT NULL AND status IS NOT NULL AND asked_at<? LIMIT ?)",
            (rows.to_ticks(asked_before), limit),
        )

    def rewrap(self, at: str, limit: int) -> str | None:
        """Moves slots, then kept answers, to the newest storage key."""
        session, (kind, _, last) = self._to_write(), (at or "slot ").partition(" ")
        if kind == "slot":
            slot = self._vault.rewrap(session, last, limit)
            return "answer -1" if slot is None else f"slot {slot}"
        entry = self._heads.rewrap(session, int(last), limit)
        return None if entry is None else f"answer {entry}"

    def opening(self, commitment: str) -> tuple[bytes, bytes] | None:
        """Salt and value behind a commitment, or None once erased."""
        return self._vault.open(self._session, commitment)

    def spent(self, counter: str) -> int:
        """What was debited from `counter` so far."""
        return rows.find_spent(self._session, counter)

    def debit(self, counter: str, amount: int) -> int:
        """Adds to `counter`; returns the new total."""
        assert amount >= 0, "debits are never refunded"
        self._to_write().run(
            "INSERT INTO counters (name, spent) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET spent=spent+excluded.spent",
            (counter, amount),
        )
        return self.spent(counter)

    def exchange(self, asker: str, request_id: str) -> tuple[ExchangeState, ...]:
        """All answerers' states, in the order asked."""
        return rows.find_exchange(self._session, self._heads, asker, request_id)

    def open_exchange(self, state: ExchangeState) -> None:
        """Records an ask. Raises REQUEST_ID_REUSED."""
        key = (state.asker, state.exchange, state.answerer)
        session = self._to_write()
        if session.row("SELECT 1 FROM exchanges WHERE asker=? AND exchange=? AND answerer=?", key) is not None:
            raise SluisError(Code.REQUEST_ID_REUSED, "this request id was used before; make a new UUID")
        session.run(rows.INSERT_EXCHANGE, rows.exchange_values(state, self._heads))

    def close_exchange(
        self, state: ExchangeState, status: AnswerStatus, release_index: int | None, answer: Mapping[str, object]
    ) -> bool:
        """Records the release; False when it was closed already."""
        sealed = self._heads.seal(replace(state, answer=answer))
        changed = self._to_write().run(
            "UPDATE exchanges SET status=?, release_index=?, answer=? "
            "WHERE asker=? AND exchange=? AND answerer=? AND status IS NULL",
            (int(status), release_index, sealed, state.asker, state.exchange, state.answerer),
        )
        return changed == 1

    def questions_with_count(self, asker: str, answerer: str, purpose: str, epoch: str) -> tuple[str, ...]:
        """Token commitments of the count questions permitted so far, oldest first."""
        found = self._session.rows(
            "SELECT tokens FROM exchanges WHERE asker=? AND answerer=? AND purpose=? AND epoch=? AND counted=1 "
            "AND (status IS NULL OR status<>?) ORDER BY ask_index",
            (asker, answerer, purpose, epoch, int(AnswerStatus.DENIED)),
        )
        return tuple(tokens for (tokens,) in found)

    def register(self, name: str) -> RegisterVersion | None:
        """The version in force or withdrawn."""
        return rows.find_register(self._session, name)

    def registers(self, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
        """Every register of an answerer under a purpose and epoch, by name."""
        return rows.find_registers(self._session, answerer, purpose, epoch)

    def next_version(self, name: str) -> int:
        """A version number for `name` never handed out before."""
        session = self._to_write()
        session.run(
            "INSERT INTO register_versions (name, last) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last=last+1",
            (name,),
        )
        return int(session.row("SELECT last FROM register_versions WHERE name=?", (name,))[0])

    def publish(self, version: RegisterVersion, *, expect: int | None) -> None:
        """Makes `version` the one in force. Raises REGISTER_CHANGED unless `expect` is."""
        session = self._to_write()
        row = session.row("SELECT version FROM registers WHERE name=?", (version.name,))
        if (None if row is None else row[0]) != expect:
            raise SluisError(Code.REGISTER_CHANGED, "another version was published meanwhile; upload again")
        manifest = version.manifest
        session.run(
            "INSERT OR REPLACE INTO registers (name, answerer, purpose, epoch, version, statement, signature, "
            "published_at, withdrawn) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                version.name,
                manifest.answerer,
                manifest.purpose,
                manifest.epoch,
                version.version,
                manifest.raw,
                manifest.signature,
                rows.to_ticks(version.published_at),
                int(version.withdrawn),
            ),
        )

    def withdraw(self, name: str) -> None:
        """Marks the version in force withdrawn. Raises NOT_FOUND."""
        if self._to_write().run("UPDATE registers SET withdrawn=1 WHERE name=? AND withdrawn=0", (name,)) != 1:
            raise SluisError(Code.NOT_FOUND, "there is no such register in force")

    def document(self, kind: str, key: str) -> bytes | None:
        """A stored document."""
        return rows.find_document(self._session, kind, key)

    def put_document(self, kind: str, key: str, value: bytes) -> None:
        """Stores or replaces a document."""
        sql = "INSERT OR REPLACE INTO documents (kind, key, value) VALUES (?, ?, ?)"
        self._to_write().run(sql, (kind, key, value))

    def add_notice(self, notice: StoredNotice) -> None:
        """Records that a party was notified."""
        notices.insert_notice(self._to_write(), notice)

    def acknowledge(self, notice: str, entry: int) -> bool:
        """Records an acknowledgement; False when there is one."""
        return notices.acknowledge(self._to_write(), notice, entry)

    def add_dispute(self, dispute: DisputedRecord) -> None:
        """Records a dispute under an epoch."""
        notices.insert_dispute(self._to_write(), dispute)

    def drop_places(self, asker: str, exchange: str) -> None:
        """Drops what says which rows of an exchange were disputed or reported on."""
        notices.drop_places(self._to_write(), asker, exchange)

    def resolve_dispute(self, notice: str, entry: int) -> bool:
        """Ends a dispute; False when it had ended."""
        return notices.resolve_dispute(self._to_write(), notice, entry)

    @property
    def _reads(self) -> Session:
        return self._session

    @property
    def _opener(self) -> rows.AnswerHeads:
        return self._heads

    def _to_write(self) -> Session:
        """The session, with a savepoint to return to: taken late, since many works only append."""
        if not self._writing:
            self._session.run("SAVEPOINT work")
            self._writing = True
        return self._session

    def mark(self) -> tuple[object, ...]:
        """Where a work begins, for `undo`. Raises LOG_UNAVAILABLE when the transaction is spoilt."""
        self.check_sound()
        counts = len(self.leaves), len(self.made), len(self.concerns), len(self.files), len(self.orphans)
        return self.tree.size, self.tree.peaks, *counts, self.sealed

    def keep(self) -> None:
        """Ends a work that succeeded. Raises LOG_UNAVAILABLE when the transaction is spoilt."""
        self.check_sound()
        if self._writing:
            self._session.run("RELEASE work")
            self._writing = False

    def undo(self, mark: tuple[Any, ...]) -> None:
        """Ends a work that failed: everything since `mark` is gone."""
        size, peaks, leaves, made, concerns, files, orphans, self.sealed = mark
        self.tree = CompactRange(size, peaks)
        del self.leaves[leaves:], self.made[made:], self.concerns[concerns:]
        self._vault.drop(path.name for path in self.files[files:])
        del self.files[files:], self.orphans[orphans:]
        writing, self._writing = self._writing, False
        if writing and not self._session.broken:
            self._session.run("ROLLBACK TO work")
            self._session.run("RELEASE work")

    def check_sound(self) -> None:
        """Raises LOG_UNAVAILABLE after an error that spoilt the transaction."""
        if self._session.broken:
            raise SluisError(Code.LOG_UNAVAILABLE, "the broker's database cannot be used now; try again in a moment")

    def flush(self) -> None:
        """Writes the buffered leaves, nodes and index rows."""
        session = self._session
        session.insert("leaves", "entry, leaf", list(enumerate(self.leaves, self.began)))
        first = 2 * self.began - self.began.bit_count()
        session.insert("nodes", "id, hash", [(first + i, node) for i, (_, _, node) in enumerate(self.made)])
        session.insert("concerns", "party, entry", self.concerns)
        if self.sealed:
            session.run("UPDATE head SET sealed=1")
