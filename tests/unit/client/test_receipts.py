import base64
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sluis_client.canonical import canonical_json
from sluis_client.errors import ClientError, Exit
from sluis_client.pseudonymise import Column
from sluis_client.receipts import (
    RegisterDigest,
    leaf_hash,
    parse_checkpoint,
    verify_consistency,
    verify_inclusion,
    verify_receipt,
)

PUBLISHED = Path(__file__).parents[3] / ".." / "shared" / "vectors" / "merkle-rfc6962.jsonl"
# refused here and passed by the reference: its "root" has 12 bytes, and a hash has 32
STRICTER = {"consistency/additional/sizes-are-equal-one-and-proof-is-empty"}


def raw(text):
    return base64.b64decode(text) if text else b""


def published():
    if not PUBLISHED.exists():
        pytest.skip("the published RFC 6962 cases are not beside this checkout (../shared/vectors)")
    return [json.loads(line) for line in PUBLISHED.read_text("utf-8").splitlines()]


def holds(case):
    proof = [raw(node) for node in case["proof"] or []]
    if case["case"].startswith("consistency"):
        return verify_consistency(case["size1"], case["size2"], raw(case["root1"]), raw(case["root2"]), proof)
    return verify_inclusion(raw(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, raw(case["root"]))


def test_published_cases():
    # subtree proofs (the other 322 cases) are no part of RFC 6962, and a receipt holds none
    cases = [case for case in published() if case["case"].split("/")[0] in ("inclusion", "consistency")]
    assert len(cases) == 196
    assert {case["case"] for case in cases if holds(case) == case["wantErr"]} == STRICTER


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes):
    """RFC 6962 section 2.1, by its recursive definition."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:split]), root_of(hashes[split:]))


def path(index, hashes):
    if len(hashes) == 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*path(index, hashes[:split]), root_of(hashes[split:])]
    return [*path(index - split, hashes[split:]), root_of(hashes[:split])]


def subproof(size, hashes, whole):
    if size == len(hashes):
        return [] if whole else [root_of(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if size <= split:
        return [*subproof(size, hashes[:split], whole), root_of(hashes[split:])]
    return [*subproof(size - split, hashes[split:], False), root_of(hashes[:split])]


def leaves(size):
    return [leaf_hash(b"leaf %d" % number) for number in range(size)]


@pytest.mark.parametrize("size", range(1, 34))
def test_every_inclusion_and_consistency_of_small_trees(size):
    hashes = leaves(size)
    root = root_of(hashes)
    for index in range(size):
        proof = path(index, hashes)
        assert verify_inclusion(hashes[index], index, size, proof, root)
        assert not verify_inclusion(hashes[index], index, size, [*proof, root], root)
        assert not verify_inclusion(hashes[index], index + 1, size, proof, root)
        if proof:
            assert not verify_inclusion(hashes[index], index, size, proof[:-1], root)
    for old in range(1, size + 1):
        proof, old_root = subproof(old, hashes, True), root_of(hashes[:old])
        assert verify_consistency(old, size, old_root, root, proof)
        assert not verify_consistency(old, size, old_root, root, [*proof, root])
        assert not verify_consistency(old, size, root_of(leaves(old + 1)), root, proof)
        if proof:
            assert not verify_consistency(old, size, old_root, root, proof[1:])


def test_an_empty_old_tree_proves_nothing():
    root = root_of(leaves(3))
    assert not verify_consistency(0, 3, hashlib.sha256(b"").digest(), root, [])
    assert not verify_consistency(3, 2, root, root, [])


KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ORIGIN = "sluis.example/test-2026"


def vkey(key=KEY, name=ORIGIN):
    public = b"\x01" + key.public_key().public_bytes_raw()
    return f"{name}+{key_hash(key, name).hex()}+{base64.b64encode(public).decode()}"


def key_hash(key=KEY, name=ORIGIN):
    public = b"\x01" + key.public_key().public_bytes_raw()
    return hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]


def note(size, root, key=KEY, origin=ORIGIN, name=None, extra=""):
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = key_hash(key, name or origin) + key.sign(text.encode())
    return f"{text}\n\u2014 {name or origin} {base64.b64encode(signature).decode()}\n{extra}"


@dataclass(frozen=True)
class Held:
    leaf: bytes
    index: int
    inclusion: tuple[bytes, ...]
    checkpoint: str


def entry(index, **changes):
    body = {"exchange": "1", "party": "snf"}
    return canonical_json(
        {"v": 1, "index": index, "kind": "ask", "sequenced_at": "2026-11-23T10:00:00.000001Z", "body": body} | changes
    )


def held(index=2, size=5, leaf=None):
    stored = [entry(number) for number in range(size)]
    if leaf is not None:
        stored[index] = leaf
    hashes = [leaf_hash(item) for item in stored]
    return Held(stored[index], index, tuple(path(index, hashes)), note(size, root_of(hashes)))


def test_a_receipt_that_verifies_gives_its_entry():
    made = verify_receipt(held(), [vkey()])
    assert (made["index"], made["kind"], made["body"]["party"]) == (2, "ask", "snf")
    assert verify_receipt(held(), [vkey(Ed25519PrivateKey.generate()), vkey()]) == made


def refused(receipt, keys=None):
    with pytest.raises(ClientError) as caught:
        verify_receipt(receipt, [vkey()] if keys is None else keys)
    return caught.value


def test_receipts_that_are_refused():
    good = held()
    other = held(index=3)
    root = root_of(leaves(5))
    bad = {
        "leaf changed": replace(good, leaf=good.leaf.replace(b"snf", b"sna")),
        "leaf of another index": replace(good, leaf=other.leaf),
        "index changed": replace(good, index=3),
        "proof cut": replace(good, inclusion=good.inclusion[:-1]),
        "proof of another": replace(good, inclusion=other.inclusion),
        "proof node short": replace(good, inclusion=(good.inclusion[0][:-1], *good.inclusion[1:])),
        "another root": replace(good, checkpoint=note(5, root)),
        "a tree too small": replace(good, checkpoint=note(2, raw(good.checkpoint.split("\n")[2]))),
        "a tree too large": replace(good, checkpoint=note(9, raw(good.checkpoint.split("\n")[2]))),
        "size changed after signing": replace(good, checkpoint=good.checkpoint.replace("\n5\n", "\n6\n")),
        "leaf says another index": held(leaf=entry(7)),
        "leaf with another version": held(leaf=entry(2, v=2)),
        "leaf with a member more": held(leaf=entry(2, more=1)),
        "leaf not canonical": held(leaf=entry(2) + b"\n"),
        "leaf too long": held(leaf=entry(2, body={"x": "y" * 65_536})),
        "no checkpoint": replace(good, checkpoint=""),
    }
    for name, receipt in bad.items():
        error = refused(receipt)
        assert (error.code, error.exit_code) == ("RECEIPT_BROKEN", Exit.VERIFICATION_FAILED), name


def test_a_checkpoint_must_be_signed_by_a_log_one_trusts():
    good = held()
    stranger = Ed25519PrivateKey.generate()
    root = raw(good.checkpoint.split("\n")[2])
    assert refused(good, [vkey(stranger)]).code == "RECEIPT_BROKEN"
    assert refused(good, []).code == "RECEIPT_BROKEN"
    # right key, but the note is another origin's, or the signature line names another
    assert refused(replace(good, checkpoint=note(5, root, origin="sluis.example/other"))).code == "RECEIPT_BROKEN"
    assert refused(replace(good, checkpoint=note(5, root, name="someone"))).code == "RECEIPT_BROKEN"
    # the trusted log's own key and name under another origin's text
    assert refused(replace(good, checkpoint=note(5, root, origin="other", name=ORIGIN))).code == "RECEIPT_BROKEN"
    # the trusted key's hash with a stranger's signature
    text = f"{ORIGIN}\n5\n{base64.b64encode(root).decode()}\n"
    forged = base64.b64encode(key_hash() + stranger.sign(text.encode())).decode()
    assert "does not verify" in refused(replace(good, checkpoint=f"{text}\n\u2014 {ORIGIN} {forged}\n")).message
    # a cosignature beside it does no harm
    cosigned = base64.b64encode(b"abcd" + bytes(72)).decode()
    assert verify_receipt(replace(good, checkpoint=good.checkpoint + f"\u2014 witness {cosigned}\n"), [vkey()])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n5\n", "\n05\n"),
        lambda text: text.replace("\n5\n", "\n-5\n"),
        lambda text: text.replace("\n5\n", "\n\u0665\n"),
        lambda text: text.replace("\n5\n", "\n5\n5\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text.replace("\u2014", "-"),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text + "\n",
        lambda text: text + "not a signature\n",
        lambda text: text.replace("=\n\n", "\n\n"),
    ],
)
def test_notes_of_another_form_are_refused(change):
    text = held().checkpoint
    assert parse_checkpoint(text, [vkey()]).size == 5
    assert change(text) != text
    with pytest.raises(ClientError) as caught:
        parse_checkpoint(change(text), [vkey()])
    assert caught.value.code == "RECEIPT_BROKEN"


def test_a_signature_has_one_spelling():
    text = held().checkpoint
    assert text.endswith("=\n")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(text[-3])
    assert last % 4 == 0  # two bits that decode to nothing
    other = text[:-3] + alphabet[last + 1] + text[-2:]
    assert base64.b64decode(other.split(" ")[-1]) == base64.b64decode(text.split(" ")[-1])
    with pytest.raises(ClientError):
        parse_checkpoint(other, [vkey()])


@pytest.mark.parametrize(
    "bad",
    ["", "x", "a+b+c", vkey()[:-4], vkey().replace("+", "+0", 1), vkey(name="b").replace("b+", "c+", 1), "+" + vkey()],
)
def test_log_keys_that_are_refused(bad):
    with pytest.raises(ClientError) as caught:
        parse_checkpoint(held().checkpoint, [bad])
    assert caught.value.code == "VKEY_INVALID"


def run(rows=2, **changes):
    base = {
        "columns": [Column(bytes(16 * rows), bytes([(1 << rows) - 1]))],
        "wraps": [bytes(60 * rows)],
        "commitments": bytes(32 * rows),
        "fields": [bytes(20 * rows)],
    }
    return base | changes


@pytest.mark.parametrize(
    "bad",
    [
        run(columns=[]),
        run(columns=[Column(bytes(31), b"\x03")]),
        run(columns=[Column(bytes(32), b"\x07")]),
        run(columns=[Column(bytes(32), b"\x03\x00")]),
        run(columns=[Column(bytes(32), b"")]),
        run(wraps=[bytes(119)]),
        run(wraps=[]),
        run(commitments=b""),
        run(fields=[]),
        run(fields=[bytes(41)]),
        run(fields=[bytes(36)]),
        run(0, fields=[b"x"], columns=[Column(b"", b"")]),
    ],
)
def test_a_bad_run_changes_nothing(bad):
    digest, untouched = RegisterDigest(1, 1), RegisterDigest(1, 1)
    digest.feed(**run())
    untouched.feed(**run())
    with pytest.raises(ClientError) as caught:
        digest.feed(**bad)
    assert caught.value.code == "LENGTH_WRONG"
    assert digest.hexdigest() == untouched.hexdigest()
    assert digest.rows == 2


def test_an_empty_register_has_a_digest():
    digest = RegisterDigest(1, 1)
    empty = digest.hexdigest()
    digest.feed([Column(b"", b"")], [b""], b"", [b""])
    assert digest.hexdigest() == empty
