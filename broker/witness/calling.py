"""The log's side of C2SP tlog-witness: offers checkpoints to a witness, and asks what it holds. Believes no answer.

Every call is bounded in time and bytes, follows no redirect and uses no proxy. Use an object from one thread.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from broker.errors import Code, SluisError
from broker.exchange_log.checkpoint import VerifierKey, parse_checkpoint
from broker.exchange_log.cosignature import cosignature_line, verify_cosigned, with_lines
from broker.http_connection import connect, ended_at
from broker.witness.wire import ADD_CHECKPOINT, SIZE_TYPE, WireError, origin_hash, read_size, write_add_checkpoint

CALL_SECONDS = 5.0
MAX_ANSWER = 65_536


class WitnessTrouble(Exception):  # noqa: N818  # a witness that does not do its part is no error of ours
    """No usable answer from a witness. `what` is a stable word for the diagnostic log; the text is for people."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(text)
        self.what = what


@dataclass(frozen=True)
class Cosignature:
    """The witness cosigned: its signature line, verified, with its newline."""

    line: str


@dataclass(frozen=True)
class HasSize:
    """The witness's newest tree has another size than was said."""

    size: int


@dataclass(frozen=True)
class Contradicted:
    """The witness says that this tree does not go together with one that it cosigned."""


class WitnessEnd:
    """One witness as its log sees it: a submission prefix (URL) and a key."""

    def __init__(
        self, url: str, key: VerifierKey, *, ca_file: Path | None = None, seconds: float = CALL_SECONDS
    ) -> None:
        self.key = key
        self._url = check_url(url)
        self._seconds = seconds
        self._tls: ssl.SSLContext | None = None
        self._connection: http.client.HTTPConnection | None = None
        if self._url.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
            except (OSError, ssl.SSLError) as error:
                text = f"{ca_file}: witness.ca_file holds no CA certificates in PEM"
                raise SluisError(Code.CONFIG_INVALID, text) from error

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def offer(self, old: int, proof: Sequence[bytes], note: str) -> Cosignature | HasSize | Contradicted:
        """Offers a checkpoint with the proof from `old` entries. Raises WitnessTrouble."""
        body = write_add_checkpoint(old, proof, note)
        status, kind, data = self._call("POST", ADD_CHECKPOINT, body)
        if status == http.client.OK:
            try:
                return Cosignature(cosignature_line(data.decode(), parse_checkpoint(note).body, self.key))
            except (SluisError, UnicodeDecodeError) as error:
                raise WitnessTrouble("cosignature wrong", f"its cosignature does not verify: {error}") from error
        if status == http.client.CONFLICT and kind == SIZE_TYPE:
            try:
                return HasSize(read_size(data))
            except WireError as error:
                raise WitnessTrouble("answer malformed", str(error)) from error
        if status in (http.client.UNPROCESSABLE_ENTITY, http.client.CONFLICT):
            return Contradicted()
        raise WitnessTrouble(f"status {status}", f"it answered {status} to a checkpoint")

    def newest(self, log_key: VerifierKey) -> tuple[int, str] | None:
        """Size and note of the newest checkpoint that it holds of a log, signed by log and witness; None: of none.

        None also from a witness that has no monitoring prefix at its submission prefix; `offer` tells a size then.

        Raises:
            WitnessTrouble: no answer, or one that is not signed by both.
        """
        status, _, data = self._call("GET", f"{origin_hash(log_key.name)}/checkpoint", b"")
        if status == http.client.NOT_FOUND:
            return None
        if status != http.client.OK:
            raise WitnessTrouble(f"status {status}", f"it answered {status} when asked for its newest checkpoint")
        try:
            note = data.decode()
            cosigned = verify_cosigned(note, log_key, [self.key])
        except (SluisError, UnicodeDecodeError) as error:
            raise WitnessTrouble("checkpoint wrong", f"the checkpoint it shows does not verify: {error}") from error
        if self.key.name not in cosigned.at:
            raise WitnessTrouble("checkpoint wrong", "the checkpoint it shows is not cosigned by itself")
        return cosigned.checkpoint.size, note

    def _call(self, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and body, over a kept connection where there is one; one that died is made anew."""
        deadline = time.monotonic() + self._seconds
        kept = self._connection is not None
        try:
            return self._exchange(method, path, body, deadline)
        except (ConnectionError, http.client.HTTPException) as error:
            self.close()
            if not kept:
                raise _unreachable(error) from error
        except (OSError, ValueError) as error:
            self.close()
            raise _unreachable(error) from error
        try:
            return self._exchange(method, path, body, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise _unreachable(error) from error

    def _exchange(self, method: str, path: str, body: bytes, deadline: float) -> tuple[int, str, bytes]:
        try:
            connection = self._connection = self._connection or connect(self._url, self._tls, self._seconds, deadline)
            with ended_at(deadline, connection.sock):
                return self._answer(connection, method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() > deadline:
                raise TimeoutError from error
            raise

    def _answer(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes
    ) -> tuple[int, str, bytes]:
        connection.sock.settimeout(self._seconds)
        headers = {"User-Agent": "sluis", "Accept": "*/*"}
        if method == "POST":
            headers["Content-Type"] = "text/plain; charset=utf-8"
        connection.request(method, f"{self._url.path.rstrip('/')}/{path}", body or None, headers)
        response = connection.getresponse()
        data = b""
        while chunk := response.read1(MAX_ANSWER + 1 - len(data)):
            data += chunk
            if len(data) > MAX_ANSWER:
                raise ValueError("the answer is too long")
        response.read()  # nothing is left, or it raises; only this lets the connection go on
        kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        if response.will_close:
            self.close()
        return response.status, kind, data


def check_url(url: str) -> SplitResult:
    """A witness's submission prefix. Raises CONFIG_INVALID unless it is http or https with a host and a plain path."""
    bad = SluisError(
        Code.CONFIG_INVALID, "a witness's url is http:// or https://, a host, and perhaps a path; nothing behind it"
    )
    try:
        parts = urlsplit(url)
        plain = parts.port is None or parts.port > 0
    except ValueError:
        raise bad from None
    odd = parts.query or parts.fragment or parts.username or parts.password or not url.isascii() or " " in url
    if parts.scheme not in ("http", "https") or not parts.hostname or odd or not plain:
        raise bad
    return parts


def _unreachable(error: Exception) -> WitnessTrouble:
    if isinstance(error, TimeoutError):
        return WitnessTrouble("timeout", "it did not answer in time")
    return WitnessTrouble("unreachable", f"it cannot be reached ({type(error).__name__})")


@dataclass(frozen=True)
class Said:
    """What one witness says that it holds of our log. Only `size` with a `note` is proven; `trouble` says why not."""

    witness: str
    size: int | None
    """Entries of the newest tree it holds; 0: of none; None: no usable answer."""
    note: str | None
    """That checkpoint, signed by the log's key and cosigned by the witness, verified; None: it gave a size only."""
    contradicts: bool = False
    """Whether it refuses the checkpoint given as a fork of what it holds."""
    trouble: str = ""


def ask_newest(ends: Sequence[WitnessEnd], log_key: VerifierKey, own: str | None) -> tuple[Said, ...]:
    """Asks each witness for the newest checkpoint that it holds of the log `log_key`, in the order given.

    `own`: the newest signed checkpoint that we hold, if any. With it a witness that shows no checkpoints is asked by
    offering it as one that it knows already: then it tells the size it has, and signs only what it has cosigned before,
    or says that it is a fork. Never raises for what witnesses do or fail to do; takes at most 15 seconds a witness.
    """
    return tuple(_said(end, log_key, own) for end in ends)


def _said(end: WitnessEnd, log_key: VerifierKey, own: str | None) -> Said:
    name = end.key.name
    try:
        held = end.newest(log_key)
        if held is not None:
            return Said(name, *held)
        if own is None:
            return Said(name, 0, None)
        size = parse_checkpoint(own).size
        answer = end.offer(size, (), own)
        if isinstance(answer, HasSize):
            return Said(name, answer.size, None)
        if isinstance(answer, Contradicted):
            return Said(name, size, None, contradicts=True)
        return Said(name, size, with_lines(own, [answer.line]))
    except WitnessTrouble as trouble:
        return Said(name, None, None, trouble=str(trouble))
