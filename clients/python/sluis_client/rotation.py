"""The steward's ceremonies: the next epoch's K ahead of time, and another K at once in the place of one that leaked."""

from __future__ import annotations

from sluis_client.canonical import parse_canonical
from sluis_client.custody import Created, create_epoch, demand_steward, signed_manifest
from sluis_client.epoch_choice import kept_name
from sluis_client.epochs import calendar_of, epoch_after, epoch_name, generation_after, generation_of, is_later_key
from sluis_client.errors import ClientError, Exit
from sluis_client.participant import Participant
from sluis_client.policy import PurposeView
from sluis_client.statement_shapes import KEY_ENDS
from sluis_client.statements import key_end_statement
from sluis_client.transport import PublishedEpoch


def rotate(me: Participant, purpose: str) -> Created:
    """Makes K of the epoch after the one in force, and seals it to every participant. Again: to those who came later.

    Raises:
        ClientError: as `custody.create_epoch`.
    """
    view = me.purpose(purpose)
    return create_epoch(me, purpose, epoch_after(epoch_name(view.epoch_kind, me.now()), view.epoch_kind))


def rotate_now(me: Participant, purpose: str, reason: str, epoch: str = "") -> Created:
    """Retires the key of an epoch (the one in force) and makes the one in its place. Cut off half-way, it goes on.

    From the entry of the retirement on, the broker takes no question and no register under the old key.

    Raises:
        ClientError: USAGE for a reason that is no word of `KEY_ENDS`; EPOCH_UNKNOWN when there is no key to retire; as
            `custody.create_epoch`.
    """
    if reason not in KEY_ENDS["retired"]:
        raise ClientError("USAGE", f"--reason is one of {', '.join(KEY_ENDS['retired'])}")
    view = me.purpose(purpose)
    demand_steward(me, view)
    name = kept_name(me, purpose, calendar_of(epoch) or epoch_name(view.epoch_kind, me.now()))
    published = _published(me, purpose, name)
    while published is not None and is_later_key(published.newest, name):
        name = published.newest
        published = _published(me, purpose, name)
    if published is not None:
        _retire(me, view, name, published, reason)
        name = generation_after(name)
    elif generation_of(name) == 1:
        text = f"{purpose} {name} has no key that could be retired; make one with `sluis-client keys create`"
        raise ClientError("EPOCH_UNKNOWN", text, Exit.KEY_TROUBLE)
    return create_epoch(me, purpose, name)


def _published(me: Participant, purpose: str, name: str) -> PublishedEpoch | None:
    try:
        return me.transport.epoch(purpose, name)
    except ClientError as error:
        if error.code != "EPOCH_UNKNOWN":
            raise
        return None


def _retire(me: Participant, view: PurposeView, name: str, published: PublishedEpoch, reason: str) -> None:
    manifest = signed_manifest(me, view, published)
    end = me.sign(
        key_end_statement(
            origin=me.profile.origin,
            environment=me.profile.environment,
            party=me.profile.party,
            purpose=view.name,
            epoch=name,
            key_id=manifest["key_id"],
            what="retired",
            reason=reason,
            caches=0,
            ended_at=me.now(),
        )
    )
    receipt = me.transport.end_key(end)
    statement = parse_canonical(end.statement)
    me.own_entry(receipt, "key", {"action": "end", "party": me.profile.party, "statement": statement})
