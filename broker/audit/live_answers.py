"""Live answers in the log: what an answerer signed of an answer from its own premises (docs/formats.md, Live answers).

Which rows it gave stands behind a salted commitment that the answerer can open.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from broker.audit.entries import GRACE, LogEntry, has_shape, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.releases import Ask, Releases
from broker.audit.statement_forms import statement_digest
from broker.audit.trust import Trust

_AHEAD = timedelta(minutes=10)
_SLACK = timedelta(seconds=1)
_FROM_ASK = ("asker", "epoch", "key_id", "purpose", "scheme", "tokens")
MEMBERS = {
    **dict.fromkeys(
        ("answerer", "asker", "coverage", "environment", "epoch", "exchange", "key_id", "origin", "purpose"), "text"
    ),
    **dict.fromkeys(("scheme", "type"), "text"),
    **dict.fromkeys(("as_of", "not_after"), "time"),
    **dict.fromkeys(("rows", "tokens"), "hex"),
    "attributes": "texts",
    "match_keys": "number",
    "rules": "map",
}


class LiveAnswers:
    """Checks `notice` entries of live answers, in the order of the log."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies, releases: Releases) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._releases = releases

    def entry(self, entry: LogEntry) -> None:
        """A live answer; its signature is checked apart."""
        body, statement = entry.body, entry.body["statement"]
        good = (
            statement.keys() == MEMBERS.keys()
            and all(has_shape(statement[name], shape) for name, shape in MEMBERS.items())
            and statement["type"] == "sluis/v1/live-answer"
        )
        if not good:
            self._find(Code.STATEMENT_FORM, entry)
            return
        here = (self._trust.origin, self._trust.environment)
        same = (body["party"], body["purpose"]) == (statement["answerer"], statement["purpose"])
        if (statement["origin"], statement["environment"]) != here or not same:
            self._find(Code.STATEMENT_DIFFERS, entry)
        if not entry.at - GRACE - _SLACK <= read_time(statement["not_after"]) <= entry.at + _AHEAD + _SLACK:
            self._find(Code.STATEMENT_AGE, entry)
        ask = self._releases.waiting(body["ask_index"])
        first = ask is not None and self._releases.answered_live(ask)
        named = body["notice"] == statement_digest(statement)[:32]
        if ask is None or not (first and named and self._fits(statement, ask)):
            self._find(Code.LIVE_ANSWER, entry)

    def _fits(self, statement: dict[str, Any], ask: Ask) -> bool:
        """Whether it answers that ask, by a party that may answer so, with the row rules that the purpose demands."""
        current = self._policies.current
        purpose = current.purposes.get(ask.purpose) if current is not None else None
        demanded = [ask.live, purpose.register_rules() if purpose is not None else None]
        return (
            ask.live is not None
            and (statement["answerer"], statement["exchange"]) == (ask.answerer, ask.exchange)
            and all(statement[name] == ask.statement[name] for name in _FROM_ASK)
            and statement["attributes"] == ask.attributes
            and statement["match_keys"] >= ask.statement["match_keys"]
            and any(_same(statement["rules"], rules) for rules in demanded if rules is not None)
        )

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)


def _same(said: dict[str, Any], demanded: Any) -> bool:
    """True and 1 are not the same rule."""
    return said == demanded and all(type(said[name]) is type(value) for name, value in demanded.items())
