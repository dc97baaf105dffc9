"""Protection of the key store: its secret files sealed under one key, which a passphrase or a token opens.

Without `store-key.json` the files lie as they are, readable by their owner only. With it every secret file is sealed
(docs/formats.md section 19); what is no secret (the checkpoint, the journal, evidence) stays readable without a key.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.store_key import FILE_NAME, StoreKey, StoreKeyDocument, is_sealed

from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import check_private, reading, write_private

USE = "client"
PRIVATE_KEY = "certificate.key"
"""The private key of the certificate, once it was taken into the key store."""
SECRET_FILES = frozenset({"encryption.json", "local.key", PRIVATE_KEY})
SECRET_DIRECTORIES = frozenset({"encryption", "epochs", "uploads", "exchanges", "statements", "named"})

Unlock = Callable[[str], Wrapper]
"""From how a key store is protected (`passphrase`, ...) to what opens it; raises CustodyError or ClientError."""

_CODES = {
    Trouble.LOCKED: "KEYSTORE_LOCKED",
    Trouble.UNREACHABLE: "KEYSTORE_UNREACHABLE",
    Trouble.SETTING: "KEYSTORE_SETTING",
    Trouble.UNSAFE: "KEY_UNSAFE",
    Trouble.DAMAGED: "STATE_UNREADABLE",
}
_open_keys: dict[Path, StoreKey] = {}
"""Store keys that this process opened: a passphrase is asked for once."""


@contextlib.contextmanager
def custody_errors() -> Iterator[None]:
    """Turns trouble with keys into the client's error family."""
    try:
        yield
    except CustodyError as error:
        raise ClientError(_CODES[error.trouble], error.text, Exit.KEY_TROUBLE) from None


def no_unlock(by: str) -> Wrapper:
    """For a key store of which no profile says how to open it."""
    raise CustodyError(Trouble.LOCKED, f"the key store is protected by {by}: name the profile that opens it")


def is_secret(name: str) -> bool:
    """Whether a file of the state directory, named from there, is sealed in a protected key store."""
    return name in SECRET_FILES or name.partition("/")[0] in SECRET_DIRECTORIES


class Protection:
    """How one state directory is protected, and its key once opened."""

    def __init__(self, directory: Path, unlock: Unlock) -> None:
        self._directory, self._unlock = directory, unlock

    @property
    def document(self) -> StoreKeyDocument | None:
        """What `store-key.json` says, None without it. Raises STATE_UNREADABLE, STATE_UNSAFE."""
        path = self._directory / FILE_NAME
        with reading(path), custody_errors():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                return None
            check_private(path)
            return StoreKeyDocument.parse(data)

    def to_disk(self, name: str, data: bytes) -> bytes:
        """What to write for `data`: itself, or sealed. Raises KEYSTORE_LOCKED and its kind."""
        document = self.document if is_secret(name) else None
        return data if document is None else self._key(document).seal(name, data)

    def from_disk(self, name: str, data: bytes) -> bytes:
        """The inverse of `to_disk`.

        Raises:
            ClientError: STATE_UNREADABLE for a file that was changed, moved, or put there in the clear.
        """
        if not is_secret(name):
            return data
        document = self.document
        if document is None:
            if is_sealed(data):
                text = f"{self._directory / FILE_NAME} is missing, and {name} is sealed: restore it from its backup"
                raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE)
            return data
        if not is_sealed(data) and not document.complete:
            return data
        with custody_errors():
            return self._key(document).open(name, data)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Held while a file is written: no secret must be written in the clear while the others are sealed."""
        with self._lock(fcntl.LOCK_SH) if is_secret(name) else contextlib.nullcontext():
            yield

    def protect(self, wrapper: Wrapper) -> int:
        """Seals every secret file; returns how many were in the clear. Goes on where a run before was cut off.

        Each file is replaced whole and its old bytes are overwritten. Nothing is taken as done before all files are.
        """
        with self._lock(fcntl.LOCK_EX), custody_errors():
            document = self.document
            if document is None:
                key = StoreKey.make(USE)
                document = key.wrapped_by(wrapper, complete=False)
                document.opened_by(wrapper, USE)
                write_private(self._directory / FILE_NAME, document.to_bytes())
                _open_keys[self._directory] = key
            key, sealed = self._key(document), 0
            for name in self._secret_files():
                sealed += _seal_in_place(self._directory / name, name, key)
            if not document.complete:
                write_private(self._directory / FILE_NAME, document.finished().to_bytes())
            return sealed

    def rewrap(self, new: Wrapper) -> None:
        """Puts the store key under another passphrase, token or server. One file is replaced, whole or not at all.

        Raises:
            ClientError: KEYSTORE_SETTING for a store that is not protected; as opening it; nothing is changed then.
        """
        with self._lock(fcntl.LOCK_EX), custody_errors():
            document = self.document
            if document is None:
                raise CustodyError(Trouble.SETTING, "the key store is not protected; run `sluis-client keys protect`")
            key = self._key(document)
            changed = key.wrapped_by(new, complete=document.complete)
            changed.opened_by(new, USE)
            write_private(self._directory / FILE_NAME, changed.to_bytes())
            if document.by == "keyring":
                self._unlock(document.by).forget(document.wrapped)

    def _key(self, document: StoreKeyDocument) -> StoreKey:
        known = _open_keys.get(self._directory)
        if known is None or not known.fits(document):
            with custody_errors():
                known = document.opened_by(self._unlock(document.by), USE)
            _open_keys[self._directory] = known
        return known

    def _secret_files(self) -> list[str]:
        found = [name for name in sorted(SECRET_FILES) if (self._directory / name).is_file()]
        for part in sorted(SECRET_DIRECTORIES):
            paths = sorted((self._directory / part).glob("[!.]*"))
            found += [f"{part}/{path.name}" for path in paths if path.is_file()]
        return found

    @contextlib.contextmanager
    def _lock(self, how: int) -> Iterator[None]:
        with reading(self._directory):
            handle = os.open(self._directory / ".protect.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


def _seal_in_place(path: Path, name: str, key: StoreKey) -> int:
    with reading(path), path.open("r+b") as old:
        data = old.read()
        if is_sealed(data):
            key.open(name, data)
            return 0
        times = os.fstat(old.fileno())
        sealed = key.seal(name, data)
        write_private(path, sealed)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # records are listed by their age
        if key.open(name, path.read_bytes()) != data:
            raise ClientError("STATE_UNREADABLE", f"{path} was not written as sealed; try again", Exit.KEY_TROUBLE)
        # the file that was replaced has no name any more; its bytes would lie on the disk
        old.seek(0)
        old.write(bytes(len(data)))
        old.flush()
        os.fsync(old.fileno())
    return 1
