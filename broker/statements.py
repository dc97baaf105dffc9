"""Signed statements (docs/formats.md sections 1, 2, 4 and 5): read strictly, verified against the caller's certificate.

Pure: takes bytes and values. A statement with an unknown or a missing member, or not in canonical form, is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from broker.errors import Code, SluisError
from broker.exchange import AskStatement, RegisterManifest, Want
from broker.parties import NAME as _NAME
from broker.parties import Caller
from broker.statement_members import (
    EPOCH,
    HEX32,
    HEX64,
    LONG_NUMBER,
    MAX_STATEMENT_BYTES,
    UUID4,
    Members,
    Scope,
    Signed,
    open_statement,
)

__all__ = [
    "MAX_ANSWERERS",
    "MAX_SIGNATURE_BYTES",
    "MAX_STATEMENT_BYTES",
    "SIGNED_PREFIX",
    "EncryptionKeyStatement",
    "EpochManifest",
    "KeyEnd",
    "Recipient",
    "Scope",
    "Signed",
    "read_ask",
    "read_encryption_key",
    "read_epoch",
    "read_key_end",
    "read_register_manifest",
    "short_digest",
    "signer_of",
    "verify_signature",
]

SIGNED_PREFIX = b"sluis/v1/signed\n"
MAX_SIGNATURE_BYTES = 1_024
MAX_ANSWERERS = 400
MAX_RULES = 16
MAX_RULE_TEXT = 100
MAX_RULE_NUMBER = 1_000_000


@dataclass(frozen=True)
class EncryptionKeyStatement:
    """A party's encryption key (docs/formats.md section 5)."""

    party: str
    public_key: bytes
    created_at: datetime


@dataclass(frozen=True)
class Recipient:
    """One recipient of an epoch: the `short_digest` of the encryption-key statement its envelope is for, and of the
    envelope."""

    key: str
    envelope: str


@dataclass(frozen=True)
class EpochManifest:
    """An epoch manifest (docs/formats.md section 5): who holds K for a purpose and epoch, and nothing of K itself."""

    purpose: str
    epoch: str
    mode: str
    key_id: str
    steward: str
    recipients: Mapping[str, Recipient]
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True)
class KeyEnd:
    """What a party says of the end of a key (docs/formats.md section 5). `purpose`, `epoch`: None of an encryption key.

    `key_id`: of K, or the `short_digest` of the statement that published an encryption key.
    """

    party: str
    purpose: str | None
    epoch: str | None
    key_id: str
    what: str
    reason: str


def short_digest(data: bytes) -> str:
    """How an epoch manifest names an envelope or an encryption-key statement: the first 16 bytes of its SHA-256, as 32
    hex digits. Why that is enough stands in docs/pseudonym-spec.md section 6."""
    return hashlib.sha256(data).hexdigest()[:32]


@lru_cache(maxsize=1024)
def _public_key(certificate: bytes) -> object:
    return x509.load_der_x509_certificate(certificate).public_key()


def verify_signature(signed: Signed, certificate: bytes) -> None:
    """Checks the signature with the key of `certificate` (DER).

    Raises:
        SluisError: SIGNATURE_WRONG, also for key types that are not accepted.
    """
    message = SIGNED_PREFIX + signed.statement
    try:
        key = _public_key(certificate)
        if len(signed.signature) > MAX_SIGNATURE_BYTES:
            raise InvalidSignature
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            key.verify(signed.signature, message, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1):
            key.verify(signed.signature, message, ec.ECDSA(hashes.SHA384()))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
            key.verify(signed.signature, message, pss, hashes.SHA256())
        else:
            raise InvalidSignature
    except (InvalidSignature, UnsupportedAlgorithm):
        raise SluisError(
            Code.SIGNATURE_WRONG,
            "the statement's signature does not verify with the key of the certificate this connection uses "
            "(EC P-256 or P-384, or RSA-PSS of 2048 bits or more)",
        ) from None


def signer_of(signed: Signed, caller: Caller) -> Caller:
    """The caller with the certificate whose key signed: that of the connection, or where the party has certificates
    for signing apart, one of those and no other.

    Raises:
        SluisError: SIGNATURE_WRONG.
    """
    if caller.signing is None:
        verify_signature(signed, caller.certificate)
        return caller
    for one in caller.signing:
        try:
            verify_signature(signed, one.certificate)
        except SluisError:
            continue
        return replace(caller, certificate=one.certificate, fingerprint=one.fingerprint, signing=None)
    raise SluisError(
        Code.SIGNATURE_WRONG,
        "your organisation signs with certificates apart from those it connects with, and the statement's signature "
        "verifies with none that is valid now; sign with one of those, or give a renewed one to the operator",
    )


def read_ask(signed: Signed, scope: Scope) -> AskStatement:
    """The ask in a signed statement. The signature is not checked here."""
    members = open_statement(signed, scope, "sluis/v1/ask")
    want = Members(members.mapping("want"), "statement.want")
    wanted = Want(hit=want.flag("hit"), count=want.flag("count"), attributes=want.names("attributes", 0, 100))
    want.end()
    statement = AskStatement(
        raw=signed.statement,
        signature=signed.signature,
        request_id=members.text("request_id", UUID4, "a UUID version 4 in lower case"),
        asker=members.text("asker", _NAME, "a party's name"),
        principal=members.optional_text("principal", _NAME, "a party's name or null"),
        answerers=members.names("answerers", 1, MAX_ANSWERERS),
        purpose=members.text("purpose", _NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4, 2026-11 or 2026"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        scheme=members.text("scheme", _NAME, "an identifier scheme's name"),
        match_keys=members.number("match_keys", 1, 64),
        want=wanted,
        subjects=members.number("subjects", 1, 100_000_000),
        tokens=members.text("tokens", HEX64, "64 hex digits"),
        case_number=members.optional_text("case_number", HEX64, "64 hex digits or null"),
        cooperation_ref=members.optional_text("cooperation_ref", HEX64, "64 hex digits or null"),
        not_after=members.time("not_after"),
        standing=members.text_if_there("standing", UUID4, "a UUID version 4 in lower case"),
    )
    members.end()
    if statement.standing == statement.request_id:
        raise members.wrong("standing", "names the first question, and this one needs a request id of its own")
    return statement


@lru_cache(maxsize=256)  # read again for every ask; a manifest is a value and never changes
def read_register_manifest(signed: Signed, scope: Scope) -> RegisterManifest:
    """The register manifest in a signed statement. The signature is not checked here."""
    members = open_statement(signed, scope, "sluis/v1/register")
    rules = read_rules(members)
    manifest = RegisterManifest(
        raw=signed.statement,
        signature=signed.signature,
        answerer=members.text("answerer", _NAME, "a party's name"),
        purpose=members.text("purpose", _NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        scheme=members.text("scheme", _NAME, "an identifier scheme's name"),
        match_keys=members.number("match_keys", 1, 64),
        attributes=members.names("attributes", 0, 100),
        version=members.number("version", 1, 2**53 - 1),
        rows=members.number("rows", 0, 2_000_000_000),
        digest=members.text("digest", HEX64, "64 hex digits"),
        as_of=members.time("as_of"),
        expires_at=members.time("expires_at"),
        coverage=members.free_text("coverage", 500),
        rules=rules,
    )
    members.end()
    return manifest


def read_rules(members: Members) -> dict[str, object]:
    """The row rules that an answerer declares. Raises STATEMENT_INVALID."""
    rules = members.mapping("rules")
    if len(rules) > MAX_RULES or not all(map(_is_rule_value, rules.values())):
        raise members.wrong("rules", f"must be at most {MAX_RULES} names with a short text, a number or true/false")
    return rules


def _is_rule_value(value: object) -> bool:
    """Rules are logged: no room for a number of a person."""
    if isinstance(value, str):
        return len(value) <= MAX_RULE_TEXT and not LONG_NUMBER.search(value)
    return isinstance(value, int) and abs(value) <= MAX_RULE_NUMBER


def read_encryption_key(signed: Signed, scope: Scope) -> EncryptionKeyStatement:
    """The encryption key in a signed statement. The signature is not checked here."""
    members = open_statement(signed, scope, "sluis/v1/encryption-key")
    if members.take("kem") != "MLKEM768-X25519":
        raise members.wrong("kem", "must be MLKEM768-X25519")
    key = members.text("public_key", re.compile(r"[0-9a-f]{2432}"), "2432 hex digits (1184 + 32 bytes)")
    statement = EncryptionKeyStatement(
        party=members.text("party", _NAME, "a party's name"),
        public_key=bytes.fromhex(key),
        created_at=members.time("created_at"),
    )
    members.end()
    return statement


KEY_ENDS: Mapping[str, tuple[str, ...]] = {
    "retired": ("leak", "departure", "lost-steward", "precaution"),
    "destroyed": ("escrow-over",),
    "encryption-key-destroyed": ("renewed",),
}
"""What may be said of a key's end, and the closed words for why."""


def read_key_end(signed: Signed, scope: Scope) -> KeyEnd:
    """The end of a key in a signed statement. The signature is not checked here."""
    members = open_statement(signed, scope, "sluis/v1/key-end")
    what = members.one_of("what", tuple(KEY_ENDS))
    end = KeyEnd(
        party=members.text("party", _NAME, "a party's name"),
        purpose=members.optional_text("purpose", _NAME, "a purpose's name or null"),
        epoch=members.optional_text("epoch", EPOCH, "an epoch such as 2026Q4 or null"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        what=what,
        reason=members.one_of("reason", KEY_ENDS[what]),
    )
    members.number("caches", 0, 1_000_000)
    members.time("ended_at")
    members.end()
    of_epoch = what != "encryption-key-destroyed"
    if (end.purpose is not None) != of_epoch or (end.epoch is not None) != of_epoch:
        raise members.wrong("purpose", "and epoch name the key that ended, and are null of an encryption key")
    return end


@lru_cache(maxsize=256)  # as above
def read_epoch(signed: Signed, scope: Scope) -> EpochManifest:
    """The epoch manifest in a signed statement. The signature is not checked here."""
    members = open_statement(signed, scope, "sluis/v1/epoch")
    recipients = {}
    for party, value in members.mapping("recipients").items():
        inner = Members(value if isinstance(value, dict) else {}, "statement.recipients")
        if not _NAME.fullmatch(party):
            raise members.wrong("recipients", "must name parties")
        recipients[party] = Recipient(
            key=inner.text("key", HEX32, "32 hex digits"),
            envelope=inner.text("envelope", HEX32, "32 hex digits"),
        )
        inner.end()
    manifest = EpochManifest(
        purpose=members.text("purpose", _NAME, "a purpose's name"),
        epoch=members.text("epoch", EPOCH, "an epoch such as 2026Q4"),
        mode=members.text("mode", re.compile("keyed|oblivious"), "keyed or oblivious"),
        key_id=members.text("key_id", HEX32, "32 hex digits"),
        steward=members.text("steward", _NAME, "a party's name"),
        recipients=recipients,
        valid_from=members.time("valid_from"),
        valid_until=members.time("valid_until"),
    )
    members.time("created_at")
    members.end()
    if not recipients:
        raise members.wrong("recipients", "must name at least one party")
    return manifest
