"""Asks that stand in the log: what they decided, and whether they may be answered, or answered once more.

A repeat is judged by what holds now. The permit in the log is not enough: a purpose may have been suspended since, a
register withdrawn, and another policy set has other terms.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from broker.asking import is_closed
from broker.canonical import canonical_json
from broker.errors import Code, SluisError
from broker.exchange import ANSWER_KEPT, AnswerStatus, AskStatement, ExchangeState, RegisterVersion
from broker.policy.document import PolicySet
from broker.policy.evaluate import Decision, decision_from_log
from broker.ports import LogReader
from broker.questions import AskedOf, Terms, is_live, terms_of
from broker.statements import Scope, Signed, read_register_manifest


class Repeating:
    """Reads logged asks back."""

    def __init__(self, reader: LogReader, policies: Callable[[], PolicySet], scope: Scope) -> None:
        self._reader = reader
        self._policies = policies
        self._scope = scope

    def decision(self, index: int) -> Decision:
        """The decision as it stands in an `ask` entry."""
        return decision_from_log(self._body(index)["decision"])

    def register(self, index: int) -> RegisterVersion | None:
        """The register version that an `ask` entry names, as published."""
        named = self._body(index)["register"]
        if named is None:
            return None
        stored = self._reader.document("register-manifest", f"{named['name']}/{named['version']}")
        if stored is None:
            return None
        record = json.loads(stored)
        signed = Signed(base64.b64decode(record["statement"]), base64.b64decode(record["signature"]))
        return RegisterVersion(
            name=named["name"],
            version=named["version"],
            manifest=read_register_manifest(signed, self._scope),
            published_at=datetime.fromisoformat(record["published_at"]),
        )

    def live(self, head: Mapping[str, object]) -> tuple[Signed, bytes] | None:
        """What a live answerer signed of an answer, and its certificate (DER), from what is kept of that answer."""
        if "live" not in head:
            return None
        body = self._body(int(str(head["live"])))
        signed = Signed(canonical_json(body["statement"]), base64.b64decode(body["signature"]))
        return signed, base64.b64decode(str(head["live_certificate"]))

    def resume(self, statement: AskStatement, state: ExchangeState, now: datetime) -> tuple[Terms, AskedOf] | None:
        """A logged ask as it was put, for an answer that was never released; None when it may not be answered any more.

        It may as long as its lease runs, the policy set that decided is still in force, and the register version that
        its entry names still answers. Another set has other terms; to judge under those takes a new question.
        """
        policies = self._policies()
        if state.lease_until <= now or self._body(state.ask_index)["policy_set"] != policies.digest:
            return None
        unanswerable = state.answer.get("unanswerable")
        register = self.register(state.ask_index)
        if register is not None:
            current = self._reader.register(register.name)
            if current is None or current.withdrawn or current.version != register.version:
                return None
            if unanswerable is None and register.manifest.expires_at <= now:
                return None
        ask = AskedOf(
            state=state,
            decision=self.decision(state.ask_index),
            register=register,
            unanswerable=AnswerStatus[str(unanswerable)] if unanswerable else None,
            live=is_live(policies, statement.purpose, state.answerer),
        )
        return terms_of(policies, statement, state.asked_at), ask

    def check(self, statement: AskStatement, states: tuple[ExchangeState, ...], now: datetime) -> None:
        """Whether answers that were released may be sent once more.

        Raises:
            SluisError: POLICY_DENIES when the purpose is not active any more or the asker has left it (one person's
                suspension takes effect at once); ANSWER_GONE when an answerer has withdrawn the register, and after
                24 hours.
        """
        answered = [state for state in states if state.status is AnswerStatus.ANSWERED]
        if answered and is_closed(self._reader, self._policies(), statement.purpose, statement.asker):
            raise SluisError(Code.POLICY_DENIES, "this purpose is not open to you any more; its answers stay here")
        # without its head an answer was dropped or erased: to rebuild it would read as "no hit"
        if any(state.asked_at < now - ANSWER_KEPT or not state.answer for state in answered):
            raise SluisError(
                Code.ANSWER_GONE, "an answer is kept for 24 hours; its receipt stays: ask again with a new request id"
            )
        for state in answered:
            named = self._body(state.ask_index)["register"]
            current = self._reader.register(named["name"]) if named else None
            if current is not None and current.withdrawn:
                raise SluisError(Code.ANSWER_GONE, "the answerer has withdrawn the register behind this answer")

    def _body(self, index: int) -> dict[str, Any]:
        (entry,) = self._reader.entries(index, index + 1)
        body: dict[str, Any] = json.loads(entry.leaf)["body"]
        return body
