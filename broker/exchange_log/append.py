"""The sequencer: one thread that appends to the log, many callers in one durable batch (group commit).

What a caller can rely on: when `submit` returns, its entries are durable and in a tree whose signed checkpoint it
holds; when `submit` raises anything but LOG_OUTCOME_UNKNOWN, nothing of its work exists. A checkpoint leaves only
after its commit, and after a commit that failed the tree is read and checked again before anything is signed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar, cast

from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.checkpoint import VerifierKey, parse_verifier_key, sign_checkpoint
from broker.exchange_log.high_water import check_mark
from broker.exchange_log.opening import check_tree, check_unsealed, check_writer, last_time
from broker.ports import CheckpointSigner, Clock, HighWater, LogStore, Mark, StoreBatch, StoredEntry, Transaction

BATCH_LIMIT = 256
LINGER_SECONDS = 100e-6
_TICK = timedelta(microseconds=1)
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_PROBE = b"sluis/v1/probe"
"""Signed to see whether the key is unlocked. It is no signed note, so its signature can be used for nothing."""

T = TypeVar("T")


@dataclass(frozen=True)
class Committed(Generic[T]):
    """What became of a work: its value, and the receipts of its entries in the order it appended them."""

    value: T
    receipts: tuple[Receipt, ...]

    @property
    def entries(self) -> tuple[StoredEntry, ...]:
        """The entries themselves."""
        return tuple(StoredEntry(receipt.index, receipt.leaf) for receipt in self.receipts)

    def receipt(self, i: int) -> Receipt:
        """The receipt of the work's `i`-th entry."""
        return self.receipts[i]


class _Job:
    """A work on its way through the sequencer. `done` is held until there is an outcome."""

    __slots__ = ("committed", "done", "error", "first", "last", "value", "work")

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self.work = work
        self.done = threading.Lock()
        self.done.acquire()
        self.error: BaseException | None = None
        self.committed: Committed[Any] | None = None
        self.value: Any = None
        self.first = self.last = 0


class Sequencer:
    """Runs works in the order they come, up to 256 in a batch; see the module's promise.

    The log must have its genesis (`broker.exchange_log.opening.genesis`) before `start`.
    """

    def __init__(
        self, store: LogStore, signer: CheckpointSigner, clock: Clock, high_water: HighWater | None = None
    ) -> None:
        """With `high_water`, nothing is acknowledged before the mark there covers it."""
        self._store = store
        self._high_water = high_water
        self._signer = signer
        self._clock = clock
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._linger = threading.Lock()
        self._linger.acquire()
        self._open = False
        self._thread: threading.Thread | None = None
        self._tree_known = False
        self._written = False
        self._key: VerifierKey
        self._last_time = _BEGINNING

    def start(self) -> None:
        """Checks the stored tree and starts the thread.

        Raises:
            SluisError: STORE_CORRUPT when the stored tree does not fit its last checkpoint, SIGNATURE_WRONG when
                that is not signed by our key, LOG_UNAVAILABLE when it cannot be read.
        """
        self._read_tree()
        self._written = True
        with self._gate:
            assert self._thread is None, "a sequencer starts once"
            self._open = True
            self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finishes what was submitted, refuses what comes later, and returns when the thread has ended. Idempotent."""
        with self._gate:
            thread, was_open, self._open = self._thread, self._open, False
            if was_open:
                self._jobs.put(None)
        if thread is not None:
            thread.join()

    def submit(self, work: Callable[[Transaction], T]) -> Committed[T]:
        """Runs `work` inside the next batch and blocks until that is durable.

        `work` runs in the sequencer's thread and holds up everyone: it must not wait for anything.

        Raises:
            SluisError: what `work` raised (only its own effects vanish); SHUTTING_DOWN; LOG_UNAVAILABLE when nothing
                was written and it may be tried again; LOG_OUTCOME_UNKNOWN when it may have been written: ask again
                with the same request id.
        """
        assert threading.current_thread() is not self._thread, "a work cannot wait for another work"
        job = _Job(work)
        with self._gate:
            if not self._open:
                raise SluisError(Code.SHUTTING_DOWN, "the broker is stopping; try again in a moment")
            self._jobs.put(job)
        job.done.acquire()
        if job.error is not None:
            raise job.error
        return cast("Committed[T]", job.committed)

    def ready(self) -> bool:
        """Whether entries can be written: the key is unlocked and the last write was good.

        After a failed write this tries one, a `recovery` entry, so that a passing fault does not keep us unready.
        """
        try:
            self._signer.sign(_PROBE)
            if self._open and not self._written:
                self.submit(_log_recovery)
        except SluisError:
            return False
        return self._open and self._written

    def _run(self) -> None:
        jobs, stopped = self._collect(1)
        while jobs or not stopped:
            self._settle(jobs)
            if stopped:
                return
            jobs, stopped = self._collect(len(jobs) + self._jobs.qsize())

    def _collect(self, callers: int) -> tuple[list[_Job], bool]:
        """The next batch, and whether it is the last.

        `callers` are known to be about: those just answered and those who wait. Lingers while they keep coming, for
        otherwise they fall into two halves that take turns, and every batch costs one fsync however many are in it.
        """
        job = self._jobs.get()
        before, waiting = -1, self._jobs.qsize()
        while before < waiting < min(callers, BATCH_LIMIT) - 1:
            self._linger.acquire(timeout=LINGER_SECONDS)
            before, waiting = waiting, self._jobs.qsize()
        jobs: list[_Job] = []
        try:
            while job is not None:
                jobs.append(job)
                if len(jobs) == BATCH_LIMIT:
                    return jobs, False
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, False
        return jobs, True

    def _settle(self, jobs: list[_Job]) -> None:
        """Gives every job its outcome, whatever happens."""
        try:
            self._batch(jobs)
        except BaseException as error:  # noqa: BLE001  # every waiting caller must hear, also of a bug
            known = isinstance(error, SluisError) and error.code is Code.LOG_UNAVAILABLE
            self._tree_known = self._written = False
            for job in jobs:
                if job.error is None:
                    job.error = _unavailable(error) if known else _unknown(error)
                job.committed = None
        for job in jobs:
            job.done.release()

    def _batch(self, jobs: list[_Job]) -> None:
        try:
            if not self._tree_known:
                self._read_tree()
            now = max(self._clock.now(), self._last_time + _TICK)
            opened = self._store.batch(now)
            batch = opened.__enter__()
        except SluisError as error:
            raise _unavailable(error) from error
        try:
            checkpoint = self._work(batch, jobs)
            if checkpoint is None:
                return
            if checkpoint and self._high_water is not None:
                self._high_water.demand_held()
            batch.commit(checkpoint)
            if checkpoint:
                self._raise_mark(batch.size, batch.root, checkpoint, now)
            self._written = True
            self._last_time = now
        finally:
            opened.__exit__(None, None, None)

    def _work(self, batch: StoreBatch, jobs: list[_Job]) -> str | None:
        """Runs the works and signs the tree; None when no work succeeded, "" when none appended an entry."""
        transaction, began = batch.transaction, batch.size
        good = []
        for job in jobs:
            job.first = batch.size
            try:
                with batch.savepoint():
                    job.value = job.work(transaction)
            except Exception as error:  # noqa: BLE001  # belongs to its caller; the others' works stand
                job.error = error
            else:
                job.last = batch.size
                good.append(job)
        if not good:
            return None
        checkpoint = ""
        if batch.size > began:
            try:
                checkpoint = sign_checkpoint(self._signer, self._key, batch.size, batch.root)
            except SluisError as error:  # the key is locked: nothing was written, nothing will be
                raise _unavailable(error) from error
        for job in good:
            job.committed = _committed(batch, job, checkpoint)
        return checkpoint

    def _raise_mark(self, size: int, root: bytes, note: str, at: datetime) -> None:
        """Once the batch is durable, and before anybody hears of it. A failure leaves its outcome unknown."""
        if self._high_water is None:
            return
        mark = self._high_water.mark
        try:
            self._high_water.advance(Mark(mark.origin, mark.generation, size, root, note, at))
        except SluisError as error:
            raise SluisError(Code.LOG_OUTCOME_UNKNOWN, error.message) from error

    def _read_tree(self) -> None:
        """Learns size and time of what is stored, and refuses to go on from a tree that does not fit its checkpoint."""
        reader = self._store.reader
        self._key = parse_verifier_key(self._signer.verifier_key)
        checkpoint = check_tree(reader, self._key)
        self._last_time = max(self._last_time, last_time(reader))
        check_writer(self._store, self._last_time, checkpoint)
        check_unsealed(reader)
        if self._high_water is not None:
            check_mark(reader, self._signer.origin, self._high_water.mark)
            if self._high_water.mark.size < checkpoint.size:
                # A batch was committed and its mark not moved. Whoever asks again is told of entries that are there
                # and appends none, so the mark must cover them before anybody is answered.
                self._raise_mark(checkpoint.size, checkpoint.root, reader.checkpoint()[1], self._last_time)
        self._tree_known = True


def _committed(batch: StoreBatch, job: _Job, checkpoint: str) -> Committed[Any]:
    receipts = [
        Receipt(batch.leaf(index), index, batch.inclusion(index), checkpoint) for index in range(job.first, job.last)
    ]
    return Committed(job.value, tuple(receipts))


def _log_recovery(tx: Transaction) -> int:
    return tx.append("recovery", {"what": "log-writable", "detail": "the log can be written again after a failure"})


def _unavailable(cause: BaseException) -> SluisError:
    error = SluisError(
        Code.LOG_UNAVAILABLE,
        "the exchange log cannot be written now; nothing was done, try again",
        retry_after_ms=1_000,
    )
    error.__cause__ = cause
    return error


def _unknown(cause: BaseException) -> SluisError:
    error = SluisError(
        Code.LOG_OUTCOME_UNKNOWN,
        "the exchange log may or may not hold this request; send it again with the same request id and bytes",
        retry_after_ms=1_000,
    )
    error.__cause__ = cause
    return error
