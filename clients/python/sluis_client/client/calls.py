"""One gRPC call: its deadline, when it is tried again, and how the broker's status becomes a ClientError."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from sluis_client.errors import ClientError, Exit

UNARY_SECONDS = 60
LONG_SECONDS = 290
"""For sealing: the broker builds the register while the caller waits. Its limit for unary calls is 300."""
STREAM_SECONDS = 880
"""The broker's limit for streams is 900."""
_DETAILS = "grpc-status-details-bin"
_MAX_DETAIL = 300
_AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED})
_NO_TELLING = _AGAIN | {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
_KEY_TROUBLE = frozenset(
    {
        "CERTIFICATE_MISSING",
        "CERTIFICATE_EXPIRED",
        "CERTIFICATE_REVOKED",
        "CERTIFICATE_UNKNOWN",
        "OIN_INVALID",
        "OIN_UNKNOWN",
        "OIN_TEST_IN_PRODUCTION",
        "TLS_TOO_OLD",
        "EPOCH_UNKNOWN",
        "KEY_ID_WRONG",
        "ENCRYPTION_KEY_MISSING",
    }
)

Result = TypeVar("Result")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Retries:
    """How often and how soon a call is tried again. `sleep` and `jitter` are given so that tests need not wait."""

    attempts: int = 7
    first: float = 0.25
    longest: float = 5.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    jitter: Callable[[], float] = field(default=random.random, repr=False)

    def run(self, attempt: Callable[[], Result]) -> Result:
        """What `attempt` returns, tried again after UNAVAILABLE, UNKNOWN and ABORTED only.

        The caller sends the same request id and the same bytes each time: the broker then does it at most once.

        Raises:
            ClientError: the broker's reason, or that of the last attempt.
        """
        delay = self.first
        for number in range(1, self.attempts + 1):
            try:
                return attempt()
            except grpc.RpcError as error:
                if number == self.attempts or error.code() not in _AGAIN:
                    raise client_error(error) from None
                # full jitter: agencies that were cut off together do not come back together
                wait = delay * (0.5 + self.jitter() / 2)
                self.sleep(max(wait, _retry_after(error)))
                delay = min(delay * 2, self.longest)
        raise AssertionError("the last attempt returns or raises")


class Outgoing(Generic[Item]):
    """Messages on their way out. gRPC hides what breaks the iterator it reads from; this keeps it."""

    def __init__(self, messages: Iterable[Item]) -> None:
        self._messages = iter(messages)
        self.broke: BaseException | None = None

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        try:
            return next(self._messages)
        except StopIteration:
            raise
        except BaseException as error:
            self.broke = error
            raise


def client_error(error: grpc.RpcError) -> ClientError:
    """The broker's status with its reason as code and its text as message (docs/errors.md)."""
    code = error.code()
    status = _status(error)
    info = error_details_pb2.ErrorInfo()
    if status is not None and _unpacked(status, info) and info.domain == "sluis" and info.reason:
        message = status.message
        violations = error_details_pb2.BadRequest()
        if _unpacked(status, violations) and len(violations.field_violations) > 1:
            listed = (f"{item.field}: {item.description}" for item in violations.field_violations)
            message = "; ".join([message, *listed])
        return ClientError(info.reason, message, _exit_of(info.reason, code))
    detail = " ".join((error.details() or "").split())[:_MAX_DETAIL]
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ClientError(
            "DEADLINE_PASSED", "the broker did not answer in time; run the same command again", Exit.BROKER_UNREACHABLE
        )
    if code in _NO_TELLING:
        text = (
            f"no answer from the broker ({detail}); check its address, that `broker_issuers` holds the CA of "
            "its certificate, and your own certificate, "
            "then run the same command again: nothing is done twice"
        )
        return ClientError("BROKER_UNREACHABLE", text, Exit.BROKER_UNREACHABLE)
    name = code.name if code is not None else "UNKNOWN"
    return ClientError(name, f"the broker refused the call: {detail}", Exit.BROKER_REFUSED)


def _exit_of(reason: str, code: grpc.StatusCode) -> Exit:
    if reason == "POLICY_DENIES":
        return Exit.POLICY_DENIED
    if reason in _KEY_TROUBLE:
        return Exit.KEY_TROUBLE
    return Exit.BROKER_UNREACHABLE if code in _NO_TELLING else Exit.BROKER_REFUSED


def _retry_after(error: grpc.RpcError) -> float:
    status, info = _status(error), error_details_pb2.RetryInfo()
    if status is None or not _unpacked(status, info):
        return 0.0
    seconds: float = info.retry_delay.ToMilliseconds() / 1000
    return min(max(seconds, 0.0), 30.0)


def _status(error: grpc.RpcError) -> status_pb2.Status | None:
    for key, value in cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ()):
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _unpacked(
    status: status_pb2.Status,
    into: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> bool:
    return any(detail.Is(into.DESCRIPTOR) and detail.Unpack(into) for detail in status.details)
