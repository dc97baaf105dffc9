"""Which policy set is in force: swapped whole and at once, at one place in the log; and suspension notices.

A new set comes into force with its `policy` entry: asks behind that entry are decided under it, asks before it under
the old one. What is refused changes nothing: the last good set stays, until it expires and denies everything.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from broker.asking import POLICY_STATE, policy_state
from broker.errors import Code, SluisError
from broker.exchange_log.append import Sequencer
from broker.policy.bundle import load_bundle, read_bundle
from broker.policy.document import PolicySet
from broker.policy.evaluate import ENGINE
from broker.policy.suspension import DOCUMENT as SUSPENSION
from broker.policy.suspension import knows, may_suspend, read_suspension, with_notice
from broker.ports import Clock, LogReader, Transaction
from broker.statements import Scope
from broker.succession import POLICY_FLOOR


@dataclass(frozen=True)
class PolicyRules:
    """What a set must meet to come into force, from the broker's configuration.

    `accept` raises for a set that does not go with the rest of the configuration (parties, environment).
    """

    signers: Sequence[str]
    quorum: int
    unsafe_skip_approvals: bool
    accept: Callable[[PolicySet], None]


@dataclass(frozen=True)
class Activation:
    """A set that has come into force, and the index of its entry."""

    policies: PolicySet
    index: int


class InForce:
    """Holds the set in force. `current` is safe from any thread; changes go through the log, one at a time."""

    def __init__(
        self, *, sequencer: Sequencer, reader: LogReader, clock: Clock, scope: Scope, rules: PolicyRules
    ) -> None:
        self._sequencer = sequencer
        self._reader = reader
        self._clock = clock
        self._scope = scope
        self._rules = rules
        self._changing = threading.Lock()
        self._current: PolicySet | None = None

    def current(self) -> PolicySet:
        """The set in force. `open` must have been called."""
        assert self._current is not None
        return self._current

    def open(self, bundle: bytes) -> SluisError | None:
        """At start: puts `bundle` in force, or goes on with the set that is.

        Returns why the bundle was refused when the last good set stays in force instead.

        Raises:
            SluisError: the reason, when there is no last good set either.
        """
        try:
            self.offer(bundle)
        except SluisError as error:
            with suppress(SluisError):
                if self._adopt():
                    return error
            raise
        return None

    def offer(self, bundle: bytes) -> Activation | None:
        """Puts a bundle in force; None when it is in force already.

        Raises:
            SluisError: POLICY_INVALID, POLICY_UNSIGNED, POLICY_EXPIRED, POLICY_REVISION_LOWER, CONFIG_INVALID, or
                what the log says; then nothing has changed.
        """
        with self._changing:
            policies = self._load(bundle)
            self._rules.accept(policies)
            if self._is_in_force(policies):
                self._demand_same(policies, bundle)
                self._current = policies
                return None
            return self._activate(policies, bundle)

    def refresh(self) -> bool:
        """Adopts the set that another broker on this log has put in force; True when there was one."""
        with self._changing:
            current = self._current
            if current is None or self._is_in_force(current):
                return False
            return self._adopt()

    def suspend(self, notice: bytes) -> int | None:
        """Closes a purpose from the notice's log entry on; returns its index, None when it was logged before.

        Raises:
            SluisError: POLICY_INVALID, POLICY_UNSIGNED when its key may not suspend this purpose.
        """
        read = read_suspension(notice, origin=self._scope.origin, environment=self._scope.environment.value)
        policies = self.current()
        if read.purpose not in policies.purposes:
            raise SluisError(Code.POLICY_INVALID, "the set in force has no purpose of the name in this notice")
        if not may_suspend(policies, self._rules.signers, read.key, read.purpose):
            raise SluisError(
                Code.POLICY_UNSIGNED,
                "the key of this notice is neither a policy signer's nor that of an officer of a party of the purpose",
            )

        def work(tx: Transaction) -> int | None:
            stored = tx.document(SUSPENSION, read.purpose)
            if knows(stored, read.notice):
                return None
            tx.put_document(SUSPENSION, read.purpose, with_notice(stored, read.notice, tx.sequenced_at))
            return tx.append("notice", read.entry())

        return self._sequencer.submit(work).value

    def _load(self, bundle: bytes) -> PolicySet:
        rules = self._rules
        return load_bundle(
            bundle,
            signers=rules.signers,
            quorum=rules.quorum,
            now=self._clock.now(),
            unsafe_skip_approvals=rules.unsafe_skip_approvals,
        )

    def _is_in_force(self, policies: PolicySet) -> bool:
        return self._reader.document(*POLICY_STATE) == policy_state(policies.digest, policies.revision)

    def _demand_same(self, policies: PolicySet, bundle: bytes) -> None:
        """A set under the revision in force must be that set, to the comment and the expiry."""
        stored = self._reader.document("policy-archive", f"{policies.digest}/{policies.revision}")
        if stored is not None and read_bundle(stored).manifest != read_bundle(bundle).manifest:
            raise _revision_taken(policies)

    def _activate(self, policies: PolicySet, bundle: bytes) -> Activation:
        before = self._current

        def work(tx: Transaction) -> int:
            _check_revision(tx.document(*POLICY_STATE), policies)
            _check_floor(tx.document(*POLICY_FLOOR), policies)
            tx.put_document("policy-set", policies.digest, bundle)
            tx.put_document("policy-archive", f"{policies.digest}/{policies.revision}", bundle)
            tx.put_document(*POLICY_STATE, policy_state(policies.digest, policies.revision))
            index = tx.append("policy", _entry(policies))
            # Here, in the sequencer's thread: every later work of this batch decides under the new set. If the batch
            # is not committed, asks find the stored state to differ and are sent back until `_settle` has run.
            self._current = policies
            return index

        try:
            return Activation(policies, self._sequencer.submit(work).value)
        except SluisError:
            self._settle(before, policies)
            raise

    def _settle(self, before: PolicySet | None, after: PolicySet) -> None:
        """After a batch that failed, or may have: holds whichever set the log has in force."""
        self._current = after if self._is_in_force(after) else before

    def _adopt(self) -> bool:
        """Takes up the set that the log has in force, verified anew; False when there is none that can be."""
        stored = self._reader.document(*POLICY_STATE)
        if stored is None:
            return False
        state = json.loads(stored)
        bundle = self._reader.document("policy-archive", f"{state['digest']}/{state['revision']}")
        if bundle is None:
            return False
        policies = self._load(bundle)
        self._rules.accept(policies)
        self._current = policies
        return True


def _check_revision(stored: bytes | None, policies: PolicySet) -> None:
    if stored is None:
        return
    state = json.loads(stored)
    if state["revision"] > policies.revision:
        raise SluisError(
            Code.POLICY_REVISION_LOWER,
            f"the policy set has revision {policies.revision}, lower than {state['revision']} that was in force; "
            "a roll-back is a new, higher revision of the old text",
        )
    if state["revision"] == policies.revision:
        raise _revision_taken(policies)


def _check_floor(stored: bytes | None, policies: PolicySet) -> None:
    """A log that follows another goes on from the set that was in force there: that one, or a higher revision."""
    if stored is None:
        return
    floor = json.loads(stored)
    if policies.revision < floor["revision"]:
        raise SluisError(
            Code.POLICY_REVISION_LOWER,
            f"the policy set has revision {policies.revision}, lower than {floor['revision']}, in force when the "
            "log before this one ended; a roll-back is a new, higher revision of the old text",
        )
    if policies.revision == floor["revision"] and policies.digest != floor["digest"]:
        raise _revision_taken(policies)


def _revision_taken(policies: PolicySet) -> SluisError:
    return SluisError(
        Code.POLICY_REVISION_LOWER,
        f"another policy set was in force under revision {policies.revision}; give this one a higher revision",
    )


def _entry(policies: PolicySet) -> dict[str, object]:
    return {
        "digest": policies.digest,
        "text_digest": policies.text_digest,
        "revision": policies.revision,
        "expires": policies.expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if policies.expires else None,
        "signers": list(policies.signers),
        "engine": ENGINE,
    }
