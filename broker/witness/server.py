"""The witness over HTTP: bounded bodies, times and connections. It trusts nothing that comes in."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

from broker.errors import Code, SluisError
from broker.witness.wire import ADD_CHECKPOINT, MAX_BODY
from broker.witness.witness import Answer, Witness

IDLE_SECONDS = 10.0
"""How long a connection may send nothing."""
REQUEST_SECONDS = 20.0
"""How long a request may take in all, waiting for it included."""
CONNECTIONS = 64
_LENGTH = re.compile(r"[0-9]{1,9}")
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness until `shutdown`. `listen` is address:port; port 0 takes a free one.

    Raises:
        SluisError: CONFIG_INVALID when the address cannot be bound or the certificate cannot be used.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, listen: str, witness: Witness, certificate: tuple[Path, Path] | None = None) -> None:
        self.witness = witness
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._connections: set[socket.socket] = set()
        self._tls: ssl.SSLContext | None = None
        host, _, port = listen.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            if certificate is not None:
                self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
                self._tls.load_cert_chain(*certificate)
            super().__init__((host, int(port)), _Handler)
        except (OSError, OverflowError) as error:
            text = f"cannot listen on {listen} ({type(error).__name__}): is it in use, and is the certificate right?"
            raise SluisError(Code.CONFIG_INVALID, text) from error

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A thread for the connection, or none when there are too many: it is closed unanswered."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answers what comes over one connection."""
        connection = cast("socket.socket", request)
        try:
            self._connections.add(connection)
            connection.settimeout(IDLE_SECONDS)
            if self._tls is not None:
                # Wrapped before the handshake: the bare socket is empty then, and ending that would end nothing.
                request = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                self._connections.discard(connection)
                connection = request
                self._connections.add(connection)
                with ending(connection):
                    connection.do_handshake()
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)
        finally:
            self._connections.discard(connection)
            self._free.release()

    def server_close(self) -> None:
        """Ends all connections too."""
        super().server_close()
        for connection in list(self._connections):
            _end(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up or stalls is not worth a trace."""


class ending:  # noqa: N801  # reads as a word where it is used
    """Ends a connection whose work inside the block takes too long, however slowly its bytes drip."""

    def __init__(self, connection: socket.socket) -> None:
        self._timer = threading.Timer(REQUEST_SECONDS, _end, [connection])
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sluis-witness"
    sys_version = ""
    wbufsize = -1  # head and body leave together: apart, the second would wait for the first's acknowledgement

    def handle_one_request(self) -> None:
        with ending(self.connection):
            super().handle_one_request()

    def do_POST(self) -> None:  # the name is the base class's
        # The body is read or the connection ends with the answer: what is left must not pass for a request.
        length = self.headers.get("Content-Length") or ""
        if self.headers.get("Transfer-Encoding") is not None or not _LENGTH.fullmatch(length):
            self._answer(Answer(411, "a request says its Content-Length\n"), close=True)
        elif int(length) > MAX_BODY:
            self._answer(Answer(413, f"a request has at most {MAX_BODY} bytes\n"), close=True)
        elif self.path.rpartition("/")[2] != ADD_CHECKPOINT:
            self._answer(Answer(404, "post checkpoints to add-checkpoint\n"), close=True)
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._answer(self._witness.add_checkpoint(body))
            else:
                self.close_connection = True

    def do_GET(self) -> None:  # the name is the base class's
        match = _CHECKPOINT.search(self.path)
        if match is None or match.end() != len(self.path) or self.headers.get("Content-Length") not in (None, "0"):
            self._answer(Answer(404, "get <SHA-256 of a log's origin, hex>/checkpoint\n"), close=True)
        else:
            self._answer(self._witness.newest(match[1]))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Addresses of callers and paths are nobody's business."""

    @property
    def _witness(self) -> Witness:
        return cast("WitnessServer", self.server).witness

    def _answer(self, answer: Answer, *, close: bool = False) -> None:
        data = answer.text.encode()
        self.send_response(answer.status, _reason(answer.status))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(data)


def _reason(status: int) -> str:
    return HTTPStatus(status).phrase
