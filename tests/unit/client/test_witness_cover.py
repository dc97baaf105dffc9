"""Receipts and checkpoints that witnesses saw, told apart from those that are log-signed only."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cosigned_lines import VKEYS, WITNESSES, cosigned
from desk import Desk
from fake_broker import Log, World
from hypothesis import given
from hypothesis import strategies as st
from sluis_client.errors import ClientError, Exit
from sluis_client.profile import load_profile
from sluis_client.receipts import ReceiptError, parse_checkpoint
from sluis_client.witnessed import cover_json, demand, read_rule, seen, seen_under

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
RULE = read_rule(VKEYS, 2)


@pytest.fixture(scope="module")
def log():
    made = Log()
    for number in range(13):
        made.append("genesis", {"n": number})
    return made


def names(*places):
    return tuple(WITNESSES[place].public.name for place in places)


@pytest.mark.parametrize(("by", "found"), [((), None), ((0,), None), ((0, 2), (0, 2)), ((0, 1, 2), (0, 1, 2))])
def test_a_quorum_witnesses_and_fewer_do_not(log, by, found):
    saw = seen(cosigned(log.checkpoint(), NOW, [WITNESSES[place] for place in by]), RULE)
    assert (saw is None) == (found is None)
    if found:
        assert (saw.by, saw.of, saw.at) == (names(*found), 3, NOW)
        assert str(saw).startswith(f"witnessed by {len(found)} of 3 (")


def test_the_quorum_is_there_when_its_last_witness_is(log):
    note = cosigned(log.checkpoint(), NOW + timedelta(seconds=9), WITNESSES[:1])
    note = cosigned(note, NOW, WITNESSES[1:2])
    note = cosigned(note, NOW + timedelta(seconds=99), WITNESSES[2:])
    assert seen(note, RULE).at == NOW + timedelta(seconds=9)


@given(place=st.integers(0, 200), flip=st.integers(1, 127))
def test_a_cosignature_that_was_altered_is_refused_or_does_not_count(log, place, flip):
    note = cosigned(log.checkpoint(), NOW)
    head, line = note[:-1].rsplit("\n", 1)
    at = place % len(line)
    bent = f"{head}\n{line[:at]}{chr(ord(line[at]) ^ flip)}{line[at + 1 :]}\n"
    try:
        parse_checkpoint(bent, [log.vkey])
        saw = seen(bent, RULE)
    except ReceiptError:
        return
    assert saw is None


def test_every_size_is_covered_by_a_larger_one_that_continues_it(log):
    whole = cosigned(log.checkpoint(13), NOW)
    for size in range(1, 14):
        cover = cover_json(whole, {size: log.consistency(size, 13)} if size < 13 else {})
        assert seen_under([log.checkpoint(size)], cover, [log.vkey], RULE).by == names(0, 1)
    smaller = cover_json(cosigned(log.checkpoint(7), NOW), {})
    assert seen_under([log.checkpoint(8)], smaller, [log.vkey], RULE) is None
    assert seen_under([log.checkpoint(8)], None, [log.vkey], RULE) is None
    few = cover_json(cosigned(log.checkpoint(13), NOW, WITNESSES[:1]), {8: log.consistency(8, 13)})
    assert seen_under([log.checkpoint(8)], few, [log.vkey], RULE) is None
    both = cover_json(whole, {8: log.consistency(8, 13)})
    assert seen_under([log.checkpoint(8), cosigned(log.checkpoint(3), NOW)], both, [log.vkey], RULE) is not None


def test_a_cover_of_another_log_is_refused(log):
    other = Log(log.key)
    for number in range(13):
        other.append("genesis", {"n": number, "other": number >= 5})
    forged = cover_json(cosigned(other.checkpoint(13), NOW), {8: other.consistency(8, 13)})
    with pytest.raises(ReceiptError, match="does not continue"):
        seen_under([log.checkpoint(8)], forged, [log.vkey], RULE)
    same_size = cover_json(cosigned(other.checkpoint(13), NOW), {})
    with pytest.raises(ReceiptError, match="does not continue"):
        seen_under([log.checkpoint(13)], same_size, [log.vkey], RULE)
    stranger = cover_json(cosigned(Log().checkpoint(0), NOW), {})
    with pytest.raises(ReceiptError):
        seen_under([log.checkpoint(8)], stranger, [log.vkey], RULE)


@pytest.mark.parametrize(
    ("texts", "quorum"),
    [([VKEYS[0], VKEYS[0]], 1), (VKEYS, 0), (VKEYS, 4), (["x"], 1), ([VKEYS[0].replace("w0", "w9")], 1)],
)
def test_a_rule_that_is_none_is_refused(texts, quorum):
    with pytest.raises(ClientError, match="VKEY_INVALID"):
        read_rule(texts, quorum)


def test_demand():
    demand(None, demanded=False)
    with pytest.raises(ClientError, match="NOT_WITNESSED") as caught:
        demand(None, demanded=True)
    assert caught.value.exit_code is Exit.VERIFICATION_FAILED


def with_members(directory, party="utrecht", **members):
    """Puts members in a party's profile, or takes out those that are None."""
    path = directory / party / "sluis-client.yaml"
    document = {**yaml.safe_load(path.read_text()), **members}
    path.write_text(yaml.safe_dump({name: value for name, value in document.items() if value is not None}))
    return path


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    made = Desk(World(tmp_path), monkeypatch, capsys)
    made.slept = []
    monkeypatch.setattr("sluis_client.witness_cover.time.sleep", made.slept.append)
    made.ready()
    with_members(made.world.directory, witnesses=VKEYS, witness_quorum=2)
    return made


def cosigning(desk, by=WITNESSES[:2], behind=0):
    """The broker's witnesses cosign from here on, so many entries behind."""
    log = desk.world.broker.log
    desk.world.broker.cosign = lambda: cosigned(log.checkpoint(len(log.leaves) - behind), NOW, by)


def test_answers_and_receipts_say_who_saw_them(desk):
    cosigning(desk)
    said = desk.match()
    assert "(verified, witnessed by 2 of 3 (" in said
    shown = desk.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")
    assert "witnessed by 2 of 3 (witness.example/w0, witness.example/w1)" in shown
    value = desk.json("utrecht", "receipt", "verify", "answers.csv.receipts.json")
    assert (value["witnessed"]["of"], len(value["witnessed"]["by"])) == (3, 2)
    compared = desk.run("utrecht", "log", "compare", "answers.csv.receipts.json")
    assert "; witnessed by 2 of 3" in compared


def test_what_is_log_signed_only_is_said_and_refused_where_witnesses_are_demanded(desk):
    cosigning(desk, by=WITNESSES[:1])
    said = desk.match()
    assert "witnessed by" not in said
    assert "log-signed only" in desk.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")
    assert desk.json("utrecht", "receipt", "verify", "answers.csv.receipts.json")["witnessed"] is None
    assert "; log-signed only" in desk.run("utrecht", "log", "compare", "answers.csv.receipts.json")
    with_members(desk.world.directory, demand_witnessed=True, witness_wait_seconds=3)
    refused = desk.json("utrecht", "receipt", "verify", "answers.csv.receipts.json", expect=6)
    assert (refused["verified"], refused["code"]) == (False, "NOT_WITNESSED")


def test_a_demand_waits_and_writes_nothing_before_it_is_met(desk):
    with_members(desk.world.directory, demand_witnessed=True, witness_wait_seconds=4)
    cosigning(desk, behind=1)
    desk.match(expect=6)
    assert "NOT_WITNESSED" in desk.err
    assert desk.slept == [1.0] * 4
    assert not (desk.world.directory / "answers.csv").exists()
    cosigning(desk)
    said = desk.match()
    assert "witnessed by 2 of 3" in said
    assert "same answer" in desk.err or "repeated question" in desk.err, "the question was not put twice"


def test_what_was_done_is_told_and_then_that_no_witness_saw_it(desk):
    """An act cannot be taken back for want of witnesses: its result is told, and the exit code says the rest."""
    members = {"witnesses": VKEYS, "witness_quorum": 2, "demand_witnessed": True, "witness_wait_seconds": 3}
    with_members(desk.world.directory, "snf", **members)
    cosigning(desk, behind=1)
    value = desk.publish(as_json=True, expect=6)
    assert value["index"] == len(desk.world.broker.log.leaves) - 1
    assert "error NOT_WITNESSED: log-signed only: this was done and stands in the log" in desk.err
    assert "do not run the command again" in desk.err
    assert desk.slept == [1.0] * 3
    cosigning(desk)
    assert desk.publish(as_json=True)["index"] > value["index"]
    assert "NOT_WITNESSED" not in desk.err


def test_an_altered_cover_in_a_file_is_refused(desk):
    cosigning(desk)
    desk.match()
    path = desk.world.directory / "answers.csv.receipts.json"
    whole = json.loads(path.read_text())
    for bend in (
        lambda cover: cover.update(checkpoint=cover["checkpoint"].replace("\n\n", "\n", 1)),
        lambda cover: cover.update(consistency=3),
        lambda cover: cover.pop("checkpoint"),
    ):
        value = json.loads(json.dumps(whole))
        bend(value["witnessed"])
        path.write_text(json.dumps(value))
        with pytest.raises(AssertionError):
            desk.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")
    path.write_text(json.dumps({name: value for name, value in whole.items() if name != "witnessed"}))
    assert "log-signed only" in desk.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"witness_quorum": None}, "witnesses needs witnesses and witness_quorum"),
        ({"witnesses": None}, "witness_quorum needs witnesses"),
        ({"witnesses": None, "witness_quorum": None, "demand_witnessed": True}, "demand_witnessed needs"),
        ({"witness_quorum": 4}, "more than there are witnesses"),
        ({"witnesses": ["x"]}, "witnesses: "),
        ({"witness_wait_seconds": 601}, "a number from 0 to 600"),
        ({"demand_witnessed": "yes"}, "true or false"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(desk, members, words):
    path = with_members(desk.world.directory, **members)
    with pytest.raises(ClientError, match="PROFILE_INVALID") as caught:
        load_profile(path)
    assert words in caught.value.message


def test_without_witnesses_in_the_profile_nothing_is_asked(desk):
    with_members(desk.world.directory, witnesses=None, witness_quorum=None)
    desk.match()
    shown = desk.run("utrecht", "receipt", "verify", "answers.csv.receipts.json")
    assert "log-signed only: the profile names no witnesses" in shown
    assert desk.slept == []
