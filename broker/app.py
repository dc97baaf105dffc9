"""Puts a broker together from a configuration: the only module that knows concrete stores and key holders."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from broker import __version__
from broker.acceptance import accept
from broker.asking import AskGate
from broker.config import Config
from broker.coordinator import Coordinator
from broker.custody.keys import FileKeys, SystemClock, SystemEntropy
from broker.directory import check_own_certificate, load_directory, log_parties
from broker.disputing import Disputing
from broker.epochs import Epochs
from broker.erasure import Erasure
from broker.errors import Code, SluisError
from broker.exchange import ANSWER_KEPT
from broker.exchange_log.append import Sequencer
from broker.exchange_log.checkpoint import parse_verifier_key
from broker.exchange_log.high_water import claim
from broker.exchange_log.opening import check_tree, check_unsealed, genesis, key_periods
from broker.handed_in import LATER, take_files
from broker.housekeeping import Chore, Housekeeping
from broker.in_force import InForce, PolicyRules
from broker.intake import Intake
from broker.notices import Notices
from broker.own_log import (
    check_not_begun,
    exports_of,
    note_begun,
    open_high_water,
    orders_of,
    same_volume,
)
from broker.parties import Caller
from broker.policy.evaluate import ENGINE
from broker.policy.vault_orders import MAX_ORDER_BYTES, without_opening
from broker.policy_files import PolicyFiles, read_bundle_file
from broker.ports import CheckpointSigner, Clock, Entropy, LogReader
from broker.publication import Publication
from broker.rectifying import Rectification
from broker.repeating import Repeating
from broker.rpc.audit_service import AuditServicer
from broker.rpc.exchange_service import ExchangeServicer
from broker.rpc.identity import Identity
from broker.rpc.interceptors import Edge, StreamSlots
from broker.rpc.key_service import KeyServicer
from broker.rpc.notice_service import NoticeServicer
from broker.rpc.register_service import RegisterServicer
from broker.rpc.server import Server, Services
from broker.stamping import stamper_of
from broker.statements import Scope
from broker.storage.answers import FileAnswerSpool
from broker.storage.high_water import FileHighWater
from broker.storage.registers import FileRegisterStore
from broker.storage.sqlite import SqliteLogStore
from broker.subject_search import SubjectSearch
from broker.unusual_use import UnusualUse
from broker.witnesses import ask_at_start, watch

log = structlog.get_logger("broker.app")


def system_sources() -> tuple[Clock, Entropy]:
    """The machine's clock and randomness."""
    return SystemClock(), SystemEntropy()


class Broker:
    """One running broker. `start` refuses what it should not run with; `stop` loses nothing that was acknowledged."""

    def __init__(self, config: Config, *, clock: Clock | None = None) -> None:
        self._config = config
        self._clock: Clock = clock or SystemClock()
        entropy = SystemEntropy()
        keys = FileKeys.load(config.keys, origin=config.origin)
        check_own_certificate(config, self._clock.now())
        bundle = read_bundle_file(config)
        config.data.mkdir(parents=True, exist_ok=True)
        self._store = SqliteLogStore(config.data / "sluis.db", keys.at_rest, entropy)
        self._high_water: FileHighWater | None = None
        self._sequencer = Sequencer(self._store, keys.signer, self._clock)
        try:
            check_not_begun(config, self._store.reader, keys)
            self._high_water = open_high_water(config.high_water, config.origin, self._store.reader, self._clock.now())
            self._sequencer = Sequencer(self._store, keys.signer, self._clock, self._high_water)
            self._assemble(config, keys, entropy, bundle)
        except BaseException:
            self._sequencer.stop()
            self._close()
            raise

    def _assemble(self, config: Config, keys: FileKeys, entropy: SystemEntropy, bundle: bytes) -> None:
        reader = self._store.reader
        genesis(self._store, keys.signer, self._clock, environment=config.environment, engine=ENGINE)
        self._take_over(keys.signer, reader)
        note_begun(config, keys)
        self._sequencer.start()
        scope = Scope(config.origin, config.environment)
        self._in_force = self._open_policies(config, reader, scope, bundle)
        loaded = load_directory(config, self._in_force.current())
        log_parties(self._sequencer, loaded)
        self._issuers = loaded.issuers_pem
        self._identity = Identity(loaded.directory, self._in_force.current, config.environment)
        self._registers = FileRegisterStore(config.data / "registers", keys.at_rest, entropy)
        self._spool = FileAnswerSpool(config.data / "answers", keys.at_rest, entropy)
        self._watched = watch(config, reader, self._sequencer, keys.signer.verifier_key, self._clock)
        gate = AskGate(self._in_force.current, scope)
        self._coordinator = Coordinator(
            sequencer=self._sequencer,
            reader=reader,
            registers=self._registers,
            spool=self._spool,
            gate=gate,
            repeating=Repeating(reader, self._in_force.current, scope),
            clock=self._clock,
            entropy=entropy,
            unwitnessed=self._watched.refusal,
        )
        self._publication = Publication(
            sequencer=self._sequencer,
            reader=reader,
            registers=self._registers,
            policies=self._in_force.current,
            scope=scope,
            clock=self._clock,
            receipt=self._coordinator.receipt,
        )
        self._intake = Intake(
            self._sequencer, reader, self._in_force.current, scope, self._clock, entropy, self._coordinator.receipt
        )
        self._erasure = Erasure(
            sequencer=self._sequencer,
            reader=reader,
            spool=self._spool,
            policies=self._in_force.current,
            signers=config.policy.signers,
            scope=scope,
            clock=self._clock,
        )
        again = self._erasure.reapply()
        if again:
            log.warning("erased again what a restore brought back", count=again)
        self._recover()
        self._stamper = stamper_of(config, reader, self._sequencer, self._clock)
        self._housekeeping = Housekeeping(self._often, self._chores)
        self._server = self._make_server(gate, reader, scope, keys.signer.verifier_key)

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
        self._store.close()
        if self._high_water is not None:
            self._high_water.close()

    def _open_policies(self, config: Config, reader: LogReader, scope: Scope, bundle: bytes) -> InForce:
        in_force = InForce(
            sequencer=self._sequencer,
            reader=reader,
            clock=self._clock,
            scope=scope,
            rules=PolicyRules(
                signers=config.policy.signers,
                quorum=config.policy.quorum,
                unsafe_skip_approvals=config.policy.unsafe_skip_approvals,
                accept=partial(accept, config),
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

    def _make_server(self, gate: AskGate, reader: LogReader, scope: Scope, verifier_key: str) -> Server:
        limits = self._config.limits
        slots = StreamSlots(limits.streams, limits.streams_per_party)
        bulk = StreamSlots(limits.bulk_slots, limits.bulk_slots)
        epochs = Epochs(
            sequencer=self._sequencer,
            reader=reader,
            policies=self._in_force.current,
            scope=scope,
            clock=self._clock,
            receipt=self._coordinator.receipt,
        )
        services = Services(
            exchange=ExchangeServicer(
                coordinator=self._coordinator,
                disputing=Disputing(self._intake, self._spool),
                gate=gate,
                sequencer=self._sequencer,
                reader=reader,
                bundle=lambda digest: reader.document("policy-set", digest),
                scope=scope,
                clock=self._clock,
                slots=slots,
                bulk=bulk,
                bulk_from=limits.bulk_from,
                grid=self._wait_for_grid,
            ),
            register=RegisterServicer(
                publication=self._publication,
                rectification=Rectification(self._intake, self._spool),
                reader=reader,
                clock=self._clock,
                slots=slots,
            ),
            notices=NoticeServicer(Notices(self._intake), UnusualUse(self._intake)),
            keys=KeyServicer(epochs),
            audit=AuditServicer(
                reader=reader,
                sequencer=self._sequencer,
                verifier_key=verifier_key,
                receipt=self._coordinator.receipt,
                subjects=SubjectSearch(self._intake),
                slots=slots,
                pause=self._housekeeping.pause,
            ),
        )
        edge = Edge(self._identity, self._clock, self._log_refusal, _log_call)
        return Server(edge=edge, services=services, workers=limits.workers)

    def _wait_for_grid(self, arrived: datetime) -> None:
        width = self._config.limits.answer_grid_ms / 1000
        if width:
            gone = (self._clock.now() - arrived).total_seconds()
            time.sleep(max(0.0, width - gone % width))

    def _log_refusal(self, caller: Caller, rpc: str, code: Code, request_id: str | None) -> None:
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
        )

    def _look_at_policy(self, *, again: bool) -> None:
        if self._policy_files.look(again=again):
            self.reload_directory()
        self._take_orders()

    def _take_orders(self) -> None:
        later = LATER | {Code.EXCHANGE_OPEN}
        orders = orders_of(self._config)
        take_files(orders, "vault order", MAX_ORDER_BYTES, self._take_order, later, without_opening)
        exports = exports_of(self._config)
        take_files(exports, "request for a vault export", MAX_ORDER_BYTES, self._erasure.announce_export, LATER)

    def _take_order(self, order: bytes) -> None:
        self._erasure.take(order)
        self._store.fold()

    def _chores(self) -> tuple[tuple[str, Callable[[], object]], ...]:
        return (
            ("directory", self.reload_directory),
            ("registers", self._publication.sweep),
            ("answers", self._sweep_answers),
            ("vault", self._expire_vault),
            ("recovery", self._recover),
            ("health", self._tell_health),
        )

    def reload_directory(self) -> None:
        """Reads pins and revocation lists again, as housekeeping does every 30 seconds; logs what changed."""
        loaded = load_directory(self._config, self._in_force.current())
        if loaded.directory != self._identity.directory:
            log_parties(self._sequencer, loaded)
            self._identity.directory = loaded.directory
            log.info("directory reloaded", count=len(loaded.entries))

    def _sweep_answers(self) -> None:
        self._spool.sweep(self._clock.now() - ANSWER_KEPT)

    def _expire_vault(self) -> None:
        count = self._erasure.expire()
        if count:
            self._store.fold()
            log.info("vault slots erased at the end of their time", count=count)

    def _recover(self) -> None:
        """Closes asks whose lease has run out; until then a repeat of the request is still answered."""
        closed = self._coordinator.recover(self._clock.now())
        if closed:
            log.info("closed open asks as unknown", count=closed)

    def _look_at_witnesses(self) -> None:
        if self._watched.turned():
            self._tell_health()

    def _tell_health(self) -> None:
        self._server.ready(is_ready=self._sequencer.ready() and self._watched.refusal() is None)


def _log_call(rpc: str, outcome: str, seconds: float) -> None:
    log.info("call", rpc=rpc, code=outcome, seconds=round(seconds, 4))
