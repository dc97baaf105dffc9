"""The vault's life: what is due goes, what an officer orders erased goes, what is held stays; every time with an entry.

The entry and the deletion are one transaction, so a crash leaves both or neither. At every start what the log says was
erased is erased again, before anything is served: a backup that was put back brings nobody back.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from broker.canonical import canonical_json, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange import ANSWER_KEPT, ANSWER_LABEL, VaultSlot
from broker.exchange_log.append import Sequencer
from broker.policy.document import PolicySet
from broker.policy.vault_orders import (
    ERASE,
    HOLD,
    Hold,
    VaultOrder,
    demand_timely,
    may_erase,
    may_hold,
    may_lift,
    read_order,
)
from broker.ports import AnswerSpool, Clock, LogReader, LogStore, Transaction
from broker.questions import DEFAULT_VAULT_DAYS
from broker.statements import Scope, Signed, read_epoch

HOLDS = ("legal-hold", "current")
"""Kind and key of the document that lists the holds that were not lifted."""
ORDER = "vault-order"
"""Kind of the documents that say which entry did what an order says, by the order's id."""
EXPORT = "vault-export"
"""Kind of the documents that say which entry announced an export, by the export's id."""
PAGE = 500
"""Slots that go in one work."""
_IN_ENTRY = 400
"""Commitments in an entry of an order, beside its statement."""
_MOST = 20_000
"""Slots that one order may erase: it is one transaction."""
_APPLIED = ("erasures-applied", "log")
"""Kind and key of the document that says up to where the log's erasures are remembered."""
_MARK = b'"kind":"erasure"'


class Erasure:
    """Expires, erases and holds."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        spool: AnswerSpool,
        policies: Callable[[], PolicySet],
        signers: Sequence[str],
        scope: Scope,
        clock: Clock,
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._spool = spool
        self._policies = policies
        self._signers = signers
        self._scope = scope
        self._clock = clock

    def expire(self) -> int:
        """Erases what was to be kept until before this hour began and is not held; returns how many slots went.

        By the hour, so that the log has one entry an hour and purpose at most. Answers kept for repeats go after 24
        hours, without an entry: they are copies that no entry commits to.
        """
        now = self._clock.now()
        while self._sequencer.submit(partial(_drop_old, now)).value:
            pass
        before = now.replace(minute=0, second=0, microsecond=0)
        gone, after = 0, None
        while page := self._reader.due(before, after, PAGE):
            after = (page[-1].keep_until, page[-1].commitment)
            # what is held stays due for years: it is passed over here, and what is left is judged again in the write
            holds = holds_of(self._reader.document(*HOLDS))
            names = [slot.commitment for slot in page if not _is_held(slot, holds, now)]
            if names:
                gone += self._sequencer.submit(partial(_expire, names, before)).value
        return gone

    def take(self, data: bytes) -> VaultOrder:
        """Does what a signed order says, once; an order that was taken before changes nothing.

        Raises:
            SluisError: ORDER_INVALID, ORDER_UNSIGNED when its key may not order this; NOT_FOUND for an exchange or hold
                that is not there; EXCHANGE_OPEN, LEGAL_HOLD, ERASURE_TOO_SOON; and what the log says.
        """
        order = read_order(data, origin=self._scope.origin, environment=self._scope.environment.value)
        now, policies = self._clock.now(), self._policies()
        demand_allowed(order, self._reader, policies, self._signers, now)
        work = {ERASE: self._erase, HOLD: self._hold}.get(order.type, self._lift)
        self._sequencer.submit(partial(_once, order, partial(work, order)))
        if order.type == ERASE:  # again too when it was taken before: a crash may have come between
            for asker, exchange in order.exchanges:
                for use in self._reader.uses(asker, exchange):
                    self._spool.drop(f"{asker}.{exchange}.{use.answerer}")
        return order

    def announce_export(self, data: bytes) -> None:
        """Logs, once, that the vault is exported for an auditor; only then is it.

        Raises:
            SluisError: ORDER_INVALID for another form, or a party that the catalogue does not list under `auditors`.
        """
        try:
            asked = parse_canonical(data)
            export, auditor, key = asked["export"], asked["auditor"], asked["key"]
        except (SluisError, KeyError) as error:
            raise SluisError(Code.ORDER_INVALID, "not a request for a vault export") from error
        if auditor not in self._policies().catalogue.auditors:
            raise SluisError(Code.ORDER_INVALID, f"the catalogue does not list {auditor} under `auditors`")

        def work(tx: Transaction) -> None:
            if tx.document(EXPORT, export) is None:
                body = {"party": auditor, "what": "vault-export", "exchange": None, "key": key}
                tx.put_document(EXPORT, export, str(tx.append("access", body)).encode())

        self._sequencer.submit(work)

    def reapply(self) -> int:
        """Erases again what a restore brought back, with a `recovery` entry; returns how many slots that were.

        Reads the erasure entries that came since it last ran, and all of them when this is not the log it saw then.
        """
        size, note = self._reader.checkpoint()
        at = self._applied()
        while at < size:
            page = list(self._reader.entries(at, min(size, at + 4_096)))
            if not page:
                raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")
            at = page[-1].index + 1
            found = [(entry.index, json.loads(entry.leaf)) for entry in page if _MARK in entry.leaf]
            erased = [(index, leaf["body"]["commitments"]) for index, leaf in found if leaf["kind"] == "erasure"]
            if erased:
                self._sequencer.submit(partial(_note, erased))
        mark = canonical_json({"size": size, "checkpoint": _digest(note)})
        self._sequencer.submit(lambda tx: tx.put_document(*_APPLIED, mark))
        count = 0
        while gone := self._sequencer.submit(_erase_again).value:
            count += gone
        return count

    def _applied(self) -> int:
        stored = self._reader.document(*_APPLIED)
        if stored is None:
            return 0
        mark = json.loads(stored)
        try:
            size, note = self._reader.checkpoint(mark["size"])
        except SluisError:
            return 0  # this log is shorter than the one it was about
        same = (size, _digest(note)) == (mark["size"], mark["checkpoint"])
        return int(mark["size"]) if same else 0

    def _erase(self, order: VaultOrder, tx: Transaction) -> int:
        slots: dict[str, VaultSlot] = {}
        for asker, exchange in order.exchanges:
            _demand_ended(tx, asker, exchange, self._clock.now(), self._scope)
            slots |= {slot.commitment: slot for slot in tx.slots_of(asker, exchange) if slot.label != ANSWER_LABEL}
            tx.drop_answers(asker, exchange)
            tx.drop_places(asker, exchange)
            tx.drop_asked_of(asker, exchange)
        demand_free(slots.values(), holds_of(tx.document(*HOLDS)), tx.sequenced_at)
        if len(slots) > _MOST:
            raise SluisError(Code.ORDER_INVALID, f"the order erases more than {_MOST} slots; order fewer exchanges")
        if order.opening is not None:
            salt, value = order.opening
            keep_until = tx.sequenced_at + timedelta(days=DEFAULT_VAULT_DAYS)
            tx.commit_to("case-number", value, keep_until=keep_until, salt=salt)
        entries = [
            _erasure(tx, "request", purpose, names[at : at + _IN_ENTRY], order.members())
            for purpose, names in _by_purpose(slots.values())
            for at in range(0, len(names), _IN_ENTRY)
        ]
        return entries[0] if entries else _erasure(tx, "request", None, [], order.members())

    def _hold(self, order: VaultOrder, tx: Transaction) -> int:
        holds = [*holds_of(tx.document(*HOLDS)), Hold(order.order, order.key, order.stated)]
        tx.put_document(*HOLDS, _holds_text(holds))
        return tx.append("config", {"what": "legal-hold-added", **order.members()})

    def _lift(self, order: VaultOrder, tx: Transaction) -> int:
        holds = holds_of(tx.document(*HOLDS))
        left = [hold for hold in holds if hold.hold != order.stated["hold"]]
        if len(left) == len(holds):
            raise _no_hold()
        tx.put_document(*HOLDS, _holds_text(left))
        return tx.append("config", {"what": "legal-hold-lifted", **order.members()})


def expire_ended(store: LogStore, now: datetime) -> int:
    """As `Erasure.expire`, of a log that was sealed: nothing can be logged after the seal, so that is what says it.

    Returns how many slots went. Raises LOG_UNAVAILABLE.
    """
    gone, after = 0, None
    while page := store.reader.due(now, after, PAGE):
        after = (page[-1].keep_until, page[-1].commitment)
        with store.batch(now) as batch:
            with batch.savepoint():
                tx = batch.transaction
                holds = holds_of(tx.document(*HOLDS))
                due = [slot for slot in page if not _is_held(slot, holds, now)]
                gone += tx.erase([slot.commitment for slot in due], batch.size - 1)
                _drop_traces(tx, due)
            batch.commit("")
    with store.batch(now) as batch:
        with batch.savepoint():
            while batch.transaction.drop_old_answers(now, now - ANSWER_KEPT, PAGE):
                pass
        batch.commit("")
    return gone


def demand_allowed(
    order: VaultOrder, reader: LogReader, policies: PolicySet, signers: Sequence[str], now: datetime
) -> None:
    """Whether an order may be carried out, as far as a reader can tell; raises as `Erasure.take`."""
    if reader.document(ORDER, order.order) is None:  # one that was carried out may be handed in again, at any time
        demand_timely(order, now)
    holds = holds_of(reader.document(*HOLDS))
    if order.type == ERASE:
        for asker, exchange in order.exchanges:
            uses = reader.uses(asker, exchange)
            if not uses:
                raise SluisError(Code.NOT_FOUND, f"{asker} has no exchange {exchange} in this log")
            if not may_erase(policies, order.key, uses):
                raise _not_allowed("an officer who signs for the asker or principal of every exchange in it")
            if any(hold.covers(uses, now) for hold in holds):
                raise _held()
    elif order.type == HOLD:
        if not may_hold(policies, signers, order.key, order.stated):
            raise _not_allowed("a policy signer, or an officer of the party or of a party of the purpose")
        if datetime.fromisoformat(order.stated["until"]) <= now:
            raise SluisError(Code.ORDER_INVALID, "the hold is over already; give a later --until")
    else:
        placed = next((hold for hold in holds if hold.hold == order.stated["hold"]), None)
        if placed is None:
            if reader.document(ORDER, order.order) is None:
                raise _no_hold()
        elif not may_lift(policies, signers, order.key, placed.key):
            raise _not_allowed("a policy signer, or an officer who signs for a party of whoever placed the hold")


def holds_of(stored: bytes | None) -> tuple[Hold, ...]:
    """The holds that were not lifted, in the order placed; some may be over."""
    listed = json.loads(stored) if stored else ()
    return tuple(Hold(item["hold"], item["key"], item["statement"]) for item in listed)


def demand_free(slots: Iterable[VaultSlot], holds: Sequence[Hold], now: datetime) -> None:
    """Raises LEGAL_HOLD when a slot is held."""
    if any(_is_held(slot, holds, now) for slot in slots):
        raise _held()


def _once(order: VaultOrder, work: Callable[[Transaction], int], tx: Transaction) -> None:
    if tx.document(ORDER, order.order) is None:
        tx.put_document(ORDER, order.order, str(work(tx)).encode())


def _expire(names: Sequence[str], before: datetime, tx: Transaction) -> int:
    holds = holds_of(tx.document(*HOLDS))
    due = [slot for slot in tx.slots(names) if slot.keep_until < before and not _is_held(slot, holds, tx.sequenced_at)]
    for purpose, commitments in _by_purpose(due):
        _erasure(tx, "retention", purpose, commitments, {})
    _drop_traces(tx, due)
    return len(due)


def _is_held(slot: VaultSlot, holds: Sequence[Hold], now: datetime) -> bool:
    return any(hold.covers(slot.uses, now) for hold in holds)


def _drop_old(now: datetime, tx: Transaction) -> int:
    """Drops what no entry commits to and nobody needs any more; returns how many answers went, a page at most."""
    tx.drop_asked(now)
    return tx.drop_old_answers(now, now - ANSWER_KEPT, PAGE)


def _drop_traces(tx: Transaction, gone: Iterable[VaultSlot]) -> None:
    """What says which rows were disputed, or that somebody was asked about, goes with the question."""
    for exchange in _exchanges_of(gone):
        tx.drop_places(*exchange)
        tx.drop_asked_of(*exchange)


def _exchanges_of(gone: Iterable[VaultSlot]) -> set[tuple[str, str]]:
    """Asker and id of those whose question is among these slots."""
    return {(use.asker, use.exchange) for slot in gone if slot.label == "tokens" for use in slot.uses}


def _erasure(
    tx: Transaction, what: str, purpose: str | None, commitments: Sequence[str], more: dict[str, object]
) -> int:
    index = tx.append("erasure", {"what": what, "purpose": purpose, "commitments": list(commitments), **more})
    tx.erase(commitments, index)
    return index


def _by_purpose(slots: Iterable[VaultSlot]) -> list[tuple[str | None, list[str]]]:
    """Commitments by purpose, both sorted; those of no or several purposes first."""
    grouped: dict[str, list[str]] = {}
    for slot in slots:
        grouped.setdefault(slot.purpose or "", []).append(slot.commitment)
    return [(purpose or None, sorted(names)) for purpose, names in sorted(grouped.items())]


def _note(erased: Sequence[tuple[int, Sequence[str]]], tx: Transaction) -> None:
    for index, commitments in erased:
        tx.note_erased(commitments, index)


def _erase_again(tx: Transaction) -> int:
    revived = tx.revived(PAGE)
    if revived:
        detail = f"{len(revived)} vault slots that the log says were erased were there again, and are gone"
        slots = tx.slots(revived)
        _drop_traces(tx, slots)
        for exchange in _exchanges_of(slots):
            tx.drop_answers(*exchange)
        tx.erase(revived, tx.append("recovery", {"what": "erasure-reapplied", "detail": detail}))
    return len(revived)


def _demand_ended(tx: Transaction, asker: str, exchange: str, now: datetime, scope: Scope) -> None:
    """An open exchange still needs its rows; a count question keeps later counts of its epoch apart."""
    states = tx.exchange(asker, exchange)
    if any(state.status is None for state in states):
        raise SluisError(
            Code.EXCHANGE_OPEN, "an exchange in the order is still open; hand the order in again in 15 minutes"
        )
    for state in states:
        if state.counted and _is_live(tx.document("epoch", f"{state.purpose}/{state.epoch}"), now, scope):
            raise SluisError(
                Code.ERASURE_TOO_SOON,
                "a count question keeps later counts from singling people out as long as its key epoch lasts; order "
                "its erasure when the epoch is over",
            )


def _is_live(stored: bytes | None, now: datetime, scope: Scope) -> bool:
    if stored is None:
        return False
    record = json.loads(stored)
    signed = Signed(base64.b64decode(record["statement"]), base64.b64decode(record["signature"]))
    return read_epoch(signed, scope).valid_until > now


def _holds_text(holds: Iterable[Hold]) -> bytes:
    return canonical_json([{"hold": one.hold, "key": one.key, "statement": one.stated} for one in holds])


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()


def _not_allowed(who: str) -> SluisError:
    return SluisError(Code.ORDER_UNSIGNED, f"the order must be signed by {who}")


def _no_hold() -> SluisError:
    return SluisError(Code.NOT_FOUND, "there is no such hold in force; see `sluis audit hold list`")


def _held() -> SluisError:
    return SluisError(
        Code.LEGAL_HOLD, "a legal hold keeps this; it has to be lifted first (see `sluis audit hold list`)"
    )
