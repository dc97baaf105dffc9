"""The protected key store: what lies on the disk, what opens it, and what a crash or a wrong passphrase leaves."""

from __future__ import annotations

import itertools
import json
import os
import shutil

import pytest
from desk import Desk
from fake_broker import World
from key_places import MemoryKeyring
from sluis_client import keystore
from sluis_client import store_protection as module
from sluis_client.envelopes import generate_encryption_key
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import EncryptionKey, EpochKey, Keystore
from sluis_client.party_keys import keystore_of
from sluis_client.profile import load_profile
from sluis_client.secret import Secret
from sluis_client.statements import SignedStatement, parse_utc
from sluis_client.store_protection import is_secret
from sluis_custody import directory
from sluis_custody.directory import forget_open_keys
from sluis_custody.os_keyring import KeyringWrapper
from sluis_custody.store_key import FILE_NAME, is_sealed

pytestmark = pytest.mark.slow

K = bytes(range(100, 132))
UNTIL = parse_utc("2026-12-31T23:00:00Z")


@pytest.fixture(autouse=True)
def _nothing_is_open():
    forget_open_keys()
    yield
    forget_open_keys()


class Places:
    """Two keyrings: quick to use, where a passphrase takes half a second."""

    def __init__(self):
        self.old, self.new = MemoryKeyring(), MemoryKeyring()

    def store(self, directory, keyring=None):
        return Keystore(directory, lambda _: KeyringWrapper(keyring or self.old))


@pytest.fixture
def places():
    return Places()


def filled(store):
    store.keep_epoch_key(EpochKey("snf-locatie", "2026Q4", Secret(K), "ab" * 16, "snf", UNTIL, UNTIL, published=True))
    store.keep_encryption_key(EncryptionKey(generate_encryption_key(), SignedStatement(b"{}", b"s")))
    store.keep_record("uploads", "u1", {"seed": "x"})
    store.keep_record("exchanges", "e1", {"salt": "y"})
    store.keep_record("evidence", "v1", {"note": "z"})
    store.keep_checkpoint("note")
    store.named_key("cache")
    store.fingerprint(b"x")
    return store


def secret_files(store):
    names = [path.relative_to(store.directory).as_posix() for path in store.directory.rglob("[!.]*") if path.is_file()]
    return sorted(name for name in names if is_secret(name))


def refused(call):
    with pytest.raises(ClientError) as caught:
        call()
    assert K.hex() not in str(caught.value)
    return caught.value


def test_after_protecting_no_secret_lies_in_the_clear(tmp_path, places):
    store = filled(places.store(tmp_path / "state"))
    before = store.epoch_key("snf-locatie", "2026Q4"), store.named_key("cache"), store.fingerprint(b"x")
    os.utime(store.directory / "exchanges" / "e1", ns=(5, 5))
    kept = {name: (store.directory / name).open("rb") for name in secret_files(store)}
    assert store.protection.protect(KeyringWrapper(places.old)) == len(kept) == 6
    for name, old in kept.items():
        assert is_sealed((store.directory / name).read_bytes()), name
        assert not any(old.read()), f"the old bytes of {name} are overwritten"
        old.close()
    whole = b"".join(path.read_bytes() for path in store.directory.rglob("*") if path.is_file())
    assert K.hex().encode() not in whole
    assert K not in whole
    forget_open_keys()
    again = places.store(store.directory)
    assert (again.epoch_key("snf-locatie", "2026Q4"), again.named_key("cache"), again.fingerprint(b"x")) == before
    assert (store.directory / "exchanges" / "e1").stat().st_mtime_ns == 5
    assert (store.directory / "checkpoint").read_bytes() == b"note", "what is no secret stays readable"
    again.keep_record("statements", "s1", {"a": 1})
    assert is_sealed((store.directory / "statements" / "s1").read_bytes()), "what comes later is sealed too"
    assert again.protection.protect(KeyringWrapper(places.old)) == 0


def test_without_the_key_nothing_secret_opens_and_nothing_changes(tmp_path, places):
    store = filled(places.store(tmp_path / "state"))
    store.protection.protect(KeyringWrapper(places.old))
    before = {path: path.read_bytes() for path in store.directory.rglob("[!.]*") if path.is_file()}
    forget_open_keys()
    for locked in (Keystore(store.directory), places.store(store.directory, places.new)):
        for use in (
            lambda s=locked: s.epoch_key("snf-locatie", "2026Q4"),
            lambda s=locked: s.keep_record("uploads", "u1", {}),
            lambda s=locked: s.named_key("another"),
            lambda s=locked: s.protection.rewrap(KeyringWrapper(places.new)),
            lambda s=locked: s.protection.protect(KeyringWrapper(places.new)),
        ):
            told = refused(use)
            assert (told.code, told.exit_code) == ("KEYSTORE_LOCKED", Exit.KEY_TROUBLE)
        assert locked.checkpoint() == "note"
    assert {path: path.read_bytes() for path in store.directory.rglob("[!.]*") if path.is_file()} == before


def test_files_cannot_be_swapped_changed_or_put_back_in_the_clear(tmp_path, places):
    store = filled(places.store(tmp_path / "state"))
    store.named_key("other")
    clear = (store.directory / "named" / "cache").read_bytes()
    store.protection.protect(KeyringWrapper(places.old))
    cache, other = (store.directory / "named" / name for name in ("cache", "other"))
    good = cache.read_bytes()
    for bad in (other.read_bytes(), good[:-1], clear, b""):
        cache.write_bytes(bad)
        assert refused(lambda: store.named_key("cache")).code == "STATE_UNREADABLE"
    (store.directory / FILE_NAME).unlink()
    cache.write_bytes(good)
    told = refused(lambda: store.named_key("cache"))
    assert told.code == "STATE_UNREADABLE"
    assert FILE_NAME in told.message


def test_every_part_of_the_store_is_secret_or_known_not_to_be():
    assert set(keystore._PARTS) == module.SECRET_DIRECTORIES | {"due", "ended", "evidence"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the program runs after it."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(8))
def test_protecting_goes_on_after_a_kill_at_any_write(tmp_path, places, monkeypatch, step, when):
    store = filled(places.store(tmp_path / "state"))
    write, count = directory.write_whole, itertools.count()

    def cut(path, data, **options):
        mine = next(count) == step
        if mine and when == "before":
            raise Killed
        write(path, data, **options)
        if mine:
            raise Killed

    monkeypatch.setattr(directory, "write_whole", cut)
    with pytest.raises(Killed):
        store.protection.protect(KeyringWrapper(places.old))
    monkeypatch.undo()
    forget_open_keys()
    again = places.store(store.directory)
    assert again.epoch_key("snf-locatie", "2026Q4").key == Secret(K), "it is readable in between"
    again.protection.protect(KeyringWrapper(places.old))
    assert all(is_sealed((store.directory / name).read_bytes()) for name in secret_files(store))
    assert again.protection.document.complete
    assert again.epoch_key("snf-locatie", "2026Q4").key == Secret(K)


def test_another_place_takes_over_whole_or_not_at_all(tmp_path, places, monkeypatch):
    store = filled(places.store(tmp_path / "state"))
    assert refused(lambda: store.protection.rewrap(KeyringWrapper(places.new))).code == "KEYSTORE_SETTING"
    store.protection.protect(KeyringWrapper(places.old))
    before = (store.directory / FILE_NAME).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(directory, "write_whole", lambda *_, **__: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            store.protection.rewrap(KeyringWrapper(places.new))
    assert (store.directory / FILE_NAME).read_bytes() == before
    shutil.copytree(store.directory, tmp_path / "backup")
    store.protection.rewrap(KeyringWrapper(places.new))
    forget_open_keys()
    assert places.store(store.directory, places.new).epoch_key("snf-locatie", "2026Q4").key == Secret(K)
    assert not places.old.entries, "the old keyring's entry is dropped"
    forget_open_keys()
    assert refused(lambda: places.store(store.directory).named_key("cache")).code == "KEYSTORE_LOCKED"


# the command line, with passphrases


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    desk = Desk(World(tmp_path), monkeypatch, capsys)
    desk.run("snf", "keys", "init")
    return desk


def give(desk, name, text):
    path = desk.world.directory / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def set_profile(desk, party, **values):
    path = desk.world.directory / party / "sluis-client.yaml"
    lines = [line for line in path.read_text().splitlines() if line.partition(":")[0] not in values]
    path.write_text("\n".join([*lines, *(f"{name}: {json.dumps(value)}" for name, value in values.items())]) + "\n")
    return load_profile(path)


def test_the_store_is_protected_and_its_passphrase_changed_by_commands(desk):
    first, second = give(desk, "first", "a first passphrase"), give(desk, "second", "another passphrase")
    set_profile(desk, "snf", key_store_secret=f"file:{first}")
    shown = desk.json("snf", "keys", "show")
    told = desk.run("snf", "keys", "protect")
    assert "protected by passphrase" in told
    assert "nothing changed" in desk.run("snf", "keys", "protect")
    forget_open_keys()
    assert desk.json("snf", "keys", "show") == shown
    wrong = give(desk, "wrong", "a wrong passphrase")
    set_profile(desk, "snf", key_store_secret=f"file:{wrong}")
    forget_open_keys()
    desk.run("snf", "keys", "passphrase", "--new-secret", f"file:{second}", expect=8)
    assert "KEYSTORE_LOCKED" in desk.err
    assert "wrong passphrase" in desk.err
    set_profile(desk, "snf", key_store_secret=f"file:{first}")
    desk.run("snf", "keys", "passphrase", "--new-secret", f"file:{second}")
    forget_open_keys()
    desk.run("snf", "keys", "show", expect=8)
    set_profile(desk, "snf", key_store_secret=f"file:{second}")
    assert desk.json("snf", "keys", "show") == shown
    desk.run("snf", "keys", "create", "--purpose", "snf-locatie")
    epochs = list((desk.world.directory / "snf" / "state" / "epochs").iterdir())
    assert epochs
    assert all(is_sealed(path.read_bytes()) for path in epochs)


def test_the_private_key_is_taken_in_and_its_file_destroyed(desk):
    passphrase = give(desk, "pass", "a first passphrase")
    profile = set_profile(desk, "snf", key_store_secret=f"file:{passphrase}")
    before = profile.party_key().certificate, profile.tls_identity()[1]
    key_file = profile.private_key
    kept = desk.world.directory / "linked"
    os.link(key_file, kept)
    other = load_profile(desk.world.directory / "utrecht" / "sluis-client.yaml").private_key
    desk.run("snf", "keys", "protect", "--private-key", str(other), expect=8)
    assert "KEY_NOT_OF_CERTIFICATE" in desk.err
    assert other.exists()
    told = desk.run("snf", "keys", "protect", "--private-key", str(key_file))
    assert "private_key: store" in told
    assert not key_file.exists()
    assert not any(kept.read_bytes())
    profile = set_profile(desk, "snf", private_key="store")
    assert (profile.party_key().certificate, profile.tls_identity()[1]) == before
    assert keystore_of(profile).private_key().startswith(b"-----BEGIN PRIVATE KEY")
    desk.run("snf", "keys", "init")


def test_commands_say_what_is_missing(desk):
    desk.run("snf", "keys", "passphrase", expect=8)
    assert "not protected" in desk.err
    desk.run("snf", "keys", "protect", expect=8)
    assert "no terminal" in desk.err
    short = give(desk, "short", "short")
    set_profile(desk, "snf", key_store_secret=f"file:{short}")
    desk.run("snf", "keys", "protect", expect=8)
    assert "at least 12 characters" in desk.err
    assert not (desk.world.directory / "snf" / "state" / FILE_NAME).exists()
    set_profile(desk, "snf", private_key="store")
    desk.run("snf", "keys", "init", "--renew", expect=8)
    assert "holds no private key" in desk.err
