"""`key_services` of a profile: where the key services of other operators are, and which CA vouches for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
_KEYS = ("target", "ca_file", "server_name")


@dataclass(frozen=True)
class ServiceAddress:
    """A key service: host:port, the CA (PEM) that vouches for it, and the name in its certificate if it is another."""

    target: str
    ca_file: Path
    server_name: str = ""


def service_addresses(value: Any, base: Path) -> Mapping[str, ServiceAddress]:
    """The key services of a profile by their ids in the policy. Raises ValueError in words for a reader."""
    if not isinstance(value, dict):
        raise ValueError("must be ids with their keys, such as {oost: {target: host:port, ca_file: ca.pem}}")  # noqa: TRY004
    return {name: _address(name, entry, base) for name, entry in value.items()}


def _address(name: str, entry: Any, base: Path) -> ServiceAddress:
    if not _ID.fullmatch(name):
        raise ValueError("the id of a key service is that of the policy, such as oost")
    if (
        not isinstance(entry, dict)
        or not set(entry) <= set(_KEYS)
        or not all(isinstance(v, str) for v in entry.values())
    ):
        raise ValueError(f"{name} takes {', '.join(_KEYS)}")
    if not _ADDRESS.fullmatch(entry.get("target", "")):
        raise ValueError(f"{name} needs target: host:port")
    if not entry.get("ca_file"):
        raise ValueError(f"{name} needs ca_file: the CA (PEM) that vouches for it")
    server_name = entry.get("server_name", "")
    if server_name and not _HOST.fullmatch(server_name):
        raise ValueError(f"{name}: server_name must be the host name in its certificate")
    return ServiceAddress(entry["target"], (base / Path(entry["ca_file"]).expanduser()).resolve(), server_name)
