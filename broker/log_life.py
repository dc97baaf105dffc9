"""The life of a log on the host: its high-water file, its keys, its end and the log that follows.

Every command here can be killed at any instant and run again: what it finds done it leaves as it is.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from broker.config import Config
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import Checkpoint, parse_checkpoint, parse_verifier_key
from broker.exchange_log.cosignature import cosigned_at
from broker.exchange_log.ending import change_key, close_mark, end_log, keep_cosigned, sealed_for
from broker.exchange_log.high_water import check_mark, claim
from broker.exchange_log.opening import check_tree, check_unsealed, genesis, key_periods
from broker.log_loss import Loss, lost_reader
from broker.own_log import (
    OwnLog,
    aside,
    begin_high_water,
    end_mark,
    given_up,
    high_water_mark,
    open_log,
    own_log,
    sweep_ended,
    verifier_key,
)
from broker.policy.evaluate import ENGINE
from broker.ports import Clock, Entropy, LogReader, Mark, Transaction
from broker.release_entries import give_up
from broker.succession import Carried, Gap, begin_with, carried_from, previous_of
from broker.witness.calling import Cosignature, WitnessTrouble
from broker.witness.standing import CLOCKS
from broker.witness.starting import ask_under
from broker.witnesses import witness_ends

_NUMBER = re.compile(r"[0-9]{8}|\b[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{3}\b")
_FOR_EVER = datetime.max.replace(tzinfo=UTC, year=2999)


def make_high_water(config: Config, now: datetime, *, replace: bool = False) -> Mark:
    """Makes the high-water file of a log that is there already, from its newest checkpoint; returns the mark.

    A file that is whole and of this log is never replaced: a log that does not hold its tree must not pass so.

    Raises:
        SluisError: CONFIG_INVALID without `high_water`; HIGH_WATER_UNUSABLE when a file is there and must not be
            replaced; LOG_SHRUNK, LOG_FORKED; NOT_FOUND without a log; what `check_tree` raises.
    """
    path = config.high_water
    if path is None:
        raise SluisError(
            Code.CONFIG_INVALID, "set `high_water` in broker.yaml first: a path on another volume than data"
        )
    reader = open_log(config)
    try:
        checkpoint = check_tree(reader, parse_verifier_key(verifier_key(config)))
        _, note = reader.checkpoint(checkpoint.size)
        if path.exists():
            held = _readable(config)
            if held is not None and held.origin == config.origin:
                check_mark(reader, config.origin, held)
                raise SluisError(
                    Code.HIGH_WATER_UNUSABLE,
                    f"{path}: the high-water file is whole ({held.size} entries) and stays; there is nothing to do",
                )
            if not replace:
                raise SluisError(
                    Code.HIGH_WATER_UNUSABLE,
                    f"{path}: the file is damaged or of another log; --replace sets it aside as {aside(path).name}",
                )
    finally:
        reader.close()
    mark = Mark(config.origin, 1, checkpoint.size, checkpoint.root, note, now)
    begin_high_water(config, mark, replace=replace)
    return mark


def _readable(config: Config) -> Mark | None:
    try:
        return high_water_mark(config)
    except SluisError:
        return None


def rotate_log_key(config: Config, now: datetime) -> str:
    """Changes the log key: logged under the old key, a checkpoint signed by both, then the old one is gone.

    Returns the new verifier key. Killed midway it goes on where it was.

    Raises:
        SluisError: CONFIG_INVALID while a broker has the log open, or when the keys are not the log's; NOT_FOUND
            without a log; LOG_SEALED, LOG_SHRUNK, LOG_FORKED; what reading and writing raise.
    """
    open_log(config).close()
    with own_log(config, now) as log:
        in_force = key_periods(log.store.reader)[-1][1]
        waiting = log.keys.next_signer(make=False)
        if waiting is None or waiting.verifier_key != in_force:
            check_unsealed(log.store.reader)
            new = log.keys.next_signer(make=True)
            assert new is not None
            change_key(log.store, log.keys.signer, new, now, log.high_water)
        log.keys.take_next()
        return log.keys.signer.verifier_key


@dataclass(frozen=True)
class Followed:
    """A log and the one that follows it."""

    previous: Checkpoint
    reason: str
    origin: str
    """The new log's."""
    verifier_key: str
    carried: int
    """Counters that go on."""
    cosigned: int = 0
    """Witnesses whose cosignature stands under the last checkpoint."""


def seal(config: Config, following: Config, clock: Clock, entropy: Entropy) -> Followed:
    """Ends the log of `config` and begins that of `following`, whose genesis is bound to its last checkpoint.

    Asks that are open are closed as UNKNOWN first. Witnesses that answer cosign the last checkpoint. Killed midway, or
    run again, it goes on where it was.

    Raises:
        SluisError: CONFIG_INVALID when the two configurations do not go together, or a broker has a log open;
            LOG_SEALED when another log follows already; what reading and writing raise.
    """
    _check_pair(config, following)
    next_key = verifier_key(following)
    open_log(config).close()
    now = clock.now()
    with own_log(config, now, followed_by=following.origin) as log:
        reader = log.store.reader
        try:
            check_unsealed(reader)
        except SluisError as error:
            wanted = {"next_origin": following.origin, "next_key": next_key}
            if error.code is not Code.LOG_SEALED or error.metadata != wanted:
                raise
        else:
            _end(log, now, following.origin, next_key, entropy)
        checkpoint = check_tree(reader, parse_verifier_key(log.keys.signer.verifier_key))
        last = reader.checkpoint(checkpoint.size)[1]
        lines = _cosignatures(config, reader, last, clock)
        note, cosigned = keep_cosigned(log.store, clock.now(), last, lines), len(lines)
        carried = carried_from(reader, now)
        _begin(following, clock, previous_of(note, "sealed"), carried, None)
        if log.high_water is not None:
            close_mark(log.high_water, following.origin)
    return Followed(checkpoint, "sealed", following.origin, next_key, len(carried.counters), cosigned)


def _end(log: OwnLog, now: datetime, next_origin: str, next_key: str, entropy: Entropy) -> None:
    open_asks = log.store.reader.open_exchanges(_FOR_EVER)

    def close_all(tx: Transaction) -> None:
        for state in open_asks:
            give_up(state, entropy.token(16).hex(), tx)

    end_log(
        log.store,
        log.keys.signer,
        now,
        log.high_water,
        next_origin=next_origin,
        next_key=next_key,
        before=close_all,
    )


def _begin(following: Config, clock: Clock, previous: dict[str, object], carried: Carried, gap: Gap | None) -> None:
    with own_log(following, clock.now()) as log:
        genesis(
            log.store,
            log.keys.signer,
            clock,
            environment=following.environment,
            engine=ENGINE,
            previous=previous,
            then=partial(begin_with, carried, gap),
        )
        if log.high_water is not None:
            reader = log.store.reader
            checkpoint = check_tree(reader, parse_verifier_key(log.keys.signer.verifier_key))
            claim(log.high_water, checkpoint, reader.checkpoint()[1], clock.now())


def _cosignatures(config: Config, reader: LogReader, note: str, clock: Clock) -> list[str]:
    """The lines of the witnesses that cosign `note` now; one that is dated otherwise would spoil every bundle."""
    keys = [parse_verifier_key(text) for _, text in key_periods(reader)]  # a witness may show one of before a change
    size = parse_checkpoint(note).size
    lines = []
    for end in witness_ends(config):
        said = ask_under(end, keys, note)
        if said.size is None or said.contradicts:
            continue
        try:
            proof = reader.consistency(said.size, size) if 0 < said.size < size else ()
            answer = end.offer(said.size, proof, note)
        except (SluisError, WitnessTrouble):
            continue
        if isinstance(answer, Cosignature) and abs(cosigned_at(answer.line) - clock.now()) <= CLOCKS:
            lines.append(answer.line)
    return lines


def recover(config: Config, following: Config, loss: Loss, reason: str, clock: Clock) -> Followed:
    """Begins the log of `following` after one of which entries are lost, with a `recovery` entry that names the gap.

    The old database is only read, its high-water file says that another log followed. Killed midway, or run again, it
    goes on where it was.

    Raises:
        SluisError: CONFIG_INVALID when the configurations do not go together, the reason is none, or a broker has the
            log open; LOG_SEALED when another log followed already; what reading and writing raise.
    """
    check_reason(reason)
    check_not_followed(config, following)
    next_key = verifier_key(following)
    now = clock.now()
    carried = _still_binding(config, now)
    gap = Gap(
        config.origin,
        reason,
        loss.found,
        (loss.known.size, loss.known.root),
        loss.since,
        max(loss.until, loss.since or now),
    )
    with given_up(config) as high_water:
        _begin(following, clock, previous_of(loss.note, "recovered"), carried, gap)
        end_mark(high_water, following.origin)
    return Followed(loss.known, "recovered", following.origin, next_key, len(carried.counters))


def check_not_followed(config: Config, following: Config) -> None:
    """Two configurations that go together, of a log and the only one that may follow it.

    Raises:
        SluisError: CONFIG_INVALID; LOG_SEALED when the high-water file or the log's seal names another follower.
    """
    _check_pair(config, following)
    mark = _readable(config)
    followers = {mark.next if mark is not None and mark.origin == config.origin else ""}
    reader = lost_reader(config)
    if reader is not None:
        with suppress(SluisError):
            followers.add(sealed_for(reader) or "")
        reader.close()
    for follower in followers - {"", following.origin}:
        raise SluisError(
            Code.LOG_SEALED,
            f"{follower} followed the log {config.origin} already; a second follower would be a second history: serve "
            "that one, or recover from it with its configuration",
        )


def check_reason(reason: str) -> None:
    """Raises CONFIG_INVALID unless `reason` can stand in a log: one line, and no long number."""
    if not 1 <= len(reason.strip()) <= 300 or not reason.isprintable() or _NUMBER.search(reason):
        raise SluisError(
            Code.CONFIG_INVALID,
            "--reason has 1 to 300 printable characters on one line, and no long number, which may be that of a person",
        )


def _check_pair(config: Config, following: Config) -> None:
    """Two configurations, one log each: everything that is the log's own differs."""
    wrong = ""
    if following.origin == config.origin:
        wrong = "origin: the next log needs an origin of its own; an origin is never used again"
    elif following.environment is not config.environment:
        wrong = "environment: the next log is of the same environment"
    elif following.data.resolve() == config.data.resolve():
        wrong = "data: the next log needs a directory of its own, so that the old one stays untouched"
    elif following.keys.resolve() == config.keys.resolve():
        wrong = "keys: the next log needs keys of its own (`sluis keys init` with that configuration)"
    elif config.high_water is not None and following.high_water is None:
        wrong = "high_water: the old log has a high-water file, and so must the next"
    elif following.high_water is not None and following.high_water == config.high_water:
        wrong = "high_water: each log has a file of its own"
    if wrong:
        raise SluisError(Code.CONFIG_INVALID, f"--next-config: {wrong}")


def _still_binding(config: Config, now: datetime) -> Carried:
    """What is known of counters, policy and suspensions; nothing where the old database cannot be read."""
    reader = lost_reader(config)
    if reader is None:
        return Carried()
    try:
        return carried_from(reader, now)
    except SluisError:
        return Carried()
    finally:
        reader.close()


def run_out(config: Config, now: datetime) -> int:
    """Erases what a log that has ended need not keep any more; returns how many vault slots stay.

    Raises:
        SluisError: CONFIG_INVALID for a log that goes on, where the broker does this by itself; NOT_FOUND.
    """
    open_log(config).close()
    mark = high_water_mark(config)
    with own_log(config, now, followed_by=mark.next if mark else "") as log:
        if sealed_for(log.store.reader) is None and not (mark and mark.next):
            raise SluisError(Code.CONFIG_INVALID, "this log goes on, and its broker erases what is due by itself")
        return sweep_ended(config, log, now)
