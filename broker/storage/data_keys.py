"""Keys of register versions and uploads: random, each wrapped under the storage key in a file beside what it protects.

Changing the storage key rewrites these small files and no register. What was stored before there were such files has a
key derived from the storage key of its time; once that is changed, the derived key lies wrapped like the others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.ports import AtRest, Entropy
from broker.storage.durable import write_all, write_durably

KEY_FILE = "key"


class DataKeys:
    """Makes, keeps and finds them. `use` and `context` name what a key protects, and are bound into its wrapping."""

    def __init__(self, at_rest: AtRest, entropy: Entropy) -> None:
        self._at_rest, self._entropy = at_rest, entropy
        self._moving = threading.Lock()

    def make(self) -> bytes:
        """32 random bytes."""
        return self._entropy.token(32)

    @contextmanager
    def kept(self, directory: Path, use: str, key: bytes, *context: bytes) -> Iterator[None]:
        """Puts a new key into `directory`, durably; the caller makes the directory part of the store inside.

        Held against `settle` and `move`: a key is wrapped under the newest storage key, or found among those to move.
        """
        with self._moving:
            descriptor = os.open(directory / KEY_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                write_all(descriptor, self._at_rest.seal(_wrapping(use), key, encode(*context)))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield

    def settle(self) -> None:
        """Returns once every key that was being kept lies in its place: list what is to be moved after this."""
        with self._moving:
            return

    def of(self, directory: Path, use: str, *context: bytes) -> bytes:
        """The key of what lies in `directory`. Raises STORE_CORRUPT when it opens under no storage key there is."""
        try:
            wrapped = (directory / KEY_FILE).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return self._at_rest.keys(use, *context)[-1]
        return self._at_rest.open(_wrapping(use), wrapped, encode(*context))[0]

    def move(self, directory: Path, use: str, *context: bytes) -> None:
        """Puts the key of what lies in `directory` under the newest storage key, durably. Damaged ones are left."""
        with self._moving:
            path = directory / KEY_FILE
            bound = encode(*context)
            try:
                key, newest = self._at_rest.open(_wrapping(use), path.read_bytes(), bound)
            except FileNotFoundError:
                key, newest = self._at_rest.keys(use, *context)[-1], False
            except SluisError as error:
                if error.code is not Code.STORE_CORRUPT:
                    raise
                return
            if not newest and directory.is_dir():
                write_durably(path, self._at_rest.seal(_wrapping(use), key, bound))


def _wrapping(use: str) -> str:
    return f"{use}-key"
