"""The files by which policy reaches a running broker: the bundle, and suspension notices.

Looked at every second, and at once on SIGHUP. A bundle is put there by rename (`sluis policy activate`), a notice is a
file of its own under `<data>/notices` (`sluis policy suspend`). What was taken in, or refused, is moved aside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import structlog

from broker.config import Config
from broker.errors import Code, SluisError
from broker.handed_in import LATER, take_files
from broker.in_force import InForce
from broker.policy.suspension import MAX_NOTICE_BYTES

log = structlog.get_logger("broker.policy_files")

_Mark: TypeAlias = "tuple[int, int, int] | None"


def notices_of(config: Config) -> Path:
    """Where notices are handed in."""
    return config.data / "notices"


def read_bundle_file(config: Config) -> bytes:
    """The bundle as it lies on disk. Raises CONFIG_INVALID."""
    try:
        return config.policy.bundle.read_bytes()
    except FileNotFoundError as error:
        text = "there is no policy bundle yet; get the signed set from its signers, then `sluis policy activate` it"
        raise SluisError(Code.CONFIG_INVALID, f"{config.policy.bundle}: {text}") from error
    except OSError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{config.policy.bundle}: the policy bundle cannot be read") from error


class PolicyFiles:
    """Watches the files of one broker. Not for several threads at once."""

    def __init__(self, config: Config, in_force: InForce) -> None:
        self._config = config
        self._in_force = in_force
        self._seen = self._mark()

    def look(self, *, again: bool = False) -> bool:
        """Takes in what is new; True when another set came into force. `again`: also a bundle that was seen before.

        Never raises for what a file holds: what is refused is logged by its code, and the set in force stays.
        """
        self._take_notices()
        changed = self._in_force.refresh()
        mark = self._mark()
        if mark is None or (mark == self._seen and not again):
            return changed
        try:
            activation = self._in_force.offer(read_bundle_file(self._config))
        except SluisError as error:
            log.error("policy set refused", code=error.code.name, policy_set=self._in_force.current().digest)
            if error.code not in LATER:
                self._seen = mark
            return changed
        self._seen = mark
        if activation is None:
            return changed
        log.info("policy set in force", policy_set=activation.policies.digest, revision=activation.policies.revision)
        return True

    def _take_notices(self) -> None:
        take_files(notices_of(self._config), "suspension notice", MAX_NOTICE_BYTES, self._in_force.suspend, LATER)

    def _mark(self) -> _Mark:
        """What tells one state of the bundle's file from another; None while there is none."""
        try:
            found = self._config.policy.bundle.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
