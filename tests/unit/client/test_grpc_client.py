"""The transport over real gRPC on the loopback, against servicers that do what a test tells them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import pytest
from fake_broker import World
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from sluis.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    common_pb2,
    exchange_pb2,
    exchange_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    notices_pb2,
    notices_pb2_grpc,
    pseudonym_pb2,
    pseudonym_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
)
from sluis_client.canonical import pack_presence
from sluis_client.client import GrpcTransport, Retries
from sluis_client.client.key_services import GrpcKeyService, KeyServices
from sluis_client.errors import ClientError, Exit
from sluis_client.policy import ServiceView
from sluis_client.profile_services import ServiceAddress
from sluis_client.pseudonymise import Column
from sluis_client.statements import SignedStatement
from sluis_client.transport import DryRun, Opening, Question, Want
from sluis_client.upload import NewUpload, RegisterRun

SIGNED = SignedStatement(b"{}", b"s")
ANSWER = exchange_pb2.Answer(status=exchange_pb2.ANSWER_STATUS_NO_REGISTER, exchange="x")


def question(rows=3, match_keys=1, **options):
    columns = tuple(Column(bytes([7]) * 16 * rows, pack_presence(None, rows)) for _ in range(match_keys))
    return Question(SIGNED, bytes(32), columns, **options)


def status(code, reason="", *, violations=(), retry_ms=None, domain="sluis", text="do this"):
    """A status as the broker's interceptor makes it."""
    details = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    if violations:
        fields = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in violations]
        details.append(error_details_pb2.BadRequest(field_violations=fields))
    if retry_ms is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(retry_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    message = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        message.details.append(packed)
    return code, message


class House:
    """Servicers whose every method answers from `replies`: a status to refuse with, or a message."""

    def __init__(self):
        self.replies = {}
        self.requests = []
        self.left = {}

    def answer(self, name, request, context, default):
        self.left[name] = context.time_remaining()
        self.requests.append((name, request))
        planned = self.replies.get(name, [])
        reply = planned.pop(0) if planned else default
        if isinstance(reply, tuple):
            code, message = reply
            raw = message if isinstance(message, bytes) else message.SerializeToString()
            context.set_trailing_metadata((("grpc-status-details-bin", raw),))
            context.abort(code, "do this")
        return reply

    def servicer(self, base):
        house = self

        def method(name):
            streams = name in ("Match", "UploadRows")

            def unary(_, request, context):
                return house.answer(name, list(request) if streams else request, context, RESPONSES[name]())

            def streaming(_, request, context):
                yield from house.answer(name, list(request), context, [])

            return streaming if name == "Match" else unary

        names = [name for name in vars(base) if name[0].isupper()]
        return type("Told", (base,), {name: method(name) for name in names})()


STAMP = Timestamp()
STAMP.FromDatetime(datetime(2026, 11, 23, tzinfo=UTC))
RESPONSES = {
    rpc.name: getattr(module, rpc.output_type.name)
    for module in (exchange_pb2, register_pb2, keys_pb2, audit_pb2, notices_pb2, pseudonym_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for rpc in service.methods
}
BASES = (
    (exchange_pb2_grpc.add_ExchangeServiceServicer_to_server, exchange_pb2_grpc.ExchangeServiceServicer),
    (register_pb2_grpc.add_RegisterServiceServicer_to_server, register_pb2_grpc.RegisterServiceServicer),
    (keys_pb2_grpc.add_KeyServiceServicer_to_server, keys_pb2_grpc.KeyServiceServicer),
    (audit_pb2_grpc.add_AuditServiceServicer_to_server, audit_pb2_grpc.AuditServiceServicer),
    (notices_pb2_grpc.add_NoticeServiceServicer_to_server, notices_pb2_grpc.NoticeServiceServicer),
    (pseudonym_pb2_grpc.add_PseudonymServiceServicer_to_server, pseudonym_pb2_grpc.PseudonymServiceServicer),
)


@pytest.fixture
def house():
    made = House()
    server = grpc.server(ThreadPoolExecutor(4))
    for add, base in BASES:
        add(made.servicer(base), server)
    made.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    made.sleeps = []
    retries = Retries(attempts=4, sleep=made.sleeps.append, jitter=lambda: 1.0)
    channel = grpc.insecure_channel(f"127.0.0.1:{made.port}")
    made.key_service = GrpcKeyService("oost", channel, retries)
    with GrpcTransport(channel, retries) as transport:
        made.transport = transport
        yield made
    server.stop(0).wait()


def refusal(call):
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value


CALLS = {
    "Match": lambda t: t.match(question()),
    "CheckRequest": lambda t: t.dry_run(DryRun("p", ("snf",), "bag", 1, Want(hit=True), 1)),
    "ListPurposes": lambda t: t.purposes(),
    "GetPurpose": lambda t: t.purpose("p"),
    "GetPolicySet": lambda t: t.policy_bundle(),
    "GetBudget": lambda t: t.budget("p"),
    "GetExchange": lambda t: t.exchange("x"),
    "ListExchanges": lambda t: t.exchanges(),
    "BeginRegister": lambda t: t.begin(NewUpload("r", "p", "2026Q4", "k", "bag", 1, ())),
    "UploadRows": lambda t: t.upload_rows("u", [RegisterRun(0, question().columns)]),
    "GetUpload": lambda t: t.upload("u"),
    "SealRegister": lambda t: t.seal("u", SIGNED),
    "WithdrawRegister": lambda t: t.withdraw("r", "snf/p/2026Q4/bag"),
    "ListRegisters": lambda t: t.registers(),
    "PublishEncryptionKey": lambda t: t.publish_encryption_key(SIGNED),
    "ListEncryptionKeys": lambda t: t.encryption_keys(["snf"]),
    "PublishEpoch": lambda t: t.publish_epoch(SIGNED, [("snf", b"e")]),
    "GetEpoch": lambda t: t.epoch("p", "2026Q4"),
    "GetCheckpoint": lambda t: t.checkpoint(),
    "GetConsistencyProof": lambda t: t.consistency(1, 2),
    "ListReceipts": lambda t: t.receipts(0),
    "ExplainUnusualUse": lambda t: t.explain_unusual_use(SIGNED),
    "GetInclusionProof": lambda t: t.inclusion(1, 2),
    "ListEntries": lambda t: t.entries(0),
}
STREAMS = {"Match", "UploadRows"}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_deadline_within_the_brokers_limits(house, name):
    CALLS[name](house.transport)
    assert 30 < house.left[name] <= (900 if name in STREAMS else 300)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "UploadRows"])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED])
def test_what_may_pass_is_tried_again_with_the_same_bytes(house, name, code):
    house.replies[name] = [status(code, "SHUTTING_DOWN"), status(code, "SHUTTING_DOWN")]
    CALLS[name](house.transport)
    sent = [request for called, request in house.requests if called == name]
    assert len(sent) == 3
    assert sent[0] == sent[1] == sent[2]
    assert house.sleeps == [0.25, 0.5]


@pytest.mark.parametrize("name", CALLS)
def test_what_will_not_pass_is_not_tried_again(house, name):
    house.replies[name] = [status(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")] * 2
    error = refusal(lambda: CALLS[name](house.transport))
    assert (error.code, error.message, error.exit_code) == ("FIELD_INVALID", "do this", Exit.BROKER_REFUSED)
    assert (len(house.requests), house.sleeps) == (1, [])


def test_an_upload_is_one_attempt(house):
    """Whoever goes on must first ask how far the broker got."""
    house.replies["UploadRows"] = [status(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")]
    error = refusal(lambda: CALLS["UploadRows"](house.transport))
    assert (error.code, error.exit_code) == ("SHUTTING_DOWN", Exit.BROKER_UNREACHABLE)
    assert len(house.requests) == 1


def test_tries_are_bounded_and_the_last_reason_is_told(house):
    house.replies["GetBudget"] = [status(grpc.StatusCode.ABORTED, "EXCHANGE_OPEN", retry_ms=700)] * 9
    error = refusal(lambda: house.transport.budget("p"))
    assert (error.code, error.exit_code) == ("EXCHANGE_OPEN", Exit.BROKER_UNREACHABLE)
    assert len(house.requests) == 4
    # the broker's RetryInfo is waited for when it is longer than our own delay
    assert house.sleeps == [0.7, 0.7, 1.0]


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, "POLICY_DENIES", Exit.POLICY_DENIED),
        (grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_UNKNOWN", Exit.KEY_TROUBLE),
        (grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_REVOKED", Exit.KEY_TROUBLE),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", Exit.BROKER_REFUSED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED", Exit.BROKER_UNREACHABLE),
        (grpc.StatusCode.INTERNAL, "INTERNAL", Exit.BROKER_REFUSED),
    ],
)
def test_reasons_have_their_exit_codes(house, code, reason, exit_code):
    house.replies["GetBudget"] = [status(code, reason)]
    error = refusal(lambda: house.transport.budget("p"))
    assert (error.code, error.exit_code) == (reason, exit_code)


def test_several_violations_are_all_told(house):
    violations = [("a", "is wrong"), ("b", "is missing")]
    house.replies["GetBudget"] = [
        status(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", violations=violations, text="a: is wrong")
    ]
    assert refusal(lambda: house.transport.budget("p")).message == "a: is wrong; a: is wrong; b: is missing"


@pytest.mark.parametrize("details", [b"", b"\xff\xff", status(grpc.StatusCode.NOT_FOUND)[1]])
def test_a_status_without_our_details_is_still_told(house, details):
    house.replies["GetBudget"] = [(grpc.StatusCode.NOT_FOUND, details)]
    error = refusal(lambda: house.transport.budget("p"))
    assert (error.code, error.exit_code) == ("NOT_FOUND", Exit.BROKER_REFUSED)


def test_another_domains_reason_is_not_taken_for_ours(house):
    house.replies["GetBudget"] = [status(grpc.StatusCode.PERMISSION_DENIED, "POLICY_DENIES", domain="proxy")]
    error = refusal(lambda: house.transport.budget("p"))
    assert (error.code, error.exit_code) == ("PERMISSION_DENIED", Exit.BROKER_REFUSED)


def test_nobody_there_is_exit_code_7():
    retries = Retries(attempts=2, sleep=lambda _: None)
    with GrpcTransport(grpc.insecure_channel("127.0.0.1:1"), retries) as transport:
        error = refusal(transport.checkpoint)
    assert (error.code, error.exit_code) == ("BROKER_UNREACHABLE", Exit.BROKER_UNREACHABLE)
    assert "nothing is done twice" in error.message


@pytest.mark.parametrize(("rows", "match_keys"), [(1, 1), (7, 3), (16_384, 1), (16_385, 1), (70_000, 2)])
def test_a_question_travels_whole_in_small_messages(house, rows, match_keys):
    pseudonyms = b"".join(number.to_bytes(16, "big") for number in range(1, rows + 1))
    present = [number % 3 > 0 for number in range(rows)]
    column = Column(pseudonyms, pack_presence(present, rows))
    asked = Question(SIGNED, bytes(32), (column,) * match_keys, case_number=Opening(b"s" * 32, b"UTR-1"))
    seen = []
    house.transport.match(asked, lambda *step: seen.append(step))
    (_, (head, *messages)) = house.requests[0]
    assert head.ask.case_number.value == b"UTR-1"
    assert not head.ask.HasField("cooperation_ref")
    at = 0
    parts = []
    for message in messages:
        assert message.ByteSize() <= 300 * 1024
        assert message.rows.offset == at
        first = message.rows.columns[0]
        assert list(message.rows.columns) == [first] * match_keys
        count = len(first.pseudonyms) // 16
        assert first.presence == pack_presence(present[at : at + count], count)
        parts.append(first.pseudonyms)
        at += count
    assert (at, b"".join(parts)) == (rows, pseudonyms)
    assert seen[-1] == ("asking", rows, rows)


def response(**part):
    return exchange_pb2.MatchResponse(answerer=part.pop("answerer", "snf"), **part)


HEAD = response(answer=ANSWER)
ROWS = response(rows=exchange_pb2.AnswerRows(positions=bytes(4), statuses=b"\1", match_keys=b"\1"))
END = response(receipts=exchange_pb2.AnswerReceipts(ask=common_pb2.Receipt(leaf=b"{}")))


def test_answers_of_several_answerers_are_told_apart(house):
    other = [
        response(answerer=who, **part)
        for who, part in (("nla", {"answer": ANSWER}), ("nla", {"receipts": exchange_pb2.AnswerReceipts()}))
    ]
    house.replies["Match"] = [[HEAD, ROWS, ROWS, END, *other]]
    first, second = house.transport.match(question())
    assert (first.answerer, first.status, len(first.runs), first.ask.leaf) == ("snf", 3, 2, b"{}")
    assert (second.answerer, second.runs, second.ask, second.count) == ("nla", (), None, None)


@pytest.mark.parametrize(
    "stream",
    [
        [ROWS],
        [END],
        [HEAD],
        [HEAD, ROWS],
        [HEAD, HEAD, END],
        [HEAD, response(answerer="nla", rows=exchange_pb2.AnswerRows()), END],
        [HEAD, response()],
        [HEAD, END, ROWS],
    ],
)
def test_a_stream_out_of_order_is_refused(house, stream):
    house.replies["Match"] = [stream]
    error = refusal(lambda: house.transport.match(question()))
    assert (error.code, error.exit_code) == ("ANSWER_BROKEN", Exit.VERIFICATION_FAILED)


def test_what_breaks_the_rows_of_an_upload_comes_out_as_it_was(house):
    def runs():
        yield RegisterRun(0, question().columns)
        raise ClientError("FIELD_TOO_LONG", "a field", Exit.USAGE)

    error = refusal(lambda: house.transport.upload_rows("u", runs()))
    assert (error.code, error.exit_code) == ("FIELD_TOO_LONG", Exit.USAGE)


def test_pages_are_followed_to_the_end(house):
    register = register_pb2.Register(name="a", state=register_pb2.REGISTER_STATE_EXPIRED, expires_at=STAMP)
    house.replies["ListRegisters"] = [
        register_pb2.ListRegistersResponse(registers=[register], next_page_token="t1"),
        register_pb2.ListRegistersResponse(registers=[register]),
    ]
    found = house.transport.registers()
    assert [(one.name, one.state) for one in found] == [("a", "EXPIRED")] * 2
    assert [request.page_token for _, request in house.requests] == ["", "t1"]
    summary = exchange_pb2.ExchangeSummary(exchange="x", asked_at=STAMP)
    page = exchange_pb2.ListExchangesResponse(exchanges=[summary] * 3, next_page_token="t")
    house.replies["ListExchanges"] = [page, page, page]
    assert len(house.transport.exchanges(limit=5)) == 5
    house.replies["ListPurposes"] = [
        exchange_pb2.ListPurposesResponse(purposes=[exchange_pb2.Purpose(name="p")], next_page_token="t"),
        exchange_pb2.ListPurposesResponse(purposes=[exchange_pb2.Purpose(name="q")]),
    ]
    assert [one.name for one in house.transport.purposes()] == ["p", "q"]


def test_a_time_outside_the_calendar_is_refused(house):
    bad = Timestamp(seconds=10**15)
    house.replies["GetBudget"] = [exchange_pb2.GetBudgetResponse(resets_at=bad)]
    assert refusal(lambda: house.transport.budget("p")).code == "ANSWER_BROKEN"


ASKED = ("11111111-1111-4111-8111-111111111111", "persons", "2026-11", b"b" * 64)


def test_a_key_service_is_asked_again_with_the_same_bytes_also_while_its_slots_are_taken(house):
    house.replies["Evaluate"] = [
        status(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
        status(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS"),
        pseudonym_pb2.EvaluateResponse(evaluated_elements=b"e" * 64, proof=b"p" * 64),
    ]
    assert house.key_service.evaluate(*ASKED) == (b"e" * 64, b"p" * 64)
    sent = [request for _, request in house.requests]
    assert len(sent) == 3
    assert sent[0] == sent[1] == sent[2]
    assert house.left["Evaluate"] <= 300


def test_slots_that_stay_taken_and_other_refusals_are_told_with_the_service(house):
    house.replies["Evaluate"] = [status(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")] * 9
    assert refusal(lambda: house.key_service.evaluate(*ASKED)).code == "TOO_MANY_STREAMS"
    assert len(house.requests) == 5
    house.replies["Evaluate"] = [status(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_SPENT")]
    error = refusal(lambda: house.key_service.evaluate(*ASKED))
    assert (error.code, error.message) == ("QUOTA_SPENT", "key service oost: do this")


def test_the_budget_of_a_key_service(house):
    keys = [pseudonym_pb2.EpochPublicKey(epoch="2026-11", public_key=b"k" * 32)]
    house.replies["GetEvaluationBudget"] = [
        pseudonym_pb2.GetEvaluationBudgetResponse(
            key_service="oost", period="2026-11", until=STAMP, limit=10, spent=12, elements_per_request=7, epochs=keys
        )
    ]
    budget = house.key_service.budget("persons")
    assert (budget.service, budget.left, budget.elements_per_request) == ("oost", 0, 7)
    assert budget.public_keys == {"2026-11": b"k" * 32}
    assert budget.until == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("known", [True, False])
def test_a_key_service_out_of_reach_is_named_with_the_setting_of_its_ca(tmp_path, monkeypatch, known):
    """Who looks at `broker_issuers` for the CA of another operator's key service looks in the wrong place."""
    profile = World(tmp_path).participant("utrecht").profile
    address = {"oost": ServiceAddress("127.0.0.1:1", tmp_path / "none.pem")} if known else {}
    nowhere = grpc.insecure_channel("127.0.0.1:1")
    monkeypatch.setattr("sluis_client.client.key_services.secure_channel", lambda *_: nowhere)
    monkeypatch.setattr("sluis_client.client.key_services.read_file", lambda *_: b"")
    service = ServiceView("oost", "sleuteldienst-oost" if known else "broker", {})
    with KeyServices(replace(profile, key_services=address), Retries(attempts=1)) as services:
        error = refusal(lambda: services.connect(service).budget("persons"))
    assert error.code == "BROKER_UNREACHABLE"
    assert "no answer from key service oost" in error.message
    assert ("`ca_file` of oost under `key_services`" in error.message) is known
    assert ("`broker_issuers`" in error.message) is not known
