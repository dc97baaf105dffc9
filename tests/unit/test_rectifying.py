"""Corrections take turns, and few wait for theirs: each that waits holds a thread of the server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from broker.errors import Code, Kind, SluisError
from broker.rectifying import AT_ONCE, Rectification


def test_who_finds_no_place_is_sent_away_at_once() -> None:
    nothing: Any = None
    rectification = Rectification(nothing, nothing)
    inside, over = threading.Semaphore(0), threading.Event()

    def wait() -> None:
        rectification._places.release()  # it was taken for us, so that all have theirs before the test goes on
        with rectification._turn():
            inside.release()
            assert over.wait(60)

    with ThreadPoolExecutor(1) as pool:
        assert rectification._places.acquire(timeout=60)
        first = pool.submit(wait)
        assert inside.acquire(timeout=60)
        for _ in range(AT_ONCE - 1):
            assert rectification._places.acquire(blocking=False)
        with pytest.raises(SluisError) as caught, rectification._turn():
            pass
        assert caught.value.code is Code.TOO_MANY_STREAMS
        assert caught.value.code.kind is Kind.EXHAUSTED
        assert caught.value.retry_after_ms
        over.set()
        first.result(60)
    with rectification._turn():
        pass
