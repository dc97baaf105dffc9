"""Beginning a log, and refusing one that is another's or was altered."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from log_kit import ENGINE, Keys, Log, access_body

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.entry import parse_leaf
from broker.exchange_log.opening import check_tree, check_whole, genesis
from broker.parties import Environment


def filled(directory: Path, count: int = 10) -> Keys:
    with Log(directory) as log:
        for _ in range(count):
            log.sequencer.submit(lambda tx: [tx.append("access", access_body()) for _ in range(3)])
        return log.keys


def test_the_first_entry_is_the_genesis(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        (entry,) = log.reader.entries(0, 1)
        parsed = parse_leaf(entry.leaf)
        assert parsed.kind == "genesis"
        assert parsed.body["verifier_key"] == log.keys.signer.verifier_key
        assert log.reader.checkpoint()[0] == 1


def test_a_log_opens_again_and_goes_on(tmp_path: Path) -> None:
    keys = filled(tmp_path)
    with Log(tmp_path, keys) as log:
        assert log.sequencer.submit(lambda tx: tx.append("access", access_body())).value == 31


@pytest.mark.parametrize(
    ("keys", "environment", "word"),
    [
        (Keys("a", "sluis.example/other"), Environment.TEST, "origin"),
        (Keys("a"), Environment.PRODUCTION, "environment"),
        (Keys("b"), Environment.TEST, "verifier key"),
    ],
)
def test_another_ones_log_is_refused(tmp_path: Path, keys: Keys, environment: Environment, word: str) -> None:
    filled(tmp_path, 1)
    log = Log(tmp_path, keys)
    with pytest.raises(SluisError) as caught:
        genesis(log.store, keys.signer, log.clock, environment=environment, engine=ENGINE)
    assert caught.value.code is Code.CONFIG_INVALID
    assert word in caught.value.message
    assert log.reader.size() == 4
    log.close()


def test_an_empty_log_does_not_start(tmp_path: Path) -> None:
    log = Log(tmp_path)
    with pytest.raises(SluisError) as caught:
        log.sequencer.start()
    assert caught.value.code is Code.CONFIG_INVALID
    log.close()


def flip_leaf(index: int) -> Callable[[sqlite3.Connection], None]:
    def change(db: sqlite3.Connection) -> None:
        (leaf,) = db.execute("SELECT leaf FROM leaves WHERE entry=?", (index,)).fetchone()
        db.execute("UPDATE leaves SET leaf=? WHERE entry=?", (leaf.replace(b"nla", b"snf"), index))

    return change


def sql(text: str) -> Callable[[sqlite3.Connection], None]:
    return lambda db: db.execute(text) and None


ALTERED_TAIL = [
    flip_leaf(30),
    flip_leaf(5),
    sql("DELETE FROM leaves WHERE entry=30"),
    sql("DELETE FROM leaves WHERE entry=12"),
    sql("UPDATE head SET size=28"),
    sql("UPDATE head SET size=30"),
    sql("DELETE FROM checkpoints WHERE size=31"),
    sql("UPDATE checkpoints SET note=(SELECT note FROM checkpoints WHERE size=28) WHERE size=31"),
    sql("UPDATE nodes SET hash=zeroblob(32) WHERE id=(SELECT max(id) FROM nodes)"),
    sql("DELETE FROM nodes WHERE id=3"),
    sql("UPDATE leaves SET leaf=(SELECT leaf FROM leaves WHERE entry=29) WHERE entry=30"),
]


def altered(directory: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """What someone with the file can do: the triggers keep only our own bugs away."""
    db = sqlite3.connect(directory / "sluis.db")
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")
    change(db)
    db.commit()
    db.close()


@pytest.mark.parametrize("change", ALTERED_TAIL)
def test_an_altered_database_does_not_start(tmp_path: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    keys = filled(tmp_path)
    altered(tmp_path, change)
    log = Log(tmp_path, keys)
    with pytest.raises(SluisError) as caught:
        log.sequencer.start()
    assert caught.value.code is Code.STORE_CORRUPT
    with pytest.raises(SluisError):
        check_whole(log.reader, parse_verifier_key(keys.signer.verifier_key))
    log.close()


OLD_DAMAGE = [
    flip_leaf(1),
    sql("DELETE FROM leaves WHERE entry=2"),
    sql("UPDATE nodes SET hash=zeroblob(32) WHERE id=2"),
    sql("UPDATE nodes SET hash='text' WHERE id=2"),
    sql("DELETE FROM nodes WHERE id=2"),
    sql("UPDATE checkpoints SET note=replace(note, 'A', 'B') WHERE size=4"),
]


@pytest.mark.parametrize("change", OLD_DAMAGE)
def test_old_damage_is_found_by_the_whole_check(tmp_path: Path, change: Callable[[sqlite3.Connection], None]) -> None:
    """The start looks at the tail only; `sluis doctor` re-hashes everything."""
    keys = filled(tmp_path)
    altered(tmp_path, change)
    key = parse_verifier_key(keys.signer.verifier_key)
    log = Log(tmp_path, keys)
    assert check_tree(log.reader, key, tail=5).size == 31
    with pytest.raises(SluisError) as caught:
        check_whole(log.reader, key)
    assert caught.value.code in {Code.STORE_CORRUPT, Code.SIGNATURE_WRONG, Code.STATEMENT_INVALID}
    log.close()


@pytest.mark.parametrize("count", [1, 5])
def test_a_damaged_peak_is_not_appended_to(tmp_path: Path, count: int) -> None:
    """16 leaves have one peak, which is in no leaf's proof, and the next root would be made from it."""
    keys = filled(tmp_path, count)
    if count == 5:
        altered(tmp_path, sql("UPDATE nodes SET hash=zeroblob(32) WHERE id=30"))
    else:
        altered(tmp_path, sql("UPDATE nodes SET hash=zeroblob(32) WHERE id=6"))
    log = Log(tmp_path, keys)
    with pytest.raises(SluisError) as caught:
        log.sequencer.start()
    assert caught.value.code is Code.STORE_CORRUPT
    log.close()


def test_our_own_code_cannot_rewrite_history(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    db = sqlite3.connect(tmp_path / "sluis.db")
    for text in ("UPDATE leaves SET leaf=x'00'", "DELETE FROM leaves", "UPDATE nodes SET hash=x'00'"):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(text)
    db.close()
