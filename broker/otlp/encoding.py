"""OTLP/HTTP in its JSON form (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"): values, envelopes, ids. Pure.

Trace and span ids are lower-case hex, 64-bit numbers are texts, enumerations are numbers, names are in lowerCamelCase.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.canonical import encode

TRACES, LOGS = "traces", "logs"
INTERNAL, SERVER = 1, 2
"""Kinds of span."""
ERROR = 2
"""The status code; unset is the empty status."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPES = {
    TRACES: ("resourceSpans", "scopeSpans", "spans"),
    LOGS: ("resourceLogs", "scopeLogs", "logRecords"),
}


def any_value(value: object) -> dict[str, Any]:
    """An AnyValue. Raises TypeError for what OTLP has no word for."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": attributes(value)}}
    if isinstance(value, Iterable):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    raise TypeError(type(value).__name__)


def attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    """A list of KeyValue; what is None is left out."""
    return [{"key": key, "value": any_value(value)} for key, value in values.items() if value is not None]


def nanoseconds(moment: datetime) -> str:
    """Since 1970, UTC."""
    return str((moment - _EPOCH) // timedelta(microseconds=1) * 1_000)


def span_id(origin: str, index: int, leaf: bytes, subject: int | None = None) -> str:
    """The same for the same entry (and subject) at every sending; not to be guessed, for the leaf holds a nonce."""
    parts = (origin.encode(), b"%d" % index, leaf, b"" if subject is None else b"%d" % subject)
    return hashlib.sha256(encode(b"sluis/v1/span-id", *parts)).hexdigest()[:16]


def trace_id(origin: str, *parts: bytes) -> str:
    """For what came without a trace: one for all that hangs together by `parts`."""
    return hashlib.sha256(encode(b"sluis/v1/trace-id", origin.encode(), *parts)).hexdigest()[:32]


def export_request(signal: str, resource: Mapping[str, object], version: str, records: list[dict[str, Any]]) -> bytes:
    """An ExportTraceServiceRequest or ExportLogsServiceRequest of one resource."""
    of_resource, of_scope, name = _ENVELOPES[signal]
    scope = {"scope": {"name": "sluis", "version": version}, name: records}
    return json.dumps(
        {of_resource: [{"resource": {"attributes": attributes(resource)}, of_scope: [scope]}]},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "replace")


def rejected(body: bytes) -> int:
    """How many records an answer of status 200 says were not taken; 0 for an empty or another answer."""
    try:
        partial = json.loads(body).get("partialSuccess") or {}
        return int(partial.get("rejectedSpans") or partial.get("rejectedLogRecords") or 0)
    except (ValueError, AttributeError, TypeError):
        return 0
