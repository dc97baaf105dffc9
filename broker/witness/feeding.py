"""Offers the newest checkpoint to every witness, again and again, outside the commit path.

One thread picks the checkpoint of a round, so that all witnesses sign the same one; a thread per witness offers it, so
that a slow one holds up nobody. None of them is waited for when the broker stops.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.errors import SluisError
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.ports import LogReader
from broker.witness.calling import Contradicted, Cosignature, HasSize, WitnessEnd, WitnessTrouble
from broker.witness.standing import ClockDiffersError, Standing

BEAT_SECONDS = 1.0
PAUSE_SECONDS = 15.0
"""The longest pause after trouble with a witness."""

Tell = Callable[[str, str, str], None]
"""(event, name of the witness, state): for the diagnostic log; told when something changes, not every second."""
FINE = "cosigns"
CONTRADICTS = "holds another tree, signed by our key"
"""Proven by the checkpoint that the witness shows: our log was forked, cut or restored."""
CLOCK = "dates its cosignature otherwise than now"
"""Its clock or ours is wrong, or it lies; such a cosignature is not kept."""
CLAIMS = "refuses our tree, without proof"


@dataclass(frozen=True)
class _Target:
    size: int
    note: str


class Feeder:
    """Feeds the witnesses of one log from `start` to `stop`."""

    def __init__(
        self, reader: LogReader, standing: Standing, ends: Sequence[WitnessEnd], tell: Tell, beat: float = BEAT_SECONDS
    ) -> None:
        self._reader = reader
        self._standing = standing
        self._tell = tell
        self._beat = beat
        self._turn = threading.Condition()
        self._target: _Target | None = None
        self._halt = threading.Event()
        self._tried = 0
        self._threads = [threading.Thread(target=self._choose, name="witness-rounds", daemon=True)]
        for end in ends:
            courier = _Courier(end, reader, standing)
            serve = threading.Thread(target=self._serve, args=(courier,), name="witness", daemon=True)
            self._threads.append(serve)

    def start(self) -> None:
        """Begins the first round."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends it; a call under way is left to its own end and changes nothing any more. Returns at once."""
        with self._turn:
            self._halt.set()
            self._turn.notify_all()

    def settle(self, seconds: float) -> None:
        """Waits until every witness was offered a checkpoint once, or the time is over."""
        with self._turn:
            self._turn.wait_for(lambda: self._halt.is_set() or self._tried >= len(self._threads) - 1, seconds)

    def _choose(self) -> None:
        while not self._halt.is_set():
            try:
                size, note = self._reader.checkpoint()
            except SluisError:
                size, note = 0, ""
            with self._turn:
                if note and (self._target is None or self._target.size != size):
                    self._target = _Target(size, note)
                    self._turn.notify_all()
                self._turn.wait_for(self._halt.is_set, self._beat)

    def _serve(self, courier: _Courier) -> None:
        """One witness's thread: outlives whatever the witness does."""
        state, failures = FINE, 0
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._halt.is_set() or courier.wants(self._target))
                target = self._target
                if self._halt.is_set() or target is None:
                    break
            try:
                now = courier.offer(target)
            except WitnessTrouble as trouble:
                now = trouble.what
            except SluisError as error:
                now = error.code.name
            except Exception as error:  # noqa: BLE001  # what a witness sends must not end its thread
                now = type(error).__name__
            if self._halt.is_set():
                break
            if now != state:
                self._tell("witness", courier.name, now)
                state = now
            failures = 0 if now == FINE else failures + 1
            if now in (FINE, CONTRADICTS):  # what was proven stands until the witness cosigns again
                self._standing.contradicted(courier.name, by=now == CONTRADICTS)
            with self._turn:
                if not courier.tried:
                    courier.tried = True
                    self._tried += 1
                    self._turn.notify_all()
                if failures:
                    pause = min(self._beat * 2 ** min(failures - 1, 6), PAUSE_SECONDS)
                    self._turn.wait_for(self._halt.is_set, pause)
        courier.close()


class _Courier:
    """Brings checkpoints to one witness and its cosignatures back."""

    def __init__(self, end: WitnessEnd, reader: LogReader, standing: Standing) -> None:
        self.name = end.key.name
        self.tried = False
        self._end = end
        self._reader = reader
        self._standing = standing
        self._has: int | None = None
        """Size of its newest tree as far as we know."""
        self._done = 0
        """Size that it cosigned and we keep."""

    def wants(self, target: _Target | None) -> bool:
        """Whether there is a checkpoint that it has not cosigned for us."""
        return target is not None and target.size != self._done

    def close(self) -> None:
        """Ends the connection."""
        self._end.close()

    def offer(self, target: _Target) -> str:
        """Offers `target` and keeps the cosignature; the witness's state after it. Raises WitnessTrouble, SluisError.

        A witness that knows another size than we thought tells it, and is offered the proof from there.
        """
        for _ in range(3):
            old = target.size if self._has is None else self._has
            if old > target.size:
                self._has = None
                if self._reader.size() >= old:
                    raise WitnessTrouble("offered late", "it has more than this round offers; the next one will do")
                return self._disputed()
            proof = self._reader.consistency(old, target.size) if 0 < old < target.size else ()
            answer = self._end.offer(old, proof, target.note)
            if isinstance(answer, Cosignature):
                self._has = target.size
                try:
                    self._standing.keep(target.size, target.note, answer.line)
                except ClockDiffersError:
                    return CLOCK
                self._done = target.size
                return FINE
            if isinstance(answer, Contradicted):
                self._has = None
                return self._disputed()
            if isinstance(answer, HasSize) and answer.size == old:
                raise WitnessTrouble("answer malformed", "it says that it has another size, and names this one")
            self._has = answer.size
        raise WitnessTrouble("answer malformed", "it names another size at every offer")

    def _disputed(self) -> str:
        """The witness refuses our tree. Only what our own key signed proves it right: nobody stops us with a word."""
        held = self._end.newest(self._standing.log_key)
        if held is None:
            return CLAIMS
        size, note = held
        if size > self._reader.size():
            return CONTRADICTS
        ours, mine = self._reader.checkpoint(size)
        same = ours == size and parse_checkpoint(mine).root == parse_checkpoint(note).root
        return CLAIMS if same else CONTRADICTS
