"""Two agencies with their own client, a broker with a key service, and another key service: questions about persons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from evaluated import PURPOSE
from evaluating import EPOCH, OTHER, OWN, Evaluates, make_oblivious_world, other_of, put_in_force
from sluis_client import ask, publish
from sluis_client.client import Retries, connect
from sluis_client.client.key_services import KeyServices
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.destruction import destroy_due
from sluis_client.errors import ClientError, Exit
from sluis_client.evaluations import kept_caches
from sluis_client.key_services import EvaluationBudget
from sluis_client.key_states import key_states
from sluis_client.keystore import Keystore
from sluis_client.participant import Participant
from sluis_client.profile import load_profile
from sluis_client.rotation import rotate_now
from sluis_client.schemes import SCHEMES
from sluis_client.tables import NormalisedTable, normalise_table, read_table
from sluis_client.transport import Want
from test_agency import write_profile
from world import World

from broker.app import KeyService

pytestmark = pytest.mark.slow
WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2, -1)
BSNS = [
    text
    for text in map(str, range(999_900_000, 999_901_000))
    if sum(weight * int(digit) for weight, digit in zip(WEIGHTS, text, strict=True)) % 11 == 0
]
"""Numbers that pass the test of a BSN and are given to nobody."""
FAST = Retries(attempts=2, first=0.05)


class Agencies:
    """The world with both key services running, and who works in it."""

    def __init__(self, world: World, other: World) -> None:
        self.world, self.other = world, other
        for party in ("nla", "uwv"):
            write_profile(world, party)
            path = world.directory / party / "sluis-client.yaml"
            document = yaml.safe_load(path.read_text())
            oost = {"target": f"127.0.0.1:{other.port}", "ca_file": "../pki/ca.pem", "server_name": "localhost"}
            path.write_text(yaml.safe_dump({**document, "key_services": {OTHER: oost}}))

    def party(self, name: str) -> Participant:
        """A party as a fresh process would be."""
        profile = load_profile(self.world.directory / name / "sluis-client.yaml")
        transport, services = connect(profile, FAST), KeyServices(profile, FAST)
        self.world.channels += [transport]  # type: ignore[list-item]  # closed with the world
        clock = self.world.clock.now
        return Participant(profile, Keystore(profile.state), transport, clock, key_services=services.connect)

    def spent(self, party: str) -> dict[str, int]:
        """Elements debited, by each service's own account."""
        return {
            name: Evaluates(world, party).budget().spent for name, world in ((OWN, self.world), (OTHER, self.other))
        }


@contextmanager
def at_work(world: World) -> Iterator[Agencies]:
    """Broker and both key services serve while the block runs; the asking party and the answering one have K."""
    other = other_of(world)
    other.broker = KeyService(other.config, clock=world.clock)
    world.start()
    other.port = other.broker.start()
    try:
        made = Agencies(world, other)
        for party in ("nla", "uwv"):
            init_encryption_key(made.party(party))
        create_epoch(made.party("nla"), PURPOSE)
        yield made
    finally:
        other.stop()
        world.stop()


@pytest.fixture(scope="module")
def agencies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agencies]:
    world = make_oblivious_world(tmp_path_factory.mktemp("oblivious"))
    with at_work(world) as made:
        yield made


def register(me: Participant, count: int) -> publish.Published:
    plan = publish.Plan(PURPOSE, "bsn", me.now() - timedelta(days=2), "all")
    table = read_table(("bsn\n" + "\n".join(BSNS[:count])).encode())
    return publish.publish(me, plan, publish.prepare(me.purpose(PURPOSE), plan, table))


def question(first: int, last: int) -> tuple[ask.Plan, NormalisedTable]:
    plan = ask.Plan(PURPOSE, "bsn", ("uwv",), Want(hit=True), case_number="NLA-2026-8812")
    return plan, normalise_table(read_table(("bsn\n" + "\n".join(BSNS[first:last])).encode()), SCHEMES["bsn"])


def test_a_person_is_found_at_the_cost_of_one_evaluation_at_each_service(agencies: Agencies) -> None:
    register(agencies.party("uwv"), 60)
    assert agencies.spent("uwv") == {OWN: 60, OTHER: 60}
    nla, seen = agencies.party("nla"), list[tuple[int, list[EvaluationBudget]]]()
    nla.tell_evaluations = lambda needed, budgets: seen.append((needed, list(budgets)))
    (answer,) = ask.ask(nla, *question(50, 70)).answers
    assert (answer.status, answer.hits) == ("ANSWERED", 10)
    assert agencies.spent("nla") == {OWN: 20, OTHER: 20}
    assert [(needed, {one.service: one.spent for one in budgets}) for needed, budgets in seen] == [
        (20, {OWN: 0, OTHER: 0})
    ]
    assert {epoch for one in seen[0][1] for epoch in one.public_keys} == {EPOCH}
    # the same persons again, from another process, while the other operator's service is away
    profile = load_profile(agencies.world.directory / "nla" / "sluis-client.yaml")
    nla = agencies.party("nla")
    nla._connect = None
    (again,) = ask.ask(nla, *question(55, 70), anew=True).answers
    assert again.hits == 5
    assert agencies.spent("nla") == {OWN: 20, OTHER: 20}
    assert profile.key_services[OTHER].server_name == "localhost"


def test_an_answer_that_was_lost_is_debited_once_at_each_service(agencies: Agencies) -> None:
    before = agencies.spent("nla")
    nla = agencies.party("nla")
    way = nla.key_service_of(nla.purpose(PURPOSE))(OTHER)

    class Lost:
        """The service, whose answers are lost after it debited them."""

        def budget(self, purpose: str) -> EvaluationBudget:
            return way.budget(purpose)

        def evaluate(self, *asked: object) -> tuple[bytes, bytes]:
            way.evaluate(*asked)  # type: ignore[arg-type]
            raise ClientError("BROKER_UNREACHABLE", "cut off", Exit.BROKER_UNREACHABLE)

    nla._services[OTHER] = Lost()
    with pytest.raises(ClientError):
        ask.ask(nla, *question(70, 80))
    assert agencies.spent("nla")[OTHER] == before[OTHER] + 10
    (answer,) = ask.ask(agencies.party("nla"), *question(70, 80)).answers
    assert answer.hits == 0
    assert agencies.spent("nla") == {name: spent + 10 for name, spent in before.items()}


def test_a_service_at_no_known_address_is_told(agencies: Agencies) -> None:
    profile = load_profile(agencies.world.directory / "nla" / "sluis-client.yaml")
    oost = next(one for one in agencies.party("nla").purpose(PURPOSE).key_services if one.name == OTHER)
    with KeyServices(replace(profile, key_services={}), FAST) as services, pytest.raises(ClientError) as caught:
        services.connect(oost)
    assert caught.value.code == "KEY_SERVICE_UNKNOWN"
    assert "sleuteldienst-oost" in caught.value.message


def test_a_k_that_leaked_is_replaced_and_what_was_evaluated_under_either_goes_with_it(agencies: Agencies) -> None:
    """The key services keep their keys of the month."""
    ask.ask(agencies.party("nla"), *question(0, 1))  # few: the purpose lets fifty be asked about in an hour
    rotated = rotate_now(agencies.party("nla"), PURPOSE, "leak")
    assert rotated.key.epoch == f"{EPOCH}.2"
    register(agencies.party("uwv"), 5)
    (answer,) = ask.ask(agencies.party("nla"), *question(0, 2)).answers
    assert (answer.status, answer.hits) == ("ANSWERED", 2)

    nla, world = agencies.party("nla"), agencies.world
    both = {(PURPOSE, EPOCH), (PURPOSE, f"{EPOCH}.2")}
    assert set(kept_caches(nla.keystore)) == both
    (ends,) = {one.escrow_until for one in key_states(nla)}
    assert ends is not None
    world.clock.at = ends - timedelta(minutes=1)
    crl = world.authority.revocation_list(this_update=ends - timedelta(hours=1))
    (world.pki / "ca.crl").write_bytes(crl)
    assert world.broker is not None
    world.broker.reload_directory()
    put_in_force(world, 3)  # the set of that year
    world.broker._look_at_policy(again=True)
    assert destroy_due(agencies.party("nla")) == ()
    assert set(kept_caches(nla.keystore)) == both
    world.clock.at = ends
    gone = destroy_due(agencies.party("nla"))
    assert {(one.purpose, one.epoch) for one in gone} == both
    assert all(one.caches for one in gone)
    assert kept_caches(nla.keystore) == ()
    assert not [name for name in nla.keystore.named_keys() if name.startswith("evaluations.")]
