"""Notices: what a party was told about a record that it holds or answers, and its acknowledgement (GDPR article 19)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.exchange import Receipt, StoredNotice
from broker.intake import Intake, demand_own, signed_members
from broker.parties import Caller
from broker.ports import Transaction
from broker.rectification_statements import read_acknowledgement
from broker.statements import Signed, signer_of


@dataclass(frozen=True)
class NoticedExchange:
    """An exchange that a correction touches. `positions` None: erased with the purpose's retention."""

    exchange: str
    ask_index: int
    asked_at: datetime
    positions: tuple[int, ...] | None
    certain: bool


@dataclass(frozen=True)
class Notice:
    """A notice as its party sees it."""

    stored: StoredNotice
    what: str
    """`correction-notice` or `dispute-notice`."""
    at: datetime
    purpose: str
    signed: Signed
    """The statement behind it: the answerer's correction, or the asker's dispute."""
    receipt: Receipt
    exchanges: tuple[NoticedExchange, ...] = ()
    record: tuple[bytes, bytes] | None = None
    """To the answerer of a disputed record: what opens the commitment to its pseudonyms; None once erased."""
    scheme: str = ""
    epoch: str = ""
    resolved: int | None = None
    """Of a dispute: the correction that ended it."""

    def __repr__(self) -> str:
        return f"Notice({self.what})"


class Notices:
    """Lists a party's notices and takes its acknowledgements."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._reader = intake.reader

    def listed(self, party: str, *, after: int, limit: int, unacknowledged: bool) -> tuple[Notice, ...]:
        """The party's notices by entry, those behind `after`, at most `limit`."""
        found = self._reader.notices_of(party, after=after, limit=limit, unacknowledged=unacknowledged)
        return tuple(map(self._notice, found))

    def acknowledge(self, caller: Caller, signed: Signed) -> Receipt:
        """Logs an acknowledgement, once for a notice: a repeat gives the first one's receipt.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, NOT_FOUND,
                TOO_MANY_STATEMENTS.
        """
        caller = signer_of(signed, caller)
        statement = read_acknowledgement(signed, self._intake.scope)
        demand_own(statement.party, caller)
        stored = self._reader.notice(statement.notice)
        if stored is None or stored.party != caller.party:
            raise SluisError(Code.NOT_FOUND, "you have no notice of that id; see ListNotices")
        if stored.acknowledged is not None:
            return self._intake.receipt(stored.acknowledged)
        self._intake.check_time(statement.not_after)
        purpose = str(self._body(stored.entry)[0]["purpose"])

        def work(tx: Transaction) -> int:
            current = tx.notice(statement.notice)
            if current is not None and current.acknowledged is not None:
                return current.acknowledged
            self._intake.bound(tx, caller.party, 1)
            body = {"what": "acknowledged", "purpose": purpose, "notice": statement.notice, "party": caller.party}
            index = tx.append("notice", {**body, **signed_members(signed, caller)})
            tx.acknowledge(statement.notice, index)
            return index

        return self._intake.receipt(self._intake.sequencer.submit(work).value)

    def _notice(self, stored: StoredNotice) -> Notice:
        body, at = self._body(stored.entry)
        if body["what"] == "dispute-notice":
            disputed = self._reader.dispute(stored.notice)
            ask = self._body(int(body["ask_index"]))[0]
            return Notice(
                stored=stored,
                what=body["what"],
                at=at,
                purpose=body["purpose"],
                signed=_signed(body),
                receipt=self._intake.receipt(stored.entry),
                record=self._reader.opening(body["record"]),
                scheme=str(ask["statement"]["scheme"]),
                epoch=body["epoch"],
                resolved=disputed[0].resolved if disputed else None,
            )
        correction = self._body(int(body["correction"]))[0]
        opening = self._reader.opening(body["positions"])
        where: Mapping[str, Any] = json.loads(opening[1]) if opening is not None else {}
        return Notice(
            stored=stored,
            what=body["what"],
            at=at,
            purpose=body["purpose"],
            signed=_signed(correction),
            receipt=self._intake.receipt(stored.entry),
            exchanges=tuple(self._touched(index, where.get(str(index))) for index in body["asks"]),
            scheme=str(correction["statement"]["scheme"]),
            epoch=correction["epoch"],
        )

    def _touched(self, ask_index: int, where: Mapping[str, Any] | None) -> NoticedExchange:
        state = self._reader.exchange_at(ask_index)
        if state is None:
            raise SluisError(Code.STORE_CORRUPT, "a notice names an exchange that is not stored; run `sluis doctor`")
        positions = tuple(where["positions"]) if where is not None else None
        return NoticedExchange(
            exchange=state.exchange,
            ask_index=ask_index,
            asked_at=state.asked_at,
            positions=positions,
            certain=where is not None and bool(where["certain"]),
        )

    def _body(self, index: int) -> tuple[dict[str, Any], datetime]:
        (entry,) = self._reader.entries(index, index + 1)
        leaf = json.loads(entry.leaf)
        return leaf["body"], datetime.fromisoformat(leaf["sequenced_at"])


def _signed(body: Mapping[str, Any]) -> Signed:
    return Signed(canonical_json(body["statement"]), base64.b64decode(body["signature"]))
