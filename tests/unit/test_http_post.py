"""A POST is over when its time is, whatever part of the answer the other side lets drip."""

from __future__ import annotations

import pytest
from dripping import dripping

from broker.http_post import PostError, post

LONG = b"x" * 1_000


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: " + LONG),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + LONG),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n" + LONG),
        ("https", b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc" + LONG),
    ],
)
def test_who_drips_holds_nothing_up(scheme: str, text: bytes) -> None:
    sent: list[int] = []
    with dripping(text, sent) as port, pytest.raises(PostError) as caught:
        post(f"{scheme}://127.0.0.1:{port}/", b"asked", headers={}, seconds=0.6, most=10_000)
    assert caught.value.why == "slow"
    assert len(sent) < len(text)


def test_what_is_no_answer_is_told_apart_from_none() -> None:
    with dripping(b"nonsense\r\n\r\n") as port, pytest.raises(PostError) as caught:
        post(f"http://127.0.0.1:{port}/", b"asked", headers={}, seconds=30, most=10_000)
    assert caught.value.why == "broken"
