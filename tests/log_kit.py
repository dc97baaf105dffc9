"""Keys, clocks and entry bodies for tests and benches of the exchange log. Nothing here is used by the product."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from storage_roots import Roots

from broker.custody.keys import LogSigner, SystemEntropy
from broker.errors import Code, SluisError
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.high_water import claim
from broker.exchange_log.opening import check_tree, genesis
from broker.own_log import open_high_water
from broker.parties import Environment
from broker.storage.sqlite import SqliteLogStore

ORIGIN = "sluis.example/test-2026"
ENGINE = "sluis-engine/2"
START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Keys(Roots):
    """An `AtRest` and a `CheckpointSigner`; the signer can be locked."""

    def __init__(self, seed: str = "a", origin: str = ORIGIN) -> None:
        super().__init__(seed)
        self.locked = False
        self.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"log {seed}".encode()).digest())
        self.signer = LogSigner(origin, self._key)

    def __deepcopy__(self, _: dict[int, object]) -> Keys:
        """The same keys: a world may be copied, what is secret in it may not."""
        return self

    def _key(self) -> Ed25519PrivateKey:
        if self.locked:
            raise SluisError(Code.STORE_UNAVAILABLE, "the key is locked")
        return self.private


class FakeClock:
    """A clock that a test sets; it also moves by `step` at every reading."""

    def __init__(self, at: datetime = START, step: timedelta = timedelta(0)) -> None:
        self.at = at
        self.step = step

    def now(self) -> datetime:
        self.at += self.step
        return self.at


class Log:
    """A log in a directory, opened as the broker opens it."""

    def __init__(
        self,
        directory: Path,
        keys: Keys | None = None,
        clock: FakeClock | None = None,
        high_water: Path | None = None,
    ) -> None:
        self.path = directory / "sluis.db"
        self.keys = keys or Keys()
        self.clock = clock or FakeClock(step=timedelta(milliseconds=1))
        self.store = SqliteLogStore(self.path, self.keys, SystemEntropy())
        self.reader = self.store.reader
        try:
            self.high_water = open_high_water(high_water, self.keys.signer.origin, self.reader, self.clock.now())
        except BaseException:
            self.store.close()
            raise
        self.sequencer = Sequencer(self.store, self.keys.signer, self.clock, self.high_water)

    def open(self) -> Self:
        genesis(self.store, self.keys.signer, self.clock, environment=Environment.TEST, engine=ENGINE)
        if self.high_water is not None:
            checkpoint = check_tree(self.reader, parse_verifier_key(self.keys.signer.verifier_key))
            claim(self.high_water, checkpoint, self.reader.checkpoint()[1], self.clock.now())
        self.sequencer.start()
        return self

    def close(self) -> None:
        self.sequencer.stop()
        self.store.close()
        if self.high_water is not None:
            self.high_water.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


def access_body(party: str = "nla") -> dict[str, object]:
    return {"party": party, "what": "entries", "exchange": None}


def time_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ask_body(now: datetime, exchange: str = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11") -> dict[str, object]:
    """An `ask` of realistic shape and size; its signature is not a real one."""
    names = ("purpose-known", "purpose-active", "asker-listed", "answerer-listed", "scheme-listed", "attributes-named")
    checks = [
        {"id": name, "met": True, "reason": f"the policy names this {name} for the purpose", "path": "purpose"}
        for name in (*names, "case-number", "limits", "rules", "valid")
    ]
    return {
        "exchange": exchange,
        "asker": "utrecht",
        "principal": None,
        "answerer": "snf",
        "purpose": "snf-locatie",
        "statement": {
            "answerers": ["snf"],
            "asker": "utrecht",
            "case_number": None,
            "cooperation_ref": None,
            "environment": "test",
            "epoch": "2026Q4",
            "key_id": "ab" * 16,
            "match_keys": 1,
            "not_after": "2026-11-23T10:10:00Z",
            "origin": ORIGIN,
            "principal": None,
            "purpose": "snf-locatie",
            "request_id": exchange,
            "scheme": "bag",
            "subjects": 1,
            "tokens": "cd" * 32,
            "type": "sluis/v1/ask",
            "want": {"attributes": ["certificate-status"], "count": False, "hit": True},
        },
        "signature": "QUJD" * 24,
        "certificate": "ef" * 32,
        "decided_at": time_text(now),
        "facts": {"now": time_text(now), "requests_today": 3, "case_number": "not_required"},
        "decision": {"effect": "permit", "checks": checks, "obligations": ["keep the answer at most 30 days"]},
        "policy_set": "12" * 32,
        "engine": ENGINE,
        "register": {"name": "snf/snf-locatie/2026Q4/bag", "version": 7, "manifest": "34" * 32},
        "trace_id": None,
        "nonce": "56" * 16,
    }


def release_body(ask_index: int = 1, exchange: str = "5c4b2b6e-6c1f-4c43-9c43-0a4c0c9d5e11") -> dict[str, object]:
    return {
        "exchange": exchange,
        "asker": "utrecht",
        "answerer": "snf",
        "ask_index": ask_index,
        "outcome": "authorised",
        "status": "ANSWERED",
        "register": {"name": "snf/snf-locatie/2026Q4/bag", "version": 7, "manifest": "34" * 32},
        "attributes": ["certificate-status"],
        "result": "78" * 32,
        "nonce": "9a" * 16,
    }
