"""Parties and their OINs (Organisatie-identificatienummer, Logius OIN-Stelsel)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from broker.errors import Code, SluisError

NAME = re.compile(r"(?!.*[0-9]{8})[a-z][a-z0-9-]{0,62}")
"""Names of parties, purposes, schemes and attributes. They are logged as they came, so none may hide a number of a
person or an enterprise: a run of eight digits or more is no name."""
OIN_PATTERN = "[0-9]{8}[0-9A-Z]{9}000|[0-9]{16}0000"
_OIN = re.compile(OIN_PATTERN)
TEST_PREFIX = "00000099"


class PartyKind(Enum):
    """Public bodies and private ones have different rights: a national number never goes to a private party."""

    PUBLIC = "public"
    PRIVATE = "private"


class Environment(Enum):
    """Fixed in the log's genesis. Nothing derived, signed or logged in one is valid in the other."""

    TEST = "test"
    PRODUCTION = "production"


@dataclass(frozen=True, order=True)
class Oin:
    """A well-formed OIN: 20 characters.

    Raises:
        SluisError: OIN_INVALID.
    """

    text: str

    def __post_init__(self) -> None:
        if not _OIN.fullmatch(self.text):
            raise SluisError(
                Code.OIN_INVALID,
                "an OIN has 20 characters: prefix of 8 digits, main number of 9, then 000 "
                "(or a KvK-based number and 0000); it stands in the certificate's Subject.serialNumber",
            )

    @property
    def is_test(self) -> bool:
        """Whether this OIN is reserved for tests (prefix 00000099)."""
        return self.text.startswith(TEST_PREFIX)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class SigningCertificate:
    """A certificate whose key may sign statements for a party. `certificate`: DER; `fingerprint`: its SHA-256, hex."""

    certificate: bytes
    fingerprint: str


@dataclass(frozen=True)
class Caller:
    """Who is calling, as proved by the connection: never taken from a message."""

    party: str
    oin: Oin
    kind: PartyKind
    certificate: bytes
    """DER of the leaf certificate; its key verifies the caller's statements."""
    fingerprint: str
    """SHA-256 of the DER, hex."""
    is_auditor: bool = False
    signing: tuple[SigningCertificate, ...] | None = None
    """Certificates that sign for the party now, where they are others than those it connects with; None: they are
    not."""


def check_party_name(name: str, field: str) -> str:
    """`name` when it has the shape of a party's name in the catalogue; else FIELD_INVALID."""
    if not NAME.fullmatch(name):
        raise SluisError(
            Code.FIELD_INVALID,
            f"{field}: a party's name is lower-case letters, digits and hyphens, without eight digits in a row",
        )
    return name
