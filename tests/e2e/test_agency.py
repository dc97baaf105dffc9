"""Two agencies with their own client against a real broker: over mutual TLS, and killed half-way."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from sluis_client import ask, publish
from sluis_client.client import Retries, connect
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import Keystore
from sluis_client.participant import Participant
from sluis_client.profile import load_profile
from sluis_client.schemes import SCHEMES
from sluis_client.tables import NormalisedTable, normalise_table, read_table
from sluis_client.transport import Want
from world import ORIGIN, World, make_world, texts_for

BAGS = [f"034401{number:010d}" for number in range(3000)]
PURPOSE = "snf-locatie"

Bend = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, "snf", "utrecht", "nla", "certificeerder-noord") as made:
        yield made


@contextmanager
def world_of(directory: Path, *parties: str, bend: Bend = dict, **configuration: object) -> Iterator[World]:
    """A running broker under policies of today, bent where the test wants, and a profile for each party."""
    now = datetime.now(UTC).replace(microsecond=0)
    made = make_world(directory, bend(texts_for(now)), start=now, **configuration)
    made.start()
    for party in parties:
        write_profile(made, party)
    yield made
    made.stop()


def write_profile(world: World, party: str) -> None:
    home = world.directory / party
    home.mkdir(exist_ok=True)
    (world.pki / f"{party}.key").chmod(0o600)
    document = {
        "party": party,
        "broker": f"127.0.0.1:{world.port}",
        "server_name": "localhost",
        "broker_issuers": "../pki/ca.pem",
        "certificate": f"../pki/{party}.pem",
        "private_key": f"../pki/{party}.key",
        "origin": ORIGIN,
        "environment": "test",
        "log_keys": [world.verifier_key],
        "policy_signers": world.signer_keys(),
        "policy_quorum": 2,
        "party_issuers": "../pki/ca.pem",
        "state": "state",
    }
    (home / "sluis-client.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def agency(world: World, party: str) -> Participant:
    profile = load_profile(world.directory / party / "sluis-client.yaml")
    transport = connect(profile, Retries(attempts=3, first=0.05))
    world.channels.append(transport)  # closed with the world
    return Participant(profile, Keystore(profile.state), transport, world.clock.now)


def share_key(world: World) -> None:
    for party in ("snf", "utrecht"):
        init_encryption_key(agency(world, party))
    create_epoch(agency(world, "snf"), PURPOSE)


def locations(rows: int) -> bytes:
    lines = (f"{bag};{number % 100};geldig" for number, bag in enumerate(BAGS[:rows]))
    return ("\ufeffBAG-id;beds;certificate-status\r\n" + "\r\n".join(lines)).encode()


def put_in_force(world: World, rows: int = 100) -> publish.Published:
    me = agency(world, "snf")
    plan = publish.Plan(PURPOSE, "bag", world.clock.now() - timedelta(days=2), "all", columns={"bag": "BAG-id"})
    return publish.publish(me, plan, publish.prepare(me.purpose(PURPOSE), plan, read_table(locations(rows))))


def question(bags: list[str]) -> tuple[ask.Plan, NormalisedTable]:
    plan = ask.Plan(PURPOSE, "bag", ("snf",), Want(hit=True, attributes=("beds", "certificate-status")))
    table = normalise_table(read_table(("bag\n" + "\n".join(bags)).encode()), SCHEMES["bag"])
    return plan, table


def test_the_whole_road_between_two_agencies(world: World) -> None:
    share_key(world)
    put_in_force(world)
    utrecht = agency(world, "utrecht")
    asked = ask.ask(utrecht, *question(BAGS[90:130]))
    (answer,) = asked.answers
    assert (answer.status, answer.hits) == ("ANSWERED", 10)
    assert {row.position: row.values["beds"] for row in answer.rows} == {n: str(90 + n) for n in range(10)}
    head, _ = utrecht.newest_checkpoint()
    assert head.size > (answer.release_index or 0)
    receipts, _ = agency(world, "snf").transport.receipts(0)
    assert [receipt.index for receipt in receipts] == [answer.ask_index, answer.release_index]


def test_a_repeated_question_gets_the_same_answer_after_its_signature_went_stale(world: World) -> None:
    share_key(world)
    put_in_force(world)
    first = ask.ask(agency(world, "utrecht"), *question(BAGS[:5]), keep_open=True)
    world.clock.at += timedelta(hours=3)
    again = ask.ask(agency(world, "utrecht"), *question(BAGS[:5]))
    assert (again.repeated, again.request_id) == (True, first.request_id)
    assert [dict(row.values) for row in again.answers[0].rows] == [dict(row.values) for row in first.answers[0].rows]
    assert again.answers[0].release_index == first.answers[0].release_index


def test_a_replaced_and_a_withdrawn_register(world: World) -> None:
    share_key(world)
    put_in_force(world, 10)
    published = put_in_force(world, 20)
    assert published.register.version == 2
    assert ask.ask(agency(world, "utrecht"), *question(BAGS[:30])).answers[0].hits == 20
    snf = agency(world, "snf")
    (listed,) = snf.transport.registers()
    assert (listed.version, listed.rows, listed.state) == (2, 20, "PUBLISHED")
    snf.transport.withdraw("7c8c1f53-1f1a-4a6e-9d0e-0a8ad1f0f001", listed.name)
    answer = ask.ask(agency(world, "utrecht"), *question(BAGS[:30])).answers[0]
    assert (answer.status, answer.rows) == ("NO_REGISTER", ())


def test_a_stranger_to_the_broker_is_told_what_is_wrong(world: World) -> None:
    world.issue("stranger", "00000099000000999000")
    write_profile(world, "stranger")
    with pytest.raises(ClientError) as caught:
        agency(world, "stranger").transport.purposes()
    assert (caught.value.code, caught.value.exit_code) == ("OIN_UNKNOWN", Exit.KEY_TROUBLE)


def test_a_broker_of_another_authority_is_not_spoken_to(world: World, tmp_path: Path) -> None:
    from broker.dev_pki import ThrowAwayCa

    (world.pki / "ca.pem").write_bytes(ThrowAwayCa(datetime(2020, 1, 1, tzinfo=UTC), days=365 * 60).certificate)
    with pytest.raises(ClientError) as caught:
        agency(world, "utrecht").transport.checkpoint()
    assert (caught.value.code, caught.value.exit_code) == ("BROKER_UNREACHABLE", Exit.BROKER_UNREACHABLE)


def test_a_log_key_that_is_not_the_brokers_refuses_everything(world: World) -> None:
    from broker.config import load_config
    from broker.key_store import make_keys

    text = (world.directory / "broker.yaml").read_text().replace("keys: keys", "keys: others")
    (world.directory / "other.yaml").write_text(text)
    path = world.directory / "utrecht" / "sluis-client.yaml"
    other = make_keys(load_config(world.directory / "other.yaml"))
    path.write_text(path.read_text().replace(world.verifier_key, other))
    with pytest.raises(ClientError) as caught:
        init_encryption_key(agency(world, "utrecht"))
    assert (caught.value.code, caught.value.exit_code) == ("RECEIPT_BROKEN", Exit.VERIFICATION_FAILED)


class Shell:
    """The command line as a person runs it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def start(self, party: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "sluis_client", *words, "--profile", f"{party}/sluis-client.yaml"]
        environment = {name: value for name, value in os.environ.items() if name != "GRPC_SSL_CIPHER_SUITES"}
        return subprocess.Popen(
            command,
            cwd=self.world.directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, party: str, *words: str, expect: int = 0) -> str:
        with self.start(party, *words) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == expect, out + err
        assert not any(bag in out + err for bag in BAGS[:50])
        return out


@pytest.mark.slow
def test_killed_at_any_moment_the_same_commands_finish(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell(world)
    directory = world.directory
    (directory / "locations.csv").write_bytes(locations(3000))
    (directory / "addresses.csv").write_text("bag\n" + "\n".join([*BAGS[2900:], "034410999999999x"]), encoding="utf-8")
    for party in ("snf", "utrecht"):
        shell.run(party, "keys", "init")
    shell.run("snf", "keys", "create", "--purpose", PURPOSE)
    as_of = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    words = ("publish", "locations.csv", "--purpose", PURPOSE, "--scheme", "bag", "--columns", "bag=BAG-id")
    words = (*words, "--as-of", as_of, "--coverage", "all", "--json")
    match = ("match", "addresses.csv", "--purpose", PURPOSE, "--scheme", "bag", "--answerer", "snf")
    match = (*match, "--want", "beds", "--out", "answers.csv", "--json")
    for party, command in (("snf", words), ("utrecht", match)):
        began = time.monotonic()
        shell.run(party, *command)
        whole = time.monotonic() - began
        for part in (0.3, 0.6, 0.8, 0.9, 0.95):
            with shell.start(party, *command) as process:
                time.sleep(whole * part)
                process.send_signal(signal.SIGKILL)
        done = json.loads(shell.run(party, *command))
        state = load_profile(directory / party / "sluis-client.yaml").state
        assert not [path for path in state.rglob(".*.*") if path.is_file()], "no half-written file may be read"
        if party == "snf":
            assert done["rows"] == 3000
            (listed,) = json.loads(shell.run("snf", "registers", "list", "--json"))["registers"]
            assert (listed["rows"], listed["version"]) == (3000, done["version"])
    with (directory / "answers.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(io.StringIO(file.read(), newline="")))
    assert [line["status"] for line in lines] == ["hit"] * 100 + ["invalid input"]
    assert [line["beds"] for line in lines[:100]] == [str(number % 100) for number in range(2900, 3000)]
    assert shell.run("utrecht", "receipt", "verify", "answers.csv.receipts.json").splitlines()[-1] == "verified"
    shell.run("utrecht", "log", "checkpoint")
    # what was never agreed, and a certifier who asks for persons
    denied = (*match[:-5], "--want", "enterprise-name", "--out", "never.csv")
    assert "NOT MET attributes" in shell.run("utrecht", *denied, expect=5)
    (directory / "persons.csv").write_text("bsn\n999993653\n999990482\n", encoding="utf-8")
    persons = ("match", "persons.csv", "--purpose", "brp-inschrijving", "--scheme", "bsn")
    persons = (*persons, "--answerer", "rvig", "--out", "persons-answers.csv")
    assert "NOT MET asker" in shell.run("certificeerder-noord", *persons, expect=5)
