"""Standing questions at the gate: what is put again, what is refused, and that it is no way round another bound."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import verified_by_both
from participant import Answered, Ask, Participant
from world import World, policy_texts, running

pytestmark = pytest.mark.slow

PURPOSE = "snf-locatie"
BAGS = [f"034401{number:010d}" for number in range(400)]
LIMITS = "limits: {subjects_per_request: 1000, requests_per_day: 50}\n"
STANDING = ["standing-question"]


def texts() -> dict[str, str]:
    found = policy_texts()
    name = f"purposes/{PURPOSE}.yaml"
    guards = (
        "probing:\n  same_question: {at_most: 0, then: refuse}\n  subjects_per_hour: {at_most: 140, then: refuse}\n"
    )
    limits = LIMITS.replace("1000", "120") + "standing_questions: {days: 10}\n" + guards
    assert LIMITS in found[name]
    return {**found, name: found[name].replace(LIMITS, limits)}


class Both:
    """A municipality that asks and a certifier that publishes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.snf, self.utrecht = Participant(world, "snf"), Participant(world, "utrecht")
        self.snf.make_epoch(PURPOSE, [self.snf, self.utrecht])
        self.publish(2)

    def publish(self, rows: int) -> None:
        self.snf.publish(PURPOSE, "bag", {bag: ["4"] for bag in BAGS[:rows]}, ["beds"])

    def question(self, bags: Sequence[str] = BAGS[:5], **more: Any) -> Ask:
        return self.utrecht.question(PURPOSE, "bag", list(bags), ["snf"], **more)

    def ask(self, bags: Sequence[str] = BAGS[:5], **more: Any) -> tuple[str, Answered]:
        question = self.question(bags, **more)
        (answered,) = self.utrecht.send(question).values()
        return question.statement["request_id"], answered

    def failing(self, first: str, bags: Sequence[str] = BAGS[:5], **more: Any) -> list[str]:
        return failing(self.ask(bags, standing=first, **more)[1])

    def facts(self) -> list[dict[str, Any]]:
        assert self.world.broker is not None
        reader = self.world.broker._store.reader
        entries = (json.loads(entry.leaf) for entry in reader.entries(0, reader.size()))
        return [entry["body"]["facts"] for entry in entries if entry["kind"] == "ask"]


def failing(answered: Answered) -> list[str]:
    return [check.id for check in answered.head.decision.checks if not check.met]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    with running(tmp_path, texts()) as world:
        yield Both(world)


def test_it_is_put_again_for_each_newer_register_and_no_oftener(both: Both) -> None:
    first, answered = both.ask()
    assert answered.head.hits == 2
    assert both.failing(first) == STANDING
    both.publish(4)
    _, again = both.ask(standing=first)
    assert (failing(again), again.head.hits, again.head.register.version) == ([], 4, 2)
    assert both.failing(first) == STANDING
    both.publish(1)
    assert both.failing(first) == []
    assert [one["standing"] for one in both.facts()[1:]] == [
        {"first": "same", "newer": newer, "days": 0} for newer in (False, True, False, True)
    ]
    assert {one["probing"]["same"] for one in both.facts()} == {0}
    assert failing(both.ask()[1]) == ["same-question"]  # as a question of its own it is one too many
    verified_by_both(both.world)


def test_what_is_no_standing_question(both: Both) -> None:
    first, _ = both.ask()
    both.publish(3)
    unknown = "00000000-0000-4000-8000-000000000001"
    assert both.failing(unknown, BAGS[10:12]) == STANDING
    assert both.failing(first, BAGS[1:6]) == STANDING
    assert both.failing(first, BAGS[:4]) == STANDING
    assert both.failing(first, want=["beds"]) == STANDING
    assert both.failing(first, hit=False, count=True)[-1:] == STANDING
    rotterdam = Participant(both.world, "rotterdam")
    rotterdam.secret = both.utrecht.secret
    stolen = rotterdam.question(PURPOSE, "bag", BAGS[:5], ["snf"], standing=first)
    assert failing(next(iter(rotterdam.send(stolen).values()))) == STANDING
    assert [one["standing"]["first"] for one in both.facts()[1:]] == ["unknown", *4 * ["other"], "unknown"]
    assert both.failing(first) == []
    verified_by_both(both.world)


def test_whole_days_are_counted_from_its_first_question(both: Both) -> None:
    first, _ = both.ask()
    both.world.clock.at += timedelta(hours=26)
    both.publish(3)
    assert both.failing(first) == []
    assert both.facts()[-1]["standing"] == {"first": "same", "newer": True, "days": 1}


def test_other_bounds_hold_for_it_too(both: Both) -> None:
    first, _ = both.ask(BAGS[:100])
    both.publish(3)
    assert both.failing(first, BAGS[:100]) == ["subjects-per-hour"]
    both.world.clock.at += timedelta(hours=2)
    assert both.failing(first, BAGS[:100]) == []
    assert both.failing("", BAGS[100:160]) == ["subjects-per-hour"]


def test_where_nothing_may_stand(tmp_path: Path) -> None:
    with running(tmp_path) as world:
        both = Both(world)
        first, _ = both.ask()
        both.publish(3)
        assert both.failing(first) == STANDING
        verified_by_both(world)


def test_it_stands_over_a_restart(both: Both) -> None:
    first, _ = both.ask()
    both.publish(3)
    secret = both.utrecht.secret
    both.world.stop()
    both.world.start()
    both.utrecht = Participant(both.world, "utrecht")
    both.utrecht.secret = secret
    assert both.failing(first) == []
