"""SQLite connections as this house uses them: durable, version-checked, and never a raw sqlite3 error.

Durability: WAL with synchronous=FULL, so a commit returns after fsync of the WAL; durable as far as the volume
honours flushes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from broker.errors import Code, SluisError
from broker.storage.migrating import SCHEMA_VERSION, migrate, schema_version, shipped

BUSY_SECONDS = 5.0
PAGE_BYTES = 8_192
"""Of a new database; an older one keeps its own. Three entries of asks fit in, where SQLite's 4,096 hold one."""
WAL_PAGES = 2_000
"""The WAL is folded back after so many pages: rarer than SQLite's 1,000, since every batch rewrites the same few."""
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CALLER = frozenset({sqlite3.SQLITE_CONSTRAINT})
"""Errors of one statement that leave the transaction sound."""
_FAULTS = (sqlite3.Error, OverflowError, UnicodeDecodeError)
"""What the sqlite3 module raises; the last for text in a damaged file."""


class Session:
    """A connection whose errors are SluisErrors.

    `broken` is set by any error after which the open transaction must not be committed.
    """

    def __init__(self, connection: sqlite3.Connection, code: Code) -> None:
        self.connection = connection
        self.broken = False
        self._code = code

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Runs one statement; returns the number of rows it changed."""
        try:
            return self.connection.execute(sql, values).rowcount
        except _FAULTS as error:
            raise self._wrapped(error) from error

    def insert(self, table: str, columns: str, rows: Sequence[tuple[object, object]]) -> None:
        """Inserts rows of two columns, many to a statement: each statement gives up and takes back the GIL once."""
        at = 0
        while at < len(rows):
            count = 1 << min(6, (len(rows) - at).bit_length() - 1)
            some = chain.from_iterable(rows[at : at + count])
            self.run(f"INSERT INTO {table} ({columns}) VALUES (?, ?)" + ", (?, ?)" * (count - 1), tuple(some))  # noqa: S608  # names of ours
            at += count

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except _FAULTS as error:
            raise self._wrapped(error) from error

    def row(self, sql: str, values: Sequence[object] = ()) -> Any:
        """The first row of a query, or None."""
        try:
            return self.connection.execute(sql, values).fetchone()
        except _FAULTS as error:
            raise self._wrapped(error) from error

    def close(self) -> None:
        """Closes the connection; an open transaction is rolled back. Never raises."""
        try:
            self.connection.close()
        except sqlite3.Error:
            self.broken = True

    def _wrapped(self, error: Exception) -> SluisError:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        self.broken |= primary not in _CALLER and not isinstance(error, OverflowError)
        return wrapped(error, self._code)


def corrupt() -> SluisError:
    """STORE_CORRUPT."""
    return SluisError(Code.STORE_CORRUPT, "the database file is damaged; stop and restore it, see docs/operate.md")


def wrapped(error: Exception, code: Code) -> SluisError:
    """`error` as a SluisError: STORE_CORRUPT when the file is damaged, else `code`. Its text stays inside."""
    if isinstance(error, UnicodeDecodeError) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
        return corrupt()
    return SluisError(code, "the broker's database cannot be used now; try again in a moment", retry_after_ms=1_000)


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one read-write connection: WAL, synchronous=FULL, schema made or checked.

    Raises:
        SluisError: CONFIG_INVALID when the file is not a Sluis database or of a newer version; STORE_UNAVAILABLE,
            STORE_CORRUPT.
    """
    try:
        _make_private(path)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, *_FAULTS) as error:
        raise wrapped(error, Code.STORE_UNAVAILABLE) from error
    try:
        connection.execute(
            f"PRAGMA page_size={PAGE_BYTES}"
        )  # of a database that is there already, this changes nothing
        migrate(connection, shipped())
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise SluisError(Code.CONFIG_INVALID, "the database's volume does not support WAL; use a local disk")
        for pragma in (
            "synchronous=FULL",
            f"wal_autocheckpoint={WAL_PAGES}",
            "foreign_keys=ON",
            "trusted_schema=OFF",
            "secure_delete=ON",  # what was erased is overwritten, in the file and in the pages that the WAL carries
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except _FAULTS as error:
        connection.close()
        raise wrapped(error, Code.STORE_UNAVAILABLE) from error
    except SluisError:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection to an existing database of this version or an older one, such as that of a sealed log.

    Raises:
        SluisError: STORE_UNAVAILABLE, STORE_CORRUPT, CONFIG_INVALID.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise wrapped(error, Code.STORE_UNAVAILABLE) from error
    try:
        connection.execute("PRAGMA query_only=ON")
        if not 0 < schema_version(connection) <= SCHEMA_VERSION:
            raise SluisError(Code.CONFIG_INVALID, "the database is empty, or of a newer version of Sluis; use that")
    except _FAULTS as error:
        connection.close()
        raise wrapped(error, Code.STORE_UNAVAILABLE) from error
    except SluisError:
        connection.close()
        raise
    return connection


def sync_directory(path: Path) -> None:
    """Makes creations, renames and deletions in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_private(path: Path) -> None:
    """An empty file only we may read, before SQLite would make one that others may."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    sync_directory(path.parent)
