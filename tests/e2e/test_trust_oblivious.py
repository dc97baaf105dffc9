"""The trust table in mode oblivious: what a coalition lacks is always the key of one key service, and that is enough.

A world is played once, with the broker's key service and another one: an answerer with a register of persons and an
asker. Whoever has K can compute every private input of a million numbers; without both services they lead nowhere.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import grpc
import numpy as np
import pytest
import yaml
from attackers import Haystack, OpenRegister, everything_in, found
from evaluated import PURPOSE
from evaluating import OTHER, Blinded, Evaluates, other_of, put_in_force, write_configurations
from participant import reason_of
from sluis_client import publish
from sluis_client.blinding import blind, blinds_of, check_proof, finalize
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError
from sluis_client.making import maker_of
from sluis_client.oblivious import Derivation
from sluis_client.pseudonymise import MODE_OBLIVIOUS, Context
from sluis_client.secret import Secret
from sluis_client.tables import read_table
from test_agency import write_profile
from test_agency_oblivious import KNOWN, UNKNOWN, agency, asked
from world import ORIGIN, World, texts_for

from broker.app import KeyService
from broker.config import load_config
from broker.key_store import keys_of
from broker.own_log import open_seeds

pytestmark = pytest.mark.slow

LIMIT = 4
SERVICES = ("oost", "sluis")
Outputs = Callable[[Sequence[bytes]], list[bytes]]
"""What an attacker has in a service's place: private inputs to 64 bytes each."""


@dataclass
class Played:
    """What lies where after the exchange."""

    world: World
    other: World
    key: Secret
    epoch: str
    register: str

    def derivation(self, key: Secret) -> Derivation:
        """The derivations under a K."""
        context = Context(ORIGIN, "test", PURPOSE, self.epoch, MODE_OBLIVIOUS)
        return Derivation(key, context, SERVICES)

    def opened(self) -> OpenRegister:
        """The register, for who has the broker's storage key."""
        at_rest = keys_of(self.world.config).at_rest
        return OpenRegister(self.world.directory / "data", at_rest, self.register, 1)

    def service(self, name: str) -> Outputs:
        """What the key of a service gives to its thief: every output, without a quota."""
        place = "broker.yaml" if name == "sluis" else f"{OTHER}/key-service.yaml"
        seeds = open_seeds(load_config(self.world.directory / place))

        def outputs(inputs: Sequence[bytes]) -> list[bytes]:
            blinds = blinds_of(bytes(32), len(inputs))
            elements = seeds.read(b"".join(blind(inputs, blinds)), "elements", len(inputs))
            answer = seeds.evaluate(PURPOSE, self.epoch, elements).elements
            return finalize(inputs, blinds, [answer[at : at + 32] for at in range(0, len(answer), 32)])

        return outputs


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    directory = tmp_path_factory.mktemp("oblivious")
    now = datetime.now(UTC).replace(microsecond=0)
    epoch = f"{now:%Y-%m}"
    world = write_configurations(directory, now)
    put_in_force(world, 2, epoch, texts_for(now), limit=LIMIT)
    other = other_of(world)
    other.broker = KeyService(other.config, clock=world.clock)
    other.port = other.broker.start()
    world.start()
    for party in ("nla", "uwv"):
        write_profile(world, party)
        path = directory / party / "sluis-client.yaml"
        service = {"target": f"127.0.0.1:{other.port}", "ca_file": "../pki/ca.pem", "server_name": "localhost"}
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "key_services": {OTHER: service}}))
        with agency(world, party) as me:
            init_encryption_key(me)
    with agency(world, "nla") as nla:
        create_epoch(nla, PURPOSE)
    plan = publish.Plan(PURPOSE, "bsn", world.clock.now() - timedelta(days=2), "all")
    with agency(world, "uwv") as uwv:
        source = read_table(("bsn\n" + "\n".join(KNOWN)).encode())
        done = publish.publish(uwv, plan, publish.prepare(uwv.purpose(PURPOSE), plan, source))
    assert asked(world, [KNOWN[0], UNKNOWN]) == 1
    with agency(world, "nla") as nla:
        (kept,) = (one for one in nla.keystore.epoch_keys() if one.purpose == PURPOSE)
    yield Played(world, other, kept.key, epoch, done.register.name)
    world.stop()
    other.stop()


def eleven_test(numbers: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Those that pass the BSN's test."""
    digits = [(numbers // 10 ** (8 - place)) % 10 for place in range(9)]
    total = sum(digit * weight for digit, weight in zip(digits[:8], range(9, 1, -1), strict=True)) - digits[8]
    return numbers[total % 11 == 0]


@pytest.fixture(scope="module")
def dictionary() -> list[str]:
    """A million numbers that pass the BSN's test, those of the register and the question among them."""
    numbers = eleven_test(np.arange(988_999_999, 1_000_000_000))[-1_000_000:]
    texts = [f"{number:09d}" for number in numbers.tolist()]
    assert len(texts) == 1_000_000
    assert {*KNOWN, UNKNOWN} <= set(texts)
    return texts


@pytest.fixture(scope="module")
def inputs(played: Played, dictionary: list[str]) -> list[bytes]:
    """x' of the whole dictionary: all that K gives."""
    return inputs_of(played.derivation(played.key), dictionary)


def inputs_of(derivation: Derivation, numbers: Sequence[str]) -> list[bytes]:
    """x' of numbers under the K of a derivation."""
    started = derivation.started("bsn/1", 1)
    made = []
    for number in numbers:
        one = started.copy()
        one.update(len(number).to_bytes(4, "big") + number.encode())
        made.append(one.finalize())
    return made


def pseudonyms(derivation: Derivation, inputs_: Sequence[bytes], services: Mapping[str, Outputs]) -> bytes:
    """What comes out with `services` in their places, in the order of the specification."""
    outputs = [services[name](inputs_) for name in SERVICES]
    return b"".join(derivation.pseudonyms(derivation.combined(pair) for pair in zip(*outputs, strict=True)))


def made_up(inputs_: Sequence[bytes]) -> list[bytes]:
    """What stands in for a service whose key nobody has: some keyed hash of the input."""
    return [hmac.digest(bytes(32), one, "sha512") for one in inputs_]


def few(dictionary: list[str]) -> list[str]:
    """A dictionary small enough to evaluate, with all that is sought in it."""
    return [*dictionary[:200], *KNOWN, UNKNOWN]


def test_storage_key_and_k_leaked_find_nobody_in_a_dictionary_of_a_million(played: Played, inputs: list[bytes]) -> None:
    register, derivation = played.opened(), played.derivation(played.key)
    shortcuts: tuple[Callable[[bytes], bytes], ...] = (
        lambda x: x[:16],
        lambda x: derivation.pseudonyms([x])[0],
        lambda x: derivation.pseudonyms([hmac.digest(x, b"", "sha256")])[0],
    )
    for shortcut in shortcuts:
        assert not register.holds(b"".join(map(shortcut, inputs))).any()
    assert not register.holds(pseudonyms(derivation, inputs[:1000], dict.fromkeys(SERVICES, made_up))).any()


def test_a_thief_of_everything_but_keys_with_k_finds_nobody_either(played: Played, inputs: list[bytes]) -> None:
    stolen = Haystack(everything_in(played.world.directory / "data", played.other.directory / "data"))
    assert not stolen.holds(b"".join(one[:16] for one in inputs)).any()


@pytest.mark.parametrize("had", SERVICES)
def test_broker_agency_and_one_key_service_find_nobody_offline(played: Played, dictionary: list[str], had: str) -> None:
    derivation = played.derivation(played.key)
    candidates = inputs_of(derivation, few(dictionary))
    (lacked,) = set(SERVICES) - {had}
    true = played.service(had)
    for stand_in in (made_up, true):
        guessed = pseudonyms(derivation, candidates, {had: true, lacked: stand_in})
        assert not played.opened().holds(guessed).any()


def test_broker_agency_and_both_key_services_have_the_whole_dictionary(played: Played, dictionary: list[str]) -> None:
    derivation, numbers = played.derivation(played.key), few(dictionary)
    both = {name: played.service(name) for name in SERVICES}
    made = pseudonyms(derivation, inputs_of(derivation, numbers), both)
    assert found(numbers, played.opened().holds(made)) == set(KNOWN)


def test_both_key_services_and_the_broker_find_nobody_without_k(played: Played, dictionary: list[str]) -> None:
    both = {name: played.service(name) for name in SERVICES}
    for guess in (bytes(32), bytes(range(32))):
        derivation = played.derivation(Secret(guess))
        made = pseudonyms(derivation, inputs_of(derivation, few(dictionary)), both)
        assert not played.opened().holds(made).any()


def test_a_key_service_sees_who_and_how_many_and_no_input_twice_alike(played: Played, inputs: list[bytes]) -> None:
    one, again = (Blinded([inputs[0]]).elements for _ in range(2))
    assert one != again, "the same number is another element each time"
    seen = Haystack(everything_in(played.other.directory / "data"))
    assert not seen.holds(b"".join(value[:16] for value in inputs)).any()
    log = everything_in(played.other.directory / "data")
    assert b'"party":"nla"' in log
    assert b'"elements":2' in log


def test_a_participant_alone_computes_what_it_had_evaluated_and_nothing_else(played: Played) -> None:
    with agency(played.world, "nla") as nla:
        view = nla.purpose(PURPOSE)
        context = Context(ORIGIN, "test", PURPOSE, played.epoch, MODE_OBLIVIOUS)
        maker = maker_of(nla, view, context, played.key, "bsn/1", known_only=True)
        assert maker.columns([((KNOWN[0],),)], 1)[0].pseudonyms
        with pytest.raises(ClientError) as caught:
            maker.columns([((KNOWN[1],),)], 1)
    assert caught.value.code == "NOT_EVALUATED"


def test_guesses_online_end_at_the_quota_and_stand_in_both_logs(played: Played, inputs: list[bytes]) -> None:
    left = LIMIT - 2
    for host in (played.world, played.other):
        who = Evaluates(host, "nla")
        who.evaluate(Blinded(inputs[:left]).elements, epoch=played.epoch)
        with pytest.raises(grpc.RpcError) as caught:
            who.evaluate(Blinded(inputs[left : left + 1]).elements, epoch=played.epoch)
        assert reason_of(caught.value) == "QUOTA_SPENT"
        assert host.broker is not None
        reader = host.broker._store.reader
        leaves = [entry.leaf for entry in reader.entries(0, reader.size())]
        spent = [leaf for leaf in leaves if b'"elements":' in leaf and b'"party":"nla"' in leaf]
        assert len(spent) == 2


def test_a_key_service_cannot_mark_one_agency_with_another_key(played: Played, inputs: list[bytes]) -> None:
    """Its proof must hold for the key that the signed policy pins; for another key it does not."""
    blinds = blinds_of(bytes(range(32)), 2)
    blinded = blind(inputs[:2], blinds)
    answer = Evaluates(played.world, "uwv").evaluate(b"".join(blinded), epoch=played.epoch)
    own, other = (Evaluates(host, "uwv").public_key(epoch=played.epoch) for host in (played.world, played.other))
    assert check_proof("sluis", own, blinded, answer.evaluated_elements, answer.proof)
    with pytest.raises(ClientError, match="key that the signed policy names"):
        check_proof("sluis", other, blinded, answer.evaluated_elements, answer.proof)
