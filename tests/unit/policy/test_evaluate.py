from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_samples import NOW, ROOT, bent, facts, load, request, texts

from broker.canonical import canonical_json, parse_canonical
from broker.errors import Code, SluisError
from broker.exchange import Want
from broker.policy.evaluate import (
    CHECK_IDS,
    ENGINE,
    Facts,
    ProbingFacts,
    RegisterFacts,
    Request,
    StandingFacts,
    decision_from_log,
    decision_to_log,
    epoch_of,
    evaluate,
    facts_from_log,
    facts_to_log,
    judge_case_number,
    permits,
)

POLICIES = load(expires=datetime(2028, 1, 1, tzinfo=UTC))
PERSON_IDENTIFIERS = ("bsn", "loonheffing", "name-birthdate", "wid-document")


def failing(asked, known=None, policies=POLICIES):
    return [check.id for check in evaluate(policies, asked, known or facts()).failing]


def test_a_good_question_is_permitted_with_its_duties():
    decision = evaluate(POLICIES, request(), facts())
    assert decision.permitted
    assert decision.failing == ()
    assert decision.obligations[0] == "answer_keep_days: delete the answer within 92 days"
    assert ENGINE == "sluis-engine/2"


def test_every_decision_holds_every_check_in_the_same_order():
    for asked in (request(), request(purpose="nonsense"), request(asker="nla"), SimpleNamespace()):
        assert tuple(check.id for check in evaluate(POLICIES, asked, facts()).checks) == CHECK_IDS
    assert len(CHECK_IDS) == len(set(CHECK_IDS)) == 23


def test_a_notice_suspends_at_once_under_engine_2_and_was_unknown_to_engine_1():
    since = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    suspended = facts(suspended_since=since)
    assert failing(request(), facts(suspended_since=since)) == ["suspension"]
    assert "since 2026-11-23 09:30 UTC" in evaluate(POLICIES, request(), suspended).failing[0].reason
    older = evaluate(POLICIES, request(), suspended, "sluis-engine/1")
    assert older.permitted
    assert "suspension" not in {check.id for check in older.checks}
    assert len(older.checks) == 22
    assert facts_from_log(facts_to_log(suspended)) == suspended
    of_engine_1 = facts_to_log(facts(), suspensions=False)
    assert "suspended_since" not in of_engine_1
    assert facts_from_log(of_engine_1) == facts()


def test_an_unknown_purpose_denies_everything():
    decision = evaluate(POLICIES, request(purpose="snf-locaties"), facts())
    assert not decision.permitted
    assert failing(request(purpose="snf-locaties")) == list(CHECK_IDS)
    assert decision.checks[0].reason == "the policy set has no purpose named 'snf-locaties'"


ONE_BY_ONE = [
    ({"asker": "nla"}, {}, ["asker"]),
    ({"principal": "someren"}, {}, ["principal"]),
    ({"answerer": "sna"}, {}, ["answerer", "attributes"]),
    ({"asker": "snf"}, {}, ["asker", "answerer"]),
    ({"scheme": "kvk"}, {}, ["identifier", "match-keys"]),
    ({"match_keys": 0}, {}, ["match-keys"]),
    ({"match_keys": 2}, {}, ["match-keys"]),
    ({"epoch": "2027Q1"}, {}, ["epoch"]),
    ({"epoch": ""}, {}, ["epoch"]),
    ({"want": Want(True, False, ("beds", "manager-name"))}, {}, ["attributes"]),
    ({"want": Want(False, True)}, {}, ["count", "count-distance", "counts-per-epoch"]),
    ({"want": Want(False, False)}, {}, ["hit"]),
    ({"subjects": 0}, {}, ["subjects-per-request"]),
    ({"subjects": -5}, {}, ["subjects-per-request"]),
    ({"subjects": 1001}, {}, ["subjects-per-request"]),
    ({}, {"requests_today": 50}, ["requests-per-day"]),
    ({}, {"requests_today": -1}, ["requests-per-day"]),
    ({}, {"case_number": "malformed"}, ["case-number"]),
    ({}, {"case_number": "looks-like-bsn"}, ["case-number"]),
    ({}, {"case_number": "something else"}, ["case-number"]),
    ({}, {"modes_available": frozenset()}, ["mode"]),
    ({"epoch": "2028Q1"}, {"now": datetime(2028, 1, 1, tzinfo=UTC)}, ["policy-set-current", "purpose-valid"]),
    ({"epoch": "2025Q4"}, {"now": datetime(2025, 12, 31, tzinfo=UTC)}, ["purpose-valid"]),
]


@pytest.mark.parametrize(("asked", "known", "expected"), ONE_BY_ONE)
def test_one_thing_wrong_fails_exactly_its_checks(asked, known, expected):
    assert failing(request(**asked), facts(**known)) == expected


@pytest.mark.parametrize(
    ("day", "epoch", "reason"),
    [
        (7, "2026Q4", "2026Q4 is the epoch before 2027Q1, and they overlap for 7 days"),
        (7, "2026Q4.2", "2026Q4 is the epoch before 2027Q1, and they overlap for 7 days"),
        (7, "2027Q1.3", "2027Q1 is the epoch in force"),
        (8, "2026Q4", None),
        (7, "2026Q3", None),
        (7, "2027Q2", None),
    ],
)
def test_two_epochs_overlap_on_as_many_days_as_the_text_says(day, epoch, reason):
    source = bent("purposes/snf-locatie.yaml", "steward: snf}", "steward: snf, overlap_days: 7}")
    policies = load(source, expires=datetime(2028, 1, 1, tzinfo=UTC))
    now = datetime(2027, 1, day, 22, 59, tzinfo=UTC)
    asked = request(epoch=epoch)
    decision = evaluate(policies, asked, facts(now=now))
    (check,) = [check for check in decision.checks if check.id == "epoch"]
    assert (check.met, permits(policies, asked, now)) == (reason is not None, reason is not None)
    assert check.reason == (reason or f"'{epoch}' is not the epoch in force, 2027Q1")


@pytest.mark.parametrize("state", ["draft", "shadow", "suspended", "withdrawn"])
def test_only_active_permits(state):
    policies = load(bent("purposes/snf-locatie.yaml", "state: active", f"state: {state}"))
    assert failing(request(), policies=policies) == ["purpose-active"]


def test_the_set_expires_into_deny_at_the_very_moment():
    policies = load(expires=NOW)
    assert failing(request(), facts(now=NOW), policies) == ["policy-set-current"]
    assert failing(request(), facts(now=NOW - timedelta(microseconds=1)), policies) == []


def test_case_number_and_cooperation_reference():
    asked = request(asker="uwv", answerer="nla", purpose="nla-verstrekking-onderneming", scheme="kvk",
                    want=Want(True, False))  # fmt: skip
    good = facts(
        case_number="accepted", cooperation_ref=True, register=RegisterFacts({"exclude_natural_persons": True})
    )
    assert failing(asked, good) == []
    assert failing(asked, replace(good, case_number="absent")) == ["case-number"]
    assert failing(asked, replace(good, cooperation_ref=False)) == ["cooperation-ref"]
    assert failing(asked, replace(good, cooperation_ref="yes")) == ["cooperation-ref"]


@pytest.mark.parametrize(
    ("rules", "met"),
    [
        ({"exclude_natural_persons": True}, True),
        ({"exclude_natural_persons": True, "look_back_years": 1}, True),
        ({}, False),
        ({"exclude_natural_persons": False}, False),
        ({"exclude_natural_persons": 1}, False),
        ({"exclude_natural_persons": "true"}, False),
    ],
)
def test_a_register_must_declare_the_rules_demanded(rules, met):
    asked = request(asker="uwv", answerer="nla", purpose="nla-verstrekking-onderneming", scheme="kvk",
                    want=Want(True, False))  # fmt: skip
    known = facts(case_number="accepted", cooperation_ref=True, register=RegisterFacts(rules))
    assert failing(asked, known) == ([] if met else ["register-rules"])
    assert failing(asked, replace(known, register=None)) == []


def test_register_rules_are_those_of_the_purpose():
    assert POLICIES.purposes["cert-boete"].register_rules() == {
        "look_back_years": 2,
        "look_back_counted_from": "receipt-of-overview",
        "valid_on": "as-of",
        "exclude_natural_persons": True,
    }
    assert POLICIES.purposes["verhuurvergunning-verhuurder"].register_rules() == {"hit_only_if_natural_person": True}


def test_counts():
    asked = request(purpose="bezetting", want=Want(False, True), subjects=100)
    assert failing(asked) == []
    assert failing(asked, facts(count_distance=4)) == ["count-distance"]
    assert failing(asked, facts(count_distance=5)) == []
    assert failing(asked, facts(counts_this_epoch=12)) == ["counts-per-epoch"]
    assert failing(replace(asked, want=Want(True, True))) == ["hit", "count"]
    # distances and counters of counts say nothing about a question for hits
    assert failing(request(), facts(count_distance=0, counts_this_epoch=99)) == []


def test_weakest_match_key_bounds_the_keys():
    source = bent("purposes/wagweu-melding.yaml", "may_learn:", "weakest_match_key: 1\nmay_learn:")
    asked = request(asker="nla", answerer="meldloket", purpose="wagweu-melding", epoch="2026-11", match_keys=2,
                    scheme="name-birthdate", want=Want(True, False))  # fmt: skip
    known = facts(case_number="accepted")
    assert failing(asked, known) == ["purpose-active", "mode"]
    assert failing(asked, known, load(source)) == ["purpose-active", "match-keys", "mode"]


def test_a_basis_that_is_not_in_force_denies():
    source = bent("purposes/nau-status.yaml", "from: 2027-07-01", "from: 2027-06-30")
    asked = request(asker="nla", answerer="nau", purpose="nau-status", scheme="kvk", want=Want(True, False),
                    epoch="2027Q2")  # fmt: skip
    assert failing(asked, facts(now=datetime(2027, 6, 30, 12, tzinfo=UTC)), load(source)) == ["legal-basis"]


def test_persons_are_always_denied():
    """No purpose that accepts a person's identifier permits anything, whatever else is right."""
    policies = POLICIES
    seen = 0
    for name, purpose in policies.purposes.items():
        for scheme in set(purpose.identified_by) & set(PERSON_IDENTIFIERS):
            assert purpose.state == "draft"
            assert purpose.pseudonyms.mode == "oblivious"
            for asker, answerer in itertools.product(purpose.asks, purpose.answers):
                asked = request(asker=asker, answerer=answerer, purpose=name, scheme=scheme, want=Want(True, False),
                                epoch=epoch_of(purpose, NOW).name, subjects=1)  # fmt: skip
                known = facts(case_number="accepted", cooperation_ref=True,
                              register=RegisterFacts(purpose.register_rules()),
                              probing=ProbingFacts(0, 0, 0, 1, 1, None) if purpose.probing else None)  # fmt: skip
                assert failing(asked, known) == ["purpose-active", "mode"]
                seen += 1
    assert seen > 20


def test_d01_a_certifier_never_learns_about_persons():
    """Every purpose, every identifier of persons, every answerer, every kind of answer, itself or through SNA."""
    policies = POLICIES
    wants = (Want(True, False), Want(False, True), Want(True, False, ("certificate-status",)))
    parties = tuple(policies.catalogue.parties)
    seen = 0
    for name, scheme, answerer, want, (asker, principal) in itertools.product(
        policies.purposes, PERSON_IDENTIFIERS, parties, wants,
        (("certificeerder-noord", None), ("sna", "certificeerder-noord"), ("certificeerder-noord", "sna")),
    ):  # fmt: skip
        purpose = policies.purposes[name]
        asked = request(asker=asker, principal=principal, answerer=answerer, purpose=name, scheme=scheme, want=want,
                        epoch=epoch_of(purpose, NOW).name, subjects=1)  # fmt: skip
        known = facts(case_number="accepted", cooperation_ref=True, modes_available=frozenset({"keyed", "oblivious"}),
                      register=RegisterFacts(purpose.register_rules()))  # fmt: skip
        decision = evaluate(policies, asked, known)
        assert not decision.permitted
        assert {"asker", "identifier"} & {check.id for check in decision.failing}
        seen += 1
    assert seen == 16 * 4 * len(parties) * 3 * 3


def set_model():
    """What is allowed, as a set of tuples, from the raw YAML by another reader and none of the code under test."""
    catalogue = yaml.safe_load((ROOT / "catalogue.yaml").read_text(encoding="utf-8"))

    def members(names):
        return {party for name in names for party in catalogue["groups"].get(name, [name])}

    allowed = set()
    for file in (ROOT / "purposes").glob("*.yaml"):
        purpose = yaml.safe_load(file.read_text(encoding="utf-8"))
        if purpose["state"] != "active" or not purpose["valid"]["from"] <= NOW.date() <= purpose["valid"]["until"]:
            continue
        learn = purpose["may_learn"]
        pairs = [(pair["processor"], pair["principal"]) for pair in purpose.get("on_behalf_of", [])]
        askers = [(a, None) for a in members(purpose["asks"]) if a not in {p for p, _ in pairs}] + pairs
        for (asker, principal), answerer, scheme in itertools.product(
            askers, members(purpose["answers"]), purpose["identified_by"]
        ):
            things = ["hit"] if learn.get("hit") is True else []
            things += ["count"] if "count" in learn else []
            things += [
                name
                for name in learn.get("attributes", {})
                if answerer in members(catalogue["attributes"][name]["holders"])
            ]
            allowed |= {(purpose["purpose"], asker, principal, answerer, scheme, thing) for thing in things}
    return allowed


def wanted(thing):
    return {"hit": Want(True, False), "count": Want(False, True)}.get(thing, Want(False, False, (thing,)))


def test_brute_force_permits_and_evaluate_agree_with_the_set_model():
    """Every purpose x asker x principal x answerer x identifier x single thing to learn."""
    allowed = set_model()
    assert len(allowed) > 100
    policies = POLICIES
    catalogue = policies.catalogue
    parties = (*catalogue.parties, "nobody")
    permitted = set()
    count = 0
    for name, purpose in policies.purposes.items():
        known = facts(case_number="accepted", cooperation_ref=True, register=RegisterFacts(purpose.register_rules()))
        epoch = epoch_of(purpose, NOW).name
        principals = (None, "certificeerder-noord", "snf")
        things = ("hit", "count", *catalogue.attributes, "manager-name")
        for asker, principal, answerer in itertools.product(parties, principals, parties):
            plausible = asker in purpose.asks and answerer in purpose.answers
            for scheme in catalogue.identifiers if plausible else ("bag",):
                for thing in things if plausible else ("hit",):
                    asked = Request(asker, principal, answerer, name, epoch, scheme, 1, wanted(thing), 5)
                    bare = permits(policies, asked, NOW)
                    count += 1
                    if bare or count % 7 == 0:
                        assert evaluate(policies, asked, known).permitted == bare, asked
                    if bare:
                        permitted.add((name, asker, principal, answerer, scheme, thing))
    assert permitted == allowed
    assert count > 40_000


@pytest.mark.parametrize(
    "broken",
    [
        {"asker": None}, {"purpose": None}, {"purpose": []}, {"want": None}, {"subjects": "many"}, {"subjects": None},
        {"match_keys": None}, {"scheme": {}}, {"want": Want(True, False, (1, []))},
    ],
)  # fmt: skip
def test_nonsense_denies_and_never_raises(broken):
    decision = evaluate(POLICIES, request(**broken), facts())
    assert not decision.permitted
    assert len(decision.checks) == len(CHECK_IDS)


@pytest.mark.parametrize(
    "broken",
    [{"now": None}, {"now": datetime(2026, 11, 23)}, {"requests_today": None}, {"case_number": None},
     {"modes_available": None}, {"now": "2026-11-23"}],
)  # fmt: skip
def test_facts_that_cannot_be_read_deny(broken):
    decision = evaluate(POLICIES, request(), facts(**broken))
    assert not decision.permitted
    assert "could not be evaluated" in {check.reason for check in decision.checks}


def test_even_a_broken_policy_set_denies():
    decision = evaluate(None, None, None)
    assert not decision.permitted
    assert decision.obligations == ()
    assert {check.reason for check in decision.checks} == {"could not be evaluated"}


junk = st.one_of(
    st.none(), st.text(max_size=20), st.integers(), st.booleans(), st.lists(st.text(max_size=3), max_size=2)
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(Request.__dataclass_fields__, junk)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(Facts.__dataclass_fields__, junk)),
)
@settings(max_examples=300, deadline=None)
def test_total_on_anything(asked, known):
    decision = evaluate(POLICIES, request(**asked), facts(**known))
    assert decision.permitted == all(check.met for check in decision.checks)
    assert all(isinstance(check.met, bool) and isinstance(check.reason, str) for check in decision.checks)
    canonical_json(decision_to_log(decision))


def test_a_replay_from_the_log_gives_the_same_decision():
    policies = POLICIES
    cases = [
        (request(), facts()),
        (request(asker="nla"), facts(requests_today=7)),
        (request(purpose="bezetting", want=Want(False, True)), facts(count_distance=3, counts_this_epoch=2)),
        (request(purpose="nothing"), facts(register=None, modes_available=frozenset({"keyed", "oblivious"}))),
        (request(), facts(now=NOW.replace(microsecond=123456), register=RegisterFacts({"valid_on": "as-of"}))),
    ]
    for asked, known in cases:
        first = evaluate(policies, asked, known)
        entry = parse_canonical(canonical_json({"facts": facts_to_log(known), "decision": decision_to_log(first)}))
        again = evaluate(load(expires=policies.expires), asked, facts_from_log(entry["facts"]))
        assert again == first == decision_from_log(entry["decision"])


def test_the_log_form_is_the_documented_one():
    guarded = facts(probing=ProbingFacts(0, 0, 0, 3, 3, None), standing=StandingFacts("same", newer=True, days=3))
    assert set(facts_to_log(guarded)) == set(Facts.__dataclass_fields__)
    # only where something guards, and of a question that stands
    assert set(facts_to_log(facts())) == set(Facts.__dataclass_fields__) - {"probing", "standing"}
    assert facts_from_log(facts_to_log(guarded)) == guarded
    logged = decision_to_log(evaluate(POLICIES, request(), facts()))
    assert set(logged) == {"effect", "checks", "obligations"}
    assert logged["effect"] == "permit"
    assert logged["checks"][4] == {"id": "purpose-valid", "met": True, "path": "valid",
                                   "reason": "valid 2026-01-01 to 2027-12-31, both included"}  # fmt: skip
    assert len(canonical_json(logged)) < 8_000


@pytest.mark.parametrize(
    "change",
    [{"now": "2026-11-23"}, {"now": 1}, {"extra": 1}, {"register": []}, {"register": {"rules": {}, "more": 1}},
     {"modes_available": ["oblivious", "keyed"]}, {"probing": None}, {"probing": {"same": 1}}, {"probing": 3},
     {"standing": None}, {"standing": {"first": "same"}}, {"standing": []}],
)  # fmt: skip
def test_facts_that_were_not_logged_so_are_refused(change):
    with pytest.raises(SluisError) as raised:
        facts_from_log(facts_to_log(facts()) | change)
    assert raised.value.code is Code.STATEMENT_INVALID
    with pytest.raises(SluisError):
        facts_from_log({})


@pytest.mark.parametrize(
    "change", [{"effect": "maybe"}, {"checks": [{"id": "x"}]}, {"checks": 3}, {"obligations": None}, {"more": 1}]
)
def test_decisions_that_were_not_logged_so_are_refused(change):
    with pytest.raises(SluisError):
        decision_from_log(decision_to_log(evaluate(POLICIES, request(), facts())) | change)


def test_reasons_never_repeat_what_could_be_a_persons_number():
    number = "999993653"
    asked = request(
        asker=number, principal=f"x{number}", answerer=f"{number}L01", purpose="snf-locatie", epoch=number,
        scheme=number, want=Want(True, False, (f"bsn-{number}", "a b", "\u202e")),
    )  # fmt: skip
    for question in (asked, replace(asked, purpose=number)):
        reasons = " ".join(check.reason for check in evaluate(POLICIES, question, facts()).checks)
        assert number not in reasons
        assert "\u202e" not in reasons


def test_every_reason_has_a_line_when_a_line_says_it():
    policies = POLICIES
    for asked, known, expected in ONE_BY_ONE:
        decision = evaluate(policies, request(**asked), facts(**known))
        assert [check.id for check in decision.failing] == expected
        for check in decision.failing:
            if check.id != "policy-set-current" and check.reason != "could not be evaluated":
                line = policies.line_of("snf-locatie", check.path)
                assert line.partition(":")[0] in ("purposes/snf-locatie.yaml", "catalogue.yaml"), check


def test_case_numbers_are_judged_by_the_partys_own_pattern():
    policies = POLICIES
    assert judge_case_number(policies, "nla", None) == "absent"
    assert judge_case_number(policies, "nla", "") == "absent"
    assert judge_case_number(policies, "nla", "NLA-2026-8812") == "accepted"
    assert judge_case_number(policies, "uwv", "NLA-2026-8812") == "malformed"
    assert judge_case_number(policies, "snf", "NLA-2026-8812") == "malformed"
    assert judge_case_number(policies, "nobody", "NLA-2026-8812") == "malformed"
    assert judge_case_number(policies, "nla", "NLA-2026-999993653") == "looks-like-bsn"


def test_evaluate_does_not_depend_on_the_order_of_anything():
    shuffled = dict(reversed(list(texts().items())))
    assert evaluate(load(shuffled), request(), facts()) == evaluate(load(), request(), facts())
