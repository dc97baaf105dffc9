"""The log, its vault and the tables that move with it, in one SQLite database: durable, and one writer at a time."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path

from broker.errors import Code, SluisError
from broker.exchange_log.merkle import CompactRange, node_number, peaks_of
from broker.ports import AtRest, Entropy
from broker.storage.sqlite_batch import SqliteBatch
from broker.storage.sqlite_folding import Folding
from broker.storage.sqlite_probing import Marker
from broker.storage.sqlite_reader import SqliteLogReader
from broker.storage.sqlite_rows import AnswerHeads
from broker.storage.sqlite_session import BUSY_SECONDS, Session, connect_writer, wrapped
from broker.storage.sqlite_transaction import SqliteTransaction
from broker.storage.sqlite_vault import Vault

__all__ = ["SqliteLogReader", "SqliteLogStore", "kept_from_writers", "open_reader"]


@contextmanager
def kept_from_writers(path: Path) -> Iterator[None]:
    """No broker opens the database at `path` meanwhile, whatever is left of it; raises CONFIG_INVALID when one has it.

    Where no lock can be made, as on a volume that is gone or read-only, no broker can make one either.
    """
    lock = -1
    try:
        lock = _exclusive(path.with_name(path.name + ".lock"))
    except SluisError as error:
        if error.code is Code.CONFIG_INVALID:
            raise
    try:
        yield
    finally:
        if lock >= 0:
            os.close(lock)


class SqliteLogStore:
    """Implements `broker.ports.LogStore`. Holds an exclusive lock on `<path>.lock` until `close`.

    Raises:
        SluisError: CONFIG_INVALID when another broker has this database open, or it is no database of ours;
            STORE_UNAVAILABLE, STORE_CORRUPT.
    """

    def __init__(self, path: Path, at_rest: AtRest, entropy: Entropy) -> None:
        self._path = path
        self._lock = _exclusive(path.with_name(path.name + ".lock"))
        try:
            self._session: Session | None = Session(connect_writer(path), Code.LOG_UNAVAILABLE)
            self._vault = Vault(path.with_name(path.name + ".vault"), at_rest, entropy)
            self._heads = AnswerHeads(at_rest)
            self._marker = Marker(at_rest)
            self._vault.sweep(self._session)
            self._folding = Folding(path)
        except BaseException:
            os.close(self._lock)
            raise
        self._tree: CompactRange | None = None
        self._writer = threading.Lock()
        self._reader = SqliteLogReader(path, self._vault, self._heads)

    @property
    def reader(self) -> SqliteLogReader:
        """The read side; closed with the store."""
        return self._reader

    def close(self) -> None:
        """Waits for the open batch, closes all connections and lets go of the lock. Idempotent."""
        with self._writer:
            if self._lock < 0:
                return
            self._folding.close()
            self._reader.close()
            if self._session is not None:
                self._session.close()
                self._session = None
            os.close(self._lock)
            self._lock = -1

    def batch(self, sequenced_at: datetime) -> AbstractContextManager[SqliteBatch]:
        """Opens the one write transaction; leaving it without `commit` rolls back. Raises LOG_UNAVAILABLE."""
        return self._batch(sequenced_at)

    @contextmanager
    def _batch(self, sequenced_at: datetime) -> Iterator[SqliteBatch]:
        with self._writer:
            session = self._begin()
            transaction = None
            batch = None
            try:
                tree = self._read_tree(session)
                sealed = bool(session.row("SELECT sealed FROM head")[0])
                transaction = SqliteTransaction(
                    session, tree.copy(), sequenced_at, self._vault, self._heads, self._marker, sealed=sealed
                )
                batch = SqliteBatch(session, transaction, self._vault)
                yield batch
            finally:
                if batch is not None and transaction is not None and batch.committed:
                    self._tree = transaction.tree
                    self._folding.committed(sum(map(len, transaction.leaves)))
                else:
                    self._abandon(session, transaction)

    def fold(self) -> None:
        """Folds the WAL into the database, so that it holds no page of what was erased. What readers hold up, waits."""
        with self._writer:
            if self._session is not None and not self._session.broken:
                self._session.rows("PRAGMA busy_timeout=200")  # callers wait for us here
                self._session.rows("PRAGMA wal_checkpoint(TRUNCATE)")
                self._session.rows(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")

    def _begin(self) -> Session:
        """The write transaction, on a fresh connection after a failure: a failed fsync is never tried again."""
        if self._lock < 0:
            raise SluisError(Code.LOG_UNAVAILABLE, "the broker's database is closed")
        try:
            if self._session is None:
                self._session = Session(connect_writer(self._path), Code.LOG_UNAVAILABLE)
            self._session.run("BEGIN IMMEDIATE")
        except SluisError as error:
            if self._session is not None:
                self._session.close()
            self._session = None
            raise SluisError(Code.LOG_UNAVAILABLE, error.message, retry_after_ms=1_000) from error
        return self._session

    def _read_tree(self, session: Session) -> CompactRange:
        size = int(session.row("SELECT size FROM head")[0])
        if self._tree is None or self._tree.size != size:
            peaks = []
            for level, position in peaks_of(size):
                row = session.row("SELECT hash FROM nodes WHERE id=?", (node_number(level, position),))
                if row is None:
                    raise SluisError(Code.STORE_CORRUPT, "the stored tree lacks a node; run `sluis doctor`")
                peaks.append(row[0])
            self._tree = CompactRange(size, peaks)
        return self._tree

    def _abandon(self, session: Session, transaction: SqliteTransaction | None) -> None:
        """Rolls back; after a failure the connection goes too, and the tree is read again."""
        try:
            if not session.broken and session.connection.in_transaction:
                session.run("ROLLBACK")
        except SluisError:
            session.broken = True
        if session.broken:
            session.close()
            self._session = None
            self._tree = None
        elif transaction is not None:
            self._vault.drop(path.name for path in transaction.files)


def open_reader(path: Path) -> SqliteLogReader:
    """A reader of the log alone, beside a running broker or without one: no key needed, nothing written.

    Raises:
        SluisError: STORE_UNAVAILABLE, CONFIG_INVALID at the first read.
    """
    return SqliteLogReader(path, None, None)


def open_vault_reader(path: Path, at_rest: AtRest, entropy: Entropy) -> SqliteLogReader:
    """As `open_reader`, with the vault: it opens commitments as long as their slots are kept, and writes nothing."""
    vault = Vault(path.with_name(path.name + ".vault"), at_rest, entropy)
    return SqliteLogReader(path, vault, AnswerHeads(at_rest))


def _exclusive(path: Path) -> int:
    """The lock that keeps a second broker away from this database; it ends with the process, however that ends."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise wrapped(error, Code.STORE_UNAVAILABLE) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SluisError(
            Code.CONFIG_INVALID, "another broker has this database open; stop it first, or set another path"
        ) from error
    return descriptor
