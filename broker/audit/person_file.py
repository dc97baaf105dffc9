"""A person's pseudonyms as an agency gave them to an auditor (docs/formats.md, Subject access): read, and checked.

The file is encrypted to the auditor's key and signed by the agency: whose pseudonyms they are, it vouches for.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from broker.audit import strict_json
from broker.audit.callers import is_signed
from broker.audit.tokens import Tokens, TokensError, read_tokens
from broker.audit.vault_export import fingerprint, open_envelope, public_of

PERSON_TYPE = "sluis/v1/subject-pseudonyms"
MAX_BYTES = 16 << 20
_HEAD = {"file", "key", "origin", "party"}
_STATED = {"auditor_key", "environment", "made_at", "origin", "party", "pseudonyms", "scheme", "type"}


class PersonFileError(ValueError):
    """Not a file of a person's pseudonyms that this key opens; the text says why, and shows nothing of the person."""


@dataclass(frozen=True, repr=False)
class Sought:
    """The person under one purpose and epoch. `tokens`: a question about this person alone."""

    purpose: str
    epoch: str
    key_id: str
    tokens: Tokens
    value: bytes


@dataclass(frozen=True, repr=False)
class Person:
    """What a file holds. `certificate`: SHA-256 of the certificate that signed it, for the log to vouch for."""

    party: str
    origin: str
    environment: str
    scheme: str
    made_at: str
    certificate: str
    sought: tuple[Sought, ...]


def read_person(data: bytes, seed: bytes) -> Person:
    """The person in a file, opened with the auditor's private key; the agency's signature is right.

    Whose certificate signed it is for the caller to look up in the log.

    Raises:
        PersonFileError: for any other file.
    """
    try:
        outer = strict_json.read(data.rstrip(b"\n"))
    except strict_json.NotCanonicalError:
        raise PersonFileError("it is no file that `sluis-client subject --auditor-key` made") from None
    if outer.keys() != _HEAD | {"envelope"} or outer["file"] != PERSON_TYPE:
        raise PersonFileError("it is no file that `sluis-client subject --auditor-key` made")
    head = {name: outer[name] for name in _HEAD}
    if head["key"] != fingerprint(public_of(seed)):
        raise PersonFileError("it is encrypted to another key")
    try:
        plain = open_envelope(base64.b64decode(outer["envelope"], validate=True), seed, strict_json.write(head))
        inner = strict_json.read(plain)
        return _person(inner, head)
    except PersonFileError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError):
        raise PersonFileError("it was altered, or its contents have another form") from None


def _person(inner: Mapping[str, Any], head: Mapping[str, Any]) -> Person:
    stated, rows = strict_json.read(inner["statement"].encode()), inner["pseudonyms"]
    certificate = base64.b64decode(inner["certificate"], validate=True)
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not is_signed(stated, inner["signature"], key):
        raise PersonFileError("its signature is wrong")
    bound = {"auditor_key": head["key"], "origin": head["origin"], "party": head["party"], "type": PERSON_TYPE}
    if stated.keys() != _STATED or any(stated[name] != value for name, value in bound.items()):
        raise PersonFileError("its signature is for another auditor, log or party")
    if stated["pseudonyms"] != hashlib.sha256(strict_json.write({"rows": rows})).hexdigest():
        raise PersonFileError("its pseudonyms are not those that the agency signed")
    return Person(
        party=stated["party"],
        origin=stated["origin"],
        environment=stated["environment"],
        scheme=stated["scheme"],
        made_at=stated["made_at"],
        certificate=hashlib.sha256(certificate).hexdigest(),
        sought=_all_sought(rows),
    )


def _all_sought(rows: list[Mapping[str, Any]]) -> tuple[Sought, ...]:
    found = tuple(map(_sought, rows))
    if len({(one.purpose, one.epoch) for one in found}) != len(found):
        raise PersonFileError("it names a purpose and epoch twice")
    return found


def _sought(row: Mapping[str, Any]) -> Sought:
    value = base64.b64decode(row["tokens"], validate=True)
    try:
        tokens = read_tokens(value)
    except TokensError:
        raise PersonFileError("a row of it is no pseudonym") from None
    if tokens.rows != 1 or not any(present[0] for present in tokens.present):
        raise PersonFileError("a row of it is not about one person")
    return Sought(str(row["purpose"]), str(row["epoch"]), str(row["key_id"]), tokens, value)
