"""The thread that looks after a running broker: policy and witnesses every second, chores every half minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from broker.errors import SluisError

log = structlog.get_logger("broker.housekeeping")

HOUSEKEEPING_SECONDS = 30.0
POLICY_SECONDS = 1.0

Chore = tuple[str, Callable[[], object]]
"""A name for the diagnostic log, and what to do."""


class Housekeeping:
    """Does what is to be done often (told whether to look again at what is unchanged) and the chores, until `stop`."""

    def __init__(self, often: Callable[[bool], tuple[Chore, ...]], chores: Callable[[], tuple[Chore, ...]]) -> None:
        self._often = often
        self._chores = chores
        self._halt = threading.Event()
        self._nudge = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the chore under way, without waiting for that."""
        self._halt.set()
        self._nudge.set()

    def nudge(self) -> None:
        """Looks and does all chores at once. Returns before it is done."""
        self._nudge.set()

    def pause(self, seconds: float) -> None:
        """Waits, or returns early when the broker stops."""
        self._halt.wait(seconds)

    def _keep(self) -> None:
        due = time.monotonic() + HOUSEKEEPING_SECONDS
        while not self._halt.is_set():
            again = self._nudge.wait(POLICY_SECONDS)
            self._nudge.clear()
            if self._halt.is_set():
                return
            _do(*self._often(again))
            if again or time.monotonic() >= due:
                due = time.monotonic() + HOUSEKEEPING_SECONDS
                _do(*self._chores())


def _do(*chores: Chore) -> None:
    """One failing chore does not keep the others from running."""
    for name, chore in chores:
        try:
            chore()
        except SluisError as error:
            log.error("housekeeping failed", name=name, code=error.code.name)
        except Exception as error:  # noqa: BLE001 - housekeeping must outlive what it meets
            log.error("housekeeping failed", name=name, type=type(error).__name__)
