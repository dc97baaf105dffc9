"""A world whose log an auditor can verify, and a writer that signs anything: a dishonest broker, for bad bundles.

`World` keeps batches of (kind, body) as an honest broker would log them; a test changes a body, a batch or the bytes
and then calls `bundle()`, which indexes, hashes and signs whatever is there.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import rectified
import searching
from approving import Officers
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from log_kit import ENGINE, ORIGIN, START, Keys, time_text

from broker.audit.findings import Report
from broker.audit.trust import Trust, parse_trust, trust_text
from broker.audit.verify import verify
from broker.canonical import canonical_json, commitment, encode, parse_canonical
from broker.dev_pki import ThrowAwayCa
from broker.exchange import Want
from broker.exchange_log.checkpoint import parse_verifier_key, sign_checkpoint, signature_line
from broker.exchange_log.merkle import CompactRange, leaf_hash
from broker.policy.bundle import build_bundle, load_bundle, sign_bundle
from broker.policy.decision import request_from_log
from broker.policy.document import PolicySet
from broker.policy.evaluate import (
    Facts,
    RegisterFacts,
    day_of,
    decision_to_log,
    evaluate,
    facts_to_log,
    judge_case_number,
)
from broker.policy.suspension import sign_suspension
from broker.policy.vault_orders import erase_order, hold_order, lift_order
from broker.statements import SIGNED_PREFIX

PARTIES = {
    "utrecht": "00000099000000201000",
    "someren": "00000099000000202000",
    "snf": "00000099000000103000",
    "sna": "00000099000000102000",
    "nla": "00000099000000101000",
}
SIGNERS = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"signer %d" % n).digest()) for n in range(3)]
EPOCH = "2026Q4"


@dataclass(frozen=True)
class Member:
    """A party's key and certificate."""

    key: ec.EllipticCurvePrivateKey
    der: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    @property
    def serial(self) -> str:
        return f"{x509.load_der_x509_certificate(self.der).serial_number:x}"

    def sign(self, statement: Mapping[str, Any]) -> str:
        return base64.b64encode(
            self.key.sign(SIGNED_PREFIX + canonical_json(statement), ec.ECDSA(hashes.SHA256()))
        ).decode()


class Authority:
    """A CA and the certificates it gave."""

    def __init__(self, at: datetime = START - timedelta(days=1)) -> None:
        self.ca = ThrowAwayCa(at)
        self.members = {name: self.issue(name) for name in PARTIES}

    def issue(self, name: str, *, signs: bool = True, **dates: datetime) -> Member:
        issued = self.ca.issue(name, PARTIES[name], signs=signs, **dates)
        key = load_pem_private_key(issued.key, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Member(key, x509.load_pem_x509_certificate(issued.certificate).public_bytes(Encoding.DER))

    @property
    def der(self) -> bytes:
        return x509.load_pem_x509_certificate(self.ca.certificate).public_bytes(Encoding.DER)


@cache
def authority() -> Authority:
    return Authority()


OFFICERS = Officers()


@cache
def policy_bundle(
    revision: int = 1, signers: int = 2, note: str = "", approved: bool = True, shadow: bool = False
) -> bytes:
    """The sample policies, signed. `shadow`: with a stricter text of snf-locatie in shadow of it."""
    texts = policy_files()
    if note:
        texts["catalogue.yaml"] += f"\n# {note}\n"
    if shadow:
        text = texts["purposes/snf-locatie.yaml"].replace("state: active", "state: shadow\nshadow_of: snf-locatie")
        text = text.replace("subjects_per_request: 1000", "subjects_per_request: 1")
        texts["purposes/snf-streng.yaml"] = text.replace("purpose: snf-locatie", "purpose: snf-streng")
    return signed_bundle(texts, revision, signers=signers, approved=approved)


def policy_files() -> dict[str, str]:
    """The sample policies: file name to text."""
    folder = Path(__file__).resolve().parents[1] / "policies"
    files = [folder / "catalogue.yaml", *sorted((folder / "purposes").glob("*.yaml"))]
    return {str(file.relative_to(folder)): file.read_text("utf-8") for file in files}


def signed_bundle(
    texts: Mapping[str, str],
    revision: int,
    *,
    signers: int = 2,
    approved: bool = True,
    expires: datetime = START + timedelta(days=365),
) -> bytes:
    """A bundle of these texts, approved by the officers of both sides of every purpose and signed."""
    whole = OFFICERS.add_to(texts)
    data = build_bundle(
        whole, revision=revision, expires=expires, approvals=OFFICERS.approve(whole) if approved else ()
    )
    for key in SIGNERS[:signers]:
        data = sign_bundle(data, key, "asking side")
    return data


@cache
def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


@cache
def policy_set(data: bytes) -> PolicySet:
    return load_bundle(data, signers=[public(key) for key in SIGNERS], quorum=1, now=START, unsafe_skip_approvals=True)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tokens_value(subjects: int, salt: int = 0) -> bytes:
    """A question of one match key: its presence bitmap and pseudonyms (docs/formats.md section 1)."""
    present = int.to_bytes((1 << subjects) - 1, (subjects + 7) // 8, "little")
    return encode(present, b"".join(hashlib.sha256(b"%d %d" % (salt, n)).digest()[:16] for n in range(subjects)))


def result_value(ask: Mapping[str, Any], status: str) -> bytes:
    """What a release of this ask commits to: two hits, or a count of two, where it was answered."""
    answered, counts = status == "ANSWERED", ask["statement"]["want"]["count"]
    found = {
        "hits": 2 if answered and not counts else 0,
        "count": 2 if answered and counts else None,
        "band": None,
        "rows": "ab" * 32 if answered and not counts else None,
    }
    return canonical_json(found)


@dataclass
class World:
    """An honest log in the making. `engine`: the version that decides."""

    engine: str = ENGINE
    keys: Keys = field(default_factory=Keys)
    archive: list[bytes] = field(default_factory=lambda: [policy_bundle()])
    batches: list[list[tuple[str, dict[str, Any]]]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    at: datetime = START
    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    notices: dict[str, datetime] = field(default_factory=dict)
    """Purpose -> when a notice suspended it."""
    registers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    encryption_keys: set[str] = field(default_factory=set)
    changes: dict[int, Keys] = field(default_factory=dict)
    """Index of an entry that changes the log key -> the keys that sign from there on."""
    vault: dict[str, tuple[str, bytes, bytes]] = field(default_factory=dict)
    """Commitment -> label, salt and value: what opens it, as long as it is there."""

    @property
    def policies(self) -> PolicySet:
        return policy_set(self.archive[-1])

    @property
    def size(self) -> int:
        return sum(map(len, self.batches))

    def batch(self, *entries: tuple[str, dict[str, Any]], after: timedelta = timedelta(seconds=1)) -> int:
        """Adds a batch; returns the index of its first entry."""
        index = self.size
        self.at += after
        self.batches.append(list(entries))
        self.times.append(self.at)
        return index

    def begin(self, previous: dict[str, Any] | None = None, *then: tuple[str, dict[str, Any]]) -> World:
        """`previous`: the log before, as the genesis names it; `then` stands behind the genesis."""
        body = {
            "origin": ORIGIN,
            "environment": "test",
            "engine": self.engine,
            "verifier_key": self.keys.signer.verifier_key,
            "previous": previous,
        }
        self.batch(("genesis", body), *then)
        self.batch(("policy", self.policy_entry(self.archive[-1])))
        self.batch(*(("party", self.party_entry(name)) for name in PARTIES))
        return self

    def change_key(self, seed: str = "b") -> int:
        """A new log key signs from here on."""
        old = self.changes[max(self.changes)] if self.changes else self.keys
        new = Keys(seed)
        vkeys = {"previous_key": old.signer.verifier_key, "verifier_key": new.signer.verifier_key}
        index = self.batch(("config", {"what": "log-key", **vkeys}))
        self.changes[index] = new
        return index

    def policy_entry(self, bundle: bytes) -> dict[str, Any]:
        policies = policy_set(bundle)
        assert policies.expires is not None
        return {
            "digest": policies.digest,
            "text_digest": policies.text_digest,
            "revision": policies.revision,
            "expires": time_text(policies.expires),
            "signers": list(policies.signers),
            "engine": self.engine,
        }

    def party_entry(self, name: str, members: Sequence[Member] = (), revoked: Sequence[str] = ()) -> dict[str, Any]:
        return {
            "party": name,
            "oin": PARTIES[name],
            "kind": "public",
            "certificates": [b64(member.der) for member in members or [authority().members[name]]],
            "issuers": [b64(authority().der)],
            "revoked": list(revoked),
            "crl_this_update": time_text(START),
        }

    def signed(self, party: str, statement: dict[str, Any], member: Member | None = None) -> dict[str, Any]:
        member = member or authority().members[party]
        return {"statement": statement, "signature": member.sign(statement), "certificate": member.fingerprint}

    def publish(
        self,
        answerer: str,
        purpose: str,
        scheme: str,
        version: int = 1,
        *,
        stated: Mapping[str, Any] | None = None,
        **rules: object,
    ) -> int:
        """A register version; `stated`: members of its manifest that are to be otherwise."""
        statement = {
            "answerer": answerer,
            "as_of": "2026-11-20T00:00:00Z",
            "attributes": ["beds", "certificate-status"] if purpose == "snf-locatie" else [],
            "coverage": "all certified locations",
            "digest": "ab" * 32,
            "environment": "test",
            "epoch": EPOCH,
            "expires_at": "2026-12-31T23:00:00Z",
            "key_id": "cd" * 16,
            "match_keys": 1,
            "origin": ORIGIN,
            "purpose": purpose,
            "rows": 20000,
            "rules": rules,
            "scheme": scheme,
            "type": "sluis/v1/register",
            "version": version,
            **(stated or {}),
        }
        name = f"{answerer}/{purpose}/{EPOCH}/{scheme}"
        digest = hashlib.sha256(canonical_json(statement)).hexdigest()
        self.registers[name] = ({"name": name, "version": version, "manifest": digest}, dict(rules))
        body = {"action": "published", "party": answerer, "register": name, "version": version}
        return self.batch(("register", {**body, **self.signed(answerer, statement)}))

    def withdraw(self, name: str) -> int:
        reference, _ = self.registers.pop(name)
        body = {
            "action": "withdrawn",
            "party": name.split("/", maxsplit=1)[0],
            "register": name,
            "version": reference["version"],
        }
        return self.batch(("register", body))

    def encryption_key(self, party: str, **stated: str) -> str:
        """Publishes an encryption key; returns the short digest by which epochs name it."""
        key_statement = {
            "created_at": "2026-11-23T09:00:00Z",
            "environment": "test",
            "kem": "MLKEM768-X25519",
            "origin": ORIGIN,
            "party": party,
            "public_key": "ab" * 1216,
            "type": "sluis/v1/encryption-key",
            **stated,
        }
        digest = hashlib.sha256(canonical_json(key_statement)).hexdigest()[:32]
        if digest not in self.encryption_keys:
            self.encryption_keys.add(digest)
            self.batch(("key", {"action": "encryption-key", "party": party, **self.signed(party, key_statement)}))
        return digest

    def epoch(self, steward: str, purpose: str, **stated: Any) -> int:
        """The steward's encryption key, and the epoch's key; `stated`: members of its manifest to be otherwise."""
        key = self.encryption_key(steward)
        statement = {
            "created_at": "2026-11-23T09:00:00Z",
            "environment": "test",
            "epoch": EPOCH,
            "key_id": "cd" * 16,
            "mode": "keyed",
            "origin": ORIGIN,
            "purpose": purpose,
            "recipients": {steward: {"envelope": "34" * 16, "key": key}},
            "steward": steward,
            "type": "sluis/v1/epoch",
            "valid_from": "2026-09-30T22:00:00Z",
            "valid_until": "2026-12-31T23:00:00Z",
            **stated,
        }
        body = {"action": "epoch", "party": steward}
        return self.batch(("key", {**body, **self.signed(steward, statement)}))

    def ask(
        self,
        asker: str,
        answerers: Sequence[str],
        purpose: str,
        want: Want,
        *,
        scheme: str = "bag",
        subjects: int = 10,
        case_number: str | None = None,
        request_id: str | None = None,
        member: Member | None = None,
        after: timedelta = timedelta(seconds=1),
        stated: Mapping[str, Any] | None = None,
        found: Mapping[str, Any] | None = None,
    ) -> int:
        """An exchange's asks in a batch of their own, decided as the policy says; returns the first one's index.

        `stated`: other members of the signed statement; `found`: other facts than an honest broker would have read.
        """
        decided = self.at + after - timedelta(milliseconds=3)
        request_id = request_id or str(uuid.uuid4())
        statement = {
            "answerers": sorted(answerers),
            "asker": asker,
            "case_number": None if case_number is None else self.commit("case-number", case_number.encode()),
            "cooperation_ref": None,
            "environment": "test",
            "epoch": EPOCH,
            "key_id": "cd" * 16,
            "match_keys": 1,
            "not_after": (decided + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "origin": ORIGIN,
            "principal": None,
            "purpose": purpose,
            "request_id": request_id,
            "scheme": scheme,
            "subjects": subjects,
            "tokens": self.commit("tokens", tokens_value(subjects, salt=self.size)),
            "type": "sluis/v1/ask",
            "want": {"attributes": sorted(want.attributes), "count": want.count, "hit": want.hit},
            **(stated or {}),
        }
        signed = self.signed(asker, statement, member)
        day = (asker, purpose, day_of(decided))
        entries: list[tuple[str, dict[str, Any]]] = []
        permitted = False
        for answerer in statement["answerers"]:
            reference, rules = self.registers.get(f"{answerer}/{purpose}/{statement['epoch']}/{scheme}", (None, {}))
            count_key = (asker, answerer, purpose, EPOCH)
            facts = Facts(
                now=decided,
                requests_today=self.requests[day],
                counts_this_epoch=self.counts[count_key] if want.count else 0,
                case_number=judge_case_number(self.policies, asker, case_number),
                cooperation_ref=False,
                register=None if reference is None else RegisterFacts(rules),
                count_distance=2 * subjects if self.counts[count_key] and want.count else None,
                suspended_since=self.notices.get(purpose),
            )
            facts = replace(facts, **(found or {}))
            request = request_from_log({"statement": statement, "answerer": answerer})
            decision = evaluate(self.policies, request, facts, self.engine)
            permitted |= decision.permitted
            if decision.permitted and want.count:
                self.counts[count_key] += 1
            body = {
                "exchange": statement["request_id"],
                "asker": asker,
                "principal": statement["principal"],
                "answerer": answerer,
                "purpose": purpose,
                **signed,
                "decided_at": time_text(decided),
                "facts": facts_to_log(facts, suspensions=self.engine != "sluis-engine/1"),
                "decision": decision_to_log(decision),
                "policy_set": self.policies.digest,
                "engine": self.engine,
                "register": reference,
                "trace_id": None,
                "nonce": "56" * 16,
            }
            entries.append(("ask", copy.deepcopy(body)))
            at = self.size + len(entries) - 1
            for shadow in self.policies.shadows.get(purpose, ()):
                would = evaluate(self.policies, replace(request, purpose=shadow), facts, self.engine)
                beside = {name: body[name] for name in ("exchange", "answerer", "decided_at", "policy_set", "engine")}
                shown = {"party": asker, "purpose": shadow, "shadow_of": purpose, "ask_index": at}
                entries.append(("evaluation", {**beside, **shown, "decision": decision_to_log(would)}))
        self.requests[day] += permitted
        return self.batch(*entries, after=after)

    def suspend(self, purpose: str, key: Ed25519PrivateKey = SIGNERS[0], **stated: str) -> int:
        """A notice that closes a purpose from here on."""
        made = sign_suspension(
            purpose, "a complaint", **{"origin": ORIGIN, "environment": "test", **stated}, made_at=self.at, key=key
        )
        index = self.batch(("notice", made.entry()))
        self.notices.setdefault(purpose, self.at)
        return index

    def release(self, ask_index: int, status: str = "ANSWERED") -> int:
        kind, ask = self.entry(ask_index)
        assert kind == "ask"
        outcomes = {"ANSWERED": "authorised", "FAILED": "failed", "UNKNOWN": "unknown"}
        outcome = outcomes.get(status, "withheld")
        body = {
            "exchange": ask["exchange"],
            "asker": ask["asker"],
            "answerer": ask["answerer"],
            "ask_index": ask_index,
            "outcome": outcome,
            "status": status,
            "register": None if outcome == "unknown" else copy.deepcopy(ask["register"]),
            "attributes": list(ask["statement"]["want"]["attributes"]) if status == "ANSWERED" else [],
            "result": None if outcome == "unknown" else self.commit("result", result_value(ask, status)),
            "nonce": "9a" * 16,
        }
        return self.batch(("release", body))

    def commit(self, label: str, value: bytes) -> str:
        """Puts a value in the vault under a salt of its own."""
        salt = hashlib.sha256(b"salt %d" % len(self.vault)).digest()
        name = commitment(label, salt, value)
        self.vault[name] = (label, salt, value)
        return name

    def erase(self, *names: str, purpose: str | None = "snf-locatie", after: timedelta = timedelta(days=731)) -> int:
        """Retention: what is due goes."""
        body = {"what": "retention", "purpose": purpose, "commitments": sorted(names)}
        for name in names:
            self.vault.pop(name, None)
        return self.batch(("erasure", body), after=after)

    def erase_on_request(
        self, *asks: int, key: str = "utrecht", reason: str = "granted, art. 17", age: timedelta = timedelta()
    ) -> int:
        """An officer's order to erase the exchanges of these asks, carried out `age` after it was made."""
        bodies = [self.body(ask) for ask in asks]
        named = {(body["asker"], body["exchange"]) for body in bodies}
        at = {"origin": ORIGIN, "environment": "test", "made_at": self.at - age}
        salt = hashlib.sha256(b"case %d" % self.size).digest()
        order = erase_order(named, reason, case=(salt, "AVG 12"), **at)(OFFICERS.keys[key])
        gone = self.commitments(*asks)
        self.vault[order.stated["case"]] = ("case-number", salt, b"AVG 12")
        for name in gone:
            del self.vault[name]
        body = {"what": "request", "purpose": bodies[0]["purpose"], "commitments": gone}
        return self.batch(("erasure", {**body, **order.members()}))

    def commitments(self, *asks: int) -> list[str]:
        """Everything that the exchanges of these asks commit to, sorted."""
        found = set()
        for ask in asks:
            statement = self.body(ask)["statement"]
            found |= {statement[name] for name in ("tokens", "case_number", "cooperation_ref")}
            for kind, body in (entry for batch in self.batches for entry in batch):
                if kind == "release" and body["ask_index"] == ask:
                    found.add(body["result"])
        return sorted(found - {None})

    def hold(self, key: Ed25519PrivateKey = SIGNERS[0], **names: Any) -> int:
        """A legal hold on what these name."""
        at = {"origin": ORIGIN, "environment": "test", "made_at": self.at}
        until = names.pop("until", self.at + timedelta(days=1800))
        order = hold_order("an inquiry", until=until, **names, **at)(key)
        return self.batch(("config", {"what": "legal-hold-added", **order.members()}))

    def lift(self, hold: int, key: Ed25519PrivateKey = SIGNERS[0]) -> int:
        """The end of a hold."""
        at = {"origin": ORIGIN, "environment": "test", "made_at": self.at}
        order = lift_order(self.body(hold)["order"], "the inquiry ended", **at)(key)
        return self.batch(("config", {"what": "legal-hold-lifted", **order.members()}))

    def entry(self, index: int) -> tuple[str, dict[str, Any]]:
        return [entry for batch in self.batches for entry in batch][index]

    def body(self, index: int) -> dict[str, Any]:
        return self.entry(index)[1]

    def tokens_of(self, index: int) -> str:
        """The commitment to the tokens of an ask."""
        return str(self.body(index)["statement"]["tokens"])

    def resign(self, index: int, member: Member | None = None) -> None:
        """Signs the statement of an entry again, after a change to it."""
        body = self.body(index)
        party = body.get("asker") or body["party"]
        body.update(self.signed(party, body["statement"], member))

    def lines(self) -> list[bytes]:
        """The bundle's lines but the last, as an exporter writes them; everything is signed as it stands."""
        tree, signers = CompactRange(), [self.keys.signer]
        values: list[dict[str, Any]] = [{"policy_set": parse_canonical(bundle)} for bundle in self.archive]
        for batch, at in zip(self.batches, self.times, strict=True):
            for kind, body in batch:
                value = {"body": body, "index": tree.size, "kind": kind, "sequenced_at": time_text(at), "v": 1}
                leaf = canonical_json(value)
                if tree.size in self.changes:
                    signers.append(self.changes[tree.size].signer)
                tree.append(leaf_hash(leaf))
                values.append({"leaf": b64(leaf)})
            note = sign_checkpoint(signers[0], parse_verifier_key(signers[0].verifier_key), tree.size, tree.root())
            for signer in signers[1:]:
                note += signature_line(signer, parse_verifier_key(signer.verifier_key), note)
            values.append({"checkpoint": note})
            del signers[:-1]
        head = {"bundle": "sluis/v1/log", "origin": ORIGIN, "size": tree.size}
        return [canonical_json(value) + b"\n" for value in [head, *values]]

    def bundle(self) -> list[bytes]:
        """All lines."""
        return sealed(self.lines())

    def verify(self, trust: Trust | None = None, expect: bytes | None = None) -> Report:
        return verify(self.bundle(), trust or self.trust(), expect=expect)

    def codes(self) -> set[str]:
        return set(self.verify().counts)

    def trust_text(self, **changes: Any) -> str:
        values: dict[str, Any] = {
            "origin": ORIGIN,
            "environment": "test",
            "log_keys": [keys.signer.verifier_key for keys in (self.keys, *self.changes.values())],
            "issuers": [authority().ca.certificate.decode()],
            "policy_signers": [public(key) for key in SIGNERS],
            "policy_quorum": 2,
            "engines": [self.engine],
        }
        return trust_text(**{**values, **changes})

    def trust(self, **changes: Any) -> Trust:
        return parse_trust(self.trust_text(**changes))


def sealed(lines: Sequence[bytes]) -> list[bytes]:
    """`lines` with a last line that sums them up."""
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    return [*lines, canonical_json({"lines": len(lines), "sha256": digest}) + b"\n"]


ASK, RELEASE, DENIED, ASK_2, RELEASE_2, COUNT_2, TWO = 16, 17, 18, 19, 20, 23, 25
EPOCH_KEY, REGISTER = 8, 13
"""Entries of the played world; `COUNT_2` is a second count, `TWO` the first of two asks of one exchange."""


@cache
def _played() -> World:
    world = World().begin()
    world.epoch("snf", "snf-locatie")  # 7, 8
    world.epoch("sna", "sna-overzicht")  # 9, 10
    world.epoch("nla", "verhuurvergunning")  # 11, 12
    world.publish("snf", "snf-locatie", "bag")
    world.publish("sna", "sna-overzicht", "kvk")
    world.publish("utrecht", "verhuurvergunning", "bag")
    hit = Want(hit=True, count=False, attributes=("beds", "certificate-status"))
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", hit))  # 16, 17
    world.ask("utrecht", ["snf"], "snf-locatie", Want(True, False, ("enterprise-name",)))  # 18, denied
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", hit))  # 19, 20
    count = Want(hit=False, count=True)
    for _ in range(2):  # 21 to 24
        world.release(world.ask("nla", ["sna"], "sna-overzicht", count, scheme="kvk"))
    two = world.ask(  # 25, 26
        "nla", ["someren", "utrecht"], "verhuurvergunning", Want(True, False), case_number="NLA-2026-12345"
    )
    world.release(two, "NO_REGISTER")
    world.release(two + 1)
    world.batch(("refusal", {"party": "nla", "rpc": "Ask", "code": "FIELD_INVALID", "request_id": None}))
    world.batch(("access", {"party": "privacy-auditor", "what": "entries", "exchange": None}))
    dry = {"party": "nla", "purpose": "snf-locatie", "answerers": ["snf"], "decided_at": time_text(world.at)}
    world.batch(("evaluation", {**dry, "effects": ["deny"]}))
    world.publish("snf", "snf-locatie", "bag", version=2)
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", hit, after=timedelta(days=1)))  # another day
    world.withdraw(f"snf/snf-locatie/{EPOCH}/bag")
    erased = world.ask("utrecht", ["snf"], "snf-locatie", hit)
    world.release(erased, "NO_REGISTER")
    world.release(world.ask("utrecht", ["snf"], "snf-locatie", hit), "UNKNOWN")
    world.erase_on_request(erased)
    officer = OFFICERS.keys["snf"]
    world.lift(world.hold(officer, purpose="snf-locatie", party="utrecht"), officer)
    world.ask("utrecht", ["snf"], "snf-locatie", hit)  # open at the end
    # an exchange of their own: bad bundles that bend the others leave these alone
    world.publish("someren", "verhuurvergunning", "bag")
    given = world.ask("nla", ["someren"], "verhuurvergunning", Want(True, False), case_number="NLA-2026-12346")
    world.release(given)
    rectified.lived_through(world, given)
    searching.search(world, "utrecht", "snf-locatie", unsearched=1)
    world.batch(("recovery", {"what": "log-writable", "detail": "again"}))
    return world


def played() -> World:
    """A log with everything in it, to change at will."""
    return copy.deepcopy(_played())
