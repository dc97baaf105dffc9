"""How far a log is witnessed, and what an outage, a restart, a lie or a fork makes of it. Real log, real witnesses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest
from log_kit import FakeClock, Keys, Log, access_body
from witnesses import OwnWitness, answering, liar, lie

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key, sign_checkpoint
from broker.exchange_log.cosignature import COSIGNED, NEWEST, cosign, cosignatures, cosigned_key, verify_cosigned
from broker.exchange_log.ending import change_key
from broker.witness.calling import WitnessEnd
from broker.witness.feeding import CLAIMS, CLOCK, CONTRADICTS, FINE, Feeder
from broker.witness.standing import STRICT, Standing
from broker.witness.wire import write_add_checkpoint

GRACE = timedelta(minutes=15)
BEAT = 0.02
OLDER = sign_checkpoint(Keys().signer, parse_verifier_key(Keys().signer.verifier_key), 1, bytes(32))


def wait_for(what: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


class Fed:
    """A log and what its witnesses make of it."""

    def __init__(self, log: Log, ends: list[WitnessEnd], quorum: int, grace: timedelta = GRACE) -> None:
        self.log = log
        self.told: list[tuple[str, str, str]] = []
        self.key = parse_verifier_key(log.keys.signer.verifier_key)
        self.standing = Standing(
            reader=log.reader,
            submit=lambda work: log.sequencer.submit(work).value,
            log_key=self.key,
            witnesses=[end.key for end in ends],
            quorum=quorum,
            grace=grace,
            clock=log.clock,
        )
        self.feeder = Feeder(log.reader, self.standing, ends, lambda *one: self.told.append(one), BEAT)

    def __enter__(self) -> Self:
        self.feeder.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.feeder.stop()

    def grow(self, count: int = 1) -> int:
        for _ in range(count):
            self.log.sequencer.submit(lambda tx: tx.append("access", access_body()))
        return self.log.reader.size()

    def code(self) -> str:
        refusal = self.standing.refusal()
        return "" if refusal is None else refusal.code.name

    def states(self, name: str) -> list[str]:
        return [state for _, witness, state in self.told if witness == name]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log(tmp_path) as one:
        yield one


def make(tmp_path: Path, log: Log, *names: str) -> list[OwnWitness]:
    vkeys = [log.keys.signer.verifier_key]
    return [OwnWitness(tmp_path / name, f"witness.example/{name}", vkeys, log.clock) for name in names]


def test_what_is_logged_is_soon_witnessed_and_kept(tmp_path: Path, log: Log) -> None:
    one, two = make(tmp_path, log, "w1", "w2")
    with one, two, Fed(log, [one.end(), two.end()], quorum=2) as fed:
        size = fed.grow(5)
        wait_for(lambda: fed.standing.size == size)
        assert fed.code() == ""
        note = (log.reader.document(*NEWEST) or b"").decode()
        cosigned = verify_cosigned(note, fed.key, [one.key.public, two.key.public])
        assert (cosigned.checkpoint.size, len(cosigned.at)) == (size, 2)
        assert log.reader.document(COSIGNED, cosigned_key(size)) == note.encode()
        assert note.startswith(log.reader.checkpoint()[1])
        assert fed.told == []


def test_an_outage_freezes_nothing_before_its_time(tmp_path: Path, log: Log) -> None:
    (one,) = make(tmp_path, log, "w1")
    with one, Fed(log, [one.end()], quorum=1) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size())
        one.stop()
        log.clock.at += timedelta(hours=9)
        assert fed.code() == "", "a log that does not grow stays witnessed"
        size = fed.grow()
        log.clock.at += timedelta(minutes=14, seconds=59)
        assert fed.code() == ""
        fed.grow()
        log.clock.at += timedelta(seconds=2)
        refusal = fed.standing.refusal()
        assert refusal is not None
        assert refusal.code is Code.LOG_UNWITNESSED
        assert refusal.retry_after_ms
        assert size < log.reader.size()
        wait_for(lambda: fed.states("witness.example/w1"))
        one.start()
        wait_for(lambda: fed.code() == "")
        wait_for(lambda: fed.standing.size == log.reader.size())
        assert fed.states("witness.example/w1") == ["unreachable", FINE]


def test_a_restart_does_not_begin_the_grace_anew(tmp_path: Path, log: Log) -> None:
    (one,) = make(tmp_path, log, "w1")
    with one, Fed(log, [one.end()], quorum=1) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size())
    witnessed = log.reader.size()
    fed.grow()
    log.clock.at += timedelta(minutes=16)
    again = Fed(log, [one.end()], quorum=1)
    assert again.standing.size == witnessed
    assert again.code() == "LOG_UNWITNESSED"
    stranger = OwnWitness(tmp_path / "other", "witness.example/other", [])
    stranger.port = 1
    assert Fed(log, [stranger.end()], quorum=1).standing.size == 0, "other witnesses begin anew"


def test_strict_leaves_only_the_time_of_a_round(tmp_path: Path, log: Log) -> None:
    (one,) = make(tmp_path, log, "w1")
    one.port = 1
    fed = Fed(log, [one.end()], quorum=1, grace=timedelta(0))
    log.clock.step = timedelta(0)
    assert fed.code() == ""
    log.clock.at += STRICT + timedelta(seconds=1)
    assert fed.code() == "LOG_UNWITNESSED"


def test_one_of_two_is_no_quorum_and_two_of_three_is(tmp_path: Path, log: Log) -> None:
    one, two, three = make(tmp_path, log, "w1", "w2", "w3")
    two.port = three.port = 1
    with one, Fed(log, [one.end(), two.end(), three.end()], quorum=2) as fed:
        wait_for(lambda: log.reader.document(COSIGNED, cosigned_key(log.reader.size())))
        assert fed.standing.size == 0
        log.clock.at += GRACE * 2
        assert fed.code() == "LOG_UNWITNESSED"
    two.port = 0
    with one, two, Fed(log, [one.end(), two.end(), three.end()], quorum=2) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size())
        assert fed.code() == ""


def test_lines_of_one_size_come_together_over_a_restart(tmp_path: Path, log: Log) -> None:
    one, two = make(tmp_path, log, "w1", "w2")
    with one, Fed(log, [one.end()], quorum=1) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size())
    with two, Fed(log, [two.end()], quorum=1) as fed:
        wait_for(lambda: not fed.feeder._threads or fed.standing.size == log.reader.size())
    note = (log.reader.document(COSIGNED, cosigned_key(log.reader.size())) or b"").decode()
    assert set(cosignatures(parse_checkpoint(note), [one.key.public, two.key.public])) == {
        "witness.example/w1",
        "witness.example/w2",
    }


def test_a_witness_that_was_away_catches_up(tmp_path: Path, log: Log) -> None:
    (one,) = make(tmp_path, log, "w1")
    with one, Fed(log, [one.end()], quorum=1) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size())
    for _ in range(3):
        fed.grow(7)
        with one, Fed(log, [one.end()], quorum=1) as fed:
            wait_for(lambda: fed.standing.size == log.reader.size())
            assert fed.told == []


@pytest.mark.parametrize("kind", ["another tree", "another key", "garbage", "nothing"])
def test_a_liar_does_not_count_and_stops_nothing(tmp_path: Path, log: Log, kind: str) -> None:
    (one,) = make(tmp_path, log, "w1")
    other = liar("witness.example/liar")
    with (
        answering(lambda _: lie(kind, other, log.reader.checkpoint()[1], OLDER)) as url,
        one,
        Fed(log, [one.end(), WitnessEnd(url, other.public)], quorum=1) as fed,
    ):
        wait_for(lambda: fed.standing.size == log.reader.size() and fed.states("witness.example/liar"))
        assert fed.code() == ""
        assert fed.states("witness.example/liar")[0] in ("cosignature wrong", "answer malformed")


@pytest.mark.parametrize(
    "answer", [(422, "text/plain", b"no\n"), (409, "text/x.tlog.size", b"9000\n"), (500, "text/plain", b"")]
)
def test_a_word_without_proof_stops_nothing_before_the_grace(
    tmp_path: Path, log: Log, answer: tuple[int, str, bytes]
) -> None:
    other = liar("witness.example/liar")

    def reply(body: bytes) -> tuple[int, str, bytes]:
        return answer if body else (404, "text/plain", b"")

    with answering(reply) as url, Fed(log, [WitnessEnd(url, other.public)], quorum=1) as fed:
        wait_for(lambda: fed.states("witness.example/liar"))
        assert fed.states("witness.example/liar")[0] in (CLAIMS, "status 500")
        assert fed.code() == ""
        log.clock.at += GRACE * 2
        assert fed.code() == "LOG_UNWITNESSED"


def test_a_fork_is_refused_by_the_witness_and_stops_the_broker_at_once(tmp_path: Path) -> None:
    """A database put back from an old copy goes on under the same key: what the witness holds proves it."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with Log(first) as log:
        (one,) = make(tmp_path, log, "w1")
        with one, Fed(log, [one.end()], quorum=1) as fed:
            size = fed.grow(9)
            wait_for(lambda: fed.standing.size == size)
    with Log(second, clock=FakeClock(step=timedelta(milliseconds=3))) as log, one:
        with Fed(log, [one.end()], quorum=1) as fed:
            wait_for(lambda: fed.code() == "LOG_FORKED")  # it has fewer entries than the witness holds
            assert fed.states("witness.example/w1") == [CONTRADICTS]
            fed.grow(12)
            wait_for(lambda: log.reader.size() > size)
            time.sleep(5 * BEAT)
            assert fed.code() == "LOG_FORKED"
            refusal = fed.standing.refusal()
            assert refusal is not None
            assert refusal.retry_after_ms is None
        with Fed(log, [one.end()], quorum=1) as fed:  # now it has more, and offers a proof that leads nowhere
            wait_for(lambda: fed.code() == "LOG_FORKED")
            assert list(one.directory.glob("logs/*/contradicting-*"))


def test_one_of_three_that_shows_another_tree_stops_nothing(tmp_path: Path, log: Log) -> None:
    one, two, odd = make(tmp_path, log, "w1", "w2", "odd")
    forged = sign_checkpoint(log.keys.signer, parse_verifier_key(log.keys.signer.verifier_key), 500, bytes(32))
    with one, two, odd:
        assert odd.witness is not None
        assert odd.witness.add_checkpoint(write_add_checkpoint(0, (), forged)).status == 200
        with Fed(log, [one.end(), two.end(), odd.end()], quorum=2) as fed:
            wait_for(lambda: fed.standing.size == log.reader.size() and fed.states("witness.example/odd"))
            assert fed.states("witness.example/odd") == [CONTRADICTS]
            assert fed.code() == ""


def test_stop_waits_for_no_witness(log: Log) -> None:
    other = liar("witness.example/liar")
    called, released = threading.Event(), threading.Event()

    def hangs(_: bytes) -> tuple[int, str, bytes]:
        called.set()
        released.wait(300)
        return 500, "text/plain", b""

    with answering(hangs) as url:
        fed = Fed(log, [WitnessEnd(url, other.public, seconds=300)], quorum=1)
        fed.feeder.start()
        assert called.wait(60)
        ending = threading.Thread(target=lambda: (fed.feeder.stop(), fed.feeder.settle(300)), daemon=True)
        ending.start()
        ending.join(60)
        assert not ending.is_alive(), "it waits for a witness that hangs"
        released.set()
        fed.feeder._threads[1].join(60)
        assert not fed.feeder._threads[1].is_alive()
        assert fed.told == [], "what it answers after the stop changes nothing"


def test_a_log_that_cannot_be_written_loses_the_cosignature_and_gets_it_again(tmp_path: Path, log: Log) -> None:
    (one,) = make(tmp_path, log, "w1")
    failing = [True]

    with one:
        fed = Fed(log, [one.end()], quorum=1)
        submit = fed.standing._submit

        def sometimes(work: object) -> bool:
            if failing[0]:
                raise SluisError(Code.LOG_UNAVAILABLE, "no")
            return submit(work)

        fed.standing._submit = sometimes
        with fed:
            wait_for(lambda: fed.states("witness.example/w1") == ["LOG_UNAVAILABLE"])
            assert fed.standing.size == 0
            failing[0] = False
            wait_for(lambda: fed.standing.size == log.reader.size())


@pytest.mark.parametrize("off", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=30_000)])
def test_a_cosignature_of_another_time_is_not_kept(tmp_path: Path, log: Log, off: timedelta) -> None:
    """One lying witness, or one wrong clock, would put a finding into every bundle."""
    one, odd = make(tmp_path, log, "w1", "odd")
    odd.clock = FakeClock(log.clock.at + off)
    with one, odd, Fed(log, [one.end(), odd.end()], quorum=1) as fed:
        wait_for(lambda: fed.standing.size == log.reader.size() and fed.states("witness.example/odd"))
        assert fed.states("witness.example/odd") == [CLOCK]
        for _, note in log.reader.documents(COSIGNED):
            found = cosignatures(parse_checkpoint(note.decode()), [one.key.public, odd.key.public])
            assert list(found) == ["witness.example/w1"]
        assert fed.code() == ""


def test_a_witness_whose_clock_goes_back_is_not_kept_and_a_restart_remembers(tmp_path: Path, log: Log) -> None:
    key = liar("witness.example/back")
    at = [log.clock.at + timedelta(minutes=1)]

    def sign(body: bytes) -> tuple[int, str, bytes]:
        if not body:
            return 404, "text/plain", b""
        note = body.decode().partition("\n\n")[2]
        return 200, "text/plain", cosign(key.public, key.sign, parse_checkpoint(note).body, at[0]).encode()

    with answering(sign) as url:
        with Fed(log, [WitnessEnd(url, key.public)], quorum=1) as fed:
            wait_for(lambda: fed.standing.size == log.reader.size())
            at[0] -= timedelta(seconds=2)
            fed.grow()
            wait_for(lambda: fed.states(key.public.name) == [CLOCK])
        with Fed(log, [WitnessEnd(url, key.public)], quorum=1) as fed:
            wait_for(lambda: fed.states(key.public.name) == [CLOCK])
            at[0] += timedelta(seconds=2)
            wait_for(lambda: fed.standing.size == log.reader.size())


def test_what_was_witnessed_under_the_key_before_stays_witnessed(tmp_path: Path) -> None:
    """Else a change of the log key would stop questions at once where a witness is not told in time."""
    with Log(tmp_path) as log:
        (one,) = make(tmp_path, log, "w1")
        with one, Fed(log, [one.end()], quorum=1) as fed:
            wait_for(lambda: fed.standing.size == log.reader.size())
        witnessed = log.reader.size()
        log.sequencer.stop()
        new = Keys("b")
        change_key(log.store, log.keys.signer, new.signer, log.clock.now(), None)
    with Log(tmp_path, new, log.clock) as again:
        standing = Standing(
            reader=again.reader,
            submit=lambda work: again.sequencer.submit(work).value,
            log_key=parse_verifier_key(new.signer.verifier_key),
            witnesses=[one.key.public],
            quorum=1,
            grace=GRACE,
            clock=again.clock,
            earlier_keys=[parse_verifier_key(log.keys.signer.verifier_key)],
        )
        assert standing.size == witnessed
        assert standing.refusal() is None
        again.clock.at += GRACE * 2
        assert standing.refusal() is not None


def test_entries_dated_ahead_by_a_clock_that_was_wrong_do_not_hold_the_grace_open(tmp_path: Path, log: Log) -> None:
    log.clock.at += timedelta(days=400)
    log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    log.clock.at -= timedelta(days=400)
    (one,) = make(tmp_path, log, "w1")
    one.port = 1
    fed = Fed(log, [one.end()], quorum=1)
    fed.standing._size = log.reader.size() - 1
    assert fed.code() == ""
    log.clock.at += GRACE + timedelta(seconds=1)
    assert fed.code() == "LOG_UNWITNESSED"
