"""Canaries: subjects that do not exist, which this agency sets beside a register; and who asked for one.

A canary is made up by the agency and must be nobody: the check digits may be right, the number given to no one. Its
pseudonyms are made as those of the register are, so nobody can tell it from a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sluis_client.canonical import commitment, tokens_value
from sluis_client.custody import epoch_key
from sluis_client.epoch_choice import with_newest_key
from sluis_client.errors import ClientError, Exit
from sluis_client.foresight import demand_newest_key
from sluis_client.making import maker_of
from sluis_client.participant import Participant
from sluis_client.pseudonymise import Column, Fields
from sluis_client.reconciling import ProvenLog
from sluis_client.register_table import allowed_keys, pseudonym_columns, scheme_named
from sluis_client.sending import once
from sluis_client.statement_shapes import CANARIES, check_members
from sluis_client.statements import utc
from sluis_client.transport import Progress, Receipt, silent

MOST = 1_000
_VALID = timedelta(minutes=9)


@dataclass(frozen=True)
class Sighting:
    """A question that asked for canaries. `rows`: how many of them; `at`: when the broker logged it."""

    index: int
    at: str
    purpose: str
    asked_by: str
    exchange: str
    rows: int


def set_canaries(
    me: Participant,
    purpose: str,
    scheme: str,
    keys: Sequence[tuple[Fields | None, ...]],
    *,
    epoch: str = "",
    progress: Progress = silent,
) -> tuple[str, Receipt]:
    """Sets these as the canaries of an epoch, in the place of those before; none: there are none any more.

    Returns the epoch and the receipt. Cut off, the same call again sends the same bytes.

    Raises:
        ClientError: TOO_MANY_CANARIES, SCHEME_UNKNOWN; as `custody.epoch_key`, the making of pseudonyms, the transport;
            RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK.
    """
    if len(keys) > MOST:
        raise ClientError("TOO_MANY_CANARIES", f"a list holds at most {MOST} canaries; the file has {len(keys)}")
    return with_newest_key(me, purpose, epoch, partial(_set, me, purpose, scheme, keys, epoch, progress))


def _set(
    me: Participant,
    purpose: str,
    scheme: str,
    keys: Sequence[tuple[Fields | None, ...]],
    epoch: str,
    progress: Progress,
) -> tuple[str, Receipt]:
    view, known = me.purpose(purpose), scheme_named(scheme)
    view.rows_per_pseudonym(scheme)
    used = allowed_keys(view, known)
    context, key = epoch_key(me, view, epoch)
    columns: tuple[Column, ...] = ()
    if keys:
        maker = maker_of(
            me,
            view,
            context,
            key.key,
            known.scheme_id,
            progress=progress,
            before=partial(demand_newest_key, me, context),
        )
        columns = pseudonym_columns(maker, known, keys, None, used)
    value = tokens_value(columns) if columns else b""

    def build(request_id: str, salt: bytes) -> dict[str, Any]:
        statement = {
            "type": CANARIES,
            "origin": me.profile.origin,
            "environment": me.profile.environment,
            "request_id": request_id,
            "answerer": me.profile.party,
            "purpose": purpose,
            "epoch": context.epoch,
            "key_id": key.key_id,
            "scheme": scheme,
            "match_keys": used,
            "rows": len(keys),
            "record": commitment("record", salt, value),
            "not_after": utc(me.now() + _VALID),
        }
        check_members(statement, CANARIES)
        return statement

    parts = [b"canaries", purpose.encode(), scheme.encode(), key.key_id.encode(), value]
    receipt = once(me, parts, build, lambda signed, salt: me.transport.set_canaries(signed, salt, columns))
    me.own_entry(receipt, "notice", {"what": "canaries", "party": me.profile.party, "purpose": purpose})
    return context.epoch, receipt


def sightings(me: Participant, *, progress: Progress = silent) -> list[Sighting]:
    """Who asked for this agency's canaries, as the log proves it, oldest first.

    Raises:
        ClientError: ENTRY_UNPROVEN when the broker lists an entry that its log does not hold; LOG_FORKED, LOG_SHRUNK.
    """
    head, _ = me.newest_checkpoint()
    log = ProvenLog(me, head)
    found = []
    for entry in log.entries(0, progress):
        value = log.prove(entry)
        body = value["body"] if value is not None else {}
        mine = body.get("what") == "canary" and body.get("answerer") == me.profile.party
        if value is not None and mine and body["rows"]:  # of no rows: a question that asked for none
            found.append(
                Sighting(
                    entry.index,
                    value["sequenced_at"],
                    body["purpose"],
                    body["asked_by"],
                    body["exchange"],
                    body["rows"],
                )
            )
    if log.found:
        first = log.found[0]
        raise ClientError(first.code, f"entry {first.index}: {first.text}", Exit.VERIFICATION_FAILED)
    return found
