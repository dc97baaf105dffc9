"""A world in the middle of its work, and what a refused call must leave as it was.

The stage has an epoch, a published register, an answered exchange and two open uploads, so that every request of the
wire contract has a good form from which a test bends one thing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
import structlog
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from participant import Ask, Participant
from rectifying import Rectifier
from sluis.v1 import audit_pb2, common_pb2, exchange_pb2, keys_pb2, notices_pb2, pseudonym_pb2, register_pb2
from sluis_client.canonical import canonical_json
from sluis_client.certificates import sign
from sluis_client.statements import SIGNED_PREFIX, register_manifest
from world import ORIGIN, World

CANARY = "999993653"
"""A published test number that passes the BSN test (domain.md section 5)."""
PURPOSE = "nla-verzoek-onderneming"
ATTRIBUTES = ["registered-employees"]
KVK = [f"6875{number:04d}" for number in range(40)]
TIMEOUT = 20.0
_LOG_TABLES = frozenset({"leaves", "concerns", "nodes", "checkpoints", "head"})

METHODS: dict[str, MethodDescriptor] = {
    f"{service.name}/{method.name}": method
    for module in (audit_pb2, exchange_pb2, keys_pb2, notices_pb2, pseudonym_pb2, register_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every RPC of the wire contract, as Service/Method."""


def request_fields(method: MethodDescriptor) -> Iterator[tuple[str, FieldDescriptor]]:
    """Every field of a request, dotted, at every depth."""

    def walk(descriptor: Any, before: str) -> Iterator[tuple[str, FieldDescriptor]]:
        for one in descriptor.fields:
            yield before + one.name, one
            if one.message_type is not None:
                yield from walk(one.message_type, f"{before}{one.name}.")

    return walk(method.input_type, "")


@dataclass(frozen=True)
class Refused:
    """What a refusal said, whole: nothing in it may show what was sent."""

    status: grpc.StatusCode
    reason: str
    domain: str
    text: str
    fields: tuple[str, ...]
    everything: bytes


def refused(error: Any) -> Refused:
    """Reads a gRPC error; `reason` is empty when no ErrorInfo came with it."""
    trailers = dict(error.trailing_metadata() or ())
    raw = trailers.get("grpc-status-details-bin", b"")
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status_pb2.Status.FromString(raw).details:
        detail.Unpack(info)
        detail.Unpack(request)
    text = str(error.details())
    everything = repr(trailers).encode() + raw + text.encode()
    named = tuple(violation.field for violation in request.field_violations)
    return Refused(error.code(), info.reason, info.domain, text, named, everything)


@dataclass(frozen=True)
class State:
    """All that a refused call may not change, and the log."""

    tables: dict[str, frozenset[tuple[object, ...]]]
    files: dict[str, str]
    leaves: tuple[bytes, ...]

    def differs(self, other: State) -> list[str]:
        """Names of the tables and files that differ; the log may."""
        tables = [name for name in {**self.tables, **other.tables} if self.tables.get(name) != other.tables.get(name)]
        return tables + [
            name for name in {**self.files, **other.files} if self.files.get(name) != other.files.get(name)
        ]


def state_of(world: World) -> State:
    """Reads the broker's database and files from outside."""
    data = world.directory / "data"
    connection = sqlite3.connect(f"file:{data / 'sluis.db'}?mode=ro", uri=True)
    try:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        tables = {
            name: frozenset(connection.execute(f'SELECT * FROM "{name}"'))
            for name in names
            if name not in _LOG_TABLES and not name.startswith("sqlite_")
        }
        leaves = tuple(leaf for (leaf,) in connection.execute("SELECT leaf FROM leaves ORDER BY entry"))
    finally:
        connection.close()
    files = {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file() and not path.name.startswith("sluis.db") and path.suffix != ".lock"
    }
    return State(tables, files, leaves)


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(0)
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def logs() -> Iterator[Callable[[], str]]:
    """Everything logged meanwhile, before any guard sees it: structlog's events and standard logging with traces."""
    kept = _Kept()
    root = logging.getLogger()
    root.addHandler(kept)
    try:
        with structlog.testing.capture_logs() as events:
            yield lambda: repr(events) + "\n".join(kept.texts)
    finally:
        root.removeHandler(kept)


@dataclass
class Stage:
    """The world, its participants, and what stands ready in it."""

    world: World
    nla: Participant
    uwv: Participant
    snf: Participant
    utrecht: Participant
    ask: Ask
    """Answered already, every row a hit."""
    ask_index: int
    """Of its `ask` entry."""
    disputed: exchange_pb2.DisputeHitRequest
    """What `nla` disputed of it: the hit at position 5."""
    notice: str
    """The id of `uwv`'s notice of that."""
    open_upload: register_pb2.BeginRegisterResponse
    """Begun, no rows yet."""
    full_upload: register_pb2.BeginRegisterResponse
    """All rows are in; not sealed."""
    sealed_upload: str
    register: str
    rows: register_pb2.RegisterRows
    manifest: dict[str, Any]
    begin: register_pb2.BeginRegisterRequest
    """The request that began `open_upload`."""
    channels: dict[str, grpc.Channel] = field(default_factory=dict)
    rectifiers: dict[str, Rectifier] = field(default_factory=dict)

    def party(self, name: str) -> Participant:
        """A participant by name."""
        return {"nla": self.nla, "uwv": self.uwv, "snf": self.snf, "utrecht": self.utrecht}[name]

    def rectifier(self, name: str) -> Rectifier:
        """A participant's side of rectification, by its name."""
        return self.rectifiers.get(name) or self.rectifiers.setdefault(name, Rectifier(self.party(name)))

    def call(
        self, party: str, rpc: str, messages: Iterable[Message | bytes], *, timeout: float | None = TIMEOUT
    ) -> list[Any]:
        """Calls any RPC with messages, or with raw bytes in their place; returns all responses."""
        method = METHODS[rpc]
        channel = self.channels.get(party) or self.channels.setdefault(party, self.world.channel(party))
        kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
        callable_ = getattr(channel, "_".join(kind))(
            f"/sluis.v1.{rpc}",
            request_serializer=lambda one: one if isinstance(one, bytes) else one.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        argument = iter(messages) if method.client_streaming else next(iter(messages))
        answer = callable_(argument, timeout=timeout)
        return list(answer) if method.server_streaming else [answer]

    def question(self, identifiers: Sequence[str] = KVK[:20], **changes: Any) -> Ask:
        """A fresh question that would be answered."""
        given: dict[str, Any] = {"case_number": "NLA-2026-1234", "cooperation_ref": "LSI 2026/7", **changes}
        return self.nla.question(PURPOSE, "kvk", identifiers, ["uwv"], want=ATTRIBUTES, **given)

    def resigned(self, party: str, statement: Mapping[str, Any] | bytes) -> common_pb2.SignedStatement:
        """Any statement, however wrong, with a good signature."""
        raw = statement if isinstance(statement, bytes) else canonical_json(statement)
        key = self.party(party).key
        return common_pb2.SignedStatement(statement=raw, signature=sign(key._key, SIGNED_PREFIX + raw))


def make_stage(world: World) -> Stage:
    """Plays the world up to the middle of its work."""
    nla, uwv, snf, utrecht = (Participant(world, name) for name in ("nla", "uwv", "snf", "utrecht"))
    nla.make_epoch(PURPOSE, [nla, uwv])
    for one in (snf, utrecht):
        one.publish_encryption_key()
    records: dict[str, list[str | None]] = {number: [str(at)] for at, number in enumerate(KVK)}
    sealed_id = str(uuid.uuid4())
    sealed = uwv.publish(PURPOSE, "kvk", records, ATTRIBUTES, request_id=sealed_id)
    maker = uwv.pseudonymiser(PURPOSE, "kvk")

    def begin() -> tuple[register_pb2.BeginRegisterRequest, register_pb2.BeginRegisterResponse]:
        request = register_pb2.BeginRegisterRequest(
            request_id=str(uuid.uuid4()),
            purpose=PURPOSE,
            epoch=uwv.context(PURPOSE).epoch,
            key_id=maker.key_id,
            scheme="kvk",
            match_keys=1,
            attributes=ATTRIBUTES,
        )
        return request, uwv.registers.BeginRegister(request, timeout=TIMEOUT)

    request, open_upload = begin()
    _, full = begin()
    rows, digest = uwv._rows(PURPOSE, "kvk", records, ATTRIBUTES, full.register, full.version)
    uwv.registers.UploadRows(iter([register_pb2.UploadRowsRequest(upload=full.upload, rows=rows)]), timeout=TIMEOUT)
    manifest = register_manifest(
        origin=ORIGIN,
        environment="test",
        answerer="uwv",
        purpose=PURPOSE,
        epoch=request.epoch,
        key_id=maker.key_id,
        scheme="kvk",
        match_keys=1,
        version=full.version,
        rows=len(records),
        digest=digest,
        attributes=ATTRIBUTES,
        as_of=uwv.now(),
        coverage="all employers in the test",
        expires_at=uwv.now() + timedelta(days=9),
        rules={},
    )
    ask = nla.question(
        PURPOSE,
        "kvk",
        KVK[:20],
        ["uwv"],
        want=ATTRIBUTES,
        case_number="NLA-2026-1234",
        cooperation_ref="LSI 2026/7",
    )
    answered = nla.send(ask)["uwv"]
    assert answered.receipts is not None
    rectifier = Rectifier(nla)
    disputed = rectifier.dispute_request(ask, 5)
    return Stage(
        world=world,
        nla=nla,
        uwv=uwv,
        snf=snf,
        utrecht=utrecht,
        ask=ask,
        ask_index=answered.receipts.ask.index,
        disputed=disputed,
        notice=rectifier.dispute(disputed).notice,
        open_upload=open_upload,
        full_upload=full,
        sealed_upload=f"uwv.{sealed_id}",
        register=sealed.register.name,
        rows=rows,
        manifest=manifest,
        begin=request,
        rectifiers={"nla": rectifier},
    )


def check_unchanged(before: State, after: State, *, party: str, rpc: str, code: str) -> None:
    """A refused call changed nothing; the log may have grown by one `refusal` entry that says so."""
    assert after.tables == before.tables
    assert after.files == before.files
    grown = [json.loads(leaf) for leaf in after.leaves[len(before.leaves) :]]
    assert after.leaves[: len(before.leaves)] == before.leaves
    assert len(grown) <= 1
    for entry in grown:
        assert entry["kind"] == "refusal"
        assert (entry["body"]["party"], entry["body"]["rpc"], entry["body"]["code"]) == (party, rpc, code)
