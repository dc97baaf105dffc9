"""The gRPC client: mutual TLS to the broker, one method for each call of the port. Only here is the wire known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import grpc
from sluis.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    exchange_pb2,
    keys_pb2,
    keys_pb2_grpc,
    notices_pb2,
    notices_pb2_grpc,
    register_pb2,
)

from sluis_client.client import convert
from sluis_client.client.calls import LONG_SECONDS, STREAM_SECONDS, UNARY_SECONDS, Outgoing, Retries
from sluis_client.client.channels import secure_channel
from sluis_client.client.live import LiveCalls
from sluis_client.client.rectifying import RectifyingCalls
from sluis_client.client.subject import SubjectCalls
from sluis_client.profile import Profile
from sluis_client.statements import SignedStatement
from sluis_client.transport import (
    Answer,
    Budget,
    Decision,
    DryRun,
    Exchange,
    LogEntry,
    Progress,
    PublishedEpoch,
    PublishedKey,
    Purpose,
    Question,
    Receipt,
    silent,
)
from sluis_client.upload import NewUpload, Register, RegisterRun, Upload

__all__ = ["GrpcTransport", "Retries", "connect"]


def connect(profile: Profile, retries: Retries | None = None) -> GrpcTransport:
    """A channel to the profile's broker. Nothing is sent before the first call.

    Raises:
        ClientError: KEY_UNREADABLE, KEY_UNSAFE, KEY_TYPE_WRONG, KEY_NOT_OF_CERTIFICATE.
    """
    channel = secure_channel(profile, profile.broker, profile.trusted_broker(), profile.server_name)
    return GrpcTransport(channel, retries)


class GrpcTransport(RectifyingCalls, SubjectCalls, LiveCalls):
    """`sluis_client.transport.Transport` over a channel, which it closes. Safe for several threads."""

    def __init__(self, channel: grpc.Channel, retries: Retries | None = None) -> None:
        self._channel = channel
        RectifyingCalls.__init__(self, channel, retries or Retries())
        SubjectCalls.__init__(self, channel)
        LiveCalls.__init__(self, channel)
        self._keys = keys_pb2_grpc.KeyServiceStub(channel)
        self._audit = audit_pb2_grpc.AuditServiceStub(channel)
        self._notices = notices_pb2_grpc.NoticeServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def match(self, question: Question, progress: Progress = silent) -> tuple[Answer, ...]:
        """See Transport. Each attempt begins anew with the same bytes."""

        def attempt() -> tuple[Answer, ...]:
            outgoing = Outgoing(convert.match_messages(question, progress))
            reader = convert.AnswerReader(progress)
            call = self._exchanges.Match(outgoing, timeout=STREAM_SECONDS)
            try:
                for message in call:
                    reader.add(message)
            except grpc.RpcError:
                if outgoing.broke is not None:
                    raise outgoing.broke from None
                raise
            finally:
                call.cancel()
            return reader.answers()

        return self._retries.run(attempt)

    def dry_run(self, question: DryRun) -> tuple[tuple[str, Decision], ...]:
        """See Transport."""
        request = convert.dry_run_request(question)
        reply = self._retries.run(lambda: self._exchanges.CheckRequest(request, timeout=UNARY_SECONDS))
        return tuple((one.answerer, convert.decision(one.decision)) for one in reply.decisions)

    def purposes(self) -> tuple[Purpose, ...]:
        """See Transport."""
        found: list[Purpose] = []
        token = ""
        while True:
            request = exchange_pb2.ListPurposesRequest(page_size=100, page_token=token)
            page = self._list_purposes(request)
            found += [convert.purpose(item) for item in page.purposes]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def _list_purposes(self, request: exchange_pb2.ListPurposesRequest) -> exchange_pb2.ListPurposesResponse:
        return self._retries.run(lambda: self._exchanges.ListPurposes(request, timeout=UNARY_SECONDS))

    def purpose(self, name: str) -> Purpose:
        """See Transport."""
        request = exchange_pb2.GetPurposeRequest(purpose=name)
        reply = self._retries.run(lambda: self._exchanges.GetPurpose(request, timeout=UNARY_SECONDS))
        return convert.purpose(reply.purpose)

    def policy_bundle(self) -> bytes:
        """See Transport."""
        request = exchange_pb2.GetPolicySetRequest()
        return self._retries.run(lambda: self._exchanges.GetPolicySet(request, timeout=UNARY_SECONDS)).bundle

    def budget(self, purpose: str) -> Budget:
        """See Transport."""
        request = exchange_pb2.GetBudgetRequest(purpose=purpose)
        reply = self._retries.run(lambda: self._exchanges.GetBudget(request, timeout=UNARY_SECONDS))
        return Budget(reply.requests_per_day, reply.requests_left, convert.moment(reply.resets_at))

    def exchange(self, exchange: str) -> Exchange:
        """See Transport."""
        request = exchange_pb2.GetExchangeRequest(exchange=exchange)
        reply = self._retries.run(lambda: self._exchanges.GetExchange(request, timeout=UNARY_SECONDS))
        return convert.exchange(reply.exchange)

    def exchanges(self, purpose: str = "", limit: int = 100) -> tuple[Exchange, ...]:
        """See Transport."""
        found: list[Exchange] = []
        token = ""
        while len(found) < limit:
            page = self._list_exchanges(purpose, min(1000, limit - len(found)), token)
            found += [convert.exchange(item) for item in page.exchanges]
            token = page.next_page_token
            if not token:
                break
        return tuple(found[:limit])

    def _list_exchanges(self, purpose: str, size: int, token: str) -> exchange_pb2.ListExchangesResponse:
        request = exchange_pb2.ListExchangesRequest(page_size=size, page_token=token, purpose=purpose)
        return self._retries.run(lambda: self._exchanges.ListExchanges(request, timeout=UNARY_SECONDS))

    def begin(self, upload: NewUpload) -> Upload:
        """See Transport."""
        request = register_pb2.BeginRegisterRequest(
            request_id=upload.request_id,
            purpose=upload.purpose,
            epoch=upload.epoch,
            key_id=upload.key_id,
            scheme=upload.scheme,
            match_keys=upload.match_keys,
            attributes=upload.attributes,
        )
        reply = self._retries.run(lambda: self._registers.BeginRegister(request, timeout=UNARY_SECONDS))
        return Upload(reply.upload, reply.register, reply.version, reply.committed_rows)

    def upload_rows(self, upload: str, runs: Iterable[RegisterRun]) -> int:
        """See Transport. One attempt: whoever goes on must first ask how far the broker got."""

        def messages() -> Iterator[register_pb2.UploadRowsRequest]:
            name = upload
            for run in runs:
                yield register_pb2.UploadRowsRequest(upload=name, rows=convert.register_rows(run))
                name = ""

        def attempt() -> int:
            outgoing = Outgoing(messages())
            try:
                return self._registers.UploadRows(outgoing, timeout=STREAM_SECONDS).committed_rows
            except grpc.RpcError:
                if outgoing.broke is not None:
                    raise outgoing.broke from None
                raise

        return Retries(attempts=1).run(attempt)

    def upload(self, upload: str) -> Upload:
        """See Transport."""
        request = register_pb2.GetUploadRequest(upload=upload)
        reply = self._retries.run(lambda: self._registers.GetUpload(request, timeout=UNARY_SECONDS))
        return Upload(reply.upload, reply.register, reply.version, reply.committed_rows, reply.sealed)

    def seal(self, upload: str, manifest: SignedStatement) -> tuple[Register, Receipt]:
        """See Transport."""
        request = register_pb2.SealRegisterRequest(upload=upload, manifest=convert.signed_message(manifest))
        reply = self._retries.run(lambda: self._registers.SealRegister(request, timeout=LONG_SECONDS))
        return convert.register(reply.register), convert.receipt(reply.receipt)

    def withdraw(self, request_id: str, register: str) -> Receipt:
        """See Transport."""
        request = register_pb2.WithdrawRegisterRequest(request_id=request_id, register=register)
        reply = self._retries.run(lambda: self._registers.WithdrawRegister(request, timeout=UNARY_SECONDS))
        return convert.receipt(reply.receipt)

    def registers(self) -> tuple[Register, ...]:
        """See Transport."""
        found: list[Register] = []
        token = ""
        while True:
            page = self._list_registers(token)
            found += [convert.register(item) for item in page.registers]
            token = page.next_page_token
            if not token:
                return tuple(found)

    def _list_registers(self, token: str) -> register_pb2.ListRegistersResponse:
        request = register_pb2.ListRegistersRequest(page_size=1000, page_token=token)
        return self._retries.run(lambda: self._registers.ListRegisters(request, timeout=UNARY_SECONDS))

    def publish_encryption_key(self, key: SignedStatement) -> Receipt:
        """See Transport."""
        request = keys_pb2.PublishEncryptionKeyRequest(key=convert.signed_message(key))
        reply = self._retries.run(lambda: self._keys.PublishEncryptionKey(request, timeout=UNARY_SECONDS))
        return convert.receipt(reply.receipt)

    def encryption_keys(self, parties: Sequence[str]) -> tuple[PublishedKey, ...]:
        """See Transport."""
        request = keys_pb2.ListEncryptionKeysRequest(parties=parties)
        reply = self._retries.run(lambda: self._keys.ListEncryptionKeys(request, timeout=UNARY_SECONDS))
        return tuple(PublishedKey(key.party, convert.signed(key.key), key.certificate) for key in reply.keys)

    def publish_epoch(self, manifest: SignedStatement, envelopes: Sequence[tuple[str, bytes]]) -> Receipt:
        """See Transport."""
        request = keys_pb2.PublishEpochRequest(
            manifest=convert.signed_message(manifest),
            envelopes=[keys_pb2.Envelope(recipient=party, ciphertext=ciphertext) for party, ciphertext in envelopes],
        )
        reply = self._retries.run(lambda: self._keys.PublishEpoch(request, timeout=UNARY_SECONDS))
        return convert.receipt(reply.receipt)

    def epoch(self, purpose: str, epoch: str) -> PublishedEpoch:
        """See Transport."""
        request = keys_pb2.GetEpochRequest(purpose=purpose, epoch=epoch)
        reply = self._retries.run(lambda: self._keys.GetEpoch(request, timeout=UNARY_SECONDS))
        # a broker of before tells no versions: then nothing is ever newer
        versions = reply.register_versions or [0] * len(reply.registers)
        if len(versions) != len(reply.registers):
            raise convert.broken("it names registers and their versions in another number")
        return PublishedEpoch(
            convert.signed(reply.manifest),
            reply.certificate,
            reply.envelope,
            reply.newest or epoch,
            dict(zip(reply.registers, versions, strict=True)),
            reply.next,
        )

    def end_key(self, end: SignedStatement) -> Receipt:
        """See Transport."""
        request = keys_pb2.EndKeyRequest(end=convert.signed_message(end))
        return convert.receipt(self._retries.run(lambda: self._keys.EndKey(request, timeout=UNARY_SECONDS)).receipt)

    def checkpoint(self) -> str:
        """See Transport."""
        request = audit_pb2.GetCheckpointRequest()
        return self._retries.run(lambda: self._audit.GetCheckpoint(request, timeout=UNARY_SECONDS)).checkpoint

    def cosigned(self) -> str:
        """See Transport."""
        request = audit_pb2.GetCheckpointRequest()
        return self._retries.run(lambda: self._audit.GetCheckpoint(request, timeout=UNARY_SECONDS)).cosigned

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See Transport."""
        request = audit_pb2.GetConsistencyProofRequest(old_size=old_size, new_size=new_size)
        reply = self._retries.run(lambda: self._audit.GetConsistencyProof(request, timeout=UNARY_SECONDS))
        return tuple(reply.consistency)

    def receipts(self, from_index: int, exchange: str = "") -> tuple[tuple[Receipt, ...], int]:
        """See Transport."""
        request = audit_pb2.ListReceiptsRequest(from_index=from_index, page_size=200, exchange=exchange)
        reply = self._retries.run(lambda: self._audit.ListReceipts(request, timeout=UNARY_SECONDS))
        return tuple(convert.receipt(item) for item in reply.receipts), reply.next_index

    def explain_unusual_use(self, signed: SignedStatement) -> Receipt:
        """See Transport."""
        request = notices_pb2.ExplainUnusualUseRequest(signed=convert.signed_message(signed))
        reply = self._retries.run(lambda: self._notices.ExplainUnusualUse(request, timeout=UNARY_SECONDS))
        return convert.receipt(reply.receipt)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """See Transport."""
        request = audit_pb2.GetInclusionProofRequest(index=index, tree_size=size)
        reply = self._retries.run(lambda: self._audit.GetInclusionProof(request, timeout=UNARY_SECONDS))
        return tuple(reply.inclusion)

    def entries(self, from_index: int) -> tuple[tuple[LogEntry, ...], int]:
        """See Transport."""
        request = audit_pb2.ListEntriesRequest(from_index=from_index, page_size=200)
        reply = self._retries.run(lambda: self._audit.ListEntries(request, timeout=UNARY_SECONDS))
        return tuple(LogEntry(entry.index, entry.leaf) for entry in reply.entries), reply.next_index
