"""The ask gate: gathers the facts, lets the policy decide, and writes one `ask` entry per answerer.

Runs inside the sequencer's transaction, so the counters and registers it reads are those it debits and logs: there is
no moment between deciding and recording.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from broker.canonical import canonical_json
from broker.epoch_keys import demand_key
from broker.errors import Code, SluisError
from broker.exchange import (
    AnswerStatus,
    AskStatement,
    ExchangeState,
    Question,
    RegisterVersion,
    register_name,
)
from broker.matching.release import count_distance, tokens_value
from broker.policy.document import PolicySet, Purpose
from broker.policy.evaluate import (
    ENGINE,
    Decision,
    Facts,
    ProbingFacts,
    RegisterFacts,
    Request,
    day_of,
    decision_to_log,
    evaluate,
    facts_to_log,
    judge_case_number,
)
from broker.policy.suspension import DOCUMENT as SUSPENSION
from broker.policy.suspension import suspended_since
from broker.ports import LogReader, Transaction
from broker.probing import dry_facts, note, note_hits, probing_facts
from broker.questions import (
    Asked,
    AskedOf,
    Posed,
    counts_counter,
    is_live,
    log_time,
    register_reference,
    request_of,
    requests_counter,
    statement_digest,
    terms_of,
)
from broker.standing import note_first, standing_facts
from broker.statements import Scope

LEASE = timedelta(minutes=15)
KEYED = frozenset({"keyed"})
"""The modes of a broker without a key service."""
KEYED_AND_OBLIVIOUS = KEYED | {"oblivious"}
POLICY_STATE = ("policy-state", "current")
"""Kind and key of the document that names the set in force."""
ASK_ENTRIES_PER_DAY = 100_000
"""Bound per party on asks, one an answerer, and dry runs. Far above any budget: it protects the log."""


_FROM_HEAD = frozenset(
    {"purpose-known", "purpose-active", "asker", "answerer", "identifier", "match-keys", "mode", "subjects-per-request"}
)
"""Checks that the head of a question settles for good: none of them reads a row, a counter or an opening."""


def bound_asks(tx: Transaction, asker: str, entries: int, now: datetime) -> None:
    """Counts entries that a party makes by asking, denied ones too, so that nobody fills the log. TOO_MANY_ASKS."""
    counter = f"asks/{asker}/{day_of(now)}"
    if tx.debit(counter, entries) > ASK_ENTRIES_PER_DAY:
        raise SluisError(
            Code.TOO_MANY_ASKS,
            f"your organisation has made {ASK_ENTRIES_PER_DAY} entries today by asking, denied ones included; go on "
            "tomorrow, and look at why so many are denied",
        )


@dataclass(frozen=True)
class _Alike:
    """The facts that are the same for every answerer of a question."""

    requests_today: int
    suspended_since: datetime | None
    probing: ProbingFacts | None


class AskGate:
    """Decides asks under the policy set in force."""

    def __init__(self, policies: Callable[[], PolicySet], scope: Scope, modes: frozenset[str] = KEYED) -> None:
        """`modes`: the modes of pseudonyms that this broker serves."""
        self.policies = policies
        self._scope = scope
        self._modes = modes

    def open(self, tx: Transaction, posed: Posed) -> Asked:
        """Decides and logs the ask for every answerer; debits once for the exchange if any is permitted.

        Decides under the set that is in force at this place in the log, and under no other.

        Raises:
            SluisError: EXCHANGE_OPEN while the set in force is being replaced; STATEMENT_INVALID for answerers nobody
                knows; TOO_MANY_ASKS;
                EPOCH_UNKNOWN or KEY_ID_WRONG when a permitted question was made under no or another K:
                a wrong key must never look like "no hit". Nothing is logged or debited then.
        """
        statement, now = posed.statement, posed.now
        policies = self.policies()
        demand_in_force(tx, policies)
        _demand_answerers(policies, statement)
        bound_asks(tx, statement.asker, len(statement.answerers), now)
        terms = terms_of(policies, statement, now)
        counter = requests_counter(statement.asker, statement.purpose, now)
        alike = _Alike(
            tx.spent(counter),
            suspended(tx, policies.purposes.get(statement.purpose)),
            probing_facts(tx, policies, statement, posed.question, now),
        )
        asks = []
        for answerer in statement.answerers:
            live = is_live(policies, statement.purpose, answerer)
            register, unanswerable = (None, None) if live else self._register(tx, statement, answerer, now)
            facts = self._facts(tx, policies, posed, answerer, register, alike)
            decision = evaluate(policies, request_of(statement, answerer), facts)
            body = _ask_entry(posed, answerer, decision, facts, policies.digest, register)
            state = ExchangeState(
                exchange=statement.request_id,
                asker=statement.asker,
                principal=statement.principal,
                answerer=answerer,
                purpose=statement.purpose,
                statement_digest=statement_digest(statement),
                asked_at=now,
                ask_index=tx.append("ask", body),
                lease_until=now + LEASE,
                status=None if decision.permitted else AnswerStatus.DENIED,
                epoch=statement.epoch,
                tokens=statement.tokens,
                counted=statement.want.count,
                answer={"unanswerable": unanswerable.name} if unanswerable else {},
            )
            tx.open_exchange(state)
            _log_shadows(tx, policies, state, request_of(statement, answerer), facts)
            asks.append(AskedOf(state, decision, register, unanswerable, live))
        permitted = [ask for ask in asks if ask.decision.permitted]
        if permitted:
            demand_key(tx, statement.purpose, statement.epoch, statement.key_id, self._scope)
            tx.debit(counter, 1)
            note(tx, policies, statement, posed.question, alike.probing, now)
            for ask in permitted:
                note_first(tx, policies, statement, ask.state.answerer, now)
                if statement.want.count:
                    name = counts_counter(statement.asker, ask.state.answerer, statement.purpose, statement.epoch)
                    tx.debit(name, 1)
            _fill_vault(tx, posed, terms.vault_until, asks[0].state.ask_index)
        return Asked(tuple(asks), terms)

    def hopeless(self, reader: LogReader, statement: AskStatement, now: datetime) -> bool:
        """Whether every answerer denies, whatever the rows are: then no row needs to be taken in."""
        for answerer in statement.answerers:
            decision = self.dry_run(
                reader, request_of(statement, answerer), case_number="", cooperation_ref="", now=now
            )
            if not any(check.id in _FROM_HEAD for check in decision.failing):
                return False
        return True

    def dry_run(
        self, reader: LogReader, request: Request, *, case_number: str, cooperation_ref: str, now: datetime
    ) -> Decision:
        """The decision that `open` would come to now, as far as it can be known without the question's rows."""
        policies = self.policies()
        name = register_name(request.answerer, request.purpose, request.epoch, request.scheme)
        register = None if is_live(policies, request.purpose, request.answerer) else reader.register(name)
        facts = Facts(
            now=now,
            requests_today=reader.spent(requests_counter(request.asker, request.purpose, now)),
            counts_this_epoch=reader.spent(
                counts_counter(request.asker, request.answerer, request.purpose, request.epoch)
            ),
            case_number=judge_case_number(policies, request.asker, case_number or None),
            cooperation_ref=bool(cooperation_ref),
            register=_rules_of(register),
            count_distance=None,
            modes_available=self._modes,
            suspended_since=suspended(reader, policies.purposes.get(request.purpose)),
            probing=dry_facts(reader, policies, request, now),
        )
        return evaluate(policies, request, facts)

    def closed(self, tx: Transaction, purpose: str, asker: str) -> bool:
        """Whether the release gate must stay shut now: the purpose was suspended, closed or left since the ask."""
        return is_closed(tx, self.policies(), purpose, asker)

    def note_hits(self, tx: Transaction, state: ExchangeState, subjects: int, hits: int) -> None:
        """Adds the hits of an answer to what guards against probing watch."""
        note_hits(tx, self.policies(), state, subjects, hits)

    def _register(
        self, tx: Transaction, statement: AskStatement, answerer: str, now: datetime
    ) -> tuple[RegisterVersion | None, AnswerStatus | None]:
        """The register to match against, or why there is none. None of these is a "no hit"."""
        register = tx.register(register_name(answerer, statement.purpose, statement.epoch, statement.scheme))
        if register is not None and not register.withdrawn:
            if not set(statement.want.attributes) <= set(register.manifest.attributes):
                return register, AnswerStatus.NOT_COVERED  # the purpose names it, this register was published without
            return register, AnswerStatus.EXPIRED if register.manifest.expires_at <= now else None
        others = tx.registers(answerer, statement.purpose, statement.epoch)
        if any(not other.withdrawn for other in others):
            return None, AnswerStatus.NOT_COVERED
        return None, AnswerStatus.NO_REGISTER

    def _facts(
        self,
        tx: Transaction,
        policies: PolicySet,
        posed: Posed,
        answerer: str,
        register: RegisterVersion | None,
        alike: _Alike,
    ) -> Facts:
        statement, opened = posed.statement, posed.opened
        counts, distance = 0, None
        if statement.want.count:
            counts = tx.spent(counts_counter(statement.asker, answerer, statement.purpose, statement.epoch))
            if posed.question is not None and _may_count(policies, statement, answerer):
                distance = _distance(tx, statement, answerer, posed.question)
        case_number = opened.case_number[1].decode("utf-8", "replace") if opened.case_number else None
        return Facts(
            now=posed.now,
            requests_today=alike.requests_today,
            counts_this_epoch=counts,
            case_number=judge_case_number(policies, statement.asker, case_number),
            cooperation_ref=statement.cooperation_ref is not None,
            register=_rules_of(register),
            count_distance=distance,
            modes_available=self._modes,
            suspended_since=alike.suspended_since,
            probing=alike.probing,
            standing=standing_facts(tx, statement, answerer, posed.question, register, posed.now),
        )


def _demand_answerers(policies: PolicySet, statement: AskStatement) -> None:
    """Answerers that can be asked in one question. Raises STATEMENT_INVALID."""
    answerers = statement.answerers
    if set(answerers) - set(policies.catalogue.parties):
        text = "answerers names parties that the policy set does not know; see GetPurpose"
        raise SluisError(Code.STATEMENT_INVALID, text)
    if len(answerers) > 1 and any(is_live(policies, statement.purpose, answerer) for answerer in answerers):
        text = "who answers this purpose live is asked alone: put a question to each of them, and one to all others"
        raise SluisError(Code.STATEMENT_INVALID, text)


def _ask_entry(
    posed: Posed,
    answerer: str,
    decision: Decision,
    facts: Facts,
    policy_set: str,
    register: RegisterVersion | None,
) -> dict[str, object]:
    statement = posed.statement
    return {
        "exchange": statement.request_id,
        "asker": statement.asker,
        "principal": statement.principal,
        "answerer": answerer,
        "purpose": statement.purpose,
        "statement": json.loads(statement.raw),
        "signature": base64.b64encode(statement.signature).decode(),
        "certificate": posed.caller.fingerprint,
        "decided_at": log_time(facts.now),
        "facts": facts_to_log(facts),
        "decision": decision_to_log(decision),
        "policy_set": policy_set,
        "engine": ENGINE,
        "register": register_reference(register),
        "trace_id": posed.trace_id,
        "nonce": posed.nonces[answerer],
    }


@lru_cache(maxsize=16)
def policy_state(digest: str, revision: int) -> bytes:
    """The stored document that names the set in force."""
    return canonical_json({"digest": digest, "revision": revision})


def is_closed(store: Transaction | LogReader, policies: PolicySet, purpose: str, asker: str) -> bool:
    """Whether nothing may leave to `asker` under `purpose` now, whatever was permitted before."""
    known = policies.purposes.get(purpose)
    if known is None or known.state != "active" or asker not in known.asks:
        return True
    return suspended(store, known) is not None


def demand_in_force(tx: Transaction, policies: PolicySet) -> None:
    """Another set may be about to come into force, here or by another broker on this log. Raises EXCHANGE_OPEN."""
    if tx.document(*POLICY_STATE) != policy_state(policies.digest, policies.revision):
        raise SluisError(
            Code.EXCHANGE_OPEN,
            "the policy changed while you asked; send the same request again",
            retry_after_ms=500,
        )


def suspended(store: Transaction | LogReader, purpose: Purpose | None) -> datetime | None:
    """Since when notices suspend a purpose whose text does not lift them; None when none does."""
    if purpose is None:
        return None
    return suspended_since(store.document(SUSPENSION, purpose.name), purpose.lifts)


def _log_shadows(tx: Transaction, policies: PolicySet, state: ExchangeState, request: Request, facts: Facts) -> None:
    """What purposes in shadow of this one would have decided; logged beside the ask and never enforced."""
    for shadow in policies.shadows.get(request.purpose, ()):
        decision = evaluate(policies, replace(request, purpose=shadow), facts)
        body = {
            "party": state.asker,
            "purpose": shadow,
            "shadow_of": request.purpose,
            "exchange": state.exchange,
            "answerer": state.answerer,
            "ask_index": state.ask_index,
            "decided_at": log_time(facts.now),
            "decision": decision_to_log(decision),
            "policy_set": policies.digest,
            "engine": ENGINE,
        }
        tx.append("evaluation", body)


def _rules_of(register: RegisterVersion | None) -> RegisterFacts | None:
    return None if register is None or register.withdrawn else RegisterFacts(rules=register.manifest.rules)


def _may_count(policies: PolicySet, statement: AskStatement, answerer: str) -> bool:
    """Whether a count could be permitted at all: comparing questions holds up the log, so only then is it done."""
    purpose = policies.purposes.get(statement.purpose)
    return (
        purpose is not None
        and purpose.may_learn.count is not None
        and statement.asker in purpose.asks
        and answerer in purpose.answers
        and statement.subjects <= purpose.limits.subjects_per_request
    )


def _distance(tx: Transaction, statement: AskStatement, answerer: str, question: Question) -> int | None:
    """The fewest subjects by which this count differs from an earlier one whose tokens are still kept."""
    earlier = []
    for commitment in tx.questions_with_count(statement.asker, answerer, statement.purpose, statement.epoch):
        opening = tx.opening(commitment)
        if opening is not None:
            earlier.append(opening[1])
    return count_distance(question, earlier)


def _fill_vault(tx: Transaction, posed: Posed, keep_until: datetime, ask_index: int) -> None:
    opened = posed.opened
    if posed.question is None:
        raise SluisError(Code.EXCHANGE_OPEN, "the policy changed while you asked; send the same request again")
    value = tokens_value(posed.question)
    tx.commit_to("tokens", value, keep_until=keep_until, salt=opened.tokens_salt, ask_index=ask_index)
    for label, opening in (("case-number", opened.case_number), ("cooperation-ref", opened.cooperation_ref)):
        if opening is not None:
            tx.commit_to(label, opening[1], keep_until=keep_until, salt=opening[0], ask_index=ask_index)
