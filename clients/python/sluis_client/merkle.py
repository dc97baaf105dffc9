"""RFC 6962 tree arithmetic, as a participant checks it.

Own code, sharing nothing with the broker's: a participant must not take the log's arithmetic on trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that leaf hash `leaf` is number `index` of the tree of `size` leaves with `root`.

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or any(len(node) != HASH_BYTES for node in (leaf, root, *proof)):
        return False
    first, last, value = index, size - 1, leaf
    for node in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            value = node_hash(node, value)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            value = node_hash(value, node)
        first, last = first >> 1, last >> 1
    return last == 0 and value == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `old_size` leaves is a prefix of the one of `new_size`.

    RFC 9162 section 2.1.4.2. Two trees of the same size need no proof and must be equal. An empty old tree is refused:
    anything follows from it, so a proof of it proves nothing.
    """
    if not 1 <= old_size <= new_size or len(new_root) != HASH_BYTES:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root and len(old_root) == HASH_BYTES
    return consistency_roots(old_size, new_size, old_root, proof) == (old_root, new_root)


def consistency_roots(
    old_size: int, new_size: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """The roots that a consistency proof leads to: of the first `old_size` leaves, and of all `new_size`; None: none.

    `old_root` is used only where `old_size` is a power of two: such a proof leaves it out. A proof whose second root is
    a signed one shows by its first what that signed tree begins with, whatever else was signed: the nodes that make up
    a root are found under no other.
    """
    if not 1 <= old_size < new_size or any(len(node) != HASH_BYTES for node in (old_root, *proof)):
        return None
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return None
    first, last = old_size - 1, new_size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_value = new_value = path[0]
    for node in path[1:]:
        if last == 0:
            return None
        if first & 1 or first == last:
            old_value, new_value = node_hash(node, old_value), node_hash(node, new_value)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new_value = node_hash(new_value, node)
        first, last = first >> 1, last >> 1
    return (old_value, new_value) if last == 0 else None


def proof_length(index: int, size: int) -> int:
    """How many hashes the audit path of leaf `index` has in a tree of `size` leaves (index < size)."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()
