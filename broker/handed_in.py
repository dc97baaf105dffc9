"""Files that people hand in on the broker's host: read, taken up, and moved aside, whatever becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import structlog

from broker.errors import Code, SluisError

log = structlog.get_logger("broker.handed_in")

LATER = frozenset({Code.LOG_UNAVAILABLE, Code.LOG_OUTCOME_UNKNOWN, Code.STORE_UNAVAILABLE, Code.SHUTTING_DOWN})
"""What may pass: the file stays where it is and is tried again."""
TAKEN, REFUSED = "taken", "refused"
"""Folders, beside the files, to which they are moved."""


def take_files(
    folder: Path,
    what: str,
    limit: int,
    take: Callable[[bytes], object],
    later: Collection[Code],
    kept: Callable[[bytes], bytes] | None = None,
) -> None:
    """Gives every file of `folder` to `take` and moves it aside. Never raises for what a file holds.

    `what`: how the diagnostic log calls it. `limit`: bytes that are read, one more when there are more. `later`:
    refusals after which a file stays. `kept`: what is left of a file that was taken up; without it, all.
    """
    for path in sorted(path for path in folder.glob("*.json") if path.is_file()):
        try:
            with path.open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError:
            # it stays and is tried again: nothing is given up for a fault of the disk or of its mode
            said = f"{what} cannot be read"
            log.error(said)
            continue
        try:
            take(data)
        except SluisError as error:
            if error.code in later:
                said = f"{what} waits"
                log.warning(said, code=error.code.name)
                continue
            said = f"{what} refused"
            log.error(said, code=error.code.name)
            _aside(path, REFUSED)
        else:
            said = f"{what} in force"
            log.info(said)
            if kept is not None:
                left = path.with_suffix(".partial")
                left.write_bytes(kept(data))
                left.replace(path)
            _aside(path, TAKEN)


def _aside(path: Path, folder: str) -> None:
    target = path.parent / folder
    target.mkdir(exist_ok=True)
    path.replace(target / path.name)
