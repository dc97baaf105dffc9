"""The open write transaction of the log's store: works under savepoints, then one commit with one checkpoint."""

from __future__ import annotations

from contextlib import AbstractContextManager

from broker.errors import Code, SluisError
from broker.exchange_log.merkle import inclusion_proof, node_number, peaks_of
from broker.storage.sqlite_session import Session
from broker.storage.sqlite_transaction import SqliteTransaction
from broker.storage.sqlite_vault import Vault


class _Work:
    """A savepoint as a context: a plain class, for it is on the way of every entry."""

    def __init__(self, transaction: SqliteTransaction) -> None:
        self._transaction = transaction

    def __enter__(self) -> None:
        self._mark = self._transaction.mark()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._transaction.undo(self._mark)
            return
        try:
            self._transaction.keep()
        except SluisError:
            self._transaction.undo(self._mark)
            raise


class SqliteBatch:
    """Implements `broker.ports.StoreBatch`."""

    def __init__(self, session: Session, transaction: SqliteTransaction, vault: Vault) -> None:
        self._session = session
        self._transaction = transaction
        self._vault = vault
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._edges: dict[int, bytes] = {}
        self._nodes_size = -1
        self._start = dict(zip(peaks_of(transaction.began), transaction.tree.peaks, strict=True))
        self.committed = False

    @property
    def transaction(self) -> SqliteTransaction:
        """What works use."""
        return self._transaction

    def savepoint(self) -> AbstractContextManager[None]:
        """One work: undone whole when it raises."""
        return _Work(self._transaction)

    @property
    def size(self) -> int:
        """Tree size including this batch."""
        return self._transaction.tree.size

    @property
    def root(self) -> bytes:
        """Root hash over `size` leaves."""
        return self._transaction.tree.root()

    def leaf(self, index: int) -> bytes:
        """Leaf bytes. Raises NOT_FOUND."""
        within = index - self._transaction.began
        if 0 <= within < len(self._transaction.leaves):
            return self._transaction.leaves[within]
        row = self._session.row("SELECT leaf FROM leaves WHERE entry=?", (index,))
        if row is None:
            raise SluisError(Code.NOT_FOUND, "there is no entry with this index")
        return row[0]  # type: ignore[no-any-return]  # BLOB column

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Audit path of `index` in the tree of `size`.

        For entries of this batch nothing is read: left of it they need only the peaks that the batch began with.
        """
        if self._nodes_size != self.size:
            self._nodes = {**self._start, **{(level, at): node for level, at, node in self._transaction.made}}
            self._edges = {}
            self._nodes_size = self.size
        return inclusion_proof(index, self.size, self._node, self._edges)

    def _node(self, level: int, position: int) -> bytes:
        node = self._nodes.get((level, position))
        if node is None:
            row = self._session.row("SELECT hash FROM nodes WHERE id=?", (node_number(level, position),))
            if row is None:
                raise SluisError(Code.STORE_CORRUPT, "the stored tree lacks a node; run `sluis doctor`")
            node = self._nodes[level, position] = bytes(row[0])
        return node

    def commit(self, checkpoint: str) -> None:
        """Makes all durable; `checkpoint` is "" when the batch appended no entry.

        Raises:
            SluisError: LOG_UNAVAILABLE when nothing was committed, LOG_OUTCOME_UNKNOWN when it may have been.
        """
        session, began, size = self._session, self._transaction.began, self.size
        assert bool(checkpoint) == (size > began), "a checkpoint for every batch that appends, and for no other"
        try:
            if session.broken:
                raise SluisError(Code.LOG_UNAVAILABLE, "the broker's database failed earlier in this batch")
            if self._transaction.files:
                self._vault.sync()
            if size > began:
                self._transaction.flush()
                session.run("INSERT INTO checkpoints (size, note) VALUES (?, ?)", (size, checkpoint))
                if session.run("UPDATE head SET size=? WHERE id=1 AND size=?", (size, began)) != 1:
                    raise SluisError(Code.LOG_UNAVAILABLE, "the log was moved by another writer")
        except SluisError as error:
            session.broken = True
            raise SluisError(Code.LOG_UNAVAILABLE, error.message, retry_after_ms=1_000) from error
        try:
            session.run("COMMIT")
        except SluisError as error:
            session.broken = True
            raise SluisError(Code.LOG_OUTCOME_UNKNOWN, "the commit may or may not have happened") from error
        self.committed = True
        self._vault.drop(self._transaction.orphans)
