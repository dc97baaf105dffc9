"""Who may learn what from whom: held against the engine, question by question."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from policy_samples import bent, facts, load, texts

from broker.exchange import Want
from broker.policy.evaluate import RegisterFacts, Request, epoch_of, evaluate
from broker.policy.legal_days import midnight
from broker.policy.overview import (
    Asker,
    answered_by,
    asked_by,
    days_of,
    grants_of,
    grouped,
    in_state,
    matrix_of,
    standing_on,
    who_can_see,
)

SET = load()
ALL = tuple(sorted(SET.purposes))
GRANTS = grants_of(SET, ALL)
DAY = date(2026, 11, 23)
MUNICIPALITIES = ("rotterdam", "someren", "tilburg", "utrecht", "waadhoeke", "westland")


def permitted(policies, name, asker, answerer, thing, day, modes=("keyed",)):
    """What the engine says of the mildest question for one thing at noon of `day`."""
    purpose, now = policies.purposes[name], midnight(day) + timedelta(hours=12)
    want = Want(thing == "hit", thing == "count", () if thing in ("hit", "count") else (thing,))
    asked = Request(
        asker=asker.party,
        principal=asker.principal,
        answerer=answerer,
        purpose=name,
        epoch=epoch_of(purpose, now).name,
        scheme=purpose.identified_by[0],
        match_keys=1,
        want=want,
        subjects=1,
    )
    known = facts(
        now=now,
        case_number="accepted",
        cooperation_ref=True,
        register=RegisterFacts(purpose.register_rules()),
        modes_available=frozenset(modes),
    )
    return evaluate(policies, asked, known).permitted


def universe(policies):
    parties = sorted(policies.catalogue.parties)
    pairs = {Asker(p.processor, p.principal) for x in policies.purposes.values() for p in x.on_behalf_of}
    return [*(Asker(party, None) for party in parties), *sorted(pairs)], parties


def granted(grants):
    return {
        (grant.purpose, asker, answerer, thing)
        for grant in grants
        for asker, answerer, thing in itertools.product(grant.askers, grant.answerers, grant.things)
    }


@pytest.mark.slow
def test_grants_are_exactly_what_the_engine_permits_on_a_day():
    askers, answerers = universe(SET)
    things = ["hit", "count", *SET.catalogue.attributes]
    for day in (DAY, date(2027, 7, 1)):
        opened = [name for name in ALL if standing_on(SET, name, day) == "open"]
        expected = {
            (name, asker, answerer, thing)
            for name in ALL
            for asker, answerer, thing in itertools.product(askers, answerers, things)
            if permitted(SET, name, asker, answerer, thing, day)
        }
        assert granted(grants_of(SET, opened)) == expected
        assert len(expected) > 100


def test_each_grant_is_listed_once():
    every = [
        (grant.purpose, *rest)
        for grant in GRANTS
        for rest in itertools.product(grant.askers, grant.answerers, grant.things)
    ]
    assert len(every) == len(set(every))


LAW = "    longest_retention_days: 92\n    to_be_confirmed: by a lawyer\n  wgv-permit"
CUT = LAW.replace("    to_be", "    in_force: {from: 2026-03-01, until: 2026-12-31}\n    to_be")


@pytest.mark.parametrize(
    ("policies", "first", "last"),
    [
        (SET, date(2026, 1, 1), date(2027, 12, 31)),
        (load(bent("catalogue.yaml", LAW, CUT)), date(2026, 3, 1), date(2026, 12, 31)),
        (load(expires=datetime(2027, 3, 31, 22, tzinfo=UTC)), date(2026, 1, 1), date(2027, 3, 31)),
    ],
)
def test_days_are_cut_by_the_law_and_by_the_expiry_as_the_engine_cuts_them(policies, first, last):
    assert days_of(policies, "snf-locatie") == (first, last)
    (grant,) = grants_of(policies, ["snf-locatie"])
    for day, expected in (
        (first - timedelta(1), "later"),
        (first, "open"),
        (last, "open"),
        (last + timedelta(1), "ended"),
    ):
        assert standing_on(policies, "snf-locatie", day) == expected
        allowed = permitted(policies, "snf-locatie", grant.askers[0], "snf", "beds", day)
        assert allowed == (expected == "open")


def test_a_law_that_never_holds_with_the_purpose_never_permits():
    never = load(bent("catalogue.yaml", LAW, CUT.replace("2026-03-01, until: 2026-12-31", "2028-01-01")))
    assert days_of(never, "snf-locatie") is None
    assert standing_on(never, "snf-locatie", DAY) == "never"
    (grant,) = grants_of(never, ["snf-locatie"])
    for day in (DAY, date(2027, 12, 31), date(2028, 1, 1)):
        assert not permitted(never, "snf-locatie", grant.askers[0], "snf", "hit", day)


def test_a_purpose_that_needs_a_mode_says_so_and_opens_with_it():
    source = bent("purposes/snf-locatie.yaml", "mode: keyed", "mode: oblivious, key_services: [oost, sluis]")
    snf = source["purposes/snf-locatie.yaml"].replace(
        "requests_per_day: 50", "requests_per_day: 50, evaluations_per_epoch: 9"
    )
    active = load(source | {"purposes/snf-locatie.yaml": snf})
    assert standing_on(active, "snf-locatie", DAY) == "mode"
    assert standing_on(active, "snf-locatie", DAY, ("keyed", "oblivious")) == "open"
    (grant,) = grants_of(active, ["snf-locatie"])
    assert not permitted(active, "snf-locatie", grant.askers[0], "snf", "hit", DAY)
    assert permitted(active, "snf-locatie", grant.askers[0], "snf", "hit", DAY, ("keyed", "oblivious"))


@pytest.mark.parametrize("state", ["draft", "shadow", "suspended", "withdrawn"])
def test_only_an_active_purpose_is_open(state):
    other = load(bent("purposes/snf-locatie.yaml", "state: active", f"state: {state}"))
    assert standing_on(other, "snf-locatie", DAY) == state
    assert "snf-locatie" not in in_state(other, ("active",))
    assert "snf-locatie" in in_state(other, (state,))


def test_who_can_see_an_attribute():
    seen = who_can_see(GRANTS, "beds")
    assert [(grant.purpose, grant.answerers) for grant in seen] == [("snf-locatie", ("snf",))]
    assert [asker.party for asker in seen[0].askers] == list(MUNICIPALITIES)
    assert {grant.purpose for grant in who_can_see(GRANTS, "count")} == {
        name for name, purpose in SET.purposes.items() if purpose.may_learn.count
    }
    assert who_can_see(GRANTS, "no-such-word") == ()


def test_attributes_are_learned_only_from_who_holds_them():
    split = bent("purposes/snf-locatie.yaml", "answers: [snf]", "answers: [snf, sna]")
    grants = grants_of(load(split), ["snf-locatie"])
    assert [(grant.answerers, grant.things) for grant in grants] == [
        (("sna",), ("hit", "certificate-status", "valid-until")),
        (("snf",), ("hit", "certificate-status", "valid-until", "beds", "last-inspection")),
    ]


def test_what_a_principal_may_learn_through_its_processor():
    by = asked_by(GRANTS, "certificeerder-noord")
    assert {grant.purpose for grant in by} == {"cert-boete", "cert-fiscaal"}
    assert {asker for grant in by for asker in grant.askers} == {Asker("sna", "certificeerder-noord")}
    assert {grant.purpose for grant in asked_by(GRANTS, "sna")} >= {"cert-boete", "cert-fiscaal"}
    assert answered_by(GRANTS, "certificeerder-noord") == ()


def test_what_others_may_learn_from_one_municipality():
    answered = answered_by(GRANTS, "utrecht")
    assert {grant.answerers for grant in answered} == {("utrecht",)}
    assert {grant.purpose for grant in answered} == {
        name for name, purpose in SET.purposes.items() if "utrecht" in purpose.answers
    }


def test_the_matrix_holds_every_grant_and_no_other():
    matrix = matrix_of(GRANTS)
    held = {
        (learned.purpose, asker, answerer, thing)
        for row in matrix.rows
        for column, cell in zip(matrix.columns, row.cells, strict=True)
        for learned in cell
        for asker, answerer, thing in itertools.product(row.askers, column, learned.things)
    }
    assert held == granted(GRANTS)
    assert tuple(Asker(name, None) for name in MUNICIPALITIES) in {row.askers for row in matrix.rows}
    assert all(any(row.cells) for row in matrix.rows)


def test_an_empty_matrix_has_neither_rows_nor_columns():
    assert (matrix_of(()).rows, matrix_of(()).columns) == ((), ())


def test_parties_are_shown_by_group_only_when_the_whole_group_is_meant():
    assert grouped(SET.catalogue, (*MUNICIPALITIES, "uwv")) == (("municipalities",), ("uwv",))
    assert grouped(SET.catalogue, MUNICIPALITIES[1:]) == ((), MUNICIPALITIES[1:])
    nested = texts()
    nested["catalogue.yaml"] = nested["catalogue.yaml"].replace("\nauditors:", "\n  pair: [utrecht, uwv]\nauditors:", 1)
    catalogue = load(nested).catalogue
    assert grouped(catalogue, MUNICIPALITIES) == (("municipalities",), ())
    assert grouped(catalogue, (*MUNICIPALITIES, "uwv")) == (("municipalities",), ("uwv",))
    assert grouped(catalogue, ("someren", "utrecht", "uwv")) == (("pair",), ("someren",))
