"""A throw-away CA with party certificates, for demo, sandbox and tests. Production refuses it by its name.

Certificates follow the shape of PKIoverheid's: EC P-256 keys, the OIN in Subject.serialNumber, an issuer with a CRL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

THROW_AWAY = "Sluis throw-away CA, never for production"


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes
    serial: int

    def __repr__(self) -> str:
        return f"Issued(serial={self.serial:x})"


class ThrowAwayCa:
    """Makes certificates and revocation lists in memory."""

    def __init__(self, now: datetime, days: int = 90) -> None:
        self._now = now
        self._days = days
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, THROW_AWAY),
                x509.NameAttribute(NameOID.COMMON_NAME, "Sluis throw-away CA"),
            ]
        )
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate(self) -> bytes:
        """The CA's certificate, PEM."""
        return self._certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str,
        oin: str | None,
        *,
        hosts: Iterable[str] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        signs: bool = True,
    ) -> Issued:
        """A certificate for a party (OIN in Subject.serialNumber) or, with `hosts`, for the broker.

        `signs`: whether its key usage allows signatures; TLS 1.3 and statements need it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
        if oin is not None:
            attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, oin))
        names = [_general_name(host) for host in hosts]
        builder = self._builder(x509.Name(attributes), key.public_key(), not_before, not_after)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(digital_signature=signs, key_agreement=not signs), critical=True)
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        builder = builder.add_extension(
            x509.SubjectAlternativeName(names or [x509.DNSName(f"{name}.invalid")]), critical=False
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate.public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            certificate.serial_number,
        )

    def revocation_list(
        self, revoked: Iterable[int] = (), *, this_update: datetime | None = None, days: int = 30
    ) -> bytes:
        """A CRL, PEM."""
        at = this_update or self._now
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(at).next_update(at + timedelta(days=days))
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or self._now - timedelta(minutes=5))
            .not_valid_after(not_after or self._now + timedelta(days=self._days))
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def is_throw_away(certificate: bytes) -> bool:
    """Whether a CA certificate (PEM) is one of ours for tests."""
    subject = x509.load_pem_x509_certificate(certificate).subject
    return any(name.value == THROW_AWAY for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


def _usage(**allowed: bool) -> x509.KeyUsage:
    uses = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{use: allowed.get(use, False) for use in uses})


def write_dev_pki(directory: Path, parties: Mapping[str, str], hosts: Iterable[str], now: datetime) -> list[Path]:
    """Writes `ca.pem`, `ca.crl`, `broker.pem/.key` and a pair per party (name -> OIN). Keys get mode 0600.

    Returns the written paths. The CA's own key is not kept: a new world needs a new call.
    """
    authority = ThrowAwayCa(now)
    directory.mkdir(parents=True, exist_ok=True)
    written = {"ca.pem": authority.certificate, "ca.crl": authority.revocation_list()}
    for name, issued in {
        "broker": authority.issue("broker", None, hosts=hosts),
        **{party: authority.issue(party, oin) for party, oin in parties.items()},
    }.items():
        written[f"{name}.pem"] = issued.certificate
        written[f"{name}.key"] = issued.key
    return [_write(directory / name, content) for name, content in written.items()]


def write_signer(directory: Path, name: str) -> str:
    """Writes a policy signer's Ed25519 key as `signer-<name>.key`; returns its public key, hex."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(directory / f"signer-{name}.key", pem)
    return key.public_key().public_bytes_raw().hex()


def _write(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600 if path.suffix == ".key" else 0o644)
    path.write_bytes(content)
    return path
