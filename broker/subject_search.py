"""Subject access (GDPR article 15): the exchanges of a party whose questions held a person's pseudonyms.

The broker knows no person: the party computes the pseudonyms, for one purpose and epoch, and signs for the search. Only
exchanges in which it is asker, principal or answerer are looked at. The pseudonyms are not kept: the log holds a salted
commitment to them, and what was found is told to the caller alone (ADR 0024).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker.canonical import commitment
from broker.errors import Code, SluisError, field_error
from broker.exchange import OwnAsk, Question, Receipt
from broker.intake import Intake, demand_own, signed_members
from broker.matching.records import positions_of
from broker.matching.release import question_of, tokens_value
from broker.notice_ports import RectificationReads
from broker.parties import NAME, Caller
from broker.policy.legal_days import day_of
from broker.policy.purpose import SUBJECT_SEARCHES
from broker.ports import Transaction
from broker.statement_members import EPOCH, HEX32, HEX64, UUID4, Scope, Signed, open_statement
from broker.statements import signer_of

PAGE = 1_000
MAX_MATCH_KEYS = 64


@dataclass(frozen=True)
class SubjectSearchStatement:
    """`sluis/v1/subject-search`: by a party that takes part in the purpose."""

    request_id: str
    party: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    pseudonyms: str
    """Commitment (label `subject`) to the tokens value of a question of this one person."""
    not_after: datetime


@dataclass(frozen=True)
class Unsearched:
    """Asks whose questions cannot be looked into. `erased`: by an entry; else the broker never held their rows."""

    erased: bool
    asks: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Searched:
    """What a search came to. `found`: asks whose question holds one of the pseudonyms, oldest first."""

    receipt: Receipt
    searched: int
    unsearched: tuple[Unsearched, ...]
    found: tuple[OwnAsk, ...]


def read_subject_search(signed: Signed, scope: Scope) -> SubjectSearchStatement:
    """The search in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, "sluis/v1/subject-search")
    statement = SubjectSearchStatement(
        request_id=members.text("request_id", UUID4, "a UUID version 4 in lower case"),
        party=members.text("party", NAME, "a party's name"),
        purpose=members.text("purpose", NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        scheme=members.text("scheme", NAME, "a scheme's name"),
        match_keys=members.number("match_keys", 1, MAX_MATCH_KEYS),
        pseudonyms=members.text("pseudonyms", HEX64, "64 hex digits"),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


class SubjectSearch:
    """Takes searches. Each reads committed data; the transaction that logs it looks once more at what came since."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def search(
        self, caller: Caller, signed: Signed, salt: bytes, record: Question, go_on: Callable[[], bool]
    ) -> Searched:
        """Searches, and logs that it was done. A request id counts once: search again under a new one.

        `record`: a question of one row. `go_on`: asked after every page; False gives up, and nothing is logged.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, NOT_YOURS, COMMITMENT_WRONG, COUNT_WRONG,
                FIELD_INVALID, PURPOSE_UNKNOWN, EPOCH_UNKNOWN, KEY_ID_WRONG, TOO_MANY_STATEMENTS, REQUEST_ID_REUSED,
                DEADLINE_PASSED.
        """
        caller = signer_of(signed, caller)
        statement = read_subject_search(signed, self._intake.scope)
        demand_own(statement.party, caller)
        _check_record(statement, salt, record)
        self._intake.check_time(statement.not_after)
        self._demand_new(self._intake.earlier(self._intake.reader, caller, statement.request_id, signed))
        self._check_part(statement)
        self._intake.demand_joinable(statement.purpose)
        self._check_key(statement)
        self._intake.check_scheme(statement.purpose, statement.epoch, statement.scheme, statement.match_keys)
        counter = f"subject-search/{caller.party}/{statement.purpose}/"
        today = day_of(self._intake.clock.now())
        _bound(self._intake.reader.spent(counter + today), self._most(statement.purpose))
        look = Look(statement, record)
        look.at(self._intake.reader, go_on)

        def work(tx: Transaction) -> int:
            self._demand_new(self._intake.earlier(tx, caller, statement.request_id, signed))
            # of the entry's own day, so that whoever reads the log counts the same
            _bound(tx.debit(counter + day_of(tx.sequenced_at), 1) - 1, self._most(statement.purpose))
            look.at(tx, lambda: True)
            about = {"party": caller.party, "what": "subject-search", "exchange": None}
            named = {"purpose": statement.purpose, "epoch": statement.epoch}
            counts = {"searched": look.searched, "unsearched": len(look.closed)}
            index = tx.append("access", {**about, **named, **signed_members(signed, caller), **counts})
            self._intake.remember(tx, caller, statement.request_id, signed, {"entry": index})
            return index

        index = self._intake.sequencer.submit(work).value
        return Searched(self._intake.receipt(index), look.searched, self._periods(look.closed), tuple(look.found))

    def receipt(self, index: int) -> Receipt:
        """The receipt of an ask or release that was found."""
        return self._intake.receipt(index)

    def _periods(self, closed: list[OwnAsk]) -> tuple[Unsearched, ...]:
        """What could not be searched, by why."""
        reader = self._intake.reader
        groups: dict[bool, list[OwnAsk]] = {}
        for ask in closed:
            groups.setdefault(reader.erased_by(ask.tokens) is not None, []).append(ask)
        return tuple(
            Unsearched(erased, len(asks), min(one.asked_at for one in asks), max(one.asked_at for one in asks))
            for erased, asks in sorted(groups.items())
        )

    def _most(self, purpose: str) -> int:
        """Searches a day that the policy in force allows a party; a purpose that has ended keeps the usual number."""
        known = self._intake.policies().purposes.get(purpose)
        return (known.limits.subject_searches_per_day if known is not None else None) or SUBJECT_SEARCHES

    def _demand_new(self, earlier: object) -> None:
        if earlier is not None:
            raise SluisError(
                Code.REQUEST_ID_REUSED, "this request id was used before; each search has an id of its own, and is new"
            )

    def _check_part(self, statement: SubjectSearchStatement) -> None:
        """A party may search where it takes part, or has taken part: that a purpose has ended ends no right."""
        known = self._intake.policies().purposes.get(statement.purpose)
        if known is not None:
            principals = {pair.principal for pair in known.on_behalf_of}
            if statement.party in {*known.asks, *known.answers, *principals}:
                return
        if not self._intake.reader.own_asks(statement.party, statement.purpose, statement.epoch, after=-1, limit=1):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you take part in no purpose of that name; see ListPurposes")

    def _check_key(self, statement: SubjectSearchStatement) -> None:
        stored = self._intake.reader.document("epoch", f"{statement.purpose}/{statement.epoch}")
        if stored is None:
            raise SluisError(
                Code.EPOCH_UNKNOWN, "this purpose has never had a key for that epoch: nothing was asked under it"
            )
        manifest = json.loads(base64.b64decode(json.loads(stored)["statement"]))
        if manifest["key_id"] != statement.key_id:
            raise SluisError(Code.KEY_ID_WRONG, "the pseudonyms were made with another key than that of the epoch")


class Look:
    """One way through a party's asks; it can be taken up again where it ended."""

    def __init__(self, statement: SubjectSearchStatement, record: Question) -> None:
        self._of = (statement.party, statement.purpose, statement.epoch)
        self._record = record
        self._last: tuple[str, bool | None] = ("", None)
        self._after = -1
        self.searched = 0
        self.closed: list[OwnAsk] = []
        self.found: list[OwnAsk] = []

    def at(self, store: RectificationReads, go_on: Callable[[], bool]) -> None:
        """Looks at what came behind the last ask seen. Raises DEADLINE_PASSED when it is not to go on."""
        while page := store.own_asks(*self._of, after=self._after, limit=PAGE):
            if not go_on():
                raise SluisError(Code.DEADLINE_PASSED, "the call ended before the search did; allow it more time")
            for ask in page:
                self._look(store, ask)
            self._after = page[-1].ask_index

    def _look(self, store: RectificationReads, ask: OwnAsk) -> None:
        tokens, held = self._last
        if tokens != ask.tokens:  # the asks of one exchange stand side by side, and share their question
            opening = store.opening(ask.tokens)
            held = None if opening is None else bool(len(positions_of(question_of(opening[1], None), self._record)))
            self._last = (ask.tokens, held)
        if held is None:
            self.closed.append(ask)
            return
        self.searched += 1
        if held:
            self.found.append(ask)


def _check_record(statement: SubjectSearchStatement, salt: bytes, record: Question) -> None:
    if len(record.columns) != statement.match_keys or record.rows != 1:
        raise field_error(Code.COUNT_WRONG, "pseudonyms", "hold one row, with a column for each match key")
    if not any(column.present[0] for column in record.columns):
        raise field_error(Code.FIELD_INVALID, "pseudonyms", "have no match key at all")
    if commitment("subject", salt, tokens_value(record)) != statement.pseudonyms:
        raise field_error(Code.COMMITMENT_WRONG, "pseudonyms", "do not open the statement's commitment")


def _bound(spent: int, most: int) -> None:
    if spent >= most:
        raise SluisError(
            Code.TOO_MANY_STATEMENTS,
            f"your organisation has searched for subjects {most} times today under this purpose, which is what its "
            "policy allows; go on tomorrow",
        )
