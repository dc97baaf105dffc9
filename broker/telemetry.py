"""Diagnostic logs: JSON lines on standard error. Never an identifier, a pseudonym or a value from a request.

The guard below is the last net, not the rule: it drops bytes, structures and any text or number that could be a number
of a person or a pseudonym, whatever the caller meant.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TextIO

import structlog

_SUSPECT = re.compile(r"[0-9](?:[ ._/-]?[0-9]){6,}|[0-9A-Fa-f]{16,}|[A-Za-z0-9+/_-]{20,}={1,2}")
"""Seven digits or more, also with a sign between them; hex of a pseudonym's half; base64 of a pseudonym."""
_PLAIN = frozenset({"incident", "timestamp", "policy_set", "listen"})
"""Made by the house: UUIDs, times, digests and addresses."""
_COUNTS = frozenset({"count", "revision", "seconds", "size"})
_ALLOWED_KEYS = frozenset(
    {"event", "level", "timestamp", "logger", "rpc", "code", "party", "type", "incident", "seconds", "environment"}
    | {"origin", "listen", "size", "policy_set", "revision", "count", "name", "state", "version", "engine"}
)


def _guard(_: object, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for key, value in list(event.items()):
        if key not in _ALLOWED_KEYS:
            event[key] = "dropped: not a known log field"
        elif isinstance(value, str):
            event[key] = value if key in _PLAIN else _SUSPECT.sub("(dropped)", value)
        elif isinstance(value, int | float):
            event[key] = value if key in _COUNTS or isinstance(value, bool) else "dropped: a number"
        elif value is not None:
            event[key] = "dropped: not a text or a number"
    return event


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sets structlog up for this process: JSON lines with UTC times."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _guard,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=True,
    )
