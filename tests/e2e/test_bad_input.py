"""Bad input to every RPC and every field: its own stable code, nothing changed, and no word of what was sent."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator

import grpc
import pytest
from bad_canaries import canary_rows
from bad_live import live_rows
from bad_question import match_rows
from bad_rectification import rectification_rows
from bad_rows import unary_rows
from bad_shapes import OK, Row
from good_requests import GOOD
from live_stage import stage_texts
from sluis.v1 import common_pb2
from stage import CANARY, METHODS, Stage, check_unchanged, logs, make_stage, refused, request_fields, state_of
from world import running

from broker.errors import Code, Kind

pytestmark = pytest.mark.slow
ROWS = [*unary_rows(), *rectification_rows(), *canary_rows(), *live_rows(), *match_rows()]
KEPT = ("registers", "counters", "exchanges", "vault")
"""What a legitimate read, dry run or begin leaves alone."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("stage"), stage_texts()) as world:
        yield make_stage(world)


def test_every_field_of_every_request_has_a_row() -> None:
    covered = defaultdict(set)
    for row in ROWS:
        covered[row.rpc].add(row.field)
    for rpc, method in METHODS.items():
        fields = {path for path, _ in request_fields(method)}
        assert not fields - covered[rpc], f"{rpc}: give these fields rows in tests/support/bad_rows.py"
        assert not covered[rpc] - fields, f"{rpc}: these rows are of no field"
    assert not covered.keys() - METHODS.keys()


def test_every_field_has_a_bad_value_unless_any_value_is_good() -> None:
    free = {(row.rpc, row.field) for row in ROWS if row.code == OK} - {
        (row.rpc, row.field) for row in ROWS if row.code != OK
    }
    assert free == {
        ("ExchangeService/CheckRequest", "want.hit"),
        ("ExchangeService/CheckRequest", "want.count"),
        ("NoticeService/ListNotices", "unacknowledged"),
    }


def test_no_request_holds_an_enum() -> None:
    """Should one come, it needs rows with ENUM_UNKNOWN for 0 and for a number that is not in the contract."""
    fields = [(rpc, path) for rpc, method in METHODS.items() for path, one in request_fields(method) if one.enum_type]
    assert fields == []


def test_rows_have_names_of_their_own_and_codes_that_exist() -> None:
    assert len({str(row) for row in ROWS}) == len(ROWS)
    assert {row.code for row in ROWS} <= {OK, *Code.__members__}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_bad_input_gets_its_code_and_changes_nothing(stage: Stage, row: Row) -> None:
    party, build = GOOD[row.rpc]
    party = row.by or party
    messages = build(stage)
    row.bend(stage, messages)
    before = state_of(stage.world)
    with logs() as logged:
        if row.code == OK:
            stage.call(party, row.rpc, messages)
            said = b""
        else:
            with pytest.raises(grpc.RpcError) as caught:
                stage.call(party, row.rpc, messages)
            told = refused(caught.value)
            assert (told.reason, told.domain) == (row.code, "sluis"), told.text
            assert told.status.name == Code[row.code].kind.value
            assert Code[row.code].kind is not Kind.INTERNAL
            if row.code == "LOOKS_LIKE_IDENTIFIERS":
                assert [row.field.startswith(name) for name in told.fields] == [True], told.fields
            said = told.everything
    after = state_of(stage.world)
    if row.code == OK:
        for name in KEPT:
            rows = [{row for row in state.tables[name] if "asks/" not in str(row)} for state in (before, after)]
            assert rows[0] == rows[1], f"{name} changed"  # dry runs count towards the bound on entries, and only there
    else:
        check_unchanged(before, after, party=party, rpc=row.rpc, code=row.code)
    grown = b"".join(after.leaves[len(before.leaves) :])
    for canary in (CANARY.encode(), base64.b64encode(CANARY.encode())):
        assert canary not in said
        assert canary not in grown
        assert canary.decode() not in logged()


@pytest.mark.parametrize("rpc", METHODS)
def test_the_request_that_is_bent_is_good(tmp_path_factory: pytest.TempPathFactory, rpc: str) -> None:
    """Else a row could pass for a reason of its own."""
    if rpc.startswith("PseudonymService/"):
        pytest.skip("a broker without a key service answers none of them")
    with running(tmp_path_factory.mktemp("good"), stage_texts()) as world:
        fresh = make_stage(world)
        party, build = GOOD[rpc]
        if rpc == "AuditService/WatchReceipts":  # it watches until its time is up
            with pytest.raises(grpc.RpcError) as caught:
                fresh.call(party, rpc, build(fresh), timeout=1.0)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        else:
            fresh.call(party, rpc, build(fresh))


def test_a_signed_statement_is_the_only_message_that_travels_as_bytes() -> None:
    """What the rows of `signatures` and `members` rest on."""
    of = {
        path.rsplit(".", 1)[0]
        for method in METHODS.values()
        for path, one in request_fields(method)
        if one.containing_type is common_pb2.SignedStatement.DESCRIPTOR
    }
    assert of == {"ask.signed", "manifest", "key", "signed", "end"}
