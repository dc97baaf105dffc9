"""Agreement with a public implementation, `filippo.io/torchwood` in Go, run beside ours.

Its tile reader and cosignature verifier on what we write; its witness, litewitness, fed by our side and beside our own
witness. Skipped, with the reason printed, where Go, its modules or litewitness are not at hand: litewitness takes
minutes to build, so it is used where it is on the PATH or in SLUIS_LITEWITNESS (`go build
filippo.io/torchwood/cmd/litewitness` in tests/interop/torchwood).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exported_tiles import exported_tiles
from go_programs import built
from log_kit import Keys, Log, access_body
from witnesses import OwnWitness

from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.cosignature import parse_witness_key
from broker.witness.calling import Contradicted, Cosignature, HasSize, WitnessEnd, WitnessTrouble, ask_newest

pytestmark = pytest.mark.slow

MODULE = Path(__file__).parent / "torchwood"
EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
"""SHA-256 of nothing: where litewitness has a log begin."""


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program in `torchwood/`, built."""
    return built(MODULE, tmp_path_factory.mktemp("go") / "checker")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Log, OwnWitness]]:
    """Tiles of a real log, by the command, up to a checkpoint that a real witness's key cosigned."""
    with exported_tiles(tmp_path_factory.mktemp("tiles")) as made:
        yield made


def check(checker: Path, out: Path, log: Log, witness: OwnWitness) -> subprocess.CompletedProcess[str]:
    command = [str(checker), str(out), log.keys.signer.verifier_key, witness.vkey]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_its_reader_finds_every_entry_and_both_signatures(
    checker: Path, exported: tuple[Path, Log, OwnWitness]
) -> None:
    out, log, witness = exported
    done = check(checker, out, log, witness)
    assert done.stdout == f"entries 601 of 601 witnessed {int(witness.clock.at.timestamp())}\n", done.stderr


@pytest.mark.parametrize("path", ["checkpoint", "tile/entries/001", "tile/0/000", "tile/entries/002.p/89"])
def test_its_reader_refuses_what_is_bent(
    checker: Path, exported: tuple[Path, Log, OwnWitness], tmp_path: Path, path: str
) -> None:
    out, log, witness = exported
    shutil.copytree(out, tmp_path / "bent")
    data = bytearray((tmp_path / "bent" / path).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bent" / path).write_bytes(data)
    assert check(checker, tmp_path / "bent", log, witness).returncode == 1


@pytest.fixture
def litewitness(tmp_path: Path) -> Iterator[tuple[WitnessEnd, str]]:
    """A litewitness that watches the test log, and its verifier key."""
    program = os.environ.get("SLUIS_LITEWITNESS") or shutil.which("litewitness")
    if program is None or not all(map(shutil.which, ("ssh-agent", "ssh-add", "ssh-keygen"))):
        pytest.skip("litewitness (or ssh-agent, which holds its key) is not on this machine")
    log_key = parse_verifier_key(Keys().signer.verifier_key)
    agent_socket, key = tmp_path / "agent", tmp_path / "id"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(agent_socket)], stdout=subprocess.DEVNULL)
    server = None
    try:
        wait_for(agent_socket.exists)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        environment = {**os.environ, "SSH_AUTH_SOCK": str(agent_socket)}
        subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment)
        mark = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True)
        database = sqlite3.connect(tmp_path / "witness.db")
        database.executescript(
            "CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);"
            "CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));"
        )
        database.execute("INSERT INTO log VALUES (?, 0, ?)", (log_key.name, EMPTY))
        database.execute("INSERT INTO key VALUES (?, ?)", (log_key.name, str(log_key)))
        database.commit()
        database.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [program, "-name", "lite.example/w", "-db", str(tmp_path / "witness.db"), "-listen"]
        command += [f"127.0.0.1:{port}", "-ssh-agent", str(agent_socket), "-key", mark.stdout.split()[1]]
        with (tmp_path / "log").open("wb") as out:
            server = subprocess.Popen(command, stderr=out, stdout=out)
        wait_for(lambda: "vkey=" in (tmp_path / "log").read_text())
        found = re.search(r"vkey=\"?([^\s\"]+)", (tmp_path / "log").read_text())
        assert found
        wait_for(lambda: listens(port))
        yield WitnessEnd(f"http://127.0.0.1:{port}", parse_witness_key(found[1])), found[1]
    finally:
        for process in filter(None, (server, agent)):
            process.terminate()
            process.wait(60)


def wait_for(what: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_its_witness_cosigns_for_our_side_as_ours_does(
    litewitness: tuple[WitnessEnd, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same offers to both: cosigned, told the size, or refused alike."""
    theirs, _ = litewitness
    directory = tmp_path_factory.mktemp("beside")
    with (
        Log(directory) as log,
        OwnWitness(directory / "w", "witness.example/w1", [log.keys.signer.verifier_key]) as own,
    ):
        notes = [log.reader.checkpoint()]
        for _ in range(4):
            log.sequencer.submit(lambda tx: [tx.append("access", access_body()) for _ in range(3)])
            notes.append(log.reader.checkpoint())
        ends = [theirs, own.end()]
        sizes = dict(notes)
        (first, last) = (notes[0][0], notes[-1][0])

        def offers(old: int, size: int, proof: tuple[bytes, ...] | None = None) -> list[object]:
            proof = proof if proof is not None else log.reader.consistency(old, size) if old else ()
            kinds: list[object] = []
            for end in ends:
                try:
                    answer = end.offer(old, proof, sizes[size])
                    kinds.append(answer if isinstance(answer, HasSize) else type(answer))
                except WitnessTrouble as trouble:
                    kinds.append(trouble.what)
            return kinds

        middle = notes[2][0]
        assert offers(0, first) == [Cosignature] * 2
        assert offers(0, middle) == [HasSize(first)] * 2
        assert offers(first, middle, ()) == [Contradicted] * 2
        assert offers(first, middle) == [Cosignature] * 2
        assert offers(middle, middle) == [Cosignature] * 2
        assert offers(last, middle, ()) == ["status 400"] * 2
        assert offers(middle, last) == [Cosignature] * 2
        (said, also) = ask_newest(ends, parse_verifier_key(log.keys.signer.verifier_key), sizes[middle])
        assert (said.size, also.size) == (last, last)
        assert (said.note is None, also.note is None) == (True, False), (
            "it has no monitoring prefix, and tells its size"
        )
