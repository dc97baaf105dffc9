"""`sluis audit subject`: what a vault shows of a person, what it cannot, and what an agency's answer says otherwise."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_kit import ASK, DENIED, EPOCH, World, authority, b64, played
from log_kit import ORIGIN, time_text
from persons import person_file, row, signed_answer, tokens_of_one
from typer.testing import CliRunner, Result
from vaulted import SEED, exported, honest, write_vault

from broker.audit.person_file import PersonFileError, read_person
from broker.audit.subject import Period, Search, SubjectFound
from broker.audit.subject_agreement import AnswerError, compare
from broker.audit.vault_export import OpenedSlot, read_export
from broker.canonical import commitment, encode
from broker.cli.audit.root import app
from broker.errors import SluisError
from broker.exchange import Want

SALT = bytes(range(32))
HIT = Want(True, False)


def person_of(world: World, ask: int, number: int = 3) -> bytes:
    """The tokens value of a subject of a played ask: its question was made with the ask's index as salt."""
    assert world.entry(ask)[0] == "ask"
    return tokens_of_one(ask, number)


def search(
    world: World, *rows: dict[str, str], party: str = "", file: bytes | None = None
) -> tuple[Search, SubjectFound]:
    made = Search(read_person(file or person_file(world, rows, SEED), SEED), party)
    return made, made.run(world.bundle, lambda: read_export(exported(honest(world), world.size), SEED).slots)


def period_of(found: SubjectFound, purpose: str = "snf-locatie", epoch: str = EPOCH) -> Period:
    (period,) = (one for one in found.periods if (one.purpose, one.epoch) == (purpose, epoch))
    return period


@pytest.fixture(scope="module")
def world() -> World:
    return played()


def test_every_exchange_that_touched_the_person_and_no_other(world: World) -> None:
    _, found = search(world, row(person_of(world, ASK)))
    period = period_of(found)
    (one,) = period.exchanges
    ask, release = world.body(ASK), world.body(ASK + 1)
    assert one["ask_index"] == ASK
    assert one["release_index"] == ASK + 1
    assert (one["exchange"], one["status"], one["want"]) == (ask["exchange"], "ANSWERED", ask["statement"]["want"])
    assert one["attributes"] == release["attributes"]
    asks = [
        (index, body)
        for index, (kind, body) in enumerate(entry for batch in world.batches for entry in batch)
        if kind == "ask" and body["purpose"] == "snf-locatie"
    ]
    assert period.searched + sum(one.questions for one in period.unsearched.values()) == len(asks)
    denied = [index for index, body in asks if body["decision"]["effect"] == "deny"]
    assert DENIED in denied
    assert period.unsearched["never-held"].questions == len(denied)
    (erasure,) = period.unsearched["erased"].erasures
    assert world.entry(erasure)[0] == "erasure"
    assert period.valid is not None
    assert found.origin == ORIGIN


def test_a_stranger_is_in_nothing_and_a_period_without_questions_is_told(world: World) -> None:
    rows = [row(tokens_of_one(ASK, 77)), row(tokens_of_one(ASK, 3), epoch="2019Q1")]
    _, found = search(world, *rows)
    assert period_of(found).exchanges == []
    assert [one.epoch for one in found.periods if one.purpose == "snf-locatie"] == [EPOCH], (
        "2019Q1 has no key in the log"
    )


def test_pseudonyms_of_another_key_search_nothing(world: World) -> None:
    _, found = search(world, row(person_of(world, ASK), key_id="ef" * 16))
    period = period_of(found)
    assert (period.searched, period.exchanges) == (0, [])
    assert set(period.unsearched) == {"erased", "never-held", "other-key"}


def test_periods_without_pseudonyms_are_told(world: World) -> None:
    _, found = search(world, row(person_of(world, ASK)))
    other = period_of(found, "verhuurvergunning")
    assert other.searched == 0
    assert other.unsearched["no-pseudonyms"].questions == 3
    assert "sna-overzicht" not in {one.purpose for one in found.periods}, "it identifies by another scheme"


def test_a_party_narrows_the_search(world: World) -> None:
    value = person_of(world, ASK)
    assert period_of(search(world, row(value), party="snf")[1]).exchanges
    assert search(world, row(value), party="nla")[1].periods[0].exchanges == []


def test_the_same_person_under_any_match_key() -> None:
    world = World().begin()
    world.epoch("snf", "snf-locatie")
    world.publish("snf", "snf-locatie", "bag")
    rows = (b"\x03", bytes(range(16)) + bytes(range(16, 32)))
    tokens = world.commit("tokens", encode(*rows))
    world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=2, stated={"tokens": tokens})
    for one, found in (
        (encode(b"\x01", bytes(range(16, 32))), 1),
        (encode(b"\x01", bytes(16)), 0),
        (
            encode(
                b"\x00",
                bytes(16),
                b"\x01",
                bytes(
                    16,
                ),
            ),
            0,
        ),
        (encode(b"\x01", bytes(range(8)) + bytes(8)), 0),
        (encode(b"\x01", bytes(range(16)), b"\x01", bytes(16)), 1),
    ):
        assert len(period_of(search(world, row(one))[1]).exchanges) == found


def test_a_vault_that_lacks_or_bends_rows_is_no_search() -> None:
    world = played()
    name = world.tokens_of(ASK)
    file = person_file(world, [row(person_of(world, ASK))], SEED)
    whole = honest(world)
    label, salt, value = whole[name]
    for slots in ({**whole, name: (label, salt, value[:-1] + b"\0")}, {k: v for k, v in whole.items() if k != name}):
        made = Search(read_person(file, SEED))
        found = made.run(world.bundle, lambda slots=slots: [OpenedSlot(k, *v) for k, v in slots.items()])
        period = period_of(found)
        assert (period.exchanges, period.unsearched["missing"].questions) == ([], 1)


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        ({"auditor_key": "0" * 64}, "another auditor"),
        ({"origin": "sluis.example/other"}, "another auditor, log"),
        ({"envelope_head": {"party": "nla"}}, "another auditor, log or party"),
        ({"type": "sluis/v1/subject-answer"}, "another auditor"),
        ({"listed": []}, "not those that the agency signed"),
        ({"pseudonyms": "0" * 64}, "not those that the agency signed"),
        ({"more": "x"}, "another auditor"),
    ],
)
def test_a_file_that_was_bent_is_refused(world: World, bend: dict[str, Any], why: str) -> None:
    file = person_file(world, [row(person_of(world, ASK))], SEED, **bend)
    with pytest.raises(PersonFileError, match=why):
        read_person(file, SEED)


@pytest.mark.parametrize(
    "rows",
    [
        [row(b"")],
        [row(encode(b"\x03", bytes(32)))],
        [row(encode(b"\x00", bytes(16)))],
        [row(encode(b"\x01", bytes(15)))],
        [row(encode(b"\x01", bytes(16))), row(encode(b"\x01", bytes(16)))],
        [{"purpose": "snf-locatie"}],
    ],
)
def test_a_file_about_no_one_or_about_two_is_refused(world: World, rows: list[dict[str, str]]) -> None:
    with pytest.raises(PersonFileError):
        read_person(person_file(world, rows, SEED), SEED)


def test_a_damaged_file_says_nothing_of_the_person(world: World) -> None:
    file = person_file(world, [row(person_of(world, ASK))], SEED)
    for bad in (b"", b"{}", file[:-20], file.replace(b"utrecht", b"utrechs"), file.replace(b"envelope", b"enveloqe")):
        with pytest.raises(PersonFileError) as caught:
            read_person(bad, SEED)
        assert person_of(world, ASK).hex() not in str(caught.value)
    with pytest.raises(PersonFileError, match="another key"):
        read_person(file, bytes(96))
    assert person_of(world, ASK)[-16:] not in file
    shown = read_person(file, SEED)
    assert "\\x" not in repr(shown) + repr(shown.sought)


def test_a_certificate_that_the_log_never_had_is_refused(world: World) -> None:
    stranger = authority().issue("utrecht")
    file = person_file(world, [row(person_of(world, ASK))], SEED, signer=stranger)
    with pytest.raises(PersonFileError, match="never had for utrecht"):
        search(world, file=file)
    with pytest.raises(PersonFileError, match="another log"):
        search(world, file=person_file(world, [row(person_of(world, ASK))], SEED, environment="production"))


class Answered:
    """A played world with a search for a person, and the agency's answer to it."""

    def __init__(self) -> None:
        self.world = World().begin()
        self.world.epoch("snf", "snf-locatie")
        self.world.publish("snf", "snf-locatie", "bag")
        self.first = self._asked()
        self.second = self._asked()
        self.other = self.world.ask("utrecht", ["snf"], "snf-locatie", HIT)
        import searching

        value = encode(b"\x01", bytes(16))
        self.person = value
        self.at = searching.search(self.world, "utrecht", "snf-locatie", pseudonyms=commitment("subject", SALT, value))
        self.after = self._asked()
        self.answer: dict[str, Any] = {
            "format": "sluis-client/subject-answer/1",
            "party": "utrecht",
            "origin": ORIGIN,
            "environment": "test",
            "made_at": time_text(self.world.at),
            "purposes": [{"purpose": "snf-locatie", "epochs": [self.epoch(self.first, self.second)]}],
        }

    def _asked(self) -> int:
        tokens = self.world.commit("tokens", encode(b"\x03", bytes(16) + bytes([len(self.world.vault)] * 16)))
        return self.world.ask("utrecht", ["snf"], "snf-locatie", HIT, subjects=2, stated={"tokens": tokens})

    def leaf(self, index: int) -> str:
        at = 0
        for line in self.world.bundle():
            value = json.loads(line)
            if "leaf" in value:
                if at == index:
                    return str(value["leaf"])
                at += 1
        raise AssertionError(index)

    def epoch(self, *asks: int) -> dict[str, Any]:
        receipt = {"leaf": self.leaf(self.at), "index": self.at}
        return {"epoch": EPOCH, "search": receipt, "salt": SALT.hex(), "exchanges": [self.told(ask) for ask in asks]}

    def told(self, ask: int) -> dict[str, Any]:
        body, leaf = self.world.body(ask), json.loads(base64.b64decode(self.leaf(ask)))
        named = {name: body[name] for name in ("exchange", "asker", "principal", "answerer")}
        stated = {name: body["statement"][name] for name in ("subjects", "want")}
        receipt = {"leaf": self.leaf(ask), "index": ask}
        return {**named, **stated, "asked_at": leaf["sequenced_at"], "ask": receipt}

    def differences(
        self, answer: dict[str, Any] | None = None, person: bytes | None = None
    ) -> list[tuple[str, int | None]]:
        file = person_file(self.world, [row(person or self.person)], SEED)
        made, found = search(self.world, file=file)
        data = signed_answer(answer or self.answer)
        return [(one.what, one.index) for one in compare(data, read_person(file, SEED), made, found).differences]


@pytest.fixture(scope="module")
def answered() -> Answered:
    return Answered()


def without(answered: Answered) -> dict[str, Any]:
    return copy.deepcopy(answered.answer)


def test_an_honest_answer_agrees_and_what_came_later_is_not_held_against_it(answered: Answered) -> None:
    assert answered.differences() == []


def test_what_the_broker_overlooked_is_found(answered: Answered) -> None:
    answer = without(answered)
    answer["purposes"][0]["epochs"] = [answered.epoch(answered.second)]
    assert answered.differences(answer) == [("overlooked", answered.first)]
    answer["purposes"] = []
    asks = (answered.first, answered.second, answered.after)
    assert answered.differences(answer) == [("not-answered", ask) for ask in asks]


def test_what_the_person_is_not_in_is_found(answered: Answered) -> None:
    answer = without(answered)
    answer["purposes"][0]["epochs"] = [answered.epoch(answered.first, answered.second, answered.other)]
    assert answered.differences(answer) == [("unfounded", answered.other)]


def test_a_search_for_somebody_else_is_found(answered: Answered) -> None:
    assert answered.differences(person=encode(b"\x01", bytes([9] * 16))) == [("other-person", None)]


def test_an_exchange_told_otherwise_is_found(answered: Answered) -> None:
    answer = without(answered)
    answer["purposes"][0]["epochs"][0]["exchanges"][0]["subjects"] = 1
    assert answered.differences(answer) == [("told-otherwise", answered.first)]


@pytest.mark.parametrize(
    "bend",
    [
        lambda answer: answer.update(party="nla"),
        lambda answer: answer.update(format="x"),
        lambda answer: answer.update(purposes=[{}]),
    ],
)
def test_an_answer_of_others_is_not_compared(answered: Answered, bend: Callable[[dict[str, Any]], None]) -> None:
    answer = without(answered)
    bend(answer)
    with pytest.raises(AnswerError):
        answered.differences(answer)


def test_an_altered_answer_is_not_compared(answered: Answered) -> None:
    file = person_file(answered.world, [row(answered.person)], SEED)
    made, found = search(answered.world, file=file)
    person = read_person(file, SEED)
    data = signed_answer(answered.answer)
    value = json.loads(data)
    value["answer"]["purposes"] = []
    value_2 = {**json.loads(data), "certificate": b64(authority().members["nla"].der)}
    for bad, why in ((value, "not what the agency signed"), (value_2, "another certificate"), ({}, "no answer")):
        with pytest.raises(AnswerError, match=why):
            compare(json.dumps(bad).encode(), person, made, found)
    for bad_bytes in (b"", b"[]", b"3", data[:-9]):
        with pytest.raises(AnswerError):
            compare(bad_bytes, person, made, found)


class Stick:
    """The files that an auditor has of a world."""

    def __init__(self, world: World, folder: Path, person: bytes) -> None:
        self.bundle, self.trust, self.person = folder / "log.bundle", folder / "trust.yaml", folder / "person.json"
        self.bundle.write_bytes(b"".join(world.bundle()))
        self.trust.write_text(world.trust_text())
        self.vault, self.key = write_vault(world, folder)
        self.person.write_bytes(person_file(world, [row(person)], SEED))

    def run(self, *more: object) -> Result:
        files = ("--vault", self.vault, "--key", self.key, "--person", self.person)
        return CliRunner().invoke(app, ["subject", *map(str, (self.bundle, "--trust", self.trust, *files, *more))])


def test_the_command_tells_period_by_period_and_its_report_can_be_signed(tmp_path: Path) -> None:
    answered = Answered()
    stick = Stick(answered.world, tmp_path, answered.person)
    said = stick.run()
    assert said.exit_code == 0, said.output
    assert f"snf-locatie, key epoch {EPOCH}, 2026-10-01 until 2027-01-01" in said.stdout
    assert "questions searched: 4, the person in: 3" in said.stdout
    assert "in all: found 3, questions searched 4, not searched 0" in said.stdout
    report = stick.run("--json")
    value = json.loads(report.stdout)
    assert (value["verified"], value["subject"]["found"], value["subject"]["answer"]) == (True, 3, None)
    assert bytes(16).hex() not in report.stdout
    from broker.audit.signed_finding import read_report

    assert read_report(value)["subject"]["searched"] == 4
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    assert stick.run("--answer", wrong).exit_code == 13


def test_a_log_that_cannot_be_relied_on_is_not_searched(tmp_path: Path) -> None:
    answered = Answered()
    stick = Stick(answered.world, tmp_path, answered.person)
    data = stick.bundle.read_bytes()
    stick.bundle.write_bytes(data[: len(data) // 2])
    said = stick.run()
    assert said.exit_code == 10
    assert "went no further" in said.output
    assert "searched" not in said.stdout
    stick.bundle.write_bytes(data)
    stick.person.write_text("no")
    refused = stick.run()
    assert isinstance(refused.exception, SluisError)
    assert "cannot be used" in str(refused.exception)


def test_a_fault_elsewhere_is_said_and_stops_no_search(tmp_path: Path) -> None:
    answered = Answered()
    answered.world.ask("utrecht", ["snf"], "snf-locatie", HIT, found={"requests_today": 99})
    stick = Stick(answered.world, tmp_path, answered.person)
    said = stick.run()
    assert said.exit_code == 16
    assert "in all: found 3," in said.stdout
    assert "NOT verified" in said.stdout
