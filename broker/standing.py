"""Standing questions at the gates: what is noted of a first question, and how one put again stands to it.

Nothing of a question is kept for this but a digest of its terms and the number of the register version that answered
last. Whether the subjects are the same is seen from what the vault holds of the first question (docs/adr/0037).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from broker.canonical import canonical_json
from broker.exchange import AskStatement, Question, RegisterVersion
from broker.matching.release import tokens_value
from broker.policy.document import PolicySet
from broker.policy.evaluate import StandingFacts
from broker.ports import Transaction
from broker.questions import log_time

_DOCUMENT = "standing"
_UNKNOWN = StandingFacts("unknown", newer=False, days=0)


def standing_facts(
    tx: Transaction,
    statement: AskStatement,
    answerer: str,
    question: Question | None,
    register: RegisterVersion | None,
    now: datetime,
) -> StandingFacts | None:
    """How a question stands to the first one that it names; None when it names none."""
    if statement.standing is None:
        return None
    kept = _kept(tx, statement, answerer)
    if kept is None:
        return _UNKNOWN
    newer = register is not None and not register.withdrawn and register.version > kept["version"]
    days = (now - datetime.fromisoformat(kept["asked_at"])) // timedelta(days=1)
    return StandingFacts(_first(tx, statement, question, kept), newer, days)


def note_first(tx: Transaction, policies: PolicySet, statement: AskStatement, answerer: str, now: datetime) -> None:
    """Notes a permitted question where questions may stand, so that it can be put again."""
    purpose = policies.purposes.get(statement.purpose)
    if purpose is None or purpose.standing_questions is None or statement.standing is not None or statement.want.count:
        return
    kept = {
        "terms": terms_digest(statement),
        "tokens": statement.tokens,
        "asked_at": log_time(now),
        "version": 0,
    }
    tx.put_document(_DOCUMENT, _place(statement, answerer), canonical_json(kept))


def note_answered(tx: Transaction, statement: AskStatement, answerer: str, register: RegisterVersion | None) -> None:
    """Notes which register version answered a question that may be put again."""
    kept = _kept(tx, statement, answerer)
    if kept is not None and register is not None:
        value = canonical_json({**kept, "version": register.version})
        tx.put_document(_DOCUMENT, _place(statement, answerer), value)


def terms_digest(statement: AskStatement) -> str:
    """What a question asks, but for its subjects: the same digest, the same terms."""
    want = statement.want
    terms = {
        "principal": statement.principal,
        "purpose": statement.purpose,
        "epoch": statement.epoch,
        "key_id": statement.key_id,
        "scheme": statement.scheme,
        "match_keys": statement.match_keys,
        "subjects": statement.subjects,
        "want": {"hit": want.hit, "count": want.count, "attributes": list(want.attributes)},
    }
    return hashlib.sha256(canonical_json(terms)).hexdigest()


def _first(tx: Transaction, statement: AskStatement, question: Question | None, kept: dict[str, Any]) -> str:
    if kept["terms"] != terms_digest(statement) or question is None:
        return "other"
    opening = tx.opening(kept["tokens"])
    if opening is None:
        return "gone"
    return "same" if opening[1] == tokens_value(question) else "other"


def _kept(tx: Transaction, statement: AskStatement, answerer: str) -> dict[str, Any] | None:
    stored = tx.document(_DOCUMENT, _place(statement, answerer))
    return None if stored is None else json.loads(stored)


def _place(statement: AskStatement, answerer: str) -> str:
    return f"{statement.asker}/{statement.standing or statement.request_id}/{answerer}"
