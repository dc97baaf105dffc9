"""Puts a broker together from a configuration, or a key service alone; with `broker.hosting` and `broker.own_log` the
only module that knows concrete stores and key holders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from broker.asking import KEYED, KEYED_AND_OBLIVIOUS, AskGate
from broker.canaries import Canaries
from broker.coordinator import Coordinator
from broker.custody.keys import SystemClock, SystemEntropy
from broker.disputing import Disputing
from broker.epochs import Epochs
from broker.erasure import Erasure
from broker.errors import Code, SluisError
from broker.exchange import ANSWER_KEPT, SEAL_OVERHEAD
from broker.handed_in import LATER, take_files
from broker.hosting import Host
from broker.housekeeping import Chore
from broker.live import LiveDesk
from broker.notices import Notices
from broker.own_log import exports_of, orders_of
from broker.policy.vault_orders import MAX_ORDER_BYTES, without_opening
from broker.ports import Clock, Entropy
from broker.publication import Publication
from broker.rectifying import Rectification
from broker.repeating import Repeating
from broker.rpc.audit_service import AuditServicer
from broker.rpc.exchange_service import ExchangeServicer
from broker.rpc.interceptors import StreamSlots
from broker.rpc.key_service import KeyServicer
from broker.rpc.notice_service import NoticeServicer
from broker.rpc.register_service import RegisterServicer
from broker.rpc.server import Services
from broker.storage.answers import FileAnswerSpool
from broker.storage.registers import FileRegisterStore
from broker.unusual_use import UnusualUse

log = structlog.get_logger("broker.app")


def system_sources() -> tuple[Clock, Entropy]:
    """The machine's clock and randomness."""
    return SystemClock(), SystemEntropy()


class Broker(Host):
    """One running broker. `start` refuses what it should not run with; `stop` loses nothing that was acknowledged."""

    def _furnish(self) -> None:
        config, reader, at_rest = self._config, self._store.reader, self._keys.at_rest
        policies, scope = self._in_force.current, self._scope
        self._registers = FileRegisterStore(config.data / "registers", at_rest, self._entropy)
        self._spool = FileAnswerSpool(config.data / "answers", at_rest, self._entropy)
        self._modes = KEYED_AND_OBLIVIOUS if self._evaluations is not None else KEYED
        self._gate = AskGate(policies, scope, self._modes)
        self._canaries = Canaries(self._intake)
        self._desk = LiveDesk(policies, scope, self._clock, config.limits.live_wait_seconds)
        self._coordinator = Coordinator(
            sequencer=self._sequencer,
            reader=reader,
            registers=self._registers,
            spool=self._spool,
            gate=self._gate,
            repeating=Repeating(reader, policies, scope),
            clock=self._clock,
            entropy=self._entropy,
            canaries=self._canaries,
            desk=self._desk,
            unwitnessed=self._watched.refusal,
        )
        self._publication = Publication(
            sequencer=self._sequencer,
            reader=reader,
            registers=self._registers,
            policies=policies,
            scope=scope,
            clock=self._clock,
            receipt=self._receipt,
        )
        self._erasure = Erasure(
            sequencer=self._sequencer,
            reader=reader,
            spool=self._spool,
            policies=policies,
            signers=config.policy.signers,
            scope=scope,
            clock=self._clock,
        )
        again = self._erasure.reapply()
        if again:
            log.warning("erased again what a restore brought back", count=again)
        self._recover()

    def _services(self, audit: AuditServicer) -> Services:
        limits, reader = self._config.limits, self._store.reader
        self._epochs = Epochs(
            sequencer=self._sequencer,
            reader=reader,
            policies=self._in_force.current,
            scope=self._scope,
            clock=self._clock,
            receipt=self._receipt,
            modes=self._modes,
        )
        return Services(
            audit=audit,
            exchange=ExchangeServicer(
                coordinator=self._coordinator,
                disputing=Disputing(self._intake, self._spool),
                gate=self._gate,
                sequencer=self._sequencer,
                reader=reader,
                bundle=lambda digest: reader.document("policy-set", digest),
                scope=self._scope,
                clock=self._clock,
                slots=self._slots,
                bulk=StreamSlots(limits.bulk_slots, limits.bulk_slots),
                bulk_from=limits.bulk_from,
                live=StreamSlots(max(1, limits.workers // 4), max(1, limits.workers // 8)),
                certificate_of=self._publication.certificate_of,
                grid=self._wait_for_grid,
            ),
            register=RegisterServicer(
                publication=self._publication,
                rectification=Rectification(self._intake, self._spool),
                canaries=self._canaries,
                desk=self._desk,
                widths=self._sealed_widths,
                pollers=StreamSlots(max(1, limits.workers // 4), 2),
                reader=reader,
                clock=self._clock,
                slots=self._slots,
                grid=self._wait_for_grid,
            ),
            notices=NoticeServicer(Notices(self._intake), UnusualUse(self._intake)),
            keys=KeyServicer(self._epochs),
            pseudonyms=self._pseudonyms,
        )

    def _sealed_widths(self, attributes: tuple[str, ...]) -> tuple[int, ...]:
        known = self._in_force.current().catalogue.attributes
        return tuple(known[name].width + SEAL_OVERHEAD for name in attributes)

    def _wait_for_grid(self, arrived: datetime) -> None:
        width = self._config.limits.answer_grid_ms / 1000
        if width:
            gone = (self._clock.now() - arrived).total_seconds()
            time.sleep(max(0.0, width - gone % width))

    def _rekeyed(self) -> Sequence[Callable[[], bool]]:
        return (self._registers.rewrap, self._spool.rewrap)

    def _quick_chores(self) -> tuple[Chore, ...]:
        return (("orders", self._take_orders),)

    def _take_orders(self) -> None:
        later = LATER | {Code.EXCHANGE_OPEN}
        orders = orders_of(self._config)
        take_files(orders, "vault order", MAX_ORDER_BYTES, self._take_order, later, without_opening)
        exports = exports_of(self._config)
        take_files(exports, "request for a vault export", MAX_ORDER_BYTES, self._erasure.announce_export, LATER)

    def _take_order(self, order: bytes) -> None:
        self._erasure.take(order)
        self._store.fold()

    def _slow_chores(self) -> tuple[Chore, ...]:
        return (
            ("registers", self._publication.sweep),
            ("answers", self._sweep_answers),
            ("vault", self._expire_vault),
            ("envelopes", self._drop_envelopes),
            ("recovery", self._recover),
        )

    def _sweep_answers(self) -> None:
        self._spool.sweep(self._clock.now() - ANSWER_KEPT)

    def _drop_envelopes(self) -> None:
        count = self._epochs.drop_envelopes()
        if count:
            self._store.fold()
            log.info("envelopes dropped at the end of their escrow", count=count)

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


class KeyService(Host):
    """A key service alone, at another operator than the broker: evaluates, and keeps a log of its own."""

    def _furnish(self) -> None:
        if self._evaluations is None:
            raise SluisError(Code.CONFIG_INVALID, "key_service: is not set: give the id in the signed policy")

    def _services(self, audit: AuditServicer) -> Services:
        return Services(audit=audit, pseudonyms=self._pseudonyms)
