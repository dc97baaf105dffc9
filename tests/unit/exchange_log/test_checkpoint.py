"""Signed notes: the published example, our own, and everything that must be refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from log_kit import ORIGIN, Keys

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import (
    check_origin,
    parse_checkpoint,
    parse_verifier_key,
    sign_checkpoint,
    verifier_key,
    verify_checkpoint,
)

KEYS = Keys()
KEY = parse_verifier_key(KEYS.signer.verifier_key)
NOTE = sign_checkpoint(KEYS.signer, KEY, 17, bytes(range(32)))
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
"""The example key of the signed-note format (golang.org/x/mod/sumdb/note)."""
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_what_is_signed_verifies() -> None:
    checkpoint = verify_checkpoint(NOTE, KEY)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 17, bytes(range(32)))
    assert NOTE.startswith(f"{ORIGIN}\n17\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {ORIGIN} ")


def test_the_published_key_parses_and_writes_back() -> None:
    key = parse_verifier_key(PETER)
    assert str(key) == PETER
    assert verifier_key("PeterNeumann", key.public_key) == key


def test_the_published_note_has_that_keys_signature() -> None:
    """It is no checkpoint, so only its signature line is ours to read; the key must verify it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = parse_verifier_key(PETER)
    text, _, _ = PETER_NOTE.rpartition("\n\n")
    fake = f"a\n1\n{'A' * 43}=\n\n" + PETER_NOTE.rpartition("\n\n")[2]
    ((name, key_hash, signature),) = parse_checkpoint(fake).signatures
    assert (name, key_hash) == (key.name, key.key_hash)
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, (text + "\n").encode())
    with pytest.raises(SluisError):
        parse_checkpoint(PETER_NOTE)


def test_other_signatures_are_ignored_and_ours_must_be_there() -> None:
    other = sign_checkpoint(Keys("b").signer, parse_verifier_key(Keys("b").signer.verifier_key), 17, bytes(range(32)))
    line = other.rpartition("\n\n")[2]
    assert verify_checkpoint(NOTE + line, KEY).size == 17
    with pytest.raises(SluisError) as caught:
        verify_checkpoint(other, KEY)
    assert caught.value.code is Code.SIGNATURE_WRONG


def test_every_flip_is_refused() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(SluisError):
            verify_checkpoint(changed.decode("utf-8", "replace"), KEY)


def test_a_note_of_another_origin_signed_by_our_key_is_refused() -> None:
    """Same key, other origin line: the name in the signature line is the key's, the origin is not."""
    import base64

    body = f"other.example\n17\n{base64.b64encode(bytes(32)).decode()}\n"
    blob = base64.b64encode(KEY.key_hash + KEYS.signer.sign(body.encode())).decode()
    with pytest.raises(SluisError):
        verify_checkpoint(f"{body}\n— {ORIGIN} {blob}\n", KEY)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n[:-1],
        lambda n: n + "\n",
        lambda n: n.replace("\n17\n", "\n017\n"),
        lambda n: n.replace("\n17\n", "\n-1\n"),
        lambda n: n.replace("\n17\n", "\n17 \n"),
        lambda n: n.replace("\n17\n", "\n٣\n"),
        lambda n: n.replace("\n17\n", "\n99999999999999999\n"),
        lambda n: n.replace("Hh8=", "Hh8"),
        lambda n: n.replace("\n\n", "\nextension\n\n"),
        lambda n: n.replace("\n\n", "\n"),
        lambda n: n.replace("—", "-"),
        lambda n: n.replace("— ", "—  "),
        lambda n: n.split("\n\n")[0] + "\n\n",
        lambda n: "x" * 20_000,
        lambda n: "",
        lambda n: n.replace("Hh8=", "Hh9="),
    ],
)
def test_what_is_not_a_checkpoint_is_refused(change: object) -> None:
    changed = change(NOTE)
    if changed == NOTE:
        pytest.fail("the change changes nothing")
    with pytest.raises(SluisError):
        verify_checkpoint(changed, KEY)


@given(st.text(max_size=200))
def test_parsing_anything_gives_a_checkpoint_or_a_sluis_error(text: str) -> None:
    for read in (parse_checkpoint, parse_verifier_key):
        try:
            read(text)
        except SluisError:
            continue


@pytest.mark.parametrize(
    "text", ["", "a", "a+b", "a+c74f20a3+", PETER[:-1], PETER.replace("c74f20a3", "c74f20a4"), "a b+" + PETER[13:]]
)
def test_bad_verifier_keys_are_refused(text: str) -> None:
    with pytest.raises(SluisError) as caught:
        parse_verifier_key(text)
    assert caught.value.code is Code.CONFIG_INVALID


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "é", "a" * 201])
def test_bad_origins_are_refused(origin: str) -> None:
    with pytest.raises(SluisError):
        check_origin(origin)
