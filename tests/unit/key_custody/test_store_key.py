"""The store key and what it seals; passphrase, keyring and the sources of secrets."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_places import MemoryKeyring
from sluis_custody import passphrase
from sluis_custody.choosing import check_protection, signer_of, wrapper_of
from sluis_custody.errors import CustodyError, Trouble
from sluis_custody.os_keyring import KeyringWrapper
from sluis_custody.passphrase import PassphraseWrapper
from sluis_custody.secret_sources import secret_source
from sluis_custody.store_key import StoreKey, StoreKeyDocument, is_sealed

pytestmark = pytest.mark.slow

PASSPHRASE = b"correct horse battery"


def refused(call) -> Trouble:
    with pytest.raises(CustodyError) as caught:
        call()
    assert PASSPHRASE.decode() not in str(caught.value)
    return caught.value.trouble


def right() -> bytes:
    return PASSPHRASE


@pytest.fixture(scope="module")
def protected():
    key = StoreKey.make("client")
    return key, key.wrapped_by(PassphraseWrapper(right), complete=False)


def test_a_passphrase_opens_what_it_wrapped(protected):
    key, document = protected
    again = StoreKeyDocument.parse(document.to_bytes())
    assert again == document
    assert again.opened_by(PassphraseWrapper(right), "client") == key
    assert document.wrapped["memory_kib"] >= 64 * 1024
    assert PASSPHRASE.hex() not in document.to_bytes().decode()
    assert not document.complete
    assert document.finished().complete


def test_a_wrong_passphrase_is_locked_and_another_use_too(protected):
    _, document = protected
    assert refused(lambda: document.opened_by(PassphraseWrapper(lambda: b"wrong"), "client")) is Trouble.LOCKED
    assert refused(lambda: document.opened_by(PassphraseWrapper(right), "broker")) is Trouble.LOCKED
    assert refused(lambda: StoreKey.make("client").wrapped_by(PassphraseWrapper(lambda: b"short"), complete=True)) is (
        Trouble.LOCKED
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"memory_kib": 8},
        {"memory_kib": 1 << 40},
        {"iterations": 1},
        {"iterations": 1 << 20},
        {"lanes": 0},
        {"kdf": "pbkdf2"},
        {"salt": "zz"},
        {"sealed": None},
    ],
)
def test_parameters_are_never_weakened_nor_made_a_trap(protected, changed):
    _, document = protected
    weak = replace(document, wrapped=document.wrapped | changed)
    assert refused(lambda: weak.opened_by(PassphraseWrapper(right), "client")) is Trouble.DAMAGED


def test_the_key_is_committed_to(protected):
    _, document = protected
    other = StoreKey.make("client").wrapped_by(PassphraseWrapper(right), complete=True)
    mixed = replace(other, check=document.check)
    assert refused(lambda: mixed.opened_by(PassphraseWrapper(right), "client")) is Trouble.DAMAGED


def test_documents_that_are_none(protected):
    _, document = protected
    value = json.loads(document.to_bytes())
    bad = [b"", b"[]", b"{}", b'"x"', json.dumps(value | {"type": "other"}).encode()]
    bad += [json.dumps(value | {name: 7}).encode() for name in ("by", "check", "complete", "wrapped")]
    for data in bad:
        assert refused(lambda d=data: StoreKeyDocument.parse(d)) is Trouble.DAMAGED
    assert refused(lambda: document.opened_by(KeyringWrapper(MemoryKeyring()), "client")) is Trouble.SETTING


def test_a_keyring_holds_a_key_that_opens_nothing_alone():
    keyring = MemoryKeyring()
    key = StoreKey.make("client")
    document = key.wrapped_by(KeyringWrapper(keyring), complete=True)
    assert document.opened_by(KeyringWrapper(keyring), "client") == key
    (held,) = keyring.entries.values()
    assert bytes.fromhex(held) not in document.to_bytes()
    assert refused(lambda: document.opened_by(KeyringWrapper(keyring), "other")) is Trouble.DAMAGED
    assert refused(lambda: document.opened_by(KeyringWrapper(MemoryKeyring()), "client")) is Trouble.LOCKED
    KeyringWrapper(keyring).forget(document.wrapped)
    KeyringWrapper(keyring).forget(document.wrapped)
    assert not keyring.entries


def test_a_keyring_that_fails_may_pass():
    class Broken(MemoryKeyring):
        def set_password(self, service, username, password):
            raise RuntimeError(password)

    assert refused(lambda: KeyringWrapper(Broken()).wrap(b"k" * 32, b"")) is Trouble.UNREACHABLE


@settings(max_examples=30)
@given(st.text(max_size=40), st.binary(max_size=300))
def test_what_is_sealed_opens_under_its_name_only(name, data):
    name = name.encode("utf-8", "replace").decode()
    key = StoreKey(b"k" * 32, "client")
    sealed = key.seal(name, data)
    assert is_sealed(sealed)
    assert key.open(name, sealed) == data
    assert key.seal(name, data) != sealed
    for wrong in (sealed[:-1], sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20], b"", data):
        assert refused(lambda w=wrong: key.open(name, w)) is Trouble.DAMAGED
    assert refused(lambda: key.open(name + "x", sealed)) is Trouble.DAMAGED
    assert refused(lambda: StoreKey(b"k" * 32, "broker").open(name, sealed)) is Trouble.DAMAGED
    assert refused(lambda: StoreKey(b"l" * 32, "client").open(name, sealed)) is Trouble.DAMAGED


def test_a_store_key_does_not_leave():
    key = StoreKey(bytes(range(32)), "client")
    assert repr(key) == str(key) == f"{key}" == "StoreKey(hidden)"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            leave(key)
    assert refused(lambda: StoreKey(b"short", "client")) is Trouble.DAMAGED


def test_secrets_come_from_files_descriptors_and_credentials(tmp_path, monkeypatch):
    (tmp_path / "pass").write_bytes(PASSPHRASE + b"\r\nsecond line\n")
    (tmp_path / "pass").chmod(0o600)
    assert secret_source("file:pass", tmp_path)() == PASSPHRASE
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE + b"\n")
    os.close(writing)
    source = secret_source(f"fd:{reading}", tmp_path)
    assert source() == source() == PASSPHRASE
    os.close(reading)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret_source("credential:pass", tmp_path)() == PASSPHRASE
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert refused(secret_source("credential:pass", tmp_path)) is Trouble.LOCKED


def test_sources_that_give_none(tmp_path, monkeypatch):
    (tmp_path / "open").write_bytes(PASSPHRASE)
    (tmp_path / "open").chmod(0o644)
    assert refused(secret_source("file:open", tmp_path)) is Trouble.UNSAFE
    (tmp_path / "empty").touch(mode=0o600)
    assert refused(secret_source("file:empty", tmp_path)) is Trouble.LOCKED
    assert refused(secret_source("file:absent", tmp_path)) is Trouble.LOCKED
    assert refused(secret_source("fd:999", tmp_path)) is Trouble.LOCKED
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert refused(secret_source("prompt", tmp_path)) is Trouble.LOCKED
    for text in ("", "env:X", "file:", "fd:x", "credential:../a", "credential:..", PASSPHRASE.decode()):
        assert refused(lambda t=text: secret_source(t, tmp_path)) is Trouble.SETTING


def test_a_prompt_is_asked_once_and_a_new_passphrase_twice(tmp_path, monkeypatch):
    class Terminal:
        @staticmethod
        def isatty():
            return True

    said = iter([PASSPHRASE.decode(), PASSPHRASE.decode(), "one thing", "another"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: next(said))
    source = secret_source("prompt", tmp_path, confirm=True)
    assert source() == source() == PASSPHRASE
    assert refused(secret_source("prompt", tmp_path, confirm=True)) is Trouble.LOCKED


def test_ways_to_protect_are_named():
    for text in ("passphrase", "keyring", "transit:https://b:8200/v1/t/keys/k"):
        assert check_protection(text) == text
    for text in ("", "plain", "passphrase:x", "transit:", "pkcs11:", "transit:http://b:8200/v1/t/keys/k"):
        assert refused(lambda t=text: check_protection(t)) is Trouble.SETTING
    assert wrapper_of("passphrase", right).kind == "passphrase"
    assert refused(lambda: signer_of("passphrase", right)) is Trouble.SETTING


def test_the_cost_is_the_documented_one():
    assert (passphrase.MEMORY_KIB, passphrase.ITERATIONS, passphrase.LANES) == (65_536, 3, 4)
