"""The command line under a purpose in mode oblivious: what is spent is said, what is known costs nothing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from desk import Desk
from fake_broker import World
from key_services import FakeKeyService
from sluis_client.epochs import epoch_name
from sluis_client.errors import Exit
from sluis_client.transport import Check

QUESTION = ("addresses.csv", "--purpose", "persons", "--scheme", "bag", "--answerer", "snf", "--hit")


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    world = World(tmp_path)
    epoch = epoch_name("month", datetime.now(UTC))
    world.key_services = {name: FakeKeyService(name, epoch, limit=100) for name in ("oost", "sluis")}
    pins = {epoch: {name: one.public_key.hex() for name, one in world.key_services.items()}}
    world.broker.meaning["purposes"]["persons"]["pseudonyms"]["public_keys"] = pins
    connect = "sluis_client.client.key_services.KeyServices.connect"
    monkeypatch.setattr(connect, lambda _, service: world.key_services[service.name])
    made = Desk(world, monkeypatch, capsys)
    for party in ("snf", "utrecht"):
        made.run(party, "keys", "init")
    made.run("snf", "keys", "create", "--purpose", "persons", "--epoch", epoch)
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    words = ("publish", "locations.csv", "--purpose", "persons", "--scheme", "bag", "--as-of", yesterday)
    made.run("snf", *words, "--epoch", epoch, "--coverage", "all", "--hits-only")
    assert "20 evaluations by each key service; left after it: oost 80 of 100 until 2026-12-01" in made.err
    made.epoch = ("--epoch", epoch)
    return made


def hits(desk, out):
    text = (desk.world.directory / out).read_text(encoding="utf-8-sig")
    return sum(line["status"] == "hit" for line in csv.DictReader(io.StringIO(text), delimiter=";"))


def test_a_question_says_what_it_spends_and_the_next_one_spends_nothing(desk):
    desk.run("utrecht", "match", *QUESTION, *desk.epoch, "--out", "a.csv")
    assert "20 evaluations by each key service; left after it: oost 60 of 100" in desk.err
    desk.run("utrecht", "match", *QUESTION, *desk.epoch, "--out", "b.csv", "--new")
    assert "evaluations" not in desk.err
    assert hits(desk, "a.csv") == hits(desk, "b.csv") == 10
    words = ("pseudonymise", "addresses.csv", "--purpose", "persons", "--scheme", "bag", *desk.epoch)
    desk.run("utrecht", *words, "--out", "p.csv")
    assert "evaluations" not in desk.err
    assert len((desk.world.directory / "p.csv").read_text().splitlines()) == 21


def test_what_does_not_fit_is_refused_whole_and_what_is_left_can_be_asked(desk):
    desk.world.key_services["sluis"].limit = 39
    desk.run("utrecht", "match", *QUESTION, *desk.epoch, "--out", "a.csv", expect=Exit.POLICY_DENIED)
    assert "error QUOTA_SPENT: 20 evaluations are needed, and sluis has 19 of 39 left until 2026-12-01" in desk.err
    assert [one.spent for one in desk.world.key_services.values()] == [20, 20]
    assert not (desk.world.directory / "a.csv").exists()
    assert "19 of 39 evaluations left at key service sluis" in desk.run("utrecht", "budget", "persons")
    value = desk.json("utrecht", "budget", "persons")
    assert (value["evaluations"]["oost"]["left"], value["evaluations"]["sluis"]["limit"]) == (80, 39)


def test_a_service_that_lies_ends_with_six_and_writes_no_answer(desk):
    desk.world.key_services["oost"].bend = lambda elements, proof: (elements, bytes(64))
    desk.run("utrecht", "match", *QUESTION, *desk.epoch, "--out", "a.csv", expect=Exit.VERIFICATION_FAILED)
    assert "error PROOF_WRONG: key service oost did not use the key that the signed policy names for it" in desk.err
    assert not (desk.world.directory / "a.csv").exists()


def test_a_steward_is_told_when_nothing_can_be_made_under_a_key(desk):
    assert "names no public keys" not in desk.err
    desk.run("snf", "keys", "rotate", "--purpose", "persons")
    assert "the policy names no public keys of the key services for " in desk.err
    assert "ask the operators of oost, sluis" in desk.err


def test_a_denial_that_is_foreseen_is_explained_and_costs_nothing(desk):
    words = [word for word in QUESTION if word != "--hit"]
    words += ["--want", "colour", *desk.epoch, "--out", "a.csv"]
    desk.run("utrecht", "match", *words, expect=Exit.POLICY_DENIED)  # the broker permits it: its set is another one
    assert "error WOULD_BE_DENIED: persons would deny this question: not among its attributes: colour" in desk.err
    desk.world.broker.deny["snf"] = Check("attributes", False, "not in this purpose: colour", "purposes/p.yaml:9")
    out = desk.run("utrecht", "match", *words, expect=Exit.POLICY_DENIED)
    assert "the question was not put: persons would deny this question: not among its attributes: colour" in desk.err
    assert "NOT MET attributes: not in this purpose: colour (purposes/p.yaml:9)" in out
    assert [one.spent for one in desk.world.key_services.values()] == [20, 20]
