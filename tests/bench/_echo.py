"""The yardstick of `exchange.py`: a bare gRPC echo over the same stack (mTLS 1.3, sync server, same options)."""

from __future__ import annotations

import os
import sys

os.environ["GRPC_SSL_CIPHER_SUITES"] = "ECDHE-RSA-AES256-GCM-SHA384"

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc


def _echo(request: bytes, _: Any) -> bytes:
    return request


def _sink(requests: Iterator[bytes], _: Any) -> bytes:
    return str(sum(len(item) for item in requests)).encode()


def main() -> None:
    """Serves `/bench/Echo` (unary) and `/bench/Sink` (counts what is uploaded); writes its port to argv[2]."""
    pki, ready = Path(sys.argv[1]), Path(sys.argv[2])
    options = [
        ("grpc.so_reuseport", 0),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 1024 * 1024),
        ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ]
    server = grpc.server(ThreadPoolExecutor(48), options=options)
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(_echo),
        "Sink": grpc.stream_unary_rpc_method_handler(_sink),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", handlers),))
    pair = ((pki / "broker.key").read_bytes(), (pki / "broker.pem").read_bytes())
    credentials = grpc.ssl_server_credentials([pair], (pki / "ca.pem").read_bytes(), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    ready.write_text(f"{port}\n")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    server.stop(1)


if __name__ == "__main__":
    main()
