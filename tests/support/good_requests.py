"""A good request for every RPC, and the party that makes it: what the rows of bad input bend."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import live_stage
from google.protobuf.message import Message
from participant import Ask
from sluis.v1 import audit_pb2, common_pb2, exchange_pb2, keys_pb2, notices_pb2, pseudonym_pb2, register_pb2
from sluis_client.canonical import canonical_json, commitment, tokens_value
from sluis_client.envelopes import generate_encryption_key, make_epoch, short_digest
from sluis_client.epochs import epoch_window
from sluis_client.statements import encryption_key_statement, key_end_statement, utc
from stage import ATTRIBUTES, KVK, PURPOSE, Stage
from world import ORIGIN

Builder = Callable[[Stage], list[Message]]


def question(stage: Stage, ask: Ask | None = None) -> list[Message]:
    """The messages of a question, a fresh one unless given."""
    return list((ask or stage.question()).messages(stage.nla.key))


def _check(stage: Stage) -> list[Message]:
    want = common_pb2.Want(hit=True, attributes=ATTRIBUTES)
    return [
        exchange_pb2.CheckRequestRequest(
            answerers=["uwv"],
            purpose=PURPOSE,
            epoch=stage.begin.epoch,
            scheme="kvk",
            match_keys=1,
            want=want,
            subjects=3,
            case_number="NLA-2026-1234",
            cooperation_ref="LSI 2026/7",
        )
    ]


def _begin(stage: Stage) -> list[Message]:
    request = register_pb2.BeginRegisterRequest()
    request.CopyFrom(stage.begin)
    request.request_id = str(uuid.uuid4())
    return [request]


def _upload(stage: Stage) -> list[Message]:
    return [register_pb2.UploadRowsRequest(upload=stage.open_upload.upload, rows=stage.rows)]


def _seal(stage: Stage) -> list[Message]:
    manifest = stage.resigned("uwv", stage.manifest)
    return [register_pb2.SealRegisterRequest(upload=stage.full_upload.upload, manifest=manifest)]


def _encryption_key(stage: Stage) -> list[Message]:
    statement = encryption_key_statement(
        origin=ORIGIN,
        environment="test",
        party="snf",
        public_key=generate_encryption_key().public_bytes(),
        created_at=stage.snf.now(),
    )
    return [keys_pb2.PublishEncryptionKeyRequest(key=stage.snf.signed(statement))]


def _epoch(stage: Stage) -> list[Message]:
    context = stage.snf.context("snf-locatie")
    parties = ["snf", "utrecht"]
    request = keys_pb2.ListEncryptionKeysRequest(parties=parties)
    known = {one.party: one.key for one in stage.snf.keys.ListEncryptionKeys(request, timeout=20).keys}
    public = {}
    for one in (stage.snf, stage.utrecht):
        assert one.encryption is not None
        public[one.party] = (one.encryption.public_bytes(), short_digest(known[one.party].statement))
    window = epoch_window(context.epoch, "quarter")
    _, manifest, envelopes = make_epoch(context, *window, "snf", public, os.urandom, stage.snf.now())
    sealed = [keys_pb2.Envelope(recipient=name, ciphertext=data) for name, data in envelopes.items()]
    return [keys_pb2.PublishEpochRequest(manifest=stage.snf.signed(manifest), envelopes=sealed)]


def _end_key(stage: Stage) -> list[Message]:
    statement = key_end_statement(
        origin=ORIGIN,
        environment="test",
        party="nla",
        purpose=PURPOSE,
        epoch=stage.begin.epoch,
        key_id=stage.begin.key_id,
        what="retired",
        reason="precaution",
        caches=0,
        ended_at=stage.nla.now(),
    )
    return [keys_pb2.EndKeyRequest(end=stage.nla.signed(statement))]


def _search(stage: Stage) -> list[Message]:
    maker = stage.nla.pseudonymiser(PURPOSE, "kvk")
    (column,) = maker.columns([((KVK[0],),)], 1)
    salt = os.urandom(32)
    statement = {
        "type": "sluis/v1/subject-search",
        "origin": ORIGIN,
        "environment": "test",
        "request_id": str(uuid.uuid4()),
        "party": "nla",
        "purpose": PURPOSE,
        "epoch": stage.begin.epoch,
        "key_id": maker.key_id,
        "scheme": "kvk",
        "match_keys": 1,
        "pseudonyms": commitment("subject", salt, tokens_value([column])),
        "not_after": utc(stage.nla.now() + timedelta(minutes=5)),
    }
    pseudonyms = [common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms, presence=column.presence)]
    return [audit_pb2.SearchSubjectRequest(signed=stage.nla.signed(statement), salt=salt, pseudonyms=pseudonyms)]


def _correct(stage: Stage) -> list[Message]:
    return [stage.rectifier("uwv").correction(PURPOSE, "kvk", KVK[0])]


def _canaries(stage: Stage) -> list[Message]:
    maker = stage.uwv.pseudonymiser(PURPOSE, "kvk")
    (column,) = maker.columns([(("99999990",),)], 1)
    salt = os.urandom(32)
    statement = {
        "type": "sluis/v1/canaries",
        "origin": ORIGIN,
        "environment": "test",
        "request_id": str(uuid.uuid4()),
        "answerer": "uwv",
        "purpose": PURPOSE,
        "epoch": stage.begin.epoch,
        "key_id": maker.key_id,
        "scheme": "kvk",
        "match_keys": 1,
        "rows": 1,
        "record": commitment("record", salt, tokens_value([column])),
        "not_after": utc(stage.uwv.now() + timedelta(minutes=5)),
    }
    columns = [common_pb2.PseudonymColumn(pseudonyms=column.pseudonyms)]
    signed = stage.uwv.signed(statement)
    return [register_pb2.SetCanariesRequest(signed=signed, canaries_salt=salt, columns=columns)]


def _dispute(stage: Stage) -> list[Message]:
    return [stage.rectifier("nla").dispute_request(stage.ask, 1)]


def _report(stage: Stage) -> list[Message]:
    return [stage.rectifier("nla").report_request(stage.ask, 1)]


def _acknowledge(stage: Stage) -> list[Message]:
    return [stage.rectifier("uwv").acknowledge_request(stage.notice)]


def _explain(stage: Stage) -> list[Message]:
    statement = {
        "type": "sluis/v1/unusual-use",
        "origin": ORIGIN,
        "environment": "test",
        "party": "nla",
        "purpose": PURPOSE,
        "kind": "volume",
        "day": stage.nla.now().date().isoformat(),
        "first": stage.ask_index,
        "last": stage.ask_index,
        "explanation": "planned",
        "not_after": utc(stage.nla.now() + timedelta(minutes=9)),
    }
    signed = stage.nla.signed({**statement, "item": item_of(statement)})
    return [notices_pb2.ExplainUnusualUseRequest(signed=signed)]


def item_of(statement: Mapping[str, Any]) -> str:
    """The id of the item that a statement's facts make (docs/formats.md, Unusual use)."""
    facts = {name: statement[name] for name in ("day", "first", "kind", "last", "origin", "party", "purpose")}
    return hashlib.sha256(canonical_json({**facts, "type": "sluis/v1/unusual-use-item"})).hexdigest()[:32]


def _simple(message: Message) -> Builder:
    return lambda _: [message.__class__.FromString(message.SerializeToString())]


GOOD: dict[str, tuple[str, Builder]] = {
    "AuditService/GetCheckpoint": ("uwv", _simple(audit_pb2.GetCheckpointRequest())),
    "AuditService/ListEntries": ("uwv", _simple(audit_pb2.ListEntriesRequest(from_index=1, page_size=5))),
    "AuditService/GetInclusionProof": ("uwv", _simple(audit_pb2.GetInclusionProofRequest(index=1, tree_size=5))),
    "AuditService/GetConsistencyProof": ("uwv", _simple(audit_pb2.GetConsistencyProofRequest(old_size=1, new_size=5))),
    "AuditService/ListReceipts": ("uwv", _simple(audit_pb2.ListReceiptsRequest(page_size=5))),
    "AuditService/WatchReceipts": ("uwv", _simple(audit_pb2.WatchReceiptsRequest(from_index=1))),
    "AuditService/SearchSubject": ("nla", _search),
    "ExchangeService/Match": ("nla", question),
    "ExchangeService/CheckRequest": ("nla", _check),
    "ExchangeService/ListPurposes": ("nla", _simple(exchange_pb2.ListPurposesRequest(page_size=5))),
    "ExchangeService/GetPurpose": ("nla", _simple(exchange_pb2.GetPurposeRequest(purpose=PURPOSE))),
    "ExchangeService/GetPolicySet": ("nla", _simple(exchange_pb2.GetPolicySetRequest())),
    "ExchangeService/GetBudget": ("nla", _simple(exchange_pb2.GetBudgetRequest(purpose=PURPOSE))),
    "ExchangeService/GetExchange": (
        "nla",
        lambda stage: [exchange_pb2.GetExchangeRequest(exchange=str(stage.ask.statement["request_id"]))],
    ),
    "ExchangeService/DisputeHit": ("nla", _dispute),
    "ExchangeService/ReportOutcome": ("nla", _report),
    "ExchangeService/ListExchanges": ("nla", _simple(exchange_pb2.ListExchangesRequest(page_size=5))),
    "KeyService/PublishEncryptionKey": ("snf", _encryption_key),
    "KeyService/ListEncryptionKeys": ("snf", _simple(keys_pb2.ListEncryptionKeysRequest(parties=["nla", "uwv"]))),
    "KeyService/PublishEpoch": ("snf", _epoch),
    "KeyService/EndKey": ("nla", _end_key),
    "KeyService/GetEpoch": ("uwv", _simple(keys_pb2.GetEpochRequest(purpose=PURPOSE))),
    "NoticeService/ListNotices": ("uwv", _simple(notices_pb2.ListNoticesRequest(page_size=5))),
    "NoticeService/AcknowledgeNotice": ("uwv", _acknowledge),
    "NoticeService/ExplainUnusualUse": ("nla", _explain),
    "PseudonymService/GetPublicKey": ("uwv", _simple(pseudonym_pb2.GetPublicKeyRequest(purpose=PURPOSE))),
    "PseudonymService/Evaluate": ("uwv", _simple(pseudonym_pb2.EvaluateRequest(purpose=PURPOSE))),
    "PseudonymService/GetEvaluationBudget": ("uwv", _simple(pseudonym_pb2.GetEvaluationBudgetRequest(purpose=PURPOSE))),
    "RegisterService/BeginRegister": ("uwv", _begin),
    "RegisterService/UploadRows": ("uwv", _upload),
    "RegisterService/GetUpload": ("uwv", lambda s: [register_pb2.GetUploadRequest(upload=s.open_upload.upload)]),
    "RegisterService/SealRegister": ("uwv", _seal),
    "RegisterService/CorrectRecord": ("uwv", _correct),
    "RegisterService/SetCanaries": ("uwv", _canaries),
    "RegisterService/TakeQuestion": ("snf", _simple(register_pb2.TakeQuestionRequest(purpose=live_stage.PURPOSE))),
    "RegisterService/AnswerQuestion": ("snf", live_stage.good_answer),
    "RegisterService/WithdrawRegister": (
        "uwv",
        lambda stage: [register_pb2.WithdrawRegisterRequest(request_id=str(uuid.uuid4()), register=stage.register)],
    ),
    "RegisterService/GetRegister": ("uwv", lambda s: [register_pb2.GetRegisterRequest(register=s.register)]),
    "RegisterService/ListRegisters": ("uwv", _simple(register_pb2.ListRegistersRequest(page_size=5))),
}
