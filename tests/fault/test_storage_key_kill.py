"""SIGKILL at every write of a change of the storage key: nothing is lost, the next start goes on, the log verifies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from participant import Participant
from world import ORIGIN, World, running, texts_for

from broker.audit.trust import trust_text
from broker.custody.keys import SystemEntropy
from broker.custody.voprf_seeds import FileSeeds
from broker.key_store import begin_rotation, keys_of
from broker.policy.evaluate import ENGINE

pytestmark = pytest.mark.slow
PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(700)]
TESTS = Path(__file__).resolve().parents[1]

CHILD = '''
"""A process that forks one of its own for each change of the storage key, and kills it at its n-th write."""
import hashlib, os, shutil, signal, sqlite3, sys
import numpy as np
from pathlib import Path
from broker.audit.export import bundle_lines
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.config import load_config
from broker.custody.key_files import NEXT_STORAGE_FILE
from broker.custody.keys import SystemClock, SystemEntropy
from broker.custody.voprf_seeds import FileSeeds
from broker.exchange_log.append import Sequencer
from broker.key_store import keys_of
from broker.rekeying import Rekeying
from broker.storage.durable import name_of
from broker.storage.answers import FileAnswerSpool
from broker.storage.registers import FileRegisterStore
from broker.storage.sqlite import SqliteLogStore, open_vault_reader
from broker.storage.sqlite_session import Session

pristine, trust = Path(sys.argv[1]), Path(sys.argv[2]).read_text()


def stores(config, keys):
    registers = FileRegisterStore(config.data / "registers", keys.at_rest, SystemEntropy())
    spool = FileAnswerSpool(config.data / "answers", keys.at_rest, SystemEntropy())
    seeds = FileSeeds(config.keys, keys.at_rest, SystemEntropy(), service="oost", environment="test")
    return registers, spool, seeds


def change(directory, kill_at):
    """The housekeeping of a broker that starts here; killed just before its n-th write when `kill_at` is not 0."""
    config = load_config(directory / "broker.yaml")
    keys = keys_of(config)
    registers, spool, seeds = stores(config, keys)
    store = SqliteLogStore(config.data / "sluis.db", keys.at_rest, SystemEntropy())
    sequencer = Sequencer(store, keys.signer, SystemClock())
    sequencer.start()
    done = 0

    def write(*_):
        nonlocal done
        done += 1
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def seen(event, arguments):
        writing = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writing or event in ("os.rename", "os.link", "os.remove"):
            write()

    run = Session.run
    def ran(session, sql, *rest):
        if sql.startswith(("UPDATE", "COMMIT")):
            write()
        return run(session, sql, *rest)
    Session.run = ran
    fsync = os.fsync
    def synced(handle):
        write()
        fsync(handle)
    os.fsync = synced
    sys.addaudithook(seen)
    rekeying = Rekeying(keys, sequencer, (registers.rewrap, spool.rewrap, seeds.rewrap))
    for _ in range(50):
        rekeying.step()
        if not keys.rotating:
            sequencer.stop()
            store.close()
            os._exit(0)
    os._exit(3)


def whole(directory):
    """What opens of everything that hangs on the storage key, and whether the log verifies."""
    config = load_config(directory / "broker.yaml")
    keys = keys_of(config)
    registers, spool, seeds = stores(config, keys)
    reader = open_vault_reader(config.data / "sluis.db", keys.at_rest, SystemEntropy())
    found = []
    with sqlite3.connect(f"file:{config.data / 'sluis.db'}?mode=ro", uri=True) as database:
        slots = [name for (name,) in database.execute("SELECT commitment FROM vault ORDER BY commitment")]
        names = database.execute("SELECT name, version FROM registers").fetchall()
    found.append(("slots", sum(reader.opening(name) is not None for name in slots)))
    for name, version in names:
        snapshot = registers.pin(name, version)
        rows = np.arange(snapshot.rows, dtype=np.int64)
        sealed = snapshot.fetch(rows, np.ones(len(rows), np.uint8), ["beds"])
        found.append((name, version, len(rows), hashlib.sha256(repr(sealed).encode()).hexdigest()))
        snapshot.close()
    answers = sorted(name_of(path.stem) for path in (config.data / "answers").glob("*.answer"))
    found.append(("answers", [sum(len(run.positions) for run in spool.read(name)) for name in answers]))
    found.append(("uploads", len(list((config.data / "registers" / "uploads").iterdir()))))
    found.append(("seeds", [key.public.hex() for key in seeds.list() if seeds.public_key(key.purpose, key.epoch)]))
    report = verify(bundle_lines(reader), parse_trust(trust))
    assert report.verified, report.findings
    print(found)


def forked(work, directory, *rest):
    """How a process of its own ended, and what it said."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(into, 1)
        try:
            work(directory, *rest)
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(4)
    os.close(into)
    said = b""
    while part := os.read(out, 65536):
        said += part
    os.close(out)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


first = forked(whole, pristine)
assert first[0] == 0, first
kills = 0
while True:
    place = pristine.with_name("changed")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(pristine, place)
    code, _ = forked(change, place, kills + 1)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    kills += 1
    assert forked(whole, place) == first, f"after kill {kills}"
    assert forked(change, place, 0)[0] == 0, f"the change does not end after kill {kills}"
    assert forked(whole, place) == first, f"after the change that followed kill {kills}"
    assert not (place / "keys" / NEXT_STORAGE_FILE).exists()
assert forked(whole, place) == first
print(kills, first[1].decode())
'''


class Cut(Exception):
    """The agency's machine stops here."""


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[World]:
    """A world with something of everything that hangs on the storage key, in which a change of it has begun."""
    now = datetime.now(UTC)
    with running(tmp_path / "world", texts_for(now), start=now) as world:
        snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        snf.make_epoch(PURPOSE, [snf, utrecht])
        snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS}, ["beds"])
        for count in (2, len(BAGS)):  # one answer kept in the database, one beside it
            utrecht.send(utrecht.question(PURPOSE, "bag", BAGS[:count], ["snf"], want=["beds"]))

        def cut(stage: str, message: object) -> object:
            if stage == "manifest":
                raise Cut
            return message

        with pytest.raises(Cut):  # an upload that is not ended
            snf.publish(PURPOSE, "postcode-number", {}, ["beds"], bend=cut)
        world.stop()
        keys = keys_of(world.config)
        seeds = FileSeeds(world.config.keys, keys.at_rest, SystemEntropy(), service="oost", environment="test")
        for epoch in ("2026-11", "2026-12"):
            seeds.make("nla-verzoek-persoon", epoch, "2026-11-26T10:00:00Z")
        seeds.close()
        assert begin_rotation(world.config)
        yield world


def test_a_change_of_the_storage_key_survives_a_kill_at_every_write(begun: World, tmp_path: Path) -> None:
    trust = tmp_path / "trust.yaml"
    trust.write_text(
        trust_text(
            origin=ORIGIN,
            environment="test",
            log_keys=[begun.verifier_key],
            issuers=[(begun.pki / "ca.pem").read_text()],
            policy_signers=begun.signer_keys(),
            policy_quorum=2,
            engines=[ENGINE],
        )
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(begun.directory), str(trust)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kills, _, found = done.stdout.partition(" ")
    print(f"{kills} kills; {found}")
    assert int(kills) > 20
    assert "'slots', 0" not in found
