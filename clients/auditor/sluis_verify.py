#!/usr/bin/env python3
"""Verify an exchange log of Sluis without Sluis: one file, Python 3.11 or later and the package `cryptography`.

    python sluis_verify.py log.bundle --trust trust.yaml [--expect FILE] [--previous BUNDLE --previous-trust TRUST]

For an auditor who would rather read a program than trust one. It shares no line with the broker or with the command
`sluis audit verify`; both follow docs/formats.md, and the tests demand that they find the same in every good and bad
bundle. Two parts, by what they prove:

    INTEGRITY, lines 110 to 1319: that nothing in the log was altered, moved, added or cut, and by whose keys
    1. bytes          110  canonical JSON, and the members of every kind of log entry and signed statement
    2. the tree       459  RFC 6962 hashes, checkpoints as C2SP signed notes, cosignatures of witnesses
    3. trust          637  the trust file, which comes to you by another way than the bundle
    4. signatures     858  parties' certificates, and what was signed with them
    5. one pass       998  over the bundle, what you expected of it, and how far witnesses vouch

    CONTENT, lines 1320 to 3767: that the log says what the policies allowed; each section needs those before it
    6. policies      1320  archived policy sets: digests, signers, approvals of both sides
    7. decisions     1484  every decision taken again, from the policy's meaning and the facts in the log
    8. the story     1968  keys, registers, asks, releases, corrections, erasures, the log's own life
    9. the command   3768  files read, the verdict printed

What to read for which question, if you have an hour:

    was an entry altered, moved, added or left out?   Tree, read_checkpoint; Verification._leaf, ._checkpoint, ._line
    was the tail cut, or another log shown?           read_expected; Verification.run
    did the log's own key sign, one you trust?        read_key, read_checkpoint; for changes of the key Life.checkpoint
    did witnesses see it?                             read_cosignatures, Witnesses
    did a party sign what is said of it?              signed_by, chain_above, Known; Story._check_signature: when
    is anything passed over without a word?           Verification._line, read_entry with ENTRIES, Story._steps

Exit codes are those of `sluis audit verify`: 0 verified; 10 format, 11 tree, 12 another log, 13 not what you expected,
14 policy, 15 signature, 16 exchange, 17 decision, 18 witness, 19 vault; 2 for wrong usage or an unreadable file.

What it does not do, and `sluis audit verify` does:

    - it does not check time stamps (RFC 3161), nor whether some lack; it says how many there are;
    - it opens no vault export, so it does not see what lies behind a commitment;
    - it decides from the *meaning* of a policy set (signed together with the text) and does not read the YAML text.

It takes about 0.4 ms and 1.5 kB of memory for an entry of a question or answer: a minute or so for 100,000 of them.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

SIGNED = b"sluis/v1/signed\n"
MAX_LINE = 80 << 20
MAX_LEAF = 65_535
GRACE = timedelta(seconds=60)
"""How long before its entry a decision may have been taken, and how long a replaced set or certificate still counts."""

FAULTS = {10: "format", 11: "tree", 12: "another log", 13: "not what you expected", 14: "policy", 15: "signature"}
FAULTS |= {16: "exchange", 17: "decision", 18: "witness", 19: "vault"}
CODES: dict[str, int] = {}
"""Finding -> class of fault, which is the exit code."""
for _fault, _names in {
    10: "BUNDLE_TRUNCATED BUNDLE_TRAILING BUNDLE_DIGEST BUNDLE_LINE LEAF_FORM",
    11: "INDEX GENESIS CHECKPOINT_FORM CHECKPOINT_SIZE CHECKPOINT_ROOT CHECKPOINT_SIGNATURE TAIL_UNSIGNED SIZE "
    "TIME_ORDER AFTER_SEAL KEY_CHANGE KEY_NOT_IN_FORCE LOG_KEY_PERIOD PREVIOUS RECOVERY_GAP SEAL_NEXT",
    12: "ORIGIN ENVIRONMENT LOG_KEY",
    13: "EXPECTED_FORM EXPECTED_MISSING EXPECTED_DIFFERS PREVIOUS_DIFFERS",
    14: "POLICY_ARCHIVE POLICY_MISSING POLICY_SIGNATURES POLICY_UNKNOWN POLICY_APPROVALS POLICY_EXPIRED "
    "ENGINE_UNTRUSTED",
    15: "CERTIFICATE_UNKNOWN CERTIFICATE_CHAIN CERTIFICATE_TIME CERTIFICATE_REVOKED REVOCATION_STALE REVOCATION_UNDONE "
    "CERTIFICATE_OIN CERTIFICATE_USAGE CERTIFICATE_DROPPED STATEMENT_FORM STATEMENT_SIGNATURE STATEMENT_DIFFERS NOTICE "
    "KEY_STEWARD KEY_RECIPIENTS KEY_ENCRYPTION KEY_SECOND KEY_TERMS KEY_ESCROW KEY_REPEATED REGISTER_PARTY",
    16: "DECIDED_AT REQUEST_ID_REUSED ANSWERER_MISSING REGISTER_ORDER REGISTER_DIFFERS REGISTER_TERMS REGISTER_KEY "
    "ASK_KEY EXCHANGE_DIFFERS RELEASE_UNASKED RELEASE_DENIED RELEASE_TWICE RELEASE_OUTCOME RELEASE_ATTRIBUTES "
    "RELEASE_NO_REGISTER RELEASE_EXPIRED RELEASE_NOT_COVERED RELEASE_KEY RELEASE_WITHDRAWN RELEASE_STATUS "
    "RELEASE_TOO_SOON RELEASE_LATE RELEASE_MISSING ACCESS_UNKNOWN ACCESS_PARTY SUSPENSION RELEASE_CLOSED SHADOW "
    "SUBJECT_SEARCH_PARTY SUBJECT_SEARCH_KEY SUBJECT_SEARCH SUBJECT_SEARCH_LIMIT "
    "SEAL_OPEN CARRIED COUNTER_REQUESTS COUNTER_COUNTS COUNT_DISTANCE COUNTER_PROBING STANDING FACTS_MODES "
    "EVALUATION_RIGHT EVALUATION_KEY EVALUATION_QUOTA SERVICE_KEY HIT_UNKNOWN RECTIFIED_TWICE "
    "STATEMENT_AGE NOT_ANSWERER CORRECTION_SEARCH CANARIES CANARY UNUSUAL_USE CORRECTION_NOTICES NOTICE_ASK "
    "LIVE_ANSWER DISPUTE_UNKNOWN ACKNOWLEDGEMENT FACTS",
    17: "REPLAY_DIFFERS NOT_REPLAYABLE",
    18: "COSIGNED_FORM COSIGNED_DIFFERS COSIGNATURE_WRONG COSIGNATURE_TIME WITNESS_QUORUM WITNESS_GAP",
    19: "ERASURE_ORDER ORDER_AGE ERASURE_UNORDERED ERASURE_UNKNOWN ERASURE_TWICE ERASURE_EARLY ERASURE_HELD",
}.items():
    CODES.update(dict.fromkeys(_names.split(), _fault))


class Stop(Exception):
    """The bundle cannot be read further."""


# --- 1. Bytes --------------------------------------------------------------------------------------------------------
# Canonical JSON (docs/formats.md section 1): a value counts only when it writes back to the very bytes it came from.


class Malformed(ValueError):
    """Bytes, text or members that are not of the form they should have."""


def write(value: object) -> bytes:
    """The canonical bytes of a value."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(number := int(text)) >= 1 << 53:
        raise Malformed("a number beyond 2^53 - 1")
    return number


def _no_number(_: str) -> NoReturn:
    raise Malformed("a number that is not whole")


def _ascii_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if not all(key.isascii() for key, _ in pairs):
        raise Malformed("a key that is not ASCII")
    return dict(pairs)


_JSON = json.JSONDecoder(
    parse_int=_whole, parse_float=_no_number, parse_constant=_no_number, object_pairs_hook=_ascii_keys
)


def read(data: bytes) -> dict[str, Any]:
    """The object in canonical JSON. Raises Malformed."""
    try:
        value = _JSON.decode(data.decode("utf-8"))
        if not isinstance(value, dict) or write(value) != data or _deeper_than(value, 32):
            raise Malformed("not canonical JSON")
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error) if isinstance(error, Malformed) else "not JSON") from None
    return value


def _deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in inner)


def unbase64(text: object) -> bytes:
    """Standard base64, in its one spelling. Raises Malformed."""
    try:
        if isinstance(text, str):
            data = base64.b64decode(text, validate=True)
            if base64.b64encode(data) == text.encode("ascii", "replace"):
                return data
    except (binascii.Error, ValueError):
        pass
    raise Malformed("not base64")


_TIME = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", re.ASCII)


def moment(text: object) -> datetime:
    """A time of an entry or a statement. Raises Malformed."""
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise Malformed("not a time in UTC")


_LONG_NUMBER = re.compile(r"[0-9]{8}|\b([0-9]{3}[ .-]){2}[0-9]{3}\b|\b[0-9]{4}[ .][0-9]{2}[ .][0-9]{3}\b")
"""What may be the number of a person, as people write it."""


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, str) and re.fullmatch(pattern, v, re.ASCII) is not None


def _is_moment(v: Any) -> bool:
    try:
        return bool(moment(v))
    except Malformed:
        return False


def _rising(values: Sequence[Any]) -> bool:
    return all(one < other for one, other in pairwise(values))


def _is_date(v: Any) -> bool:
    """A day that exists."""
    try:
        return bool(_matches(r"2\d\d\d-\d\d-\d\d")(v) and date.fromisoformat(v))
    except ValueError:
        return False


def _is_reason(v: Any) -> bool:
    """One line that will stand in the log."""
    is_line = isinstance(v, str) and 1 <= len(v) <= 300 and v.isprintable() and bool(v.strip())
    return is_line and not _LONG_NUMBER.search(v)


def _are_exchanges(v: Any) -> bool:
    """What an order to erase names: asker and exchange, sorted, each once."""
    good = isinstance(v, list) and 1 <= len(v) <= 150 and all(has_form(one, EXCHANGE) for one in v)
    return good and _rising([(one["asker"], one["exchange"]) for one in v])


def _are_effects(v: Any) -> bool:
    return isinstance(v, list) and all(one in ("permit", "deny") for one in v)


UNUSUAL = {"equal-run", "hit-ratio", "hours", "limit", "nested", "probing", "repeated", "same-subjects", "single-run"}
UNUSUAL |= {"split", "volume", "search-hours", "search-limit", "search-volume"}
"""What may stand out in the use of a party: its questions, and its searches for a person."""
SHAPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda v: isinstance(v, str),
    "texts": lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
    "sorted": lambda v: SHAPES["texts"](v) and _rising(v),
    "answerers": lambda v: SHAPES["sorted"](v) and 1 <= len(v) <= 400,
    "number": lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
    "numbers": lambda v: isinstance(v, list) and all(map(SHAPES["number"], v)),
    "hex": _matches("[0-9a-f]{64}"),
    "hex16": _matches("[0-9a-f]{16}"),
    "hex32": _matches("[0-9a-f]{32}"),
    "hex128": _matches("[0-9a-f]{128}"),
    "hex2432": _matches("[0-9a-f]{2432}"),
    "uuid": _matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    "name": _matches("[a-z][a-z0-9-]{0,62}"),
    "day": _matches(r"20\d\d-\d\d-\d\d"),
    "date": _is_date,
    "moment": _is_moment,
    "micro": lambda v: _is_moment(v) and len(v) == 27,
    "second": lambda v: _is_moment(v) and v.startswith("20") and len(v) == 20,
    "time": _matches(_TIME.pattern),
    "map": lambda v: isinstance(v, dict),
    "flag": lambda v: isinstance(v, bool),
    "any": lambda _: True,
    "effects": lambda v: _are_effects(list(v.values()) if isinstance(v, dict) else v),
    "reference": lambda v: has_form(v, {"name": "text", "version": "number", "manifest": "hex"}),
    "reason": _is_reason,
    "unusual": lambda v: isinstance(v, str) and v in UNUSUAL,
    "exchanges": _are_exchanges,
    "want": lambda v: has_form(v, WANT),
    "rising": lambda v: isinstance(v, list) and _rising(v),
    "rules": lambda v: has_form(v, {"rules": "map"}),
    "recipients": lambda v: isinstance(v, dict) and len(v) > 0 and all(has_form(one, RECIPIENT) for one in v.values()),
}

Form = dict[str, str]


def form(text: str) -> Form:
    """Members and their shapes, written `name:shape name:shape`.

    A shape with `?` allows null; `=one|two` allows these words only; `&group` stands for the members of a group.
    """
    members: Form = {}
    for item in text.split():
        name, _, shape = item.partition(":")
        members |= GROUPS[name[1:]] if name.startswith("&") else {name: shape}
    return members


def forms(text: str) -> dict[str, Form]:
    """One form a paragraph of lines: its name stands before the first `|`."""
    found: dict[str, Form] = {}
    name = ""
    for line in text.strip().splitlines():
        first, _, members = line.partition("| ")
        name = first.strip() or name
        found[name] = found.get(name, {}) | form(members)
    return found


def has_form(value: object, members: Form) -> bool:
    """Whether `value` is an object of exactly these members."""
    return (
        isinstance(value, dict)
        and value.keys() == members.keys()
        and all(_has_shape(value[name], shape) for name, shape in members.items())
    )


def _has_shape(value: object, shape: str) -> bool:
    if shape.startswith("="):
        return value in shape[1:].split("|")
    return (value is None and shape.endswith("?")) or SHAPES[shape.rstrip("?")](value)


GROUPS: dict[str, Form] = {}
GROUPS |= forms("""
signed    | statement:map signature:text certificate:hex
order     | order:text statement:map signature:text key:hex
head      | type:text origin:text environment:text
""")
GROUPS |= forms("""
latest    | &head not_after:time request_id:text
made      | &head made_at:second reason:reason
""")
GROUPS |= forms("""
hit       | &latest asker:text answerer:text exchange:text position:hex
""")
ENTRIES = forms("""
genesis                    | origin:text environment:text engine:text verifier_key:text previous:map?
policy                     | digest:hex text_digest:hex revision:number expires:time? signers:texts engine:text
party                      | party:text oin:text kind:text certificates:texts issuers:texts revoked:texts
                           | crl_this_update:time?
key encryption-key         | action:text party:text &signed
key epoch                  | action:text party:text &signed
key end                    | action:text party:text &signed
register published         | action:text party:text register:text version:number &signed
register withdrawn         | action:text party:text register:text version:number
ask                        | exchange:text asker:text principal:text? answerer:text purpose:text decided_at:time
                           | facts:map decision:map policy_set:hex engine:text register:reference? trace_id:text?
                           | nonce:text &signed
release                    | exchange:text asker:text answerer:text ask_index:number outcome:text status:text
                           | register:reference? attributes:texts result:hex? nonce:text
evaluation                 | party:text purpose:text answerers:texts decided_at:time effects:effects
evaluation shadow          | party:text purpose:text shadow_of:text exchange:text answerer:text ask_index:number
                           | decided_at:time decision:map policy_set:hex engine:text
evaluation elements        | party:text purpose:text key_service:text epoch:text public_key:hex request_id:text
                           | elements:number period:text spent:number decided_at:time policy_set:hex
notice policy-suspension   | what:text purpose:text notice:text statement:map signature:text key:hex
notice dispute-notice      | what:text purpose:text notice:text asker:text answerer:text exchange:text
                           | ask_index:number epoch:text record:hex &signed
notice correction-notice   | what:text purpose:text notice:text party:text correction:number asks:numbers positions:hex
notice correction-blank    | what:text purpose:text notice:text correction:number
notice acknowledged        | what:text purpose:text notice:text party:text &signed
notice unusual-use         | what:text purpose:text notice:text party:text &signed
notice canaries            | what:text purpose:text notice:text party:text &signed
notice canary              | what:text purpose:text notice:text answerer:text asked_by:text exchange:text
                           | ask_index:number list:number rows:number
notice live-answer         | what:text purpose:text notice:text party:text ask_index:number &signed
correction                 | answerer:text purpose:text epoch:text searched:number unsearched:number notices:number
                           | &signed
outcome                    | asker:text answerer:text exchange:text ask_index:number purpose:text &signed
refusal                    | party:text? rpc:text code:text request_id:text?
access answer-repeated     | party:text what:text exchange:text?
access entries             | party:text what:text exchange:text?
access vault-export        | party:text what:text exchange:text? key:hex
access subject-search      | party:text what:text exchange:text? purpose:text epoch:text searched:number
                           | unsearched:number &signed
recovery                   | what:text detail:text
recovery entries-lost      | what:text detail:text origin:text found_size:number found_root:hex known_size:number
                           | known_root:hex from:time? until:time
config log-key             | what:text previous_key:text verifier_key:text
config service-key-destroyed | what:text key_service:text purpose:text epoch:text public_key:hex reason:text?
config carried             | what:text counters:map policy:map? suspended:map
config legal-hold-added    | what:text &order
config legal-hold-lifted   | what:text &order
seal                       | next_origin:text next_key:text
erasure retention          | what:text purpose:text? commitments:texts
erasure request            | what:text purpose:text? commitments:texts &order
""")
"""Every kind of entry, with the value of the member that tells its variants apart."""
_VARIANT = dict.fromkeys(("key", "register"), "action")
_VARIANT |= dict.fromkeys(("notice", "access", "config", "erasure"), "what")
KEY_ENDS = {
    "retired": ("leak", "departure", "lost-steward", "precaution"),
    "destroyed": ("escrow-over",),
    "encryption-key-destroyed": ("renewed",),
}
"""What may be said of a key's end, and why."""
STATEMENTS = forms("""
sluis/v1/ask               | &latest answerers:answerers asker:text case_number:hex? cooperation_ref:hex? epoch:text
                           | key_id:text match_keys:number principal:text? purpose:text scheme:text subjects:number
                           | tokens:hex want:want
sluis/v1/register          | &head answerer:text as_of:time attributes:sorted coverage:text digest:hex epoch:text
                           | expires_at:time key_id:text match_keys:number purpose:text rows:number rules:map
                           | scheme:text version:number
sluis/v1/encryption-key    | &head created_at:time kem:=MLKEM768-X25519 party:text public_key:hex2432
sluis/v1/epoch             | &head created_at:time epoch:text key_id:text mode:text purpose:text recipients:recipients
                           | steward:text valid_from:time valid_until:time
sluis/v1/key-end           | &head caches:number ended_at:time epoch:text? key_id:text party:text purpose:text?
                           | reason:text what:=retired|destroyed|encryption-key-destroyed
sluis/v1/correction        | &latest answerer:text purpose:text epoch:text scheme:text match_keys:number record:hex
                           | dispute:text? what:=corrected|withdrawn|upheld|still-disputed
| reason:=wrong-value|out-of-date|wrong-subject|entered-by-mistake|not-lawful|order-of-authority|examined|new-epoch
sluis/v1/dispute           | &hit reason:=wrong-value|out-of-date|wrong-subject|not-lawful|contested-by-subject
sluis/v1/outcome           | &hit outcome:=confirmed|rejected
                           | role:=case-worker|inspector|analyst|lawyer|team-lead|privacy-officer
sluis/v1/acknowledgement   | &head not_after:time party:text notice:text
                           | done:=noted|examining|corrected|erased|not-used
sluis/v1/unusual-use       | &head not_after:time party:text item:text purpose:text day:date first:number last:number
                           | kind:unusual explanation:=planned|backlog|urgent|test|technical|mistake|examining
sluis/v1/canaries          | &head not_after:time answerer:text request_id:text purpose:text epoch:text key_id:text
                           | scheme:text match_keys:number rows:number record:hex
sluis/v1/live-answer       | &head not_after:time answerer:text asker:text exchange:text purpose:text epoch:text
                           | key_id:text scheme:text match_keys:number attributes:texts tokens:hex rows:hex as_of:time
                           | coverage:text rules:map
sluis/v1/subject-search    | &latest party:text purpose:text epoch:text key_id:text scheme:text match_keys:number
                           | pseudonyms:hex
sluis/v1/erasure-order     | &made exchanges:exchanges case:hex?
sluis/v1/legal-hold        | &made purpose:name? party:name? exchange:uuid? asked_from:second? asked_until:second?
                           | until:second
sluis/v1/legal-hold-lift   | &made hold:hex16
""")
"""What parties and officers sign: the members of each type."""
STATEMENTS["sluis/v1/ask standing"] = {**STATEMENTS["sluis/v1/ask"], **form("standing:text")}
"""Of an earlier question put again, which names its first."""
WANT: Form = form("attributes:sorted count:flag hit:flag")
RECIPIENT: Form = form("envelope:hex32 key:hex32")
EXCHANGE: Form = form("asker:name exchange:uuid")
PREVIOUS = form("origin:text size:number root:hex checkpoint:text reason:text")


@dataclass(frozen=True)
class Entry:
    """A log entry whose members are those of its kind. `at`: when it was sequenced."""

    index: int
    kind: str
    at: datetime
    body: dict[str, Any]
    form: str
    """Its name in ENTRIES."""


def read_entry(leaf: bytes) -> Entry:
    """The entry in a leaf's bytes. Raises Malformed."""
    if len(leaf) > MAX_LEAF:
        raise Malformed("longer than 65,535 bytes")
    value = read(leaf)
    if not has_form(value, form("body:map index:number kind:text sequenced_at:micro v:number")) or value["v"] != 1:
        raise Malformed("not the members of version 1")
    kind, body = value["kind"], value["body"]
    variant = body.get(_VARIANT.get(kind, ""), "")
    if kind == "evaluation" and "shadow_of" in body:
        variant = "shadow"
    elif kind == "evaluation" and "key_service" in body:
        variant = "elements"
    elif kind == "recovery" and body.get("what") == "entries-lost":
        variant = "entries-lost"
    name = " ".join(filter(None, (kind, variant))) if isinstance(variant, str) and " " not in kind else ""
    if name not in ENTRIES or not has_form(body, ENTRIES[name]):
        raise Malformed("a kind, or members of it, that this verifier does not know")
    return Entry(value["index"], kind, moment(value["sequenced_at"]), body, name)


# --- 2. The tree -----------------------------------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """The Merkle tree over the leaves so far: the roots of its complete subtrees, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf. As many subtrees are completed as the old size has trailing one bits."""
        value, size = leaf_hash(leaf), self.size
        while size & 1:
            value = node_hash(self._peaks.pop(), value)
            size >>= 1
        self._peaks.append(value)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        value = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            value = node_hash(peak, value)
        return value


def root_by_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Where an inclusion proof leads (RFC 9162 section 2.1.3.2); None when it has not the right length."""
    if not 0 <= index < size:
        return None
    value, place, last, steps = leaf_hash(leaf), index, size - 1, list(path)
    while last > 0:
        if place & 1 or place < last:
            if not steps:
                return None
            value = node_hash(steps.pop(0), value) if place & 1 else node_hash(value, steps.pop(0))
        place >>= 1
        last >>= 1
    return None if steps else value


P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826


def is_ed25519_key(key: bytes) -> bool:
    """Whether only one who has the private key can sign: not of small order, and in its one spelling."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    return len(key) == 32 and y < P and y not in (0, 1, P - 1, _ORDER_8, P - _ORDER_8)


def ed25519_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is right."""
    try:
        if is_ed25519_key(key):
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
    except (InvalidSignature, ValueError):
        pass
    return False


def officer_signed(body: Mapping[str, Any]) -> bool:
    """Whether `statement` is signed with `key`, both hex: notices of suspension and vault orders are."""
    try:
        key, signature = bytes.fromhex(body["key"]), bytes.fromhex(body["signature"])
    except ValueError:
        return False
    return ed25519_signed(key, signature, SIGNED + write(body["statement"]))


def digest_of(value: object) -> str:
    """Hex SHA-256 of the canonical bytes."""
    return hashlib.sha256(write(value)).hexdigest()


KeyId = tuple[str, bytes]
"""Name and key hash (4 bytes) of a C2SP verifier key."""
LogKeys = dict[KeyId, bytes]
"""Their Ed25519 public keys."""


@dataclass(frozen=True)
class Checkpoint:
    """What a signed note states of a log, and the keys you trust that signed it."""

    origin: str
    size: int
    root: bytes
    signers: frozenset[KeyId] = frozenset()


def read_key(text: str, kind: int = 1) -> tuple[KeyId, bytes]:
    """A C2SP verifier key `name+hash+base64(kind || key)`: 1 for logs, 4 for witnesses. Raises Malformed."""
    name, _, rest = text.partition("+")
    hash_text, _, key_text = rest.partition("+")
    key = unbase64(key_text)
    mark = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if not name or re.search(r"[^!-~]", name) or len(key) != 33 or key[0] != kind or mark.hex() != hash_text:
        raise Malformed("not an Ed25519 verifier key")
    return (name, mark), key[1:]


class Unsigned(Malformed):
    """A checkpoint that no trusted key signed, or where such a signature is wrong."""


def read_note(note: object) -> tuple[Checkpoint, bytes, list[tuple[str, bytes]]]:
    """What a note states, the text that is signed, and its signature lines; none is checked. Raises Malformed."""
    if not isinstance(note, str) or len(note) > 65_536 or not note.endswith("\n"):
        raise Malformed("not a signed note")
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) != 3 or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]):
        raise Malformed("not origin, size and root")
    root = unbase64(lines[2])
    if len(root) != 32:
        raise Malformed("not a root")
    signed = []
    for line in signatures[:-1].split("\n"):
        found = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
        blob = unbase64(found[2]) if found else b""
        if found is None or len(blob) < 5:
            raise Malformed("not a signature line")
        signed.append((found[1], blob))
    return Checkpoint(lines[0], int(lines[1]), root), f"{text}\n".encode(), signed


def read_checkpoint(note: object, keys: LogKeys) -> Checkpoint:
    """A checkpoint (C2SP tlog-checkpoint) signed by a trusted key of its origin. Raises Malformed, Unsigned."""
    tree, text, signed = read_note(note)
    good = set()
    for name, blob in signed:
        key = keys.get((name, blob[:4]))
        if key is None:
            continue
        if not ed25519_signed(key, blob[4:], text):
            raise Unsigned("a wrong signature")
        if name == tree.origin:
            good.add((name, blob[:4]))
    if not good:
        raise Unsigned("no signature of a key you trust")
    return Checkpoint(tree.origin, tree.size, tree.root, frozenset(good))


def read_cosignatures(
    note: object, keys: LogKeys, counts: Callable[[KeyId, datetime], bool] = lambda _key, _at: True
) -> dict[str, datetime]:
    """Which witnesses cosigned a note (C2SP tlog-cosignature), and when; the newest of each. Raises Malformed."""
    _, text, signed = read_note(note)
    times: dict[str, datetime] = {}
    for name, blob in signed:
        key = keys.get((name, blob[:4]))
        if key is None:
            continue
        seconds = int.from_bytes(blob[4:12], "big")
        message = f"cosignature/v1\ntime {seconds}\n".encode() + text
        if len(blob) != 76 or not 0 < seconds < 253_402_300_800 or not ed25519_signed(key, blob[12:], message):
            raise Malformed(f"of {name}")
        at = datetime.fromtimestamp(seconds, UTC)
        if counts((name, blob[:4]), at):
            times[name] = max(at, times.get(name, at))
    return times


# --- 3. Trust --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trust:
    """What you trust before you read the bundle. `fingerprint`: compare it by telephone with somebody who knows."""

    origin: str
    environment: str
    log_keys: LogKeys
    log_key_texts: frozenset[str]
    issuers: tuple[x509.Certificate, ...]
    policy_signers: frozenset[str]
    policy_quorum: int
    engines: frozenset[str]
    approvals: bool
    fingerprint: str
    list_age: timedelta | None
    """How old the broker lets a revocation list become; None: not asked of the log."""
    witnesses: LogKeys
    """Whose cosignatures count; without any none is checked."""
    quorum: int
    grace: timedelta
    """How long entries may stand without a quorum before an ask is a fault."""
    witnessed_from: int
    periods: Mapping[str, Period]
    """When a key counts: by `name+hash` of a log key or witness, or SHA-256 of a CA's certificate. Others: always."""
    stamp_hours: int | None
    """How long entries may stand without a time stamp: not checked here."""

    def counts(self, key: KeyId, at: datetime) -> bool:
        """Whether a log key or a witness counts at `at`."""
        return within(self.periods.get(f"{key[0]}+{key[1].hex()}", ALWAYS), at)


Period = tuple[datetime | None, datetime | None]
"""First and last moment; None: open."""
ALWAYS: Period = (None, None)


def within(period: Period, at: datetime) -> bool:
    """Whether a key of this period counts at `at`."""
    first, last = period
    return (first is None or first <= at) and (last is None or at <= last)


def read_periods(lines: Sequence[str], known: Iterable[str]) -> dict[str, Period]:
    """The lines `<key> <first> <last>` of `key_periods`, each of a key among `known`. Raises Malformed."""
    found: dict[str, Period] = {}
    for line in lines:
        words = line.split(" ")
        if len(words) != 3 or words[0] in found or not all(w == "-" or SHAPES["second"](w) for w in words[1:]):
            raise Malformed("key_periods are lines `<key> <first> <last>`, each key once, with whole seconds or `-`")
        first, last = (None if word == "-" else datetime.fromisoformat(word) for word in words[1:])
        if (first, last) == (None, None) or (first and last and first > last):
            raise Malformed("key_periods has a period that is empty, or no period at all")
        found[words[0]] = (first, last)
    if not found.keys() <= set(known):
        raise Malformed("key_periods names a key that the trust file does not have")
    return {"+".join(name.split("+")[:2]): period for name, period in found.items()}


def read_plain_yaml(text: str) -> dict[str, Any]:
    """The few forms of YAML that a trust file has: `key: text`, lists of texts in either style, `|` blocks.

    Raises Malformed for anything else: better refused than misread.
    """
    found: dict[str, Any] = {}
    items: list[str] | None = None
    block: list[str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if block is not None and (line.startswith("  ") or not line.strip()):
            block.append(line.strip())
            continue
        if block is not None and items is not None:
            items.append("\n".join(block).strip() + "\n")
            block = None
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        item = re.fullmatch(r"\s*- (.+)", line)
        pair = re.fullmatch(r"([a-z_]+):(?: (.*))?", line)
        if item and items is not None:
            if item[1].strip() == "|":
                block = []
            else:
                items.append(_scalar(item[1], number))
        elif pair and pair[1] not in found:
            value, items = (pair[2] or "").strip(), None
            if not value:
                found[pair[1]] = items = []
            elif value.startswith("[") and value.endswith("]"):
                found[pair[1]] = [_scalar(part, number) for part in value[1:-1].split(",") if part.strip()]
            else:
                found[pair[1]] = _scalar(value, number)
        else:
            raise Malformed(f"line {number} is not as a trust file is written; make it with `sluis audit trust make`")
    if block is not None and items is not None:
        items.append("\n".join(block).strip() + "\n")
    return found


def _scalar(text: str, number: int) -> str:
    text = text.strip()
    quoted = re.fullmatch(r"'([^']*)'|\"([^\"\\]*)\"", text)
    if quoted:
        return quoted[1] if quoted[1] is not None else quoted[2]
    if not text or text[0] in "'\"[]{}&*!|>%@`#" or " #" in text or ": " in text:
        raise Malformed(f"line {number} is not as a trust file is written")
    return text


_TRUST = {"origin", "environment", "log_keys", "issuers", "policy_signers", "policy_quorum", "engines"}
_LISTS = {"log_keys", "issuers", "policy_signers", "engines"}
_LISTS_TOO = {"witnesses", "time_stampers", "key_periods"}
_NUMBERS = {
    "policy_quorum": (0, 99),
    "revocation_max_age_hours": (1, 720),
    "witness_quorum": (1, 10**15),
    "witness_grace_minutes": (0, 1440),
    "witness_from": (0, 10**15),
    "stamp_max_gap_hours": (1, 8760),
    "stamp_from": (0, 10**15),
}
"""Members that are numbers, from and up to."""


def read_trust(text: str) -> Trust:
    """The trust file (docs/formats.md section 8). Raises Malformed."""
    value = read_plain_yaml(text)
    approvals = value.pop("policy_approvals", "required")
    strange = set(value) - _TRUST - _LISTS_TOO - _NUMBERS.keys()
    if strange:
        raise Malformed(f"no trust file has a member {', '.join(sorted(strange))}; see docs/formats.md section 8")
    if not value.keys() >= _TRUST:
        raise Malformed(f"it has these members: {', '.join(sorted(_TRUST))}; and others of docs/formats.md section 8")
    meaning: dict[str, Any] = {name: _member(name, value[name]) for name in value}
    in_test = meaning["environment"] == "test"
    signers, quorum = set(meaning["policy_signers"]), meaning["policy_quorum"]
    if not in_test and meaning["environment"] != "production":
        raise Malformed("environment is test or production")
    if not all(map(SHAPES["hex"], signers)) or not (0 if in_test else 1) <= quorum <= len(signers):
        raise Malformed("policy_signers are 64 hex digits each, and at least policy_quorum of them")
    if approvals != "required" and not (approvals == "none" and in_test):
        raise Malformed("policy_approvals is none only in a test environment")
    keys = dict(map(read_key, meaning["log_keys"]))
    if not meaning["origin"] or not meaning["engines"] or not keys or any(n != meaning["origin"] for n, _ in keys):
        raise Malformed("an origin, a key of it and an engine at least")
    meaning = _with_rules(meaning)
    witnesses = dict(read_key(text, 4) for text in meaning.get("witnesses", []))
    issuers, stampers = (_certificates(value[name]) if name in value else [] for name in ("issuers", "time_stampers"))
    named = [*meaning["log_keys"], *meaning.get("witnesses", [])]
    named += [issuer.fingerprint(hashes.SHA256()).hex() for issuer in issuers]
    periods = read_periods(meaning.get("key_periods", []), named)
    if "key_periods" in meaning and not periods:
        raise Malformed("key_periods is a list of one at least")
    if approvals == "none":
        meaning["policy_approvals"] = "none"
    marked: dict[str, Any] = {n: sorted(set(v)) if isinstance(v, list) else v for n, v in meaning.items()}
    for name, found in (("issuers", issuers), ("time_stampers", stampers)):
        if found:
            marked[name] = sorted({certificate.public_bytes(Encoding.DER).hex() for certificate in found})
    mark = hashlib.sha256(b"sluis/v1/trust\n" + write(marked)).hexdigest()
    hours = meaning.get("revocation_max_age_hours")
    return Trust(
        origin=meaning["origin"],
        environment=meaning["environment"],
        log_keys=keys,
        log_key_texts=frozenset(meaning["log_keys"]),
        issuers=tuple(issuers),
        policy_signers=frozenset(signers),
        policy_quorum=quorum,
        engines=frozenset(meaning["engines"]),
        approvals=approvals == "required",
        fingerprint=" ".join(mark[at : at + 4] for at in range(0, 64, 4)),
        list_age=None if hours is None else timedelta(hours=hours),
        witnesses=witnesses,
        quorum=meaning.get("witness_quorum", 0),
        grace=timedelta(minutes=meaning.get("witness_grace_minutes", 0)),
        witnessed_from=meaning.get("witness_from", 0),
        periods=periods,
        stamp_hours=meaning.get("stamp_max_gap_hours"),
    )


def _with_rules(meaning: dict[str, Any]) -> dict[str, Any]:
    """The members with what is meant where the rules about witnesses and stamps leave some out. Raises Malformed."""
    if meaning.keys() & {"witnesses", "witness_quorum", "witness_grace_minutes", "witness_from"}:
        meaning = {"witness_grace_minutes": 15, "witness_from": 0, **meaning}
    named = meaning.get("witnesses", [])
    most = len({key for _, key in (read_key(text, 4) for text in named) if is_ed25519_key(key)})
    if ("witness_from" in meaning) != (1 <= meaning.get("witness_quorum", 0) <= most) or most != len(named):
        raise Malformed("witnesses are keys, each once, and witness_quorum is 1 to their number")
    if meaning.keys() & {"stamp_max_gap_hours", "stamp_from"}:
        if not meaning.keys() >= {"stamp_max_gap_hours", "time_stampers"}:
            raise Malformed("stamp_max_gap_hours needs time_stampers, and stamp_from needs stamp_max_gap_hours")
        meaning = {"stamp_from": 0, **meaning}
    return meaning


def _member(name: str, value: Any) -> Any:
    if isinstance(value, list) != (name in _LISTS | _LISTS_TOO):
        raise Malformed(f"{name} is {'no list' if isinstance(value, list) else 'a list'}")
    if name not in _NUMBERS:
        return value
    least, most = _NUMBERS[name]
    if not re.fullmatch("0|[1-9][0-9]{0,15}", value) or not least <= int(value) <= most:
        raise Malformed(f"{name} is a number from {least} to {most}")
    return int(value)


def _certificates(pems: list[str]) -> list[x509.Certificate]:
    try:
        found = [c for pem in pems for c in x509.load_pem_x509_certificates(pem.encode())]
    except ValueError:
        found = []
    if not found:
        raise Malformed("issuers and time_stampers are certificates in PEM, one at least")
    return found


# --- 4. Signatures ---------------------------------------------------------------------------------------------------


def signed_by(certificate: x509.Certificate, signature: str, statement: Mapping[str, Any]) -> bool:
    """Whether a statement was signed with a certificate's key (docs/formats.md section 1)."""
    message = SIGNED + write(statement)
    try:
        raw, key = unbase64(signature), certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
            key.verify(raw, message, ec.ECDSA(hashes.SHA256() if key.curve.name == "secp256r1" else hashes.SHA384()))
        elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
            key.verify(raw, message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        else:
            return False
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether a certificate may issue others."""
    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (ValueError, x509.ExtensionNotFound):
        return False


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether a certificate's key usage allows signatures, or it has none (RFC 5280 section 4.2.1.3)."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return False
    return usage.digital_signature or usage.content_commitment


def chain_above(
    certificate: x509.Certificate, between: Iterable[x509.Certificate], trusted: Sequence[x509.Certificate]
) -> list[x509.Certificate] | None:
    """The CAs above a certificate up to one that you trust, four at most; None when there is no such way."""
    at = certificate
    above: list[x509.Certificate] = []
    for _ in range(4):
        root = next((issuer for issuer in trusted if issued(at, issuer)), None)
        if root is not None:
            return [*above, root]
        upper = next((c for c in between if c is not at and is_ca(c) and issued(at, c)), None)
        if upper is None:
            return None
        above.append(upper)
        at = upper
    return None


@dataclass
class Known:
    """A certificate that a `party` entry names, and the chain above it; None: it leads to no CA that you trust."""

    certificate: x509.Certificate
    above: list[x509.Certificate] | None
    oin: str
    """Its one Subject.serialNumber; "" when there is not exactly one."""
    trusted: Period
    """For which period you trust the CA that the chain leads to."""

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    @property
    def first(self) -> datetime:
        """From when it, and every CA above it, is valid, and the topmost trusted."""
        dates: list[datetime] = [c.not_valid_before_utc for c in (self.certificate, *(self.above or ()))]
        return max(dates + [at for at in self.trusted[:1] if at])

    @property
    def last(self) -> datetime:
        """Until when."""
        dates: list[datetime] = [c.not_valid_after_utc for c in (self.certificate, *(self.above or ()))]
        return min(dates + [at for at in self.trusted[1:] if at])


def oin_of(certificate: x509.Certificate) -> str:
    """The one Subject.serialNumber; "" when there is not exactly one."""
    try:
        numbers = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    except ValueError:
        return ""
    return str(numbers[0].value) if len(numbers) == 1 else ""


@dataclass
class Party:
    """What a `party` entry says of a party, from its place in the log on."""

    certificates: dict[str, Known]
    """By fingerprint."""
    issuers: list[str]
    revoked: frozenset[str]
    lists: datetime | None
    """Date of its CAs' oldest revocation list."""
    since: datetime


class Revocations:
    """What all `party` entries of a party so far said of its certificates, and of its CAs' lists."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.revoked: set[str] = set()
        self.dates: dict[tuple[frozenset[str], frozenset[str]], datetime] = {}
        """CAs and certificates -> the newest date of their oldest list."""

    def undone_by(self, party: Party) -> bool:
        """Whether an entry rests on older lists of the same CAs, or frees a revoked certificate before it expired.

        A list keeps a revoked certificate at least until then (RFC 5280 section 3.3).
        """
        of = (frozenset(party.issuers), frozenset(party.certificates))
        newest = self.dates.get(of)
        older = newest is not None and (party.lists is None or party.lists < newest)
        if party.lists is not None:
            self.dates[of] = max(party.lists, newest or party.lists)
        known = [*self.known.values(), *party.certificates.values()]
        self.known, self.revoked = party.certificates, self.revoked | party.revoked
        freed = self.revoked - party.revoked
        return older or any(c.serial in freed and party.since <= c.last for c in known)


# --- 5. One pass ------------------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """A checkpoint that the log must contain, and for a receipt also a leaf at an index."""

    tree: Checkpoint
    index: int | None = None
    leaf: bytes = b""


def read_expected(data: bytes, trust: Trust) -> list[Expected]:
    """A signed note; or receipts, or evidence of a fork, in JSON at any depth. Raises Malformed."""
    if len(data) > 16 << 20:
        raise Malformed("larger than 16 MiB")
    text = data.decode("utf-8")
    if not text.lstrip().startswith(("{", "[")):
        return [Expected(_of_this_log(text, trust))]
    value = json.loads(text)
    found = []
    for receipt in _objects(value, {"leaf", "index", "checkpoint"}):
        try:
            leaf, index = base64.b64decode(receipt["leaf"], validate=True), str(receipt["index"])
            path = [base64.b64decode(step, validate=True) for step in receipt.get("inclusion", [])]
        except (TypeError, AttributeError, binascii.Error):
            raise Malformed("a receipt that cannot be read") from None
        tree = _of_this_log(receipt["checkpoint"], trust)
        if not re.fullmatch("[0-9]{1,16}", index) or root_by_path(leaf, int(index), tree.size, path) != tree.root:
            raise Malformed("a receipt whose proof does not lead to its checkpoint")
        found.append(Expected(tree, int(index), leaf))
    for evidence in _objects(value, {"checkpoints"}):
        if isinstance(evidence["checkpoints"], list):
            notes = (note for note in evidence["checkpoints"] if isinstance(note, str))
            found += [Expected(_of_this_log(note, trust)) for note in notes]
    if not found:
        raise Malformed("it holds no receipt and no checkpoint")
    return found


def _of_this_log(note: object, trust: Trust) -> Checkpoint:
    tree = read_checkpoint(note, trust.log_keys)
    if tree.origin != trust.origin:
        raise Malformed("it is of another log")
    return tree


def _objects(value: object, members: set[str]) -> Iterator[dict[str, Any]]:
    """The objects with these members, at any depth."""
    if isinstance(value, dict) and members <= value.keys():
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _objects(item, members)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its code, the entry it is about (None: the bundle), and a few words."""

    code: str
    index: int | None = None
    detail: str = ""


class Verification:
    """One pass over a bundle (docs/formats.md section 7). `findings` is empty when the log verifies."""

    def __init__(self, trust: Trust, expect: bytes | None = None, before: Ended | None = None) -> None:
        self.trust = trust
        self.findings: list[Finding] = []
        self.tree = Tree()
        self.story = Story(trust, self.find, before)
        self.witnesses = Witnesses(trust, self.find)
        self.stamps, self.stamped = 0, set[tuple[int, str]]()
        """How many time stamps; those behind the newest checkpoint."""
        self.last: str | None = None
        self._line_before = ""
        self._note_text: bytes | None = None
        """What the checkpoint just read signs; None once a leaf follows."""
        self.lines = self.stated = self.signed = 0
        self._sum = hashlib.sha256()
        self._batch_at: datetime | None = None
        self._last_at: datetime | None = None
        self._ended = False
        self.expects = expect is not None
        self._expected: list[Expected] = []
        try:
            self._expected = read_expected(expect, trust) if expect is not None else []
        except (ValueError, RecursionError) as error:
            self.find("EXPECTED_FORM", None, str(error))
        self._archived: set[bytes] = set()
        self._roots: dict[int, bytes] = {0: self.tree.root()}
        self._leaves: dict[int, bytes] = {}
        self._keep_roots = {item.tree.size for item in self._expected}
        self._keep_leaves = {item.index for item in self._expected}

    def find(self, code: str, index: int | None = None, detail: str = "") -> None:
        """Notes something that is wrong."""
        self.findings.append(Finding(code, index, detail))

    def run(self, lines: Iterable[bytes]) -> None:
        """Reads the whole bundle; afterwards `findings` are all there."""
        try:
            for line in lines:
                self._line(line)
        except Stop:
            return
        self._net(self.story.end)
        if not self._ended:
            self.find("BUNDLE_TRUNCATED")
        if self.tree.size != self.stated:
            self.find("SIZE")
        if self.signed != self.tree.size or not self.tree.size:
            self.find("TAIL_UNSIGNED")
        self.witnesses.end()
        for item in self._expected:
            if item.tree.size > self.tree.size:
                self.find("EXPECTED_MISSING", None, f"it covers {item.tree.size} entries")
            elif self._roots[item.tree.size] != item.tree.root:
                self.find("EXPECTED_DIFFERS", None, f"at {item.tree.size} entries")
            elif not self.story.life.is_due(item.tree):
                self.find("KEY_NOT_IN_FORCE", None, f"what you expect, at {item.tree.size} entries")
            elif item.index is not None and self._leaves[item.index] != item.leaf:
                self.find("EXPECTED_DIFFERS", item.index)

    def ended(self) -> Ended:
        """This log, for the verification of the one that follows it."""
        return self.story.life.ended(self.tree)

    def _stop(self, code: str, detail: str = "") -> NoReturn:
        self.find(code, None, f"line {self.lines}{': ' if detail else ''}{detail}")
        raise Stop

    def _line(self, line: bytes) -> None:
        self.lines += 1
        if self._ended:
            self._stop("BUNDLE_TRAILING")
        if not line.endswith(b"\n"):
            self._stop("BUNDLE_TRUNCATED")
        try:
            value = read(line[:-1])
            kind = " ".join(sorted(value))
            if (kind == "bundle origin size") != (self.lines == 1):
                self._stop("BUNDLE_LINE", "the first line, and no other, says what this is")
            if kind == "bundle origin size":
                self._head(value)
            elif kind == "policy_set" and not self.tree.size:
                if line in self._archived:
                    self._stop("BUNDLE_LINE", "the same policy set a second time")
                self._archived.add(line)
                self._policy_set(value["policy_set"])
            elif kind == "leaf":
                self._leaf(unbase64(value["leaf"]))
            elif kind == "checkpoint":
                self._checkpoint(value["checkpoint"])
            elif kind == "cosigned" and self._line_before == "checkpoint" and self._note_text is not None:
                self.witnesses.cosigned(value["cosigned"], self._note_text, self.tree.size, self._last_at)
            elif kind == "timestamp" and self._note_text is not None:
                self._time_stamp(value["timestamp"])
            elif kind == "lines sha256":
                self._ended = True
                if (value["lines"], value["sha256"]) != (self.lines - 1, self._sum.hexdigest()):
                    self.find("BUNDLE_DIGEST")
            else:
                self._stop("BUNDLE_LINE")
        except Malformed as error:
            self._stop("BUNDLE_LINE", str(error))
        self._line_before = kind
        self._sum.update(line)

    def _head(self, value: dict[str, Any]) -> None:
        if value["bundle"] != "sluis/v1/log" or not SHAPES["number"](value["size"]):
            self._stop("BUNDLE_LINE", "not a log bundle of version 1")
        if value["origin"] != self.trust.origin:
            self.find("ORIGIN")
        self.stated = value["size"]

    def _policy_set(self, bundle: object) -> None:
        try:
            policies = read_policy_set(bundle)
        except (Malformed, KeyError, TypeError) as error:
            self.find("POLICY_ARCHIVE", None, str(error))
            return
        self.story.archive[policies.digest].append(policies)

    def _leaf(self, leaf: bytes) -> None:
        index = self.tree.size
        self._note_text = None
        self.tree.add(leaf)
        if index in self._keep_leaves:
            self._leaves[index] = leaf
        if self.tree.size in self._keep_roots:
            self._roots[self.tree.size] = self.tree.root()
        try:
            entry = read_entry(leaf)
        except Malformed as error:
            self.find("LEAF_FORM", index, str(error))
            return
        if entry.index != index:
            self.find("INDEX", index)
            entry = replace(entry, index=index)  # where it stands, not where it says it does
        earlier = self._last_at is not None and entry.at < self._last_at
        if earlier or (self._batch_at is not None and entry.at != self._batch_at):
            self.find("TIME_ORDER", index)
        self._batch_at = self._last_at = entry.at
        self.last = f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ}"
        self.witnesses.entry(entry)
        if (entry.kind == "genesis") != (index == 0):
            self.find("GENESIS", index)
        self._net(lambda: self.story.tell(entry), index)

    def _net(self, rules: Callable[[], None], index: int | None = None) -> None:
        """Whatever a hostile entry makes a library raise is a finding, at once or where its batch or the log ends."""
        try:
            rules()
        except Exception as error:
            self.find("LEAF_FORM", index, type(error).__name__)

    def _checkpoint(self, note: object) -> None:
        self._net(self.story.end_of_batch)
        self._batch_at = None
        if not isinstance(note, str):
            self._stop("CHECKPOINT_FORM")
        self._note_text = note.partition("\n\n")[0].encode() + b"\n"
        try:
            tree = read_checkpoint(note, self.trust.log_keys)
        except Malformed as error:
            unsigned = isinstance(error, Unsigned)
            self.find("CHECKPOINT_SIGNATURE" if unsigned else "CHECKPOINT_FORM", None, str(error))
            return
        if tree.origin != self.trust.origin:
            self.find("ORIGIN")
        if tree.size != self.tree.size or tree.size == self.signed:
            self.find("CHECKPOINT_SIZE", None, f"line {self.lines}")
        elif tree.root != self.tree.root():
            self.find("CHECKPOINT_ROOT", None, f"line {self.lines}")
        else:
            self.signed = tree.size
        if self._last_at is not None and not all(self.trust.counts(key, self._last_at) for key in tree.signers):
            self.find("LOG_KEY_PERIOD", None, f"line {self.lines}")
        self.story.life.checkpoint(tree)

    def _time_stamp(self, value: object) -> None:
        """Counted, not checked: it stands behind the checkpoint of its size."""
        if (
            not isinstance(value, dict)
            or not has_form(value, form("size:number token:text"))
            or value["size"] != self.tree.size
            or (value["size"], value["token"]) in self.stamped
        ):
            self._stop("BUNDLE_LINE", "not a time stamp of the checkpoint before it, or one for the second time")
        self.stamped = {*(one for one in self.stamped if one[0] == value["size"]), (value["size"], value["token"])}
        self.stamps += 1


class Witnesses:
    """How far witnesses vouch for the log, and whether it went on too long without them."""

    SKEW = timedelta(minutes=10)
    """How far the clocks of a witness and of the log may be apart."""

    def __init__(self, trust: Trust, find: Callable[..., None]) -> None:
        self.trust, self.find = trust, find
        self.times: dict[str, datetime] = {}
        """Witness -> its newest cosignature so far."""
        self.open_since: datetime | None = None
        """Time of the first entry that no quorum covers."""
        self.late: int | None = None
        """The first ask after the grace of those entries."""
        self.newest: datetime | None = None
        self.seen = self.cosigned_to = 0

    def entry(self, entry: Entry) -> None:
        """Every entry, in the order of the log."""
        if not self.trust.witnesses or entry.index < self.trust.witnessed_from:
            return
        if self.open_since is None:
            self.open_since = entry.at
        if entry.kind == "ask" and self.late is None and entry.at - self.open_since > self.trust.grace + GRACE:
            self.late = entry.index
        if self.newest is not None and entry.at < self.newest - self.SKEW:
            self.find("COSIGNATURE_TIME", entry.index, "older than a cosigned log without it")
            self.newest = None

    def cosigned(self, note: object, behind: bytes, size: int, covers: datetime | None) -> None:
        """A cosigned checkpoint behind the one with the text `behind`, whose last entry is of the time `covers`."""
        try:
            read_checkpoint(note, self.trust.log_keys)
        except Malformed as error:
            self.find("COSIGNED_FORM", None, str(error))
            return
        if read_note(note)[1] != behind:
            self.find("COSIGNED_DIFFERS", None, f"at {size} entries")
            return
        try:
            times = read_cosignatures(note, self.trust.witnesses, self.trust.counts)
        except Malformed as error:
            self.find("COSIGNATURE_WRONG", None, str(error))
            return
        self.seen += 1
        for name, at in times.items():
            if (covers is not None and at < covers - self.SKEW) or at < self.times.get(name, at):
                self.find("COSIGNATURE_TIME", None, f"of {name}")
            self.times[name] = at
        if self.trust.witnesses and len(times) >= self.trust.quorum:
            self._end_of_gap()
            self.newest, self.cosigned_to = sorted(times.values())[self.trust.quorum - 1], size
            self.open_since = None

    def end(self) -> None:
        """The end of the bundle."""
        self._end_of_gap()
        if self.trust.witnesses and not self.cosigned_to:
            self.find("WITNESS_QUORUM")

    def _end_of_gap(self) -> None:
        if self.late is not None:
            self.find("WITNESS_GAP", self.late)
        self.late = None


# --- 6. Policies ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PolicySet:
    """An archived policy set whose digests are right; `signers`: the keys whose signatures over it are."""

    digest: str
    text_digest: str
    revision: int
    expires: datetime
    meaning: dict[str, Any]
    signers: frozenset[str]
    approvals: list[dict[str, str]]

    def purpose(self, name: str) -> dict[str, Any] | None:
        """A purpose of the set."""
        found: dict[str, Any] | None = self.meaning["purposes"].get(name)
        return found

    def parties(self, names: Iterable[str]) -> set[str]:
        """Names with every group listed out."""
        groups = self.meaning["catalogue"].get("groups", {})
        return {party for name in names for party in groups.get(name, [name])}

    def held(self, purpose: Mapping[str, Any]) -> dict[str, list[str]]:
        """Answerer -> which of the purpose's attributes it holds, sorted."""
        attributes = self.meaning["catalogue"]["attributes"]
        return {
            answerer: sorted(
                name
                for name in purpose["may_learn"]["attributes"]
                if answerer in self.parties(attributes[name]["holders"])
            )
            for answerer in purpose["answers"]
        }

    def guarded(self, name: str) -> bool:
        """Whether a purpose, or one in its shadow, has guards against probing."""
        return any((self.purpose(one) or {}).get("probing") for one in (name, *self.shadows(name)))

    def shadows(self, purpose: str) -> list[str]:
        """The purposes in shadow of this one, by name."""
        return sorted(
            name
            for name, other in self.meaning["purposes"].items()
            if other["state"] == "shadow" and other.get("shadow_of") == purpose
        )

    def oins(self, party: str) -> set[str]:
        """A party's OIN and sub-OINs."""
        known = self.meaning["catalogue"]["parties"].get(party)
        return {known["oin"], *known.get("sub_oins", [])} if known else set()

    def approval_digest(self, name: str) -> str:
        """What an officer signs of a purpose (docs/formats.md section 6): it, and all it draws on."""
        purpose, catalogue = self.meaning["purposes"][name], self.meaning["catalogue"]
        principals = [pair["principal"] for pair in purpose["on_behalf_of"]]
        services = {s: catalogue["key_services"][s] for s in purpose["pseudonyms"].get("key_services", [])}
        operators = {service["operator"] for service in services.values()} - {"broker"}
        parties = {*purpose["asks"], *purpose["answers"], *principals, *operators}
        covered = {
            "purpose": purpose,
            "parties": {p: catalogue["parties"][p] for p in parties},
            "subject_type": catalogue["subject_types"][purpose["about"]],
            "identifiers": {i: catalogue["identifiers"][i] for i in purpose["identified_by"]},
            "attributes": {a: catalogue["attributes"][a] for a in purpose["may_learn"]["attributes"]},
            "held_by": self.held(purpose),
            "legal_basis": catalogue["legal_bases"][purpose["legal_basis"]],
            "dpia": catalogue.get("dpias", {}).get(purpose["dpia"]) if purpose["dpia"] else None,
            "guardrails": catalogue["guardrails"],
        }
        if services:
            covered["key_services"] = services
        return digest_of(covered)

    def signs_for(self, key: str) -> set[str]:
        """The parties that an officer's key signs for."""
        officers = self.meaning.get("officers", {}).values()
        return {party for officer in officers if officer["key"] == key for party in self.parties(officer["signs_for"])}

    def concerned(self, name: object) -> set[str]:
        """Askers, answerers and principals of a purpose; nobody when there is no such purpose."""
        purpose = self.meaning["purposes"].get(name) if isinstance(name, str) else None
        if purpose is None:
            return set()
        return {*purpose["asks"], *purpose["answers"], *(pair["principal"] for pair in purpose["on_behalf_of"])}

    def sides(self, purpose: Mapping[str, Any], officer: Mapping[str, Any]) -> tuple[bool, bool]:
        """Whether an officer may sign for the asking and for the answering side of a purpose."""
        represented = self.parties(officer["signs_for"])
        asking = {*purpose["asks"], *(pair["principal"] for pair in purpose["on_behalf_of"])}
        return bool(represented & asking), bool(represented & set(purpose["answers"]))

    def approved(self) -> bool:
        """Whether every approval is right, and every active purpose has two, by different people of either side."""
        asking: dict[str, set[str]] = defaultdict(set)
        answering: dict[str, set[str]] = defaultdict(set)
        officers = self.meaning.get("officers", {})
        for approval in self.approvals:
            name, by = approval["purpose"], approval["officer"]
            purpose, officer = self.purpose(name), officers.get(by)
            if purpose is None or officer is None or purpose.get("written_by") == by:
                return False
            stated = {key: approval[key] for key in ("approved_on", "digest", "officer", "purpose")}
            message = SIGNED + write({**stated, "type": "sluis/v1/purpose-approval"})
            right = ed25519_signed(bytes.fromhex(officer["key"]), bytes.fromhex(approval["signature"]), message)
            asks, answers = self.sides(purpose, officer)
            if not right or approval["digest"] != self.approval_digest(name) or not (asks or answers):
                return False
            asking[name] |= {by} if asks else set()
            answering[name] |= {by} if answers else set()
        return all(
            asking[name] and answering[name] and len(asking[name] | answering[name]) > 1
            for name, purpose in self.meaning["purposes"].items()
            if purpose["state"] == "active"
        )

    def may_suspend(self, signers: Iterable[str], key: str, name: str) -> bool:
        """Whether a key may close a purpose: a policy signer's, or an officer's of a party that takes part."""
        if self.purpose(name) is None:
            return False
        return key in signers or bool(self.signs_for(key) & self.concerned(name))


_MANIFEST = form("digest:hex expires:time revision:number text_digest:hex type:text")
_APPROVAL = form("approved_on:day digest:hex officer:name purpose:name signature:hex128")


def read_policy_set(bundle: object) -> PolicySet:
    """An archived set (docs/formats.md section 6), its digests recomputed. Raises Malformed."""
    wanted = {"manifest", "meaning", "signatures", "texts"}
    if not isinstance(bundle, dict) or set(bundle) - {"approvals"} != wanted:
        raise Malformed("its members")
    manifest, meaning, texts = bundle["manifest"], bundle["meaning"], bundle["texts"]
    signatures, approvals = bundle["signatures"], bundle.get("approvals", [])
    if not has_form(manifest, _MANIFEST) or not isinstance(signatures, list) or not isinstance(approvals, list):
        raise Malformed("its manifest")
    if not isinstance(meaning, dict) or not isinstance(texts, dict) or not SHAPES["texts"](list(texts.values())):
        raise Malformed("its texts")
    digests = [digest_of(meaning), digest_of(texts)]
    if [*digests, "sluis/v1/policy-set"] != [manifest["digest"], manifest["text_digest"], manifest["type"]]:
        raise Malformed("its digests")
    if not all(has_form(approval, _APPROVAL) for approval in approvals):
        raise Malformed("its approvals")
    signers = set()
    for item in signatures:
        try:
            key, signature = str(item["key"]).lower(), bytes.fromhex(item["signature"])
            if ed25519_signed(bytes.fromhex(key), signature, SIGNED + write(manifest)):
                signers.add(key)
        except (KeyError, TypeError, ValueError):
            continue
    return PolicySet(
        digest=manifest["digest"],
        text_digest=manifest["text_digest"],
        revision=manifest["revision"],
        expires=moment(manifest["expires"]),
        meaning=meaning,
        signers=frozenset(signers),
        approvals=approvals,
    )


# --- 7. Decisions -----------------------------------------------------------------------------------------------------
# Each check says whether it is met, why, and where the policy says so. A decision in the log must be the same in all.


def _last_sunday(year: int, month: int) -> datetime:
    day = datetime(year, month, 31, 1, tzinfo=UTC)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def _ahead(at: datetime) -> timedelta:
    """How far Dutch clocks are ahead of UTC: an hour, and two from the last Sunday of March to that of October.

    Written out, because not every machine has a time-zone database (directive 2000/84/EC; in force since 1996).
    """
    summer = _last_sunday(at.year, 3) <= at < _last_sunday(at.year, 10)
    return timedelta(hours=2 if summer else 1)


def amsterdam_day(at: datetime) -> date:
    """The calendar day in the Netherlands."""
    return (at + _ahead(at)).date()


def midnight(day: date) -> datetime:
    """When a day begins in the Netherlands; clocks change later in the night."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return at - _ahead(at - timedelta(hours=1))


def epoch_name(period: str, day: date) -> str:
    """The key epoch that a day lies in."""
    if period == "quarter":
        return f"{day.year}Q{(day.month + 2) // 3}"
    return f"{day.year}-{day.month:02d}" if period == "month" else str(day.year)


def calendar_epoch(epoch: str) -> str:
    """The calendar epoch of a key epoch: 2026Q4 of 2026Q4.2, the second key of that quarter."""
    return epoch.partition(".")[0]


def open_epochs(period: str, overlap: int, day: date) -> list[str]:
    """The calendar epoch of a day, and the one before it while they overlap."""
    months = {"quarter": 3, "month": 1, "year": 12}[period]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    older = [epoch_name(period, first - timedelta(days=1))] if (day - first).days < overlap else []
    return [epoch_name(period, day), *older]


def epoch_at(period: str, at: datetime) -> tuple[str, datetime, datetime]:
    """Name of the key epoch at a moment, when it begins and when it ends."""
    day, months = amsterdam_day(at), {"quarter": 3, "month": 1, "year": 12}[period]
    first = (day.month - 1) // months * months
    years, after = divmod(first + months, 12)
    begins, ends = date(day.year, first + 1, 1), date(day.year + years, after + 1, 1)
    return epoch_name(period, day), midnight(begins), midnight(ends)


def epoch_ends(period: str, name: str) -> datetime | None:
    """When the calendar epoch of a name ends; None when a period has none of that name."""
    try:
        number = int(name[5:] or 1)
        month = {"quarter": 3 * number - 2, "month": number, "year": 1}[period]
        found = epoch_at(period, midnight(date(int(name[:4]), month, 1)))
    except ValueError:
        return None
    return found[2] if found[0] == name else None


def needed_until(purpose: Mapping[str, Any], epoch: str) -> datetime | None:
    """Until when keys of an epoch are needed: the last question under it has then left the vaults."""
    terms = purpose["pseudonyms"]
    ends = epoch_ends(terms["epoch"], calendar_epoch(epoch))
    days = (terms.get("overlap_days") or 0) + purpose["vault_keep_days"]
    return None if ends is None else midnight(amsterdam_day(ends) + timedelta(days=days))


def shown(word: object) -> str:
    """A word of a request, if it is a plain name without a long number."""
    plain = isinstance(word, str) and re.fullmatch(r"(?!.*[0-9]{8})[A-Za-z0-9][A-Za-z0-9._-]{0,62}", word)
    return f"'{word}'" if plain else "(a word that is no name)"


def listed(names: Sequence[str]) -> str:
    """At most ten names."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def some(names: Sequence[str]) -> str:
    """At most five words of a request."""
    return ", ".join(map(shown, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


Verdict = tuple[bool, str, str]
"""Met, reason, path."""
_STATES = {
    "draft": "a draft",
    "shadow": "in shadow: decisions are logged and nothing is released",
    "suspended": "suspended",
    "withdrawn": "withdrawn",
}
_RULE_PATHS = {"look_back_years": "look_back.years", "look_back_counted_from": "look_back.counted_from"}


def row_rules(purpose: Mapping[str, Any]) -> dict[str, Any]:
    """What a register under this purpose must declare of its rows."""
    rules: dict[str, Any] = {}
    if purpose["look_back"] is not None:
        rules["look_back_years"] = purpose["look_back"]["years"]
        rules["look_back_counted_from"] = purpose["look_back"]["counted_from"]
    if purpose["valid_on"] is not None:
        rules["valid_on"] = purpose["valid_on"]
    return rules | {n: True for n in ("exclude_natural_persons", "hit_only_if_natural_person") if purpose[n]}


class Case:
    """One question to one answerer, under one purpose, with the facts that were read then."""

    def __init__(self, policies: PolicySet, purpose: dict[str, Any], ask: Mapping[str, Any]) -> None:
        self.policies, self.p, self.facts = policies, purpose, ask["facts"]
        self.q, self.answerer = ask["statement"], ask["answerer"]
        self.want = self.q["want"]
        self.now = moment(self.facts["now"])
        self.today = amsterdam_day(self.now)
        self.rows = self.want["hit"] or bool(self.want["attributes"])
        self.count = purpose["may_learn"]["count"]
        self.to_explain: list[str] = []

    def guard(self, name: str, key: str, fact: str, counted: str) -> Verdict:
        """A guard against probing: refused beyond its bound, or permitted and to be explained."""
        path, rule = f"probing.{key}", self.p["probing"][key]
        if "probing" not in self.facts:
            return False, "what was asked before is not among the facts", path
        found = self.facts["probing"][fact]
        least, bound = "at_least" in rule, rule.get("at_least", rule.get("at_most"))
        told = f"{counted}: {'not known yet' if found is None else found}; at {'least' if least else 'most'} {bound}"
        try:
            holds = found is None or (found >= bound if least else found <= bound)
        except TypeError:
            return False, "could not be evaluated", ""
        if holds or rule["then"] == "refuse":
            return holds, told, path
        why = "say in the log why, with `sluis-client unusual explain`"
        self.to_explain.append(f"explain-{name}: {why} ({counted})")
        return True, f"{told}, to be explained", path

    def standing(self) -> Verdict:
        """Whether an earlier question may be put again."""
        rule, facts, path = self.p.get("standing_questions"), self.facts.get("standing"), "standing_questions"
        if rule is None:
            return False, "no question may stand under this purpose", ""
        if facts is None:
            return False, "what its first question was is not among the facts", path
        first, newer, days = facts["first"], facts["newer"], facts["days"]
        if first != "same" and (not isinstance(first, str) or first not in NOT_FIRST):
            return False, "could not be evaluated", ""
        if first != "same":
            return False, NOT_FIRST[first], path
        if not newer:
            return False, "the answerer has published nothing newer than what answered it last", path
        if type(days) is not int:
            return False, "could not be evaluated", ""
        told = f"days since its first question: {days}; at most {rule['days']}"
        return 0 <= days <= rule["days"], told, f"{path}.days"

    def policy_set_current(self) -> Verdict:
        until = f"{self.policies.expires:%Y-%m-%d %H:%M} UTC"
        if self.now < self.policies.expires:
            return True, f"the policy set holds until {until}", ""
        return False, f"the policy set expired at {until}", ""

    def purpose_active(self) -> Verdict:
        if self.p["state"] == "active":
            return True, "the purpose is active", "state"
        return False, f"the purpose is {_STATES[self.p['state']]}; only an active purpose permits", "state"

    def suspension(self) -> Verdict:
        since = self.facts.get("suspended_since")
        if since is None:
            return True, "no notice suspends the purpose", "state"
        on = f"{moment(since):%Y-%m-%d %H:%M} UTC"
        return False, f"suspended by a signed notice since {on}; a new text that names the notice lifts it", "state"

    def purpose_valid(self) -> Verdict:
        first, last = (date.fromisoformat(self.p["valid"][end]) for end in ("from", "until"))
        text = f"{first} to {last}, both included"
        if first <= self.today <= last:
            return True, f"valid {text}", "valid"
        return False, f"today is {self.today}; valid {text}", f"valid.{'from' if self.today < first else 'until'}"

    def asker(self) -> Verdict:
        asker, asks = self.q["asker"], self.p["asks"]
        if asker in asks:
            return True, f"{asker} may ask", "asks"
        return False, f"{shown(asker)} asks; allowed: {listed(asks)}", "asks"

    def principal(self) -> Verdict:
        asker, principal, pairs = self.q["asker"], self.q["principal"], self.p["on_behalf_of"]
        allowed = sorted({pair["principal"] for pair in pairs if pair["processor"] == asker})
        if principal is None:
            if not allowed:
                return True, "asks for itself", "on_behalf_of" if pairs else "asks"
            must = f"{asker} is a processor here and must name its principal; allowed: {listed(allowed)}"
            return False, must, "on_behalf_of"
        if principal in allowed:
            return True, f"{asker} may ask on behalf of {principal}", "on_behalf_of"
        return False, f"{shown(asker)} on behalf of {shown(principal)} is no listed pair", "on_behalf_of"

    def answerer_(self) -> Verdict:
        if self.answerer in (self.q["asker"], self.q["principal"]):
            return False, f"{shown(self.answerer)} would answer its own question", "answers"
        if self.answerer in self.p["answers"]:
            return True, f"{self.answerer} may be asked", "answers"
        return False, f"{shown(self.answerer)} is asked; allowed: {listed(self.p['answers'])}", "answers"

    def identifier(self) -> Verdict:
        scheme, accepted = self.q["scheme"], self.p["identified_by"]
        if scheme in accepted:
            return True, f"identified by {scheme}", "identified_by"
        return False, f"identified by {shown(scheme)}; allowed: {listed(accepted)}", "identified_by"

    def match_keys(self) -> Verdict:
        scheme, used, weakest = self.q["scheme"], self.q["match_keys"], self.p["weakest_match_key"]
        if scheme not in self.p["identified_by"]:
            return False, "an identifier that is not accepted has no match keys", "identified_by"
        most = self.policies.meaning["catalogue"]["identifiers"][scheme]["match_keys"]
        most = most if weakest is None else min(most, weakest)
        path = f"catalogue.identifiers.{scheme}.match_keys" if weakest is None else "weakest_match_key"
        return 1 <= used <= most, f"match keys used: {used:d}; allowed: 1 to {most}", path

    def mode(self) -> Verdict:
        mode = self.p["pseudonyms"]["mode"]
        if mode in self.facts["modes_available"]:
            return True, f"mode {mode} is available", "pseudonyms.mode"
        return False, f"mode {mode} is not available at this broker", "pseudonyms.mode"

    def epoch(self) -> Verdict:
        terms, calendar = self.p["pseudonyms"], calendar_epoch(self.q["epoch"])
        days = terms.get("overlap_days") or 0
        expected, *before = open_epochs(terms["epoch"], days, self.today)
        if calendar == expected:
            return True, f"{expected} is the epoch in force", "pseudonyms.epoch"
        if calendar in before:
            text = f"{calendar} is the epoch before {expected}, and they overlap for {days} days"
            return True, text, "pseudonyms.overlap_days"
        return False, f"{shown(self.q['epoch'])} is not the epoch in force, {expected}", "pseudonyms.epoch"

    def attributes(self) -> Verdict:
        wanted, agreed = self.want["attributes"], self.p["may_learn"]["attributes"]
        held = self.policies.held(self.p).get(self.answerer, [])
        if not wanted:
            return True, "no attributes asked", "may_learn"
        if set(wanted) <= set(held):
            return True, f"asked and allowed: {listed(wanted)}", "may_learn.attributes"
        path = "may_learn.attributes" if agreed else "may_learn"
        strange = [name for name in wanted if name not in agreed]
        if strange:
            allowed = listed(sorted(agreed)) or "none"
            return False, f"not in this purpose: {some(strange)}; allowed: {allowed}", path
        missing = [name for name in wanted if name not in held]
        return False, f"{shown(self.answerer)} does not hold: {some(missing)}", path

    def hit(self) -> Verdict:
        learn, path = self.p["may_learn"]["hit"], "may_learn.hit"
        if self.rows:
            return learn, "hits may be learned" if learn else "hits row by row may not be learned", path
        if self.want["count"]:
            return True, "no hits asked", path
        return False, "the question asks for nothing: neither hits, a count nor attributes", path

    def count_(self) -> Verdict:
        if not self.want["count"]:
            return True, "no count asked", "may_learn"
        if self.count is None:
            return False, "no count may be learned", "may_learn"
        if self.rows:
            return False, "a count cannot be asked together with hits or attributes; ask twice", "may_learn.count"
        group = self.count["min_group"]
        return True, f"a count may be learned, of at least {group} subjects", "may_learn.count"

    def subjects(self) -> Verdict:
        asked, most = self.q["subjects"], self.p["limits"]["subjects_per_request"]
        text = f"subjects asked about: {asked:d}; allowed: 1 to {most}"
        return 1 <= asked <= most, text, "limits.subjects_per_request"

    def requests(self) -> Verdict:
        done, most = self.facts["requests_today"], self.p["limits"]["requests_per_day"]
        text = f"requests permitted earlier today: {done:d}; allowed a day: {most}"
        return 0 <= done < most, text, "limits.requests_per_day"

    def case_number(self) -> Verdict:
        found, required = self.facts["case_number"], self.p["case_number"] is not None
        path = "case_number" if required else ""
        if found == "absent":
            return (
                not required,
                "a case number is required, and none was given" if required else "none is required",
                path,
            )
        if found == "accepted":
            return True, "a case number was given, in the asker's own form", path
        wrong = {
            "looks-like-bsn": "the case number looks like a BSN; give one that holds no BSN",
            "malformed": "the case number does not have the form of the asker's case numbers",
        }
        return False, wrong[found], f"catalogue.parties.{self.q['asker']}.case_number"

    def cooperation_ref(self) -> Verdict:
        if self.p["cooperation_ref"] is None:
            return True, "none is required", ""
        if self.facts["cooperation_ref"] is True:
            return True, "a co-operation reference was given", "cooperation_ref"
        return False, "a co-operation reference is required, and none was given", "cooperation_ref"

    def register_rules(self) -> Verdict:
        demanded = row_rules(self.p)
        if not demanded:
            return True, "no row rules are demanded", ""
        paths = [_RULE_PATHS.get(name, name) for name in demanded]
        if self.facts["register"] is None:
            return True, "no register is in force, so nothing can be answered", paths[0]
        declared = self.facts["register"]["rules"]
        for (name, value), path in zip(demanded.items(), paths, strict=True):
            if type(declared.get(name)) is not type(value) or declared[name] != value:
                return False, f"the register does not declare the rule {name} = {str(value).lower()}", path
        return True, f"the register declares: {', '.join(demanded)}", paths[0]

    def count_distance(self) -> Verdict:
        distance = self.facts["count_distance"]
        if not self.want["count"]:
            return True, "no count asked", "may_learn"
        if self.count is None:
            return False, "no count may be learned", "may_learn"
        if distance is None:
            return True, "no earlier count to compare with", "may_learn.count.min_group"
        group = self.count["min_group"]
        text = f"subjects by which it differs from an earlier count: {distance:d}; at least {group}"
        return distance >= group, text, "may_learn.count.min_group"

    def counts_per_epoch(self) -> Verdict:
        done = self.facts["counts_this_epoch"]
        if not self.want["count"]:
            return True, "no count asked", "may_learn"
        if self.count is None:
            return False, "no count may be learned", "may_learn"
        most = self.count["per_epoch"]
        text = f"counts permitted earlier in this epoch: {done:d}; allowed: {most}"
        return 0 <= done < most, text, "may_learn.count.per_epoch"

    def legal_basis(self) -> Verdict:
        name, kept = self.p["legal_basis"], self.p["answer_keep_days"]
        basis = self.policies.meaning["catalogue"]["legal_bases"][name]
        first, last = basis["in_force"]["from"], basis["in_force"]["until"]
        today = self.today.isoformat()
        if (first is not None and today < first) or (last is not None and today > last):
            return False, f"{name} is not in force on {today}", f"catalogue.legal_bases.{name}.in_force"
        most = basis["longest_retention_days"]
        return kept <= most, f"answers are kept {kept} days, {name} allows {most}", "legal_basis"


CHECKS: dict[str, Callable[[Case], Verdict]] = {
    "policy-set-current": Case.policy_set_current,
    "purpose-active": Case.purpose_active,
    "suspension": Case.suspension,
    "purpose-valid": Case.purpose_valid,
    "asker": Case.asker,
    "principal": Case.principal,
    "answerer": Case.answerer_,
    "identifier": Case.identifier,
    "match-keys": Case.match_keys,
    "mode": Case.mode,
    "epoch": Case.epoch,
    "attributes": Case.attributes,
    "hit": Case.hit,
    "count": Case.count_,
    "subjects-per-request": Case.subjects,
    "requests-per-day": Case.requests,
    "case-number": Case.case_number,
    "cooperation-ref": Case.cooperation_ref,
    "register-rules": Case.register_rules,
    "count-distance": Case.count_distance,
    "counts-per-epoch": Case.counts_per_epoch,
    "legal-basis": Case.legal_basis,
}
"""Every check, in the order in which it stands in a decision."""
ENGINES = {
    "sluis-engine/1": [name for name in CHECKS if name != "suspension"],
    "sluis-engine/2": list(CHECKS),
}
FACTS = form(
    "now:micro suspended_since:micro? requests_today:any counts_this_epoch:any case_number:any cooperation_ref:any "
    "register:rules? count_distance:any modes_available:rising probing:map? standing:map?"
)
NO_FIRST = {"first": "unknown", "newer": False, "days": 0}
NOT_FIRST = {
    "unknown": "its first question is not known: none of yours to this answerer, under this purpose and key, that may "
    "stand",
    "other": "it is not the question that it says it is: other subjects, or something else is asked of them",
    "gone": "the subjects of its first question are kept no longer, so nothing shows that it is the same question",
}
NOTHING_BEFORE = {"same": 0, "nested": 0, "again": 0, "hour": 0, "epoch": 0, "hits": None}
GUARDS = [
    ("same-question", "same_question", "same", "earlier questions about the same subjects"),
    ("nested-question", "nested_question", "nested", "earlier questions inside or around this one"),
    ("asked-again", "asked_again", "again", "earlier questions about one of these subjects"),
    ("subjects-per-hour", "subjects_per_hour", "hour", "subjects asked about within an hour"),
    ("subjects-per-epoch", "subjects_per_epoch", "epoch", "subjects asked about in this epoch"),
    ("hits-per-hundred", "hits_per_hundred", "hits", "hits of the last hundred subjects or so"),
]
"""Guards against probing: id, key in the policy, member of the facts, and what is counted."""
_QUESTION = {"asker", "principal", "purpose", "epoch", "scheme", "match_keys", "want", "subjects"}


def decide(policies: PolicySet, name: str, ask: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """The decision on an ask under the purpose `name`, as it would stand in the log. Raises Malformed, KeyError."""
    facts, statement = ask["facts"], ask["statement"]
    asked = statement["want"]
    if (
        not statement.keys() >= _QUESTION
        or not asked.keys() >= WANT.keys()
        or not isinstance(asked["attributes"], list)
    ):
        raise Malformed("the statement")
    before, first = facts.get("probing", NOTHING_BEFORE), facts.get("standing", NO_FIRST)
    if (
        not has_form({"suspended_since": None, "probing": None, "standing": None, **facts}, FACTS)
        or before.keys() != NOTHING_BEFORE.keys()
        or first.keys() != NO_FIRST.keys()
    ):
        raise Malformed("its facts")
    purpose = policies.purpose(name)
    if purpose is None:
        checks = [(False, f"the policy set has no purpose named {shown(name)}", "")]
        checks += [(False, "could not be evaluated", "")] * len(ENGINES[engine])
        guards: list[Any] = []
    else:
        case = Case(policies, purpose, ask)
        checks = [(True, "the purpose is in the policy set", "purpose")]
        for check in ENGINES[engine]:
            try:
                checks.append(CHECKS[check](case))
            except Exception:  # what cannot be evaluated is not met
                checks.append((False, "could not be evaluated", ""))
        guards = [guard for guard in GUARDS if (purpose.get("probing") or {}).get(guard[1])]
        checks += [case.guard(*guard) for guard in guards]
        if "standing" in statement:
            guards = [*guards, ("standing-question",)]
            checks.append(case.standing())
    ids = ["purpose-known", *ENGINES[engine], *(guard[0] for guard in guards)]
    permitted = all(met is True for met, _, _ in checks)
    told = zip(ids, checks, strict=True)
    return {
        "effect": "permit" if permitted else "deny",
        "checks": [{"id": check, "met": met, "reason": why, "path": path} for check, (met, why, path) in told],
        "obligations": [*obligations(purpose), *case.to_explain] if permitted and purpose else [],
    }


def obligations(purpose: Mapping[str, Any]) -> list[str]:
    """The asker's duties that come with a permit."""
    duties = [f"answer_keep_days: delete the answer within {purpose['answer_keep_days']} days"]
    if purpose["use_only_for"] is not None:
        duties.append(f"use_only_for: {purpose['use_only_for']['en']}")
    if purpose["human_check"]:
        duties.append("human_check: a person checks every hit before anything is done with it")
    if purpose["deliver_every_days"] is not None:
        every = purpose["deliver_every_days"]
        duties.append(f"deliver_every_days: the register is renewed at least every {every} days")
    return duties


def normal(decision: Mapping[str, Any]) -> dict[str, Any]:
    """A decision from the log, to be compared with one taken again.

    One thing the meaning of a policy does not tell: whether its text has a line `hit:`. Either path is right.
    """
    checks = decision.get("checks")
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        return dict(decision)
    either = ("hit", "may_learn")
    told = [{**c, "path": "may_learn.hit"} if (c.get("id"), c.get("path")) == either else c for c in checks]
    return {**decision, "checks": told}


# --- 8. The story -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Register:
    """A register version in force: how asks and releases name it, and what its party signed."""

    reference: dict[str, Any]
    stated: dict[str, Any]


@dataclass(frozen=True)
class Waiting:
    """A permitted ask that has no release yet."""

    body: dict[str, Any]
    register: Register | None
    hindrance: str
    """Why no row could be matched: NO_REGISTER, EXPIRED or NOT_COVERED; "" when some could."""
    decided: datetime
    batch: int
    live: dict[str, Any] | None = None
    """Where its answerer answers live: the row rules that it must declare."""

    @property
    def stated(self) -> dict[str, Any]:
        """What was signed."""
        stated: dict[str, Any] = self.body["statement"]
        return stated


@dataclass
class Exchange:
    """The asks of one exchange, which stand side by side in one batch."""

    key: tuple[str, str]
    first: dict[str, Any]
    """Body of the first of them."""
    counter: tuple[str, str, str]
    permitted: bool = False
    answerers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Counted:
    """A permitted count, which later ones are compared with as long as its rows are kept."""

    subjects: int
    tokens: str
    kept_until: datetime


@dataclass
class Probed:
    """The permitted questions of an asker under a guarded purpose and epoch."""

    questions: int = 0
    subjects: int = 0
    recent: list[tuple[datetime, int]] = field(default_factory=list)


@dataclass
class First:
    """A question that may be put again at one answerer. `version`: of the register that answered last."""

    terms: bytes
    asked: datetime
    version: int = 0


LEASE = timedelta(minutes=15)
"""How long after its decision an ask may be answered; then it can only become `unknown`."""
CLOSING = timedelta(minutes=5)
"""How long a running broker may take to log that."""
AHEAD = timedelta(minutes=10)
"""How far a statement's last moment may lie ahead."""
SECOND = timedelta(seconds=1)
USUAL_SEARCHES = 50
"""Searches for a person, of a party in a day, where a purpose names no number."""
ALIKE = ("decided_at", "certificate", "signature", "policy_set", "engine", "trace_id")
"""What all asks of one exchange have in common, besides their statement."""
STATUSES = {
    "authorised": {"ANSWERED"},
    "withheld": {"NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD", "NOT_THERE"},
    "failed": {"FAILED"},
    "unknown": {"UNKNOWN"},
}
HINDRANCES = {
    "NO_REGISTER": "RELEASE_NO_REGISTER",
    "EXPIRED": "RELEASE_EXPIRED",
    "NOT_COVERED": "RELEASE_NOT_COVERED",
}
"""Status -> what it is to answer nevertheless."""
SIGNERS = {
    "key encryption-key": "party",
    "key epoch": "party",
    "key end": "party",
    "register published": "party",
    "ask": "asker",
    "correction": "answerer",
    "outcome": "asker",
    "notice dispute-notice": "asker",
    "notice acknowledged": "party",
    "notice unusual-use": "party",
    "notice canaries": "party",
    "notice live-answer": "party",
    "access subject-search": "party",
}
"""Form of an entry with a party's signature -> the member that names who signed it."""


class Story:
    """What each entry demands of those before it. Calls `find(code, index, detail)` for all that is wrong."""

    def __init__(self, trust: Trust, find: Callable[..., None], before: Ended | None = None) -> None:
        self.trust, self.find = trust, find
        self.archive: dict[str, list[PolicySet]] = defaultdict(list)
        self.in_force: dict[str, PolicySet | None] = {}
        self.current: tuple[str, int, str, datetime | None] | None = None
        self.replaced: tuple[str, datetime] | None = None
        self.sets: list[PolicySet | None] = []
        """The last two put in force; None for one that the archive lacks."""
        self.since: datetime | None = None
        self.parties: dict[str, list[Party]] = defaultdict(list)
        self.revocations, self.chains = defaultdict[str, Revocations](Revocations), dict[str, list[x509.Certificate]]()
        self.key_digests: set[str] = set()
        self.encryption_keys = defaultdict[str, list[tuple[str, datetime]]](list)
        self.epoch_keys: dict[tuple[str, str], str] = {}
        self.replaced_keys: set[tuple[str, str]] = set()
        self.retired, self.key_ends = set[tuple[str, str]](), set[tuple[str, ...]]()
        self.registers: dict[str, Register] = {}
        self.versions, self.folders = dict[str, int](), Counter[str]()
        """The newest of each register; how many registers an answerer has under a purpose and epoch."""
        self.withdrawn: dict[str, tuple[int, datetime]] = {}
        self.exchange: Exchange | None = None
        self.seen: set[bytes] = set()
        self.batch, self.live = 0, set[int]()
        """The number of the batch; asks whose answerer has signed a live answer."""
        self.waiting: dict[int, Waiting] = {}
        self.in_order, self.overdue = deque[int](), dict[int, datetime]()
        self.fate: dict[int, str] = {}
        """Index of an ask -> the code of a release that comes nevertheless."""
        self.requests, self.counts = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        self.counted: dict[tuple[str, ...], list[Counted]] = defaultdict(list)
        self.counted_as: dict[str, set[tuple[str, ...]]] = defaultdict(set)  # commitment to tokens -> keys of `counted`
        self.probed: dict[tuple[str, ...], Probed] = defaultdict(Probed)
        self.notices: dict[str, dict[str, datetime]] = defaultdict(dict)
        self.askers: dict[int, str] = {}
        """Index of an ask -> its asker and purpose; of a search for a person -> the same behind a question mark."""
        self.explained: set[tuple[str, str]] = set()
        self.parts: Counter[tuple[str, str, str]] = Counter()
        """Party, purpose, epoch -> asks in which it is asker, principal or answerer."""
        self.searches, self.search_days = set[tuple[str, str]](), Counter[tuple[str, str, date]]()
        self.last_ask: Entry | None = None
        self.shadows_due, self.firsts = list[str](), dict[bytes, First]()
        """Shadows that must follow; questions that may stand, by asker, exchange and answerer."""
        self.decisions: Counter[str] = Counter()
        self.life, self.rectified, self.vault = Life(self, before), Rectified(self), Vault(self)
        self.service, self.canaries = KeyService(self), Canaries(self)
        self.steps = self._steps()

    def _steps(self) -> dict[str, tuple[Callable[[Entry], None], ...]]:
        """Form of an entry -> what looks at it. One that is not here demands its form only."""
        life, rectified, vault = self.life, self.rectified, self.vault
        return {
            "genesis": (life.genesis,),
            "policy": (self._policy,),
            "party": (self._party,),
            "key encryption-key": (self._encryption_key,),
            "key epoch": (self._epoch,),
            "key end": (self._key_end,),
            "register published": (self._published,),
            "register withdrawn": (self._withdrawn,),
            "ask": (self._part, self._ask),
            "release": (self.canaries.released, self._release, rectified.release, vault.release),
            "evaluation": (self._dry_run,),
            "evaluation shadow": (self._shadow,),
            "evaluation elements": (self._dry_run, self.service.elements),
            "notice policy-suspension": (self._suspension,),
            "notice dispute-notice": (rectified.dispute, vault.rectification),
            "notice correction-notice": (rectified.notice, vault.rectification),
            "notice correction-blank": (rectified.blank,),
            "notice acknowledged": (rectified.acknowledged,),
            "notice unusual-use": (self._unusual_use,),
            "notice canaries": (self.canaries.set, vault.rectification),
            "notice canary": (self.canaries.met,),
            "notice live-answer": (self._answered_live,),
            "correction": (rectified.correction, vault.rectification),
            "outcome": (rectified.outcome, vault.rectification),
            "access answer-repeated": (self._repeated,),
            "access entries": (self._read_by,),
            "access vault-export": (self._read_by,),
            "access subject-search": (self._searched_for,),
            "recovery entries-lost": (life.loss,),
            "config log-key": (life.change_key,),
            "config carried": (life.carry,),
            "config service-key-destroyed": (self.service.key_destroyed,),
            "config legal-hold-added": (vault.hold,),
            "config legal-hold-lifted": (vault.hold,),
            "seal": (life.seal,),
            "erasure retention": (vault.erasure, self._rows_gone, self.canaries.erasure),
            "erasure request": (vault.erasure, self._rows_gone, self.canaries.erasure),
        }

    @property
    def policies(self) -> PolicySet | None:
        """The policy set in force."""
        return self.sets[-1] if self.sets else None

    def tell(self, entry: Entry) -> None:
        """One entry, in the order of the log."""
        self.life.entry(entry)
        if entry.kind not in ("ask", "evaluation"):
            self.end_of_shadows()
        self._leases(entry.at)
        if entry.form not in ("notice correction-notice", "notice correction-blank"):
            self.rectified.end_of_notices()
        if entry.form in SIGNERS:
            self._check_signature(entry, entry.body[SIGNERS[entry.form]])
        for step in self.steps.get(entry.form, ()):
            step(entry)

    def end(self) -> None:
        """The end of the bundle."""
        self.end_of_exchange()
        self.end_of_shadows()
        self.rectified.end_of_notices()
        self.life.end_of_beginning()
        self.vault.end()

    def find_all(self, faults: Mapping[str, bool], index: int) -> None:
        for code, wrong in faults.items():
            if wrong:
                self.find(code, index)

    def _repeated(self, entry: Entry) -> None:
        """An answer given again, of an exchange in the log."""
        if _mark(entry.body["party"], entry.body["exchange"] or "") not in self.seen:
            self.find("ACCESS_UNKNOWN", entry.index)

    def _read_by(self, entry: Entry) -> None:
        """Entries of others, or what they commit to, given to an auditor of the policy set."""
        known = self.policies.meaning["catalogue"].get("auditors", ()) if self.policies else ()
        # a set that the archive lacks is a finding of its own; before the first there are no auditors, and no entries
        # to read, but perhaps a vault: that of the log before
        too_soon = not self.sets and entry.body["what"] == "vault-export"
        if entry.body["party"] not in known and (self.policies or too_soon):
            self.find("ACCESS_PARTY", entry.index)

    def _rows_gone(self, entry: Entry) -> None:
        """No later count is compared with a question whose rows were erased."""
        gone = set(entry.body["commitments"])
        for key in {key for name in gone for key in self.counted_as.pop(name, ())}:
            self.counted[key] = [one for one in self.counted[key] if one.tokens not in gone]

    # Policies and parties

    def _policy(self, entry: Entry) -> None:
        body = entry.body
        expires = None if body["expires"] is None else moment(body["expires"])
        found = None
        for one in self.archive[body["digest"]]:
            if (one.text_digest, one.revision, one.expires) == (body["text_digest"], body["revision"], expires):
                found = one
        self.in_force[body["digest"]] = found
        now = (body["digest"], body["revision"], body["text_digest"], expires)
        if self.current is not None and now != self.current:
            if now[1] <= self.current[1]:
                self.find("POLICY_UNKNOWN", entry.index)
            if now[0] != self.current[0]:
                self.replaced = (self.current[0], entry.at)
        self.current, self.since = now, entry.at
        self.sets = [*self.sets[-1:], found]
        if expires is not None and expires <= entry.at - GRACE:
            self.find("POLICY_EXPIRED", entry.index)
        if body["engine"] not in self.trust.engines:
            self.find("ENGINE_UNTRUSTED", entry.index)
        if found is None:
            self.find("POLICY_MISSING", entry.index)
            return
        enough = len(found.signers & self.trust.policy_signers) >= self.trust.policy_quorum
        if not enough or not set(body["signers"]) <= found.signers:
            self.find("POLICY_SIGNATURES", entry.index)
        if self.trust.approvals and not found.approved():
            self.find("POLICY_APPROVALS", entry.index)

    def decided_under(self, entry: Entry) -> PolicySet | None:
        """The set that an entry was decided under: in force, or replaced at most 60 seconds ago."""
        digest = entry.body["policy_set"]
        current = self.current is not None and self.current[0] == digest
        before = self.replaced is not None and self.replaced[0] == digest and entry.at <= self.replaced[1] + GRACE
        if current or before:
            return self.in_force[digest]
        self.find("POLICY_UNKNOWN", entry.index)
        return None

    def around(self, at: datetime) -> list[PolicySet | None]:
        """The sets that a call logged now may have been taken under; None for one that the archive lacks."""
        sets = [] if self.current is None else [self.in_force[self.current[0]]]
        if self.replaced is not None and at <= self.replaced[1] + GRACE:
            sets.append(self.in_force[self.replaced[0]])
        return sets

    def _party(self, entry: Entry) -> None:
        body, name = entry.body, entry.body["party"]
        between = [c for text in body["issuers"] if (c := self._certificate(text, entry)) is not None]
        certificates = {}
        oins = [body["oin"]]
        for text in body["certificates"]:
            certificate = self._certificate(text, entry)
            if certificate is None:
                continue
            mark = certificate.fingerprint(hashes.SHA256()).hex()
            chain = self.chains.get(mark) or chain_above(certificate, between, self.trust.issuers)
            if chain is None:
                self.find("CERTIFICATE_CHAIN", entry.index)
            else:
                self.chains[mark] = chain
            top = chain[-1].fingerprint(hashes.SHA256()).hex() if chain else ""
            certificates[mark] = Known(certificate, chain, oin_of(certificate), self.trust.periods.get(top, ALWAYS))
            oins.append(certificates[mark].oin)
        if not all(_has_oin(self.sets[-1:], name, oin) and self._oin_fits(oin) for oin in oins):
            self.find("CERTIFICATE_OIN", entry.index)
        lists = None if body["crl_this_update"] is None else moment(body["crl_this_update"])
        party = Party(certificates, body["issuers"], frozenset(body["revoked"]), lists, entry.at)
        if self.revocations[name].undone_by(party):
            self.find("REVOCATION_UNDONE", entry.index)
        self.parties[name] = [*self.parties[name][-1:], party]

    def _oin_fits(self, oin: str) -> bool:
        return len(oin) == 20 and not (self.trust.environment == "production" and oin.startswith("00000099"))

    def _certificate(self, text: str, entry: Entry) -> x509.Certificate | None:
        try:
            return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
        except (ValueError, binascii.Error):
            self.find("LEAF_FORM", entry.index, "a certificate that cannot be read")
            return None

    def _check_signature(self, entry: Entry, party: str) -> None:
        """By a certificate that the log had for the party (or had until a minute ago), valid and not revoked then."""
        stated, at, index = self.parties[party], entry.at, entry.index
        stands = [one for n, one in enumerate(stated, 1) if n == len(stated) or at - stated[-1].since <= GRACE]
        mark = entry.body["certificate"]
        known = next((one.certificates[mark] for one in reversed(stands) if mark in one.certificates), None)
        if known is None:
            self.find("CERTIFICATE_UNKNOWN", index)
            return
        age, lists = self.trust.list_age, stated[-1].lists
        faults = {
            "CERTIFICATE_CHAIN": known.above is None,
            "CERTIFICATE_TIME": not known.first <= at <= known.last + GRACE,
            "CERTIFICATE_REVOKED": all(known.serial in one.revoked for one in stands),
            # a list is logged when it is newer by half the age that the broker allows
            "REVOCATION_STALE": age is not None and (lists is None or at - lists > age * 1.5 + GRACE),
            "CERTIFICATE_USAGE": not may_sign(known.certificate),
            "CERTIFICATE_DROPPED": self._is_dropped(party, known.oin, at),
            "STATEMENT_SIGNATURE": not signed_by(known.certificate, entry.body["signature"], entry.body["statement"]),
        }
        self.find_all(faults, index)

    def _is_dropped(self, party: str, oin: str, at: datetime) -> bool:
        """Whether the set in force no longer gives a party this OIN. A call in flight is under the one before."""
        if _has_oin(self.sets[-1:], party, oin) or self.since is None:
            return False
        return at > self.since + GRACE or not _has_oin(self.sets[:-1], party, oin)

    def statement(self, entry: Entry, kind: str, same: Mapping[str, Any]) -> dict[str, Any] | None:
        """The entry's signed statement when it has the form of its type. Of this log, and saying what `same` says."""
        stated: dict[str, Any] = entry.body["statement"]
        if not has_form(stated, STATEMENTS[kind]) or stated["type"] != kind.partition(" ")[0]:
            self.find("STATEMENT_FORM", entry.index)
            return None
        same = {**same, "origin": self.trust.origin, "environment": self.trust.environment}
        if any(stated[name] != value for name, value in same.items()):
            self.find("STATEMENT_DIFFERS", entry.index)
        return stated

    # Keys and registers

    def _new_key(self, entry: Entry, kind: str, owner: str) -> dict[str, Any] | None:
        stated = self.statement(entry, kind, {owner: entry.body["party"]})
        if stated is not None and digest_of(stated) in self.key_digests:
            self.find("KEY_REPEATED", entry.index)
        self.key_digests |= {digest_of(stated)} if stated else set()
        return stated

    def _encryption_key(self, entry: Entry) -> None:
        stated = self._new_key(entry, "sluis/v1/encryption-key", "party")
        if stated is not None:
            keys = self.encryption_keys[stated["party"]]
            self.replaced_keys |= {(stated["party"], digest) for digest, _ in keys}
            self.encryption_keys[stated["party"]] = [*keys[-1:], (digest_of(stated)[:32], entry.at)]

    def _epoch(self, entry: Entry) -> None:
        stated = self._new_key(entry, "sluis/v1/epoch", "steward")
        if stated is None:
            return
        key = (stated["purpose"], stated["epoch"])
        if stated["epoch"] != self.newest_generation(stated["purpose"], calendar_epoch(stated["epoch"])):
            self.find("KEY_TERMS", entry.index)
        if self.epoch_keys.setdefault(key, stated["key_id"]) != stated["key_id"]:
            self.find("KEY_SECOND", entry.index)
        for party, recipient in stated["recipients"].items():
            if recipient["key"] not in self._keys_of(party, entry.at):
                self.find("KEY_ENCRYPTION", entry.index, party)
        policies = self.policies
        if policies is None:
            return
        purpose = policies.purpose(stated["purpose"])
        if purpose is None:
            self.find("KEY_TERMS", entry.index)
            return
        terms = purpose["pseudonyms"]
        first, until = moment(stated["valid_from"]), moment(stated["valid_until"])
        in_period = (calendar_epoch(stated["epoch"]), first, until) == epoch_at(terms["epoch"], first)
        until = midnight(amsterdam_day(until) + timedelta(days=terms.get("overlap_days") or 0))
        faults = {
            "KEY_STEWARD": stated["steward"] not in _stewards(purpose),
            "KEY_RECIPIENTS": not set(stated["recipients"]) <= {*purpose["asks"], *purpose["answers"]},
            "KEY_TERMS": stated["mode"] != terms["mode"] or not in_period or until <= entry.at - GRACE,
        }
        self.find_all(faults, entry.index)

    def _key_end(self, entry: Entry) -> None:
        """A key was retired by a steward, once, or destroyed by one of those who held it, once each."""
        stated = self._new_key(entry, "sluis/v1/key-end", "party")
        if stated is None:
            return
        party, what, key_id = stated["party"], stated["what"], stated["key_id"]
        epoch, of_epoch = (stated["purpose"], stated["epoch"]), what != "encryption-key-destroyed"
        if stated["reason"] not in KEY_ENDS[what] or [part is not None for part in epoch] != [of_epoch] * 2:
            self.find("STATEMENT_FORM", entry.index)
            return
        purpose = self.policies.purpose(stated["purpose"]) if self.policies and of_epoch else None
        said, retires = (party, what, *epoch, key_id), what == "retired"
        stranger = retires and purpose is not None and party not in _stewards(purpose)
        known = self.epoch_keys.get(epoch) == key_id if of_epoch else (party, key_id) in self.replaced_keys
        faults = {
            "KEY_REPEATED": said in self.key_ends or (retires and epoch in self.retired),
            "KEY_TERMS": not known,
            "KEY_STEWARD": stranger,
            "KEY_ESCROW": what == "destroyed" and self._is_early(*epoch, entry.at),
        }
        self.find_all(faults, entry.index)
        self.key_ends.add(said)
        self.retired |= {epoch} if retires else set()

    def newest_generation(self, purpose: str, calendar: str) -> str:
        """The epoch whose key is to be used within a calendar epoch, whether it has been made yet or not."""
        newest = calendar
        while (purpose, newest) in self.retired:
            newest = f"{calendar}.{int(newest.partition('.')[2] or 1) + 1}"
        return newest

    def _is_early(self, purpose: str, epoch: str, at: datetime) -> bool:
        """Whether every set that may have held says that the key of an epoch is needed longer."""
        known = [one.purpose(purpose) for one in self.around(at) if one is not None]
        needed = [needed_until(one, epoch) for one in known if one is not None]
        return bool(needed) and all(until is not None and until - GRACE > at for until in needed)

    def usable_key(self, stated: Mapping[str, Any]) -> str | None:
        """The id of the key that may be used for an epoch now."""
        epoch = (stated["purpose"], stated["epoch"])
        return None if epoch in self.retired else self.epoch_keys.get(epoch)

    def _keys_of(self, party: str, at: datetime) -> set[str]:
        """The party's encryption key in force, and the one that was until a moment ago."""
        keys = self.encryption_keys[party]
        return {digest for n, (digest, _) in enumerate(keys, 1) if n == len(keys) or at - keys[-1][1] <= GRACE}

    def _withdrawn(self, entry: Entry) -> None:
        body, name, version = entry.body, entry.body["register"], entry.body["version"]
        known = self.registers.pop(name, None)
        if known is None or known.reference["version"] != version or not name.startswith(f"{body['party']}/"):
            self.find("REGISTER_ORDER", entry.index)
        if known is not None:
            self.folders[_folder(name)] -= 1
        self.withdrawn[name] = (version, entry.at)

    def _published(self, entry: Entry) -> None:
        body, name, version = entry.body, entry.body["register"], entry.body["version"]
        stated = self.statement(entry, "sluis/v1/register", {"answerer": body["party"], "version": version})
        if stated is None:
            return
        path = _path(stated["answerer"], stated)
        purpose = self.policies.purpose(stated["purpose"]) if self.policies else None
        stranger = self.policies is not None and (purpose is None or stated["answerer"] not in purpose["answers"])
        faults = {
            "STATEMENT_DIFFERS": path != name,
            "REGISTER_ORDER": version <= self.versions.get(name, 0),
            "REGISTER_PARTY": stranger,
            "REGISTER_TERMS": not stranger and purpose is not None and not self._in_terms(entry, stated, purpose),
            "REGISTER_KEY": self.usable_key(stated) != stated["key_id"],
        }
        self.find_all(faults, entry.index)
        self.versions[name] = version
        reference = {"name": name, "version": version, "manifest": digest_of(stated)}
        self.folders[_folder(path)] += path not in self.registers
        self.registers[path] = Register(reference, stated)

    def _in_terms(self, entry: Entry, stated: dict[str, Any], purpose: dict[str, Any]) -> bool:
        """Whether the purpose, as the set in force has it, lets an answerer publish this."""
        assert self.policies is not None
        scheme = self.policies.meaning["catalogue"]["identifiers"].get(stated["scheme"])
        return (
            purpose["state"] in ("active", "shadow")
            and stated["scheme"] in purpose["identified_by"]
            and scheme is not None
            and stated["match_keys"] == scheme["match_keys"]
            and set(stated["attributes"]) <= set(purpose["may_learn"]["attributes"])
            and set(stated["rules"]) <= set(row_rules(purpose))
            and moment(stated["as_of"]) <= entry.at + timedelta(days=1)
        )

    # Asks

    def _ask(self, entry: Entry) -> None:
        body = entry.body
        self.rectified.ask(entry)
        self.askers[entry.index] = sys.intern(f"{body['asker']}/{body['purpose']}")
        policies = self.decided_under(entry)
        names = {"asker": "asker", "principal": "principal", "purpose": "purpose", "request_id": "exchange"}
        kind = "sluis/v1/ask standing" if "standing" in body["statement"] else "sluis/v1/ask"
        stated = self.statement(entry, kind, {name: body[of] for name, of in names.items()})
        if stated is not None:
            self._asked(entry, stated, policies)
        self.end_of_shadows()
        since = body["facts"].get("suspended_since")
        if (None if since is None else moment(since)) != self.suspended(body["purpose"], policies):
            self.find("SUSPENSION", entry.index)
        self.last_ask = entry
        self.shadows_due = policies.shadows(body["purpose"]) if policies else []
        self.vault.ask(entry, policies)
        self._take_again(entry, policies, body["statement"].get("purpose"), body)

    def _asked(self, entry: Entry, stated: dict[str, Any], policies: PolicySet | None) -> None:
        body = entry.body
        if body["answerer"] not in stated["answerers"]:
            self.find("STATEMENT_DIFFERS", entry.index)
        decided, until = moment(body["decided_at"]), moment(stated["not_after"])
        self._check_decided(entry)
        if not decided - SECOND <= until <= decided + AHEAD + SECOND:
            self.find("DECIDED_AT", entry.index)
        exchange = self._exchange_of(entry, decided)
        purpose = policies.purpose(body["purpose"]) if policies else None
        is_live = purpose is not None and body["answerer"] in purpose.get("answers_live", ())
        live = row_rules(purpose) if purpose is not None and is_live else None
        register = None if is_live else self.registers.get(_path(body["answerer"], stated))
        permitted = body["decision"].get("effect") == "permit"
        self._check_facts(entry, stated, register)
        self._check_counters(entry, stated, exchange, decided, permitted)
        if not self._may_have_asked(body["facts"].get("probing"), stated, decided, policies):
            self.find("COUNTER_PROBING", entry.index)
        version = register.reference["version"] if register else 0
        if not self._may_stand(body["facts"].get("standing"), stated, body["answerer"], decided, version):
            self.find("STANDING", entry.index)
        if not permitted:
            self.fate[entry.index] = "RELEASE_DENIED"
            return
        exchange.permitted = True
        if purpose and purpose.get("standing_questions") and "standing" not in stated and not stated["want"]["count"]:
            self.firsts[_first_of(stated, body["answerer"])] = First(_terms_of(stated), decided)
        if self.usable_key(stated) != stated["key_id"]:
            self.find("ASK_KEY", entry.index)
        if stated["want"]["count"]:
            kept = decided + timedelta(days=purpose["vault_keep_days"] if purpose else 0)
            key = _count_key(body, stated)
            self.counts[_budget(key)] += 1
            self.counted[key].append(Counted(stated["subjects"], stated["tokens"], kept))
            self.counted_as[stated["tokens"]].add(key)
        hindrance = "" if is_live else self._hindrance(body["answerer"], stated, register, decided)
        self.waiting[entry.index] = Waiting(body, register, hindrance, decided, self.batch, live)
        self.in_order.append(entry.index)

    def _hindrance(self, answerer: str, stated: dict[str, Any], register: Register | None, at: datetime) -> str:
        """Why no row could be matched at the time of the decision."""
        if register is None:
            return "NOT_COVERED" if self.folders[_path(answerer, {**stated, "scheme": ""})] else "NO_REGISTER"
        if not set(stated["want"]["attributes"]) <= set(register.stated["attributes"]):
            return "NOT_COVERED"
        return "EXPIRED" if moment(register.stated["expires_at"]) <= at else ""

    def _exchange_of(self, entry: Entry, decided: datetime) -> Exchange:
        body = entry.body
        key = (body["asker"], body["exchange"])
        if self.exchange is None or self.exchange.key != key:
            self.end_of_exchange()
            if _mark(*key) in self.seen:
                self.find("REQUEST_ID_REUSED", entry.index)
            self.seen.add(_mark(*key))
            counter = (body["asker"], body["purpose"], amsterdam_day(decided).isoformat())
            self.exchange = Exchange(key, body, counter)
        elif self.exchange.first["statement"] != body["statement"]:
            self.find("REQUEST_ID_REUSED", entry.index)
        elif any(self.exchange.first[name] != body[name] for name in ALIKE):
            self.find("EXCHANGE_DIFFERS", entry.index)
        self.exchange.answerers.append(body["answerer"])
        return self.exchange

    def end_of_exchange(self) -> None:
        """The asks of an exchange stand in one batch: one for every answerer of its statement."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if exchange.permitted:
            self.requests[exchange.counter] += 1
            self._was_permitted(exchange.first)
        if exchange.answerers != exchange.first["statement"]["answerers"]:
            self.find("ANSWERER_MISSING", None)

    def _was_permitted(self, ask: Mapping[str, Any]) -> None:
        """Notes a question of a guarded purpose, which later ones are held against."""
        found, stated = ask["facts"].get("probing"), ask["statement"]
        if isinstance(found, dict):
            asked = self.probed[_scope(stated)]
            asked.subjects = found["epoch"] if isinstance(found.get("epoch"), int) else asked.subjects
            at = moment(ask["decided_at"])
            asked.questions += 1
            asked.recent = [one for one in asked.recent if one[0] >= at - timedelta(hours=1)]
            asked.recent.append((at, stated["subjects"]))

    def end_of_batch(self) -> None:
        """A checkpoint: what stands before it is durable."""
        self.end_of_exchange()
        self.rectified.end_of_notices()
        self.batch += 1

    def _check_facts(self, entry: Entry, stated: dict[str, Any], register: Register | None) -> None:
        body, facts = entry.body, entry.body["facts"]
        facts_fit = (
            facts.get("now") == body["decided_at"]
            and (facts.get("case_number") == "absent") == (stated["case_number"] is None)
            and facts.get("cooperation_ref") is (stated["cooperation_ref"] is not None)
            and facts.get("register") == ({"rules": register.stated["rules"]} if register else None)
        )
        faults = {
            "REGISTER_DIFFERS": body["register"] != (register.reference if register else None),
            "FACTS_MODES": facts.get("modes_available") not in (["keyed"], ["keyed", "oblivious"]),
            "FACTS": not facts_fit,
        }
        self.find_all(faults, entry.index)

    def _check_counters(
        self, entry: Entry, stated: dict[str, Any], exchange: Exchange, decided: datetime, permitted: bool
    ) -> None:
        facts, key, for_count = entry.body["facts"], _count_key(entry.body, stated), stated["want"]["count"]
        earlier = self.counted[key] if for_count else []
        faults = {
            "COUNTER_REQUESTS": facts.get("requests_today") != self.requests[exchange.counter],
            "COUNTER_COUNTS": facts.get("counts_this_epoch") != (self.counts[_budget(key)] if for_count else 0),
            "COUNT_DISTANCE": not _may_differ(facts.get("count_distance"), stated, earlier, permitted, decided),
        }
        self.find_all(faults, entry.index)

    def _may_have_asked(self, found: Any, stated: dict[str, Any], at: datetime, policies: PolicySet | None) -> bool:
        """Whether an ask may say this of its asker's earlier questions; whose rows they had is not in the log."""
        if policies and (found is not None) is not policies.guarded(stated["purpose"]):
            return False
        if found is None:
            return True
        counts = [found.get(name) for name in NOTHING_BEFORE if name != "hits"]
        hits = found.get("hits")
        if found.keys() != NOTHING_BEFORE.keys() or not all(type(count) is int and count >= 0 for count in counts):
            return False
        asked, most = self.probed[_scope(stated)], stated["subjects"]
        hour = sum(rows for when, rows in asked.recent if when >= at - timedelta(hours=1))
        return (
            (hits is None or (type(hits) is int and 0 <= hits <= 100))
            and found["hour"] == hour + most
            and asked.subjects <= found["epoch"] <= asked.subjects + most
            and max(found["same"] + found["nested"], found["again"]) <= asked.questions
        )

    def _may_stand(self, found: Any, stated: dict[str, Any], answerer: str, at: datetime, version: int) -> bool:
        """Whether an ask may say this of the first question that it names; whose rows that had is not in the log."""
        if "standing" not in stated:
            return found is None
        if not isinstance(found, dict) or found.keys() != NO_FIRST.keys():
            return False
        first = self.firsts.get(_first_of(stated, answerer))
        if first is None:
            return found == NO_FIRST
        return (
            type(found["days"]) is int
            and found["days"] == (at - first.asked) // timedelta(days=1)
            and found["newer"] is (version > first.version)
            and found["first"] in (("same", "other", "gone") if first.terms == _terms_of(stated) else ("other",))
        )

    def suspended(self, name: str, policies: PolicySet | None) -> datetime | None:
        purpose = policies.purpose(name) if policies else None
        if purpose is None:
            return None
        notices = self.notices.get(name, {}).items()
        return min((at for notice, at in notices if notice not in purpose.get("lifts", ())), default=None)

    def _take_again(self, entry: Entry, policies: PolicySet | None, purpose: Any, ask: Mapping[str, Any]) -> None:
        """The decision again: the same in effect, every check, every reason and every duty."""
        engine = entry.body["engine"]
        if engine not in self.trust.engines:
            self.find("ENGINE_UNTRUSTED", entry.index)
        try:
            if policies is None or engine not in ENGINES:
                raise Malformed("its policy set or its engine is not here")
            same = write(decide(policies, purpose, ask, engine)) == write(normal(entry.body["decision"]))
        except (Malformed, KeyError, TypeError, AttributeError, ValueError) as error:
            self.decisions["not replayable"] += 1
            self.find("NOT_REPLAYABLE", entry.index, str(error))
            return
        self.decisions["same" if same else "differ"] += 1
        if not same:
            self.find("REPLAY_DIFFERS", entry.index)

    def _check_decided(self, entry: Entry) -> None:
        """A decision was taken before its entry, and not long before."""
        decided = moment(entry.body["decided_at"])
        if not decided <= entry.at <= decided + GRACE:
            self.find("DECIDED_AT", entry.index)

    def _dry_run(self, entry: Entry) -> None:
        self._check_decided(entry)
        self.end_of_shadows()

    def _shadow(self, entry: Entry) -> None:
        self._check_decided(entry)
        body, ask = entry.body, self.last_ask
        due = self.shadows_due.pop(0) if self.shadows_due else None
        same = ("exchange", "answerer", "decided_at", "policy_set")
        fits = (
            ask is not None
            and body["purpose"] == due
            and (body["ask_index"], body["shadow_of"], body["party"])
            == (ask.index, ask.body["purpose"], ask.body["asker"])
            and all(body[name] == ask.body[name] for name in same)
        )
        if ask is None or not fits:
            self.find("SHADOW", entry.index)
            return
        self._take_again(entry, self.decided_under(entry), body["purpose"], ask.body)

    def end_of_shadows(self) -> None:
        """What shadows would have decided stands right behind the ask."""
        if self.shadows_due and self.last_ask is not None:
            self.find("SHADOW", self.last_ask.index)
        self.shadows_due, self.last_ask = [], None

    # Releases

    def _leases(self, at: datetime) -> None:
        """The log has gone on to `at`: asks whose lease ran out long ago must have an outcome."""
        while self.in_order:
            ask = self.waiting.get(self.in_order[0])
            if ask is not None:
                if ask.decided + LEASE >= at:
                    break
                self.overdue[self.in_order[0]] = at
            self.in_order.popleft()
        while self.overdue and next(iter(self.overdue.values())) + CLOSING < at:
            index = next(iter(self.overdue))
            del self.overdue[index]
            self.find("RELEASE_MISSING", index)

    def _release(self, entry: Entry) -> None:
        body, place = entry.body, entry.body["ask_index"]
        ask = self.waiting.get(place)
        closed = ask is not None and self._is_closed(ask.body["purpose"], ask.body["asker"])
        if closed and body["outcome"] == "authorised":
            self.find("RELEASE_CLOSED", entry.index)
        if ask is None:
            self.find(self.fate.get(place, "RELEASE_UNASKED"), entry.index)
        elif any(ask.body[name] != body[name] for name in ("exchange", "asker", "answerer")):
            self.find("RELEASE_UNASKED", entry.index)
        else:
            del self.waiting[place]
            self.overdue.pop(place, None)
            self.fate[place] = "RELEASE_TWICE"
            self._released(entry, ask, closed)

    def _is_closed(self, name: str, asker: str) -> bool:
        """Whether nothing may leave to an asker under a purpose at this place in the log."""
        if self.policies is None:
            return False
        purpose = self.policies.purpose(name)
        is_open = purpose is not None and purpose["state"] == "active" and asker in purpose["asks"]
        return not is_open or self.suspended(name, self.policies) is not None

    def _released(self, entry: Entry, ask: Waiting, closed: bool) -> None:
        body, status = entry.body, entry.body["status"]
        answered, given_up = status == "ANSWERED", body["outcome"] == "unknown"
        granted = ask.stated["want"]["attributes"] if answered else []
        too_much = answered and not set(body["attributes"]) <= set(granted)
        fits = too_much or (
            status in STATUSES.get(body["outcome"], ())
            and body["attributes"] == granted
            and (body["result"] is None) == given_up
            and body["register"] == (None if given_up else ask.body["register"])
        )
        faults = {
            "RELEASE_TOO_SOON": ask.batch == self.batch,
            "RELEASE_LATE": not given_up and entry.at > ask.decided + LEASE + GRACE,
            "RELEASE_ATTRIBUTES": too_much,
            "RELEASE_OUTCOME": not fits,
        }
        self.find_all(faults, entry.index)
        first = self.firsts.get(_first_of(ask.stated, body["answerer"]))
        if first is not None and answered and ask.register is not None and not ask.stated["want"]["count"]:
            first.version = ask.register.reference["version"]
        code = self._wrong_status(entry, ask, closed) if fits else ""
        if code:
            self.find(code, entry.index, status)

    def _wrong_status(self, entry: Entry, ask: Waiting, closed: bool) -> str:
        """What is wrong with a status, given the registers of that time; "" when nothing is."""
        status, reference = entry.body["status"], ask.body["register"]
        if ask.live is not None:
            answered = entry.body["ask_index"] in self.live
            if status in HINDRANCES or (answered != (status == "ANSWERED") and (answered or status == "ANSWERED")):
                return "RELEASE_STATUS"
        version, at = self.withdrawn.get(reference["name"], (0, None)) if reference else (0, None)
        withdrawn = at if reference and version == reference["version"] else None
        if status == "UNKNOWN" or (status == "WITHHELD" and (closed or withdrawn is not None)):
            return ""
        if ask.hindrance:
            wrong = HINDRANCES[ask.hindrance] if status == "ANSWERED" else "RELEASE_STATUS"
            return "" if status == ask.hindrance else wrong
        if status == "NOT_THERE":
            return "" if ask.live is not None else "RELEASE_STATUS"
        if status in HINDRANCES or (status == "WITHHELD" and not ask.stated["want"]["count"]):
            return "RELEASE_STATUS"
        if status != "ANSWERED":
            return ""
        if withdrawn is not None and entry.at > withdrawn + GRACE:
            self.find("RELEASE_WITHDRAWN", entry.index)
        other = ask.register is not None and ask.register.stated["key_id"] != ask.stated["key_id"]
        return "RELEASE_KEY" if other else ""

    def _answered_live(self, entry: Entry) -> None:
        """What an answerer signed of an answer from its own premises: once, before the release of its ask."""
        body, place = entry.body, entry.body["ask_index"]
        same = {"answerer": body["party"], "purpose": body["purpose"]}
        stated, ask = self.statement(entry, "sluis/v1/live-answer", same), self.waiting.get(place)
        if stated is None:
            return
        if not in_time(entry, stated):
            self.find("STATEMENT_AGE", entry.index)
        purpose = self.policies.purpose(body["purpose"]) if self.policies else None
        good = (
            ask is not None
            and ask.live is not None
            and place not in self.live
            and body["notice"] == digest_of(stated)[:32]
            and (stated["answerer"], stated["exchange"]) == (ask.body["answerer"], ask.body["exchange"])
            and all(stated[n] == ask.stated[n] for n in ("asker", "epoch", "key_id", "purpose", "scheme", "tokens"))
            and stated["attributes"] == ask.stated["want"]["attributes"]
            and stated["match_keys"] >= ask.stated["match_keys"]
            and digest_of(stated["rules"])
            in [digest_of(row_rules(one)) for one in (purpose,) if one is not None] + [digest_of(ask.live)]
        )
        if not good:
            self.find("LIVE_ANSWER", entry.index)
        if ask is not None and ask.live is not None:
            self.live.add(place)

    # Notices

    def _unusual_use(self, entry: Entry) -> None:
        """A party explains why its use stood out: its own asks or searches, each item in the same words once."""
        body = entry.body
        same = {"party": body["party"], "purpose": body["purpose"], "item": body["notice"]}
        stated = self.statement(entry, "sluis/v1/unusual-use", same)
        if stated is None:
            return
        if not in_time(entry, stated):
            self.find("STATEMENT_AGE", entry.index)
        names = ("day", "first", "kind", "last", "origin", "party", "purpose")
        item = digest_of({**{n: stated[n] for n in names}, "type": "sluis/v1/unusual-use-item"})[:32]
        said, mark = (stated["item"], stated["explanation"]), "?" if stated["kind"].startswith("search-") else ""
        own = f"{mark}{body['party']}/{body['purpose']}"
        first, last = stated["first"], stated["last"]
        about_own = first <= last and self.askers.get(first) == self.askers.get(last) == own
        if item != stated["item"] or said in self.explained or not about_own:
            self.find("UNUSUAL_USE", entry.index)
        self.explained.add(said)

    def _part(self, entry: Entry) -> None:
        """One question more for each party in it."""
        body, epoch = entry.body, entry.body["statement"].get("epoch")
        if isinstance(epoch, str):
            for party in {body["asker"], body["principal"], body["answerer"]} - {None}:
                self.parts[party, body["purpose"], epoch] += 1

    def _searched_for(self, entry: Entry) -> None:
        """A party searched its own questions for a person: all of them, under the epoch's key, each request once."""
        body = entry.body
        self.askers[entry.index] = sys.intern(f"?{body['party']}/{body['purpose']}")
        stated = self.statement(entry, "sluis/v1/subject-search", {n: body[n] for n in ("party", "purpose", "epoch")})
        if stated is None:
            return
        named, request = (body["purpose"], body["epoch"]), (body["party"], stated["request_id"])
        asks, policies = self.parts[body["party"], *named], self.policies
        today = (body["party"], body["purpose"], amsterdam_day(entry.at))
        self.search_days[today] += 1
        most = self._most_searches(body["purpose"], entry.at)
        faults = {
            "STATEMENT_DIFFERS": body["exchange"] is not None,
            "STATEMENT_AGE": not in_time(entry, stated),
            "SUBJECT_SEARCH_PARTY": not asks
            and policies is not None
            and body["party"] not in policies.concerned(body["purpose"]),
            "SUBJECT_SEARCH_KEY": self.epoch_keys.get(named) != stated["key_id"],
            "SUBJECT_SEARCH": body["searched"] + body["unsearched"] != asks or request in self.searches,
            "SUBJECT_SEARCH_LIMIT": most is not None and self.search_days[today] > most,
        }
        self.find_all(faults, entry.index)
        self.searches.add(request)

    def _most_searches(self, purpose: str, at: datetime) -> int | None:
        """Searches of a party in a day, by the sets that may have held. None where one of them is missing."""
        sets = self.around(at)
        limits = [(one.purpose(purpose) or {}).get("limits") or {} for one in sets if one is not None]
        if not sets or len(limits) < len(sets):
            return None
        return max(one.get("subject_searches_per_day") or USUAL_SEARCHES for one in limits)

    def _suspension(self, entry: Entry) -> None:
        body, stated = entry.body, entry.body["statement"]
        name, notice = body["purpose"], body["notice"]
        good = (
            stated.keys() == {"environment", "made_at", "origin", "purpose", "reason", "type"}
            and (stated["origin"], stated["environment"]) == (self.trust.origin, self.trust.environment)
            and (stated["type"], stated["purpose"]) == ("sluis/v1/policy-suspension", name)
            and digest_of(stated)[:16] == notice
            and notice not in self.notices[name]
            and officer_signed(body)
            and self.policies is not None
            and self.policies.may_suspend(self.trust.policy_signers, body["key"], name)
        )
        if not good:
            self.find("NOTICE", entry.index)
        self.notices[name].setdefault(notice, entry.at)


def in_time(entry: Entry, stated: Mapping[str, Any]) -> bool:
    """Whether a statement was logged before its last moment, which was not far ahead."""
    return entry.at - GRACE - SECOND <= moment(stated["not_after"]) <= entry.at + AHEAD + SECOND


def _path(answerer: str, stated: Mapping[str, Any]) -> str:
    """The name of a register."""
    return "/".join((answerer, stated["purpose"], stated["epoch"], stated["scheme"]))


def _folder(path: str) -> str:
    """Where a register's name stands: the same for all schemes."""
    return path.rpartition("/")[0] + "/"


def _mark(*names: str) -> bytes:
    """Names in few bytes: there are many exchanges."""
    return hashlib.sha256("\n".join(names).encode()).digest()[:16]


def _has_oin(sets: Iterable[PolicySet | None], party: str, oin: str) -> bool:
    """Whether a set gives a party this OIN. One that is missing is a finding already."""
    return any(policies is None or oin in policies.oins(party) for policies in sets)


def _first_of(stated: Mapping[str, Any], answerer: str) -> bytes:
    """Under what a first question at an answerer is known, to itself and to those that name it."""
    return _mark(stated["asker"], stated.get("standing", stated["request_id"]), answerer)


def _terms_of(stated: Mapping[str, Any]) -> bytes:
    """What a question asks, but for whom it is about."""
    names = ("principal", "purpose", "epoch", "key_id", "scheme", "match_keys", "subjects", "want")
    return bytes.fromhex(digest_of({name: stated[name] for name in names}))[:16]


def _scope(stated: Mapping[str, Any]) -> tuple[str, ...]:
    return stated["asker"], stated["purpose"], stated["epoch"]


def _count_key(body: Mapping[str, Any], stated: Mapping[str, Any]) -> tuple[str, ...]:
    return stated["asker"], body["answerer"], stated["purpose"], stated["epoch"]


def _budget(key: tuple[str, ...]) -> tuple[str, ...]:
    """What a count is debited from: a second key within a calendar epoch brings no second budget."""
    return (*key[:3], calendar_epoch(key[3]))


def _stewards(purpose: Mapping[str, Any]) -> list[str]:
    """Who may make and retire the key of a purpose."""
    return [purpose["pseudonyms"]["steward"], *purpose["pseudonyms"].get("successors", ())]


def _may_differ(
    distance: Any, stated: Mapping[str, Any], earlier: list[Counted], permitted: bool, at: datetime
) -> bool:
    """Whether a count can lie that far from earlier ones, as far as the log tells: the rows are not in it."""
    kept = [one for one in earlier if one.kept_until > at]
    if distance is None:  # a denied count may not have been compared at all
        return not (kept and permitted)
    if not earlier or not isinstance(distance, int):
        return False
    if kept and distance > stated["subjects"] + min(one.subjects for one in kept):
        return False
    return not distance or all(one.tokens != stated["tokens"] for one in kept)


# Corrections, disputes, outcomes and their notices


class Canaries:
    """Subjects that do not exist, set by answerers, and the questions that asked for one."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.lists: dict[tuple[str, str, str, str], tuple[int, str, int, str]] = {}
        """Answerer, purpose, epoch, scheme -> entry, key id, rows and commitment of the list in force."""
        self.requests: set[tuple[str, str]] = set()
        self.erased, self.told = set[str](), set[int]()
        """Lists that no question is compared with any more; asks of which was told how many canaries they asked for."""

    def set(self, entry: Entry) -> None:
        """An answerer sets subjects that do not exist, in the place of its list before."""
        body, policies = entry.body, self.story.policies
        stated = self.story.statement(
            entry, "sluis/v1/canaries", {"answerer": body["party"], "purpose": body["purpose"]}
        )
        if stated is None:
            return
        if not in_time(entry, stated):
            self.story.find("STATEMENT_AGE", entry.index)
        place = (stated["answerer"], stated["purpose"], stated["epoch"], stated["scheme"])
        purpose = policies.purpose(body["purpose"]) if policies else None
        request = (body["party"], stated["request_id"])
        good = (
            body["notice"] == digest_of(stated)[:32]
            and request not in self.requests
            and (not policies or (purpose is not None and body["party"] in purpose["answers"]))
            and self.story.usable_key(stated) == stated["key_id"]
            and stated["rows"] <= 1000
        )
        if not good:
            self.story.find("CANARIES", entry.index)
        self.requests.add(request)
        self.lists[place] = (entry.index, stated["key_id"], stated["rows"], stated["record"])

    def erasure(self, entry: Entry) -> None:
        """Some of the lists may be erased."""
        self.erased |= {one[3] for one in self.lists.values()} & set(entry.body["commitments"])

    def released(self, entry: Entry) -> None:
        """Where a list is in force, how many of its subjects a question asked for stands before the release."""
        ask, place = self.story.waiting.get(entry.body["ask_index"]), entry.body["ask_index"]
        if ask is None or entry.body["status"] == "UNKNOWN":
            return
        named = (ask.body["answerer"], ask.body["purpose"], ask.stated["epoch"], ask.stated["scheme"])
        _, key, rows, record = self.lists.get(named, (0, "", 0, ""))
        if rows and key == ask.stated["key_id"] and record not in self.erased and place not in self.told:
            self.story.find("CANARY", entry.index, "it is not told")
        self.told.discard(place)

    def met(self, entry: Entry) -> None:
        """A question asked for some of them: told once, before the release of its ask."""
        body, ask = entry.body, self.story.waiting.get(entry.body["ask_index"])
        same = {"answerer": "answerer", "purpose": "purpose", "exchange": "exchange", "asked_by": "asker"}
        lists = [one for place, one in self.lists.items() if place[:2] == (body["answerer"], body["purpose"])]
        good = (
            ask is not None
            and all(body[mine] == ask.body[its] for mine, its in same.items())
            and body["rows"] <= ask.stated["subjects"]
            and any(one[0] == body["list"] and one[1] == ask.stated["key_id"] and one[2] for one in lists)
            and body["ask_index"] not in self.told
        )
        if not good:
            self.story.find("CANARY", entry.index)
        self.told.add(body["ask_index"])


class KeyService:
    """What a key service of mode oblivious evaluated: for whom, under which key, how much; and keys destroyed."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.evaluated: Counter[tuple[str, ...]] = Counter()
        """Party, purpose, calendar epoch -> elements so far."""
        self.requests: set[tuple[str, str]] = set()
        self.destroyed: set[str] = set()

    def elements(self, entry: Entry) -> None:
        """Elements evaluated: for a party of an active purpose, under the pinned key, within its quota."""
        body, policies = entry.body, self.story.decided_under(entry)
        key, request = (body["party"], body["purpose"], body["period"]), (body["party"], body["request_id"])
        purpose = policies.purpose(body["purpose"]) if policies else None
        counted = body["spent"] == self.evaluated[key] and 1 <= body["elements"] <= 1024
        self.evaluated[key] += body["elements"]
        at = moment(body["decided_at"])
        allowed = (
            policies is not None
            and purpose is not None
            and body["party"] in {*purpose["asks"], *purpose["answers"]}
            and purpose["state"] == "active"
            and purpose["pseudonyms"]["mode"] == "oblivious"
            and body["key_service"] in purpose["pseudonyms"].get("key_services", ())
            and purpose["valid"]["from"] <= amsterdam_day(at).isoformat() <= purpose["valid"]["until"]
            and at < policies.expires
            and self.story.suspended(body["purpose"], policies) is None
        )
        faults = {
            "REQUEST_ID_REUSED": request in self.requests,
            "SERVICE_KEY": body["public_key"] in self.destroyed,
            "EVALUATION_RIGHT": policies is not None and not allowed,
            "EVALUATION_KEY": bool(allowed and purpose) and not self._key_fits(purpose or {}, body, at),
            "EVALUATION_QUOTA": not counted or (bool(allowed and purpose) and not _within(purpose or {}, body, at)),
        }
        self.story.find_all(faults, entry.index)
        self.requests.add(request)

    def _key_fits(self, purpose: Mapping[str, Any], body: Mapping[str, Any], at: datetime) -> bool:
        """Whether elements were evaluated under an open epoch, with the key pinned for it, and K was not retired.

        Where the policy pins nothing for the K in its place, that one needs the calendar epoch's pins.
        """
        terms, name, calendar = purpose["pseudonyms"], body["purpose"], calendar_epoch(body["epoch"])
        pins = terms.get("public_keys", {})
        pinned = pins.get(body["epoch"], {}).get(body["key_service"]) == body["public_key"]
        newest = self.story.newest_generation(name, calendar)
        used = newest if newest in pins else calendar
        retired = (name, body["epoch"]) in self.story.retired and body["epoch"] != used
        opened = open_epochs(terms["epoch"], terms.get("overlap_days") or 0, amsterdam_day(at))
        return calendar in opened and pinned and not retired

    def key_destroyed(self, entry: Entry) -> None:
        """A key of a key service is destroyed once, and when the last question of its epoch has left the vaults."""
        body, policies = entry.body, self.story.policies
        purpose = policies.purpose(body["purpose"]) if policies else None
        early = False
        if body["reason"] is None and (policies is not None or not self.story.sets):
            until = needed_until(purpose, body["epoch"]) if purpose else None
            early = until is None or entry.at < until - GRACE
        if early or body["public_key"] in self.destroyed:
            self.story.find("SERVICE_KEY", entry.index)
        self.destroyed.add(body["public_key"])


def _within(purpose: Mapping[str, Any], body: Mapping[str, Any], at: datetime) -> bool:
    """Whether a quota counts in the right epoch, and is kept."""
    limits, period = purpose["limits"], epoch_at(purpose["pseudonyms"]["epoch"], at)[0]
    most = limits.get("evaluations_per_epoch") or 0
    if body["party"] in purpose["answers"]:
        most = limits.get("register_evaluations_per_epoch") or most
    return bool(body["period"] == period and body["spent"] + body["elements"] <= most)


@dataclass(slots=True)
class Asked:
    """A permitted ask for rows. `status`: None while it waits, then whether it was answered."""

    asker: str
    group: tuple[str, str, str]
    """Answerer, purpose, epoch."""
    exchange: str
    answered: bool | None = None


@dataclass
class Dispute:
    """A hit that its asker disputes: open until its answerer ends it."""

    ask_index: int
    answerer: str
    purpose: str
    epochs: set[str]
    ended: bool = False


@dataclass
class Owed:
    """A correction whose notices must follow it."""

    entry: Entry
    left: int
    dispute: Dispute | None
    answers: bool
    """Whether it ends the dispute: then whoever disputes is told."""
    asks: set[int] = field(default_factory=set)


class Rectified:
    """GDPR articles 16, 18 and 19: each by the right party, about an answer that was given, told to who had it."""

    def __init__(self, story: Story) -> None:
        self.story, self.find = story, story.find
        self.asks: dict[int, Asked] = {}
        self.last = -1
        self.holding: Counter[tuple[str, str, str]] = Counter()
        """Asks that were answered, or may still be."""
        self.disputes: dict[str, Dispute] = {}
        self.notices: dict[str, tuple[str, str]] = {}
        """Notice -> party and purpose; taken out once acknowledged."""
        self.named: set[str] = set()
        self.requests: set[bytes] = set()
        self.owed: Owed | None = None

    def ask(self, entry: Entry) -> None:
        """Remembered when its rows may be released."""
        body, stated = entry.body, entry.body["statement"]
        want, epoch = stated.get("want"), stated.get("epoch")
        for_rows = isinstance(want, dict) and want.get("count") is False
        permitted = body["decision"].get("effect") == "permit"
        if permitted and for_rows and isinstance(epoch, str) and entry.index > self.last:
            self.last, group = entry.index, (body["answerer"], body["purpose"], epoch)
            self.asks[entry.index] = Asked(body["asker"], group, body["exchange"])
            self.holding[group] += 1

    def release(self, entry: Entry) -> None:
        """Whether rows were given."""
        ask = self.asks.get(entry.body["ask_index"])
        if ask is not None and ask.answered is None:
            ask.answered = entry.body["status"] == "ANSWERED"
            self.holding[ask.group] -= not ask.answered

    def correction(self, entry: Entry) -> None:
        """By an answerer of the purpose, about all that the log shows, with its notices behind it."""
        body = entry.body
        stated = self._statement(entry, "correction", body["answerer"], "answerer", "purpose", "epoch")
        if stated is None:
            return
        policies, tells = self.story.policies, stated["what"] in ("corrected", "withdrawn")
        purpose = policies.purpose(body["purpose"]) if policies else None
        holding = self.holding[body["answerer"], body["purpose"], body["epoch"]]
        if not holding and (purpose is None or body["answerer"] not in purpose["answers"]):
            self.find("NOT_ANSWERER", entry.index)
        if body["searched"] + body["unsearched"] != (holding if tells else 0):
            self.find("CORRECTION_SEARCH", entry.index)
        dispute = self.disputes.get(stated["dispute"]) if stated["dispute"] else None
        ends = stated["what"] != "still-disputed"
        if not self._ends_or_carries(body, dispute, ends) and (dispute or stated["dispute"] is not None or not tells):
            self.find("DISPUTE_UNKNOWN", entry.index)
        answers = dispute is not None and ends
        if body["notices"] < answers or (not tells and body["notices"] > ends):
            self.find("CORRECTION_NOTICES", entry.index)
        self.owed = Owed(entry, body["notices"], dispute, answers)

    @staticmethod
    def _ends_or_carries(body: Mapping[str, Any], dispute: Dispute | None, ends: bool) -> bool:
        """Whether a dispute is open at this party: ended under an epoch it is known in, or carried to another."""
        if dispute is None or dispute.ended or dispute.answerer != body["answerer"]:
            return False
        if dispute.purpose != body["purpose"] or (body["epoch"] in dispute.epochs) is not ends:
            return False
        dispute.ended = ends
        dispute.epochs.add(body["epoch"])
        return True

    def outcome(self, entry: Entry) -> None:
        """A person compared a hit that its party was given."""
        if self._statement(entry, "outcome", entry.body["asker"], "asker", "answerer", "exchange") is not None:
            self._check_hit(entry)

    def dispute(self, entry: Entry) -> None:
        """An asker disputes a hit that it was given, and its answerer is told."""
        body = entry.body
        if self._statement(entry, "dispute", body["asker"], "asker", "answerer", "exchange") is None:
            return
        self._check_hit(entry)
        if self._is_new(entry, body["answerer"]):
            dispute = Dispute(body["ask_index"], body["answerer"], body["purpose"], {body["epoch"]})
            self.disputes[body["notice"]] = dispute

    def acknowledged(self, entry: Entry) -> None:
        """Whoever was told took note, once."""
        body = entry.body
        if self._statement(entry, "acknowledgement", body["party"], "party", "notice") is None:
            return
        if self.notices.get(body["notice"]) != (body["party"], body["purpose"]):
            self.find("ACKNOWLEDGEMENT", entry.index)
        else:
            del self.notices[body["notice"]]

    def end_of_notices(self) -> None:
        """Notices stand right behind their correction, in its batch."""
        owed, self.owed = self.owed, None
        if owed is None:
            return
        unsaid = owed.answers and owed.dispute is not None and owed.dispute.ask_index not in owed.asks
        if owed.left or unsaid:
            self.find("CORRECTION_NOTICES", owed.entry.index)

    def blank(self, entry: Entry) -> None:
        """An entry that tells nobody: it hides from the answerer how many notices there are."""
        owed = self.owed
        if entry.body["notice"] in self.named:
            self.find("RECTIFIED_TWICE", entry.index)
        if owed is None or not owed.left or entry.body["correction"] != owed.entry.index:
            self.find("CORRECTION_NOTICES", entry.index)
            return
        owed.left -= 1

    def notice(self, entry: Entry) -> None:
        """An asker is told of a correction: of its own asks, in which it may have been given the record."""
        body, owed = entry.body, self.owed
        self._is_new(entry, body["party"])
        if owed is None or not owed.left or body["correction"] != owed.entry.index:
            self.find("CORRECTION_NOTICES", entry.index)
            return
        owed.left -= 1
        asks = body["asks"]
        fits = bool(asks) and _rising(asks) and not owed.asks & set(asks)
        if not fits or not all(self._concerns(owed, index, body) for index in asks):
            self.find("NOTICE_ASK", entry.index)
        owed.asks |= set(asks)

    def _concerns(self, owed: Owed, index: int, body: Mapping[str, Any]) -> bool:
        """Whether an ask is one of the notice's party in which it may have been given the record."""
        ask, correction = self.asks.get(index), owed.entry.body
        if ask is None or ask.answered is False:
            return False
        answerer, purpose, epoch = ask.group
        if (ask.asker, purpose) != (body["party"], body["purpose"]):
            return False
        if (answerer, purpose) != (correction["answerer"], correction["purpose"]):
            return False
        if owed.dispute is not None and index == owed.dispute.ask_index:
            return True
        return epoch == correction["epoch"] and correction["statement"]["what"] in ("corrected", "withdrawn")

    def _check_hit(self, entry: Entry) -> None:
        body, ask = entry.body, self.asks.get(entry.body["ask_index"])
        stated = (body["asker"], body["answerer"], body["purpose"], body["exchange"])
        fits = ask is not None and ask.answered and stated == (ask.asker, *ask.group[:2], ask.exchange)
        if ask is None or not fits or body.get("epoch", ask.group[2]) != ask.group[2]:
            self.find("HIT_UNKNOWN", entry.index)

    def _is_new(self, entry: Entry, party: str) -> bool:
        """Notes a notice to a party; False, with a finding, when its id is not new."""
        if entry.body["notice"] in self.named:
            self.find("RECTIFIED_TWICE", entry.index)
            return False
        self.named.add(entry.body["notice"])
        self.notices[entry.body["notice"]] = (party, entry.body["purpose"])
        return True

    def _statement(self, entry: Entry, kind: str, party: str, *same: str) -> dict[str, Any] | None:
        """The statement, when it has the form of its kind; in time, and new."""
        stated = self.story.statement(entry, f"sluis/v1/{kind}", {name: entry.body[name] for name in same})
        if stated is None:
            return None
        if not in_time(entry, stated):
            self.find("STATEMENT_AGE", entry.index)
        if "request_id" in stated:
            mark = _mark(party, stated["request_id"])
            if mark in self.requests:
                self.find("RECTIFIED_TWICE", entry.index)
            self.requests.add(mark)
        return stated


# Erasures and legal holds


@dataclass(frozen=True, slots=True)
class Use:
    """The ask that a commitment belongs to. `due`: until when it is to be kept; None: not known."""

    purpose: str
    parties: tuple[str | None, str | None, str]
    """Asker, principal, answerer."""
    exchange: str
    asked_at: datetime
    due: datetime | None
    whose: bool = True
    """False: a hold that covers it keeps the commitment, but an order to erase it does not reach that."""


@dataclass(frozen=True)
class Erasure:
    """What one entry erased; of a request also what its order names, and for whom its key may order that."""

    index: int
    at: datetime
    commitments: list[str]
    ordered: tuple[set[tuple[str, str]], set[str]] | None
    by_request: bool


@dataclass
class Hold:
    """A legal hold, from its entry to the one that lifted it."""

    key: str
    stated: dict[str, Any]
    index: int
    lifted: int | None = None

    def covers(self, use: Use, index: int, at: datetime) -> bool:
        """Whether it kept, at an entry, what belongs to an ask."""
        stated, first, until = self.stated, self.stated["asked_from"], self.stated["asked_until"]
        return (
            self.index < index
            and (self.lifted is None or index < self.lifted)
            and at < moment(stated["until"])
            and stated["purpose"] in (None, use.purpose)
            and (stated["party"] is None or stated["party"] in use.parties)
            and stated["exchange"] in (None, use.exchange)
            and (first is None or moment(first) <= use.asked_at)
            and (until is None or use.asked_at < moment(until))
        )


class Vault:
    """What the log committed to, what of it was erased, and whether that was due, ordered and not held."""

    def __init__(self, story: Story) -> None:
        self.story, self.find = story, story.find
        self.made: dict[str, list[tuple[int, Use | None]]] = defaultdict(list)
        """Commitment -> the entries that make it."""
        self.waiting: dict[int, Use] = {}
        self.erasures: list[Erasure] = []
        self.holds: dict[str, Hold] = {}
        self.asked: dict[int, Use] = {}
        """Permitted asks, by index."""
        self.correction: tuple[int, Mapping[str, Any], Use] | None = None
        """Index, statement and use of the newest correction: its notices stand right behind it."""

    def ask(self, entry: Entry, policies: PolicySet | None) -> None:
        """A permitted ask leaves its commitments in the vault; a denied one leaves none."""
        body, stated = entry.body, entry.body["statement"]
        if body["decision"].get("effect") != "permit":
            return
        decided, purpose = moment(body["decided_at"]), policies.purpose(body["purpose"]) if policies else None
        due = decided + timedelta(days=purpose["vault_keep_days"]) if purpose else None
        parties = (body["asker"], body["principal"], body["answerer"])
        use = self.waiting[entry.index] = Use(body["purpose"], parties, body["exchange"], decided, due)
        for member in ("tokens", "case_number", "cooperation_ref"):
            self._make(stated.get(member), entry, use)
        if SHAPES["hex"](stated.get("tokens")):
            self.asked.setdefault(entry.index, replace(use, due=None, whose=False))

    def release(self, entry: Entry) -> None:
        """What its result commits to."""
        use = self.waiting.pop(entry.body["ask_index"], None)
        if use is not None:
            self._make(entry.body["result"], entry, use)

    def rectification(self, entry: Entry) -> None:
        """Corrections and the like commit to records and positions; how long these are kept is not judged."""
        body, use = entry.body, None
        if entry.kind == "correction" or body.get("what") == "correction-notice":
            use = self._corrected(entry)
        elif "ask_index" in body:
            parties = (body["asker"], None, body["answerer"])
            use = Use(body["purpose"], parties, body["exchange"], entry.at, None)
        stated = body.get("statement", {})
        for value in (stated.get("position"), stated.get("record"), body.get("record"), body.get("positions")):
            self._make(value, entry, use)

    def _corrected(self, entry: Entry) -> Use | None:
        """What a correction or a notice of it commits to belongs to the correction, and to the asks that it told."""
        body = entry.body
        if entry.kind == "correction":
            stated, parties = body["statement"], (body["answerer"], None, body["answerer"])
            own = Use(body["purpose"], parties, str(stated.get("request_id")), entry.at, None, whose=False)
            self.correction = (entry.index, stated, own)
            return own
        if self.correction is None or body["correction"] != self.correction[0]:
            return None
        index, stated, own = self.correction
        for use in (
            self.asked[ask] for ask in body["asks"] if ask in self.asked and SHAPES["hex"](stated.get("record"))
        ):
            self.made[stated["record"]].append((index, use))
            self.made[body["positions"]].append((entry.index, use))
        return replace(own, purpose=body["purpose"], parties=(body["party"], None, own.parties[2]))

    def _make(self, commitment: Any, entry: Entry, use: Use | None) -> None:
        if SHAPES["hex"](commitment):
            self.made[commitment].append((entry.index, use))

    def erasure(self, entry: Entry) -> None:
        """Its form, and the order behind a request. What it erased is judged at the end."""
        body, names, ordered = entry.body, entry.body["commitments"], None
        by_request = body["what"] == "request"
        if not all(map(SHAPES["hex"], names)) or not _rising(names) or not (names or by_request):
            self.find("LEAF_FORM", entry.index)
            return
        if by_request:
            policies, stated = self.story.policies, body["statement"]
            if self._is_order(entry, "sluis/v1/erasure-order") and policies is not None:
                named = {(one["asker"], one["exchange"]) for one in stated["exchanges"]}
                ordered = (named, policies.signs_for(body["key"]))
            if ordered is None or not ordered[1]:
                self.find("ERASURE_ORDER", entry.index)
            self._make(stated.get("case"), entry, None)
        self.erasures.append(Erasure(entry.index, entry.at, names, ordered, by_request))

    def hold(self, entry: Entry) -> None:
        """A hold is placed or lifted."""
        body, policies, stated = entry.body, self.story.policies, entry.body["statement"]
        added = body["what"] == "legal-hold-added"
        placed = self.holds.get(body["order"] if added else str(stated.get("hold")))
        fits = placed is None if added else placed is not None and placed.lifted is None
        good = self._is_order(entry, "sluis/v1/legal-hold" if added else "sluis/v1/legal-hold-lift")
        if not good or not fits or policies is None or not self._may_hold(policies, body, placed):
            self.find("ERASURE_ORDER", entry.index)
        elif placed is None:
            self.holds[body["order"]] = Hold(body["key"], stated, entry.index)
        else:
            placed.lifted = entry.index

    def _may_hold(self, policies: PolicySet, body: Mapping[str, Any], placed: Hold | None) -> bool:
        """A policy signer; an officer of the party or the purpose; to lift it, one who signs for a party of its key."""
        if body["key"] in self.story.trust.policy_signers:
            return True
        stated = body["statement"]
        theirs = {stated["party"], *policies.concerned(stated["purpose"])} if placed is None else set()
        theirs |= policies.signs_for(placed.key) if placed is not None else set()
        return bool(policies.signs_for(body["key"]) & theirs)

    def _is_order(self, entry: Entry, kind: str) -> bool:
        """Whether an entry holds a well-formed, signed order of this log."""
        body, stated = entry.body, entry.body["statement"]
        if not has_form(stated, STATEMENTS[kind]) or stated["type"] != kind:
            return False
        trust, made = self.story.trust, moment(stated["made_at"])
        if (stated["origin"], stated["environment"]) != (trust.origin, trust.environment):
            self.find("STATEMENT_DIFFERS", entry.index)
        if not entry.at - timedelta(days=30) - GRACE <= made <= entry.at + timedelta(hours=1):
            self.find("ORDER_AGE", entry.index)
        if kind == "sluis/v1/legal-hold":
            times = [stated[name] for name in ("asked_from", "asked_until") if stated[name] is not None]
            named = stated["purpose"] is not None or stated["party"] is not None
            ends = made < moment(stated["until"]) <= made + timedelta(days=1830)
            if not named or not ends or sorted(times, key=moment) != times:
                return False
        return digest_of(stated)[:16] == body["order"] and officer_signed(body)

    def end(self) -> None:
        """Judges every erasure against what the log had committed to before it."""
        erased: set[str] = set()
        for one in self.erasures:
            for name in one.commitments:
                if name in erased:  # judged once each: as often as it was made and erased would be work without a bound
                    self.find("ERASURE_TWICE", one.index)
                    continue
                before = [use for index, use in self.made.get(name, ()) if index < one.index]
                uses = [use for use in before if use is not None]
                early = any(use.due is not None and use.due > one.at for use in uses)
                holds = self.holds.values()
                faults = {
                    "ERASURE_UNKNOWN": not before,
                    "ERASURE_EARLY": not one.by_request and early,
                    "ERASURE_UNORDERED": bool(before) and not self._was_ordered(one, uses),
                    "ERASURE_HELD": any(hold.covers(use, one.index, one.at) for hold in holds for use in uses),
                }
                for code in (code for code, wrong in faults.items() if wrong):
                    self.find(code, one.index)
                erased.add(name)

    @staticmethod
    def _was_ordered(one: Erasure, uses: list[Use]) -> bool:
        """A request erases what its order names, of an asker or principal that its officer signs for."""
        if one.ordered is None:  # retention; or a wrong order, which is a finding already
            return True
        named, theirs = one.ordered
        mine = [use for use in uses if use.whose]
        return any((use.parties[0], use.exchange) in named and theirs & set(use.parties[:2]) for use in mine)


# The log's own life: its keys, the log before it, its end


RECOUNTED = {"requests", "counts", "evaluations", "subjects"}
"""Counters that entries give, by how their names begin."""
MOST_OVERLAP = 28
"""Days that two epochs overlap at most."""


@dataclass(frozen=True)
class Ended:
    """A log that was verified: what the one that follows it must agree with."""

    origin: str
    size: int
    root: bytes
    seal: Mapping[str, Any] | None
    counters: Mapping[str, int]
    suspended: Mapping[str, Mapping[str, datetime]]
    revision: int | None

    def contradictions(self, previous: Mapping[str, Any], origin: str, key: str) -> Iterator[str]:
        """Why a genesis with `previous`, of the log `origin` under `key`, does not follow this log."""
        same_end = (previous["size"], previous["root"]) == (self.size, self.root.hex())
        if previous["origin"] != self.origin:
            yield "it follows another log"
        elif previous["reason"] == "recovered":
            if same_end:
                yield "nothing is lost"
        else:
            if self.seal is None:
                yield "the log before is not sealed"
            elif (self.seal["next_origin"], self.seal["next_key"]) != (origin, key):
                yield "the log before was sealed for another one"
            if not same_end:
                yield "the log before ends otherwise"

    def not_carried(self, carried: list[dict[str, Any]], began: datetime) -> Iterator[str]:
        """What goes on otherwise than it ended. Counters of that day, and of epochs still asked under, must go on."""
        counters: Counter[str] = Counter()
        closed: dict[str, dict[str, datetime]] = defaultdict(dict)
        revision = None
        for body in carried:
            # asks, corrections and searches a day cannot be counted again
            counters.update({n: s for n, s in body["counters"].items() if n.partition("/")[0] in RECOUNTED})
            for purpose, notices in body["suspended"].items():
                closed[purpose] |= {one["notice"]: moment(one["since"]) for one in notices}
            revision = body["policy"]["revision"] if body["policy"] is not None else revision
        day = amsterdam_day(began)
        periods = {name for kind in ("quarter", "month", "year") for name in open_epochs(kind, MOST_OVERLAP, day)}
        periods.add(day.isoformat())
        due = {name for name in self.counters if calendar_epoch(name.rpartition("/")[2]) in periods}
        if not due <= set(counters) or any(self.counters.get(n, 0) != spent for n, spent in counters.items()):
            yield "a counter"
        if any(not set(notices) <= set(closed[purpose]) for purpose, notices in self.suspended.items()):
            yield "a suspension is missing"
        ended = {(name, *one) for name, notices in self.suspended.items() for one in notices.items()}
        if not {(name, *one) for name, notices in closed.items() for one in notices.items()} <= ended:
            yield "a suspension that was not, or of another time"
        if self.revision not in (None, revision):
            yield "the policy revision"


class Life:
    """What binds a log to its keys, to the log before it and to the one after."""

    def __init__(self, story: Story, before: Ended | None) -> None:
        self.story, self.find, self.trust, self.before = story, story.find, story.trust, before
        self.keys: list[tuple[int, KeyId]] = []
        """Index of the entry that names a key, and the key; oldest first."""
        self.key = ""
        self.covered = 0
        self.previous: dict[str, Any] | None = None
        self.follows = ""
        self.began: datetime | None = None
        self.beginning, self.gap_told = True, False
        self.carried: list[dict[str, Any]] = []
        self.sealed: dict[str, Any] | None = None

    def entry(self, entry: Entry) -> None:
        """Every entry, before anything else: none comes after the seal."""
        if self.sealed is not None:
            self.find("AFTER_SEAL", entry.index)
        begins = entry.kind == "genesis" or entry.body.get("what") in ("carried", "entries-lost")
        if not begins:
            self.end_of_beginning()

    def genesis(self, entry: Entry) -> None:
        """The first key, and the log before: its checkpoint says what the genesis states."""
        self.began, self.key, previous = entry.at, entry.body["verifier_key"], entry.body["previous"]
        if entry.body["origin"] != self.trust.origin:
            self.find("ORIGIN", entry.index)
        if entry.body["environment"] != self.trust.environment:
            self.find("ENVIRONMENT", entry.index)
        if self.key not in self.trust.log_key_texts:
            self.find("LOG_KEY", entry.index)
        self._name_key(entry, self.key)
        if previous is None:
            if self.before is not None:
                self.find("PREVIOUS_DIFFERS", entry.index, "it says that no log went before it")
            return
        self.previous = previous
        if not has_form(previous, PREVIOUS):
            self.find("PREVIOUS", entry.index)
            return
        self.follows = f"{previous['origin']} ({previous['reason']}), {previous['size']} entries"
        try:
            tree = read_note(previous["checkpoint"])[0]
        except Malformed as error:
            self.find("PREVIOUS", entry.index, str(error))
            return
        stated = (previous["origin"], previous["size"], previous["root"])
        fits = stated == (tree.origin, tree.size, tree.root.hex()) and tree.origin != self.trust.origin
        if not fits or previous["reason"] not in ("sealed", "recovered"):
            self.find("PREVIOUS", entry.index)
        if self.before is not None:
            for why in self.before.contradictions(previous, self.trust.origin, self.key):
                self.find("PREVIOUS_DIFFERS", entry.index, why)

    def loss(self, entry: Entry) -> None:
        """A loss is named once, at the beginning, as the genesis states it."""
        body, previous = entry.body, self.previous or {}
        stated = (previous.get("origin"), previous.get("size"), previous.get("root"))
        fits = (
            self.beginning
            and not self.gap_told
            and previous.get("reason") == "recovered"
            and stated == (body["origin"], body["known_size"], body["known_root"])
            and (body["from"] is None or body["from"] <= body["until"])
        )
        if not fits:
            self.find("RECOVERY_GAP", entry.index)
        self.gap_told = True

    def carry(self, entry: Entry) -> None:
        """What was spent and closed in the log before goes on here."""
        body = entry.body
        suspended, policy = body["suspended"].values(), body["policy"]
        notice = form("notice:text since:moment")
        good = (
            all(isinstance(notices, list) and all(has_form(one, notice) for one in notices) for notices in suspended)
            and all(map(SHAPES["number"], body["counters"].values()))
            and (policy is None or has_form(policy, form("digest:any revision:number")))
        )
        if not self.beginning or self.previous is None or not good:
            self.find("CARRIED", entry.index)
            return
        self.carried.append(body)
        for name, spent in body["counters"].items():
            kind, *parts = name.split("/")
            if kind == "requests" and len(parts) == 3:
                self.story.requests[tuple(parts)] += spent
            elif kind == "counts" and len(parts) == 4:
                self.story.counts[tuple(parts)] += spent
            elif kind == "evaluations" and len(parts) == 3:
                self.story.service.evaluated[tuple(parts)] += spent
            elif kind == "subjects" and len(parts) == 3:
                self.story.probed[tuple(parts)].subjects += spent
        for purpose, notices in body["suspended"].items():
            self.story.notices[purpose].update({one["notice"]: moment(one["since"]) for one in notices})

    def end_of_beginning(self) -> None:
        """All that a log takes over stands before anything else."""
        if not self.beginning:
            return
        self.beginning = False
        if (self.previous or {}).get("reason") == "recovered" and not self.gap_told:
            self.find("RECOVERY_GAP", 0)
        if self.before is not None and self.previous is not None and self.began is not None:
            for why in self.before.not_carried(self.carried, self.began):
                self.find("CARRIED", 0, why)

    def change_key(self, entry: Entry) -> None:
        """The next key of the log: a new one, announced by the one in force."""
        new = entry.body["verifier_key"]
        if entry.body["previous_key"] != self.key or _key_id(new) in [key for _, key in self.keys]:
            self.find("KEY_CHANGE", entry.index)
        if new not in self.trust.log_key_texts:
            self.find("LOG_KEY", entry.index)
        self.key = new
        self._name_key(entry, new)

    def _name_key(self, entry: Entry, text: str) -> None:
        key = _key_id(text)
        if key is None or text not in self.trust.log_key_texts:
            return  # that is the finding, and nothing can be due
        if key not in (known for _, known in self.keys):  # one named again is a finding, and stays retired
            self.keys.append((entry.index, key))

    def is_due(self, tree: Checkpoint) -> bool:
        """Whether the key in force at its size signed a checkpoint."""
        due = [key for index, key in self.keys if index < tree.size]
        return not due or due[-1] in tree.signers

    def checkpoint(self, tree: Checkpoint) -> None:
        """Signed by the key in force; the first one over a change by the key before, too."""
        due = [key for index, key in self.keys if index < tree.size]
        changed = sum(index >= self.covered for index, _ in self.keys[1 : len(due)])
        if not set(due[-1 - changed :]) <= tree.signers:
            self.find("KEY_NOT_IN_FORCE", None, f"at {tree.size} entries")
        self.covered = max(self.covered, tree.size)

    def seal(self, entry: Entry) -> None:
        """The last entry: nothing is open, and the log to follow is another one."""
        self.sealed = body = entry.body
        if self.story.waiting:
            self.find("SEAL_OPEN", entry.index)
        key = _key_id(body["next_key"])
        if body["next_origin"] in (self.trust.origin, "") or key is None or key[0] != body["next_origin"]:
            self.find("SEAL_NEXT", entry.index)

    def ended(self, tree: Tree) -> Ended:
        """This log, for the one that follows it."""
        story = self.story
        named = (("requests", story.requests), ("counts", story.counts), ("evaluations", story.service.evaluated))
        counters = {"/".join((kind, *key)): n for kind, found in named for key, n in found.items() if n}
        counters |= {"/".join(("subjects", *key)): one.subjects for key, one in story.probed.items() if one.subjects}
        revision = self.story.policies.revision if self.story.policies else None
        return Ended(self.trust.origin, tree.size, tree.root(), self.sealed, counters, self.story.notices, revision)


def _key_id(text: str) -> KeyId | None:
    try:
        return read_key(text)[0]
    except Malformed:
        return None


# --- 9. The command ---------------------------------------------------------------------------------------------------


def bundle_lines(path: Path) -> Iterator[bytes]:
    """A file's lines, each with its newline, none longer than 80 MiB."""
    with path.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            yield line


def one_line(text: str) -> str:
    """A text of the log as a terminal may be shown it: what does not print stands as its escape."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def verified(bundle: Path, trust: Path, before: Ended | None, expect: Path | None = None) -> Verification:
    """One bundle against its trust file, printed. Raises OSError, and ValueError for a file that cannot be used."""
    try:
        trusted = read_trust(trust.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{trust}: cannot be used as a trust file: {error}") from None
    run = Verification(trusted, expect.read_bytes() if expect else None, before)
    run.run(bundle_lines(bundle))
    story = run.story
    print(f"log          {trusted.origin}, {run.tree.size} entries")
    print(f"trust        {trusted.fingerprint}")
    if story.life.follows:
        compared = "compared" if before else "not compared; give --previous"
        print(f"follows      {one_line(story.life.follows)}: {compared}")
    if story.life.sealed is not None:
        print(f"sealed       {one_line(story.life.sealed['next_origin'])} follows")
    told = ", ".join(f"{story.decisions[name]} {name}" for name in ("same", "differ", "not replayable"))
    print(f"decisions    {told}; {len(story.waiting)} asks still open at the end")
    if trusted.witnesses:
        seen = run.witnesses.cosigned_to
        quorum = f"{trusted.quorum} of {len({name for name, _ in trusted.witnesses})}"
        print(f"witnesses    the first {seen} entries were seen by {quorum} or more", end="")
        print(f"; the last {run.tree.size - seen} by no quorum" if run.tree.size > seen else "")
    elif run.witnesses.seen:
        print(f"witnesses    {run.witnesses.seen} cosigned checkpoints, not checked: the trust file names no witnesses")
    due = (
        ""
        if run.trust.stamp_hours is None
        else f", nor whether each entry has one within {run.trust.stamp_hours} hours"
    )
    print(f"time stamps  {run.stamps}, not checked here{due}")
    print("not read     vault exports and the texts of policies; `sluis audit verify` reads them")
    for finding in run.findings[:100]:
        place = "" if finding.index is None else f" entry {finding.index}"
        print(f"  {finding.code}{place}{': ' if finding.detail else ''}{one_line(finding.detail)}")
    if len(run.findings) > 100:
        print(f"  and {len(run.findings) - 100} more")
    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """Verifies and prints; returns the exit code."""
    parser = argparse.ArgumentParser(description="Verify an exchange log of Sluis without Sluis.")
    parser.add_argument("bundle", type=Path, help="the file that `sluis audit export` wrote")
    parser.add_argument("--trust", type=Path, required=True, help="the trust file, got by another way")
    parser.add_argument("--expect", type=Path, help="a checkpoint or receipt you hold; the log must contain it")
    parser.add_argument("--previous", type=Path, help="the bundle of the log before; with --previous-trust")
    parser.add_argument("--previous-trust", type=Path, help="its trust file")
    options = parser.parse_args(arguments)
    if (options.previous is None) != (options.previous_trust is None):
        parser.error("give --previous and --previous-trust together")
    try:
        before = None
        if options.previous is not None:
            run = verified(options.previous, options.previous_trust, None)
            before = run.ended()
            if run.findings:
                return _verdict(run)
        return _verdict(verified(options.bundle, options.trust, before, options.expect))
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    except ValueError as error:
        print(error, file=sys.stderr)
    return 2


def _verdict(run: Verification) -> int:
    if run.findings:
        worst = min(CODES[finding.code] for finding in run.findings)
        count = len(run.findings)
        print(f"NOT verified: {count} finding{'' if count == 1 else 's'}, gravest class {FAULTS[worst]}")
        return worst
    known = "and it holds what you expected" if run.expects else "later unknown: give --expect what a party holds"
    if run.story.life.sealed is not None:
        known = "which is its seal" + (f", {known}" if run.expects else "")
    print(f"verified: {run.tree.size} entries of {run.trust.origin}, complete to {run.last}, {known}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
