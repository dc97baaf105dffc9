"""Canaries in the log: lists that answerers set, and the questions that asked for one (docs/formats.md, Canaries).

Whether a question did ask for one is the broker's word: rows are not in the log. That one was kept back, no log shows.
"""

from __future__ import annotations

from datetime import timedelta

from broker.audit.entries import GRACE, LogEntry, has_shape, read_time
from broker.audit.epoch_keys import EpochKeys
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.releases import Ask
from broker.audit.statement_forms import statement_digest
from broker.audit.trust import Trust

MOST = 1_000
_AHEAD = timedelta(minutes=10)
_SLACK = timedelta(seconds=1)
MEMBERS = {
    **dict.fromkeys(
        ("answerer", "environment", "epoch", "key_id", "origin", "purpose", "request_id", "scheme", "type"), "text"
    ),
    "match_keys": "number",
    "not_after": "time",
    "record": "hex",
    "rows": "number",
}


class Canaries:
    """Checks `notice` entries of canaries, in the order of the log."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies, keys: EpochKeys) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._keys = keys
        self._requests: set[tuple[str, str]] = set()
        self._lists: dict[tuple[str, str, str, str], tuple[int, str, int, str]] = {}
        """(answerer, purpose, epoch, scheme) -> entry, key id, rows and commitment of the list in force."""
        self._erased: set[str] = set()
        """Commitments of lists that nobody can compare with any more."""
        self._told: set[int] = set()
        """Asks that wait for their release, and of which was told how many canaries they asked for."""

    def list(self, entry: LogEntry) -> None:
        """A list; its signature is checked apart."""
        body, statement = entry.body, entry.body["statement"]
        good = (
            statement.keys() == MEMBERS.keys()
            and all(has_shape(statement[name], shape) for name, shape in MEMBERS.items())
            and statement["type"] == "sluis/v1/canaries"
        )
        if not good:
            self._find(Code.STATEMENT_FORM, entry)
            return
        here = (self._trust.origin, self._trust.environment)
        same = (body["party"], body["purpose"]) == (statement["answerer"], statement["purpose"])
        if (statement["origin"], statement["environment"]) != here or not same:
            self._find(Code.STATEMENT_DIFFERS, entry)
        not_after = read_time(statement["not_after"])
        if not entry.at - GRACE - _SLACK <= not_after <= entry.at + _AHEAD + _SLACK:
            self._find(Code.STATEMENT_AGE, entry)
        policies, request = self._policies.current, (body["party"], statement["request_id"])
        purpose = policies.purposes.get(body["purpose"]) if policies is not None else None
        fits = (
            body["notice"] == statement_digest(statement)[:32]
            and request not in self._requests
            and (policies is None or (purpose is not None and body["party"] in purpose.answers))
            and self._keys.key_id(statement["purpose"], statement["epoch"]) == statement["key_id"]
            and statement["rows"] <= MOST
        )
        if not fits:
            self._find(Code.CANARIES, entry)
        self._requests.add(request)
        place = (statement["answerer"], statement["purpose"], statement["epoch"], statement["scheme"])
        self._lists[place] = (entry.index, statement["key_id"], statement["rows"], statement["record"])

    def erasure(self, entry: LogEntry) -> None:
        """What was erased: a list among it is compared with no question any more, or with some still."""
        if self._lists:
            self._erased |= {record for *_, record in self._lists.values()} & set(entry.body["commitments"])

    def met(self, entry: LogEntry, ask: Ask | None) -> None:
        """A question that asked for canaries: it stands before the release of its ask, once, and names a list."""
        body = entry.body
        lists = [one for (answerer, purpose, *_), one in self._lists.items()
                 if (answerer, purpose) == (body["answerer"], body["purpose"])]  # fmt: skip
        fits = (
            ask is not None
            and (body["answerer"], body["purpose"], body["exchange"]) == (ask.answerer, ask.purpose, ask.exchange)
            and body["asked_by"] == ask.asker
            and body["rows"] <= ask.subjects
            and any(index == body["list"] and key == ask.key_id and rows for index, key, rows, _ in lists)
            and body["ask_index"] not in self._told
        )
        if not fits:
            self._find(Code.CANARY, entry)
        self._told.add(body["ask_index"])

    def released(self, entry: LogEntry, ask: Ask | None) -> None:
        """A release: where a list is in force, how many of its subjects were asked for stands before it."""
        if ask is None or entry.body["status"] == "UNKNOWN":
            return
        place = (ask.answerer, ask.purpose, ask.statement["epoch"], ask.statement["scheme"])
        _, key, rows, record = self._lists.get(place, (0, "", 0, ""))
        if rows and key == ask.key_id and record not in self._erased and ask.index not in self._told:
            self._findings.add(Code.CANARY, "it is not told", index=entry.index)
        self._told.discard(ask.index)

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)
