"""A whole world for tests: throw-away PKI, signed sample policies, a broker in this process, a signed-in client side.

Everything is real but the clock, which stands where a test puts it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import yaml
from approving import Officers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker.app import Broker
from broker.config import Config, load_config
from broker.dev_pki import ThrowAwayCa
from broker.key_store import make_keys
from broker.policy.bundle import build_bundle, policy_set_from_texts, sign_bundle

ROOT = Path(__file__).parents[2]
ORIGIN = "sluis.example/test-2026"
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    at: datetime

    def now(self) -> datetime:
        """Each reading is a microsecond later, as clocks do."""
        self.at += timedelta(microseconds=1)
        return self.at


class MovingClock(SetClock):
    """The machine's clock, never twice the same: for worlds in which processes of their own take part for long."""

    def now(self) -> datetime:
        """Each reading is later than the one before."""
        self.at = max(self.at + timedelta(microseconds=1), datetime.now(UTC))
        return self.at


def policy_texts(directory: Path = ROOT / "policies") -> dict[str, str]:
    """The sample policies as texts by file name."""
    files = [directory / "catalogue.yaml", *sorted((directory / "purposes").glob("*.yaml"))]
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in files}


def texts_for(today: datetime) -> dict[str, str]:
    """The sample policies, their validity moved around `today`: for brokers that read the machine's clock."""
    window = f"{{from: {today - timedelta(days=30):%Y-%m-%d}, until: {today + timedelta(days=300):%Y-%m-%d}}}"
    return {
        name: re.sub(r"(?m)^valid: \{from: 2026-01-01, until: [0-9-]+\}", f"valid: {window}", text)
        for name, text in policy_texts().items()
    }


@dataclass
class World:
    """Where everything of one test lies."""

    directory: Path
    clock: SetClock
    config: Config
    verifier_key: str
    authority: ThrowAwayCa
    signers: list[Ed25519PrivateKey]
    parties: dict[str, str]
    officers: Officers = field(default_factory=Officers)
    broker: Broker | None = None
    port: int = 0
    channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.directory / "pki"

    def start(self) -> None:
        """Starts the broker on a free port."""
        self.broker = Broker(self.config, clock=self.clock)
        self.port = self.broker.start()

    def start_process(self) -> subprocess.Popen[bytes]:
        """Starts the broker as a process of its own, on the machine's clock."""
        ready = self.directory / "ready"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "broker", "serve", "--config", str(self.directory / "broker.yaml")]
        log = (self.directory / "broker.log").open("ab")
        process = subprocess.Popen([*command, "--ready-file", str(ready)], stderr=log, stdout=log)
        log.close()
        deadline = time.monotonic() + 120
        while not ready.exists() or not ready.read_text().endswith("\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "broker.log").read_text())
            time.sleep(0.02)
        self.port = int(ready.read_text())
        return process

    def stop(self) -> None:
        """Stops it, and the channels to it."""
        for channel in self.channels:
            channel.close()
        self.channels.clear()
        if self.broker is not None:
            self.broker.stop(grace=2)
            self.broker = None

    def channel(self, party: str, certificate: str | None = None) -> grpc.Channel:
        """A mutual TLS channel as `party`, or with another certificate of the PKI."""
        name = certificate or party
        credentials = grpc.ssl_channel_credentials(
            (self.pki / "ca.pem").read_bytes(),
            (self.pki / f"{name}.key").read_bytes(),
            (self.pki / f"{name}.pem").read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", "localhost")]
        channel = grpc.secure_channel(f"127.0.0.1:{self.port}", credentials, options)
        self.channels.append(channel)
        return channel

    def signer_keys(self) -> list[str]:
        """Hex public keys of the policy signers."""
        raw = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self.signers]
        return [item.hex() for item in raw]

    def write_bundle(self, texts: dict[str, str], revision: int, signers: int = 2) -> None:
        """Signs and writes a policy bundle where the broker reads it."""
        texts = self.officers.add_to(texts)
        expires = self.clock.at + timedelta(days=365)
        bundle = build_bundle(texts, revision=revision, expires=expires, approvals=self.officers.approve(texts))
        for key in self.signers[:signers]:
            bundle = sign_bundle(bundle, key, "test")
        (self.directory / "policy.bundle").write_bytes(bundle)

    def issue(self, name: str, oin: str | None, **times: datetime) -> None:
        """Writes one more certificate and key to the PKI."""
        issued = self.authority.issue(name, oin, **times)
        (self.pki / f"{name}.pem").write_bytes(issued.certificate)
        _write_key(self.pki / f"{name}.key", issued.key)


def _write_key(path: Path, key: bytes) -> None:
    path.write_bytes(key)
    path.chmod(0o600)


def make_world(
    directory: Path, texts: dict[str, str] | None = None, start: datetime = START, **settings: object
) -> World:
    """Builds the files of a world whose clock stands at `start`; `settings` are added to broker.yaml."""
    texts = texts or policy_texts()
    catalogue = policy_set_from_texts(texts).catalogue
    parties = {name: party.oin for name, party in catalogue.parties.items()}
    clock = SetClock(start)
    # The handshake reads the machine's clock, the broker the test's: certificates must hold at both.
    authority = ThrowAwayCa(datetime(2020, 1, 1, tzinfo=UTC), days=365 * 60)
    pki = directory / "pki"
    pki.mkdir(parents=True)
    (pki / "ca.pem").write_bytes(authority.certificate)
    (pki / "ca.crl").write_bytes(authority.revocation_list(this_update=start - timedelta(hours=1)))
    world_parties: dict[str, str | None] = {"broker": None, **parties}
    for name, oin in world_parties.items():
        issued = authority.issue(name, oin, hosts=["localhost"] if oin is None else ())
        (pki / f"{name}.pem").write_bytes(issued.certificate)
        _write_key(pki / f"{name}.key", issued.key)
    signers = [Ed25519PrivateKey.generate() for _ in range(2)]
    raw = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex() for key in signers]
    document = {
        "origin": ORIGIN,
        "environment": "test",
        "listen": "127.0.0.1:0",
        "data": "data",
        "keys": "keys",
        "tls": {
            "certificate": "pki/broker.pem",
            "key": "pki/broker.key",
            "client_issuers": ["pki/ca.pem"],
            "revocation_lists": ["pki/ca.crl"],
        },
        "policy": {"bundle": "policy.bundle", "signers": raw, "quorum": 2},
        "parties": {name: [f"pki/{name}.pem"] for name in parties},
        "limits": {"answer_grid_ms": 0},
        **settings,
    }
    (directory / "broker.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    config = load_config(directory / "broker.yaml")
    world = World(directory, clock, config, make_keys(config), authority, signers, parties)
    world.write_bundle(texts, revision=1)
    return world


@contextmanager
def running(directory: Path, texts: dict[str, str] | None = None, **settings: object) -> Iterator[World]:
    """A world whose broker serves while the block runs."""
    world = make_world(directory, texts, **settings)
    world.start()
    try:
        yield world
    finally:
        world.stop()
