"""The journal: what this agency signed and which entries it saw proven, to hold against what the log says of it.

A file of JSON lines in the state directory that is only ever appended to. Every signed statement is on disk here before
it leaves this machine, so that a statement in the log which is not in the journal was not made here.

    {"journal":"sluis-client/journal/1","at":...,"log_size":n}        the first line; the log held n entries then
    {"what":"signed","at":...,"type":...,"digest":...,"name":...}     digest: SHA-256 of the statement, hex
    {"what":"withdraw","at":...,"name":...}                           a register, before the broker was asked
    {"what":"entry","index":n,"kind":...,"leaf":...,"exchange":...,"asker":...,"answerer":...}
                                                                      leaf: its RFC 6962 hash, hex

Nothing in it is personal: statements hold salted commitments, and only their digests are kept.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sluis_client.errors import ClientError, Exit

FORMAT = "sluis-client/journal/1"
_ENTRY = ("index", "kind", "leaf", "exchange", "asker", "answerer")


@dataclass(frozen=True)
class HeldEntry:
    """An entry of the log that was proven to this agency."""

    index: int
    kind: str
    leaf: str
    exchange: str = ""
    asker: str = ""
    answerer: str = ""


@dataclass
class Record:
    """Journals, read: of this machine, and of the agency's other machines when they are given."""

    log_size: int = 0
    """How many entries the log had when the journal began: what stands before them is not in it."""
    signed: dict[str, str] = field(default_factory=dict)
    """Digest of a statement -> what it is of: request id, register and version, purpose and epoch."""
    withdrawn: Counter[str] = field(default_factory=Counter)
    """How often a withdrawal of each register was asked for."""
    entries: dict[int, HeldEntry] = field(default_factory=dict)
    exchanges: set[str] = field(default_factory=set)
    """Request ids of the questions signed."""
    doubled: list[HeldEntry] = field(default_factory=list)
    """Entries held under an index under which another one is held too: two logs."""


class Journal:
    """The journal of one state directory. Safe for several processes at once.

    Raises:
        ClientError: STATE_UNREADABLE (exit code 8).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, lines: Iterable[Mapping[str, Any]], *, now: datetime, log_size: int) -> None:
        """Adds lines; on disk on return. `log_size`: of the log as known now, for a journal that begins."""
        data = b"".join(_line(line) for line in lines)
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                size = _cut_torn_line(handle, os.fstat(handle).st_size)
                if size == 0:
                    data = _line({"journal": FORMAT, "at": _text(now), "log_size": log_size}) + data
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            if size == 0:
                _sync_directory(self.path.parent)
        except OSError as error:
            text = f"cannot write {self.path}: {error.strerror}; check its owner and the disk. Nothing was sent"
            raise ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE) from None

    def sign(self, digest: str, statement: Mapping[str, Any], *, now: datetime, log_size: int) -> None:
        """Notes a statement before its signature leaves."""
        line = {"what": "signed", "at": _text(now), "type": statement["type"], "digest": digest}
        self.append([{**line, "name": _name(statement)}], now=now, log_size=log_size)

    def read(self, others: Iterable[Path] = ()) -> Record:
        """What this journal says, and those of the agency's other machines."""
        record = Record()
        for number, path in enumerate([self.path, *others]):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                if number == 0:
                    continue
                raise _unreadable(path, "is not there") from None
            except OSError as error:
                raise _unreadable(path, f"cannot be read ({error.strerror})") from None
            _read_into(record, path, data, own=number == 0)
        return record


def held(index: int, kind: str, leaf: bytes, body: Mapping[str, Any]) -> dict[str, Any]:
    """The line of an entry; `leaf` is its hash."""
    named = {name: body.get(name) or "" for name in ("exchange", "asker", "answerer")}
    return {"what": "entry", "index": index, "kind": kind, "leaf": leaf.hex(), **named}


def _read_into(record: Record, path: Path, data: bytes, *, own: bool) -> None:
    lines = data.split(b"\n")[:-1]  # a line without its end was cut off before anything was sent
    for number, line in enumerate(lines):
        try:
            value = json.loads(line)
            if number == 0:
                if value["journal"] != FORMAT:
                    raise KeyError
                record.log_size = int(value["log_size"]) if own else record.log_size
            else:
                _take(record, value)
        except (ValueError, KeyError, TypeError):
            raise _unreadable(path, f"is damaged in line {number + 1}") from None


def _take(record: Record, value: Mapping[str, Any]) -> None:
    if value["what"] == "signed":
        record.signed[value["digest"]] = value["name"]
        if value["type"] == "sluis/v1/ask":
            record.exchanges.add(value["name"])
    elif value["what"] == "withdraw":
        record.withdrawn[value["name"]] += 1
    elif value["what"] == "entry":
        entry = HeldEntry(*(value[name] for name in _ENTRY))
        known = record.entries.setdefault(entry.index, entry)
        if known.leaf != entry.leaf:
            record.doubled.append(entry)
    else:
        raise KeyError


def _name(statement: Mapping[str, Any]) -> str:
    if "request_id" in statement:
        return str(statement["request_id"])
    if "version" in statement:
        names = (statement["answerer"], statement["purpose"], statement["epoch"], statement["scheme"])
        return "/".join(map(str, names)) + f" version {statement['version']}"
    return " ".join(str(statement[name]) for name in ("purpose", "epoch") if name in statement)


def _cut_torn_line(handle: int, size: int) -> int:
    """Removes a last line that a crash left without its end: nothing was sent on it. Returns the size left."""
    at = size
    while at:
        start = max(0, at - 4096)
        end = os.pread(handle, at - start, start).rfind(b"\n")
        if end >= 0:
            at = start + end + 1
            break
        at = start
    if at != size:
        os.ftruncate(handle, at)
    return at


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode() + b"\n"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _unreadable(path: Path, what: str) -> ClientError:
    text = f"{path} {what}: restore it from a backup of the state directory, or name the right file"
    return ClientError("STATE_UNREADABLE", text, Exit.KEY_TROUBLE)
