"""A broker of this version on the database of the first one: it goes on, and auditors see one log."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from old_database import as_first_version
from participant import Ask, Participant
from test_vault_orders import BAGS, PURPOSE, answered, key_of, run, verified
from world import World, running, texts_for

from broker.storage.migrating import SCHEMA_VERSION
from broker.storage.sqlite_session import connect_writer
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC)  # orders are made by commands, which read the machine's clock
    with running(tmp_path, texts_for(now), start=now) as made:
        (tmp_path / "trust.yaml").write_text(trust_of(made.config))
        yield made


def rows(world: World, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(world.config.data / "sluis.db")) as database:
        return database.execute(sql).fetchall()


def turned_back(world: World) -> None:
    """Stops the broker, makes its database one of the first version, and starts it again."""
    before = rows(world, "SELECT commitment, label FROM vault ORDER BY commitment")
    assert before
    world.stop()
    as_first_version(world.config.data / "sluis.db")
    assert rows(world, "PRAGMA user_version") == [(1,)]
    world.start()
    assert rows(world, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert rows(world, "SELECT commitment, label FROM vault ORDER BY commitment") == before


def back(world: World, party: Participant) -> Participant:
    """The same party on a new connection."""
    again = Participant(world, party.party)
    again.encryption, again.secret = party.encryption, party.secret
    return again


def asked(utrecht: Participant) -> Ask:
    """A second question of it, answered."""
    ask = utrecht.question(PURPOSE, "bag", BAGS[2:4], ["snf"], want=["beds"])
    assert len(utrecht.send(ask)["snf"].rows) == 1
    return ask


def test_it_goes_on_and_everything_opens(world: World, tmp_path: Path) -> None:
    utrecht, ask, exchange = answered(world)
    turned_back(world)
    utrecht = back(world, utrecht)
    again = utrecht.send(ask)
    assert len(again["snf"].rows) == 1, "an answer kept for a day is given again"
    asked(utrecht)
    assert run(world, "keys", "--out", str(tmp_path / "auditor"), config=False).exit_code == 0
    bundle, vault = str(tmp_path / "log.bundle"), str(tmp_path / "log.vault")
    named = ("--out", bundle, "--with-vault", vault, "--auditor-key", str(tmp_path / "auditor.pub"))
    assert run(world, "export", *named, "--for", "privacy-auditor").exit_code == 0
    opened = ("--trust", str(tmp_path / "trust.yaml"), "--vault", vault, "--key", str(tmp_path / "auditor.key"))
    told = run(world, "verify", bundle, *opened, "--json", config=False)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["vault"]["opened"] == 4
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    done = run(world, "erase", "--exchange", f"utrecht/{exchange}", "--reason", "granted", "--key", key)
    assert done.exit_code == 0, done.output
    assert world.broker is not None
    assert world.broker._store.reader.opening(ask.statement["tokens"]) is None
    verified(world)


def test_what_was_there_is_held_and_goes_in_its_time(world: World) -> None:
    utrecht, ask, _ = answered(world)
    turned_back(world)
    later = asked(back(world, utrecht))
    key = key_of(world, "utrecht", world.officers.keys["utrecht"])
    until = f"{world.clock.at + timedelta(days=800):%Y-%m-%d}"
    hold = ("hold", "add", "--purpose", PURPOSE, "--until", until, "--reason", "inquiry", "--key", key)
    held = run(world, *hold)
    assert held.exit_code == 0, held.output
    assert world.broker is not None
    broker = world.broker
    world.clock.at += timedelta(days=731)
    assert broker._erasure.expire() == 0
    assert broker._store.reader.opening(ask.statement["tokens"]) is not None
    world.clock.at += timedelta(days=100)
    assert broker._erasure.expire() == 4
    assert broker._store.reader.opening(later.statement["tokens"]) is None
    verified(world)


def seconds_to_bring_up(folder: Path, exchanges: int) -> float:
    """How long the migration of a database with so many exchanges of two slots takes."""
    folder.mkdir()
    path, many = folder / "sluis.db", range(exchanges)
    connect_writer(path).close()
    as_first_version(path)
    with closing(sqlite3.connect(path)) as old:
        leaf = json.dumps({"body": {"statement": {"case_number": "c%d", "cooperation_ref": None}}})
        old.executemany("INSERT INTO leaves VALUES (?, ?)", [(at, (leaf % at).encode()) for at in many])
        old.executemany(
            "INSERT INTO vault (commitment, slot_key, sealed, keep_until) VALUES (?, x'00', x'00', 1)",
            [(f"{label}{at}",) for at in many for label in "tc"],
        )
        old.executemany(
            "INSERT INTO exchanges (ask_index, exchange, asker, answerer, purpose, epoch, statement_digest, tokens, "
            "counted, asked_at, lease_until) VALUES (?, ?, 'a', 'b', 'p', 'e', 'd', ?, 0, 1, 1)",
            [(at, f"x{at}", f"t{at}") for at in many],
        )
        old.commit()
    began = time.monotonic()
    new = connect_writer(path)
    spent = time.monotonic() - began
    labels = dict(new.execute("SELECT label, count(*) FROM vault GROUP BY label").fetchall())
    new.close()
    assert labels == {"tokens": exchanges, "case-number": exchanges}
    return spent


def test_a_large_one_takes_time_in_proportion(tmp_path: Path) -> None:
    """The labels of old slots are looked up: searched for, a year of exchanges would keep the broker away for days."""
    assert seconds_to_bring_up(tmp_path / "large", 20_000) < 40 * seconds_to_bring_up(tmp_path / "small", 2_000)
