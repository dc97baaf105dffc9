"""Being witnessed, as the broker sees it: feeds them, says when no question may be taken, and logs it.

A log without witnesses runs unwitnessed: nothing is fed, nothing refused, and start says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from broker.errors import SluisError
from broker.exchange_log.checkpoint import VerifierKey
from broker.ports import Clock, LogReader, Transaction
from broker.witness import feeding
from broker.witness.calling import WitnessEnd
from broker.witness.feeding import CONTRADICTS, FINE, Feeder
from broker.witness.standing import Standing

log = structlog.get_logger("broker.witness")

SETTLE_SECONDS = 3.0
"""How long a start waits for the first cosignatures before it serves without."""


class Watched:
    """The witnesses of one broker."""

    def __init__(
        self,
        ends: Sequence[WitnessEnd],
        *,
        quorum: int,
        grace: timedelta,
        reader: LogReader,
        submit: Callable[[Callable[[Transaction], bool]], bool],
        log_key: VerifierKey,
        clock: Clock,
        earlier_keys: Sequence[VerifierKey] = (),
    ) -> None:
        self._standing: Standing | None = None
        self._feeder: Feeder | None = None
        self._refusing = ""
        if ends:
            keys = [end.key for end in ends]
            self._standing = Standing(
                reader=reader,
                submit=submit,
                log_key=log_key,
                witnesses=keys,
                quorum=quorum,
                grace=grace,
                clock=clock,
                earlier_keys=earlier_keys,
            )
            self._feeder = Feeder(reader, self._standing, ends, _tell, feeding.BEAT_SECONDS)

    def start(self) -> None:
        """Begins feeding; waits a little for the first round, so that a start beside sound witnesses refuses nobody."""
        if self._feeder is None:
            log.warning("unwitnessed", state="no witnesses are configured")
            return
        self._feeder.start()
        self._feeder.settle(SETTLE_SECONDS)
        self.turned()

    def stop(self) -> None:
        """Ends feeding; returns at once."""
        if self._feeder is not None:
            self._feeder.stop()

    def refusal(self) -> SluisError | None:
        """Why no new question may be taken now; None when it may. Raises what reading the log raises."""
        return None if self._standing is None else self._standing.refusal()

    def turned(self) -> bool:
        """Whether questions are refused where they were taken at the last look, or the other way round; logs it."""
        refusal = self.refusal()
        code = "" if refusal is None else refusal.code.name
        if code == self._refusing:
            return False
        if code:
            log.error("questions refused for want of witnesses", code=code)
        else:
            log.info("witnessed again")
        self._refusing = code
        return True


def _tell(event: str, name: str, state: str) -> None:
    if state == FINE:
        log.info(event, name=name, state=state)
    elif state == CONTRADICTS:
        log.error(event, name=name, state=state)
    else:
        log.warning(event, name=name, state=state)
