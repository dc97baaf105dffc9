"""A standing question about persons, in mode oblivious: told of a newer register, at the cost of no evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from both_verifiers import verified_by_both
from evaluated import FILE, PURPOSE
from evaluating import OTHER, OWN, put_in_force, write_configurations
from sluis_client.participant import Participant
from test_oblivious_agency import BSNS, Agencies, at_work, register
from test_watch import Watcher
from world import START, policy_texts

pytestmark = pytest.mark.slow
WORDS = ("--purpose", PURPOSE, "--scheme", "bsn", "--answerer", "uwv", "--case-number", "NLA-2026-8812")


@pytest.fixture
def agencies(tmp_path: Path) -> Iterator[Agencies]:
    world = write_configurations(tmp_path, START)
    texts = policy_texts()
    texts[FILE] = texts[FILE].replace("\nabout:", "\nstanding_questions: {days: 20}\nabout:")
    put_in_force(world, 2, texts=texts)
    with at_work(world) as made:
        yield made


def test_a_person_who_becomes_known_is_told_and_costs_no_evaluation(
    agencies: Agencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocked = partial(Participant, clock=agencies.world.clock.now)
    monkeypatch.setattr("sluis_client.participant.Participant", clocked)
    register(agencies.party("uwv"), 10)
    nla = Watcher(agencies.world, "nla")
    nla.run("keys", "fetch", "--purpose", PURPOSE)
    people = nla.home / "people.csv"
    people.write_text("bsn,Dossier\n" + "\n".join(f"{bsn},D-{n}" for n, bsn in enumerate(BSNS[8:14])) + "\n")
    out = nla.home / "people-answers.csv"
    nla.json("watch", "add", people, *WORDS, "--reference", "Dossier", "--name", "people", "--out", out)
    spent = agencies.spent("nla")
    assert spent == {OWN: 6, OTHER: 6}
    assert nla.look() == []
    register(agencies.party("uwv"), 12)
    (notice,) = nla.look()
    assert [(one["reference"], one["before"]) for one in notice["changes"]] == [("D-2", "no hit"), ("D-3", "no hit")]
    assert nla.look() == []
    register(agencies.party("uwv"), 9)
    (notice,) = nla.look()
    assert [(one["reference"], one["now"]) for one in notice["changes"]] == [("D-1", []), ("D-2", []), ("D-3", [])]
    assert agencies.spent("nla") == spent
    kept = (nla.home / "state" / "watches" / "people").read_text()
    assert not any(bsn in kept for bsn in BSNS[8:14])
    verified_by_both(agencies.world)
