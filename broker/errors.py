"""The error family: one base class, stable codes, and no text that depends on a data subject.

Every refusal says what the caller should change. The one place that turns these into gRPC status is
`broker.rpc.interceptors`; the list of codes with their meaning is `docs/errors.md`, and a test keeps both equal.
Codes are never reused: a retired code stays in `RETIRED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What class of trouble this is; each maps to one gRPC status code in `rpc/interceptors.py`."""

    INVALID = "INVALID_ARGUMENT"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "PERMISSION_DENIED"
    NOT_FOUND = "NOT_FOUND"
    EXISTS = "ALREADY_EXISTS"
    PRECONDITION = "FAILED_PRECONDITION"
    EXHAUSTED = "RESOURCE_EXHAUSTED"
    ABORTED = "ABORTED"
    DATA_LOSS = "DATA_LOSS"
    UNKNOWN = "UNKNOWN"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE = "DEADLINE_EXCEEDED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


class Code(Enum):
    """Stable reasons. The value is the gRPC status class; the name is what callers may branch on."""

    # the request itself
    MESSAGE_INVALID = ("MESSAGE_INVALID", Kind.INVALID)
    FIELD_MISSING = ("FIELD_MISSING", Kind.INVALID)
    FIELD_INVALID = ("FIELD_INVALID", Kind.INVALID)
    FIELD_TOO_LONG = ("FIELD_TOO_LONG", Kind.INVALID)
    ENUM_UNKNOWN = ("ENUM_UNKNOWN", Kind.INVALID)
    LENGTH_WRONG = ("LENGTH_WRONG", Kind.INVALID)
    OFFSET_WRONG = ("OFFSET_WRONG", Kind.INVALID)
    COUNT_WRONG = ("COUNT_WRONG", Kind.INVALID)
    ELEMENT_INVALID = ("ELEMENT_INVALID", Kind.INVALID)
    DIGEST_WRONG = ("DIGEST_WRONG", Kind.INVALID)
    COMMITMENT_WRONG = ("COMMITMENT_WRONG", Kind.INVALID)
    STREAM_TRUNCATED = ("STREAM_TRUNCATED", Kind.INVALID)
    STREAM_ORDER = ("STREAM_ORDER", Kind.INVALID)
    STATEMENT_INVALID = ("STATEMENT_INVALID", Kind.INVALID)
    STATEMENT_EXPIRED = ("STATEMENT_EXPIRED", Kind.INVALID)
    PAGE_TOKEN_INVALID = ("PAGE_TOKEN_INVALID", Kind.INVALID)
    LOOKS_LIKE_IDENTIFIERS = ("LOOKS_LIKE_IDENTIFIERS", Kind.INVALID)
    TOO_MANY_PER_PSEUDONYM = ("TOO_MANY_PER_PSEUDONYM", Kind.INVALID)
    DEADLINE_REQUIRED = ("DEADLINE_REQUIRED", Kind.INVALID)
    DEADLINE_TOO_LONG = ("DEADLINE_TOO_LONG", Kind.INVALID)
    DEADLINE_PASSED = ("DEADLINE_PASSED", Kind.DEADLINE)
    # who is calling
    CERTIFICATE_MISSING = ("CERTIFICATE_MISSING", Kind.UNAUTHENTICATED)
    CERTIFICATE_EXPIRED = ("CERTIFICATE_EXPIRED", Kind.UNAUTHENTICATED)
    CERTIFICATE_REVOKED = ("CERTIFICATE_REVOKED", Kind.UNAUTHENTICATED)
    CERTIFICATE_UNKNOWN = ("CERTIFICATE_UNKNOWN", Kind.UNAUTHENTICATED)
    REVOCATION_STALE = ("REVOCATION_STALE", Kind.UNAVAILABLE)
    OIN_INVALID = ("OIN_INVALID", Kind.UNAUTHENTICATED)
    OIN_UNKNOWN = ("OIN_UNKNOWN", Kind.UNAUTHENTICATED)
    OIN_TEST_IN_PRODUCTION = ("OIN_TEST_IN_PRODUCTION", Kind.UNAUTHENTICATED)
    TLS_TOO_OLD = ("TLS_TOO_OLD", Kind.UNAUTHENTICATED)
    SIGNATURE_WRONG = ("SIGNATURE_WRONG", Kind.UNAUTHENTICATED)
    NOT_YOURS = ("NOT_YOURS", Kind.FORBIDDEN)
    NOT_STEWARD = ("NOT_STEWARD", Kind.FORBIDDEN)
    NOT_PARTICIPANT = ("NOT_PARTICIPANT", Kind.FORBIDDEN)
    # state
    NOT_FOUND = ("NOT_FOUND", Kind.NOT_FOUND)
    PURPOSE_UNKNOWN = ("PURPOSE_UNKNOWN", Kind.NOT_FOUND)
    POLICY_DENIES = ("POLICY_DENIES", Kind.PRECONDITION)
    EPOCH_UNKNOWN = ("EPOCH_UNKNOWN", Kind.PRECONDITION)
    EPOCH_RETIRED = ("EPOCH_RETIRED", Kind.PRECONDITION)
    EPOCH_EXISTS = ("EPOCH_EXISTS", Kind.EXISTS)
    KEY_ID_WRONG = ("KEY_ID_WRONG", Kind.PRECONDITION)
    ENCRYPTION_KEY_MISSING = ("ENCRYPTION_KEY_MISSING", Kind.PRECONDITION)
    MODE_NOT_AVAILABLE = ("MODE_NOT_AVAILABLE", Kind.PRECONDITION)
    SERVICE_NOT_NAMED = ("SERVICE_NOT_NAMED", Kind.PRECONDITION)
    SERVICE_KEY_WRONG = ("SERVICE_KEY_WRONG", Kind.PRECONDITION)
    EPOCH_NOT_IN_FORCE = ("EPOCH_NOT_IN_FORCE", Kind.PRECONDITION)
    REQUEST_ID_REUSED = ("REQUEST_ID_REUSED", Kind.EXISTS)
    EXCHANGE_OPEN = ("EXCHANGE_OPEN", Kind.ABORTED)
    ANSWER_GONE = ("ANSWER_GONE", Kind.NOT_FOUND)
    LEGAL_HOLD = ("LEGAL_HOLD", Kind.PRECONDITION)
    ERASURE_TOO_SOON = ("ERASURE_TOO_SOON", Kind.PRECONDITION)
    ORDER_INVALID = ("ORDER_INVALID", Kind.INVALID)
    ORDER_UNSIGNED = ("ORDER_UNSIGNED", Kind.FORBIDDEN)
    UPLOAD_SEALED = ("UPLOAD_SEALED", Kind.PRECONDITION)
    UPLOAD_BUSY = ("UPLOAD_BUSY", Kind.ABORTED)
    REGISTER_CHANGED = ("REGISTER_CHANGED", Kind.ABORTED)
    NOT_A_HIT = ("NOT_A_HIT", Kind.PRECONDITION)
    PERIOD_ERASED = ("PERIOD_ERASED", Kind.NOT_FOUND)
    ALREADY_REPORTED = ("ALREADY_REPORTED", Kind.EXISTS)
    DISPUTE_CLOSED = ("DISPUTE_CLOSED", Kind.PRECONDITION)
    # the house
    TOO_MANY_STREAMS = ("TOO_MANY_STREAMS", Kind.EXHAUSTED)
    TOO_LARGE = ("TOO_LARGE", Kind.EXHAUSTED)
    QUOTA_SPENT = ("QUOTA_SPENT", Kind.EXHAUSTED)
    TOO_MANY_ASKS = ("TOO_MANY_ASKS", Kind.EXHAUSTED)
    TOO_MANY_STATEMENTS = ("TOO_MANY_STATEMENTS", Kind.EXHAUSTED)
    LOG_UNAVAILABLE = ("LOG_UNAVAILABLE", Kind.UNAVAILABLE)
    LOG_OUTCOME_UNKNOWN = ("LOG_OUTCOME_UNKNOWN", Kind.UNKNOWN)
    LOG_SHRUNK = ("LOG_SHRUNK", Kind.DATA_LOSS)
    LOG_FORKED = ("LOG_FORKED", Kind.DATA_LOSS)
    LOG_SEALED = ("LOG_SEALED", Kind.PRECONDITION)
    HIGH_WATER_UNUSABLE = ("HIGH_WATER_UNUSABLE", Kind.PRECONDITION)
    LOG_UNWITNESSED = ("LOG_UNWITNESSED", Kind.UNAVAILABLE)
    STORE_UNAVAILABLE = ("STORE_UNAVAILABLE", Kind.UNAVAILABLE)
    STORE_CORRUPT = ("STORE_CORRUPT", Kind.DATA_LOSS)
    SHUTTING_DOWN = ("SHUTTING_DOWN", Kind.UNAVAILABLE)
    INTERNAL = ("INTERNAL", Kind.INTERNAL)
    # files the operator or the privacy officer gives us
    CONFIG_INVALID = ("CONFIG_INVALID", Kind.PRECONDITION)
    POLICY_INVALID = ("POLICY_INVALID", Kind.PRECONDITION)
    POLICY_UNSIGNED = ("POLICY_UNSIGNED", Kind.PRECONDITION)
    POLICY_REVISION_LOWER = ("POLICY_REVISION_LOWER", Kind.PRECONDITION)
    POLICY_EXPIRED = ("POLICY_EXPIRED", Kind.PRECONDITION)

    @property
    def kind(self) -> Kind:
        """The class of trouble, which decides the gRPC status."""
        return self.value[1]


RETIRED: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Violation:
    """One field that is wrong: its path in the request and what to change. Never the field's value."""

    field: str
    description: str


class SluisError(Exception):
    """Every error this house raises on purpose.

    `message` is shown to the caller, so it says what to change and never holds a value that depends on a data
    subject. `metadata` is for machines: short ASCII keys and values, same rule.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def field_error(code: Code, field: str, description: str) -> SluisError:
    """A refusal of one field; `description` says what to change."""
    return SluisError(code, f"{field}: {description}", violations=[Violation(field, description)])
