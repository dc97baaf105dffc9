"""What every running service with a log of its own is made of: the log, policies, parties, witnesses, health.

`broker.app` furnishes it as a broker or as a key service. Beside `broker.app` and `broker.own_log` the only module that
knows concrete stores and key holders.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from broker import __version__
from broker.acceptance import accept
from broker.config import Config, reread_parties
from broker.custody.keys import SystemClock, SystemEntropy
from broker.custody.voprf_seeds import FileSeeds
from broker.directory import check_own_certificate, load_directory, log_parties
from broker.errors import Code, SluisError
from broker.evaluations import Evaluations
from broker.exchange import Receipt
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.high_water import claim
from broker.exchange_log.opening import check_tree, check_unsealed, genesis, key_periods, receipt_of
from broker.handed_in import LATER, take_files
from broker.housekeeping import Chore, Housekeeping
from broker.in_force import InForce, PolicyRules
from broker.intake import Intake
from broker.key_destruction import MAX_REQUEST_BYTES, KeyDestruction
from broker.key_store import keys_of
from broker.own_log import (
    check_not_begun,
    key_requests_of,
    note_begun,
    open_high_water,
    open_seeds,
    same_volume,
)
from broker.parties import Caller
from broker.policy.evaluate import ENGINE
from broker.policy_files import PolicyFiles, read_bundle_file
from broker.ports import CheckpointSigner, Clock, LogReader
from broker.rekeying import Rekeying
from broker.rpc.audit_service import AuditServicer
from broker.rpc.identity import Identity
from broker.rpc.interceptors import Edge, StreamSlots
from broker.rpc.pseudonym_service import PseudonymServicer
from broker.rpc.server import Server, Services
from broker.stamping import stamper_of
from broker.statements import Scope
from broker.storage.high_water import FileHighWater
from broker.storage.sqlite import SqliteLogStore
from broker.subject_search import SubjectSearch
from broker.witnesses import ask_at_start, watch

log = structlog.get_logger("broker.app")

_NO_KEY_YET = ("KeyService/GetEpoch", Code.EPOCH_UNKNOWN)
"""What a participant is told of an epoch without a key: an answer, and nothing that an auditor must see."""


class Host(ABC):
    """A running service. `start` refuses what it should not run with; `stop` loses nothing that was acknowledged."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self._config = config
        self._clock: Clock = clock or SystemClock()
        self._entropy = SystemEntropy()
        self._keys = keys_of(config)
        check_own_certificate(config, self._clock.now())
        bundle = read_bundle_file(config)
        config.data.mkdir(parents=True, exist_ok=True)
        self._store = SqliteLogStore(config.data / "sluis.db", self._keys.at_rest, self._entropy)
        self._high_water: FileHighWater | None = None
        self._seeds: FileSeeds | None = None
        self._sequencer = Sequencer(self._store, self._keys.signer, self._clock)
        try:
            check_not_begun(config, self._store.reader, self._keys)
            self._high_water = open_high_water(config.high_water, config.origin, self._store.reader, self._clock.now())
            self._sequencer = Sequencer(self._store, self._keys.signer, self._clock, self._high_water)
            self._assemble(bundle)
        except BaseException:
            self._sequencer.stop()
            self._close()
            raise

    @abstractmethod
    def _furnish(self) -> None:
        """Makes what this service has beside its log; called once log, policies and directory stand."""

    @abstractmethod
    def _services(self, audit: AuditServicer) -> Services:
        """The servicers, made once everything stands that they call."""

    def _rekeyed(self) -> Sequence[Callable[[], bool]]:
        """What moves to a new storage key, beside the database: each is called until it says that nothing is left."""
        return ()

    def _slow_chores(self) -> tuple[Chore, ...]:
        """What is to be done every half minute beside what every service does."""
        return ()

    def _quick_chores(self) -> tuple[Chore, ...]:
        """What is to be done every second beside what every service does."""
        return ()

    def _assemble(self, bundle: bytes) -> None:
        config, reader, signer = self._config, self._store.reader, self._keys.signer
        genesis(self._store, signer, self._clock, environment=config.environment, engine=ENGINE)
        self._take_over(signer, reader)
        note_begun(config, self._keys)
        self._sequencer.start()
        self._scope = Scope(config.origin, config.environment)
        self._in_force = self._open_policies(reader, bundle)
        loaded = load_directory(config, self._in_force.current())
        log_parties(self._sequencer, loaded)
        self._issuers = loaded.issuers_pem
        self._identity = Identity(loaded.directory, self._in_force.current, config.environment)
        self._watched = watch(config, reader, self._sequencer, signer.verifier_key, self._clock)
        self._slots = StreamSlots(config.limits.streams, config.limits.streams_per_party)
        policies = self._in_force.current
        self._intake = Intake(self._sequencer, reader, policies, self._scope, self._clock, self._entropy, self._receipt)
        self._open_key_service()
        self._pseudonyms = PseudonymServicer(self._evaluations, config.limits.workers)
        self._furnish()
        seeds = () if self._seeds is None else (self._seeds.rewrap,)
        self._rekeying = Rekeying(self._keys, self._sequencer, (*self._rekeyed(), *seeds))
        self._stamper = stamper_of(config, reader, self._sequencer, self._clock)
        self._housekeeping = Housekeeping(self._often, self._chores)
        audit = AuditServicer(
            reader=reader,
            sequencer=self._sequencer,
            verifier_key=signer.verifier_key,
            receipt=self._receipt,
            subjects=SubjectSearch(self._intake),
            slots=self._slots,
            pause=self._housekeeping.pause,
        )
        edge = Edge(self._identity, self._clock, self._log_refusal, _log_call)
        self._server = Server(edge=edge, services=self._services(audit), workers=config.limits.workers)

    def _open_key_service(self) -> None:
        """Makes the key service that the configuration names, once what was destroyed is found to be gone."""
        self._evaluations: Evaluations | None = None
        self._destruction: KeyDestruction | None = None
        if self._config.key_service is None:
            return
        seeds, reader, policies = open_seeds(self._config, self._keys), self._store.reader, self._in_force.current
        self._seeds = seeds
        self._destruction = KeyDestruction(
            sequencer=self._sequencer, reader=reader, policies=policies, keys=seeds, clock=self._clock
        )
        again = self._destruction.reapply()
        if again:
            log.warning("destroyed keys again that a restore brought back", count=again)
        self._evaluations = Evaluations(
            sequencer=self._sequencer,
            reader=reader,
            policies=policies,
            keys=seeds,
            clock=self._clock,
            unwitnessed=self._watched.refusal,
        )

    def _receipt(self, index: int) -> Receipt:
        return receipt_of(self._store.reader, index)

    def _take_over(self, signer: CheckpointSigner, reader: LogReader) -> None:
        key = parse_verifier_key(signer.verifier_key)
        checkpoint = check_tree(reader, key)
        check_unsealed(reader)
        ask_at_start(self._config, reader, [text for _, text in key_periods(reader)])
        if self._high_water is None:
            log.warning("no high-water file", origin=signer.origin)
            return
        _, note = reader.checkpoint()
        claim(self._high_water, checkpoint, note, self._clock.now())
        if same_volume(self._config):
            log.warning("high-water file is on the volume of the data", origin=signer.origin)

    def _close(self) -> None:
        if self._seeds is not None:
            self._seeds.close()
        self._store.close()
        if self._high_water is not None:
            self._high_water.close()

    def _open_policies(self, reader: LogReader, bundle: bytes) -> InForce:
        config = self._config
        in_force = InForce(
            sequencer=self._sequencer,
            reader=reader,
            clock=self._clock,
            scope=self._scope,
            rules=PolicyRules(
                signers=config.policy.signers,
                quorum=config.policy.quorum,
                unsafe_skip_approvals=config.policy.unsafe_skip_approvals,
                accept=lambda policies: accept(self._config, policies),
            ),
        )
        self._policy_files = PolicyFiles(config, in_force)
        refused = in_force.open(bundle)
        current = in_force.current()
        if refused is not None:
            log.error("policy set refused", code=refused.code.name, policy_set=current.digest)
        log.info("policy set in force", policy_set=current.digest, revision=current.revision)
        return in_force

    def start(self) -> int:
        """Serves; returns the port."""
        tls = self._config.tls
        self._watched.start()
        port = self._server.start(
            self._config.listen,
            certificate=lambda: (tls.key.read_bytes(), tls.certificate.read_bytes()),
            client_issuers=self._issuers,
        )
        self._tell_health()
        self._housekeeping.start()
        if self._stamper is not None:
            self._stamper.start()
        log.info("serving", listen=self._config.listen, origin=self._config.origin, version=__version__)
        return port

    def stop(self, grace: float = 20.0) -> None:
        """Health first, then drain, then storage."""
        self._housekeeping.stop()
        self._watched.stop()
        self._server.stop(grace)
        if self._stamper is not None:
            self._stamper.stop()
        self._sequencer.stop()
        self._close()
        log.info("stopped", origin=self._config.origin)

    def _log_refusal(self, caller: Caller, rpc: str, code: Code, request_id: str | None) -> None:
        if (rpc, code) == _NO_KEY_YET:
            return
        body = {"party": caller.party, "rpc": rpc, "code": code.name, "request_id": request_id}
        try:
            self._sequencer.submit(lambda tx: tx.append("refusal", body))
        except SluisError as error:
            log.error("refusal not logged", code=error.code.name)

    def reload(self) -> None:
        """Reads policy, pins and revocation lists again at once, as on SIGHUP. Returns before it is done."""
        self._housekeeping.nudge()

    def _often(self, again: bool) -> tuple[Chore, ...]:
        return (
            ("policy", partial(self._look_at_policy, again=again)),
            ("witnesses", self._look_at_witnesses),
            ("service keys", self._destroy_keys),
            ("storage key", self._rekeying.step),
            *self._quick_chores(),
        )

    def _look_at_policy(self, *, again: bool) -> None:
        if self._policy_files.look(again=again):
            self.reload_directory()

    def _destroy_keys(self) -> None:
        if self._destruction is not None:
            folder = key_requests_of(self._config)
            take_files(folder, "request to destroy a key", MAX_REQUEST_BYTES, self._destruction.take, LATER)

    def _chores(self) -> tuple[Chore, ...]:
        return (("directory", self.reload_directory), *self._slow_chores(), ("health", self._tell_health))

    def reload_directory(self) -> None:
        """Reads pins and revocation lists again, as housekeeping does every 30 seconds; logs what changed."""
        try:
            self._config = reread_parties(self._config)
        except SluisError as error:  # a file half edited: go on with the certificates it named before
            log.error("configuration not read again", code=error.code.name)
        loaded = load_directory(self._config, self._in_force.current())
        if loaded.directory != self._identity.directory:
            log_parties(self._sequencer, loaded)
            self._identity.directory = loaded.directory
            log.info("directory reloaded", count=len(loaded.entries))

    def _look_at_witnesses(self) -> None:
        if self._watched.turned():
            self._tell_health()

    def _tell_health(self) -> None:
        writes = not self._keys.locked and self._sequencer.ready()
        self._server.ready(is_ready=writes and self._watched.refusal() is None)


def _log_call(rpc: str, outcome: str, seconds: float) -> None:
    log.info("call", rpc=rpc, code=outcome, seconds=round(seconds, 4))
