"""Match and release gate: from a permitted ask to an answer that is ready, but not yet released.

Everything an answer consists of exists here, durable and encrypted, before its release entry is written; only the
coordinator, after that entry is in the log, lets it go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice

import structlog

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import AnswerRows, AnswerStatus, AskStatement, Question
from broker.matching.join import match
from broker.matching.release import (
    CountRelease,
    answer_runs,
    encode_run,
    release_count,
    result_value,
    rows_digest,
)
from broker.notice_ports import RectificationReads
from broker.ports import AnswerSpool
from broker.questions import AskedOf, Terms
from broker.register_ports import RegisterStore, Snapshot

log = structlog.get_logger("broker.answering")

SMALL_ANSWER = 64 * 1024
"""Bytes up to which an answer waits in the vault, inside the release's own commit; larger ones wait in the spool."""


@dataclass(frozen=True)
class Prepared:
    """An answer that waits for its release entry."""

    status: AnswerStatus
    outcome: str
    """authorised, withheld or failed, as the release entry says."""
    result: bytes
    """The result value that the release commits to (docs/formats.md section 3)."""
    head: Mapping[str, object]
    """What is kept to send the answer again."""
    runs: Callable[[], Iterator[AnswerRows]]
    small: bytes | None = None
    hits: int = 0
    count: int | None = None
    band: str = ""

    def __repr__(self) -> str:
        return f"Prepared({self.status.name})"


class Answering:
    """Computes answers from registers."""

    def __init__(self, registers: RegisterStore, spool: AnswerSpool) -> None:
        self._registers = registers
        self.spool = spool

    def prepare(
        self, statement: AskStatement, terms: Terms, ask: AskedOf, question: Question, live: Snapshot | None = None
    ) -> Prepared:
        """Runs the join and the release gate. Any fault becomes FAILED: it is an outcome, logged as such.

        `live`: what a live answerer returned; without it, it was not there in time.
        """
        if ask.unanswerable is not None:
            return _empty(ask.unanswerable, "withheld")
        if ask.live and live is None:
            return _empty(AnswerStatus.NOT_THERE, "withheld")
        try:
            return self._match(statement, terms, ask, question, self._pinned(statement, ask) if live is None else live)
        except SluisError as error:
            log.error("match failed", code=error.code.name)
            return _empty(AnswerStatus.FAILED, "failed")
        except Exception as error:  # noqa: BLE001 - whatever it is, the exchange must end in the log
            log.error("match failed", type=type(error).__name__)
            return _empty(AnswerStatus.FAILED, "failed")

    def _pinned(self, statement: AskStatement, ask: AskedOf) -> Snapshot:
        register = ask.register
        if register is None or register.manifest.key_id != statement.key_id:
            raise SluisError(Code.KEY_ID_WRONG, "the register was published under another key of this epoch")
        return self._registers.pin(register.name, register.version)

    def _match(
        self, statement: AskStatement, terms: Terms, ask: AskedOf, question: Question, snapshot: Snapshot
    ) -> Prepared:
        try:
            matches = match(question, snapshot, terms.rows_per_pseudonym)
            if statement.want.count:
                return _counted(release_count(matches, question, min_group=terms.min_group, bands=terms.bands))
            runs = answer_runs(matches, snapshot, statement.want.attributes)
            return self._kept(f"{statement.asker}.{statement.request_id}.{ask.state.answerer}", runs, matches.hits)
        finally:
            snapshot.close()

    def _kept(self, name: str, runs: Iterator[AnswerRows], hits: int) -> Prepared:
        first: list[AnswerRows] = []
        size = 0
        for run in runs:
            first.append(run)
            size += run_size(run)
            if size > SMALL_ANSWER:
                break
        if size <= SMALL_ANSWER:
            digest, small = rows_digest(first), encode(*(encode_run(run) for run in first))
            head: dict[str, object] = {"hits": hits}
            result = result_value(hits=hits, count=None, band=None, rows=digest)
            return Prepared(AnswerStatus.ANSWERED, "authorised", result, head, lambda: iter(first), small, hits)
        digest = self.spool.write(name, chain(first, runs))
        return Prepared(
            AnswerStatus.ANSWERED,
            "authorised",
            result_value(hits=hits, count=None, band=None, rows=digest),
            {"hits": hits, "spool": name},
            lambda: self.spool.read(name),
            None,
            hits,
        )


def stored_runs(reader: RectificationReads, spool: AnswerSpool, head: Mapping[str, object]) -> Iterator[AnswerRows]:
    """The rows of an answer that is sent again. Raises ANSWER_GONE once they were dropped."""
    if "spool" in head:
        return spool.read(str(head["spool"]))
    if "rows" not in head:
        return iter(())
    opening = reader.opening(str(head["rows"]))
    if opening is None:
        raise SluisError(
            Code.ANSWER_GONE, "an answer is kept for 24 hours; its receipt stays: ask again with a new request id"
        )
    return (decode_run(part) for part in decode(opening[1]))


def decode_run(data: bytes) -> AnswerRows:
    """The inverse of `encode_run`."""
    parts = decode(data)
    positions, statuses, match_keys, wraps, commitments = islice(parts, 5)
    return AnswerRows(positions, statuses, match_keys, wraps, commitments, tuple(parts))


def decode(data: bytes) -> Iterator[bytes]:
    """The parts of `encode(...)`, in order."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def run_size(run: AnswerRows) -> int:
    """Bytes of a run."""
    return (
        len(run.positions) + len(run.statuses) * 2 + len(run.wraps) + len(run.commitments) + sum(map(len, run.fields))
    )


def withheld() -> Prepared:
    """Nothing, in place of an answer whose purpose was closed while it was made."""
    return _empty(AnswerStatus.WITHHELD, "withheld")


def _empty(status: AnswerStatus, outcome: str) -> Prepared:
    return Prepared(status, outcome, result_value(hits=0, count=None, band=None, rows=None), {}, lambda: iter(()))


def _counted(count: CountRelease) -> Prepared:
    result = result_value(hits=0, count=count.count, band=count.band or None, rows=None)
    head = {"count": count.count, "band": count.band}
    outcome = "authorised" if count.status is AnswerStatus.ANSWERED else "withheld"
    return Prepared(count.status, outcome, result, head, lambda: iter(()), count=count.count, band=count.band)
