"""Folding the WAL back into the database beside the writer, so that no batch has to wait for it.

SQLite would fold after the commit that made the WAL long: some twenty milliseconds in which every caller waits. Here a
thread does it by a connection of its own, as a passive checkpoint, which keeps nobody from reading or writing. It is a
help and no promise: what it leaves, the writer folds at WAL_PAGES as ever.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from broker.storage.sqlite_session import PAGE_BYTES, WAL_PAGES

FOLD_PAGES = WAL_PAGES // 4
"""Folded after about so many pages, well before the writer would."""
_PAGES_A_BATCH = 8
"""Pages that every batch rewrites, whatever is in it: the head, a checkpoint, the right edge of each index."""


class Folding:
    """One thread that folds after enough was written. Never raises: a fold that fails is tried again, or left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._due = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="wal-folding", daemon=True)
        self._thread.start()

    def committed(self, data: int) -> None:
        """A batch with so many bytes of entries was committed. Called by the writer alone; returns at once."""
        self._written += _PAGES_A_BATCH + data // PAGE_BYTES
        if self._written >= FOLD_PAGES:
            self._written = 0
            self._due.set()

    def close(self) -> None:
        """Ends the thread. Idempotent."""
        self._ended = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            self._due.wait()
            self._due.clear()
            if self._ended:
                break
            try:
                if connection is None:
                    # `rw`: a database that is gone is not made anew
                    uri = f"{self._path.resolve().as_uri()}?mode=rw"
                    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
                    connection.execute("PRAGMA synchronous=FULL")
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error:  # the writer meets what is wrong, and says so
                _close(connection)
                connection = None
        _close(connection)


def _close(connection: sqlite3.Connection | None) -> None:
    try:
        if connection is not None:
            connection.close()
    except sqlite3.Error:
        return
