"""From a TLS connection to a party: certificate, expiry, revocation, OIN, pin. Checked on every call.

The handshake proves that the peer holds the key of a certificate issued by a trusted CA. All the rest is ours, since
gRPC for Python checks neither TLS version nor revocation, and checks expiry only at the handshake. Identity is the OIN
in Subject.serialNumber (Digikoppeling; domain.md section 4), never a name in a SAN.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from broker.errors import Code, SluisError
from broker.parties import Caller, Environment, Oin, PartyKind, SigningCertificate
from broker.policy.document import PolicySet

AuthContext = Mapping[str, Sequence[bytes]]
_TLS_1_3 = b"TLSv1.3"


@dataclass(frozen=True)
class Revocations:
    """A certificate revocation list: which serial numbers of which issuer, as of when."""

    issuer: bytes
    """DER of the issuer's name."""
    serials: frozenset[int]
    this_update: datetime
    next_update: datetime | None


@dataclass(frozen=True)
class Certificate:
    """What is looked at of a certificate."""

    der: bytes
    fingerprint: str
    """SHA-256 of the DER, hex."""
    oin: str | None
    serial: int
    issuer: bytes
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Directory:
    """What the operator knows of parties: pinned certificates, and revocation lists per issuer."""

    pins: Mapping[str, frozenset[str]]
    """Party -> SHA-256 fingerprints (hex) of its certificates."""
    revocations: Mapping[bytes, Revocations]
    revocation_max_age: timedelta
    signing: Mapping[str, tuple[Certificate, ...]] = field(default_factory=dict)
    """Party -> the certificates that sign for it, where they are not those it connects with."""


def load_revocations(pem: bytes) -> Revocations:
    """A CRL as revocations. The caller has checked its signature. Raises ValueError for other bytes."""
    crl = x509.load_pem_x509_crl(pem)
    return Revocations(
        issuer=crl.issuer.public_bytes(),
        serials=frozenset(revoked.serial_number for revoked in crl),
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
    )


class Identity:
    """Resolves callers. The directory is swapped whole when the operator changes it."""

    def __init__(self, directory: Directory, policies: Callable[[], PolicySet], environment: Environment) -> None:
        self.directory = directory
        self._policies = policies
        self._environment = environment
        self._parsed: dict[bytes, Certificate] = {}
        self._lock = threading.Lock()

    def resolve(self, auth: AuthContext, now: datetime) -> Caller:
        """The party behind a connection.

        Raises:
            SluisError: TLS_TOO_OLD, CERTIFICATE_MISSING, CERTIFICATE_EXPIRED, CERTIFICATE_REVOKED, REVOCATION_STALE,
                OIN_INVALID, OIN_TEST_IN_PRODUCTION, OIN_UNKNOWN, CERTIFICATE_UNKNOWN.
        """
        if _TLS_1_3 not in auth.get("ssl_tls_version", ()):
            raise SluisError(Code.TLS_TOO_OLD, "connect with TLS 1.3; older versions are refused")
        pem = next(iter(auth.get("x509_pem_cert", ())), None)
        if pem is None:
            raise SluisError(Code.CERTIFICATE_MISSING, "present your organisation's certificate (mutual TLS)")
        certificate = self._certificate(pem)
        if not certificate.not_before <= now <= certificate.not_after:
            raise SluisError(Code.CERTIFICATE_EXPIRED, "your certificate is not valid now; renew it and reconnect")
        self._check_revocation(certificate, now)
        return self._party(certificate, now)

    def _party(self, certificate: Certificate, now: datetime) -> Caller:
        if certificate.oin is None:
            raise SluisError(
                Code.OIN_INVALID, "the certificate needs exactly one Subject.serialNumber, your organisation's OIN"
            )
        oin = Oin(certificate.oin)
        if oin.is_test and self._environment is Environment.PRODUCTION:
            raise SluisError(Code.OIN_TEST_IN_PRODUCTION, "a test OIN (prefix 00000099) cannot call production")
        policies = self._policies()
        party = policies.party_by_oin(oin.text)
        if party is None:
            raise SluisError(
                Code.OIN_UNKNOWN, "no party of the policy set has this certificate's OIN; see docs/onboard.md"
            )
        if certificate.fingerprint not in self.directory.pins.get(party.name, frozenset()):
            raise SluisError(
                Code.CERTIFICATE_UNKNOWN,
                "this certificate is not registered for your organisation; give it to the operator first "
                "(docs/onboard.md)",
            )
        return Caller(
            party=party.name,
            oin=oin,
            kind=PartyKind(party.kind),
            certificate=certificate.der,
            fingerprint=certificate.fingerprint,
            is_auditor=party.name in policies.catalogue.auditors,
            signing=self._signing(policies, party.name, now),
        )

    def _signing(self, policies: PolicySet, party: str, now: datetime) -> tuple[SigningCertificate, ...] | None:
        """The certificates that sign for a party and are good now; None where it signs with those it connects with."""
        known = self.directory.signing.get(party)
        if known is None:
            return None
        good = []
        for one in known:
            owner = policies.party_by_oin(one.oin or "")
            if owner is None or owner.name != party or not one.not_before <= now <= one.not_after:
                continue
            try:
                self._check_revocation(one, now)
            except SluisError:
                continue
            good.append(SigningCertificate(one.der, one.fingerprint))
        return tuple(good)

    def _check_revocation(self, certificate: Certificate, now: datetime) -> None:
        """Fails closed: no list, or a stale one, means that nobody of that issuer gets in."""
        known = self.directory.revocations.get(certificate.issuer)
        stale = known is None or now - known.this_update > self.directory.revocation_max_age
        if known is None or stale or (known.next_update is not None and now > known.next_update):
            raise SluisError(
                Code.REVOCATION_STALE,
                "the broker has no fresh revocation list for your certificate's issuer; try again later, the operator "
                "must renew the list",
                retry_after_ms=60_000,
            )
        if certificate.serial in known.serials:
            raise SluisError(Code.CERTIFICATE_REVOKED, "your certificate is revoked; use another and tell the operator")

    def _certificate(self, pem: bytes) -> Certificate:
        parsed = self._parsed.get(pem)
        if parsed is None:
            try:
                parsed = _parse(pem)
            except (ValueError, TypeError) as error:  # TLS took it and this library does not: nobody we know
                raise SluisError(
                    Code.CERTIFICATE_UNKNOWN, "your certificate cannot be read; show it to the operator"
                ) from error
            with self._lock:
                if len(self._parsed) >= 4096:
                    self._parsed.clear()
                self._parsed[pem] = parsed
        return parsed


def _parse(pem: bytes) -> Certificate:
    return read_certificate(x509.load_pem_x509_certificate(pem))


def read_certificate(certificate: x509.Certificate) -> Certificate:
    """What is looked at of a certificate. Raises ValueError for one that cannot be read."""
    der = certificate.public_bytes(Encoding.DER)
    numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    text = numbers[0].value if len(numbers) == 1 else None
    return Certificate(
        der=der,
        fingerprint=hashlib.sha256(der).hexdigest(),
        oin=text if isinstance(text, str) else None,
        serial=certificate.serial_number,
        issuer=certificate.issuer.public_bytes(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
