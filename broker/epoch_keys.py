"""Which key of an epoch may be used now: known, not retired, and the one that was named. Pure but for the store."""

from __future__ import annotations

import base64
import json
from typing import Protocol

from broker.errors import Code, SluisError
from broker.policy.legal_days import next_generation
from broker.statements import EpochManifest, Scope, Signed, read_epoch


class _Documents(Protocol):
    def document(self, kind: str, key: str) -> bytes | None: ...


RETIRED = "epoch-retired"
"""Kind of the document under which it stands that an epoch's key may not be used any more."""
DESTROYED = "service-key-destroyed"
"""Kind of the documents that name destroyed keys by purpose, epoch and public key: a restored copy is destroyed too."""


def manifest_of(store: _Documents, purpose: str, epoch: str, scope: Scope) -> EpochManifest | None:
    """The manifest in force of an epoch, retired or not; None when it has no key."""
    stored = store.document("epoch", f"{purpose}/{epoch}")
    if stored is None:
        return None
    record = json.loads(stored)
    return read_epoch(Signed(base64.b64decode(record["statement"]), base64.b64decode(record["signature"])), scope)


def is_retired(store: _Documents, purpose: str, epoch: str) -> bool:
    """Whether the epoch's key was retired before its time, as after a leak."""
    return store.document(RETIRED, f"{purpose}/{epoch}") is not None


def destroyed_place(purpose: str, epoch: str, public: bytes) -> str:
    """Under which key of `DESTROYED` it stands that a key service's key was destroyed."""
    return f"{purpose}/{epoch}/{public.hex()}"


def newest_generation(store: _Documents, purpose: str, calendar: str) -> str:
    """The name of the epoch whose key is to be used within a calendar epoch, whether it has been made yet or not."""
    name = calendar
    while is_retired(store, purpose, name):
        name = next_generation(name)
    return name


def demand_key(store: _Documents, purpose: str, epoch: str, key_id: str, scope: Scope) -> None:
    """Refuses what was made with another key than the epoch's, or with one that was retired.

    Raises:
        SluisError: EPOCH_UNKNOWN, EPOCH_RETIRED, KEY_ID_WRONG.
    """
    manifest = manifest_of(store, purpose, epoch, scope)
    if manifest is None:
        raise SluisError(
            Code.EPOCH_UNKNOWN,
            "this purpose has no key for this epoch yet; ask its steward to run `sluis-client keys create`",
        )
    if is_retired(store, purpose, epoch):
        raise SluisError(
            Code.EPOCH_RETIRED,
            "the key of this epoch was retired before its time, so nothing made with it is taken any more; run "
            "`sluis-client keys fetch` for the key in its place, and repeat",
        )
    if manifest.key_id != key_id:
        raise SluisError(Code.KEY_ID_WRONG, "the key id is not this epoch's; run `sluis-client keys fetch` and repeat")
