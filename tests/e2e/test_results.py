"""What a question may bring under the sample policies: hits, counts, several answerers, principals, denials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from participant import Answered, Participant, reason_of
from sluis.v1 import exchange_pb2
from world import World, running

pytestmark = pytest.mark.slow

KVKS = [f"{number:08d}" for number in range(68750110, 68750150)]
BAGS = [f"034401{number:010d}" for number in range(60)]
COUNTED = "bezetting"
OVERVIEW = "sna-overzicht"
REQUEST = "nla-verzoek-onderneming"
FINES = "cert-boete"
FINE_RULES = {
    "look_back_years": 2,
    "look_back_counted_from": "receipt-of-overview",
    "valid_on": "as-of",
    "exclude_natural_persons": True,
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as made:
        yield made


def unmet(answered: Answered) -> list[str]:
    return [check.id for check in answered.head.decision.checks if not check.met]


def ask(who: Participant, *arguments: Any, **options: Any) -> Answered:
    sent = who.question(*arguments, **options)
    (answered,) = who.send(sent).values()
    return answered


@pytest.fixture
def counted(world: World) -> Participant:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch(COUNTED, [snf, utrecht])
    snf.publish(COUNTED, "bag", dict.fromkeys(BAGS[:40], ()))
    return utrecht


def count(who: Participant, identifiers: list[str]) -> Answered:
    return ask(who, COUNTED, "bag", identifiers, ["snf"], hit=False, count=True)


def test_a_count_comes_in_a_band_without_rows(counted: Participant) -> None:
    answered = count(counted, BAGS)
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
    assert answered.head.band == "25-49"
    assert not answered.head.HasField("count")
    assert not answered.rows
    assert answered.head.hits == 0


@pytest.mark.parametrize("asked", [BAGS[38:60], BAGS[:42]])
def test_a_count_that_tells_of_few_is_withheld(counted: Participant, asked: list[str]) -> None:
    """Two hits of 22; and 40 of 42, of whom the two others would be known."""
    answered = count(counted, asked)
    assert answered.head.status == exchange_pb2.ANSWER_STATUS_WITHHELD
    assert answered.head.band == ""


def test_a_count_that_differs_from_an_earlier_one_by_few_is_denied(counted: Participant) -> None:
    assert count(counted, BAGS).head.status == exchange_pb2.ANSWER_STATUS_ANSWERED
    assert unmet(count(counted, BAGS[:-2])) == ["count-distance"]
    assert unmet(count(counted, BAGS)) == ["count-distance"]
    assert count(counted, BAGS[:50]).head.status == exchange_pb2.ANSWER_STATUS_ANSWERED


def test_hits_are_not_given_where_only_a_count_was_agreed(counted: Participant) -> None:
    assert unmet(ask(counted, COUNTED, "bag", BAGS, ["snf"])) == ["hit"]


def test_the_day_s_budget_ends_and_starts_again_at_midnight_in_amsterdam(world: World, counted: Participant) -> None:
    statuses = [unmet(ask(counted, COUNTED, "bag", BAGS[:12], ["snf"], hit=False, count=True)) for _ in range(2)]
    assert statuses[0] == []
    for at in range(4):
        assert unmet(count(counted, BAGS[at * 6 : at * 6 + 24])) == []
    assert "requests-per-day" in unmet(count(counted, BAGS[24:60]))
    world.clock.at = world.clock.at.replace(hour=23, minute=1)
    assert "requests-per-day" not in unmet(count(counted, BAGS[24:60]))


def test_several_answerers_give_an_answer_each(world: World) -> None:
    nla, uwv, svb = (Participant(world, name) for name in ("nla", "uwv", "svb"))
    nla.make_epoch(REQUEST, [nla, uwv, svb])
    uwv.publish(REQUEST, "kvk", {kvk: ["12"] for kvk in KVKS[:3]}, ["registered-employees"])
    sent = nla.question(
        REQUEST,
        "kvk",
        KVKS[:5],
        ["uwv", "svb", "belastingdienst", "snf"],
        want=["registered-employees"],
        case_number="NLA-2026-8812",
    )
    answers = nla.send(sent)
    assert list(answers) == ["belastingdienst", "snf", "svb", "uwv"]
    assert answers["uwv"].positions == [0, 1, 2]
    assert nla.open(sent, answers["uwv"])[0] == {"registered-employees": "12"}
    assert answers["snf"].head.status == exchange_pb2.ANSWER_STATUS_DENIED
    assert "answerer" in unmet(answers["snf"])
    assert {answers["svb"].head.status} <= {
        exchange_pb2.ANSWER_STATUS_NO_REGISTER,
        exchange_pb2.ANSWER_STATUS_DENIED,
    }
    summary = nla.exchanges.GetExchange(
        exchange_pb2.GetExchangeRequest(exchange=str(sent.statement["request_id"])), timeout=5
    ).exchange
    assert len(summary.answerers) == 4


@pytest.mark.parametrize(
    ("case_number", "met"),
    [("NLA-2026-8812", True), (None, False), ("whatever", False), ("999993653", False), ("NLA-2026-999993653", False)],
)
def test_the_case_number_has_the_party_s_shape(world: World, case_number: str | None, met: bool) -> None:
    nla, uwv = Participant(world, "nla"), Participant(world, "uwv")
    nla.make_epoch(REQUEST, [nla, uwv])
    answered = ask(nla, REQUEST, "kvk", KVKS[:1], ["uwv"], case_number=case_number)
    assert ("case-number" not in unmet(answered)) is met
    reasons = " ".join(check.reason for check in answered.head.decision.checks)
    assert case_number is None or case_number not in reasons


def test_a_processor_asks_for_a_principal_that_the_policy_pairs_it_with(world: World) -> None:
    sna, nla = Participant(world, "sna"), Participant(world, "nla")
    nla.make_epoch(FINES, [nla, sna])
    nla.publish(FINES, "kvk", {kvk: ["2"] for kvk in KVKS[:3]}, ["violation-count"], rules=FINE_RULES)
    options: dict[str, Any] = {"want": ["violation-count"]}
    good = ask(sna, FINES, "kvk", KVKS[:5], ["nla"], principal="certificeerder-noord", **options)
    assert good.head.status == exchange_pb2.ANSWER_STATUS_ANSWERED, unmet(good)
    assert unmet(ask(sna, FINES, "kvk", KVKS[:5], ["nla"], principal="utrecht", **options)) == ["principal"]


def test_a_register_that_does_not_declare_the_rules_is_not_asked(world: World) -> None:
    sna, nla = Participant(world, "sna"), Participant(world, "nla")
    nla.make_epoch(FINES, [nla, sna])
    loose = {**FINE_RULES, "look_back_years": 5}
    nla.publish(FINES, "kvk", {kvk: ["2"] for kvk in KVKS[:3]}, ["violation-count"], rules=loose)
    answered = ask(sna, FINES, "kvk", KVKS[:5], ["nla"], principal="certificeerder-noord")
    assert unmet(answered) == ["register-rules"]


def test_repeated_values_keep_their_positions(world: World) -> None:
    """Asked twice in one question, a value keeps both positions."""
    sna, nla = Participant(world, "sna"), Participant(world, "nla")
    nla.make_epoch(FINES, [nla, sna])
    nla.publish(FINES, "kvk", {KVKS[0]: ["1"]}, ["violation-count"], rules=FINE_RULES)
    answered = ask(
        sna, FINES, "kvk", [KVKS[0], KVKS[0]], ["nla"], principal="certificeerder-noord", want=["violation-count"]
    )
    assert answered.positions == [0, 1]


@pytest.mark.parametrize("purpose", ["nla-verzoek-persoon", "brp-inschrijving", "wagweu-melding"])
def test_purposes_on_persons_stay_draft_and_deny(world: World, purpose: str) -> None:
    nla = Participant(world, "nla")
    request = exchange_pb2.CheckRequestRequest(
        answerers=["uwv"],
        purpose=purpose,
        scheme="bsn",
        match_keys=1,
        subjects=1,
    )
    request.want.hit = True
    decision = nla.exchanges.CheckRequest(request, timeout=20).decisions[0].decision
    assert not decision.permitted
    assert {"purpose-active", "mode"} <= {check.id for check in decision.checks if not check.met}


def test_a_certifier_gets_nothing_on_persons_under_any_purpose(world: World) -> None:
    certifier = Participant(world, "certificeerder-noord")
    for purpose in ("nla-verzoek-persoon", "brp-inschrijving", "snf-locatie", "cert-boete"):
        for scheme in ("bsn", "loonheffing"):
            request = exchange_pb2.CheckRequestRequest(
                answerers=["nla"], purpose=purpose, scheme=scheme, match_keys=1, subjects=1
            )
            request.want.hit = True
            decision = certifier.exchanges.CheckRequest(request, timeout=20).decisions[0].decision
            assert not decision.permitted
            assert "asker" in {check.id for check in decision.checks if not check.met}


def test_the_question_must_be_made_with_the_epoch_s_key(world: World) -> None:
    snf, utrecht, someren = (Participant(world, name) for name in ("snf", "utrecht", "someren"))
    ours = snf.make_epoch("snf-locatie", [snf, utrecht])
    snf.publish("snf-locatie", "bag", {bag: ["1"] for bag in BAGS}, ["beds"])
    someren.secret["snf-locatie"] = type(ours)(bytes(32))
    with pytest.raises(grpc.RpcError) as caught:
        ask(someren, "snf-locatie", "bag", BAGS[:3], ["snf"])
    assert reason_of(caught.value) == "KEY_ID_WRONG"


def test_a_second_key_for_an_epoch_is_refused(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch("snf-locatie", [snf, utrecht])
    with pytest.raises(grpc.RpcError) as caught:
        snf.make_epoch("snf-locatie", [snf, utrecht])
    assert reason_of(caught.value) == "EPOCH_EXISTS"


def test_only_the_steward_makes_the_key(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    with pytest.raises(grpc.RpcError) as caught:
        utrecht.make_epoch("snf-locatie", [snf, utrecht])
    assert reason_of(caught.value) == "NOT_STEWARD"


def test_after_its_last_day_a_purpose_denies(world: World) -> None:
    snf, utrecht = Participant(world, "snf"), Participant(world, "utrecht")
    snf.make_epoch("snf-locatie", [snf, utrecht])
    world.clock.at += timedelta(days=500)
    request = exchange_pb2.CheckRequestRequest(
        answerers=["snf"], purpose="snf-locatie", scheme="bag", match_keys=1, subjects=1
    )
    request.want.hit = True
    (world.pki / "ca.crl").write_bytes(world.authority.revocation_list(this_update=world.clock.at))
    assert world.broker is not None
    world.broker.reload_directory()
    decision = utrecht.exchanges.CheckRequest(request, timeout=20).decisions[0].decision
    missed = {check.id for check in decision.checks if not check.met}
    assert {"purpose-valid", "policy-set-current"} <= missed
