"""One HTTP POST at the edge: bounded in time and size, no redirects, no proxies or secrets from the environment."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from ssl import SSLContext, create_default_context
from urllib.parse import urlsplit

from broker.http_connection import connect, ended_at

_CHUNK = 65_536


class PostError(Exception):
    """No whole answer came: `why` is one word of `unreachable`, `slow`, `large`, `broken`. Nothing of the answer."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    content_type: str
    """Without parameters, lower case."""
    retry_after: float | None
    """Seconds, where the other side names them."""
    body: bytes


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    seconds: float,
    most: int,
    tls: SSLContext | None = None,
) -> Answer:
    """Posts `body` to an http or https URL. `seconds`: for the whole of it; `most`: bytes that an answer may have.

    Raises:
        PostError: when no whole answer came in time; it may have been taken all the same.
    """
    deadline = time.monotonic() + seconds
    parts = urlsplit(url)
    if parts.scheme == "https" and tls is None:
        tls = create_default_context()
    target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    try:
        with closing(connect(parts, tls if parts.scheme == "https" else None, seconds, deadline)) as connection:
            answer = _exchange(connection, target, body, {**headers, "Connection": "close"}, most, deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() > deadline:
            raise PostError("slow") from None
        broken = isinstance(error, (http.client.HTTPException, ValueError))
        raise PostError("broken" if broken else "unreachable") from None
    if time.monotonic() > deadline:  # a body without a stated length ends where the connection was cut
        raise PostError("slow")
    return answer


def _exchange(
    connection: http.client.HTTPConnection,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    most: int,
    deadline: float,
) -> Answer:
    with ended_at(deadline, connection.sock):
        connection.request("POST", target, body, headers)
        response = connection.getresponse()
        return Answer(
            status=response.status,
            content_type=response.headers.get_content_type(),
            retry_after=_seconds(response.headers.get("Retry-After")),
            body=_read(response, most),
        )


def _read(response: http.client.HTTPResponse, most: int) -> bytes:
    found = bytearray()
    while chunk := response.read1(_CHUNK):
        found += chunk
        if len(found) > most:
            raise PostError("large")
    stated = response.headers.get("Content-Length")
    if stated is not None and stated.isdecimal() and int(stated) != len(found):
        raise http.client.IncompleteRead(b"")
    return bytes(found)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 8 else None
