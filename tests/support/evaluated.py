"""A key service's log in an `audit_kit.World`, as an honest service would write it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

from audit_kit import World, policy_files, policy_set, signed_bundle
from log_kit import time_text
from voprf import ristretto

PURPOSE = "nla-verzoek-persoon"
FILE = f"purposes/{PURPOSE}.yaml"
SERVICE = "oost"
LIMIT = 10


@cache
def public_key(service: str, epoch: str) -> str:
    """A service's key of an epoch, hex."""
    return ristretto.Evaluator.from_seed(bytes(32), f"{service} {epoch}".encode()).public_key.serialize().hex()


def pinned(
    texts: Mapping[str, str],
    pins: Mapping[str, Mapping[str, str]],
    *,
    state: str = "active",
    limit: int = 5000,
    overlap: int = 0,
) -> dict[str, str]:
    """The policies with the purpose in `state`, and its public keys by epoch and service. `limit`: for who asks."""
    lines = "".join(
        f"\n    {epoch}: {{{', '.join(f'{name}: {key}' for name, key in sorted(keys.items()))}}}"
        for epoch, keys in sorted(pins.items())
    )
    overlapping = f"\n  overlap_days: {overlap}" if overlap else ""
    text = texts[FILE].replace("state: draft", f"state: {state}")
    text = text.replace("\npseudonyms:", "\ndpia: DPIA-SAMPLE-01\npseudonyms:")
    text = re.sub(
        r"(?m)^pseudonyms: \{mode: oblivious.*$",
        "pseudonyms:\n  mode: oblivious\n  epoch: month\n  steward: nla\n  key_services: [oost, sluis]"
        f"{overlapping}\n  public_keys:{lines}",
        text,
    )
    text = re.sub(r" evaluations_per_epoch: \d+", f" evaluations_per_epoch: {limit}", text)
    return {**texts, FILE: text}


@cache
def bundle(revision: int = 1, *, epochs: tuple[str, ...] = ("2026-10", "2026-11"), **pinning: Any) -> bytes:
    """A signed set in which the purpose is active, with keys of two months."""
    pins = {epoch: {name: public_key(name, epoch) for name in ("oost", "sluis")} for epoch in epochs}
    return signed_bundle(pinned(policy_files(), pins, **{"limit": LIMIT, **pinning}), revision)


def key_service(**pinning: Any) -> World:
    """A log that has begun under that set."""
    return World(archive=[bundle(**pinning)]).begin()


def evaluate(world: World, party: str = "nla", elements: int = 3, *, spent: int | None = None, **changes: Any) -> int:
    """Logs an evaluation, `spent` counted as an honest service does unless given; `changes`: other members."""
    before = sum(
        body["elements"]
        for batch in world.batches
        for kind, body in batch
        if kind == "evaluation" and "key_service" in body and body["party"] == party
    )
    body = {
        "party": party,
        "purpose": PURPOSE,
        "key_service": SERVICE,
        "epoch": "2026-11",
        "public_key": public_key(SERVICE, "2026-11"),
        "request_id": str(uuid.uuid4()),
        "elements": elements,
        "period": "2026-11",
        "spent": before if spent is None else spent,
        "decided_at": time_text(world.at + timedelta(seconds=1)),
        "policy_set": policy_set(world.archive[-1]).digest,
    }
    return world.batch(("evaluation", {**body, **changes}))


def made(world: World) -> World:
    """The month's K, made by its steward."""
    period = {"valid_from": "2026-10-31T23:00:00Z", "valid_until": "2026-11-30T23:00:00Z"}
    world.epoch("nla", PURPOSE, epoch="2026-11", mode="oblivious", **period)
    return world


def destroy(world: World, epoch: str = "2026-11", *, reason: str | None = "it leaked", after: timedelta) -> int:
    """Logs that a key was destroyed."""
    body = {
        "what": "service-key-destroyed",
        "key_service": SERVICE,
        "purpose": PURPOSE,
        "epoch": epoch,
        "public_key": public_key(SERVICE, epoch),
        "reason": reason,
    }
    return world.batch(("config", body), after=after)
