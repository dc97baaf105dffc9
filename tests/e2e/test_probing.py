"""Guards against probing: what a party asked before is counted, reported or refused, logged, and recounted by both
verifiers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import verified_by_both
from participant import Answered, Participant
from test_exported_log import run
from world import World, policy_texts, running

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(400)]
LIMITS = "limits: {subjects_per_request: 1000, requests_per_day: 50}\n"


def guarded(*guards: str) -> dict[str, str]:
    texts = policy_texts()
    name = f"purposes/{PURPOSE}.yaml"
    probing = "".join(f"  {guard}\n" for guard in guards)
    limits = LIMITS.replace("1000", "120") + "probing:\n" + probing
    assert LIMITS in texts[name]
    return {**texts, name: texts[name].replace(LIMITS, limits)}


class Asker:
    """A municipality that asks, and what came of it."""

    def __init__(self, world: World) -> None:
        snf, self._asker = Participant(world, "snf"), Participant(world, "utrecht")
        snf.make_epoch(PURPOSE, [snf, self._asker])
        snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:2]}, ["beds"])

    def ask(self, bags: Sequence[str]) -> Answered:
        (answered,) = self._asker.send(self._asker.question(PURPOSE, "bag", list(bags), ["snf"])).values()
        return answered

    def failing(self, bags: Sequence[str]) -> list[str]:
        """The checks that were not met."""
        return [check.id for check in self.ask(bags).head.decision.checks if not check.met]

    def told(self, bags: Sequence[str]) -> list[str]:
        """The duties to explain that came with a permit."""
        duties = self.ask(bags).head.decision.obligations
        return [duty.split(":")[0] for duty in duties if duty.startswith("explain-")]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[tuple[World, Asker]]:
    texts = guarded(
        "same_question: {at_most: 1, then: refuse}",
        "nested_question: {at_most: 1, then: report}",
        "asked_again: {at_most: 3, then: refuse}",
        "subjects_per_hour: {at_most: 150, then: refuse}",
        "subjects_per_epoch: {at_most: 200, then: refuse}",
        "hits_per_hundred: {at_least: 5, then: report}",
    )
    with running(tmp_path, texts) as world:
        yield world, Asker(world)


def facts(world: World) -> list[dict[str, Any]]:
    assert world.broker is not None
    reader = world.broker._store.reader
    entries = (json.loads(entry.leaf) for entry in reader.entries(0, reader.size()))
    return [entry["body"]["facts"]["probing"] for entry in entries if entry["kind"] == "ask"]


def test_repeats_and_questions_in_parts_are_told_or_refused(strict: tuple[World, Asker]) -> None:
    world, asker = strict
    assert asker.failing(BAGS[:5]) == []
    assert asker.failing(list(reversed(BAGS[:5]))) == []  # the order of rows is nothing
    assert asker.failing(BAGS[:5]) == ["same-question"]
    assert asker.told(BAGS[:4]) == ["explain-nested-question"]
    assert asker.failing([BAGS[0]]) == []
    assert asker.failing([BAGS[0], BAGS[9]]) == ["asked-again"]
    assert asker.failing([BAGS[9]]) == []
    found = facts(world)
    assert [(one["same"], one["nested"], one["again"]) for one in found] == [
        (0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 2, 2), (0, 3, 3), (0, 1, 4), (0, 0, 0)
    ]  # fmt: skip
    assert [one["epoch"] for one in found] == [5, 5, 5, 5, 5, 6, 6]


def test_a_question_that_is_split_meets_the_bound_of_an_hour_and_who_goes_on_that_of_the_epoch(
    strict: tuple[World, Asker],
) -> None:
    world, asker = strict
    assert asker.failing(BAGS[:100]) == []
    assert asker.failing(BAGS[100:151]) == ["subjects-per-hour"]
    assert asker.failing(BAGS[100:150]) == []
    world.clock.at += timedelta(hours=1, seconds=1)
    assert asker.failing(BAGS[150:201]) == ["subjects-per-epoch"]
    assert asker.failing(BAGS[149:200]) == []
    assert facts(world)[-1] | {"hits": 0} == {"same": 0, "nested": 0, "again": 1, "hour": 51, "epoch": 200, "hits": 0}


def test_few_hits_are_told_by_the_hundred_and_never_of_fewer(strict: tuple[World, Asker]) -> None:
    world, asker = strict
    assert asker.told(BAGS[:60]) == []
    assert asker.told(BAGS[60:90]) == []
    world.clock.at += timedelta(hours=2)
    assert asker.told(BAGS[90:110]) == []  # with this answer there are a hundred
    assert asker.told([BAGS[110]]) == ["explain-hits-per-hundred"]
    assert [one["hits"] for one in facts(world)] == [None, None, None, 1]


def test_the_log_of_a_guarded_purpose_verifies_with_both_verifiers(strict: tuple[World, Asker], tmp_path: Path) -> None:
    world, asker = strict
    for bags in (BAGS[:5], BAGS[:5], BAGS[:5], BAGS[:3], BAGS[2:80]):
        asker.ask(bags)
    world.clock.at += timedelta(hours=1)
    asker.ask(BAGS[:6])
    bundle = verified_by_both(world)
    code, text = run("unusual", str(bundle), "--json")
    assert code == 0, text
    (stands_out,) = json.loads(text)["items"]
    assert (stands_out["party"], stands_out["kind"], stands_out["nested-question"]) == ("utrecht", "probing", 1.0)


def test_what_was_asked_is_remembered_over_a_restart(strict: tuple[World, Asker]) -> None:
    world, asker = strict
    asker.ask(BAGS[:5])
    world.stop()
    world.start()
    again = Participant(world, "utrecht")
    again.secret = asker._asker.secret
    (answered,) = again.send(again.question(PURPOSE, "bag", BAGS[:5], ["snf"])).values()
    assert facts(world)[-1]["same"] == 1
    assert answered.head.decision.permitted


def test_a_dry_run_says_what_the_hour_has_left(strict: tuple[World, Asker]) -> None:
    from sluis.v1 import exchange_pb2

    _, asker = strict
    asker.ask(BAGS[:100])
    request = exchange_pb2.CheckRequestRequest(
        answerers=["snf"], purpose=PURPOSE, scheme="bag", match_keys=1, subjects=51
    )
    request.want.hit = True
    (verdict,) = asker._asker.exchanges.CheckRequest(request, timeout=20).decisions
    assert [check.id for check in verdict.decision.checks if not check.met] == ["subjects-per-hour"]
