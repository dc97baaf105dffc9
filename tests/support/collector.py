"""An OTLP/HTTP collector for tests: decodes strictly with the published messages, and refuses all else."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}


def plain(value: AnyValue) -> Any:
    """What an AnyValue holds."""
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {item.key: plain(item.value) for item in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes_of(record: Span | LogRecord) -> dict[str, Any]:
    keys = [item.key for item in record.attributes]
    assert len(keys) == len(set(keys)), "a key stands once"
    return {item.key: plain(item.value) for item in record.attributes}


def _as_protobuf(value: Any) -> Any:
    """OTLP's JSON differs from protobuf's in the ids: lower-case hex where protobuf has base64."""
    if isinstance(value, list):
        return [_as_protobuf(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, inner in value.items():
        if key in _IDS:
            assert re.fullmatch(rf"[0-9a-f]{{{_IDS[key]}}}", inner), key
            assert inner.strip("0"), "an id of zeros only is none"
            out[key] = base64.b64encode(bytes.fromhex(inner)).decode()
        else:
            out[key] = _as_protobuf(inner)
    return out


@dataclass
class Collector:
    """What came, decoded; and what to answer next."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Given out first, one a request, nothing being taken; then 200 to all."""
    requests: int = 0
    sizes: list[int] = field(default_factory=list)

    def take(self, path: str, content_type: str, body: bytes) -> None:
        kind: type[Message] = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest}[path]
        if content_type == "application/json":
            request: Any = ParseDict(_as_protobuf(json.loads(body)), kind(), ignore_unknown_fields=False)
        else:
            request = kind()
            request.ParseFromString(body)
        count = 0
        for group in request.resource_spans if path == "/v1/traces" else request.resource_logs:
            self.resources.append({item.key: plain(item.value) for item in group.resource.attributes})
            for scope in group.scope_spans if path == "/v1/traces" else group.scope_logs:
                if path == "/v1/traces":
                    self.spans.extend(scope.spans)
                    count += len(scope.spans)
                else:
                    self.logs.extend(scope.log_records)
                    count += len(scope.log_records)
        self.sizes.append(count)

    @property
    def uids(self) -> list[str]:
        return [str(attributes_of(record)["log.record.uid"]) for record in [*self.spans, *self.logs]]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """A collector on this machine."""
    collector = Collector()
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            with turn:
                collector.requests += 1
                collector.headers.append(dict(self.headers))
                status, more, answer = collector.answers.pop(0) if collector.answers else (200, {}, b"{}")
                if status == 200 and answer == b"{}":
                    try:
                        collector.take(self.path, self.headers["Content-Type"], body)
                    except Exception as error:  # whatever it is, the test is told
                        collector.wrong.append(repr(error))
                        status = 400
            if self.headers["Content-Type"] != "application/json" and status == 200:
                answer = b""
            self.send_response(status)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer)))
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
