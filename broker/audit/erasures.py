"""Erasures and legal holds in the log: who ordered them, whether they came too early, whether something was held."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from broker.audit import strict_json
from broker.audit.commitments import NO_TERM, NO_USE, Commitments, Rows, Use, mark_of, micros, pairs
from broker.audit.entries import GRACE, LogEntry, is_hex, is_number, read_time
from broker.audit.findings import Code, Findings
from broker.audit.policies import Policies
from broker.audit.trust import Trust
from broker.errors import SluisError
from broker.policy.document import PolicySet
from broker.policy.suspension import is_signed
from broker.policy.vault_orders import (
    CLOCKS_APART,
    ERASE,
    HOLD,
    LIFT,
    OLDEST_ORDER,
    check_order,
    may_hold,
    may_lift,
    parties_of_key,
)

_ROW = struct.Struct("<16sqqi")
_TYPE = np.dtype([("mark", "S16"), ("index", "<i8"), ("at", "<i8"), ("order", "<i4")])
_RETENTION = -1
_FOREVER = 2**62
Mask = npt.NDArray[np.bool_]


@dataclass
class _Order:
    """An order to erase: what it names, and whose exchanges its key may erase."""

    exchanges: set[bytes]
    parties: list[int]


@dataclass
class _Held:
    """A hold: what it names, from its entry to the entry that lifted it."""

    key: str
    stated: Mapping[str, Any]
    index: int
    lifted: int = _FOREVER


@dataclass
class Erased:
    """What the log says of commitments, at its end."""

    rows: Rows
    marks: set[bytes] = field(default_factory=set)
    """Erased commitments, as `mark_of`."""


class Erasures:
    """Reads asks and releases for what they commit to, and `erasure` and `config` entries."""

    def __init__(self, trust: Trust, findings: Findings, policies: Policies) -> None:
        self._trust = trust
        self._findings = findings
        self._policies = policies
        self._made = Commitments()
        self._waiting: dict[int, Use] = {}
        self._erased = bytearray()
        self._orders: list[_Order] = []
        self._numbers: dict[str, int] = {}
        self._holds: dict[str, _Held] = {}
        self._correction: tuple[int, Mapping[str, Any], str, int] = (-1, {}, "", 0)
        """Index, statement, answerer and time of the newest correction: its notices stand right behind it."""

    def ask(self, entry: LogEntry, policies: PolicySet | None) -> None:
        """A permitted `ask`: its commitments stand in the vault from here on. A denied one leaves none."""
        body, statement = entry.body, entry.body["statement"]
        if body["decision"].get("effect") != "permit":
            return
        decided_at = read_time(body["decided_at"])
        purpose = policies.purposes.get(body["purpose"]) if policies else None
        due = micros(decided_at + timedelta(days=purpose.vault_keep_days)) if purpose else 0
        number = self._made.number
        use = Use(
            exchange_mark(body["asker"], body["exchange"]),
            due,
            micros(decided_at),
            number(body["purpose"]),
            number(body["asker"]),
            number(body["principal"]),
            number(body["answerer"]),
            min(statement["subjects"], 2**32 - 1) if is_number(statement.get("subjects")) else 0,
        )
        for member, label in (
            ("tokens", "tokens"),
            ("case_number", "case-number"),
            ("cooperation_ref", "cooperation-ref"),
        ):
            if is_hex(statement.get(member)):
                self._made.add(statement[member], label, entry.index, use)
        self._waiting[entry.index] = use

    def release(self, entry: LogEntry) -> None:
        """A `release`: what it commits to."""
        use = self._waiting.pop(entry.body["ask_index"], None)
        result = entry.body["result"]
        if use is not None and result is not None:
            self._made.add(result, "result", entry.index, use)

    def rectification(self, entry: LogEntry) -> None:
        """A `notice`, `correction` or `outcome`: what it commits to. How long that is kept is not judged."""
        body = entry.body
        statement = body.get("statement", {})
        use, number = NO_USE, self._made.number
        if entry.kind == "correction" or body.get("what") == "correction-notice":
            use = self._corrected(entry)
        elif is_number(body.get("ask_index")):
            names = (number(body["purpose"]), number(body["asker"]), 0, number(body["answerer"]))
            use = Use(exchange_mark(body["asker"], body["exchange"]), 0, micros(entry.at), *names)
        for holder, member in ((statement, "position"), (statement, "record"), (body, "record"), (body, "positions")):
            if is_hex(holder.get(member)):
                self._made.add(holder[member], member, entry.index, use)

    def _corrected(self, entry: LogEntry) -> Use:
        """What a correction or a notice of it commits to belongs to the correction, and to the asks that it told."""
        body, number = entry.body, self._made.number
        if entry.kind == "correction":
            statement = body["statement"]
            self._correction = (entry.index, statement, body["answerer"], micros(entry.at))
        index, statement, answerer, at = self._correction
        if entry.kind == "notice":
            if body["correction"] != index:
                return NO_USE  # a finding of its own
            for ask in body["asks"]:
                if ask < 2**63 and is_hex(statement.get("record")):
                    self._made.tell(statement["record"], index, ask)
                    self._made.tell(body["positions"], entry.index, ask)
        party = body["party"] if entry.kind == "notice" else answerer
        exchange = exchange_mark(party, str(statement.get("request_id")))
        return Use(exchange, NO_TERM, at, number(body["purpose"]), number(party), 0, number(answerer))

    def erasure(self, entry: LogEntry) -> None:
        """An `erasure`: its form, and for a request the order behind it. What it erased is judged at the end."""
        body = entry.body
        names, order = body["commitments"], _RETENTION
        if not all(map(is_hex, names)) or names != sorted(set(names)):
            self._findings.add(Code.LEAF_FORM, "the commitments of an erasure", index=entry.index)
            return
        if body["what"] == "request":
            order = self._ordered(entry)
            case = body["statement"].get("case")
            if is_hex(case):
                self._made.add(case, "case-number", entry.index, NO_USE)
        elif not names:
            self._findings.add(Code.LEAF_FORM, "an erasure of nothing", index=entry.index)
        for name in names:
            self._erased += _ROW.pack(mark_of(name), entry.index, micros(entry.at), order)

    def config(self, entry: LogEntry) -> None:
        """A `config` entry that places or lifts a hold."""
        body = entry.body
        if body["what"] == "legal-hold-added":
            policies = self._policies.current
            if (
                not self._is_order(entry, HOLD)
                or policies is None
                or body["order"] in self._holds
                or not may_hold(policies, self._trust.policy_signers, body["key"], body["statement"])
            ):
                self._find(Code.ERASURE_ORDER, entry)
                return
            self._holds[body["order"]] = _Held(body["key"], body["statement"], entry.index)
        elif body["what"] == "legal-hold-lifted":
            placed = self._holds.get(str(body["statement"].get("hold")))
            policies = self._policies.current
            if (
                not self._is_order(entry, LIFT)
                or policies is None
                or placed is None
                or placed.lifted != _FOREVER
                or not may_lift(policies, self._trust.policy_signers, body["key"], placed.key)
            ):
                self._find(Code.ERASURE_ORDER, entry)
                return
            placed.lifted = entry.index

    def settle(self) -> Erased:
        """At the end of the log: judges every erasure against what the log had committed to before it."""
        rows = self._made.rows()
        erased = np.frombuffer(bytes(self._erased), _TYPE)
        marks, first = np.unique(erased["mark"], return_index=True)
        again = np.ones(len(erased), np.bool_)
        again[first] = False
        self._report(Code.ERASURE_TWICE, erased, again)
        # judged once each: as often as it was made and erased would be work, and room, without a bound
        erased = erased[~again]
        at, of = pairs(rows, erased["mark"])
        before = rows["index"][of] < erased["index"][at]
        at, of = at[before], of[before]
        known = np.zeros(len(erased), np.bool_)
        known[at] = True
        self._report(Code.ERASURE_UNKNOWN, erased, ~known)
        self._report_pairs(
            Code.ERASURE_EARLY,
            erased,
            at,
            (erased["order"][at] == _RETENTION) & (rows["due"][of] > erased["at"][at]),
        )
        self._settle_orders(rows, erased, at, of)
        for hold in self._holds.values():
            self._report_pairs(Code.ERASURE_HELD, erased, at, self._held(hold, rows, erased, at, of))
        return Erased(rows, {bytes(mark).ljust(16, b"\0") for mark in marks})

    def _settle_orders(self, rows: Rows, erased: Rows, at: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> None:
        """A request erases what its order names, of an asker or principal that its officer signs for."""
        for number, order in enumerate(self._orders):
            mine = erased["order"][at] == number
            named = np.isin(rows["exchange"][of], np.array(sorted(order.exchanges), "S16"))
            whose = np.isin(rows["asker"][of], order.parties) | np.isin(rows["principal"][of], order.parties)
            good = np.zeros(len(erased), np.bool_)
            good[at[mine & named & whose & (rows["due"][of] != NO_TERM)]] = True
            known = np.zeros(len(erased), np.bool_)
            known[at[mine]] = True
            self._report(Code.ERASURE_UNORDERED, erased, known & ~good)

    def _held(
        self, hold: _Held, rows: Rows, erased: Rows, at: npt.NDArray[np.int64], of: npt.NDArray[np.int64]
    ) -> Mask:
        stated, number = hold.stated, self._made.number
        entry = erased["index"][at]
        mask: Mask = (entry > hold.index) & (entry < hold.lifted)
        mask &= (erased["at"][at] < _at(stated["until"])) & (rows["asker"][of] != 0)
        if stated["purpose"] is not None:
            mask &= rows["purpose"][of] == number(stated["purpose"])
        if stated["party"] is not None:
            party = number(stated["party"])
            mask &= (rows["asker"][of] == party) | (rows["principal"][of] == party) | (rows["answerer"][of] == party)
        if stated["exchange"] is not None:
            wanted = [exchange_mark(name, stated["exchange"]) for name in self._made.names()]
            mask &= np.isin(rows["exchange"][of], np.array(wanted, "S16"))
        if stated["asked_from"] is not None:
            mask &= rows["asked_at"][of] >= _at(stated["asked_from"])
        if stated["asked_until"] is not None:
            mask &= rows["asked_at"][of] < _at(stated["asked_until"])
        return mask

    def _ordered(self, entry: LogEntry) -> int:
        """The number of the order behind an erasure."""
        body = entry.body
        known = self._numbers.get(body["order"])
        policies = self._policies.current
        if not self._is_order(entry, ERASE) or policies is None:
            self._find(Code.ERASURE_ORDER, entry)
            return _RETENTION - 1
        if known is None:
            parties = [self._made.number(name) for name in sorted(parties_of_key(policies, body["key"]))]
            if not parties:
                self._find(Code.ERASURE_ORDER, entry)
            named = {exchange_mark(item["asker"], item["exchange"]) for item in body["statement"]["exchanges"]}
            self._orders.append(_Order(named, parties))
            known = self._numbers[body["order"]] = len(self._orders) - 1
        return known

    def _is_order(self, entry: LogEntry, kind: str) -> bool:
        """Whether an entry holds a well-formed, signed order of this log."""
        body, stated = entry.body, entry.body["statement"]
        try:
            check_order(stated)
        except SluisError:
            return False
        if (stated["origin"], stated["environment"]) != (self._trust.origin, self._trust.environment):
            self._find(Code.STATEMENT_DIFFERS, entry)
        if not entry.at - OLDEST_ORDER - GRACE <= read_time(stated["made_at"]) <= entry.at + CLOCKS_APART:
            self._find(Code.ORDER_AGE, entry)
        return (
            stated["type"] == kind
            and hashlib.sha256(strict_json.write(stated)).hexdigest()[:16] == body["order"]
            and is_signed(stated, body["key"], body["signature"])
        )

    def _report_pairs(self, code: Code, erased: Rows, at: npt.NDArray[np.int64], wrong: Mask) -> None:
        mask = np.zeros(len(erased), np.bool_)
        mask[at[wrong]] = True
        self._report(code, erased, mask)

    def _report(self, code: Code, erased: Rows, wrong: Mask) -> None:
        """One finding for each entry."""
        for index, count in zip(*np.unique(erased["index"][wrong], return_counts=True), strict=True):
            self._findings.add(code, f"{count} commitments", index=int(index))

    def _find(self, code: Code, entry: LogEntry) -> None:
        self._findings.add(code, index=entry.index)


def exchange_mark(asker: str, exchange: str) -> bytes:
    """How an exchange is known in the table: 16 bytes of the SHA-256 of its asker and id."""
    return hashlib.sha256(f"{asker}\n{exchange}".encode()).digest()[:16]


def _at(text: str) -> int:
    return micros(datetime.fromisoformat(text))
