"""The thread that has checkpoints stamped: it stores what a verifier takes and nothing else, and stops nothing."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from log_kit import START, FakeClock, Log, access_body
from rfc3161_client import decode_timestamp_response
from time_stamper import Issued, Stamper, issue, serving

from broker.audit.export import bundle_lines
from broker.config import Config, TimeStamps
from broker.der_order import with_certificates_in_order
from broker.errors import Code, SluisError
from broker.exchange_log.cosignature import NEWEST
from broker.stamping import (
    NotStampedError,
    Stamp,
    age_told,
    newest_stamp,
    over_http,
    read_time_stampers,
    response_of,
    stamp_key,
    stamped,
)
from broker.stamping import Stamper as Thread

TSA = Stamper()
HOUR = timedelta(hours=1)


def requested(request: bytes) -> tuple[int, bytes]:
    """Nonce of a TimeStampReq, and its imprint: read from the back, as the request is made here."""
    # SEQUENCE { INTEGER 1, SEQUENCE { SEQUENCE { OID }, OCTET STRING 64 }, INTEGER nonce, BOOLEAN }
    at = request.index(b"\x04\x40")
    imprint = request[at + 2 : at + 66]
    rest = request[at + 66 :]
    assert rest[0] == 2
    return int.from_bytes(rest[2 : 2 + rest[1]], "big"), imprint


class Answering:
    """A time stamper as `ask`, whose clock and answers a test sets."""

    def __init__(self, log: Log, tsa: Stamper = TSA) -> None:
        self.log, self.tsa = log, tsa
        self.at: datetime = START + timedelta(seconds=5)
        self.asked = 0
        self.fail: str | None = None

    def __call__(self, request: bytes) -> bytes:
        self.asked += 1
        if self.fail is not None:
            raise NotStampedError(self.fail)
        _, note = self.log.reader.checkpoint()
        nonce, _ = requested(request)
        return self.tsa.answer(note.partition("\n\n")[0].encode() + b"\n", self.at, nonce)


def thread(log: Log, ask: Callable[[bytes], bytes], root: Issued = TSA.root, **options: object) -> Thread:
    return Thread(
        reader=log.reader,
        sequencer=log.sequencer,
        clock=log.clock,
        ask=ask,
        roots=[root.certificate],
        every=HOUR,
        **options,
    )


def add(log: Log) -> None:
    log.sequencer.submit(lambda tx: tx.append("access", access_body()))


def test_a_stamp_is_stored_once_per_size_and_goes_out_with_the_bundle(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        ask = Answering(log)
        stamper = thread(log, ask)
        stamp = stamper.stamp()
        assert stamp is not None
        assert (stamp.size, stamp.at) == (1, ask.at)
        assert stamper.stamp() is None, "the same checkpoint is not stamped twice"
        assert ask.asked == 1
        add(log)
        ask.at += timedelta(seconds=1)
        assert stamper.stamp() is not None
        assert newest_stamp(log.reader) == Stamp(2, ask.at)
        lines = [line.split(b'"')[1] for line in bundle_lines(log.reader)]
        assert lines == [
            b"bundle",
            b"leaf",
            b"checkpoint",
            b"timestamp",
            b"leaf",
            b"checkpoint",
            b"timestamp",
            b"lines",
        ]
        assert log.reader.size() == 2, "a stamp is no entry"


NOTE = b"origin\n1\nAAAA\n"


def answering(make: Callable[[int], bytes]) -> Callable[[bytes], bytes]:
    return lambda request: make(requested(request)[0])


REFUSED: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "noise": ("not an answer in DER", lambda _: b"hello"),
    "empty": ("not an answer in DER", lambda _: b""),
    "a refusal": ("refused", lambda n: TSA.answer(NOTE, START, n, status=2)),
    "another nonce": ("another nonce", lambda n: TSA.answer(NOTE, START, n + 1)),
    "no nonce": ("another nonce", lambda _: TSA.answer(NOTE, START)),
    "another text": ("another imprint", lambda n: TSA.answer(NOTE + b"x", START, n)),
    "another CA": ("not signed by", lambda n: Stamper().answer(NOTE, START, n)),
    "no time stamper": (
        "not signed by",
        lambda n: Stamper(TSA.root, issue("x", TSA.root, usage=None)).answer(NOTE, START, n),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_answer_that_an_auditor_would_not_take_is_not_taken(name: str) -> None:
    why, make = REFUSED[name]
    with pytest.raises(NotStampedError, match=why):
        stamped(NOTE, answering(make), [TSA.root.certificate])


def test_a_granted_answer_is_taken() -> None:
    token, at = stamped(NOTE, answering(lambda n: TSA.answer(NOTE, START, n)), [TSA.root.certificate])
    assert at == START
    assert decode_timestamp_response(response_of(token)).tst_info.gen_time == START


@pytest.mark.parametrize("disorder", [False, True])
def test_certificates_of_a_chain_may_come_in_any_order(*, disorder: bool) -> None:
    """As `openssl ts -chain` sends them, which the library refuses; what is stored is in DER's order."""
    middle = issue("middle", TSA.root, ca=True)
    tsa = Stamper(TSA.root, issue("signer", middle), (middle, TSA.root), disorder)
    answer = tsa.answer(NOTE, START, 1)
    if disorder:
        with pytest.raises(ValueError, match="InvalidSetOrdering"):
            decode_timestamp_response(answer)
    token, at = stamped(NOTE, answering(lambda n: tsa.answer(NOTE, START, n)), [TSA.root.certificate])
    assert at == START
    assert len(decode_timestamp_response(response_of(token)).signed_data.certificates) == 3


def test_without_the_certificate_between_there_is_no_way_to_the_root() -> None:
    middle = issue("middle", TSA.root, ca=True)
    tsa = Stamper(TSA.root, issue("signer", middle))
    with pytest.raises(NotStampedError, match="not signed by"):
        stamped(NOTE, answering(lambda n: tsa.answer(NOTE, START, n)), [TSA.root.certificate])


def test_putting_in_order_takes_nothing_but_an_answer() -> None:
    tsa = Stamper(TSA.root, TSA.signer, (TSA.root, issue("other", TSA.root)), disorder=True)
    answer = tsa.answer(NOTE, START, 1)
    mended = with_certificates_in_order(answer)
    assert len(mended) == len(answer)
    assert with_certificates_in_order(mended) == mended
    for cut in range(0, len(answer), 11):
        with pytest.raises(ValueError):
            with_certificates_in_order(answer[:cut])
    for noise in (b"\x30\x80\x00\x00", b"\x1f\x00", b"\x30\x85" + bytes(8), tsa.answer(NOTE, START, 1, status=2)):
        with pytest.raises(ValueError):
            with_certificates_in_order(noise)


def test_what_witnesses_cosigned_is_stamped_first(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        _, note = log.reader.checkpoint()
        add(log)
        log.sequencer.submit(lambda tx: tx.put_document(*NEWEST, note.encode()))
        texts: list[str] = []

        class Cosigned(Answering):
            def __call__(self, request: bytes) -> bytes:
                nonce, imprint = requested(request)
                for text in (note, log.reader.checkpoint()[1]):
                    stated = text.partition("\n\n")[0].encode() + b"\n"
                    if hashlib.sha512(stated).digest() == imprint:
                        texts.append(text)
                        return self.tsa.answer(stated, self.at, nonce)
                raise AssertionError

        ask = Cosigned(log)
        stamp = thread(log, ask).stamp()
        assert stamp is not None
        assert stamp.size == 1
        stamp = thread(log, ask).stamp()
        assert stamp is not None
        assert stamp.size == 2, "what no witness has seen yet is stamped too, rather than nothing"
        assert texts == [note, log.reader.checkpoint()[1]]


@pytest.mark.parametrize(
    ("moved", "why"),
    [(timedelta(minutes=-2), "clocks"), (timedelta(minutes=2), "clocks")],
    ids=["behind", "ahead"],
)
def test_a_time_stamper_whose_clock_is_off_is_refused(tmp_path: Path, moved: timedelta, why: str) -> None:
    with Log(tmp_path, clock=FakeClock()) as log:
        ask = Answering(log)
        ask.at = START + moved
        with pytest.raises(NotStampedError, match=why):
            thread(log, ask).stamp()
        assert newest_stamp(log.reader) is None


def test_a_clock_that_goes_back_is_refused(tmp_path: Path) -> None:
    with Log(tmp_path, clock=FakeClock()) as log:
        ask = Answering(log)
        thread(log, ask).stamp()
        add(log)
        ask.at -= timedelta(seconds=1)
        with pytest.raises(NotStampedError, match="went back"):
            thread(log, ask).stamp()
        assert list(log.reader.documents("time-stamp"))[-1][0] == stamp_key(1)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_an_outage_delays_stamps_and_stops_nothing(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        ask = Answering(log)
        ask.fail = "unreachable"
        stamper = thread(log, ask, first_retry=0.01)
        stamper.start()
        until(lambda: ask.asked >= 3)
        for _ in range(5):
            add(log)
        assert newest_stamp(log.reader) is None
        ask.fail = None
        until(lambda: newest_stamp(log.reader) is not None)
        found = newest_stamp(log.reader)
        assert found is not None
        assert found.size == 6, "the newest checkpoint, not the one that was waiting"
        stamper.stop()


def test_a_time_stamper_that_hangs_holds_up_neither_writes_nor_the_end(tmp_path: Path) -> None:
    hang = threading.Event()
    with Log(tmp_path) as log:
        started = threading.Event()

        def ask(_: bytes) -> bytes:
            started.set()
            hang.wait(300)
            raise NotStampedError("slow")

        stamper = thread(log, ask)
        stamper.start()
        assert started.wait(60)
        began = time.monotonic()
        add(log)
        stamper.stop(seconds=0.2)
        assert time.monotonic() - began < 60
        hang.set()


def test_a_fault_in_the_thread_is_outlived(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        calls = []

        def ask(_: bytes) -> bytes:
            calls.append(1)
            raise RuntimeError("unforeseen")

        stamper = thread(log, ask, first_retry=0.01)
        stamper.start()
        until(lambda: len(calls) > 2)
        stamper.stop()


def test_a_broker_that_starts_often_stamps_no_oftener(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        ask = Answering(log)
        thread(log, ask).stamp()
        add(log)
        stamper = thread(log, ask)
        stamper.start()
        time.sleep(0.2)
        stamper.stop()
        assert ask.asked == 1


def test_what_the_doctor_says(tmp_path: Path) -> None:
    with Log(tmp_path) as log:
        with pytest.raises(SluisError, match="no checkpoint is stamped yet"):
            age_told(log.reader, HOUR, START)
        ask = Answering(log)
        thread(log, ask).stamp()
        assert (
            age_told(log.reader, HOUR, ask.at + timedelta(minutes=7)) == "newest covers 1 of 1 entries, 7 minutes ago"
        )
        assert "1 of 1" in age_told(log.reader, HOUR, ask.at + timedelta(days=9)), "nothing waits for a stamp"
        add(log)
        assert "1 of 2" in age_told(log.reader, HOUR, ask.at + timedelta(hours=3))
        with pytest.raises(SluisError) as caught:
            age_told(log.reader, HOUR, ask.at + timedelta(hours=3, minutes=1))
        assert caught.value.code is Code.CONFIG_INVALID


def test_over_http() -> None:
    with serving(lambda _: b"answer") as (url, seen):
        assert over_http(url)(b"request") == b"answer"
        assert seen == [b"request"]
    with serving(lambda _: 503) as (url, _), pytest.raises(NotStampedError, match="refused"):
        over_http(url)(b"request")
    with serving(lambda _: bytes(70_000)) as (url, _), pytest.raises(NotStampedError, match="large"):
        over_http(url)(b"request")
    with pytest.raises(NotStampedError, match="unreachable"):
        over_http(url)(b"request")


def test_certificates_of_a_configuration_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    stamps = TimeStamps(url="https://tsa.example/tsr", certificates=[path])
    config = Config.model_construct(time_stamps=stamps)
    for text, said in ((None, "cannot be read as text"), ("no PEM", "holds CA certificates in PEM")):
        if text is not None:
            path.write_text(text)
        with pytest.raises(SluisError, match=said) as caught:
            read_time_stampers(config)
        assert caught.value.code is Code.CONFIG_INVALID
    path.write_text(TSA.root.pem + TSA.signer.pem)
    assert read_time_stampers(config) == (TSA.root.certificate, TSA.signer.certificate)
    assert read_time_stampers(Config.model_construct(time_stamps=None)) == ()
