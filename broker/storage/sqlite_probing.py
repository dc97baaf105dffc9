"""Which subjects a party asked about before, as rows: marks under a key of the scope, never pseudonyms.

A mark is HMAC-SHA-256(key of the scope, pseudonym)[:16]; the key derives from the storage key. When that is rotated the
marks of before no longer meet those of after: the guards then begin anew, which is told in docs/key-custody.md.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime

from broker.exchange import PSEUDONYM_BYTES, Pseudonyms
from broker.ports import AtRest
from broker.probing_ports import AskedBefore, AskedQuestion
from broker.storage import sqlite_rows as rows
from broker.storage.sqlite_session import Session

_AT_ONCE = 500
"""Marks named in one statement."""


def find_asked_since(session: Session, scope: str, since: datetime) -> int:
    """Rows of the questions of a scope from `since` on."""
    sql = "SELECT coalesce(sum(question_rows), 0) FROM asked_questions WHERE scope=? AND asked_at>=?"
    return int(session.row(sql, (scope, rows.to_ticks(since)))[0])


def find_asked_before(
    session: Session, scope: str, marks: Sequence[bytes], since: datetime, but: str | None
) -> AskedBefore:
    """How a question stands to the earlier ones of its scope; those noted as `but` only tell whom it was about."""
    ticks = rows.to_ticks(since)
    shared: dict[int, int] = {}
    sizes: dict[int, int] = {}
    most = known = 0
    for start in range(0, len(marks), _AT_ONCE):
        some = marks[start : start + _AT_ONCE]
        places = ", ".join("?" * len(some))
        found = session.rows(
            "SELECT s.mark, q.id, q.subjects, q.asked_at, q.exchange FROM asked_subjects s JOIN asked_questions q "  # noqa: S608  # marks are bound
            f"ON q.id=s.question WHERE s.mark IN ({places}) AND q.scope=?",
            (*some, scope),
        )
        times: dict[bytes, int] = {}
        for mark, question, subjects, asked_at, exchange in found:
            times.setdefault(mark, 0)
            if asked_at >= ticks and exchange != but:
                times[mark] += 1
                sizes[question] = subjects
                shared[question] = shared.get(question, 0) + 1
        known += len(times)
        most = max([most, *times.values()])
    return AskedBefore(tuple((sizes[question], shared[question]) for question in sorted(shared)), most, known)


def insert_asked(session: Session, asked: AskedQuestion, marks: Sequence[bytes]) -> None:
    """Notes a question and its subjects."""
    times = rows.to_ticks(asked.at), rows.to_ticks(asked.keep_until)
    session.run(
        "INSERT INTO asked_questions (scope, asker, exchange, question_rows, subjects, asked_at, keep_until) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (asked.scope, asked.asker, asked.exchange, asked.rows, len(marks), *times),
    )
    (question,) = session.row("SELECT last_insert_rowid()")
    session.insert("asked_subjects", "mark, question", [(mark, question) for mark in sorted(marks)])


def delete_asked(session: Session, now: datetime) -> int:
    """Drops what need not be kept any more."""
    return session.run("DELETE FROM asked_questions WHERE keep_until<=?", (rows.to_ticks(now),))


def delete_asked_of(session: Session, asker: str, exchange: str) -> None:
    """Drops whom the question of an exchange was about; how many rows it had and when stays, as in its log entry."""
    sql = "DELETE FROM asked_subjects WHERE question IN (SELECT id FROM asked_questions WHERE asker=? AND exchange=?)"
    session.run(sql, (asker, exchange))


class Marker:
    """Makes the marks of a scope."""

    def __init__(self, at_rest: AtRest) -> None:
        self._at_rest = at_rest

    def marks(self, scope: str, subjects: Pseudonyms) -> list[bytes]:
        """One mark for each subject, in the order given."""
        key = self._at_rest.key("asked-subjects", scope.encode())
        packed = subjects.tobytes()
        starts = range(0, len(packed), PSEUDONYM_BYTES)
        return [hmac.digest(key, packed[at : at + PSEUDONYM_BYTES], "sha256")[:16] for at in starts]


class AskedRows:
    """Implements the transaction's part of `broker.probing_ports`."""

    _session: Session
    _marker: Marker

    def _to_write(self) -> Session:
        raise NotImplementedError

    def asked_since(self, scope: str, since: datetime) -> int:
        """Rows of the questions of a scope from `since` on."""
        return find_asked_since(self._session, scope, since)

    def asked_before(self, scope: str, subjects: Pseudonyms, since: datetime, but: str | None = None) -> AskedBefore:
        """How a question stands to the earlier ones of its scope."""
        return find_asked_before(self._session, scope, self._marker.marks(scope, subjects), since, but)

    def note_asked(self, asked: AskedQuestion, subjects: Pseudonyms) -> None:
        """Notes a question."""
        insert_asked(self._to_write(), asked, self._marker.marks(asked.scope, subjects))

    def drop_asked_of(self, asker: str, exchange: str) -> None:
        """Drops whom the question of an exchange was about."""
        delete_asked_of(self._to_write(), asker, exchange)

    def drop_asked(self, now: datetime) -> int:
        """Drops what need not be kept any more."""
        return delete_asked(self._to_write(), now)
