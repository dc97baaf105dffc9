"""Exchanges over mutual TLS, beside the yardsticks of DESIGN section 11 run in the same minute.

    python tests/bench/exchange.py [--exchanges 400] [--bulk 1000000] [--json]

- one subject: whole exchanges a second (two durable log entries, both sides signed), at 1 and 32 callers, beside a bare
  gRPC echo on the same stack with as many callers
- warm: 1,000 queries against 20,000 records at the client, pseudonymising and opening included
- bulk: queries x register of the same size, hit only, beside raw upload of the same bytes plus a NumPy merge join;
  and the broker's peak memory
"""

from __future__ import annotations

import os

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"

import argparse
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import grpc
import numpy as np
from participant import TIMEOUT, Ask, Participant
from sluis.v1 import common_pb2, register_pb2
from sluis_client.canonical import commitment, pack_presence, tokens_value
from sluis_client.pseudonymise import Column
from sluis_client.receipts import RegisterDigest
from sluis_client.statements import ask_statement, register_manifest
from world import ORIGIN, World, make_world, texts_for

PURPOSE = "snf-locatie"
BULK = "sna-overzicht"
ROWS = 16_384
LONG = 600.0
BAGS = [f"034401{number:010d}" for number in range(20_500)]


def at_once(callers: int, work: Callable[[int], None], total: int) -> float:
    """Calls a second of `total` calls spread over `callers` threads."""

    def run(first: int) -> None:
        for number in range(first, total, callers):
            work(number)

    threads = [threading.Thread(target=run, args=(first,)) for first in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total / (time.perf_counter() - began)


class Echo:
    """The echo server and a channel to it."""

    def __init__(self, world: World) -> None:
        ready = world.directory / "echo-ready"
        script = Path(__file__).with_name("_echo.py")
        self.process = subprocess.Popen([sys.executable, str(script), str(world.pki), str(ready)])
        while not ready.exists() or not ready.read_text().endswith("\n"):
            time.sleep(0.02)
        pki = world.pki
        credentials = grpc.ssl_channel_credentials(
            *(((pki / name).read_bytes()) for name in ("ca.pem", "utrecht.key", "utrecht.pem"))
        )
        options = [("grpc.ssl_target_name_override", "localhost")]
        self.channel = grpc.secure_channel(f"127.0.0.1:{int(ready.read_text())}", credentials, options)
        self.call = self.channel.unary_unary("/bench/Echo")
        self.sink = self.channel.stream_unary("/bench/Sink")

    def stop(self) -> None:
        """Ends both."""
        self.channel.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)


def housing(world: World) -> Participant:
    """20,000 published locations; returns the municipality that may ask about them."""
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(PURPOSE, [snf, utrecht])
    snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:20_000]}, ["beds"], bend=in_pieces(snf))
    return utrecht


def one_subject(utrecht: Participant, echo: Echo, exchanges: int) -> dict[str, float]:
    """Rates at 1 and 32 callers, and their ratio to the echo's."""
    found: dict[str, float] = {}
    for callers, total in ((1, max(50, exchanges // 4)), (32, exchanges)):
        asks = [
            list(utrecht.question(PURPOSE, "bag", [BAGS[number]], ["snf"], want=["beds"]).messages(utrecht.key))
            for number in range(total)
        ]

        def exchange(number: int, asks: list[list[object]] = asks) -> None:
            replies = list(utrecht.exchanges.Match(iter(asks[number]), timeout=TIMEOUT))
            assert len(replies) == 3, "head, rows and receipts"

        echo_rate = at_once(callers, lambda _: echo.call(bytes(64), timeout=TIMEOUT) and None, total * 4)
        rate = at_once(callers, exchange, total)
        found |= {
            f"exchanges_per_s_{callers}": rate,
            f"echo_per_s_{callers}": echo_rate,
            f"ratio_{callers}": rate / echo_rate,
        }
    return found


def in_pieces(who: Participant) -> Callable[[str, object], object]:
    """Bends an upload of many rows into messages of 1,000 rows."""

    def bend(stage: str, message: object) -> object:
        if stage != "rows":
            return message
        assert isinstance(message, register_pb2.UploadRowsRequest)
        rows, size = message.rows, len(message.rows.columns[0].pseudonyms) // 16
        pieces = []
        for at in range(0, size, 1000):
            end = min(at + 1000, size)

            def cut(data: bytes, at: int = at, end: int = end) -> bytes:
                width = len(data) // size
                return data[at * width : end * width]

            piece = register_pb2.RegisterRows(
                offset=at,
                columns=[common_pb2.PseudonymColumn(pseudonyms=cut(column.pseudonyms)) for column in rows.columns],
                wraps=[cut(wrap) for wrap in rows.wraps],
                commitments=cut(rows.commitments),
                fields=[cut(field) for field in rows.fields],
            )
            pieces.append(register_pb2.UploadRowsRequest(upload=message.upload, rows=piece))
        who.registers.UploadRows(iter(pieces[:-1]), timeout=TIMEOUT)
        return pieces[-1]

    return bend


def warm(utrecht: Participant) -> dict[str, float]:
    """1,000 queries x 20,000 records: seconds at the client, median of 7 after one unmeasured."""
    seconds = []
    for _ in range(8):
        began = time.perf_counter()
        ask = utrecht.question(PURPOSE, "bag", BAGS[-1000:], ["snf"], want=["beds"])
        answered = utrecht.send(ask)["snf"]
        assert len(utrecht.open(ask, answered)) == 500
        seconds.append(time.perf_counter() - began)
    return {"warm_1000_x_20000_s": statistics.median(seconds[1:])}


def bulk(world: World, echo: Echo, size: int, pid: int) -> dict[str, float]:
    """`size` queries x `size` records, hit only; half of them hit."""
    sna, nla = Participant(world, "sna"), Participant(world, "nla")
    sna.make_epoch(BULK, [sna, nla])
    maker = sna.pseudonymiser(BULK, "vestiging")
    register = np.frombuffer(os.urandom(16 * size), dtype="V16")
    question = np.concatenate([register[: size // 2], np.frombuffer(os.urandom(16 * (size - size // 2)), dtype="V16")])
    np.random.default_rng(1).shuffle(question)
    upload_s = publish_bulk(sna, maker.key_id, register.tobytes())
    column = Column(question.tobytes(), pack_presence(None, size))
    salt = os.urandom(32)
    statement = ask_statement(
        origin=ORIGIN,
        environment="test",
        request_id=str(uuid.uuid4()),
        asker="nla",
        principal=None,
        answerers=["sna"],
        purpose=BULK,
        epoch=nla.context(BULK).epoch,
        key_id=maker.key_id,
        scheme="vestiging",
        match_keys=1,
        hit=True,
        count=False,
        attributes=[],
        subjects=size,
        tokens=commitment("tokens", salt, tokens_value([column])),
        case_number=None,
        cooperation_ref=None,
        not_after=nla.now() + timedelta(minutes=9),
    )
    ask = Ask(statement, (column,), salt, {}, [], chunk=ROWS)
    began = time.perf_counter()
    hits = sum(len(m.rows.statuses) for m in nla.exchanges.Match(ask.messages(nla.key), timeout=LONG))
    match_s = time.perf_counter() - began
    assert hits == size // 2
    raw_s, merge_s = raw_upload(echo, column.pseudonyms), merge_join(register, question)
    status = Path(f"/proc/{pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return {
        "bulk_rows": size,
        "bulk_publish_s": upload_s,
        "bulk_match_s": match_s,
        "bulk_raw_upload_s": raw_s,
        "bulk_merge_join_s": merge_s,
        "bulk_ratio": match_s / (raw_s + merge_s),
        "broker_peak_mib": int(peak[1]) / 1024 if peak else -1,
    }


def publish_bulk(sna: Participant, key_id: str, pseudonyms: bytes) -> float:
    """Publishes a register of bare pseudonyms; returns the seconds."""
    began = time.perf_counter()
    size, epoch = len(pseudonyms) // 16, sna.context(BULK).epoch
    begun = sna.registers.BeginRegister(
        register_pb2.BeginRegisterRequest(
            request_id=str(uuid.uuid4()), purpose=BULK, epoch=epoch, key_id=key_id, scheme="vestiging", match_keys=1
        ),
        timeout=TIMEOUT,
    )

    def rows() -> Iterator[register_pb2.UploadRowsRequest]:
        for at in range(0, size, ROWS):
            column = common_pb2.PseudonymColumn(pseudonyms=pseudonyms[at * 16 : (at + ROWS) * 16])
            yield register_pb2.UploadRowsRequest(
                upload=begun.upload, rows=register_pb2.RegisterRows(offset=at, columns=[column])
            )

    sna.registers.UploadRows(rows(), timeout=LONG)
    digest = RegisterDigest(1, 0)
    digest.feed([Column(pseudonyms, pack_presence(None, size))], [], b"", [])
    manifest = register_manifest(
        origin=ORIGIN,
        environment="test",
        answerer="sna",
        purpose=BULK,
        epoch=epoch,
        key_id=key_id,
        scheme="vestiging",
        match_keys=1,
        version=begun.version,
        rows=size,
        digest=digest.hexdigest(),
        attributes=[],
        as_of=sna.now(),
        coverage="bench",
        expires_at=sna.now() + timedelta(days=1),
        rules={},
    )
    request = register_pb2.SealRegisterRequest(upload=begun.upload, manifest=sna.signed(manifest))
    sna.registers.SealRegister(request, timeout=300)
    return time.perf_counter() - began


def raw_upload(echo: Echo, data: bytes) -> float:
    """Seconds to send the same bytes over mTLS to a server that only counts them."""
    began = time.perf_counter()
    echo.sink((data[at : at + ROWS * 16] for at in range(0, len(data), ROWS * 16)), timeout=LONG)
    return time.perf_counter() - began


def merge_join(register: np.ndarray, question: np.ndarray) -> float:
    """Seconds of a bare NumPy merge join of both, sorting included."""
    began = time.perf_counter()
    left, right = register.view(np.uint64)[::2], question.view(np.uint64)[::2]
    left = np.sort(left)
    order = np.argsort(right)
    at = np.searchsorted(left, right[order])
    np.count_nonzero(left[np.minimum(at, len(left) - 1)] == right[order])
    return time.perf_counter() - began


def main() -> None:
    """Runs all and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exchanges", type=int, default=400)
    parser.add_argument("--bulk", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    now = datetime.now(UTC).replace(microsecond=0)
    texts = {
        name: re.sub(r"requests_per_day: \d+", "requests_per_day: 9000000", text)
        for name, text in texts_for(now).items()
    }
    texts = {
        name: re.sub(r"subjects_per_request: 200000", "subjects_per_request: 10000000", text)
        for name, text in texts.items()
    }
    texts["catalogue.yaml"] = re.sub(
        r"most_subjects_per_request: \d+", "most_subjects_per_request: 10000000", texts["catalogue.yaml"]
    )
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(Path(scratch), texts, start=now)
        process = world.start_process()
        echo = Echo(world)
        try:
            utrecht = housing(world)
            found = one_subject(utrecht, echo, options.exchanges)
            found |= warm(utrecht)
            found |= bulk(world, echo, options.bulk, process.pid)
        finally:
            echo.stop()
            world.stop()
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:28} {value:12.3f}")


if __name__ == "__main__":
    main()
