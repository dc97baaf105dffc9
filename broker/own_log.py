"""The log of a configuration on this host: read beside a running broker, or opened for writing without one.

Beside `broker.app` the only module that knows concrete stores and key holders.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from broker.config import Config
from broker.custody.keys import FileKeys, SystemEntropy
from broker.custody.voprf_seeds import FileSeeds
from broker.erasure import expire_ended
from broker.errors import Code, SluisError
from broker.exchange import ANSWER_KEPT
from broker.exchange_log.ending import close_mark
from broker.exchange_log.high_water import check_mark, empty_mark
from broker.key_store import keys_of
from broker.ports import LogReader, Mark
from broker.rematching import Rematching
from broker.storage.answers import FileAnswerSpool
from broker.storage.high_water import FileHighWater, read_mark
from broker.storage.registers import FileRegisterStore
from broker.storage.sqlite import SqliteLogReader, SqliteLogStore, kept_from_writers, open_reader, open_vault_reader
from broker.witnesses import ask_at_start

log = structlog.get_logger("broker.own_log")


def open_high_water(
    path: Path | None, origin: str, reader: LogReader, now: datetime, *, followed_by: str = ""
) -> FileHighWater | None:
    """The high-water file at `path`, once the log is found to hold its tree; made with a log that begins.

    Raises:
        SluisError: HIGH_WATER_UNUSABLE, LOG_SHRUNK, LOG_FORKED, LOG_SEALED.
    """
    if path is None:
        return None
    if reader.size() == 0 and not path.exists():
        return FileHighWater.create(path, empty_mark(origin, now))
    opened = FileHighWater(path)
    try:
        check_mark(reader, origin, opened.mark, followed_by=followed_by)
    except BaseException:
        opened.close()
        raise
    return opened


def check_not_begun(config: Config, reader: LogReader, keys: FileKeys) -> None:
    """Before the first entry of an empty log is signed: neither the key directory nor a witness knows more of it.

    Raises:
        SluisError: LOG_SHRUNK: signing would begin a second history under one origin. What reading raises.
    """
    if reader.size():
        return
    if keys.begun:
        raise SluisError(
            Code.LOG_SHRUNK,
            f"the log {config.origin} was begun before, and there is none in {config.data}: mount its volume, or bring "
            "its files back. Nothing was started. (If that log was a trial which nobody holds anything of, give the "
            "next one another origin, and keys of its own.)",
        )
    ask_at_start(config, reader, [keys.signer.verifier_key])


def note_begun(config: Config, keys: FileKeys) -> None:
    """Notes beside the keys that their log was begun, where that directory can be written."""
    if not keys.note_begun():
        log.warning("the key directory cannot note that the log was begun", origin=config.origin)


def high_water_mark(config: Config) -> Mark | None:
    """The newest mark, None when no high-water file is configured. Raises HIGH_WATER_UNUSABLE."""
    return None if config.high_water is None else read_mark(config.high_water)


def exports_of(config: Config) -> Path:
    """Where `sluis audit export --with-vault` asks for the entry that announces it."""
    return config.data / "vault-exports"


def orders_of(config: Config) -> Path:
    """Where vault orders are handed in (docs/formats.md section 15)."""
    return config.data / "orders"


def key_requests_of(config: Config) -> Path:
    """Where `sluis key-service key destroy` asks for the entry, and the end, of a key."""
    return config.data / "key-requests"


def open_seeds(config: Config, keys: FileKeys | None = None) -> FileSeeds:
    """The keys of the key service that runs under this configuration.

    Raises:
        SluisError: CONFIG_INVALID, also without `key_service:` and without libsodium.
    """
    if config.key_service is None:
        text = "key_service: is not set: give the id that the signed policy has for this key service"
        raise SluisError(Code.CONFIG_INVALID, text)
    keys = keys or keys_of(config)
    return FileSeeds(
        config.keys,
        keys.at_rest,
        SystemEntropy(),
        service=config.key_service.id,
        environment=config.environment.value,
    )


def open_log(config: Config) -> SqliteLogReader:
    """The log of a configuration, for reading on the host: beside a running broker or without one, no key needed."""
    return open_log_database(config.data / "sluis.db")


def open_log_database(path: Path) -> SqliteLogReader:
    """As `open_log`, by the database's path (`sluis audit export --database`)."""
    if not path.is_file():
        raise SluisError(Code.NOT_FOUND, f"{path}: there is no log database here")
    return open_reader(path)


@contextmanager
def open_rematching(config: Config) -> Iterator[Rematching]:
    """Matches released answers again, beside a running broker or without one; needs its keys, and writes nothing."""
    path = config.data / "sluis.db"
    if not path.is_file() or not (config.data / "registers").is_dir():
        raise SluisError(Code.NOT_FOUND, f"{config.data}: there is no broker's data here")
    keys, entropy = keys_of(config), SystemEntropy()
    reader = open_vault_reader(path, keys.at_rest, entropy)
    try:
        yield Rematching(reader, FileRegisterStore(config.data / "registers", keys.at_rest, entropy))
    finally:
        reader.close()


def open_log_and_vault(config: Config, use: str) -> tuple[SqliteLogReader, bytes]:
    """As `open_log`, with what opens commitments, and a key for `use` alone. The broker's keys must be readable."""
    open_log(config).close()
    keys = keys_of(config).at_rest
    reader = open_vault_reader(config.data / "sluis.db", keys, SystemEntropy())
    return reader, keys.key(use, config.origin.encode())


def open_vault(config: Config) -> SqliteLogReader:
    """The log with what opens its commitments, for reading beside a running broker; needs the broker's keys."""
    keys = keys_of(config)
    return open_vault_reader(config.data / "sluis.db", keys.at_rest, SystemEntropy())


def verifier_key(config: Config) -> str:
    """The log's verifier key; the broker's keys must be there and readable."""
    return keys_of(config).signer.verifier_key


@dataclass(frozen=True)
class OwnLog:
    """The log of a configuration, opened for writing with no broker running."""

    store: SqliteLogStore
    keys: FileKeys
    high_water: FileHighWater | None


@contextmanager
def own_log(config: Config, now: datetime, *, followed_by: str = "") -> Iterator[OwnLog]:
    """Opens it, once it is found to hold what its high-water file says. CONFIG_INVALID while a broker has it open."""
    keys = keys_of(config)
    config.data.mkdir(parents=True, exist_ok=True)
    store = SqliteLogStore(config.data / "sluis.db", keys.at_rest, SystemEntropy())
    high_water = None
    try:
        now_held = (config.high_water, config.origin, store.reader, now)
        high_water = open_high_water(*now_held, followed_by=followed_by)
        yield OwnLog(store, keys, high_water)
    finally:
        store.close()
        if high_water is not None:
            high_water.close()


def aside(path: Path) -> Path:
    """Where an unusable high-water file is set aside: `<name>.old`, or with a number; none that lies there goes."""
    old = path.with_name(f"{path.name}.old")
    number = 1
    while old.exists():
        number += 1
        old = path.with_name(f"{path.name}.old{number}")
    return old


def begin_high_water(config: Config, mark: Mark, *, replace: bool) -> None:
    """Makes the high-water file; with `replace`, an unusable one is set aside. Raises HIGH_WATER_UNUSABLE."""
    assert config.high_water is not None
    if replace and config.high_water.exists():
        config.high_water.rename(aside(config.high_water))
    FileHighWater.create(config.high_water, mark).close()


@contextmanager
def given_up(config: Config) -> Iterator[FileHighWater | None]:
    """A log that is about to be given up, kept from every broker meanwhile; yields its high-water file, if usable.

    Raises:
        SluisError: CONFIG_INVALID or HIGH_WATER_UNUSABLE while a broker has the log open.
    """
    with kept_from_writers(config.data / "sluis.db"):
        try:
            mark = high_water_mark(config)
        except SluisError:
            mark = None
        if mark is None or mark.origin != config.origin:
            yield None
            return
        assert config.high_water is not None
        opened = FileHighWater(config.high_water)
        try:
            yield opened
        finally:
            opened.close()


def end_mark(high_water: FileHighWater | None, next_origin: str) -> None:
    """Writes in the high-water file, where there is one, that another log followed. LOG_UNAVAILABLE."""
    if high_water is not None:
        close_mark(high_water, next_origin)


def same_volume(config: Config) -> bool:
    """Whether the high-water file lies on the volume of the data, and would be lost or restored with it."""
    return config.high_water is not None and config.high_water.stat().st_dev == config.data.stat().st_dev


def sweep_ended(config: Config, log: OwnLog, now: datetime) -> int:
    """Erases what a log that has ended need not keep: due vault slots, all registers, answers. Slots that stay."""
    expire_ended(log.store, now)
    FileRegisterStore(config.data / "registers", log.keys.at_rest, SystemEntropy()).sweep(())
    FileAnswerSpool(config.data / "answers", log.keys.at_rest, SystemEntropy()).sweep(now - ANSWER_KEPT)
    return log.store.reader.openings()
