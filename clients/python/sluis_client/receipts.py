"""What a participant checks offline: that an entry stands in the log and that the log only grew."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sluis_client.canonical import parse_canonical
from sluis_client.ed25519_keys import public_key_of
from sluis_client.errors import ClientError, Exit
from sluis_client.merkle import HASH_BYTES, leaf_hash, verify_consistency, verify_inclusion
from sluis_client.register_digest import RegisterDigest

__all__ = [
    "Checkpoint",
    "Receipt",
    "RegisterDigest",
    "check_verifier_key",
    "leaf_hash",
    "parse_checkpoint",
    "verify_consistency",
    "verify_inclusion",
    "verify_receipt",
]

MAX_LEAF_BYTES = 65_535
_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_LEAF_MEMBERS = {"body", "index", "kind", "sequenced_at", "v"}


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


def verify_receipt(receipt: Receipt, vkeys: Sequence[str]) -> dict[str, Any]:
    """The entry that the receipt proves to stand in the log of one of `vkeys` (C2SP verifier keys).

    Raises:
        ClientError: RECEIPT_BROKEN.
    """
    checkpoint = parse_checkpoint(receipt.checkpoint, vkeys)
    if len(receipt.leaf) > MAX_LEAF_BYTES:
        raise _broken("its leaf is longer than a leaf can be")
    try:
        entry = parse_canonical(receipt.leaf)
    except ClientError:
        raise _broken("its leaf is not canonical JSON") from None
    if set(entry) != _LEAF_MEMBERS or entry["v"] != 1:
        raise _broken("its leaf is not an entry of version 1")
    if entry["index"] != receipt.index:
        raise _broken("its leaf says another index")
    if not verify_inclusion(
        leaf_hash(receipt.leaf), receipt.index, checkpoint.size, receipt.inclusion, checkpoint.root
    ):
        raise _broken("the proof does not lead from its leaf to the signed root")
    return entry


def parse_checkpoint(note: str, vkeys: Sequence[str]) -> Checkpoint:
    """The checkpoint in a C2SP signed note, once signed by the log of one of `vkeys`.

    Cosignatures of others are ignored; a wrong signature under a key of `vkeys` refuses the note.

    Raises:
        ClientError: RECEIPT_BROKEN.
    """
    text, separator, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not separator or len(lines) != 3 or not signatures.endswith("\n"):
        raise _broken("its checkpoint is not a signed note of three lines")
    origin, size_text, root_text = lines
    root = _base64(root_text)
    if not _SIZE.fullmatch(size_text):
        raise _broken("its checkpoint's size is not a number")
    if root is None or len(root) != HASH_BYTES:
        raise _broken("its checkpoint's root is not a hash")
    message = (text + "\n").encode()
    keys = [_verifier_key(vkey) for vkey in vkeys]
    good = False
    for line in signatures[:-1].split("\n"):
        name, raw = _signature_line(line)
        for key_name, key_hash, key in keys:
            if name == key_name == origin and raw[:_KEY_HASH_BYTES] == key_hash:
                _verify_note(key, raw[_KEY_HASH_BYTES:], message)
                good = True
    if not good:
        raise _broken("its checkpoint is not signed by a log you trust")
    return Checkpoint(origin, int(size_text), root)


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
        raise _broken("its checkpoint has a line that is not a signature")
    return name, raw


def _verify_note(key: Ed25519PublicKey, signature: bytes, message: bytes) -> None:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        raise _broken("its checkpoint's signature does not verify") from None


def _base64(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # one spelling only
    return raw if base64.b64encode(raw).decode() == text else None


def _broken(why: str) -> ClientError:
    return ClientError("RECEIPT_BROKEN", f"the receipt is refused: {why}", Exit.VERIFICATION_FAILED)
