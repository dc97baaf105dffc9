"""A cosigned checkpoint that covers what was just received: the broker relays it, the witnesses' keys prove it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sluis_client.errors import ClientError
from sluis_client.participant import Participant
from sluis_client.witnessed import LOG_SIGNED_ONLY, Seen, cover_json, demand, seen

UNDEMANDED_SECONDS = 2
"""How long a witness's cosignature is waited for where the profile does not demand it: they come each second."""


def covered(me: Participant, notes: Sequence[str]) -> tuple[Seen | None, dict[str, Any] | None]:
    """Who saw a log that holds all of `notes`, and what proves it (`cover_json`); (None, None): log-signed only.

    Asks each second, as long as the profile waits. The cosigned checkpoint continues what is kept here, or there is a
    fork.

    Raises:
        ClientError: NOT_WITNESSED where the profile demands it; LOG_FORKED, LOG_SHRUNK, RECEIPT_BROKEN.
    """
    rule = me.profile.witness_rule
    if rule is None or not notes:
        return None, None
    heads = [me.signed(note).head for note in notes]
    most = max(head.size for head in heads)
    waits = me.profile.witness_wait_seconds if me.profile.demand_witnessed else UNDEMANDED_SECONDS
    for attempt in range(waits + 1):
        if attempt:
            time.sleep(1.0)
        note = me.transport.cosigned()
        found = seen(note, rule) if note and me.signed(note).head.size >= most else None
        if found is None:
            continue
        me.follow([note, *notes])
        size = me.signed(note).head.size
        if me.uncovered and me.signed(me.uncovered).head.size <= size:
            me.uncovered = ""
        smaller = sorted({head.size for head in heads if 0 < head.size < size})
        return found, cover_json(note, {one: me.transport.consistency(one, size) for one in smaller})
    demand(None, demanded=me.profile.demand_witnessed)
    return None, None


def unwitnessed(me: Participant) -> ClientError | None:
    """What is to be said of entries that this agency caused here, where the profile demands witnesses and too few saw.

    They stand in the log all the same, and what they tell of was done.

    Raises:
        ClientError: as `covered`, but NOT_WITNESSED.
    """
    if not me.profile.demand_witnessed or not me.uncovered:
        return None
    try:
        covered(me, [me.uncovered])
    except ClientError as error:
        if error.code != "NOT_WITNESSED":
            raise
        return ClientError(
            error.code,
            f"{LOG_SIGNED_ONLY}: this was done and stands in the log, but too few of the profile's witnesses cosigned "
            "a checkpoint that covers it, and demand_witnessed asks for that; do not run the command again, look later "
            "with `sluis-client receipts fetch`, or ask the operator which witnesses do not answer",
            error.exit_code,
        )
    return None
