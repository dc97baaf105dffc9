"""SIGKILL under load: what was acknowledged is there, and the log verifies. And two writers on one database.

The suite kills 25 times; `SLUIS_KILLS=200 pytest tests/fault/test_log_kill.py` as often as the issue asks.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from audit_kit import World
from log_kit import FakeClock, Keys, Log, access_body

from broker.audit.export import bundle_lines
from broker.audit.verify import verify
from broker.custody.keys import SystemClock
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.opening import check_whole
from broker.storage import sqlite as sqlite_store

CHILD = """
import hashlib, os, sys, threading
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from datetime import timedelta
from log_kit import Log, access_body, START
from broker.custody.keys import SystemClock

log = Log(Path(sys.argv[2]), clock=SystemClock()).open()

def work(tx):
    tx.debit("requests", 1)
    tx.commit_to("tokens", bytes(1_100_000 if tx.spent("requests") % 50 == 0 else 100), keep_until=START)
    return [tx.append("access", access_body()) for _ in range(3)]

def go():
    while True:
        for receipt in log.sequencer.submit(work).receipts:
            os.write(1, f"{receipt.index} {hashlib.sha256(receipt.leaf).hexdigest()}\\n".encode())

os.write(1, b"open\\n")
for _ in range(8):
    threading.Thread(target=go, daemon=True).start()
threading.Event().wait()
"""
TESTS = str(Path(__file__).resolve().parents[1])


KILLS = int(os.environ.get("SLUIS_KILLS", "25"))


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path: Path) -> None:
    chance, acknowledged = random.Random(20261123), {}
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", CHILD, TESTS, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        # It is killed once it has acknowledged so much, at whatever it does then: a slow machine proves no less.
        lines = [child.stdout.readline().rstrip() for _ in range(chance.randint(1, 120))]
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.read().split(b"\n")[:-1]  # what follows the last newline was not whole
        child.wait()
        child.stdout.close()
        for line in lines:
            index, digest = line.split()
            assert acknowledged.setdefault(int(index), digest) == digest
    assert len(acknowledged) > 10 * KILLS
    print(f"{KILLS} kills, {len(acknowledged)} acknowledged entries")
    with Log(tmp_path, clock=SystemClock()) as log:
        leaves = {entry.index: entry.leaf for entry in log.reader.entries(0, log.reader.size())}
        for index, digest in acknowledged.items():
            assert hashlib.sha256(leaves[index]).hexdigest().encode() == digest
        assert (log.reader.size() - 1) % 3 == 0, "a work is whole or not at all"
        assert log.reader.spent("requests") == (log.reader.size() - 1) // 3
        assert check_whole(log.reader, parse_verifier_key(log.keys.signer.verifier_key)) == log.reader.size()
        assert verify(bundle_lines(log.reader), World(keys=log.keys).trust()).verified


def test_another_process_is_refused(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
        child = subprocess.run(
            [sys.executable, "-c", CHILD, TESTS, str(tmp_path)], capture_output=True, text=True, timeout=60
        )
        assert child.returncode != 0
        assert "CONFIG_INVALID: another broker has this database open" in child.stderr
        assert "open\n" not in child.stdout
        assert log.sequencer.submit(lambda tx: tx.append("access", access_body())).value == 2


def test_two_writers_past_the_lock_still_make_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the lock to fail (a network disk), SQLite's own lock and the size in `head` keep the tree one."""
    monkeypatch.setattr(sqlite_store, "_exclusive", lambda path: os.open(path, os.O_CREAT | os.O_RDWR))
    keys = Keys()
    first, second = Log(tmp_path, keys, FakeClock()).open(), Log(tmp_path, keys, FakeClock()).open()
    found = [
        log.sequencer.submit(lambda tx: tx.append("access", access_body())).value
        for _ in range(5)
        for log in (first, second, second)
    ]
    assert found == list(range(1, 16))
    assert check_whole(first.reader, parse_verifier_key(keys.signer.verifier_key)) == 16
    first.close()
    second.close()
