"""Live questions: an answerer without a register answers from its own file, while its asker waits."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import verified_by_both
from sluis_client import ask
from sluis_client.answers import CheckedAnswer
from sluis_client.errors import ClientError
from sluis_client.live import LiveAnswerer, Told
from sluis_client.live_transport import LiveQuestion
from sluis_client.participant import Participant
from sluis_client.register_table import Plan, prepare
from sluis_client.tables import read_table
from test_agency import BAGS, PURPOSE, agency, put_in_force, question, share_key, world_of, write_profile
from test_agency_rectifying import Desk
from world import World

pytestmark = pytest.mark.slow
FILE = "purposes/snf-locatie.yaml"
HEADER = "bag;beds;certificate-status;valid-until;last-inspection\n"
RECORDS = HEADER + "".join(f"{bag};{number % 100};geldig;2027-01-01;\n" for number, bag in enumerate(BAGS[:100]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    def bend(texts: dict[str, str]) -> dict[str, str]:
        return {**texts, FILE: texts[FILE].replace("\nabout:", "\nanswers_live: [snf]\nabout:")}

    limits = {"answer_grid_ms": 0, "live_wait_seconds": 5}
    with world_of(tmp_path, "snf", "utrecht", bend=bend, limits=limits) as made:
        share_key(made)
        yield made


def answerer(world: World, party: str = "snf") -> LiveAnswerer:
    me = agency(world, party)
    plan = Plan(PURPOSE, "bag", world.clock.now() - timedelta(days=1), "all certified locations")
    return LiveAnswerer(me, plan, prepare(me.purpose(PURPOSE), plan, read_table(RECORDS.encode())))


@contextmanager
def watching(world: World) -> Iterator[list[Told]]:
    """An answerer at work in a thread of its own."""
    told: list[Told] = []
    ended = threading.Event()
    one = answerer(world)

    def stop(made: Told | None) -> bool:
        if made is not None:
            told.append(made)
        return ended.is_set()

    thread = threading.Thread(target=lambda: one.watch(1, stop=stop))
    thread.start()
    try:
        yield told
    finally:
        ended.set()
        thread.join(30)


def ask_of(world: World, bags: list[str], **more: Any) -> CheckedAnswer:
    (answer,) = ask.ask(agency(world, "utrecht"), *question(bags), **more).answers
    return answer


def bodies(world: World, kind: str) -> list[dict[str, Any]]:
    assert world.broker is not None
    reader = world.broker._store.reader
    entries = (json.loads(entry.leaf) for entry in reader.entries(0, reader.size()))
    return [entry["body"] for entry in entries if entry["kind"] == kind]


def test_the_whole_road_and_no_two_questions_share_a_pseudonym(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LiveQuestion] = []
    take = type(agency(world, "snf").transport).take_question

    def spying(self: Any, purpose: str, seconds: int) -> LiveQuestion | None:
        found: LiveQuestion | None = take(self, purpose, seconds)
        if found is not None:
            seen.append(found)
        return found

    monkeypatch.setattr("sluis_client.client.GrpcTransport.take_question", spying)
    with watching(world) as told:
        first = ask_of(world, BAGS[90:130])
        again = ask_of(world, BAGS[90:130], anew=True)
        none = ask_of(world, BAGS[200:203])
    assert (first.status, first.hits, again.hits) == ("ANSWERED", 10, 10)
    assert {row.position: row.values["beds"] for row in first.rows} == {n: str(90 + n) for n in range(10)}
    assert (none.status, none.hits) == ("ANSWERED", 0)
    assert first.register is not None
    assert first.register.coverage == "all certified locations"
    tokens = [{one.columns[0].pseudonyms[at : at + 16] for at in range(0, 40 * 16, 16)} for one in seen[:2]]
    assert len(tokens[0]) == len(tokens[1]) == 40
    assert not tokens[0] & tokens[1]
    signed = [body for body in bodies(world, "notice") if body["what"] == "live-answer"]
    assert [one.index is not None for one in told] == [True] * 3
    assert len(signed) == 3
    assert all(ask["register"] is None for ask in bodies(world, "ask"))
    # how many rows there were may tell about a person: it stands in no entry
    assert not any({"hits", "digest"} & {*body["statement"], *body} for body in signed)
    verified_by_both(world)


def test_who_is_not_there_is_told_apart_from_no_hit_and_repeats_are_not_put_again(world: World) -> None:
    answer = ask_of(world, BAGS[:2], keep_open=True)
    assert (answer.status, answer.rows, answer.register) == ("NOT_THERE", (), None)
    with watching(world) as told:
        assert ask_of(world, BAGS[:2], keep_open=True).status == "NOT_THERE"
        assert ask_of(world, BAGS[:2], anew=True).hits == 2
    assert len(told) == 1
    verified_by_both(world)


def test_an_answered_question_is_repeated_from_what_is_kept(world: World) -> None:
    with watching(world) as told:
        first = ask_of(world, BAGS[:3], keep_open=True)
    again = ask_of(world, BAGS[:3])
    assert (again.hits, again.release_index) == (3, first.release_index)
    assert [dict(row.values) for row in again.rows] == [dict(row.values) for row in first.rows]
    assert len(told) == 1
    verified_by_both(world)


def test_an_answerer_killed_with_the_question_in_hand_finds_it_again(world: World) -> None:
    results: list[CheckedAnswer] = []
    asking = threading.Thread(target=lambda: results.append(ask_of(world, BAGS[:4])))
    asking.start()
    taken = agency(world, "snf").transport.take_question(PURPOSE, 4)  # and dies
    assert taken is not None
    assert agency(world, "snf").transport.take_question(PURPOSE, 0) is None
    world.clock.at += timedelta(seconds=6)
    one = answerer(world)
    told: list[Told] = []
    one.watch(0, stop=lambda made: made is None or bool(told.append(made)))
    asking.join(30)
    assert results[0].hits == 4
    assert told[0].index is not None
    late = answerer(world).answer(taken)
    assert late.index is None
    assert late.refused.startswith("NOT_FOUND")
    verified_by_both(world)


def test_an_asker_cut_off_repeats_and_is_answered_under_the_logged_decision(world: World) -> None:
    """The broker stops between the ask and the answer; the same request is offered again."""
    utrecht = agency(world, "utrecht")
    plan, table = question(BAGS[:4])
    failed: list[ClientError] = []

    def cut() -> None:
        try:
            ask.ask(utrecht, plan, table)
        except ClientError as error:
            failed.append(error)

    asking = threading.Thread(target=cut)
    asking.start()
    assert agency(world, "snf").transport.take_question(PURPOSE, 4) is not None
    assert world.broker is not None
    world.broker._sequencer.stop()  # no release can be logged any more: nothing may leave
    asking.join(60)
    assert failed
    world.stop()
    world.start()
    for party in ("snf", "utrecht"):
        write_profile(world, party)
    with watching(world) as told:
        again = ask.ask(agency(world, "utrecht"), plan, table)
    assert again.repeated
    assert again.answers[0].hits == 4
    assert len(told) == 1
    assert len(bodies(world, "ask")) == 1
    verified_by_both(world)


def test_a_live_answerer_deposits_no_register_and_nobody_else_takes_its_questions(world: World) -> None:
    with pytest.raises(ClientError, match="it deposits no register"):
        put_in_force(world)
    for party in ("utrecht", "snf"):
        transport = agency(world, party).transport
        if party == "snf":
            assert transport.take_question(PURPOSE, 0) is None
            continue
        with pytest.raises(ClientError) as caught:
            transport.take_question(PURPOSE, 0)
        assert caught.value.code == "POLICY_DENIES"
    with pytest.raises(ClientError, match="does not let utrecht answer"):
        answerer(world, "utrecht")


def test_the_answerer_refuses_questions_that_are_not_what_was_signed_and_logged(world: World) -> None:
    """A broker that makes questions up, or puts other rows into one, gets no answer."""
    taken: list[LiveQuestion] = []
    asking = threading.Thread(target=lambda: ask_of(world, BAGS[:2]))
    asking.start()
    found = agency(world, "snf").transport.take_question(PURPOSE, 4)
    assert found is not None
    taken.append(found)
    one = answerer(world)
    column = found.columns[0]
    swapped = type(column)(column.pseudonyms[16:] + column.pseudonyms[:16], column.presence)
    forged = type(found.signed)(
        found.signed.statement.replace(b'"subjects":2', b'"subjects":3'), found.signed.signature
    )
    other = type(found.ask)(found.ask.leaf.replace(b"permit", b"permis"), *_rest(found.ask))
    bent = {
        "rows": LiveQuestion(found.signed, found.certificate, found.tokens_salt, (swapped,), found.ask),
        "statement": LiveQuestion(forged, found.certificate, found.tokens_salt, found.columns, found.ask),
    }
    for what, asked in bent.items():
        told = one.answer(asked)
        assert (told.index, bool(told.refused)) == (None, True), what
    with pytest.raises(ClientError) as caught:
        one.answer(LiveQuestion(found.signed, found.certificate, found.tokens_salt, found.columns, other))
    assert caught.value.code == "RECEIPT_BROKEN"
    assert one.answer(found).index is not None
    asking.join(30)


def _rest(receipt: Any) -> tuple[Any, ...]:
    return receipt.index, receipt.inclusion, receipt.checkpoint


@pytest.mark.parametrize(
    ("bent", "code"),
    [
        ({"tokens": "00" * 32}, "STATEMENT_INVALID"),
        ({"attributes": ["beds"]}, "STATEMENT_INVALID"),
        ({"match_keys": 2}, "COUNT_WRONG"),
        ({"rules": {"valid_on": "as-of"}}, "POLICY_DENIES"),
        ({"rows": "00" * 32}, "COMMITMENT_WRONG"),
        ({"not_after": "2020-01-01T00:00:00Z"}, "STATEMENT_EXPIRED"),
        ({"as_of": "2035-01-01T00:00:00Z"}, "STATEMENT_INVALID"),
        ({"answerer": "utrecht"}, "NOT_YOURS"),
        ({"exchange": "00000000-0000-4000-8000-000000000000"}, "NOT_FOUND"),
    ],
)
def test_an_answer_that_is_not_one_to_the_question_is_refused(world: World, bent: dict[str, Any], code: str) -> None:
    told = _bent(world, lambda me: _restate(me, bent))
    assert told.refused.startswith(code), told.refused


def test_a_record_that_was_not_asked_for_is_refused(world: World) -> None:
    """A live answerer cannot leave more of its register behind than was asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluis_client.live._found", lambda mine, asked: [0, 1, 50])
        told = _bent(world, lambda _: None, patch.undo)
    assert told.refused.startswith("FIELD_INVALID")
    assert "does not ask for" in told.refused


def _restate(me: Participant, bent: dict[str, Any]) -> None:
    sign = me.sign
    me.sign = lambda statement: sign({**statement, **bent})  # type: ignore[method-assign]


def _bent(world: World, change: Any, straighten: Any = lambda: None) -> Told:
    """Answers a question in a bent way; returns what became of that. The asker then gets the honest answer."""
    results: list[CheckedAnswer] = []
    asking = threading.Thread(target=lambda: results.append(ask_of(world, BAGS[:2])))
    asking.start()
    found = agency(world, "snf").transport.take_question(PURPOSE, 4)
    assert found is not None
    one = answerer(world)
    change(one._me)
    told = one.answer(found)
    assert told.index is None
    straighten()
    assert answerer(world).answer(found).index is not None
    asking.join(30)
    assert results[0].hits == 2
    return told


def test_at_the_command_line_killed_and_started_again(world: World) -> None:
    """A process of its own, killed with a question in hand; the next one answers it."""
    utrecht = Desk(world, "utrecht")
    utrecht.run("keys", "fetch", "--purpose", PURPOSE)
    file = world.directory / "snf" / "locations.csv"
    file.write_text(RECORDS)
    command = ("--purpose", PURPOSE, "--scheme", "bag", "--records", str(file), "--as-of", "2026-01-01")
    command = ("answer", *command, "--coverage", "all locations")
    profile = ("--profile", str(world.directory / "snf" / "sluis-client.yaml"))
    assert [row["status"] for row in utrecht.match(BAGS[:1])] == ["not there"]
    bare = utrecht.home / "bare.csv"
    bare.write_text(f"bag\n{BAGS[0]}\n")
    of_bare = [str(bare) if word == str(file) else word for word in command]
    with pytest.raises(ClientError, match="does not let utrecht answer"):  # told before what its file lacks
        utrecht.run(*of_bare, "--once")
    processes = []
    try:
        for _ in range(2):
            started = subprocess.Popen(
                [sys.executable, "-m", "sluis_client", *command, "--watch", *profile], stderr=subprocess.PIPE, text=True
            )
            processes.append(started)
            assert started.stderr is not None
            while "answering" not in (line := started.stderr.readline()):
                assert line, "it ended"
            assert [row["status"] for row in utrecht.match([BAGS[0], BAGS[99], BAGS[500]])] == ["hit", "hit", "no hit"]
            started.kill()
            started.wait()
    finally:
        for one in processes:
            one.kill()
            one.communicate()
    receipts = utrecht.home / "answers.csv.receipts.json"
    assert "live" in json.loads(receipts.read_text())["answers"][0]
    assert utrecht.run("receipt", "verify", receipts).splitlines()[-1] == "verified"
    assert Desk(world, "snf").json(*command, "--once") == {"answered": 0, "not_answered": 0}
    Desk(world, "snf").run("reconcile")
    verified_by_both(world)


def test_what_would_need_to_compare_questions_is_refused_and_never_not_found(world: World) -> None:
    with watching(world):
        ask_of(world, BAGS[:2])
    snf = Desk(world, "snf")
    place = ("--purpose", PURPOSE, "--scheme", "bag")
    for words in (
        ("canaries", "set", snf.file("one.csv", [BAGS[0]]), *place),
        ("correct", snf.file("one.csv", [BAGS[0]]), *place, "--what", "corrected", "--reason", "wrong-value"),
    ):
        with pytest.raises(ClientError) as caught:
            snf.run(*words)
        assert caught.value.code == "POLICY_DENIES"
    utrecht = Desk(world, "utrecht")
    with watching(world):
        assert [row["status"] for row in utrecht.match(BAGS[:2])] == ["hit", "hit"]
    for desk, words in (
        (utrecht, ("dispute", utrecht.home / "answers.csv", "--row", "2", "--reason", "wrong-value")),
        (utrecht, ("subject", "--scheme", "bag", "--person", utrecht.file("one.csv", BAGS[:1]), "--out", "a.json")),
        (snf, ("subject", "--scheme", "bag", "--person", snf.file("one.csv", BAGS[:1]), "--out", "b.json")),
    ):
        with pytest.raises(ClientError) as caught:
            desk.run(*words)
        assert caught.value.code == "POLICY_DENIES", words
        assert "answered live" in caught.value.message
