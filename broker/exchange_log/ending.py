"""Single entries that change what a log is: its key is changed, it ends. Written with no sequencer running.

Each is one durable batch, so that a process killed at any instant leaves it done or not begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import (
    check_origin,
    parse_checkpoint,
    parse_verifier_key,
    sign_checkpoint,
    signature_line,
)
from broker.exchange_log.cosignature import COSIGNED, cosigned_key, with_lines
from broker.exchange_log.opening import KEY_DOCUMENT, check_tree, check_unsealed, check_writer, key_periods, last_time
from broker.ports import CheckpointSigner, HighWater, LogReader, LogStore, Mark, Transaction

_TICK = timedelta(microseconds=1)


def change_key(
    store: LogStore, old: CheckpointSigner, new: CheckpointSigner, now: datetime, high_water: HighWater | None
) -> str:
    """Logs that `new` signs from here on, under a checkpoint that both sign; returns that note.

    Raises:
        SluisError: CONFIG_INVALID when `old` is not the key in force or `new` was in force before; LOG_SEALED; what
            `check_tree` and writing raise.
    """
    reader = store.reader
    known = [key for _, key in key_periods(reader)]
    if known[-1] != old.verifier_key or new.verifier_key in known:
        raise SluisError(Code.CONFIG_INVALID, "the log key is changed from the one in force to one never used before")

    def entry(tx: Transaction) -> None:
        index = tx.append(
            "config", {"what": "log-key", "previous_key": old.verifier_key, "verifier_key": new.verifier_key}
        )
        tx.put_document(KEY_DOCUMENT, f"{index:016d}", new.verifier_key.encode())

    return _write(store, (old, new), now, high_water, entry)


def end_log(
    store: LogStore,
    signer: CheckpointSigner,
    now: datetime,
    high_water: HighWater | None,
    *,
    next_origin: str,
    next_key: str,
    before: Callable[[Transaction], None],
) -> str:
    """Ends the log with a `seal` that names the log to follow; returns the last checkpoint.

    `before` closes what is open, in the same batch. Raises as `change_key`; CONFIG_INVALID for its own origin.
    """
    if check_origin(next_origin) == signer.origin:
        raise SluisError(Code.CONFIG_INVALID, "the next log needs an origin of its own; an origin is never used again")

    def entry(tx: Transaction) -> None:
        before(tx)
        tx.append("seal", {"next_origin": next_origin, "next_key": next_key})

    return _write(store, (signer,), now, high_water, entry)


def keep_cosigned(store: LogStore, now: datetime, note: str, lines: Sequence[str]) -> str:
    """Keeps witnesses' verified lines on the last checkpoint `note` with those kept before, so that exports hold them.

    Returns the note with all of them. Raises what reading and writing raise.
    """
    key = cosigned_key(parse_checkpoint(note).size)
    kept = store.reader.document(COSIGNED, key)
    merged = with_lines(note if kept is None else kept.decode(), lines)
    if lines:
        with store.batch(max(now, last_time(store.reader) + _TICK)) as batch:
            with batch.savepoint():
                batch.transaction.put_document(COSIGNED, key, merged.encode())
            batch.commit("")
    return merged


def close_mark(high_water: HighWater, next_origin: str) -> None:
    """Writes in the high-water file of a log that another followed. Idempotent. Raises LOG_UNAVAILABLE."""
    if high_water.mark.next != next_origin:
        high_water.advance(replace(high_water.mark, next=next_origin))


def sealed_for(reader: LogReader) -> str | None:
    """What follows a log that has ended; None while it goes on."""
    try:
        check_unsealed(reader)
    except SluisError as error:
        if error.code is not Code.LOG_SEALED:
            raise
        return error.metadata["next_origin"]
    return None


def _write(
    store: LogStore,
    signers: tuple[CheckpointSigner, ...],
    now: datetime,
    high_water: HighWater | None,
    work: Callable[[Transaction], None],
) -> str:
    reader = store.reader
    key = parse_verifier_key(signers[0].verifier_key)
    checkpoint = check_tree(reader, key)
    check_unsealed(reader)
    at = max(now, last_time(reader) + _TICK)
    check_writer(store, at, checkpoint)
    with store.batch(at) as batch:
        work(batch.transaction)
        note = sign_checkpoint(signers[0], key, batch.size, batch.root)
        for signer in signers[1:]:
            note += signature_line(signer, parse_verifier_key(signer.verifier_key), note)
        batch.commit(note)
        size, root = batch.size, batch.root
    if high_water is not None:
        mark = high_water.mark
        high_water.advance(Mark(mark.origin, mark.generation + 1, size, root, note, at))
    return note
