"""The key service of mode oblivious over the wire: quota, rights, bad input, crashes, keys; in a broker and alone."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from evaluated import pinned
from evaluating import (
    EPOCH,
    OTHER,
    OWN,
    PURPOSE,
    Blinded,
    Evaluates,
    make_oblivious_world,
    other_of,
    put_in_force,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc
from participant import Participant, details_of, reason_of
from sluis.v1 import exchange_pb2, exchange_pb2_grpc
from world import policy_texts

from broker.app import KeyService
from broker.audit.export import bundle_lines
from broker.audit.trust import parse_trust
from broker.audit.verify import verify
from broker.epoch_keys import RETIRED
from broker.errors import Code, SluisError
from broker.evaluations import MAX_ELEMENTS
from broker.key_destruction import DestroyRequest
from broker.own_log import key_requests_of, open_seeds
from broker.policy.suspension import sign_suspension
from broker.trust_making import trust_of

LIMIT = 40
SECOND = f"{EPOCH}.2"
"""Another key of the same period."""
pytestmark = pytest.mark.slow
ELEMENTS = Blinded([b"input %d" % at for at in range(10)])


def reason(call) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return reason_of(caught.value)


def entries(world, kind):
    reader = world.broker._store.reader
    found = (json.loads(entry.leaf) for entry in reader.entries(0, reader.size()))
    return [entry["body"] for entry in found if entry["kind"] == kind]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = make_oblivious_world(tmp_path_factory.mktemp("oblivious"), limit=LIMIT)
    world.start()
    yield world
    world.stop()


@pytest.fixture(scope="module")
def alone(world):
    other = other_of(world)
    other.broker = KeyService(other.config, clock=world.clock)
    other.port = other.broker.start()
    yield other
    other.stop()


def test_both_services_evaluate_what_the_client_can_verify(world, alone):
    for host in (world, alone):
        asker, answerer = Evaluates(host, "nla"), Evaluates(host, "uwv")
        public = asker.public_key()
        assert [(one.epoch, one.public_key) for one in asker.budget().epochs] == [(EPOCH, public)]
        again = Blinded([b"input %d" % at for at in range(10)])
        outputs = ELEMENTS.finalize(asker.evaluate(ELEMENTS.elements), public)
        assert again.finalize(answerer.evaluate(again.elements), public) == outputs


def test_a_service_alone_serves_nothing_else_and_says_when_it_is_ready(alone):
    health = health_pb2_grpc.HealthStub(alone.channel("nla"))
    request = health_pb2.HealthCheckRequest(service="sluis.v1.PseudonymService")
    assert health.Check(request, timeout=5).status == health_pb2.HealthCheckResponse.SERVING
    channel = alone.channel("nla")
    with pytest.raises(grpc.RpcError) as caught:
        exchange_pb2_grpc.ExchangeServiceStub(channel).ListPurposes(exchange_pb2.ListPurposesRequest(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_what_was_evaluated_is_debited_and_logged_by_its_number_alone(world):
    asker = Evaluates(world, "nla")
    before = asker.budget()
    request_id = str(uuid.uuid4())
    asker.evaluate(ELEMENTS.elements[:96], request_id)
    after = asker.budget()
    assert (after.key_service, after.period, after.limit, after.elements_per_request) == (OWN, EPOCH, LIMIT, 1024)
    assert after.spent == before.spent + 3
    assert after.until.ToDatetime(UTC) == datetime(2026, 11, 30, 23, 0, tzinfo=UTC)
    body = entries(world, "evaluation")[-1]
    assert body.pop("decided_at")[:10] == "2026-11-23"
    assert body.pop("policy_set")
    assert body == {
        "party": "nla",
        "purpose": PURPOSE,
        "key_service": OWN,
        "epoch": EPOCH,
        "public_key": asker.public_key().hex(),
        "request_id": request_id,
        "elements": 3,
        "period": EPOCH,
        "spent": before.spent,
    }


def test_a_repeat_is_answered_again_and_not_debited_again(world):
    asker = Evaluates(world, "nla")
    request_id, public = str(uuid.uuid4()), asker.public_key()
    first = asker.evaluate(ELEMENTS.elements, request_id)
    spent, logged = asker.budget().spent, len(entries(world, "evaluation"))
    again = asker.evaluate(ELEMENTS.elements, request_id)
    assert again.evaluated_elements == first.evaluated_elements
    assert ELEMENTS.finalize(again, public) == ELEMENTS.finalize(first, public)
    assert (asker.budget().spent, len(entries(world, "evaluation"))) == (spent, logged)
    other = Blinded([b"another"]).elements
    for changed in ({"elements": other}, {"elements": ELEMENTS.elements, "epoch": "2026-12"}):
        assert reason(lambda changed=changed: asker.evaluate(request_id=request_id, **changed)) in (
            "REQUEST_ID_REUSED",
            "EPOCH_NOT_IN_FORCE",
        )
    assert reason(lambda: asker.evaluate(other, request_id)) == "REQUEST_ID_REUSED"
    # ids are each party's own
    assert Evaluates(world, "uwv").evaluate(other, request_id).proof


def test_bad_requests_are_named_and_change_nothing(world):
    asker = Evaluates(world, "nla")
    spent = asker.budget().spent
    good = ELEMENTS.elements
    cases = {
        "LENGTH_WRONG": [b"", good[:31], good + b"x"],
        "COUNT_WRONG": [good[:32] * (MAX_ELEMENTS + 1)],
        "ELEMENT_INVALID": [bytes(32), good[:32] + b"\xff" * 32, good[:31] + bytes([good[31] | 0x80])],
    }
    for code, inputs in cases.items():
        for elements in inputs:
            assert reason(lambda elements=elements: asker.evaluate(elements)) == code
    for changed, code in (
        ({"request_id": "1"}, "FIELD_INVALID"),
        ({"request_id": str(uuid.uuid1())}, "FIELD_INVALID"),
        ({"purpose": ""}, "FIELD_MISSING"),
        ({"purpose": "nla-snf-locatie"}, "PURPOSE_UNKNOWN"),
        ({"purpose": "nla-verzoek-onderneming"}, "MODE_NOT_AVAILABLE"),
        ({"epoch": "2026-13"}, "FIELD_INVALID"),
        ({"epoch": "2026-10"}, "EPOCH_NOT_IN_FORCE"),
        ({"epoch": "2026-12"}, "EPOCH_NOT_IN_FORCE"),
        ({"epoch": "2026Q4"}, "EPOCH_NOT_IN_FORCE"),
    ):
        assert reason(lambda changed=changed: asker.evaluate(good, **changed)) == code, changed
    assert asker.budget().spent == spent
    assert entries(world, "refusal")[-1]["code"] == "EPOCH_NOT_IN_FORCE"


def test_who_has_no_part_in_the_purpose_gets_nothing(world, alone):
    for host in (world, alone):
        stranger = Evaluates(host, "snf")
        assert reason(lambda stranger=stranger: stranger.evaluate(ELEMENTS.elements)) == "PURPOSE_UNKNOWN"
        assert reason(stranger.budget) == "PURPOSE_UNKNOWN"
        assert reason(stranger.public_key) == "PURPOSE_UNKNOWN"


def test_the_quota_is_kept_to_the_element_and_told(world):
    asker = Evaluates(world, "nla")
    budget = asker.budget()
    left = budget.limit - budget.spent
    with pytest.raises(grpc.RpcError) as caught:
        asker.evaluate(Blinded([b"%d" % at for at in range(left + 1)]).elements)
    told = details_of(caught.value)
    assert (told.reason, caught.value.code()) == ("QUOTA_SPENT", grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert dict(told.metadata) == {"left": str(left), "limit": str(LIMIT), "period": EPOCH}
    assert entries(world, "refusal")[-1]["code"] == "QUOTA_SPENT"
    last, whole = str(uuid.uuid4()), Blinded([b"%d" % at for at in range(left)])
    asker.evaluate(whole.elements, last)
    assert reason(lambda: asker.evaluate(ELEMENTS.elements[:32])) == "QUOTA_SPENT"
    # what was debited is answered still
    assert whole.finalize(asker.evaluate(whole.elements, last), asker.public_key())
    # the answerer has a quota of its own, for a register
    assert Evaluates(world, "uwv").budget().limit == 250_000


def test_both_logs_verify_with_their_quotas_recounted(world, alone):
    Evaluates(alone, "nla").evaluate(ELEMENTS.elements)
    for host in (world, alone):
        report = verify(bundle_lines(host.broker._store.reader), parse_trust(trust_of(host.config)))
        assert report.findings == ()
        assert report.kinds["evaluation"] >= 1


class Monthly(Participant):
    """A participant of a purpose in mode oblivious. How it makes pseudonyms is nothing the broker could see."""

    period = "month"

    def signed(self, statement):
        is_epoch = statement["type"] == "sluis/v1/epoch"
        return super().signed({**statement, "mode": "oblivious"} if is_epoch else statement)


def test_a_broker_with_a_key_service_takes_epochs_registers_and_questions_in_mode_oblivious(tmp_path):
    world = make_oblivious_world(tmp_path)
    world.start()
    try:
        nla, uwv = Monthly(world, "nla"), Monthly(world, "uwv")
        nla.make_epoch(PURPOSE, [nla, uwv])
        uwv.publish(PURPOSE, "bsn", {"999993653": [], "999991772": []})
        ask = nla.question(PURPOSE, "bsn", ["999993653", "999990019"], ["uwv"], case_number="NLA-2026-12345")
        answered = nla.send(ask)["uwv"]
        assert (answered.head.decision.permitted, answered.head.hits) == (True, 1)
        facts = entries(world, "ask")[-1]["facts"]
        assert facts["modes_available"] == ["keyed", "oblivious"]
        report = verify(bundle_lines(world.broker._store.reader), parse_trust(trust_of(world.config)))
        assert report.findings == ()
        assert report.replayed_same == 1
        # the mode is the purpose's: nobody has a register of persons under keyed pseudonyms by mistake
        with pytest.raises(grpc.RpcError) as caught:
            Keyed(world, "nla").make_epoch(PURPOSE, [nla, uwv])
        assert reason_of(caught.value) == "STATEMENT_INVALID"
    finally:
        world.stop()


class Keyed(Participant):
    """A participant that takes the purpose for one in mode keyed."""

    period = "month"


def test_a_crash_between_debit_and_answer_costs_the_quota_and_the_repeat_is_answered(tmp_path, monkeypatch):
    world = make_oblivious_world(tmp_path, limit=10)
    world.start()
    try:
        seeds = world.broker._seeds
        with monkeypatch.context() as patched:
            patched.setattr(seeds._evaluator, "evaluate", lambda *_: 1 / 0)
            request_id = str(uuid.uuid4())
            assert reason(lambda: Evaluates(world, "nla").evaluate(ELEMENTS.elements, request_id)) == "INTERNAL"
        world.stop()
        world.start()
        asker = Evaluates(world, "nla")
        assert asker.budget().spent == 10
        assert ELEMENTS.finalize(asker.evaluate(ELEMENTS.elements, request_id), asker.public_key())
        assert asker.budget().spent == 10
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "QUOTA_SPENT"
    finally:
        world.stop()


def test_states_and_pins_close_a_purpose(tmp_path):
    world = make_oblivious_world(tmp_path)
    world.start()
    try:
        asker = Evaluates(world, "nla")
        assert asker.evaluate(ELEMENTS.elements).proof
        put_in_force(world, 3, state="suspended")
        world.broker._look_at_policy(again=True)
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "POLICY_DENIES"
        own, other = (
            open_seeds(config).public_key(PURPOSE, EPOCH).hex() for config in (world.config, other_of(world).config)
        )
        swapped = {EPOCH: {OWN: other, OTHER: own}}
        world.write_bundle(pinned(policy_texts(), swapped), 4)
        world.broker._look_at_policy(again=True)
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "SERVICE_KEY_WRONG"
        # the key it has is shown, not the one it should have: so no client spends anything at the other service
        assert [one.public_key.hex() for one in asker.budget().epochs] == [own]
        put_in_force(world, 5)
        world.broker._look_at_policy(again=True)
        assert asker.evaluate(ELEMENTS.elements).proof
        world.broker._sequencer.submit(lambda tx: tx.put_document(RETIRED, f"{PURPOSE}/{EPOCH}", b"{}"))
        # K alone leaked: the policy has no other keys for the one in its place, which is made with these
        assert asker.evaluate(ELEMENTS.elements).proof
        pins = {EPOCH: {OWN: own, OTHER: other}, SECOND: {}}
        for name, config in ((OWN, world.config), (OTHER, other_of(world).config)):
            pins[SECOND][name] = open_seeds(config).make(PURPOSE, SECOND, "2026-11-20T09:00:00Z").public.hex()
        world.write_bundle(pinned(policy_texts(), pins), 6)
        world.broker._look_at_policy(again=True)
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "EPOCH_RETIRED"
        assert asker.evaluate(ELEMENTS.elements, epoch=SECOND).proof
    finally:
        world.stop()


def test_an_epoch_that_overlaps_counts_in_the_one_that_runs_and_a_notice_closes_the_purpose(tmp_path):
    world = make_oblivious_world(tmp_path, datetime(2026, 12, 2, 9, 0, tzinfo=UTC), overlap=3)
    world.start()
    try:
        asker = Evaluates(world, "nla")
        assert reason(lambda: asker.evaluate(ELEMENTS.elements, epoch="2026-12")) == "SERVICE_KEY_WRONG"
        assert asker.evaluate(ELEMENTS.elements).proof
        budget = asker.budget()
        assert (budget.period, budget.spent, [one.epoch for one in budget.epochs]) == ("2026-12", 10, [EPOCH])
        notice = sign_suspension(
            PURPOSE,
            "an incident at the source",
            origin=world.config.origin,
            environment="test",
            made_at=world.clock.at,
            key=world.officers.keys["uwv"],
        )
        world.broker._in_force.suspend(notice.encode())
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "POLICY_DENIES"
        assert reason(asker.budget) == "POLICY_DENIES"
        report = verify(bundle_lines(world.broker._store.reader), parse_trust(trust_of(world.config)))
        assert report.findings == ()
    finally:
        world.stop()


def test_a_destroyed_key_is_gone_logged_and_stays_gone(tmp_path):
    world = make_oblivious_world(tmp_path)
    world.start()
    try:
        asker = Evaluates(world, "nla")
        asker.evaluate(ELEMENTS.elements)
        destruction, seeds = world.broker._destruction, world.broker._seeds
        public = seeds.public_key(PURPOSE, EPOCH)
        with pytest.raises(SluisError) as caught:
            destruction.take(DestroyRequest(PURPOSE, EPOCH).encode())
        assert caught.value.code is Code.ERASURE_TOO_SOON
        assert "2028-11-30" in caught.value.message
        path = world.config.keys / "voprf" / f"{PURPOSE}.{EPOCH}.json"
        copy = path.read_bytes()
        folder = key_requests_of(world.config)
        folder.mkdir()
        (folder / "1.json").write_bytes(DestroyRequest(PURPOSE, EPOCH, "the key directory was copied").encode())
        world.broker._destroy_keys()
        assert not path.exists()
        assert (folder / "taken" / "1.json").exists()
        assert entries(world, "config")[-1] == {
            "what": "service-key-destroyed",
            "key_service": OWN,
            "purpose": PURPOSE,
            "epoch": EPOCH,
            "public_key": public.hex(),
            "reason": "the key directory was copied",
        }
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "SERVICE_KEY_WRONG"
        path.write_bytes(copy)  # from a backup, while the service runs
        path.chmod(0o600)
        assert list(asker.budget().epochs) == []
        spent = asker.budget().spent
        assert reason(lambda: asker.evaluate(ELEMENTS.elements)) == "SERVICE_KEY_WRONG"
        assert asker.budget().spent == spent
        world.stop()
        world.start()
        assert not path.exists()
        report = verify(bundle_lines(world.broker._store.reader), parse_trust(trust_of(world.config)))
        assert report.findings == ()
    finally:
        world.stop()


def test_a_key_that_is_due_is_destroyed_without_a_reason(tmp_path):
    world = make_oblivious_world(tmp_path)
    world.start()
    try:
        world.clock.at += timedelta(days=8 + 730)
        assert world.broker._destruction.take(DestroyRequest(PURPOSE, EPOCH).encode()) is not None
        assert entries(world, "config")[-1]["reason"] is None
    finally:
        world.stop()
