"""Follows the log and sends what it says to an OpenTelemetry collector: at least once, in order, nothing left out.

The cursor moves only after the collector took a batch, so whatever ends this process, the rest is sent again; records
carry `log.record.uid`, by which a receiver knows them again. A collector that is full or away is waited for; one that
refuses a record for good stops the follower, for going on would leave it out.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from broker.audit.entries import EntryError
from broker.errors import Code, SluisError
from broker.http_post import PostError, post
from broker.otlp.cursor import CursorFile
from broker.otlp.encoding import LOGS, TRACES, export_request, rejected
from broker.ports import LogReader, StoredEntry

log = structlog.get_logger("broker.otlp.follower")

MOST_RECORDS = 512
"""In one request to the collector, of either signal."""
MOST_ENTRIES = 256
POLL_SECONDS = 1.0
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
ANSWER_SECONDS = 30.0
MOST_ANSWER_BYTES = 1 << 20
_LATER = frozenset({408, 429, 502, 503, 504})
"""Statuses after which the same may be sent again (OTLP/HTTP, "Retryable Response Codes", and 408)."""


class Maps(Protocol):
    """Turns a leaf into records."""

    def records(self, leaf: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
        """(signal, record), the same at every call. Raises EntryError."""
        ...


class LaterError(Exception):
    """The collector did not take it now. `after`: seconds that it asks for, None when it does not say."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.after = after


class RefusedError(Exception):
    """The collector will never take it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def over_http(url: str, headers: Mapping[str, str], tls: ssl.SSLContext | None = None) -> Callable[[str, bytes], None]:
    """How to send a request of a signal to the collector whose base address is `url` (OTLP/HTTP: `/v1/traces`, ...)."""

    def send(signal: str, body: bytes) -> None:
        all_headers = {**headers, "Content-Type": "application/json"}
        try:
            answer = post(
                f"{url.rstrip('/')}/v1/{signal}",
                body,
                headers=all_headers,
                seconds=ANSWER_SECONDS,
                most=MOST_ANSWER_BYTES,
                tls=tls,
            )
        except PostError as error:
            raise LaterError(error.why) from None
        if answer.status in _LATER:
            raise LaterError(f"status {answer.status}", answer.retry_after)
        if answer.status != 200:
            raise RefusedError(f"status {answer.status}")
        if left_out := rejected(answer.body):
            raise RefusedError(f"{left_out} records rejected")

    return send


@dataclass
class _Batch:
    """Records on their way, and the last entry that they are complete to."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {TRACES: [], LOGS: []})
    count: int = 0
    last: StoredEntry | None = None


class Follower:
    """Sends entries from the cursor on. One thread; `halt` ends it between two requests."""

    def __init__(
        self,
        reader: LogReader,
        cursor: CursorFile,
        mapping: Maps,
        send: Callable[[str, bytes], None],
        *,
        resource: Mapping[str, object],
        version: str,
        halt: threading.Event,
        first_retry: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self._mapping = mapping
        self._send = send
        self._resource = resource
        self._version = version
        self._halt = halt
        self._first_retry = first_retry
        self._checked = False
        self._sent = 0

    def run(self, *, once: bool = False) -> int:
        """Follows until halted, or with `once` until all that is there is sent; returns the number of records sent.

        Raises:
            SluisError: CONFIG_INVALID when the cursor is not of this log or the collector refuses for good;
                STORE_CORRUPT.
        """
        retry = self._first_retry
        while not self._halt.is_set():
            try:
                done = self._catch_up()
            except SluisError as error:
                if error.code is not Code.STORE_UNAVAILABLE:
                    raise
                log.warning("log cannot be read now", code=error.code.name, seconds=retry)
                self._halt.wait(retry)
                retry = min(LONGEST_RETRY_SECONDS, retry * 2)
                continue
            retry = self._first_retry
            if once and done:
                break
            self._halt.wait(POLL_SECONDS)
        return self._sent

    def _catch_up(self) -> bool:
        """Sends what the log holds behind the cursor; False when halted before all of it was taken."""
        size = self._reader.size()
        if size == self._cursor.cursor.next and self._checked:
            return True
        self._cursor.check(self._reader)
        self._checked = True
        batch = _Batch()
        while (start := self._cursor.cursor.next) < size:
            for entry in self._reader.entries(start, min(size, start + MOST_ENTRIES)):
                for signal, record in self._records(entry):
                    batch.records[signal].append(record)
                    batch.count += 1
                    if batch.count >= MOST_RECORDS and not self._flush(batch):
                        return False
                batch.last = entry
            if batch.last is None:
                raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")
            if not self._flush(batch):
                return False
        return True

    def _records(self, entry: StoredEntry) -> Iterable[tuple[str, dict[str, Any]]]:
        try:
            yield from self._mapping.records(entry.leaf)
        except (EntryError, KeyError, TypeError, ValueError) as error:
            raise SluisError(
                Code.STORE_CORRUPT, f"entry {entry.index} cannot be read as an entry; run `sluis doctor`"
            ) from error

    def _flush(self, batch: _Batch) -> bool:
        """Sends what is gathered, waiting as long as it takes; False when halted before all of it was taken."""
        for signal, records in batch.records.items():
            if records and not self._deliver(signal, export_request(signal, self._resource, self._version, records)):
                return False
            self._sent += len(records)
            records.clear()
        if batch.last is not None:
            self._cursor.move(batch.last)
        log.info("exported", size=self._cursor.cursor.next, count=batch.count)
        batch.count, batch.last = 0, None
        return True

    def _deliver(self, signal: str, body: bytes) -> bool:
        retry = self._first_retry
        while not self._halt.is_set():
            try:
                self._send(signal, body)
            except LaterError as error:
                wait = min(LONGEST_RETRY_SECONDS, error.after if error.after is not None else retry)
                log.warning("collector does not take records now", type=error.why, seconds=wait)
                self._halt.wait(wait)
                retry = min(LONGEST_RETRY_SECONDS, retry * 2)
            except RefusedError as error:
                raise SluisError(
                    Code.CONFIG_INVALID,
                    f"the collector refuses {signal} for good ({error.why}), so entries from "
                    f"{self._cursor.cursor.next} on are not exported, and none was left out; mend the collector and "
                    "start again",
                ) from None
            else:
                return True
        return False
