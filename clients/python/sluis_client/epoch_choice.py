"""Under which epoch to ask and to publish: around the turn two are open, and a key may have been replaced midway.

The broker says which key of a period is the newest, and which registers stand under it. It can hold either back, never
invent: a key is taken only from a manifest that a steward of the verified policy signed, and once a newer key is kept
here an older one of the same period is not gone back to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sluis_client.custody import epoch_key, fetch_epoch
from sluis_client.epochs import epoch_after, is_later_key, open_epochs
from sluis_client.errors import ClientError
from sluis_client.keystore import EpochKey
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.pseudonymise import Context
from sluis_client.transport import PublishedEpoch

_T = TypeVar("_T")


@dataclass(frozen=True)
class Chosen:
    """The epoch to ask under, with its key. `note`: what the user must be told of the choice; usually nothing."""

    context: Context
    key: EpochKey
    note: str = ""


def choose(me: Participant, view: PurposeView, answerers: Sequence[str], scheme: str, epoch: str = "") -> Chosen:
    """The newest open epoch in which every one of `answerers` has a register; else the newest that has a key.

    Raises:
        ClientError: as `custody.epoch_key`.
    """
    names = open_epochs(view.epoch_kind, view.overlap_days, me.now())
    if epoch or len(names) == 1:
        return Chosen(*epoch_key(me, view, epoch))
    lacking: dict[str, list[str]] = {}
    found = {}
    for calendar in names:
        published = newest(me, view, calendar)
        if published is None:
            lacking[calendar] = list(answerers)
            continue
        name, registers = published[0], set(published[1].registers)
        lacking[calendar] = [one for one in answerers if f"{one}/{view.name}/{name}/{scheme}" not in registers]
        found[calendar] = name
    chosen = next((one for one in names if one in found and not lacking[one]), next(iter(found), names[0]))
    context, key = epoch_key(me, view, found.get(chosen, ""))
    return Chosen(context, key, _told(names, chosen, lacking))


def open_names(me: Participant, view: PurposeView) -> tuple[str, ...]:
    """The epochs for which a register is to stand: the one in force, the one before while they overlap, and the next
    one as soon as its key has been made. The one in force first."""
    names = open_epochs(view.epoch_kind, view.overlap_days, me.now())
    published = {one: known for one in names if (known := newest(me, view, one)) is not None}
    found = [name for name, _ in published.values()]
    # told, so that nobody asks for what is not there yet; which name that would be is not the broker's to say
    if names[0] not in published or published[names[0]][1].next:
        ahead = newest(me, view, epoch_after(names[0], view.epoch_kind))
        found += [ahead[0]] if ahead is not None else []
    return tuple(found) or names[:1]


def newest(me: Participant, view: PurposeView, calendar: str) -> tuple[str, PublishedEpoch] | None:
    """The newest key of a period: its name, and what was published of it. None when there is none yet."""
    name = kept_name(me, view.name, calendar)
    try:
        published = me.transport.epoch(view.name, name)
        if is_later_key(published.newest, name):
            name = published.newest
            published = me.transport.epoch(view.name, name)
    except ClientError as error:
        if error.code != "EPOCH_UNKNOWN":
            raise
        return None
    return name, published


def kept_name(me: Participant, purpose: str, calendar: str) -> str:
    """The newest key of a period that is kept here; the first one when none is."""
    return me.newest_kept(purpose, calendar)


def with_newest_key(me: Participant, purpose: str, epoch: str, work: Callable[[], _T]) -> _T:
    """Does `work`; once more with the key in its place when the one it used turns out to be retired."""
    try:
        return work()
    except ClientError as error:
        if error.code != "EPOCH_RETIRED" or epoch:
            raise
    fetch_epoch(me, purpose)
    return work()


def _told(names: Sequence[str], chosen: str, lacking: dict[str, list[str]]) -> str:
    newer = names[0]
    if chosen == newer:
        return ""
    who = ", ".join(lacking[newer][:5])
    return f"asked under {chosen}, which still overlaps with {newer}: not yet published for {newer}: {who}"
