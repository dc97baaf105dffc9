"""The `release` entries: what they say, and how an ask that nobody answered is closed."""

from __future__ import annotations

from broker.answering import Prepared
from broker.exchange import AnswerStatus, AskStatement, ExchangeState, RegisterVersion
from broker.ports import Transaction
from broker.questions import AskedOf, register_reference


def is_withdrawn(tx: Transaction, register: RegisterVersion | None) -> bool:
    """Whether its answerer took the register out of service while the answer was made."""
    current = tx.register(register.name) if register is not None else None
    return current is not None and register is not None and current.withdrawn and current.version == register.version


def give_up(state: ExchangeState, nonce: str, tx: Transaction) -> None:
    """Closes an ask without release as UNKNOWN, logged, unless it was closed meanwhile."""
    body = {
        "exchange": state.exchange,
        "asker": state.asker,
        "answerer": state.answerer,
        "ask_index": state.ask_index,
        "outcome": "unknown",
        "status": AnswerStatus.UNKNOWN.name,
        "register": None,
        "attributes": [],
        "result": None,
        "nonce": nonce,
    }
    current = {other.answerer: other.status for other in tx.exchange(state.asker, state.exchange)}
    if current.get(state.answerer, AnswerStatus.UNKNOWN) is None:
        tx.close_exchange(state, AnswerStatus.UNKNOWN, tx.append("release", body), {})


def release_entry(
    statement: AskStatement, ask: AskedOf, prepared: Prepared, result: str, nonce: str
) -> dict[str, object]:
    """The body of the `release` of an answer that is ready; `result`: the commitment to what it holds."""
    answered = prepared.status is AnswerStatus.ANSWERED
    return {
        "exchange": ask.state.exchange,
        "asker": ask.state.asker,
        "answerer": ask.state.answerer,
        "ask_index": ask.state.ask_index,
        "outcome": prepared.outcome,
        "status": prepared.status.name,
        "register": register_reference(ask.register),
        "attributes": list(statement.want.attributes) if answered else [],
        "result": result,
        "nonce": nonce,
    }
