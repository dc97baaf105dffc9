"""Notices that nobody has acted on yet, from the entries of a log: for the responsible party's overview. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.audit.entries import LogEntry


@dataclass(frozen=True)
class OpenNotice:
    """A notice that waits for its party.

    A correction notice waits for an acknowledgement, a dispute for the answerer's correction; `acknowledged` says that
    the party took note of it meanwhile.
    """

    index: int
    notice: str
    what: str
    """`correction-notice` or `dispute-notice`."""
    party: str
    purpose: str
    at: datetime
    acknowledged: bool = False

    def age(self, now: datetime) -> int:
        """Whole days since it was given."""
        return (now - self.at) // timedelta(days=1)


def open_notices(entries: Iterable[LogEntry]) -> tuple[OpenNotice, ...]:
    """The notices that are open at the end of `entries` (a whole log, in its order), oldest first.

    Memory grows with the notices that are open. Nothing is verified: run the verifier first.
    """
    waiting: dict[str, OpenNotice] = {}
    for entry in entries:
        body = entry.body
        if entry.kind == "correction":
            statement = body["statement"]
            if statement.get("what") != "still-disputed":
                waiting.pop(str(statement.get("dispute")), None)
        elif entry.kind == "notice" and body["what"] == "acknowledged":
            notice = waiting.get(body["notice"])
            if notice is not None and notice.what == "dispute-notice":
                waiting[body["notice"]] = OpenNotice(**{**vars(notice), "acknowledged": True})
            else:
                waiting.pop(body["notice"], None)
        elif entry.kind == "notice" and body["what"] in ("correction-notice", "dispute-notice"):
            party = body["party"] if body["what"] == "correction-notice" else body["answerer"]
            waiting[body["notice"]] = OpenNotice(
                entry.index, body["notice"], body["what"], party, body["purpose"], entry.at
            )
    return tuple(sorted(waiting.values(), key=lambda notice: notice.index))
