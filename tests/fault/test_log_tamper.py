"""Bytes flipped in the database file: altered entries never verify."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_kit import World, played
from log_kit import FakeClock, Keys, Log

from broker.audit.export import bundle_lines
from broker.audit.findings import Report
from broker.audit.verify import verify
from broker.errors import SluisError
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.opening import check_whole
from broker.ports import Transaction
from broker.storage.sqlite import open_reader


@pytest.fixture(scope="module")
def made(module_path: Path) -> tuple[Path, World]:
    """A closed database with the played log in it, its WAL folded back."""
    world, clock = played(), FakeClock()
    directory = module_path
    log = Log(directory, world.keys, clock)
    for number, (batch, at) in enumerate(zip(world.batches, world.times, strict=True)):
        clock.at = at
        if number == 0:
            log.open()
            continue

        def work(tx: Transaction, batch: list[tuple[str, dict[str, object]]] = batch) -> None:
            for kind, body in batch:
                tx.append(kind, body)
            if batch[0][0] == "policy":
                tx.put_document("policy-set", "d", world.archive[0])

        log.sequencer.submit(work)
    log.close()
    return log.path, world


def flipped(source: Path, directory: Path, at: int, bit: int) -> Path:
    path = directory / source.name
    shutil.copy(source, path)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
    return path


def exported(path: Path, world: World) -> Report | None:
    """The verdict over an export of the database; None when it could not even be exported."""
    reader = open_reader(path)
    try:
        return verify(list(bundle_lines(reader)), world.trust())
    except SluisError:
        return None
    finally:
        reader.close()


def whole(path: Path, keys: Keys) -> bool:
    reader = open_reader(path)
    try:
        check_whole(reader, parse_verifier_key(keys.signer.verifier_key))
    except SluisError:
        return False
    finally:
        reader.close()
    return True


def places(path: Path, find: Callable[[bytes], int], length: int, count: int) -> list[tuple[int, int]]:
    chance, start = random.Random(5), find(path.read_bytes())
    assert start >= 0
    return [(start + chance.randrange(length), chance.randrange(8)) for _ in range(count)]


def test_the_database_itself_verifies(made: tuple[Path, World]) -> None:
    path, world = made
    report = exported(path, world)
    assert report is not None
    assert report.verified
    assert whole(path, world.keys)


@pytest.mark.parametrize("word", [b'"kind":"refusal"', b'"kind":"genesis"', b'"what":"entries"'])
def test_a_flip_inside_an_entry_is_found(made: tuple[Path, World], tmp_path: Path, word: bytes) -> None:
    path, world = made
    for at, bit in places(path, lambda data: data.index(word), len(word), 12):
        changed = flipped(path, tmp_path, at, bit)
        report = exported(changed, world)
        assert report is None or not report.verified
        assert not whole(changed, world.keys)


def test_a_flip_inside_a_checkpoint_is_found(made: tuple[Path, World], tmp_path: Path) -> None:
    path, world = made
    word = f"{world.keys.signer.origin}\n{world.size}\n".encode()
    for at, bit in places(path, lambda data: data.index(word), 190, 24):
        changed = flipped(path, tmp_path, at, bit)
        report = exported(changed, world)
        assert report is None or not report.verified
        assert not whole(changed, world.keys)


@pytest.mark.slow
def test_a_flip_anywhere_never_alters_a_verified_log(made: tuple[Path, World], tmp_path: Path) -> None:
    """Many bytes of a database are not of the log (free space, documents); those may verify, but as the same log."""
    path, world = made
    expected = world.bundle()
    chance, size = random.Random(6), path.stat().st_size
    refused = 0
    for _ in range(300):
        changed = flipped(path, tmp_path, chance.randrange(size), chance.randrange(8))
        reader = open_reader(changed)
        try:
            lines = list(bundle_lines(reader))
        except SluisError:
            refused += 1
            continue
        finally:
            reader.close()
        if verify(lines, world.trust()).verified:
            assert lines == expected
        else:
            refused += 1
    assert refused > 50


@pytest.mark.slow
def test_a_cut_anywhere_never_alters_a_verified_log(made: tuple[Path, World], tmp_path: Path) -> None:
    """A file cut short, page by page and in between: it is refused, or what it still holds is the same log."""
    path, world = made
    expected, whole_file = world.bundle(), path.read_bytes()
    chance, refused = random.Random(7), 0
    cuts = {*range(0, len(whole_file), 4096), *(chance.randrange(len(whole_file)) for _ in range(60))}
    for at in sorted(cuts):
        cut = tmp_path / path.name
        cut.write_bytes(whole_file[:at])
        reader = open_reader(cut)
        try:
            lines = list(bundle_lines(reader))
        except SluisError:
            refused += 1
            continue
        finally:
            reader.close()
        if verify(lines, world.trust()).verified:
            assert lines == expected
        else:
            refused += 1
    assert refused > len(cuts) // 2
