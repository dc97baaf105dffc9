"""A log's key is changed, it ends, it is followed by another, also after a loss; killed at every step and run again."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from audit_kit import SIGNERS, authority, policy_bundle, policy_set, public
from log_kit import ORIGIN, START, FakeClock, Log, access_body, ask_body, time_text
from witnesses import OwnWitness

from broker import log_life, log_loss
from broker.asking import POLICY_STATE, policy_state
from broker.audit.export import bundle_lines
from broker.audit.findings import Report
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.config import Config, Policy, Tls
from broker.custody.keys import FileKeys, SystemEntropy
from broker.errors import Code, SluisError
from broker.exchange import ExchangeState
from broker.exchange_log import ending
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key, verify_checkpoint
from broker.exchange_log.cosignature import parse_witness_key, verify_cosigned
from broker.exchange_log.entry import Entry, parse_leaf
from broker.exchange_log.opening import check_whole, genesis, key_periods
from broker.in_force import InForce, PolicyRules
from broker.key_store import make_keys
from broker.log_loss import Loss, assess
from broker.own_log import high_water_mark, open_log, own_log, verifier_key
from broker.parties import Environment
from broker.policy.suspension import DOCUMENT, with_notice
from broker.ports import Transaction
from broker.questions import counts_counter, requests_counter
from broker.statements import Scope
from broker.storage.high_water import FileHighWater
from broker.succession import POLICY_FLOOR, Carried, carried_from
from broker.trust_making import trust_of

OLD, NEW = "sluis.example/test-2026", "sluis.example/test-2027"
CLOCK = FakeClock(START + timedelta(hours=1), step=timedelta(milliseconds=1))


def config_of(directory: Path, origin: str, name: str) -> Config:
    home = directory / name
    home.mkdir(exist_ok=True)
    (home / "ca.pem").write_bytes(authority().ca.certificate)
    return Config(
        origin=origin,
        environment=Environment.TEST,
        listen="127.0.0.1:0",
        data=home / "data",
        keys=home / "keys",
        high_water=home / "mark",
        tls=Tls(
            certificate=home / "b.pem", key=home / "b.key", client_issuers=[home / "ca.pem"], revocation_lists=[home]
        ),
        policy=Policy(bundle=home / "p", signers=["ab" * 32], quorum=1),
        parties={},
    )


@dataclass
class Place:
    """Two configurations: of the log that is, and of the one to follow."""

    old: Config
    new: Config

    def write(self, config: Config, work: Callable[[Transaction], Any], count: int = 1) -> None:
        with self.serving(config) as sequencer:
            for _ in range(count):
                sequencer.submit(work)

    @contextmanager
    def serving(self, config: Config) -> Iterator[Sequencer]:
        with own_log(config, CLOCK.now()) as log:
            genesis(log.store, log.keys.signer, CLOCK, environment=Environment.TEST, engine="sluis-engine/2")
            sequencer = Sequencer(log.store, log.keys.signer, CLOCK, log.high_water)
            sequencer.start()
            try:
                yield sequencer
            finally:
                sequencer.stop()

    def entries(self, config: Config) -> list[Entry]:
        reader = open_log(config)
        try:
            return [parse_leaf(entry.leaf) for entry in reader.entries(0, reader.size())]
        finally:
            reader.close()

    def verify(self, config: Config) -> Report:
        reader = open_log(config)
        try:
            check_whole(reader, parse_verifier_key(verifier_key(config)))
            report = verify(list(bundle_lines(reader)), parse_trust(trust_of(config)))
        finally:
            reader.close()
        assert report.verified, report.findings
        return report


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(config_of(tmp_path, OLD, "old"), config_of(tmp_path, NEW, "new"))
    for config in (made.old, made.new):
        make_keys(config)
    made.write(made.old, lambda tx: tx.append("access", access_body()), 5)
    return made


def state_of(ask_index: int) -> ExchangeState:
    body = ask_body(CLOCK.at)
    return ExchangeState(
        exchange=str(body["exchange"]),
        asker="utrecht",
        principal=None,
        answerer="snf",
        purpose="snf-locatie",
        statement_digest="ab" * 32,
        asked_at=CLOCK.at,
        ask_index=ask_index,
        lease_until=CLOCK.at + timedelta(minutes=15),
        status=None,
        epoch="2026Q4",
        tokens="cd" * 32,
        counted=True,
        answer={},
    )


TODAY = requests_counter("utrecht", "snf-locatie", CLOCK.at)
COUNTS = counts_counter("nla", "sna", "sna-overzicht", "2026Q4")


def fill(tx: Transaction) -> None:
    """What must go on: counters, a policy set in force, a suspension; and what need not."""
    tx.debit(TODAY, 3)
    tx.debit(COUNTS, 2)
    tx.debit("requests/utrecht/snf-locatie/2026-11-22", 9)
    tx.debit("counts/nla/sna/sna-overzicht/2026Q3", 9)
    tx.put_document(*POLICY_STATE, policy_state("ab" * 32, 4))
    tx.put_document(DOCUMENT, "sna-overzicht", with_notice(None, "00" * 8, START))


# the key
def test_the_key_is_changed_under_both_and_only_the_new_one_signs_on(place: Place) -> None:
    old_key = verifier_key(place.old)
    new_key = log_life.rotate_log_key(place.old, CLOCK.now())
    assert new_key != old_key
    assert verifier_key(place.old) == new_key
    reader = open_log(place.old)
    note = reader.checkpoint()[1]
    for key in (old_key, new_key):
        assert verify_checkpoint(note, parse_verifier_key(key)).size == 7
    reader.close()
    assert place.entries(place.old)[-1].body == {"what": "log-key", "previous_key": old_key, "verifier_key": new_key}
    place.write(place.old, lambda tx: tx.append("access", access_body()), 2)
    reader = open_log(place.old)
    with pytest.raises(SluisError):
        verify_checkpoint(reader.checkpoint()[1], parse_verifier_key(old_key))
    assert [key for _, key in key_periods(reader)] == [old_key, new_key]
    reader.close()
    third = log_life.rotate_log_key(place.old, CLOCK.now())
    place.write(place.old, lambda tx: tx.append("access", access_body()))
    assert place.verify(place.old).size == 11
    assert verifier_key(place.old) == third
    assert sorted(path.name for path in place.old.keys.iterdir()) == ["log-signing.key", "storage-root.key"]


ROTATING: list[tuple[object, str, bool]] = [
    (FileKeys, "next_signer", False),
    (log_life, "change_key", False),
    (log_life, "change_key", True),
    (FileHighWater, "advance", False),
    (FileHighWater, "advance", True),
    (FileKeys, "take_next", False),
    (FileKeys, "take_next", True),
]


def kill_at(run: Callable[[], object], where: object, name: str, *, after: bool) -> None:
    """Runs in a process of its own that gets SIGKILL before or after a step: nothing is closed or tidied up."""
    child = os.fork()
    if child == 0:
        real = getattr(where, name)

        def step(*args: Any, **kwargs: Any) -> None:
            if after:
                real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(where, name, step)
        try:
            run()
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the step was never reached"


@pytest.mark.parametrize(("where", "name", "after"), ROTATING)
def test_a_change_of_key_killed_anywhere_is_run_again(place: Place, where: object, name: str, after: bool) -> None:
    kill_at(lambda: log_life.rotate_log_key(place.old, CLOCK.now()), where, name, after=after)
    changed_before = len(place.entries(place.old)) == 7
    done_before = not (place.old.keys / "log-signing.key.next").exists() and changed_before
    if changed_before and not done_before:
        with pytest.raises(SluisError, match="`sluis keys rotate-log-key` again"):
            place.write(place.old, lambda tx: tx.append("access", access_body()))
    key = log_life.rotate_log_key(place.old, CLOCK.now())
    assert verifier_key(place.old) == key
    assert len(place.entries(place.old)) == (8 if done_before else 7)
    place.write(place.old, lambda tx: tx.append("access", access_body()))
    place.verify(place.old)


# the end
def seal(place: Place) -> log_life.Followed:
    return log_life.seal(place.old, place.new, CLOCK, SystemEntropy())


def test_a_sealed_log_ends_and_the_next_is_bound_to_it(place: Place) -> None:
    place.write(place.old, fill)
    done = seal(place)
    last = place.entries(place.old)[-1]
    assert (last.kind, last.body) == ("seal", {"next_origin": NEW, "next_key": verifier_key(place.new)})
    first = place.entries(place.new)[0]
    previous = first.body["previous"]
    assert (previous["origin"], previous["size"], previous["reason"]) == (OLD, 7, "sealed")
    assert parse_checkpoint(previous["checkpoint"]).root.hex() == previous["root"] == done.previous.root.hex()
    with pytest.raises(SluisError) as caught:
        place.write(place.old, lambda tx: tx.append("access", access_body()))
    assert caught.value.code is Code.LOG_SEALED
    assert NEW in caught.value.message
    place.verify(place.old)
    mark = high_water_mark(place.old)
    assert mark is not None
    assert (mark.size, mark.next) == (7, NEW)


def test_the_store_itself_takes_no_leaf_after_the_seal(place: Place) -> None:
    seal(place)
    with own_log(place.old, CLOCK.now(), followed_by=NEW) as log, log.store.batch(CLOCK.now()) as batch:
        with pytest.raises(SluisError) as caught, batch.savepoint():
            batch.transaction.append("access", access_body())
        assert caught.value.code is Code.LOG_SEALED
        batch.transaction.sealed = False  # were the guard to fail, the database would not
        batch.transaction.append("access", access_body())
        with pytest.raises(SluisError) as caught:
            batch.commit("a note")
        assert caught.value.code is Code.LOG_UNAVAILABLE


def test_a_work_that_fails_after_its_seal_leaves_the_log_open(place: Place) -> None:
    def work(tx: Transaction) -> None:
        tx.append("seal", {"next_origin": NEW, "next_key": "x"})
        raise ValueError

    with place.serving(place.old) as sequencer:
        with pytest.raises(ValueError):
            sequencer.submit(work)
        sequencer.submit(lambda tx: tx.append("access", access_body()))


def test_what_was_spent_stays_spent_in_the_log_that_follows(place: Place) -> None:
    place.write(place.old, fill)
    assert seal(place).carried == 2
    reader = open_log(place.new)
    assert dict(reader.counters()) == {TODAY: 3, COUNTS: 2}
    assert reader.document(*POLICY_FLOOR) == b'{"digest": "' + b"ab" * 32 + b'", "revision": 4}'
    assert reader.document(DOCUMENT, "sna-overzicht") is not None
    reader.close()
    carried = place.entries(place.new)[1]
    assert carried.kind == "config"
    assert carried.body == {
        "what": "carried",
        "counters": {TODAY: 3, COUNTS: 2},
        "policy": {"digest": "ab" * 32, "revision": 4},
        "suspended": {"sna-overzicht": [{"notice": "00" * 8, "since": time_text(START)}]},
    }
    place.verify(place.new)


@pytest.mark.parametrize(
    ("at", "counter", "binds"),
    [
        (datetime(2026, 12, 28, 22, tzinfo=UTC), "counts/nla/sna/sna-overzicht/2026-11", True),
        (datetime(2026, 12, 28, 23, tzinfo=UTC), "counts/nla/sna/sna-overzicht/2026-11", False),
        (datetime(2027, 1, 5, tzinfo=UTC), "subjects/nla/snf-locatie/2026Q4.2", True),
        (datetime(2027, 2, 5, tzinfo=UTC), "subjects/nla/snf-locatie/2026Q4.2", False),
        (datetime(2026, 11, 5, tzinfo=UTC), "subjects/nla/snf-locatie/2026Q4.2", True),
    ],
)
def test_what_was_spent_under_an_epoch_that_may_still_be_asked_under_binds(
    at: datetime, counter: str, binds: bool
) -> None:
    reader: Any = SimpleNamespace(counters=lambda: [(counter, 4)], document=lambda *_: None, documents=lambda *_: [])
    assert carried_from(reader, at).counters == ({counter: 4} if binds else {})


def test_more_counters_than_one_entry_holds(place: Place) -> None:
    names = [requests_counter("party-" + "a" * 57, f"purpose-{n:03}" + "b" * 51, CLOCK.at) for n in range(400)]
    place.write(place.old, lambda tx: [tx.debit(name, 1) for name in names])
    assert seal(place).carried == 400
    bodies = [entry.body for entry in place.entries(place.new)[1:]]
    assert [len(body["counters"]) for body in bodies] == [150, 150, 100]
    place.verify(place.new)


def test_asks_that_are_open_are_closed_before_the_seal(place: Place) -> None:
    place.write(place.old, lambda tx: tx.open_exchange(state_of(tx.append("ask", ask_body(tx.sequenced_at)))))
    seal(place)
    kinds = [(entry.kind, entry.body.get("outcome")) for entry in place.entries(place.old)[-3:]]
    assert kinds == [("ask", None), ("release", "unknown"), ("seal", None)]


SEALING: list[tuple[object, str, bool]] = [
    (log_life, "end_log", False),
    (log_life, "end_log", True),
    (ending, "check_writer", False),
    (FileHighWater, "advance", False),
    (FileHighWater, "advance", True),
    (log_life, "_cosignatures", True),
    (log_life, "keep_cosigned", True),
    (FileHighWater, "create", True),
    (log_life, "genesis", False),
    (log_life, "genesis", True),
    (log_life, "claim", False),
    (log_life, "close_mark", False),
    (log_life, "close_mark", True),
]


@pytest.mark.parametrize(("where", "name", "after"), SEALING)
def test_an_end_killed_anywhere_is_run_again(place: Place, where: object, name: str, after: bool) -> None:
    place.write(place.old, fill)
    kill_at(lambda: seal(place), where, name, after=after)
    for _ in range(2):
        seal(place)
    assert [entry.kind for entry in place.entries(place.old)].count("seal") == 1
    assert [entry.kind for entry in place.entries(place.new)] == ["genesis", "config"]
    place.verify(place.old)
    place.verify(place.new)
    place.write(place.new, lambda tx: tx.append("access", access_body()))


WRONG_PAIRS: list[tuple[str, Callable[[Place], Config]]] = [
    ("origin", lambda place: place.new.model_copy(update={"origin": OLD})),
    ("environment", lambda place: place.new.model_copy(update={"environment": Environment.PRODUCTION})),
    ("data", lambda place: place.new.model_copy(update={"data": place.old.data})),
    ("keys", lambda place: place.new.model_copy(update={"keys": place.old.keys})),
    ("high_water", lambda place: place.new.model_copy(update={"high_water": None})),
    ("high_water", lambda place: place.new.model_copy(update={"high_water": place.old.high_water})),
]


@pytest.mark.parametrize(("word", "change"), WRONG_PAIRS)
def test_two_configurations_that_do_not_go_together(place: Place, word: str, change: Callable[[Place], Config]) -> None:
    with pytest.raises(SluisError, match=f"--next-config: {word}"):
        log_life.seal(place.old, change(place), CLOCK, SystemEntropy())
    assert place.entries(place.old)[-1].kind == "access"


def test_a_sealed_log_is_followed_by_one_log_only(place: Place, tmp_path: Path) -> None:
    seal(place)
    third = config_of(tmp_path, "sluis.example/third", "third")
    make_keys(third)
    with pytest.raises(SluisError) as caught:
        log_life.seal(place.old, third, CLOCK, SystemEntropy())
    assert caught.value.code is Code.LOG_SEALED


def test_a_next_log_that_was_begun_too_early_is_refused(place: Place) -> None:
    place.write(place.new, lambda tx: tx.append("access", access_body()))
    with pytest.raises(SluisError, match="was begun before, and not as the one that follows"):
        seal(place)


def test_nothing_is_done_while_a_broker_serves(place: Place) -> None:
    with place.serving(place.old):
        for work in (lambda: seal(place), lambda: log_life.rotate_log_key(place.old, CLOCK.now())):
            with pytest.raises(SluisError, match="another broker has this database open"):
                work()


# a loss
def lose(place: Place, tmp_path: Path, count: int = 3) -> None:
    """Entries are written that the database then does not have any more."""
    place.write(place.old, fill)
    shutil.copytree(place.old.data, tmp_path / "backup")
    place.write(place.old, lambda tx: tx.append("access", access_body("snf")), count)
    shutil.rmtree(place.old.data)
    shutil.copytree(tmp_path / "backup", place.old.data)


def recover(place: Place, loss: Loss | None = None) -> log_life.Followed:
    loss = loss or assess(place.old, [], CLOCK.now())
    return log_life.recover(place.old, place.new, loss, "disk failure, last backup of the night", CLOCK)


def test_a_loss_is_named_in_the_log_that_follows(place: Place, tmp_path: Path) -> None:
    lose(place, tmp_path)
    with pytest.raises(SluisError) as caught:
        place.write(place.old, lambda tx: tx.append("access", access_body()))
    assert caught.value.code is Code.LOG_SHRUNK
    before = (place.old.data / "sluis.db").read_bytes()
    last = place.entries(place.old)[-1].sequenced_at
    recover(place)
    assert (place.old.data / "sluis.db").read_bytes() == before
    first, lost, carried = place.entries(place.new)[:3]
    assert (first.body["previous"]["size"], first.body["previous"]["reason"]) == (9, "recovered")
    assert (lost.kind, lost.body["what"], lost.body["detail"]) == (
        "recovery",
        "entries-lost",
        "disk failure, last backup of the night",
    )
    assert (lost.body["found_size"], lost.body["known_size"], lost.body["origin"]) == (6, 9, OLD)
    assert lost.body["from"] == time_text(last)
    assert lost.body["until"] > lost.body["from"]
    assert carried.body["counters"] == {TODAY: 3, COUNTS: 2}
    place.verify(place.new)
    with pytest.raises(SluisError) as caught:
        place.write(place.old, lambda tx: tx.append("access", access_body()))
    assert caught.value.code is Code.LOG_SEALED


def test_nothing_lost_is_nothing_to_recover(place: Place) -> None:
    with pytest.raises(SluisError, match="nothing is lost"):
        assess(place.old, [], CLOCK.now())


def test_a_participants_checkpoint_tells_when_the_high_water_file_is_gone_too(place: Place, tmp_path: Path) -> None:
    lose(place, tmp_path)
    mark = high_water_mark(place.old)
    assert mark is not None
    assert place.old.high_water is not None
    place.old.high_water.unlink()
    with pytest.raises(SluisError, match="--known"):
        assess(place.old, [], CLOCK.now())
    with pytest.raises(SluisError, match="held by snf is no checkpoint that the log"):
        assess(place.old, [("held by snf", mark.note.replace(OLD, NEW))], CLOCK.now())
    loss = assess(place.old, [("held by snf", mark.note)], CLOCK.now())
    assert (loss.found[0], loss.known.size) == (6, 9)
    recover(place, loss)
    place.verify(place.new)


def test_a_database_that_is_gone_whole(place: Place) -> None:
    shutil.rmtree(place.old.data)
    loss = assess(place.old, [], CLOCK.now())
    assert (loss.found[0], loss.known.size, loss.since, loss.unreadable) == (0, 6, None, True)
    recover(place, loss)
    assert place.entries(place.new)[1].body["found_size"] == 0
    place.verify(place.new)


def test_a_forked_database_is_recovered_from_without_a_time_since(place: Place, tmp_path: Path) -> None:
    lose(place, tmp_path)
    forked = replace_high_water(place.old)
    place.write(forked, lambda tx: tx.append("access", access_body("sna")), 5)
    loss = assess(place.old, [], CLOCK.now())
    assert (loss.found[0], loss.known.size, loss.since) == (11, 9, None)
    recover(place, loss)
    place.verify(place.new)


@pytest.mark.parametrize("ended", ["sealed", "recovered"])
def test_a_log_that_was_followed_is_not_recovered_from_a_second_time(place: Place, tmp_path: Path, ended: str) -> None:
    """An old copy is put back after the end: what it lacks lives on in the log that followed."""
    lose(place, tmp_path)
    if ended == "recovered":
        recover(place)
    else:
        shutil.rmtree(place.old.data)
        assert place.old.high_water is not None
        place.old.high_water.unlink()
        place.write(place.old, lambda tx: tx.append("access", access_body()), 9)
        shutil.copytree(place.old.data, tmp_path / "newer")
        seal(place)
        shutil.rmtree(place.old.data)
        shutil.copytree(tmp_path / "newer", place.old.data)
    third = config_of(tmp_path, "sluis.example/third", "third")
    make_keys(third)
    loss = assess(place.old, [], CLOCK.now())
    with pytest.raises(SluisError, match=f"{NEW} followed") as caught:
        log_life.recover(place.old, third, loss, "disk failure", CLOCK)
    assert caught.value.code is Code.LOG_SEALED
    assert not third.data.exists()


def test_no_log_is_given_up_beside_a_broker_that_serves_it(place: Place, tmp_path: Path) -> None:
    lose(place, tmp_path)
    loss = assess(place.old, [], CLOCK.now())
    with place.serving(replace_high_water(place.old)), pytest.raises(SluisError, match="another broker has this"):
        recover(place, loss)
    with (
        closing(FileHighWater(place.old.high_water or tmp_path)),
        pytest.raises(SluisError, match="another broker holds"),
    ):
        recover(place, loss)
    assert not place.new.data.exists()
    recover(place, loss)


def replace_high_water(config: Config) -> Config:
    return config.model_copy(update={"high_water": None})


RECOVERING: list[tuple[object, str, bool]] = [
    (FileHighWater, "create", True),
    (log_life, "genesis", False),
    (log_life, "genesis", True),
    (log_life, "claim", True),
    (log_life, "end_mark", False),
    (log_life, "end_mark", True),
]


@pytest.mark.parametrize(("where", "name", "after"), RECOVERING)
def test_a_recovery_killed_anywhere_is_run_again(
    place: Place, tmp_path: Path, where: object, name: str, after: bool
) -> None:
    lose(place, tmp_path)
    kill_at(lambda: recover(place), where, name, after=after)
    for _ in range(2):
        recover(place)
    assert [entry.kind for entry in place.entries(place.new)] == ["genesis", "recovery", "config"]
    place.verify(place.new)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "a" * 301, "of 999993653", "of 999 993 653"])
def test_a_reason_that_cannot_stand_in_a_log(place: Place, tmp_path: Path, reason: str) -> None:
    lose(place, tmp_path)
    loss = assess(place.old, [], CLOCK.now())
    with pytest.raises(SluisError, match="--reason"):
        log_life.recover(place.old, place.new, loss, reason, CLOCK)
    assert not place.new.data.exists()


def test_the_last_checkpoint_is_cosigned_and_a_witness_tells_of_a_loss(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OwnWitness(tmp_path / "witness", "witness.example/one", [verifier_key(place.old)], CLOCK) as witness:

        def ends(config: Config) -> tuple[object, ...]:
            return (witness.end(),) if config.origin == OLD else ()

        monkeypatch.setattr(log_life, "witness_ends", ends)
        monkeypatch.setattr(log_loss, "witness_ends", ends)
        seal(place)
        note = place.entries(place.new)[0].body["previous"]["checkpoint"]
        reader = open_log(place.old)
        log_key = parse_verifier_key(key_periods(reader)[-1][1])
        reader.close()
        cosigned = verify_cosigned(note, log_key, [parse_witness_key(witness.vkey)])
        assert list(cosigned.at) == ["witness.example/one"]
        assert cosigned.checkpoint.size == 7
        assert place.old.high_water is not None
        place.old.high_water.unlink()
        shutil.rmtree(place.old.data)
        loss = log_loss.assess(place.old, [], CLOCK.now())
        assert (loss.found[0], loss.known.size) == (0, 7), "the witness tells what the database held"


def test_the_next_log_goes_on_from_the_policy_set_that_was_in_force(tmp_path: Path) -> None:
    rules = PolicyRules([public(key) for key in SIGNERS], 2, False, lambda _: None)
    scope = Scope(ORIGIN, Environment.TEST)
    in_force = policy_set(policy_bundle(revision=2))
    with Log(tmp_path) as log:
        carried = Carried(policy={"digest": in_force.digest, "revision": 2})
        log.sequencer.submit(carried.write)
        held = InForce(sequencer=log.sequencer, reader=log.reader, clock=log.clock, scope=scope, rules=rules)
        for bundle, words in (
            (policy_bundle(revision=1), "lower than 2, in force when the log before this one ended"),
            (policy_bundle(revision=2, shadow=True), "another policy set was in force under revision 2"),
        ):
            with pytest.raises(SluisError, match=words) as caught:
                held.open(bundle)
            assert caught.value.code is Code.POLICY_REVISION_LOWER
        assert held.open(policy_bundle(revision=2)) is None
        assert [parse_leaf(entry.leaf).kind for entry in log.reader.entries(0, 9)] == ["genesis", "config", "policy"]
