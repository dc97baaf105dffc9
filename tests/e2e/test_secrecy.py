"""Promise 1: the broker never sees an identifier, nor K. Its memory, database and files are searched for both."""

from __future__ import annotations

import re
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from participant import Participant
from sluis.v1 import exchange_pb2
from sluis_client.secret import Secret
from world import make_world, texts_for

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(3_141_500, 3_141_600)]


PIECE = 4 << 20


def memory_of(pid: int) -> bytes:
    """All readable memory of a process, without the pieces that hold nothing but zeros."""
    image = bytearray()
    empty = bytes(PIECE)
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if found is None or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            start, stop = (int(part, 16) for part in found.groups())
            for at in range(start, stop, PIECE):
                try:
                    memory.seek(at)
                    piece = memory.read(min(PIECE, stop - at))
                except (OSError, ValueError, OverflowError):
                    break
                if not empty.startswith(piece):
                    image += piece
    return bytes(image)


def forms_of_key(key: Secret) -> list[bytes]:
    raw = key.reveal()
    return [raw, raw.hex().encode(), raw[:16], raw[16:]]


def forms_of_identifiers() -> list[bytes]:
    """What all of BAGS begin with, so that one search finds any of them: as text, as UTF-16, without municipality."""
    shared = BAGS[0][:14]
    assert all(bag.startswith(shared) for bag in BAGS)
    return [shared.encode(), shared.encode("utf-16-le"), shared[4:].encode()]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc/<pid>/mem to read another process's memory")
def test_the_broker_holds_neither_key_nor_identifier(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    world = make_world(tmp_path, texts_for(now), start=now)
    process = world.start_process()
    try:
        snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        key = snf.make_epoch(PURPOSE, [snf, utrecht])
        values = [f"{number}" for number in range(1000, 1100)]
        snf.publish(PURPOSE, "bag", {bag: [value] for bag, value in zip(BAGS, values, strict=True)}, ["beds"])
        sent = utrecht.question(PURPOSE, "bag", BAGS[:50], ["snf"], want=["beds"])
        answered = utrecht.send(sent)["snf"]
        assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
        assert len(answered.positions) == 50
        image = memory_of(process.pid)
    finally:
        world.stop()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    files = b"".join(
        path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and "pki" not in path.relative_to(tmp_path).parts
    )
    assert b"sluis.example/test-2026" in image, "the search must find what is there"
    assert str(sent.statement["tokens"]).encode() in image
    for name, heap in (("memory", image), ("files", files)):
        for form in forms_of_key(key):
            assert form not in heap, f"the key of the epoch stands in the broker's {name}"
        for form in forms_of_identifiers():
            assert form not in heap, f"an identifier stands in the broker's {name}"
    database = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    for at in range(0, len(sent.columns[0].pseudonyms), 16):
        assert sent.columns[0].pseudonyms[at : at + 16] not in database, "a pseudonym lies bare at rest"
