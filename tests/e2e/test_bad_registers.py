"""Registers that do not hold together: repeats, replays after a replacement, and a policy that moved meanwhile."""

from __future__ import annotations

import uuid
from pathlib import Path

import grpc
import pytest
from participant import Participant, reason_of
from sluis.v1 import common_pb2, register_pb2
from sluis_client.pseudonymise import Column
from sluis_client.receipts import RegisterDigest
from stage import ATTRIBUTES, KVK, PURPOSE, Stage, make_stage, state_of
from world import policy_texts, running

pytestmark = pytest.mark.slow


def _seal(stage: Stage) -> register_pb2.SealRegisterResponse:
    manifest = stage.resigned("uwv", stage.manifest)
    request = register_pb2.SealRegisterRequest(upload=stage.full_upload.upload, manifest=manifest)
    return stage.uwv.registers.SealRegister(request, timeout=20)


def test_sealing_again_gives_the_same_register_also_when_it_was_replaced(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        stage = make_stage(world)
        first = _seal(stage)
        entries = len(state_of(world).leaves)
        assert _seal(stage) == first
        assert len(state_of(world).leaves) == entries
        stage.uwv.publish(PURPOSE, "kvk", {KVK[0]: ["7"]}, ATTRIBUTES)
        again = _seal(stage)
        assert again.register.version == first.register.version
        assert again.register == first.register
        assert again.receipt.leaf == first.receipt.leaf
        upload = register_pb2.GetUploadRequest(upload=stage.full_upload.upload)
        reply = stage.uwv.registers.GetUpload(upload, timeout=20)
        assert (reply.sealed, reply.committed_rows) == (True, 40)


def test_an_identifier_that_occurs_too_often_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        stage = make_stage(world)
        maker = stage.uwv.pseudonymiser(PURPOSE, "kvk")
        (column,) = maker.columns([(KVK[0],)], 1)
        rows = 17  # the catalogue allows 16 for a KvK number
        request = register_pb2.BeginRegisterRequest()
        request.CopyFrom(stage.begin)
        request.request_id = str(uuid.uuid4())
        request.ClearField("attributes")
        begun = stage.uwv.registers.BeginRegister(request, timeout=20)
        many = Column(bytes(column.pseudonyms) * rows, b"\xff\xff\x01")
        digest = RegisterDigest(1, 0)
        digest.feed([many], [], b"", [])
        message = register_pb2.UploadRowsRequest(
            upload=begun.upload,
            rows=register_pb2.RegisterRows(columns=[common_pb2.PseudonymColumn(pseudonyms=many.pseudonyms)]),
        )
        stage.uwv.registers.UploadRows(iter([message]), timeout=20)
        said = {"rows": rows, "attributes": [], "version": begun.version, "digest": digest.hexdigest()}
        manifest = stage.resigned("uwv", {**stage.manifest, **said})
        before = state_of(world)
        seal = register_pb2.SealRegisterRequest(upload=begun.upload, manifest=manifest)
        with pytest.raises(grpc.RpcError) as caught:
            stage.uwv.registers.SealRegister(seal, timeout=20)
        assert reason_of(caught.value) == "TOO_MANY_PER_PSEUDONYM"
        assert state_of(world).differs(before) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("state: active", "state: suspended", "POLICY_DENIES"),
        ("answers: [uwv, svb, belastingdienst, municipalities]", "answers: [svb, belastingdienst]", "POLICY_DENIES"),
        (None, None, "PURPOSE_UNKNOWN"),
    ],
)
def test_a_policy_that_moved_since_the_upload_began_is_heeded(
    tmp_path: Path, old: str | None, new: str | None, reason: str
) -> None:
    with running(tmp_path) as world:
        stage = make_stage(world)
        texts = policy_texts()
        name = f"purposes/{PURPOSE}.yaml"
        if old is None or new is None:
            del texts[name]
        else:
            assert old in texts[name]
            texts[name] = texts[name].replace(old, new)
            if "answers" in old:  # nobody of the rest holds what only UWV and municipalities hold
                texts[name] = texts[name].replace("    registered-employees: ", "    # registered-employees: ")
        world.stop()
        world.write_bundle(texts, revision=2)
        world.start()
        stage.uwv = Participant(world, "uwv")
        before = state_of(world)
        with pytest.raises(grpc.RpcError) as caught:
            _seal(stage)
        assert reason_of(caught.value) == reason
        assert state_of(world).differs(before) == []
