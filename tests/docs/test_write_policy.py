"""docs/write-policy.md as a lawyer works through it: every command is run, and prints what the document shows.

`UPDATE_DOCS=1` writes the outputs anew; look at the difference before you commit it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import console
import pytest
import yaml
from console import Block, agrees, run, steps, walk

from broker.dev_pki import write_dev_pki
from broker.policy.bundle import policy_set_from_texts, read_bundle
from broker.policy.catalogue import Attribute, Catalogue, Dpia, LegalBasis, Party
from broker.policy.purpose import (
    Answered,
    CountRule,
    Limits,
    LookBack,
    MayLearn,
    OnBehalfOf,
    Pseudonyms,
    Purpose,
    Validity,
)

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "write-policy.md"
ENVIRONMENT = {**console.ENVIRONMENT, "SLUIS": str(ROOT)}


class Desk:
    """A reader's folder, and the broker that an operator runs for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker: subprocess.Popen[bytes] | None = None

    def prepare(self, name: str) -> None:
        """What the reader has already."""
        assert name == "broker"
        bundle = (self.folder / "policies-1.bundle").read_bytes()
        read = read_bundle(bundle)
        catalogue = policy_set_from_texts(read.texts).catalogue
        pki = self.folder / "pki"
        write_dev_pki(pki, {n: p.oin for n, p in catalogue.parties.items()}, ["localhost"], datetime.now(UTC))
        document = {
            "origin": "sluis.example/2026",
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
            "policy": {"bundle": "policy.bundle", "signers": [s.key for s in read.signatures], "quorum": 2},
            "parties": {n: [f"pki/{n}.pem"] for n in ("nla", "snf")},
        }
        (self.folder / "broker.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        (self.folder / "policy.bundle").write_bytes(bundle)
        sluis = [sys.executable, "-m", "broker"]
        subprocess.run([*sluis, "keys", "init"], cwd=self.folder, check=True, capture_output=True)
        subprocess.run(
            [*sluis, "audit", "trust", "make", "--out", "trust.yaml"], cwd=self.folder, check=True, capture_output=True
        )
        with (self.folder / "broker.log").open("wb") as log:
            self.broker = subprocess.Popen([*sluis, "serve", "--ready-file", "ready"], cwd=self.folder, stderr=log)
        deadline = time.monotonic() + 30
        while not (self.folder / "ready").exists():
            assert self.broker.poll() is None, (self.folder / "broker.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def write(self, block: Block) -> None:
        """A file of the document, or a change to one."""
        path = self.folder / block.name
        if block.what == "file":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
            for officer in self.folder.glob("*.pub"):
                text = path.read_text(encoding="utf-8")
                path.write_text(
                    text.replace(f"<public key of {officer.stem}>", officer.read_text().strip()), encoding="utf-8"
                )
            return
        old = "".join(line[1:] + "\n" for line in block.body.splitlines() if line.startswith("-"))
        new = "".join(line[1:] + "\n" for line in block.body.splitlines() if line.startswith("+"))
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (block.name, old)
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    if made.broker is not None:
        made.broker.terminate()
        made.broker.wait(30)


@pytest.mark.slow
def test_every_command_prints_what_the_document_shows(desk: Desk) -> None:
    def do(block: Block) -> None:
        if block.what == "setup":
            desk.prepare(block.name)
        else:
            desk.write(block)

    commands = walk(DOCUMENT, do, lambda command: run(command, desk.folder, ENVIRONMENT))
    assert commands > 20


def test_the_reference_has_every_key() -> None:
    reference = DOCUMENT.read_text(encoding="utf-8").partition("\n## 2. ")[2]
    models = (Purpose, OnBehalfOf, MayLearn, CountRule, Pseudonyms, LookBack, Limits, Validity, Answered)
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    later = {key for model in (Party, Attribute, LegalBasis, Catalogue) for key in model.added} | set(Dpia.model_fields)
    assert sorted(key for key in keys | later if f"`{key}`" not in reference) == []


def test_the_comparison_can_fail() -> None:
    assert agrees("a\n...\nz\n", "a\nb\nc\nz\n")
    assert agrees("a\n...\nz\n", "a\nz\n")
    assert not agrees("a\nz\n", "a\nb\nz\n")
    assert not agrees("a\n", "b\n")
    assert agrees(f"digest {'a1' * 32}\n", f"digest {'b2' * 32}\n")
    assert not agrees("5 purposes\n", "6 purposes\n")
    assert steps("$ a\nout\n$ b \\\n  c\n") == [("a", "out\n"), ("b \\\n  c", "")]
