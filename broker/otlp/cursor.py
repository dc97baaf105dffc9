"""How far a follower came, in a file: durable before anything behind it is sent again, and bound to one log."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from broker.errors import Code, SluisError
from broker.ports import LogReader, StoredEntry

TYPE = "sluis/v1/follow-cursor"


@dataclass(frozen=True)
class Cursor:
    """The next entry to send. `last`: hex SHA-256 of the leaf before it, "" at the beginning."""

    origin: str
    next: int
    last: str


class CursorFile:
    """The cursor's file, held by one follower at a time until `close`.

    Raises:
        SluisError: CONFIG_INVALID when another follower has it, or it is no cursor.
    """

    def __init__(self, path: Path, origin: str) -> None:
        self._path = path
        lock = path.with_name(path.name + ".lock")
        self._lock = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise SluisError(Code.CONFIG_INVALID, f"{path}: another follower uses this cursor; name another") from error
        try:
            self.cursor = self._read(origin)
        except BaseException:
            os.close(self._lock)
            raise

    def check(self, reader: LogReader) -> None:
        """Raises CONFIG_INVALID unless the log behind `reader` holds what was sent last."""
        cursor = self.cursor
        if cursor.next == 0:
            return
        for entry in reader.entries(cursor.next - 1, cursor.next):
            if hashlib.sha256(entry.leaf).hexdigest() == cursor.last:
                return
        raise SluisError(
            Code.CONFIG_INVALID,
            f"{self._path}: its last entry, {cursor.next - 1}, is not in this log: it is of another log, or this was "
            "restored or cut; find out which before you begin with a new cursor",
        )

    def move(self, last: StoredEntry) -> None:
        """`last` and all entries before it are with the collector. Durable on return. Raises STORE_UNAVAILABLE."""
        cursor = Cursor(self.cursor.origin, last.index + 1, hashlib.sha256(last.leaf).hexdigest())
        value = {"last": cursor.last, "next": cursor.next, "origin": cursor.origin, "type": TYPE}
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            with part.open("w", encoding="utf-8") as stream:
                stream.write(json.dumps(value) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise SluisError(
                Code.STORE_UNAVAILABLE, f"{self._path}: the cursor cannot be written ({type(error).__name__})"
            ) from error
        self.cursor = cursor

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._lock)

    def _read(self, origin: str) -> Cursor:
        if not self._path.exists():
            return Cursor(origin, 0, "")
        wrong = SluisError(Code.CONFIG_INVALID, f"{self._path}: not a follower's cursor; name another file")
        try:
            value = json.loads(self._path.read_text("utf-8"))
            found = Cursor(value["origin"], value["next"], value["last"])
            good = value["type"] == TYPE and isinstance(found.next, int) and found.next > 0 and len(found.last) == 64
        except (OSError, ValueError, KeyError, TypeError):
            raise wrong from None
        if not good:
            raise wrong
        if found.origin != origin:
            raise SluisError(
                Code.CONFIG_INVALID, f"{self._path}: a cursor of the log {found.origin}, not of {origin}; name another"
            )
        return found
