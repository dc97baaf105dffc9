"""The follower: at least once, in order, nothing left out; whatever the collector, the log or a signal does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from collector import Collector, collecting
from log_kit import ORIGIN, FakeClock, Keys, Log, access_body, ask_body, release_body

from broker.errors import Code, SluisError
from broker.otlp import follower as follower_module
from broker.otlp.cursor import CursorFile
from broker.otlp.follower import MOST_RECORDS, Follower, LaterError, RefusedError, over_http
from broker.otlp.mapping import EntryMapping
from broker.ports import StoredEntry


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "POLL_SECONDS", 0.01)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log(tmp_path) as found:
        yield found


def mapped(log: Log) -> EntryMapping:
    def leaf(index: int) -> bytes:
        return next(iter(log.reader.entries(index, index + 1))).leaf

    return EntryMapping(ORIGIN, leaf=leaf, policy_set=lambda _: None, party_url="https://x/{party}")


class Following:
    """A follower with its cursor, as the command makes them."""

    def __init__(
        self, log: Log, path: Path, send: Callable[[str, bytes], None], mapping: object = None, origin: str = ORIGIN
    ) -> None:
        self.halt = threading.Event()
        self.cursor = CursorFile(path, origin)
        self.follower = Follower(
            log.reader,
            self.cursor,
            mapping or mapped(log),
            send,
            resource={"service.name": "sluis"},
            version="1",
            halt=self.halt,
            first_retry=0.01,
        )

    def once(self) -> int:
        try:
            return self.follower.run(once=True)
        finally:
            self.cursor.close()


def exchanges(log: Log, count: int) -> None:
    for _ in range(count):
        ask = log.sequencer.submit(lambda tx: tx.append("ask", ask_body(log.clock.at)))
        log.sequencer.submit(lambda tx, at=ask.value: tx.append("release", release_body(at)))


def wanted(log: Log) -> list[str]:
    """The record ids that a log gives: a span for each ask and release, a record for each ask."""
    uids = []
    for entry in log.reader.entries(0, log.reader.size()):
        kind = json.loads(entry.leaf)["kind"]
        uids += [f"{ORIGIN}/{entry.index}"] * {"ask": 2, "release": 1}.get(kind, 0)
    return sorted(uids)


def test_all_that_is_there_is_sent_once_and_the_cursor_moves(log: Log, tmp_path: Path) -> None:
    exchanges(log, 5)
    with collecting() as collector:
        send = over_http(collector.url, {"X-Who": "me"})
        assert Following(log, tmp_path / "c", send).once() == 15
        assert not collector.wrong
        assert sorted(collector.uids) == wanted(log)
        assert collector.resources[0] == {"service.name": "sluis"}
        assert collector.headers[0]["X-Who"] == "me"
        value = json.loads((tmp_path / "c").read_text())
        assert (value["next"], value["origin"]) == (log.reader.size(), ORIGIN)
        assert Following(log, tmp_path / "c", send).once() == 0
        exchanges(log, 1)
        assert Following(log, tmp_path / "c", send).once() == 3
        assert sorted(collector.uids) == wanted(log)


def test_entries_that_are_no_exchange_move_the_cursor_too(log: Log, tmp_path: Path) -> None:
    for _ in range(3):
        log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    with collecting() as collector:
        assert Following(log, tmp_path / "c", over_http(collector.url, {})).once() == 0
        assert collector.requests == 0
    assert json.loads((tmp_path / "c").read_text())["next"] == 4


def test_a_full_collector_loses_nothing(log: Log, tmp_path: Path) -> None:
    exchanges(log, 3)
    with collecting() as collector:
        collector.answers = [(429, {"Retry-After": "0"}, b""), (503, {}, b""), (502, {}, b""), (504, {}, b"")]
        assert Following(log, tmp_path / "c", over_http(collector.url, {})).once() == 9
        assert collector.requests == 6
        assert sorted(collector.uids) == wanted(log)


def test_a_collector_that_is_away_is_waited_for(log: Log, tmp_path: Path) -> None:
    exchanges(log, 2)
    with collecting() as collector:
        port = int(collector.url.rpartition(":")[2])
    following = Following(log, tmp_path / "c", over_http(f"http://127.0.0.1:{port}", {}))
    thread = threading.Thread(target=following.once)
    thread.start()
    time.sleep(0.1)
    assert not (tmp_path / "c").exists()
    with collecting(port) as collector:
        thread.join(60)
        assert not thread.is_alive()
        assert sorted(collector.uids) == wanted(log)


@pytest.mark.parametrize(
    "answer",
    [
        (400, {}, b""),
        (401, {}, b""),
        (404, {}, b""),
        (500, {}, b""),
        (307, {"Location": "http://127.0.0.1:1/"}, b""),
        (200, {}, b'{"partialSuccess":{"rejectedSpans":"1"}}'),
    ],
    ids=lambda answer: str(answer[0]),
)
def test_a_refusal_for_good_stops_and_leaves_nothing_out(
    log: Log, tmp_path: Path, answer: tuple[int, dict[str, str], bytes]
) -> None:
    exchanges(log, 1)
    with collecting() as collector:
        collector.answers = [answer]
        with pytest.raises(SluisError, match="entries from 0 on are not exported, and none was left out") as caught:
            Following(log, tmp_path / "c", over_http(collector.url, {})).once()
        assert caught.value.code is Code.CONFIG_INVALID
        assert not (tmp_path / "c").exists()
        assert Following(log, tmp_path / "c", over_http(collector.url, {})).once() == 3
        assert sorted(collector.uids) == wanted(log)


class Dies(Exception):
    """As a process killed there."""


def test_killed_between_any_two_requests_every_record_comes_at_least_once(log: Log, tmp_path: Path) -> None:
    exchanges(log, 4)
    seen: list[str] = []
    deaths = 0
    for die_at in range(6):
        calls = 0

        def send(signal: str, body: bytes, die_at: int = die_at) -> None:
            nonlocal calls
            if calls == die_at:
                raise Dies
            calls += 1
            collector = Collector()
            collector.take(f"/v1/{signal}", "application/json", body)
            seen.extend(collector.uids)

        try:
            Following(log, tmp_path / "c", send).once()
        except Dies:
            deaths += 1
    assert deaths >= 2
    assert set(seen) == set(wanted(log))
    assert len(seen) > len(wanted(log)), "some came twice, with the same ids"


def test_the_cursor_moves_only_behind_what_was_taken(log: Log, tmp_path: Path) -> None:
    exchanges(log, 2)

    def send(signal: str, _: bytes) -> None:
        if signal == "logs":
            raise Dies

    with pytest.raises(Dies):
        Following(log, tmp_path / "c", send).once()
    assert not (tmp_path / "c").exists()


class Many:
    """A mapping that gives many records an entry."""

    def __init__(self, count: int) -> None:
        self.count = count

    def records(self, leaf: bytes) -> Iterable[tuple[str, dict[str, Any]]]:
        index = json.loads(leaf)["index"]
        for number in range(self.count):
            yield (
                "traces",
                {
                    "traceId": "ab" * 16,
                    "spanId": f"{number + 1:016x}",
                    "attributes": [{"key": "log.record.uid", "value": {"stringValue": f"{index}/{number}"}}],
                },
            )


def test_requests_are_bounded_however_many_subjects_a_question_has(log: Log, tmp_path: Path) -> None:
    log.sequencer.submit(lambda tx: tx.append("access", access_body()))
    with collecting() as collector:
        many = Many(MOST_RECORDS * 2 + 5)
        assert Following(log, tmp_path / "c", over_http(collector.url, {}), many).once() == many.count * 2
        assert max(collector.sizes) <= MOST_RECORDS
        assert len(set(collector.uids)) == many.count * 2


def test_it_follows_a_growing_log_and_ends_when_told(log: Log, tmp_path: Path) -> None:
    with collecting() as collector:
        following = Following(log, tmp_path / "c", over_http(collector.url, {}))
        thread = threading.Thread(target=following.follower.run)
        thread.start()
        for _ in range(3):
            exchanges(log, 2)
            time.sleep(0.05)
        end = time.monotonic() + 60
        while len(collector.uids) < len(wanted(log)):
            assert time.monotonic() < end
            time.sleep(0.01)
        following.halt.set()
        thread.join(60)
        assert not thread.is_alive()
        following.cursor.close()
        assert sorted(collector.uids) == wanted(log)


def test_it_ends_while_it_waits_for_a_collector(log: Log, tmp_path: Path) -> None:
    exchanges(log, 1)

    def send(_: str, __: bytes) -> None:
        raise LaterError("unreachable", after=300)

    following = Following(log, tmp_path / "c", send)
    thread = threading.Thread(target=following.follower.run)
    thread.start()
    time.sleep(0.05)
    following.halt.set()
    thread.join(60)
    assert not thread.is_alive()
    following.cursor.close()


def test_a_database_that_is_away_is_waited_for(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exchanges(log, 1)
    real, calls = log.reader.size, []

    def size() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise SluisError(Code.STORE_UNAVAILABLE, "away")
        return real()

    monkeypatch.setattr(log.reader, "size", size)
    with collecting() as collector:
        assert Following(log, tmp_path / "c", over_http(collector.url, {})).once() == 3


def test_a_refused_record_is_told_by_the_sender() -> None:
    with collecting() as collector:
        collector.answers = [(400, {}, b"")]
        with pytest.raises(RefusedError):
            over_http(collector.url + "/", {})("traces", b"{}")


# the cursor


def test_a_cursor_of_another_log_is_refused(log: Log, tmp_path: Path) -> None:
    exchanges(log, 1)
    with collecting() as collector:
        Following(log, tmp_path / "c", over_http(collector.url, {})).once()
    with pytest.raises(SluisError, match="a cursor of the log"):
        CursorFile(tmp_path / "c", "other.example/log")


def test_a_cursor_of_a_log_that_was_cut_or_forked_is_refused(log: Log, tmp_path: Path) -> None:
    exchanges(log, 2)

    def nothing(_: str, __: bytes) -> None:
        return

    Following(log, tmp_path / "c", nothing).once()
    (tmp_path / "other").mkdir()
    with Log(tmp_path / "other", keys=Keys("a"), clock=FakeClock()) as other:
        with pytest.raises(SluisError, match="is not in this log"):
            Following(other, tmp_path / "c", nothing).once()
        for _ in range(6):
            other.sequencer.submit(lambda tx: tx.append("access", access_body()))
        with pytest.raises(SluisError, match="is not in this log"):
            Following(other, tmp_path / "c", nothing).once()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "nonsense", '{"type":"sluis/v1/follow-cursor","origin":"o","next":0,"last":""}', "\ud800"],
)
def test_a_file_that_is_no_cursor_is_refused_and_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for _ in range(2):
        with pytest.raises(SluisError, match="not a follower's cursor"):
            CursorFile(path, ORIGIN)


def test_two_followers_do_not_share_a_cursor(tmp_path: Path) -> None:
    first = CursorFile(tmp_path / "c", ORIGIN)
    with pytest.raises(SluisError, match="another follower uses this cursor"):
        CursorFile(tmp_path / "c", ORIGIN)
    first.close()
    CursorFile(tmp_path / "c", ORIGIN).close()


def test_a_cursor_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    cursor = CursorFile(folder / "c", ORIGIN)
    (folder / "c.lock").unlink()
    folder.rmdir()
    with pytest.raises(SluisError) as caught:
        cursor.move(StoredEntry(0, b"x"))
    assert caught.value.code is Code.STORE_UNAVAILABLE
    cursor.close()
