"""Files for their owner only: written whole, destroyed by overwriting, refused when others can read them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from sluis_custody.directory import destroy, write_whole

from sluis_client.errors import ClientError, Exit

_HALF_WRITTEN = re.compile(r"\..+\.([0-9]+)-[0-9a-f]{12}")


def write_private(path: Path, data: bytes) -> None:
    """Replaces `path` whole by a file of mode 0600; on disk on return. Raises STATE_UNREADABLE."""
    with reading(path):
        write_whole(path, data)


def destroy_file(path: Path) -> bool:
    """Overwrites a file with zero bytes, then unlinks it, both on disk on return; whether there was one.

    A disk that copies on write, and every backup, may keep the old bytes all the same.

    Raises:
        ClientError: STATE_UNREADABLE.
    """
    with reading(path):
        return destroy(path)


def damaged(path: Path) -> ClientError:
    """What is told of a file that does not read."""
    return ClientError("STATE_UNREADABLE", f"{path} is damaged; restore it from a backup", Exit.KEY_TROUBLE)


def sweep_half_written(directory: Path) -> None:
    """Removes files half-written by processes that are gone; nothing ever reads them, but they may hold a key.

    Directories that another command removes meanwhile are passed over.
    """
    for folder, _, names in os.walk(directory):
        for name in names:
            found = _HALF_WRITTEN.fullmatch(name)
            if found is not None and not _is_alive(int(found[1])):
                Path(folder, name).unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns a fault of the disk or of modes into STATE_UNREADABLE, naming `path`."""
    try:
        yield
    except OSError as error:
        text = f"cannot use {path}: {error.strerror}; check the path, its owner and the disk"
        raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None


def check_private(path: Path) -> None:
    """Raises STATE_UNSAFE when others on this machine can read or reach `path`."""
    if path.stat().st_mode & 0o077:
        mode = "700" if path.is_dir() else "600"
        text = f"{path} can be read by others on this machine; run: chmod {mode} {path}"
        raise ClientError("STATE_UNSAFE", text, Exit.KEY_TROUBLE)


def read_file(path: Path, key: str) -> bytes:
    """The bytes of the file that a profile names as `key`. Raises KEY_UNREADABLE."""
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"{key}: cannot read {path}: {error.strerror}; put the file there or change {key} in the profile"
        raise ClientError("KEY_UNREADABLE", text, Exit.KEY_TROUBLE) from None


def read_private(path: Path, key: str) -> bytes:
    """The bytes of a file that only its owner may read.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_UNSAFE.
    """
    data = read_file(path, key)
    if path.stat().st_mode & 0o077:
        raise ClientError("KEY_UNSAFE", f"{path} can be read by others; run: chmod 600 {path}", Exit.KEY_TROUBLE)
    return data
