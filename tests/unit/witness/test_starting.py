"""What a real witness holds against a log at its start."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from log_kit import Keys, Log, access_body
from witnesses import OwnWitness, answering, liar

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_verifier_key
from broker.exchange_log.ending import change_key
from broker.witness.calling import WitnessEnd
from broker.witness.starting import check_witnessed

OLD, NEW = Keys("a"), Keys("b")
KEYS = [parse_verifier_key(keys.signer.verifier_key) for keys in (OLD, NEW)]


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[OwnWitness]:
    with OwnWitness(tmp_path / "witness", "witness.example/one", [str(key) for key in KEYS]) as made:
        yield made


def write(log: Log, count: int = 3, party: str = "nla") -> None:
    for _ in range(count):
        log.sequencer.submit(lambda tx: tx.append("access", access_body(party)))


def cosign(log: Log, witness: OwnWitness, old: int) -> None:
    size, note = log.reader.checkpoint()
    witness.end().offer(old, log.reader.consistency(old, size) if old else (), note)


def check(log: Log, witness: OwnWitness, keys: list[VerifierKey] | None = None) -> tuple[str, ...]:
    return check_witnessed(log.reader, keys or KEYS[:1], [witness.end()], 1)


def test_a_log_that_holds_what_the_witness_holds_starts(tmp_path: Path, witness: OwnWitness) -> None:
    (tmp_path / "home").mkdir()
    with Log(tmp_path / "home", OLD) as log:
        assert check(log, witness) == ()
        write(log)
        cosign(log, witness, 0)
        write(log)
        assert check(log, witness) == ()


def test_a_cut_and_a_forked_log_are_refused(tmp_path: Path, witness: OwnWitness) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with Log(home, OLD) as log:
        write(log)
    shutil.copytree(home, tmp_path / "copy")
    with Log(home, OLD) as log:
        write(log)
        cosign(log, witness, 0)
    with Log(tmp_path / "copy", OLD) as log:
        with pytest.raises(SluisError) as caught:
            check(log, witness)
        assert caught.value.code is Code.LOG_SHRUNK
        assert "the witness witness.example/one holds a checkpoint over 7" in caught.value.message
        write(log, 5, "snf")
        with pytest.raises(SluisError) as caught:
            check(log, witness)
        assert caught.value.code is Code.LOG_FORKED


def test_a_witness_that_is_away_stops_no_start(tmp_path: Path, witness: OwnWitness) -> None:
    (tmp_path / "home").mkdir()
    with Log(tmp_path / "home", OLD) as log:
        write(log)
        cosign(log, witness, 0)
        witness.stop()
        (trouble,) = check(log, witness)
        assert trouble


def test_a_witness_that_holds_only_what_the_old_key_signed_still_tells(tmp_path: Path, witness: OwnWitness) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with Log(home, OLD) as log:
        write(log)
        cosign(log, witness, 0)
        log.sequencer.stop()
        change_key(log.store, OLD.signer, NEW.signer, log.clock.now(), None)
        assert check(log, witness, KEYS) == ()
    db = sqlite3.connect(home / "sluis.db")
    db.execute("DROP TRIGGER leaves_stay")
    db.execute("DELETE FROM leaves WHERE entry>=3")
    db.execute("DELETE FROM checkpoints WHERE size>3")
    db.execute("UPDATE head SET size=3")
    db.commit()
    db.close()
    log = Log(home, NEW)
    with pytest.raises(SluisError) as caught:
        check(log, witness, KEYS)
    assert caught.value.code is Code.LOG_SHRUNK
    log.close()


LIES = [(422, "text/plain", b"no\n"), (409, "text/x.tlog.size", b"9000\n")]


@pytest.mark.parametrize("lie", LIES)
def test_the_word_of_one_witness_of_three_stops_no_start(
    tmp_path: Path, witness: OwnWitness, lie: tuple[int, str, bytes]
) -> None:
    """Anyone on the way could say it; what its own key signed is another matter."""
    (tmp_path / "home").mkdir()
    other = [liar(f"witness.example/liar{n}").public for n in range(2)]
    with (
        answering(lambda body: lie if body else (404, "text/plain", b"")) as url,
        Log(tmp_path / "home", OLD) as log,
    ):
        write(log)
        cosign(log, witness, 0)
        away = WitnessEnd("http://127.0.0.1:1", other[1])
        told = check_witnessed(log.reader, KEYS[:1], [WitnessEnd(url, other[0]), witness.end(), away], 2)
        assert "it refuses our tree, without proof" in told
        with pytest.raises(SluisError) as caught:
            check_witnessed(log.reader, KEYS[:1], [WitnessEnd(url, one) for one in other] + [witness.end()], 2)
        assert caught.value.code in (Code.LOG_FORKED, Code.LOG_SHRUNK)


def test_an_empty_log_that_a_witness_knows_is_refused_before_anything_is_signed(
    tmp_path: Path, witness: OwnWitness
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "lost").mkdir()
    empty = Log(tmp_path / "lost", OLD)
    assert check(empty, witness) == (), "a log that is new to all is begun"
    with Log(tmp_path / "home", OLD) as log:
        write(log)
        cosign(log, witness, 0)
    with pytest.raises(SluisError) as caught:
        check(empty, witness)
    assert caught.value.code is Code.LOG_SHRUNK
    assert "has 0 entries" in caught.value.message
    empty.close()
