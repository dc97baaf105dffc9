"""A server that lets its answer drip."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def dripping(text: bytes, sent: list[int] | None = None) -> Iterator[int]:
    """A port behind which each byte comes 0.05 s after the last, so that no time-out of one read ever strikes.

    `sent`: gets a number for every byte that went out.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        while not over.is_set():
            with suppress(OSError):
                taken, _ = listener.accept()
                with taken:
                    for at in range(len(text)):
                        taken.send(text[at : at + 1])
                        if sent is not None:
                            sent.append(at)
                        if over.wait(0.05):
                            return

    threading.Thread(target=drip, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        listener.close()
