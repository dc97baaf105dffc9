"""How a key of a key service is destroyed: held back as long as it may be needed, logged, and gone for good.

What a person may ask to see of an epoch (docs/integrate.md section 11) can be found only as long as its pseudonyms can
be made again. So a key stays until the last question of its epoch has left the vault, unless it leaked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker.canonical import canonical_json
from broker.epoch_keys import DESTROYED, destroyed_place
from broker.errors import Code, SluisError
from broker.evaluation_ports import EvaluationKeys
from broker.exchange_log.append import Sequencer
from broker.policy.document import PolicySet
from broker.policy.legal_days import local_day, needed_until
from broker.ports import Clock, LogReader, Transaction

MAX_REQUEST_BYTES = 4096
MAX_REASON = 200
_TYPE = "sluis/v1/destroy-service-key"
_PAGE = 500


@dataclass(frozen=True)
class DestroyRequest:
    """What the operator hands in on the host. `reason`: why at once; "" to destroy what is due."""

    purpose: str
    epoch: str
    reason: str = ""

    def encode(self) -> bytes:
        """The bytes of the file. Raises FIELD_INVALID for a reason that is not printable ASCII, or too long."""
        if len(self.reason) > MAX_REASON or not (self.reason.isascii() and self.reason.isprintable()):
            text = f"--reason: at most {MAX_REASON} printable ASCII characters; name no person"
            raise SluisError(Code.FIELD_INVALID, text)
        return canonical_json({"type": _TYPE, "purpose": self.purpose, "epoch": self.epoch, "reason": self.reason})

    @classmethod
    def decode(cls, data: bytes) -> DestroyRequest:
        """The inverse of `encode`. Raises FIELD_INVALID."""
        try:
            value = json.loads(data[: MAX_REQUEST_BYTES + 1])
            if value.pop("type") != _TYPE or not all(isinstance(one, str) for one in value.values()):
                raise ValueError
            request = cls(**value)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            text = "not a request to destroy a key; make it with `sluis key-service key destroy`"
            raise SluisError(Code.FIELD_INVALID, text) from None
        request.encode()
        return request


class KeyDestruction:
    """Destroys keys of one key service, each with an entry in its log."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        policies: Callable[[], PolicySet],
        keys: EvaluationKeys,
        clock: Clock,
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._policies = policies
        self._keys = keys
        self._clock = clock

    def take(self, data: bytes) -> int | None:
        """Logs that a key is destroyed, then destroys it; the entry's index, None when that was done before.

        Raises:
            SluisError: FIELD_INVALID; NOT_FOUND when there is no such key; ERASURE_TOO_SOON before its time, which a
                reason to destroy it at once overrules; what the log and the key store say.
        """
        request = DestroyRequest.decode(data)
        public = self._keys.public_key(request.purpose, request.epoch)
        if public is None:
            text = f"there is no key for {request.purpose} in {request.epoch}; see `sluis key-service key list`"
            raise SluisError(Code.NOT_FOUND, text)
        if not request.reason:
            self._demand_due(request)
        place = destroyed_place(request.purpose, request.epoch, public)
        body = {
            "what": "service-key-destroyed",
            "key_service": self._keys.service,
            "purpose": request.purpose,
            "epoch": request.epoch,
            "public_key": public.hex(),
            "reason": request.reason or None,
        }

        def work(tx: Transaction) -> int | None:
            if tx.document(DESTROYED, place) is not None:
                return None
            tx.put_document(DESTROYED, place, b"{}")
            return tx.append("config", body)

        index = self._sequencer.submit(work).value
        self._keys.destroy(request.purpose, request.epoch, public)
        return index

    def reapply(self) -> int:
        """Destroys again what was destroyed and is there: left by a crash, or brought back with a backup. How many."""
        count = 0
        for place, _ in self._reader.documents(DESTROYED):
            purpose, epoch, public = place.split("/")
            count += self._keys.destroy(purpose, epoch, bytes.fromhex(public))
        return count

    def _demand_due(self, request: DestroyRequest) -> None:
        demand_due(self._policies(), request.purpose, request.epoch, self._clock.now())
        if self._is_held(request):
            text = "the vault still holds questions of its epoch, by a legal hold; try again when that is lifted"
            raise SluisError(Code.ERASURE_TOO_SOON, text)

    def _is_held(self, request: DestroyRequest) -> bool:
        """Whether this log's vault has a question of the epoch. A key service alone has no questions."""
        after = ""
        while page := self._reader.labelled("tokens", after, _PAGE):
            for slot in page:
                for use in slot.uses:
                    if use.purpose == request.purpose and self._epoch_of_ask(use.ask_index) == request.epoch:
                        return True
            after = page[-1].commitment
        return False

    def _epoch_of_ask(self, index: int) -> str | None:
        for entry in self._reader.entries(index, index + 1):
            return str(json.loads(entry.leaf)["body"]["statement"]["epoch"])
        return None


def demand_due(policies: PolicySet, name: str, epoch: str, now: datetime) -> None:
    """Refuses to destroy a key that may be needed by the terms of its purpose.

    Raises:
        SluisError: ERASURE_TOO_SOON, FIELD_INVALID.
    """
    purpose = policies.purposes.get(name)
    if purpose is None:
        text = "the policy set has no such purpose, and so does not say how long its key is needed; give --now --reason"
        raise SluisError(Code.ERASURE_TOO_SOON, text)
    due = needed_until(purpose, epoch)
    if due is None:
        raise SluisError(Code.FIELD_INVALID, f"epoch: {name} counts by the {purpose.pseudonyms.epoch}")
    if now < due:
        raise SluisError(
            Code.ERASURE_TOO_SOON,
            f"the key is needed until {local_day(due)}, when the last question of its epoch has left the vaults; for a "
            "key that leaked: --now --reason",
        )
