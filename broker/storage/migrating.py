"""Brings a database's schema up to date: every script that it has not had, by name, in the order of their numbers.

Names and not the highest number say what was applied: two lines of work may each add a script, and one that arrives
with a lower number than the newest is not passed over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from importlib.resources import files

from broker.errors import Code, SluisError

APPLICATION_ID = 0x534C5549
"""Marks a file as ours: "SLUI"."""
SCHEMA_VERSION = 8
"""The highest number of a script."""
_UNNAMED = {
    1: "0001_initial.sql",
    2: "0002_vault_life.sql",
    3: "0003_rectification.sql",
    5: "0005_sealed.sql",
    7: "0007_subject_access.sql",
}
"""What a database holds that was made before names were kept, by the version it states."""
_NAMES = "CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) WITHOUT ROWID"


def schema_version(connection: sqlite3.Connection) -> int:
    """The highest number applied; 0 for an empty file. Raises CONFIG_INVALID for a file of another program."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (tables or version):
        raise SluisError(Code.CONFIG_INVALID, "this file is not a Sluis database; set another path")
    return int(version)


def shipped() -> dict[str, str]:
    """The scripts of this version of Sluis, by name."""
    found = files("broker.storage").joinpath("migrations").iterdir()
    return {item.name: item.read_text("utf-8") for item in found if item.name.endswith(".sql")}


def migrate(connection: sqlite3.Connection, scripts: Mapping[str, str]) -> None:
    """Applies those of `scripts` that the database lacks, each in a transaction of its own. No other writer is there.

    Raises:
        SluisError: CONFIG_INVALID for a file of another program, or one that a newer version of Sluis wrote to.
        sqlite3.Error: and then the script is not applied at all.
    """
    version = schema_version(connection)
    done = _applied(connection, version)
    if version > max(map(_number, scripts)) or not done <= scripts.keys():
        raise SluisError(Code.CONFIG_INVALID, "a newer version of Sluis made this database; use that version")
    for name in sorted(scripts.keys() - done, key=lambda name: (_number(name), name)):
        done.add(name)
        version = max(version, _number(name))
        listed = ", ".join(f"('{one}')" for one in sorted(done))
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION_ID}; {scripts[name]} {_NAMES}; "  # noqa: S608  # ours
            f"INSERT OR IGNORE INTO migrations VALUES {listed}; PRAGMA user_version={version}; COMMIT;"
        )


def _applied(connection: sqlite3.Connection, version: int) -> set[str]:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name='migrations'").fetchone() is None:
        return {name for number, name in _UNNAMED.items() if number <= version}
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}


def _number(name: str) -> int:
    return int(name.partition("_")[0])
