"""What a log lacks: its database as found, against the checkpoints that are kept outside. Only reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from broker.config import Config
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import Checkpoint, parse_checkpoint, parse_verifier_key, verify_checkpoint
from broker.exchange_log.merkle import EMPTY_ROOT
from broker.exchange_log.opening import check_whole, key_periods, last_time
from broker.own_log import high_water_mark, open_log, verifier_key
from broker.ports import LogReader
from broker.witness.starting import ask_under
from broker.witnesses import witness_ends


@dataclass(frozen=True)
class Loss:
    """What is missing: of the log as found, and as the newest checkpoint says that was kept outside."""

    found: tuple[int, bytes]
    since: datetime | None
    known: Checkpoint
    note: str
    until: datetime
    unreadable: bool
    """Whether the database was damaged or not there."""


def assess(config: Config, held: Sequence[tuple[str, str]], now: datetime) -> Loss:
    """Compares the log of `config` with its high-water file, its witnesses and checkpoints `held`: (who, note).

    Writes nothing. Raises:
        SluisError: NOT_FOUND when nothing outside tells what was there; CONFIG_INVALID for a checkpoint that this log
            did not sign, and when nothing is lost.
    """
    reader = lost_reader(config)
    try:
        keys = _known_keys(config, reader)
        found, since = _found(reader)
        known, until = _newest_outside(config, reader, held, keys, now)
        checkpoint = parse_checkpoint(known)
        if reader is not None and found[0] >= checkpoint.size:
            if reader.root(checkpoint.size) == checkpoint.root:
                raise SluisError(
                    Code.CONFIG_INVALID,
                    f"nothing is lost: the log's {found[0]} entries hold all {checkpoint.size} that are known outside; "
                    "start the broker as it is (or end the log with `sluis seal`)",
                )
            since = None
        return Loss(found, since, checkpoint, known, until, unreadable=found[0] == 0)
    finally:
        if reader is not None:
            reader.close()


def lost_reader(config: Config) -> LogReader | None:
    """The log of a configuration; None when there is no database. Raises what opening raises."""
    try:
        return open_log(config)
    except SluisError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return None


def _known_keys(config: Config, reader: LogReader | None) -> tuple[str, ...]:
    """The keys that may have signed the old log: those it names, and the one in the key directory."""
    keys: list[str] = []
    if reader is not None:
        with suppress(SluisError):
            keys.extend(key for _, key in key_periods(reader))
    with suppress(SluisError):
        keys.append(verifier_key(config))
    if not keys:
        raise SluisError(Code.CONFIG_INVALID, "neither log nor key directory tells the old log's key; restore one")
    return tuple(dict.fromkeys(keys))


def _found(reader: LogReader | None) -> tuple[tuple[int, bytes], datetime | None]:
    """Size and root of what is there and whole, and the time of its last entry; nothing when it does not verify."""
    nothing = (0, EMPTY_ROOT), None
    if reader is None:
        return nothing
    try:
        key = key_periods(reader)[-1][1]
        size = check_whole(reader, parse_verifier_key(key))
        return (size, reader.root(size)), last_time(reader)
    except SluisError:
        return nothing


def _newest_outside(
    config: Config, reader: LogReader | None, held: Sequence[tuple[str, str]], keys: Sequence[str], now: datetime
) -> tuple[str, datetime]:
    """The note over the most entries that anybody outside the database holds, and until when entries may be lost."""
    notes = []
    for who, note in held:
        if not _signed_by_any(note, keys):
            raise SluisError(Code.CONFIG_INVALID, f"{who} is no checkpoint that the log {config.origin} signed")
        notes.append((note, now))
    try:
        mark = high_water_mark(config)
    except SluisError:
        mark = None
    if mark is not None and mark.origin == config.origin and mark.note:
        notes.append((mark.note, mark.at))
    own = None
    if reader is not None and reader.size():
        own = reader.checkpoint()[1]
    for end in witness_ends(config):
        said = ask_under(end, [parse_verifier_key(key) for key in keys], own)
        if said.note is not None and said.size:
            notes.append((said.note, now))
    if not notes:
        raise SluisError(
            Code.NOT_FOUND,
            "nothing outside the database tells what is lost: ask participants for the file `checkpoint` in their "
            "state directory and give the newest with --known",
        )
    return max(notes, key=lambda item: parse_checkpoint(item[0]).size)


def _signed_by_any(note: str, keys: Iterable[str]) -> bool:
    for key in keys:
        try:
            verify_checkpoint(note, parse_verifier_key(key))
        except SluisError:
            continue
        return True
    return False
