"""Time stamps of checkpoints (RFC 3161), checked offline: who says that the log of a size existed when.

A stamp is over the note text of its checkpoint (docs/formats.md section 7). It proves that these entries existed at its
time, not that nothing was added later; revocation of a time stamper's certificate is not looked up. Whether stamps were
taken out, or never made, shows only where the trust file says how long entries may stand without one.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

from cryptography import x509
from rfc3161_client import TimeStampResponse, VerifierBuilder, decode_timestamp_response

from broker.audit.entries import GRACE, LogEntry
from broker.audit.findings import Code, Findings, Stamped
from broker.audit.trust import Trust

MAX_BYTES = 65_536
_HASHES = {
    "2.16.840.1.101.3.4.2.1": hashlib.sha256,
    "2.16.840.1.101.3.4.2.2": hashlib.sha384,
    "2.16.840.1.101.3.4.2.3": hashlib.sha512,
}


class Stamps:
    """Checks the stamps of one bundle in its order, and remembers the newest that is good."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._findings = findings
        self._latest: datetime | None = None
        self._open: datetime | None = None
        """Time of the first entry that no good stamp covers yet."""
        self._told = False
        """Whether that gap is a finding already."""
        self._size = -1
        self._seen: set[str] = set()
        """Tokens behind the checkpoint of `_size`."""
        self.good = 0
        self.unchecked = 0
        self.newest: Stamped | None = None

    def entry(self, entry: LogEntry) -> None:
        """Every entry, in order: what stands longer than is allowed without a stamp is one finding, at the first."""
        rule = self._trust.stamp_rule
        if rule is None or entry.index < rule.since:
            return
        self._open = self._open or entry.at
        if entry.at - self._open > rule.gap + GRACE:
            self._gap(index=entry.index)

    def _gap(self, *, index: int | None = None, line: int | None = None) -> None:
        if not self._told:
            self._findings.add(Code.STAMP_GAP, index=index, line=line)
        self._told = True

    def check(self, value: object, size: int, note_text: bytes, covers: datetime | None, line: int) -> bool:
        """One stamp of the checkpoint with `note_text`, whose last entry is of the time `covers`.

        False when `value` is not a stamp's object, one of another size, or one that stood there before.
        """
        if not isinstance(value, dict) or value.keys() != {"size", "token"} or not isinstance(value["token"], str):
            return False
        if type(value["size"]) is not int or value["size"] != size:
            return False
        if size != self._size:
            self._size, self._seen = size, set()
        if value["token"] in self._seen:
            return False
        self._seen.add(value["token"])
        if not self._trust.time_stampers:
            self.unchecked += 1
        else:
            self._check(value["token"], size, note_text, covers, line)
        return True

    def _check(self, text: str, size: int, note_text: bytes, covers: datetime | None, line: int) -> None:
        response = _read(text)
        if response is None:
            self._findings.add(Code.STAMP_FORM, line=line)
            return
        imprint, at = response.tst_info.message_imprint, response.tst_info.gen_time.astimezone(UTC)
        hashed = _HASHES.get(imprint.hash_algorithm.dotted_string)
        if hashed is None or hashed(note_text).digest() != imprint.message:
            self._findings.add(Code.STAMP_DIFFERS, line=line)
            return
        try:
            VerifierBuilder(roots=list(self._trust.time_stampers)).build().verify(response, imprint.message)
        except Exception:  # noqa: BLE001 - whatever a hostile token makes the library raise, it is not signed
            self._findings.add(Code.STAMP_SIGNATURE, line=line)
            return
        if covers is not None and at < covers - GRACE:
            self._findings.add(Code.STAMP_EARLY, line=line)
            return
        if self._latest is not None and at < self._latest:
            self._findings.add(Code.STAMP_ORDER, line=line)
            return
        rule = self._trust.stamp_rule
        if rule is not None and self._open is not None and at - self._open > rule.gap + GRACE:
            self._gap(line=line)
        self._open, self._told = None, False
        self._latest = at
        self.good += 1
        self.newest = Stamped(size, at.strftime("%Y-%m-%dT%H:%M:%SZ"), _signer(response))


def _read(text: str) -> TimeStampResponse | None:
    """The token in strict base64; None when it is none."""
    try:
        token = base64.b64decode(text, validate=True)
        if len(token) > MAX_BYTES or base64.b64encode(token).decode() != text:
            return None
        response = decode_timestamp_response(_granted(token))
        info = response.tst_info
        whole = info.gen_time.tzinfo is not None and bool(info.message_imprint.hash_algorithm.dotted_string)
        return response if whole else None
    except Exception:  # noqa: BLE001 - whatever a hostile token makes the library raise, it is no token
        return None


def _granted(token: bytes) -> bytes:
    """The answer that would carry the token (RFC 3161 section 2.4.2: SEQUENCE of status 0 and token)."""
    content = bytes.fromhex("3003020100") + token
    size = len(content)
    if size < 0x80:
        return bytes([0x30, size]) + content
    octets = size.to_bytes(3, "big").lstrip(b"\0")
    return bytes([0x30, 0x80 + len(octets)]) + octets + content


def _signer(response: TimeStampResponse) -> str:
    """The subject of the certificate that signed, in printable ASCII."""
    signed = response.signed_data
    (info,) = signed.signer_infos
    for der in signed.certificates:
        certificate = x509.load_der_x509_certificate(der)
        if (certificate.issuer, certificate.serial_number) == (info.issuer, info.serial_number):
            name = certificate.subject.rfc4514_string()
            return "".join(c if " " <= c <= "~" else "?" for c in name)
    return "?"
