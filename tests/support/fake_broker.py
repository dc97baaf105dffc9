"""A small honest broker at the client's port: a real Merkle log with signed checkpoints, and a join in dictionaries.

It checks little of what it is told; what it tells is right, unless a test bends it (`bend`). Shares no code with the
broker. `World` makes certificates, a signed policy set and profiles around it.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from key_services import FakeKeyService
from sluis_client.approvals import Approval, purpose_digest
from sluis_client.canonical import canonical_json, commitment, encode, parse_canonical, tokens_value
from sluis_client.errors import ClientError, Exit
from sluis_client.keystore import Keystore
from sluis_client.participant import Participant
from sluis_client.profile import Profile, load_profile
from sluis_client.receipts import RegisterDigest
from sluis_client.statements import SignedStatement, parse_utc
from sluis_client.transport import (
    STATUS_NAMES,
    Answer,
    AnswererState,
    AnswerRun,
    Budget,
    Check,
    Decision,
    DryRun,
    Exchange,
    LogEntry,
    Opening,
    Progress,
    PublishedEpoch,
    PublishedKey,
    Purpose,
    Question,
    Receipt,
    RegisterFacts,
    silent,
)
from sluis_client.upload import NewUpload, Register, RegisterRun, Upload

ORIGIN = "sluis.example/fake"
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
OINS = {"snf": "00000099000000103000", "utrecht": "00000099000000201000", "someren": "00000099000000202000"}
CODES = {"valid": {"nl": "geldig", "en": "valid"}, "expired": {"nl": "verlopen", "en": "expired"}}
PURPOSE: dict[str, Any] = {
    "state": "active",
    "about": "location",
    "identified_by": ["bag", "vestiging", "name-birthdate", "name-birthdate-2"],
    "weakest_match_key": None,
    "asks": ["someren", "utrecht"],
    "answers": ["snf"],
    "on_behalf_of": [],
    "may_learn": {"hit": True, "count": {"min_group": 5}, "attributes": {"certificate-status": "x", "beds": "x"}},
    "pseudonyms": {"mode": "keyed", "epoch": "quarter", "steward": "snf"},
    "look_back": None,
    "valid_on": None,
    "exclude_natural_persons": False,
    "hit_only_if_natural_person": False,
    "case_number": None,
    "cooperation_ref": None,
    "answer_keep_days": 92,
    "vault_keep_days": 400,
    "limits": {"subjects_per_request": 1000, "requests_per_day": 50},
    "legal_basis": "covenant",
    "dpia": None,
}


def key_services() -> dict[str, FakeKeyService]:
    """The two key services of purpose `persons`, as they start."""
    return {name: FakeKeyService(name, "2026-11") for name in ("oost", "sluis")}


MEANING: dict[str, Any] = {
    "catalogue": {
        "key_services": {
            "oost": {"title": {"nl": "Oost", "en": "East"}, "operator": "someren"},
            "sluis": {"title": {"nl": "Sluis", "en": "Sluis"}, "operator": "broker"},
        },
        "parties": {name: {"oin": oin, "sub_oins": []} for name, oin in OINS.items()},
        "identifiers": {
            "bag": {"rows_per_pseudonym": 1, "match_keys": 1},
            "vestiging": {"rows_per_pseudonym": 2, "match_keys": 1},
            "name-birthdate": {"rows_per_pseudonym": 1, "match_keys": 2},
            "name-birthdate-2": {"rows_per_pseudonym": 1, "match_keys": 8},
        },
        "attributes": {
            "beds": {"width": 6, "type": "integer", "codes": {}, "holders": ["snf"]},
            "certificate-status": {"width": 16, "type": "code", "codes": CODES, "holders": ["snf"]},
        },
        "groups": {},
        "subject_types": {"location": {}},
        "legal_bases": {"covenant": {}},
        "guardrails": {},
    },
    "purposes": {
        "snf-locatie": PURPOSE,
        "ruled": {**PURPOSE, "look_back": {"years": 2, "counted_from": "as-of"}, "exclude_natural_persons": True},
        "persons": {
            **PURPOSE,
            "pseudonyms": {
                "mode": "oblivious",
                "epoch": "month",
                "steward": "snf",
                "key_services": ["oost", "sluis"],
                "public_keys": {"2026-11": {name: one.public_key.hex() for name, one in key_services().items()}},
            },
        },
    },
}


def refused(code: str, text: str = "no", exit_code: Exit = Exit.BROKER_REFUSED) -> ClientError:
    """What the transport raises for a broker's refusal."""
    return ClientError(code, text, exit_code)


def unreachable() -> ClientError:
    """What the transport raises when there is no telling."""
    return refused("BROKER_UNREACHABLE", "cut off", Exit.BROKER_UNREACHABLE)


class Log:
    """An RFC 6962 tree by its definition, and C2SP checkpoints."""

    def __init__(self, key: Ed25519PrivateKey | None = None) -> None:
        self.key = key or Ed25519PrivateKey.generate()
        self.leaves: list[bytes] = []
        raw = b"\x01" + self.key.public_key().public_bytes_raw()
        self._hash = hashlib.sha256(ORIGIN.encode() + b"\n" + raw).digest()[:4]
        self.vkey = f"{ORIGIN}+{self._hash.hex()}+{base64.b64encode(raw).decode()}"

    def change_key(self, key: Ed25519PrivateKey | None = None) -> None:
        """Another key signs from here on. (A broker would log it; clients are told by people.)"""
        changed = Log(key)
        self.key, self.vkey, self._hash = changed.key, changed.vkey, changed._hash

    def append(self, kind: str, body: dict[str, Any]) -> int:
        index = len(self.leaves)
        entry = {"body": body, "index": index, "kind": kind, "sequenced_at": "2026-11-23T10:00:00.000001Z", "v": 1}
        self.leaves.append(canonical_json(entry))
        return index

    def checkpoint(self, size: int | None = None) -> str:
        size = len(self.leaves) if size is None else size
        text = f"{ORIGIN}\n{size}\n{base64.b64encode(_root(self.leaves[:size])).decode()}\n"
        signature = base64.b64encode(self._hash + self.key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {ORIGIN} {signature}\n"

    def receipt(self, index: int) -> Receipt:
        return Receipt(self.leaves[index], index, tuple(_path(index, self.leaves)), self.checkpoint())

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return tuple(_consistency(old, self.leaves[:new], whole=True))


def _root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    cut = _split(len(leaves))
    return hashlib.sha256(b"\1" + _root(leaves[:cut]) + _root(leaves[cut:])).digest()


def _split(size: int) -> int:
    cut = 1
    while cut * 2 < size:
        cut *= 2
    return cut


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    cut = _split(len(leaves))
    if index < cut:
        return [*_path(index, leaves[:cut]), _root(leaves[cut:])]
    return [*_path(index - cut, leaves[cut:]), _root(leaves[:cut])]


def _consistency(old: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [_root(leaves)]
    cut = _split(len(leaves))
    if old <= cut:
        return [*_consistency(old, leaves[:cut], whole=whole), _root(leaves[cut:])]
    return [*_consistency(old - cut, leaves[cut:], whole=False), _root(leaves[:cut])]


@dataclass
class Stored:
    """An upload, and the register it became."""

    name: str
    begun: NewUpload
    version: int
    party: str
    runs: list[RegisterRun] = field(default_factory=list)
    manifest: SignedStatement | None = None
    entry: int = -1

    @property
    def rows(self) -> int:
        return sum(run.rows for run in self.runs)


class Broker:
    """What all parties share."""

    def __init__(self) -> None:
        self.log = Log()
        self.log.append("genesis", {"origin": ORIGIN})
        self.now = NOW
        self.officers = {party: Ed25519PrivateKey.generate() for party in OINS}
        self.meaning = copy.deepcopy(MEANING)
        self.meaning["officers"] = {
            f"{party}-officer": {"signs_for": [party], "key": key.public_key().public_bytes_raw().hex()}
            for party, key in self.officers.items()
        }
        self.signers = [Ed25519PrivateKey.generate() for _ in range(2)]
        self.revision = 3
        self.certificates: dict[str, bytes] = {}
        self.keys: dict[str, SignedStatement] = {}
        self.epochs: dict[str, tuple[SignedStatement, bytes, dict[str, bytes]]] = {}
        self.uploads: dict[str, Stored] = {}
        self.registers: dict[str, Stored] = {}
        self.answers: dict[str, tuple[bytes, tuple[Answer, ...]]] = {}
        self.cosign: Callable[[], str] = str
        """The newest cosigned checkpoint; "" as long as there are no witnesses."""
        self.debits = 0
        self.deny: dict[str, Check] = {}
        self.deny_standing: Check | None = None
        """Not met by questions that say they stand, and by no others."""
        self.status: dict[str, int] = {}
        self.suspended: set[str] = set()
        """Purposes that a notice has closed: the signed text stays as it is."""

    def bundle(self) -> bytes:
        texts = {"catalogue.yaml": "x\n"}
        head = {
            "digest": _digest(self.meaning),
            "expires": (self.now + timedelta(days=200)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "revision": self.revision,
            "text_digest": _digest(texts),
            "type": "sluis/v1/policy-set",
        }
        message = b"sluis/v1/signed\n" + canonical_json(head)
        signatures = [
            {"key": key.public_key().public_bytes_raw().hex(), "role": "x", "signature": key.sign(message).hex()}
            for key in self.signers
        ]
        whole = {"manifest": head, "meaning": self.meaning, "signatures": signatures, "texts": texts}
        return canonical_json({**whole, "approvals": self.approvals()})

    def approvals(self) -> list[dict[str, str]]:
        """Of each active purpose, by the officers of its first asker and of its first answerer."""
        made = []
        for name, purpose in self.meaning["purposes"].items():
            if purpose["state"] != "active":
                continue
            for party in (purpose["asks"][0], purpose["answers"][0]):
                unsigned = Approval(name, f"{party}-officer", purpose_digest(self.meaning, name), "2026-11-01", "")
                made.append(replace(unsigned, signature=self.officers[party].sign(unsigned.signed_bytes).hex()))
        return [vars(approval) for approval in sorted(made)]


class FakeTransport:
    """One party's way to the fake broker; implements `sluis_client.transport.Transport`.

    `bend[method]` changes what a method returns; `fail[method]` holds errors raised before the call, in turn, and
    `lose[method]` errors raised after it was done.
    """

    def __init__(self, broker: Broker, party: str) -> None:
        self.broker = broker
        self.party = party
        self.bend: dict[str, Callable[[Any], Any]] = {}
        self.fail: dict[str, list[ClientError]] = {}
        self.lose: dict[str, list[ClientError]] = {}
        self.calls: list[str] = []
        self.cut_after: list[int] = []
        """For `upload_rows`: after so many runs the stream breaks, in turn."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append("close")

    def _do(self, name: str, result: Callable[[], Any]) -> Any:
        self.calls.append(name)
        if self.fail.get(name):
            raise self.fail[name].pop(0)
        value = result()
        if self.lose.get(name):
            raise self.lose[name].pop(0)
        return self.bend[name](value) if name in self.bend else value

    def match(self, question: Question, progress: Progress = silent) -> tuple[Answer, ...]:
        return self._do("match", lambda: self._match(question))

    def _match(self, question: Question) -> tuple[Answer, ...]:
        statement = parse_canonical(question.signed.statement)
        request_id = statement["request_id"]
        assert statement["tokens"] == commitment("tokens", question.tokens_salt, tokens_value(question.columns))
        for label, opening in (("case-number", question.case_number), ("cooperation-ref", question.cooperation_ref)):
            said = statement[label.replace("-", "_")]
            assert said == (commitment(label, opening.salt, opening.value) if opening else None)
        if request_id in self.broker.answers:
            raw, answers = self.broker.answers[request_id]
            if raw != question.signed.statement:
                raise refused("REQUEST_ID_REUSED")
            self.broker.log.append("access", {"party": self.party})
            return answers
        if parse_utc(statement["not_after"]) < self.broker.now:
            raise refused("STATEMENT_EXPIRED")
        self.broker.debits += 1
        answers = tuple(self._answer(question, statement, answerer) for answerer in statement["answerers"])
        self.broker.answers[request_id] = (question.signed.statement, answers)
        return answers

    def _answer(self, question: Question, statement: dict[str, Any], answerer: str) -> Answer:
        broker, log = self.broker, self.broker.log
        name = f"{answerer}/{statement['purpose']}/{statement['epoch']}/{statement['scheme']}"
        register = broker.registers.get(name)
        decision = self._decision(answerer, statement)
        body = {
            "exchange": statement["request_id"],
            "asker": statement["asker"],
            "principal": statement["principal"],
            "answerer": answerer,
            "purpose": statement["purpose"],
            "statement": statement,
            "signature": base64.b64encode(question.signed.signature).decode(),
            "certificate": hashlib.sha256(broker.certificates[self.party]).hexdigest(),
            "decided_at": broker.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "decision": {
                "effect": "permit" if decision.permitted else "deny",
                "checks": [{"id": c.id, "met": c.met, "reason": c.reason, "path": "x"} for c in decision.checks],
                "obligations": list(decision.obligations),
            },
            "policy_set": decision.policy_set,
            "register": _named(register),
        }
        asked = log.append("ask", body)
        if not decision.permitted:
            return _head(answerer, 2, statement, decision, log.receipt(asked))
        status = broker.status.get(answerer, 1 if register else 3)
        want = statement["want"]
        runs: tuple[AnswerRun, ...] = ()
        hits, count = 0, None
        if status == 1 and register is not None:
            runs, hits = _join(question, register, want["attributes"])
            if want["count"]:
                runs, count, hits = (), hits, 0
        rows = None
        if status == 1 and not want["count"]:
            digest = hashlib.sha256()
            for run in runs:
                parts = (run.positions, run.statuses, run.match_keys, run.wraps, run.commitments, *run.fields)
                digest.update(encode(*parts))
            rows = digest.hexdigest()
        value = canonical_json({"hits": hits, "count": count, "band": None, "rows": rows})
        salt = uuid.uuid4().bytes * 2
        attributes = want["attributes"] if status == 1 else []
        release = {
            "exchange": statement["request_id"],
            "asker": statement["asker"],
            "answerer": answerer,
            "ask_index": asked,
            "outcome": {1: "authorised", 7: "failed", 8: "unknown"}.get(status, "withheld"),
            "status": STATUS_NAMES[status],
            "register": _named(register),
            "attributes": attributes,
            "result": None if status == 8 else commitment("result", salt, value),
        }
        ask_receipt = log.receipt(asked)
        released = log.append("release", release)
        return replace(
            _head(answerer, status, statement, decision, ask_receipt),
            register=_facts(register) if register and status in (1, 4, 6) else None,
            hits=hits,
            count=count,
            attributes=tuple(attributes),
            runs=runs,
            release=log.receipt(released),
            result=None if status == 8 else Opening(salt, value),
        )

    def _decision(self, answerer: str, statement: Mapping[str, Any] | None = None) -> Decision:
        checks = [Check("purpose-active", True, "it is", "purposes/snf-locatie.yaml:1")]
        if answerer in self.broker.deny:
            checks.append(self.broker.deny[answerer])
        if statement is not None and "standing" in statement and self.broker.deny_standing is not None:
            checks.append(self.broker.deny_standing)
        permitted = all(check.met for check in checks)
        return Decision(
            permitted, tuple(checks), _digest(self.broker.meaning), ("answer_keep_days: 92",) if permitted else ()
        )

    def dry_run(self, question: DryRun) -> tuple[tuple[str, Decision], ...]:
        return self._do("dry_run", lambda: tuple((name, self._decision(name)) for name in question.answerers))

    def purposes(self) -> tuple[Purpose, ...]:
        return self._do("purposes", lambda: tuple(map(self._purpose, sorted(self.broker.meaning["purposes"]))))

    def purpose(self, name: str) -> Purpose:
        return self._do("purpose", lambda: self._purpose(name))

    def _purpose(self, name: str) -> Purpose:
        known = self.broker.meaning["purposes"][name]
        return Purpose(
            name=name,
            title_nl="vraag?",
            title_en="question?",
            state="suspended" if name in self.broker.suspended else known["state"],
            asks=tuple(known["asks"]),
            answers=tuple(known["answers"]),
            about=known["about"],
            schemes=tuple(known["identified_by"]),
            hit=True,
            count=True,
            attributes=(("beds", 6, "integer", "bedden", "beds"),),
            mode="keyed",
            epoch="2026Q4",
            steward="snf",
            subjects_per_request=1000,
            requests_per_day=50,
            case_number_required=False,
            cooperation_ref_required=False,
            answer_keep_days=92,
        )

    def policy_bundle(self) -> bytes:
        return self._do("policy_bundle", self.broker.bundle)

    def budget(self, purpose: str) -> Budget:
        return self._do("budget", lambda: Budget(50, 50 - self.broker.debits, NOW + timedelta(hours=13)))

    def exchange(self, exchange: str) -> Exchange:
        def found() -> Exchange:
            if exchange not in self.broker.answers:
                raise refused("NOT_FOUND")
            return self._exchange(exchange)

        return self._do("exchange", found)

    def _exchange(self, exchange: str) -> Exchange:
        raw, answers = self.broker.answers[exchange]
        states = [
            AnswererState(a.answerer, STATUS_NAMES[a.status], a.ask.index, a.release.index if a.release else None)
            for a in answers
            if a.ask
        ]
        return Exchange(exchange, parse_canonical(raw)["purpose"], NOW, tuple(states))

    def exchanges(self, purpose: str = "", limit: int = 100) -> tuple[Exchange, ...]:
        return self._do("exchanges", lambda: tuple(map(self._exchange, self.broker.answers))[:limit])

    def begin(self, upload: NewUpload) -> Upload:
        return self._do("begin", lambda: self._begin(upload))

    def _begin(self, upload: NewUpload) -> Upload:
        key = f"{self.party}.{upload.request_id}"
        if key not in self.broker.uploads:
            name = f"{self.party}/{upload.purpose}/{upload.epoch}/{upload.scheme}"
            version = 1 + sum(stored.name == name for stored in self.broker.uploads.values())
            self.broker.uploads[key] = Stored(name, upload, version, self.party)
        return self._upload(key)

    def _upload(self, key: str) -> Upload:
        if key not in self.broker.uploads:
            raise refused("NOT_FOUND")
        stored = self.broker.uploads[key]
        return Upload(key, stored.name, stored.version, stored.rows, stored.manifest is not None)

    def upload_rows(self, upload: str, runs: Iterable[RegisterRun]) -> int:
        self.calls.append("upload_rows")
        stored = self.broker.uploads[upload]
        left = self.cut_after.pop(0) if self.cut_after else -1
        for run in runs:
            if left == 0:
                raise unreachable()
            left -= 1
            if run.offset != stored.rows:
                raise refused("OFFSET_WRONG")
            stored.runs.append(run)
        return stored.rows

    def upload(self, upload: str) -> Upload:
        return self._do("upload", lambda: self._upload(upload))

    def seal(self, upload: str, manifest: SignedStatement) -> tuple[Register, Receipt]:
        return self._do("seal", lambda: self._seal(upload, manifest))

    def _seal(self, upload: str, manifest: SignedStatement) -> tuple[Register, Receipt]:
        stored = self.broker.uploads[upload]
        members = parse_canonical(manifest.statement)
        if stored.manifest is None:
            digest = RegisterDigest(stored.begun.match_keys, len(stored.begun.attributes))
            for run in stored.runs:
                digest.feed(run.columns, run.wraps, run.commitments, run.fields)
            if (members["rows"], members["digest"]) != (stored.rows, digest.hexdigest()):
                raise refused("DIGEST_WRONG")
            body = {
                "action": "published",
                "party": self.party,
                "register": stored.name,
                "version": stored.version,
                "statement": members,
                "signature": base64.b64encode(manifest.signature).decode(),
            }
            stored.manifest, stored.entry = manifest, self.broker.log.append("register", body)
            self.broker.registers[stored.name] = stored
        elif stored.manifest.statement != manifest.statement:
            raise refused("UPLOAD_SEALED")
        return self._register(stored), self.broker.log.receipt(stored.entry)

    def _register(self, stored: Stored) -> Register:
        assert stored.manifest is not None
        members = parse_canonical(stored.manifest.statement)
        expires = parse_utc(members["expires_at"])
        return Register(stored.name, stored.version, "PUBLISHED", stored.rows, NOW, expires, stored.manifest)

    def withdraw(self, request_id: str, register: str) -> Receipt:
        def done() -> Receipt:
            stored = self.broker.registers.pop(register)
            body = {"action": "withdrawn", "party": self.party, "register": register, "version": stored.version}
            return self.broker.log.receipt(self.broker.log.append("register", body))

        return self._do("withdraw", done)

    def registers(self) -> tuple[Register, ...]:
        return self._do("registers", lambda: tuple(map(self._register, self.broker.registers.values())))

    def publish_encryption_key(self, key: SignedStatement) -> Receipt:
        def done() -> Receipt:
            self.broker.keys[self.party] = key
            body = {
                "action": "encryption-key",
                "party": self.party,
                "statement": parse_canonical(key.statement),
                "signature": base64.b64encode(key.signature).decode(),
            }
            return self.broker.log.receipt(self.broker.log.append("key", body))

        return self._do("publish_encryption_key", done)

    def encryption_keys(self, parties: Sequence[str]) -> tuple[PublishedKey, ...]:
        broker = self.broker
        return self._do(
            "encryption_keys",
            lambda: tuple(
                PublishedKey(party, broker.keys[party], broker.certificates[party])
                for party in parties
                if party in broker.keys
            ),
        )

    def publish_epoch(self, manifest: SignedStatement, envelopes: Sequence[tuple[str, bytes]]) -> Receipt:
        def done() -> Receipt:
            members = parse_canonical(manifest.statement)
            name = f"{members['purpose']}/{members['epoch']}"
            known = self.broker.epochs.get(name)
            if known is not None and parse_canonical(known[0].statement)["key_id"] != members["key_id"]:
                raise refused("EPOCH_EXISTS")
            self.broker.epochs[name] = (manifest, self.broker.certificates[self.party], dict(envelopes))
            signature = base64.b64encode(manifest.signature).decode()
            body = {"action": "epoch", "party": self.party, "statement": members, "signature": signature}
            return self.broker.log.receipt(self.broker.log.append("key", body))

        return self._do("publish_epoch", done)

    def epoch(self, purpose: str, epoch: str) -> PublishedEpoch:
        def found() -> PublishedEpoch:
            if f"{purpose}/{epoch}" not in self.broker.epochs:
                raise refused("EPOCH_UNKNOWN", "no key yet", Exit.KEY_TROUBLE)
            manifest, certificate, envelopes = self.broker.epochs[f"{purpose}/{epoch}"]
            under = f"/{purpose}/{epoch}/"
            registers = {name: kept.version for name, kept in self.broker.registers.items() if under in name}
            return PublishedEpoch(manifest, certificate, envelopes.get(self.party, b""), epoch, registers)

        return self._do("epoch", found)

    def checkpoint(self) -> str:
        return self._do("checkpoint", self.broker.log.checkpoint)

    def cosigned(self) -> str:
        return self._do("cosigned", self.broker.cosign)

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        def found() -> tuple[bytes, ...]:
            if new_size > len(self.broker.log.leaves):
                raise refused("FIELD_INVALID")
            return self.broker.log.consistency(old_size, new_size)

        return self._do("consistency", found)

    def explain_unusual_use(self, signed: SignedStatement) -> Receipt:
        def done() -> Receipt:
            members = parse_canonical(signed.statement)
            signature = base64.b64encode(signed.signature).decode()
            body = {"what": "unusual-use", "notice": members["item"], "purpose": members["purpose"]}
            body |= {"party": self.party, "statement": members, "signature": signature}
            return self.broker.log.receipt(self.broker.log.append("notice", body))

        return self._do("explain_unusual_use", done)

    def receipts(self, from_index: int, exchange: str = "") -> tuple[tuple[Receipt, ...], int]:
        def found() -> tuple[tuple[Receipt, ...], int]:
            receipts = []
            for index, leaf in enumerate(self.broker.log.leaves):
                entry = parse_canonical(leaf)
                mine = self.party in (entry["body"].get("asker"), entry["body"].get("answerer"))
                wanted = exchange in ("", entry["body"].get("exchange"))
                if index >= from_index and entry["kind"] in ("ask", "release") and mine and wanted:
                    receipts.append(self.broker.log.receipt(index))
            page = receipts[:2]
            return tuple(page), page[-1].index + 1 if page else len(self.broker.log.leaves)

        return self._do("receipts", found)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        def found() -> tuple[bytes, ...]:
            if not index < size <= len(self.broker.log.leaves):
                raise refused("FIELD_INVALID")
            return tuple(_path(index, self.broker.log.leaves[:size]))

        return self._do("inclusion", found)

    def entries(self, from_index: int) -> tuple[tuple[LogEntry, ...], int]:
        def found() -> tuple[tuple[LogEntry, ...], int]:
            leaves = self.broker.log.leaves
            mine = [LogEntry(index, leaf) for index, leaf in enumerate(leaves) if self._concerns(leaf)]
            page = [entry for entry in mine if entry.index >= from_index][:3]
            return tuple(page), page[-1].index + 1 if page else len(leaves)

        return self._do("entries", found)

    def _concerns(self, leaf: bytes) -> bool:
        body = parse_canonical(leaf)["body"]
        return self.party in [body.get(name) for name in ("asker", "principal", "answerer", "party")]


def _head(answerer: str, status: int, statement: dict[str, Any], decision: Decision, receipt: Receipt) -> Answer:
    return Answer(answerer, status, statement["request_id"], decision, None, 0, None, "", (), ask=receipt)


def _facts(stored: Stored) -> RegisterFacts:
    assert stored.manifest is not None
    members = parse_canonical(stored.manifest.statement)
    return RegisterFacts(
        stored.name,
        stored.version,
        parse_utc(members["as_of"]),
        members["coverage"],
        parse_utc(members["expires_at"]),
        stored.manifest,
    )


def _named(stored: Stored | None) -> dict[str, Any] | None:
    if stored is None or stored.manifest is None:
        return None
    digest = hashlib.sha256(stored.manifest.statement).hexdigest()
    return {"name": stored.name, "version": stored.version, "manifest": digest}


def _join(question: Question, stored: Stored, attributes: Sequence[str]) -> tuple[tuple[AnswerRun, ...], int]:
    """Hits by the strictest match key that finds something."""
    places: list[dict[bytes, list[tuple[RegisterRun, int]]]] = [{} for _ in question.columns]
    for run in stored.runs:
        for number, column in enumerate(run.columns[: len(places)]):
            for row in range(run.rows):
                if column.presence[row // 8] >> (row % 8) & 1:
                    token = column.pseudonyms[row * 16 : row * 16 + 16]
                    places[number].setdefault(token, []).append((run, row))
    found: list[tuple[int, int, RegisterRun, int]] = []
    for position in range(question.columns[0].rows):
        for number, column in enumerate(question.columns):
            token = column.pseudonyms[position * 16 : position * 16 + 16]
            if column.presence[position // 8] >> (position % 8) & 1 and token in places[number]:
                rows = places[number][token]
                found += [(position, number, run, row) for run, row in (rows if attributes else rows[:1])]
                break
    runs = []
    for start in range(0, len(found), 3):
        part = found[start : start + 3]
        sealed = {
            name: b"".join(_cut(run.fields[place], run.rows, row) for _, _, run, row in part)
            for name in attributes
            for place in [stored.begun.attributes.index(name)]
        }
        runs.append(
            AnswerRun(
                b"".join(position.to_bytes(4, "little") for position, _, _, _ in part),
                bytes([1] * len(part)),
                bytes([number + 1 for _, number, _, _ in part]),
                b"".join(_cut(run.wraps[n], run.rows, row) for _, n, run, row in part) if attributes else b"",
                b"".join(_cut(run.commitments, run.rows, row) for _, _, run, row in part) if attributes else b"",
                tuple(sealed.values()),
            )
        )
    return tuple(runs), len({position for position, _, _, _ in found})


def _cut(data: bytes, rows: int, row: int) -> bytes:
    width = len(data) // rows
    return data[row * width : (row + 1) * width]


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


class World:
    """A fake broker with parties, each with its certificate and profile on disk."""

    def __init__(self, directory: Path) -> None:
        self.key_services = key_services()
        self.directory = directory
        self.broker = Broker()
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        ca = self._builder(self._ca_name, self._ca_key.public_key())
        ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        (directory / "ca.pem").write_bytes(ca.sign(self._ca_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        for party, oin in OINS.items():
            self.issue(party, oin)

    def issue(self, party: str, oin: str) -> None:
        """A certificate, a key and a profile for a party."""
        home = self.directory / party
        home.mkdir(exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, party), x509.NameAttribute(NameOID.SERIAL_NUMBER, oin)]
        )
        leaf = self._builder(name, key.public_key()).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        certificate = leaf.sign(self._ca_key, hashes.SHA256())
        self.broker.certificates[party] = certificate.public_bytes(Encoding.DER)
        (home / "own.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = home / "own.key"
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        document = {
            "party": party,
            "broker": "127.0.0.1:1",
            "broker_issuers": "../ca.pem",
            "certificate": "own.pem",
            "private_key": "own.key",
            "origin": ORIGIN,
            "environment": "test",
            "log_keys": [self.broker.log.vkey],
            "policy_signers": [key.public_key().public_bytes_raw().hex() for key in self.broker.signers],
            "policy_quorum": 2,
            "party_issuers": "../ca.pem",
            "state": "state",
        }
        (home / "sluis-client.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    def profile(self, party: str) -> Profile:
        """A party's profile as read from disk."""
        return load_profile(self.directory / party / "sluis-client.yaml")

    def participant(self, party: str) -> Participant:
        """A party at work, as a fresh process would be: same state directory, new connection."""
        profile = self.profile(party)
        transport = FakeTransport(self.broker, party)
        return Participant(
            profile,
            Keystore(profile.state),
            transport,
            clock=lambda: self.broker.now,
            key_services=lambda service: self.key_services[service.name],
        )

    def _builder(self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
        )


def transport_of(me: Participant) -> FakeTransport:
    """The fake behind a participant."""
    assert isinstance(me.transport, FakeTransport)
    return me.transport
