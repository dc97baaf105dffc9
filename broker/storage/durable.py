"""Durable writes: what is acknowledged here survives a power cut; what is torn was never acknowledged.

A failed fsync is final for the bytes it covered (the kernel may drop them and call the next fsync clean), so
nothing here calls fsync twice for the same bytes: callers write them anew.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.errors import Code, SluisError

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-")
_SAFE = re.compile(r"(?:[a-z0-9-]|=[0-9a-f]{2}){1,250}")
DROPPED = ".dropped-"


def safe_name(name: str) -> str:
    """A file name for `name`: one to one, lower-case ASCII, never empty, never starting with a dot.

    Raises FIELD_TOO_LONG when the result would have over 250 characters, FIELD_INVALID for an empty name.
    """
    safe = "".join(chr(byte) if byte in _PLAIN else f"={byte:02x}" for byte in name.encode("utf-8"))
    if not safe:
        raise SluisError(Code.FIELD_INVALID, "a stored name must not be empty")
    if len(safe) > 250:
        raise SluisError(Code.FIELD_TOO_LONG, "a stored name is too long: at most 250 characters when escaped")
    return safe


def name_of(safe: str) -> str | None:
    """The inverse of `safe_name`; None for a file that it did not name."""
    if not _SAFE.fullmatch(safe):
        return None
    try:
        name = re.sub(rb"=([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), safe.encode()).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if safe_name(name) == safe else None


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turns an OSError into STORE_UNAVAILABLE. `doing` names the work, never a value."""
    try:
        yield
    except OSError as error:
        raise SluisError(
            Code.STORE_UNAVAILABLE,
            f"{doing} failed ({type(error).__name__}, errno {error.errno}): check disk space and permissions of the "
            "data directory, then try again",
        ) from error


def make_directory(path: Path) -> None:
    """Creates `path` and its parents with mode 0700, durably."""
    missing = [step for step in (path, *path.parents) if not step.exists()]
    for step in reversed(missing):
        step.mkdir(mode=0o700, exist_ok=True)
        sync_directory(step.parent)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Makes the content of a file durable that other code wrote."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Writes or replaces `path` whole: after a crash it holds the old bytes or the new ones."""
    temporary = path.with_name(f".writing-{path.name}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)  # noqa: PTH105  # tests break exactly this call
    sync_directory(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Writes every byte, in as many calls as it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def drop_tree(path: Path, mark: str) -> None:
    """Removes a directory so that a crash leaves it whole or gone. `mark` makes the passing name unique.

    Raises STORE_UNAVAILABLE when it is still there afterwards.
    """
    if not path.exists():
        return
    passing = path.with_name(f"{DROPPED}{mark}")
    os.replace(path, passing)  # noqa: PTH105
    sync_directory(path.parent)
    shutil.rmtree(passing)
    sync_directory(path.parent)
    if path.exists() or passing.exists():
        raise SluisError(Code.STORE_UNAVAILABLE, "a directory that was dropped is still there: remove it by hand")


def clear_dropped(parent: Path) -> None:
    """Finishes what a crash left half removed."""
    for passing in parent.glob(f"{DROPPED}*"):
        shutil.rmtree(passing, ignore_errors=True)


@contextmanager
def sole_use(path: Path) -> Iterator[None]:
    """Holds a lock file for one writer, over threads and processes. Raises UPLOAD_BUSY at once when it is held."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or os.fstat(descriptor).st_ino != path.stat().st_ino:
                raise BlockingIOError  # the file was dropped by its last holder
        except BlockingIOError as error:
            raise SluisError(
                Code.UPLOAD_BUSY,
                "another call works on this upload: wait for it, or ask for the committed offset",
                retry_after_ms=1000,
            ) from error
        yield
    finally:
        os.close(descriptor)
