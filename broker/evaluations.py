"""The road of a key service: who may have elements evaluated under a purpose, how many, and what is written of it.

The debit and its entry are durable before anything is evaluated. Of the elements nothing is written: they are random
points, and their number is what counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from broker.asking import demand_in_force, suspended
from broker.canonical import canonical_json, encode
from broker.epoch_keys import DESTROYED, destroyed_place, is_retired, newest_generation
from broker.errors import Code, SluisError
from broker.evaluation_ports import Evaluated, EvaluationKeys
from broker.exchange_log.append import Sequencer
from broker.parties import Caller
from broker.policy.document import PolicySet
from broker.policy.legal_days import calendar_epoch, epoch_of, local_day, open_epochs
from broker.policy.purpose import Purpose
from broker.ports import Clock, LogReader, Transaction
from broker.questions import log_time

MAX_ELEMENTS = 1024
"""Elements of one request: 32 KiB each way, and a tenth of a second of one core."""
EVALUATION = "evaluation"
"""Kind of the documents that tell a repeated request from a new one, by party and request id."""


@dataclass(frozen=True)
class Budget:
    """What a party may have evaluated under a purpose, in the days of the calendar epoch that runs."""

    period: str
    limit: int
    spent: int
    until: datetime
    """When the next calendar epoch begins, and counting with it."""
    public_keys: dict[str, bytes]
    """Epoch -> the key that this service has, for those of the policy's epochs that are open now."""


class Evaluations:
    """Evaluates under the policy set in force, for one key service."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        reader: LogReader,
        policies: Callable[[], PolicySet],
        keys: EvaluationKeys,
        clock: Clock,
        unwitnessed: Callable[[], SluisError | None],
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._policies = policies
        self._keys = keys
        self._clock = clock
        self._unwitnessed = unwitnessed

    @property
    def service(self) -> str:
        """The id of this service in the signed policy."""
        return self._keys.service

    def evaluate(self, caller: Caller, request_id: str, purpose: str, epoch: str, blinded: bytes) -> Evaluated:
        """Evaluates up to MAX_ELEMENTS blinded elements, debited and logged first.

        The same request id with the same bytes is not debited again, and gives the same elements under another proof;
        so a request whose answer was lost is sent again.

        Raises:
            SluisError: PURPOSE_UNKNOWN, also for a purpose the caller has no part in; MODE_NOT_AVAILABLE,
                SERVICE_NOT_NAMED, POLICY_DENIES, POLICY_EXPIRED, EPOCH_NOT_IN_FORCE, EPOCH_RETIRED (where this log
                knows of it, and the policy pins keys for the K in its place), SERVICE_KEY_WRONG; LENGTH_WRONG,
                COUNT_WRONG, ELEMENT_INVALID; QUOTA_SPENT; REQUEST_ID_REUSED for other bytes; LOG_UNWITNESSED; what the
                log says. Nothing is debited then.
        """
        refusal = self._unwitnessed()
        if refusal is not None:
            raise refusal
        # before the elements are looked at, which costs more; and once more below, where it counts
        self._demand_right(self._reader, self._policies(), caller, purpose, epoch, self._clock.now())
        elements = self._keys.read(blinded, "blinded_elements", MAX_ELEMENTS)
        digest = hashlib.sha256(encode(purpose.encode(), epoch.encode(), blinded)).hexdigest()
        place = f"{caller.party}/{request_id}"

        def work(tx: Transaction) -> None:
            policies, now = self._policies(), tx.sequenced_at
            demand_in_force(tx, policies)
            known, public = self._demand_right(tx, policies, caller, purpose, epoch, now)
            if _is_repeat(tx.document(EVALUATION, place), digest):
                return
            counter, period = _counter(caller.party, known, now)
            limit, spent = known.evaluation_limit(caller.party), tx.spent(counter)
            if spent + len(elements) > limit:
                raise _spent(limit, spent, period)
            tx.debit(counter, len(elements))
            tx.put_document(EVALUATION, place, canonical_json({"digest": digest}))
            body = {
                "party": caller.party,
                "purpose": purpose,
                "key_service": self._keys.service,
                "epoch": epoch,
                "public_key": public.hex(),
                "request_id": request_id,
                "elements": len(elements),
                "period": period,
                "spent": spent,
                "decided_at": log_time(now),
                "policy_set": policies.digest,
            }
            tx.append("evaluation", body)

        self._sequencer.submit(work)
        return self._keys.evaluate(purpose, epoch, elements)

    def budget(self, caller: Caller, purpose: str) -> Budget:
        """What the caller has left. Raises as `evaluate` for a purpose that it may not have evaluated under."""
        now, policies = self._clock.now(), self._policies()
        known = self._demand_part(self._reader, policies, caller, purpose, now)
        counter, period = _counter(caller.party, known, now)
        opened = [epoch for epoch in sorted(known.pseudonyms.public_keys) if _is_open(known, epoch, now)]
        # those that are here, whatever the policy pins: a client that sees another, or none, spends nothing anywhere
        held = {epoch: self._keys.public_key(purpose, epoch) for epoch in opened}
        keys = {
            epoch: key
            for epoch, key in held.items()
            if key is not None and not _is_destroyed(self._reader, purpose, epoch, key)
        }
        limit = known.evaluation_limit(caller.party)
        return Budget(period, limit, self._reader.spent(counter), epoch_of(known, now).valid_until, keys)

    def public_key(self, caller: Caller, purpose: str, epoch: str) -> bytes:
        """The key that this service evaluates with, which is the one that the policy pins. Raises as `evaluate`."""
        return self._demand_right(self._reader, self._policies(), caller, purpose, epoch, self._clock.now())[1]

    def _demand_part(
        self, store: Transaction | LogReader, policies: PolicySet, caller: Caller, name: str, now: datetime
    ) -> Purpose:
        """The purpose, if its text lets the caller have elements evaluated here today."""
        purpose = policies.purposes.get(name)
        if purpose is None or caller.party not in policies.participants(purpose):
            raise SluisError(Code.PURPOSE_UNKNOWN, "you ask and answer under no purpose of that name; see ListPurposes")
        if purpose.pseudonyms.mode != "oblivious":
            raise SluisError(Code.MODE_NOT_AVAILABLE, "this purpose is in mode keyed: nothing is evaluated for it")
        if self._keys.service not in purpose.pseudonyms.key_services:
            named = ", ".join(purpose.pseudonyms.key_services)
            raise SluisError(Code.SERVICE_NOT_NAMED, f"this is {self._keys.service}; the purpose names {named}")
        if policies.expires is not None and policies.expires <= now:
            raise SluisError(Code.POLICY_EXPIRED, "the policy set has expired; its signers must renew it")
        if purpose.state != "active":
            raise SluisError(Code.POLICY_DENIES, f"the purpose is {purpose.state}, and only active ones are evaluated")
        if suspended(store, purpose) is not None:
            raise SluisError(Code.POLICY_DENIES, "a signed notice suspends the purpose; ask its officers")
        if not purpose.valid.from_ <= local_day(now) <= purpose.valid.until:
            text = f"the purpose is valid from {purpose.valid.from_} until {purpose.valid.until}"
            raise SluisError(Code.POLICY_DENIES, text)
        return purpose

    def _demand_right(
        self, store: Transaction | LogReader, policies: PolicySet, caller: Caller, name: str, epoch: str, now: datetime
    ) -> tuple[Purpose, bytes]:
        """As `_demand_part`, for an epoch in force, under the key that the policy pins for it."""
        purpose = self._demand_part(store, policies, caller, name, now)
        if is_retired(store, name, epoch) and epoch != _held_for(store, purpose, calendar_epoch(epoch)):
            text = "the epoch's key was retired before its time; fetch the key in its place, and begin anew under it"
            raise SluisError(Code.EPOCH_RETIRED, text)
        if not _is_open(purpose, epoch, now):
            text = f"the epoch in force is {epoch_of(purpose, now).name}; make pseudonyms for that one"
            raise SluisError(Code.EPOCH_NOT_IN_FORCE, text)
        public = _demand_key(purpose, self._keys, epoch)
        if _is_destroyed(store, name, epoch, public):
            text = "this key was destroyed, and its file was put back: nothing is done with it; tell the operator"
            raise SluisError(Code.SERVICE_KEY_WRONG, text)
        return purpose, public


def demand_pinned(policies: PolicySet, keys: EvaluationKeys, now: datetime) -> None:
    """Whether every active purpose that names this service can be evaluated under its current epoch.

    Raises:
        SluisError: SERVICE_KEY_WRONG, naming the first one that cannot.
    """
    for purpose in policies.purposes.values():
        if purpose.state == "active" and keys.service in purpose.pseudonyms.key_services:
            epochs = [epoch for epoch in purpose.pseudonyms.public_keys if _is_open(purpose, epoch, now)]
            for epoch in epochs or [epoch_of(purpose, now).name]:
                _demand_key(purpose, keys, epoch)


def _demand_key(purpose: Purpose, keys: EvaluationKeys, epoch: str) -> bytes:
    """The key of the service, if it is the one that the policy pins. Raises SERVICE_KEY_WRONG."""
    pinned = purpose.pseudonyms.public_keys.get(epoch, {}).get(keys.service)
    own = keys.public_key(purpose.name, epoch)
    if own is not None and own.hex() == pinned:
        return own
    missing = "the policy pins no key" if pinned is None else "this service has no key"
    said = missing if pinned is None or own is None else "this service's key is not the one the policy pins"
    text = f"{said} for {purpose.name} in {epoch}: its operator and the policy's signers must agree on one"
    raise SluisError(Code.SERVICE_KEY_WRONG, text)


def _is_destroyed(store: Transaction | LogReader, purpose: str, epoch: str, public: bytes) -> bool:
    return store.document(DESTROYED, destroyed_place(purpose, epoch, public)) is not None


def _is_open(purpose: Purpose, epoch: str, now: datetime) -> bool:
    """Whether pseudonyms may be made under a key epoch now: it is in force, or overlaps with the one that is."""
    period, overlap = purpose.pseudonyms.epoch, purpose.pseudonyms.overlap_days or 0
    return calendar_epoch(epoch) in open_epochs(period, overlap, local_day(now))


def _held_for(store: Transaction | LogReader, purpose: Purpose, calendar: str) -> str:
    """Under which epoch the policy pins keys for the newest K of a calendar epoch (docs/pseudonym-spec.md 7.1).

    Where K alone leaked, the services' keys stay: without them old K gives no pseudonym, and the new one needs them.
    """
    newest = newest_generation(store, purpose.name, calendar)
    return newest if newest in purpose.pseudonyms.public_keys else calendar


def _counter(party: str, purpose: Purpose, now: datetime) -> tuple[str, str]:
    """The counter, and the calendar epoch it counts for: one for all keys of the purpose that are in use then."""
    period = epoch_of(purpose, now).name
    return f"evaluations/{party}/{purpose.name}/{period}", period


def _is_repeat(stored: bytes | None, digest: str) -> bool:
    if stored is None:
        return False
    if json.loads(stored)["digest"] != digest:
        text = "this request id was used for other elements; make a new UUID, or send the very same bytes"
        raise SluisError(Code.REQUEST_ID_REUSED, text)
    return True


def _spent(limit: int, spent: int, period: str) -> SluisError:
    left = max(0, limit - spent)
    return SluisError(
        Code.QUOTA_SPENT,
        f"{left} of {limit} evaluations are left to you in {period} under this purpose; ask for fewer, keep what was "
        "evaluated for the epoch, or have the purpose's limit changed",
        metadata={"limit": str(limit), "left": str(left), "period": period},
    )
