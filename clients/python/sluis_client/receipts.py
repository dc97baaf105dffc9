"""What a participant checks offline: that an entry stands in the log and that the log only grew."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sluis_client.canonical import parse_canonical
from sluis_client.ed25519_keys import public_key_of
from sluis_client.errors import ClientError, Exit
from sluis_client.merkle import HASH_BYTES, leaf_hash, proof_length, verify_consistency, verify_inclusion
from sluis_client.register_digest import RegisterDigest

__all__ = [
    "Checkpoint",
    "Receipt",
    "ReceiptError",
    "RegisterDigest",
    "check_verifier_key",
    "leaf_hash",
    "parse_checkpoint",
    "receipt_broken",
    "verify_consistency",
    "verify_inclusion",
    "verify_receipt",
]

MAX_LEAF_BYTES = 65_535
_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_PLAIN = re.compile(r"[!-~]{1,200}")
_LEAF_MEMBERS = {"body", "index", "kind", "sequenced_at", "v"}


class ReceiptError(ClientError):
    """RECEIPT_BROKEN (exit code 6), with `why` for programs; the words of each are in `message`.

    `form` no receipt as there should be one; `wrong-log` a checkpoint of another log; `wrong-key` one that no key of
    the profile signed; `checkpoint-altered` its signature does not verify; `entry-altered` entry or proof changed;
    `other-entry` the proof or the index is another entry's; `other-contents` the entry says something else than it
    should; `not-ours` an exchange of others.
    """

    def __init__(self, message: str, why: str) -> None:
        super().__init__("RECEIPT_BROKEN", message, Exit.VERIFICATION_FAILED)
        self.why = why


def receipt_broken(text: str, why: str = "other-contents") -> ReceiptError:
    """A refusal of a receipt, in words and for programs."""
    return ReceiptError(f"the receipt is refused: {text}", why)


class Receipt(Protocol):
    """The members of a receipt, whatever carries them: the wire message, a file, a test."""

    @property
    def leaf(self) -> bytes:
        """The exact leaf bytes."""
        ...

    @property
    def index(self) -> int:
        """Zero-based index of the leaf."""
        ...

    @property
    def inclusion(self) -> Sequence[bytes]:
        """RFC 6962 audit path, leaf side first."""
        ...

    @property
    def checkpoint(self) -> str:
        """C2SP signed note."""
        ...


@dataclass(frozen=True)
class Checkpoint:
    """A signed tree head: the log's origin, its number of leaves and its root hash."""

    origin: str
    size: int
    root: bytes
    key: int = field(default=0, compare=False)
    """The place, among the log keys it was checked with, of the last one that signed it."""


def verify_receipt(receipt: Receipt, vkeys: Sequence[str]) -> dict[str, Any]:
    """The entry that the receipt proves to stand in the log of one of `vkeys` (C2SP verifier keys).

    Raises:
        ReceiptError: RECEIPT_BROKEN, for one of its reasons.
    """
    checkpoint = parse_checkpoint(receipt.checkpoint, vkeys)
    if len(receipt.leaf) > MAX_LEAF_BYTES:
        raise receipt_broken("its entry is longer than an entry can be", "entry-altered")
    try:
        entry = parse_canonical(receipt.leaf)
    except ClientError:
        raise receipt_broken("its entry was altered: it is not canonical JSON", "entry-altered") from None
    if set(entry) != _LEAF_MEMBERS or entry["v"] != 1:
        raise receipt_broken("its entry was altered: it is not an entry of version 1", "entry-altered")
    if entry["index"] != receipt.index:
        raise receipt_broken(f"it says entry {receipt.index}, and holds another entry", "other-entry")
    digest = leaf_hash(receipt.leaf)
    if not verify_inclusion(digest, receipt.index, checkpoint.size, receipt.inclusion, checkpoint.root):
        raise _no_way_to_root(receipt, digest, checkpoint.size)
    return entry


def _no_way_to_root(receipt: Receipt, digest: bytes, size: int) -> ReceiptError:
    """Why a proof does not lead from an entry to the signed root, as far as one receipt can tell."""
    index, proof = receipt.index, receipt.inclusion
    if not 0 <= index < size:
        return receipt_broken(f"entry {index} is not in its checkpoint, which holds {size} entries", "other-entry")
    if len(proof) != proof_length(index, size) or any(len(node) != HASH_BYTES for node in proof):
        return receipt_broken(f"its proof is not one for entry {index} in a log of {size} entries", "other-entry")
    if proof and proof[0] == digest:
        return receipt_broken(f"its proof is that of entry {index ^ 1}, the neighbour of this one", "other-entry")
    text = f"entry {index} or its proof was altered: they do not lead to the root that the log signed"
    return receipt_broken(text, "entry-altered")


def parse_checkpoint(note: str, vkeys: Sequence[str]) -> Checkpoint:
    """The checkpoint in a C2SP signed note, once signed by the log of one of `vkeys`.

    Cosignatures of others are ignored; a wrong signature under a key of `vkeys` refuses the note.

    Raises:
        ReceiptError: RECEIPT_BROKEN (`form`, `wrong-log`, `wrong-key`, `checkpoint-altered`).
        ClientError: VKEY_INVALID.
    """
    text, separator, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) != 3 or not signatures.endswith("\n"):
        raise _no_note("is not a signed note of three lines")
    origin, size_text, root_text = lines
    root = _base64(root_text)
    if not _SIZE.fullmatch(size_text):
        raise _no_note("has a size that is not a number")
    if root is None or len(root) != HASH_BYTES:
        raise _no_note("has a root that is not a hash")
    message = (text + "\n").encode()
    keys = [_verifier_key(vkey) for vkey in vkeys]
    good = []
    for line in signatures[:-1].split("\n"):
        name, raw = _signature_line(line)
        for place, (key_name, key_hash, key) in enumerate(keys):
            if name == key_name == origin and raw[:_KEY_HASH_BYTES] == key_hash:
                _verify_note(key, raw[_KEY_HASH_BYTES:], message)
                good.append(place)
    if not good:
        raise _not_trusted(origin, sorted({name for name, _, _ in keys}))
    return Checkpoint(origin, int(size_text), root, max(good))


def _not_trusted(origin: str, trusted: Sequence[str]) -> ReceiptError:
    if origin in trusted:
        return receipt_broken(
            f"its checkpoint is of {origin}, but none of the log keys in your profile signed it: another key did, or "
            "the log has a newer key; ask for it by another way than the broker",
            "wrong-key",
        )
    named = origin if _PLAIN.fullmatch(origin) else "another name"
    text = f"its checkpoint is of another log, {named}; it is not signed by a log you trust"
    return receipt_broken(f"{text} ({', '.join(trusted) or 'no log key is given'})", "wrong-log")


def check_verifier_key(vkey: str) -> None:
    """Refuses a text that is no C2SP verifier key of an Ed25519 log. Raises VKEY_INVALID."""
    _verifier_key(vkey)


def _verifier_key(vkey: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, _, rest = vkey.partition("+")
    key_hash, _, encoded = rest.partition("+")
    raw = _base64(encoded)
    if not name or raw is None or len(raw) != 33 or raw[:1] != _ED25519:
        raise ClientError("VKEY_INVALID", "a log key is name+hash+base64 of type 1 and an Ed25519 key")
    expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:_KEY_HASH_BYTES]
    if key_hash != expected.hex():
        raise ClientError("VKEY_INVALID", "the log key's hash is not that of its name and key; copy it again")
    try:
        return name, expected, public_key_of(raw[1:])
    except ValueError as error:
        raise ClientError("VKEY_INVALID", f"the log key is {error}") from error


def _signature_line(line: str) -> tuple[str, bytes]:
    mark, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    raw = _base64(encoded)
    if mark != "\u2014" or not name or raw is None or len(raw) <= _KEY_HASH_BYTES:
        raise _no_note("has a line that is not a signature")
    return name, raw


def _verify_note(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise receipt_broken(
            "its checkpoint was altered after it was signed: the signature does not verify", "checkpoint-altered"
        ) from None


def _base64(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # one spelling only
    return raw if base64.b64encode(raw).decode() == text else None


def _no_note(what: str) -> ReceiptError:
    return receipt_broken(f"its checkpoint {what}", "form")
