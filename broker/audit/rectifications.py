"""Corrections, disputes, outcomes and notices in the log: each by the right party, about an answer that was given.

What the log alone cannot show, whether the broker found every recipient, is bounded: a correction says how many
exchanges were searched and how many could not be, and together they are all that the log shows.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.rectification_shapes import has_form
from broker.audit.trust import Trust

_AHEAD = timedelta(minutes=10)
_SLACK = timedelta(seconds=1)
_OPEN, _ANSWERED, _OTHER = 0, 1, 2
_RESOLVING = ("corrected", "withdrawn", "upheld")
_TELLING = ("corrected", "withdrawn")


@dataclass(frozen=True)
class _Ask:
    """A permitted ask for rows."""

    asker: str
    answerer: str
    purpose: str
    epoch: str
    mark: bytes
    status: int


class _Asks:
    """All permitted asks for rows, some 30 bytes each: they must be remembered to the end of the log."""

    def __init__(self) -> None:
        self._indices = array("Q")
        self._groups = array("L")
        self._marks = bytearray()
        self._statuses = bytearray()
        self._names: list[tuple[str, str, str, str]] = []
        self._numbers: dict[tuple[str, str, str, str], int] = {}
        self.holding: Counter[tuple[str, str, str]] = Counter()
        """(answerer, purpose, epoch) -> asks that were answered, or may still be."""

    def add(self, index: int, group: tuple[str, str, str, str], exchange: str) -> None:
        """A permitted ask of (asker, answerer, purpose, epoch)."""
        if self._indices and index <= self._indices[-1]:
            return  # an index out of its place is a finding of its own
        number = self._numbers.setdefault(group, len(self._names))
        if number == len(self._names):
            self._names.append(group)
        self._indices.append(index)
        self._groups.append(number)
        self._marks += _mark(exchange)
        self._statuses.append(_OPEN)
        self.holding[group[1:]] += 1

    def close(self, index: object, answered: bool) -> None:
        """A release of an ask."""
        at = self._place(index)
        if at is None or self._statuses[at] != _OPEN:
            return
        self._statuses[at] = _ANSWERED if answered else _OTHER
        if not answered:
            self.holding[self._names[self._groups[at]][1:]] -= 1

    def find(self, index: object) -> _Ask | None:
        """The ask with this index."""
        at = self._place(index)
        if at is None:
            return None
        mark = bytes(self._marks[at * 16 : at * 16 + 16])
        return _Ask(*self._names[self._groups[at]], mark, self._statuses[at])

    def _place(self, index: object) -> int | None:
        if not isinstance(index, int) or not 0 <= index < 2**63:
            return None
        at = bisect_left(self._indices, index)
        return at if at < len(self._indices) and self._indices[at] == index else None


@dataclass
class _Dispute:
    ask_index: int
    answerer: str
    purpose: str
    epochs: set[str]
    resolved: bool = False


@dataclass
class _Notice:
    party: str
    purpose: str
    acknowledged: bool = False


@dataclass
class _Owed:
    """A correction whose notices must follow it."""

    entry: LogEntry
    left: int
    dispute: _Dispute | None
    ends: bool
    """Whether it ends the dispute: then its asker is told."""
    asks: set[int] = field(default_factory=set)


class Rectifications:
    """Checks `correction` and `outcome` entries, and `notice` entries of rectification, in the order of the log."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._asks = _Asks()
        self._disputes: dict[str, _Dispute] = {}
        self._notices: dict[str, _Notice] = {}
        self._requests: set[bytes] = set()
        self._owed: _Owed | None = None

    def ask(self, entry: LogEntry) -> None:
        """An `ask`: remembered when its rows may have been released."""
        body, statement = entry.body, entry.body["statement"]
        want, epoch = statement.get("want"), statement.get("epoch")
        counts = not isinstance(want, dict) or want.get("count") is not False
        if body["decision"].get("effect") == "permit" and not counts and isinstance(epoch, str):
            group = (body["asker"], body["answerer"], body["purpose"], epoch)
            self._asks.add(entry.index, group, body["exchange"])

    def release(self, entry: LogEntry) -> None:
        """A `release`: whether rows were given."""
        self._asks.close(entry.body["ask_index"], entry.body["status"] == "ANSWERED")

    def correction(self, entry: LogEntry) -> None:
        """A `correction`: by an answerer of the purpose, about all that the log shows, with its notices behind it."""
        body, statement = entry.body, entry.body["statement"]
        if not self._form(entry, "sluis/v1/correction", body["answerer"], ("answerer", "purpose", "epoch")):
            return
        known = self._policies.current.purposes.get(body["purpose"]) if self._policies.current else None
        group = (body["answerer"], body["purpose"], body["epoch"])
        holding, told = self._asks.holding[group], statement["what"] in _TELLING
        if not holding and (known is None or body["answerer"] not in known.answers):
            self._find(Code.NOT_ANSWERER, entry)
        if body["searched"] + body["unsearched"] != (holding if told else 0):
            self._find(Code.CORRECTION_SEARCH, entry)
        dispute = self._disputes.get(statement["dispute"]) if statement["dispute"] else None
        self._check_dispute(entry, statement, dispute)
        ends = dispute is not None and statement["what"] in _RESOLVING
        if body["notices"] < ends or (not told and body["notices"] > int(statement["what"] == "upheld")):
            self._find(Code.CORRECTION_NOTICES, entry)
        self._owed = _Owed(entry, body["notices"], dispute, ends)

    def _check_dispute(self, entry: LogEntry, statement: Mapping[str, Any], dispute: _Dispute | None) -> None:
        body = entry.body
        if dispute is None:
            if statement["dispute"] is not None or statement["what"] not in _TELLING:
                self._find(Code.DISPUTE_UNKNOWN, entry)
            return
        resolves = statement["what"] in _RESOLVING
        fits = (
            not dispute.resolved
            and (dispute.answerer, dispute.purpose) == (body["answerer"], body["purpose"])
            and (body["epoch"] in dispute.epochs) is resolves
        )
        if not fits:
            self._find(Code.DISPUTE_UNKNOWN, entry)
            return
        dispute.resolved = resolves
        dispute.epochs.add(body["epoch"])

    def outcome(self, entry: LogEntry) -> None:
        """An `outcome`: about a hit that its party was given."""
        if self._form(entry, "sluis/v1/outcome", entry.body["asker"], ("asker", "answerer", "exchange")):
            self._hit(entry)

    def notice(self, entry: LogEntry) -> None:
        """A `notice` of rectification, by what it is."""
        checks = {
            "dispute-notice": self._dispute_notice,
            "correction-notice": self._correction_notice,
            "correction-blank": self._blank,
            "acknowledged": self._acknowledged,
        }
        checks[entry.body["what"]](entry)

    def settle(self) -> None:
        """Notices stand right behind their correction: called for every entry that is none, and at the end."""
        owed, self._owed = self._owed, None
        if owed is None:
            return
        unsaid = owed.ends and owed.dispute is not None and owed.dispute.ask_index not in owed.asks
        if owed.left or unsaid:
            self._find(Code.CORRECTION_NOTICES, owed.entry)

    def _dispute_notice(self, entry: LogEntry) -> None:
        body = entry.body
        if not self._form(entry, "sluis/v1/dispute", body["asker"], ("asker", "answerer", "exchange")):
            return
        self._hit(entry)
        if self._new_notice(entry, body["answerer"]):
            self._disputes[body["notice"]] = _Dispute(
                body["ask_index"], body["answerer"], body["purpose"], {body["epoch"]}
            )

    def _correction_notice(self, entry: LogEntry) -> None:
        body, owed = entry.body, self._owed
        self._new_notice(entry, body["party"])
        if owed is None or not owed.left or body["correction"] != owed.entry.index:
            self._find(Code.CORRECTION_NOTICES, entry)
            return
        owed.left -= 1
        asks = body["asks"]
        fits = bool(asks) and asks == sorted(set(asks)) and not owed.asks & set(asks)
        if not fits or not all(self._concerns(owed, index, body) for index in asks):
            self._find(Code.NOTICE_ASK, entry)
        owed.asks |= set(asks)

    def _blank(self, entry: LogEntry) -> None:
        """An entry that tells nobody: it hides from the answerer how many notices there are."""
        owed = self._owed
        if entry.body["notice"] in self._notices:
            self._find(Code.RECTIFIED_TWICE, entry)
        if owed is None or not owed.left or entry.body["correction"] != owed.entry.index:
            self._find(Code.CORRECTION_NOTICES, entry)
            return
        owed.left -= 1

    def _concerns(self, owed: _Owed, index: int, body: Mapping[str, Any]) -> bool:
        """Whether an ask is one of the notice's party in which it may have been given the record."""
        ask, correction = self._asks.find(index), owed.entry.body
        if ask is None or ask.status == _OTHER or (ask.asker, ask.purpose) != (body["party"], body["purpose"]):
            return False
        if (ask.answerer, ask.purpose) != (correction["answerer"], correction["purpose"]):
            return False
        if owed.dispute is not None and index == owed.dispute.ask_index:
            return True
        return ask.epoch == correction["epoch"] and correction["statement"]["what"] in _TELLING

    def _acknowledged(self, entry: LogEntry) -> None:
        body = entry.body
        if not self._form(entry, "sluis/v1/acknowledgement", body["party"], ("party", "notice")):
            return
        notice = self._notices.get(body["notice"])
        if notice is None or notice.acknowledged or (notice.party, notice.purpose) != (body["party"], body["purpose"]):
            self._find(Code.ACKNOWLEDGEMENT, entry)
            return
        notice.acknowledged = True

    def _hit(self, entry: LogEntry) -> None:
        body, ask = entry.body, self._asks.find(entry.body["ask_index"])
        fits = (
            ask is not None
            and ask.status == _ANSWERED
            and (ask.asker, ask.answerer, ask.purpose) == (body["asker"], body["answerer"], body["purpose"])
            and ask.mark == _mark(body["exchange"])
            and body.get("epoch", ask.epoch) == ask.epoch
        )
        if not fits:
            self._find(Code.HIT_UNKNOWN, entry)

    def _new_notice(self, entry: LogEntry, party: str) -> bool:
        notice = entry.body["notice"]
        if notice in self._notices:
            self._find(Code.RECTIFIED_TWICE, entry)
            return False
        self._notices[notice] = _Notice(party, entry.body["purpose"])
        return True

    def _form(self, entry: LogEntry, kind: str, party: str, same: tuple[str, ...]) -> bool:
        """Whether a statement has the form of its kind; that it says what its entry says is checked too, and when."""
        body, statement = entry.body, entry.body["statement"]
        if not has_form(statement, kind):
            self._find(Code.STATEMENT_FORM, entry)
            return False
        here = (self._trust.origin, self._trust.environment)
        if (statement["origin"], statement["environment"]) != here or any(statement[n] != body[n] for n in same):
            self._find(Code.STATEMENT_DIFFERS, entry)
        not_after = read_time(statement["not_after"])
        if not entry.at - GRACE - _SLACK <= not_after <= entry.at + _AHEAD + _SLACK:
            self._find(Code.STATEMENT_AGE, entry)
        if "request_id" in statement:
            mark = hashlib.sha256(f"{party}\n{statement['request_id']}".encode()).digest()[:16]
            if mark in self._requests:
                self._find(Code.RECTIFIED_TWICE, entry)
            self._requests.add(mark)
        return True

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)


def _mark(exchange: str) -> bytes:
    return hashlib.sha256(exchange.encode()).digest()[:16]
