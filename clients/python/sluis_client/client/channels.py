"""A channel with mutual TLS, with the limits and times that the broker and key services are set for."""

from __future__ import annotations

import grpc

from sluis_client.party_keys import tls_key
from sluis_client.profile import Profile

_MIB = 1024 * 1024
_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_send_message_length", _MIB),
    # a policy bundle may be larger than a run of rows
    ("grpc.max_receive_message_length", 4 * _MIB),
    # pair of the broker's min_ping_interval of 30 s
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # retries are ours: they need the same request id and bytes
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


def secure_channel(profile: Profile, target: str, issuers: bytes, server_name: str) -> grpc.Channel:
    """A channel to `target` (host:port), whose certificate leads to `issuers` (PEM). Nothing is sent yet.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_UNSAFE, KEY_TYPE_WRONG, KEY_NOT_OF_CERTIFICATE.
    """
    tls_key(profile)  # a key of another certificate is told here, not by a handshake that fails without a word
    private_key, certificate = profile.tls_identity()
    credentials = grpc.ssl_channel_credentials(issuers, private_key, certificate)
    options = list(_OPTIONS)
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return grpc.secure_channel(target, credentials, options=options)
