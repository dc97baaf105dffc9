"""How far a log is witnessed, and whether new questions may be taken: kept durably, judged from the log itself.

Stored as documents, written through the sequencer like everything that moves with the log:

("cosigned", size in 16 digits)   the checkpoint of that size with the log's signature and all cosignatures got so far
("witnessed", "newest")           the newest of them that a quorum cosigned
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_checkpoint, parse_signature_line
from broker.exchange_log.cosignature import COSIGNED, NEWEST, cosigned_at, cosigned_key, verify_cosigned, with_lines
from broker.exchange_log.entry import parse_leaf
from broker.ports import Clock, LogReader, Transaction

STRICT = timedelta(seconds=5)
"""The grace of a log that has none: what a round with the witnesses may take."""
CLOCKS = timedelta(minutes=5)
"""How far a witness's clock may be from ours: half of what a verifier allows, which measures from the entries."""
RETRY_MS = 15_000


class ClockDiffersError(Exception):
    """A cosignature is dated otherwise than now, or before the witness's last one: no auditor would take it."""


class Standing:
    """What the witnesses of a log make of it. Safe from any thread.

    The grace begins with the first entry that no quorum covers, by that entry's own time: a restart does not begin it
    anew, and a log that does not grow is as well witnessed as it was.
    """

    def __init__(
        self,
        *,
        reader: LogReader,
        submit: Callable[[Callable[[Transaction], bool]], bool],
        log_key: VerifierKey,
        witnesses: Sequence[VerifierKey],
        quorum: int,
        grace: timedelta,
        clock: Clock,
        earlier_keys: Sequence[VerifierKey] = (),
    ) -> None:
        """`earlier_keys`: those that the log had before `log_key`; what was witnessed under them stays so."""
        self.log_key = log_key
        keys = (log_key, *earlier_keys)
        self._reader = reader
        self._submit = submit
        self._witnesses = tuple(witnesses)
        self._marks = {(key.name, key.key_hash) for key in witnesses}
        self._quorum = quorum
        self._grace = max(grace, STRICT)
        self._clock = clock
        self._gate = threading.Lock()
        self._contradicting: frozenset[str] = frozenset()
        self._times: dict[str, datetime] = {}
        """Witness -> time of its newest cosignature that we keep."""
        self._size = self._stored(keys)
        self._first: tuple[int, datetime] | None = None

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers that a quorum cosigned; 0 when there is none."""
        return self._size

    def keep(self, size: int, note: str, line: str) -> None:
        """Keeps the verified signature line of one witness on our checkpoint `note` of `size`, durable on return.

        Raises:
            SluisError: as the log's sequencer; then it is as if the witness had not answered.
            ClockDiffersError: it is not kept, since one wrong time would spoil every bundle with it.
        """
        name, at = parse_signature_line(line[:-1])[0], cosigned_at(line)
        with self._gate:
            if abs(at - self._clock.now()) > CLOCKS or at < self._times.get(name, at):
                raise ClockDiffersError

        def work(tx: Transaction) -> bool:
            key = (COSIGNED, cosigned_key(size))
            before = tx.document(*key)
            merged = with_lines(note if before is None else before.decode(), [line])
            tx.put_document(*key, merged.encode())
            marks = {(name, key_hash) for name, key_hash, _ in parse_checkpoint(merged).signatures}
            if len(marks & self._marks) < self._quorum or size < self._size:
                return False
            tx.put_document(*NEWEST, merged.encode())
            return True

        quorate = self._submit(work)
        with self._gate:
            self._times[name] = max(at, self._times.get(name, at))
            if quorate:
                self._size = max(self._size, size)

    def contradicted(self, witness: str, *, by: bool) -> None:
        """Notes whether a witness shows that our key signed a tree which does not go together with ours."""
        with self._gate:
            self._contradicting = self._contradicting | {witness} if by else self._contradicting - {witness}

    def refusal(self) -> SluisError | None:
        """Why new questions are not taken now; None when they are.

        Raises:
            SluisError: what reading the log raises.
        """
        if len(self._witnesses) - len(self._contradicting) < self._quorum:
            return SluisError(
                Code.LOG_FORKED,
                "witnesses hold another log than this broker shows, so no new question is taken and nothing was "
                "logged; its operator must look (docs/operate.md section 12); keep your receipts",
            )
        since = self.unwitnessed_since()
        if since is None or self._clock.now() - since <= self._grace:
            return None
        return SluisError(
            Code.LOG_UNWITNESSED,
            "too few witnesses have cosigned the exchange log for longer than its grace, so no new question is taken "
            "and nothing was logged; send the same request again in a minute, it is taken as soon as they have",
            retry_after_ms=RETRY_MS,
        )

    def unwitnessed_since(self) -> datetime | None:
        """The time of the first entry that no checkpoint of a quorum covers; None when there is none."""
        size = self._size
        first = self._first
        if first is None or first[0] != size:
            entry = next(iter(self._reader.entries(size, size + 1)), None)
            if entry is None:
                return None
            # A clock that was wrong for a moment dates entries ahead: counted from then, the grace would never end.
            at = min(parse_leaf(entry.leaf).sequenced_at, self._clock.now())
            first = self._first = (size, at)
        return first[1]

    def _stored(self, log_keys: Sequence[VerifierKey]) -> int:
        """The size of the newest checkpoint that a quorum of the witnesses as they are now cosigned."""
        stored = self._reader.document(*NEWEST)
        if stored is None:
            return 0
        for key in log_keys:
            try:
                cosigned = verify_cosigned(stored.decode(), key, self._witnesses)
            except (SluisError, UnicodeDecodeError):
                continue
            self._times.update(cosigned.at)
            size = cosigned.checkpoint.size
            return size if len(cosigned.at) >= self._quorum and size <= self._reader.size() else 0
        return 0
