"""The gRPC server: mutual TLS 1.3, bounded everywhere, drained on the way out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from sluis.v1 import (
    audit_pb2_grpc,
    exchange_pb2_grpc,
    keys_pb2_grpc,
    notices_pb2_grpc,
    pseudonym_pb2_grpc,
    register_pb2_grpc,
)

from broker.errors import Code, SluisError
from broker.rpc.audit_service import AuditServicer
from broker.rpc.exchange_service import ExchangeServicer
from broker.rpc.interceptors import MAX_MESSAGE, Edge
from broker.rpc.key_service import KeyServicer
from broker.rpc.notice_service import NoticeServicer
from broker.rpc.pseudonym_service import PseudonymServicer
from broker.rpc.register_service import RegisterServicer

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 4 * MAX_MESSAGE),  # the edge refuses above MAX_MESSAGE, with a code
    ("grpc.max_send_message_length", 4 * MAX_MESSAGE),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 960_000),
]


@dataclass(frozen=True)
class Services:
    """The servicers of a broker, or of a key service alone, which has fewer."""

    audit: AuditServicer
    exchange: ExchangeServicer | None = None
    register: RegisterServicer | None = None
    keys: KeyServicer | None = None
    notices: NoticeServicer | None = None
    pseudonyms: PseudonymServicer | None = None

    def add_to(self, server: grpc.Server) -> list[str]:
        """Registers those that are there; returns their names in health checks."""
        audit_pb2_grpc.add_AuditServiceServicer_to_server(self.audit, server)
        names = []
        if self.exchange is not None:
            exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(self.exchange, server)
            names.append("sluis.v1.ExchangeService")
        if self.register is not None:
            register_pb2_grpc.add_RegisterServiceServicer_to_server(self.register, server)
            names.append("sluis.v1.RegisterService")
        if self.keys is not None:
            keys_pb2_grpc.add_KeyServiceServicer_to_server(self.keys, server)
        if self.notices is not None:
            notices_pb2_grpc.add_NoticeServiceServicer_to_server(self.notices, server)
        if self.pseudonyms is not None:
            pseudonym_pb2_grpc.add_PseudonymServiceServicer_to_server(self.pseudonyms, server)
            names += ["sluis.v1.PseudonymService"] if self.pseudonyms.available else []
        return names


class Server:
    """One listening broker."""

    def __init__(self, *, edge: Edge, services: Services, workers: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="rpc")
        self._server = grpc.server(self._pool, interceptors=[edge], options=_OPTIONS)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = ["", *services.add_to(self._server)]
        self._stopped = threading.Event()

    def start(self, listen: str, *, certificate: Callable[[], tuple[bytes, bytes]], client_issuers: bytes) -> int:
        """Binds and serves; returns the port. Each new connection takes the certificate as it is then.

        Raises:
            SluisError: CONFIG_INVALID when the address cannot be bound.
        """
        credentials = _credentials(certificate, client_issuers)
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise SluisError(
                Code.CONFIG_INVALID, f"cannot listen on {listen}; is another broker running there?"
            ) from error
        self._server.start()
        return port

    def ready(self, *, is_ready: bool) -> None:
        """What health checks say: for the whole server and for each service."""
        state = health_pb2.HealthCheckResponse.SERVING if is_ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            self._health.set(name, state)

    def stop(self, grace: float) -> None:
        """Health first, then no new calls, then up to `grace` seconds for those under way."""
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()
        self._stopped.set()
        self._pool.shutdown(wait=True)


def _credentials(certificate: Callable[[], tuple[bytes, bytes]], client_issuers: bytes) -> grpc.ServerCredentials:
    def configuration() -> grpc.ServerCertificateConfiguration:
        key, chain = certificate()
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=client_issuers)

    current = configuration()
    seen = [certificate()]

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        # None keeps the one in use: a file that cannot be read must not take the server down.
        with contextlib.suppress(OSError):
            fresh = certificate()
            if fresh != seen[0]:
                seen[0] = fresh
                return configuration()
        return None

    # The stub forgets that None means "unchanged" (grpc.dynamic_ssl_server_credentials, its docstring).
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch)
    return grpc.dynamic_ssl_server_credentials(current, fetcher, require_client_authentication=True)
