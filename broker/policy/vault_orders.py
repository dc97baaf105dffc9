"""Vault orders: an officer's signed word that an exchange's openings go (GDPR art. 17), or that they stay (legal hold).

An order is a statement for one log, signed with an Ed25519 key of `officers.yaml` or of a policy signer. It is handed
in as a file on the broker's host, as suspension notices are, and stands whole in the log entry that does what it says:
so an auditor checks who ordered what, and the operator alone can order nothing. Pure: takes and gives bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.canonical import canonical_json, commitment, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange import SlotUse
from broker.policy.approvals import SIGNED_PREFIX
from broker.policy.document import PolicySet
from broker.policy.suspension import fault_of_reason, is_signed

ERASE = "sluis/v1/erasure-order"
HOLD = "sluis/v1/legal-hold"
LIFT = "sluis/v1/legal-hold-lift"
MAX_ORDER_BYTES = 48 * 1024
MAX_EXCHANGES = 150
"""Exchanges in one order; its statement stands in every entry it leads to."""
OLDEST_ORDER = timedelta(days=30)
"""How long after it was made an order may be carried out: who signed for it then may not be who would sign today."""
CLOCKS_APART = timedelta(hours=1)
"""How far the clock of an officer's desk may run ahead."""
LONGEST_HOLD = timedelta(days=5 * 366)
CASE_LABEL = "case-number"
"""Label of the commitment to an order's case reference."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{16}")
_TIME = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_COMMON = {"environment", "made_at", "origin", "reason", "type"}
_MEMBERS = {
    ERASE: {*_COMMON, "case", "exchanges"},
    HOLD: {*_COMMON, "asked_from", "asked_until", "exchange", "party", "purpose", "until"},
    LIFT: {*_COMMON, "hold"},
}


@dataclass(frozen=True)
class VaultOrder:
    """An order whose form and signature were checked; whether its key may give it is for `may_*`."""

    stated: Mapping[str, Any]
    key: str
    signature: str
    opening: tuple[bytes, bytes] | None = None
    """Salt and value of the case reference, for the vault; never in the log."""

    def __repr__(self) -> str:
        return f"VaultOrder({self.order})"

    @property
    def type(self) -> str:
        """ERASE, HOLD or LIFT."""
        return str(self.stated["type"])

    @property
    def order(self) -> str:
        """Its id: the first 16 hex digits of the SHA-256 of what was signed."""
        return order_id(self.stated)

    @property
    def exchanges(self) -> tuple[tuple[str, str], ...]:
        """Asker and exchange of what is to be erased."""
        return tuple((item["asker"], item["exchange"]) for item in self.stated["exchanges"])

    def encode(self) -> bytes:
        """The order's file."""
        value: dict[str, Any] = {"key": self.key, "signature": self.signature, "statement": self.stated}
        if self.opening is not None:
            value["opening"] = {"salt": self.opening[0].hex(), "value": self.opening[1].decode()}
        return canonical_json(value)

    def members(self) -> dict[str, object]:
        """What its log entry says of it."""
        return {
            "order": self.order,
            "statement": dict(self.stated),
            "signature": self.signature,
            "key": self.key,
        }


@dataclass(frozen=True)
class Hold:
    """A legal hold in force: what it names stays in the vault until it is lifted or over."""

    hold: str
    key: str
    stated: Mapping[str, Any]

    def covers(self, uses: Iterable[SlotUse], now: datetime) -> bool:
        """Whether it keeps, now, what belongs to these."""
        return not self.over(now) and any(map(self._names, uses))

    def over(self, now: datetime) -> bool:
        """Whether its last moment has passed."""
        return _moment(self.stated["until"]) <= now

    def _names(self, use: SlotUse) -> bool:
        stated = self.stated
        return (
            stated["purpose"] in (None, use.purpose)
            and stated["party"] in (None, use.asker, use.principal, use.answerer)
            and stated["exchange"] in (None, use.exchange)
            and (stated["asked_from"] is None or _moment(stated["asked_from"]) <= use.asked_at)
            and (stated["asked_until"] is None or use.asked_at < _moment(stated["asked_until"]))
        )


def order_id(stated: Mapping[str, Any]) -> str:
    """The id of an order by its statement."""
    return hashlib.sha256(canonical_json(stated)).hexdigest()[:16]


def time_text(moment: datetime) -> str:
    """A time as orders hold it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def erase_order(
    exchanges: Collection[tuple[str, str]], reason: str, *, case: tuple[bytes, str] | None, **log: Any
) -> Callable[[Ed25519PrivateKey], VaultOrder]:
    """An order to erase exchanges (asker, exchange), for a key to sign. `case`: salt and case reference.

    Raises ORDER_INVALID, also from what it returns.
    """
    opening = None if case is None else (case[0], case[1].encode())
    stated = {
        "type": ERASE,
        "exchanges": [{"asker": asker, "exchange": exchange} for asker, exchange in sorted(set(exchanges))],
        "case": None if opening is None else commitment(CASE_LABEL, *opening),
        "reason": reason,
        **_log(**log),
    }
    return lambda key: _signed(stated, key, opening)


def hold_order(
    reason: str,
    *,
    until: datetime,
    purpose: str | None = None,
    party: str | None = None,
    exchange: str | None = None,
    asked_from: datetime | None = None,
    asked_until: datetime | None = None,
    **log: Any,
) -> Callable[[Ed25519PrivateKey], VaultOrder]:
    """An order to keep what is in the vault of a purpose, a party, or one exchange of either. Raises ORDER_INVALID."""
    stated = {
        "type": HOLD,
        "purpose": purpose,
        "party": party,
        "exchange": exchange,
        "asked_from": None if asked_from is None else time_text(asked_from),
        "asked_until": None if asked_until is None else time_text(asked_until),
        "until": time_text(until),
        "reason": reason,
        **_log(**log),
    }
    return lambda key: _signed(stated, key)


def lift_order(hold: str, reason: str, **log: Any) -> Callable[[Ed25519PrivateKey], VaultOrder]:
    """An order that ends a hold. Raises ORDER_INVALID."""
    stated = {"type": LIFT, "hold": hold, "reason": reason, **_log(**log)}
    return lambda key: _signed(stated, key)


def read_order(data: bytes, *, origin: str, environment: str) -> VaultOrder:
    """The order in a file, its form and signature checked.

    Raises:
        SluisError: ORDER_INVALID for another form or another log; ORDER_UNSIGNED when the signature is wrong.
    """
    if len(data) > MAX_ORDER_BYTES:
        raise _wrong(f"it has more than {MAX_ORDER_BYTES} bytes")
    try:
        whole = parse_canonical(data)
    except SluisError as error:
        raise _wrong("it is not canonical JSON") from error
    opening = whole.pop("opening", None)
    if set(whole) != {"key", "signature", "statement"} or not isinstance(whole["statement"], dict):
        raise _wrong("its members are not key, signature and statement")
    stated = whole["statement"]
    check_order(stated)
    if (stated["origin"], stated["environment"]) != (origin, environment):
        raise _wrong(f"it is for another log than {origin}")
    if not is_signed(stated, whole["key"], whole["signature"]):
        raise SluisError(Code.ORDER_UNSIGNED, "the order's signature is wrong; make it again with the officer's key")
    return VaultOrder(stated, whole["key"], whole["signature"], _opened(stated, opening))


def without_opening(data: bytes) -> bytes:
    """An order's file without its case reference: what is left of it when it was carried out."""
    whole = parse_canonical(data)
    whole.pop("opening", None)
    return canonical_json(whole)


def check_order(stated: Mapping[str, Any]) -> None:
    """Checks an order's statement, member by member. Raises ORDER_INVALID."""
    members = _MEMBERS.get(str(stated.get("type")))
    if members is None or stated.keys() != members:
        raise _wrong("its statement has not the members of an erasure, a legal hold or a lift")
    texts = ("environment", "origin", "reason", "made_at")
    if not all(isinstance(stated[name], str) for name in texts) or not _is_time(stated["made_at"]):
        raise _wrong("its origin, environment, reason or time is not one")
    fault = fault_of_reason(stated["reason"])
    if fault:
        raise _wrong(fault)
    if stated["type"] == ERASE:
        _check_erase(stated)
    elif stated["type"] == HOLD:
        _check_hold(stated)
    elif not _matches(_ID, stated["hold"]):
        raise _wrong("a hold is named by 16 hex digits; see `sluis audit hold list`")


def demand_timely(order: VaultOrder, now: datetime) -> None:
    """Refuses an order made too long ago, or dated ahead. Raises ORDER_INVALID."""
    made = _moment(order.stated["made_at"])
    if made < now - OLDEST_ORDER:
        raise SluisError(
            Code.ORDER_INVALID, f"the order was made more than {OLDEST_ORDER.days} days ago; have it signed anew"
        )
    if made > now + CLOCKS_APART:
        raise SluisError(Code.ORDER_INVALID, "the order was made in the future; set the clock right, make it again")


def may_erase(policies: PolicySet, key: str, uses: Iterable[SlotUse]) -> bool:
    """Whether `key` may order the erasure of an exchange: an officer's who signs for its asker or its principal."""
    return not {name for use in uses for name in (use.asker, use.principal)}.isdisjoint(parties_of_key(policies, key))


def may_hold(policies: PolicySet, signers: Collection[str], key: str, stated: Mapping[str, Any]) -> bool:
    """Whether `key` may place a hold: a policy signer's, or that of an officer of the party or of a participant."""
    if key in {signer.lower() for signer in signers}:
        return True
    concerned = set() if stated["party"] is None else {stated["party"]}
    purpose = policies.purposes.get(str(stated["purpose"]))
    if purpose is not None:
        concerned |= {*policies.participants(purpose), *(pair.principal for pair in purpose.on_behalf_of)}
    return not concerned.isdisjoint(parties_of_key(policies, key))


def may_lift(policies: PolicySet, signers: Collection[str], key: str, placed_by: str) -> bool:
    """Whether `key` may lift a hold: a policy signer's, or an officer's who signs for a party of who placed it."""
    if key in {signer.lower() for signer in signers}:
        return True
    return not parties_of_key(policies, key).isdisjoint(parties_of_key(policies, placed_by))


def parties_of_key(policies: PolicySet, key: str) -> frozenset[str]:
    """The parties that an officer's key signs for; empty when it is no officer's."""
    return frozenset(
        party
        for officer in policies.officers.values()
        if officer.key == key
        for party in policies.catalogue.parties_of(officer.signs_for)
    )


def _check_erase(stated: Mapping[str, Any]) -> None:
    listed = stated["exchanges"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_EXCHANGES:
        raise _wrong(f"it names 1 to {MAX_EXCHANGES} exchanges; make more orders for more")
    for item in listed:
        if not isinstance(item, dict) or item.keys() != {"asker", "exchange"}:
            raise _wrong("an exchange is named by its asker and its id")
        if not _matches(_NAME, item["asker"]) or not _matches(_UUID, item["exchange"]):
            raise _wrong("an exchange is named by its asker and its id, a UUID in lower case")
    if [(item["asker"], item["exchange"]) for item in listed] != sorted(
        {(item["asker"], item["exchange"]) for item in listed}
    ):
        raise _wrong("its exchanges are sorted, each once")
    if stated["case"] is not None and not _matches(_HEX64, stated["case"]):
        raise _wrong("its case is a commitment of 64 hex digits or null")


def _check_hold(stated: Mapping[str, Any]) -> None:
    shapes = (("purpose", _NAME), ("party", _NAME), ("exchange", _UUID))
    if any(stated[name] is not None and not _matches(shape, stated[name]) for name, shape in shapes):
        raise _wrong("its purpose, party or exchange is not a name or id")
    if stated["purpose"] is None and stated["party"] is None:
        raise _wrong("a hold names a purpose or a party, and what of it besides")
    times = [stated[name] for name in ("asked_from", "asked_until") if stated[name] is not None]
    if not all(map(_is_time, [*times, stated["until"]])) or times != sorted(times):
        raise _wrong("its times read 2026-11-23T10:00:00Z, the earlier one first")
    made, until = _moment(stated["made_at"]), _moment(stated["until"])
    if not made < until <= made + LONGEST_HOLD:
        raise _wrong(f"a hold ends, at most {LONGEST_HOLD.days} days after it was made; place another one then")


def _opened(stated: Mapping[str, Any], opening: object) -> tuple[bytes, bytes] | None:
    """The case reference behind the commitment in the statement; there exactly when that is."""
    case = stated.get("case")
    if (opening is None) != (case is None):
        raise _wrong("it has an opening exactly when it has a case reference")
    if opening is None:
        return None
    try:
        assert isinstance(opening, dict)
        assert opening.keys() == {"salt", "value"}
        salt, value = bytes.fromhex(opening["salt"]), opening["value"].encode()
        good = 1 <= len(value) <= 64 and commitment(CASE_LABEL, salt, value) == case
    except (AssertionError, AttributeError, TypeError, ValueError, SluisError):
        good = False
    if not good:
        raise _wrong("its opening is not that of its case reference, of 1 to 64 bytes")
    return salt, value


def _log(*, origin: str, environment: str, made_at: datetime) -> dict[str, str]:
    return {"origin": origin, "environment": environment, "made_at": time_text(made_at)}


def _signed(
    stated: Mapping[str, Any], key: Ed25519PrivateKey, opening: tuple[bytes, bytes] | None = None
) -> VaultOrder:
    check_order(stated)
    _opened(stated, None if opening is None else {"salt": opening[0].hex(), "value": opening[1].decode()})
    signature = key.sign(SIGNED_PREFIX + canonical_json(stated)).hex()
    return VaultOrder(stated, key.public_key().public_bytes_raw().hex(), signature, opening)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    try:
        return _matches(_TIME, value) and bool(_moment(value))
    except ValueError:
        return False


def _moment(text: object) -> datetime:
    return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _wrong(why: str) -> SluisError:
    return SluisError(Code.ORDER_INVALID, f"not a vault order: {why}")
