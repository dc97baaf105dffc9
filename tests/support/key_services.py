"""Key services in memory, over another library than the client's: they count what they evaluate, and can misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from sluis_client.errors import ClientError, Exit
from sluis_client.key_services import EvaluationBudget
from voprf import ristretto

UNTIL = datetime(2026, 12, 1, tzinfo=UTC)


class FakeKeyService:
    """One key service, honest unless `bend` changes what it answers. `spent`: elements debited."""

    def __init__(self, name: str, epoch: str, limit: int = 100_000, per_request: int = 1024) -> None:
        self.name, self.epoch, self.limit, self.per_request = name, epoch, limit, per_request
        self.key = ristretto.Evaluator.from_seed(hashlib.sha256(name.encode()).digest(), b"test")
        self.spent = self.calls = self.asked = 0
        self.bend: Callable[[bytes, bytes], tuple[bytes, bytes]] = lambda elements, proof: (elements, proof)
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self.shown: bytes | None = None
        self._done: dict[str, bytes] = {}
        self._lock = threading.Lock()

    @property
    def public_key(self) -> bytes:
        return self.key.public_key.serialize()

    def evaluate(self, request_id: str, purpose: str, epoch: str, blinded: bytes) -> tuple[bytes, bytes]:
        assert epoch == self.epoch
        self.before()
        with self._lock:
            self.calls += 1
            if request_id not in self._done:
                if self.spent + len(blinded) // 32 > self.limit:
                    raise ClientError("QUOTA_SPENT", "no more", Exit.BROKER_REFUSED)
                self.spent += len(blinded) // 32
                self._done[request_id] = blinded
            if self._done[request_id] != blinded:
                raise ClientError("REQUEST_ID_REUSED", "other bytes", Exit.BROKER_REFUSED)
        elements = [ristretto.BlindedInput.deserialize(blinded[at : at + 32]) for at in range(0, len(blinded), 32)]
        answer = self.key.evaluate_batch(elements).serialize()
        self.after()
        return self.bend(answer[64:], answer[:64])

    def budget(self, purpose: str) -> EvaluationBudget:
        self.asked += 1
        keys = {self.epoch: self.shown or self.public_key}
        return EvaluationBudget(self.name, self.epoch, UNTIL, self.limit, self.spent, self.per_request, keys)
