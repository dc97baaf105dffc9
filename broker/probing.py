"""Guards against probing at the ask gate: how a question stands to what its asker asked before, as numbers.

Runs inside the sequencer's transaction. It knows subjects by their pseudonyms only, within one purpose and key epoch:
who asks about the same person under two purposes is not seen here, and cannot be.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from broker.canonical import canonical_json
from broker.exchange import AskStatement, ExchangeState, Pseudonyms, Question
from broker.matching.columns import distinct, subjects
from broker.policy.document import PolicySet
from broker.policy.evaluate import ProbingFacts, Request
from broker.policy.guards import is_guarded
from broker.policy.legal_days import epoch_of
from broker.policy.purpose import MOST_GUARDED
from broker.ports import LogReader, Transaction
from broker.probing_ports import AskedQuestion

HOUR = timedelta(hours=1)
HUNDRED = 100
"""Subjects that must have been answered before a share of hits is told: then no single answer shows in it."""
_HITS = "probing-hits"
KEPT_AFTER = timedelta(days=32)
"""How long questions stay noted behind the end of a key epoch: epochs overlap for at most 28 days."""


def scope_of(asker: str, purpose: str, epoch: str) -> str:
    """Within what questions are compared."""
    return f"{asker}/{purpose}/{epoch}"


def subjects_counter(asker: str, purpose: str, epoch: str) -> str:
    """Name of the counter of different subjects that a party asked about."""
    return f"subjects/{asker}/{purpose}/{epoch}"


def probing_facts(
    tx: Transaction, policies: PolicySet, statement: AskStatement, question: Question | None, now: datetime
) -> ProbingFacts | None:
    """How a question stands to the earlier ones; None where nothing guards it. Costs nothing then."""
    if not is_guarded(policies, statement.purpose):
        return None
    known = _known(question)
    scope = scope_of(statement.asker, statement.purpose, statement.epoch)
    spent = tx.spent(subjects_counter(statement.asker, statement.purpose, statement.epoch))
    hour = tx.asked_since(scope, now - HOUR)
    if known is None:
        return _without_rows(statement.subjects, hour, spent, _hits(tx, scope))
    size = len(known)
    # one that stands is compared with every other question, and not with itself
    before = tx.asked_before(scope, known, datetime.fromtimestamp(0, now.tzinfo), statement.standing)
    return ProbingFacts(
        same=sum(count == shared == size for count, shared in before.overlaps),
        nested=sum(shared in (count, size) and count != size for count, shared in before.overlaps),
        again=before.most,
        hour=hour + statement.subjects,
        epoch=spent + size - before.known,
        hits=_hits(tx, scope),
    )


def dry_facts(reader: LogReader, policies: PolicySet, request: Request, now: datetime) -> ProbingFacts | None:
    """What can be said without the question's rows: as if nobody of it had been asked about before."""
    if not is_guarded(policies, request.purpose):
        return None
    place = request.asker, request.purpose, request.epoch
    hour, spent = reader.asked_since(scope_of(*place), now - HOUR), reader.spent(subjects_counter(*place))
    return _without_rows(request.subjects, hour, spent, _hits(reader, scope_of(*place)))


def note(
    tx: Transaction,
    policies: PolicySet,
    statement: AskStatement,
    question: Question | None,
    facts: ProbingFacts | None,
    now: datetime,
) -> None:
    """Notes a permitted question, so that later ones are compared with it."""
    known = None if facts is None else _known(question)
    if facts is None or known is None:
        return
    counter = subjects_counter(statement.asker, statement.purpose, statement.epoch)
    tx.debit(counter, facts.epoch - tx.spent(counter))
    ends = epoch_of(policies.purposes[statement.purpose], now).valid_until + KEPT_AFTER
    scope = scope_of(statement.asker, statement.purpose, statement.epoch)
    exchange = statement.standing or statement.request_id
    tx.note_asked(AskedQuestion(scope, statement.asker, exchange, statement.subjects, now, ends), known)


def note_hits(tx: Transaction, policies: PolicySet, state: ExchangeState, asked: int, hits: int) -> None:
    """Adds an answer's hits. The share is told anew when a hundred more were answered, never in between."""
    if not is_guarded(policies, state.purpose):
        return
    scope = scope_of(state.asker, state.purpose, state.epoch)
    kept = json.loads(tx.document(_HITS, scope) or b'{"asked":0,"hits":0,"share":null}')
    asked, hits = asked + kept["asked"], hits + kept["hits"]
    told = kept["share"]
    if asked >= HUNDRED:
        asked, hits, told = 0, 0, min(HUNDRED, hits * HUNDRED // asked)
    tx.put_document(_HITS, scope, canonical_json({"asked": asked, "hits": hits, "share": told}))


def _hits(store: Transaction | LogReader, scope: str) -> int | None:
    stored = store.document(_HITS, scope)
    return None if stored is None else json.loads(stored)["share"]


def _without_rows(subjects_: int, hour: int, spent: int, hits: int | None) -> ProbingFacts:
    return ProbingFacts(0, 0, 0, hour + subjects_, spent + subjects_, hits)


def _known(question: Question | None) -> Pseudonyms | None:
    """Each subject once; None for a question that no limit permits here, or whose rows were not taken in."""
    if question is None:
        return None
    tokens, known = subjects(question)
    return None if len(tokens) > MOST_GUARDED else distinct(tokens[known])
