"""Has private inputs evaluated by every key service of a purpose: quota first, then batches, each resumable.

A batch is on disk, with the seed of its blinds and a request id for each service, before anything of it is sent;
values are on disk before the batch is forgotten. So a run that is cut off anywhere is ended by the next one with the
same bytes under the same ids, which no service debits twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Lock

from sluis_client.blinding import blind, blinds_of, check_proof, finalize, library
from sluis_client.errors import ClientError, Exit
from sluis_client.evaluations import EvaluationCache, Pending
from sluis_client.key_services import EvaluationBudget, KeyServiceTransport, Pins
from sluis_client.oblivious import Derivation
from sluis_client.transport import Progress, silent

BATCH = 1024
"""Elements in one request, at most what a service takes."""
_AT_ONCE = 3
"""Batches under way: a service takes four requests of a party at once."""
Connect = Callable[[str], KeyServiceTransport]


class Evaluating:
    """`oblivious.Values` over a cache and the key services. `connect` gives the way to a service by its id.

    `told` is called once a run with what each service has left, after what this run needs; `before`, when something
    is to be evaluated at all, and what it raises ends the call with nothing spent.
    """

    def __init__(
        self,
        derivation: Derivation,
        pins: Pins,
        cache: EvaluationCache,
        connect: Connect,
        *,
        progress: Progress = silent,
        told: Callable[[int, Sequence[EvaluationBudget]], None] = lambda _needed, _budgets: None,
        before: Callable[[], None] = lambda: None,
        threads: int = 0,
    ) -> None:
        self._derivation = derivation
        self._purpose = derivation.context.purpose
        self._services = derivation.services
        self._pins = pins
        self._cache = cache
        self._connect = connect
        self._progress = progress
        self._told = told
        self._before = before
        self._threads = threads or os.cpu_count() or 1
        self._storing = Lock()

    def __call__(self, inputs: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """y of every input; those that the cache has cost nothing.

        Raises:
            ClientError: QUOTA_SPENT before anything is spent, when what is left does not suffice;
                SERVICE_KEYS_MISSING, SERVICE_KEY_WRONG, PROOF_WRONG, ELEMENT_INVALID, COUNT_WRONG, LENGTH_WRONG for a
                service that errs or lies; as the transports. With exit code 7 the same call again goes on.
        """
        found = self._cache.values(inputs)
        if len(found) == len(inputs):
            return found
        library()
        with self._cache.fetching():
            self._resume({x for x in inputs if x not in found})
            found = self._cache.values(inputs)
            missing = [x for x in inputs if x not in found]
            if missing:
                self._before()
                size = self._demand_quota(len(missing))
                parts = (missing[at : at + size] for at in range(0, len(missing), size))
                count = len(self._services)
                self._run((self._cache.begin(part, count) for part in parts), len(missing))
        return self._cache.values(inputs)

    def _resume(self, wanted: AbstractSet[bytes]) -> None:
        """Ends what an earlier run began. A batch for which a service has nothing left waits, unless it is `wanted`:
        what is left still does for fewer."""
        for batch in self._cache.pending():
            try:
                self._run(iter((batch,)), len(batch.inputs))
            except ClientError as error:
                if error.code != "QUOTA_SPENT" or not wanted.isdisjoint(batch.inputs):
                    raise

    def _demand_quota(self, needed: int) -> int:
        """The size of a batch, once every service has the pinned key in use and enough left. Spends nothing."""
        budgets = [self._connect(service).budget(self._purpose) for service in self._services]
        for service, budget in zip(self._services, budgets, strict=True):
            self._check(service, budget)
        short = [budget for budget in budgets if budget.left < needed]
        if short:
            lines = "; ".join(
                f"{budget.service} has {budget.left} of {budget.limit} left until {budget.until:%Y-%m-%d %H:%M} UTC"
                for budget in short
            )
            text = (
                f"{needed} evaluations are needed, and {lines}. Nothing was spent. Ask about fewer subjects, wait, or "
                "ask your privacy officer for a higher limit in the policy"
            )
            raise ClientError("QUOTA_SPENT", text, Exit.POLICY_DENIED)
        self._told(needed, budgets)
        return max(1, min(BATCH, *(budget.elements_per_request for budget in budgets)))

    def _check(self, service: str, budget: EvaluationBudget) -> None:
        """That it is the service that was meant, with the key that the policy pins."""
        shown = budget.public_keys.get(self._pins.epoch)
        if budget.service == service and shown is None:
            text = f"key service {service} has no key in force for {self._purpose} {self._pins.epoch}; ask its operator"
            raise ClientError("SERVICE_KEYS_MISSING", text, Exit.BROKER_REFUSED)
        if budget.service != service or shown != self._pins.public_keys[service]:
            text = (
                f"at the address of key service {service} answers another one, or with another key for "
                f"{self._pins.epoch} than the signed policy names; nothing was sent: tell its operator and the auditor"
            )
            raise ClientError("SERVICE_KEY_WRONG", text, Exit.VERIFICATION_FAILED)

    def _run(self, batches: Iterator[Pending], total: int) -> None:
        """Every batch, some at once; after a failure none is begun any more, and those under way are ended."""
        done = 0
        with ThreadPoolExecutor(self._threads) as cores, ThreadPoolExecutor(_AT_ONCE) as lanes:
            under_way: set[Future[int]] = set()
            failed: BaseException | None = None
            while True:
                while failed is None and len(under_way) < _AT_ONCE and (batch := next(batches, None)) is not None:
                    under_way.add(lanes.submit(self._batch, batch, cores))
                if not under_way:
                    break
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for one in ended:
                    error = one.exception()
                    failed = failed or error
                    done += 0 if error else one.result()
                    self._progress("evaluating", done, total)
        if failed is not None:
            raise failed

    def _batch(self, batch: Pending, cores: ThreadPoolExecutor) -> int:
        blinds = blinds_of(batch.seed.reveal(), len(batch.inputs))
        blinded = blind(batch.inputs, blinds, pool=cores)

        def one(service: str, request: str) -> list[bytes]:
            asked = request, self._purpose, self._pins.epoch, b"".join(blinded)
            evaluated, proof = self._connect(service).evaluate(*asked)
            elements = check_proof(service, self._pins.public_keys[service], blinded, evaluated, proof, cores)
            return finalize(batch.inputs, blinds, elements, cores)

        pairs = list(zip(self._services, batch.requests, strict=True))
        with ThreadPoolExecutor(len(pairs)) as services:
            outputs = list(services.map(lambda pair: one(*pair), pairs))
        combined = (self._derivation.combined(each) for each in zip(*outputs, strict=True))
        with self._storing:
            self._cache.keep(dict(zip(batch.inputs, combined, strict=True)))
            self._cache.end(batch)
        return len(batch.inputs)
