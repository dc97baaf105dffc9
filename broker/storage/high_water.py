"""The high-water file: two slots on another volume, moved by compare-and-set, each write durable on return."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from broker.errors import Code, SluisError
from broker.exchange_log.high_water import SLOT_BYTES, SLOTS, newest_of, slot_of
from broker.ports import Mark
from broker.storage.durable import sync_directory, write_all

HOW_TO_BEGIN = (
    "when this is the log's first high-water file, or the old one is lost, compare the log with what others hold and "
    "run `sluis high-water begin`"
)


class FileHighWater:
    """Implements `broker.ports.HighWater`. Holds the file locked until `close`, so that one broker moves it.

    A move writes the slot that does not hold the newest mark and syncs once; before it, both slots are read again and
    the path must still name this file: whoever moved the mark past us, on whatever machine, has fenced us off.
    """

    def __init__(self, path: Path) -> None:
        """Opens an existing file. Raises HIGH_WATER_UNUSABLE when it is missing, damaged or in use."""
        self._path = path
        self._descriptor = _open(path)
        try:
            self._content = self._read()
            found = newest_of(self._content)
            if found is None:
                raise SluisError(
                    Code.HIGH_WATER_UNUSABLE, f"{path}: the high-water file is damaged; restore it, or {HOW_TO_BEGIN}"
                )
            self._slot, self._mark = found
        except BaseException:
            os.close(self._descriptor)
            raise

    @classmethod
    def create(cls, path: Path, mark: Mark) -> FileHighWater:
        """Makes the file with its first mark, durably. Raises HIGH_WATER_UNUSABLE when there is one already."""
        part = path.with_name(f".{path.name}.part")
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                write_all(descriptor, slot_of(mark) + bytes(SLOT_BYTES))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.link(part, path)  # never over a file that is there
            part.unlink()
            sync_directory(path.parent)
        except FileExistsError as error:
            raise SluisError(Code.HIGH_WATER_UNUSABLE, f"{path}: there is a high-water file here already") from error
        except OSError as error:
            raise _unusable(path, error) from error
        return cls(path)

    @property
    def mark(self) -> Mark:
        """The newest mark."""
        return self._mark

    def demand_held(self) -> None:
        """Raises LOG_UNAVAILABLE when the file cannot be read, was replaced, or was moved by another broker."""
        try:
            same = self._path.stat().st_ino == os.fstat(self._descriptor).st_ino
            held = same and self._holds(self._read())
        except OSError as error:
            raise _unwritable() from error
        if not held:
            raise SluisError(
                Code.LOG_UNAVAILABLE,
                "another broker took over the high-water file of this log; stop this one",
            )

    def advance(self, mark: Mark) -> None:
        """Moves the mark; durable on return.

        Raises:
            SluisError: LOG_UNAVAILABLE when it was not moved, or may not have been.
        """
        self.demand_held()
        slot, data = (self._slot + 1) % SLOTS, slot_of(mark)
        try:
            os.lseek(self._descriptor, slot * SLOT_BYTES, os.SEEK_SET)
            write_all(self._descriptor, data)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._after_failure()
            raise _unwritable() from error
        slots = [self._content[at : at + SLOT_BYTES] for at in range(0, SLOTS * SLOT_BYTES, SLOT_BYTES)]
        slots[slot] = data
        self._content = b"".join(slots)
        self._slot, self._mark = slot, mark

    def close(self) -> None:
        """Lets go of the file. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _holds(self, content: bytes) -> bool:
        """Whether the newest mark in `content` is ours; the bytes that we know are not read anew for every batch."""
        return content == self._content or newest_of(content) == (self._slot, self._mark)

    def _after_failure(self) -> None:
        """The write may show in the cache without being durable: whatever is read now is what we go on from."""
        try:
            content = self._read()
        except OSError:
            return
        found = newest_of(content)
        if found is not None and (found[1].generation, found[1].origin) == (self._mark.generation, self._mark.origin):
            (self._slot, self._mark), self._content = found, content

    def _read(self) -> bytes:
        return os.pread(self._descriptor, SLOTS * SLOT_BYTES, 0)


def read_mark(path: Path) -> Mark:
    """The newest mark in a file, beside a running broker or without one. Raises HIGH_WATER_UNUSABLE."""
    try:
        found = newest_of(path.read_bytes())
    except OSError as error:
        raise _unusable(path, error) from error
    if found is None:
        raise SluisError(
            Code.HIGH_WATER_UNUSABLE, f"{path}: the high-water file is damaged; restore it, or {HOW_TO_BEGIN}"
        )
    return found[1]


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SluisError(
            Code.HIGH_WATER_UNUSABLE,
            f"{path}: another broker holds this high-water file; stop it first, or set another path",
        ) from error
    return descriptor


def _unusable(path: Path, error: OSError) -> SluisError:
    if isinstance(error, FileNotFoundError) and not path.parent.is_dir():
        return SluisError(
            Code.HIGH_WATER_UNUSABLE, f"{path.parent}: no such directory; mount its volume, or make it for a new log"
        )
    if isinstance(error, FileNotFoundError):
        return SluisError(
            Code.HIGH_WATER_UNUSABLE,
            f"{path}: the high-water file is not there; mount its volume or restore it; {HOW_TO_BEGIN}",
        )
    return SluisError(
        Code.HIGH_WATER_UNUSABLE,
        f"{path}: the high-water file cannot be used ({type(error).__name__}): check its volume",
    )


def _unwritable() -> SluisError:
    return SluisError(
        Code.LOG_UNAVAILABLE, "the high-water file cannot be written now; try again in a moment", retry_after_ms=1_000
    )
