"""What closes a purpose, in the order of the log: suspension notices; and what shadows would have decided."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from broker.audit import strict_json
from broker.audit.entries import LogEntry, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.trust import Trust
from broker.policy.document import PolicySet
from broker.policy.suspension import is_signed, may_suspend

_STATED = {"environment", "made_at", "origin", "purpose", "reason", "type"}


class Closing:
    """Checks `notice` entries, and asks, releases and shadow evaluations against them."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._notices: dict[str, dict[str, datetime]] = {}
        """Purpose -> notice -> when it was logged."""
        self._ask: LogEntry | None = None
        self._awaited: list[str] = []
        """Purposes in shadow whose evaluation must follow the last ask, in order."""

    def notice(self, entry: LogEntry) -> None:
        """A `notice`: signed by someone who may close the purpose, for this log, and not logged before."""
        body, stated = entry.body, entry.body["statement"]
        purpose, policies = body["purpose"], self._policies.current
        known = self._notices.setdefault(purpose, {})
        good = (
            body["what"] == "policy-suspension"
            and stated.keys() == _STATED
            and (stated["origin"], stated["environment"]) == (self._trust.origin, self._trust.environment)
            and (stated["type"], stated["purpose"]) == ("sluis/v1/policy-suspension", purpose)
            and hashlib.sha256(strict_json.write(stated)).hexdigest()[:16] == body["notice"]
            and body["notice"] not in known
            and is_signed(stated, body["key"], body["signature"])
            and policies is not None
            and may_suspend(policies, self._trust.policy_signers, body["key"], purpose)
        )
        if not good:
            self._findings.add(Code.NOTICE, index=entry.index)
        known.setdefault(body["notice"], entry.at)

    def carry(self, purpose: str, notices: Mapping[str, datetime]) -> None:
        """Notices of the log before: they close the purpose here too, since they were logged there."""
        self._notices.setdefault(purpose, {}).update(notices)

    @property
    def notices(self) -> Mapping[str, Mapping[str, datetime]]:
        """Purpose -> notice -> when it was logged, so far."""
        return self._notices

    def ask(self, entry: LogEntry, policies: PolicySet | None) -> None:
        """An `ask` decided under `policies`: whether it was decided as suspended exactly when it was."""
        self.settle()
        since = self.suspended_since(entry.body["purpose"], policies)
        stated = entry.body["facts"].get("suspended_since")
        if (None if stated is None else read_time(stated)) != since:
            self._findings.add(Code.SUSPENSION, index=entry.index)
        self._ask = entry
        self._awaited = list(policies.shadows.get(entry.body["purpose"], ())) if policies else []

    def shadow(self, entry: LogEntry) -> Mapping[str, Any] | None:
        """A shadow's `evaluation`: the body of the ask it belongs to; None, with a finding, when it belongs to none."""
        body, ask = entry.body, self._ask
        expected = self._awaited.pop(0) if self._awaited else None
        fits = (
            ask is not None
            and body["purpose"] == expected
            and body["ask_index"] == ask.index
            and body["shadow_of"] == ask.body["purpose"]
            and body["party"] == ask.body["asker"]
            and all(body[name] == ask.body[name] for name in ("exchange", "answerer", "decided_at", "policy_set"))
        )
        if ask is None or not fits:
            self._findings.add(Code.SHADOW, index=entry.index)
            return None
        return ask.body

    def is_closed(self, purpose: str, asker: str) -> bool:
        """Whether nothing may leave to `asker` under `purpose` at this place in the log."""
        policies = self._policies.current
        if policies is None:
            return False
        known = policies.purposes.get(purpose)
        is_open = known is not None and known.state == "active" and asker in known.asks
        return not is_open or self.suspended_since(purpose, policies) is not None

    def settle(self) -> None:
        """Evaluations stand right behind their ask: called for every entry that is none, and at the end."""
        if self._awaited and self._ask is not None:
            self._findings.add(Code.SHADOW, index=self._ask.index)
        self._awaited = []
        self._ask = None

    def suspended_since(self, purpose: str, policies: PolicySet | None) -> datetime | None:
        """Since when notices suspend a purpose, as far as its text in `policies` does not lift them."""
        known = policies.purposes.get(purpose) if policies else None
        lifts = known.lifts if known else ()
        if known is None:
            return None
        return min((at for notice, at in self._notices.get(purpose, {}).items() if notice not in lifts), default=None)
