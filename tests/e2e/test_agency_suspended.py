"""An agency's own client while one officer closes a purpose: before the question, under it, and after the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sluis_client import ask
from sluis_client.answers import CheckedAnswer
from sluis_client.errors import ClientError, Exit
from sluis_client.transport import Want
from test_agency import BAGS, PURPOSE, agency, put_in_force, question, share_key, world_of
from world import ORIGIN, World

from broker.policy.suspension import sign_suspension

pytestmark = pytest.mark.slow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, "snf", "utrecht") as made:
        share_key(made)
        yield made


def suspend(world: World) -> None:
    """One officer of the answering side closes the purpose."""
    key = world.officers.keys["snf"]
    notice = sign_suspension(
        PURPOSE, "wrong register", origin=ORIGIN, environment="test", made_at=world.clock.now(), key=key
    )
    assert world.broker is not None
    assert world.broker._in_force.suspend(notice.encode()) is not None


def suspend_under_the_match(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice comes in after the ask was logged and before the answer is."""
    assert world.broker is not None
    answering = world.broker._coordinator._answering
    prepare = answering.prepare

    def meanwhile(*given: object) -> object:
        prepared = prepare(*given)
        suspend(world)
        return prepared

    monkeypatch.setattr(answering, "prepare", meanwhile)


def withheld(world: World, want: Want) -> CheckedAnswer:
    plan, table = question(BAGS[90:130])
    asked = ask.ask(agency(world, "utrecht"), ask.Plan(plan.purpose, plan.scheme, plan.answerers, want), table)
    (answer,) = asked.answers
    assert (answer.status, answer.hits, answer.count, answer.rows) == ("WITHHELD", 0, None, ())
    assert answer.decision.permitted
    assert answer.release_index is not None
    return answer


@pytest.mark.parametrize("want", [Want(hit=True), Want(hit=True, attributes=("beds",))], ids=["hits", "attributes"])
def test_an_answer_is_withheld_and_the_client_takes_that_for_what_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, want: Want
) -> None:
    put_in_force(world)
    suspend_under_the_match(world, monkeypatch)
    answer = withheld(world, want)
    assert answer.register is not None
    assert answer.register.version == 1


def test_where_there_was_no_register_that_is_not_told_either(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    suspend_under_the_match(world, monkeypatch)
    assert withheld(world, Want(hit=True)).register is None


def test_a_question_under_a_suspended_purpose_is_denied_with_the_reason(world: World) -> None:
    put_in_force(world)
    suspend(world)
    utrecht = agency(world, "utrecht")
    (answer,) = ask.ask(utrecht, *question(BAGS[90:130])).answers
    assert answer.status == "DENIED"
    assert [check.id for check in answer.decision.unmet] == ["suspension"]
    assert utrecht.purpose(PURPOSE).state == "active"
    assert utrecht.transport.purpose(PURPOSE).state == "suspended"


def test_an_answer_already_given_is_not_given_again(world: World) -> None:
    put_in_force(world)
    plan, table = question(BAGS[90:130])
    asked = ask.ask(agency(world, "utrecht"), plan, table, keep_open=True)
    assert asked.answers[0].hits == 10
    suspend(world)
    with pytest.raises(ClientError) as caught:
        ask.ask(agency(world, "utrecht"), plan, table)
    assert (caught.value.code, caught.value.exit_code) == ("POLICY_DENIES", Exit.POLICY_DENIED)
