"""Who signed what: the parties' certificates as the log knew them, and every signature under them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from broker.audit import strict_json
from broker.audit.entries import GRACE, LogEntry
from broker.audit.findings import Code, Findings
from broker.audit.trust import Trust

_PREFIX = b"sluis/v1/signed\n"
_LONGEST_CHAIN = 4
_TEST_OIN = "00000099"


@dataclass(frozen=True)
class _Pinned:
    """A certificate that a `party` entry names, with the CAs above it up to a trusted one."""

    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] | None


@dataclass(frozen=True)
class _Pins:
    certificates: Mapping[str, _Pinned]
    revoked: frozenset[str]
    since: datetime


class Callers:
    """Learns certificates from `party` entries, and checks signatures against them."""

    def __init__(self, trust: Trust, findings: Findings) -> None:
        self._trust = trust
        self._findings = findings
        self._pins: dict[str, _Pins] = {}
        self._earlier: dict[str, _Pins] = {}

    def learn(self, entry: LogEntry, oins: Collection[str]) -> None:
        """A `party` entry: what holds for this party from here on. `oins`: hers in the policy set in force."""
        body = entry.body
        certificates = [self._load(text, entry) for text in body["certificates"]]
        issuers = [self._load(text, entry) for text in body["issuers"]]
        between = [issuer for issuer in issuers if issuer is not None]
        pinned = {}
        for certificate in certificates:
            if certificate is None:
                continue
            above = _chain(certificate, between, self._trust.issuers)
            if above is None:
                self._findings.add(Code.CERTIFICATE_CHAIN, index=entry.index)
            if not self._oin_fits(certificate, oins):
                self._findings.add(Code.CERTIFICATE_OIN, index=entry.index)
            pinned[certificate.fingerprint(hashes.SHA256()).hex()] = _Pinned(certificate, above)
        if body["oin"] not in oins or not _oin_ok(body["oin"], self._trust.environment):
            self._findings.add(Code.CERTIFICATE_OIN, index=entry.index)
        party = body["party"]
        if party in self._pins:
            self._earlier[party] = self._pins[party]
        self._pins[party] = _Pins(pinned, frozenset(body["revoked"]), entry.at)

    def check(self, entry: LogEntry, party: str) -> None:
        """The signature in `entry`, by `party`: certificate known, chained, valid, not revoked, and signature right."""
        body = entry.body
        pins = self._in_force(party, entry.at)
        pinned = next(
            (p.certificates[body["certificate"]] for p in pins if body["certificate"] in p.certificates), None
        )
        if pinned is None:
            self._findings.add(Code.CERTIFICATE_UNKNOWN, index=entry.index)
            return
        chain = (pinned.certificate, *(pinned.above or ()))
        if pinned.above is None:
            self._findings.add(Code.CERTIFICATE_CHAIN, index=entry.index)
        if not all(c.not_valid_before_utc <= entry.at <= c.not_valid_after_utc for c in chain):
            self._findings.add(Code.CERTIFICATE_TIME, index=entry.index)
        serial = f"{pinned.certificate.serial_number:x}"
        if all(serial in p.revoked for p in pins):
            self._findings.add(Code.CERTIFICATE_REVOKED, index=entry.index)
        if not _signed(body["statement"], body["signature"], pinned.certificate):
            self._findings.add(Code.STATEMENT_SIGNATURE, index=entry.index)

    def _in_force(self, party: str, at: datetime) -> list[_Pins]:
        """What held at `at`, and what held just before: a call in flight was checked against the latter."""
        now = self._pins.get(party)
        if now is None:
            return []
        before = self._earlier.get(party)
        return [now, before] if before is not None and at - now.since <= GRACE else [now]

    def _load(self, text: str, entry: LogEntry) -> x509.Certificate | None:
        try:
            return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error):
            self._findings.add(Code.LEAF_FORM, "a certificate that cannot be read", index=entry.index)
            return None

    def _oin_fits(self, certificate: x509.Certificate, oins: Collection[str]) -> bool:
        try:
            numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        except ValueError:
            return False
        if len(numbers) != 1:
            return False
        return numbers[0].value in oins and _oin_ok(str(numbers[0].value), self._trust.environment)


def _oin_ok(oin: str, environment: str) -> bool:
    return len(oin) == 20 and not (environment == "production" and oin.startswith(_TEST_OIN))


def _chain(
    certificate: x509.Certificate, between: list[x509.Certificate], trusted: tuple[x509.Certificate, ...]
) -> tuple[x509.Certificate, ...] | None:
    """The CAs from just above `certificate` up to a trusted one; None when there is no such way."""
    at = certificate
    above: list[x509.Certificate] = []
    for _ in range(_LONGEST_CHAIN):
        for issuer in trusted:
            if _issued(at, issuer):
                return (*above, issuer)
        upper = next((c for c in between if c is not at and _is_ca(c) and _issued(at, c)), None)
        if upper is None:
            return None
        above.append(upper)
        at = upper
    return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (ValueError, x509.ExtensionNotFound):
        return False


def _signed(statement: Mapping[str, Any], signature: str, certificate: x509.Certificate) -> bool:
    """Whether `signature` (base64) is over the canonical form of `statement`, by the certificate's key."""
    message = _PREFIX + strict_json.write(statement)
    try:
        raw = base64.b64decode(signature, validate=True)
        key = certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            key.verify(raw, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
            key.verify(raw, message, ec.ECDSA(hashes.SHA384()))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(raw, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def statement_digest(statement: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the signed bytes of a statement."""
    return hashlib.sha256(strict_json.write(statement)).hexdigest()
