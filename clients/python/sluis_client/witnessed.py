"""Whether witnesses saw what a receipt proves: cosignatures (C2SP tlog-cosignature) under the profile's own keys.

A checkpoint is the log's word. Cosigned by a quorum of the witnesses it is theirs too: they saw this tree, and no other
one. Words as in `sluis audit verify`: witnessed, or log-signed only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature

from sluis_client.ed25519_keys import public_key_of
from sluis_client.errors import ClientError, Exit
from sluis_client.merkle import verify_consistency
from sluis_client.receipts import parse_checkpoint, receipt_broken

_KIND = 4
_KEY_HASH_BYTES = 4
_BLOB_BYTES = 4 + 8 + 64
_LATEST = 253_402_300_799
LOG_SIGNED_ONLY = "log-signed only"


@dataclass(frozen=True)
class WitnessRule:
    """`quorum` of these witnesses must have cosigned. `keys`: (name, key hash) -> Ed25519 public key."""

    keys: Mapping[tuple[str, bytes], bytes]
    quorum: int


@dataclass(frozen=True)
class Seen:
    """Who saw a log: `by` of so many witnesses; witnessed where these are enough. `at`: when the quorum was there."""

    by: tuple[str, ...]
    of: int
    at: datetime

    def __str__(self) -> str:
        return f"witnessed by {len(self.by)} of {self.of} ({', '.join(self.by)}) at {self.at:%Y-%m-%dT%H:%M:%SZ}"


def read_rule(texts: Sequence[str], quorum: int) -> WitnessRule:
    """The rule of a profile, from C2SP verifier keys of type 4. Raises VKEY_INVALID."""
    keys = dict(map(_witness_key, texts))
    if len(set(keys.values())) != len(texts):
        raise ClientError("VKEY_INVALID", "witnesses names a key twice; one witness counts once")
    if not 1 <= quorum <= len(texts):
        raise ClientError("VKEY_INVALID", "witness_quorum is at least 1, and at most the number of witnesses")
    return WitnessRule(keys, quorum)


def seen(note: str, rule: WitnessRule) -> Seen | None:
    """Who cosigned a checkpoint that `parse_checkpoint` took; None where that is no quorum.

    Raises:
        ReceiptError: RECEIPT_BROKEN (`checkpoint-altered`) for a wrong cosignature under a key of the rule.
    """
    head, _, tail = note.partition("\n\n")
    times: dict[str, datetime] = {}
    for line in tail[:-1].split("\n"):
        _, name, text = line.split(" ")
        blob = base64.b64decode(text)
        key = rule.keys.get((name, blob[:_KEY_HASH_BYTES]))
        if key is None:
            continue
        at = _cosigned_at(head, blob, key, name)
        times[name] = max(at, times.get(name, at))
    if len(times) < rule.quorum:
        return None
    return Seen(tuple(sorted(times)), len(rule.keys), sorted(times.values())[rule.quorum - 1])


def cover_json(note: str, proofs: Mapping[int, Sequence[bytes]]) -> dict[str, Any]:
    """A cosigned checkpoint with the consistency proofs from smaller sizes to it, as receipts files hold it."""
    listed = {str(size): [base64.b64encode(node).decode() for node in proof] for size, proof in sorted(proofs.items())}
    return {"checkpoint": note, "consistency": listed}


def seen_under(
    notes: Sequence[str], cover: Mapping[str, Any] | None, keys: Sequence[str], rule: WitnessRule
) -> Seen | None:
    """Who saw the log of every one of `notes`: by cosignatures on it, or on a larger checkpoint that continues it.

    `cover`: as `cover_json` made it. `keys`: the log's. None where one of them is log-signed only.

    Raises:
        ReceiptError: RECEIPT_BROKEN where a cosignature is wrong, or `cover` does not continue what it should.
        KeyError, TypeError, ValueError: `cover` has another form.
    """
    covering = None if cover is None else parse_checkpoint(cover["checkpoint"], keys)
    by_cover = None if cover is None else seen(cover["checkpoint"], rule)
    found: list[Seen] = []
    for note in dict.fromkeys(notes):
        own = seen(note, rule)
        if own is None and cover is not None and covering is not None and by_cover is not None:
            head = parse_checkpoint(note, keys)
            if head.size <= covering.size:
                proof = [base64.b64decode(node, validate=True) for node in cover["consistency"].get(str(head.size), ())]
                same = head.size == covering.size and head.root == covering.root
                if not same and not verify_consistency(head.size, covering.size, head.root, covering.root, proof):
                    raise receipt_broken("the cosigned checkpoint beside it does not continue it", "checkpoint-altered")
                own = by_cover
        if own is None:
            return None
        found.append(own)
    return min(found, key=lambda one: (len(one.by), one.at), default=None)


def demand(found: Seen | None, *, demanded: bool) -> None:
    """Raises NOT_WITNESSED (exit code 6) where the profile demands witnesses and `found` is None."""
    if demanded and found is None:
        raise ClientError(
            "NOT_WITNESSED",
            f"{LOG_SIGNED_ONLY}: too few of the profile's witnesses cosigned a checkpoint that covers it, and "
            "demand_witnessed asks for that; run the same command again later, or ask the operator which witnesses "
            "do not answer",
            Exit.VERIFICATION_FAILED,
        )


def _cosigned_at(head: str, blob: bytes, key: bytes, name: str) -> datetime:
    seconds = int.from_bytes(blob[4:12], "big")
    message = f"cosignature/v1\ntime {seconds}\n{head}\n".encode()
    try:
        if len(blob) != _BLOB_BYTES or not 0 < seconds <= _LATEST:
            raise ValueError
        public_key_of(key).verify(blob[12:], message)
    except (InvalidSignature, ValueError):
        raise receipt_broken(f"the cosignature of {name} does not verify", "checkpoint-altered") from None
    return datetime.fromtimestamp(seconds, UTC)


def _witness_key(text: str) -> tuple[tuple[str, bytes], bytes]:
    name, _, rest = text.partition("+")
    mark, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
        public_key_of(raw[1:])
    except (binascii.Error, ValueError):
        raw = b""
    if not name or len(raw) != 33 or raw[0] != _KIND or base64.b64encode(raw).decode() != encoded:
        raise ClientError("VKEY_INVALID", "a witness's key is name+hash+base64 of type 4 and an Ed25519 key")
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:_KEY_HASH_BYTES]
    if mark != expected.hex():
        raise ClientError("VKEY_INVALID", "a witness key's hash is not that of its name and key; copy it again")
    return (name, expected), raw[1:]
