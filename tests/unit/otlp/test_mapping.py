"""What each entry is in Logboek Dataverwerkingen and in the Authorization Decision Log: every field, exact names."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from audit_kit import played
from collector import Collector, attributes_of, plain
from log_kit import ORIGIN
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from broker.canonical import encode
from broker.errors import SluisError
from broker.otlp.encoding import LOGS, TRACES, any_value, export_request, rejected
from broker.otlp.mapping import EntryMapping, SubjectNames
from broker.otlp.tokens import subjects

WORLD = played()
LEAVES = [base64.b64decode(json.loads(line)["leaf"]) for line in WORLD.lines() if line.startswith(b'{"leaf"')]
KINDS = [WORLD.entry(at)[0] for at in range(WORLD.size)]
ASK = KINDS.index("ask")
RELEASE = KINDS.index("release")
DENIED = next(at for at, kind in enumerate(KINDS) if kind == "ask" and WORLD.body(at)["decision"]["effect"] == "deny")
PSEUDONYMS = [bytes([at + 1]) * 16 for at in range(10)]
TOKENS = encode(b"\xff\x03", b"".join(PSEUDONYMS))
KEY = b"k" * 32


def mapping(names: SubjectNames | None = None) -> EntryMapping:
    archive = {json.loads(bundle)["manifest"]["digest"]: bundle for bundle in WORLD.archive}
    return EntryMapping(
        ORIGIN,
        leaf=LEAVES.__getitem__,
        policy_set=archive.get,
        party_url="https://parties.example/{party}",
        names=names,
    )


def exported(names: SubjectNames | None = None, *indices: int) -> Collector:
    """All entries (or some), through the JSON and back through the published messages."""
    collector = Collector()
    records: dict[str, list[dict[str, Any]]] = {TRACES: [], LOGS: []}
    for index in indices or range(WORLD.size):
        for signal, record in mapping(names).records(LEAVES[index]):
            records[signal].append(record)
    for signal, found in records.items():
        if found:
            body = export_request(signal, {"service.name": "sluis"}, "1", found)
            collector.take(f"/v1/{signal}", "application/json", body)
    return collector


def names(tokens: bytes | None = TOKENS) -> SubjectNames:
    return SubjectNames(KEY, lambda _: tokens)


ALL = exported()


def spans(collector: Collector = ALL) -> dict[str, Span]:
    return {str(attributes_of(span)["log.record.uid"]): span for span in collector.spans}


def logs() -> dict[str, LogRecord]:
    return {str(attributes_of(record)["log.record.uid"]): record for record in ALL.logs}


def test_every_ask_and_release_is_a_span_and_nothing_else() -> None:
    assert set(spans()) == {f"{ORIGIN}/{at}" for at, kind in enumerate(KINDS) if kind in ("ask", "release")}
    assert len(ALL.spans) == len(spans())


def test_every_decision_is_exactly_one_record() -> None:
    assert set(logs()) == {f"{ORIGIN}/{at}" for at, kind in enumerate(KINDS) if kind in ("ask", "evaluation")}
    assert len(ALL.logs) == len(logs())


def nanoseconds(text: str) -> int:
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(text)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000) * 1_000


def time_of(index: int) -> str:
    return str(json.loads(LEAVES[index])["sequenced_at"])


def test_the_span_of_an_ask() -> None:
    ask, span = WORLD.body(ASK), spans()[f"{ORIGIN}/{ASK}"]
    assert attributes_of(span) == {
        "dpl.core.processing_activity_id": WORLD.policies.purposes["snf-locatie"].processing_activity,
        "dpl.core.foreign_operation.processor": "https://parties.example/utrecht",
        "sluis.subjects": 10,
        "sluis.subjects_state": "not exported",
        "log.record.uid": f"{ORIGIN}/{ASK}",
    }
    assert (span.name, span.kind) == ("question under snf-locatie: permit", Span.SPAN_KIND_SERVER)
    assert abs(span.start_time_unix_nano - nanoseconds(ask["decided_at"])) < 2_000
    assert abs(span.end_time_unix_nano - nanoseconds(time_of(ASK))) < 2_000
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert not span.parent_span_id
    assert (len(span.trace_id), len(span.span_id)) == (16, 8)


def test_the_span_of_a_release_hangs_under_its_ask() -> None:
    ask, release = spans()[f"{ORIGIN}/{ASK}"], spans()[f"{ORIGIN}/{RELEASE}"]
    assert (release.trace_id, release.parent_span_id) == (ask.trace_id, ask.span_id)
    assert release.name == "answer under snf-locatie: ANSWERED"
    assert release.start_time_unix_nano == ask.end_time_unix_nano
    assert release.status.code == Status.STATUS_CODE_UNSET


def test_only_what_failed_inside_is_an_error() -> None:
    found = {}
    for at, kind in enumerate(KINDS):
        if kind == "release":
            found[WORLD.body(at)["outcome"]] = spans()[f"{ORIGIN}/{at}"].status.code
    assert found.pop("unknown") == Status.STATUS_CODE_ERROR
    assert set(found) >= {"authorised", "withheld"}
    assert set(found.values()) == {Status.STATUS_CODE_UNSET}
    assert spans()[f"{ORIGIN}/{DENIED}"].status.code == Status.STATUS_CODE_UNSET, "a denial is no error"


def test_the_record_of_a_decision() -> None:
    ask, record = WORLD.body(ASK), logs()[f"{ORIGIN}/{ASK}"]
    span = spans()[f"{ORIGIN}/{ASK}"]
    assert record.event_name == "adl.access_evaluation"
    assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert abs(record.time_unix_nano - nanoseconds(ask["decided_at"])) < 2_000
    assert attributes_of(record) == {
        "status": "Unset",
        "adl.core.policies": {"policy_set": ask["policy_set"]},
        "adl.core.information": {"exchange_log": {"origin": ORIGIN, "index": ASK}},
        "adl.core.configuration": {"engine": ask["engine"]},
        "sluis.enforced": True,
        "log.record.uid": f"{ORIGIN}/{ASK}",
    }
    body = plain(record.body)
    assert set(body) == {"adl.core.request", "adl.core.response"}
    request = body["adl.core.request"]
    oins = {name: party.oin for name, party in WORLD.policies.catalogue.parties.items()}
    assert request["subject"] == {"type": "oin", "id": oins["utrecht"], "properties": {"name": "utrecht"}}
    assert request["action"]["properties"]["purpose"] == "snf-locatie"
    assert request["resource"]["id"] == "snf/snf-locatie"
    assert request["resource"]["properties"]["answers"]["id"] == oins["snf"]
    assert request["resource"]["properties"]["want"] == ["beds", "certificate-status", "hit"]
    assert request["context"]["time"] == ask["decided_at"]
    assert body["adl.core.response"]["decision"] is True


def test_a_field_stands_in_body_or_attributes_and_never_in_both() -> None:
    for record in ALL.logs:
        both = set(plain(record.body)) & set(attributes_of(record))
        assert not both
        assert {"adl.core.request", "adl.core.response"} == set(plain(record.body))


def test_a_denial_is_unset_and_says_why() -> None:
    record = logs()[f"{ORIGIN}/{DENIED}"]
    response = plain(record.body)["adl.core.response"]
    assert attributes_of(record)["status"] == "Unset"
    assert response["decision"] is False
    failing = {check["id"] for check in WORLD.body(DENIED)["decision"]["checks"] if not check["met"]}
    assert set(response["context"]["reason_admin"]) == failing


def test_dry_runs_are_decisions_that_nothing_followed_from() -> None:
    at = next(at for at, kind in enumerate(KINDS) if kind == "evaluation" and "shadow_of" not in WORLD.body(at))
    record = logs()[f"{ORIGIN}/{at}"]
    assert record.event_name == "adl.access_evaluations"
    assert attributes_of(record)["sluis.enforced"] is False
    assert plain(record.body)["adl.core.response"] == {"evaluations": [{"decision": False}]}


def test_asks_of_one_exchange_share_a_trace_and_others_do_not() -> None:
    by_exchange: dict[str, set[bytes]] = {}
    for at, kind in enumerate(KINDS):
        if kind == "ask":
            by_exchange.setdefault(WORLD.body(at)["exchange"], set()).add(spans()[f"{ORIGIN}/{at}"].trace_id)
    assert all(len(traces) == 1 for traces in by_exchange.values())
    assert len(set.union(*by_exchange.values())) == len(by_exchange)
    assert len({span.span_id for span in ALL.spans}) == len(ALL.spans)


@pytest.mark.parametrize(("given", "kept"), [("ab" * 16, True), ("00" * 16, False)])
def test_the_trace_that_came_with_the_question_is_kept(given: str, *, kept: bool) -> None:
    value = json.loads(LEAVES[ASK])
    value["body"]["trace_id"] = given
    from broker.canonical import canonical_json

    (_, span), _ = mapping().records(canonical_json(value))
    assert (span["traceId"] == given) is kept


def test_records_are_the_same_at_every_sending() -> None:
    assert list(mapping(names()).records(LEAVES[ASK])) == list(mapping(names()).records(LEAVES[ASK]))


# data subjects


def test_without_subjects_nothing_of_them_leaves() -> None:
    assert not any("data_subject" in key for span in ALL.spans for key in attributes_of(span))


def test_each_subject_has_a_child_span_of_its_own() -> None:
    found = exported(names(), ASK)
    parent = spans(found)[f"{ORIGIN}/{ASK}"]
    assert attributes_of(parent)["sluis.subjects_state"] == "exported"
    children = [span for span in found.spans if span.parent_span_id]
    assert len(children) == 10, "no sampling"
    for number, child in enumerate(children, 1):
        values = attributes_of(child)
        assert (child.trace_id, child.parent_span_id) == (parent.trace_id, parent.span_id)
        assert values["log.record.uid"] == f"{ORIGIN}/{ASK}/{number}"
        assert values["dpl.core.data_subject_id_type"] == "pseudonym/bag"
        assert values["dpl.core.processing_activity_id"] == attributes_of(parent)["dpl.core.processing_activity_id"]
        assert len(values["dpl.core.data_subject_id"]) == 32
    ids = [attributes_of(child)["dpl.core.data_subject_id"] for child in children]
    assert len(set(ids)) == 10
    assert len({span.span_id for span in found.spans}) == 11


def test_no_pseudonym_leaves_and_names_hang_on_key_purpose_and_epoch() -> None:
    sent = json.dumps([record for _, record in mapping(names()).records(LEAVES[ASK])]).encode()
    for pseudonym in PSEUDONYMS:
        assert pseudonym.hex().encode() not in sent
        assert base64.b64encode(pseudonym)[:20] not in sent
    one = names().name("p", "e", PSEUDONYMS[0])
    assert one == names().name("p", "e", PSEUDONYMS[0])
    assert one != SubjectNames(b"l" * 32, lambda _: None).name("p", "e", PSEUDONYMS[0])
    assert len({one, names().name("q", "e", PSEUDONYMS[0]), names().name("p", "f", PSEUDONYMS[0])}) == 3


def test_subjects_that_are_erased_are_told_as_not_kept() -> None:
    found = exported(names(None), ASK)
    assert len(found.spans) == 1
    assert attributes_of(found.spans[0])["sluis.subjects_state"] == "not kept"


def test_the_strictest_match_key_that_a_row_has_names_it() -> None:
    one, two = b"\x01" * 16 + bytes(16), b"\x02" * 16 + b"\x03" * 16
    assert list(subjects(encode(b"\x01", one, b"\x03", two), 2, 2)) == [(1, b"\x01" * 16), (2, b"\x03" * 16)]
    assert list(subjects(encode(b"\x00", one, b"\x02", two), 2, 2)) == [(2, b"\x03" * 16)]


@pytest.mark.parametrize(
    ("tokens", "match_keys", "rows"),
    [(TOKENS, 1, 9), (TOKENS, 2, 10), (TOKENS[:-1], 1, 10), (TOKENS + b"x", 1, 10), (b"", 1, 1)],
)
def test_tokens_of_another_shape_are_refused(tokens: bytes, match_keys: int, rows: int) -> None:
    with pytest.raises(SluisError):
        list(subjects(tokens, match_keys, rows))


# encoding


def test_values() -> None:
    assert any_value({"a": [1, True, None, "x"]}) == {
        "kvlistValue": {
            "values": [
                {
                    "key": "a",
                    "value": {
                        "arrayValue": {"values": [{"intValue": "1"}, {"boolValue": True}, {}, {"stringValue": "x"}]}
                    },
                }
            ]
        }
    }
    with pytest.raises(TypeError):
        any_value(1.5)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b"", 0),
        (b"{}", 0),
        (b"noise", 0),
        (b"[]", 0),
        (b'{"partialSuccess":{}}', 0),
        (b'{"partialSuccess":null}', 0),
        (b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"x"}}', 3),
        (b'{"partialSuccess":{"rejectedLogRecords":2}}', 2),
    ],
)
def test_what_a_collector_says_it_left_out(body: bytes, count: int) -> None:
    assert rejected(body) == count
