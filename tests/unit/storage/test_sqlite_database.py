"""The database file itself: whose it is, of which version, and who may read it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from log_kit import Keys, Log, access_body

from broker.audit.export import bundle_lines
from broker.custody.keys import SystemEntropy
from broker.errors import Code, SluisError
from broker.storage.migrating import APPLICATION_ID, SCHEMA_VERSION, migrate, shipped
from broker.storage.sqlite import SqliteLogStore, open_reader
from broker.storage.sqlite_session import connect_reader, connect_writer


def refusal(path: Path) -> Code:
    with pytest.raises(SluisError) as caught:
        SqliteLogStore(path, Keys(), SystemEntropy())
    return caught.value.code


def test_durability_is_what_it_says(tmp_path: Path) -> None:
    connection = connect_writer(tmp_path / "log.db")
    read = lambda name: connection.execute(f"PRAGMA {name}").fetchone()[0]
    assert (read("journal_mode"), read("synchronous")) == ("wal", 2)
    assert (read("application_id"), read("user_version")) == (APPLICATION_ID, SCHEMA_VERSION)
    connection.close()
    assert (tmp_path / "log.db").stat().st_mode & 0o777 == 0o600


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    assert refusal(path) is Code.CONFIG_INVALID


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    connect_writer(tmp_path / "log.db").close()
    newer = sqlite3.connect(tmp_path / "log.db")
    newer.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    newer.close()
    assert refusal(tmp_path / "log.db") is Code.CONFIG_INVALID
    with pytest.raises(SluisError) as caught:
        connect_reader(tmp_path / "log.db")
    assert caught.value.code is Code.CONFIG_INVALID


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}


@pytest.mark.parametrize("named", [True, False])
def test_a_script_with_a_lower_number_that_comes_later_is_applied(tmp_path: Path, *, named: bool) -> None:
    """Also in a database of before the names of scripts were kept."""
    path = tmp_path / "log.db"
    if named:
        connect_writer(path).close()
    later = {**shipped(), "0006_later.sql": "CREATE TABLE later (x);", "0007_beside.sql": "CREATE TABLE beside (x);"}
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if not named:
            migrate(connection, {name: text for name, text in shipped().items() if name < "0008"})
            connection.execute("DROP TABLE migrations")
        migrate(connection, later)
        assert {"later", "beside"} <= tables(connection)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        migrate(connection, later)
    assert refusal(path) is Code.CONFIG_INVALID  # which lacks those scripts


def test_a_script_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = {**shipped(), "0009_broken.sql": "CREATE TABLE half (x); CREATE TABLE half (x);"}
    connect_writer(tmp_path / "log.db").close()
    with closing(sqlite3.connect(tmp_path / "log.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, broken)
        connection.rollback()
        assert "half" not in tables(connection)
        migrate(connection, {**broken, "0009_broken.sql": "CREATE TABLE half (x);"})
        assert "half" in tables(connection)


def test_the_version_is_that_of_the_last_script() -> None:
    assert max(int(name[:4]) for name in shipped()) == SCHEMA_VERSION


def test_no_database_at_all(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"this is not a database, only a file with some text in it" * 20)
    assert refusal(tmp_path / "log.db") is Code.STORE_CORRUPT
    assert refusal(tmp_path / "missing" / "log.db") is Code.STORE_UNAVAILABLE
    with pytest.raises(SluisError) as caught:
        open_reader(tmp_path / "none.db").size()
    assert caught.value.code is Code.STORE_UNAVAILABLE


def test_a_refused_store_lets_go_of_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(b"x" * 2_000)
    assert refusal(path) is Code.STORE_CORRUPT
    path.unlink()
    SqliteLogStore(path, Keys(), SystemEntropy()).close()


def test_a_closed_store_refuses(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        reader = log.reader
        reader.size()
    with pytest.raises(SluisError):
        reader.size()
    with pytest.raises(SluisError) as caught, log.store.batch(log.clock.now()):
        pass
    assert caught.value.code is Code.LOG_UNAVAILABLE


def test_the_export_reader_needs_no_key_and_writes_nothing(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    reader = open_reader(tmp_path / "sluis.db")
    assert reader.size() == 2
    with pytest.raises(sqlite3.OperationalError):
        reader._session.connection.execute("DELETE FROM documents")
    reader.close()
    Log(tmp_path, log.keys).close()


def test_answers_do_not_open_under_another_storage_key(tmp_path: Path) -> None:
    from datetime import timedelta

    from log_kit import START

    with Log(tmp_path) as log:
        keep = START + timedelta(days=1)
        name = log.sequencer.submit(lambda tx: tx.commit_to("result", b"v", keep_until=keep)).value
    store = SqliteLogStore(tmp_path / "sluis.db", Keys("other"), SystemEntropy())
    with pytest.raises(SluisError) as caught:
        store.reader.opening(name)
    assert caught.value.code is Code.STORE_CORRUPT
    store.close()


def test_the_log_of_an_older_version_is_read_for_export(tmp_path: Path) -> None:
    """A sealed log is never opened by a broker again, so nothing brings its database to a newer schema."""
    path = tmp_path / "sluis.db"
    with Log(tmp_path) as log:
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    with closing(sqlite3.connect(path)) as older:
        older.executescript("DROP TRIGGER leaves_end; ALTER TABLE head DROP COLUMN sealed; PRAGMA user_version=1;")
    reader = open_reader(path)
    assert len(list(bundle_lines(reader))) == 6
    reader.close()
