"""Who signed what: the parties' certificates as the log knew them, and every signature under them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from broker.audit import strict_json
from broker.audit.entries import GRACE, LogEntry, read_time
from broker.audit.findings import Code, Findings
from broker.audit.key_periods import ALWAYS, Period
from broker.audit.policies import Policies
from broker.audit.trust import Trust

_PREFIX = b"sluis/v1/signed\n"
_LONGEST_CHAIN = 4
_TEST_OIN = "00000099"
_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())


@dataclass(frozen=True)
class _Pinned:
    """A certificate that a `party` entry names. `chained`: whether CAs lead from it up to a trusted one."""

    key: object
    serial: str
    oin: str
    chained: bool
    signs: bool
    """Whether its key usage allows signatures, or it has none (RFC 5280 section 4.2.1.3)."""
    not_before: datetime
    not_after: datetime
    """The period in which it and every CA above it were valid, and the topmost was trusted."""


@dataclass(frozen=True)
class _Pins:
    certificates: Mapping[str, _Pinned]
    revoked: frozenset[str]
    issuers: tuple[str, ...]
    crl_this_update: datetime | None
    since: datetime


class _Past:
    """What the log said of a party's certificates and of their CAs' lists, in all its entries so far."""

    def __init__(self) -> None:
        self._revoked: set[str] = set()
        self._dates: dict[tuple[frozenset[str], frozenset[str]], datetime] = {}
        """The same CAs and certificates -> the newest date of their oldest list."""

    def undone_by(self, before: _Pins | None, now: _Pins) -> bool:
        """Whether an entry rests on older lists of the same CAs, or lets a revoked certificate off before it expired.

        A list keeps a revoked certificate at least until it has expired (RFC 5280 section 3.3). All entries count, not
        the one before alone: else a certificate that is left out of one comes back as good in the next.
        """
        lists = (frozenset(now.issuers), frozenset(now.certificates))
        newest, updated = self._dates.get(lists), now.crl_this_update
        older = newest is not None and (updated is None or updated < newest)
        if updated is not None and not older:
            self._dates[lists] = updated
        known = [*now.certificates.values(), *(before.certificates.values() if before is not None else ())]
        self._revoked |= now.revoked
        freed = self._revoked - now.revoked
        return older or any(pinned.serial in freed and now.since <= pinned.not_after for pinned in known)


@dataclass(frozen=True)
class _Checked:
    """The signature that was checked last."""

    certificate: str
    signature: str
    statement: Mapping[str, Any]
    good: bool

    def same(self, body: Mapping[str, Any]) -> bool:
        """Whether that of `body` is the very same."""
        known = (self.signature, self.certificate, self.statement)
        return known == (body["signature"], body["certificate"], body["statement"])


class Callers:
    """Learns certificates from `party` entries, and checks signatures against them."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._last: _Checked | None = None
        self._chains: dict[bytes, tuple[x509.Certificate, ...] | None] = {}
        self._pins: dict[str, _Pins] = {}
        self._earlier: dict[str, _Pins] = {}
        self._past: dict[str, _Past] = {}

    def learn(self, entry: LogEntry) -> None:
        """A `party` entry: what holds for this party from here on."""
        body = entry.body
        certificates = [self._load(text, entry) for text in body["certificates"]]
        issuers = [self._load(text, entry) for text in body["issuers"]]
        between = [issuer for issuer in issuers if issuer is not None]
        pinned = {}
        for certificate in certificates:
            if certificate is None:
                continue
            fingerprint = certificate.fingerprint(hashes.SHA256())
            above = self._chain(fingerprint, certificate, between)
            if above is None:
                self._findings.add(Code.CERTIFICATE_CHAIN, index=entry.index)
            oin = _oin_of(certificate)
            if not self._policies.has_oin(body["party"], oin) or not _oin_ok(oin, self._trust.environment):
                self._findings.add(Code.CERTIFICATE_OIN, index=entry.index)
            pinned[fingerprint.hex()] = _pinned(certificate, oin, above, self._period(above))
        if not self._policies.has_oin(body["party"], body["oin"]) or not _oin_ok(body["oin"], self._trust.environment):
            self._findings.add(Code.CERTIFICATE_OIN, index=entry.index)
        party, before = body["party"], self._pins.get(body["party"])
        updated = None if body["crl_this_update"] is None else read_time(body["crl_this_update"])
        pins = _Pins(pinned, frozenset(body["revoked"]), tuple(body["issuers"]), updated, entry.at)
        if before is not None:
            self._earlier[party] = before
        if self._past.setdefault(party, _Past()).undone_by(before, pins):
            self._findings.add(Code.REVOCATION_UNDONE, index=entry.index)
        self._pins[party] = pins

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
        if not pinned.chained:
            self._findings.add(Code.CERTIFICATE_CHAIN, index=entry.index)
        if not pinned.not_before <= entry.at <= pinned.not_after + GRACE:
            self._findings.add(Code.CERTIFICATE_TIME, index=entry.index)
        if all(pinned.serial in p.revoked for p in pins):
            self._findings.add(Code.CERTIFICATE_REVOKED, index=entry.index)
        if self._is_stale(pins[0].crl_this_update, entry.at):
            self._findings.add(Code.REVOCATION_STALE, index=entry.index)
        if not pinned.signs:
            self._findings.add(Code.CERTIFICATE_USAGE, index=entry.index)
        if self._policies.oin_dropped(party, pinned.oin, entry.at):
            self._findings.add(Code.CERTIFICATE_DROPPED, index=entry.index)
        if not self._is_signed(body, pinned):
            self._findings.add(Code.STATEMENT_SIGNATURE, index=entry.index)

    def _is_stale(self, updated: datetime | None, at: datetime) -> bool:
        """Whether the log shows no list fresh enough; one is logged when it is newer by half the age allowed."""
        allowed = self._trust.revocation_max_age
        return allowed is not None and (updated is None or at - updated > allowed * 1.5 + GRACE)

    def _is_signed(self, body: Mapping[str, Any], pinned: _Pinned) -> bool:
        """The asks of one exchange repeat one statement: its signature is computed once."""
        known = self._last
        if known is not None and known.same(body):
            return known.good
        good = is_signed(body["statement"], body["signature"], pinned.key)
        self._last = _Checked(body["certificate"], body["signature"], body["statement"], good)
        return good

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

    def _period(self, above: tuple[x509.Certificate, ...] | None) -> Period:
        """For which period you trust the CA that a chain leads to."""
        if not above:
            return ALWAYS
        return self._trust.periods.issuers.get(above[-1].fingerprint(hashes.SHA256()).hex(), ALWAYS)

    def _chain(
        self, fingerprint: bytes, certificate: x509.Certificate, between: list[x509.Certificate]
    ) -> tuple[x509.Certificate, ...] | None:
        """The CAs above a certificate; found once, for party entries repeat their certificates."""
        known = self._chains.get(fingerprint)
        if known is None:
            known = _chain(certificate, between, self._trust.issuers)
            self._chains[fingerprint] = known
        return known


def _pinned(
    certificate: x509.Certificate, oin: str, above: tuple[x509.Certificate, ...] | None, trusted: Period
) -> _Pinned:
    chain = (certificate, *(above or ()))
    try:
        key: object = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    return _Pinned(
        key=key,
        serial=f"{certificate.serial_number:x}",
        oin=oin,
        chained=above is not None,
        signs=_may_sign(certificate),
        not_before=max((*(c.not_valid_before_utc for c in chain), *filter(None, (trusted.first,)))),
        not_after=min((*(c.not_valid_after_utc for c in chain), *filter(None, (trusted.last,)))),
    )


def _oin_of(certificate: x509.Certificate) -> str:
    """The one Subject.serialNumber; "" when there is not exactly one."""
    try:
        numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    except ValueError:
        return ""
    return str(numbers[0].value) if len(numbers) == 1 else ""


def _oin_ok(oin: str, environment: str) -> bool:
    return len(oin) == 20 and not (environment == "production" and oin.startswith(_TEST_OIN))


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage.digital_signature or usage.content_commitment


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


def is_signed(statement: Mapping[str, Any], signature: str, key: object) -> bool:
    """Whether `signature` (base64) is over the canonical form of `statement`, by a certificate's public key."""
    message = _PREFIX + strict_json.write(statement)
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            key.verify(raw, message, _ECDSA_SHA256)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
            key.verify(raw, message, ec.ECDSA(hashes.SHA384()))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(raw, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
