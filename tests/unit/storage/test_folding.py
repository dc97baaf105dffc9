"""Folding beside the writer: what was written reaches the database, and trouble with it troubles nobody."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from log_kit import Keys, ask_body

from broker.custody.keys import SystemClock, SystemEntropy
from broker.storage import sqlite_folding
from broker.storage.sqlite import SqliteLogStore
from broker.storage.sqlite_folding import FOLD_PAGES, Folding
from broker.storage.sqlite_session import PAGE_BYTES


def database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE rows (value BLOB)")
    return connection


def fill(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    for _ in range(50):
        connection.execute("INSERT INTO rows VALUES (?)", (bytes(3_000),))
    connection.execute("COMMIT")


def within(seconds: float, holds) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.005)
    return holds()


def test_enough_written_is_folded(tmp_path):
    connection = database(tmp_path / "log.db")
    folding = Folding(tmp_path / "log.db")
    fill(connection)
    before = (tmp_path / "log.db").stat().st_size
    folding.committed(PAGE_BYTES)
    time.sleep(0.05)
    assert (tmp_path / "log.db").stat().st_size == before
    folding.committed(FOLD_PAGES * PAGE_BYTES)
    assert within(5, lambda: (tmp_path / "log.db").stat().st_size > before + 100_000)
    folding.close()
    folding.close()


def test_a_database_that_is_gone_is_not_made_anew_and_one_that_is_back_is_folded(tmp_path):
    path = tmp_path / "log.db"
    folding = Folding(path)
    folding.committed(FOLD_PAGES * PAGE_BYTES)
    time.sleep(0.05)
    assert not path.exists()
    connection = database(path)
    fill(connection)
    before = path.stat().st_size
    folding.committed(FOLD_PAGES * PAGE_BYTES)
    assert within(5, lambda: path.stat().st_size > before)
    folding.close()


def test_a_store_folds_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_folding, "FOLD_PAGES", 20)
    keys, clock = Keys(), SystemClock()
    store = SqliteLogStore(tmp_path / "log.db", keys, SystemEntropy())
    before = (tmp_path / "log.db").stat().st_size
    body = ask_body(clock.now())
    for size in range(1, 40):
        with store.batch(clock.now()) as batch:
            batch.transaction.append("ask", body)
            batch.commit(f"checkpoint {size}")
    assert within(5, lambda: (tmp_path / "log.db").stat().st_size > before)
    store.close()
    assert not (tmp_path / "log.db-wal").exists()  # the last connection folds what is left, and takes it away
