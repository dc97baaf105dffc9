"""The port to a key service, and which services and public keys the signed policy names for a purpose and epoch.

`sluis_client.client.evaluating` speaks gRPC behind the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sluis_client.errors import ClientError, Exit
from sluis_client.policy import PurposeView

BROKER = "broker"
"""The operator of the broker's own key service."""


@dataclass(frozen=True)
class EvaluationBudget:
    """What a key service says of this agency's quota under a purpose.

    One count holds for all keys in use in the calendar epoch `period`, which ends at `until`.
    """

    service: str
    period: str
    until: datetime
    limit: int
    spent: int
    elements_per_request: int
    public_keys: Mapping[str, bytes]
    """Epoch to public key, of the epochs it evaluates under now."""

    @property
    def left(self) -> int:
        """Elements that may still be evaluated."""
        return max(0, self.limit - self.spent)


class KeyServiceTransport(Protocol):
    """One key service, seen from one agency. Every method is safe to call again with the same arguments.

    Raises ClientError with the service's own reason as code, or with exit code 7 when there is no telling.
    """

    def evaluate(self, request_id: str, purpose: str, epoch: str, blinded: bytes) -> tuple[bytes, bytes]:
        """Evaluated elements and the proof of the batch; nothing of it is trusted before `blinding.check_proof`."""
        ...

    def budget(self, purpose: str) -> EvaluationBudget:
        """What is left of the quota; costs nothing."""
        ...


@dataclass(frozen=True)
class Pins:
    """The key services of a purpose and epoch as the signed policy pins them, in the order of their ids."""

    epoch: str
    """Under which the services keep these keys: the epoch, or the calendar epoch that it is a later key of."""
    public_keys: Mapping[str, bytes]


def lacks_pins(view: PurposeView, epoch: str) -> bool:
    """Whether the purpose has key services whose keys the policy does not name for the epoch, which needs them."""
    held = epoch if epoch in view.public_keys else epoch.partition(".")[0]
    return any(service.name not in view.public_keys.get(held, {}) for service in view.key_services)


def pins_of(view: PurposeView, epoch: str) -> Pins:
    """What the policy that the client verified itself says of the key services.

    Raises:
        ClientError: KEY_SERVICES_UNFIT for fewer than two services or one operator, which protect nothing;
            SERVICE_KEYS_MISSING when the policy names no public keys for the epoch.
    """
    services = view.key_services
    if len(services) < 2 or len({service.operator for service in services}) < 2:
        text = f"{view.name} does not name two key services of two operators; its privacy officers must mend the policy"
        raise ClientError("KEY_SERVICES_UNFIT", text, Exit.VERIFICATION_FAILED)
    if lacks_pins(view, epoch):
        known = ", ".join(sorted(view.public_keys)) or "none"
        text = (
            f"the policy names no public keys of the key services of {view.name} for {epoch} (it does for: {known}); "
            "a revision with them must be signed and put in force"
        )
        raise ClientError("SERVICE_KEYS_MISSING", text, Exit.KEY_TROUBLE)
    held = epoch if epoch in view.public_keys else epoch.partition(".")[0]
    keys = view.public_keys[held]
    return Pins(held, {service.name: keys[service.name] for service in services})
