"""Where each key of this agency stands between being made ahead and being destroyed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sluis_client.destruction import escrow_of
from sluis_client.epochs import is_later_key, overlap_end
from sluis_client.keystore import EpochKey
from sluis_client.participant import Participant


@dataclass(frozen=True)
class KeyState:
    """A key that is kept here. `state`: unpublished, ahead, in force, overlap, retired or escrow; `until`: when that
    ends.

    `escrow_until`: when it is to be destroyed; None when neither policy nor state directory tells.
    """

    key: EpochKey
    state: str
    until: datetime | None
    escrow_until: datetime | None


def key_states(me: Participant) -> tuple[KeyState, ...]:
    """Every key kept here, by purpose and epoch."""
    keys = me.keystore.epoch_keys()
    return tuple(_state(me, key, retired=is_replaced(key, keys)) for key in keys)


def is_replaced(key: EpochKey, keys: Iterable[EpochKey]) -> bool:
    """Whether `keys` hold a published one that took its place before the end of its calendar epoch."""
    return any(one.published and one.purpose == key.purpose and is_later_key(one.epoch, key.epoch) for one in keys)


def _state(me: Participant, key: EpochKey, *, retired: bool) -> KeyState:
    escrow, now = escrow_of(me, key), me.now()
    known = key.purpose in me.policy.purposes()
    overlaps = overlap_end(key.valid_until, me.purpose(key.purpose).overlap_days if known else 0)
    if retired:
        return KeyState(key, "retired", escrow, escrow)
    if not key.published:
        return KeyState(key, "unpublished", escrow, escrow)
    if now < key.valid_from:
        return KeyState(key, "ahead", key.valid_from, escrow)
    if now < key.valid_until:
        return KeyState(key, "in force", key.valid_until, escrow)
    if now < overlaps:
        return KeyState(key, "overlap", overlaps, escrow)
    return KeyState(key, "escrow", escrow, escrow)
