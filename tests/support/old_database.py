"""A log's database as an older version of Sluis left it: the rows of today's under the schema of then."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from broker.storage.migrating import APPLICATION_ID

FIRST = "0001_initial.sql"


def as_first_version(path: Path) -> None:
    """Turns the database at `path`, which nobody has open, into one of schema 1.

    What that schema has no place for (labels and uses of slots, disputes, notices, `erased`) is gone, as then.
    """
    old = path.with_name("old.db")
    script = files("broker.storage").joinpath("migrations", FIRST).read_text("utf-8")
    with closing(sqlite3.connect(old, isolation_level=None)) as made:
        made.executescript(f"PRAGMA application_id={APPLICATION_ID}; {script} PRAGMA user_version=1;")
        made.execute("DELETE FROM head")
        made.execute("ATTACH ? AS today", (str(path),))
        for (table,) in made.execute("SELECT name FROM main.sqlite_master WHERE type='table'").fetchall():
            columns = ", ".join(row[1] for row in made.execute(f"PRAGMA main.table_info({table})"))
            made.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}")
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    old.replace(path)
