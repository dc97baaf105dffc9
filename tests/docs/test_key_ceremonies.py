"""docs/keys.md as steward, participants and operator work through it, against a running broker.

`UPDATE_DOCS=1` writes the outputs anew; look at the difference before you commit it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import console
import pytest
import yaml
from console import run, walk
from sluis_client.epochs import epoch_after, epoch_name
from world import ORIGIN, MovingClock, World, make_world, texts_for

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "keys.md"
ENVIRONMENT = {**console.ENVIRONMENT, "COLUMNS": "160"}
FILE = "purposes/snf-locatie.yaml"


def profile(world: World, party: str) -> None:
    document = {
        "party": party,
        "broker": f"127.0.0.1:{world.port}",
        "server_name": "localhost",
        "broker_issuers": "pki/ca.pem",
        "certificate": f"pki/{party}.pem",
        "private_key": f"pki/{party}.key",
        "origin": ORIGIN,
        "environment": "test",
        "log_keys": [world.verifier_key],
        "policy_signers": world.signer_keys(),
        "policy_quorum": 2,
        "party_issuers": "pki/ca.pem",
        "state": f"state-{party}",
    }
    (world.directory / f"{party}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    now = datetime.now(UTC).replace(microsecond=0)
    texts = texts_for(now)
    texts[FILE] = texts[FILE].replace("steward: snf}", "steward: snf, successors: [utrecht], overlap_days: 7}")
    made = make_world(tmp_path, texts, start=now)
    made.clock = MovingClock(now)
    made.start()
    for party in ("snf", "utrecht", "someren"):
        profile(made, party)
    rows = "".join(f"034401{number:010d};{number};geldig\n" for number in range(20))
    (tmp_path / "locations.csv").write_text(f"bag;beds;certificate-status\n{rows}", encoding="utf-8")
    yield made
    made.stop()


@pytest.mark.slow
def test_every_command_prints_what_the_document_shows(world: World) -> None:
    now = epoch_name("quarter", world.clock.now())
    names = {"2026Q4": now, "2027Q1": epoch_after(now, "quarter")}

    def type_in(command: str) -> str:
        for shown, real in names.items():
            command = command.replace(shown, real)
        printed = run(command, world.directory, ENVIRONMENT).replace(str(world.directory), "/home")
        for shown, real in names.items():
            printed = printed.replace(real, shown)
        return re.sub(r"\bentry [0-9]+", "entry 40", printed)  # what else is logged meanwhile depends on the pace

    commands = walk(DOCUMENT, lambda block: None, type_in)
    assert commands > 15
