"""Key services over gRPC: mutual TLS to each, with the agency's own certificate, as to the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import grpc
from sluis.v1 import pseudonym_pb2, pseudonym_pb2_grpc

from sluis_client.client import convert
from sluis_client.client.calls import LONG_SECONDS, UNARY_SECONDS, Retries
from sluis_client.client.channels import secure_channel
from sluis_client.errors import ClientError, Exit
from sluis_client.key_services import BROKER, EvaluationBudget
from sluis_client.policy import ServiceView
from sluis_client.private_files import read_file
from sluis_client.profile import Profile

_BROKERS_CA = "`broker_issuers`"


class KeyServices:
    """The way to the key services of a profile; a context manager, which closes what it opened."""

    def __init__(self, profile: Profile, retries: Retries | None = None) -> None:
        self._profile = profile
        self._retries = retries or Retries()
        self._channels: list[grpc.Channel] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for channel in self._channels:
            channel.close()

    def connect(self, service: ServiceView) -> GrpcKeyService:
        """A service at the address in the profile; the broker's own, if the profile has none, at the broker's.

        Raises:
            ClientError: KEY_SERVICE_UNKNOWN for another operator's service that the profile does not name;
                KEY_UNREADABLE and its kind.
        """
        known = self._profile.key_services.get(service.name)
        if known is not None:
            issuers = read_file(known.ca_file, "key_services")
            channel = secure_channel(self._profile, known.target, issuers, known.server_name)
        elif service.operator == BROKER:
            channel = secure_channel(
                self._profile, self._profile.broker, self._profile.trusted_broker(), self._profile.server_name
            )
        else:
            text = (
                f"key service {service.name} is run by {service.operator}: add its address under key_services in "
                f"{self._profile.path}, as {service.operator} gives it to you"
            )
            raise ClientError("KEY_SERVICE_UNKNOWN", text, Exit.KEY_TROUBLE)
        self._channels.append(channel)
        ca = _BROKERS_CA if known is None else f"`ca_file` of {service.name} under `key_services`"
        return GrpcKeyService(service.name, channel, self._retries, ca)


@contextmanager
def _named(service: str, ca: str) -> Iterator[None]:
    """A refusal says which service it is of, and which setting names its CA: its texts are written as a broker's."""
    try:
        yield
    except ClientError as error:
        message = error.message.replace("the broker", f"key service {service}", 1)
        message = message.replace("`broker_issuers`", ca)
        if service not in message:
            message = f"key service {service}: {message}"
        raise ClientError(error.code, message, error.exit_code) from None


class GrpcKeyService:
    """`sluis_client.key_services.KeyServiceTransport` over a channel. Safe for several threads."""

    def __init__(self, name: str, channel: grpc.Channel, retries: Retries, ca: str = _BROKERS_CA) -> None:
        self._name = name
        self._ca = ca
        self._stub = pseudonym_pb2_grpc.PseudonymServiceStub(channel)
        self._retries = retries

    def evaluate(self, request_id: str, purpose: str, epoch: str, blinded: bytes) -> tuple[bytes, bytes]:
        """See KeyServiceTransport."""
        request = pseudonym_pb2.EvaluateRequest(
            request_id=request_id, purpose=purpose, epoch=epoch, blinded_elements=blinded
        )
        with _named(self._name, self._ca):
            reply = self._patiently(lambda: self._stub.Evaluate(request, timeout=LONG_SECONDS))
        return reply.evaluated_elements, reply.proof

    def _patiently(self, attempt: Callable[[], pseudonym_pb2.EvaluateResponse]) -> pseudonym_pb2.EvaluateResponse:
        """As `Retries.run`, and again while another command of this agency has the service's slots."""
        for _ in range(self._retries.attempts):
            try:
                return self._retries.run(attempt)
            except ClientError as error:
                if error.code != "TOO_MANY_STREAMS":
                    raise
                self._retries.sleep(self._retries.longest * self._retries.jitter())
        return self._retries.run(attempt)

    def budget(self, purpose: str) -> EvaluationBudget:
        """See KeyServiceTransport."""
        request = pseudonym_pb2.GetEvaluationBudgetRequest(purpose=purpose)
        with _named(self._name, self._ca):
            reply = self._retries.run(lambda: self._stub.GetEvaluationBudget(request, timeout=UNARY_SECONDS))
        return EvaluationBudget(
            service=reply.key_service,
            period=reply.period,
            until=convert.moment(reply.until),
            limit=reply.limit,
            spent=reply.spent,
            elements_per_request=reply.elements_per_request,
            public_keys={one.epoch: one.public_key for one in reply.epochs},
        )
