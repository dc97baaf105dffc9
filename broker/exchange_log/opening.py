"""Opening a log: its first entry, and the checks a stored tree must pass before anything is signed on top of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from broker.errors import Code, SluisError
from broker.exchange import Receipt
from broker.exchange_log.checkpoint import (
    Checkpoint,
    VerifierKey,
    check_origin,
    parse_verifier_key,
    sign_checkpoint,
    verify_checkpoint,
)
from broker.exchange_log.entry import Entry, leaf_index, parse_leaf
from broker.exchange_log.merkle import CompactRange, leaf_hash, verify_inclusion
from broker.parties import Environment
from broker.ports import CheckpointSigner, Clock, LogReader, LogStore, Transaction

KEY_DOCUMENT = "log-key"
"""Kind of the documents that name the keys after the first, by the zero-padded index of their entry."""
TAIL = 256
"""Leaves checked against the checkpoint at every start."""


def genesis(
    store: LogStore,
    signer: CheckpointSigner,
    clock: Clock,
    *,
    environment: Environment,
    engine: str,
    previous: Mapping[str, object] | None = None,
    then: Callable[[Transaction], None] = lambda _: None,
) -> Entry:
    """The log's first entry, written now when the log is empty. Call before the sequencer starts.

    `previous`: the log that this one follows (docs/formats.md section 3); `then` writes what stands right behind the
    genesis, in the same batch. Without `previous` a log that follows another is opened as any other is.

    Raises:
        SluisError: CONFIG_INVALID when the log belongs to another origin, environment or key, or follows another log:
            they are fixed for the life of a log, but for a key that was changed in it. LOG_UNAVAILABLE, STORE_CORRUPT.
    """
    check_origin(signer.origin)
    reader = store.reader
    if reader.size() == 0:
        with store.batch(clock.now()) as batch:
            body = {
                "origin": signer.origin,
                "environment": environment.value,
                "engine": engine,
                "verifier_key": signer.verifier_key,
                "previous": previous,
            }
            batch.transaction.append("genesis", body)
            then(batch.transaction)
            batch.commit(sign_checkpoint(signer, parse_verifier_key(signer.verifier_key), batch.size, batch.root))
    first = first_entry(reader)
    if previous is not None and not _follows(first.body["previous"], previous):
        raise SluisError(
            Code.CONFIG_INVALID,
            f"the log {signer.origin} was begun before, and not as the one that follows; give the next log a new "
            "origin and a new data directory",
        )
    for member, ours in (("origin", signer.origin), ("environment", environment.value)):
        if first.body.get(member) != ours:
            raise SluisError(
                Code.CONFIG_INVALID,
                f"this log was begun with another {member}; set the one it has, or begin a new log in a new database",
            )
    if key_periods(reader)[-1][1] != signer.verifier_key:
        raise SluisError(
            Code.CONFIG_INVALID,
            "this log was begun with another verifier key, or its key was changed; put the key it has in place, or, "
            "when a change was cut off, run `sluis keys rotate-log-key` again",
        )
    return first


def _follows(stored: Mapping[str, object] | None, previous: Mapping[str, object]) -> bool:
    """Whether a genesis names this log before it. The note may have other cosignatures, and a recovery that is run
    again may know more or less than it did: its first run stands."""
    members = ("origin", "reason") if previous["reason"] == "recovered" else ("origin", "reason", "size", "root")
    return stored is not None and all(stored[name] == previous[name] for name in members)


def key_periods(reader: LogReader) -> tuple[tuple[int, str], ...]:
    """The log's verifier keys, oldest first: (index of the entry that names the key, vkey).

    A checkpoint over `size` entries is signed by the last key whose index is smaller than `size`; the first one over
    a change is signed by the key before it too. As the store says, not as an auditor would check it.

    Raises:
        SluisError: STORE_CORRUPT, and what reading raises.
    """
    changed = ((int(index), key.decode()) for index, key in reader.documents(KEY_DOCUMENT))
    return ((0, str(first_entry(reader).body["verifier_key"])), *changed)


def check_unsealed(reader: LogReader) -> None:
    """Raises LOG_SEALED, naming what followed, when the log has ended."""
    size = reader.size()
    for entry in reader.entries(max(0, size - 1), size):
        last = _parse(entry.leaf)
        if last.kind == "seal":
            raise SluisError(
                Code.LOG_SEALED,
                f"this log was ended on {last.sequenced_at:%Y-%m-%d}; {last.body['next_origin']} follows: serve that "
                "one, with its configuration",
                metadata={"next_origin": str(last.body["next_origin"]), "next_key": str(last.body["next_key"])},
            )


def check_tree(reader: LogReader, key: VerifierKey, tail: int = TAIL) -> Checkpoint:
    """Checks the newest checkpoint's signature, and the last `tail` leaves and their tree nodes against its root.

    Raises:
        SluisError: STORE_CORRUPT, SIGNATURE_WRONG, and what reading raises.
    """
    size = reader.size()
    checkpoint = _newest(reader, key, size)
    count = 0
    for entry in reader.entries(max(0, size - tail), size):
        proof = reader.inclusion(entry.index, size)
        if not verify_inclusion(leaf_hash(entry.leaf), entry.index, size, proof, checkpoint.root):
            raise _corrupt()
        if _parse(entry.leaf).index != entry.index:
            raise _corrupt()
        count += 1
    if count != min(tail, size):
        raise _corrupt()
    return checkpoint


def check_whole(reader: LogReader, key: VerifierKey) -> int:
    """Re-hashes every leaf, compares every stored tree node and every checkpoint's root, and checks each signature.

    One pass over leaves, nodes and checkpoints side by side; memory does not grow with the log. The form of entries is
    not judged anew: their bytes are those that were signed. Returns the number of leaves.

    Raises:
        SluisError: STORE_CORRUPT, SIGNATURE_WRONG, and what reading raises.
    """
    size = reader.size()
    _newest(reader, key, size)
    periods = [(index, parse_verifier_key(vkey)) for index, vkey in reversed(key_periods(reader))]
    tree = CompactRange()
    leaves, nodes = reader.entries(0, size), reader.nodes()
    for covered, note in reader.checkpoints():
        if covered > size:
            break
        while tree.size < covered:
            entry = next(leaves, None)
            if entry is None or not entry.index == tree.size == leaf_index(entry.leaf):
                raise _corrupt()
            for _, _, made in tree.append(leaf_hash(entry.leaf)):
                if next(nodes, None) != made:
                    raise _corrupt()
        checkpoint = verify_checkpoint(note, next(vkey for index, vkey in periods if index < covered))
        if checkpoint.size != covered or checkpoint.root != tree.root():
            raise _corrupt()
    if tree.size != size:
        raise _corrupt()
    return size


def check_writer(store: LogStore, at: datetime, checkpoint: Checkpoint) -> None:
    """Checks that the store would go on from exactly the tree of `checkpoint`: the peaks it appends to included.

    Raises:
        SluisError: STORE_CORRUPT, LOG_UNAVAILABLE.
    """
    with store.batch(at) as batch:
        if (batch.size, batch.root) != (checkpoint.size, checkpoint.root):
            raise _corrupt()


def receipt_of(reader: LogReader, index: int) -> Receipt:
    """The receipt of a committed entry, under the newest checkpoint."""
    size, checkpoint = reader.checkpoint()
    (entry,) = reader.entries(index, index + 1)
    return Receipt(entry.leaf, index, reader.inclusion(index, size), checkpoint)


def last_time(reader: LogReader) -> datetime:
    """When the newest entry was sequenced."""
    size = reader.size()
    for entry in reader.entries(size - 1, size):
        return _parse(entry.leaf).sequenced_at
    raise _corrupt()


def _newest(reader: LogReader, key: VerifierKey, size: int) -> Checkpoint:
    if size == 0:
        raise SluisError(Code.CONFIG_INVALID, "this log is empty: it has no genesis yet")
    covered, note = reader.checkpoint()
    checkpoint = verify_checkpoint(note, key)
    if not covered == checkpoint.size == size:
        raise _corrupt()
    return checkpoint


def first_entry(reader: LogReader) -> Entry:
    """The genesis. Raises STORE_CORRUPT, and what reading raises."""
    for entry in reader.entries(0, 1):
        first = _parse(entry.leaf)
        if first.kind == "genesis" and first.index == 0:
            return first
    raise _corrupt()


def _parse(leaf: bytes) -> Entry:
    try:
        return parse_leaf(leaf)
    except SluisError as error:
        raise _corrupt() from error


def _corrupt() -> SluisError:
    return SluisError(
        Code.STORE_CORRUPT,
        "the stored log does not fit its signed checkpoint: stop, keep the files, restore from a backup that is at "
        "least as long as the newest receipt, and run `sluis doctor`",
    )
