"""The guard of the diagnostic logs: the last net."""

from __future__ import annotations

import io
import json
import os
import uuid
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from broker.telemetry import _guard, configure_logging

CANARY = "999993653"
NUMBERS = {
    "BSN": CANARY,
    "BSN with a hyphen before": f"case-{CANARY}",
    "BSN after a letter": f"a{CANARY}f",
    "BSN with dots": "9999.93.653",
    "BSN with spaces": "999 993 653",
    "BSN of eight digits": "10000009",
    "KvK": "68750110",
    "vestiging": "000037178598",
    "BAG": "0797020000056894",
    "OIN": "00000001002220647000",
    "loonheffing": "857587973L01",
    "pseudonym in hex": os.urandom(16).hex(),
    "pseudonym in upper case": os.urandom(16).hex().upper(),
    "pseudonym in base64": b64encode(b"\xfa" * 16).decode(),
    "in a sentence": f"no row for {CANARY}, sorry",
}


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    before = structlog.get_config()
    made = io.StringIO()
    configure_logging("INFO", made)
    yield made
    structlog.configure(**before)


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("what", NUMBERS)
@pytest.mark.parametrize("key", ["event", "rpc", "name", "type", "party", "code", "state"])
def test_numbers_and_pseudonyms_are_dropped_wherever_they_stand(what: str, key: str) -> None:
    value = NUMBERS[what]
    text = json.dumps(_guard(None, "", {"event": "x", key: value}))
    assert value not in text
    assert CANARY not in text


@pytest.mark.parametrize(
    "value",
    [CANARY.encode(), bytearray(CANARY.encode()), [CANARY], {"a": CANARY}, int(CANARY), ValueError(CANARY), (1,)],
)
@pytest.mark.parametrize("key", ["event", "name", "party", "code", "incident", "timestamp"])
def test_what_is_no_text_is_dropped(key: str, value: object) -> None:
    assert CANARY not in repr(_guard(None, "", {key: value}))


@pytest.mark.parametrize("key", ["bsn", "request", "exc_info", "exception", "stack", "positional_args", "Event"])
def test_fields_that_are_not_known_are_dropped(key: str) -> None:
    assert _guard(None, "", {key: CANARY}) == {key: "dropped: not a known log field"}


def test_what_the_house_writes_stays() -> None:
    event = {
        "event": "call",
        "rpc": "ExchangeService/Match",
        "code": "LOG_OUTCOME_UNKNOWN",
        "seconds": 0.0123456789,
        "count": 10_000_000,
        "size": 123_456_789,
        "incident": str(uuid.uuid4()),
        "timestamp": "2026-11-23T10:00:00.123456Z",
        "policy_set": "ab" * 32,
        "listen": "192.168.100.200:50051",
        "origin": "sluis.example/test-2026",
        "type": "ValueError@broker.rpc.convert:123 < KeyError@broker.app:7",
        "version": "0.1.0",
        "party": None,
        "ok": True,
    }
    kept = {key: value for key, value in event.items() if key != "ok"}
    assert _guard(None, "", dict(kept)) == kept


def test_a_line_is_json_with_level_and_time(stream: io.StringIO) -> None:
    structlog.get_logger("test").info("call", rpc="ExchangeService/Match", seconds=0.5)
    (line,) = written(stream)
    assert (line["event"], line["level"], line["rpc"], line["seconds"]) == (
        "call",
        "info",
        "ExchangeService/Match",
        0.5,
    )
    assert line["timestamp"].endswith("Z")


def test_an_exception_leaves_no_text(stream: io.StringIO) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        structlog.get_logger("test").exception("incident", name=CANARY)
    assert CANARY not in stream.getvalue()


def test_arguments_of_a_format_are_guarded(stream: io.StringIO) -> None:
    structlog.get_logger("test").info("row %s", CANARY)
    assert CANARY not in stream.getvalue()


def test_levels_below_are_not_written(stream: io.StringIO) -> None:
    structlog.get_logger("test").debug("quiet")
    assert stream.getvalue() == ""


@given(st.text(max_size=30), st.integers(10_000_000, 999_999_999), st.text(max_size=30))
def test_no_text_around_a_number_saves_it(before: str, number: int, after: str) -> None:
    assert str(number) not in str(_guard(None, "", {"event": f"{before}{number}{after}"})["event"])
