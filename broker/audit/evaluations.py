"""A key service's log: for whom, under which key and how many elements were evaluated; which keys were destroyed."""

from __future__ import annotations

from datetime import datetime

from broker.audit.closing import Closing
from broker.audit.counting import Counting
from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.findings import Code, Findings
from broker.audit.policies import Archived, Policies
from broker.policy.document import PolicySet
from broker.policy.legal_days import calendar_epoch, epoch_of, local_day, needed_until, open_epochs
from broker.policy.purpose import Purpose

MOST_ELEMENTS = 1024
"""Of one request (docs/formats.md section 12)."""


class Evaluations:
    """Checks `evaluation` entries of a key service, and `config` entries that destroy its keys, in their order."""

    def __init__(
        self, findings: Findings, policies: Policies, closing: Closing, counting: Counting, keys: EpochKeys
    ) -> None:
        self._findings = findings
        self._policies = policies
        self._closing = closing
        self._counting = counting
        self._keys = keys
        self._requests: set[tuple[str, str]] = set()
        self._destroyed: set[str] = set()

    def entry(self, entry: LogEntry) -> None:
        """An `evaluation` by a key service: right, key and quota as in the set that it was decided under."""
        body = entry.body
        archived = self._policies.decided_under(entry)
        policies = archived.policy_set if archived else None
        request = (body["party"], body["request_id"])
        if request in self._requests:
            self._find(Code.REQUEST_ID_REUSED, entry)
        self._requests.add(request)
        purpose = policies.purposes.get(body["purpose"]) if policies else None
        spent = self._counting.evaluated(body["party"], body["purpose"], body["period"], body["elements"])
        if not 1 <= body["elements"] <= MOST_ELEMENTS or body["spent"] != spent:
            self._find(Code.EVALUATION_QUOTA, entry)
        if body["public_key"] in self._destroyed:
            self._find(Code.SERVICE_KEY, entry, "it was destroyed before")
        if archived is None or policies is None:
            return
        decided_at = read_time(body["decided_at"])
        if purpose is None or not self._may(entry, archived, policies, purpose, decided_at):
            self._find(Code.EVALUATION_RIGHT, entry)
            return
        period = epoch_of(purpose, decided_at).name
        limit = purpose.evaluation_limit(body["party"])
        if body["period"] != period or body["spent"] + body["elements"] > limit:
            self._find(Code.EVALUATION_QUOTA, entry)
        terms = purpose.pseudonyms
        open_now = open_epochs(terms.epoch, terms.overlap_days or 0, local_day(decided_at))
        pinned = terms.public_keys.get(body["epoch"], {}).get(body["key_service"])
        if calendar_epoch(body["epoch"]) not in open_now or pinned != body["public_key"]:
            self._find(Code.EVALUATION_KEY, entry)
        if self._keys.gives_nothing(purpose, body["epoch"]):
            self._find(Code.EVALUATION_KEY, entry, "the epoch's key was retired")

    def destroyed(self, entry: LogEntry) -> None:
        """A key that was destroyed: once, and when it was due unless a reason says why at once."""
        body, policies = entry.body, self._policies.current
        if body["public_key"] in self._destroyed:
            self._find(Code.SERVICE_KEY, entry, "it was destroyed before")
        self._destroyed.add(body["public_key"])
        purpose = policies.purposes.get(body["purpose"]) if policies else None
        if body["reason"] is not None or (policies is None and self._policies.begun):
            return
        due = needed_until(purpose, body["epoch"]) if purpose else None
        if due is None or entry.at < due - GRACE:
            self._find(Code.SERVICE_KEY, entry, "it was destroyed before its time, and no reason is given")

    def _may(
        self, entry: LogEntry, archived: Archived, policies: PolicySet, purpose: Purpose, decided_at: datetime
    ) -> bool:
        body = entry.body
        return (
            body["party"] in policies.participants(purpose)
            and purpose.state == "active"
            and purpose.pseudonyms.mode == "oblivious"
            and body["key_service"] in purpose.pseudonyms.key_services
            and purpose.valid.from_ <= local_day(decided_at) <= purpose.valid.until
            and decided_at < archived.expires
            and self._closing.suspended_since(purpose.name, policies) is None
        )

    def _find(self, code: Code, entry: LogEntry, detail: str = "") -> None:
        self._findings.add(code, detail, index=entry.index)
