"""The log as static files in the layout of C2SP tlog-tiles: derived, never the log itself. Pure.

checkpoint                       the signed note, written last
tile/<level>/<N>[.p/<width>]     hashes of 256 (or width) complete nodes of tree level 8 * level
tile/entries/<N>[.p/<width>]     the entries under a tile of level 0, each behind its length as 2 bytes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import Checkpoint, parse_checkpoint
from broker.exchange_log.merkle import HASH_BYTES, leaf_hash, node_hash, root_of
from broker.ports import LogReader

WIDTH = 256
HEIGHT = 8
FULL_BYTES = WIDTH * HASH_BYTES


class Shelf(Protocol):
    """Where the files lie. Paths are relative, with slashes."""

    def read(self, path: str) -> bytes | None:
        """The file's bytes; None when there is none."""
        ...

    def size(self, path: str) -> int:
        """Its bytes' number; -1 when there is none."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Writes or replaces a file, whole or not at all."""
        ...

    def drop_partial(self, path: str) -> None:
        """Removes the partial tiles of a tile that is full now, if there are any."""
        ...


def tile_path(level: int | None, number: int, width: int = WIDTH) -> str:
    """The path of a tile, or of a bundle of entries where `level` is None."""
    parts = [f"{number % 1000:03d}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{'entries' if level is None else level}/{'/'.join(parts)}{partial}"


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, number, width) of every tile of a tree of `size`, level by level from the leaves."""
    level, count = 0, size
    while count:
        for number in range(count // WIDTH):
            yield level, number, WIDTH
        if count % WIDTH:
            yield level, count // WIDTH, count % WIDTH
        level, count = level + 1, count // WIDTH


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of sibling nodes."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level), 2)]
    return level[0]


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes in a tile."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def write_tiles(reader: LogReader, shelf: Shelf, size: int, note: str) -> int:
    """Brings a shelf up to the checkpoint `note` of `size`; returns how many files were written.

    Full tiles that are there already are not made again. What then lies on the shelf must lead to the root of the
    checkpoint, and hold the tree of the checkpoint that lay there before; only then the new checkpoint is put there.

    Raises:
        SluisError: CONFIG_INVALID when the shelf holds another log; LOG_SHRUNK when it holds a longer one; LOG_FORKED
            when the log does not continue the one it holds; STORE_CORRUPT when its tiles were altered; and what
            reading the log and the shelf raises.
    """
    fresh, before = parse_checkpoint(note), shelf.read("checkpoint")
    held = None if before is None else _held(before)
    if held is not None and held.origin != fresh.origin:
        raise SluisError(Code.CONFIG_INVALID, f"the tiles there are of {held.origin}; name another directory")
    if held is not None and held.size > size:
        text = f"the tiles there hold {held.size} entries, and this log has {size}: it was cut or restored"
        raise SluisError(Code.LOG_SHRUNK, text)
    written = 0
    for level, number, width in tiles_of(size):
        written += _make(reader, shelf, level, number, width)
    tiles = _Tiles(shelf, size)
    try:
        if held is not None and held.size and root_of(held.size, tiles.node) != held.root:
            raise SluisError(Code.LOG_FORKED, "this log does not continue the one whose tiles are there")
        good = root_of(size, tiles.node) == fresh.root
    except IndexError:
        good = False
    if not good:
        raise SluisError(Code.STORE_CORRUPT, "the tiles there were altered; export to an empty directory")
    data = note.encode()
    if before != data:
        shelf.write("checkpoint", data)
        written += 1
    return written


def _held(before: bytes) -> Checkpoint:
    try:
        return parse_checkpoint(before.decode())
    except (SluisError, UnicodeDecodeError):
        text = "a file `checkpoint` is there that is none; name another directory"
        raise SluisError(Code.CONFIG_INVALID, text) from None


def _make(reader: LogReader, shelf: Shelf, level: int, number: int, width: int) -> int:
    """Makes one tile, with its entries at level 0, unless they are there; how many files were written."""
    path = tile_path(level, number, width)
    entries = tile_path(None, number, width)
    if shelf.size(path) == width * HASH_BYTES and (level or shelf.size(entries) > 0):
        return 0
    if level:
        below = range(number * WIDTH, number * WIDTH + width)
        hashes = [subtree_root(split_hashes(_read(shelf, tile_path(level - 1, one)))) for one in below]
        shelf.write(path, b"".join(hashes))
    else:
        start = number * WIDTH
        leaves = [entry.leaf for entry in reader.entries(start, start + width)]
        if len(leaves) != width:
            raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")
        shelf.write(entries, b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves))
        shelf.write(path, b"".join(map(leaf_hash, leaves)))
    if width == WIDTH:
        shelf.drop_partial(path)
        if not level:
            shelf.drop_partial(entries)
    return 1 if level else 2


def _read(shelf: Shelf, path: str) -> bytes:
    data = shelf.read(path)
    if data is None or len(data) != FULL_BYTES:
        raise SluisError(Code.STORE_CORRUPT, "the tiles there were altered; export to an empty directory")
    return data


class _Tiles:
    """Complete nodes of the tree of `size`, from tiles alone."""

    def __init__(self, shelf: Shelf, size: int) -> None:
        self._shelf = shelf
        self._size = size
        self._tile = lru_cache(maxsize=64)(self._read_tile)

    def node(self, level: int, position: int) -> bytes:
        """The hash of a complete node (level, position). Raises IndexError when the tiles do not hold it."""
        tile_level, rise = divmod(level, HEIGHT)
        first = position << rise
        hashes = self._tile(tile_level, first // WIDTH)[first % WIDTH : first % WIDTH + (1 << rise)]
        if len(hashes) != 1 << rise:
            raise IndexError
        return subtree_root(hashes)

    def _read_tile(self, level: int, number: int) -> list[bytes]:
        width = min((self._size >> (HEIGHT * level)) - number * WIDTH, WIDTH)
        return split_hashes(self._shelf.read(tile_path(level, number, width)) or b"")
