"""Files of the demo's world: one broker and the parties that take part, all on this machine."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

ORIGIN = "sluis.example/demo"
PLAYERS = ["snf", "utrecht", "sna", "nla", "uwv", "certificeerder-noord"]
PERSONS = "nla-verzoek-persoon"
"""The purpose in mode oblivious that the demo plays."""


@dataclass
class DemoWorld:
    """Where things lie, and what the parties were told by another way than the broker."""

    directory: Path
    port: int
    service_port: int
    parties: dict[str, str]
    signers: list[str] = field(default_factory=list)
    verifier_key: str = ""

    def write_officers(self) -> None:
        """Two officers who sign for everybody: in the world there would be one for each party or group."""
        officers = {
            f"{side}-office": {
                "title": {"nl": f"bureau van de {dutch} zijde", "en": f"office of the {side} side"},
                "signs_for": sorted(self.parties),
                "key": key,
            }
            for (side, dutch), key in zip(
                (("asking", "vragende"), ("answering", "antwoordende")), self.signers, strict=True
            )
        }
        text = yaml.safe_dump({"officers": officers}, sort_keys=False)
        (self.directory / "policies" / "officers.yaml").write_text(text, encoding="utf-8")

    def active_purposes(self) -> list[str]:
        """Those that both sides must approve."""
        files = sorted((self.directory / "policies" / "purposes").glob("*.yaml"))
        return [file.stem for file in files if "\nstate: active\n" in file.read_text(encoding="utf-8")]

    def write_broker(self) -> None:
        """broker.yaml."""
        document = {
            "origin": ORIGIN,
            "environment": "test",
            "listen": f"127.0.0.1:{self.port}",
            "data": "broker/data",
            "keys": "broker/keys",
            "key_service": {"id": "sluis"},
            "tls": {
                "certificate": "pki/broker.pem",
                "key": "pki/broker.key",
                "client_issuers": ["pki/ca.pem"],
                "revocation_lists": ["pki/ca.crl"],
            },
            "policy": {"bundle": "policy.bundle", "signers": self.signers, "quorum": 2},
            "parties": {party: [f"pki/{party}.pem"] for party in self.parties},
        }
        (self.directory / "broker.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def write_key_service(self) -> None:
        """oost/key-service.yaml: the second key service, of another operator, with a server certificate of its own."""
        document = {
            "key_service": {"id": "oost", "alone": True},
            "origin": "sleuteldienst-oost.example/demo",
            "environment": "test",
            "listen": f"127.0.0.1:{self.service_port}",
            "data": "data",
            "keys": "keys",
            "tls": {
                "certificate": "pki/broker.pem",
                "key": "pki/broker.key",
                "client_issuers": ["../pki/ca.pem"],
                "revocation_lists": ["../pki/ca.crl"],
            },
            "policy": {"bundle": "../policy.bundle", "signers": self.signers, "quorum": 2},
            "parties": {party: [f"../pki/{party}.pem"] for party in ("nla", "uwv")},
        }
        text = yaml.safe_dump(document, sort_keys=False)
        (self.directory / "oost" / "key-service.yaml").write_text(text, encoding="utf-8")

    def pin(self, keys: dict[str, str]) -> None:
        """Writes this month's public keys of the key services into the purpose about persons, and makes it active."""
        path = self.directory / "policies" / "purposes" / f"{PERSONS}.yaml"
        text = path.read_text(encoding="utf-8")
        listed = ", ".join(f"{service}: {key}" for service, key in sorted(keys.items()))
        pins = f"public_keys: {{{now():%Y-%m}: {{{listed}}}}}"
        text = text.replace("key_services: [oost, sluis]}", f"key_services: [oost, sluis],\n  {pins}}}")
        path.write_text(text.replace("state: draft", "state: active\ndpia: DPIA-SAMPLE-04"), encoding="utf-8")

    def write_profiles(self) -> None:
        """One sluis-client.yaml per player."""
        for party in PLAYERS:
            home = self.directory / party
            home.mkdir(exist_ok=True)
            document = {
                "party": party,
                "broker": f"127.0.0.1:{self.port}",
                "broker_issuers": "../pki/ca.pem",
                "certificate": f"../pki/{party}.pem",
                "private_key": f"../pki/{party}.key",
                "origin": ORIGIN,
                "environment": "test",
                "log_keys": [self.verifier_key],
                "policy_signers": self.signers,
                "policy_quorum": 2,
                "party_issuers": "../pki/ca.pem",
                "state": "state",
            }
            if party in ("nla", "uwv"):
                oost = {"target": f"127.0.0.1:{self.service_port}", "ca_file": "../oost/pki/ca.pem"}
                document["key_services"] = {"oost": oost}
            text = yaml.safe_dump(document, sort_keys=False)
            (home / "sluis-client.yaml").write_text(text, encoding="utf-8")


def copy_policies(source: Path, target: Path, today: datetime) -> bool:
    """The sample policies; True when their dates had to be moved because today lies outside them."""
    moved = False
    for path in sorted(source.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        window = re.search(r"(?m)^valid: \{from: ([0-9-]+), until: ([0-9-]+)\}$", text)
        day = f"{today:%Y-%m-%d}"
        if window and path.parent.name == "purposes" and window.group(1) == "2026-01-01" and day > window.group(2):
            until = today + timedelta(days=365)
            text = text.replace(window.group(0), f"valid: {{from: {day}, until: {until:%Y-%m-%d}}}")
            moved = True
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text, encoding="utf-8")
    return moved


def parties_of(policies: Path) -> dict[str, str]:
    """Party -> OIN of the sample catalogue."""
    catalogue = yaml.load((policies / "catalogue.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return {name: str(party["oin"]) for name, party in catalogue["parties"].items()}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def now() -> datetime:
    """UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)
