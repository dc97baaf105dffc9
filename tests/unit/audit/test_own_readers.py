"""The verifier's own JSON, tree and notes against the writer's: two readings of one standard must agree."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_kit import Keys

from broker.audit import strict_json, tree
from broker.canonical import canonical_json, parse_canonical
from broker.errors import SluisError
from broker.exchange_log import merkle
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint, verify_checkpoint

keys = st.text(st.characters(max_codepoint=127), max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3))


@given(st.dictionaries(keys, values, max_size=4))
def test_what_the_broker_writes_is_read(value: dict[str, object]) -> None:
    data = canonical_json(value)
    assert strict_json.read(data) == value
    assert strict_json.write(value) == data


def _accepts(read: object, data: bytes) -> bool:
    try:
        read(data)
    except (SluisError, strict_json.NotCanonicalError):
        return False
    return True


@given(st.dictionaries(keys, values, max_size=3), st.data())
def test_both_refuse_the_same_changes(value: dict[str, object], data: st.DataObject) -> None:
    raw = bytearray(canonical_json(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    assert _accepts(strict_json.read, bytes(raw)) == _accepts(parse_canonical, bytes(raw))


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"{}" + b"}" * depth


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":-0}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\ud800"}',
        b'{"\xc3\xa9":1}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b"\xff",
        b"[" * 100_000,
        nested(33),
        nested(5_000),
    ],
)
def test_what_is_not_canonical_is_refused_by_both(data: bytes) -> None:
    assert not _accepts(strict_json.read, data)
    assert not _accepts(parse_canonical, data)


@pytest.mark.parametrize("depth", [1, 30, 31, 32, 33, 34])
def test_both_know_the_same_depth(depth: int) -> None:
    assert _accepts(strict_json.read, nested(depth)) == _accepts(parse_canonical, nested(depth)) == (depth <= 32)


@given(st.lists(st.binary(max_size=20), max_size=40))
def test_roots_agree(leaves: list[bytes]) -> None:
    mine, theirs = tree.GrowingTree(), merkle.CompactRange()
    assert mine.root() == theirs.root() == hashlib.sha256(b"").digest()
    for leaf in leaves:
        mine.add(leaf)
        theirs.append(merkle.leaf_hash(leaf))
        assert mine.root() == theirs.root()


def test_audit_paths_agree() -> None:
    nodes, growing = {}, merkle.CompactRange()
    leaves = [bytes([n]) for n in range(40)]
    for size, leaf in enumerate(leaves, 1):
        for level, position, node in growing.append(merkle.leaf_hash(leaf)):
            nodes[level, position] = node
        for index in range(size):
            path = merkle.inclusion_proof(index, size, lambda level, position: nodes[level, position])
            assert tree.root_from_path(leaves[index], index, size, path) == growing.root()
            assert tree.root_from_path(leaves[index], index, size, (*path, bytes(32))) is None
            if path:
                assert tree.root_from_path(leaves[index], index, size, path[:-1]) is None
            if size > 1:
                assert tree.root_from_path(leaves[index], (index + 1) % size, size, path) != growing.root()
    assert tree.root_from_path(b"", 0, 0, ()) is None
    assert tree.root_from_path(b"", -1, 3, ()) is None


def test_notes_agree() -> None:
    signer = Keys().signer
    key = parse_verifier_key(signer.verifier_key)
    note = sign_checkpoint(signer, key, 5, bytes(32))
    item = tree.parse_log_key(signer.verifier_key)
    log_keys = dict([item])
    assert tree.read_checkpoint(note, log_keys) == tree.SignedTree(signer.origin, 5, bytes(32))
    data = note.encode()
    for at in range(len(data)):
        changed = (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).decode("utf-8", "replace")
        with pytest.raises(tree.NoteError):
            tree.read_checkpoint(changed, log_keys)
        with pytest.raises(SluisError):
            verify_checkpoint(changed, key)


@pytest.mark.parametrize("text", ["", "a", "a+b+c", "+c74f20a3+ARpc2Q==", "a b+00000000+" + "A" * 44])
def test_bad_log_keys_are_refused(text: str) -> None:
    with pytest.raises(tree.NoteError):
        tree.parse_log_key(text)
