"""The verifier's own RFC 6962 hashing and C2SP notes, written apart from the broker's: two readings of one standard."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature

from broker.ed25519_keys import public_key_of

_sha256 = hashlib.sha256

LogKeys = Mapping[tuple[str, bytes], bytes]
"""(name, key hash) -> Ed25519 public key."""


class NoteError(ValueError):
    """Not a checkpoint; `signature` tells that it is one, but not signed by a trusted key."""

    def __init__(self, why: str, *, signature: bool = False) -> None:
        super().__init__(why)
        self.signature = signature


def hash_leaf(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class GrowingTree:
    """The tree over the leaves seen so far, as a stack of (height, hash)."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        stack, height, value = self._stack, 0, _sha256(b"\x00" + leaf).digest()
        while stack and stack[-1][0] == height:
            value = _sha256(b"\x01" + stack.pop()[1] + value).digest()
            height += 1
        stack.append((height, value))
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._stack:
            return hashlib.sha256(b"").digest()
        value = self._stack[-1][1]
        for _, left in self._stack[-2::-1]:
            value = hash_children(left, value)
        return value


def path_to(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of a leaf, leaf side first, from the hashes of all leaves (RFC 6962 section 2.1.1)."""
    low, high, path = 0, len(hashes), []
    while high - low > 1:
        middle = low + (1 << (high - low - 1).bit_length() - 1)
        sibling = (middle, high) if index < middle else (low, middle)
        path.append(_root_of(hashes, *sibling))
        low, high = (low, middle) if index < middle else (middle, high)
    return path[::-1]


def _root_of(hashes: Sequence[bytes], low: int, high: int) -> bytes:
    level = list(hashes[low:high])
    while len(level) > 1:
        paired = [hash_children(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an audit path leads to (RFC 9162 section 2.1.3.2); None when the path has not the right shape."""
    if not 0 <= index < size:
        return None
    value, at, last = hash_leaf(leaf), index, size - 1
    rest = list(path)
    while last:
        if at % 2 == 1 or at < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            value = hash_children(sibling, value) if at % 2 == 1 else hash_children(value, sibling)
        at //= 2
        last //= 2
    return None if rest else value


@dataclass(frozen=True)
class SignedTree:
    """What a checkpoint states."""

    origin: str
    size: int
    root: bytes
    signers: frozenset[tuple[str, bytes]] = field(default=frozenset(), compare=False)
    """Name and key hash of the trusted keys of this origin that signed it."""


def parse_log_key(text: str) -> tuple[tuple[str, bytes], bytes]:
    """A C2SP verifier key as an item of LogKeys. Raises NoteError."""
    name, _, rest = text.partition("+")
    hash_text, _, key_text = rest.partition("+")
    key = decode(key_text)
    if not name or any(c <= " " or c == "+" or c > "~" for c in name) or len(key) != 33 or key[0] != 1:
        raise NoteError("not an Ed25519 verifier key")
    key_hash = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if hash_text != key_hash.hex():
        raise NoteError("a verifier key whose hash does not fit")
    return (name, key_hash), key[1:]


def read_unsigned(note: str) -> SignedTree:
    """What a signed note states, whoever signed it: its signatures are not checked. Raises NoteError."""
    return _read_note(note)[0]


def _read_note(note: str) -> tuple[SignedTree, str, list[tuple[str, bytes]]]:
    """What a note states, the text that is signed, and its signatures as (name, key hash and signature)."""
    head, blank, tail = note.partition("\n\n")
    lines = head.split("\n")
    if blank == "" or len(lines) != 3 or not tail.endswith("\n") or len(note) > 65_536:
        raise NoteError("not a signed note of three lines")
    origin, size_text, root_text = lines
    if not size_text.isascii() or not size_text.isdigit() or (size_text[0] == "0" and size_text != "0"):
        raise NoteError("not a size")
    if len(size_text) > 16 or len(root := decode(root_text)) != 32:
        raise NoteError("not a size and a root")
    signatures = []
    for line in tail[:-1].split("\n"):
        dash, name, blob_text = [*line.split(" "), "", "", ""][:3]
        blob = decode(blob_text)
        if dash != "—" or line.count(" ") != 2 or not _is_name(name) or len(blob) < 5:
            raise NoteError("not a signature line")
        signatures.append((name, blob))
    return SignedTree(origin, int(size_text), root), f"{head}\n", signatures


def _is_name(name: str) -> bool:
    """Whether a signature may be under this name: no white space of Unicode in it, and no plus sign."""
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def read_checkpoint(note: str, keys: LogKeys) -> SignedTree:
    """What `note` states, once a key of `keys` signed it; any wrong signature under one of them refuses it.

    Raises:
        NoteError: with `signature` set when only that is wrong.
    """
    tree, text, signatures = _read_note(note)
    good = set()
    for name, blob in signatures:
        key = keys.get((name, blob[:4]))
        if key is None:
            continue
        try:
            public_key_of(key).verify(blob[4:], text.encode())
        except (InvalidSignature, ValueError):
            raise NoteError("a wrong signature", signature=True) from None
        if name == tree.origin:
            good.add((name, blob[:4]))
    if not good:
        raise NoteError("no signature by a trusted key of this origin", signature=True)
    return SignedTree(tree.origin, tree.size, tree.root, frozenset(good))


def decode(text: str) -> bytes:
    """Standard base64 and nothing else. Raises NoteError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if base64.b64encode(data) != text.encode("ascii", "replace"):
        raise NoteError("not base64 in its one form")
    return data
