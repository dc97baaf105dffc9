"""The answerer's side of rectification: to correct a record, and to tell everybody who was given it (GDPR 16, 19).

The search for recipients reads committed data; the transaction that logs the correction looks once more at what came
since. Correction and notices are one commit.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from broker.canonical import canonical_json, commitment
from broker.errors import Code, SluisError, field_error
from broker.exchange import DisputedRecord, Question, Receipt, SlotUse, StoredNotice
from broker.intake import Intake, demand_own, signed_members
from broker.matching.records import same_record
from broker.matching.release import question_of, tokens_value
from broker.parties import Caller
from broker.ports import AnswerSpool, Transaction
from broker.recipients import Received, Search
from broker.rectification_statements import RESOLVING, TELLING, Correction, read_correction
from broker.statements import Signed, signer_of

ASKS_PER_NOTICE = 1_000
NOTICE_STEP = 4
"""A correction that is told is followed by so many entries, or a multiple: how many of them tell somebody is not
for the answerer to know, who sees the correction's entry and how much the log grows (ADR 0030)."""
AT_ONCE = 4
"""Corrections at work or waiting for their turn; each holds a thread."""


@dataclass(frozen=True)
class Corrected:
    """What a correction came to. Not who was told, nor how many: that they asked is theirs (ADR 0019, 0030)."""

    receipt: Receipt
    searched: int
    unsearched: int


class Rectification:
    """Takes corrections, one at a time: each searches the questions of a whole epoch."""

    def __init__(self, intake: Intake, spool: AnswerSpool) -> None:
        self._intake = intake
        self._spool = spool
        self._one = threading.Lock()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def correct(self, caller: Caller, signed: Signed, salt: bytes, record: Question) -> Corrected:
        """Logs a correction, and a notice to everybody who was given the record. Idempotent for the same bytes.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, COMMITMENT_WRONG, COUNT_WRONG,
                FIELD_INVALID, PURPOSE_UNKNOWN, EPOCH_UNKNOWN, NOT_FOUND, DISPUTE_CLOSED, TOO_MANY_STATEMENTS,
                REQUEST_ID_REUSED, TOO_MANY_STREAMS.
        """
        caller = signer_of(signed, caller)
        statement = read_correction(signed, self._intake.scope)
        demand_own(statement.answerer, caller)
        value = _check_record(statement, salt, record)
        earlier = self._intake.earlier(self._intake.reader, caller, statement.request_id, signed)
        if earlier is not None:
            return self._corrected(earlier)
        self._intake.check_time(statement.not_after)
        self._check_answerer(statement)
        self._intake.demand_joinable(statement.purpose, statement.answerer)
        self._intake.check_scheme(statement.purpose, statement.epoch, statement.scheme, statement.match_keys)
        search = Search(record, self._spool)
        until = self._intake.keep_until(statement.purpose)

        def work(tx: Transaction) -> Mapping[str, object]:
            done = self._intake.earlier(tx, caller, statement.request_id, signed)
            if done is not None:
                return done
            disputed = _dispute_of(tx, statement, record)
            asks: tuple[int, ...] = ()
            if statement.what in TELLING:
                asks = tx.asks_at(statement.answerer, statement.purpose, statement.epoch)
                search.look(tx, asks)
            groups = _by_party(search.found(asks), _disputer(tx, statement, disputed))
            behind = _behind(statement, len(groups))
            self._intake.bound(tx, caller.party, 1 + behind)
            tx.commit_to("record", value, keep_until=until, salt=salt)
            unsearched = search.unsearched(asks)
            counts = {"searched": len(asks) - unsearched, "unsearched": unsearched, "notices": behind}
            about = {"answerer": statement.answerer, "purpose": statement.purpose, "epoch": statement.epoch}
            index = tx.append("correction", {**about, **counts, **signed_members(signed, caller)})
            own = _own_use(statement, index, tx.sequenced_at)
            tx.keep_with(statement.record, [own])
            for party, received in groups:
                told = [_own_side(tx, one.ask_index) for one in received]
                tx.keep_with(statement.record, told)
                tx.keep_with(
                    self._notify(tx, statement, index, party, received, until), [replace(own, asker=party), *told]
                )
            for _ in range(behind - len(groups)):
                blank = {"what": "correction-blank", "notice": self._intake.entropy.token(16).hex()}
                tx.append("notice", {**blank, "purpose": statement.purpose, "correction": index})
            _settle(tx, statement, disputed, index)
            return self._intake.remember(tx, caller, statement.request_id, signed, {"entry": index, **counts})

        with self._turn():
            if statement.what in TELLING:
                search.look(
                    self._intake.reader,
                    self._intake.reader.asks_at(statement.answerer, statement.purpose, statement.epoch),
                )
            return self._corrected(self._intake.sequencer.submit(work).value)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One correction at a time, and few that wait. Raises TOO_MANY_STREAMS."""
        if not self._places.acquire(blocking=False):
            raise SluisError(
                Code.TOO_MANY_STREAMS,
                f"{AT_ONCE} corrections are being searched or wait for that; send this one again in a moment",
                retry_after_ms=2_000,
            )
        try:
            with self._one:
                yield
        finally:
            self._places.release()

    def _notify(
        self,
        tx: Transaction,
        statement: Correction,
        correction: int,
        party: str,
        received: tuple[Received, ...],
        until: datetime,
    ) -> str:
        """Logs a notice; returns its commitment to where the record stands in the party's questions."""
        notice = self._intake.entropy.token(16).hex()
        where = {str(one.ask_index): {"certain": one.certain, "positions": list(one.positions)} for one in received}
        positions = tx.commit_to("positions", canonical_json(where), keep_until=until)
        body = {
            "what": "correction-notice",
            "notice": notice,
            "purpose": statement.purpose,
            "party": party,
            "correction": correction,
            "asks": [one.ask_index for one in received],
            "positions": positions,
        }
        tx.add_notice(StoredNotice(notice, party, tx.append("notice", body)))
        return positions

    def _corrected(self, kept: Mapping[str, object]) -> Corrected:
        entry, searched, unsearched = (int(str(kept[name])) for name in ("entry", "searched", "unsearched"))
        return Corrected(self._intake.receipt(entry), searched, unsearched)

    def _check_answerer(self, statement: Correction) -> None:
        """A party may correct what it answers, or has answered: that a purpose has ended ends no duty to correct."""
        known = self._intake.policies().purposes.get(statement.purpose)
        names = known is not None and statement.answerer in known.answers
        if not names and not self._intake.reader.asks_at(statement.answerer, statement.purpose, statement.epoch):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you answer no purpose of that name; see ListPurposes")
        if self._intake.reader.document("epoch", f"{statement.purpose}/{statement.epoch}") is None:
            raise SluisError(
                Code.EPOCH_UNKNOWN, "this purpose has never had a key for that epoch: nothing was published under it"
            )


def _own_use(statement: Correction, index: int, at: datetime) -> SlotUse:
    """A correction as what its slots belong to: a hold on its party, purpose, request id or time keeps them."""
    party = statement.answerer
    return SlotUse(party, statement.request_id, None, party, statement.purpose, index, at)


def _own_side(tx: Transaction, ask_index: int) -> SlotUse:
    """The answerer's side of an ask."""
    state = tx.exchange_at(ask_index)
    assert state is not None, "the search found it"
    return SlotUse(
        state.asker, state.exchange, state.principal, state.answerer, state.purpose, ask_index, state.asked_at
    )


def _behind(statement: Correction, told: int) -> int:
    """How many entries follow a correction. What is told to whoever disputes, and to nobody else, hides nothing."""
    if statement.what not in TELLING:
        return told
    return NOTICE_STEP * max(1, -(-told // NOTICE_STEP))


def _check_record(statement: Correction, salt: bytes, record: Question) -> bytes:
    if len(record.columns) != statement.match_keys or record.rows != 1:
        raise field_error(Code.COUNT_WRONG, "record", "holds one row, with a column for each match key")
    if not any(column.present[0] for column in record.columns):
        raise field_error(Code.FIELD_INVALID, "record", "has no match key at all")
    value = tokens_value(record)
    if commitment("record", salt, value) != statement.record:
        raise field_error(Code.COMMITMENT_WRONG, "record", "does not open the statement's commitment")
    return value


def _dispute_of(tx: Transaction, statement: Correction, record: Question) -> tuple[DisputedRecord, ...]:
    """The dispute that a correction names, checked to be open, this answerer's, and about this record."""
    if statement.dispute is None:
        return ()
    disputed = tx.dispute(statement.dispute)
    if not disputed or disputed[0].answerer != statement.answerer or disputed[0].purpose != statement.purpose:
        raise SluisError(Code.NOT_FOUND, "nobody disputes a record of yours under that id and purpose; see ListNotices")
    if all(one.resolved is not None for one in disputed):
        raise SluisError(Code.DISPUTE_CLOSED, "this dispute has been answered already")
    same_epoch = next((one for one in disputed if one.epoch == statement.epoch), None)
    if statement.what not in RESOLVING:
        if same_epoch is not None:
            raise SluisError(Code.ALREADY_REPORTED, "this dispute stands under that epoch already")
        return disputed
    if same_epoch is None:
        raise field_error(Code.FIELD_INVALID, "statement.epoch", "is not one under which the dispute stands")
    opening = tx.opening(same_epoch.record)
    if opening is not None and not same_record(question_of(opening[1], None), record):
        raise field_error(Code.FIELD_INVALID, "record", "is not the record that this dispute is about")
    return disputed


def _disputer(tx: Transaction, statement: Correction, disputed: tuple[DisputedRecord, ...]) -> Received | None:
    """Whoever disputes is told how it ended, also when its question can be searched no more."""
    if not disputed or statement.what not in RESOLVING:
        return None
    first = disputed[0]
    states = tx.exchange(first.asker, first.exchange)
    (state,) = (one for one in states if one.answerer == first.answerer)
    return Received(state.ask_index, state.asker, (), certain=False)


def _by_party(found: tuple[Received, ...], disputer: Received | None) -> list[tuple[str, tuple[Received, ...]]]:
    """A notice's worth of exchanges each, by recipient."""
    if disputer is not None and all(one.ask_index != disputer.ask_index for one in found):
        found = (*found, disputer)
    parties: dict[str, list[Received]] = {}
    for one in sorted(found, key=lambda one: one.ask_index):
        parties.setdefault(one.asker, []).append(one)
    return [
        (party, tuple(received[at : at + ASKS_PER_NOTICE]))
        for party, received in sorted(parties.items())
        for at in range(0, len(received), ASKS_PER_NOTICE)
    ]


def _settle(tx: Transaction, statement: Correction, disputed: tuple[DisputedRecord, ...], index: int) -> None:
    """Ends the dispute, or lets its mark stand under one epoch more."""
    if not disputed or statement.dispute is None:
        return
    if statement.what in RESOLVING:
        tx.resolve_dispute(statement.dispute, index)
        tx.acknowledge(statement.dispute, index)
        return
    first = disputed[0]
    tx.add_dispute(
        DisputedRecord(
            notice=first.notice,
            asker=first.asker,
            exchange=first.exchange,
            answerer=first.answerer,
            purpose=first.purpose,
            epoch=statement.epoch,
            record=statement.record,
            entry=index,
            disputed_at=first.disputed_at,
        )
    )
