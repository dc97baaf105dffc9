"""Witnesses for tests: real ones behind HTTP in this process, and liars."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.exchange_log.checkpoint import VerifierKey, parse_checkpoint, parse_verifier_key
from broker.exchange_log.cosignature import cosign
from broker.ports import Clock
from broker.witness.calling import WitnessEnd
from broker.witness.memory import KEY_FILE, Memory, WitnessKey, load_key, make_key
from broker.witness.server import WitnessServer
from broker.witness.witness import Witness, open_witness


@dataclass
class Standing:
    """A clock that a test sets."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 10, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


class OwnWitness:
    """A witness with its state in a directory; stopped and started at will, on the same port."""

    def __init__(self, directory: Path, name: str, logs: Sequence[str], clock: Clock | None = None) -> None:
        self.directory = directory
        self.logs = list(logs)
        self.clock: Clock = clock or Standing()
        seed = hashlib.sha256(f"witness {name}".encode()).digest()
        self.key: WitnessKey = (
            load_key(directory) if (directory / KEY_FILE).exists() else make_key(directory, name, seed)
        )
        self.port = 0
        self.witness: Witness | None = None
        self._server: WitnessServer | None = None
        self._memory: Memory | None = None

    @property
    def vkey(self) -> str:
        return str(self.key.public)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self, seconds: float = 5.0) -> WitnessEnd:
        return WitnessEnd(self.url, self.key.public, seconds=seconds)

    def start(self) -> Self:
        keys: dict[str, list[VerifierKey]] = {}
        for text in self.logs:
            key = parse_verifier_key(text)
            keys.setdefault(key.name, []).append(key)
        self._memory = Memory(self.directory)
        self.witness = open_witness(self.key, keys, self._memory, self.clock)
        self._server = WitnessServer(f"127.0.0.1:{self.port}", self.witness)
        self.port = self._server.port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None and self._memory is not None:
            self._server.shutdown()
            self._server.server_close()
            assert self.witness is not None
            self.witness.finish()
            self._memory.close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


LIED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LIES = frozenset(
    {"another tree", "another key", "another key under its name", "nothing", "garbage", "no newline", "a page", "half"}
    | {"a wrong one beside", "too long"}
)


def liar(name: str) -> WitnessKey:
    """The key of a witness that has no state and no scruples."""
    return WitnessKey(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"liar {name}".encode()).digest()))


def lie(kind: str, key: WitnessKey, note: str, other_note: str) -> Reply:
    """An answer to the offer of `note` that is no cosignature of it; `other_note` is another checkpoint."""
    body, other = parse_checkpoint(note).body, parse_checkpoint(other_note).body
    stranger = liar(f"{key.public.name}0")
    line = cosign(key.public, key.sign, body, LIED_AT).encode()
    strange = cosign(stranger.public, stranger.sign, body, LIED_AT).encode()
    texts = {
        "another tree": cosign(key.public, key.sign, other, LIED_AT).encode(),
        "another key": strange,
        "another key under its name": cosign(key.public, stranger.sign, body, LIED_AT).encode(),
        "nothing": b"",
        "garbage": b"\xff\xfe\n",
        "no newline": line[:-1],
        "a page": b"<html>\n",
        "half": line[:40] + b"\n",
        "a wrong one beside": cosign(key.public, key.sign, other, LIED_AT).encode() + line,
        "too long": b"x" * 70_000,
    }
    return 200, "text/plain", texts[kind]


Reply = tuple[int, str, bytes]
"""Status, content type, body."""


@contextmanager
def answering(reply: Callable[[bytes], Reply]) -> Iterator[str]:
    """A URL behind which `reply` answers every request by its body: for witnesses that lie or fail."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, data = reply(body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status in (301, 302, 307):
                self.send_header("Location", "/elsewhere/add-checkpoint")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # whoever hangs up has its reason
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
