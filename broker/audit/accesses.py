"""What the log says of reading: answers given again, and entries read by auditors."""

from __future__ import annotations

from broker.audit.entries import LogEntry
from broker.audit.exchanges import Exchanges
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies


class Accesses:
    """Checks `access` entries."""

    def __init__(self, findings: Findings, policies: Policies, exchanges: Exchanges) -> None:
        self._findings = findings
        self._policies = policies
        self._exchanges = exchanges

    def entry(self, entry: LogEntry) -> None:
        """An `access`. Variants that are not listed here demand their form only."""
        body = entry.body
        if body["what"] == "answer-repeated":
            exchange = body["exchange"]
            if exchange is None or not self._exchanges.was_asked(body["party"], exchange):
                self._findings.add(Code.ACCESS_UNKNOWN, index=entry.index)
        elif body["what"] in ("entries", "vault-export"):
            policies = self._policies.current
            known = policies.catalogue.auditors if policies is not None else ()
            # a set that cannot be read is a finding of its own; before the first there are no auditors, and no entries
            # to read, but perhaps a vault: that of the log before
            too_soon = not self._policies.begun and body["what"] == "vault-export"
            if body["party"] not in known and (policies is not None or too_soon):
                self._findings.add(Code.ACCESS_PARTY, index=entry.index)
