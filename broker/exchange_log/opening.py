"""Opening a log: its first entry, and the checks a stored tree must pass before anything is signed on top of it."""

from __future__ import annotations

from datetime import datetime

from broker.errors import Code, SluisError
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
from broker.ports import CheckpointSigner, Clock, LogReader, LogStore

TAIL = 256
"""Leaves checked against the checkpoint at every start."""


def genesis(store: LogStore, signer: CheckpointSigner, clock: Clock, *, environment: Environment, engine: str) -> Entry:
    """The log's first entry, written now when the log is empty. Call before the sequencer starts.

    Raises:
        SluisError: CONFIG_INVALID when the log belongs to another origin, environment or key: they are fixed for the
            life of a log. LOG_UNAVAILABLE, STORE_CORRUPT.
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
                "previous": None,
            }
            batch.transaction.append("genesis", body)
            batch.commit(sign_checkpoint(signer, parse_verifier_key(signer.verifier_key), batch.size, batch.root))
    first = _first(reader)
    for member, ours in (
        ("origin", signer.origin),
        ("environment", environment.value),
        ("verifier_key", signer.verifier_key),
    ):
        if first.body.get(member) != ours:
            raise SluisError(
                Code.CONFIG_INVALID,
                f"this log was begun with another {member.replace('_', ' ')}; "
                "set the one it has, or begin a new log in a new database",
            )
    return first


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
        checkpoint = verify_checkpoint(note, key)
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


def _first(reader: LogReader) -> Entry:
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
