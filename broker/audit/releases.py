"""Releases in the log: one for every permitted ask, in time, and with an outcome that the registers then allow."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from broker.audit.entries import GRACE, LogEntry
from broker.audit.findings import Code, Findings
from broker.audit.registers import Register, Registers
from broker.audit.standing import Standing

LEASE = timedelta(minutes=15)
"""How long after its decision an ask may be answered; then it can only become `unknown`."""
CLOSING = timedelta(minutes=5)
"""How long a running broker may take to log as `unknown` an ask whose lease has run out."""

_STATUSES = {
    "authorised": {"ANSWERED"},
    "withheld": {"NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD", "NOT_THERE"},
    "failed": {"FAILED"},
    "unknown": {"UNKNOWN"},
}
_NOTHING, _DENIED, _WAITING, _RELEASED = range(4)
_UNANSWERABLE = {
    "NO_REGISTER": Code.RELEASE_NO_REGISTER,
    "EXPIRED": Code.RELEASE_EXPIRED,
    "NOT_COVERED": Code.RELEASE_NOT_COVERED,
}
_WHY = {
    "NO_REGISTER": "there was no register",
    "EXPIRED": "the register had expired",
    "NOT_COVERED": "the register did not cover it",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A permitted ask that waits for its release. `register`: what was in force when it was decided."""

    index: int
    batch: int
    exchange: str
    asker: str
    answerer: str
    purpose: str
    attributes: list[str]
    reference: Mapping[str, Any] | None
    register: Register | None
    key_id: str
    subjects: int
    counted: bool
    unanswerable: str
    """Why nothing could be matched: NO_REGISTER, EXPIRED or NOT_COVERED; "" when something could."""
    decided_at: datetime
    statement: Mapping[str, Any]
    """What its asker signed."""
    live: Mapping[str, Any] | None = None
    """Where its answerer answers live: the row rules that it must declare."""


class Releases:
    """Checks `release` entries against the asks before them."""

    def __init__(self, findings: Findings, registers: Registers, standing: Standing) -> None:
        self._findings = findings
        self._standing = standing
        self._registers = registers
        self._waiting: dict[int, Ask] = {}
        self._order: deque[int] = deque()
        self._overdue: dict[int, datetime] = {}
        """Asks whose lease has run out, and when the log first went on after that."""
        self._missing: set[int] = set()
        self._live: set[int] = set()
        """Asks whose answerer has signed a live answer."""
        self._state = bytearray()
        self._batch = 0

    @property
    def open_asks(self) -> int:
        """Permitted asks without a release so far."""
        return len(self._waiting)

    @property
    def batch(self) -> int:
        """The number of the batch that is being read."""
        return self._batch

    def waiting(self, ask_index: object) -> Ask | None:
        """A permitted ask that waits for its release."""
        return self._waiting.get(ask_index) if isinstance(ask_index, int) else None

    def answered_live(self, ask: Ask) -> bool:
        """A live answer to a waiting ask; False for a second one."""
        first = ask.index not in self._live
        self._live.add(ask.index)
        return first

    def asked(self, ask: Ask) -> None:
        """A permitted ask: a release must follow."""
        self._waiting[ask.index] = ask
        self._order.append(ask.index)
        self._mark(ask.index, _WAITING)

    def denied(self, index: int) -> None:
        """A denied ask: nothing may follow."""
        self._mark(index, _DENIED)

    def end_batch(self) -> None:
        """The end of a batch: what follows was written after it had become durable."""
        self._batch += 1

    def passed(self, at: datetime) -> None:
        """The log has gone on to `at`: asks whose lease ran out long ago must have an outcome."""
        while self._order:
            ask = self._waiting.get(self._order[0])
            if ask is not None:
                if ask.decided_at + LEASE >= at:
                    break
                self._overdue[ask.index] = at
            self._order.popleft()
        # in the order in which they became overdue
        for index in list(takewhile(lambda index: self._overdue[index] + CLOSING < at, self._overdue)):
            del self._overdue[index]
            self._findings.add(Code.RELEASE_MISSING, index=index)

    def release(self, entry: LogEntry, *, closed: bool) -> None:
        """A `release`. `closed`: whether its purpose was closed to the asker by then."""
        body, at = entry.body, entry.body["ask_index"]
        ask = self._waiting.get(at)
        if ask is None:
            state = self._state[at] if at < len(self._state) else _NOTHING
            codes = {_RELEASED: Code.RELEASE_TWICE, _DENIED: Code.RELEASE_DENIED}
            self._findings.add(codes.get(state, Code.RELEASE_UNASKED), index=entry.index)
            return
        if (ask.exchange, ask.asker, ask.answerer) != (body["exchange"], body["asker"], body["answerer"]):
            self._findings.add(Code.RELEASE_UNASKED, index=entry.index)
            return
        del self._waiting[at]
        self._overdue.pop(at, None)
        self._mark(at, _RELEASED)
        if ask.batch == self._batch:
            self._findings.add(Code.RELEASE_TOO_SOON, index=entry.index)
        if body["outcome"] != "unknown" and entry.at > ask.decided_at + LEASE + GRACE:
            self._findings.add(Code.RELEASE_LATE, index=entry.index)
        if self._fits(entry, ask):
            self._judge(entry, ask, closed=closed)
        if body["status"] == "ANSWERED" and ask.register is not None and not ask.counted:
            self._standing.answered(ask.statement, ask.answerer, ask.register.reference["version"])

    def _fits(self, entry: LogEntry, ask: Ask) -> bool:
        """Whether outcome, status, attributes and result go together."""
        body = entry.body
        answered, recovered = body["status"] == "ANSWERED", body["outcome"] == "unknown"
        granted = ask.attributes if answered else []
        if answered and not set(body["attributes"]) <= set(granted):
            self._findings.add(Code.RELEASE_ATTRIBUTES, index=entry.index)
            return True
        fits = (
            body["status"] in _STATUSES.get(body["outcome"], set())
            and body["attributes"] == granted
            and (body["result"] is None) == recovered
            and body["register"] == (None if recovered else ask.reference)
        )
        if not fits:
            self._findings.add(Code.RELEASE_OUTCOME, index=entry.index)
        return fits

    def _judge(self, entry: LogEntry, ask: Ask, *, closed: bool) -> None:
        """Whether the status is one that the registers of that time allow. UNKNOWN always is, FAILED mostly."""
        status = entry.body["status"]
        if ask.live is not None and self._judge_live(entry, ask, status):
            return
        withdrawn = self._registers.withdrawn_at(ask.reference) if ask.reference else None
        if status == "UNKNOWN" or (status == "WITHHELD" and (closed or withdrawn is not None)):
            return
        if ask.unanswerable:
            if status == "ANSWERED":
                self._findings.add(_UNANSWERABLE[ask.unanswerable], index=entry.index)
            elif status != ask.unanswerable:
                self._find_status(entry, f"{status}, though {_WHY[ask.unanswerable]}")
            return
        if ask.live is None and (status in _UNANSWERABLE or status == "NOT_THERE"):
            self._find_status(entry, f"{status}, though a register in force could answer")
        if status == "WITHHELD" and not ask.counted:
            self._find_status(entry, "WITHHELD, though nothing was closed and no count was asked")
        if status != "ANSWERED":
            return
        if ask.register is not None and ask.register.key_id != ask.key_id:
            self._findings.add(Code.RELEASE_KEY, index=entry.index)
        if withdrawn is not None and entry.at > withdrawn + GRACE:
            self._findings.add(Code.RELEASE_WITHDRAWN, index=entry.index)

    def _judge_live(self, entry: LogEntry, ask: Ask, status: str) -> bool:
        """Whether something is wrong with the status of a live answer; one that was closed meanwhile is judged on."""
        answered = ask.index in self._live
        if answered != (status == "ANSWERED"):
            told = "signed an answer" if answered else "signed no answer"
            if answered or status == "ANSWERED":
                self._find_status(entry, f"{status}, though its live answerer {told}")
                return True
        if status in _UNANSWERABLE:
            self._find_status(entry, f"{status}, though its answerer answers live")
            return True
        return False

    def _find_status(self, entry: LogEntry, detail: str) -> None:
        self._findings.add(Code.RELEASE_STATUS, detail, index=entry.index)

    def _mark(self, index: int, state: int) -> None:
        if index >= len(self._state):
            self._state.extend(bytes(index + 1024 - len(self._state)))
        self._state[index] = state
