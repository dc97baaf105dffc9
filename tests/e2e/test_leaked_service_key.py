"""A leak of K and of a service's key in mode oblivious: other keys in the same month, over real processes."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from evaluated import PURPOSE, pinned
from evaluating import OTHER, OWN, Blinded, Evaluates, operators, other_of, sluis, verified_twice, write_configurations
from participant import reason_of
from sluis_client import ask, subject
from sluis_client.custody import create_epoch, init_encryption_key
from sluis_client.errors import ClientError
from sluis_client.evaluations import kept_caches
from sluis_client.key_states import key_states
from sluis_client.participant import Participant
from sluis_client.rotation import rotate_now
from sluis_client.schemes import SCHEMES
from test_oblivious_agency import BSNS, Agencies, question, register
from world import MovingClock, World, texts_for

from broker.policy.legal_days import local_day

pytestmark = pytest.mark.slow


def made_at(configs: dict[str, Path], epoch: str) -> dict[str, str]:
    """The public keys that the operators made for an epoch, by service."""
    make = ("key-service", "key", "make", "--purpose", PURPOSE, "--epoch", epoch, "--config")
    return {name: sluis(*make, config).split(": ")[2].strip("}\n") for name, config in configs.items()}


def in_force(world: World, now: datetime, revision: int, pins: dict[str, dict[str, str]]) -> None:
    """Both operators lay the signed set in its place; who runs takes it up within a second or two."""
    world.write_bundle(pinned(texts_for(now), pins), revision)
    (world.directory / OTHER / "policy.bundle").write_bytes((world.directory / "policy.bundle").read_bytes())


def refusal(world: World, epoch: str) -> str:
    """The code with which a key service refuses to evaluate; "" when it does evaluate."""
    blinded = Blinded([b"one"])
    try:
        Evaluates(world, "svb").evaluate(blinded.elements, epoch=epoch)
    except grpc.RpcError as error:
        return reason_of(error)
    return ""


def open_at(service: World) -> set[str]:
    """The epochs of which a key service has a key that the policy pins."""
    return {one.epoch for one in Evaluates(service, "uwv").budget().epochs if one.public_key}


def answered(me: Participant, first: int, last: int) -> tuple[str, str, int]:
    asked = ask.ask(me, *question(first, last))
    (answer,) = asked.answers
    return asked.posed.context.epoch, answer.status, answer.hits


def searched(me: Participant, person: int) -> dict[str, int | None]:
    """In how many exchanges of each epoch a person was asked about; None where the agency cannot know."""
    keys = SCHEMES["bsn"].normalise({"bsn": BSNS[person]})
    (told,) = subject.answer(me, subject.Sought("bsn", keys, (PURPOSE,)))["purposes"]
    found: dict[str, int | None] = {one["epoch"]: len(one["exchanges"]) for one in told["epochs"]}
    return found | {one["epoch"]: None for one in told.get("not_evaluated", [])}


def leaked(agencies: Agencies, configs: dict[str, Path], now: datetime, old: str, keys: dict[str, str]) -> str:
    """The ceremony of docs/keys.md section 3 for K and a service's key; returns the epoch in the old one's place."""
    world, other = agencies.world, agencies.other
    rotated = rotate_now(agencies.party("nla"), PURPOSE, "leak")
    assert (rotated.key.epoch, rotated.recipients[-1]) == (f"{old}.2", "uwv")
    new = rotated.key.epoch
    assert refusal(world, new) == "SERVICE_KEY_WRONG"  # nobody pinned a key of it
    others = made_at(configs, new)
    assert not set(others.values()) & set(keys.values())
    in_force(world, now, 3, {old: keys, new: others})
    ends = time.monotonic() + 60
    while not all(new in open_at(service) for service in (world, other)):
        assert time.monotonic() < ends, "the new policy set is not taken up"
        time.sleep(0.2)
    assert refusal(world, old) == "EPOCH_RETIRED"
    assert refusal(other, old) == ""  # it knows nothing of K, and goes on until its operator ends it
    destroy = ("key-service", "key", "destroy", "--purpose", PURPOSE, "--epoch", old, "--now", "--reason", "it leaked")
    assert sluis(*destroy, "--config", configs[OTHER]).startswith(f"destroyed {keys[OTHER]}")
    assert refusal(other, old) == "SERVICE_KEY_WRONG"
    return new


def test_k_and_a_services_key_leaked_and_the_exchange_goes_on_under_others(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    old = f"{local_day(now):%Y-%m}"
    world = write_configurations(tmp_path, now)
    other = other_of(world)
    world.clock = other.clock = MovingClock(now)
    configs = {OWN: tmp_path / "broker.yaml", OTHER: tmp_path / OTHER / "key-service.yaml"}
    keys = made_at(configs, old)
    in_force(world, now, 2, {old: keys})
    with operators(world, other) as running:
        agencies = Agencies(world, other)
        for party in ("nla", "uwv"):
            init_encryption_key(agencies.party(party))
        create_epoch(agencies.party("nla"), PURPOSE)
        register(agencies.party("uwv"), 12)
        assert answered(agencies.party("nla"), 8, 16) == (old, "ANSWERED", 4)
        assert agencies.spent("nla") == {OWN: 8, OTHER: 8}

        new = leaked(agencies, configs, now, old, keys)
        # who has not heard of the other key yet can account for what it did, too
        assert searched(agencies.party("uwv"), 9) == {old: 1}
        assert searched(agencies.party("uwv"), 40) == {old: None}
        assert answered(agencies.party("nla"), 8, 16) == (new, "NO_REGISTER", 0)
        # nothing that was evaluated under the old keys serves under the new ones
        assert agencies.spent("nla") == {OWN: 16, OTHER: 16}
        register(agencies.party("uwv"), 12)
        assert agencies.spent("uwv") == {OWN: 24, OTHER: 24}
        running.kill_and_restart_service()
        agencies = Agencies(world, other)
        assert answered(agencies.party("nla"), 7, 16) == (new, "ANSWERED", 5)
        assert agencies.spent("nla") == {OWN: 17, OTHER: 17}
        assert refusal(other, old) == "SERVICE_KEY_WRONG"
        nla = agencies.party("nla")
        assert {one.key.epoch: one.state for one in key_states(nla)} == {old: "retired", new: "in force"}
        assert set(kept_caches(nla.keystore)) == {(PURPOSE, old), (PURPOSE, new)}  # kept for subject access, with K
        # what was evaluated under the old keys is still found by who must account for it, and nothing more is evaluated
        assert searched(agencies.party("nla"), 9) == {old: 1, new: 2}
        assert searched(agencies.party("nla"), 40) == {old: None, new: 0}
        plan, table = question(0, 1)
        with pytest.raises(ClientError) as caught:
            ask.ask(nla, replace(plan, epoch=old), table)
        assert caught.value.code == "EPOCH_RETIRED"
    for config in configs.values():
        verified_twice(config)
