"""The read side of the log database: committed state only, a read-only connection per thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from broker.errors import Code, SluisError
from broker.exchange import ExchangeState, RegisterVersion, SlotUse, StoredNotice, VaultSlot
from broker.exchange_log.merkle import HASH_BYTES, consistency_proof, inclusion_proof, node_number, root_of
from broker.ports import StoredEntry
from broker.storage import sqlite_notices as notices
from broker.storage import sqlite_rows as rows
from broker.storage import sqlite_slots as slots
from broker.storage.sqlite_probing import find_asked_since
from broker.storage.sqlite_session import Session, connect_reader, corrupt
from broker.storage.sqlite_vault import Vault

_NODES_CACHED = 65_536
_PAGE = 256
_NODES_PAGE = 4_096


class SqliteLogReader(notices.RectificationRows):
    """Implements `broker.ports.LogReader`. Without vault and heads (both None) it only reads the log: for exports."""

    def __init__(self, path: Path, vault: Vault | None, heads: rows.AnswerHeads | None) -> None:
        self._path = path
        self._vault = vault
        self._heads = heads
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._gate = threading.Lock()
        self._closed = False
        self._node = lru_cache(maxsize=_NODES_CACHED)(self._read_node)

    def close(self) -> None:
        """Closes every thread's connection."""
        with self._gate:
            self._closed = True
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What this thread reads inside is all of one moment, however long it takes."""
        session = self._session
        session.run("BEGIN")
        try:
            yield
        finally:
            session.run("ROLLBACK")

    def size(self) -> int:
        """Number of committed leaves."""
        row = self._session.row("SELECT size FROM head")
        if row is None or not isinstance(row[0], int):
            raise corrupt()
        return row[0]

    def checkpoint(self, at_least: int = 0) -> tuple[int, str]:
        """The newest checkpoint, or the smallest that covers `at_least`. Raises NOT_FOUND when there is none."""
        sql = "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1"
        if at_least > 0:
            sql = "SELECT size, note FROM checkpoints WHERE size>=? ORDER BY size LIMIT 1"
        row = self._session.row(sql, (at_least,) if at_least > 0 else ())
        if row is None:
            raise SluisError(Code.NOT_FOUND, "the log has no checkpoint of that size yet")
        return _checkpoint(row)

    def checkpoints(self) -> Iterator[tuple[int, str]]:
        """All checkpoints, by size."""
        after = -1
        while True:
            page = self._session.rows(
                "SELECT size, note FROM checkpoints WHERE size>? ORDER BY size LIMIT ?", (after, _PAGE)
            )
            if not page:
                return
            yield from map(_checkpoint, page)
            after = page[-1][0]

    def entries(self, start: int, stop: int) -> Iterator[StoredEntry]:
        """Leaves start..stop-1, read in pages so that no read stays open for long."""
        at = max(0, start)
        while at < stop:
            page = self._session.rows(
                "SELECT entry, leaf FROM leaves WHERE entry>=? AND entry<? ORDER BY entry", (at, min(stop, at + _PAGE))
            )
            if not page:
                return
            yield from map(_entry, page)
            at = page[-1][0] + 1

    def nodes(self) -> Iterator[bytes]:
        """Complete nodes in the order in which they became complete; ends where one is missing."""
        at = 0
        while True:
            sql = "SELECT id, hash FROM nodes WHERE id>=? ORDER BY id LIMIT ?"
            page = self._session.rows(sql, (at, _NODES_PAGE))
            for number, node in page:
                if number != at or not isinstance(node, bytes):
                    return
                yield node
                at += 1
            if len(page) < _NODES_PAGE:
                return

    def entries_of(self, party: str, start: int, limit: int) -> tuple[StoredEntry, ...]:
        """Leaves from `start` on that concern `party`, at most `limit`."""
        found = self._session.rows(
            "SELECT l.entry, l.leaf FROM concerns c JOIN leaves l ON l.entry=c.entry "
            "WHERE c.party=? AND c.entry>=? ORDER BY c.entry LIMIT ?",
            (party, start, limit),
        )
        return tuple(map(_entry, found))

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """RFC 6962 section 2.1.1. Raises FIELD_INVALID unless index < size <= the tree's size."""
        self._check_size(size)
        return inclusion_proof(index, size, self._node)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 6962 section 2.1.2. Raises FIELD_INVALID unless 0 < old <= new <= the tree's size."""
        self._check_size(new)
        return consistency_proof(old, new, self._node)

    def root(self, size: int) -> bytes:
        """The root over the first `size` leaves. Raises FIELD_INVALID beyond the tree's size."""
        self._check_size(size)
        return root_of(size, self._node)

    def spent(self, counter: str) -> int:
        """What was debited from `counter`."""
        return rows.find_spent(self._session, counter)

    def asked_since(self, scope: str, since: datetime) -> int:
        """Rows of the questions of a scope from `since` on."""
        return find_asked_since(self._session, scope, since)

    def openings(self) -> int:
        """How many slots the vault holds."""
        return int(self._session.row("SELECT count(*) FROM vault")[0])

    def counters(self) -> Iterator[tuple[str, int]]:
        """All counters, by name."""
        yield from self._session.rows("SELECT name, spent FROM counters ORDER BY name")

    def exchange(self, asker: str, request_id: str) -> tuple[ExchangeState, ...]:
        """All answerers' states of an exchange, in the order asked."""
        return rows.find_exchange(self._session, self._opener, asker, request_id)

    def exchanges(self, asker: str, *, purpose: str, before: int, limit: int) -> tuple[ExchangeState, ...]:
        """States of `asker`'s exchanges, newest first."""
        where, values = " WHERE asker=? AND (?=0 OR ask_index<?)", [asker, before, before]
        if purpose:
            where, values = where + " AND purpose=?", [*values, purpose]
        found = self._session.rows(rows.EXCHANGES + where + " ORDER BY ask_index DESC LIMIT ?", (*values, limit))
        return tuple(rows.exchange_state(row, self._opener) for row in found)

    def open_exchanges(self, leased_before: datetime) -> tuple[ExchangeState, ...]:
        """Asks without release whose lease has run out."""
        sql = rows.EXCHANGES + " WHERE status IS NULL AND lease_until<? ORDER BY ask_index"
        found = self._session.rows(sql, (rows.to_ticks(leased_before),))
        return tuple(rows.exchange_state(row, self._opener) for row in found)

    def register(self, name: str) -> RegisterVersion | None:
        """The register version in force or withdrawn."""
        return rows.find_register(self._session, name)

    def registers(self, answerer: str, purpose: str, epoch: str) -> tuple[RegisterVersion, ...]:
        """Every register of an answerer under a purpose and epoch, by name."""
        return rows.find_registers(self._session, answerer, purpose, epoch)

    def registers_of(self, answerer: str, *, after: str, limit: int) -> tuple[RegisterVersion, ...]:
        """An answerer's registers by name, those greater than `after`."""
        sql = rows.REGISTERS + " WHERE answerer=? AND name>? ORDER BY name LIMIT ?"
        return tuple(map(rows.register_version, self._session.rows(sql, (answerer, after, limit))))

    def all_registers(self) -> tuple[RegisterVersion, ...]:
        """Every register version in force or withdrawn."""
        return tuple(map(rows.register_version, self._session.rows(rows.REGISTERS + " ORDER BY name")))

    def document(self, kind: str, key: str) -> bytes | None:
        """A stored document."""
        return rows.find_document(self._session, kind, key)

    def documents(self, kind: str) -> Iterator[tuple[str, bytes]]:
        """All documents of a kind, by key."""
        for (key,) in self._session.rows("SELECT key FROM documents WHERE kind=? ORDER BY key", (kind,)):
            value = rows.find_document(self._session, kind, key)
            if value is not None:
                yield key, value

    def opening(self, commitment: str) -> tuple[bytes, bytes] | None:
        """Salt and value behind a commitment, or None once erased."""
        assert self._vault is not None, "opened for export only"
        return self._vault.open(self._session, commitment)

    def notices_of(self, party: str, *, after: int, limit: int, unacknowledged: bool) -> tuple[StoredNotice, ...]:
        """A party's notices by entry, those behind `after`."""
        return notices.find_notices(self._session, party, after=after, limit=limit, unacknowledged=unacknowledged)

    def due(self, before: datetime, after: tuple[datetime, str] | None, limit: int) -> tuple[VaultSlot, ...]:
        """Slots due, kept answers apart, by time and commitment."""
        return slots.find_due(self._session, before, after, limit)

    def labelled(self, label: str, after: str, limit: int) -> tuple[VaultSlot, ...]:
        """Slots of a label by commitment, those greater than `after`."""
        return slots.find_labelled(self._session, label, after, limit)

    def uses(self, asker: str, exchange: str) -> tuple[SlotUse, ...]:
        """The answerers' sides of an exchange, in the order asked."""
        return slots.find_uses(self._session, asker, exchange)

    def erased_by(self, commitment: str) -> int | None:
        """The entry that erased a commitment."""
        return slots.find_erased_by(self._session, commitment)

    @property
    def _reads(self) -> Session:
        return self._session

    @property
    def _opener(self) -> rows.AnswerHeads:
        assert self._heads is not None, "opened for export only"
        return self._heads

    @property
    def _session(self) -> Session:
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            with self._gate:
                if self._closed:
                    raise SluisError(Code.SHUTTING_DOWN, "the broker is stopping; try again in a moment")
                session = Session(connect_reader(self._path), Code.STORE_UNAVAILABLE)
                self._sessions.append(session)
            self._local.session = session
        return session

    def _check_size(self, size: int) -> None:
        if size > self.size():
            raise SluisError(Code.FIELD_INVALID, "tree_size: is larger than the log; ask for a checkpoint first")

    def _read_node(self, level: int, position: int) -> bytes:
        """A complete node: these never change once committed, so they may be cached for ever."""
        row = self._session.row("SELECT hash FROM nodes WHERE id=?", (node_number(level, position),))
        if row is None or not isinstance(row[0], bytes) or len(row[0]) != HASH_BYTES:
            raise SluisError(Code.STORE_CORRUPT, "the stored tree lacks a node; run `sluis doctor`")
        return row[0]


def _entry(row: Any) -> StoredEntry:
    """A leaf; a damaged file may give any type, whatever the schema says."""
    index, leaf = row
    if not isinstance(index, int) or not isinstance(leaf, bytes):
        raise corrupt()
    return StoredEntry(index, leaf)


def _checkpoint(row: Any) -> tuple[int, str]:
    size, note = row
    if not isinstance(size, int) or not isinstance(note, str):
        raise corrupt()
    return size, note
