"""EIO and ENOSPC at every write, sync and truncation of a short run, put in by the kernel's own tracer (strace).

Whatever call fails: what was acknowledged stands in the log afterwards, each request once, and the log verifies. The
suite takes a sample of the places; `SLUIS_FAULTS=all pytest tests/fault/test_syscall_faults.py` takes every one.
"""

from __future__ import annotations

import collections
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from audit_kit import World
from log_kit import Keys, Log

from broker.audit.export import bundle_lines
from broker.audit.verify import verify
from broker.custody.keys import SystemClock
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.opening import check_whole

TESTS = str(Path(__file__).resolve().parents[1])
CALLS = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate")
ERRORS = ("EIO", "ENOSPC")
EVERY = os.environ.get("SLUIS_FAULTS") == "all"
SAMPLED = {"EIO": 4, "ENOSPC": 2}
"""Places of each call in the suite: the first, the last and some between."""

CHILD = """
import hashlib, os, socket, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from log_kit import Log, access_body, START
from broker.custody.keys import SystemClock
from broker.errors import Code, SluisError

told = socket.socket(fileno=int(sys.argv[3]))  # not written to: writes are what fails
log = Log(Path(sys.argv[2]), clock=SystemClock()).open()
log.sequencer.submit(lambda tx: tx._session.run("PRAGMA wal_autocheckpoint=20"))

def work(number):
    def go(tx):
        known = tx.document("request", str(number))
        if known is not None:
            return int(known)
        if number % 3 == 0:
            tx.commit_to("tokens", bytes(1_100_000), keep_until=START)
        tx.debit("requests", 1)
        index = tx.append("access", access_body(f"party-{number}x"))
        tx.put_document("request", str(number), str(index).encode())
        return index
    return go

def ask(number):
    for _ in range(6):
        try:
            index = log.sequencer.submit(work(number)).value
            (entry,) = log.reader.entries(index, index + 1)
        except SluisError as error:
            told.send(f"refused {number} {error.code.name}\\n".encode())
        else:
            told.send(f"done {number} {index} {hashlib.sha256(entry.leaf).hexdigest()}\\n".encode())
            return

for number in range(12):
    ask(number)
log.close()
told.send(b"closed\\n")
"""


def run(directory: Path, *strace: str) -> tuple[list[list[str]], int, str]:
    """The child under strace; what it told, its exit code and what it said on standard error."""
    ours, theirs = socket.socketpair()
    command = ["strace", "-f", "-qq", "--seccomp-bpf", *strace, sys.executable, "-B", "-c", CHILD, TESTS]
    child = subprocess.Popen(
        [*command, str(directory), str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    theirs.close()
    told = b""
    while data := ours.recv(65536):
        told += data
    ours.close()
    _, errors = child.communicate(timeout=300)
    return [line.split() for line in told.decode().splitlines()], child.returncode, errors


def usable() -> str:
    """Why strace cannot put in faults here; "" when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    probe = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", os.devnull, "-e", "inject=chdir:error=EIO", "true"]
    done = subprocess.run(probe, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"strace cannot trace here: {done.stderr.strip()[:200]}"


@pytest.fixture(scope="module")
def counted(module_path: Path) -> dict[str, int]:
    """How often each call is made by the busiest thread of a run without faults: strace counts for each thread."""
    why = usable()
    if why:
        print(why)
        pytest.skip(why)
    directory = module_path
    trace = directory / "trace"
    (directory / "log").mkdir()
    told, code, errors = run(directory / "log", "-o", str(trace), "-e", f"trace={','.join(CALLS)}")
    assert (code, told[-1]) == (0, ["closed"]), errors
    assert [line[0] for line in told[:-1]] == ["done"] * 12
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for line in trace.read_text().splitlines():
        match = re.match(r"(\d+) +(\w+)\(", line)
        if match:
            found[match[2], match[1]] += 1
    return {call: max((n for (name, _), n in found.items() if name == call), default=0) for call in CALLS}


def places(count: int, error: str) -> list[int]:
    """Which of `count` calls fail: all, or a sample."""
    sample = SAMPLED[error]
    if EVERY or count <= sample:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (sample - 1)) for step in range(sample)})


def check(directory: Path, told: list[list[str]]) -> None:
    with Log(directory, Keys(), SystemClock()) as log:
        leaves = [entry.leaf for entry in log.reader.entries(0, log.reader.size())]
        for line in told:
            if line[0] == "done":
                assert hashlib.sha256(leaves[int(line[2])]).hexdigest() == line[3], line
        parties = [json.loads(leaf)["body"].get("party") for leaf in leaves if b'"access"' in leaf]
        assert len(parties) == len(set(parties)), "a request repeated is logged once"
        assert log.reader.spent("requests") == len(parties), "and debited once"
        assert check_whole(log.reader, parse_verifier_key(log.keys.signer.verifier_key)) == len(leaves)
        assert verify(bundle_lines(log.reader), World(keys=log.keys).trust()).verified


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_each_call_that_fails_loses_nothing(tmp_path: Path, counted: dict[str, int], call: str, error: str) -> None:
    assert counted[call] > 0, f"the run makes no {call}"
    hit = 0
    chosen = places(counted[call], error)
    for place in chosen:
        directory, trace = tmp_path / str(place), tmp_path / f"{place}.trace"
        directory.mkdir()
        fault = f"inject={call}:error={error}:when={place}"
        told, code, errors = run(directory, "-o", str(trace), "-e", f"trace={call}", "-e", fault)
        hit += "(INJECTED)" in trace.read_text()
        # what it could not do it says; it never dies of it in another way
        assert code == 0 or "SluisError" in errors, errors
        check(directory, told)
        shutil.rmtree(directory)
    assert hit == len(chosen), "a fault was put in at every place"
    print(f"{call} {error}: {hit} of {counted[call]} places")
