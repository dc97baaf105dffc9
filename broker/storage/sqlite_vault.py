"""The vault: salt and value behind each commitment in the log, so that erasing a row erases both.

A slot is AES-256-GCM of encode(label, salt, value) under a random key of its own, with the commitment as associated
data. The key is used once, so the nonce is zero; it lies wrapped under a key that is held outside the database. Values
over 1 MiB lie in a file beside the database.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.canonical import commitment, encode
from broker.errors import Code, SluisError
from broker.ports import AtRest, Entropy
from broker.storage.sqlite_rows import moved_to_newest, to_ticks
from broker.storage.sqlite_session import Session, sync_directory, wrapped

FILE_FROM = 1 << 20
"""Values larger than this many bytes go to a file."""
_ZERO_NONCE = bytes(12)
_USE = "vault"


class Vault:
    """Seals and opens slots. Rows are written through the session given, inside its transaction."""

    def __init__(self, directory: Path, at_rest: AtRest, entropy: Entropy) -> None:
        self._directory = directory
        self._at_rest = at_rest
        self._entropy = entropy

    def put(
        self,
        session: Session,
        label: str,
        value: bytes,
        keep_until: datetime,
        salt: bytes | None,
        ask_index: int | None = None,
    ) -> tuple[str, Path | None]:
        """Stores a slot; returns its commitment and the file that was made, if any.

        A file is durable on return but for its directory entry; see `sync`. The same salt and value again keeps one
        slot, for the longer time. Raises COMMITMENT_WRONG for what was erased.
        """
        salt = self._entropy.token(32) if salt is None else salt
        name = commitment(label, salt, value)
        until = to_ticks(keep_until)
        if session.row("SELECT 1 FROM erased WHERE commitment=?", (name,)) is not None:
            raise SluisError(Code.COMMITMENT_WRONG, "a commitment was used and erased before; make it with a new salt")
        if ask_index is not None:
            session.run("INSERT OR IGNORE INTO vault_uses (commitment, ask_index) VALUES (?, ?)", (name, ask_index))
        if session.row("SELECT 1 FROM vault WHERE commitment=?", (name,)) is not None:
            session.run("UPDATE vault SET keep_until=max(keep_until, ?) WHERE commitment=?", (until, name))
            return name, None
        key, bound = self._entropy.token(32), name.encode()
        slot_key = self._at_rest.seal(_USE, key, bound)
        sealed = AESGCM(key).encrypt(_ZERO_NONCE, encode(label.encode(), salt, value), bound)
        path = self._write(sealed) if len(value) > FILE_FROM else None
        session.run(
            "INSERT INTO vault (commitment, slot_key, sealed, file, keep_until, label) VALUES (?, ?, ?, ?, ?, ?)",
            (name, slot_key, None if path else sealed, path.name if path else None, until, label),
        )
        return name, path

    def open(self, session: Session, name: str) -> tuple[bytes, bytes] | None:
        """Salt and value behind a commitment; None once erased.

        Raises:
            SluisError: STORE_CORRUPT when the slot does not open to what was committed to.
        """
        row = session.row("SELECT slot_key, sealed, file FROM vault WHERE commitment=?", (name,))
        if row is None:
            return None
        slot_key, sealed, file = row
        bound = name.encode()
        corrupt = SluisError(Code.STORE_CORRUPT, "a vault slot does not open to what the log committed to")
        try:
            if file is not None:
                sealed = (self._directory / file).read_bytes()
            key, _ = self._at_rest.open(_USE, slot_key, bound)
            plain = AESGCM(key).decrypt(_ZERO_NONCE, sealed, bound)
        except (InvalidTag, SluisError):
            raise corrupt from None
        except FileNotFoundError as error:
            raise corrupt from error
        except OSError as error:
            raise wrapped(error, Code.STORE_UNAVAILABLE) from error
        label, salt, value = _three_parts(plain)
        if commitment(label.decode(), salt, value) != name:  # GCM alone does not bind a ciphertext to one key
            raise corrupt
        return salt, value

    def rewrap(self, session: Session, after: str, limit: int) -> str | None:
        """Moves slot keys to the newest storage key: at most `limit` slots, those after `after` by commitment.

        Returns the last one looked at, None when there are no more. A slot that is damaged is left as it is.
        """
        sql = "SELECT commitment, slot_key FROM vault WHERE commitment>? ORDER BY commitment LIMIT ?"
        found = session.rows(sql, (after, limit))
        for name, slot_key in found:
            moved = moved_to_newest(self._at_rest, _USE, slot_key, name.encode())
            if moved is not None:
                session.run("UPDATE vault SET slot_key=? WHERE commitment=?", (moved, name))
        return str(found[-1][0]) if len(found) == limit else None

    def sync(self) -> None:
        """Makes the directory entries of new files durable. Raises LOG_UNAVAILABLE."""
        try:
            sync_directory(self._directory)
        except OSError as error:
            raise wrapped(error, Code.LOG_UNAVAILABLE) from error

    def drop(self, names: Iterable[str]) -> None:
        """Deletes files; those that are gone already or cannot be deleted now are left to `sweep`."""
        for name in names:
            try:
                (self._directory / name).unlink(missing_ok=True)
            except OSError:
                continue

    def sweep(self, session: Session) -> None:
        """Deletes files that no row names: what a crash left. Their keys exist nowhere."""
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            kept = {name for (name,) in session.rows("SELECT file FROM vault WHERE file IS NOT NULL")}
            self.drop(path.name for path in self._directory.iterdir() if path.name not in kept)
        except OSError as error:
            raise wrapped(error, Code.STORE_UNAVAILABLE) from error

    def _write(self, sealed: bytes) -> Path:
        path = self._directory / self._entropy.token(16).hex()
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as out:
                out.write(sealed)
                out.flush()
                os.fsync(descriptor)
        except OSError as error:
            self.drop([path.name])
            raise wrapped(error, Code.LOG_UNAVAILABLE) from error
        return path


def _three_parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    parts, at = [], 0
    for _ in range(3):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts[0], parts[1], parts[2]
