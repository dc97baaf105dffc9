"""Cosignatures of witnesses: C2SP tlog-cosignature, Ed25519 (`cosignature/v1`), on checkpoints. Pure.

A cosignature says: at this time the largest tree that I saw of this log, consistent with all that I saw before, has
this root.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature

from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import (
    Checkpoint,
    VerifierKey,
    parse_checkpoint,
    parse_signature_line,
    parse_verifier_key,
    verifier_key,
    verify_checkpoint,
)

COSIGNATURE_V1 = 0x04
"""The type byte of Ed25519 cosignature keys (C2SP signed-note)."""
COSIGNED = "cosigned"
"""Kind of the documents that hold cosigned checkpoints, by `cosigned_key`."""
NEWEST = ("witnessed", "newest")
"""Kind and key of the document with the newest checkpoint that a quorum cosigned."""
_BLOB_BYTES = 8 + 64
_LATEST = 253_402_300_799
"""Seconds: the end of the year 9999. The standard allows more; no clock that is right says so."""


@dataclass(frozen=True)
class Cosigned:
    """A checkpoint that its log signed, and which witnesses cosigned it when."""

    checkpoint: Checkpoint
    at: Mapping[str, datetime]
    """Name of the witness -> time of its newest cosignature."""


def cosigned_key(size: int) -> str:
    """The key of the document with the cosigned checkpoint of `size`: keys sort as sizes do."""
    return f"{size:016d}"


def witness_key(name: str, public_key: bytes) -> VerifierKey:
    """The verifier key of a witness, for an Ed25519 public key (32 bytes)."""
    return verifier_key(name, public_key, COSIGNATURE_V1)


def parse_witness_key(text: str) -> VerifierKey:
    """The witness's verifier key in `text`: name+hex(key hash)+base64(0x04 || public key). Raises CONFIG_INVALID."""
    key = parse_verifier_key(text, COSIGNATURE_V1)
    try:
        public_key_of(key.public_key)
    except ValueError:
        raise SluisError(
            Code.CONFIG_INVALID, "a witness's verifier key under which anybody could sign; ask the witness for its own"
        ) from None
    return key


def cosigned_message(body: bytes, seconds: int) -> bytes:
    """What a witness signs: header line, time line, and the checkpoint's body."""
    return b"cosignature/v1\n" + f"time {seconds}\n".encode() + body


def cosign(key: VerifierKey, sign: Callable[[bytes], bytes], body: bytes, at: datetime) -> str:
    """The signature line, with its newline, of the witness `key` on a checkpoint's body; `sign` is Ed25519."""
    seconds = int(at.timestamp())
    blob = key.key_hash + seconds.to_bytes(8, "big") + sign(cosigned_message(body, seconds))
    return f"— {key.name} {base64.b64encode(blob).decode()}\n"


def cosignatures(checkpoint: Checkpoint, keys: Iterable[VerifierKey]) -> dict[str, datetime]:
    """Which of the witnesses `keys` cosigned `checkpoint`, and when. Lines of keys that are not given are passed over.

    Raises:
        SluisError: SIGNATURE_WRONG when a line under one of the keys does not verify: the note was tampered with.
    """
    known = {(key.name, key.key_hash): key for key in keys}
    found: dict[str, datetime] = {}
    for name, key_hash, blob in checkpoint.signatures:
        key = known.get((name, key_hash))
        if key is not None:
            at = _time_of(key, checkpoint.body, blob)
            found[name] = max(at, found.get(name, at))
    return found


def verify_cosigned(note: str, log_key: VerifierKey, witnesses: Iterable[VerifierKey]) -> Cosigned:
    """The checkpoint in `note` when the log signed it, with those of `witnesses` who cosigned it.

    Raises:
        SluisError: STATEMENT_INVALID when it is no checkpoint; SIGNATURE_WRONG when the log did not sign it, or a
            cosignature under one of the keys is wrong.
    """
    checkpoint = verify_checkpoint(note, log_key)
    return Cosigned(checkpoint, cosignatures(checkpoint, witnesses))


def cosignature_line(answer: str, body: bytes, key: VerifierKey) -> str:
    """The line of `key`, with its newline, among the signature lines that a witness answered for a checkpoint's body.

    Raises:
        SluisError: STATEMENT_INVALID when `answer` is not signature lines; SIGNATURE_WRONG when none is by `key`, or
            one is and does not verify.
    """
    if not answer.endswith("\n"):
        raise SluisError(Code.STATEMENT_INVALID, "a witness answers with whole signature lines")
    good = ""
    for line in answer[:-1].split("\n"):
        name, key_hash, blob = parse_signature_line(line)
        if (name, key_hash) == (key.name, key.key_hash):
            _time_of(key, body, blob)
            good = f"{line}\n"
    if not good:
        raise SluisError(Code.SIGNATURE_WRONG, "the witness answered without a cosignature of its own key")
    return good


def cosigned_at(line: str) -> datetime:
    """The time in a signature line that `cosignature_line` returned."""
    return datetime.fromtimestamp(int.from_bytes(parse_signature_line(line[:-1])[2][:8], "big"), UTC)


def with_lines(note: str, lines: Iterable[str]) -> str:
    """`note` with signature lines added that it has not; a later line of a key takes the place of an earlier one."""
    body, _, signed = note.partition("\n\n")
    kept = {parse_signature_line(line)[:2]: line for line in signed[:-1].split("\n")}
    for line in lines:
        kept[parse_signature_line(line[:-1])[:2]] = line[:-1]
    joined = "\n".join(kept.values())
    whole = f"{body}\n\n{joined}\n"
    parse_checkpoint(whole)
    return whole


def _time_of(key: VerifierKey, body: bytes, blob: bytes) -> datetime:
    wrong = SluisError(Code.SIGNATURE_WRONG, "a cosignature is not by the witness's key, on this checkpoint")
    seconds = int.from_bytes(blob[:8], "big")
    if len(blob) != _BLOB_BYTES or not 0 < seconds <= _LATEST:
        raise wrong
    try:
        public_key_of(key.public_key).verify(blob[8:], cosigned_message(body, seconds))
    except (InvalidSignature, ValueError):
        raise wrong from None
    return datetime.fromtimestamp(seconds, UTC)
