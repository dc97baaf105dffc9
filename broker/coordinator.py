"""The main road of an exchange: identify, ask gate, log, match, release gate, log, answer. Each step hands on a value.

The two promises that this order keeps: an ask is durable before the match, and a release is durable before the first
byte of an answer. Any step that cannot be logged ends the exchange; nothing is sent.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from broker.answering import Answering, Prepared, stored_runs, withheld
from broker.asking import AskGate
from broker.canaries import Canaries, Watch, note_met
from broker.disputed import Marking, marks_of, marks_to_head, with_marks
from broker.errors import Code, SluisError
from broker.exchange import (
    ANSWER_KEPT,
    ANSWER_LABEL,
    NO_MARKS,
    AnswerRows,
    AnswerStatus,
    AskStatement,
    ExchangeState,
    Marks,
    Question,
    Receipt,
    RegisterVersion,
)
from broker.exchange_log.append import Sequencer
from broker.exchange_log.opening import receipt_of
from broker.live import LiveDesk, Offer, Reply, live_entry
from broker.parties import Caller
from broker.policy.evaluate import Decision
from broker.ports import AnswerSpool, Clock, Entropy, LogReader, Transaction
from broker.questions import Asked, AskedOf, Opened, Posed, Put, Terms, statement_digest
from broker.register_ports import RegisterStore
from broker.release_entries import give_up, is_withdrawn, release_entry
from broker.repeating import Repeating
from broker.standing import note_answered
from broker.statement_members import Signed

MAX_AHEAD = timedelta(minutes=10)
_NAMES_REGISTER = frozenset({AnswerStatus.ANSWERED, AnswerStatus.EXPIRED, AnswerStatus.WITHHELD})


@dataclass(frozen=True)
class Answer:
    """One answerer's answer: head, rows to send, and the proofs that end it."""

    answerer: str
    status: AnswerStatus
    exchange: str
    decision: Decision
    register: RegisterVersion | None
    hits: int
    count: int | None
    band: str
    attributes: tuple[str, ...]
    runs: Iterator[AnswerRows]
    ask: Receipt
    release: Receipt | None
    result: tuple[bytes, bytes] | None
    """Salt and value that open the release's result commitment."""
    marks: Marks = NO_MARKS
    """Hits whose record is disputed."""
    live: tuple[Signed, bytes] | None = None
    """What a live answerer signed, and its certificate (DER)."""
    live_entry: Receipt | None = None
    """Of the entry that holds it, when the answer was made now."""


@dataclass(frozen=True)
class _Ready:
    """An answer that waits for its release entry, with what is looked for before and again inside the transaction."""

    prepared: Prepared
    marking: Marking
    watch: Watch
    reply: Reply | None


class Coordinator:
    """Runs exchanges. Holds no state of its own but the ports it was given."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        registers: RegisterStore,
        spool: AnswerSpool,
        gate: AskGate,
        repeating: Repeating,
        clock: Clock,
        entropy: Entropy,
        canaries: Canaries,
        desk: LiveDesk,
        unwitnessed: Callable[[], SluisError | None],
    ) -> None:
        """`unwitnessed`: why no new question may be taken for want of witnesses, or None."""
        self._desk = desk
        self._unwitnessed = unwitnessed
        self._canaries = canaries
        self._sequencer = sequencer
        self._reader = reader
        self._gate = gate
        self._repeating = repeating
        self._clock = clock
        self._entropy = entropy
        self._answering = Answering(registers, spool)
        self._active: set[tuple[str, str]] = set()
        self._active_lock = threading.Lock()

    def ask(
        self, caller: Caller, statement: AskStatement, opened: Opened, question: Question | None, trace_id: str | None
    ) -> Iterator[Answer]:
        """Answers a question whose signature, shape and commitments the edge has checked.

        Yields one answer per answerer, in the order asked. Each is durable in the log before it is yielded.

        Raises:
            SluisError: REQUEST_ID_REUSED, EXCHANGE_OPEN, KEY_ID_WRONG, EPOCH_UNKNOWN, NOT_YOURS, STATEMENT_EXPIRED,
                LOG_UNAVAILABLE, LOG_OUTCOME_UNKNOWN, LOG_UNWITNESSED,
                LOG_FORKED; before the first answer nothing has left.
        """
        mark = (statement.asker, statement.request_id)
        with self._active_lock:
            if mark in self._active:
                raise SluisError(
                    Code.EXCHANGE_OPEN,
                    "this exchange is being answered on another call; send the same request again in a moment",
                    retry_after_ms=500,
                )
            self._active.add(mark)
        try:
            yield from self._ask(caller, statement, opened, question, trace_id)
        finally:
            with self._active_lock:
                self._active.discard(mark)

    def _ask(
        self, caller: Caller, statement: AskStatement, opened: Opened, question: Question | None, trace_id: str | None
    ) -> Iterator[Answer]:
        earlier = self._reader.exchange(statement.asker, statement.request_id)
        put = Put(question, caller.certificate, opened.tokens_salt)
        if earlier:
            yield from self._again(statement, earlier, put)
            return
        refusal = self._unwitnessed()
        if refusal is not None:
            raise refusal
        self._check_time(statement)
        nonces = {answerer: self._entropy.token(16).hex() for answerer in statement.answerers}
        posed = Posed(caller, statement, opened, question, trace_id, self._clock.now(), nonces)

        def work(tx: Transaction) -> Asked | tuple[ExchangeState, ...]:
            states = tx.exchange(statement.asker, statement.request_id)
            if states:
                return states  # the same request came to another broker on this log at once; that one logged it
            return self._gate.open(tx, posed)

        committed = self._sequencer.submit(work)
        asked = committed.value
        if isinstance(asked, tuple):
            yield from self._again(statement, asked, put)
            return
        for ask in asked.asks:
            (receipt,) = (one for one in committed.receipts if one.index == ask.state.ask_index)
            yield self._answer(statement, asked.terms, ask, receipt, put)

    def _check_time(self, statement: AskStatement) -> None:
        left = statement.not_after - self._clock.now()
        if left < timedelta(0):
            raise SluisError(Code.STATEMENT_EXPIRED, "the statement's not_after has passed; sign a new one")
        if left > MAX_AHEAD:
            raise SluisError(Code.STATEMENT_INVALID, "statement.not_after is more than 10 minutes ahead")

    def _answer(self, statement: AskStatement, terms: Terms, ask: AskedOf, receipt: Receipt, put: Put) -> Answer:
        state, question = ask.state, put.question
        head = Answer(
            answerer=state.answerer,
            status=AnswerStatus.DENIED,
            exchange=state.exchange,
            decision=ask.decision,
            register=None,
            hits=0,
            count=None,
            band="",
            attributes=(),
            runs=iter(()),
            ask=receipt,
            release=None,
            result=None,
        )
        if not ask.decision.permitted:
            return head
        if question is None:  # the gate has refused to log a permit without rows; a repeat may still come so
            raise SluisError(Code.EXCHANGE_OPEN, "the policy changed while you asked; send the same request again")
        if not ask.live:
            return self._released(head, statement, terms, ask, question)
        offer = Offer(statement, state.answerer, put.certificate, put.tokens_salt, question, receipt)
        with self._desk.offered(offer) as (reply, released):
            answer = self._released(head, statement, terms, ask, question, reply)
            released(answer.live_entry)
            return answer

    def _released(
        self,
        head: Answer,
        statement: AskStatement,
        terms: Terms,
        ask: AskedOf,
        question: Question,
        reply: Reply | None = None,
    ) -> Answer:
        state = ask.state
        prepared = self._answering.prepare(statement, terms, ask, question, reply.snapshot if reply else None)
        marking = Marking(question, prepared.runs)
        if prepared.status is AnswerStatus.ANSWERED and not statement.want.count:
            marking.look(self._reader, self._reader.open_disputes(state.answerer, state.purpose, state.epoch))
        watch = self._canaries.watch(statement, state.answerer, question)
        watch.look(self._reader)
        return self._release(head, statement, ask, _Ready(prepared, marking, watch, reply), terms.vault_until)

    def _release(
        self,
        head: Answer,
        statement: AskStatement,
        ask: AskedOf,
        ready: _Ready,
        vault_until: datetime,
    ) -> Answer:
        state, register = ask.state, ask.register
        prepared, marking, reply = ready.prepared, ready.marking, ready.reply
        nonce, notice = self._entropy.token(16).hex(), self._entropy.token(16).hex()
        salt = self._entropy.token(32)
        kept_until = self._clock.now() + ANSWER_KEPT

        def work(tx: Transaction) -> tuple[Prepared, Marks]:
            if tx.sequenced_at > state.lease_until:
                raise SluisError(
                    Code.EXCHANGE_OPEN,
                    "answering took longer than 15 minutes, the question is closed; ask again with a new request id",
                )
            shut = self._gate.closed(tx, state.purpose, state.asker) or is_withdrawn(tx, register)
            leaving = withheld() if shut else prepared
            marks = NO_MARKS
            if leaving.status is AnswerStatus.ANSWERED and not statement.want.count:
                note_answered(tx, statement, state.answerer, register)
                self._gate.note_hits(tx, state, statement.subjects, leaving.hits)
                marks = marking.look(tx, tx.open_disputes(state.answerer, state.purpose, state.epoch))
                leaving = replace(leaving, result=with_marks(leaving.result, marks))
            mine = state.ask_index
            result = tx.commit_to("result", leaving.result, keep_until=vault_until, salt=salt, ask_index=mine)
            answer = dict(leaving.head)
            answer["result"] = result
            if marks.positions:
                answer["disputed"] = marks_to_head(marks)
            if leaving.small is not None:
                answer["rows"] = tx.commit_to(ANSWER_LABEL, leaving.small, keep_until=kept_until, ask_index=mine)
            if reply is not None and leaving.status is AnswerStatus.ANSWERED:
                answer["live"] = tx.append("notice", live_entry(state, reply))
                answer["live_certificate"] = base64.b64encode(reply.certificate).decode()
            note_met(tx, state, ready.watch.look(tx), notice)
            index = tx.append("release", release_entry(statement, ask, leaving, result, nonce))
            if not tx.close_exchange(state, leaving.status, index, answer):
                raise SluisError(
                    Code.EXCHANGE_OPEN, "this exchange was closed by another call; send the same request again"
                )
            return leaving, marks

        committed = self._sequencer.submit(work)
        prepared, marks = committed.value
        answered = reply if prepared.status is AnswerStatus.ANSWERED else None
        return replace(
            head,
            status=prepared.status,
            register=register if prepared.status in _NAMES_REGISTER else None,
            hits=prepared.hits,
            count=prepared.count,
            band=prepared.band,
            attributes=statement.want.attributes if prepared.status is AnswerStatus.ANSWERED else (),
            runs=prepared.runs(),
            release=committed.receipts[-1],  # a canary's entry and a live answer's stand before it
            result=(salt, prepared.result),
            marks=marks,
            live=(answered.signed, answered.certificate) if answered else None,
            live_entry=committed.receipts[0] if answered else None,
        )

    def _again(self, statement: AskStatement, states: tuple[ExchangeState, ...], put: Put) -> Iterator[Answer]:
        """The same answers again, without a new debit; logged as an `access`.

        An ask that was left without a release (a crash, a log that failed, a caller that went away) is answered now,
        under the decision and the register version that its entry names, as long as both still hold.
        """
        if any(state.statement_digest != statement_digest(statement) for state in states):
            raise SluisError(
                Code.REQUEST_ID_REUSED,
                "this request id was used for another question; make a new UUID for every question, "
                "and repeat a question only with the same bytes",
            )
        self._repeating.check(statement, states, self._clock.now())
        body = {"party": statement.asker, "what": "answer-repeated", "exchange": statement.request_id}
        self._sequencer.submit(lambda tx: tx.append("access", body))
        for state in states:
            resumed = None
            if state.status is None:
                resumed = self._repeating.resume(statement, state, self._clock.now())
            if resumed is not None:
                terms, ask = resumed
                yield self._answer(statement, terms, ask, self.receipt(state.ask_index), put)
            elif state.status is None:
                self._sequencer.submit(partial(give_up, state, self._entropy.token(16).hex()))
                (closed,) = (
                    one
                    for one in self._reader.exchange(statement.asker, statement.request_id)
                    if one.answerer == state.answerer
                )
                yield self._rebuilt(statement, closed)
            else:
                yield self._rebuilt(statement, state)

    def _rebuilt(self, statement: AskStatement, state: ExchangeState) -> Answer:
        head = state.answer
        status = state.status or AnswerStatus.UNKNOWN
        commitment = str(head.get("result", ""))
        return Answer(
            answerer=state.answerer,
            status=status,
            exchange=state.exchange,
            decision=self._repeating.decision(state.ask_index),
            register=self._repeating.register(state.ask_index) if status in _NAMES_REGISTER else None,
            hits=int(str(head.get("hits", 0))),
            count=None if head.get("count") is None else int(str(head["count"])),
            band=str(head.get("band", "")),
            attributes=statement.want.attributes if status is AnswerStatus.ANSWERED else (),
            runs=stored_runs(self._reader, self._answering.spool, head),
            ask=self.receipt(state.ask_index),
            release=None if state.release_index is None else self.receipt(state.release_index),
            result=self._reader.opening(commitment) if commitment else None,
            marks=marks_of(head),
            live=self._repeating.live(head),
        )

    def receipt(self, index: int) -> Receipt:
        """The receipt of a committed entry, under the newest checkpoint."""
        return receipt_of(self._reader, index)

    def recover(self, leased_before: datetime) -> int:
        """Closes asks without release whose lease has run out as UNKNOWN, logged; returns how many.

        After this, nothing can be sent for them: the release that another process may still try loses the race.
        """
        stale = self._reader.open_exchanges(leased_before)
        for state in stale:
            self._sequencer.submit(partial(give_up, state, self._entropy.token(16).hex()))
        return len(stale)
