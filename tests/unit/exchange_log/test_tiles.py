"""The log as C2SP tlog-tiles: a checker of our own from the definition, and a public reader, rebuild the same tree."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from exported_tiles import exported_tiles
from log_kit import Keys, Log, access_body
from typer.testing import CliRunner
from witnesses import OwnWitness

from broker.cli import app
from broker.cli.audit.tiling import Folder
from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import parse_checkpoint, parse_verifier_key, sign_checkpoint
from broker.exchange_log.merkle import CompactRange, leaf_hash
from broker.exchange_log.tiles import tile_path, tiles_of, write_tiles
from broker.ports import StoredEntry

KEYS = Keys()
KEY = parse_verifier_key(KEYS.signer.verifier_key)


class Leaves:
    """As much of a LogReader as tiles need, over made-up leaves."""

    def __init__(self, size: int, mark: bytes = b"") -> None:
        self.leaves = [mark + n.to_bytes(3, "big") for n in range(size)]

    def entries(self, start: int, stop: int) -> Iterator[StoredEntry]:
        return (StoredEntry(n, self.leaves[n]) for n in range(start, min(stop, len(self.leaves))))

    def note(self, size: int) -> str:
        tree = CompactRange()
        for leaf in self.leaves[:size]:
            tree.append(leaf_hash(leaf))
        return sign_checkpoint(KEYS.signer, KEY, size, tree.root())


class Memory:
    """A shelf that counts what is written."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.written: list[str] = []

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def size(self, path: str) -> int:
        return len(self.files.get(path, b"")) if path in self.files else -1

    def write(self, path: str, data: bytes) -> None:
        self.files[path] = data
        self.written.append(path)

    def drop_partial(self, path: str) -> None:
        self.files = {name: data for name, data in self.files.items() if not name.startswith(f"{path}.p/")}


def mth(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as written there."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def check_tiles(files: dict[str, bytes]) -> list[bytes]:
    """Rebuilds everything from the files alone, by the definitions of the standard; returns the entries."""
    origin, size_text, root = files["checkpoint"].decode().split("\n")[:3]
    size = int(size_text)
    assert origin
    entries: list[bytes] = []
    number = 0
    while len(entries) < size:
        width = min(256, size - len(entries))
        data = files[path_of("entries", number, width)]
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            assert len(entries[-1]) == length
            data = data[2 + length :]
        number += 1
    assert len(entries) == size
    level, hashes = 0, [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    assert mth(hashes) == base64.b64decode(root)
    while hashes:
        for start in range(0, len(hashes), 256):
            tile = hashes[start : start + 256]
            assert files[path_of(str(level), start // 256, len(tile))] == b"".join(tile)
        hashes = [mth(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return entries


def path_of(kind: str, number: int, width: int) -> str:
    digits = f"{number:03d}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"tile/{kind}/{path}" + ("" if width == 256 else f".p/{width}")


def test_paths_are_those_of_the_standard() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(2, 0, 17) == "tile/2/000.p/17"
    assert tile_path(None, 1000) == "tile/entries/x001/000"
    assert all(tile_path(0, n) == path_of("0", n, 256) for n in (0, 7, 999, 1000, 999_999, 1_000_000, 123_456_789))


def test_a_tree_of_70_000_has_the_tiles_that_the_standard_names() -> None:
    tiles = list(tiles_of(70_000))
    assert sum(one[0] == 0 and one[2] == 256 for one in tiles) == 273
    assert [one for one in tiles if one[0] or one[2] != 256] == [(0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, pytest.param(66_000, marks=pytest.mark.slow)])
def test_the_tree_is_rebuilt_from_tiles_alone(size: int) -> None:
    leaves, shelf = Leaves(size), Memory()
    count = write_tiles(leaves, shelf, size, leaves.note(size))
    assert check_tiles(shelf.files) == leaves.leaves
    assert count == len(shelf.written) == len(shelf.files)
    assert shelf.written[-1] == "checkpoint"


def test_it_grows_without_making_again_what_is_there() -> None:
    leaves, shelf = Leaves(2_000), Memory()
    for size in (1, 200, 256, 300, 300, 767, 768, 1_500, 2_000):
        shelf.written.clear()
        count = write_tiles(leaves, shelf, size, leaves.note(size))
        assert check_tiles(shelf.files) == leaves.leaves[:size]
        assert count == len(shelf.written)
    assert [path for path in shelf.files if ".p/" in path and path.startswith("tile/0/")] == [
        f"tile/0/{2_000 // 256:03d}.p/{2_000 % 256}"
    ]
    shelf.written.clear()
    assert write_tiles(leaves, shelf, 2_000, leaves.note(2_000)) == 0


def test_another_shorter_forked_or_damaged_log_is_refused_and_changes_no_checkpoint() -> None:
    leaves, shelf = Leaves(600), Memory()
    write_tiles(leaves, shelf, 600, leaves.note(600))
    whole = dict(shelf.files)

    def refused(reader: Leaves, size: int, note: str) -> Code:
        with pytest.raises(SluisError) as caught:
            write_tiles(reader, shelf, size, note)
        assert shelf.files["checkpoint"] == whole["checkpoint"]
        return caught.value.code

    assert refused(leaves, 500, leaves.note(500)) is Code.LOG_SHRUNK
    fork = Leaves(700, b"fork")
    assert refused(fork, 700, fork.note(700)) in (Code.LOG_FORKED, Code.STORE_CORRUPT)
    shelf.files = dict(whole)
    strange = Keys("a", "sluis.example/other")
    other = sign_checkpoint(strange.signer, parse_verifier_key(strange.signer.verifier_key), 700, bytes(32))
    assert refused(Leaves(700), 700, other) is Code.CONFIG_INVALID
    more = Leaves(700)
    shelf.files["tile/0/000"] = bytes(8192)
    shelf.files["tile/1/000.p/2"] = bytes(64)
    assert refused(more, 700, more.note(700)) in (Code.LOG_FORKED, Code.STORE_CORRUPT)
    shelf.files = {**whole, "checkpoint": b"nonsense"}
    with pytest.raises(SluisError) as caught:
        write_tiles(more, shelf, 700, more.note(700))
    assert caught.value.code is Code.CONFIG_INVALID


def test_a_torn_tile_is_made_again() -> None:
    leaves, shelf = Leaves(300), Memory()
    write_tiles(leaves, shelf, 300, leaves.note(300))
    shelf.files["tile/0/000"] = shelf.files["tile/0/000"][:100]
    write_tiles(leaves, shelf, 300, leaves.note(300))
    assert check_tiles(shelf.files) == leaves.leaves


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Log, OwnWitness]]:
    """Tiles of a real log, by the command, up to a checkpoint that a real witness's key cosigned."""
    with exported_tiles(tmp_path_factory.mktemp("tiles")) as made:
        yield made


def tiles_command(log: Log, out: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", "tiles", "--database", str(log.path), "--out", str(out), *more])
    return result.exit_code, result.output


def files_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_command_writes_what_the_checker_accepts(exported: tuple[Path, Log, OwnWitness]) -> None:
    out, log, _ = exported
    entries = check_tiles(files_of(out))
    assert entries == [entry.leaf for entry in log.reader.entries(0, log.reader.size())]


def test_witnessed_goes_to_the_newest_quorum(exported: tuple[Path, Log, OwnWitness], tmp_path: Path) -> None:
    _, log, witness = exported
    size = log.reader.size()
    log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    assert tiles_command(log, tmp_path / "a", "--witnessed")[0] == 0
    note = (tmp_path / "a" / "checkpoint").read_text()
    assert parse_checkpoint(note).size == size
    assert witness.key.public.name in note
    assert tiles_command(log, tmp_path / "a")[0] == 0
    assert parse_checkpoint((tmp_path / "a" / "checkpoint").read_text()).size == size + 1
    assert len(check_tiles(files_of(tmp_path / "a"))) == size + 1


def test_a_public_reader_agrees(exported: tuple[Path, Log, OwnWitness]) -> None:
    """tlog-scales: root, every entry, inclusion and consistency proofs, the log's signature and the cosignature."""
    from tlog_scales.backend import LocalBackend
    from tlog_scales.reader import TilesReader
    from tlog_scales.signing import Vkey, VkeySet

    out, log, witness = exported
    reader = TilesReader(LocalBackend(out))
    checkpoint = reader.get_checkpoint()
    assert reader.calculate_root_hash() == checkpoint.root_hash
    keys = VkeySet(Vkey.from_string(log.keys.signer.verifier_key), Vkey.from_string(witness.vkey))
    assert len(keys.verify(checkpoint.signatures, checkpoint)) == 2
    for index in (0, 1, 255, 256, 257, 511, 512, checkpoint.size - 1):
        leaf = next(iter(log.reader.entries(index, index + 1))).leaf
        assert reader.get_entry(index) == leaf
        reader.get_inclusion_proof(index, checkpoint.size).check(leaf_hash(leaf), checkpoint.root_hash)
        assert tuple(reader.get_inclusion_proof(index, checkpoint.size).node_hashes) == tuple(
            log.reader.inclusion(index, checkpoint.size)
        )
    for old in (1, 200, 256, 300, 512):
        theirs = reader.get_consistency_proof(old, checkpoint.size)
        assert tuple(theirs.node_hashes) == tuple(log.reader.consistency(old, checkpoint.size))


def test_an_empty_or_foreign_directory(tmp_path: Path, exported: tuple[Path, Log, OwnWitness]) -> None:
    _, log, _ = exported
    (tmp_path / "file").write_text("x")
    assert tiles_command(log, tmp_path / "file")[0] == 2
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "tile").write_text("in the way")
    assert Folder(tmp_path / "d").size("tile/0/000") == -1
    with pytest.raises(SluisError) as caught:
        Folder(tmp_path / "d").write("tile/0/000", b"x")
    assert caught.value.code is Code.CONFIG_INVALID
