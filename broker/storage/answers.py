"""The answer spool: computed answers, encrypted, between the release entry and the last time they may be sent again.

One file per answer: header (magic, time written in microseconds, 16 random bytes) and frames of length u32 and
AES-256-GCM of one run. A frame is bound to header, name, its number and whether it is the last; the last frame is
empty. So no frame can be altered, dropped, swapped or moved to another answer, and a file cut short is seen.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker.canonical import encode
from broker.errors import Code, SluisError
from broker.exchange import AnswerRows
from broker.matching.release import RowsDigest, encode_run
from broker.ports import AtRest, Clock, Entropy
from broker.storage.durable import make_directory, name_of, safe_name, storage_errors, sync_directory, write_all

MAGIC = b"SLUISAN1"
_HEADER = struct.Struct("<8sQ16s")
_LENGTH = struct.Struct("<I")
_SUFFIX = ".answer"
_CORRUPT = "a kept answer was altered or cut short on disk: ask again with a new request id"


class FileAnswerSpool:
    """`ports.AnswerSpool` on files under `root`, which only the broker's user can read.

    `clock` says when an answer was written; without it the system's.
    """

    def __init__(self, root: Path, at_rest: AtRest, entropy: Entropy, clock: Clock | None = None) -> None:
        self._root, self._at_rest, self._entropy = root, at_rest, entropy
        self._writing: list[bytes] = []
        """For each answer being written, what tells its storage key from another."""
        self._turn = threading.Lock()
        self._now = clock.now if clock else lambda: datetime.now(UTC)
        with storage_errors("opening the answer spool"):
            make_directory(root)

    def write(self, name: str, runs: Iterable[AnswerRows]) -> str:
        """As `ports.AnswerSpool.write`: durable on return; an answer of that name is replaced whole or not at all.

        Raises FIELD_INVALID, FIELD_TOO_LONG for a name that cannot be a file's.
        """
        return self._write(name, runs, _microseconds(self._now()))

    def _write(self, name: str, runs: Iterable[AnswerRows], written: int) -> str:
        final = self._path(name)
        temporary = self._root / f".writing-{self._entropy.token(8).hex()}"
        header = _HEADER.pack(MAGIC, written, self._entropy.token(16))
        digest = RowsDigest()
        with storage_errors("keeping an answer"), self._noted():
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                cipher, bound = self._ciphers(name, header)[0], _place(name, header)
                write_all(descriptor, header)
                number = 0
                for run in runs:
                    digest.update(run)
                    write_all(descriptor, _frame(cipher, bound, number, encode_run(run), last=False))
                    number += 1
                write_all(descriptor, _frame(cipher, bound, number, b"", last=True))
                os.fsync(descriptor)
                os.replace(temporary, final)  # noqa: PTH105  # tests break exactly this call
                sync_directory(self._root)
            except Exception:
                temporary.unlink(missing_ok=True)
                raise
            finally:
                os.close(descriptor)
        return digest.hexdigest()

    def read(self, name: str) -> Iterator[AnswerRows]:
        """As `ports.AnswerSpool.read`. Raises ANSWER_GONE at once, STORE_CORRUPT where the file is not as written."""
        try:
            descriptor = os.open(self._path(name), os.O_RDONLY)
        except FileNotFoundError as error:
            raise SluisError(
                Code.ANSWER_GONE, "an answer is kept for 24 hours; its receipt stays: ask again with a new request id"
            ) from error
        except OSError as error:
            raise SluisError(Code.STORE_UNAVAILABLE, "a kept answer cannot be read now: try again") from error
        return self._runs(name, descriptor)

    def drop(self, name: str) -> None:
        """As `ports.AnswerSpool.drop`."""
        with storage_errors("dropping an answer"):
            self._path(name).unlink(missing_ok=True)
            sync_directory(self._root)

    def sweep(self, older_than: datetime) -> int:
        """As `ports.AnswerSpool.sweep`; what is unreadable, or half written before `older_than`, goes too."""
        limit, dropped = _microseconds(older_than), 0
        with storage_errors("sweeping answers"):
            for path in sorted(self._root.iterdir()):
                if path.name.startswith(".writing-"):
                    with suppress(FileNotFoundError):
                        if path.stat().st_mtime_ns // 1000 < limit:
                            path.unlink()
                elif path.suffix == _SUFFIX and _written_at(path) < limit:
                    path.unlink(missing_ok=True)
                    dropped += 1
            sync_directory(self._root)
        return dropped

    def _runs(self, name: str, descriptor: int) -> Iterator[AnswerRows]:
        with storage_errors("reading an answer"), os.fdopen(descriptor, "rb") as file:
            header = file.read(_HEADER.size)
            if len(header) != _HEADER.size or not header.startswith(MAGIC):
                raise SluisError(Code.STORE_CORRUPT, _CORRUPT)
            ciphers, bound = self._ciphers(name, header), _place(name, header)
            size = os.fstat(file.fileno()).st_size
            number = 0
            while True:
                prefix = file.read(_LENGTH.size)
                length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else size
                if length > size - file.tell():
                    raise SluisError(Code.STORE_CORRUPT, _CORRUPT)
                last = file.tell() + length == size
                body = _opened(ciphers, number, file.read(length), _bound(bound, number, last))
                if last:
                    return
                yield decode_run(body)
                number += 1

    def rewrap(self) -> bool:
        """As `ports.AnswerSpool.rewrap`."""
        with self._turn:  # before the files are listed: what is under way then may not be among them
            settled = all(one == self._mark() for one in self._writing)
        with storage_errors("moving kept answers"):
            for path in sorted(self._root.glob(f"*{_SUFFIX}")):
                name = name_of(path.name.removesuffix(_SUFFIX))
                if name is not None:
                    self._move(name, path)
        return settled

    def _move(self, name: str, path: Path) -> None:
        """Writes an answer anew under the newest storage key, dated as before; a damaged one is left as it is."""
        with suppress(FileNotFoundError), path.open("rb") as file:
            header = file.read(_HEADER.size)
            start = file.read(_LENGTH.size)
            if len(header) + len(start) != _HEADER.size + _LENGTH.size or not header.startswith(MAGIC):
                return
            first = file.read(_LENGTH.unpack(start)[0])
            last = file.tell() == os.fstat(file.fileno()).st_size
            try:
                _opened(self._ciphers(name, header)[:1], 0, first, _bound(_place(name, header), 0, last))
            except SluisError:
                with suppress(SluisError):
                    self._write(name, self.read(name), _HEADER.unpack(header)[1])

    @contextmanager
    def _noted(self) -> Iterator[None]:
        mark = self._mark()
        with self._turn:
            self._writing.append(mark)
        try:
            yield
        finally:
            with self._turn:
                self._writing.remove(mark)

    def _mark(self) -> bytes:
        return self._at_rest.key("answer-mark")

    def _ciphers(self, name: str, header: bytes) -> list[AESGCM]:
        """For each storage key, the newest first; fresh for a file, so frame numbers can be nonces."""
        return [AESGCM(key) for key in self._at_rest.keys("answer", name.encode(), header)]

    def _path(self, name: str) -> Path:
        return self._root / (safe_name(name) + _SUFFIX)


def _place(name: str, header: bytes) -> bytes:
    return encode(b"sluis/v1/answer-spool", name.encode(), header)


def _opened(ciphers: list[AESGCM], number: int, sealed: bytes, bound: bytes) -> bytes:
    """A frame, under whichever key opens it; the others are dropped from `ciphers`. Raises STORE_CORRUPT."""
    for cipher in tuple(ciphers):
        try:
            plain = cipher.decrypt(number.to_bytes(12, "big"), sealed, bound)
        except InvalidTag:
            continue
        ciphers[:] = [cipher]
        return plain
    raise SluisError(Code.STORE_CORRUPT, _CORRUPT)


def decode_run(data: bytes) -> AnswerRows:
    """The inverse of `encode_run`, for bytes that were authenticated."""
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return AnswerRows(parts[0], parts[1], parts[2], parts[3], parts[4], tuple(parts[5:]))


def _frame(cipher: AESGCM, bound: bytes, number: int, body: bytes, *, last: bool) -> bytes:
    sealed = cipher.encrypt(number.to_bytes(12, "big"), body, _bound(bound, number, last))
    return _LENGTH.pack(len(sealed)) + sealed


def _bound(bound: bytes, number: int, last: bool) -> bytes:
    return encode(bound, number.to_bytes(8, "big"), b"last" if last else b"")


def _microseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _written_at(path: Path) -> int:
    """Microseconds since 1970 at which an answer was written; 0 for what is no answer, so that it goes."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except FileNotFoundError:
        return 0
    magic, written, _ = _HEADER.unpack(header) if len(header) == _HEADER.size else (b"", 0, b"")
    return int(written) if magic == MAGIC else 0
