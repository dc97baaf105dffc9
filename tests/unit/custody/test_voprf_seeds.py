"""Seeds of a key service in files: sealed, made once, never mixed up, and gone when destroyed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from voprf import ristretto

from broker.canonical import encode
from broker.custody.keys import FileKeys
from broker.custody.voprf_seeds import FileSeeds
from broker.errors import Code, SluisError

ORIGIN = "oost.example/test-2026"
PURPOSE, EPOCH, MADE = "nla-verzoek-persoon", "2026-11", "2026-10-20T09:00:00Z"


class Counting:
    """Entropy that can be told apart."""

    drawn = 0

    def token(self, size: int) -> bytes:
        self.drawn += 1
        return bytes([self.drawn]) * size


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> FileKeys:
    return FileKeys.create(tmp_path_factory.mktemp("root") / "keys", ORIGIN)


@pytest.fixture
def seeds(tmp_path, keys):
    made = open_at(tmp_path, keys)
    yield made
    made.close()


def open_at(folder: Path, keys: FileKeys, **named: str) -> FileSeeds:
    return FileSeeds(folder, keys.at_rest, Counting(), **{"service": "oost", "environment": "test", **named})


def file_of(folder: Path, epoch: str = EPOCH) -> Path:
    return folder / "voprf" / f"{PURPOSE}.{epoch}.json"


def code(call) -> Code:
    with pytest.raises(SluisError) as caught:
        call()
    return caught.value.code


def test_a_key_is_derived_from_its_seed_and_its_place_alone(seeds):
    made = seeds.make(PURPOSE, EPOCH, MADE)
    info = encode(b"sluis/v1/voprf", b"oost", b"test", PURPOSE.encode(), EPOCH.encode())
    assert made.public == ristretto.Evaluator.from_seed(b"\x01" * 32, info).public_key.serialize()
    assert seeds.public_key(PURPOSE, EPOCH) == made.public
    client, blinded = ristretto.Client.blind(b"input")
    elements = seeds.read(blinded.serialize(), "blinded_elements", 1)
    done = seeds.evaluate(PURPOSE, EPOCH, elements)
    output = ristretto.VerifiableBatchOutput.deserialize(done.proof + done.elements)
    key = ristretto.PublicKey.deserialize(made.public)
    assert ristretto.Client.finalize_batch([client], output, key)


def test_the_file_does_not_hold_the_seed_bare_and_is_private(seeds, tmp_path):
    seeds.make(PURPOSE, EPOCH, MADE)
    path = file_of(tmp_path)
    assert (b"\x01" * 32).hex() not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_key_is_never_overwritten(seeds):
    made = seeds.make(PURPOSE, EPOCH, MADE)
    assert code(lambda: seeds.make(PURPOSE, EPOCH, MADE)) is Code.CONFIG_INVALID
    assert seeds.public_key(PURPOSE, EPOCH) == made.public
    assert [one.epoch for one in seeds.list()] == [EPOCH]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for another user")
def test_a_key_that_root_makes_can_be_read_by_the_service(seeds, tmp_path):
    os.chown(tmp_path, 4711, 4712)
    seeds.make(PURPOSE, EPOCH, MADE)
    for path in (tmp_path / "voprf", file_of(tmp_path)):
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o077) == (4711, 4712, 0)


def test_generations_and_other_epochs_are_keys_of_their_own(seeds):
    made = [seeds.make(PURPOSE, epoch, MADE).public for epoch in (EPOCH, "2026-11.2", "2026-12", "2026Q4", "2026")]
    assert len(set(made)) == 5
    assert len(seeds.list()) == 5


@pytest.mark.parametrize(("purpose", "epoch"), [("../x", EPOCH), ("a/b", EPOCH), (PURPOSE, "2026-13"), (PURPOSE, "..")])
def test_names_that_are_none_make_no_file(seeds, tmp_path, purpose, epoch):
    assert code(lambda: seeds.make(purpose, epoch, MADE)) is Code.CONFIG_INVALID
    assert seeds.public_key(purpose, epoch) is None
    assert not list(tmp_path.rglob("*.json"))


def test_a_seed_of_another_storage_root_or_place_is_not_opened(seeds, tmp_path, keys):
    seeds.make(PURPOSE, EPOCH, MADE)
    path = file_of(tmp_path)
    other = FileKeys.create(tmp_path / "other", ORIGIN)
    assert code(lambda: open_at(tmp_path, other).public_key(PURPOSE, EPOCH)) is Code.STORE_CORRUPT
    assert code(lambda: open_at(tmp_path, keys, service="west").public_key(PURPOSE, EPOCH)) is Code.CONFIG_INVALID
    value = json.loads(path.read_text())
    for change in ({"public_key": "ab" * 32}, {"epoch": "2026-12"}, {"sealed": "AAAA"}, {"type": "x"}):
        path.write_text(json.dumps({**value, **change}))
        assert code(lambda: open_at(tmp_path, keys).public_key(PURPOSE, EPOCH)) is Code.STORE_CORRUPT
    path.write_bytes(b"[1]")
    assert code(lambda: open_at(tmp_path, keys).public_key(PURPOSE, EPOCH)) is Code.STORE_CORRUPT
    path.write_text(json.dumps(value))
    path.chmod(0o644)
    assert code(lambda: open_at(tmp_path, keys).public_key(PURPOSE, EPOCH)) is Code.CONFIG_INVALID


def test_a_destroyed_key_leaves_nothing_and_no_other_key_goes_with_it(seeds, tmp_path):
    public = seeds.make(PURPOSE, EPOCH, MADE).public
    kept = seeds.make(PURPOSE, "2026-12", MADE).public
    link = tmp_path / "link"  # what a thief of the disk would see of the file
    link.hardlink_to(file_of(tmp_path))
    assert not seeds.destroy(PURPOSE, EPOCH, kept)
    assert seeds.public_key(PURPOSE, EPOCH) == public
    assert seeds.destroy(PURPOSE, EPOCH, public)
    assert not seeds.destroy(PURPOSE, EPOCH, public)
    assert seeds.public_key(PURPOSE, EPOCH) is None
    assert public.hex().encode() not in link.read_bytes()
    assert code(lambda: seeds.evaluate(PURPOSE, EPOCH, ())) is Code.EPOCH_UNKNOWN
    assert seeds.public_key(PURPOSE, "2026-12") == kept


def test_files_that_come_and_go_beside_a_running_service_are_noticed(seeds, tmp_path, keys):
    assert seeds.public_key(PURPOSE, EPOCH) is None
    other = open_at(tmp_path, keys)
    public = other.make(PURPOSE, EPOCH, MADE).public
    assert seeds.public_key(PURPOSE, EPOCH) == public
    other.destroy(PURPOSE, EPOCH, public)
    assert seeds.public_key(PURPOSE, EPOCH) is None
    other.close()


def test_seeds_move_to_a_new_storage_key(tmp_path):
    keys = FileKeys.create(tmp_path / "keys", ORIGIN)
    old = open_at(tmp_path / "keys", keys)
    made, other = old.make(PURPOSE, EPOCH, MADE), old.make(PURPOSE, "2026-12", MADE)
    file_of(tmp_path / "keys", "2026-12").write_bytes(
        file_of(tmp_path / "keys", "2026-12").read_bytes().replace(b'"sealed":"', b'"sealed":"AAAA')
    )
    keys.begin_rotation()
    keys.take_up_rotation()
    assert old.rewrap()
    moved = file_of(tmp_path / "keys").read_bytes()
    assert old.rewrap()
    assert file_of(tmp_path / "keys").read_bytes() == moved, "what is moved is left"
    keys.end_rotation()
    again = open_at(tmp_path / "keys", FileKeys.load(tmp_path / "keys", ORIGIN))
    assert again.public_key(PURPOSE, EPOCH) == made.public
    assert code(lambda: again.public_key(PURPOSE, "2026-12")) is Code.STORE_CORRUPT
    assert other.public != made.public
    old.close()
    again.close()


def test_a_key_made_while_a_change_of_the_storage_key_begins_is_moved_with_the_others(tmp_path):
    """The change waits for whoever seals: what was sealed under the old root lies there before anything is moved."""
    broker = FileKeys.create(tmp_path / "keys", ORIGIN)
    beside = FileKeys.load(tmp_path / "keys", ORIGIN)
    seeds, begun = open_at(tmp_path / "keys", beside), threading.Event()

    def begin() -> None:
        FileKeys.load(tmp_path / "keys", ORIGIN).begin_rotation()
        begun.set()

    changing = threading.Thread(target=begin)
    with beside.sealing():
        changing.start()
        assert not begun.wait(0.3), "a change began while a key was being made"
        assert not broker.rotating
        made = seeds.make(PURPOSE, EPOCH, MADE)
    changing.join()
    moved = open_at(tmp_path / "keys", broker)
    broker.take_up_rotation()
    assert moved.rewrap()
    broker.end_rotation()
    assert (
        open_at(tmp_path / "keys", FileKeys.load(tmp_path / "keys", ORIGIN)).public_key(PURPOSE, EPOCH) == made.public
    )


@pytest.mark.parametrize("ended", [False, True])
def test_a_key_is_made_under_the_newest_storage_key_whenever_the_old_one_was_read(tmp_path, ended):
    broker = FileKeys.create(tmp_path / "keys", ORIGIN)
    beside = FileKeys.load(tmp_path / "keys", ORIGIN)
    seeds = open_at(tmp_path / "keys", beside)
    broker.begin_rotation()
    broker.take_up_rotation()
    if ended:
        broker.end_rotation()
    with beside.sealing():
        made = seeds.make(PURPOSE, EPOCH, MADE)
    if not ended:
        broker.end_rotation()
    assert (
        open_at(tmp_path / "keys", FileKeys.load(tmp_path / "keys", ORIGIN)).public_key(PURPOSE, EPOCH) == made.public
    )
