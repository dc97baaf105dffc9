"""What an auditor found, signed: the report of one verification, over one bundle and one trust file (pure).

A finding is an object `{"key","signature","statement"}`: the statement holds the whole report of `sluis audit verify
--json`, the signature is Ed25519 over `"sluis/v1/signed\\n" || canonical statement`
(docs/formats.md section 11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit import strict_json
from broker.ed25519_keys import public_key_of
from broker.errors import Code, SluisError

MAX_REMARK = 4_000
_PREFIX = b"sluis/v1/signed\n"
_TYPE = "sluis/v1/audit-finding"
_STATED = {"made_at", "remark", "report", "role", "type"}
_REPORTED = {"bundle", "completeness", "counts", "exit_code", "origin", "size", "summary", "trust", "verified"}
"""What the report of a verification holds at least."""
_HEX64 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True)
class SignedFinding:
    """A finding whose form and signature are right. Whose key it is, is for the reader to know."""

    key: str
    """Hex Ed25519 public key."""
    role: str
    made_at: str
    remark: str
    report: Mapping[str, Any]

    @property
    def verified(self) -> bool:
        """Whether the log verified."""
        return self.report["verified"] is True


def read_report(value: object) -> Mapping[str, Any]:
    """The report that `sluis audit verify --json` printed. Raises STATEMENT_INVALID."""
    if not isinstance(value, dict) or not value.keys() >= _REPORTED or not isinstance(value["verified"], bool):
        raise SluisError(Code.STATEMENT_INVALID, "not a report; make one with `sluis audit verify ... --json`")
    if not isinstance(value["bundle"], str) or not _HEX64.fullmatch(value["bundle"]):
        raise SluisError(Code.STATEMENT_INVALID, "the report does not say which bundle it is about")
    if value["verified"] != (value["exit_code"] == 0) or value["verified"] == bool(value["counts"]):
        raise SluisError(Code.STATEMENT_INVALID, "the report contradicts itself; verify the bundle again")
    return value


def sign_finding(
    report: Mapping[str, Any], *, role: str, remark: str, made_at: datetime, key: Ed25519PrivateKey
) -> dict[str, Any]:
    """The object of a signed finding. `role`: in which function it is signed, 1 to 100 characters, no person's name.

    Raises:
        SluisError: STATEMENT_INVALID.
    """
    statement = {
        "made_at": made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "remark": remark,
        "report": dict(report),
        "role": role,
        "type": _TYPE,
    }
    _check(statement)
    signature = key.sign(_PREFIX + strict_json.write(statement)).hex()
    return {"key": key.public_key().public_bytes_raw().hex(), "signature": signature, "statement": statement}


def read_finding(value: object) -> SignedFinding:
    """The finding in an object.

    Raises:
        SluisError: STATEMENT_INVALID for any other form; SIGNATURE_WRONG when anything in it was changed.
    """
    if not isinstance(value, dict) or value.keys() != {"key", "signature", "statement"}:
        raise SluisError(Code.STATEMENT_INVALID, "not a signed finding: its members are key, signature and statement")
    key, signature, statement = value["key"], value["signature"], value["statement"]
    if not isinstance(statement, dict) or not isinstance(key, str) or not isinstance(signature, str):
        raise SluisError(Code.STATEMENT_INVALID, "not a signed finding: its members are key, signature and statement")
    _check(statement)
    try:
        message = _PREFIX + strict_json.write(statement)
        public_key_of(bytes.fromhex(key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError) as error:
        raise SluisError(
            Code.SIGNATURE_WRONG, "the finding was changed after it was signed, or was signed with another key"
        ) from error
    report = statement["report"]
    return SignedFinding(key.lower(), statement["role"], statement["made_at"], statement["remark"], report)


def _check(statement: Mapping[str, Any]) -> None:
    if statement.keys() != _STATED or statement["type"] != _TYPE:
        raise SluisError(Code.STATEMENT_INVALID, "not a finding: its statement has other members")
    role, remark = statement["role"], statement["remark"]
    if not isinstance(role, str) or not len(role.strip()) >= 1 or len(role) > 100 or not role.isprintable():
        raise SluisError(Code.STATEMENT_INVALID, "say in 1 to 100 characters in which function you sign")
    lines = remark.split("\n") if isinstance(remark, str) else [""]
    if not isinstance(remark, str) or len(remark) > MAX_REMARK or not all(not x or x.isprintable() for x in lines):
        raise SluisError(Code.STATEMENT_INVALID, f"a remark has at most {MAX_REMARK} printable characters")
    if not isinstance(statement["made_at"], str) or not _TIME.fullmatch(statement["made_at"]):
        raise SluisError(Code.STATEMENT_INVALID, "not a finding: its time is none in UTC")
    read_report(statement["report"])
