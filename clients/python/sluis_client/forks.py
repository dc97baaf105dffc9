"""Two checkpoints of one log: does the one continue the other, and what proves that they do not.

A fork is proven when no honest log could have signed both: two roots for one size, or a larger tree that provably
begins otherwise than the smaller one. Such evidence convinces anybody who has the log's key, offline.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sluis_client.errors import ClientError, Exit
from sluis_client.merkle import HASH_BYTES, consistency_roots, verify_consistency
from sluis_client.receipts import Checkpoint, parse_checkpoint

FORMAT = "sluis-client/log-evidence/1"
MAX_BYTES = 1 << 20


class LogProofs(Protocol):
    """What comparing asks of the broker."""

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See Transport."""
        ...

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """See Transport."""
        ...


@dataclass(frozen=True)
class Signed:
    """A checkpoint with the note that it was read from."""

    head: Checkpoint
    note: str


@dataclass(frozen=True)
class Evidence:
    """Two signed checkpoints. With `prefix_root`, the root that the larger tree has over the first leaves of the
    smaller size, and the consistency proof from there, or with equal sizes, they prove a fork; else they prove no more
    than that both were signed.
    """

    checkpoints: tuple[str, str]
    prefix_root: bytes | None = None
    consistency: tuple[bytes, ...] = ()

    def as_json(self, code: str) -> dict[str, Any]:
        """As kept in the state directory and written by `log compare` (docs/formats.md section 10)."""
        return {
            "format": FORMAT,
            "code": code,
            "checkpoints": list(self.checkpoints),
            "prefix_root": None if self.prefix_root is None else self.prefix_root.hex(),
            "consistency": [base64.b64encode(node).decode() for node in self.consistency],
        }


@dataclass(frozen=True)
class Relation:
    """How two checkpoints stand to each other: `same` log, `fork` (proven by `evidence`), or `unproven`, and why."""

    verdict: Literal["same", "fork", "unproven"]
    evidence: Evidence
    why: str = ""
    refused: bool = False
    """Unproven because the broker refuses to give a proof: it says that it has no such tree."""


def relate(one: Signed, other: Signed, proofs: LogProofs | None) -> Relation:
    """How two checkpoints stand to each other, by the broker's proofs (None: nobody can be asked).

    Raises:
        ClientError: what the broker cannot be reached for (exit code 7); a refusal is a Relation.
    """
    old, new = sorted((one, other), key=lambda signed: signed.head.size)
    bare = Evidence((old.note, new.note))
    if old.head.size == new.head.size:
        return Relation("same" if old.head.root == new.head.root else "fork", bare)
    if old.head.size == 0:
        return Relation("same", bare)
    if proofs is None:
        return Relation("unproven", bare, "they differ in size, and without the broker there is no proof")
    try:
        proof = proofs.consistency(old.head.size, new.head.size)
        if verify_consistency(old.head.size, new.head.size, old.head.root, new.head.root, proof):
            return Relation("same", bare)
        prefix = _prefix_root(old.head.size, new.head, proof, proofs)
    except ClientError as error:
        if error.exit_code is not Exit.BROKER_REFUSED:
            raise
        why = f"the broker refuses a proof between sizes {old.head.size} and {new.head.size} ({error.code})"
        return Relation("unproven", bare, why, refused=True)
    if prefix is None:
        return Relation("unproven", bare, "the proof that the broker gives leads to neither of them")
    return Relation("fork", Evidence((old.note, new.note), prefix, proof))


def _prefix_root(size: int, new: Checkpoint, proof: tuple[bytes, ...], proofs: LogProofs) -> bytes | None:
    """The root over the first `size` leaves of the tree of `new`, as `proof` has it; None when it has none.

    A proof from a power of two leaves that root out; it then stands in the audit path of the leaf behind it.
    """
    candidates: Sequence[bytes] = [bytes(HASH_BYTES)]
    if size & (size - 1) == 0:
        candidates = proofs.inclusion(size, new.size)
    for candidate in candidates:
        roots = consistency_roots(size, new.size, candidate, proof)
        if roots is not None and roots[1] == new.root:
            return roots[0]
    return None


def read_evidence(data: bytes) -> Evidence:
    """The evidence in a file. Raises EVIDENCE_UNREADABLE (exit code 2)."""
    unreadable = ClientError("EVIDENCE_UNREADABLE", "this is no evidence file as `log compare` writes it", Exit.USAGE)
    if len(data) > MAX_BYTES:
        raise unreadable
    try:
        value = json.loads(data)
        if value["format"] != FORMAT:
            raise unreadable
        return _evidence_of(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        # from None: the parser's message quotes what it read
        raise unreadable from None


def _evidence_of(value: Mapping[str, Any]) -> Evidence:
    one, other = value["checkpoints"]
    if not (isinstance(one, str) and isinstance(other, str)):
        raise TypeError
    prefix = None if value["prefix_root"] is None else bytes.fromhex(value["prefix_root"])
    proof = tuple(base64.b64decode(node, validate=True) for node in value["consistency"])
    return Evidence((one, other), prefix, proof)


def check_evidence(evidence: Evidence, vkeys: Sequence[str]) -> tuple[bool, Checkpoint, Checkpoint]:
    """Whether the evidence proves a fork of the log of one of `vkeys`, and its two checkpoints, the smaller first.

    Raises:
        ClientError: RECEIPT_BROKEN when one of them is not signed by that log.
    """
    heads = (parse_checkpoint(note, vkeys) for note in evidence.checkpoints)
    old, new = sorted(heads, key=lambda head: head.size)
    if old.origin != new.origin:
        return False, old, new
    if old.size == new.size:
        return old.root != new.root, old, new
    prefix = evidence.prefix_root
    proven = (
        prefix is not None
        and prefix != old.root
        and verify_consistency(old.size, new.size, prefix, new.root, evidence.consistency)
    )
    return proven, old, new
