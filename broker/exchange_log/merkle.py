"""The RFC 6962 hash tree (section 2.1): hashing, appending, proofs and their verification. Pure.

A *node* (level, position) is the root of the complete subtree over leaves [position << level, (position + 1) << level).
Complete nodes never change once they exist, so they may be stored and cached for ever. Proofs are made from a callback
that returns complete nodes. Subtree proofs follow draft-ietf-plants-merkle-tree-certs section 4, of which the proofs of
RFC 6962 are the case start = 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from broker.errors import Code, SluisError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

NodeReader = Callable[[int, int], bytes]
"""(level, position) -> hash of a complete node."""


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256(0x00 || leaf)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def peaks_of(size: int) -> list[tuple[int, int]]:
    """The complete nodes (level, position) that together cover a tree of `size`, largest first."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def node_number(level: int, position: int) -> int:
    """The number of a complete node in the order in which nodes become complete, from 0.

    Stores that key nodes by it only ever append.
    """
    last = ((position + 1) << level) - 1
    return 2 * last - last.bit_count() + level


class CompactRange:
    """The peaks of a tree: all that is needed to append and to compute the root. log2(size) hashes of memory."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        assert len(peaks) == size.bit_count()
        self.size = size
        self._peaks = list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Hashes of `peaks_of(size)`, in that order."""
        return tuple(self._peaks)

    def copy(self) -> CompactRange:
        """An independent copy."""
        return CompactRange(self.size, self._peaks)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Adds a leaf by its hash; returns the nodes (level, position, hash) that became complete, the leaf first."""
        position, level = self.size, 0
        made = [(0, position, leaf)]
        node = leaf
        while position & 1:
            node = node_hash(self._peaks.pop(), node)
            position >>= 1
            level += 1
            made.append((level, position, node))
        self._peaks.append(node)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Root hash over all leaves; SHA-256 of nothing for the empty tree."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(size: int, node: NodeReader) -> bytes:
    """Root of the first `size` leaves, from complete nodes."""
    return _right_edge(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(
    index: int, size: int, node: NodeReader, edges: dict[int, bytes] | None = None
) -> tuple[bytes, ...]:
    """RFC 6962 section 2.1.1: the audit path of leaf `index` in the tree of `size`, from the leaf upwards.

    `edges`: a memory that many proofs in the same tree may share; an empty dict to begin with.

    Raises:
        SluisError: FIELD_INVALID unless index < size.
    """
    if not 0 <= index < size:
        raise SluisError(Code.FIELD_INVALID, "index: must be smaller than the tree's size")
    return tuple(_path(0, index, size, node, {} if edges is None else edges))


def consistency_proof(old: int, new: int, node: NodeReader) -> tuple[bytes, ...]:
    """RFC 6962 section 2.1.2: that the tree of `new` leaves extends the tree of `old`.

    Raises:
        SluisError: FIELD_INVALID unless 0 < old <= new. (Every tree extends the empty one; there is nothing to prove.)
    """
    if not 0 < old <= new:
        raise SluisError(Code.FIELD_INVALID, "old_size: must be at least 1 and at most the new size")
    if old == new:
        return ()
    level = (old & -old).bit_length() - 1
    position = (old - 1) >> level
    first = [node(level, position)] if position else []
    return tuple(first + _path(level, position, new, node, {}))


def _path(level: int, position: int, size: int, node: NodeReader, edges: dict[int, bytes]) -> list[bytes]:
    """Siblings on the way from a complete node to the root of the tree of `size`."""
    path: list[bytes] = []
    last = (size - 1) >> level
    while position != last:
        sibling = position ^ 1
        if sibling == last:
            start = sibling << level
            if start not in edges:
                edges[start] = _right_edge(start, size, node)
            path.append(edges[start])
        else:
            path.append(node(level, sibling))
        position >>= 1
        last >>= 1
        level += 1
    while position:
        if position & 1:
            path.append(node(level, position - 1))
        position >>= 1
        level += 1
    return path


def _right_edge(start: int, size: int, node: NodeReader) -> bytes:
    """Root over leaves [start, size), where `start` is the left edge of a subtree of the tree of `size`."""
    peaks = [(level, (start >> level) + position) for level, position in peaks_of(size - start)]
    root = node(*peaks[-1])
    for level, position in reversed(peaks[:-1]):
        root = node_hash(node(level, position), root)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the leaf with hash `leaf` is number `index` in the tree with `root` and `size`."""
    return verify_subtree_inclusion(leaf, index, 0, size, proof, root)


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree of `new` extends the tree of `old`; old must be at least 1."""
    return verify_subtree_consistency(0, old, new, proof, old_root, new_root)


def _is_subtree(start: int, end: int) -> bool:
    """Whether [start, end) is a subtree: not empty, and start a multiple of the power of two that covers its width."""
    return 0 <= start < end and start & ((1 << (end - start - 1).bit_length()) - 1) == 0


def _sizes_ok(proof: Sequence[bytes], *hashes: bytes) -> bool:
    return all(len(item) == HASH_BYTES for item in (*proof, *hashes))


def verify_subtree_inclusion(
    leaf: bytes, index: int, start: int, end: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """As `verify_inclusion`, for the subtree over leaves [start, end)."""
    if not _is_subtree(start, end) or not start <= index < end or not _sizes_ok(proof, leaf, root):
        return False
    position, last = index - start, end - start - 1
    result = leaf
    for item in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            result = node_hash(item, result)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, item)
        position >>= 1
        last >>= 1
    return last == 0 and result == root


def verify_subtree_consistency(
    start: int, end: int, size: int, proof: Sequence[bytes], subtree_root: bytes, root: bytes
) -> bool:
    """Whether the subtree over leaves [start, end) is part of the tree of `size` with `root`."""
    if not _is_subtree(start, end) or end > size or not _sizes_ok(proof, subtree_root, root):
        return False
    first, second, last = start, end - 1, size - 1
    while first != second and (second & 1 or second == last):
        first, second, last = first >> 1, second >> 1, last >> 1
    items = list(proof)
    if first == second:
        seed = subtree_root
    elif items:
        seed = items.pop(0)
    else:
        return False
    sub, whole = seed, seed
    for item in items:
        if last == 0:
            return False
        if second & 1 or second == last:
            if first < second:
                sub = node_hash(item, sub)
            whole = node_hash(item, whole)
            while not second & 1 and second:
                first, second, last = first >> 1, second >> 1, last >> 1
        else:
            whole = node_hash(whole, item)
        first, second, last = first >> 1, second >> 1, last >> 1
    return last == 0 and sub == subtree_root and whole == root
