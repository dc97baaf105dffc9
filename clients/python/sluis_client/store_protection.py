"""Protection of the client's key store: which files are secret, and trouble with keys in the client's error family."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sluis_custody.directory import ProtectedDirectory, Unlock
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.ports import Wrapper
from sluis_custody.store_key import StoreKeyDocument

from sluis_client.errors import ClientError, Exit
from sluis_client.private_files import reading

USE = "client"
PRIVATE_KEY = "certificate.key"
"""The private key of the certificate, once it was taken into the key store."""
SECRET_FILES = frozenset({"encryption.json", "local.key", PRIVATE_KEY})
SECRET_DIRECTORIES = frozenset(
    {"encryption", "epochs", "uploads", "exchanges", "statements", "named", "live-answers", "watches"}
)

_CODES = {
    Trouble.LOCKED: "KEYSTORE_LOCKED",
    Trouble.UNREACHABLE: "KEYSTORE_UNREACHABLE",
    Trouble.SETTING: "KEYSTORE_SETTING",
    Trouble.UNSAFE: "KEY_UNSAFE",
    Trouble.DAMAGED: "STATE_UNREADABLE",
}


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


def is_secret(file: str) -> bool:
    """Whether a file of the state directory, named from there, is sealed in a protected key store."""
    return file in SECRET_FILES or file.partition("/")[0] in SECRET_DIRECTORIES


class Protection:
    """How one state directory is protected (`sluis_custody.directory`).

    Raises:
        ClientError: KEYSTORE_LOCKED, KEYSTORE_UNREACHABLE, KEYSTORE_SETTING, KEY_UNSAFE, STATE_UNREADABLE.
    """

    def __init__(self, directory: Path, unlock: Unlock) -> None:
        self._directory = directory
        self._protected = ProtectedDirectory(
            directory, USE, unlock, name_of=lambda file: file if is_secret(file) else None, files=self._files
        )

    @property
    def document(self) -> StoreKeyDocument | None:
        """What `store-key.json` says, None without it."""
        with custody_errors():
            return self._protected.document()

    def to_disk(self, file: str, data: bytes) -> bytes:
        """What to write for `data`: itself, or sealed."""
        with custody_errors():
            return self._protected.to_disk(file, data)

    def from_disk(self, file: str, data: bytes) -> bytes:
        """The inverse of `to_disk`."""
        with custody_errors():
            return self._protected.from_disk(file, data)

    @contextlib.contextmanager
    def writing(self, file: str) -> Iterator[None]:
        """Held while a file is written."""
        with reading(self._directory), self._protected.writing(file):
            yield

    def protect(self, wrapper: Wrapper) -> int:
        """Seals every secret file; returns how many were in the clear."""
        with reading(self._directory), custody_errors():
            return self._protected.protect(wrapper)

    def rewrap(self, new: Wrapper) -> None:
        """Puts the store key under another passphrase, token or server."""
        with reading(self._directory), custody_errors():
            self._protected.rewrap(new)

    def _files(self) -> list[str]:
        found = [name for name in sorted(SECRET_FILES) if (self._directory / name).is_file()]
        for part in sorted(SECRET_DIRECTORIES):
            paths = sorted((self._directory / part).glob("[!.]*"))
            found += [f"{part}/{path.name}" for path in paths if path.is_file()]
        return found
