"""The operator's directory of parties from files: pins, issuers, revocation lists; and its log entries."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from broker.canonical import canonical_json
from broker.config import Config
from broker.dev_pki import is_throw_away
from broker.errors import Code, SluisError
from broker.exchange_log.append import Sequencer
from broker.exchange_log.entry import log_time, parse_time
from broker.parties import Environment, Oin
from broker.policy.document import PolicySet
from broker.ports import Transaction
from broker.rpc.identity import Certificate, Directory, Revocations, load_revocations, read_certificate


@dataclass(frozen=True)
class Loaded:
    """The directory as files gave it."""

    directory: Directory
    issuers_pem: bytes
    entries: Mapping[str, dict[str, object]]
    """Party -> body of its `party` log entry (docs/formats.md section 3)."""

    def is_news(self, logged: bytes | None, body: Mapping[str, object]) -> bool:
        """Whether a party's entry is to be logged: something changed, or the list in the log is getting old.

        A fresh list that revokes nobody new is news once it is newer by half the age that a list may have.
        """
        if logged is None:
            return True
        known = json.loads(logged)
        before, now = known.get("crl_this_update"), body["crl_this_update"]
        if {**known, "crl_this_update": now} != body or (before is None) != (now is None):
            return True
        age = timedelta(0) if before is None else parse_time(now) - parse_time(before)
        return age >= self.directory.revocation_max_age / 2


def load_directory(config: Config, policies: PolicySet) -> Loaded:
    """Reads and cross-checks issuers, revocation lists and pinned certificates.

    Raises:
        SluisError: CONFIG_INVALID naming the file and what to change.
    """
    issuers = [(path, _read(path)) for path in config.tls.client_issuers]
    certificates = [_certificate(path, pem) for path, pem in issuers]
    if config.environment is Environment.PRODUCTION:
        for path, pem in issuers:
            if is_throw_away(pem):
                raise SluisError(Code.CONFIG_INVALID, f"{path}: the throw-away CA of dev-pki is refused in production")
    revocations = {}
    revoked: list[str] = []
    for path in config.tls.revocation_lists:
        loaded = _checked_list(path, certificates)
        if loaded.issuer in revocations:
            raise SluisError(Code.CONFIG_INVALID, f"{path}: a second list of one issuer; name the newest only")
        revocations[loaded.issuer] = loaded
        revoked += [f"{serial:x}" for serial in sorted(loaded.serials)]
    pins: dict[str, frozenset[str]] = {}
    signing: dict[str, tuple[Certificate, ...]] = {}
    entries: dict[str, dict[str, object]] = {}
    for name, paths in sorted(config.parties.items()):
        party = policies.catalogue.parties.get(name)
        if party is None:
            raise SluisError(
                Code.CONFIG_INVALID, f"parties.{name}: the policy set knows no such party; correct the name"
            )
        allowed = {party.oin, *party.sub_oins}
        pinned = [_pinned(path, allowed, config.environment, certificates) for path in paths]
        apart = [_pinned(path, allowed, config.environment, certificates) for path in config.signing.get(name, ())]
        signers = zip(config.signing.get(name, ()) or paths, apart or pinned, strict=True)
        for path, certificate in signers:
            _check_may_sign(path, certificate)
        if apart:
            signing[name] = tuple(map(read_certificate, apart))
        ders = [certificate.public_bytes(Encoding.DER) for certificate in apart or pinned]
        lists = [revocations.get(certificate.issuer.public_bytes()) for certificate in (*pinned, *apart)]
        dated = [one.this_update for one in lists if one is not None]
        pins[name] = frozenset(read_certificate(certificate).fingerprint for certificate in pinned)
        entries[name] = {
            "party": name,
            "oin": party.oin,
            "kind": party.kind,
            # those whose signatures count: where a party signs apart, not those that it connects with
            "certificates": [base64.b64encode(der).decode() for der in ders],
            "issuers": [base64.b64encode(issuer.public_bytes(Encoding.DER)).decode() for issuer in certificates],
            "revoked": revoked,
            # of the lists of its own CAs: those of others say nothing about this party
            "crl_this_update": log_time(min(dated)) if len(dated) == len(lists) > 0 else None,
        }
    max_age = timedelta(hours=config.tls.revocation_max_age_hours)
    return Loaded(Directory(pins, revocations, max_age, signing), b"".join(pem for _, pem in issuers), entries)


def log_parties(sequencer: Sequencer, loaded: Loaded) -> None:
    """Logs what is news of the parties since their entries before."""

    def work(tx: Transaction) -> None:
        for name, body in loaded.entries.items():
            if loaded.is_news(tx.document("party", name), body):
                tx.append("party", body)
                tx.put_document("party", name, canonical_json(body))

    sequencer.submit(work)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: cannot be read") from error


def _certificate(path: Path, pem: bytes) -> x509.Certificate:
    """The one certificate of a file: a second one would be trusted by TLS without being looked at here."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: is no certificate in PEM") from error
    if len(certificates) != 1:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: holds several certificates; give each a file of its own")
    return certificates[0]


def _checked_list(path: Path, issuers: list[x509.Certificate]) -> Revocations:
    pem = _read(path)
    try:
        crl = x509.load_pem_x509_crl(pem)
    except ValueError as error:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: is no revocation list in PEM") from error
    for issuer in issuers:
        key = issuer.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            continue
        if crl.issuer == issuer.subject and crl.is_signature_valid(key):
            return load_revocations(pem)
    raise SluisError(Code.CONFIG_INVALID, f"{path}: this revocation list is not signed by one of tls.client_issuers")


def _pinned(
    path: Path, allowed: set[str], environment: Environment, issuers: list[x509.Certificate]
) -> x509.Certificate:
    certificate = _certificate(path, _read(path))
    numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if len(numbers) != 1 or str(numbers[0].value) not in allowed:
        raise SluisError(
            Code.CONFIG_INVALID, f"{path}: Subject.serialNumber is not an OIN the policy set has for this party"
        )
    if environment is Environment.PRODUCTION and Oin(str(numbers[0].value)).is_test:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: a test OIN (prefix 00000099) is refused in production")
    if not any(_issued_by(certificate, issuer) for issuer in issuers):
        raise SluisError(Code.CONFIG_INVALID, f"{path}: not issued by one of tls.client_issuers")
    return certificate


def _check_may_sign(path: Path, certificate: x509.Certificate) -> None:
    """A certificate that limits the use of its key must allow signatures."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return
    if not usage.digital_signature and not usage.content_commitment:
        raise SluisError(Code.CONFIG_INVALID, f"{path}: the key usage of this certificate does not allow signing")


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def check_own_certificate(config: Config, now: datetime) -> str:
    """The broker's own certificate and key: readable, a pair, valid now, the key for its owner only. Says until when.

    Raises:
        SluisError: CONFIG_INVALID naming the file and what to change.
    """
    certificate, key = config.tls.certificate, config.tls.key
    try:
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise SluisError(Code.CONFIG_INVALID, f"{certificate}: tls.certificate is no certificate in PEM") from error
    try:
        others = key.stat().st_mode & 0o077
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SluisError(
            Code.CONFIG_INVALID, f"{key}: tls.key is no private key in PEM, unencrypted, that can be read"
        ) from error
    if others:
        raise SluisError(
            Code.CONFIG_INVALID, f"{key}: tls.key can be read by others on this machine; run: chmod 600 {key}"
        )
    if private.public_key() != leaf.public_key():
        raise SluisError(Code.CONFIG_INVALID, f"{key}: tls.key is not the key of tls.certificate")
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise SluisError(Code.CONFIG_INVALID, f"{certificate}: tls.certificate is not valid now; renew it")
    return f"valid until {leaf.not_valid_after_utc:%Y-%m-%d}"
