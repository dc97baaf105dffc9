"""KeyService: encryption keys and epochs, for participants."""

from __future__ import annotations

import grpc
from sluis.v1 import keys_pb2, keys_pb2_grpc

from broker.epochs import MAX_ENVELOPE_BYTES, Epochs
from broker.errors import Code, field_error
from broker.rpc import convert
from broker.rpc.interceptors import call_of

MAX_PARTIES = 400


class KeyServicer(keys_pb2_grpc.KeyServiceServicer):
    """Translates and delegates to the epochs."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

    def PublishEncryptionKey(
        self, request: keys_pb2.PublishEncryptionKeyRequest, context: grpc.ServicerContext
    ) -> keys_pb2.PublishEncryptionKeyResponse:
        """See keys.proto."""
        receipt = self._epochs.publish_key(call_of(context).caller, convert.signed(request.key, "key"))
        return keys_pb2.PublishEncryptionKeyResponse(receipt=convert.receipt_message(receipt))

    def ListEncryptionKeys(
        self, request: keys_pb2.ListEncryptionKeysRequest, context: grpc.ServicerContext
    ) -> keys_pb2.ListEncryptionKeysResponse:
        """See keys.proto."""
        parties = convert.names(request.parties, "parties", low=1, high=MAX_PARTIES)
        keys = [
            keys_pb2.EncryptionKey(party=key.party, key=convert.signed_message(key.signed), certificate=key.certificate)
            for key in self._epochs.keys(parties)
        ]
        return keys_pb2.ListEncryptionKeysResponse(keys=keys)

    def PublishEpoch(
        self, request: keys_pb2.PublishEpochRequest, context: grpc.ServicerContext
    ) -> keys_pb2.PublishEpochResponse:
        """See keys.proto."""
        manifest = convert.signed(request.manifest, "manifest")
        convert.names((item.recipient for item in request.envelopes), "envelopes", low=1, high=MAX_PARTIES)
        for item in request.envelopes:
            if not 1 <= len(item.ciphertext) <= MAX_ENVELOPE_BYTES:
                raise field_error(Code.LENGTH_WRONG, "envelopes.ciphertext", f"has 1 to {MAX_ENVELOPE_BYTES} bytes")
        envelopes = {item.recipient: item.ciphertext for item in request.envelopes}
        receipt = self._epochs.publish_epoch(call_of(context).caller, manifest, envelopes)
        return keys_pb2.PublishEpochResponse(receipt=convert.receipt_message(receipt))

    def EndKey(self, request: keys_pb2.EndKeyRequest, context: grpc.ServicerContext) -> keys_pb2.EndKeyResponse:
        """See keys.proto."""
        receipt = self._epochs.end_key(call_of(context).caller, convert.signed(request.end, "end"))
        return keys_pb2.EndKeyResponse(receipt=convert.receipt_message(receipt))

    def GetEpoch(self, request: keys_pb2.GetEpochRequest, context: grpc.ServicerContext) -> keys_pb2.GetEpochResponse:
        """See keys.proto."""
        purpose = convert.text(request.purpose, "purpose", "name")
        epoch = convert.text(request.epoch, "epoch", "epoch", optional=True)
        caller = call_of(context).caller
        published = self._epochs.epoch(caller, purpose, epoch)
        return keys_pb2.GetEpochResponse(
            manifest=convert.signed_message(published.manifest),
            certificate=published.certificate,
            envelope=published.envelopes.get(caller.party, b""),
            newest=published.newest,
            registers=[name for name, _ in published.registers],
            register_versions=[version for _, version in published.registers],
            next=published.next,
        )
