"""Certificates of parties: which keys are accepted, whose certificate it is, and who vouches for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from sluis_client.errors import ClientError, Exit

MIN_RSA_BITS = 2048
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)


def check_certificate(der: bytes, issuers: bytes, oin: str | Collection[str], now: datetime) -> x509.Certificate:
    """The certificate, once shown to be the party's: its OIN in Subject.serialNumber, signed by a CA of `issuers`.

    `oin`: the party's OIN or OINs, from the signed policy (`SignedPolicy.oins_of`).

    `issuers` holds PEM certificates that the reader trusts by another way than the broker. Certificate and CA must
    be valid at `now` (aware). Revocation is not looked at here: the broker refuses revoked certificates on every call.

    Raises:
        ClientError: CERTIFICATE_WRONG, KEY_UNREADABLE, KEY_TYPE_WRONG.
    """
    leaf = read_certificate(der)
    public_key_of(leaf)
    if oin_of(leaf) not in ({oin} if isinstance(oin, str) else oin):
        raise _wrong("its Subject.serialNumber is not the OIN that the policy names for this party")
    if _is_authority(leaf):
        raise _wrong("it is the certificate of an authority, not of a party")
    _check_may_sign(leaf)
    _check_period(leaf, now)
    try:
        authorities = x509.load_pem_x509_certificates(issuers)
    except ValueError:
        raise key_trouble("KEY_UNREADABLE", "the issuers must be PEM certificates") from None
    for authority in authorities:
        if not _is_authority(authority):
            continue
        try:
            leaf.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            continue
        _check_period(authority, now)
        return leaf
    raise _wrong("it was not issued by one of the authorities you trust")


def read_certificate(data: bytes) -> x509.Certificate:
    """A certificate in PEM or DER.

    Raises:
        ClientError: KEY_UNREADABLE.
    """
    try:
        if data.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise key_trouble("KEY_UNREADABLE", "the certificate is neither PEM nor DER of X.509") from None


def read_private_key(data: bytes, password: bytes | None) -> PrivateKey:
    """A private key in PEM or DER, of a type that is accepted.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_TYPE_WRONG.
    """
    try:
        if data.lstrip().startswith(b"-----"):
            key = serialization.load_pem_private_key(data, password)
        else:
            key = serialization.load_der_private_key(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # from None: the library's message may quote key bytes
        raise key_trouble("KEY_UNREADABLE", "the private key cannot be read; check file and password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise _type_wrong()
    _check_type(key.public_key())
    return key


def public_key_of(certificate: x509.Certificate) -> PublicKey:
    """The certificate's key: EC P-256, EC P-384 or RSA of at least 2048 bits.

    Raises:
        ClientError: KEY_TYPE_WRONG.
    """
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _type_wrong() from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise _type_wrong()
    _check_type(key)
    return key


def oin_of(certificate: x509.Certificate) -> str:
    """The one Subject.serialNumber; empty when there is none or more than one."""
    values = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return str(values[0].value) if len(values) == 1 else ""


def sign(key: PrivateKey, message: bytes) -> bytes:
    """ECDSA in DER with the curve's hash, or RSASSA-PSS with SHA-256 and a salt of 32 bytes."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, _PSS, hashes.SHA256())
    return key.sign(message, ec.ECDSA(_curve_hash(key.curve)))


def signature_is_good(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether `signature` is one of `message` as `sign` makes it."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, _PSS, hashes.SHA256())
        else:
            key.verify(signature, message, ec.ECDSA(_curve_hash(key.curve)))
    except InvalidSignature:
        return False
    return True


def _curve_hash(curve: ec.EllipticCurve) -> hashes.SHA256 | hashes.SHA384:
    return hashes.SHA384() if isinstance(curve, ec.SECP384R1) else hashes.SHA256()


def _check_type(key: PublicKey) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise _type_wrong()
    elif not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        raise _type_wrong()


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except (x509.ExtensionNotFound, ValueError):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _check_may_sign(certificate: x509.Certificate) -> None:
    """A certificate that limits the use of its key must allow signatures: statements are all it is checked for here."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return
    if not usage.digital_signature and not usage.content_commitment:
        raise _wrong("its key usage does not allow signing")


def _check_period(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise _wrong("it, or the authority above it, is not valid at this time")


def key_trouble(code: str, message: str) -> ClientError:
    """A refusal of a key or certificate of one's own."""
    return ClientError(code, message, Exit.KEY_TROUBLE)


def _wrong(why: str) -> ClientError:
    return ClientError("CERTIFICATE_WRONG", f"the party's certificate is refused: {why}", Exit.VERIFICATION_FAILED)


def _type_wrong() -> ClientError:
    return key_trouble("KEY_TYPE_WRONG", "a party's key is EC P-256, EC P-384, or RSA of at least 2048 bits")
