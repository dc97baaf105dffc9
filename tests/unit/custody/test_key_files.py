"""The broker's key files under protection, and the storage root that changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from key_places import MemoryKeyring
from sluis_custody import directory as sealing
from sluis_custody.directory import forget_open_keys
from sluis_custody.os_keyring import KeyringWrapper
from sluis_custody.store_key import FILE_NAME, is_sealed

from broker.custody.key_files import NEXT_FILE, NEXT_STORAGE_FILE, SIGNING_FILE, STORAGE_FILE, KeyDirectory
from broker.custody.keys import FileKeys
from broker.errors import Code, SluisError

ORIGIN = "sluis.example/test-2026"


@pytest.fixture(autouse=True)
def _nothing_is_open():
    forget_open_keys()
    yield
    forget_open_keys()


class Place:
    """A key directory under a keyring in memory."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.keyring = directory, MemoryKeyring()

    def wrapper(self, _: str = "") -> KeyringWrapper:
        return KeyringWrapper(self.keyring)

    def load(self) -> FileKeys:
        forget_open_keys()
        return FileKeys.load(self.directory, ORIGIN, self.wrapper)

    def files(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes() for path in self.directory.iterdir() if path.name.endswith((".key", ".next"))
        }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "keys")


def code_of(call) -> Code:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code


def test_protected_keys_are_the_same_and_lie_sealed(place: Place) -> None:
    keys = FileKeys.create(place.directory, ORIGIN)
    before = keys.signer.verifier_key, keys.at_rest.key("vault")
    bare = place.files()
    assert keys.files.protect(place.wrapper()) == 2
    assert all(is_sealed(data) for data in place.files().values())
    for text in bare.values():
        secret = text.split()[-1].split(b"+")[-1]
        assert not any(secret in path.read_bytes() for path in place.directory.iterdir())
    again = place.load()
    assert (again.signer.verifier_key, again.at_rest.key("vault")) == before
    assert again.files.protect(place.wrapper()) == 0


def test_keys_can_be_made_sealed_and_a_next_key_takes_its_place_sealed(place: Place) -> None:
    keys = FileKeys.create(place.directory, ORIGIN, unlocking=place.wrapper, wrapper=place.wrapper())
    assert all(is_sealed(data) for data in place.files().values())
    following = keys.next_signer(make=True)
    assert following is not None
    assert is_sealed(place.files()[NEXT_FILE])
    keys.take_next()
    assert place.load().signer.verifier_key == following.verifier_key


def test_without_what_opens_them_keys_are_locked_and_nothing_changes(place: Place) -> None:
    FileKeys.create(place.directory, ORIGIN, unlocking=place.wrapper, wrapper=place.wrapper())
    before = place.files()
    forget_open_keys()
    assert code_of(lambda: FileKeys.load(place.directory, ORIGIN)) is Code.CONFIG_INVALID
    held, place.keyring = place.keyring, MemoryKeyring()
    assert code_of(place.load) is Code.STORE_UNAVAILABLE
    place.keyring = held
    (place.directory / STORAGE_FILE).write_bytes(before[SIGNING_FILE])
    assert code_of(place.load) is Code.CONFIG_INVALID, "a sealed key does not serve as another"
    (place.directory / STORAGE_FILE).write_bytes(before[STORAGE_FILE])
    (place.directory / FILE_NAME).rename(place.directory / "away")
    assert code_of(place.load) is Code.CONFIG_INVALID
    (place.directory / "away").rename(place.directory / FILE_NAME)
    place.load()
    assert place.files() == before


def test_a_new_root_is_read_beside_the_old_one_until_it_takes_its_place(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FileKeys.create(place.directory, ORIGIN)
    old = keys.at_rest.key("vault")
    sealed = keys.at_rest.seal("vault", b"data", b"bound")
    assert not keys.take_up_rotation()
    assert FileKeys.load(place.directory, ORIGIN).begin_rotation()
    assert not FileKeys.load(place.directory, ORIGIN).begin_rotation(), "one change at a time"
    to_come = place.files()
    with monkeypatch.context() as patched:  # two that begin at the same moment: neither sees the other's root yet
        patched.setattr(KeyDirectory, "has", lambda *_: False)
        assert not FileKeys.load(place.directory, ORIGIN).begin_rotation()
    assert place.files() == to_come, "what the broker may write under already stays"
    assert keys.at_rest.key("vault") == old, "not taken up yet"
    assert keys.take_up_rotation()
    new = keys.at_rest.key("vault")
    assert keys.at_rest.keys("vault") == FileKeys.load(place.directory, ORIGIN).at_rest.keys("vault") == (new, old)
    assert keys.at_rest.open("vault", sealed, b"bound") == (b"data", False)
    moved = keys.at_rest.seal("vault", b"data", b"bound")
    assert keys.at_rest.open("vault", moved, b"bound") == (b"data", True)
    with (place.directory / STORAGE_FILE).open("rb") as before:
        keys.end_rotation()
        assert not any(before.read()), "the old root is overwritten"
    assert not (place.directory / NEXT_STORAGE_FILE).exists()
    assert keys.at_rest.keys("vault") == (new,)
    assert code_of(lambda: keys.at_rest.open("vault", sealed, b"bound")) is Code.STORE_CORRUPT
    assert code_of(lambda: keys.at_rest.open("vault", moved, b"other")) is Code.STORE_CORRUPT
    assert code_of(keys.end_rotation) is Code.INTERNAL


def test_protecting_that_is_cut_off_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier_key = FileKeys.create(place.directory, ORIGIN).signer.verifier_key
    write = sealing.write_whole
    for step in range(3):
        calls = iter(range(9))

        def cut(path: Path, data: bytes, step: int = step, calls=calls, **options: bool) -> None:
            if next(calls) == step:
                raise KeyboardInterrupt
            write(path, data, **options)

        monkeypatch.setattr(sealing, "write_whole", cut)
        with pytest.raises(KeyboardInterrupt):
            FileKeys(place.directory, ORIGIN, place.wrapper).files.protect(place.wrapper())
        monkeypatch.undo()
        assert place.load().signer.verifier_key == verifier_key
    FileKeys(place.directory, ORIGIN, place.wrapper).files.protect(place.wrapper())
    assert all(is_sealed(data) for data in place.files().values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for another user")
def test_what_root_writes_belongs_to_the_broker(place: Place) -> None:
    keys = FileKeys.create(place.directory, ORIGIN)
    os.chown(place.directory, 4711, 4712)
    keys.files.protect(place.wrapper())
    keys.begin_rotation()
    for path in place.directory.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712), path.name
