"""Canaries: pseudonyms of subjects that do not exist, which an answerer sets so that nobody should ever ask for them.

They stand in no register: whoever asks for one gets an honest "no hit". That it was asked is an entry, which the
answerer and the auditors see and the asker does not. Where a list is in force every answer has that entry, of no rows
when none was asked for, and with a random id: else the log's growth, or a hash in a proof, would tell the asker. Who
colludes with the broker can learn of canaries from it.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from broker.canonical import canonical_json, commitment
from broker.epoch_keys import demand_key
from broker.errors import Code, SluisError, field_error
from broker.exchange import AskStatement, ExchangeState, Question, Receipt, register_name
from broker.intake import Intake, answering_purpose, demand_own, signed_members
from broker.matching.release import question_of, tokens_value
from broker.parties import NAME, Caller
from broker.ports import LogReader, Transaction
from broker.statement_members import EPOCH, HEX32, HEX64, UUID4, Members, Scope, Signed, open_statement
from broker.statements import verify_signature

MOST_CANARIES = 1_000
MOST_MATCH_KEYS = 64
_DOCUMENT = "canaries"
_LISTS_HELD = 64
"""Lists kept open in memory."""


@dataclass(frozen=True)
class CanaryList:
    """`sluis/v1/canaries`: by an answerer, in the place of the list that it set before. No rows: there are none now."""

    request_id: str
    answerer: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    rows: int
    record: str
    """Commitment (label `record`) to the tokens value of the list."""
    not_after: datetime

    @property
    def register(self) -> str:
        """The register beside which they stand."""
        return register_name(self.answerer, self.purpose, self.epoch, self.scheme)


@dataclass(frozen=True)
class Met:
    """How many rows of a question asked for canaries, often none. `entry`: where their list stands in the log."""

    entry: int
    rows: int


def read_canaries(signed: Signed, scope: Scope) -> CanaryList:
    """The list in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/canaries")
    statement = CanaryList(
        request_id=_request_id(members),
        answerer=members.text("answerer", NAME, "a party's name"),
        purpose=members.text("purpose", NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        scheme=members.text("scheme", NAME, "a scheme's name"),
        match_keys=members.number("match_keys", 1, MOST_MATCH_KEYS),
        rows=members.number("rows", 0, MOST_CANARIES),
        record=members.text("record", HEX64, "64 hex digits"),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


def _request_id(members: Members) -> str:
    return members.text("request_id", UUID4, "a UUID version 4 in lower case")


Opened = Callable[[LogReader | Transaction, str], Question | None]
"""The list behind a commitment, or None when it is gone."""


class Canaries:
    """Takes lists, and looks for their subjects in questions."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._open: OrderedDict[str, Question] = OrderedDict()

    def set(self, caller: Caller, signed: Signed, salt: bytes, canaries: Question | None) -> Receipt:
        """Logs a list and puts it in the place of the one before; None: no canaries any more. Idempotent.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, COUNT_WRONG, COMMITMENT_WRONG,
                PURPOSE_UNKNOWN, POLICY_DENIES, FIELD_INVALID, EPOCH_UNKNOWN, EPOCH_RETIRED, KEY_ID_WRONG,
                TOO_MANY_STATEMENTS, REQUEST_ID_REUSED.
        """
        verify_signature(signed, caller.certificate)
        statement = read_canaries(signed, self._intake.scope)
        demand_own(statement.answerer, caller)
        value = _checked(statement, salt, canaries)
        earlier = self._intake.earlier(self._intake.reader, caller, statement.request_id, signed)
        if earlier is not None:
            return self._intake.receipt(int(str(earlier["entry"])))
        self._intake.check_time(statement.not_after)
        answering_purpose(self._intake.policies(), caller, statement.purpose)
        self._intake.demand_joinable(statement.purpose, caller.party)
        self._intake.check_scheme(statement.purpose, statement.epoch, statement.scheme, statement.match_keys)
        until = self._intake.keep_until(statement.purpose)

        def work(tx: Transaction) -> Mapping[str, object]:
            done = self._intake.earlier(tx, caller, statement.request_id, signed)
            if done is not None:
                return done
            demand_key(tx, statement.purpose, statement.epoch, statement.key_id, self._intake.scope)
            self._intake.bound(tx, caller.party, 1)
            tx.commit_to("record", value, keep_until=until, salt=salt)
            body = {
                "what": "canaries",
                "notice": hashlib.sha256(signed.statement).hexdigest()[:32],
                "purpose": statement.purpose,
                "party": caller.party,
                **signed_members(signed, caller),
            }
            index = tx.append("notice", body)
            kept = {"entry": index, "record": statement.record, "rows": statement.rows}
            tx.put_document(_DOCUMENT, statement.register, canonical_json(kept))
            return self._intake.remember(tx, caller, statement.request_id, signed, {"entry": index})

        return self._intake.receipt(int(str(self._intake.sequencer.submit(work).value["entry"])))

    def watch(self, statement: AskStatement, answerer: str, asked: Question) -> Watch:
        """What looks for the canaries of one answerer in one question."""
        name = register_name(answerer, statement.purpose, statement.epoch, statement.scheme)
        return Watch(self._opened, name, asked)

    def _opened(self, store: LogReader | Transaction, record: str) -> Question | None:
        held = self._open.get(record)
        if held is None:
            opening = store.opening(record)
            if opening is None:  # erased, or its time has passed
                return None
            held = self._open[record] = question_of(opening[1], None)
            while len(self._open) > _LISTS_HELD:
                self._open.popitem(last=False)
        return held


class Watch:
    """Looks once for each list, so that looking before the release keeps the work out of the log's transaction."""

    def __init__(self, opened: Opened, register: str, asked: Question) -> None:
        self._opened = opened
        self._register = register
        self._asked = asked
        self._found: dict[bytes, Met | None] = {}

    def look(self, store: LogReader | Transaction) -> Met | None:
        """What the question asks for of the list in force; None when there is no list."""
        stored = store.document(_DOCUMENT, self._register)
        if stored is None:
            return None
        if stored not in self._found:
            self._found[stored] = self._met(store, json.loads(stored))
        return self._found[stored]

    def _met(self, store: LogReader | Transaction, kept: Mapping[str, Any]) -> Met | None:
        canaries = self._opened(store, kept["record"]) if kept["rows"] else None
        if canaries is None:
            return None
        found = np.zeros(self._asked.rows, np.bool_)
        for mine, theirs in zip(canaries.columns, self._asked.columns, strict=False):
            found |= theirs.present & np.isin(theirs.pseudonyms, mine.pseudonyms[mine.present])
        return Met(kept["entry"], int(found.sum()))


def note_met(tx: Transaction, state: ExchangeState, met: Met | None, notice: str) -> None:
    """Logs how many rows asked for canaries, under the random id `notice`, where a list is in force.

    The asker is named so that the entry does not count as one of its own.
    """
    if met is None:
        return
    body = {
        "what": "canary",
        "notice": notice,
        "purpose": state.purpose,
        "answerer": state.answerer,
        "asked_by": state.asker,
        "exchange": state.exchange,
        "ask_index": state.ask_index,
        "list": met.entry,
        "rows": met.rows,
    }
    tx.append("notice", body)


def _checked(statement: CanaryList, salt: bytes, canaries: Question | None) -> bytes:
    columns, rows = (canaries.columns, canaries.rows) if canaries is not None else ((), 0)
    if rows != statement.rows or (rows and len(columns) != statement.match_keys):
        raise field_error(Code.COUNT_WRONG, "columns", "hold as many rows and match keys as the statement says")
    if rows and not np.logical_or.reduce([column.present for column in columns]).all():
        raise field_error(Code.FIELD_INVALID, "columns", "have a row without any match key")
    value = tokens_value(canaries) if canaries is not None else b""
    if commitment("record", salt, value) != statement.record:
        raise SluisError(Code.COMMITMENT_WRONG, "the columns do not open the statement's commitment")
    return value
