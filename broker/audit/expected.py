"""What an auditor holds from another source: checkpoints, or receipts with the entry and its proof."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from broker.audit.findings import BundleError, Code, Finding, Findings
from broker.audit.tree import GrowingTree, LogKeys, NoteError, SignedTree, read_checkpoint, root_from_path
from broker.audit.trust import Trust

MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Expected:
    """A signed tree that the log must contain; for a receipt also a leaf and its index."""

    tree: SignedTree
    index: int | None = None
    leaf: bytes | None = None


def read_expected(data: bytes, origin: str, keys: LogKeys) -> tuple[Expected, ...]:
    """The expectations in a file: a signed note, or JSON that holds receipts or evidence at any depth.

    A receipt is an object with `leaf` and `inclusion` (base64), `index` and `checkpoint`; evidence of a fork has a list
    `checkpoints` of signed notes, which no one log contains all.

    Raises:
        BundleError: EXPECTED_FORM; also when a signature or a proof in it is wrong.
    """
    if len(data) > MAX_BYTES:
        raise _wrong("it is larger than 16 MiB")
    try:
        text = data.decode("utf-8")
        if not text.lstrip().startswith(("{", "[")):
            found: tuple[Expected, ...] = (Expected(_tree(text, origin, keys)),)
        else:
            value = json.loads(text)
            found = tuple(_receipt(item, origin, keys) for item in _receipts(value))
            found += tuple(Expected(_tree(note, origin, keys)) for note in _notes(value))
    except (ValueError, RecursionError) as error:
        raise _wrong(str(error) if isinstance(error, NoteError) else "neither a signed note nor JSON") from None
    if not found:
        raise _wrong("it holds no receipt and no checkpoint")
    return found


def _receipts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"leaf", "index", "checkpoint"} <= value.keys():
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _receipts(item)


def _notes(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        checkpoints = value.get("checkpoints")
        if isinstance(checkpoints, list):
            yield from (note for note in checkpoints if isinstance(note, str))
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _notes(item)


def _receipt(value: dict[str, Any], origin: str, keys: LogKeys) -> Expected:
    try:
        leaf = base64.b64decode(value["leaf"], validate=True)
        stated = str(value["index"])  # protobuf's JSON writes 64-bit numbers as text
        if not (stated.isascii() and stated.isdecimal() and len(stated) < 17):
            raise _wrong("a receipt whose index is no whole number")
        index = int(stated)
        path = [base64.b64decode(item, validate=True) for item in value.get("inclusion", ())]
        tree = _tree(value["checkpoint"], origin, keys)
    except (TypeError, AttributeError, binascii.Error) as error:
        raise _wrong("a receipt that cannot be read") from error
    if root_from_path(leaf, index, tree.size, path) != tree.root:
        raise _wrong("a receipt whose proof does not lead to its checkpoint")
    return Expected(tree, index, leaf)


def _tree(note: str, origin: str, keys: LogKeys) -> SignedTree:
    tree = read_checkpoint(note, keys)
    if tree.origin != origin:
        raise _wrong("it is of another log")
    return tree


def _wrong(why: str) -> BundleError:
    return BundleError(Finding(Code.EXPECTED_FORM, why))


class Expectations:
    """What a log must contain, held against it while it is read."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._expected: tuple[Expected, ...] = ()
        self._roots: dict[int, bytes] = {}
        self._leaves: dict[int, bytes] = {}
        self.given = False

    def read(self, data: bytes) -> None:
        """Takes the bytes of a file, see `read_expected`. Raises BundleError."""
        self._expected = read_expected(data, self._trust.origin, self._trust.log_keys)
        self.given = True
        self._roots = {item.tree.size: b"" for item in self._expected}
        self._leaves = {item.index: b"" for item in self._expected if item.index is not None}

    def leaf(self, index: int, leaf: bytes, tree: GrowingTree) -> None:
        """One more leaf of the log, and the tree that it is in."""
        if index in self._leaves:
            self._leaves[index] = leaf
        if tree.size in self._roots:
            self._roots[tree.size] = tree.root()

    def compare(self, size: int, findings: Findings, signed_as_due: Callable[[SignedTree], bool]) -> None:
        """At the end of a log of `size` leaves: whether it is the one that everything expected was taken from."""
        for item in self._expected:
            at = item.tree.size
            if at > size:
                findings.add(Code.EXPECTED_MISSING, f"it covers {at} entries")
            elif (self._roots[at] if at else GrowingTree().root()) != item.tree.root:
                findings.add(Code.EXPECTED_DIFFERS, f"at {at} entries")
            elif not signed_as_due(item.tree):
                findings.add(Code.KEY_NOT_IN_FORCE, f"what you expect, at {at} entries")
            elif item.index is not None and self._leaves[item.index] != item.leaf:
                findings.add(Code.EXPECTED_DIFFERS, index=item.index)
