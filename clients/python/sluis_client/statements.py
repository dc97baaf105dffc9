"""Signed statements of parties: built, signed, read strictly and verified (docs/formats.md sections 1, 2, 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sluis_custody.ports import Signer

from sluis_client.canonical import canonical_json, parse_canonical
from sluis_client.certificates import (
    PrivateKey,
    PublicKey,
    check_certificate,
    key_trouble,
    oin_of,
    public_key_of,
    read_certificate,
    read_private_key,
    sign,
    signature_is_good,
)
from sluis_client.errors import ClientError, Exit
from sluis_client.statement_shapes import (
    ASK,
    ENCRYPTION_KEY,
    EPOCH,
    KEM,
    KEY_END,
    REGISTER,
    check_members,
    invalid,
    is_time,
)
from sluis_client.store_protection import custody_errors

__all__ = [
    "PartyKey",
    "SignedStatement",
    "ask_statement",
    "check_certificate",
    "check_members",
    "encryption_key_statement",
    "epoch_statement",
    "register_manifest",
    "utc",
    "verify",
]

SIGNED_PREFIX = b"sluis/v1/signed\n"
MAX_STATEMENT_BYTES = 49_152


@dataclass(frozen=True)
class SignedStatement:
    """The exact bytes that were signed, and the signature."""

    statement: bytes
    signature: bytes


class PartyKey:
    """A party's certificate (DER or PEM) and the private key that belongs to it; never printed, pickled or copied.

    The key is bytes, an object, or a `Signer` of a token or server that keeps it.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_TYPE_WRONG (EC P-256 or P-384, or RSA of 2048 bits or more are accepted), or
            KEY_NOT_OF_CERTIFICATE.
    """

    def __init__(
        self, certificate: bytes, private_key: bytes | PrivateKey | Signer, password: bytes | None = None
    ) -> None:
        parsed = read_certificate(certificate)
        self._public = public_key_of(parsed)
        self._key = read_private_key(private_key, password) if isinstance(private_key, bytes) else private_key
        if _public_bytes(self._key) != _spki(self._public):
            raise key_trouble("KEY_NOT_OF_CERTIFICATE", "the private key is not the one of the certificate")
        self.certificate = parsed.public_bytes(serialization.Encoding.DER)
        """DER."""
        self.oin = oin_of(parsed)
        """The OIN in the certificate's Subject.serialNumber."""

    def __repr__(self) -> str:
        return f"PartyKey(oin={self.oin})"

    def sign(self, statement: Mapping[str, Any]) -> SignedStatement:
        """The statement in canonical form with this party's signature; its members are checked first.

        Raises:
            ClientError: STATEMENT_INVALID.
        """
        check_members(statement, str(statement.get("type")))
        raw = canonical_json(statement)
        if len(raw) > MAX_STATEMENT_BYTES:
            raise ClientError("STATEMENT_INVALID", f"a statement has at most {MAX_STATEMENT_BYTES} bytes")
        return SignedStatement(raw, self._signature(SIGNED_PREFIX + raw))

    def _signature(self, message: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            return sign(self._key, message)
        with custody_errors():
            signature = self._key.sign(message)
        if not signature_is_good(self._public, signature, message):
            raise key_trouble("SIGNATURE_WRONG", "the token or server made a signature that does not verify")
        return signature

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a private key is not pickled or copied")


def _public_bytes(key: PrivateKey | Signer) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return _spki(key.public_key())
    with custody_errors():
        return key.public_key()


def _spki(key: PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def verify(signed: SignedStatement, certificate_der: bytes, expected_type: str) -> dict[str, Any]:
    """The members of a statement of `expected_type` whose signature verifies with the certificate's key.

    Says nothing about whose certificate that is: `check_certificate` does.

    Raises:
        ClientError: SIGNATURE_WRONG, STATEMENT_INVALID, KEY_TYPE_WRONG, KEY_UNREADABLE.
    """
    key = public_key_of(read_certificate(certificate_der))
    if not signature_is_good(key, signed.signature, SIGNED_PREFIX + signed.statement):
        text = f"the signature of this {expected_type} does not verify with the party's certificate"
        raise ClientError("SIGNATURE_WRONG", text, Exit.VERIFICATION_FAILED)
    if len(signed.statement) > MAX_STATEMENT_BYTES:
        raise invalid(f"a statement has at most {MAX_STATEMENT_BYTES} bytes")
    members = parse_canonical(signed.statement)
    check_members(members, expected_type)
    return members


def ask_statement(
    *,
    origin: str,
    environment: str,
    request_id: str,
    asker: str,
    principal: str | None,
    answerers: Sequence[str],
    purpose: str,
    epoch: str,
    key_id: str,
    scheme: str,
    match_keys: int,
    hit: bool,
    count: bool,
    attributes: Sequence[str],
    subjects: int,
    tokens: str,
    case_number: str | None,
    cooperation_ref: str | None,
    not_after: datetime,
    standing: str = "",
) -> dict[str, Any]:
    """Statement `sluis/v1/ask`. `tokens`, `case_number` and `cooperation_ref` are commitments (hex).

    `standing`: request id of the first question, where this is that one put again.
    """
    stands = {"standing": standing} if standing else {}
    return {
        **stands,
        "type": ASK,
        "origin": origin,
        "environment": environment,
        "request_id": request_id,
        "asker": asker,
        "principal": principal,
        "answerers": sorted(set(answerers)),
        "purpose": purpose,
        "epoch": epoch,
        "key_id": key_id,
        "scheme": scheme,
        "match_keys": match_keys,
        "want": {"hit": hit, "count": count, "attributes": sorted(set(attributes))},
        "subjects": subjects,
        "tokens": tokens,
        "case_number": case_number,
        "cooperation_ref": cooperation_ref,
        "not_after": utc(not_after),
    }


def register_manifest(
    *,
    origin: str,
    environment: str,
    answerer: str,
    purpose: str,
    epoch: str,
    key_id: str,
    scheme: str,
    match_keys: int,
    version: int,
    rows: int,
    digest: str,
    attributes: Sequence[str],
    as_of: datetime,
    coverage: str,
    expires_at: datetime,
    rules: Mapping[str, bool | int | str],
) -> dict[str, Any]:
    """Statement `sluis/v1/register`. `digest` is that of `receipts.RegisterDigest`."""
    return {
        "type": REGISTER,
        "origin": origin,
        "environment": environment,
        "answerer": answerer,
        "purpose": purpose,
        "epoch": epoch,
        "key_id": key_id,
        "scheme": scheme,
        "match_keys": match_keys,
        "version": version,
        "rows": rows,
        "digest": digest,
        "attributes": sorted(set(attributes)),
        "as_of": utc(as_of),
        "coverage": coverage,
        "expires_at": utc(expires_at),
        "rules": dict(rules),
    }


def encryption_key_statement(
    *, origin: str, environment: str, party: str, public_key: bytes, created_at: datetime
) -> dict[str, Any]:
    """Statement `sluis/v1/encryption-key`."""
    return {
        "type": ENCRYPTION_KEY,
        "origin": origin,
        "environment": environment,
        "party": party,
        "kem": KEM,
        "public_key": public_key.hex(),
        "created_at": utc(created_at),
    }


def epoch_statement(
    *,
    origin: str,
    environment: str,
    purpose: str,
    epoch: str,
    mode: str,
    key_id: str,
    steward: str,
    recipients: Mapping[str, tuple[str, str]],
    valid_from: datetime,
    valid_until: datetime,
    created_at: datetime,
) -> dict[str, Any]:
    """Statement `sluis/v1/epoch`. `recipients`: party -> `short_digest` of its key statement and of its envelope.

    400 of them fit when their names have 29 characters on average (docs/formats.md section 5).
    """
    return {
        "type": EPOCH,
        "origin": origin,
        "environment": environment,
        "purpose": purpose,
        "epoch": epoch,
        "mode": mode,
        "key_id": key_id,
        "steward": steward,
        "recipients": {party: {"key": key, "envelope": envelope} for party, (key, envelope) in recipients.items()},
        "valid_from": utc(valid_from),
        "valid_until": utc(valid_until),
        "created_at": utc(created_at),
    }


def key_end_statement(
    *,
    origin: str,
    environment: str,
    party: str,
    purpose: str | None,
    epoch: str | None,
    key_id: str,
    what: str,
    reason: str,
    caches: int,
    ended_at: datetime,
) -> dict[str, Any]:
    """Statement `sluis/v1/key-end`. `purpose`, `epoch`: None of an encryption key, whose `key_id` is its
    `short_digest`. `caches`: how many caches of values derived from the key went with it."""
    return {
        "type": KEY_END,
        "origin": origin,
        "environment": environment,
        "party": party,
        "purpose": purpose,
        "epoch": epoch,
        "key_id": key_id,
        "what": what,
        "reason": reason,
        "caches": caches,
        "ended_at": utc(ended_at),
    }


def utc(moment: datetime) -> str:
    """`moment` (aware) as statements write it: whole seconds, UTC.

    Raises:
        ClientError: STATEMENT_INVALID for a time without a zone.
    """
    if moment.tzinfo is None:
        raise ClientError("STATEMENT_INVALID", "a time needs its zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime:
    """The inverse of `utc`.

    Raises:
        ClientError: STATEMENT_INVALID.
    """
    if not is_time(text):
        raise invalid("a time is written as 2026-11-23T10:00:00Z")
    return datetime.fromisoformat(text)
