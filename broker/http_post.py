"""One HTTP POST at the edge: bounded in time and size, no redirects, no proxies or secrets from the environment."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext, create_default_context

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
    end = time.monotonic() + seconds
    opener = urllib.request.OpenerDirector()  # bare: no redirects, no proxies, any status is an answer
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=tls or create_default_context()))
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 - see config
    try:
        with opener.open(request, timeout=seconds) as response:
            found = response.headers
            return Answer(
                status=response.status,
                content_type=found.get_content_type(),
                retry_after=_seconds(found.get("Retry-After")),
                body=_read(response, end, most),
            )
    except TimeoutError:
        raise PostError("slow") from None
    except (http.client.HTTPException, ValueError):
        raise PostError("broken") from None
    except OSError as error:
        slow = isinstance(error, urllib.error.URLError) and isinstance(error.reason, TimeoutError)
        raise PostError("slow" if slow else "unreachable") from None


def _read(response: http.client.HTTPResponse, end: float, most: int) -> bytes:
    found = bytearray()
    while chunk := response.read1(_CHUNK):
        found += chunk
        if len(found) > most:
            raise PostError("large")
        if time.monotonic() > end:
            raise PostError("slow")
    stated = response.headers.get("Content-Length")
    if stated is not None and stated.isdecimal() and int(stated) != len(found):
        raise PostError("broken")
    return bytes(found)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 8 else None
