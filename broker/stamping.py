"""Has the newest checkpoint time-stamped by a third party (RFC 3161), now and then, beside all other work.

What is stamped is the note text of a checkpoint: origin, size and root, the bytes that its signatures are over. A token
is stored only when an auditor would take it: docs/formats.md section 7. An outage delays stamps and stops nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from broker.audit.export import STAMP_KIND
from broker.config import Config
from broker.der_order import with_certificates_in_order
from broker.errors import Code, SluisError
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_checkpoint
from broker.exchange_log.cosignature import NEWEST
from broker.http_post import PostError, post
from broker.ports import Clock, LogReader

log = structlog.get_logger("broker.stamping")

GRACE = timedelta(seconds=60)
"""How far the clocks of broker and time stamper may differ; a verifier allows the same."""
FIRST_RETRY_SECONDS = 30.0
ANSWER_SECONDS = 20.0
MOST_BYTES = 65_536
_GRANTED = (0, 1)


class NotStampedError(Exception):
    """No stamp this time: `why` is one of a few fixed words, fit for a log line."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Stamp:
    """A stored time stamp: the log of `size` entries existed at `at`, by the time stamper's clock."""

    size: int
    at: datetime


def pem_text(path: Path) -> str:
    """A file of certificates. Raises CONFIG_INVALID."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read as text") from error


def read_time_stampers(config: Config) -> tuple[Certificate, ...]:
    """The CA certificates above the time stamper. Raises CONFIG_INVALID."""
    found: list[Certificate] = []
    for path in config.time_stamps.certificates if config.time_stamps else ():
        try:
            found += load_pem_x509_certificates(pem_text(path).encode())
        except ValueError as error:
            raise SluisError(
                Code.CONFIG_INVALID, f"{path}: time_stamps.certificates holds CA certificates in PEM"
            ) from error
    return tuple(found)


def stamp_key(size: int) -> str:
    """The key of a stamp among the documents, in the order of sizes."""
    return f"{size:016d}"


def newest_stamp(reader: LogReader) -> Stamp | None:
    """The newest stored stamp. Raises STORE_CORRUPT when it cannot be read."""
    newest = None
    for newest in reader.documents(STAMP_KIND):  # noqa: B007 - the last one is wanted
        pass
    if newest is None:
        return None
    try:
        return Stamp(int(newest[0]), decode_timestamp_response(response_of(newest[1])).tst_info.gen_time)
    except ValueError as error:
        raise SluisError(Code.STORE_CORRUPT, "a stored time stamp cannot be read; restore the database") from error


def response_of(token: bytes) -> bytes:
    """A granted TimeStampResp (RFC 3161 section 2.4.2) around a token: the form that the library reads."""
    inner = b"\x30\x03\x02\x01\x00" + token
    if len(inner) < 128:
        return b"\x30" + bytes([len(inner)]) + inner
    length = len(inner).to_bytes((len(inner).bit_length() + 7) // 8, "big")
    return b"\x30" + bytes([0x80 | len(length)]) + length + inner


def over_http(url: str) -> Callable[[bytes], bytes]:
    """How to put a request to the time stamper at `url` (RFC 3161 section 3.4)."""
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}

    def ask(request: bytes) -> bytes:
        try:
            answer = post(url, request, headers=headers, seconds=ANSWER_SECONDS, most=MOST_BYTES)
        except PostError as error:
            raise NotStampedError(error.why) from None
        if answer.status != 200 or answer.content_type != "application/timestamp-reply":
            raise NotStampedError("refused")
        return answer.body

    return ask


def stamped(note_text: bytes, ask: Callable[[bytes], bytes], roots: Iterable[Certificate]) -> tuple[bytes, datetime]:
    """A token over `note_text` (SHA-512 imprint, with nonce and certificates) and its time, checked against `roots`.

    Raises:
        NotStampedError: nothing came, or not what was asked for.
    """
    builder = TimestampRequestBuilder().data(note_text).hash_algorithm(HashAlgorithm.SHA512)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    response = _decoded(ask(request.as_bytes()))
    if response.status not in _GRANTED:
        raise NotStampedError("refused")
    if request.nonce is None or response.tst_info.nonce != request.nonce:
        raise NotStampedError("another nonce")
    asked, imprint = request.message_imprint, response.tst_info.message_imprint
    if (imprint.hash_algorithm, imprint.message) != (asked.hash_algorithm, asked.message):
        raise NotStampedError("another imprint")
    _check_signature(response, list(roots), note_text)
    return response.time_stamp_token(), response.tst_info.gen_time


def _decoded(data: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(data)
    except ValueError:
        pass
    try:
        return decode_timestamp_response(with_certificates_in_order(data))
    except ValueError:
        raise NotStampedError("not an answer in DER") from None


def _check_signature(response: TimeStampResponse, roots: list[Certificate], note_text: bytes) -> None:
    """Read again as it will be stored: signature, chain to a root at the token's time, critical EKU timeStamping."""
    try:
        stored = decode_timestamp_response(response_of(response.time_stamp_token()))
        VerifierBuilder(roots=roots).build().verify_message(stored, note_text)
    except (VerificationError, ValueError):
        raise NotStampedError("not signed by a time stamper of time_stamps.certificates") from None


class Stamper:
    """A thread of its own that stamps every `every`, with back-off after a failure. Never raises into other work."""

    def __init__(
        self,
        *,
        reader: LogReader,
        sequencer: Sequencer,
        clock: Clock,
        ask: Callable[[bytes], bytes],
        roots: Iterable[Certificate],
        every: timedelta,
        first_retry: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._reader = reader
        self._sequencer = sequencer
        self._clock = clock
        self._ask = ask
        self._roots = tuple(roots)
        self._every = every
        self._first_retry = first_retry
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="time-stamps", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """Ends; a request under way is given up. What is stored is whole. Idempotent."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def stamp(self) -> Stamp | None:
        """Stamps the newest checkpoint now; None when that one has its stamp already.

        Raises:
            NotStampedError: no token, or none that a verifier would take. SluisError when the log cannot be read or
                written.
        """
        last = newest_stamp(self._reader)
        stamped_to = 0 if last is None else last.size
        size, note = self._newest(stamped_to)
        if size <= stamped_to:
            return None
        token, at = stamped(parse_checkpoint(note).body, self._ask, self._roots)
        if at > self._clock.now() + GRACE or at < self._sequenced_at(size - 1) - GRACE:
            raise NotStampedError("the clocks of broker and time stamper differ by more than a minute")
        if last is not None and at < last.at:
            raise NotStampedError("the time stamper's clock went back")
        self._sequencer.submit(lambda tx: tx.put_document(STAMP_KIND, stamp_key(size), token))
        return Stamp(size, at)

    def _newest(self, after: int) -> tuple[int, str]:
        """The newest checkpoint that witnesses cosigned, if it covers more than `after`; else the newest of all."""
        cosigned = self._reader.document(*NEWEST)
        if cosigned is not None and (size := parse_checkpoint(cosigned.decode()).size) > after:
            return size, cosigned.decode()
        return self._reader.checkpoint()

    def _sequenced_at(self, index: int) -> datetime:
        for entry in self._reader.entries(index, index + 1):
            return datetime.fromisoformat(json.loads(entry.leaf)["sequenced_at"])
        raise SluisError(Code.STORE_CORRUPT, "the log lacks an entry; run `sluis doctor`")

    def _run(self) -> None:
        wait, retry = self._first_wait(), self._first_retry
        while not self._halt.wait(wait):
            why = self._try()
            wait = self._every.total_seconds() if why is None else min(retry, self._every.total_seconds())
            retry = self._first_retry if why is None else retry * 2

    def _first_wait(self) -> float:
        """A broker that is started often stamps no oftener than others."""
        try:
            last = newest_stamp(self._reader)
        except SluisError:
            return 0.0
        if last is None:
            return 0.0
        rest = self._every - (self._clock.now() - last.at)
        return max(0.0, min(self._every, rest).total_seconds())

    def _try(self) -> str | None:
        """Stamps; why not, when it did not work."""
        try:
            stamp = self.stamp()
        except NotStampedError as error:
            why = error.why
        except SluisError as error:
            why = error.code.name
        except Exception as error:  # noqa: BLE001 - a stamp never stops anything
            why = type(error).__name__
        else:
            if stamp is not None:
                log.info("checkpoint time-stamped", size=stamp.size)
            return None
        if not self._halt.is_set():
            log.warning("checkpoint not time-stamped", type=why)
        return why


def stamper_of(config: Config, reader: LogReader, sequencer: Sequencer, clock: Clock) -> Stamper | None:
    """The stamper that goes with a configuration, not started; None when none is asked for. Raises CONFIG_INVALID."""
    if config.time_stamps is None:
        return None
    return Stamper(
        reader=reader,
        sequencer=sequencer,
        clock=clock,
        ask=over_http(config.time_stamps.url),
        roots=read_time_stampers(config),
        every=timedelta(minutes=config.time_stamps.every_minutes),
    )


def age_told(reader: LogReader, every: timedelta, now: datetime) -> str:
    """What `sluis doctor` says of the newest stamp.

    Raises:
        SluisError: CONFIG_INVALID when entries wait for a stamp longer than three times `every`.
    """
    last, size = newest_stamp(reader), reader.size()
    if last is None:
        raise SluisError(Code.CONFIG_INVALID, "no checkpoint is stamped yet; look for `not time-stamped` in the log")
    minutes = int((now - last.at.astimezone(UTC)).total_seconds() // 60)
    told = f"{last.size} of {size} entries, {minutes} minutes ago"
    if last.size < size and now - last.at > 3 * every:
        raise SluisError(Code.CONFIG_INVALID, f"newest stamp covers {told}; look for `not time-stamped` in the log")
    return f"newest covers {told}"
