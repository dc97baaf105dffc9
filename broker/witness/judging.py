"""What a witness decides about a checkpoint that is offered: the rules of C2SP tlog-witness in their order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from broker.errors import SluisError
from broker.exchange_log.checkpoint import Checkpoint, VerifierKey, parse_checkpoint, verify_checkpoint
from broker.exchange_log.merkle import EMPTY_ROOT, verify_consistency
from broker.witness.wire import SIZE_TYPE, AddCheckpoint

Logs = Mapping[str, Sequence[VerifierKey]]
"""Origin -> the keys that may sign its checkpoints."""


@dataclass(frozen=True)
class Known:
    """The newest tree of a log that this witness cosigned, and when."""

    size: int
    root: bytes
    at: datetime | None
    note: str
    """As it goes to whoever asks: the log's signature and the witness's cosignature; "" when there is none."""


NOTHING = Known(0, EMPTY_ROOT, None, "")
"""What is known of a log that was never cosigned."""


@dataclass(frozen=True)
class Refusal:
    """An answer that is not a cosignature."""

    status: int
    text: str
    content_type: str = "text/plain; charset=utf-8"
    contradicts: bool = False
    """Whether what the log signed does not go together as it was offered: worth keeping."""
    proven: bool = False
    """Whether that shows by itself that the log signed two trees; else the proof may merely be wrong, and anyone who
    has a checkpoint can send a wrong proof."""


@dataclass(frozen=True)
class Signed:
    """A checkpoint signed by a log that this witness watches: its body and the log's own signature lines."""

    checkpoint: Checkpoint
    note: str
    """The checkpoint with only the signatures that were verified."""


def signed_by_log(request: AddCheckpoint, logs: Logs) -> Signed | Refusal:
    """The request's checkpoint once a known log's key is shown to have signed it; else 400, 404 or 403."""
    try:
        checkpoint = parse_checkpoint(request.note)
    except SluisError:
        return Refusal(400, "the request ends with a checkpoint: origin, size and root lines, signature lines\n")
    keys = logs.get(checkpoint.origin)
    if keys is None:
        return Refusal(404, "this witness does not watch a log of that origin\n")
    marks = {(key.name, key.key_hash): key for key in keys}
    used = {marks[mark] for name, key_hash, _ in checkpoint.signatures if (mark := (name, key_hash)) in marks}
    try:
        for key in used:
            verify_checkpoint(request.note, key)
    except SluisError:
        used = set()
    if not used:
        return Refusal(403, "the checkpoint is not signed by a key that this witness knows for its origin\n")
    if request.old > checkpoint.size:
        return Refusal(400, "the old size is larger than the checkpoint's\n")
    return Signed(checkpoint, _only(request.note, {(key.name, key.key_hash) for key in used}, checkpoint))


def extends(request: AddCheckpoint, signed: Signed, known: Known) -> Refusal | None:
    """Why a signed checkpoint does not extend what is known: 409 or 422; None when it does."""
    checkpoint = signed.checkpoint
    if request.old != known.size:
        return Refusal(409, f"{known.size}\n", SIZE_TYPE)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return Refusal(422, "the tree of no entries has the root of the empty tree\n")
    if 0 < known.size == checkpoint.size and checkpoint.root != known.root:
        text = "this witness cosigned another root of this size\n"
        return Refusal(422, text, contradicts=True, proven=True)
    if known.size in (0, checkpoint.size):
        return Refusal(422, "from this old size the proof is empty\n") if request.proof else None
    if not verify_consistency(known.size, checkpoint.size, request.proof, known.root, checkpoint.root):
        text = "the proof does not show that this tree extends the one that this witness cosigned\n"
        return Refusal(422, text, contradicts=True)
    return None


def time_after(now: datetime, known: Known) -> datetime:
    """The time of the next cosignature, in whole seconds: now, and never before the last one."""
    at = now.replace(microsecond=0)
    return at if known.at is None else max(at, known.at)


def _only(note: str, marks: set[tuple[str, bytes]], checkpoint: Checkpoint) -> str:
    """`note` without the signature lines of keys that are not in `marks`."""
    head, _, tail = note.partition("\n\n")
    lines = tail[:-1].split("\n")
    kept = [
        line
        for line, (name, key_hash, _) in zip(lines, checkpoint.signatures, strict=True)
        if (name, key_hash) in marks
    ]
    joined = "\n".join(kept)
    return f"{head}\n\n{joined}\n"
