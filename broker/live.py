"""Live questions: an answerer that deposits no register is asked at its own premises, while the asker waits.

The ask stands in the log before the question is offered; what the answerer returns is signed, goes through the release
gate and the log as any answer does, and is kept nowhere else. Who does not answer in time is NOT_THERE, never "no hit".
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.canonical import commitment
from broker.errors import Code, SluisError, field_error
from broker.exchange import AskStatement, ExchangeState, Question, Receipt, RegisterChunk
from broker.intake import MAX_AHEAD, demand_own, signed_members
from broker.matching.live_rows import LiveRows, all_asked, rows_value
from broker.parties import NAME, Caller
from broker.policy.document import PolicySet
from broker.ports import Clock
from broker.statement_members import EPOCH, HEX32, HEX64, UUID4, Scope, Signed, open_statement
from broker.statements import read_rules, signer_of

TYPE = "sluis/v1/live-answer"
_AGAIN = timedelta(seconds=5)
"""A question that was taken and not answered is handed out again after this: whoever took it may be gone."""
_RELEASING = 60.0
"""Seconds for which an answerer waits for the release of its answer."""


@dataclass(frozen=True)
class Offer:
    """A question that waits for its answerer. `certificate`: DER, whose key signed the statement."""

    statement: AskStatement
    answerer: str
    certificate: bytes
    tokens_salt: bytes
    question: Question
    ask: Receipt

    @property
    def name(self) -> tuple[str, str, str]:
        """Answerer, asker and exchange."""
        return self.answerer, self.statement.asker, self.statement.request_id


@dataclass(frozen=True)
class LiveAnswer:
    """`sluis/v1/live-answer`: what an answerer says of its answer to one question."""

    answerer: str
    asker: str
    exchange: str
    purpose: str
    epoch: str
    key_id: str
    scheme: str
    match_keys: int
    attributes: tuple[str, ...]
    tokens: str
    """The commitment to the question's rows, from the asker's statement."""
    rows: str
    """Commitment (label `live-rows`) to the rows of the answer; how many there are may tell about a person."""
    as_of: datetime
    coverage: str
    rules: Mapping[str, object]
    not_after: datetime


@dataclass(frozen=True)
class Reply:
    """A live answer that the edge has checked. `certificate`: DER, whose key signed it."""

    signed: Signed
    certificate: bytes
    members: Mapping[str, object]
    """How its log entry holds it."""
    snapshot: LiveRows


def read_live_answer(signed: Signed, scope: Scope) -> LiveAnswer:
    """The live answer in a signed statement. The signature is not checked here. Raises STATEMENT_INVALID."""
    members = open_statement(signed, scope, TYPE)
    statement = LiveAnswer(
        answerer=members.text("answerer", NAME, "a party's name"),
        asker=members.text("asker", NAME, "a party's name"),
        exchange=members.text("exchange", UUID4, "a UUID version 4 in lower case"),
        purpose=members.text("purpose", NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        scheme=members.text("scheme", NAME, "a scheme's name"),
        match_keys=members.number("match_keys", 1, 64),
        attributes=members.names("attributes", 0, 100),
        tokens=members.text("tokens", HEX64, "64 hex digits"),
        rows=members.text("rows", HEX64, "64 hex digits"),
        as_of=members.time("as_of"),
        coverage=members.free_text("coverage", 500),
        rules=read_rules(members),
        not_after=members.time("not_after"),
    )
    members.end()
    return statement


class _Waiting:
    """One offer on the desk. All of it is guarded by the desk's condition."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.taken_at: datetime | None = None
        self.reply: Reply | None = None
        self.done = False
        self.released = False
        self.receipt: Receipt | None = None


class LiveDesk:
    """Where questions wait for answerers: in memory, for as long as the asker's call lasts.

    What is on it is in the log already; after a crash the asker repeats the same request and it is offered again.
    """

    def __init__(self, policies: Callable[[], PolicySet], scope: Scope, clock: Clock, seconds: float) -> None:
        """`seconds`: how long an asker waits for an answerer."""
        self._policies = policies
        self.scope = scope
        self._clock = clock
        self._seconds = seconds
        self._waiting: dict[tuple[str, str, str], _Waiting] = {}
        self._changed = threading.Condition()

    @contextmanager
    def offered(self, offer: Offer) -> Iterator[tuple[Reply | None, Callable[[Receipt | None], None]]]:
        """Waits for the answerer: its reply, or None when it was not there in time; and what to call on the release."""
        waiting = _Waiting(offer)

        def released(receipt: Receipt | None) -> None:
            with self._changed:
                waiting.receipt, waiting.released = receipt, True

        with self._changed:
            self._waiting[offer.name] = waiting
            self._changed.notify_all()
            self._changed.wait_for(lambda: waiting.reply is not None, self._seconds)
            del self._waiting[offer.name]
        try:
            yield waiting.reply, released
        finally:
            with self._changed:
                waiting.done = True
                self._changed.notify_all()

    def take(self, caller: Caller, purpose: str, seconds: float) -> Offer | None:
        """The question that waits longest for the caller under a purpose; None when none comes within `seconds`.

        Raises:
            SluisError: POLICY_DENIES when the policy does not let the caller answer live.
        """
        known = self._policies().purposes.get(purpose)
        if known is None or caller.party not in known.answers_live:
            raise SluisError(Code.POLICY_DENIES, "the policy does not let your organisation answer this purpose live")
        with self._changed:
            self._changed.wait_for(lambda: self._next(caller.party, purpose) is not None, seconds)
            found = self._next(caller.party, purpose)
            if found is None:
                return None
            found.taken_at = self._clock.now()
            return found.offer

    def put_back(self, offer: Offer) -> None:
        """Whoever took it had gone before it could be handed over."""
        with self._changed:
            waiting = self._waiting.get(offer.name)
            if waiting is not None:
                waiting.taken_at = None
                self._changed.notify_all()

    def _next(self, party: str, purpose: str) -> _Waiting | None:
        now = self._clock.now()
        for waiting in self._waiting.values():
            is_free = waiting.taken_at is None or waiting.taken_at + _AGAIN <= now
            mine = (waiting.offer.answerer, waiting.offer.statement.purpose) == (party, purpose)
            if mine and is_free and waiting.reply is None:
                return waiting
        return None

    def offer_of(self, caller: Caller, signed: Signed) -> Offer:
        """The offer that a live answer is to. Raises SIGNATURE_WRONG, STATEMENT_INVALID, NOT_YOURS, NOT_FOUND."""
        signer_of(signed, caller)
        statement = read_live_answer(signed, self.scope)
        demand_own(statement.answerer, caller)
        with self._changed:
            waiting = self._waiting.get((caller.party, statement.asker, statement.exchange))
        if waiting is None:
            raise _not_waiting()
        return waiting.offer

    def answer(
        self, caller: Caller, offer: Offer, signed: Signed, salt: bytes, chunk: RegisterChunk | None
    ) -> Receipt | None:
        """Hands in an answer and waits for its release; None when the release gate withheld it.

        Raises:
            SluisError: SIGNATURE_WRONG, STATEMENT_INVALID, STATEMENT_EXPIRED, COMMITMENT_WRONG, FIELD_INVALID,
                POLICY_DENIES, NOT_FOUND when nobody waits for it any more, EXCHANGE_OPEN when it was not released.
        """
        reply = self._checked(caller, offer, signed, salt, chunk)
        with self._changed:
            waiting = self._waiting.get(offer.name)
            if waiting is None or waiting.reply is not None:
                raise _not_waiting()
            waiting.reply = reply
            self._changed.notify_all()
            self._changed.wait_for(lambda: waiting.done, _RELEASING)
            if not waiting.released:
                raise SluisError(Code.EXCHANGE_OPEN, "your answer was not released; if its asker repeats it, answer it")
            return waiting.receipt

    def _checked(self, caller: Caller, offer: Offer, signed: Signed, salt: bytes, chunk: RegisterChunk | None) -> Reply:
        signer = signer_of(signed, caller)
        said, asked = read_live_answer(signed, self.scope), offer.statement
        same = {
            "purpose": (said.purpose, asked.purpose),
            "epoch": (said.epoch, asked.epoch),
            "key_id": (said.key_id, asked.key_id),
            "scheme": (said.scheme, asked.scheme),
            "tokens": (said.tokens, asked.tokens),
            "attributes": (said.attributes, asked.want.attributes),
        }
        for name, (stated, expected) in same.items():
            if stated != expected:
                raise SluisError(Code.STATEMENT_INVALID, f"statement.{name} is not that of the question")
        now, policies = self._clock.now(), self._policies()
        if said.not_after < now:
            raise SluisError(Code.STATEMENT_EXPIRED, "the statement's not_after has passed; sign a new one")
        if said.not_after > now + MAX_AHEAD:
            raise SluisError(Code.STATEMENT_INVALID, "statement.not_after is more than 10 minutes ahead")
        if said.as_of > now + timedelta(days=1):
            raise SluisError(Code.STATEMENT_INVALID, "statement.as_of lies in the future")
        keys = policies.catalogue.identifiers[asked.scheme].match_keys
        if said.match_keys != keys:
            raise SluisError(Code.STATEMENT_INVALID, f"statement.match_keys: this scheme has {keys}")
        purpose = policies.purposes.get(asked.purpose)
        if purpose is None or caller.party not in purpose.answers_live:
            raise SluisError(Code.POLICY_DENIES, "the policy does not let your organisation answer this purpose live")
        if not _same_rules(said.rules, purpose.register_rules()):
            raise SluisError(Code.POLICY_DENIES, "statement.rules are not the row rules that the purpose demands")
        if commitment("live-rows", salt, rows_value(chunk)) != said.rows:
            raise SluisError(Code.COMMITMENT_WRONG, "the rows do not open the statement's commitment")
        if chunk is not None and not all_asked(chunk, offer.question):
            raise field_error(Code.FIELD_INVALID, "rows", "hold a record that the question does not ask for")
        rows = LiveRows(chunk, said.match_keys, said.attributes)
        return Reply(signed, signer.certificate, signed_members(signed, signer), rows)


def live_entry(state: ExchangeState, reply: Reply) -> dict[str, object]:
    """The `notice` entry of a live answer; it stands right before its release."""
    return {
        "what": "live-answer",
        "notice": hashlib.sha256(reply.signed.statement).hexdigest()[:32],
        "purpose": state.purpose,
        "party": state.answerer,
        "ask_index": state.ask_index,
        **reply.members,
    }


def _same_rules(said: Mapping[str, object], demanded: Mapping[str, object]) -> bool:
    """True and 1 are not the same rule."""
    return {name: (type(value), value) for name, value in said.items()} == {
        name: (type(value), value) for name, value in demanded.items()
    }


def _not_waiting() -> SluisError:
    return SluisError(Code.NOT_FOUND, "nobody waits for this answer any more; take the next question")
