#!/usr/bin/env python3
"""Verify an exchange log of Sluis without Sluis: one file, Python 3.11 or later and the package `cryptography`.

    python sluis_verify.py log.bundle --trust trust.yaml [--expect FILE]

For an auditor who would rather read a program than trust one. It shares no line with the broker or with the command
`sluis audit verify`; both follow docs/formats.md, and the tests demand that they find the same in every good and bad
bundle. Read it from the top, in about an hour:

    1. bytes         canonical JSON, and the members of every kind of log entry
    2. the tree      RFC 6962 hashes, checkpoints as C2SP signed notes
    3. trust         the trust file, which comes to you by another way than the bundle
    4. signatures    parties' certificates, and what was signed with them
    5. policies      archived policy sets: digests, signers, approvals of both sides
    6. decisions     every decision taken again, from the policy's meaning and the facts in the log
    7. the story     asks, releases, registers, keys, counters, suspensions: what must follow from what
    8. the verdict   one pass over the bundle, and what was found

Exit codes are those of `sluis audit verify`: 0 verified; 10 format, 11 tree, 12 another log, 13 not what you expected,
14 policy, 15 signature, 16 exchange, 17 decision; 2 for wrong usage or a file that cannot be read.

What it does not do: it decides from the *meaning* of a policy set (signed together with the text) and does not read
the YAML text again.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
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
FAULTS |= {16: "exchange", 17: "decision"}
CODES: dict[str, int] = {}
"""Finding -> class of fault, which is the exit code."""
for _fault, _names in {
    10: "BUNDLE_TRUNCATED BUNDLE_TRAILING BUNDLE_DIGEST BUNDLE_LINE LEAF_FORM",
    11: "INDEX GENESIS CHECKPOINT_FORM CHECKPOINT_SIZE CHECKPOINT_ROOT CHECKPOINT_SIGNATURE TAIL_UNSIGNED SIZE "
    "TIME_ORDER",
    12: "ORIGIN ENVIRONMENT LOG_KEY",
    13: "EXPECTED_FORM EXPECTED_MISSING EXPECTED_DIFFERS",
    14: "POLICY_ARCHIVE POLICY_MISSING POLICY_SIGNATURES POLICY_UNKNOWN POLICY_APPROVALS ENGINE_UNTRUSTED",
    15: "CERTIFICATE_UNKNOWN CERTIFICATE_CHAIN CERTIFICATE_TIME CERTIFICATE_REVOKED CERTIFICATE_OIN STATEMENT_FORM "
    "STATEMENT_SIGNATURE STATEMENT_DIFFERS NOTICE",
    16: "DECIDED_AT REQUEST_ID_REUSED ANSWERER_MISSING REGISTER_ORDER REGISTER_DIFFERS RELEASE_UNASKED RELEASE_DENIED "
    "RELEASE_TWICE RELEASE_OUTCOME SUSPENSION RELEASE_CLOSED SHADOW COUNTER_REQUESTS COUNTER_COUNTS FACTS",
    17: "REPLAY_DIFFERS NOT_REPLAYABLE",
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


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", re.ASCII)


def moment(text: object) -> datetime:
    """A time of an entry or a statement. Raises Malformed."""
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise Malformed("not a time in UTC")


SHAPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda v: isinstance(v, str),
    "texts": lambda v: isinstance(v, list) and all(isinstance(item, str) for item in v),
    "number": lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
    "hex": lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{64}", v) is not None,
    "time": lambda v: isinstance(v, str) and _TIME.fullmatch(v) is not None,
    "map": lambda v: isinstance(v, dict),
    "flag": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "any": lambda _: True,
}

Form = dict[str, str]


def form(text: str) -> Form:
    """Members and their shapes, written `name:shape name:shape`; a shape with `?` allows null."""
    return {name: shape for name, _, shape in (item.partition(":") for item in text.split())}


def has_form(value: object, members: Form) -> bool:
    """Whether `value` is an object of exactly these members."""
    return (
        isinstance(value, dict)
        and value.keys() == members.keys()
        and all(
            (value[name] is None and shape.endswith("?")) or SHAPES[shape.rstrip("?")](value[name])
            for name, shape in members.items()
        )
    )


_SIGNATURE = form("statement:map signature:text certificate:hex")
ENTRIES: dict[str, Form] = {
    "genesis": form("origin:text environment:text engine:text verifier_key:text previous:null"),
    "policy": form("digest:hex text_digest:hex revision:number expires:time? signers:texts engine:text"),
    "party": form("party:text oin:text kind:text certificates:texts issuers:texts revoked:texts crl_this_update:time?"),
    "key encryption-key": form("action:text party:text") | _SIGNATURE,
    "key epoch": form("action:text party:text") | _SIGNATURE,
    "register published": form("action:text party:text register:text version:number") | _SIGNATURE,
    "register withdrawn": form("action:text party:text register:text version:number"),
    "ask": form(
        "exchange:text asker:text principal:text? answerer:text purpose:text decided_at:time facts:map decision:map "
        "policy_set:hex engine:text register:map? trace_id:text? nonce:text"
    )
    | _SIGNATURE,
    "release": form(
        "exchange:text asker:text answerer:text ask_index:number outcome:text status:text register:map? "
        "attributes:texts result:hex? nonce:text"
    ),
    "evaluation": form("party:text purpose:text answerers:texts decided_at:time effects:any"),
    "evaluation shadow": form(
        "party:text purpose:text shadow_of:text exchange:text answerer:text ask_index:number decided_at:time "
        "decision:map policy_set:hex engine:text"
    ),
    "notice policy-suspension": form("what:text purpose:text notice:text statement:map signature:text key:hex"),
    "refusal": form("party:text? rpc:text code:text request_id:text?"),
    "access answer-repeated": form("party:text what:text exchange:text?"),
    "access entries": form("party:text what:text exchange:text?"),
    "recovery": form("what:text detail:text"),
}
"""Every kind of entry, with the value of the member that tells its variants apart."""
_VARIANT = {"key": "action", "register": "action", "notice": "what", "access": "what"}

STATEMENTS = {
    "sluis/v1/ask": form(
        "answerers:texts asker:text case_number:hex? cooperation_ref:hex? environment:text epoch:text key_id:text "
        "match_keys:number not_after:time origin:text principal:text? purpose:text request_id:text scheme:text "
        "subjects:number tokens:hex type:text want:map"
    ),
    "sluis/v1/register": form(
        "answerer:text as_of:time attributes:texts coverage:text digest:hex environment:text epoch:text "
        "expires_at:time key_id:text match_keys:number origin:text purpose:text rows:number rules:map scheme:text "
        "type:text version:number"
    ),
    "sluis/v1/encryption-key": form(
        "created_at:text environment:text kem:text origin:text party:text public_key:text type:text"
    ),
    "sluis/v1/epoch": form(
        "created_at:time environment:text epoch:text key_id:text mode:text origin:text purpose:text recipients:map "
        "steward:text type:text valid_from:time valid_until:time"
    ),
}
WANT = form("attributes:texts count:flag hit:flag")
RECIPIENT = form("envelope:text key:text")


@dataclass(frozen=True)
class Entry:
    """A log entry whose members are those of its kind. `at`: when it was sequenced."""

    index: int
    kind: str
    at: datetime
    body: dict[str, Any]


def read_entry(leaf: bytes) -> Entry:
    """The entry in a leaf's bytes. Raises Malformed."""
    if len(leaf) > MAX_LEAF:
        raise Malformed("longer than 65,535 bytes")
    value = read(leaf)
    if not has_form(value, form("body:map index:number kind:text sequenced_at:time v:number")) or value["v"] != 1:
        raise Malformed("not the members of version 1")
    if len(value["sequenced_at"]) != 27:
        raise Malformed("its time has not microseconds")
    kind, body = value["kind"], value["body"]
    variant = "shadow" if kind == "evaluation" and "shadow_of" in body else body.get(_VARIANT.get(kind, ""), "")
    members = ENTRIES.get(f"{kind} {variant}".strip()) if isinstance(variant, str) else None
    if members is None or not has_form(body, members):
        raise Malformed("a kind, or members of it, that this verifier does not know")
    return Entry(value["index"], kind, moment(value["sequenced_at"]), body)


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


def ed25519_signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is right. Keys of small order, under which anybody can sign, never count."""
    y = int.from_bytes(key, "little") & (2**255 - 1)
    if len(key) != 32 or y >= P or y in (0, 1, P - 1, _ORDER_8, P - _ORDER_8):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Checkpoint:
    """What a signed note states of a log."""

    origin: str
    size: int
    root: bytes


LogKeys = dict[tuple[str, bytes], bytes]
"""Name and key hash (4 bytes) of a C2SP verifier key -> its Ed25519 public key."""


def log_key(text: str) -> tuple[tuple[str, bytes], bytes]:
    """A C2SP verifier key `name+hash+base64(0x01 || key)`. Raises Malformed."""
    name, _, rest = text.partition("+")
    hash_text, _, key_text = rest.partition("+")
    key = unbase64(key_text)
    mark = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if not name or re.search(r"[^!-~]", name) or len(key) != 33 or key[0] != 1 or mark.hex() != hash_text:
        raise Malformed("not an Ed25519 verifier key")
    return (name, mark), key[1:]


class Unsigned(Malformed):
    """A checkpoint that no trusted key signed, or where such a signature is wrong."""


def read_checkpoint(note: object, keys: LogKeys) -> Checkpoint:
    """A checkpoint (C2SP tlog-checkpoint) signed by a trusted key of its origin. Raises Malformed, Unsigned."""
    if not isinstance(note, str) or len(note) > 65_536 or not note.endswith("\n"):
        raise Malformed("not a signed note")
    text, blank, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if not blank or len(lines) != 3 or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]):
        raise Malformed("not origin, size and root")
    root = unbase64(lines[2])
    if len(root) != 32:
        raise Malformed("not a root")
    good = 0
    for line in signatures[:-1].split("\n"):
        found = re.fullmatch(r"— (\S+) (\S+)", line)
        blob = unbase64(found[2]) if found else b""
        if found is None or len(blob) < 5:
            raise Malformed("not a signature line")
        key = keys.get((found[1], blob[:4]))
        if key is None:
            continue
        if not ed25519_signed(key, blob[4:], f"{text}\n".encode()):
            raise Unsigned("a wrong signature")
        good += found[1] == lines[0]
    if not good:
        raise Unsigned("no signature of a key you trust")
    return Checkpoint(lines[0], int(lines[1]), root)


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


_TRUST = ("origin", "environment", "log_keys", "issuers", "policy_signers", "policy_quorum", "engines")


def read_trust(text: str) -> Trust:
    """The trust file (docs/formats.md section 8). Raises Malformed."""
    value = read_plain_yaml(text)
    approvals = value.pop("policy_approvals", "required")
    if set(value) != set(_TRUST):
        raise Malformed(f"it has exactly these members: {', '.join(_TRUST)}")
    lists = {name: value[name] for name in ("log_keys", "issuers", "policy_signers", "engines")}
    if not all(isinstance(items, list) for items in lists.values()):
        raise Malformed("log_keys, issuers, policy_signers and engines are lists")
    origin, environment, quorum = (str(value[name]) for name in ("origin", "environment", "policy_quorum"))
    signers = frozenset(lists["policy_signers"])
    in_test = environment == "test"
    if environment not in ("test", "production") or not re.fullmatch("[0-9]{1,2}", quorum):
        raise Malformed("environment is test or production, policy_quorum a number")
    if not all(SHAPES["hex"](key) for key in signers) or not (0 if in_test else 1) <= int(quorum) <= len(signers):
        raise Malformed("policy_signers are 64 hex digits each, and at least policy_quorum of them")
    if approvals != "required" and not (approvals == "none" and in_test):
        raise Malformed("policy_approvals is none only in a test environment")
    keys = dict(log_key(text) for text in lists["log_keys"])
    try:
        issuers = [c for pem in lists["issuers"] for c in x509.load_pem_x509_certificates(pem.encode())]
    except ValueError:
        raise Malformed("issuers are certificates in PEM") from None
    if not keys or not issuers or not lists["engines"] or any(name != origin for name, _ in keys):
        raise Malformed("a key of the origin, an issuer and an engine at least")
    meaning: dict[str, Any] = {name: sorted(set(items)) for name, items in lists.items()}
    meaning |= {"origin": origin, "environment": environment, "policy_quorum": int(quorum)}
    meaning["issuers"] = sorted({issuer.public_bytes(Encoding.DER).hex() for issuer in issuers})
    if approvals == "none":
        meaning["policy_approvals"] = "none"
    mark = hashlib.sha256(b"sluis/v1/trust\n" + write(meaning)).hexdigest()
    return Trust(
        origin=origin,
        environment=environment,
        log_keys=keys,
        log_key_texts=frozenset(lists["log_keys"]),
        issuers=tuple(issuers),
        policy_signers=signers,
        policy_quorum=int(quorum),
        engines=frozenset(lists["engines"]),
        approvals=approvals == "required",
        fingerprint=" ".join(mark[at : at + 4] for at in range(0, 64, 4)),
    )


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
class Party:
    """What a `party` entry says of a party, from its place in the log on."""

    certificates: dict[str, tuple[x509.Certificate, list[x509.Certificate] | None]]
    """Fingerprint -> certificate, and the chain above it."""
    revoked: frozenset[str]
    since: datetime


# --- 5. Policies -----------------------------------------------------------------------------------------------------


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
        covered = {
            "purpose": purpose,
            "parties": {p: catalogue["parties"][p] for p in {*purpose["asks"], *purpose["answers"], *principals}},
            "subject_type": catalogue["subject_types"][purpose["about"]],
            "identifiers": {i: catalogue["identifiers"][i] for i in purpose["identified_by"]},
            "attributes": {a: catalogue["attributes"][a] for a in purpose["may_learn"]["attributes"]},
            "held_by": self.held(purpose),
            "legal_basis": catalogue["legal_bases"][purpose["legal_basis"]],
            "dpia": catalogue.get("dpias", {}).get(purpose["dpia"]) if purpose["dpia"] else None,
            "guardrails": catalogue["guardrails"],
        }
        return hashlib.sha256(write(covered)).hexdigest()

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
        purpose = self.purpose(name)
        if purpose is None:
            return False
        return key in signers or any(
            officer["key"] == key and any(self.sides(purpose, officer))
            for officer in self.meaning.get("officers", {}).values()
        )


_MANIFEST = form("digest:hex expires:time revision:number text_digest:hex type:text")
_APPROVAL = form("approved_on:text digest:hex officer:text purpose:text signature:text")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


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
    digests = [hashlib.sha256(write(part)).hexdigest() for part in (meaning, texts)]
    if [*digests, "sluis/v1/policy-set"] != [manifest["digest"], manifest["text_digest"], manifest["type"]]:
        raise Malformed("its digests")
    for approval in approvals:
        good = has_form(approval, _APPROVAL) and re.fullmatch("[0-9a-f]{128}", approval["signature"])
        dated = good and re.fullmatch(r"20\d\d-\d\d-\d\d", approval["approved_on"], re.ASCII)
        if not dated or not all(_NAME.fullmatch(approval[name]) for name in ("officer", "purpose")):
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


# --- 6. Decisions ----------------------------------------------------------------------------------------------------
# Each check says whether it is met, why, and where the policy says so. A decision in the log must be the same in all.


def amsterdam_day(at: datetime) -> date:
    """The calendar day in the Netherlands: UTC+1, and UTC+2 between the last Sundays of March and October, 01:00 UTC.

    Written out, because not every machine has a time-zone database (directive 2000/84/EC; in force since 1996).
    """

    def last_sunday(month: int) -> datetime:
        day = datetime(at.year, month, 31, 1, tzinfo=UTC)
        return day - timedelta(days=(day.weekday() + 1) % 7)

    summer = last_sunday(3) <= at < last_sunday(10)
    return (at + timedelta(hours=2 if summer else 1)).date()


def epoch_name(period: str, day: date) -> str:
    """The key epoch that a day lies in."""
    if period == "quarter":
        return f"{day.year}Q{(day.month + 2) // 3}"
    return f"{day.year}-{day.month:02d}" if period == "month" else str(day.year)


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
        expected = epoch_name(self.p["pseudonyms"]["epoch"], self.today)
        if self.q["epoch"] == expected:
            return True, f"{expected} is the epoch in force", "pseudonyms.epoch"
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
        p, demanded = self.p, {}
        if p["look_back"] is not None:
            demanded["look_back_years"] = p["look_back"]["years"]
            demanded["look_back_counted_from"] = p["look_back"]["counted_from"]
        if p["valid_on"] is not None:
            demanded["valid_on"] = p["valid_on"]
        demanded |= {name: True for name in ("exclude_natural_persons", "hit_only_if_natural_person") if p[name]}
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
_FACTS = {"now", "requests_today", "counts_this_epoch", "case_number", "cooperation_ref", "register"}
_FACTS |= {"count_distance", "modes_available"}
_QUESTION = {"asker", "principal", "purpose", "epoch", "scheme", "match_keys", "want", "subjects"}


def decide(policies: PolicySet, name: str, ask: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """The decision on an ask under the purpose `name`, as it would stand in the log. Raises Malformed, KeyError."""
    facts, statement = ask["facts"], ask["statement"]
    if not statement.keys() >= _QUESTION or not statement["want"].keys() >= WANT.keys():
        raise Malformed("the statement")
    if facts.keys() - {"suspended_since"} != _FACTS or facts["modes_available"] != sorted(
        set(facts["modes_available"])
    ):
        raise Malformed("facts")
    purpose = policies.purpose(name)
    if purpose is None:
        checks = [(False, f"the policy set has no purpose named {shown(name)}", "")]
        checks += [(False, "could not be evaluated", "")] * len(ENGINES[engine])
    else:
        case = Case(policies, purpose, ask)
        checks = [(True, "the purpose is in the policy set", "purpose")]
        for check in ENGINES[engine]:
            try:
                checks.append(CHECKS[check](case))
            except Exception:  # what cannot be evaluated is not met
                checks.append((False, "could not be evaluated", ""))
    ids = ["purpose-known", *ENGINES[engine]]
    permitted = all(met is True for met, _, _ in checks)
    told = zip(ids, checks, strict=True)
    return {
        "effect": "permit" if permitted else "deny",
        "checks": [{"id": check, "met": met, "reason": why, "path": path} for check, (met, why, path) in told],
        "obligations": obligations(purpose) if permitted and purpose else [],
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


# --- 7. The story ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """A permitted ask that has no release yet."""

    exchange: str
    asker: str
    answerer: str
    purpose: str
    attributes: list[str]
    register: dict[str, Any] | None


@dataclass
class Exchange:
    """The asks of one exchange, which stand side by side in one batch."""

    key: tuple[str, str]
    statement: dict[str, Any]
    counter: tuple[str, str, date]
    permitted: bool = False
    answerers: list[str] = field(default_factory=list)


_STATUSES = {
    "authorised": {"ANSWERED"},
    "withheld": {"NO_REGISTER", "EXPIRED", "NOT_COVERED", "WITHHELD"},
    "failed": {"FAILED"},
    "unknown": {"UNKNOWN"},
}


class Story:
    """What each entry demands of those before it. Calls `find(code, index, detail)` for all that is wrong."""

    def __init__(self, trust: Trust, find: Callable[..., None]) -> None:
        self.trust, self.find = trust, find
        self.archive: dict[str, list[PolicySet]] = defaultdict(list)
        self.in_force: dict[str, PolicySet | None] = {}
        self.current: tuple[str, int] | None = None
        self.replaced: tuple[str, datetime] | None = None
        self.parties: dict[str, list[Party]] = defaultdict(list)
        self.registers: dict[str, tuple[dict[str, Any], dict[str, Any]] | None] = {}
        self.versions: dict[str, int] = {}
        self.exchange: Exchange | None = None
        self.seen: set[bytes] = set()
        self.waiting: dict[int, Waiting] = {}
        self.denied: set[int] = set()
        self.released: set[int] = set()
        self.requests: Counter[tuple[str, str, date]] = Counter()
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.notices: dict[str, dict[str, datetime]] = defaultdict(dict)
        self.last_ask: Entry | None = None
        self.shadows_due: list[str] = []
        self.decisions: Counter[str] = Counter()

    @property
    def policies(self) -> PolicySet | None:
        """The policy set in force."""
        return self.in_force.get(self.current[0]) if self.current else None

    def tell(self, entry: Entry) -> None:
        """One entry, in the order of the log."""
        if entry.kind not in ("ask", "evaluation"):
            self.end_of_shadows()
        step = getattr(self, f"_{entry.kind}", None)
        if step is not None:
            step(entry)

    def _genesis(self, entry: Entry) -> None:
        if entry.body["origin"] != self.trust.origin:
            self.find("ORIGIN", entry.index)
        if entry.body["environment"] != self.trust.environment:
            self.find("ENVIRONMENT", entry.index)
        if entry.body["verifier_key"] not in self.trust.log_key_texts:
            self.find("LOG_KEY", entry.index)

    # Policies and parties

    def _policy(self, entry: Entry) -> None:
        body = entry.body
        stated = (body["text_digest"], body["revision"], None if body["expires"] is None else moment(body["expires"]))
        found = None
        for policies in self.archive[body["digest"]]:
            if (policies.text_digest, policies.revision, policies.expires) == stated:
                found = policies
        self.in_force[body["digest"]] = found
        now = (body["digest"], body["revision"])
        if self.current is not None and now != self.current:
            if now[1] <= self.current[1]:
                self.find("POLICY_UNKNOWN", entry.index)
            if now[0] != self.current[0]:
                self.replaced = (self.current[0], entry.at)
        self.current = now
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

    def _decided_under(self, entry: Entry) -> PolicySet | None:
        """The set that an entry was decided under: in force, or replaced at most 60 seconds ago."""
        digest = entry.body["policy_set"]
        current = self.current is not None and self.current[0] == digest
        before = self.replaced is not None and self.replaced[0] == digest and entry.at <= self.replaced[1] + GRACE
        if current or before:
            return self.in_force[digest]
        self.find("POLICY_UNKNOWN", entry.index)
        return None

    def _party(self, entry: Entry) -> None:
        body, name = entry.body, entry.body["party"]
        oins = self.policies.oins(name) if self.policies else set()
        if body["oin"] not in oins or not self._oin_fits(body["oin"]):
            self.find("CERTIFICATE_OIN", entry.index)
        between = [c for text in body["issuers"] if (c := self._certificate(text, entry)) is not None]
        known = {}
        for text in body["certificates"]:
            certificate = self._certificate(text, entry)
            if certificate is None:
                continue
            chain = chain_above(certificate, between, self.trust.issuers)
            if chain is None:
                self.find("CERTIFICATE_CHAIN", entry.index)
            try:
                numbers = [a.value for a in certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]
            except ValueError:
                numbers = []
            if len(numbers) != 1 or numbers[0] not in oins or not self._oin_fits(str(numbers[0])):
                self.find("CERTIFICATE_OIN", entry.index)
            known[certificate.fingerprint(hashes.SHA256()).hex()] = (certificate, chain)
        self.parties[name] = [*self.parties[name], Party(known, frozenset(body["revoked"]), entry.at)][-2:]

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
        stated = self.parties[party]
        stands = [one for n, one in enumerate(stated, 1) if n == len(stated) or entry.at - stated[-1].since <= GRACE]
        mark = entry.body["certificate"]
        found = next((one.certificates[mark] for one in reversed(stands) if mark in one.certificates), None)
        if found is None:
            self.find("CERTIFICATE_UNKNOWN", entry.index)
            return
        certificate, above = found
        if above is None:
            self.find("CERTIFICATE_CHAIN", entry.index)
        if not all(c.not_valid_before_utc <= entry.at <= c.not_valid_after_utc for c in (certificate, *(above or ()))):
            self.find("CERTIFICATE_TIME", entry.index)
        if all(f"{certificate.serial_number:x}" in one.revoked for one in stands):
            self.find("CERTIFICATE_REVOKED", entry.index)
        if not signed_by(certificate, entry.body["signature"], entry.body["statement"]):
            self.find("STATEMENT_SIGNATURE", entry.index)

    def _statement(self, entry: Entry, kind: str) -> dict[str, Any] | None:
        """The entry's signed statement when it has the form of its type; of this log and environment."""
        statement: dict[str, Any] = entry.body["statement"]
        if not has_form(statement, STATEMENTS[kind]) or statement["type"] != kind:
            self.find("STATEMENT_FORM", entry.index)
            return None
        if (statement["origin"], statement["environment"]) != (self.trust.origin, self.trust.environment):
            self.find("STATEMENT_DIFFERS", entry.index)
        return statement

    # Keys and registers

    def _key(self, entry: Entry) -> None:
        body = entry.body
        self._check_signature(entry, body["party"])
        statement = self._statement(entry, f"sluis/v1/{body['action']}")
        if statement is None:
            return
        if statement["party" if body["action"] == "encryption-key" else "steward"] != body["party"]:
            self.find("STATEMENT_DIFFERS", entry.index)
        if body["action"] == "epoch":
            people = statement["recipients"].values()
            short = re.compile("[0-9a-f]{32}")
            good = all(has_form(p, RECIPIENT) and all(map(short.fullmatch, p.values())) for p in people)
            if not people or not good:
                self.find("STATEMENT_FORM", entry.index)

    def _register(self, entry: Entry) -> None:
        body, name, version = entry.body, entry.body["register"], entry.body["version"]
        if body["action"] == "withdrawn":
            known = self.registers.get(name)
            if known is None or known[0]["version"] != version or not name.startswith(f"{body['party']}/"):
                self.find("REGISTER_ORDER", entry.index)
            self.registers[name] = None
            return
        self._check_signature(entry, body["party"])
        statement = self._statement(entry, "sluis/v1/register")
        if statement is None:
            return
        path = "/".join(statement[part] for part in ("answerer", "purpose", "epoch", "scheme"))
        if (path, statement["answerer"], statement["version"]) != (name, body["party"], version):
            self.find("STATEMENT_DIFFERS", entry.index)
        if version <= self.versions.get(name, 0):
            self.find("REGISTER_ORDER", entry.index)
        self.versions[name] = version
        manifest = hashlib.sha256(write(statement)).hexdigest()
        self.registers[name] = ({"name": name, "version": version, "manifest": manifest}, statement["rules"])

    # Asks, releases, and what stands beside them

    def _ask(self, entry: Entry) -> None:
        body = entry.body
        self._check_signature(entry, body["asker"])
        statement = self._statement(entry, "sluis/v1/ask")
        if statement is not None and not has_form(statement["want"], WANT):
            self.find("STATEMENT_FORM", entry.index)
            statement = None
        if statement is not None:
            self._asked(entry, statement)
        policies = self._decided_under(entry)
        self._ask_or_suspended(entry, policies)
        self._take_again(entry, policies, body["statement"].get("purpose"), body)

    def _asked(self, entry: Entry, statement: dict[str, Any]) -> None:
        body, permitted = entry.body, entry.body["decision"].get("effect") == "permit"
        pairs = [("asker", "asker"), ("principal", "principal"), ("purpose", "purpose"), ("exchange", "request_id")]
        if any(body[a] != statement[b] for a, b in pairs) or body["answerer"] not in statement["answerers"]:
            self.find("STATEMENT_DIFFERS", entry.index)
        decided, until = moment(body["decided_at"]), moment(statement["not_after"])
        self._check_decided(entry)
        second = timedelta(seconds=1)
        if not decided - second <= until <= decided + timedelta(minutes=10) + second:
            self.find("DECIDED_AT", entry.index)
        exchange = self._exchange_of(entry, statement, decided)
        self._check_facts(entry, statement, exchange)
        exchange.permitted |= permitted
        if not permitted:
            self.denied.add(entry.index)
            return
        if statement["want"]["count"]:
            self.counts[self._count_key(body, statement)] += 1
        ask = Waiting(
            body["exchange"],
            body["asker"],
            body["answerer"],
            body["purpose"],
            statement["want"]["attributes"],
            body["register"],
        )
        self.waiting[entry.index] = ask

    @staticmethod
    def _count_key(body: Mapping[str, Any], statement: Mapping[str, Any]) -> tuple[str, ...]:
        return statement["asker"], body["answerer"], statement["purpose"], statement["epoch"]

    def _check_decided(self, entry: Entry) -> None:
        decided = moment(entry.body["decided_at"])
        if not decided <= entry.at <= decided + GRACE:
            self.find("DECIDED_AT", entry.index)

    def _exchange_of(self, entry: Entry, statement: dict[str, Any], decided: datetime) -> Exchange:
        body = entry.body
        key = (body["asker"], body["exchange"])
        if self.exchange is None or self.exchange.key != key:
            self.end_of_batch()
            mark = hashlib.sha256(write(list(key))).digest()[:16]
            if mark in self.seen:
                self.find("REQUEST_ID_REUSED", entry.index)
            self.seen.add(mark)
            self.exchange = Exchange(key, statement, (body["asker"], body["purpose"], amsterdam_day(decided)))
        elif self.exchange.statement != statement:
            self.find("REQUEST_ID_REUSED", entry.index)
        self.exchange.answerers.append(body["answerer"])
        return self.exchange

    def _check_facts(self, entry: Entry, statement: dict[str, Any], exchange: Exchange) -> None:
        body, facts = entry.body, entry.body["facts"]
        if facts.get("requests_today") != self.requests[exchange.counter]:
            self.find("COUNTER_REQUESTS", entry.index)
        counts = self.counts[self._count_key(body, statement)] if statement["want"]["count"] else 0
        if facts.get("counts_this_epoch") != counts:
            self.find("COUNTER_COUNTS", entry.index)
        name = "/".join((body["answerer"], statement["purpose"], statement["epoch"], statement["scheme"]))
        known = self.registers.get(name)
        if body["register"] != (known[0] if known else None):
            self.find("REGISTER_DIFFERS", entry.index)
        facts_fit = (
            facts.get("now") == body["decided_at"]
            and (facts.get("case_number") == "absent") == (statement["case_number"] is None)
            and facts.get("cooperation_ref") is (statement["cooperation_ref"] is not None)
            and facts.get("register") == ({"rules": known[1]} if known else None)
        )
        if not facts_fit:
            self.find("FACTS", entry.index)

    def _ask_or_suspended(self, entry: Entry, policies: PolicySet | None) -> None:
        """Decided as suspended exactly when it was; and which shadows must follow."""
        self.end_of_shadows()
        stated = entry.body["facts"].get("suspended_since")
        if (None if stated is None else moment(stated)) != self._suspended(entry.body["purpose"], policies):
            self.find("SUSPENSION", entry.index)
        self.last_ask = entry
        self.shadows_due = policies.shadows(entry.body["purpose"]) if policies else []

    def _suspended(self, name: str, policies: PolicySet | None) -> datetime | None:
        purpose = policies.purpose(name) if policies else None
        if purpose is None:
            return None
        return min((at for n, at in self.notices[name].items() if n not in purpose.get("lifts", ())), default=None)

    def _take_again(self, entry: Entry, policies: PolicySet | None, purpose: Any, ask: Mapping[str, Any]) -> None:
        """The decision again: the same in effect, every check, every reason and every duty."""
        engine = entry.body["engine"]
        if engine not in self.trust.engines:
            self.find("ENGINE_UNTRUSTED", entry.index)
        try:
            if policies is None or engine not in ENGINES:
                raise Malformed("its policy set or its engine is not here")
            same = decide(policies, purpose, ask, engine) == normal(entry.body["decision"])
        except (Malformed, KeyError, TypeError, AttributeError, ValueError) as error:
            self.decisions["not replayable"] += 1
            self.find("NOT_REPLAYABLE", entry.index, str(error))
            return
        self.decisions["same" if same else "differ"] += 1
        if not same:
            self.find("REPLAY_DIFFERS", entry.index)

    def _evaluation(self, entry: Entry) -> None:
        self._check_decided(entry)
        if "shadow_of" not in entry.body:  # a dry run that nobody asked for
            self.end_of_shadows()
            return
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
        self._take_again(entry, self._decided_under(entry), body["purpose"], ask.body)

    def end_of_shadows(self) -> None:
        """What shadows would have decided stands right behind the ask."""
        if self.shadows_due and self.last_ask is not None:
            self.find("SHADOW", self.last_ask.index)
        self.shadows_due, self.last_ask = [], None

    def _release(self, entry: Entry) -> None:
        body, place = entry.body, entry.body["ask_index"]
        ask = self.waiting.get(place)
        if ask is not None and body["outcome"] == "authorised" and self.policies is not None:
            purpose = self.policies.purpose(ask.purpose)
            is_open = purpose is not None and purpose["state"] == "active" and ask.asker in purpose["asks"]
            if not is_open or self._suspended(ask.purpose, self.policies) is not None:
                self.find("RELEASE_CLOSED", entry.index)
        if ask is None:
            twice, denied = place in self.released, place in self.denied
            self.find("RELEASE_TWICE" if twice else "RELEASE_DENIED" if denied else "RELEASE_UNASKED", entry.index)
            return
        if (ask.exchange, ask.asker, ask.answerer) != (body["exchange"], body["asker"], body["answerer"]):
            self.find("RELEASE_UNASKED", entry.index)
            return
        del self.waiting[place]
        self.released.add(place)
        given_up, answered = body["outcome"] == "unknown", body["status"] == "ANSWERED"
        fits = (
            body["status"] in _STATUSES.get(body["outcome"], ())
            and body["attributes"] == (ask.attributes if answered else [])
            and (body["result"] is None) == given_up
            and body["register"] == (None if given_up else ask.register)
            and not (answered and ask.register is None)
        )
        if not fits:
            self.find("RELEASE_OUTCOME", entry.index)

    def _notice(self, entry: Entry) -> None:
        body, stated = entry.body, entry.body["statement"]
        name, notice = body["purpose"], body["notice"]
        members = {"environment", "made_at", "origin", "purpose", "reason", "type"}
        good = (
            stated.keys() == members
            and (stated["origin"], stated["environment"]) == (self.trust.origin, self.trust.environment)
            and (stated["type"], stated["purpose"]) == ("sluis/v1/policy-suspension", name)
            and hashlib.sha256(write(stated)).hexdigest()[:16] == notice
            and notice not in self.notices[name]
            and re.fullmatch("([0-9a-fA-F]{2})*", body["signature"]) is not None
            and ed25519_signed(bytes.fromhex(body["key"]), bytes.fromhex(body["signature"]), SIGNED + write(stated))
            and self.policies is not None
            and self.policies.may_suspend(self.trust.policy_signers, body["key"], name)
        )
        if not good:
            self.find("NOTICE", entry.index)
        self.notices[name].setdefault(notice, entry.at)

    def end_of_batch(self) -> None:
        """The asks of an exchange stand in one batch: one for every answerer of its statement."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if exchange.permitted:
            self.requests[exchange.counter] += 1
        if exchange.answerers != exchange.statement["answerers"]:
            self.find("ANSWERER_MISSING", None)


# --- 8. The verdict --------------------------------------------------------------------------------------------------


@dataclass
class Expected:
    """A checkpoint that the log must contain, and for a receipt also a leaf at an index."""

    tree: Checkpoint
    index: int | None = None
    leaf: bytes = b""


def read_expected(data: bytes, trust: Trust) -> list[Expected]:
    """A signed note, or receipts in JSON at any depth. Raises Malformed."""
    text = data.decode("utf-8")
    if not text.lstrip().startswith(("{", "[")):
        return [Expected(_of_this_log(read_checkpoint(text, trust.log_keys), trust))]
    found = []
    for receipt in _receipts(json.loads(text)):
        try:
            leaf, index = base64.b64decode(receipt["leaf"], validate=True), str(receipt["index"])
            path = [base64.b64decode(step, validate=True) for step in receipt.get("inclusion", [])]
        except (TypeError, AttributeError, binascii.Error):
            raise Malformed("a receipt that cannot be read") from None
        tree = _of_this_log(read_checkpoint(receipt["checkpoint"], trust.log_keys), trust)
        if not re.fullmatch("[0-9]{1,16}", index) or root_by_path(leaf, int(index), tree.size, path) != tree.root:
            raise Malformed("a receipt whose proof does not lead to its checkpoint")
        found.append(Expected(tree, int(index), leaf))
    if not found:
        raise Malformed("it holds no receipt")
    return found


def _of_this_log(tree: Checkpoint, trust: Trust) -> Checkpoint:
    if tree.origin != trust.origin:
        raise Malformed("it is of another log")
    return tree


def _receipts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and {"leaf", "index", "checkpoint"} <= value.keys():
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _receipts(item)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its code, the entry it is about (None: the bundle), and a few words."""

    code: str
    index: int | None = None
    detail: str = ""


class Verification:
    """One pass over a bundle (docs/formats.md section 7). `findings` is empty when the log verifies."""

    def __init__(self, trust: Trust, expect: bytes | None = None) -> None:
        self.trust = trust
        self.findings: list[Finding] = []
        self.tree = Tree()
        self.story = Story(trust, self.find)
        self.last: str | None = None
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
        self.story.end_of_batch()
        self.story.end_of_shadows()
        if not self._ended:
            self.find("BUNDLE_TRUNCATED")
        if self.tree.size != self.stated:
            self.find("SIZE")
        if self.signed != self.tree.size or not self.tree.size:
            self.find("TAIL_UNSIGNED")
        for item in self._expected:
            if item.tree.size > self.tree.size:
                self.find("EXPECTED_MISSING", None, f"it covers {item.tree.size} entries")
            elif self._roots[item.tree.size] != item.tree.root:
                self.find("EXPECTED_DIFFERS", None, f"at {item.tree.size} entries")
            elif item.index is not None and self._leaves[item.index] != item.leaf:
                self.find("EXPECTED_DIFFERS", item.index)

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
                self._policy_set(value["policy_set"])
            elif kind == "leaf":
                self._leaf(unbase64(value["leaf"]))
            elif kind == "checkpoint":
                self._checkpoint(value["checkpoint"])
            elif kind == "lines sha256":
                self._ended = True
                if (value["lines"], value["sha256"]) != (self.lines - 1, self._sum.hexdigest()):
                    self.find("BUNDLE_DIGEST")
            else:
                self._stop("BUNDLE_LINE")
        except Malformed as error:
            self._stop("BUNDLE_LINE", str(error))
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
        earlier = self._last_at is not None and entry.at < self._last_at
        if earlier or (self._batch_at is not None and entry.at != self._batch_at):
            self.find("TIME_ORDER", index)
        self._batch_at = self._last_at = entry.at
        self.last = f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ}"
        if (entry.kind == "genesis") != (index == 0):
            self.find("GENESIS", index)
        try:
            self.story.tell(entry)
        except Exception as error:  # whatever a hostile entry makes a library raise is a finding
            self.find("LEAF_FORM", index, type(error).__name__)

    def _checkpoint(self, note: object) -> None:
        self.story.end_of_batch()
        self._batch_at = None
        if not isinstance(note, str):
            self._stop("CHECKPOINT_FORM")
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


def bundle_lines(path: Path) -> Iterator[bytes]:
    """A file's lines, each with its newline, none longer than 80 MiB."""
    with path.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            yield line


def main(arguments: Sequence[str] | None = None) -> int:
    """Verifies and prints; returns the exit code."""
    parser = argparse.ArgumentParser(description="Verify an exchange log of Sluis without Sluis.")
    parser.add_argument("bundle", type=Path, help="the file that `sluis audit export` wrote")
    parser.add_argument("--trust", type=Path, required=True, help="the trust file, got by another way")
    parser.add_argument("--expect", type=Path, help="a checkpoint or receipt you hold; the log must contain it")
    options = parser.parse_args(arguments)
    try:
        trust = read_trust(options.trust.read_text("utf-8"))
    except (OSError, ValueError) as error:
        print(f"{options.trust}: cannot be used as a trust file: {error}", file=sys.stderr)
        return 2
    try:
        run = Verification(trust, options.expect.read_bytes() if options.expect else None)
        run.run(bundle_lines(options.bundle))
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"log          {trust.origin}, {run.tree.size} entries")
    print(f"trust        {trust.fingerprint}")
    told = ", ".join(f"{run.story.decisions[name]} {name}" for name in ("same", "differ", "not replayable"))
    print(f"decisions    {told}; {len(run.story.waiting)} asks still open at the end")
    for finding in run.findings[:100]:
        place = "" if finding.index is None else f" entry {finding.index}"
        print(f"  {finding.code}{place}{': ' if finding.detail else ''}{finding.detail}")
    if run.findings:
        worst = min(CODES[finding.code] for finding in run.findings)
        print(f"NOT verified: {len(run.findings)} findings, gravest class {FAULTS[worst]}")
        return worst
    known = "and it holds what you expected" if run.expects else "later unknown: give --expect what a party holds"
    print(f"verified: {run.tree.size} entries of {trust.origin}, complete to {run.last}, {known}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
