"""Subject access (GDPR 15) end to end: two agencies, a person in two of three exchanges, one of them erased later."""

from __future__ import annotations

import json
import os
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from both_verifiers import verified_by_both
from participant import TIMEOUT, Participant, reason_of
from sluis.v1 import audit_pb2, common_pb2
from sluis_client.canonical import commitment, tokens_value
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import Keystore
from sluis_client.schemes import SCHEMES
from sluis_client.statements import utc
from sluis_client.subject import _VALID
from stage import logs
from test_agency import BAGS, PURPOSE, write_profile
from test_agency_rectifying import Desk
from test_agency_rectifying import snf as snf  # noqa: PLC0414  # fixtures
from test_agency_rectifying import utrecht as utrecht  # noqa: PLC0414  # fixtures
from test_agency_rectifying import world as world  # noqa: PLC0414  # fixtures
from test_vault_orders import run
from world import ORIGIN, World

from broker import subject_search
from broker.own_log import open_log
from broker.policy.vault_orders import erase_order
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow
PERSON = BAGS[5]


def leaves(world: World) -> list[bytes]:
    reader = open_log(world.config)
    return [entry.leaf for entry in reader.entries(0, reader.size())]


def access_entries(world: World) -> list[dict[str, Any]]:
    bodies = [json.loads(leaf)["body"] for leaf in leaves(world) if b'"kind":"access"' in leaf]
    return [body for body in bodies if body["what"] == "subject-search"]


def asked_for(desk: Desk, person: str, out: str = "answer.json", *more: object) -> dict[str, Any]:
    file = desk.file("person.csv", [person])
    return desk.json("subject", "--scheme", "bag", "--person", file, "--out", desk.home / out, *more)


def exchanges_of(desk: Desk, out: str = "answer.json") -> list[dict[str, Any]]:
    answer = json.loads((desk.home / out).read_text())["answer"]
    return [one for purpose in answer["purposes"] for epoch in purpose["epochs"] for one in epoch["exchanges"]]


def erase(world: World, exchange: str) -> None:
    assert world.broker is not None
    made = erase_order(
        {("utrecht", exchange)},
        "granted, art. 17",
        origin=ORIGIN,
        environment="test",
        made_at=world.clock.now(),
        case=(os.urandom(32), "AVG 12"),
    )
    world.broker._take_order(made(world.officers.keys["utrecht"]).encode())


def request(me: Participant, identifier: str, **bend: Any) -> audit_pb2.SearchSubjectRequest:
    maker = me.pseudonymiser(PURPOSE, "bag")
    (column,) = maker.columns([((identifier,),)], SCHEMES["bag"].match_keys)
    salt = os.urandom(32)
    statement = {
        "type": "sluis/v1/subject-search",
        "origin": ORIGIN,
        "environment": "test",
        "request_id": str(uuid.uuid4()),
        "party": me.party,
        "purpose": PURPOSE,
        "epoch": me.context(PURPOSE).epoch,
        "key_id": maker.key_id,
        "scheme": "bag",
        "match_keys": 1,
        "pseudonyms": commitment("subject", salt, tokens_value([column])),
        "not_after": utc(me.now() + _VALID),
    }
    column_message = common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms)
    signed = me.signed({**statement, **bend})
    return audit_pb2.SearchSubjectRequest(signed=signed, salt=salt, pseudonyms=[column_message])


def send(party: Participant, sent: audit_pb2.SearchSubjectRequest) -> list[audit_pb2.SearchSubjectResponse]:
    return list(party.audit.SearchSubject(sent, timeout=TIMEOUT))


def test_an_answer_says_what_is_true_and_what_cannot_be_searched(world: World, snf: Desk, utrecht: Desk) -> None:
    utrecht.match(BAGS[3:8], "one.csv")  # the person
    utrecht.match(BAGS[20:30], "two.csv")  # others
    utrecht.match([*BAGS[98:101], PERSON], "three.csv")  # the person
    with logs() as logged:
        told = asked_for(utrecht, PERSON)
    assert (told["found"], told["searched"], told["not_searched"], told["searches"]) == (2, 3, 0, 1)
    first, second = exchanges_of(utrecht)
    assert (first["asker"], first["answerer"], first["subjects"], first["status"]) == ("utrecht", "snf", 5, "ANSWERED")
    assert second["subjects"] == 4
    text = (utrecht.home / "answer.json.txt").read_text()
    assert "3 vragen doorzocht, 2 met u erin" in text
    assert first["exchange"] in text
    answer = json.loads((utrecht.home / "answer.json").read_text())["answer"]
    assert answer["purposes"][0]["citation"] in text

    assert asked_for(snf, PERSON)["found"] == 2, "the answerer finds what it was asked"
    assert asked_for(snf, BAGS[50], "other.json")["found"] == 0

    erase(world, first["exchange"])
    told = asked_for(utrecht, PERSON, "later.json", "--language", "en")
    assert (told["found"], told["searched"], told["not_searched"]) == (1, 2, 1)
    assert [one["exchange"] for one in exchanges_of(utrecht, "later.json")] == [second["exchange"]]
    assert "Not searched: 1 questions from" in (utrecht.home / "later.json.txt").read_text()
    for name in ("answer.json", "later.json"):
        shown = utrecht.json("subject", "--verify", utrecht.home / name, "--language", "en")
        assert shown["verified"] is True
        assert shown["entries"] == 1 + sum(1 + bool(one["release"]) for one in exchanges_of(utrecht, name))
    verified_by_both(world)
    counts = [(body["party"], body["searched"], body["unsearched"]) for body in access_entries(world)]
    assert counts == [("utrecht", 3, 0), ("snf", 3, 0), ("snf", 3, 0), ("utrecht", 2, 1)]
    # that there was no key in a period is an answer, and no refusal for an auditor to read past
    assert not [leaf for leaf in leaves(world) if b'"kind":"refusal"' in leaf]
    pseudonym = _pseudonym(world)
    everything = b"".join(leaves(world)).decode() + logged() + json.dumps(answer) + text
    for secret in (PERSON, pseudonym.hex(), repr(pseudonym)):
        assert secret not in everything
    assert not Keystore(utrecht.home / "state").record_names("statements")


def _pseudonym(world: World) -> bytes:
    from test_agency import agency

    me = agency(world, "utrecht")
    (key,) = me.keystore.epoch_keys()
    from sluis_client.pseudonymise import Context, Pseudonymiser

    maker = Pseudonymiser(key.key, Context(ORIGIN, "test", PURPOSE, key.epoch), SCHEMES["bag"].scheme_id)
    (column,) = maker.columns([((PERSON,),)], 1)
    return column.pseudonyms


def test_a_key_that_is_gone_is_told(world: World, utrecht: Desk) -> None:
    utrecht.match(BAGS[3:8])
    (path,) = (utrecht.home / "state" / "epochs").iterdir()
    path.unlink()
    told = asked_for(utrecht, PERSON)
    assert (told["found"], told["searches"], told["keys_missing"]) == (0, 0, 1)
    text = (utrecht.home / "answer.json.txt").read_text()
    assert f"Niet te doorzoeken: sleutelperiode {path.name.removeprefix(PURPOSE + '.')}" in text


def test_an_auditor_finds_in_the_vault_what_the_broker_found(
    world: World, snf: Desk, utrecht: Desk, tmp_path: Path
) -> None:
    """The broker's own search and the offline one agree, exchange by exchange, and on what cannot be searched."""
    utrecht.match(BAGS[3:8], "one.csv")
    utrecht.match(BAGS[20:30], "two.csv")
    utrecht.match([*BAGS[98:101], PERSON], "three.csv")
    asked_for(utrecht, PERSON, "before.json")
    erase(world, exchanges_of(utrecht, "before.json")[0]["exchange"])
    asked_for(utrecht, PERSON)
    auditor = tmp_path / "auditor"
    assert run(world, "keys", "--out", str(auditor), config=False).exit_code == 0
    person, bundle, vault = utrecht.home / "person.json", tmp_path / "log.bundle", tmp_path / "log.vault"
    file = utrecht.file("person.csv", [PERSON])
    given = ("subject", "--scheme", "bag", "--person", file, "--auditor-key", f"{auditor}.pub", "--out", person)
    made = utrecht.json(*given)
    assert [one["purpose"] for one in made["epochs"]] == [PURPOSE]
    named = ("--with-vault", str(vault), "--auditor-key", f"{auditor}.pub", "--for", "privacy-auditor")
    assert run(world, "export", "--out", str(bundle), *named).exit_code == 0
    (world.directory / "trust.yaml").write_text(trust_of(world.config))
    files = ("--trust", str(world.directory / "trust.yaml"), "--vault", str(vault), "--key", f"{auditor}.key")

    def searched(*more: object) -> dict[str, Any]:
        arguments = [str(bundle), *files, "--person", str(person), "--json", *map(str, more)]
        result = run(world, "subject", *arguments, config=False)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])["subject"]
        return found

    for answer in ("before.json", "answer.json"):
        told = searched("--answer", utrecht.home / answer)["answer"]
        assert (told["agreed"], told["differences"]) == (1, []), "the other of the two was erased meanwhile"
    answered = json.loads((utrecht.home / "answer.json").read_text())["answer"]
    (own,) = (epoch for purpose in answered["purposes"] for epoch in purpose["epochs"])
    (period,) = searched("--party", "utrecht")["periods"]
    assert (period["searched"], period["epoch"]) == (own["searched"], own["epoch"])
    assert (period["from"], period["until"]) == (own["from"], own["until"])
    for mine, told in zip(period["exchanges"], own["exchanges"], strict=True):
        assert (mine.pop("ask_index"), mine.pop("release_index")) == (told["ask"]["index"], told["release"]["index"])
        assert mine == {name: told[name] for name in mine}
    for mine, told in zip(period["not_searched"], own["not_searched"], strict=True):
        assert (mine["why"], mine["questions"]) == (told["why"], told["questions"])
        for name in ("first", "last"):  # the broker tells when it decided, in seconds; the log when it was entered
            apart = datetime.fromisoformat(mine[name]) - datetime.fromisoformat(told[name])
            assert abs(apart) < timedelta(seconds=2)
    for secret in (PERSON, _pseudonym(world).hex()):
        assert secret not in person.read_text() + json.dumps(searched())
    with pytest.raises(ClientError, match="KEY_UNREADABLE"):
        utrecht.run(*given[:-3], f"{auditor}.key", "--out", utrecht.home / "other.json")
    with pytest.raises(ClientError, match="USAGE"):
        utrecht.run(*given)


def test_an_altered_answer_is_refused(world: World, utrecht: Desk) -> None:
    utrecht.match(BAGS[3:8])
    asked_for(utrecht, PERSON, "answer.json", "--purpose", PURPOSE)
    path = utrecht.home / "answer.json"
    value = json.loads(path.read_text())
    value["answer"]["purposes"][0]["epochs"][0]["exchanges"] = []
    path.write_text(json.dumps(value))
    with pytest.raises(ClientError, match="ANSWER_BROKEN") as caught:
        utrecht.run("subject", "--verify", path)
    assert caught.value.exit_code is Exit.VERIFICATION_FAILED


def test_wrong_use_shows_no_identifier_and_searches_nothing(world: World, utrecht: Desk) -> None:
    out = utrecht.home / "answer.json"
    for person, code in ((PERSON, "FILE_UNREADABLE"), (utrecht.file("two.csv", BAGS[:2]), "PERSON_NOT_ONE")):
        with pytest.raises(ClientError, match=code) as caught:
            utrecht.run("subject", "--scheme", "bag", "--person", person, "--out", out)
        assert str(BAGS[0]) not in str(caught.value)
        assert PERSON not in str(caught.value)
    one = utrecht.file("one.csv", [PERSON])
    for more, code in (
        (("--purpose", "sna-overzicht"), "PURPOSE_UNKNOWN"),
        (("--language", "fr"), "USAGE"),
    ):
        with pytest.raises(ClientError, match=code):
            utrecht.run("subject", "--scheme", "bag", "--person", one, "--out", out, *more)
    with pytest.raises(ClientError, match="NOTHING_TO_SEARCH"):
        utrecht.run("subject", "--scheme", "vestiging", "--person", branch(utrecht), "--out", out)
    out.write_text("kept")
    with pytest.raises(ClientError, match="USAGE"):
        utrecht.run("subject", "--scheme", "bag", "--person", one, "--out", out)
    assert access_entries(world) == []


def branch(desk: Desk) -> Path:
    """Of a scheme under which utrecht takes part in nothing."""
    path = desk.home / "branch.csv"
    path.write_text("vestigingsnummer\n000012345678\n")
    return path


@pytest.fixture
def parties(world: World) -> tuple[Participant, Participant]:
    """snf and utrecht at the wire, with the key of the epoch that their command lines made."""
    from test_agency import agency

    (key,) = agency(world, "snf").keystore.epoch_keys()
    made = Participant(world, "snf"), Participant(world, "utrecht")
    for one in made:
        one.secret[PURPOSE] = key.key
    return made


def test_the_broker_refuses_what_is_not_the_callers_to_search(
    world: World, utrecht: Desk, parties: tuple[Participant, Participant], monkeypatch: pytest.MonkeyPatch
) -> None:
    utrecht.match(BAGS[3:8])
    _, party = parties
    good = request(party, PERSON)
    assert [message.WhichOneof("part") for message in send(party, good)] == ["summary", "found"]
    refusals = [
        (good, "REQUEST_ID_REUSED"),
        (request(party, PERSON, party="snf"), "NOT_YOURS"),
        (request(party, PERSON, purpose="sna-overzicht"), "PURPOSE_UNKNOWN"),
        (request(party, PERSON, epoch="2019Q1"), "EPOCH_UNKNOWN"),
        (request(party, PERSON, key_id="ab" * 16), "KEY_ID_WRONG"),
        (request(party, PERSON, scheme="kvk"), "FIELD_INVALID"),
        (request(party, PERSON, match_keys=2), "COUNT_WRONG"),
        (request(party, PERSON, pseudonyms="ab" * 32), "COMMITMENT_WRONG"),
        (request(party, PERSON, not_after="2026-01-01T00:00:00Z"), "STATEMENT_EXPIRED"),
        (request(party, PERSON, not_after=utc(party.now() + 3 * _VALID)), "STATEMENT_INVALID"),
    ]
    for sent, code in refusals:
        with pytest.raises(grpc.RpcError) as caught:
            send(party, sent)
        assert reason_of(caught.value) == code
    monkeypatch.setattr(subject_search, "SUBJECT_SEARCHES", 1)
    with pytest.raises(grpc.RpcError) as caught:
        send(party, request(party, PERSON))
    assert reason_of(caught.value) == "TOO_MANY_STATEMENTS"
    assert len(access_entries(world)) == 1
    verified_by_both(world)


def test_a_stranger_and_a_party_without_part_are_refused(
    world: World, utrecht: Desk, parties: tuple[Participant, Participant]
) -> None:
    utrecht.match(BAGS[3:8])
    snf_party, _ = parties
    nla = Participant(world, "nla")
    nla.secret.update(snf_party.secret)  # as if the key had leaked to it
    with pytest.raises(grpc.RpcError) as caught:
        send(nla, request(nla, PERSON))
    assert reason_of(caught.value) == "PURPOSE_UNKNOWN"
    world.issue("stranger", "00000099000000999000")
    write_profile(world, "stranger")
    stranger = Participant(world, "stranger")
    stranger.secret.update(snf_party.secret)
    with pytest.raises(grpc.RpcError) as caught:
        send(stranger, request(stranger, PERSON))
    assert reason_of(caught.value) == "OIN_UNKNOWN"
    assert access_entries(world) == []
