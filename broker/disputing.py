"""The asker's side of rectification: to dispute a hit (GDPR articles 16 and 18), and to report what a person found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from broker.canonical import canonical_json, commitment
from broker.errors import Code, SluisError, field_error
from broker.exchange import (
    DISPUTED_PLACE,
    OUTCOME_PLACE,
    AnswerStatus,
    DisputedRecord,
    ExchangeState,
    Question,
    Receipt,
    RowStatus,
    StoredNotice,
)
from broker.intake import Intake, demand_own, signed_members
from broker.matching.records import row_of
from broker.matching.release import question_of, tokens_value
from broker.parties import Caller
from broker.policy.legal_days import day_of
from broker.ports import AnswerSpool, Transaction
from broker.recipients import FOUND, released
from broker.rectification_statements import Dispute, Outcome, read_dispute, read_outcome
from broker.statements import Signed, signer_of

OPEN_DISPUTES = 1_000
"""Bound per answerer, purpose and epoch: each is compared with every later question."""
OPEN_DISPUTES_OF_ONE = 200
"""Of these, the most that one asker has open: no party keeps the others from disputing."""
_HIT = frozenset({RowStatus.HIT})


@dataclass(frozen=True)
class _Hit:
    """A position of an exchange, with the question that it is a row of."""

    state: ExchangeState
    question: Question
    position: int
    hits: int | None
    """How many hits the answer had, when its rows are gone: then no more positions than that are believed."""

    def __repr__(self) -> str:
        return "_Hit()"


class Disputing:
    """Takes disputes and outcomes."""

    def __init__(self, intake: Intake, spool: AnswerSpool) -> None:
        self._intake = intake
        self._spool = spool

    def dispute(self, caller: Caller, signed: Signed, position: tuple[bytes, bytes]) -> tuple[str, Receipt]:
        """Logs a dispute, which is the answerer's notice; marks the record from here on. Returns its id.

        Idempotent for the same bytes.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, COMMITMENT_WRONG, NOT_FOUND,
                NOT_A_HIT, PERIOD_ERASED, ALREADY_REPORTED, TOO_MANY_STATEMENTS, REQUEST_ID_REUSED.
        """
        caller = signer_of(signed, caller)
        statement = read_dispute(signed, self._intake.scope)
        demand_own(statement.asker, caller)
        earlier = self._intake.earlier(self._intake.reader, caller, statement.request_id, signed)
        if earlier is not None:
            return str(earlier["notice"]), self._intake.receipt(int(str(earlier["entry"])))
        hit = self._hit(statement, position, _HIT)
        self._intake.demand_joinable(hit.state.purpose, hit.state.answerer)
        self._intake.check_time(statement.not_after)
        notice = self._intake.entropy.token(16).hex()
        until = self._intake.keep_until(hit.state.purpose)

        def work(tx: Transaction) -> Mapping[str, object]:
            done = self._intake.earlier(tx, caller, statement.request_id, signed)
            if done is not None:
                return done
            known = tx.document(DISPUTED_PLACE, _place(hit))
            if known is not None and any(one.resolved is None for one in tx.dispute(known.decode())):
                raise SluisError(Code.ALREADY_REPORTED, "you dispute this hit already; wait for the answerer's answer")
            _demand_hit(tx, hit)
            self._intake.bound(tx, caller.party, 1)
            state = hit.state
            _demand_room(tx, state)
            mine, row = state.ask_index, tokens_value(row_of(hit.question, hit.position))
            tx.commit_to("position", position[1], keep_until=until, salt=position[0], ask_index=mine)
            record = tx.commit_to("record", row, keep_until=until, ask_index=mine)
            body = {"what": "dispute-notice", "notice": notice, "epoch": state.epoch, "record": record}
            index = tx.append("notice", {**body, **_about(state), **signed_members(signed, caller)})
            tx.add_notice(StoredNotice(notice, state.answerer, index))
            tx.add_dispute(
                DisputedRecord(
                    notice=notice,
                    asker=state.asker,
                    exchange=state.exchange,
                    answerer=state.answerer,
                    purpose=state.purpose,
                    epoch=state.epoch,
                    record=record,
                    entry=index,
                    disputed_at=tx.sequenced_at,
                )
            )
            tx.put_document(DISPUTED_PLACE, _place(hit), notice.encode())
            return self._intake.remember(tx, caller, statement.request_id, signed, {"entry": index, "notice": notice})

        kept = self._intake.sequencer.submit(work).value
        return str(kept["notice"]), self._intake.receipt(int(str(kept["entry"])))

    def report_outcome(self, caller: Caller, signed: Signed, position: tuple[bytes, bytes]) -> Receipt:
        """Logs what a person found who compared a match. Idempotent for the same outcome, whatever its request id.

        Raises:
            SluisError: as `dispute`; ALREADY_REPORTED when another outcome stands for this hit.
        """
        caller = signer_of(signed, caller)
        statement = read_outcome(signed, self._intake.scope)
        demand_own(statement.asker, caller)
        hit = self._hit(statement, position, FOUND)
        key = _place(hit)
        until = self._intake.keep_until(hit.state.purpose)

        def stands(stored: bytes | None) -> int | None:
            if stored is None:
                return None
            record = json.loads(stored)
            if record["outcome"] != statement.outcome:
                raise SluisError(
                    Code.ALREADY_REPORTED, "another outcome stands in the log for this hit; an outcome is given once"
                )
            return int(record["entry"])

        standing = stands(self._intake.reader.document(OUTCOME_PLACE, key))
        if standing is not None:
            return self._intake.receipt(standing)
        self._intake.check_time(statement.not_after)

        def work(tx: Transaction) -> int:
            index = stands(tx.document(OUTCOME_PLACE, key))
            if index is not None:
                return index
            self._intake.earlier(tx, caller, statement.request_id, signed)
            _demand_hit(tx, hit)
            self._intake.bound(tx, caller.party, 1)
            mine = hit.state.ask_index
            tx.commit_to("position", position[1], keep_until=until, salt=position[0], ask_index=mine)
            index = tx.append("outcome", {**_about(hit.state), **signed_members(signed, caller)})
            tx.put_document(OUTCOME_PLACE, key, canonical_json({"entry": index, "outcome": statement.outcome}))
            self._intake.remember(tx, caller, statement.request_id, signed, {"entry": index})
            return index

        return self._intake.receipt(self._intake.sequencer.submit(work).value)

    def _hit(self, statement: Dispute | Outcome, position: tuple[bytes, bytes], statuses: frozenset[RowStatus]) -> _Hit:
        """The hit that a statement is about; it is the asker's own, was released, and can still be looked up."""
        if commitment("position", *position) != statement.position:
            raise field_error(Code.COMMITMENT_WRONG, "position", "does not open the statement's commitment")
        states = self._intake.reader.exchange(statement.asker, statement.exchange)
        state = next((one for one in states if one.answerer == statement.answerer), None)
        if state is None:
            raise SluisError(
                Code.NOT_FOUND, "you have no exchange of that id with that answerer; see `sluis-client exchanges list`"
            )
        if state.status is not AnswerStatus.ANSWERED or state.counted:
            raise SluisError(Code.NOT_A_HIT, "no hits were released to you in this exchange by this answerer")
        opening = self._intake.reader.opening(state.tokens)
        if opening is None:
            raise _erased(state)
        question = question_of(opening[1], None)
        at = _position(position[1])
        if at >= question.rows:
            raise field_error(Code.FIELD_INVALID, "position", "lies behind the last row of the question")
        given = released(self._intake.reader, self._spool, state, statuses)
        if given is not None and at not in given:
            raise SluisError(Code.NOT_A_HIT, "this position was no hit in the answer of this answerer")
        return _Hit(state, question, at, None if given is not None else self._hits_of(state))

    def _hits_of(self, state: ExchangeState) -> int:
        """The number of hits that a release committed to: all that is left of its rows after a day."""
        assert state.release_index is not None, "it was answered"
        (entry,) = self._intake.reader.entries(state.release_index, state.release_index + 1)
        opening = self._intake.reader.opening(json.loads(entry.leaf)["body"]["result"])
        if opening is None:
            raise _erased(state)
        return int(json.loads(opening[1])["hits"])


def _erased(state: ExchangeState) -> SluisError:
    return SluisError(
        Code.PERIOD_ERASED,
        f"the rows of questions asked on {day_of(state.asked_at)} are erased: hits of that day can be traced "
        "no more; settle it with the answerer directly",
    )


def _demand_hit(tx: Transaction, hit: _Hit) -> None:
    """Raises NOT_A_HIT when the asker names more rows of an answer than it had hits; which they were is gone."""
    if hit.hits is None:
        return
    named = tx.places(hit.state.asker, hit.state.exchange, hit.state.answerer)
    if len(named | {hit.position}) > hit.hits:
        raise SluisError(
            Code.NOT_A_HIT,
            "this answer had fewer hits than the rows of it that you have named; which rows were hits is known for 24 "
            "hours: compare with your answer file",
        )


def _demand_room(tx: Transaction, state: ExchangeState) -> None:
    """Raises TOO_MANY_STATEMENTS when too many disputes are open, of this asker or of all."""
    waiting = tx.open_disputes(state.answerer, state.purpose, state.epoch)
    if sum(one.asker == state.asker for one in waiting) >= OPEN_DISPUTES_OF_ONE:
        raise SluisError(
            Code.TOO_MANY_STATEMENTS,
            f"you have {OPEN_DISPUTES_OF_ONE} disputes with this answerer open under this purpose; wait for answers",
        )
    if len(waiting) >= OPEN_DISPUTES:
        raise SluisError(
            Code.TOO_MANY_STATEMENTS,
            "this answerer has too many open disputes under this purpose; it must answer some first",
        )


def _position(value: bytes) -> int:
    text = value.decode("ascii", "replace")
    if not text.isdecimal() or len(text) > 9 or str(int(text)) != text:
        raise field_error(Code.FIELD_INVALID, "position", "is the number of the row in the question, from 0")
    return int(text)


def _place(hit: _Hit) -> str:
    return f"{hit.state.asker}/{hit.state.exchange}/{hit.state.answerer}/{hit.position}"


def _about(state: ExchangeState) -> dict[str, object]:
    return {
        "asker": state.asker,
        "answerer": state.answerer,
        "exchange": state.exchange,
        "ask_index": state.ask_index,
        "purpose": state.purpose,
    }
