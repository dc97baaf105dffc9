"""Persons without a shared number through real brokers: names in another spelling, key services, the policy's limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from evaluated import FILE, PURPOSE
from evaluating import OTHER, OWN, START, put_in_force, write_configurations
from sluis_client import ask, publish
from sluis_client.answer_file import answer_lines, answer_summary
from sluis_client.canonical import parse_canonical
from sluis_client.cells import Reason
from sluis_client.schemes import SCHEMES
from sluis_client.tables import normalise_table, read_table
from sluis_client.transport import Want
from test_oblivious_agency import Agencies, at_work
from world import policy_texts

pytestmark = pytest.mark.slow
SCHEME = SCHEMES["name-birthdate-2"]
WEAKEST = 5
HEAD = "achternaam;voornamen;geboortedatum\n"
REGISTER = f"""{HEAD}Христов;Юлия;1990-03-04
Kowalska-Nowak;Anna Maria;1985-07-01
Nagy;László;1979-10-12
Bakker;Jan;1970-02-03
Bakker;Piet;1970-02-03
Visser;;1961-05-06
"""
QUESTION = f"""{HEAD}Hristov;Yulia;4-3-1990
Nowak;Anna;1985-07-01
László;Nagy;1979-12-10
Bakkre;Jan;1970-02-03
Visser;;1961-05-06
Mulder;Tessa;1990-03-04
"""


@pytest.fixture(scope="module")
def agencies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agencies]:
    texts = policy_texts()
    named = "identified_by: [bsn, name-birthdate-2]"
    bent = texts[FILE].replace("identified_by: [bsn]", f"{named}\nweakest_match_key: {WEAKEST}")
    assert named in bent
    world = write_configurations(tmp_path_factory.mktemp("persons"), START)
    put_in_force(world, 2, texts={**texts, FILE: bent})
    with at_work(world) as made:
        yield made


def test_another_spelling_is_found_by_the_keys_that_the_policy_allows(agencies: Agencies) -> None:
    uwv, nla = agencies.party("uwv"), agencies.party("nla")
    plan = publish.Plan(PURPOSE, SCHEME.name, uwv.now() - timedelta(days=2), "all")
    prepared = publish.prepare(uwv.purpose(PURPOSE), plan, read_table(REGISTER.encode()))
    assert [problem.reason for problem in prepared.problems] == [Reason.KEYS_TOO_LOOSE.value]
    publish.publish(uwv, plan, prepared)
    # five keys each of five people; the two Bakkers share keys that hold no more than an initial and a date
    made = {fields for row in prepared.keys for fields in enumerate(row) if fields[1] is not None}
    assert agencies.spent("uwv") == {OWN: len(made), OTHER: len(made)}
    assert {number for number, _ in made} == set(range(WEAKEST))

    table = read_table(QUESTION.encode())
    normal = normalise_table(table, SCHEME)
    asking = ask.Plan(PURPOSE, SCHEME.name, ("uwv",), Want(hit=True), case_number="NLA-2026-8812")
    asked = ask.ask(nla, asking, normal)
    (answer,) = asked.answers
    statement = parse_canonical(asked.posed.signed.statement)
    assert statement["match_keys"] == len(asked.posed.columns) == WEAKEST
    assert answer.status == "ANSWERED"
    header, *lines = answer_lines(table, normal, asked.answers, scheme=SCHEME)
    told = [dict(zip(header, line, strict=True)) for line in lines]
    assert [(line["status"], line["match key"]) for line in told] == [
        ("hit", "1"),
        ("hit", "4"),
        ("hit", "2"),
        ("hit", "3"),
        ("invalid input", ""),
        ("no hit", ""),
    ]
    assert told[4]["note"] == Reason.KEYS_TOO_LOOSE.value
    # the purpose has human_check: every hit must be looked at, whatever its key
    assert [line["human check"] for line in told] == ["required"] * 4 + ["", ""]
    assert answer_summary(answer, SCHEME)["match_keys"] == {"1": 1, "4": 1, "2": 1, "3": 1}


def test_a_question_with_looser_keys_is_denied(agencies: Agencies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not hold to the limit meets the gate."""
    nla = agencies.party("nla")
    monkeypatch.setattr(ask, "allowed_keys", lambda view, scheme: scheme.match_keys)
    normal = normalise_table(read_table(QUESTION.encode()), SCHEME)
    asking = ask.Plan(PURPOSE, SCHEME.name, ("uwv",), Want(hit=True), case_number="NLA-2026-8813")
    (answer,) = ask.ask(nla, asking, normal).answers
    assert answer.status == "DENIED"
    (unmet,) = answer.decision.unmet
    assert unmet.id == "match-keys"
    assert unmet.reason == f"match keys used: {SCHEME.match_keys}; allowed: 1 to {WEAKEST}"
