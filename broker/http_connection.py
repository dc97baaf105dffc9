"""HTTP connections bounded in time as a whole: the other side may drip bytes, of which each begins a time-out anew."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ssl import SSLContext
from urllib.parse import SplitResult


def connect(url: SplitResult, tls: SSLContext | None, seconds: float, deadline: float) -> http.client.HTTPConnection:
    """A connection to the host of `url`; with `tls` after a handshake that ends by `deadline` (monotonic clock).

    `seconds`: how long one step of the socket may take. Raises OSError, ssl.SSLError included, and HTTPException.
    """
    host = url.hostname or ""
    connection = http.client.HTTPConnection(host, url.port)
    if tls is not None:
        connection = http.client.HTTPSConnection(host, url.port, context=tls)
    bare = socket.create_connection((host, connection.port), seconds)
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sock = bare
    if tls is not None:
        try:
            secured = tls.wrap_socket(bare, server_hostname=host, do_handshake_on_connect=False)
        except (ValueError, OSError):
            bare.close()
            raise
        connection.sock = secured
        try:
            with ended_at(deadline, secured):
                secured.do_handshake()
        except OSError:
            secured.close()
            raise
    return connection


@contextmanager
def ended_at(deadline: float, connection: socket.socket) -> Iterator[None]:
    """Ends a connection whose work inside the block is not done by then, however slowly its bytes drip."""

    def end() -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
