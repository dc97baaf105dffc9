"""A participant at the wire: builds every message by hand from the client's cryptography, so that a test can bend it.

The client's own transport is tested elsewhere; here the edge of the broker is.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2
from sluis.v1 import (
    audit_pb2_grpc,
    common_pb2,
    exchange_pb2,
    exchange_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    pseudonym_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
)
from sluis_client.canonical import commitment, tokens_value
from sluis_client.envelopes import (
    EncryptionPrivateKey,
    generate_encryption_key,
    make_epoch,
    open_envelope,
    short_digest,
)
from sluis_client.epochs import epoch_name, epoch_window
from sluis_client.pseudonymise import Column, Context, Pseudonymiser
from sluis_client.receipts import RegisterDigest
from sluis_client.schemes import SCHEMES
from sluis_client.seal import Field, RowOpener, RowSealer
from sluis_client.secret import Secret
from sluis_client.statements import (
    PartyKey,
    ask_statement,
    encryption_key_statement,
    epoch_statement,
    register_manifest,
)
from world import ORIGIN, World

TIMEOUT = 20.0


def reason_of(error: grpc.RpcError) -> str:
    """The stable reason in an error's details."""
    return details_of(error).reason


def details_of(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """The ErrorInfo of an error."""
    for key, value in error.trailing_metadata():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            info = error_details_pb2.ErrorInfo()
            for detail in status.details:
                if detail.Unpack(info):
                    return info
    raise AssertionError(f"no ErrorInfo in {error!r}")


@dataclass
class Ask:
    """A question before it is sent; change what you like."""

    statement: dict[str, Any]
    columns: tuple[Column, ...]
    salt: bytes
    openings: dict[str, tuple[bytes, bytes]]
    secrets: list[Secret]
    signature: bytes | None = None
    chunk: int = 4096

    def messages(self, key: PartyKey) -> Iterator[exchange_pb2.MatchRequest]:
        """The stream."""
        signed = key.sign(self.statement)
        ask = exchange_pb2.Ask(
            signed=common_pb2.SignedStatement(
                statement=signed.statement, signature=self.signature if self.signature is not None else signed.signature
            ),
            tokens_salt=self.salt,
        )
        for name, (salt, value) in self.openings.items():
            getattr(ask, name).CopyFrom(common_pb2.Opening(salt=salt, value=value))
        yield exchange_pb2.MatchRequest(ask=ask)
        rows = self.columns[0].rows
        for offset in range(0, rows, self.chunk):
            columns = [
                common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms[offset * 16 : (offset + self.chunk) * 16])
                for column in self.columns
            ]
            yield exchange_pb2.MatchRequest(rows=exchange_pb2.QuestionRows(offset=offset, columns=columns))


@dataclass
class Answered:
    """One answerer's part of the response stream."""

    head: exchange_pb2.Answer
    rows: list[exchange_pb2.AnswerRows] = field(default_factory=list)
    receipts: exchange_pb2.AnswerReceipts | None = None

    @property
    def positions(self) -> list[int]:
        """Positions of all rows."""
        return [
            int.from_bytes(run.positions[at : at + 4], "little")
            for run in self.rows
            for at in range(0, len(run.positions), 4)
        ]


class Participant:
    """One party with its certificate, its keys and its stubs."""

    period = "quarter"
    """What a purpose counts its epochs by."""

    def __init__(self, world: World, party: str, certificate: str | None = None) -> None:
        self.world = world
        self.party = party
        name = certificate or party
        pki = world.pki
        self.key = PartyKey((pki / f"{name}.pem").read_bytes(), (pki / f"{name}.key").read_bytes())
        channel = world.channel(party, certificate)
        self.exchanges = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.registers = register_pb2_grpc.RegisterServiceStub(channel)
        self.keys = keys_pb2_grpc.KeyServiceStub(channel)
        self.audit = audit_pb2_grpc.AuditServiceStub(channel)
        self.pseudonyms = pseudonym_pb2_grpc.PseudonymServiceStub(channel)
        self.encryption: EncryptionPrivateKey | None = None
        self.secret: dict[str, Secret] = {}

    def signed(self, statement: Mapping[str, Any]) -> common_pb2.SignedStatement:
        """A statement signed by this party."""
        signed = self.key.sign(statement)
        return common_pb2.SignedStatement(statement=signed.statement, signature=signed.signature)

    def now(self) -> datetime:
        """The world's time, whole seconds."""
        return self.world.clock.at.replace(microsecond=0)

    def context(self, purpose: str, epoch: str = "") -> Context:
        """The derivation context."""
        return Context(ORIGIN, "test", purpose, epoch or epoch_name(self.period, self.now()))

    def publish_encryption_key(self) -> str:
        """Makes and publishes an encryption key; returns its statement's digest."""
        self.encryption = generate_encryption_key()
        statement = encryption_key_statement(
            origin=ORIGIN,
            environment="test",
            party=self.party,
            public_key=self.encryption.public_bytes(),
            created_at=self.now(),
        )
        signed = self.signed(statement)
        self.keys.PublishEncryptionKey(keys_pb2.PublishEncryptionKeyRequest(key=signed), timeout=TIMEOUT)
        return short_digest(signed.statement)

    def make_epoch(self, purpose: str, recipients: Sequence[Participant]) -> Secret:
        """As steward: makes K, seals it to the recipients, publishes; all of them then hold it."""
        digests = {one.party: one.publish_encryption_key() for one in recipients}
        context = self.context(purpose)
        window = epoch_window(context.epoch, self.period)
        public = {one.party: (_encryption(one).public_bytes(), digests[one.party]) for one in recipients}
        secret, manifest, envelopes = make_epoch(context, *window, self.party, public, os.urandom, self.now())
        request = keys_pb2.PublishEpochRequest(
            manifest=self.signed(manifest),
            envelopes=[keys_pb2.Envelope(recipient=name, ciphertext=data) for name, data in envelopes.items()],
        )
        self.keys.PublishEpoch(request, timeout=TIMEOUT)
        for one in recipients:
            reply = one.keys.GetEpoch(keys_pb2.GetEpochRequest(purpose=purpose), timeout=TIMEOUT)
            key_id = str(manifest["key_id"])
            one.secret[purpose] = open_envelope(_encryption(one), context, one.party, reply.envelope, key_id)
        return secret

    def widths(self, purpose: str) -> dict[str, int]:
        """Declared width of every attribute of a purpose."""
        request = exchange_pb2.GetPurposeRequest(purpose=purpose)
        known = self.exchanges.GetPurpose(request, timeout=TIMEOUT).purpose
        return {attribute.name: attribute.width for attribute in known.attributes}

    def pseudonymiser(self, purpose: str, scheme: str) -> Pseudonymiser:
        """Of a purpose this party holds K for."""
        known = SCHEMES[scheme]
        return Pseudonymiser(self.secret[purpose], self.context(purpose), known.scheme_id)

    def publish(
        self,
        purpose: str,
        scheme: str,
        records: Mapping[str, Sequence[str | None]],
        attributes: Sequence[str] = (),
        *,
        rules: Mapping[str, Any] | None = None,
        expires: timedelta = timedelta(days=30),
        bend: Callable[[str, Any], Any] = lambda _, value: value,
        request_id: str | None = None,
    ) -> register_pb2.SealRegisterResponse:
        """Publishes records: identifier -> values. `bend(stage, message)` may change begin, rows and manifest."""
        maker = self.pseudonymiser(purpose, scheme)
        context = self.context(purpose)
        begun = self.registers.BeginRegister(
            bend(
                "begin",
                register_pb2.BeginRegisterRequest(
                    request_id=request_id or str(uuid.uuid4()),
                    purpose=purpose,
                    epoch=context.epoch,
                    key_id=maker.key_id,
                    scheme=scheme,
                    match_keys=1,
                    attributes=attributes,
                ),
            ),
            timeout=TIMEOUT,
        )
        rows, digest = self._rows(purpose, scheme, records, attributes, begun.register, begun.version)
        upload = register_pb2.UploadRowsRequest(upload=begun.upload, rows=rows)
        if records:
            self.registers.UploadRows(iter([bend("rows", upload)]), timeout=TIMEOUT)
        manifest = register_manifest(
            origin=ORIGIN,
            environment="test",
            answerer=self.party,
            purpose=purpose,
            epoch=context.epoch,
            key_id=maker.key_id,
            scheme=scheme,
            match_keys=1,
            version=begun.version,
            rows=len(records),
            digest=digest,
            attributes=attributes,
            as_of=self.now() - timedelta(days=1),
            coverage="everything in the test",
            expires_at=self.now() + expires,
            rules=rules or {},
        )
        request = register_pb2.SealRegisterRequest(
            upload=begun.upload, manifest=self.signed(bend("manifest", manifest))
        )
        return self.registers.SealRegister(request, timeout=TIMEOUT)

    def _rows(
        self,
        purpose: str,
        scheme: str,
        records: Mapping[str, Sequence[str | None]],
        attributes: Sequence[str],
        register: str,
        version: int,
    ) -> tuple[register_pb2.RegisterRows, str]:
        maker = self.pseudonymiser(purpose, scheme)
        fields = [(identifier,) for identifier in records]
        (column,) = maker.columns([(one,) for one in fields], 1)
        widths = self.widths(purpose)
        sealer = RowSealer(self.context(purpose), register, version, [Field(name, widths[name]) for name in attributes])
        sealed = []
        if attributes:
            sealed = [
                sealer.seal([maker.row_secret(1, one)], values)
                for one, values in zip(fields, records.values(), strict=True)
            ]
        wraps = [b"".join(row.wraps[0] for row in sealed)] if attributes else []
        commitments = b"".join(row.commitment for row in sealed)
        columns = [b"".join(row.fields[number] for row in sealed) for number in range(len(attributes))]
        digest = RegisterDigest(1, len(attributes))
        digest.feed([column], wraps, commitments, columns)
        rows = register_pb2.RegisterRows(
            offset=0,
            columns=[common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms)],
            wraps=wraps,
            commitments=commitments,
            fields=columns,
        )
        return rows, digest.hexdigest()

    def question(
        self,
        purpose: str,
        scheme: str,
        identifiers: Sequence[str],
        answerers: Sequence[str],
        *,
        want: Sequence[str] = (),
        hit: bool = True,
        count: bool = False,
        principal: str | None = None,
        case_number: str | None = None,
        cooperation_ref: str | None = None,
        request_id: str | None = None,
        standing: str = "",
    ) -> Ask:
        """A question, ready to send. `standing`: the first question that this is again."""
        maker = self.pseudonymiser(purpose, scheme)
        fields = [(identifier,) for identifier in identifiers]
        columns = maker.columns([(one,) for one in fields], 1)
        salt = os.urandom(32)
        openings = {}
        committed: dict[str, str | None] = {"case_number": None, "cooperation_ref": None}
        for name, label, value in (
            ("case_number", "case-number", case_number),
            ("cooperation_ref", "cooperation-ref", cooperation_ref),
        ):
            if value is not None:
                openings[name] = (os.urandom(32), value.encode())
                committed[name] = commitment(label, *openings[name])
        statement = ask_statement(
            origin=ORIGIN,
            environment="test",
            request_id=request_id or str(uuid.uuid4()),
            asker=self.party,
            principal=principal,
            answerers=answerers,
            purpose=purpose,
            epoch=self.context(purpose).epoch,
            key_id=maker.key_id,
            scheme=scheme,
            match_keys=1,
            hit=hit,
            count=count,
            attributes=want,
            subjects=len(identifiers),
            tokens=commitment("tokens", salt, tokens_value(columns)),
            case_number=committed["case_number"],
            cooperation_ref=committed["cooperation_ref"],
            not_after=self.now() + timedelta(minutes=5),
            standing=standing,
        )
        secrets = [maker.row_secret(1, one) for one in fields]
        return Ask(statement, columns, salt, openings, secrets)

    def send(self, ask: Ask) -> dict[str, Answered]:
        """Sends a question and collects the answers, by answerer."""
        answers: dict[str, Answered] = {}
        for message in self.exchanges.Match(ask.messages(self.key), timeout=TIMEOUT):
            part = message.WhichOneof("part")
            if part == "answer":
                answers[message.answerer] = Answered(message.answer)
            elif part == "rows":
                answers[message.answerer].rows.append(message.rows)
            else:
                answers[message.answerer].receipts = message.receipts
        return answers

    def open(self, ask: Ask, answered: Answered) -> dict[int, dict[str, str | None]]:
        """The attributes of every hit, by position."""
        names = list(answered.head.attributes)
        register = answered.head.register
        widths = self.widths(str(ask.statement["purpose"]))
        opener = RowOpener(
            self.context(str(ask.statement["purpose"])),
            register.name,
            register.version,
            [Field(name, widths[name]) for name in names],
        )
        opened = {}
        for run in answered.rows:
            for row in range(len(run.statuses)):
                if run.statuses[row] != exchange_pb2.ROW_STATUS_HIT:
                    continue
                position = int.from_bytes(run.positions[row * 4 : row * 4 + 4], "little")
                sealed = {
                    name: run.fields[at][row * (widths[name] + 18) : (row + 1) * (widths[name] + 18)]
                    for at, name in enumerate(names)
                }
                wrap = run.wraps[row * 60 : row * 60 + 60]
                commit = run.commitments[row * 32 : row * 32 + 32]
                opened[position] = opener.open(ask.secrets[position], run.match_keys[row], wrap, commit, sealed)
        return opened


def _encryption(one: Participant) -> EncryptionPrivateKey:
    assert one.encryption is not None
    return one.encryption


__all__ = ["Answered", "Ask", "Participant", "details_of", "epoch_statement", "reason_of"]
