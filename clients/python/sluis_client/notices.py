"""Notices: what others said of records that this agency was given, or that it published (GDPR article 19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sluis_client.canonical import canonical_json, commitment, parse_canonical
from sluis_client.errors import ClientError, Exit
from sluis_client.making import maker_of_kept
from sluis_client.notice_transport import NoticedExchange, RelayedNotice
from sluis_client.participant import Participant
from sluis_client.pseudonymise import PSEUDONYM_BYTES, Column
from sluis_client.rectification_statements import acknowledgement_statement
from sluis_client.register_table import pseudonym_columns, scheme_named
from sluis_client.statement_shapes import CORRECTION, DISPUTE, check_members
from sluis_client.statements import verify
from sluis_client.tables import NormalisedTable
from sluis_client.transport import Opening, Receipt


@dataclass(frozen=True, repr=False)
class Notice:
    """A notice that the log proves. `said_by`: the party whose statement it is.

    `signature_verified`: False when the statement does not verify with that party's present certificate; the auditor
    checks it with the one it had.
    """

    notice: str
    kind: str
    at: datetime
    purpose: str
    epoch: str
    scheme: str
    said_by: str
    what: str
    reason: str
    exchanges: tuple[NoticedExchange, ...]
    record: Opening | None
    index: int
    acknowledged: int | None
    resolved: int | None
    signature_verified: bool

    @property
    def is_open(self) -> bool:
        """Whether something is left to do: take note of a correction, answer a dispute."""
        return self.acknowledged is None if self.kind == "correction" else self.resolved is None

    def days(self, now: datetime) -> int:
        """Whole days since it was given."""
        return (now - self.at) // timedelta(days=1)


def listed(me: Participant) -> tuple[Notice, ...]:
    """This agency's notices, oldest first, each checked against the log.

    Raises:
        ClientError: NOTICE_REFUSED, RECEIPT_BROKEN, LOG_FORKED, LOG_SHRUNK.
    """
    relayed = me.transport.notices()
    if relayed:
        me.follow([one.receipt.checkpoint for one in relayed])
    return tuple(_checked(me, one) for one in relayed)


def notice_named(me: Participant, name: str, kind: str = "") -> Notice:
    """A notice by its id or the beginning of it. Raises NOT_FOUND."""
    found = [one for one in listed(me) if one.notice.startswith(name) and kind in ("", one.kind)]
    if len(found) != 1 or len(name) < 4:
        raise ClientError(
            "NOT_FOUND",
            f"{name} begins no notice, or more than one; give 4 or more of the digits in `sluis-client notices list`",
        )
    return found[0]


def acknowledge(me: Participant, notice: Notice, done: str) -> Receipt:
    """Takes note, signed and logged once."""
    statement = acknowledgement_statement(
        origin=me.profile.origin,
        environment=me.profile.environment,
        party=me.profile.party,
        notice=notice.notice,
        done=done,
        now=me.now(),
    )
    receipt = me.transport.acknowledge(me.key.sign(statement))
    entry = me.entry(receipt, "notice" if notice.resolved is None else "correction")
    if notice.resolved is None and (entry.get("what"), entry.get("notice")) != ("acknowledged", notice.notice):
        raise _refused(notice.notice, "its acknowledgement stands not in the log")
    me.follow([receipt.checkpoint])
    me.caused(receipt)
    return receipt


def rows_of_notice(notice: Notice) -> tuple[Column, ...]:
    """The pseudonyms of a disputed record, a column of one row for each match key. Raises PERIOD_ERASED."""
    if notice.record is None:
        text = "the record behind this dispute is erased: the purpose's retention has ended"
        raise ClientError("PERIOD_ERASED", text, Exit.BROKER_REFUSED)
    parts, at, value = [], 0, notice.record.value
    while at < len(value):
        size = int.from_bytes(value[at : at + 4], "big")
        parts.append(value[at + 4 : at + 4 + size])
        at += 4 + size
    columns = tuple(Column(pseudonyms, presence) for presence, pseudonyms in zip(parts[::2], parts[1::2], strict=True))
    if any(column.rows != 1 or len(column.presence) != 1 for column in columns) or not columns:
        raise _refused(notice.notice, "its record is not one row")
    return columns


def places_of(me: Participant, notice: Notice, table: NormalisedTable) -> tuple[int, ...]:
    """Places among the subjects of `table` that are the disputed record.

    Raises:
        ClientError: EPOCH_UNKNOWN when the key of the dispute's epoch is not kept, PERIOD_ERASED, NOT_EVALUATED.
    """
    wanted = rows_of_notice(notice)
    key = me.keystore.epoch_key(notice.purpose, notice.epoch)
    if key is None:
        text = f"the key of {notice.purpose} {notice.epoch} is not kept here; run `sluis-client keys fetch`"
        raise ClientError("EPOCH_UNKNOWN", text, Exit.KEY_TROUBLE)
    scheme = scheme_named(notice.scheme)
    maker = maker_of_kept(me, key, scheme.scheme_id)
    made = pseudonym_columns(maker, scheme, table.keys, table.fast_block, len(wanted))
    return tuple(
        place
        for place in range(len(table.keys))
        if any(_same(column, place, one) for column, one in zip(made, wanted, strict=True))
    )


def _same(column: Column, place: int, wanted: Column) -> bool:
    cut = slice(place * PSEUDONYM_BYTES, (place + 1) * PSEUDONYM_BYTES)
    return any(wanted.presence) and column.pseudonyms[cut] == wanted.pseudonyms


def _checked(me: Participant, one: RelayedNotice) -> Notice:
    """What a notice says, once its entry and its statement say the same."""
    body = me.entry(one.receipt, "notice")
    kind, mine, other = (
        (CORRECTION, "party", "answerer") if one.kind == "correction" else (DISPUTE, "answerer", "asker")
    )
    members = parse_canonical(one.signed.statement)
    check_members(members, kind)
    same = (
        body.get("what") == f"{one.kind}-notice"
        and (body.get("notice"), body.get(mine)) == (one.notice, me.profile.party)
        and body.get("purpose") == one.purpose
        and (members["origin"], members["environment"]) == (me.profile.origin, me.profile.environment)
    )
    if one.kind == "correction":
        same = same and (members["purpose"], members["scheme"]) == (one.purpose, one.scheme)
    else:
        same = same and canonical_json(body.get("statement")) == one.signed.statement
        same = same and _opens(body, one.record)
    if not same:
        raise _refused(one.notice, "what the broker shows of it is not what the log says")
    return Notice(
        notice=one.notice,
        kind=one.kind,
        at=one.at,
        purpose=one.purpose,
        epoch=one.epoch,
        scheme=one.scheme,
        said_by=str(members[other]),
        what=str(members.get("what", "disputed")),
        reason=str(members["reason"]),
        exchanges=one.exchanges,
        record=one.record,
        index=one.receipt.index,
        acknowledged=one.acknowledged,
        resolved=one.resolved,
        signature_verified=_is_signed(me, str(members[other]), one, kind),
    )


def _opens(body: Mapping[str, Any], record: Opening | None) -> bool:
    return record is None or commitment("record", record.salt, record.value) == body.get("record")


def _is_signed(me: Participant, party: str, one: RelayedNotice, kind: str) -> bool:
    known = me.parties([party]).get(party)
    if known is None:
        return False
    try:
        verify(one.signed, known.certificate, kind)
    except ClientError:
        return False
    return True


def overdue(notices: Sequence[Notice], now: datetime, days: int) -> tuple[Notice, ...]:
    """Open notices that are at least `days` old."""
    return tuple(one for one in notices if one.is_open and one.days(now) >= days)


def _refused(notice: str, why: str) -> ClientError:
    return ClientError("NOTICE_REFUSED", f"notice {notice[:8]} is refused: {why}", Exit.VERIFICATION_FAILED)
