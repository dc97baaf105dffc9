"""The broker's key directory on disk: private, written whole, and sealed where a key store protects it.

Only `sluis_custody` knows how a key store opens; here its trouble becomes the broker's error family.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluis_custody.directory import ProtectedDirectory, Unlock, overwrite, sync_directory, write_new, write_whole
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.store_key import StoreKeyDocument

from broker.errors import Code, SluisError

SIGNING_FILE = "log-signing.key"
NEXT_FILE = "log-signing.key.next"
"""The key that will sign once its entry is logged; it then takes the place of the other."""
STORAGE_FILE = "storage-root.key"
NEXT_STORAGE_FILE = "storage-root.key.next"
"""The storage root to come, while what hangs on the old one is moved to it."""
BEGUN_FILE = "log-begun"
"""There from the first start on: data that are gone, or not mounted, do not pass for a new log."""
CHANGE_LOCK = ".storage-change"
"""An empty file, locked while something is sealed beside the broker, or while a change of the storage key begins."""
_SEALED_AS = {
    SIGNING_FILE: "log-signing",
    NEXT_FILE: "log-signing",
    STORAGE_FILE: "storage-root",
    NEXT_STORAGE_FILE: "storage-root",
}
"""A key keeps its name when it takes the place of the one before, since the name is bound into what is sealed."""


def no_unlock(by: str) -> Wrapper:
    """For a key directory of which no configuration says how to open it."""
    text = f"the keys are protected by {by}: set key_store in broker.yaml"
    raise CustodyError(Trouble.SETTING, text)


@contextmanager
def custody_errors() -> Iterator[None]:
    """Turns trouble with the key store into STORE_UNAVAILABLE for what may pass, CONFIG_INVALID for what will not."""
    try:
        yield
    except CustodyError as error:
        passing = error.trouble in (Trouble.LOCKED, Trouble.UNREACHABLE)
        code = Code.STORE_UNAVAILABLE if passing else Code.CONFIG_INVALID
        raise SluisError(code, f"keys: {error.text}") from None


class KeyDirectory:
    """Key files of one directory, each a line of text. Raises SluisError: CONFIG_INVALID, STORE_UNAVAILABLE."""

    def __init__(self, directory: Path, origin: str, unlock: Unlock) -> None:
        self.path = directory
        self._protected = ProtectedDirectory(
            directory, f"broker {origin}", unlock, name_of=_SEALED_AS.get, files=self._present
        )

    def document(self) -> StoreKeyDocument | None:
        """How the directory is protected; None while its files lie in the clear."""
        with custody_errors():
            return self._protected.document()

    def make(self) -> None:
        """Makes the directory, for the owner only."""
        with self._writing():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            check_private(self.path, self.path.stat(), "700")

    def demand_private(self) -> None:
        """Raises CONFIG_INVALID when others can reach the directory, or it is not there."""
        try:
            check_private(self.path, self.path.stat(), "700")
        except FileNotFoundError as error:
            raise SluisError(Code.CONFIG_INVALID, missing(self.path.name)) from error

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.path / name).exists()

    def read(self, name: str) -> str:
        """The text of a key file, opened if it is sealed."""
        path = self.path / name
        try:
            with path.open("rb") as file:
                check_private(path, os.fstat(file.fileno()), "600")
                data = file.read()
            with custody_errors():
                return self._protected.from_disk(name, data).decode("ascii").strip()
        except FileNotFoundError as error:
            raise SluisError(Code.CONFIG_INVALID, missing(name)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise SluisError(Code.CONFIG_INVALID, f"{name}: cannot be read ({type(error).__name__})") from error

    def write(self, name: str, text: str) -> None:
        """Writes or replaces a key file whole, sealed where the directory is protected; on disk on return."""
        with self._writing(), self._protected.writing(name), custody_errors():
            data = self._protected.to_disk(name, f"{text}\n".encode("ascii"))
            write_whole(self.path / name, data, of_directory=True)

    def write_new(self, name: str, text: str) -> bool:
        """As `write`, where there is no such file yet; False where there is, also when another process was first."""
        with self._writing(), self._protected.writing(name), custody_errors():
            data = self._protected.to_disk(name, f"{text}\n".encode("ascii"))
            try:
                write_new(self.path / name, data, of_directory=True)
            except FileExistsError:
                return False
        return True

    def take_place(self, name: str, of: str, *, destroy: bool) -> None:
        """Puts one file in the place of another, which is gone then; with `destroy`, its bytes are overwritten."""
        with self._writing():
            old = os.open(self.path / of, os.O_WRONLY | os.O_CLOEXEC) if destroy else -1
            try:
                (self.path / name).replace(self.path / of)
                sync_directory(self.path)
                if destroy:
                    overwrite(old)
            finally:
                if destroy:
                    os.close(old)

    @contextmanager
    def steady(self, *, changing: bool = False) -> Iterator[None]:
        """Among processes on this host: many may hold it to seal something, or one to begin a change of what seals."""
        with self._writing():
            held = os.open(self.path / CHANGE_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            owner = self.path.stat()
            if os.geteuid() == 0 and os.fstat(held).st_uid != owner.st_uid:  # what root makes, the broker must open
                os.fchown(held, owner.st_uid, owner.st_gid)
        try:
            fcntl.flock(held, fcntl.LOCK_EX if changing else fcntl.LOCK_SH)
            yield
        finally:
            os.close(held)

    def protect(self, wrapper: Wrapper) -> int:
        """Seals what lies in the clear; returns how many files did. Safe to repeat."""
        with self._writing(), custody_errors():
            return self._protected.protect(wrapper)

    def rewrap(self, new: Wrapper) -> None:
        """Puts the key store under another passphrase, token or server."""
        with self._writing(), custody_errors():
            self._protected.rewrap(new)

    def _present(self) -> list[str]:
        return [name for name in _SEALED_AS if self.has(name)]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"keys: the key directory cannot be written ({type(error).__name__}): check its owner"
            raise SluisError(Code.CONFIG_INVALID, text) from error


def missing(name: str) -> str:
    """What is told of a key file that is not there."""
    return f"{name}: not found: make keys with `sluis keys init`, or restore them from their backup"


def check_private(path: Path, found: os.stat_result, wanted: str) -> None:
    """Raises CONFIG_INVALID when others on this machine can reach `path`, or it belongs to another user."""
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise SluisError(Code.CONFIG_INVALID, f"{path.name}: others on this machine can reach it: chmod {wanted}")
    if found.st_uid not in (os.geteuid(), 0):
        raise SluisError(Code.CONFIG_INVALID, f"{path.name}: owned by another user: chown it to the broker's user")
