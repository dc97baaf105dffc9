from __future__ import annotations

import base64
import copy
import hashlib
import os
import pickle
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.canonical import encode
from broker.custody.key_files import SIGNING_FILE, STORAGE_FILE
from broker.custody.keys import FileKeys, SystemClock, SystemEntropy, key_hash
from broker.custody.secret import Secret
from broker.errors import Code, SluisError

ORIGIN = "sluis.example/test-2026"


class Counting:
    """Entropy that can be told apart: 0, 1, 2, ..."""

    def __init__(self) -> None:
        self.drawn = 0

    def token(self, size: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * size


def code_and_text(call) -> tuple[Code, str]:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code, caught.value.message


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    FileKeys.create(tmp_path / "keys", ORIGIN, Counting())
    return tmp_path / "keys"


def test_a_secret_does_not_show_or_leave() -> None:
    secret = Secret(b"topsecretbytes")
    shown = f"{secret} {secret!r} {[secret]} {vars(type(secret)).get('__dict__')}"
    assert "topsecret" not in shown
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            leave(secret)
    assert not hasattr(secret, "__dict__")
    assert secret == Secret(b"topsecretbytes")
    assert secret != Secret(b"topsecretbyteS")
    assert secret != b"topsecretbytes"
    assert secret.reveal() == b"topsecretbytes"


def test_keys_are_made_once_for_the_owner_only(directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = {path.name: path for path in directory.iterdir()}
    assert set(files) == {SIGNING_FILE, STORAGE_FILE}
    before = {name: path.read_bytes() for name, path in files.items()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files.values())
    code, _ = code_and_text(lambda: FileKeys.create(directory, ORIGIN))
    assert code is Code.CONFIG_INVALID
    files[STORAGE_FILE].unlink()
    code, _ = code_and_text(lambda: FileKeys.create(directory, ORIGIN))
    assert code is Code.CONFIG_INVALID
    assert files[SIGNING_FILE].read_bytes() == before[SIGNING_FILE]
    assert not files[STORAGE_FILE].exists()


def test_modes_do_not_hang_on_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        FileKeys.create(tmp_path / "keys", ORIGIN)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    FileKeys.load(tmp_path / "keys", ORIGIN)


def test_the_signer_signs_and_its_verifier_key_is_c2sp(directory: Path) -> None:
    signer = FileKeys.load(directory, ORIGIN).signer
    name, hashed, key = signer.verifier_key.split("+", 2)
    raw = base64.b64decode(key)
    assert (name, raw[0], len(raw)) == (ORIGIN, 1, 33)
    assert hashed == hashlib.sha256(ORIGIN.encode() + b"\n" + raw).hexdigest()[:8]
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signer.sign(b"message"), b"message")
    assert signer.origin == ORIGIN


def test_the_key_hash_is_that_of_the_published_example() -> None:
    """golang.org/x/mod/sumdb/note, package documentation: PeterNeumann+c74f20a3+ARpc2QcU..."""
    raw = base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert key_hash("PeterNeumann", raw[1:]) == "c74f20a3"


def test_storage_keys_are_hkdf_and_differ_by_use_and_context(directory: Path) -> None:
    at_rest = FileKeys.load(directory, ORIGIN).at_rest
    root = bytes.fromhex((directory / STORAGE_FILE).read_text().split()[1])
    info = encode(b"register", b"snf/x", b"7")
    assert at_rest.key("register", b"snf/x", b"7") == HKDF(SHA256(), 32, None, info).derive(root)
    asked = [("a",), ("a", b""), ("ab",), ("a", b"b"), ("a", b"b", b"c"), ("a", b"bc"), ("a", b"c", b"b")]
    assert len({at_rest.key(use, *context) for use, *context in asked}) == len(asked)


def test_loading_again_gives_the_same_keys(directory: Path) -> None:
    one, other = FileKeys.load(directory, ORIGIN), FileKeys.load(directory, ORIGIN)
    assert one.signer.verifier_key == other.signer.verifier_key
    assert one.at_rest.key("x") == other.at_rest.key("x")


def test_locked_keys_do_nothing(directory: Path) -> None:
    keys = FileKeys.load(directory, ORIGIN)
    signer, at_rest = keys.signer, keys.at_rest
    keys.lock()
    assert keys.locked
    for use in (lambda: signer.sign(b""), lambda: signer.verifier_key, lambda: at_rest.key("x")):
        code, text = code_and_text(use)
        assert code is Code.STORE_UNAVAILABLE
        assert "unlock" in text
    assert signer.origin == ORIGIN
    keys.unlock()
    assert len(signer.sign(b"")) == 64
    assert not keys.locked


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("name", [SIGNING_FILE, STORAGE_FILE, "."])
def test_what_others_can_reach_is_refused(directory: Path, name: str, mode: int) -> None:
    (directory / name).chmod(mode | (0o100 if name == "." else 0))
    code, text = code_and_text(lambda: FileKeys.load(directory, ORIGIN))
    assert code is Code.CONFIG_INVALID
    assert "chmod" in text
    assert str(directory.parent) not in text


@pytest.mark.parametrize("name", [SIGNING_FILE, STORAGE_FILE])
def test_missing_and_damaged_files_say_what_to_do(directory: Path, name: str) -> None:
    path = directory / name
    good = path.read_text()
    bad = [good[:-3], good[1:], good.replace("A", "B", 1).replace("1", "2", 1), "", "\u00e9", good * 2, "x+y+z"]
    for text in bad:
        path.write_text(text)
        code, told = code_and_text(lambda: FileKeys.load(directory, ORIGIN))
        assert code is Code.CONFIG_INVALID
        assert name in told
        assert good.strip()[-20:] not in told
    path.unlink()
    code, told = code_and_text(lambda: FileKeys.load(directory, ORIGIN))
    assert code is Code.CONFIG_INVALID
    assert "sluis keys init" in told


def test_every_changed_character_of_the_signing_key_is_seen(directory: Path) -> None:
    path = directory / SIGNING_FILE
    good = path.read_text()
    for at in range(len(good.strip())):
        path.write_text(good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :])
        code, _ = code_and_text(lambda: FileKeys.load(directory, ORIGIN))
        assert code is Code.CONFIG_INVALID


def test_a_key_of_another_log_is_refused(directory: Path) -> None:
    code, text = code_and_text(lambda: FileKeys.load(directory, "sluis.example/production"))
    assert code is Code.CONFIG_INVALID
    assert "another log" in text


@pytest.mark.parametrize("origin", ["", "with space", "with+plus", "line\n", "é", "x" * 201])
def test_origins_that_cannot_name_a_key(tmp_path: Path, origin: str) -> None:
    code, _ = code_and_text(lambda: FileKeys.create(tmp_path / "keys", origin))
    assert code is Code.CONFIG_INVALID
    assert not (tmp_path / "keys").exists()


def test_no_directory_at_all(tmp_path: Path) -> None:
    code, text = code_and_text(lambda: FileKeys.load(tmp_path / "keys", ORIGIN))
    assert code is Code.CONFIG_INVALID
    assert "sluis keys init" in text


def test_keys_do_not_print_themselves(directory: Path) -> None:
    keys = FileKeys.load(directory, ORIGIN)
    held = "".join(path.read_text() for path in directory.iterdir())
    assert repr(keys) == "FileKeys(unlocked)"
    assert not any(word in f"{keys!r}{keys.signer!r}{keys.at_rest!r}" for word in held.split() if len(word) > 30)


def test_the_systems_clock_and_entropy() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert abs((now - datetime.now(UTC)).total_seconds()) < 5
    drawn = {SystemEntropy().token(16) for _ in range(100)}
    assert len(drawn) == 100
    assert all(len(token) == 16 for token in drawn)
