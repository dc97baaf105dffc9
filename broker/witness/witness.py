"""The witness itself: one answer to one offered checkpoint, durable before it is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.errors import SluisError
from broker.exchange_log.cosignature import cosign, with_lines
from broker.ports import Clock
from broker.witness.judging import Known, Logs, Refusal, Signed, extends, signed_by_log, time_after
from broker.witness.memory import Memory, WitnessKey
from broker.witness.wire import MAX_BODY, AddCheckpoint, WireError, origin_hash, read_add_checkpoint


class SystemClock:
    """`ports.Clock` from the operating system."""

    def now(self) -> datetime:
        """The time in UTC, aware."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"


class Witness:
    """Watches logs. For each it never cosigns two roots of one size, nor a tree that does not extend the last one.

    `known`: what its memory holds of each log. `tell` gets (event, origin, HTTP status) for the diagnostic log.
    """

    def __init__(self, key: WitnessKey, logs: Logs, memory: Memory, known: Mapping[str, Known], clock: Clock) -> None:
        self._key = key
        self._logs = logs
        self._memory = memory
        self._known = dict(known)
        self._clock = clock
        self._gates = {origin: threading.Lock() for origin in logs}
        self._unreadable: set[str] = set()
        self._by_hash = {origin_hash(origin): origin for origin in logs}
        self.tell: Callable[[str, str, int], None] = lambda _event, _origin, _status: None

    def add_checkpoint(self, data: bytes) -> Answer:
        """The answer to the body of an `add-checkpoint` request."""
        if len(data) > MAX_BODY:
            return Answer(413, f"a request has at most {MAX_BODY} bytes\n")
        try:
            request = read_add_checkpoint(data)
        except WireError as error:
            return Answer(400, f"{error}\n")
        signed = signed_by_log(request, self._logs)
        if isinstance(signed, Refusal):
            return Answer(signed.status, signed.text)
        origin = signed.checkpoint.origin
        with self._gates[origin]:
            answer = self._judged(data, request, signed)
        if answer.status not in (200, 409):
            self.tell("checkpoint refused", origin, answer.status)
        return answer

    def finish(self) -> None:
        """Waits for what is being signed; nothing is signed from here on."""
        for gate in self._gates.values():
            gate.acquire()

    def newest(self, hashed: str) -> Answer:
        """The newest checkpoint cosigned, by the SHA-256 of its origin in hex."""
        origin = self._by_hash.get(hashed)
        known = self._known.get(origin) if origin is not None else None
        if known is None or not known.note:
            return Answer(404, "this witness has cosigned no checkpoint of such a log\n")
        return Answer(200, known.note)

    def _judged(self, data: bytes, request: AddCheckpoint, signed: Signed) -> Answer:
        """Under the log's lock, so that comparing with the last tree and replacing it are one step."""
        checkpoint, known = signed.checkpoint, self._known[signed.checkpoint.origin]
        refusal = extends(request, signed, known)
        if checkpoint.origin in self._unreadable:
            return Answer(500, "this witness cannot read what it cosigned of this log; its operator must look\n")
        try:
            if refusal is not None:
                if refusal.contradicts:
                    self._memory.keep_evidence(checkpoint.origin, data, proven=refusal.proven)
                return Answer(refusal.status, refusal.text, refusal.content_type)
            at = time_after(self._clock.now(), known)
            line = cosign(self._key.public, self._key.sign, checkpoint.body, at)
            note = with_lines(signed.note, [line])
            self._memory.remember(checkpoint.origin, note)
        except SluisError:
            # It may be on disk or not, so what is known is read again before anything else is signed.
            self._reread(checkpoint.origin)
            return Answer(500, "this witness cannot keep what it signs now; nothing was signed\n")
        self._known[checkpoint.origin] = Known(checkpoint.size, checkpoint.root, at, note)
        return Answer(200, line)

    def _reread(self, origin: str) -> None:
        """After a failed write: memory must not be behind the disk. While it cannot be read the log is not served."""
        try:
            self._known[origin] = self._memory.newest(origin, self._key.public)
        except SluisError:
            self._unreadable.add(origin)


def open_witness(key: WitnessKey, logs: Logs, memory: Memory, clock: Clock) -> Witness:
    """A witness that knows what its state directory holds. Raises STORE_CORRUPT."""
    return Witness(key, logs, memory, {origin: memory.newest(origin, key.public) for origin in logs}, clock)
