"""Suspension notices: one person closes a purpose at once, with a signature of their own.

A notice can be signed by any policy signer, and by any officer who signs for a party of the purpose. It holds from its
log entry on, under every policy set, until a set is in force whose text of the purpose names the notice in `lifts`:
so a new revision that was prepared before cannot reopen a purpose by accident. Opening again takes both sides, since
the text changes. Pure: takes and gives bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.canonical import canonical_json, parse_canonical
from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError
from broker.policy.approvals import SIGNED_PREFIX
from broker.policy.document import PolicySet

MAX_NOTICE_BYTES = 8 * 1024
MAX_REASON = 300
DOCUMENT = "suspension"
"""Kind of the stored document that lists the notices of a purpose, by the purpose's name."""
_TYPE = "sluis/v1/policy-suspension"
_STATED = {"environment", "made_at", "origin", "purpose", "reason", "type"}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_LONG_NUMBER = re.compile(
    r"[0-9]{8}|\b[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{3}\b|\b[0-9]{4}[ .][0-9]{2}[ .][0-9]{3}\b"  # a BSN as people write it
)
_LOG_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Suspension:
    """A notice whose signature was checked; whether its key may suspend is for `may_suspend`."""

    stated: Mapping[str, Any]
    key: str
    signature: str

    @property
    def purpose(self) -> str:
        """The purpose it closes."""
        return str(self.stated["purpose"])

    @property
    def notice(self) -> str:
        """Its id: the first 16 hex digits of the SHA-256 of what was signed."""
        return hashlib.sha256(canonical_json(self.stated)).hexdigest()[:16]

    def encode(self) -> bytes:
        """The notice's file."""
        return canonical_json({"key": self.key, "signature": self.signature, "statement": self.stated})

    def entry(self) -> dict[str, object]:
        """The body of its `notice` entry."""
        return {
            "what": "policy-suspension",
            "purpose": self.purpose,
            "notice": self.notice,
            "statement": dict(self.stated),
            "signature": self.signature,
            "key": self.key,
        }


def sign_suspension(
    purpose: str, reason: str, *, origin: str, environment: str, made_at: datetime, key: Ed25519PrivateKey
) -> Suspension:
    """A notice for one log. `reason` is logged: no names, no numbers of persons. Raises POLICY_INVALID."""
    stated = {
        "environment": environment,
        "made_at": made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "origin": origin,
        "purpose": purpose,
        "reason": reason,
        "type": _TYPE,
    }
    _check_stated(stated)
    signature = key.sign(SIGNED_PREFIX + canonical_json(stated)).hex()
    return Suspension(stated, key.public_key().public_bytes_raw().hex(), signature)


def read_suspension(data: bytes, *, origin: str, environment: str) -> Suspension:
    """The notice in a file, its shape and its signature checked.

    Raises:
        SluisError: POLICY_INVALID for another form or another log; POLICY_UNSIGNED when the signature is wrong.
    """
    if len(data) > MAX_NOTICE_BYTES:
        raise _wrong(f"it has more than {MAX_NOTICE_BYTES} bytes")
    try:
        whole = parse_canonical(data)
    except SluisError as error:
        raise _wrong("it is not canonical JSON") from error
    if set(whole) != {"key", "signature", "statement"} or not isinstance(whole["statement"], dict):
        raise _wrong("its members are not key, signature and statement")
    stated = whole["statement"]
    _check_stated(stated)
    if (stated["origin"], stated["environment"]) != (origin, environment):
        raise _wrong(f"it is for another log than {origin}")
    if not is_signed(stated, whole["key"], whole["signature"]):
        raise SluisError(Code.POLICY_UNSIGNED, "the notice's signature is wrong; make it again with the officer's key")
    return Suspension(stated, whole["key"], whole["signature"])


def is_signed(stated: Mapping[str, Any], key: object, signature: object) -> bool:
    """Whether `signature` (hex) of `key` (hex Ed25519) over a notice's statement is right."""
    try:
        public = public_key_of(bytes.fromhex(str(key)))
        public.verify(bytes.fromhex(str(signature)), SIGNED_PREFIX + canonical_json(stated))
    except (InvalidSignature, ValueError, SluisError):
        return False
    return True


def may_suspend(policies: PolicySet, signers: Collection[str], key: str, purpose: str) -> bool:
    """Whether `key` may close `purpose`: a policy signer's, or that of an officer of a party that takes part."""
    text = policies.purposes.get(purpose)
    if text is None:
        return False
    if key in {signer.lower() for signer in signers}:
        return True
    taking_part = {*policies.participants(text), *(pair.principal for pair in text.on_behalf_of)}
    return any(
        officer.key == key and taking_part & policies.catalogue.parties_of(officer.signs_for)
        for officer in policies.officers.values()
    )


def with_notice(stored: bytes | None, notice: str, since: datetime) -> bytes:
    """The stored document of a purpose with one more notice, in force since its log entry."""
    return canonical_json([*_listed(stored), {"notice": notice, "since": since.strftime(_LOG_TIME)}])


def knows(stored: bytes | None, notice: str) -> bool:
    """Whether a notice was logged before."""
    return any(item["notice"] == notice for item in _listed(stored))


def suspended_since(stored: bytes | None, lifts: Collection[str]) -> datetime | None:
    """Since when a purpose is suspended by notices that its text in force does not lift; None when by none."""
    since = [item["since"] for item in _listed(stored) if item["notice"] not in lifts]
    return datetime.strptime(min(since), _LOG_TIME).replace(tzinfo=UTC) if since else None


def _listed(stored: bytes | None) -> Sequence[Mapping[str, str]]:
    return json.loads(stored) if stored else ()


def _check_stated(stated: Mapping[str, Any]) -> None:
    if set(stated) != _STATED or not all(isinstance(value, str) for value in stated.values()):
        raise _wrong("its statement has other members")
    if stated["type"] != _TYPE or not _NAME.fullmatch(stated["purpose"]) or not _TIME.fullmatch(stated["made_at"]):
        raise _wrong("its type, purpose or time is not one")
    fault = fault_of_reason(stated["reason"])
    if fault:
        raise _wrong(fault)


def fault_of_reason(reason: str) -> str:
    """What is wrong with a reason that will stand in the log; empty when nothing is."""
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable() or not reason.strip():
        return f"a reason has 1 to {MAX_REASON} printable characters on one line"
    if _LONG_NUMBER.search(reason):
        return "its reason holds a long number, which may be that of a person; leave it out"
    return ""


def _wrong(why: str) -> SluisError:
    return SluisError(Code.POLICY_INVALID, f"not a suspension notice: {why}")
