"""Worlds in mode oblivious: a purpose about persons in force, the broker's key service, and another one beside it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import yaml
from evaluated import PURPOSE, pinned
from sluis.v1 import pseudonym_pb2, pseudonym_pb2_grpc
from voprf import ristretto
from world import ROOT, START, World, make_world, policy_texts

from broker.config import load_config
from broker.key_store import make_keys
from broker.own_log import open_seeds

EPOCH = "2026-11"
OWN, OTHER = "sluis", "oost"
OTHER_ORIGIN = "oost.example/test-2026"
TIMEOUT = 20.0


def write_configurations(directory: Path, start: datetime = START) -> World:
    """A world whose broker has the key service `sluis`, and in its folder `oost` the configuration of that one.

    The PKI is shared. No keys of purposes are made, and no purpose is in mode oblivious yet.
    """
    world = make_world(directory, start=start, key_service={"id": OWN})
    document = yaml.safe_load((directory / "broker.yaml").read_text())
    other = directory / OTHER
    other.mkdir()
    (other / "pki").symlink_to(world.pki)
    document |= {"key_service": {"id": OTHER, "alone": True}, "origin": OTHER_ORIGIN}
    (other / "key-service.yaml").write_text(yaml.safe_dump(document))
    make_keys(load_config(other / "key-service.yaml"))
    return world


def make_oblivious_world(directory: Path, start: datetime = START, **pinning: object) -> World:
    """As `write_configurations`; the purpose is in force, with keys of both services for EPOCH."""
    world = write_configurations(directory, start)
    put_in_force(world, 2, **pinning)
    return world


def put_in_force(
    world: World, revision: int, epoch: str = EPOCH, texts: Mapping[str, str] | None = None, **pinning: object
) -> None:
    """Makes the keys of `epoch` where there are none, and signs a set that pins them, for both services."""
    keys = {}
    for name, path in ((OWN, "broker.yaml"), (OTHER, f"{OTHER}/key-service.yaml")):
        seeds = open_seeds(load_config(world.directory / path))
        public = seeds.public_key(PURPOSE, epoch) or seeds.make(PURPOSE, epoch, "2026-10-20T09:00:00Z").public
        keys[name] = public.hex()
        seeds.close()
    policies = pinned(texts or policy_texts(), {epoch: keys}, **pinning)
    world.write_bundle(policies, revision)
    bundle = (world.directory / "policy.bundle").read_bytes()
    (world.directory / OTHER / "policy.bundle").write_bytes(bundle)


def other_of(world: World) -> World:
    """The key service `oost` as a world: its directory and configuration, on the clock and with the PKI of `world`."""
    directory = world.directory / OTHER
    config = load_config(directory / "key-service.yaml")
    return World(directory, world.clock, config, "", world.authority, world.signers, world.parties, world.officers)


def serve_alone(world: World) -> subprocess.Popen[bytes]:
    """Starts `oost` as a process of its own, on the machine's clock; sets `world.port`."""
    ready = world.directory / "ready"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "broker", "key-service", "serve", "--config"]
    with (world.directory / "service.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, str(world.directory / "key-service.yaml"), "--ready-file", str(ready)], stderr=log, stdout=log
        )
    ends = time.monotonic() + 120
    while not ready.exists() or not ready.read_text().endswith("\n"):
        if process.poll() is not None or time.monotonic() > ends:
            raise AssertionError((world.directory / "service.log").read_text())
        time.sleep(0.02)
    world.port = int(ready.read_text())
    return process


class Operators:
    """The broker and the other key service as processes."""

    def __init__(self, world: World, other: World) -> None:
        self._other = other
        self._broker, self._service = world.start_process(), serve_alone(other)

    def kill_and_restart_service(self) -> None:
        """SIGKILL to the other key service, which then begins again as it stood."""
        self._service.kill()
        self._service.wait()
        self._service = serve_alone(self._other)

    def stop(self) -> None:
        """Ends both; each must end well within a minute."""
        for process in (self._broker, self._service):
            process.send_signal(signal.SIGTERM)
        assert [process.wait(timeout=60) for process in (self._broker, self._service)] == [0, 0]


@contextmanager
def operators(world: World, other: World) -> Iterator[Operators]:
    """Both processes, stopped at the end with what the worlds hold."""
    running = Operators(world, other)
    try:
        yield running
    finally:
        world.stop()
        other.stop()
        running.stop()


def verified_twice(config: Path) -> Path:
    """The bundle of an operator's log, made and verified by the commands, and verified by the one-file verifier."""
    bundle, trust = config.with_suffix(".bundle"), config.with_suffix(".trust")
    sluis("audit", "export", "--config", config, "--out", bundle)
    sluis("audit", "trust", "make", "--config", config, "--out", trust)
    assert "verified" in sluis("audit", "verify", bundle, "--trust", trust)
    one_file = [sys.executable, ROOT / "clients" / "auditor" / "sluis_verify.py", bundle, "--trust", trust]
    done = subprocess.run(one_file, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle


def sluis(*arguments: str | Path, code: int = 0) -> str:
    """What the command says, on its output when it must end well, on its errors when it must end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "broker", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


class Blinded:
    """Inputs of a client, blinded with another library than the service's."""

    def __init__(self, inputs: Sequence[bytes]) -> None:
        made = [ristretto.Client.blind(one) for one in inputs]
        self.clients = [client for client, _ in made]
        self.elements = b"".join(element.serialize() for _, element in made)

    def finalize(self, answer: pseudonym_pb2.EvaluateResponse, public_key: bytes) -> list[bytes]:
        """The outputs, the proof verified."""
        output = ristretto.VerifiableBatchOutput.deserialize(answer.proof + answer.evaluated_elements)
        return ristretto.Client.finalize_batch(self.clients, output, ristretto.PublicKey.deserialize(public_key))


class Evaluates:
    """A party at the wire of a key service."""

    def __init__(self, world: World, party: str) -> None:
        self.stub = pseudonym_pb2_grpc.PseudonymServiceStub(world.channel(party))

    def evaluate(
        self, elements: bytes, request_id: str | None = None, purpose: str = PURPOSE, epoch: str = EPOCH
    ) -> pseudonym_pb2.EvaluateResponse:
        """One request."""
        request = pseudonym_pb2.EvaluateRequest(
            request_id=request_id or str(uuid.uuid4()), purpose=purpose, epoch=epoch, blinded_elements=elements
        )
        return self.stub.Evaluate(request, timeout=TIMEOUT)

    def budget(self, purpose: str = PURPOSE) -> pseudonym_pb2.GetEvaluationBudgetResponse:
        """What is left."""
        request = pseudonym_pb2.GetEvaluationBudgetRequest(purpose=purpose)
        return self.stub.GetEvaluationBudget(request, timeout=TIMEOUT)

    def public_key(self, purpose: str = PURPOSE, epoch: str = EPOCH) -> bytes:
        """The service's key."""
        request = pseudonym_pb2.GetPublicKeyRequest(purpose=purpose, epoch=epoch)
        return self.stub.GetPublicKey(request, timeout=TIMEOUT).public_key
