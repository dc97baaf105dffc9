"""Two agencies with their own client, a real broker with its key service, and a real key service beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from evaluated import PURPOSE
from evaluating import OTHER, Evaluates, other_of, put_in_force, write_configurations
from sluis_client import ask, publish
from sluis_client.client import connect
from sluis_client.client.key_services import KeyServices
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError
from sluis_client.participant import Participant
from sluis_client.party_keys import keystore_of
from sluis_client.profile import load_profile
from sluis_client.schemes import SCHEMES
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Want
from test_agency import write_profile
from world import World, texts_for

from broker.app import KeyService
from broker.audit.bundle_lines import leaf_of
from broker.audit.export import bundle_lines
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.trust_making import trust_of

pytestmark = pytest.mark.slow
KNOWN, UNKNOWN = ["999993653", "999991772"], "999990019"
LIMIT = 3


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[tuple[World, World]]:
    now = datetime.now(UTC).replace(microsecond=0)
    world = write_configurations(tmp_path, now)
    put_in_force(world, 2, f"{now:%Y-%m}", texts_for(now), limit=LIMIT)
    other = other_of(world)
    other.broker = KeyService(other.config, clock=world.clock)
    other.port = other.broker.start()
    world.start()
    for party in ("nla", "uwv"):
        write_profile(world, party)
        path = tmp_path / party / "sluis-client.yaml"
        service = {"target": f"127.0.0.1:{other.port}", "ca_file": "../pki/ca.pem", "server_name": "localhost"}
        profile = {**yaml.safe_load(path.read_text()), "key_services": {OTHER: service}}
        path.write_text(yaml.safe_dump(profile))
    yield world, other
    world.stop()
    other.stop()


@contextmanager
def agency(world: World, party: str) -> Iterator[Participant]:
    """The agency's client as its commands make it, with the test's clock."""
    profile = load_profile(world.directory / party / "sluis-client.yaml")
    with connect(profile) as transport, KeyServices(profile) as services:
        yield Participant(profile, keystore_of(profile), transport, world.clock.now, key_services=services.connect)


def asked(world: World, numbers: list[str]) -> int:
    with agency(world, "nla") as nla:
        (answer,) = ask.ask(nla, *question(numbers)).answers
    assert answer.status == "ANSWERED"
    return answer.hits


def question(numbers: list[str]) -> tuple[ask.Plan, object]:
    plan = ask.Plan(PURPOSE, "bsn", ("uwv",), Want(hit=True), case_number="NLA-2026-12345")
    return plan, normalise_table(read_table(("bsn\n" + "\n".join(numbers)).encode()), SCHEMES["bsn"])


def spent(hosts: tuple[World, World], party: str) -> list[int]:
    return [Evaluates(host, party).budget().spent for host in hosts]


def test_persons_are_matched_and_each_number_is_evaluated_once(worlds: tuple[World, World]) -> None:
    world, _ = worlds
    for party in ("nla", "uwv"):
        with agency(world, party) as me:
            init_encryption_key(me)
    with agency(world, "nla") as nla:
        create_epoch(nla, PURPOSE)
    plan = publish.Plan(PURPOSE, "bsn", world.clock.now() - timedelta(days=2), "all")
    with agency(world, "uwv") as uwv:
        source = read_table(("bsn\n" + "\n".join(KNOWN)).encode())
        publish.publish(uwv, plan, publish.prepare(uwv.purpose(PURPOSE), plan, source))
    assert spent(worlds, "uwv") == [2, 2]
    assert asked(world, [KNOWN[0], UNKNOWN]) == 1
    assert spent(worlds, "nla") == [2, 2]
    # what was evaluated is kept for the epoch: asked again by another process of the agency, nothing is spent
    assert asked(world, [UNKNOWN, KNOWN[0]]) == 1
    assert spent(worlds, "nla") == [2, 2]
    # one is left of three: two more numbers are refused before anything is spent
    with pytest.raises(ClientError) as caught:
        asked(world, [KNOWN[1], "999992120"])
    assert "QUOTA" in caught.value.code
    assert spent(worlds, "nla") == [2, 2]
    for host in worlds:
        assert host.broker is not None
        lines = list(bundle_lines(host.broker._store.reader))
        assert verify(lines, parse_trust(trust_of(host.config))).findings == ()
        entries = [json.loads(leaf_of(line)) for line in lines if line.startswith(b'{"leaf"')]
        debited = [one["body"]["elements"] for one in entries if "elements" in one["body"]]
        assert debited == [2, 2]
