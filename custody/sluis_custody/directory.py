"""A directory of key files, in the clear or sealed under one store key (docs/formats.md section 19).

Without `store-key.json` the files lie as they are. With it every secret file is sealed; while the document says that it
is not complete, files may still lie in the clear, and are read so. Every write replaces a file whole and is on disk on
return.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.store_key import FILE_NAME, StoreKey, StoreKeyDocument, is_sealed

Unlock = Callable[[str], Wrapper]
"""From how a key store is protected (`passphrase`, ...) to what opens it; raises CustodyError."""

_open_keys: dict[tuple[Path, str], StoreKey] = {}
"""Store keys that this process opened: a passphrase is asked for once."""


def forget_open_keys() -> None:
    """Lets go of every store key that this process opened."""
    _open_keys.clear()


class ProtectedDirectory:
    """How one directory is protected, and its key once opened.

    `use` says whose store it is. `name_of` gives the name under which a file is sealed, None for one that is no secret;
    `files` lists the files that are there, named from the directory.
    """

    def __init__(
        self,
        directory: Path,
        use: str,
        unlock: Unlock,
        *,
        name_of: Callable[[str], str | None],
        files: Callable[[], Iterable[str]],
    ) -> None:
        self._directory, self._use, self._unlock = directory, use, unlock
        self._name_of, self._files = name_of, files

    def document(self) -> StoreKeyDocument | None:
        """What `store-key.json` says, None without it.

        Raises:
            CustodyError: DAMAGED, UNSAFE when others can read it, UNREACHABLE when it cannot be read.
        """
        path = self._directory / FILE_NAME
        try:
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise CustodyError(Trouble.UNSAFE, f"{path} can be read by others; run: chmod 600 {path}")
                return StoreKeyDocument.parse(file.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CustodyError(Trouble.UNREACHABLE, f"{path} cannot be read: {error.strerror}") from None

    def to_disk(self, file: str, data: bytes) -> bytes:
        """What to write for `data`: itself, or sealed. Raises CustodyError as opening the store."""
        name = self._name_of(file)
        document = None if name is None else self.document()
        return data if name is None or document is None else self._key(document).seal(name, data)

    def from_disk(self, file: str, data: bytes) -> bytes:
        """The inverse of `to_disk`. CustodyError DAMAGED for what was changed, moved, or put there bare."""
        name = self._name_of(file)
        if name is None:
            return data
        document = self.document()
        if document is None:
            if is_sealed(data):
                text = f"{self._directory / FILE_NAME} is missing, and {file} is sealed: restore it from its backup"
                raise CustodyError(Trouble.DAMAGED, text)
            return data
        if not is_sealed(data) and not document.complete:
            return data
        return self._key(document).open(name, data)

    @contextlib.contextmanager
    def writing(self, file: str) -> Iterator[None]:
        """Held while a file is written: no secret must be written in the clear while the others are sealed."""
        with self._lock(fcntl.LOCK_SH) if self._name_of(file) is not None else contextlib.nullcontext():
            yield

    def protect(self, wrapper: Wrapper) -> int:
        """Seals every secret file; returns how many were in the clear. Goes on where a run before was cut off.

        Each file is replaced whole and its old bytes are overwritten. Nothing is taken as done before all files are.
        """
        with self._lock(fcntl.LOCK_EX):
            document = self.document()
            if document is None:
                key = StoreKey.make(self._use)
                document = key.wrapped_by(wrapper, complete=False)
                document.opened_by(wrapper, self._use)
                write_whole(self._directory / FILE_NAME, document.to_bytes(), of_directory=True)
                _open_keys[self._directory, self._use] = key
            key, sealed = self._key(document), 0
            for file in self._files():
                name = self._name_of(file)
                sealed += name is not None and _seal_in_place(self._directory / file, name, key)
            if not document.complete:
                write_whole(self._directory / FILE_NAME, document.finished().to_bytes(), of_directory=True)
            return sealed

    def rewrap(self, new: Wrapper) -> None:
        """Puts the store key under another passphrase, token or server. One file is replaced, whole or not at all.

        Raises:
            CustodyError: SETTING for a store that is not protected; as opening it; nothing is changed then.
        """
        with self._lock(fcntl.LOCK_EX):
            document = self.document()
            if document is None:
                raise CustodyError(Trouble.SETTING, "the key store is not protected: `keys protect` does that")
            key = self._key(document)
            changed = key.wrapped_by(new, complete=document.complete)
            changed.opened_by(new, self._use)
            write_whole(self._directory / FILE_NAME, changed.to_bytes(), of_directory=True)
            if document.by == "keyring":
                self._unlock(document.by).forget(document.wrapped)

    def _key(self, document: StoreKeyDocument) -> StoreKey:
        known = _open_keys.get((self._directory, self._use))
        if known is None or not known.fits(document):
            known = document.opened_by(self._unlock(document.by), self._use)
            _open_keys[self._directory, self._use] = known
        return known

    @contextlib.contextmanager
    def _lock(self, how: int) -> Iterator[None]:
        handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


def write_whole(path: Path, data: bytes, *, of_directory: bool = False) -> None:
    """Replaces `path` whole by a file of mode 0600; on disk on return. Raises OSError.

    With `of_directory` it belongs to the directory's owner, also when root writes it: a service must read its keys.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(6)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            owner = path.parent.stat()
            if of_directory and owner.st_uid != os.geteuid():
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_new(path: Path, data: bytes, *, of_directory: bool = False) -> None:
    """As `write_whole`, never in the place of another file. Raises FileExistsError, also when one came meanwhile."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(6)}.new")
    write_whole(part, data, of_directory=of_directory)
    try:
        path.hardlink_to(part)
    finally:
        part.unlink()
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def overwrite(handle: int) -> None:
    """Overwrites an open file with zero bytes, on disk on return.

    A disk that copies on write, and every backup, may keep the old bytes all the same. Raises OSError.
    """
    size = os.fstat(handle).st_size
    os.lseek(handle, 0, os.SEEK_SET)
    left = memoryview(bytes(size))
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def destroy(path: Path) -> bool:
    """Overwrites a file with zero bytes, then unlinks it, on disk on return; whether there was one. Raises OSError."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        overwrite(handle)
    finally:
        os.close(handle)
    path.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def _seal_in_place(path: Path, name: str, key: StoreKey) -> bool:
    with path.open("r+b") as old:
        data = old.read()
        if is_sealed(data):
            key.open(name, data)
            return False
        times = os.fstat(old.fileno())
        write_whole(path, key.seal(name, data), of_directory=True)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the client lists records by their age
        if key.open(name, path.read_bytes()) != data:
            raise CustodyError(Trouble.DAMAGED, f"{path} was not written as sealed; try again")
        overwrite(old.fileno())  # it has no name any more, and its bytes would lie on the disk
    return True
